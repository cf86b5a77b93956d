//! The thread that keeps the books supplied: it asks them what to say to the store, says it while nobody's
//! lock is held, and gives the answer back. Between that it takes records to the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use policy_core::store::{Reply, Request};

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::place::Place;
use crate::recorder::{GROUP, orphans};
use crate::session::{About, Session, Wish, is_over, until};
use crate::store::{Store, open_place};

/// At most this long between two looks at the books, in case nobody wakes the keeper.
const LONGEST: Duration = Duration::from_millis(500);
/// At least this long, unless somebody wakes the keeper.
const SHORTEST: Duration = Duration::from_millis(1);
/// Between two groups of records.
const GATHER: Duration = Duration::from_millis(10);
/// Between two looks for the journals of dead processes.
const ORPHANS: Duration = Duration::from_secs(5);
/// Between two tries of one errand.
const AGAIN: Duration = Duration::from_millis(50);
/// As long as a store that refuses records is left alone at most.
const BACK_OFF: Duration = Duration::from_secs(1);

/// The thread's own.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) session: Arc<Session>,
    pub(crate) place: Place,
    /// Where journals are.
    pub(crate) folder: PathBuf,
    /// Opened when it is needed.
    pub(crate) store: Option<Box<dyn Store>>,
    pub(crate) records: Pace,
    /// An errand that could not be done is not tried before.
    pub(crate) errands: Option<Instant>,
}

/// What came of a turn with the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talked {
    /// The store answered one request; there may be more.
    Said,
    /// Nothing can be said now, and something is left.
    Later,
    /// There is nothing left to say.
    Nothing,
}

/// When records are tried next.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Option<Instant>,
    back_off: Duration,
    orphans: Option<Instant>,
}

impl Keeper {
    /// Works until it is told to end.
    pub(crate) fn run(mut self) {
        let (mut closing_until, mut is_busy) = (None, false);
        let well = loop {
            // After a turn that did something there may be more, and only the wish is looked at.
            let time = if is_busy { Duration::ZERO } else { self.rest(closing_until.is_some()) };
            match self.session.wait(time) {
                Wish::Work => {}
                Wish::Halt => break false,
                Wish::Close(until) if closing_until.is_none() => {
                    closing_until = until;
                    self.records.next = None;
                    self.session.books().close_all(self.session.clock.now());
                }
                Wish::Close(_) => {}
            }
            // At most one request, one group and one errand: however much there is to do of one kind, the
            // others have their turn, and the wish is seen.
            let talked = self.talk();
            let carried = self.carry();
            let ran = self.run_errand();
            is_busy = talked == Talked::Said || carried || ran;
            if closing_until.is_some() {
                let done = talked == Talked::Nothing
                    && self.session.recorder.oldest().is_none()
                    && self.session.errands.is_empty();
                if done || is_over(closing_until) {
                    break done;
                }
            } else if self.records.orphans.is_none_or(|next| next <= clock::instant()) {
                self.adopt();
            }
            self.session.announce();
        };
        // The store is closed before anybody is told: the process may fork then.
        drop(self.store.take());
        if well {
            self.session.recorder.end();
        }
        if closing_until.is_some() {
            self.session.errands.end();
        }
        self.session.ended(well);
    }

    /// How long nothing is to be done.
    fn rest(&self, closing: bool) -> Duration {
        let now = self.session.clock.now();
        let due = self.session.books().due(now);
        // Books that are due and have nothing to say must not keep the thread busy.
        let mut rest = until(due, now.mono, LONGEST).max(SHORTEST);
        if self.session.recorder.oldest().is_some() {
            let next =
                self.records.next.map_or(Duration::ZERO, |n| n.saturating_duration_since(clock::instant()));
            rest = rest.min(next);
        }
        if !self.session.errands.is_empty() {
            let next = self.errands.map_or(Duration::ZERO, |n| n.saturating_duration_since(clock::instant()));
            rest = rest.min(next);
        }
        let orphans =
            self.records.orphans.map_or(Duration::ZERO, |n| n.saturating_duration_since(clock::instant()));
        rest = rest.min(orphans.max(SHORTEST));
        // The wish to close does not let the keeper sleep.
        if closing {
            clock::pause(rest.min(Duration::from_millis(5)));
        }
        rest
    }

    /// Says one thing that the books have to say now.
    fn talk(&mut self) -> Talked {
        let sent = self.session.clock.now();
        let Some(request) = self.session.books().poll(sent) else {
            let is_all = self.session.books().due(sent).is_none();
            return if is_all { Talked::Nothing } else { Talked::Later };
        };
        let result = self.ask(&request);
        self.session.round_trips.fetch_add(1, Ordering::Relaxed);
        let now = self.session.clock.now();
        match result {
            Ok(reply) => {
                self.session.set_error(About::Talk, trouble(&reply, &self.place));
                self.session.books().reply(now, &reply);
                Talked::Said
            }
            Err(error) => {
                self.session.set_error(About::Talk, Some(error));
                self.session.books().lost(now);
                Talked::Later
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, StoreError> {
        self.store()?.apply(request)
    }

    fn store(&mut self) -> Result<&mut Box<dyn Store>, StoreError> {
        if self.store.is_none() {
            self.store = Some(open_place(&self.place, false)?);
        }
        self.store.as_mut().ok_or_else(|| StoreError::new(ErrorKind::Away, self.place.shown()))
    }

    /// Takes one group of waiting records to the store; `true` if it is there.
    fn carry(&mut self) -> bool {
        if self.records.next.is_some_and(|next| next > clock::instant()) {
            return false;
        }
        let group = self.session.recorder.group();
        let Some((last, _)) = group.last() else { return false };
        let (last, origin) = (*last, self.session.recorder.origin());
        let appended = self.store().and_then(|store| store.append(origin, &group));
        if let Err(error) = appended {
            self.session.set_error(About::Records, Some(error));
            self.records.back_off = self.records.back_off.saturating_mul(2).clamp(GATHER, BACK_OFF);
            self.records.next = clock::instant().checked_add(self.records.back_off);
            return false;
        }
        self.session.recorder.drained(last);
        self.session.set_error(About::Records, None);
        self.records.back_off = Duration::ZERO;
        // A full group is followed by the next one at once.
        let wait = if group.len() < GROUP { GATHER } else { Duration::ZERO };
        self.records.next = clock::instant().checked_add(wait);
        true
    }

    /// Does one errand; `true` if it is done.
    fn run_errand(&mut self) -> bool {
        if self.errands.is_some_and(|next| next > clock::instant()) {
            return false;
        }
        let Some(mut errand) = self.session.errands.take() else { return false };
        let done = match self.store() {
            Ok(store) => errand(Ok(&mut **store)),
            Err(error) => errand(Err(error)),
        };
        let error = done.err();
        let is_done = error.is_none();
        self.session.set_error(About::Errands, error);
        self.errands = None;
        if !is_done {
            self.session.errands.put_back(errand);
            self.errands = clock::instant().checked_add(AGAIN);
        }
        is_done
    }

    /// Takes what one dead process left behind to the store; the next one has its turn after the books.
    fn adopt(&mut self) {
        let (folder, mut wait) = (self.folder.clone(), ORPHANS);
        let mut found = orphans(&folder);
        let mut wrong = None;
        let orphan = found.by_ref().find_map(|orphan| orphan.map_err(|error| wrong = Some(error)).ok());
        if let Some(orphan) = orphan {
            match self.store().and_then(|store| store.append(orphan.origin, &orphan.records)) {
                Ok(()) => {
                    self.session.recorder.count_lost(orphan.missing);
                    orphan.remove();
                    wait = GATHER;
                }
                Err(error) => wrong = Some(error),
            }
        }
        if wrong.is_some() {
            self.session.set_error(About::Records, wrong);
        }
        self.records.orphans = clock::instant().checked_add(wait);
    }
}

/// What an answer says of the store, if it is no good news.
fn trouble(reply: &Reply, place: &Place) -> Option<StoreError> {
    let (kind, what) = match reply {
        Reply::Done { .. } | Reply::Stale { .. } | Reply::Reassert { .. } => return None,
        Reply::NoLedger => {
            (ErrorKind::NoLedger, "there is no ledger here any more; restore it from a backup")
        }
        Reply::Malformed { why, .. } => (ErrorKind::Damaged, *why),
        Reply::Clock { now, .. } => return Some(apart(*now, place)),
        Reply::Fenced { .. } => (ErrorKind::Fenced, "it took this process for another one; it begins anew"),
    };
    Some(StoreError::new(kind, format!("{}: {what}", place.shown())))
}

/// The clocks of the store and of this machine are too far apart to agree on a window. A ledger's time never
/// goes back, so that one which was ahead once may be alone with it.
fn apart(store: u64, place: &Place) -> StoreError {
    let here = clock::wall();
    let minutes = store.abs_diff(here) / 60_000_000_000;
    let (place, how) = (place.shown(), if store > here { "ahead of" } else { "behind" });
    let text = format!(
        "{place}: its time is {minutes} minutes {how} this machine's; set both clocks right (if they are, \
         its clock was ahead once, and it keeps that time: see `A clock that was ahead` in docs/ledger.md)"
    );
    StoreError::new(ErrorKind::Clock, text)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
