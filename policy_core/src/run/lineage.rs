//! The time of a run and of those above it. What happens below a run happens in its time too: so a limit on
//! time bounds all the work that a run hands on, and a person's pause is one only if nobody works meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::age::Age;

/// A run among those above it. They are looked at one after the other, never two at once.
#[derive(Debug)]
pub(crate) struct Lineage {
    pulse: Mutex<Pulse>,
    above: Option<Arc<Self>>,
}

/// What a run and those below it know of its time.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    /// The latest instant of the host's monotonic clock that was named to the run, or to one below it.
    latest: u64,
    age: Age,
    /// Attempts in flight: of the run, and of it and all below it.
    own: u64,
    all: u64,
}

impl Lineage {
    /// Of a run that begins, at this instant, below another one or none.
    pub(super) fn new(mono: u64, above: Option<&Arc<Self>>) -> Arc<Self> {
        let pulse = Pulse { latest: mono, age: Age::new(mono), own: 0, all: 0 };
        Arc::new(Self { pulse: Mutex::new(pulse), above: above.cloned() })
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run and those above it, from the run outwards.
    fn upwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |run| run.above.as_deref())
    }

    /// An event of the run. Gives the instant at which it happens: none is before one that was named already.
    pub(super) fn advance(&self, mono: u64) -> (u64, Age) {
        let mono = mono.max(self.pulse().latest);
        for run in self.upwards() {
            let mut pulse = run.pulse();
            pulse.latest = pulse.latest.max(mono);
            let latest = pulse.latest;
            pulse.age.advance(latest);
        }
        let pulse = self.pulse();
        (pulse.latest, pulse.age)
    }

    /// The latest instant, and the age of the run then.
    pub(super) fn now(&self) -> (u64, Age) {
        let pulse = self.pulse();
        (pulse.latest, pulse.age)
    }

    /// The run's age is another one than was known.
    pub(super) fn set_age(&self, age: Age) {
        self.pulse().age = age;
    }

    /// The longest of these times, of the run or of one above it.
    pub(super) fn longest(&self, time: impl Fn(&Age) -> u64) -> u64 {
        self.upwards().map(|run| time(&run.pulse().age)).max().unwrap_or(0)
    }

    /// The run has so many attempts more or fewer in flight.
    pub(super) fn fly(&self, more: u64, fewer: u64) {
        for (depth, run) in self.upwards().enumerate() {
            let mut pulse = run.pulse();
            pulse.all = pulse.all.saturating_add(more).saturating_sub(fewer);
            if depth == 0 {
                pulse.own = pulse.own.saturating_add(more).saturating_sub(fewer);
            }
        }
    }

    /// The run waits for a person. Active time stands still, its own and that above it, wherever nothing else
    /// is under way. One attempt of each run above it may be the one that waits for this run.
    pub(super) fn pause(&self) {
        let mut waiting = 0_u64;
        for (depth, run) in self.upwards().enumerate() {
            let mut pulse = run.pulse();
            if depth > 0 && pulse.own > 0 {
                waiting = waiting.saturating_add(1);
            }
            pulse.age.is_paused = pulse.all <= waiting;
        }
    }
}
