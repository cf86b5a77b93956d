//! The accounts that a run draws on: its own, its ancestors', and those that it shares with other runs.
//!
//! They are found once, when the run begins. INVARIANT (all or nothing): an attempt takes from all of them or
//! from none; what it took ends in the window that it was taken in.

use super::amounts::{Amounts, Charge, Column, Columns};
use super::conclude::least;
use super::windows::Row;
use crate::books::{AccountId, Books, Room, Window};
use crate::event::Now;
use crate::price::Rates;
use crate::program::{Basis, Measure};

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Own,
    Ancestor,
    Wider,
}

/// One account that every attempt is checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The limit, an index; none if only conditions read it.
    pub(crate) limit: Option<u32>,
    pub(crate) measure: Measure,
    pub(super) column: Column,
    pub(super) basis: Basis,
    pub(super) level: Level,
    /// What is kept for wrapping up, and the account that counts how often that may be.
    pub(crate) withheld: u64,
    pub(super) wrap_up: Option<AccountId>,
    /// None if the run has no id for the limit's scope.
    pub(crate) account: Option<AccountId>,
    /// The bound of a limit that is only observed: its account counts without one, so that nothing is owed.
    pub(crate) observed: Option<u64>,
}

impl Entry {
    /// Whether it can be in the way of anything.
    const fn is_enforced(&self) -> bool {
        self.limit.is_some() && self.observed.is_none()
    }

    /// Whether it is held until the attempt ends, instead of spent at once.
    pub(super) const fn is_held(&self) -> bool {
        self.column.is_amount() || !matches!(self.basis, Basis::Attempted)
    }

    /// What this attempt asks of it; nothing of what has no bound: a meter, or a limit that is observed.
    #[inline]
    fn room(&self, amounts: &Columns, asking: &Asking<'_>) -> Room {
        let amount = amounts.amount(self.column, self.measure);
        if amount == 0 || !self.is_enforced() {
            return Room::Fits;
        }
        let room = |account| asking.books.room(account, amount, asking.withheld(self), asking.now);
        self.account.map_or(Room::Full, room)
    }
}

/// In whose books an attempt is looked at, when, and which limits give up what they keep for wrapping up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) books: &'a Books,
    pub(crate) now: Now,
    pub(crate) lifted: &'a [AccountId],
}

impl Asking<'_> {
    fn withheld(&self, entry: &Entry) -> u64 {
        match entry.wrap_up {
            Some(wrap_up) if self.lifted.contains(&wrap_up) => 0,
            _ => entry.withheld,
        }
    }
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

/// How an attempt ended, as far as limits count it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// What it is charged; none if it was never sent.
    pub(crate) charge: Option<Charge>,
    /// For each basis: whether it counts.
    pub(crate) counts: [bool; Basis::ALL.len()],
    /// The attempt is of before the run was suspended.
    pub(crate) is_earlier: bool,
}

/// All accounts of a run.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Ascending by limit, then from the run's own outwards; meters last.
    pub(super) entries: Vec<Entry>,
    /// Those that count the calls of wrapping up.
    pub(super) wrap_ups: Vec<AccountId>,
    /// For each of the index's meters.
    pub(super) meters: Vec<AccountId>,
    /// Whether holds may belong to different windows.
    pub(super) has_windows: bool,
    /// Whether some limit is only observed.
    pub(super) observes: bool,
}

impl Accounts {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries that these amounts concern, with their places.
    #[inline]
    fn concerned(&self, amounts: &Columns) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(move |(_, entry)| amounts.concerns(entry.column))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)
    }

    /// The limit that an entry is of.
    pub(crate) fn limit(&self, place: u32) -> Option<u32> {
        self.entry(place)?.limit
    }

    /// The entries of a limit that are about the run itself, or about what it shares with others; not those
    /// of its ancestors.
    pub(crate) fn of_limit(&self, limit: u32) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.limit.is_some_and(|index| index < limit));
        let entries = self.entries.iter().skip(first).take_while(move |entry| entry.limit == Some(limit));
        entries.filter(|entry| entry.level != Level::Ancestor)
    }

    /// The entry of one bound among them.
    pub(crate) fn of_bound(&self, limit: u32, measure: Measure) -> Option<&Entry> {
        self.of_limit(limit).find(|entry| entry.measure == measure)
    }

    /// The account that counts all of a measure for conditions, by its place among the index's meters.
    pub(crate) fn meter(&self, place: usize) -> Option<AccountId> {
        self.meters.get(place).copied()
    }

    /// The entries of observed limits that these amounts do not fit, with what is held or without.
    pub(crate) fn overrun(&self, amounts: &Amounts, asking: &Asking<'_>) -> Vec<(u32, Room)> {
        let mut overrun = Vec::new();
        if !self.observes {
            return overrun;
        }
        for (place, entry) in (0..=u32::MAX).zip(&self.entries) {
            let amount = amounts.of(entry.measure, entry.basis);
            let Some(max) = entry.observed.filter(|_| amount > 0) else { continue };
            let room = entry.account.map_or(Room::Full, |account| {
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
        let own =
            |entry: &&Entry| entry.measure == measure && entry.level == Level::Own && entry.is_enforced();
        let accounts = self.entries.iter().filter(own).filter_map(|entry| entry.account);
        accounts.map(|account| books.most(account, now)).min()
    }

    /// Whether every bound holds with these amounts added.
    pub(crate) fn fits(&self, amounts: &Amounts, asking: &Asking<'_>) -> bool {
        let amounts = Columns::of(amounts);
        self.concerned(&amounts).all(|(_, entry)| entry.room(&amounts, asking) == Room::Fits)
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
        for entry in self.entries.iter().filter(|entry| entry.measure.is_amount() && entry.is_enforced()) {
            if entry.measure == Measure::Cost && rates.is_none() {
                continue;
            }
            let room = entry.account.map_or(0, |account| asking.books.most(account, asking.now));
            let room = room.saturating_sub(asking.withheld(entry));
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
        let amounts = Columns::of(amounts);
        let rooms =
            || self.concerned(&amounts).map(|(place, entry)| (place, entry, entry.room(&amounts, asking)));
        let is_full = rooms().any(|(.., room)| room == Room::Full);
        for (place, entry, room) in rooms() {
            if room == Room::Fits || (is_full && room == Room::Leased) {
                continue;
            }
            obstacles.ways.push(u32::try_from(place).unwrap_or(u32::MAX));
            obstacles.holds |= !is_full && room == Room::Held;
            if let (Room::Leased, Some(account)) = (room, entry.account) {
                obstacles.lease = true;
                obstacles.needs.push((account, amounts.amount(entry.column, entry.measure)));
            }
        }
        obstacles
    }

    /// The limits in the way that have calls for wrapping up left, by the accounts that count these.
    pub(crate) fn liftable(&self, obstacles: &Obstacles, asking: &Asking<'_>) -> Vec<AccountId> {
        let entries = obstacles.ways.iter().filter_map(|place| self.entry(*place));
        let mut lifted: Vec<AccountId> = entries.filter_map(|entry| entry.wrap_up).collect();
        lifted.sort_unstable();
        lifted.dedup();
        lifted.retain(|account| asking.books.most(*account, asking.now) > 0);
        lifted
    }

    /// Takes what fits from every account, and notes from which windows.
    pub(crate) fn take(&self, amounts: &Amounts, books: &mut Books, now: Now, row: &mut Row<'_>) {
        let amounts = Columns::of(amounts);
        for (place, entry) in self.concerned(&amounts) {
            let amount = amounts.amount(entry.column, entry.measure);
            // A model may use what was not asked for: of every amount it takes something.
            if let Some(account) = entry.account
                && (amount > 0 || entry.column.is_amount())
            {
                let taken = if entry.is_held() {
                    books.take(account, amount, now)
                } else {
                    books.spend(account, amount, now)
                };
                row.take(place, taken);
            }
        }
    }

    /// How many windows there are to note for an attempt.
    pub(super) fn width(&self) -> usize {
        if self.has_windows { self.entries.len() } else { 0 }
    }

    /// Ends what an attempt took: each account is charged, or gets it back.
    pub(crate) fn settle(
        &self,
        amounts: &Amounts,
        windows: &[Window],
        end: &End,
        books: &mut Books,
        now: Now,
    ) {
        let amounts = Columns::of(amounts);
        for (place, entry) in self.concerned(&amounts) {
            let Some(account) = entry.account else { continue };
            let amount = amounts.amount(entry.column, entry.measure);
            let window = windows.get(place).copied().unwrap_or_default();
            if end.is_earlier && entry.level == Level::Wider {
                // Its hold was spent when the run was suspended.
                let used = end.charge.map_or(0, |charge| charge.of(entry.measure));
                if used > amount {
                    books.charge(account, window, used.saturating_sub(amount), now);
                }
            } else if entry.column.is_amount() {
                let used = end.charge.map_or(0, |charge| charge.of(entry.measure));
                books.settle(account, window, amount, used, now);
            } else if amount > 0 && entry.is_held() {
                let counts = end.counts.get(entry.basis as usize).copied().unwrap_or(true);
                let used = if counts && end.charge.is_some() { amount } else { 0 };
                books.settle(account, window, amount, used, now);
            } else if amount > 0 && end.charge.is_none() {
                books.refund(account, window, amount, now);
            }
        }
    }

    /// Corrects what an attempt was charged; only upwards in shared accounts, if it is of before the run was
    /// suspended.
    pub(crate) fn adjust(
        &self,
        (windows, is_earlier): (&[Window], bool),
        (charged, right): (&Charge, &Charge),
        books: &mut Books,
        now: Now,
    ) {
        for (place, entry) in self.entries.iter().enumerate() {
            let Some(account) = entry.account else { continue };
            let window = windows.get(place).copied().unwrap_or_default();
            let (before, after) = (charged.of(entry.measure), right.of(entry.measure));
            if after > before {
                books.charge(account, window, after.saturating_sub(before), now);
            } else if before > after && !(is_earlier && entry.level == Level::Wider) {
                books.refund(account, window, before.saturating_sub(after), now);
            }
        }
    }
}
