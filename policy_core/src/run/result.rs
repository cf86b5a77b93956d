//! What came back: the attempt is settled, and the policy says whether its result is taken.

use std::sync::Arc;

use super::amounts::Subject;
use super::call::Attempt;
use super::settle::{Fate, check_usage};
use super::{Run, check_facts};
use crate::books::Books;
use crate::decision::{Decision, Event, Outcome};
use crate::error::EngineError;
use crate::event::{Now, Returned, Usage};

impl Run {
    /// An attempt came back with a result: it is charged what it used, and the policy says whether the result
    /// is taken (an allow), or the call is made again (a wait) or given up. [`Run::settle`] is the same
    /// without asking: it takes every result.
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
        let program = Arc::clone(&self.program);
        check_facts(&program, returned.facts)?;
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
        self.close_attempt((&program, books), place, returned.usage, Fate::Settled);
        let event = if matches!(subject, Subject::Model(_)) { Event::ModelResult } else { Event::ToolResult };
        let mut decision = self.begin_decision(event, Some(call));
        decision.attempt_number = Some(number);
        if let Subject::Model(model) = subject {
            decision.model = Some(model);
        }
        self.take(call, returned.attempt, subject);
        decision.outcome = Outcome::Allow;
        Ok(decision)
    }

    /// The result of a call is taken: the call is over, it counts for what has to come before others, and its
    /// result is known.
    pub(crate) fn take(&mut self, call: u64, attempt: u64, subject: Subject) {
        let over = self.calls.remove(&call);
        if let Subject::Tool(tool, class) = subject {
            self.successes.record(tool, class, self.clock);
            if let Some(exact) = over.and_then(|call| call.exact) {
                self.known.record(exact, attempt);
            }
        }
    }
}
