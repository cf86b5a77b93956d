//! An account that this process alone decides about: a run's, or any in a ledger in memory.
//!
//! INVARIANT (local): a hold ends in the window in which it was made. What was spent beyond a window's
//! bound is a debt that counts as spent in the next ones, until it is worked off.

use super::calendar::is_over;
use super::cell::{Cell, More, Pages};
use super::terms::{Room, Standing, Terms, Window};
use crate::event::Now;

/// The account. It is small, and what is asked of it most often stands in it as it is told: most have nothing
/// else.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// The bound of the open window, with what people granted.
    max: u64,
    /// What is spent in it, with the debt of earlier ones; of a window that rolls its buckets say that.
    spent: u64,
    held: u64,
    /// Before this instant of the wall clock, these figures are true: never, of a window that rolls.
    until: u64,
    pub(super) more: Option<Box<More>>,
}

impl Local {
    pub(super) fn new(terms: &Terms, now: Now) -> Self {
        let more = More::of(&terms.window, now);
        let mut local = Self { max: terms.max, spent: 0, held: 0, until: 0, more };
        local.weigh();
        local
    }

    /// Tells anew until when the figures are true.
    fn weigh(&mut self) {
        self.until = self.more.as_ref().map_or(u64::MAX, |more| more.until());
    }

    /// All that is asked next is worked out.
    #[cfg(test)]
    pub(super) const fn knows_nothing(&mut self) {
        self.until = 0;
    }

    pub(super) fn set_max(&mut self, max: u64) {
        self.max = max.saturating_add(self.extra());
    }

    /// The bound, without what people granted.
    fn bound(&self) -> u64 {
        self.max.saturating_sub(self.extra())
    }

    fn extra(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.extra)
    }

    fn pages(&self) -> Option<&Pages> {
        self.more.as_ref()?.pages()
    }

    pub(super) fn is_rolling(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.buckets().is_some())
    }

    /// The number of the open window.
    #[inline]
    fn id(&self) -> i64 {
        self.more.as_ref().map_or(0, |more| more.id())
    }

    /// The open window.
    pub(super) fn cell(&self) -> Cell {
        let carry = self.pages().map_or(0, |pages| pages.carry);
        let spent = self.spent.saturating_sub(carry);
        let raised = self.more.as_ref().map_or(0, |more| more.raised);
        Cell { id: self.id(), spent, carry, held: self.held, extra: self.extra(), raised }
    }

    /// Another window is open, or the open one is another.
    pub(super) fn put(&mut self, cell: Cell) {
        let Cell { id, spent, carry, held, extra, raised } = cell;
        self.max = self.bound().saturating_add(extra);
        (self.spent, self.held) = (spent.saturating_add(carry), held);
        if self.more.is_some() || extra > 0 || raised > 0 {
            let more = self.more.get_or_insert_default();
            (more.extra, more.raised) = (extra, raised);
            if let Some(pages) = more.pages_mut() {
                (pages.id, pages.carry) = (id, carry);
            }
        }
        self.weigh();
    }

    /// Nothing would be forgotten with it.
    pub(super) fn is_blank(&self, now: Now) -> bool {
        let (cell, _) = self.at(now);
        let is_quiet = |pages: &Pages| pages.older.iter().all(|cell| cell.held == 0);
        cell.is_blank() && self.spent(&cell, now) == 0 && self.pages().is_none_or(is_quiet)
    }

    /// The window of an instant and where it begins and ends.
    fn at(&self, now: Now) -> (Cell, (u64, u64)) {
        match self.pages() {
            Some(pages) if is_over(pages.span.1, now.wall) => {
                let (id, start, end) = pages.period.window(&pages.zone, now.wall);
                let carry = self.cell().debt(self.bound(), id);
                (Cell { id, carry, ..Cell::default() }, (start, end))
            }
            pages => (self.cell(), pages.map_or((0, u64::MAX), |pages| pages.span)),
        }
    }

    /// Goes on to the window of this instant.
    #[cold]
    pub(super) fn roll(&mut self, now: Now) {
        if self.pages().is_some_and(|pages| is_over(pages.span.1, now.wall)) {
            let (past, (next, span)) = (self.cell(), self.at(now));
            if let Some(pages) = self.more.as_mut().and_then(|more| more.pages_mut()) {
                pages.span = span;
                pages.put_by(past);
            }
            self.put(next);
        }
    }

    fn spent(&self, cell: &Cell, now: Now) -> u64 {
        let buckets = self.more.as_ref().and_then(|more| more.buckets());
        buckets.map_or(cell.spent.saturating_add(cell.carry), |buckets| buckets.sum(now.mono))
    }

    /// The bound, what is spent and what is held of it, in the window of this instant.
    #[inline]
    pub(super) fn figures(&self, now: Now) -> [u64; 3] {
        if now.wall < self.until { [self.max, self.spent, self.held] } else { self.figures_past(now) }
    }

    #[cold]
    fn figures_past(&self, now: Now) -> [u64; 3] {
        let cell = self.at(now).0;
        [self.bound().saturating_add(cell.extra), self.spent(&cell, now), cell.held]
    }

    #[inline]
    pub(super) fn most(&self, now: Now) -> u64 {
        let [max, spent, held] = self.figures(now);
        max.saturating_sub(spent).saturating_sub(held)
    }

    /// Whether the figures are true at this instant: then these say it all.
    #[inline]
    pub(crate) const fn is_told(&self, now: Now) -> bool {
        now.wall < self.until
    }

    /// Whether there may be more than one window.
    #[inline]
    pub(crate) const fn has_windows(&self) -> bool {
        self.more.is_some()
    }

    /// The open window.
    pub(crate) fn window(&self) -> Window {
        Window { id: self.id(), life: 0 }
    }

    /// Until when the figures are true, by the clock on the wall.
    pub(crate) const fn until(&self) -> u64 {
        self.until
    }

    /// Holds an amount of the open window, as told.
    #[inline]
    pub(crate) const fn hold(&mut self, amount: u64) {
        self.held = self.held.saturating_add(amount);
    }

    /// Spends an amount of the open window, as told.
    #[inline]
    pub(crate) const fn spend(&mut self, amount: u64) {
        self.spent = self.spent.saturating_add(amount);
    }

    /// Ends a hold of the open window, as told.
    #[inline]
    pub(crate) const fn end(&mut self, held: u64, used: u64) {
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(used);
    }

    /// The bound, what is spent and held of it, and what is leased elsewhere, as told.
    #[inline]
    pub(crate) const fn stand(&self) -> [u64; 4] {
        [self.max, self.spent, self.held, 0]
    }

    /// Whether so much is free beside what is withheld, as told.
    #[inline]
    pub(crate) fn has(&self, amount: u64, withheld: u64) -> bool {
        let free = |used: u64| Some(used.checked_add(amount)?.checked_add(withheld)? <= self.max);
        self.spent.checked_add(self.held).and_then(free).unwrap_or(false)
    }

    /// Whether less than so much is spent and held, as told.
    #[inline]
    pub(crate) fn is_below(&self, enough: u64) -> bool {
        self.spent.checked_add(self.held).is_some_and(|used| used < enough)
    }

    /// Whether this is its bound, which nobody has moved then.
    #[inline]
    pub(crate) const fn is_bound(&self, max: u64) -> bool {
        self.max == max
    }

    pub(super) fn room(&self, amount: u64, withheld: u64, now: Now) -> Room {
        let [max, spent, held] = self.figures(now);
        let (max, spent) = (max.saturating_sub(withheld), spent.saturating_add(amount));
        if spent.saturating_add(held) <= max || amount == 0 {
            Room::Fits
        } else if spent <= max {
            Room::Held
        } else {
            Room::Full
        }
    }

    /// Holds an amount; the answer is the window.
    #[inline]
    pub(super) fn take(&mut self, amount: u64, now: Now) -> i64 {
        if now.wall >= self.until {
            return self.take_past(amount, now);
        }
        self.held = self.held.saturating_add(amount);
        self.id()
    }

    #[cold]
    fn take_past(&mut self, amount: u64, now: Now) -> i64 {
        self.roll(now);
        self.held = self.held.saturating_add(amount);
        let buckets = self.more.as_ref().and_then(|more| more.buckets());
        buckets.map_or(self.id(), |buckets| i64::try_from(buckets.at(now.mono)).unwrap_or(i64::MAX))
    }

    /// Holds an amount and spends it at once; the answer is the window.
    #[inline]
    pub(super) fn use_up(&mut self, amount: u64, now: Now) -> i64 {
        if now.wall >= self.until {
            let window = self.take_past(0, now);
            self.settle_past(window, 0, amount, now);
            return window;
        }
        self.spent = self.spent.saturating_add(amount);
        self.id()
    }

    #[inline]
    pub(super) fn settle(&mut self, id: i64, held: u64, used: u64, now: Now) {
        if now.wall >= self.until || id < self.id() {
            return self.settle_past(id, held, used, now);
        }
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(used);
    }

    /// A window is over, or rolls.
    #[cold]
    fn settle_past(&mut self, id: i64, held: u64, used: u64, now: Now) {
        if let Some(buckets) = self.more.as_mut().and_then(|more| more.buckets_mut()) {
            self.held = self.held.saturating_sub(held);
            if used > 0 {
                buckets.add(now.mono, used);
            }
        } else {
            self.roll(now);
            self.change(id, |cell| {
                cell.held = cell.held.saturating_sub(held);
                cell.spent = cell.spent.saturating_add(used);
            });
        }
    }

    pub(super) fn refund(&mut self, id: i64, amount: u64) {
        if let Some(buckets) = self.more.as_mut().and_then(|more| more.buckets_mut()) {
            buckets.remove(u64::try_from(id).unwrap_or_default(), amount);
        } else {
            let is_it = |cell: &Cell| cell.id == id;
            self.change(id, |cell| {
                cell.spent = cell.spent.saturating_sub(if is_it(cell) { amount } else { 0 });
            });
        }
    }

    /// Changes one window and what it carries into the later ones.
    pub(super) fn change(&mut self, id: i64, how: impl FnOnce(&mut Cell)) {
        let (mut cell, bound) = (self.cell(), self.bound());
        let pages = self.more.as_mut().and_then(|more| more.pages_mut()).filter(|_| id < cell.id);
        if let Some(pages) = pages
            && let Some(place) = pages.place(bound, id)
        {
            cell.carry = pages.change(bound, place, how);
        } else {
            how(&mut cell);
        }
        self.put(cell);
    }

    pub(super) fn raised(&self, now: Now) -> u64 {
        self.at(now).0.raised
    }

    pub(super) fn raise(&mut self, amount: u64, now: Now) {
        self.roll(now);
        let cell = self.cell();
        let (extra, raised) = (cell.extra.saturating_add(amount), cell.raised.saturating_add(1));
        self.put(Cell { extra, raised, ..cell });
    }

    pub(super) fn standing(&self, now: Now) -> Standing {
        let (cell, (start, end)) = self.at(now);
        let [max, spent, held] = self.figures(now);
        Standing {
            max,
            spent,
            held,
            free: signed(max).saturating_sub(signed(spent)).saturating_sub(signed(held)),
            window: self.pages().map(|_| (cell.id, start, end)),
            ..Standing::default()
        }
    }
}

pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
