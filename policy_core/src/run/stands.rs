//! How a run stands with its limits before and after its events: what its records show.

use super::Run;
use crate::books::{AccountId, Books};
use crate::event::Now;
use crate::program::Measure;

/// How one bound stands: the bound, what is spent, held, and leased to other processes.
pub type Stand = [u64; 4];

/// Where one bound is read.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Account(AccountId),
    /// An account of a limit that is only observed: it has no bound of its own.
    Observed(AccountId, u64),
    /// The run's own time.
    Time(Measure, u64),
    /// The run has no id for the limit's scope.
    Unknown(u64),
}

/// What bounds stand by beside their accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moment {
    now: Now,
    elapsed: u64,
    active: u64,
}

/// The bounds of a run, looked at before and after each of its events.
///
/// They are those of [`Run::limits`], in that order. Where each is read is found once. What the run's own
/// attempts change is noted while they do, so nothing is read where nobody else has changed an account.
/// INVARIANT (stands): as the books counted `seen` changes, and at that moment, all stood as the latest.
#[derive(Debug)]
pub(super) struct Stands {
    origins: Box<[Origin]>,
    /// They are all told as their accounts tell them.
    is_noted: bool,
    /// Before this instant of the wall clock only events change them: always, if nothing has a window.
    until: u64,
    latest: Vec<Stand>,
    /// How they stood before the latest event that was looked at before it.
    earlier: Vec<Stand>,
    /// The count of changes, if it can be told; and what it was at the latest look.
    seen: Option<u64>,
    looked: Option<u64>,
    moment: Moment,
}

impl Stands {
    fn of(run: &Run) -> Self {
        let limits = || run.program.tables.limits.numbered();
        let origin = |limit, measure: Measure, max| {
            let entry = run.accounts.of_bound(limit, measure);
            match entry.and_then(|(entry, account)| Some((account?, entry.observed))) {
                _ if measure.is_time() => Origin::Time(measure, max),
                Some((account, Some(observed))) => Origin::Observed(account, observed),
                Some((account, None)) => Origin::Account(account),
                None => Origin::Unknown(max),
            }
        };
        let bounds = limits().flat_map(|(index, limit)| limit.bounds.iter().map(move |bound| (index, bound)));
        let origins: Box<[_]> =
            bounds.map(|(index, bound)| origin(index, bound.measure, bound.max)).collect();
        let (latest, earlier) = (Vec::with_capacity(origins.len()), Vec::with_capacity(origins.len()));
        let (seen, looked, moment) = (None, None, Moment::default());
        let is_noted = !run.accounts.draws.observes;
        Self { origins, is_noted, until: 0, latest, earlier, seen, looked, moment }
    }

    /// Those to be noted by whoever has just counted one change and changes accounts under it; none, if they
    /// have to be read anew all the same.
    #[inline]
    pub(super) fn follow(&mut self, changes: u64) -> &mut [Stand] {
        if !self.is_noted || self.seen != Some(changes.wrapping_sub(1)) {
            return &mut [];
        }
        self.seen = Some(changes);
        &mut self.latest
    }

    /// Makes sure that the latest are as all stands. `true` if that is how it stood at the look before.
    fn look(&mut self, books: &Books, wall: u64, moment: impl Fn() -> Option<Moment>) -> bool {
        let changes = books.changes();
        let is_same = || wall < self.until || moment() == Some(self.moment);
        let is_seen = changes.is_some() && self.seen == changes && is_same();
        if !is_seen {
            self.read(books, moment(), changes);
        }
        let is_known = is_seen && self.looked == changes;
        self.looked = changes;
        is_known
    }

    #[inline(never)]
    fn read(&mut self, books: &Books, moment: Option<Moment>, changes: Option<u64>) {
        self.seen = changes.filter(|_| moment.is_some());
        let Some(moment) = moment else { return self.latest.clear() };
        (self.moment, self.until) = (moment, u64::MAX);
        self.latest.resize(self.origins.len(), Stand::default());
        for (origin, stand) in self.origins.iter().zip(&mut self.latest) {
            // Of most bounds, this is one look at one account.
            if let Origin::Account(account) = *origin
                && let Some(local) = books.seen().told(account, moment.now)
            {
                *stand = local.stand();
                self.until = self.until.min(local.until());
            } else {
                *stand = read_one(*origin, &moment, books);
                self.until = if matches!(origin, Origin::Unknown(_)) { self.until } else { 0 };
            }
        }
    }
}

impl Run {
    /// From now on it is known how the run stands with its limits before and after its events.
    pub fn keep_stands(&mut self) {
        self.stands = Some(Box::new(Stands::of(self)));
    }

    /// Looks at the limits before an event. `true` if they stand as they stood at the last look.
    pub fn look_before(&mut self, books: &Books) -> bool {
        let is_known = self.look_after(books);
        if let Some(stands) = &mut self.stands {
            stands.earlier.clone_from(&stands.latest);
        }
        is_known
    }

    /// Looks at the limits after it. `true` if they stand as they stood at the last look.
    pub fn look_after(&mut self, books: &Books) -> bool {
        let Self { stands, suspended, lineage, latest, .. } = self;
        // No bound of a suspended run stands.
        let moment = || {
            let (mono, age) = lineage.now();
            let now = Now { mono, ..*latest };
            suspended.is_none().then(|| Moment { now, elapsed: age.now(), active: age.active() })
        };
        // Until it was suspended, what it stood by may have been the same.
        let wall = if suspended.is_none() { latest.wall } else { u64::MAX };
        stands.as_mut().is_some_and(|stands| stands.look(books, wall, moment))
    }

    /// How the bounds of [`Run::limits`] stood before the latest event that was looked at before it, and how
    /// they stood after the latest one; none of a run that does not keep them.
    #[must_use]
    pub fn stands(&self) -> (&[Stand], &[Stand]) {
        self.stands.as_ref().map_or((&[], &[]), |stands| (&stands.earlier, &stands.latest))
    }
}

#[inline(never)]
fn read_one(origin: Origin, moment: &Moment, books: &Books) -> Stand {
    match origin {
        Origin::Account(account) => books.stand(account, moment.now),
        Origin::Observed(account, max) => {
            let [_, spent, held, leased] = books.stand(account, moment.now);
            [max, spent, held, leased]
        }
        Origin::Time(Measure::ActiveTime, max) => [max, moment.active, 0, 0],
        Origin::Time(_, max) => [max, moment.elapsed, 0, 0],
        Origin::Unknown(max) => [max, 0, 0, 0],
    }
}
