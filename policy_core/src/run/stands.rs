//! How a run stands with its limits before and after its events: what its records show.

use super::Run;
use crate::books::{AccountId, Books, WindowKind};
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

/// All that bounds stand by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sight {
    /// How often accounts may have changed so far, if their books can tell.
    changes: Option<u64>,
    now: Now,
    elapsed: u64,
    active: u64,
}

/// The bounds of a run, looked at before and after each of its events.
///
/// They are those of [`Run::limits`], in that order. Where each is read is found once, and a look is spared
/// where nothing has changed since the one before.
#[derive(Debug)]
pub struct Stands {
    origins: Box<[Origin]>,
    /// Only events change them, not the time that passes.
    is_timeless: bool,
    latest: Vec<Stand>,
    /// How they stood before, unless that is the same.
    earlier: Vec<Stand>,
    is_same: bool,
    /// What the latest were read by, if it can be told.
    seen: Option<Sight>,
}

impl Stands {
    /// Those of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
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
        let is_timeless = limits().all(|(_, limit)| limit.window == WindowKind::Forever)
            && !origins.iter().any(|origin| matches!(origin, Origin::Time(..)));
        Self { origins, is_timeless, latest, earlier, is_same: true, seen: None }
    }

    /// Looks at them before an event. `true` if they stand as they stood after the event before.
    pub fn look_before(&mut self, run: &Run, books: &Books) -> bool {
        let is_known = self.look(run, books, |_| ());
        self.is_same = true;
        is_known
    }

    /// Looks at them after it. `true` if they stand as they stood at the last look.
    pub fn look_after(&mut self, run: &Run, books: &Books) -> bool {
        self.look(run, books, |stands| {
            std::mem::swap(&mut stands.earlier, &mut stands.latest);
            stands.is_same = false;
        })
    }

    /// Reads them, unless they are known; `first` is done if they are not.
    fn look(&mut self, run: &Run, books: &Books, first: impl FnOnce(&mut Self)) -> bool {
        let sight = run.sight(books, self.is_timeless);
        if self.seen.is_some() && self.seen == sight {
            return true;
        }
        first(self);
        read(&self.origins, sight.as_ref(), books, &mut self.latest);
        self.seen = sight.filter(|sight| sight.changes.is_some());
        false
    }

    /// How they stood before the latest event that was looked at before it.
    #[must_use]
    pub fn before(&self) -> &[Stand] {
        if self.is_same { &self.latest } else { &self.earlier }
    }

    /// How they stood after the latest event.
    #[must_use]
    pub fn after(&self) -> &[Stand] {
        &self.latest
    }
}

impl Run {
    /// None of a suspended run, of which no bound stands. Where accounts tell that they are the same, and
    /// nothing else counts, the time is none.
    fn sight(&self, books: &Books, is_timeless: bool) -> Option<Sight> {
        if self.suspended.is_some() {
            return None;
        }
        let changes = books.changes();
        if is_timeless && changes.is_some() {
            return Some(Sight { changes, now: Now::default(), elapsed: 0, active: 0 });
        }
        let (mono, age) = self.lineage.now();
        let now = Now { mono, ..self.latest };
        Some(Sight { changes, now, elapsed: age.now(), active: age.active() })
    }
}

/// How these bounds stand.
fn read(origins: &[Origin], sight: Option<&Sight>, books: &Books, stands: &mut Vec<Stand>) {
    let Some(sight) = sight else { return stands.clear() };
    if stands.len() != origins.len() {
        stands.resize(origins.len(), Stand::default());
    }
    for (origin, stand) in origins.iter().zip(stands) {
        // Of most bounds, this is one look at one account.
        if let Origin::Account(account) = *origin
            && let Some(local) = books.seen().told(account, sight.now)
        {
            *stand = local.stand();
        } else {
            *stand = read_one(*origin, sight, books);
        }
    }
}

#[inline(never)]
fn read_one(origin: Origin, sight: &Sight, books: &Books) -> Stand {
    match origin {
        Origin::Account(account) => books.stand(account, sight.now),
        Origin::Observed(account, max) => {
            let [_, spent, held, leased] = books.stand(account, sight.now);
            [max, spent, held, leased]
        }
        Origin::Time(Measure::ActiveTime, max) => [max, sight.active, 0, 0],
        Origin::Time(_, max) => [max, sight.elapsed, 0, 0],
        Origin::Unknown(max) => [max, 0, 0, 0],
    }
}
