//! What the records of one run have in common, and how each is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use policy_core::books::Books;
use policy_core::{Decision, ErrorKind, Program, Run, Scope, Settlement, Stands, Usage};

use crate::batch::{About, Beside, Charged};
use crate::json::Json;
use crate::log::Log;

/// As many attempts are known by the decisions that opened them.
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
    program: Arc<Program>,
    head: Vec<u8>,
    subject: Vec<u8>,
    /// The latest attempts, with the numbers of their decisions.
    opened: VecDeque<(u64, u64)>,
    stands: Stands,
}

impl Writer {
    /// `head` is JSON in two lines: the run's id, and the members that say whose it is. `scope` names the
    /// scope of a limit as `user:u1`.
    #[must_use]
    pub fn new(log: Arc<Log>, run: &Run, head: &str, scope: impl Fn(Scope) -> String) -> Self {
        let program = Arc::clone(run.program());
        let mut bytes = head.as_bytes().to_vec();
        for limit in program.limits().iter().filter(|limit| limit.scope != Scope::Run) {
            bytes.push(b'\n');
            Json(&mut bytes).text(&scope(limit.scope));
        }
        let stands = Stands::of(run);
        Self { log, program, head: bytes, subject: Vec::new(), opened: VecDeque::new(), stands }
    }

    /// The log that the records go to.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Looks at the limits before an event.
    pub fn before(&mut self, run: &Run, books: &Books) {
        self.stands.look_before(run, books);
    }

    /// Looks at the limits after it.
    pub fn after(&mut self, run: &Run, books: &Books) {
        self.stands.look_after(run, books);
    }

    /// Keeps a decision, with the error that it answers.
    pub fn decision(
        &mut self,
        wall: u64,
        subject: Subject<'_>,
        error: Option<ErrorKind>,
        decision: &Decision,
    ) {
        let Self { log, program, head, subject: text, opened, stands } = self;
        if let Some(attempt) = decision.attempt {
            opened.truncate(OPENED - 1);
            opened.push_front((attempt, decision.number));
        }
        text.clear();
        match subject {
            Subject::Said(said) => text.extend_from_slice(said.as_bytes()),
            Subject::Call(point, name) => {
                for part in [point, " `", name.unwrap_or("any"), "`"] {
                    text.extend_from_slice(part.as_bytes());
                }
            }
        }
        let (before, after) = (stands.before(), stands.after());
        let beside = Beside { program: Some(program), head, subject: text, before, after };
        log.push(About::Decision { decision: decision.clone(), error }, wall, &beside);
    }

    /// Keeps what the attempt of a decision was charged, by which usage.
    pub fn charge(
        &self,
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
        let Self { program, head, stands, opened, .. } = self;
        let known = || opened.iter().find(|(attempt, _)| *attempt == ended.attempt);
        let number = ended.number.or_else(|| known().map(|(_, number)| *number)).unwrap_or(0);
        let about = About::Charge { charged, number, attempt: ended.attempt, usage, settlement };
        let beside = Beside { program: Some(program), head, after: stands.after(), ..Beside::default() };
        self.log.push(about, wall, &beside);
    }
}
