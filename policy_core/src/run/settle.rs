//! The end of an attempt: what it used is charged once, and corrected at most once.

use super::amounts::{Charge, Subject};
use super::call::Attempt;
use super::meter::NO_TOKENS;
use super::result::SHORT;
use super::taking::End;
use super::{Run, check_tokens, watched};
use crate::books::Books;
use crate::error::EngineError;
use crate::event::{ErrorKind, Now, Usage};
use crate::price::Tokens;
use crate::program::Program;
use crate::settlement::Settlement;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The host had an answer.
    Settled,
    Failed(ErrorKind),
    /// A tool gave half a result.
    FellShort,
    /// A timeout by the caller's own doing.
    CutShort,
    /// The run ended or left, and nobody knows.
    Left,
}

impl Fate {
    /// For each basis: whether the attempt counts. What nobody knows counts.
    const fn counts(self) -> [bool; 3] {
        match self {
            Self::Settled | Self::CutShort | Self::Left => [true; 3],
            Self::FellShort => Self::Failed(SHORT).counts(),
            Self::Failed(kind) => [true, kind.may_have_run(), kind.may_have_succeeded()],
        }
    }
}

impl Run {
    /// An attempt succeeded, or was released with [`Usage::Unsent`]. The call is over.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, or settled with other usage. The same usage again gives the
    /// same settlement and changes nothing.
    pub fn settle(
        &mut self,
        now: Now,
        attempt: u64,
        usage: Usage,
        books: &mut Books,
    ) -> Result<Settlement, EngineError> {
        check_usage(usage)?;
        self.under(|run, program| run.take_usage((program, books), now, attempt, usage))
    }

    fn take_usage(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        attempt: u64,
        usage: Usage,
    ) -> Result<Settlement, EngineError> {
        self.begin_event(now);
        self.is_here()?;
        let place = self.place(attempt)?;
        let known = self.attempts.get(place).ok_or(EngineError::UnknownAttempt(attempt))?;
        let (call, subject) = (known.call, known.reserved.subject);
        if let Some(settled) = known.settled {
            let is_same = settled == reported(known, usage);
            let settlement = || price(program, known, settled).1;
            return is_same.then(settlement).ok_or(EngineError::AlreadySettled(attempt));
        }
        let settlement = self.close_attempt((program, books), place, usage, Fate::Settled);
        if usage == Usage::Unsent {
            self.calls.remove(call);
        } else {
            self.take(program, call, (attempt, subject), None);
        }
        Ok(settlement)
    }

    /// What an attempt of unknown usage really used is known after all: its charge is corrected, in the
    /// windows that it was charged in. That may be said once, also after the run has ended.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, still open, or known exactly as something else, and if
    /// `usage` is not exact. The same usage again gives the same settlement and changes nothing.
    pub fn adjust(
        &mut self,
        now: Now,
        attempt: u64,
        usage: Usage,
        books: &mut Books,
    ) -> Result<Settlement, EngineError> {
        check_usage(usage)?;
        if !matches!(usage, Usage::Exact { .. }) {
            return Err(EngineError::BadValue(
                "a correction is not exact; pass what the provider says was used",
            ));
        }
        self.under(|run, program| run.correct((program, books), now, attempt, usage))
    }

    fn correct(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        attempt: u64,
        usage: Usage,
    ) -> Result<Settlement, EngineError> {
        self.begin_event(now);
        self.is_here()?;
        let place = self.place(attempt)?;
        let known = self.attempts.get_mut(place).ok_or(EngineError::UnknownAttempt(attempt))?;
        let usage = reported(known, usage);
        let settled = known.settled.ok_or(EngineError::NotSettled(attempt))?;
        let (right, settlement) = price(program, known, usage);
        match settled {
            same if same == usage => return Ok(settlement),
            Usage::Unknown | Usage::AtLeast { .. } => {}
            Usage::Exact { .. } | Usage::Unsent => return Err(EngineError::AlreadySettled(attempt)),
        }
        let (charged, _) = price(program, known, settled);
        known.settled = Some(usage);
        let taken = (self.windows.row(known.windows), place < self.earlier);
        self.is_calm &= !right.exceeds(&charged);
        self.accounts.adjust(taken, (&charged, &right), books, self.latest);
        Ok(settlement)
    }

    /// The attempt has produced this many tokens more. Returns how many it may still produce.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, settled or a tool's.
    pub fn count(&mut self, now: Now, attempt: u64, tokens: u64) -> Result<u64, EngineError> {
        check_tokens(tokens)?;
        let place = self.place(attempt);
        let is_tool = |attempt: &&mut Attempt| matches!(attempt.reserved.subject, Subject::Tool(..));
        if place.is_ok_and(|place| self.attempts.get_mut(place).as_ref().is_some_and(is_tool)) {
            return Err(NO_TOKENS);
        }
        self.begin_event(now);
        self.is_here()?;
        let known = self.attempts.get_mut(place?).ok_or(EngineError::UnknownAttempt(attempt))?;
        if known.settled.is_some() {
            return Err(EngineError::AlreadySettled(attempt));
        }
        Ok(known.cap.saturating_sub(known.produced.add(tokens)))
    }

    /// The host ends the run: every open attempt is charged its hold, every later call is denied.
    pub fn end(&mut self, now: Now, books: &mut Books) {
        self.under(|run, program| run.finish((program, books), now));
    }

    fn finish(&mut self, (program, books): (&Program, &mut Books), now: Now) {
        self.begin_event(now);
        if self.suspended.is_some() {
            return;
        }
        self.has_ended = true;
        for place in 0..self.attempts.len() {
            if self.attempts.get(place).is_some_and(|attempt| attempt.settled.is_none()) {
                self.close_attempt((program, books), place, Usage::Unknown, Fate::Left);
            }
        }
        self.calls.clear();
    }

    /// What an attempt was charged, and for which usage; nothing while it is open, or if there is none.
    #[must_use]
    pub fn settled(&self, attempt: u64) -> Option<(Usage, Settlement)> {
        let attempt = self.attempts.get(self.place(attempt).ok()?)?;
        let usage = attempt.settled?;
        Some((usage, price(&self.program, attempt, usage).1))
    }

    /// The attempts that are not settled.
    pub fn open(&self) -> impl Iterator<Item = u64> {
        let numbered = (1_u64..).zip(&self.attempts);
        numbered.filter(|(_, attempt)| attempt.settled.is_none()).map(|(number, _)| number)
    }

    /// The name of the model or tool that an attempt runs on, and whether it is a tool.
    #[must_use]
    pub fn target(&self, attempt: u64) -> Option<(&str, bool)> {
        match self.attempts.get(self.place(attempt).ok()?)?.reserved.subject {
            Subject::Model(model) => Some((&self.program.tables.models.at(model).name, false)),
            Subject::Tool(tool, _) => Some((&self.program.tables.tools.at(tool).name, true)),
            Subject::Person => None,
        }
    }

    /// An attempt's place in the table.
    pub(crate) fn place(&self, attempt: u64) -> Result<usize, EngineError> {
        let place = attempt.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.filter(|place| *place < self.attempts.len()).ok_or(EngineError::UnknownAttempt(attempt))
    }

    /// Charges an open attempt; its call is open again, not over.
    pub(crate) fn close_attempt(
        &mut self,
        (program, books): (&Program, &mut Books),
        place: usize,
        usage: Usage,
        fate: Fate,
    ) -> Settlement {
        let now = self.latest;
        let Some(attempt) = self.attempts.get_mut(place) else { return Settlement::default() };
        attempt.produced.close();
        let usage = reported(attempt, usage);
        let (charge, settlement) = price(program, attempt, usage);
        let is_unsent = usage == Usage::Unsent;
        attempt.settled = Some(usage);
        watched::conclude(program, attempt, fate, &self.health, now.mono);
        let counts = fate.counts();
        let (call, subject) = (attempt.call, attempt.reserved.subject);
        if let Some(call) = self.calls.get_mut(attempt.call) {
            call.in_flight = false;
            if is_unsent || counts != [true; 3] {
                // A step that does not count after all is left to the next attempt.
                let steps = call.steps.iter_mut().zip(&attempt.reserved.steps).zip(&counts);
                for ((is_counted, was_reserved), counts) in steps {
                    *is_counted &= !was_reserved || (*counts && !is_unsent);
                }
            }
        }
        let is_earlier = place < self.earlier;
        let end = End { charge: (!is_unsent).then_some(charge), counts, is_earlier };
        let windows = self.windows.row(attempt.windows);
        self.is_calm &= !charge.exceeds(&attempt.reserved.charge);
        let taken = (&attempt.reserved, self.stands.as_deref_mut());
        self.accounts.settle(taken, windows, &end, books, now);
        if is_unsent {
            for (account, window) in attempt.wrap_ups() {
                books.refund(*account, *window, 1, now);
            }
        }
        self.land(1);
        self.end_change(call, subject, !is_unsent);
        if fate == Fate::Settled && program.index.sticks {
            self.serve(place, usage);
        }
        settlement
    }
}

/// Tokens are as many as the engine computes with, and parts are no more than the whole.
pub(crate) fn check_usage(usage: Usage) -> Result<(), EngineError> {
    match usage {
        Usage::Exact { input, output, cache_read, cache_write, reasoning }
        | Usage::AtLeast { input, output, cache_read, cache_write, reasoning } => {
            check_tokens(input)?;
            check_tokens(output)?;
            check_tokens(input.saturating_add(output))?;
            if cache_read.saturating_add(cache_write) > input || reasoning > output {
                return Err(EngineError::BadValue(
                    "cached tokens are a part of the input, reasoning is one of the output; \
                     pass all input and all output",
                ));
            }
            Ok(())
        }
        Usage::Unknown | Usage::Unsent => Ok(()),
    }
}

/// What a report means for this attempt: a tool was run, or it was not; a model that has produced tokens was
/// sent something, whatever the host says.
fn reported(attempt: &Attempt, usage: Usage) -> Usage {
    match (attempt.reserved.subject, usage) {
        (Subject::Model(_), Usage::Unsent) if attempt.produced.tokens() > 0 => Usage::Unknown,
        (Subject::Model(_), _) | (_, Usage::Unsent) => usage,
        _ => Usage::exact(0, 0),
    }
}

/// What an attempt is charged for this usage. Nothing else is kept of it: it comes out the same every time.
fn price(program: &Program, attempt: &Attempt, usage: Usage) -> (Charge, Settlement) {
    let price = match attempt.reserved.subject {
        Subject::Model(model) => program.tables.models.at(model).price.as_ref(),
        _ => None,
    };
    let held = attempt.reserved.charge;
    let tokens = match usage {
        Usage::Exact { input, output, cache_read, cache_write, reasoning } => {
            Tokens { input, output, cache_read, cache_write, reasoning }
        }
        Usage::AtLeast { input, output, cache_read, cache_write, reasoning } => Tokens {
            input,
            output: output.max(attempt.produced.tokens()),
            cache_read,
            cache_write,
            reasoning,
        },
        Usage::Unknown | Usage::Unsent => Tokens::default(),
    };
    let cost = |tokens: &Tokens| price.map_or(0, |price| price.cost(tokens, attempt.began));
    let charge = match usage {
        Usage::Exact { .. } => Charge::new(cost(&tokens), &tokens),
        Usage::AtLeast { .. } => Charge::new(cost(&tokens), &tokens).max(held),
        // The input may have been all that was held, the output what was counted, at the dearest rates.
        Usage::Unknown => {
            let (input, output) = (held.input, attempt.produced.tokens());
            let worst = price.map_or(0, |price| price.worst(input).cost(input, output));
            Charge::new(worst, &Tokens { input, output, ..Tokens::default() }).max(held)
        }
        Usage::Unsent => Charge::default(),
    };
    let settlement = Settlement {
        input_tokens: tokens.input,
        output_tokens: tokens.output,
        cache_read_tokens: tokens.cache_read,
        cache_write_tokens: tokens.cache_write,
        reasoning_tokens: tokens.reasoning,
        tokens: charge.tokens,
        cost: charge.cost,
        reserved_tokens: held.tokens,
        reserved_cost: held.cost,
    };
    (charge, settlement)
}
