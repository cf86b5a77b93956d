//! What came back: the attempt is settled, and the policy says whether its result is taken.

use super::amounts::Subject;
use super::call::{Attempt, Call};
use super::known::Found;
use super::question::Question;
use super::settle::{Fate, check_usage};
use super::{Run, check_facts};
use crate::books::Books;
use crate::decision::{BuiltIn, By, Decision, Event, Outcome};
use crate::error::EngineError;
use crate::event::{ErrorKind, Failure, Now, Returned, Usage};
use crate::facts::Sent;
use crate::program::{Program, ToolClass};
use crate::value::{Slot, Truth, Value};

/// What a tool that fell short of its `succeeds when` is taken for.
pub(super) const SHORT: ErrorKind = ErrorKind::ToolFailure;

const INCOMPLETE: By = By::BuiltIn(BuiltIn::IncompleteResult);

/// What a result is worth, and what was read to tell.
#[derive(Debug)]
struct Worth {
    truth: Truth,
    values: Vec<(u32, Value)>,
}

impl Run {
    /// An attempt came back with a result: it is charged what it used, and the policy says whether the
    /// result is taken (an allow), or the call is made again (a wait) or given up. A tool whose `succeeds
    /// when` is not true has failed. [`Run::settle`] is the same without asking: it takes every result.
    ///
    /// `returned.facts` has one slot for each of [`Program::facts`](crate::Program::facts), in that order.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown or was already settled (its result is late, and is to be
    /// dropped), or if a number or the facts cannot be right.
    pub fn result(
        &mut self,
        now: Now,
        returned: &Returned<'_>,
        books: &mut Books,
    ) -> Result<Decision, EngineError> {
        self.under(|run, program| run.take_result((program, books), now, returned))
    }

    fn take_result(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        returned: &Returned<'_>,
    ) -> Result<Decision, EngineError> {
        check_facts(program, returned.facts)?;
        check_usage(returned.usage)?;
        if returned.usage == Usage::Unsent {
            return Err(EngineError::BadValue(
                "what was never sent has no result; settle the attempt as unsent",
            ));
        }
        self.begin_event(now);
        self.is_here()?;
        let place = self.place(returned.attempt)?;
        let Some(&Attempt { call, ref reserved, number, settled: None, .. }) = self.attempts.get(place)
        else {
            return Err(EngineError::AlreadySettled(returned.attempt));
        };
        let subject = reserved.subject;
        let worth = self.weigh(program, books, (call, subject, number), returned.facts);
        let is_good = worth.truth == Truth::True;
        let fate = if is_good { Fate::Settled } else { Fate::FellShort };
        self.close_attempt((program, books), place, returned.usage, fate);
        let event = if matches!(subject, Subject::Model(_)) { Event::ModelResult } else { Event::ToolResult };
        let mut decision = Decision::new();
        self.begin_decision(event, Some(call), &mut decision);
        decision.attempt_number = Some(number);
        if let Subject::Model(model) = subject {
            decision.model = Some(model);
        }
        if is_good {
            if let Subject::Model(model) = subject
                && self.climbs((program, books), (call, model), returned, &mut decision)
            {
                return Ok(decision);
            }
            self.take(program, call, (returned.attempt, subject), returned.fingerprint);
            if let (Subject::Tool(..), Some(fingerprint)) = (subject, returned.fingerprint) {
                self.tell(fingerprint)?;
            }
            decision.outcome = Outcome::Allow;
        } else if self.is_over(&mut decision) {
            self.calls.remove(call);
        } else {
            self.fall_short((program, books), call, (subject, number), returned, &mut decision);
            decision.undecided |= decision.by == INCOMPLETE && worth.truth == Truth::Unknown;
            decision.values.splice(..0, worth.values);
        }
        Ok(decision)
    }

    /// The agent was told this, by its fingerprint, in place of a tool's result: a refusal or an answer.
    /// It is no event: nothing else changes.
    ///
    /// # Errors
    /// [`EngineError`] if the run was suspended.
    pub fn tell(&mut self, fingerprint: u64) -> Result<(), EngineError> {
        self.is_here()?;
        if self.program.checks_truth() {
            self.family.memory().given.add(fingerprint);
        }
        Ok(())
    }

    /// Whether an attempt gave what its tool succeeds by.
    fn weigh(
        &self,
        program: &Program,
        books: &Books,
        (id, subject, number): (u64, Subject, u64),
        slots: &[Slot<'_>],
    ) -> Worth {
        let mut worth = Worth { truth: Truth::True, values: Vec::new() };
        let Subject::Tool(tool, _) = subject else { return worth };
        let tool = program.tables.tools.at(tool);
        if let (Some(when), Some(call)) = (tool.succeeds, self.calls.get(id)) {
            let sent = Sent::After { slots, kept: &call.kept };
            let mut question = Question::new((self, books), program, id, call, sent);
            question.tool = Some(tool);
            let view = question.view(number, None);
            worth.truth = question.truth(Some(when), &view);
            if worth.truth != Truth::True {
                worth.values = view.values(program.tables.conditions.at(when));
            }
        }
        worth
    }

    /// Half a result is a failure of the tool: the retries say what follows, and the agent never gets it.
    fn fall_short(
        &mut self,
        (program, books): (&Program, &mut Books),
        call: u64,
        attempt: (Subject, u64),
        returned: &Returned<'_>,
        decision: &mut Decision,
    ) {
        let failure = Failure {
            attempt: returned.attempt,
            // The tool has run, whatever it used.
            usage: Usage::Unknown,
            kind: SHORT,
            status: Slot::Missing,
            retry_after: Slot::Missing,
            billed: Slot::Missing,
            own: false,
            fingerprint: None,
            committed: returned.committed,
        };
        self.decide_error((program, books), call, attempt, &failure, decision);
        if decision.by == By::BuiltIn(BuiltIn::NotRetried) {
            decision.refuse(BuiltIn::IncompleteResult);
        }
    }

    /// The result of a call is taken: the call is over, it counts for what has to come before others, and its
    /// result is known.
    pub(crate) fn take(
        &mut self,
        program: &Program,
        call: u64,
        (attempt, subject): (u64, Subject),
        fingerprint: Option<u64>,
    ) {
        let Some(over) = self.calls.lend(call) else { return };
        if let Subject::Tool(tool, class) = subject {
            self.succeed(program, &over, tool, class);
            if !over.forms.is_empty() {
                let step = self.present_step();
                self.family.memory().bring(&over.forms, fingerprint, (&mut self.progress, step));
            }
            if let Some(exact) = over.exact {
                let changes = begun_at(program, &over, (tool, class));
                self.known.record(exact, Found { attempt, changes });
            }
        }
        self.calls.spare(over);
    }
}

/// For each order that begins anew after a change and in which this tool comes first: how many changes there
/// had been when the latest attempt at the call began.
fn begun_at(program: &Program, call: &Call, (tool, class): (u32, ToolClass)) -> Vec<(u32, u64)> {
    let orders = program.index.looks.of_tool(tool, class);
    let anew = orders.filter(|order| {
        let order = program.tables.orders.at(*order);
        !order.again_after.is_empty() && !program.is_observed(order.statement)
    });
    anew.map(|order| (order, call.changes.get(order as usize).copied().unwrap_or(0))).collect()
}
