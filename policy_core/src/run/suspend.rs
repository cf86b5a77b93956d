//! A run leaves the process as bytes and goes on from them, in this process or another one.
//!
//! INVARIANT (suspended): what a run holds in accounts that it shares is spent when it is suspended, since
//! nobody could tell there whose hold it was; of what happened before, nothing is given back there later.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::age::Age;
use super::call::{Attempt, Call, Latch};
use super::escalate::Requests;
use super::family::Family;
use super::progress::Progress;
use super::settle::Fate;
use super::{Run, Successes, watched};
use crate::books::Books;
use crate::code::{Reader, Writer};
use crate::decision::{Decision, Event, Outcome};
use crate::error::EngineError;
use crate::event::{Now, Scopes, Usage};
use crate::health::Stay;
use crate::program::Program;

/// The form of suspended runs. A run of another form is not resumed.
const FORM: u64 = 3;
const DAMAGED: EngineError =
    EngineError::BadState("these are not the bytes of a suspended run; pass what was kept, as it was kept");

impl Run {
    /// Ends the run here and gives it as bytes, for [`Run::resume`]. The open attempts in `keep` go on with
    /// it; every other one is spent. A second time it gives the same bytes.
    ///
    /// # Errors
    /// [`EngineError`] if the run has ended or is another one's child, or if an attempt to keep is not open.
    pub fn suspend(&mut self, now: Now, keep: &[u64], books: &mut Books) -> Result<Vec<u8>, EngineError> {
        if let Some(state) = &self.suspended {
            return Ok(state.to_vec());
        }
        let (_, Age { is_paused, .. }) = self.lineage.now();
        self.begin_event(now);
        if self.is_child {
            return Err(EngineError::Child);
        }
        if self.has_ended {
            return Err(EngineError::Ended);
        }
        for &attempt in keep {
            let known = self.attempts.get(self.place(attempt)?);
            if known.is_none_or(|known| known.settled.is_some()) {
                return Err(EngineError::AlreadySettled(attempt));
            }
        }
        self.age.is_paused = is_paused;
        self.spend_all_but(keep, books);
        let state = self.leave(books);
        self.suspended = Some(state.clone().into_boxed_slice());
        self.has_ended = true;
        self.left_together().store(true, Ordering::Relaxed);
        self.land(self.in_flight);
        self.calls.clear();
        Ok(state)
    }

    /// A suspended run goes on, `later` nanoseconds after it was suspended, by a clock that both processes
    /// see. `scopes` are those that it began with.
    ///
    /// # Errors
    /// [`EngineError`] if these are not the whole and unchanged bytes of a suspended run in this version's
    /// form, if it ran under another program, or for other scopes.
    pub fn resume(
        program: Arc<Program>,
        state: &[u8],
        (now, later): (Now, u64),
        scopes: &Scopes<'_>,
        books: &mut Books,
    ) -> Result<Self, EngineError> {
        let mut reader = Reader::sealed(state, 0).ok_or(DAMAGED)?;
        let form = reader.number().ok_or(DAMAGED)?;
        if form != FORM {
            return Err(EngineError::OtherForm(form));
        }
        let meaning = reader.fixed::<32>().ok_or(DAMAGED)?;
        if meaning != *program.meaning() {
            return Err(EngineError::OtherPolicy);
        }
        let mut run = Self::new(program, 0, now, scopes, None, books);
        let entered = run.enter(&mut reader, (now, later), books).and_then(|()| reader.end().ok_or(DAMAGED));
        if let Err(error) = entered {
            run.release(books);
            return Err(error);
        }
        Ok(run)
    }

    /// What an open attempt may do, as the decision that allowed it said, for a host that has forgotten. The
    /// number is the latest decision's: this is none of its own.
    #[must_use]
    pub fn held(&self, attempt: u64) -> Option<Decision> {
        let known = self.attempts.get(self.place(attempt).ok()?).filter(|known| known.settled.is_none())?;
        if self.suspended.is_some() {
            return None;
        }
        let event = if known.reserved.is_tool() { Event::ToolCall } else { Event::ModelCall };
        let mut decision = Decision::new();
        decision.renew(self.decisions, event, Some(known.call));
        decision.outcome = Outcome::Allow;
        self.show(attempt, known, self.calls.get(known.call)?, &mut decision);
        Some(decision)
    }

    /// Ends every open attempt but these; what the kept ones hold in shared accounts is spent.
    fn spend_all_but(&mut self, keep: &[u64], books: &mut Books) {
        let program = Arc::clone(&self.program);
        for (place, number) in (0..self.attempts.len()).zip(1_u64..) {
            let Some(attempt) = self.attempts.get(place).filter(|attempt| attempt.settled.is_none()) else {
                continue;
            };
            if !keep.contains(&number) {
                self.calls.remove(attempt.call);
                self.close_attempt((&program, books), place, Usage::Unknown, Fate::Left);
            } else if place >= self.earlier {
                let windows = self.windows.row(attempt.windows);
                self.accounts.spend_shared(&attempt.reserved, windows, books, self.latest);
            }
            // Its end is told where it goes on, and there nobody knows these circuits.
            if let Some(attempt) = self.attempts.get_mut(place) {
                attempt.produced.close();
                watched::conclude(&program, attempt, Fate::Left, &self.health, self.latest.mono);
            }
        }
    }

    /// Writes the run; its own accounts leave the books.
    fn leave(&self, books: &mut Books) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(FORM);
        writer.fixed(self.program.meaning());
        writer.number(self.ids.fingerprint(self.accounts.fingerprint(books)));
        self.age.write(&mut writer);
        for number in [self.seed, self.clock, self.decisions, self.call_count, self.steps] {
            writer.number(number);
        }
        writer.optional(self.step_clock.map(NonZeroU64::get));
        writer.flag(self.latch.is_some());
        if let Some(latch) = &self.latch {
            latch.write(&mut writer);
        }
        writer.flag(self.stay.is_some());
        if let Some(stay) = &self.stay {
            stay.write(&mut writer);
        }
        let calls: Vec<_> = self.calls.iter().collect();
        writer.list(&calls, |writer, (id, call)| {
            writer.number(*id);
            call.write(writer);
        });
        let taken = (&self.accounts, &self.windows);
        writer.list(&self.attempts, |writer, attempt| attempt.write(taken, writer));
        self.family.write(&self.changes_under_way(&self.program), &mut writer);
        self.progress.write(&mut writer);
        self.successes.write(&mut writer);
        self.requests.write(&self.accounts, &mut writer);
        self.thresholds.iter().for_each(|is_open| writer.flag(*is_open));
        let open: Vec<&Attempt> = self.attempts.iter().filter(|attempt| attempt.settled.is_none()).collect();
        self.accounts.leave((&open, &self.windows), books, self.latest, &mut writer);
        writer.sealed(0)
    }

    /// Makes a run that has just begun what was written.
    fn enter(
        &mut self,
        reader: &mut Reader<'_>,
        at: (Now, u64),
        books: &mut Books,
    ) -> Result<(), EngineError> {
        if reader.number().ok_or(DAMAGED)? != self.ids.fingerprint(self.accounts.fingerprint(books)) {
            return Err(EngineError::BadValue(
                "the run began for others than these; pass the session, user, team, org and keys that it \
                 began with",
            ));
        }
        self.read(reader, at, books).ok_or(DAMAGED)
    }

    fn read(&mut self, reader: &mut Reader<'_>, (now, later): (Now, u64), books: &mut Books) -> Option<()> {
        let program = Arc::clone(&self.program);
        self.age = Age::read(reader, now.mono, later)?;
        self.lineage.set_age(self.age);
        self.seed = reader.number()?;
        self.clock = reader.number()?;
        self.decisions = reader.number()?;
        self.call_count = reader.number()?;
        self.steps = reader.number()?;
        self.step_clock = reader.optional()?.and_then(NonZeroU64::new);
        self.latch = if reader.flag()? { Some(Latch::read(reader, &program)?) } else { None };
        if reader.flag()? {
            self.stay = Some(Box::new(Stay::read(reader, program.models().len())?));
        }
        for (id, call) in reader.list(|reader| Some((reader.number()?, Call::read(reader, &program)?)))? {
            if !self.calls.go_on(id, call) {
                return None;
            }
        }
        let (accounts, windows) = (&self.accounts, &mut self.windows);
        self.attempts = reader.list(|reader| Attempt::read(reader, &program, accounts, windows))?;
        self.earlier = self.attempts.len();
        self.family = Family::read(reader, &program, self.steps)?;
        self.progress = Progress::read(reader, program.index.loops.progressing(), self.clock)?;
        self.successes = Successes::read(reader, program.tables.orders.all().len(), self.clock)?;
        self.requests = Requests::read(reader, &program, &self.accounts)?;
        for is_open in &mut self.thresholds {
            *is_open = reader.flag()?;
        }
        self.accounts.enter(reader, books, now, later)?;
        self.tie()
    }
}
