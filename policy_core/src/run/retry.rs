//! What happens after an error: retry, fall back to another model, give up, or pass the error on.

use super::Run;
use super::amounts::Subject;
use super::call::{Attempt, Call, Point};
use super::question::{Finding, Question, sort, vote_of};
use super::settle::{Fate, check_usage};
use crate::books::Books;
use crate::decision::{BuiltIn, By, Decision, Event, Outcome, Vote};
use crate::error::EngineError;
use crate::event::{ErrorKind, Failure, Now};
use crate::facts::{ErrorFacts, Sent, View};
use crate::fingerprint::xxh3_64;
use crate::loops::Mistake;
use crate::program::{Program, Retry};
use crate::typed::typed;
use crate::value::{Dimension, Slot, Truth};

/// How long a server that asks for it is waited for where the policy gives no time: a minute.
const MOST_PATIENCE: u64 = 60_000_000_000;

/// What the retry statements say.
#[derive(Debug, Default)]
struct Advised {
    finding: Option<Finding>,
    /// The longest wait that some statement votes for, and whose.
    wait: Option<(u64, u32)>,
    /// Some statement looks at this model or tool, whether it applies or not.
    is_covered: bool,
    /// Asking another model at once is in time for every statement that applies.
    may_fall_back: bool,
}

impl Advised {
    fn votes(&self) -> &[Vote] {
        self.finding.as_ref().map_or(&[], |finding| &finding.votes)
    }

    /// Whether no attempt follows on the same model or tool.
    fn gives_up(&self) -> bool {
        self.votes().first().is_none_or(|first| first.outcome != Outcome::Wait)
    }
}

impl Run {
    /// An attempt failed: it is charged what it used, and the policy says what to do next. An allow means to
    /// pass the error on unchanged.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown or already settled, or a number cannot be right.
    pub fn error(
        &mut self,
        now: Now,
        failure: &Failure<'_>,
        books: &mut Books,
    ) -> Result<Decision, EngineError> {
        check_usage(failure.usage)?;
        self.under(|run, program| run.take_error((program, books), now, failure))
    }

    fn take_error(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        failure: &Failure<'_>,
    ) -> Result<Decision, EngineError> {
        self.begin_event(now);
        self.is_here()?;
        let place = self.place(failure.attempt)?;
        let Some(&Attempt { call, ref reserved, number, settled: None, .. }) = self.attempts.get(place)
        else {
            return Err(EngineError::AlreadySettled(failure.attempt));
        };
        let subject = reserved.subject;
        let fate = self.fate(failure, call, subject);
        self.close_attempt((program, books), place, failure.usage, fate);
        let event = if matches!(subject, Subject::Model(_)) { Event::ModelError } else { Event::ToolError };
        let mut decision = Decision::new();
        self.begin_decision(event, Some(call), &mut decision);
        decision.attempt_number = Some(number);
        if let Subject::Model(model) = subject {
            decision.model = Some(model);
        }
        if failure.kind.is_final() {
            decision.built_in(Outcome::Allow, BuiltIn::NotRetried);
            self.calls.remove(call);
        } else if self.is_over(&mut decision) {
            self.calls.remove(call);
        } else {
            self.decide_error((program, books), call, (subject, number), failure, &mut decision);
        }
        Ok(decision)
    }

    /// What is left of the tightest `within` that a call has on this model or tool.
    #[inline]
    pub(super) fn call_time_left(&self, call: &Call, subject: Subject) -> Option<u64> {
        if self.program.tables.retries.all().is_empty() { None } else { self.tightest_within(call, subject) }
    }

    #[inline(never)]
    fn tightest_within(&self, call: &Call, subject: Subject) -> Option<u64> {
        let (tables, all) = (&self.program.tables, &self.program.index.retries);
        let within = |index: u32| {
            let retry = tables.retries.at(index);
            retry.within_ns.filter(|_| !self.program.is_observed(retry.statement))
        };
        let tightest = match subject {
            Subject::Model(model) => all.of_model(model).filter_map(within).min(),
            Subject::Tool(tool, class) => all.of_tool(tool, class).filter_map(within).min(),
            Subject::Person => None,
        };
        Some(tightest?.saturating_sub(self.age.now().saturating_sub(call.begun)))
    }

    /// A timeout that the caller brought about, or its own deadline, is no fault of whom it called.
    fn fate(&self, failure: &Failure<'_>, call: u64, subject: Subject) -> Fate {
        let left = self.calls.get(call).and_then(|call| self.call_time_left(call, subject));
        let is_own = failure.own || !self.fits_time(0) || left == Some(0);
        if is_own && failure.kind == ErrorKind::Timeout { Fate::CutShort } else { Fate::Failed(failure.kind) }
    }

    pub(super) fn decide_error(
        &mut self,
        (program, books): (&Program, &mut Books),
        id: u64,
        (subject, number): (Subject, u64),
        failure: &Failure<'_>,
        decision: &mut Decision,
    ) {
        let Some(call) = self.calls.lend(id) else { return decision.refuse(BuiltIn::ClosedCall) };
        let &Failure { kind, status, retry_after, billed, .. } = failure;
        let error = ErrorFacts { kind, status, retry_after, billed };
        let mut question = Question::new((self, books), program, id, &call, Sent::Kept(&call.kept));
        question.error = Some(&error);
        if let Subject::Tool(tool, _) = subject {
            question.tool = Some(program.tables.tools.at(tool));
        }
        let mut advised = question.advise_retry(subject, number, failure);
        // Between the two another run may have taken what was left of a share.
        while !advised.gives_up() && !question.count_retries(advised.votes()) {
            advised = question.advise_retry(subject, number, failure);
        }
        if let Subject::Tool(tool, _) = subject
            && advised.gives_up()
            && !program.index.loops.of_errors.is_empty()
        {
            let mistake = Mistake { tool, kind: failure.kind, message: failure.fingerprint };
            let found = self.family.look().mistake(program, mistake);
            question.vote_mistakes(&found, &mut advised.finding);
        }
        decision.would = question.observed();
        question.count_observed(&decision.would);
        let model = self.fallback_from(&call, subject, &advised, failure.kind);
        match (model, advised.finding) {
            (Some(model), finding) => self.fall_back(program, (id, call), model, finding, decision),
            (None, None) => {
                decision.built_in(Outcome::Allow, BuiltIn::NotRetried);
                self.calls.spare(call);
            }
            (None, Some(finding)) => {
                self.conclude((program, books), (id, call), finding, decision);
                if let (Outcome::Wait, Some((wait, statement))) = (decision.outcome, advised.wait) {
                    decision.wait_ns = Some(wait);
                    decision.by = By::Statement(statement);
                }
            }
        }
    }

    /// The failed model, if its call is to go on with the next candidate.
    fn fallback_from(
        &self,
        call: &Call,
        subject: Subject,
        advised: &Advised,
        kind: ErrorKind,
    ) -> Option<u32> {
        let Subject::Model(model) = subject else { return None };
        let is_given_up = match &advised.finding {
            Some(finding) => finding.votes.first().is_some_and(|first| {
                matches!(first.outcome, Outcome::Fail | Outcome::Answer) && !first.undecided
            }),
            None => kind.is_outage() && !advised.is_covered,
        };
        let goes_on = is_given_up && call.has_next && advised.may_fall_back && self.fits_time(0);
        goes_on.then_some(model)
    }

    fn fall_back(
        &mut self,
        program: &Program,
        (id, mut call): (u64, Box<Call>),
        model: u32,
        finding: Option<Finding>,
        decision: &mut Decision,
    ) {
        call.failed.push(model);
        self.calls.keep(id, call);
        decision.outcome = Outcome::Wait;
        decision.wait_ns = Some(0);
        decision.votes = finding.map(|finding| finding.votes).unwrap_or_default();
        // Only a route has a second candidate.
        if let Some(route) = &program.tables.route {
            decision.by = By::Statement(route.statement);
            decision.votes.push(vote_of(route.statement, Outcome::Wait));
            sort(&mut decision.votes);
        }
    }
}

impl Question<'_> {
    /// The loops that an error closed vote beside the retries.
    fn vote_mistakes(&self, found: &[u32], finding: &mut Option<Finding>) {
        for &index in found {
            let found = self.program.tables.loops.at(index);
            if self.program.is_observed(found.statement) {
                self.vote(found.statement, found.verdict, false, &mut Vec::new());
                continue;
            }
            let finding = finding.get_or_insert_default();
            let first = finding.votes.first().copied();
            self.vote(found.statement, found.verdict, false, &mut finding.votes);
            sort(&mut finding.votes);
            if finding.votes.first().copied() != first {
                finding.values = Vec::new();
            }
        }
    }

    /// The votes of the retries whose time is over when a call is asked once more.
    #[inline]
    pub(super) fn vote_within(&self, votes: &mut Vec<Vote>) {
        if let Some((tried, _)) = self.call.tries.latest {
            self.vote_late(tried, votes);
        }
    }

    #[cold]
    fn vote_late(&self, tried: u32, votes: &mut Vec<Vote>) {
        let (tables, all) = (&self.program.tables, &self.program.index.retries);
        let look = |index: u32| {
            let retry = tables.retries.at(index);
            if retry.within_ns.is_some() && !self.is_within(retry, 0) {
                self.vote(retry.statement, retry.verdict, false, votes);
            }
        };
        match self.call.point {
            Point::Model => all.of_model(tried).for_each(look),
            Point::Tool { tool, .. } => all.of_tool(tool, tables.tools.at(tool).class).for_each(look),
        }
    }

    /// The facts as this statement sees them, if it is a retry on a model that it names.
    pub(super) fn retry_view(&self, statement: u32, attempt: u64) -> Option<View<'_>> {
        let retry = self.program.tables.retries.all().iter().find(|retry| retry.statement == statement)?;
        Some(self.view(attempt, Some(retry.selector.model()?)))
    }

    fn advise_retry(&self, subject: Subject, number: u64, failure: &Failure<'_>) -> Advised {
        let all = &self.program.index.retries;
        let (mut retries, may_repeat, key): (Vec<u32>, _, _) = match subject {
            Subject::Model(model) => (all.of_model(model).collect(), true, model),
            Subject::Tool(tool, class) => {
                let declared = self.program.tables.tools.at(tool);
                let may_repeat = declared.may_run_twice() || (failure.is_accounted_for() && !declared.once);
                (all.of_tool(tool, class).collect(), may_repeat, tool)
            }
            Subject::Person => return Advised::default(),
        };
        let may_repeat = may_repeat && !failure.committed;
        // Without a condition a retry is about what may pass, and for other errors as if it were not there.
        let tables = &self.program.tables;
        retries.retain(|retry| tables.retries.at(*retry).when.is_some() || failure.kind.is_passing());
        // Of equal waits the first statement's decides.
        retries.sort_unstable();
        let made = self.call.tries.made(key);
        self.observe_anew();
        let is_enforced = |retry: &u32| !self.program.is_observed(tables.retries.at(*retry).statement);
        let is_covered = retries.iter().any(is_enforced);
        let mut advised = Advised { is_covered, may_fall_back: true, ..Advised::default() };
        let mut votes = Vec::new();
        for index in retries {
            let retry = self.program.tables.retries.at(index);
            // A statement on a named model sees that model; others see the one that was asked for.
            let view = self.view(number, retry.selector.model());
            let truth = self.truth(retry.when, &view);
            if truth == Truth::False {
                continue;
            }
            let is_observed = self.program.is_observed(retry.statement);
            advised.may_fall_back &= is_observed || self.is_within(retry, 0);
            let delay = self.delay(retry, made);
            let is_in_time = self.is_within(retry, delay) && self.run.fits_time(delay);
            let has_room = made < retry.attempts && self.has_share(index, retry);
            if truth == Truth::True && may_repeat && has_room && is_in_time {
                self.cast(vote_of(retry.statement, Outcome::Wait), &mut votes);
                if !is_observed && advised.wait.is_none_or(|(longest, _)| delay > longest) {
                    advised.wait = Some((delay, retry.statement));
                }
            } else {
                self.vote(retry.statement, retry.verdict, truth == Truth::Unknown, &mut votes);
                self.fill(&view, &mut votes);
                self.fill_observed(&view);
            }
        }
        sort(&mut votes);
        advised.finding = self.find_retry(number, votes, advised.wait);
        advised
    }

    /// What the condition of the deciding retry read: the longest wait's if all wait, else the first vote's.
    fn find_retry(&self, number: u64, votes: Vec<Vote>, wait: Option<(u64, u32)>) -> Option<Finding> {
        let first = votes.first()?;
        let decider = match wait {
            Some((_, statement)) if first.outcome == Outcome::Wait => statement,
            _ => first.statement,
        };
        let view = self.retry_view(decider, number).unwrap_or_else(|| self.view(number, None));
        let values = self.values(&view, decider);
        let text = self.text(&view, first);
        Some(Finding { votes, values, ways: Vec::new(), text, reused: None, again: None, binding: None })
    }

    fn is_within(&self, retry: &Retry, delay: u64) -> bool {
        let end = self.run.age.now().saturating_sub(self.call.begun).saturating_add(delay);
        match retry.within_ns {
            Some(within) => end < within,
            None => delay <= retry.backoff_ns.map_or(0, |(_, most)| most).max(MOST_PATIENCE),
        }
    }

    /// How long to wait before the next attempt: within the backoff by the run's seed, and no less than the
    /// provider asks for.
    fn delay(&self, retry: &Retry, made: u64) -> u64 {
        let asked = self.error.map_or(Slot::Missing, |error| typed(error.retry_after, Dimension::Duration));
        let asked = match asked {
            Slot::Int(duration) => u64::try_from(duration).unwrap_or(0),
            _ => 0,
        };
        let Some((least, most)) = retry.backoff_ns else { return asked };
        let growth = u32::try_from(made).ok().and_then(|made| 1_u64.checked_shl(made)).unwrap_or(u64::MAX);
        let ceiling = least.saturating_mul(growth).min(most).max(least);
        let span = ceiling.saturating_sub(least).saturating_add(1);
        let mut bytes = [0; 16];
        let (call, attempts) = bytes.split_at_mut(8);
        call.copy_from_slice(&self.id.to_le_bytes());
        attempts.copy_from_slice(&made.to_le_bytes());
        let jitter = xxh3_64(&bytes, self.run.seed).checked_rem(span).unwrap_or(0);
        least.saturating_add(jitter).max(asked)
    }
}
