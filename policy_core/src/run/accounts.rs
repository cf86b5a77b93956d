//! The accounts that a run draws on: its own, its ancestors', and those that it shares with other runs.
//!
//! They are found once, when the run begins. INVARIANT (all or nothing): an attempt takes from all of them or
//! from none; what it took ends in the window that it was taken in.

use std::sync::Arc;

use super::amounts::{Amounts, Columns};
use super::conclude::least;
use crate::books::{AccountId, Books, Room};
use crate::event::Now;
use crate::price::Rates;
use crate::program::{Draws, Entry, Fill, Level, Measure, Soft};

/// In whose books an attempt is looked at, when, and which limits give up what they keep for wrapping up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) books: &'a Books,
    pub(crate) now: Now,
    pub(crate) lifted: &'a [AccountId],
}

/// What keeps attempts from being made.
#[derive(Debug, Default)]
pub(crate) struct Obstacles {
    /// Places of the entries in the way, each once.
    pub(crate) ways: Vec<u32>,
    /// Some attempt would fit if holds ended; or if the store gives what it may have.
    pub(crate) holds: bool,
    pub(crate) lease: bool,
    /// What to ask the store for.
    pub(crate) needs: Vec<(AccountId, u64)>,
}

impl Obstacles {
    /// What is in the way of another attempt as well.
    pub(crate) fn add(&mut self, other: Self) {
        for place in other.ways {
            if !self.ways.contains(&place) {
                self.ways.push(place);
            }
        }
        self.holds |= other.holds;
        self.lease |= other.lease;
        self.needs.extend(other.needs);
    }
}

/// All accounts of a run.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// What is the same for all runs of a program.
    pub(super) draws: Arc<Draws>,
    /// For each entry: nobody's if the run has no id for the limit's scope.
    pub(super) all: Box<[AccountId]>,
    /// Those that count the calls of wrapping up.
    pub(super) wrap_ups: Box<[AccountId]>,
}

impl Accounts {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Entry, Option<AccountId>)> {
        self.draws.entries().zip(self.all.iter().map(|account| known(*account)))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.draws.entry(place)
    }

    #[inline]
    pub(crate) fn account(&self, place: u32) -> Option<AccountId> {
        known(self.id(place))
    }

    /// The same as it stands, be it nobody's.
    #[inline]
    pub(super) fn id(&self, place: u32) -> AccountId {
        self.all.get(place as usize).copied().unwrap_or(AccountId::NOBODY)
    }

    /// The limit that an entry is of.
    pub(crate) fn limit(&self, place: u32) -> Option<u32> {
        self.entry(place)?.limit
    }

    /// The entry of one bound that is about the run itself, or about what it shares with others.
    pub(crate) fn of_bound(&self, limit: u32, measure: Measure) -> Option<(&Entry, Option<AccountId>)> {
        let (place, entry) = self.draws.of_limit(limit).find(|(_, entry)| entry.measure == measure)?;
        Some((entry, self.account(place)))
    }

    /// The account that counts all of a measure for conditions, by its place among the index's meters.
    pub(crate) fn meter(&self, place: usize) -> Option<AccountId> {
        self.account(*self.draws.meters.get(place)?)
    }

    /// Whether a bound of a threshold's limit is used up to its part of what is not kept to wrap up.
    #[inline]
    pub(crate) fn reaches(&self, soft: &Soft, books: &Books, now: Now) -> bool {
        soft.fills.iter().any(|fill| {
            let Some(account) = self.account(fill.place) else { return false };
            let told = books.seen().told(account, now);
            let is_below = told.is_some_and(|local| local.is_bound(fill.max) && local.is_below(fill.enough));
            !is_below && reached((soft, fill), account, books, now)
        })
    }

    /// The account that counts the calls of an entry's wrapping up.
    fn wrap_up(&self, place: u32) -> Option<AccountId> {
        self.wrap_ups.get(self.draws.wrap_up(place)? as usize).copied()
    }

    /// How much of the bound of an entry is kept.
    fn withheld(&self, (place, entry): (u32, &Entry), asking: &Asking<'_>) -> u64 {
        let is_lifted = || self.wrap_up(place).is_some_and(|wrap_up| asking.lifted.contains(&wrap_up));
        if asking.lifted.is_empty() || !is_lifted() { entry.withheld } else { 0 }
    }

    /// Whether there is room for what these amounts ask of an entry; always in what has no bound: a meter, or
    /// a limit that is observed.
    fn room(&self, (place, entry): (u32, &Entry), amounts: &Amounts, asking: &Asking<'_>) -> Room {
        let amount = amounts.of(entry.measure, entry.basis);
        if amount == 0 || !entry.is_enforced() {
            return Room::Fits;
        }
        let withheld = self.withheld((place, entry), asking);
        let room = |account| asking.books.room(account, amount, withheld, asking.now);
        self.account(place).map_or(Room::Full, room)
    }

    /// The entries of observed limits that these amounts do not fit, with what is held or without.
    pub(crate) fn overrun(&self, amounts: &Amounts, asking: &Asking<'_>) -> Vec<(u32, Room)> {
        let mut overrun = Vec::new();
        if !self.draws.observes {
            return overrun;
        }
        for (place, (entry, account)) in (0..=u32::MAX).zip(self.all()) {
            let amount = amounts.of(entry.measure, entry.basis);
            let Some(max) = entry.observed.filter(|_| amount > 0) else { continue };
            let room = account.map_or(Room::Full, |account| {
                let standing = asking.books.standing(account, asking.now);
                let used = standing.spent.saturating_add(amount);
                match () {
                    () if used > max => Room::Full,
                    () if used.saturating_add(standing.held) > max => Room::Held,
                    () => Room::Fits,
                }
            });
            if room != Room::Fits {
                overrun.push((place, room));
            }
        }
        overrun
    }

    /// What the tightest of the run's own bounds leaves.
    pub(crate) fn left(&self, measure: Measure, books: &Books, now: Now) -> Option<u64> {
        let is_own =
            |entry: &Entry| entry.measure == measure && entry.level == Level::Own && entry.is_enforced();
        let accounts = self.all().filter(|(entry, _)| is_own(entry)).filter_map(|(_, account)| account);
        accounts.map(|account| books.most(account, now)).min()
    }

    /// Whether every bound holds with these amounts added.
    pub(crate) fn fits(&self, amounts: &Amounts, asking: &Asking<'_>) -> bool {
        let (columns, seen) = (Columns::of(amounts), asking.books.seen());
        self.draws.concerned(amounts.kind()).all().iter().all(|drawn| {
            // Most have plenty.
            let found = seen.told(self.id(drawn.place), asking.now).zip(columns.at(drawn.column));
            let has = found.is_some_and(|(local, amount)| local.has(amount, drawn.withheld));
            has || self.fits_one(drawn.place, amounts, asking)
        })
    }

    #[inline(never)]
    fn fits_one(&self, place: u32, amounts: &Amounts, asking: &Asking<'_>) -> bool {
        let entry = self.entry(place);
        entry.is_none_or(|entry| self.room((place, entry), amounts, asking) == Room::Fits)
    }

    /// The most output tokens, up to `cap`, for which tokens and cost may fit. Other measures are not looked
    /// at.
    pub(crate) fn most_output(
        &self,
        rates: Option<Rates>,
        input: u64,
        cap: u64,
        asking: &Asking<'_>,
    ) -> Option<u64> {
        // What the tightest accounts leave: of money, and of tokens beside the input.
        let (mut most, mut money) = (cap, None);
        for (place, (entry, account)) in (0..).zip(self.all()) {
            let is_bound = entry.measure.is_amount() && entry.is_enforced();
            if !is_bound || (entry.measure == Measure::Cost && rates.is_none()) {
                continue;
            }
            let room = account.map_or(0, |account| asking.books.most(account, asking.now));
            let room = room.saturating_sub(self.withheld((place, entry), asking));
            match entry.measure {
                Measure::Cost => money = least(money, Some(room)),
                Measure::OutputTokens => most = most.min(room),
                measure => {
                    let beside = room.checked_sub(input)?;
                    if measure == Measure::Tokens {
                        most = most.min(beside);
                    }
                }
            }
        }
        let paid =
            rates.zip(money).map_or(Some(u64::MAX), |(rates, money)| rates.affordable(money, (input, most)));
        paid.map(|paid| most.min(paid))
    }

    /// What keeps these amounts from fitting. What another process may still give back is in the way
    /// only where nothing else is.
    pub(crate) fn obstacles(&self, amounts: &Amounts, asking: &Asking<'_>) -> Obstacles {
        let mut obstacles = Obstacles::default();
        let entries = || (0..).zip(self.draws.entries());
        let rooms = || entries().map(|drawn| (drawn.0, drawn.1, self.room(drawn, amounts, asking)));
        let is_full = rooms().any(|(.., room)| room == Room::Full);
        for (place, entry, room) in rooms() {
            if room == Room::Fits || (is_full && room == Room::Leased) {
                continue;
            }
            obstacles.ways.push(place);
            obstacles.holds |= !is_full && room == Room::Held;
            if let (Room::Leased, Some(account)) = (room, self.account(place)) {
                obstacles.lease = true;
                obstacles.needs.push((account, amounts.of(entry.measure, entry.basis)));
            }
        }
        obstacles
    }

    /// The limits in the way that have calls for wrapping up left, by the accounts that count these.
    pub(crate) fn liftable(&self, obstacles: &Obstacles, asking: &Asking<'_>) -> Vec<AccountId> {
        let wrap_up = |place: &u32| self.wrap_up(*place);
        let mut lifted: Vec<AccountId> = obstacles.ways.iter().filter_map(wrap_up).collect();
        lifted.sort_unstable();
        lifted.dedup();
        lifted.retain(|account| asking.books.most(*account, asking.now) > 0);
        lifted
    }

    /// How many windows there are to note for an attempt.
    pub(super) fn width(&self) -> u32 {
        let width = if self.draws.has_windows { self.all.len() } else { 0 };
        u32::try_from(width).unwrap_or(u32::MAX)
    }
}

/// Whether a bound that somebody may have moved is used up so far.
#[inline(never)]
fn reached((soft, fill): (&Soft, &Fill), account: AccountId, books: &Books, now: Now) -> bool {
    let (max, used) = books.used(account, now);
    used >= soft.enough(max, fill.withheld)
}

fn known(account: AccountId) -> Option<AccountId> {
    Some(account).filter(|account| *account != AccountId::NOBODY)
}
