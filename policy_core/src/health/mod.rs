//! What a process knows of how models and tools fare. It outlives runs and is shared by them; it is nobody's
//! money, and no store keeps it.

mod breaker;
mod share;
mod sticky;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) use breaker::BreakerTerms;
pub(crate) use share::ShareTerms;
pub(crate) use sticky::{Served, Stay};

use breaker::Circuit;
use share::Tally;
use sticky::Stays;

/// How long a program's health is kept that nobody asks about, at least; in nanoseconds.
const KEPT: u64 = 3_600_000_000_000;

/// What the end of an attempt says about whom it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    /// Nothing: it was not sent, it was given up, or the fault was the caller's.
    Untold,
}

/// For how long no call may pass, in nanoseconds. While probes are out it is shorter if they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Barred {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Barred {
    pub(crate) const fn may_be_sooner(self) -> bool {
        self.least < self.most
    }

    /// For a call that both are in the way of.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.max(other.most) }
    }

    /// For one of two calls.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.min(other.most) }
    }
}

/// Which circuit: a breaker of the program, and the model or tool, or the provider's first model.
pub(crate) type Place = (u32, u32);

/// An attempt that passed a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) place: Place,
    pub(crate) epoch: u64,
}

/// What is known under one program, by what it means.
#[derive(Clone, Debug, Default)]
struct Known {
    /// From when on nothing that matters is forgotten with it.
    until: u64,
    circuits: BTreeMap<Place, Circuit>,
    tallies: BTreeMap<u32, Tally>,
}

/// The health of all that the programs of a process call, for all runs that hold it. It has a lock of its
/// own, apart from the books: it is held for moments only, and no other lock is taken meanwhile. Until there
/// is something to know, or somebody to know it with, it is nothing.
#[derive(Debug, Default)]
pub struct Health(OnceLock<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    fares: Mutex<Fares>,
    /// How often a session was served by another model than before.
    switches: AtomicU64,
}

impl Clone for Health {
    fn clone(&self) -> Self {
        Self(OnceLock::from(Arc::clone(self.known())))
    }
}

impl Health {
    fn known(&self) -> &Arc<Shared> {
        self.0.get_or_init(Arc::default)
    }

    /// This is a copy of the process that knew it: what is in flight ends elsewhere.
    pub fn forget(&self) {
        // A thread that held it when the process was copied is not here, and what it did is no matter.
        if let Some(Ok(mut fares)) = self.0.get().map(|known| known.fares.try_lock()) {
            fares.forget();
        }
    }

    pub(crate) fn fares(&self) -> MutexGuard<'_, Fares> {
        self.known().fares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a session was served by another model than before. As long as it is as often, the model that
    /// served a session is still the last, which nobody needs the lock to know.
    pub(crate) fn switches(&self) -> u64 {
        self.0.get().map_or(0, |known| known.switches.load(Ordering::Acquire))
    }

    /// A session was served. Gives how often one was served by another model than before, this time included.
    pub(crate) fn serve(&self, session: u64, now: u64, served: &Served<'_>) -> u64 {
        let mut fares = self.fares();
        let is_other = fares.stays.serve(session, now, served);
        let switches = self.switches().wrapping_add(is_other.into());
        self.known().switches.store(switches, Ordering::Release);
        switches
    }
}

/// How all of them fare.
#[derive(Debug, Default)]
pub(crate) struct Fares {
    programs: BTreeMap<[u8; 32], Known>,
    /// What served each session last.
    pub(crate) stays: Stays,
    /// The latest epoch of all circuits: none is given twice.
    epochs: u64,
}

impl Fares {
    /// The epochs go on, so that nothing that was copied counts here.
    fn forget(&mut self) {
        self.programs.clear();
    }

    /// For how long no call may pass this circuit; nothing if one may.
    pub(crate) fn barred(
        &self,
        meaning: &[u8; 32],
        place: Place,
        terms: &BreakerTerms,
        now: u64,
    ) -> Option<Barred> {
        self.programs.get(meaning)?.circuits.get(&place)?.barred(terms, now)
    }

    /// A call passes a circuit that does not bar it.
    pub(crate) fn admit(
        &mut self,
        meaning: &[u8; 32],
        place: Place,
        terms: &BreakerTerms,
        now: u64,
    ) -> Ticket {
        let next = self.next_epoch();
        let known = self.known(meaning, terms.window_ns.max(terms.after_ns), now);
        let circuit = known.circuits.entry(place).or_insert_with(|| Circuit::new(terms, next));
        Ticket { place, epoch: circuit.admit(terms, now, next) }
    }

    /// A call that passed a circuit has ended.
    pub(crate) fn conclude(
        &mut self,
        meaning: &[u8; 32],
        ticket: Ticket,
        terms: &BreakerTerms,
        (ending, now): (Ending, u64),
    ) {
        let next = self.next_epoch();
        let known = self.known(meaning, terms.window_ns.max(terms.after_ns), now);
        if let Some(circuit) = known.circuits.get_mut(&ticket.place) {
            circuit.conclude(terms, (ticket.epoch, now), ending, next);
        }
    }

    /// Whether a retry, by its index, may bring one more attempt.
    pub(crate) fn has_share(&self, meaning: &[u8; 32], retry: u32, terms: &ShareTerms, now: u64) -> bool {
        let tally = self.programs.get(meaning).and_then(|known| known.tallies.get(&retry));
        tally.is_none_or(|tally| tally.has_room(terms, now))
    }

    /// An attempt of a call that a retry looks at is made, or the retry brings one.
    pub(crate) fn count(
        &mut self,
        meaning: &[u8; 32],
        retry: u32,
        terms: &ShareTerms,
        (is_retry, now): (bool, u64),
    ) {
        let known = self.known(meaning, terms.window_ns, now);
        let tally = known.tallies.entry(retry).or_insert_with(|| Tally::new(terms));
        if is_retry {
            tally.retry(now);
        } else {
            tally.call(now);
        }
    }

    /// What is known under a program, for so much longer at least. With a new program goes what is known of
    /// those that nobody has used for long, so that a process that loads many does not grow.
    fn known(&mut self, meaning: &[u8; 32], longest: u64, now: u64) -> &mut Known {
        if !self.programs.contains_key(meaning) {
            self.programs.retain(|_, known| known.until > now);
        }
        let known = self.programs.entry(*meaning).or_default();
        known.until = known.until.max(now.saturating_add(longest.max(KEPT)));
        known
    }

    const fn next_epoch(&mut self) -> u64 {
        self.epochs = self.epochs.saturating_add(1);
        self.epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Option<Barred> = Some(Barred { least: 5, most: 5 });
    const TERMS: BreakerTerms = BreakerTerms { failures: 1, calls: 1, window_ns: 10, probes: 1, after_ns: 5 };

    #[test]
    fn health_that_was_nothing_is_the_same_for_all_who_have_it() {
        let health = Health::default();
        health.forget();
        let other = health.clone();
        health.fares().admit(&[1; 32], (0, 0), &TERMS, 0);
        assert_eq!(other.fares().programs.len(), 1);
    }

    #[test]
    fn what_nobody_uses_is_forgotten_and_nothing_else() {
        let mut health = Fares::default();
        let fail = |health: &mut Fares, program: u8, now| {
            let ticket = health.admit(&[program; 32], (0, 0), &TERMS, now);
            health.conclude(&[program; 32], ticket, &TERMS, (Ending::Failed, now));
        };
        fail(&mut health, 1, 0);
        fail(&mut health, 2, KEPT / 2);
        (3..200).for_each(|program| fail(&mut health, program, KEPT + 1));
        assert_eq!(health.programs.len(), 198);
        assert!(health.programs.contains_key(&[2; 32]) && !health.programs.contains_key(&[1; 32]));
        fail(&mut health, 1, 3 * KEPT);
        assert_eq!(health.programs.len(), 1);
    }

    #[test]
    fn a_ticket_of_what_was_forgotten_counts_for_nothing() {
        let mut health = Fares::default();
        let early = health.admit(&[1; 32], (0, 0), &TERMS, 0);
        health.admit(&[2; 32], (0, 0), &TERMS, KEPT + 1);
        let late = health.admit(&[1; 32], (0, 0), &TERMS, KEPT + 2);
        health.conclude(&[1; 32], early, &TERMS, (Ending::Failed, KEPT + 2));
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, KEPT + 2), None);
        health.conclude(&[1; 32], late, &TERMS, (Ending::Failed, KEPT + 2));
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, KEPT + 2), FIVE);
    }

    #[test]
    fn a_copy_begins_with_closed_circuits_and_no_ticket_of_its_elder_counts() {
        let mut health = Fares::default();
        let elder = health.admit(&[1; 32], (0, 0), &TERMS, 0);
        health.conclude(&[1; 32], elder, &TERMS, (Ending::Failed, 0));
        let probe = health.admit(&[1; 32], (0, 0), &TERMS, 5);
        let tried = Some(Barred { least: 0, most: 5 });
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, 5), tried);
        health.forget();
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, 5), None);
        health.admit(&[1; 32], (0, 0), &TERMS, 5);
        health.conclude(&[1; 32], probe, &TERMS, (Ending::Failed, 5));
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, 5), None);
    }

    #[test]
    fn programs_do_not_know_of_each_other() {
        let mut health = Fares::default();
        let ticket = health.admit(&[1; 32], (0, 0), &TERMS, 0);
        health.conclude(&[1; 32], ticket, &TERMS, (Ending::Failed, 0));
        assert_eq!(health.barred(&[1; 32], (0, 0), &TERMS, 0), FIVE);
        assert_eq!(health.barred(&[2; 32], (0, 0), &TERMS, 0), None);
        assert_eq!(health.barred(&[1; 32], (0, 1), &TERMS, 0), None);
    }
}
