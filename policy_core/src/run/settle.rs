//! The end of an attempt: what it used is charged once, whatever is reported later.

use std::sync::Arc;

use super::call::{Attempt, Subject};
use super::{Run, check_tokens};
use crate::decision::Settlement;
use crate::error::EngineError;
use crate::event::Usage;
use crate::ledger::cost;
use crate::program::Program;

impl Run {
    /// An attempt succeeded, or was released with [`Usage::Unsent`]. The call is over.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, or settled with other usage. The same usage again gives the
    /// same settlement and changes nothing.
    pub fn settle(&mut self, now: u64, attempt: u64, usage: Usage) -> Result<Settlement, EngineError> {
        check_usage(usage)?;
        let program = Arc::clone(&self.program);
        self.begin_event(now);
        let place = self.place(attempt)?;
        let known = self.attempts.get(place).ok_or(EngineError::UnknownAttempt(attempt))?;
        let (call, subject) = (known.call, known.subject);
        if let Some((settled, settlement)) = known.settled {
            let is_same = settled == reported(known, usage);
            return if is_same { Ok(settlement) } else { Err(EngineError::AlreadySettled(attempt)) };
        }
        let settlement = self.close_attempt(&program, place, usage);
        self.calls.remove(&call);
        if let Subject::Tool(tool) = subject
            && usage != Usage::Unsent
        {
            self.successes.record(tool, program.tables.tools.at(tool).class, self.clock);
        }
        Ok(settlement)
    }

    /// The attempt has produced this many tokens more. Returns how many it may still produce.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, settled or a tool's.
    pub fn count(&mut self, now: u64, attempt: u64, tokens: u64) -> Result<u64, EngineError> {
        check_tokens(tokens)?;
        let place = self.place(attempt);
        let is_tool = |attempt: &&mut Attempt| matches!(attempt.subject, Subject::Tool(_));
        if place.is_ok_and(|place| self.attempts.get_mut(place).as_ref().is_some_and(is_tool)) {
            return Err(EngineError::BadValue("a tool's attempt has no tokens; count those of models only"));
        }
        self.begin_event(now);
        let known = self.attempts.get_mut(place?).ok_or(EngineError::UnknownAttempt(attempt))?;
        if known.settled.is_some() {
            return Err(EngineError::AlreadySettled(attempt));
        }
        known.produced = known.produced.saturating_add(tokens);
        Ok(known.cap.saturating_sub(known.produced))
    }

    /// The host ends the run: every open attempt is charged its hold, every later call is denied.
    pub fn end(&mut self, now: u64) {
        let program = Arc::clone(&self.program);
        self.begin_event(now);
        self.has_ended = true;
        for place in 0..self.attempts.len() {
            if self.attempts.get(place).is_some_and(|attempt| attempt.settled.is_none()) {
                self.close_attempt(&program, place, Usage::Unknown);
            }
        }
        self.calls.clear();
    }

    /// An attempt's place in the table.
    pub(crate) fn place(&self, attempt: u64) -> Result<usize, EngineError> {
        let place = attempt.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.filter(|place| *place < self.attempts.len()).ok_or(EngineError::UnknownAttempt(attempt))
    }

    /// Charges an open attempt; its call is open again, not over.
    pub(crate) fn close_attempt(&mut self, program: &Program, place: usize, usage: Usage) -> Settlement {
        let Some(attempt) = self.attempts.get_mut(place) else { return Settlement::default() };
        let usage = reported(attempt, usage);
        let reserved = attempt.reserved;
        let price = match attempt.subject {
            Subject::Model(model) => program.tables.models.at(model).price,
            Subject::Tool(_) => None,
        };
        let (input, output) = match usage {
            Usage::Exact { input, output } => (input, output),
            Usage::AtLeast { input, output } => (input, output.max(attempt.produced)),
            Usage::Unknown | Usage::Unsent => (0, 0),
        };
        // If nothing is reported, the input may have been all that was held, the output what was counted.
        let (seen_in, seen_out) = match usage {
            Usage::Unknown => (reserved.tokens.saturating_sub(attempt.cap), attempt.produced),
            _ => (input, output),
        };
        let (cost, tokens) = (cost(price, seen_in, seen_out), seen_in.saturating_add(seen_out));
        let (cost, tokens) = match usage {
            Usage::Exact { .. } => (cost, tokens),
            Usage::AtLeast { .. } | Usage::Unknown => (cost.max(reserved.cost), tokens.max(reserved.tokens)),
            Usage::Unsent => (0, 0),
        };
        let settlement = Settlement {
            input_tokens: input,
            output_tokens: output,
            tokens,
            cost,
            reserved_tokens: reserved.tokens,
            reserved_cost: reserved.cost,
        };
        attempt.settled = Some((usage, settlement));
        if let Some(call) = self.calls.get_mut(&attempt.call) {
            call.in_flight = false;
            call.step_charged &= usage != Usage::Unsent || reserved.steps == 0;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        if usage == Usage::Unsent {
            self.ledger.release(&reserved);
        } else {
            self.ledger.settle(&reserved, cost, tokens);
        }
        settlement
    }
}

/// Tokens are as many as the engine computes with.
pub(crate) fn check_usage(usage: Usage) -> Result<(), EngineError> {
    match usage {
        Usage::Exact { input, output } | Usage::AtLeast { input, output } => {
            check_tokens(input)?;
            check_tokens(output)
        }
        Usage::Unknown | Usage::Unsent => Ok(()),
    }
}

/// What a report means for this attempt: a tool was run, or it was not; a model that has produced tokens was
/// sent something, whatever the host says.
const fn reported(attempt: &Attempt, usage: Usage) -> Usage {
    match (attempt.subject, usage) {
        (Subject::Model(_), Usage::Unsent) if attempt.produced > 0 => Usage::Unknown,
        (Subject::Model(_), _) | (Subject::Tool(_), Usage::Unsent) => usage,
        (Subject::Tool(_), _) => Usage::Exact { input: 0, output: 0 },
    }
}
