//! One agent run: its state, and the events that move it.

mod accounts;
mod age;
mod amounts;
mod asking;
mod call;
mod calls;
mod candidates;
mod cascade;
mod conclude;
mod context;
mod escalate;
mod family;
mod form;
mod fresh;
mod ids;
mod known;
mod lineage;
mod meter;
mod model;
mod observed;
mod opening;
mod orders;
mod patience;
mod progress;
mod question;
mod readings;
mod result;
mod retry;
mod rules;
mod settle;
mod shared;
mod stands;
mod stay;
mod suspend;
mod taking;
mod tool;
mod watched;
mod windows;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use self::accounts::Accounts;
use self::age::Age;
use self::amounts::Subject;
use self::call::{Attempt, Latch};
use self::calls::Calls;
use self::candidates::Candidates;
use self::conclude::least;
use self::escalate::Requests;
pub use self::escalate::{OpenRequest, Reply};
use self::family::Family;
use self::ids::Ids;
use self::known::Known;
use self::lineage::Lineage;
pub use self::meter::Meter;
use self::progress::Progress;
pub(crate) use self::readings::Tightest;
pub use self::stands::Stand;
use self::stands::Stands;
use self::windows::Windows;
use crate::books::Books;
use crate::decision::{BuiltIn, By, Decision, Event, Outcome};
use crate::error::EngineError;
use crate::event::{Now, Scopes};
use crate::health::{Health, Stay};
use crate::order::Successes;
use crate::program::{Measure, Program, State};
use crate::value::{MAX_QUANTITY, Slot};

/// The mutable state of one agent run. One event at a time: the host serialises.
///
/// `now`, in every event, is the host's clocks. An earlier monotonic instant than the latest seen counts as
/// the latest seen. `books` are the same in every event; other runs may use them too.
#[derive(Debug)]
pub struct Run {
    program: Arc<Program>,
    /// The same, for events to hold beside the run: a count that all runs of a program share would be fought
    /// for at each of them.
    held: Option<Arc<Program>>,
    pub(crate) ids: Ids,
    seed: u64,
    /// The latest `now`, which accounts are looked at with.
    latest: Now,
    /// The same instant by the run's own clock, which all else is measured with.
    age: Age,
    /// Who is above it.
    lineage: Lineage,
    family: Family,
    progress: Progress,
    /// One more at each event.
    clock: u64,
    decisions: u64,
    has_ended: bool,
    is_child: bool,
    /// What it left as when it was suspended; from then on it is no run any more.
    suspended: Option<Box<[u8]>>,
    /// One for a run and all below it: the first of them was suspended, and nobody counts what these do.
    has_left: OnceLock<Arc<AtomicBool>>,
    latch: Option<Latch>,
    /// Logical calls so far.
    call_count: u64,
    /// Those that are not over.
    calls: Calls,
    attempts: Vec<Attempt>,
    /// From which windows they took.
    windows: Windows,
    /// How many of them were made before the run was resumed.
    earlier: usize,
    in_flight: u64,
    /// Logical model calls so far, and the event clock of the latest.
    steps: u64,
    step_clock: Option<NonZeroU64>,
    accounts: Accounts,
    successes: Successes,
    /// Of a program that hands results back; not suspended, since the host keeps them in its process.
    known: Known,
    requests: Requests,
    /// How what it calls fares.
    health: Health,
    /// For each threshold of each limit: not given yet.
    thresholds: Box<[bool]>,
    /// Since they were looked at, no attempt of the run has led to one of its own.
    is_calm: bool,
    /// How it stands with its limits, if that is kept.
    stands: Option<Box<Stands>>,
    /// Room for the candidates of a model call, from the first of these on.
    candidates: Option<Box<Candidates>>,
    /// What served last, if the run has no session.
    stay: Option<Box<Stay>>,
    /// If it has one: how often sessions had changed their models when the run was served last, and by which.
    served: Option<(u64, u32)>,
}

impl Run {
    /// Begins a run. The seed makes its delays differ from those of other runs.
    ///
    /// A child has the program of its `parent` and counts in all that the parent's limits bound, besides its
    /// own; the scopes are the parent's, whatever is passed here.
    #[must_use]
    pub fn new(
        program: Arc<Program>,
        seed: u64,
        now: Now,
        scopes: &Scopes<'_>,
        parent: Option<&Self>,
        books: &mut Books,
    ) -> Self {
        let accounts = parent.map(|parent| &parent.accounts);
        let accounts = Accounts::open(&program, scopes, accounts, books, now);
        let successes = Successes::new(program.tables.orders.all().len());
        let ids = Ids::of(&program, scopes, parent.map(|parent| &parent.ids));
        let thresholds = vec![true; accounts.draws.soft.len()].into_boxed_slice();
        let progress = Progress::new(program.index.loops.progressing());
        let family = parent.map_or_else(|| Family::new(&program), |parent| parent.family.below());
        Self {
            held: Some(Arc::clone(&program)),
            program,
            ids,
            seed,
            latest: now,
            age: Age::new(now.mono),
            lineage: Lineage::new(now.mono, parent.map(|parent| &parent.lineage)),
            family,
            progress,
            clock: 0,
            decisions: 0,
            has_ended: false,
            is_child: parent.is_some(),
            suspended: None,
            has_left: parent.map(|parent| parent.left_together().into()).unwrap_or_default(),
            latch: None,
            call_count: 0,
            calls: Calls::default(),
            attempts: Vec::new(),
            windows: Windows::new(accounts.width()),
            earlier: 0,
            in_flight: 0,
            steps: 0,
            step_clock: None,
            accounts,
            successes,
            known: Known::default(),
            requests: Requests::default(),
            health: parent.map(|parent| parent.health.clone()).unwrap_or_default(),
            thresholds,
            is_calm: false,
            stands: None,
            stay: None,
            served: None,
            candidates: None,
        }
    }

    /// The attempts whose results a decision may yet hand back: the host keeps those, if the program
    /// [reuses](Program::reuses) any.
    pub fn known(&self) -> impl Iterator<Item = u64> {
        self.known.attempts()
    }

    /// The program that governs the run.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// A person has answered a request.
    ///
    /// # Errors
    /// [`EngineError`] if the request is unknown, had expired or has the other answer already, and once the
    /// run has ended or stopped: nothing is granted for a call that can't be made.
    pub fn answer(&mut self, now: Now, reply: &Reply, books: &mut Books) -> Result<(), EngineError> {
        self.begin_event(now);
        self.is_here()?;
        if self.latch.is_some() || self.does_no_more() {
            return Err(EngineError::Ended);
        }
        if let Some(granting) = self.requests.answer(reply, self.age.now(), &self.program)? {
            for account in granting.accounts {
                books.grant(account, granting.grants.amount, granting.grants.times, self.latest);
            }
        }
        Ok(())
    }

    /// The requests that people may still answer, as of the latest event; also of a run that has left.
    #[must_use]
    pub fn open_requests(&self) -> Vec<OpenRequest> {
        let has_ended = self.suspended.is_none() && self.does_no_more();
        if self.latch.is_some() || has_ended {
            return Vec::new();
        }
        self.requests.open(self.age.now(), &self.program)
    }

    /// Lets go of the run's accounts, at the very end: nothing is charged or corrected after it.
    pub fn release(&mut self, books: &mut Books) {
        self.accounts.close(books);
    }

    /// How many attempts are allowed and not settled.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The latest instant by the clock on the wall.
    pub(crate) const fn wall(&self) -> u64 {
        self.latest.wall
    }

    /// The state that the run stopped in, if it stopped.
    #[must_use]
    pub fn latched(&self) -> Option<&State> {
        self.latch.and_then(|latch| latch.state).map(|state| self.program.tables.states.at(state))
    }

    /// Whether a person has taken the task over.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.latch.is_some_and(|latch| latch.state.is_none())
    }

    /// An event that changes the run, under its program.
    #[inline]
    fn under<T>(&mut self, event: impl FnOnce(&mut Self, &Program) -> T) -> T {
        let program = self.held.take().unwrap_or_else(|| Arc::clone(&self.program));
        let done = event(self, &program);
        self.held = Some(program);
        done
    }

    /// Moves the clocks. An event that the engine answers with an error moves them too.
    fn begin_event(&mut self, now: Now) {
        let (mono, age) = self.lineage.advance(now.mono);
        self.latest = Now { mono, wall: now.wall };
        self.age = age;
        self.clock = self.clock.saturating_add(1);
    }

    /// Whether the run has not left.
    const fn is_here(&self) -> Result<(), EngineError> {
        if self.suspended.is_some() { Err(EngineError::Suspended) } else { Ok(()) }
    }

    fn begin_decision(&mut self, event: Event, call: Option<u64>, decision: &mut Decision) {
        self.decisions = self.decisions.saturating_add(1);
        decision.renew(self.decisions, event, call);
    }

    /// The time of a measure so far, in nanoseconds; none of what is not time.
    pub(crate) const fn time(&self, measure: Measure) -> Option<u64> {
        self.age.time(measure)
    }

    /// The same, of the run or of one above it, whichever is longest: what limits on time go by.
    fn longest_time(&self, measure: Measure) -> Option<u64> {
        measure.is_time().then(|| self.lineage.longest(|age| age.time(measure).unwrap_or(0)))
    }

    /// Whether a delay fits every limit on time.
    fn fits_time(&self, delay: u64) -> bool {
        self.time_left().is_none_or(|left| delay < left)
    }

    /// What is left of the tightest limits on time.
    fn time_left(&self) -> Option<u64> {
        self.left_of_time(|measure| self.longest_time(measure))
    }

    /// What the limits on time leave to the run at this instant of the host's monotonic clock, in
    /// nanoseconds: its own limits, and what is left to those above it. To look at it is no event.
    #[must_use]
    pub fn time_left_at(&self, mono: u64) -> Option<u64> {
        self.left_of_time(|measure| Some(self.lineage.longest(|age| age.at(mono).time(measure).unwrap_or(0))))
    }

    fn left_of_time(&self, taken: impl Fn(Measure) -> Option<u64>) -> Option<u64> {
        let left = |bound: Option<u64>, measure| Some(bound?.saturating_sub(taken(measure)?));
        let active = left(self.program.index.active_time, Measure::ActiveTime);
        let wall = left(self.program.index.wall_time, Measure::WallTime);
        least(active, wall)
    }

    /// Decides for a run that is over: a stop is met again at every later call.
    fn is_over(&self, decision: &mut Decision) -> bool {
        if let Some(latch) = self.latch {
            decision.outcome = Outcome::Stop;
            decision.state = latch.state;
            decision.by = By::Statement(latch.statement);
            decision.latched = true;
            return true;
        }
        let is_over = self.does_no_more();
        if is_over {
            decision.refuse(BuiltIn::RunEnded);
        }
        is_over
    }

    /// It has ended, or it or one above it has left.
    fn does_no_more(&self) -> bool {
        self.has_ended || self.has_left.get().is_some_and(|has_left| has_left.load(Ordering::Relaxed))
    }

    /// What those below it are told by that it has left, or that one above it has.
    fn left_together(&self) -> Arc<AtomicBool> {
        Arc::clone(self.has_left.get_or_init(Arc::default))
    }

    /// So many attempts begin.
    #[inline]
    fn take_off(&mut self, more: u64) {
        self.in_flight = self.in_flight.saturating_add(more);
        self.lineage.fly(|count| count.saturating_add(more));
    }

    /// So many end.
    #[inline]
    fn land(&mut self, fewer: u64) {
        self.in_flight = self.in_flight.saturating_sub(fewer);
        self.lineage.fly(|count| count.saturating_sub(fewer));
    }

    /// The event clock of the model call that the present step began with; 0 before the first of them.
    fn present_step(&self) -> u64 {
        self.step_clock.map_or(0, NonZeroU64::get)
    }

    /// A new logical call's id.
    fn next_call(&mut self) -> u64 {
        self.call_count = self.call_count.saturating_add(1);
        self.call_count
    }
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
