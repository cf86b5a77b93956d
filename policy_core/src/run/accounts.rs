//! The accounts that a run draws on: its own, its ancestors', and those that it shares with other runs.
//!
//! They are found once, when the run begins. INVARIANT (all or nothing): an attempt takes from all of them or
//! from none; what it took ends in the window that it was taken in.

use std::sync::Arc;

use super::amounts::{Amounts, Charge, Columns};
use super::conclude::least;
use super::windows::Row;
use crate::books::{AccountId, Books, Room, Window};
use crate::event::Now;
use crate::price::Rates;
use crate::program::{Basis, Concerned, Draws, Entry, Fill, Level, Measure, Soft};

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
    /// What is the same for all runs of a program.
    pub(super) draws: Arc<Draws>,
    /// For each entry: none if the run has no id for the limit's scope.
    pub(super) all: Box<[Option<AccountId>]>,
    /// Those that count the calls of wrapping up.
    pub(super) wrap_ups: Box<[AccountId]>,
}

impl Accounts {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Entry, Option<AccountId>)> {
        self.draws.entries.iter().zip(self.all.iter().copied())
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.draws.entries.get(place as usize)
    }

    #[inline]
    pub(crate) fn account(&self, place: u32) -> Option<AccountId> {
        self.all.get(place as usize).copied().flatten()
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
            let plain = books.plain(account, now);
            let is_below = plain.is_some_and(|local| local.is_below(fill.enough, fill.max));
            !is_below && reached((soft, fill), account, books, now)
        })
    }

    /// How much of the bound of an entry is kept.
    fn withheld(&self, entry: &Entry, asking: &Asking<'_>) -> u64 {
        let is_lifted = || {
            let wrap_up = entry.wrap_up.and_then(|place| self.wrap_ups.get(place as usize));
            wrap_up.is_some_and(|wrap_up| asking.lifted.contains(wrap_up))
        };
        if asking.lifted.is_empty() || !is_lifted() { entry.withheld } else { 0 }
    }

    /// Whether there is room for what these amounts ask of an entry; always in what has no bound: a meter, or
    /// a limit that is observed.
    fn room(&self, (place, entry): &(u32, Entry), amounts: &Columns, asking: &Asking<'_>) -> Room {
        let amount = amounts.amount(entry.column, entry.measure);
        if amount == 0 || !entry.is_enforced() {
            return Room::Fits;
        }
        let room = |account| asking.books.room(account, amount, self.withheld(entry, asking), asking.now);
        self.account(*place).map_or(Room::Full, room)
    }

    /// The entries that these amounts concern.
    #[inline]
    fn concerned(&self, amounts: &Columns) -> &Concerned {
        self.draws.concerned(amounts.kind)
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
        let amounts = Columns::of(amounts);
        self.concerned(&amounts).enforced.iter().all(|drawn| {
            let (place, entry) = drawn;
            let wanted = amounts.amount(entry.column, entry.measure).saturating_add(entry.withheld);
            // Most have plenty.
            let plain = self.account(*place).and_then(|account| asking.books.plain(account, asking.now));
            plain.is_some_and(|local| local.has(wanted)) || self.room(drawn, &amounts, asking) == Room::Fits
        })
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
        let bounds = self.all().filter(|(entry, _)| entry.measure.is_amount() && entry.is_enforced());
        for (entry, account) in bounds {
            if entry.measure == Measure::Cost && rates.is_none() {
                continue;
            }
            let room = account.map_or(0, |account| asking.books.most(account, asking.now));
            let room = room.saturating_sub(self.withheld(entry, asking));
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
        let drawn = &self.concerned(&amounts).all;
        let rooms = || drawn.iter().map(|drawn| (drawn.0, &drawn.1, self.room(drawn, &amounts, asking)));
        let is_full = rooms().any(|(.., room)| room == Room::Full);
        for (place, entry, room) in rooms() {
            if room == Room::Fits || (is_full && room == Room::Leased) {
                continue;
            }
            obstacles.ways.push(place);
            obstacles.holds |= !is_full && room == Room::Held;
            if let (Room::Leased, Some(account)) = (room, self.account(place)) {
                obstacles.lease = true;
                obstacles.needs.push((account, amounts.amount(entry.column, entry.measure)));
            }
        }
        obstacles
    }

    /// The limits in the way that have calls for wrapping up left, by the accounts that count these.
    pub(crate) fn liftable(&self, obstacles: &Obstacles, asking: &Asking<'_>) -> Vec<AccountId> {
        let wrap_up = |place: &u32| self.wrap_ups.get(self.entry(*place)?.wrap_up? as usize).copied();
        let mut lifted: Vec<AccountId> = obstacles.ways.iter().filter_map(wrap_up).collect();
        lifted.sort_unstable();
        lifted.dedup();
        lifted.retain(|account| asking.books.most(*account, asking.now) > 0);
        lifted
    }

    /// Takes what fits from every account, and notes from which windows.
    pub(crate) fn take(&self, amounts: &Amounts, books: &mut Books, now: Now, row: &mut Row<'_>) {
        let amounts = Columns::of(amounts);
        let concerned = self.concerned(&amounts);
        for (place, entry) in &concerned.held {
            let amount = amounts.amount(entry.column, entry.measure);
            // A model may use what was not asked for: of every amount it takes something.
            if let Some(account) = self.account(*place).filter(|_| amount > 0 || entry.column.is_amount()) {
                row.take(*place, books.take(account, amount, now));
            }
        }
        for (place, entry) in &concerned.spent {
            let amount = amounts.amount(entry.column, entry.measure);
            if let Some(account) = self.account(*place).filter(|_| amount > 0) {
                row.take(*place, books.spend(account, amount, now));
            }
        }
    }

    /// How many windows there are to note for an attempt.
    pub(super) fn width(&self) -> u32 {
        let width = if self.draws.has_windows { self.all.len() } else { 0 };
        u32::try_from(width).unwrap_or(u32::MAX)
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
        let concerned = self.concerned(&amounts);
        // What was spent at once comes back only if nothing was sent.
        for (place, entry) in if end.charge.is_some() { &concerned.held } else { &concerned.all } {
            let Some(account) = self.account(*place) else { continue };
            let amount = amounts.amount(entry.column, entry.measure);
            let window = windows.get(*place as usize).copied().unwrap_or_default();
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
            } else if amount > 0 {
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
        for (place, (entry, account)) in self.all().enumerate() {
            let Some(account) = account else { continue };
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

/// Whether a bound that somebody may have moved is used up so far.
#[inline(never)]
fn reached((soft, fill): (&Soft, &Fill), account: AccountId, books: &Books, now: Now) -> bool {
    let (max, used) = books.used(account, now);
    used >= soft.enough(max, fill.withheld)
}
