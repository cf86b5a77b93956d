//! What one incarnation of a process shares between the host's threads and its keeper. After a fork the child
//! gets another one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use policy_core::books::Books;
use policy_core::{Health, Now};

use crate::clock::{self, Clock};
use crate::errand::Errands;
use crate::error::StoreError;
use crate::recorder::Recorder;

/// What the keeper is asked to do besides its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    Work,
    /// Give everything back, then end; at this instant in any case.
    Close(Option<Instant>),
    /// End at once: the process is about to fork.
    Halt,
}

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Requests of the books.
    Talk,
    /// Records.
    Records,
    /// What hosts wait for.
    Errands,
}

#[derive(Debug)]
struct Bell {
    rung: bool,
    wish: Wish,
    ended: Option<bool>,
}

/// One incarnation.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: u128,
    pub(crate) clock: Clock,
    pub(crate) books: Arc<Mutex<Books>>,
    /// How models and tools fare, seen from this process.
    pub(crate) watched: Health,
    pub(crate) recorder: Recorder,
    pub(crate) errands: Errands,
    pub(crate) round_trips: AtomicU64,
    errors: Mutex<[Option<StoreError>; 3]>,
    bell: Mutex<Bell>,
    changed: Condvar,
    is_rung: AtomicBool,
}

impl Session {
    /// A session without a store: this process decides alone.
    pub(crate) fn local() -> Self {
        Self::with(0, Clock::from(0), Books::local(), Recorder::new(0))
    }

    /// A session that leases from a store. Records are kept in a journal in `folder`, if there is one.
    pub(crate) fn leased(now: Now, folder: Option<&Path>) -> Result<Self, StoreError> {
        let node = clock::random_u128()?;
        let recorder = folder.map_or_else(|| Recorder::new(node), |folder| Recorder::durable(node, folder));
        Ok(Self::with(node, Clock::from(now.mono), Books::leased(node, now), recorder))
    }

    fn with(node: u128, clock: Clock, books: Books, recorder: Recorder) -> Self {
        Self {
            node,
            clock,
            books: Arc::new(Mutex::new(books)),
            watched: Health::default(),
            recorder,
            errands: Errands::default(),
            round_trips: AtomicU64::new(0),
            errors: Mutex::default(),
            bell: Mutex::new(Bell { rung: false, wish: Wish::Work, ended: None }),
            changed: Condvar::new(),
            is_rung: AtomicBool::new(false),
        }
    }

    /// The books, for a moment.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the keeper, unless somebody did.
    pub(crate) fn wake(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.bell().rung = true;
            self.changed.notify_all();
        }
    }

    /// Tells the keeper to end.
    pub(crate) fn wish(&self, wish: Wish) {
        self.bell().wish = wish;
        self.changed.notify_all();
    }

    /// A keeper works again after one has ended.
    pub(crate) fn again(&self) {
        *self.bell() = Bell { rung: true, wish: Wish::Work, ended: None };
    }

    /// The keeper waits until it is woken, asked for something, or for so long. What is wished?
    pub(crate) fn wait(&self, time: Duration) -> Wish {
        let bell = self.bell();
        let idle = |bell: &mut Bell| !bell.rung && bell.wish == Wish::Work;
        let waited = self.changed.wait_timeout_while(bell, time, idle);
        let (mut bell, _) = waited.unwrap_or_else(PoisonError::into_inner);
        bell.rung = false;
        self.is_rung.store(false, Ordering::Release);
        bell.wish
    }

    /// The keeper tells those who wait that something changed.
    pub(crate) fn announce(&self) {
        drop(self.bell());
        self.changed.notify_all();
    }

    /// The keeper has ended; was everything given back?
    pub(crate) fn ended(&self, well: bool) {
        self.bell().ended = Some(well);
        self.changed.notify_all();
    }

    /// Waits until the keeper has ended; `None`: it has not in time.
    pub(crate) fn await_end(&self, time: Duration) -> Option<bool> {
        let waited = self.changed.wait_timeout_while(self.bell(), time, |bell| bell.ended.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Waits until all records so far are in the store.
    pub(crate) fn await_records(&self, time: Duration) -> bool {
        let (_, _, last) = self.recorder.figures();
        let until = clock::instant().checked_add(time);
        let is_waiting = || self.recorder.oldest().is_some_and(|oldest| oldest <= last);
        let mut bell = self.bell();
        while is_waiting() && bell.ended.is_none() {
            let left = until.map_or(time, |until| until.saturating_duration_since(clock::instant()));
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(bell, left);
            bell = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !is_waiting()
    }

    /// How the last talk with the store went, or the last attempt to bring it records or to do an errand.
    pub(crate) fn set_error(&self, about: About, error: Option<StoreError>) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let [talk, records, errands] = &mut *errors;
        *match about {
            About::Talk => talk,
            About::Records => records,
            About::Errands => errands,
        } = error;
    }

    /// What went wrong with the store last; nothing, if it answers.
    pub(crate) fn error(&self) -> Option<StoreError> {
        let [talk, records, errands] = self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        talk.or(records).or(errands)
    }

    fn bell(&self) -> MutexGuard<'_, Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long until `instant`, by the clock that was read as `now`.
pub(crate) fn until(instant: Option<u64>, now: u64, longest: Duration) -> Duration {
    instant.map_or(longest, |instant| Duration::from_nanos(instant.saturating_sub(now)).min(longest))
}

/// Is the instant over?
pub(crate) fn is_over(instant: Option<Instant>) -> bool {
    instant.is_some_and(|instant| instant <= clock::instant())
}
