//! What attempts take from the accounts of their run, and how that ends.

use super::accounts::Accounts;
use super::amounts::{Amounts, Charge, Columns};
use super::stands::{Stand, Stands};
use super::windows::Row;
use crate::books::{Books, Local, Open, Window};
use crate::event::Now;
use crate::program::{Basis, Column, Drawn, Level};

/// What came of a change of many accounts.
#[derive(Clone, Copy, Debug)]
struct Changed {
    /// The short way led to all of them.
    is_all: bool,
    /// No threshold of the run's own is reached.
    is_calm: bool,
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

impl Accounts {
    /// Takes what fits from every account, and notes from which windows. `true` if that leads to no threshold
    /// of the run's own.
    #[must_use]
    pub(crate) fn take(
        &self,
        (amounts, stands): (&Amounts, Option<&mut Stands>),
        books: &mut Books,
        now: Now,
        row: &mut Row<'_>,
    ) -> bool {
        let columns = Columns::of(amounts);
        let (held, spent) = self.draws.concerned(amounts.kind()).parts();
        let open = books.opened();
        let stands = stands.map(|stands| stands.follow(open.changes)).unwrap_or_default();
        let both = &mut (open, stands);
        let amount = |column| columns.at(column);
        let mut opens =
            |drawn: &Drawn, local: &Local| !local.has_windows() || row.take_told(drawn.place, local, now);
        let held = self.change_local(held, both, amount, |drawn, local, amount| {
            let opens = opens(drawn, local);
            if opens {
                local.hold(amount);
            }
            opens
        });
        let spent = self.change_local(spent, both, amount, |drawn, local, amount| {
            let opens = opens(drawn, local);
            if opens {
                local.spend(amount);
            }
            opens
        });
        let is_calm = held.is_calm && spent.is_calm;
        if held.is_all && spent.is_all {
            is_calm
        } else {
            self.take_rest(amounts, books, now, row) && is_calm
        }
    }

    /// Changes the accounts of these entries that the short way leads to, and notes how they stand then.
    #[inline]
    fn change_local<T>(
        &self,
        all: &[Drawn],
        (open, stands): &mut (Open<'_>, &mut [Stand]),
        amount: impl Fn(u8) -> Option<T>,
        mut how: impl FnMut(&Drawn, &mut Local, T) -> bool,
    ) -> Changed {
        let mut changed = Changed { is_all: true, is_calm: true };
        for drawn in all {
            let found = open.local(self.id(drawn.place)).zip(amount(drawn.column));
            if let Some((local, amount)) = found
                && how(drawn, local, amount)
            {
                if let Some(stand) = stands.get_mut(drawn.bound as usize) {
                    *stand = local.stand();
                }
                changed.is_calm &= local.is_below(drawn.calm);
            } else {
                changed.is_all = false;
            }
        }
        changed
    }

    /// Whether the short way leads to the account of an entry, to its window that is open or to this one.
    fn is_told(&self, drawn: &Drawn, window: Option<Window>, books: &Books, now: Now) -> bool {
        let local = books.seen().local(self.id(drawn.place)).filter(|_| drawn.column != Column::NONE);
        local.is_some_and(|local| is_open(local, window.unwrap_or(local.window()), now))
    }

    /// Takes from the accounts that the short way did not lead to.
    #[inline(never)]
    fn take_rest(&self, amounts: &Amounts, books: &mut Books, now: Now, row: &mut Row<'_>) -> bool {
        let mut is_calm = true;
        for drawn in self.draws.concerned(amounts.kind()).all() {
            let found = self.entry(drawn.place).zip(self.account(drawn.place));
            let Some((entry, account)) = found.filter(|_| !self.is_told(drawn, None, books, now)) else {
                continue;
            };
            let amount = amounts.of(entry.measure, entry.basis);
            // A model may use what was not asked for: of every amount it takes something.
            if amount > 0 || entry.column.is_amount() {
                let take = if entry.is_held() { Books::take } else { Books::spend };
                row.take(drawn.place, take(books, account, amount, now));
            }
            is_calm &= drawn.calm == u64::MAX;
        }
        is_calm
    }

    /// Ends what an attempt took: each account is charged, or gets it back.
    pub(crate) fn settle(
        &self,
        (amounts, stands): (&Amounts, Option<&mut Stands>),
        windows: &[Window],
        end: &End,
        books: &mut Books,
        now: Now,
    ) {
        if let Some(charge) = end.charge.filter(|_| !end.is_earlier) {
            let (held, _) = self.draws.concerned(amounts.kind()).parts();
            if held.is_empty() {
                return;
            }
            let (asked, used) = (Columns::of(amounts), Columns::used(amounts, &charge, end.counts));
            let both = |column| asked.at(column).zip(used.at(column));
            let end = |drawn: &Drawn, local: &mut Local, (held, used)| {
                let is_open = is_open(local, at(windows, drawn.place), now);
                if is_open {
                    local.end(held, used);
                }
                is_open
            };
            let open = books.opened();
            let stands = stands.map(|stands| stands.follow(open.changes)).unwrap_or_default();
            if self.change_local(held, &mut (open, stands), both, end).is_all {
                return;
            }
        }
        self.settle_rest(amounts, windows, end, books, now);
    }

    /// Ends what an attempt took from the accounts that the short way did not lead to; from all, if it was
    /// never sent, or is an earlier one.
    #[inline(never)]
    fn settle_rest(&self, amounts: &Amounts, windows: &[Window], end: &End, books: &mut Books, now: Now) {
        let concerned = self.draws.concerned(amounts.kind());
        let is_sent = end.charge.is_some();
        // What was spent at once comes back only if nothing was sent.
        for drawn in if is_sent { concerned.parts().0 } else { concerned.all() } {
            let window = at(windows, drawn.place);
            if is_sent && !end.is_earlier && self.is_told(drawn, Some(window), books, now) {
                continue;
            }
            let Some((entry, account)) = self.entry(drawn.place).zip(self.account(drawn.place)) else {
                continue;
            };
            let amount = amounts.of(entry.measure, entry.basis);
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
                let used = if counts && is_sent { amount } else { 0 };
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

/// The window that an attempt took from at this place.
#[inline]
fn at(windows: &[Window], place: u32) -> Window {
    windows.get(place as usize).copied().unwrap_or_default()
}

/// Whether a window of an account is not over, as its figures tell.
#[inline]
fn is_open(local: &Local, window: Window, now: Now) -> bool {
    !local.has_windows() || (local.is_told(now) && window.id() >= local.window().id())
}
