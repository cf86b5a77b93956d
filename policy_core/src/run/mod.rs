//! One agent run: its state, and the events that move it.

mod call;
mod conclude;
mod escalate;
mod model;
mod question;
mod retry;
mod settle;
mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::call::{Attempt, Call, Latch};
use self::escalate::Requests;
use crate::decision::{Advice, BuiltIn, Decision, Event, Outcome, Reading};
use crate::error::EngineError;
use crate::ledger::Ledger;
use crate::loops::Ring;
use crate::order::Successes;
use crate::program::{BoundKind, Limit, Program, State};
use crate::value::{MAX_QUANTITY, MILLION, Slot};

/// The mutable state of one agent run. One event at a time: the host serialises.
///
/// `now`, in every event, is the host's monotonic clock in nanoseconds. An earlier `now` than the latest seen
/// counts as the latest seen.
#[derive(Debug)]
pub struct Run {
    program: Arc<Program>,
    seed: u64,
    began: u64,
    /// The latest `now`.
    latest: u64,
    /// How long the active clock has stood still.
    paused: u64,
    /// The active clock stands still from `latest` to the next event.
    is_paused: bool,
    /// One more at each event.
    clock: u64,
    decisions: u64,
    has_ended: bool,
    latch: Option<Latch>,
    /// Logical calls so far.
    call_count: u64,
    /// Those that are not over.
    calls: BTreeMap<u64, Call>,
    attempts: Vec<Attempt>,
    in_flight: u64,
    /// Logical model calls so far, and the event clock of the latest.
    steps: u64,
    step_clock: Option<u64>,
    ledger: Ledger,
    ring: Ring,
    successes: Successes,
    requests: Requests,
    /// For each threshold of each limit: not given yet.
    thresholds: Box<[bool]>,
    /// Room for the candidates of one model call, kept between events.
    candidates: Vec<u32>,
}

impl Run {
    /// Begins a run. The seed makes its delays differ from those of other runs.
    #[must_use]
    pub fn new(program: Arc<Program>, seed: u64, now: u64) -> Self {
        let successes = Successes::new(program.tools().len());
        let thresholds = vec![true; program.index.thresholds].into_boxed_slice();
        Self {
            program,
            seed,
            began: now,
            latest: now,
            paused: 0,
            is_paused: false,
            clock: 0,
            decisions: 0,
            has_ended: false,
            latch: None,
            call_count: 0,
            calls: BTreeMap::new(),
            attempts: Vec::new(),
            in_flight: 0,
            steps: 0,
            step_clock: None,
            ledger: Ledger::default(),
            ring: Ring::default(),
            successes,
            requests: Requests::default(),
            thresholds,
            candidates: Vec::new(),
        }
    }

    /// The program that governs the run.
    #[must_use]
    pub const fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// A person has answered a request.
    ///
    /// # Errors
    /// [`EngineError`] if the request is unknown, has expired or has the other answer already.
    pub fn answer(&mut self, now: u64, request: u64, approve: bool) -> Result<(), EngineError> {
        self.begin_event(now);
        self.requests.answer(request, approve, self.latest)
    }

    /// Every bound of every limit, by limit name, then in the order of [`BoundKind`], as of the last event.
    #[must_use]
    pub fn limits(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for (index, limit) in self.program.tables.limits.numbered() {
            for bound in &limit.bounds {
                let cell = self.ledger.cell(bound.kind);
                let is_time = bound.kind == BoundKind::ActiveTime;
                readings.push(Reading {
                    limit: index,
                    kind: bound.kind,
                    max: bound.max,
                    spent: if is_time { self.elapsed() } else { cell.spent },
                    held: cell.held,
                });
            }
        }
        readings
    }

    /// How many attempts are allowed and not settled.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The state that the run stopped in, if it stopped.
    #[must_use]
    pub fn latched(&self) -> Option<&State> {
        self.latch.and_then(|latch| latch.state).map(|state| self.program.tables.states.at(state))
    }

    /// Moves the clocks. An event that the engine answers with an error moves them too.
    fn begin_event(&mut self, now: u64) {
        let now = now.max(self.latest);
        if self.is_paused {
            self.paused = self.paused.saturating_add(now.saturating_sub(self.latest));
            self.is_paused = false;
        }
        self.latest = now;
        self.clock = self.clock.saturating_add(1);
    }

    fn begin_decision(&mut self, event: Event, call: Option<u64>) -> Decision {
        self.decisions = self.decisions.saturating_add(1);
        Decision::new(self.decisions, event, call)
    }

    /// Active time so far, in nanoseconds.
    const fn elapsed(&self) -> u64 {
        self.latest.saturating_sub(self.began).saturating_sub(self.paused)
    }

    /// Whether a delay fits every limit of active time.
    fn fits_active_time(&self, delay: u64) -> bool {
        let end = self.elapsed().saturating_add(delay);
        self.program.index.tightest(BoundKind::ActiveTime).is_none_or(|max| end < max)
    }

    /// What is left of the tightest limit of active time.
    fn active_time_left(&self) -> Option<u64> {
        let max = self.program.index.tightest(BoundKind::ActiveTime)?;
        Some(max.saturating_sub(self.elapsed()))
    }

    /// Decides for a run that is over: a stop is met again at every later call.
    fn is_over(&self, decision: &mut Decision) -> bool {
        if let Some(latch) = self.latch {
            decision.outcome = Outcome::Stop;
            decision.state = latch.state;
            decision.by = latch.by;
            decision.latched = true;
            return true;
        }
        if self.has_ended {
            decision.refuse(BuiltIn::RunEnded);
        }
        self.has_ended
    }

    /// Gives each soft threshold that is reached, once.
    fn advise(&mut self, decision: &mut Decision) {
        let elapsed = self.elapsed();
        let limits = self.program.tables.limits.numbered();
        let all = limits.flat_map(|(limit, table)| {
            (0..=u32::MAX)
                .zip(&table.thresholds)
                .map(move |(index, threshold)| (limit, table, index, threshold))
        });
        for (is_open, (limit, table, index, threshold)) in self.thresholds.iter_mut().zip(all) {
            if *is_open && reaches(&self.ledger, elapsed, table, threshold.ppm) {
                *is_open = false;
                decision.advice.push(Advice { limit, threshold: index });
            }
        }
    }

    /// A new logical call's id.
    fn next_call(&mut self) -> u64 {
        self.call_count = self.call_count.saturating_add(1);
        self.call_count
    }
}

/// Whether some bound of the limit is used up to `ppm` parts per million.
fn reaches(ledger: &Ledger, elapsed: u64, limit: &Limit, ppm: u64) -> bool {
    limit.bounds.iter().any(|bound| {
        let used = match bound.kind {
            BoundKind::ActiveTime => elapsed,
            _ => ledger.cell(bound.kind).used(),
        };
        let part = u128::from(ppm).saturating_mul(u128::from(bound.max));
        u128::from(used).saturating_mul(u128::from(MILLION)) >= part
    })
}

/// The facts of an event must be as many as the program's.
fn check_facts(program: &Program, facts: &[Slot<'_>]) -> Result<(), EngineError> {
    if facts.len() == program.facts().len() {
        Ok(())
    } else {
        Err(EngineError::BadValue("the facts are not as many as the program's; pass one slot for each"))
    }
}

/// Token numbers must be numbers that the engine computes with.
fn check_tokens(tokens: u64) -> Result<(), EngineError> {
    if tokens <= MAX_QUANTITY {
        Ok(())
    } else {
        Err(EngineError::BadValue("a number of tokens is above 2^53 - 1; pass what was really used"))
    }
}
