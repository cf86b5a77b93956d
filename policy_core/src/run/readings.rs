//! How a run stands with its limits: for its host, for conditions, and as advice to its agent.

use super::Run;
use crate::books::{AccountId, Books, Failure, Standing};
use crate::decision::{Advice, Decision};
use crate::event::Now;
use crate::program::{Bound, Entry, Limit, Measure, Scope};
use crate::settlement::Reading;

/// The store is asked again about limits that facts are read of when its last word is so old.
const OLD: u64 = 1_000_000_000;

/// How the limits of one scope stand that bound a measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tightest {
    /// Of the one that leaves the least.
    pub(crate) spent: u64,
    pub(crate) held: u64,
    pub(crate) left: u64,
    /// How old the store's word about them is, the oldest.
    pub(crate) age_ns: u64,
}

impl Run {
    /// Every bound of every limit, by limit name, then in the order of [`Measure`], as of the last event. Of
    /// a child, its own bounds and those that it shares, not those of its ancestors; of a suspended run,
    /// none.
    #[must_use]
    pub fn limits(&self, books: &Books) -> Vec<Reading> {
        let mut readings = Vec::new();
        self.each_bound(books, |index, limit, bound, entry, standing| {
            let is_observed = entry.is_some_and(|(entry, _)| entry.observed.is_some());
            let used = standing.spent.saturating_add(standing.held);
            let free = untold(bound.max, used).free;
            readings.push(Reading {
                limit: index,
                measure: bound.measure,
                max: if is_observed { bound.max } else { standing.max },
                spent: standing.spent,
                held: standing.held,
                free: if is_observed { free } else { standing.free },
                leased: standing.leased,
                silent: standing.silent,
                refused: standing.refused,
                window: standing.window,
                soft: limit.failure == Failure::Allow,
                missing: entry.is_some_and(|(_, account)| account.is_none()),
                age_ns: standing.age_ns,
            });
        });
        readings
    }

    fn each_bound(
        &self,
        books: &Books,
        mut each: impl FnMut(u32, &Limit, &Bound, Option<(&Entry, Option<AccountId>)>, Standing),
    ) {
        if self.suspended.is_some() {
            return;
        }
        let (mono, age) = self.lineage.now();
        let now = Now { mono, ..self.latest };
        for (index, limit) in self.program.tables.limits.numbered() {
            for bound in &limit.bounds {
                let entry = self.accounts.of_bound(index, bound.measure);
                let account = entry.and_then(|(_, account)| account);
                let standing = match (age.time(bound.measure), account) {
                    (Some(elapsed), _) => untold(bound.max, elapsed),
                    (None, Some(account)) => books.standing(account, now),
                    (None, None) => untold(bound.max, 0),
                };
                each(index, limit, bound, entry, standing);
            }
        }
    }

    /// Whether a limit has been filled so far that it wants lower tiers from then on.
    pub(crate) fn prefers_lower(&self) -> bool {
        let is_given = |place: &usize| self.thresholds.get(*place).is_some_and(|is_open| !is_open);
        self.program.index.lowering.iter().any(is_given)
    }

    /// Logical model calls so far.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// `run.X.spent`: by the run and its children, in all.
    pub(crate) fn spent(&self, measure: Measure, books: &Books) -> u64 {
        self.time(measure).unwrap_or_else(|| self.meter(measure, books).spent)
    }

    /// `run.X.held`: by the run and its children.
    pub(crate) fn reserved(&self, measure: Measure, books: &Books) -> u64 {
        self.meter(measure, books).held
    }

    /// `run.X.left`: of the tightest of the run's own limits.
    pub(crate) fn left(&self, measure: Measure, books: &Books) -> Option<u64> {
        let left = |bound: Option<u64>| Some(bound?.saturating_sub(self.time(measure)?));
        match measure {
            Measure::ActiveTime => left(self.program.index.active_time),
            Measure::WallTime => left(self.program.index.wall_time),
            _ => self.accounts.left(measure, books, self.latest),
        }
    }

    /// How the limits of a scope wider than a run stand that bound a measure, the tightest first; none where
    /// the run has no such id, or the store has not said yet how one of them stands.
    pub(crate) fn tightest(&self, scope: Scope, measure: Measure, books: &Books) -> Option<Tightest> {
        let mut tightest: Option<Tightest> = None;
        for account in self.shared(scope, measure) {
            let account = account.filter(|account| books.is_told(*account, self.latest))?;
            let standing = books.standing(account, self.latest);
            let left = u64::try_from(standing.free).unwrap_or_default();
            let age_ns = standing.age_ns.max(tightest.as_ref().map_or(0, |known| known.age_ns));
            tightest = match tightest {
                Some(known) if known.left <= left => Some(Tightest { age_ns, ..known }),
                _ => Some(Tightest { spent: standing.spent, held: standing.held, left, age_ns }),
            };
        }
        tightest
    }

    /// The accounts of the limits of such a scope that bound a measure; none for one that the run has no id
    /// for.
    fn shared(&self, scope: Scope, measure: Measure) -> impl Iterator<Item = Option<AccountId>> {
        let limits = &self.program.tables.limits;
        let is_of = move |entry: &Entry| {
            let limit = entry.limit.filter(|_| entry.measure == measure && entry.observed.is_none());
            limit.is_some_and(|limit| limits.at(limit).scope == scope)
        };
        self.accounts.all().filter(move |(entry, _)| is_of(entry)).map(|(_, account)| account)
    }

    /// Asks the store about limits that facts are read of, where its last word is old. Calls go on meanwhile.
    #[inline]
    pub(super) fn look_around(&self, books: &mut Books) {
        if !self.program.index.shared.is_empty() {
            self.ask_anew(books);
        }
    }

    #[cold]
    fn ask_anew(&self, books: &mut Books) {
        let now = self.latest;
        for &(scope, measure) in &self.program.index.shared {
            for account in self.shared(scope, measure).flatten() {
                if books.standing(account, now).age_ns >= OLD {
                    books.need(account, 1);
                }
            }
        }
    }

    /// What to ask the store for before facts of limits are read, since it has not said how they stand.
    pub(super) fn unheard(&self, books: &Books) -> Vec<(AccountId, u64)> {
        let read = self.program.index.shared.iter();
        let accounts = read.flat_map(|&(scope, measure)| self.shared(scope, measure).flatten());
        accounts
            .filter(|account| books.lacks_word(*account, self.latest))
            .map(|account| (account, 1))
            .collect()
    }

    fn meter(&self, measure: Measure, books: &Books) -> Standing {
        let place = self.program.index.meters.binary_search(&measure).ok();
        let account = place.and_then(|place| self.accounts.meter(place));
        account.map_or_else(Standing::default, |account| books.standing(account, self.latest))
    }

    /// Gives each soft threshold that is reached, once. What only the run's own attempts lead to is looked at
    /// only after one that may have.
    #[inline]
    pub(crate) fn advise(&mut self, decision: &mut Decision, books: &Books) {
        let is_calm = self.is_calm && self.lineage.is_alone();
        if !(is_calm && self.accounts.draws.has_own_soft_alone) {
            self.advise_anew(is_calm, decision, books);
        }
    }

    #[inline(never)]
    fn advise_anew(&mut self, is_calm: bool, decision: &mut Decision, books: &Books) {
        let Self { accounts, thresholds, age, latest, .. } = self;
        let is_late =
            |(measure, enough): &(Measure, u64)| age.time(*measure).is_some_and(|time| time >= *enough);
        for (soft, is_open) in accounts.draws.soft.iter().zip(thresholds) {
            if *is_open
                && !(is_calm && soft.is_own)
                && (accounts.reaches(soft, books, *latest) || soft.times.iter().any(is_late))
            {
                *is_open = false;
                decision.advice.push(Advice { limit: soft.limit, threshold: soft.threshold });
            }
        }
        self.is_calm = true;
    }
}

/// How what no account knows stands.
fn untold(max: u64, spent: u64) -> Standing {
    let signed = |amount| i64::try_from(amount).unwrap_or(i64::MAX);
    Standing { max, spent, free: signed(max).saturating_sub(signed(spent)), ..Standing::default() }
}
