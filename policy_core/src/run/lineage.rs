//! The time of a run and of those above it. What happens below a run happens in its time too: so a limit on
//! time bounds all the work that a run hands on, and a person's pause is one only if nobody works meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::age::Age;

/// A run's time. Most runs are alone: only what others are below or above has a lock.
#[derive(Debug)]
pub(crate) struct Lineage {
    alone: Pulse,
    /// From its first child on, or from its beginning below another run.
    tied: OnceLock<Arc<Tied>>,
}

/// A run among those above it. They are looked at one after the other, never two at once.
#[derive(Debug)]
struct Tied {
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
    pub(super) fn new(mono: u64, above: Option<&Self>) -> Self {
        let alone = Pulse { latest: mono, age: Age::new(mono), own: 0, all: 0 };
        let below =
            |above: &Self| Arc::new(Tied { pulse: Mutex::new(alone), above: Some(Arc::clone(above.tied())) });
        let tied = above.map_or_else(OnceLock::new, |above| OnceLock::from(below(above)));
        Self { alone, tied }
    }

    /// The run as those below it know it.
    fn tied(&self) -> &Arc<Tied> {
        self.tied.get_or_init(|| Arc::new(Tied { pulse: Mutex::new(self.alone), above: None }))
    }

    /// Whether no run is below or above it, or ever was.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.tied.get().is_none()
    }

    /// An event of the run. Gives the instant at which it happens: none is before one that was named already.
    #[inline(always)]
    pub(super) fn advance(&mut self, mono: u64) -> (u64, Age) {
        if let Some(tied) = self.tied.get() {
            return tied.advance(mono);
        }
        self.alone.advance(mono);
        (self.alone.latest, self.alone.age)
    }

    /// The latest instant, and the age of the run then.
    pub(super) fn now(&self) -> (u64, Age) {
        let Pulse { latest, age, .. } = self.tied.get().map_or(self.alone, |tied| *tied.pulse());
        (latest, age)
    }

    /// The run's age is another one than was known.
    pub(super) fn set_age(&mut self, age: Age) {
        match self.tied.get() {
            Some(tied) => tied.pulse().age = age,
            None => self.alone.age = age,
        }
    }

    /// The longest of these times, of the run or of one above it.
    pub(super) fn longest(&self, time: impl Fn(&Age) -> u64) -> u64 {
        match self.tied.get() {
            Some(tied) => tied.upwards().map(|run| time(&run.pulse().age)).max().unwrap_or(0),
            None => time(&self.alone.age),
        }
    }

    /// Of the run's attempts, as many `change` as it says.
    #[inline(always)]
    pub(super) fn fly(&mut self, change: impl Fn(u64) -> u64) {
        match self.tied.get() {
            Some(tied) => tied.fly(&change),
            None => self.alone.fly(&change, true),
        }
    }

    /// The run waits for a person. Active time stands still, its own and that above it, wherever nothing else
    /// is under way. One attempt of each run above it may be the one that waits for this run.
    pub(super) fn pause(&mut self) {
        match self.tied.get() {
            Some(tied) => tied.pause(),
            None => self.alone.age.is_paused = self.alone.all == 0,
        }
    }
}

impl Pulse {
    #[inline(always)]
    fn advance(&mut self, mono: u64) {
        self.latest = self.latest.max(mono);
        self.age.advance(self.latest);
    }

    #[inline(always)]
    fn fly(&mut self, change: &impl Fn(u64) -> u64, is_own: bool) {
        self.all = change(self.all);
        if is_own {
            self.own = change(self.own);
        }
    }
}

impl Tied {
    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run and those above it, from the run outwards.
    fn upwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |run| run.above.as_deref())
    }

    #[inline(never)]
    fn advance(&self, mono: u64) -> (u64, Age) {
        let mono = mono.max(self.pulse().latest);
        self.upwards().for_each(|run| run.pulse().advance(mono));
        let pulse = self.pulse();
        (pulse.latest, pulse.age)
    }

    #[inline(never)]
    fn fly(&self, change: &impl Fn(u64) -> u64) {
        for (depth, run) in self.upwards().enumerate() {
            run.pulse().fly(change, depth == 0);
        }
    }

    fn pause(&self) {
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
