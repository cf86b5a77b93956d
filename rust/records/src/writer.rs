//! What the records of one run have in common, and how each is kept.

use std::sync::Arc;

use policy_core::books::Books;
use policy_core::{Decision, ErrorKind, Run, Scope, Settlement, Usage};

use crate::batch::{About, Amounts, Charged, Known, Record, Shown, Span};
use crate::head::Head;
use crate::log::Log;

/// As many of the latest attempts are known by the decisions that opened them.
const OPENED: usize = 16;

/// What a decision is about, as records name it.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A `model` or a `tool`, by a name that can be printed.
    Call(&'static str, Option<&'a str>),
    /// In these words.
    Said(&'a str),
}

/// An attempt, and the number of the decision that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The attempt's number in the run.
    pub attempt: u64,
    /// The decision's, by which the log knows it; a host that does not know it leaves it to the writer.
    pub number: Option<u64>,
}

/// Keeps the records of one run. It is used under the run's lock.
#[derive(Debug)]
pub struct Writer {
    log: Arc<Log>,
    head: Arc<Head>,
    /// Where the log has the head, and the readings before and after the latest event.
    head_at: Known<u32>,
    before_at: Known<Span>,
    after_at: Known<Span>,
    /// Attempts, each at its place by its number, with the numbers of their decisions.
    opened: [(u64, u64); OPENED],
}

impl Writer {
    /// `head` is JSON in two lines: the run's id, and the members that say whose it is. `scope` names the
    /// scope of a limit as `user:u1`.
    #[must_use]
    pub fn new(log: Arc<Log>, run: &mut Run, head: &str, scope: impl Fn(Scope) -> String) -> Self {
        run.keep_stands();
        Self {
            log,
            head: Arc::new(Head::new(run.program(), head, scope)),
            head_at: None,
            before_at: None,
            after_at: None,
            opened: [(0, 0); OPENED],
        }
    }

    /// Goes on with another run in the place of the one so far.
    #[must_use]
    pub fn of(self, run: &mut Run) -> Self {
        run.keep_stands();
        Self { before_at: None, after_at: None, ..self }
    }

    /// The log that the records go to.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Looks at the limits before an event.
    pub fn before(&mut self, run: &mut Run, books: &Books) {
        if !run.look_before(books) {
            self.after_at = None;
        }
        self.before_at = self.after_at;
    }

    /// Looks at the limits after it.
    pub fn after(&mut self, run: &mut Run, books: &Books) {
        if !run.look_after(books) {
            self.after_at = None;
        }
    }

    /// Keeps a decision, with the error that it answers.
    pub fn decision(
        &mut self,
        run: &Run,
        wall: u64,
        subject: Subject<'_>,
        error: Option<ErrorKind>,
        decision: &Decision,
    ) {
        if let Some(attempt) = decision.attempt
            && let Some(opened) = self.opened.get_mut(place(attempt))
        {
            *opened = (attempt, decision.number);
        }
        let (point, text) = match subject {
            Subject::Said(said) => (None, said),
            Subject::Call(point, name) => (Some(point), name.unwrap_or("any")),
        };
        let Self { log, head, head_at, before_at, after_at, .. } = self;
        let (before, after) = run.stands();
        let size = (before.len().saturating_add(after.len()), text.len());
        log.push(wall, size, |batch| {
            let head = Some(batch.head(head, head_at));
            let text = batch.text(text);
            let before = batch.shown(Shown { stands: before, known: before_at });
            let after = batch.shown(Shown { stands: after, known: after_at });
            batch.decision(decision, move |kept| {
                let about = About::Decision { kept, point, error };
                Record { about, wall, head, text, before, after }
            });
        });
    }

    /// Keeps what the attempt of a decision was charged, by which usage.
    pub fn charge(
        &mut self,
        run: &Run,
        wall: u64,
        charged: Charged,
        ended: Ended,
        (usage, settlement): (Usage, Settlement),
    ) {
        let usage = match usage {
            Usage::Exact { .. } => "exact",
            Usage::AtLeast { .. } => "at_least",
            Usage::Unknown => "unknown",
            Usage::Unsent => "unsent",
        };
        let Self { log, head, head_at, after_at, opened, .. } = self;
        let known = || opened.get(place(ended.attempt)).filter(|(attempt, _)| *attempt == ended.attempt);
        let number = ended.number.or_else(|| known().map(|(_, number)| *number)).unwrap_or(0);
        let Settlement { reserved_tokens, reserved_cost, tokens, cost, .. } = settlement;
        let amounts = Amounts { reserved_tokens, reserved_cost, tokens, cost };
        let (_, after) = run.stands();
        log.push(wall, (after.len(), 0), |batch| {
            let head = Some(batch.head(head, head_at));
            let after = batch.shown(Shown { stands: after, known: after_at });
            let (text, before) = (Span::default(), Span::default());
            batch.add(|| {
                let about = About::Charge { charged, number, attempt: ended.attempt, usage, amounts };
                Record { about, wall, head, text, before, after }
            });
        });
    }
}

/// Where an attempt is remembered.
fn place(attempt: u64) -> usize {
    usize::try_from(attempt).unwrap_or_default() % OPENED
}
