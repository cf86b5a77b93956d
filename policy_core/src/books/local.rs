//! An account that this process alone decides about: a run's, or any in a ledger in memory.
//!
//! INVARIANT (local): a hold ends in the window in which it was made. What was spent beyond a window's
//! bound is a debt that counts as spent in the next ones, until it is worked off.

use std::sync::Arc;

use super::buckets::Buckets;
use super::calendar::{Period, Zone};
use super::terms::{Room, Standing, Terms, WindowKind};
use crate::event::Now;

/// As many earlier windows as are kept for corrections alone.
const KEPT: usize = 64;

/// One window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    pub(super) id: i64,
    pub(super) spent: u64,
    /// The debt of earlier windows.
    pub(super) carry: u64,
    pub(super) held: u64,
    /// By how much people raised the bound.
    pub(super) extra: u64,
    /// How often.
    pub(super) raised: u64,
}

impl Cell {
    const fn is_blank(&self) -> bool {
        self.spent == 0 && self.carry == 0 && self.held == 0 && self.extra == 0
    }

    /// What a later window must still work off.
    fn debt(&self, max: u64, later: i64) -> u64 {
        let own = self.spent.saturating_add(self.carry).saturating_sub(max.saturating_add(self.extra));
        let idle = later.saturating_sub(self.id).saturating_sub(1);
        own.saturating_sub(max.saturating_mul(u64::try_from(idle).unwrap_or_default()))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Spans {
    Forever,
    Calendar(Period, Arc<Zone>),
    Rolling(Buckets),
}

/// The account.
#[derive(Clone, Debug)]
pub(super) struct Local {
    max: u64,
    pub(super) cell: Cell,
    /// Where the current window begins and ends, by the wall clock.
    pub(super) span: (u64, u64),
    pub(super) spans: Spans,
    /// Ascending, without the current one.
    pub(super) older: Vec<Cell>,
    /// The latest window that is no longer kept.
    pub(super) forgotten: i64,
    /// What can be taken before this instant of the wall clock, as [`Local::weigh`] told: most questions and
    /// changes then need no more than this. Of a rolling window, which moves on by itself, nothing is told.
    free: u64,
    until: u64,
}

impl Local {
    pub(super) fn new(terms: &Terms, now: Now) -> Self {
        let (id, span, spans) = match &terms.window {
            WindowKind::Forever => (0, (0, u64::MAX), Spans::Forever),
            WindowKind::Calendar { period, zone } => {
                let (id, start, end) = period.window(zone, now.wall);
                (id, (start, end), Spans::Calendar(*period, Arc::clone(zone)))
            }
            WindowKind::Rolling { ns } => (0, (0, u64::MAX), Spans::Rolling(Buckets::new(*ns))),
        };
        let mut local = Self {
            max: terms.max,
            cell: Cell { id, ..Cell::default() },
            span,
            spans,
            older: Vec::new(),
            forgotten: i64::MIN,
            free: 0,
            until: 0,
        };
        local.weigh();
        local
    }

    pub(super) fn set_max(&mut self, max: u64) {
        self.max = max;
        self.weigh();
    }

    /// Tells anew what is free, and until when. What changes the bound, the window or the cell ends with it.
    #[inline]
    pub(super) fn weigh(&mut self) {
        if matches!(self.spans, Spans::Rolling(_)) {
            return;
        }
        let Cell { spent, carry, held, extra, .. } = self.cell;
        let used = spent.saturating_add(carry).saturating_add(held);
        self.free = self.max.saturating_add(extra).saturating_sub(used);
        self.until = self.span.1;
    }

    /// All that is asked next is worked out.
    #[cfg(test)]
    pub(super) const fn knows_nothing(&mut self) {
        (self.free, self.until) = (0, 0);
    }

    /// Nothing would be forgotten with it.
    pub(super) fn is_blank(&self, now: Now) -> bool {
        let (cell, _) = self.at(now);
        cell.is_blank() && self.spent(&cell, now) == 0 && self.older.iter().all(|cell| cell.held == 0)
    }

    /// The window of an instant and where it begins and ends.
    fn at(&self, now: Now) -> (Cell, (u64, u64)) {
        match &self.spans {
            Spans::Calendar(period, zone) if now.wall >= self.span.1 => {
                let (id, start, end) = period.window(zone, now.wall);
                let carry = self.cell.debt(self.max, id);
                (Cell { id, carry, ..Cell::default() }, (start, end))
            }
            _ => (self.cell, self.span),
        }
    }

    /// Goes on to the window of this instant.
    #[inline]
    pub(super) fn roll(&mut self, now: Now) {
        if now.wall >= self.span.1 {
            self.turn(now);
        }
    }

    #[cold]
    fn turn(&mut self, now: Now) {
        if !matches!(self.spans, Spans::Calendar(..)) {
            return;
        }
        let (cell, span) = self.at(now);
        if !self.cell.is_blank() {
            self.older.push(self.cell);
        }
        (self.cell, self.span) = (cell, span);
        self.weigh();
        // Those with holds stay, and so does all that came after them: debt is carried from one to the next.
        let spare = self.older.len().saturating_sub(KEPT);
        let spare = self.older.iter().take(spare).take_while(|cell| cell.held == 0).count();
        self.forgotten = self.older.drain(..spare).next_back().map_or(self.forgotten, |cell| cell.id);
    }

    fn spent(&self, cell: &Cell, now: Now) -> u64 {
        match &self.spans {
            Spans::Rolling(buckets) => buckets.sum(now.mono),
            _ => cell.spent.saturating_add(cell.carry),
        }
    }

    /// The bound, what is spent and what is held of it, in the window of this instant.
    #[inline]
    fn figures(&self, now: Now) -> (u64, u64, u64) {
        // Most questions are about the window of the last one: it is not copied.
        if now.wall < self.span.1 { self.figures_of(&self.cell, now) } else { self.figures_past(now) }
    }

    #[cold]
    fn figures_past(&self, now: Now) -> (u64, u64, u64) {
        self.figures_of(&self.at(now).0, now)
    }

    #[inline]
    fn figures_of(&self, cell: &Cell, now: Now) -> (u64, u64, u64) {
        (self.max.saturating_add(cell.extra), self.spent(cell, now), cell.held)
    }

    /// The same, if this instant is in the open window and that knows what is spent.
    #[inline]
    pub(super) fn open_window(&self, now: Now) -> Option<(u64, u64, u64)> {
        let is_open = now.wall < self.span.1 && !matches!(self.spans, Spans::Rolling(_));
        let (cell, spent) = (&self.cell, self.cell.spent.saturating_add(self.cell.carry));
        is_open.then(|| (self.max.saturating_add(cell.extra), spent, cell.held))
    }

    /// The bound, and what is spent and held of it.
    #[inline]
    pub(super) fn used(&self, now: Now) -> (u64, u64) {
        // Of what is in debt, nothing is free, and more is used than the bound.
        if now.wall < self.until && self.free > 0 {
            let max = self.max.saturating_add(self.cell.extra);
            return (max, max.saturating_sub(self.free));
        }
        let (max, spent, held) = self.figures(now);
        (max, spent.saturating_add(held))
    }

    #[inline]
    pub(super) fn most(&self, now: Now) -> u64 {
        if now.wall < self.until {
            return self.free;
        }
        let (max, spent, held) = self.figures(now);
        max.saturating_sub(spent).saturating_sub(held)
    }

    #[inline]
    pub(super) fn room(&self, amount: u64, withheld: u64, now: Now) -> Room {
        if now.wall < self.until && amount.saturating_add(withheld) <= self.free {
            return Room::Fits;
        }
        self.room_told(amount, withheld, now)
    }

    #[inline(never)]
    fn room_told(&self, amount: u64, withheld: u64, now: Now) -> Room {
        let (max, spent, held) = self.figures(now);
        let (max, spent) = (max.saturating_sub(withheld), spent.saturating_add(amount));
        if amount == 0 || spent.saturating_add(held) <= max {
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
            self.roll(now);
        }
        self.cell.held = self.cell.held.saturating_add(amount);
        self.free = self.free.saturating_sub(amount);
        match &self.spans {
            Spans::Rolling(buckets) => i64::try_from(buckets.at(now.mono)).unwrap_or(i64::MAX),
            _ => self.cell.id,
        }
    }

    /// Holds an amount and spends it at once; the answer is the window.
    #[inline]
    pub(super) fn use_up(&mut self, amount: u64, now: Now) -> i64 {
        if now.wall >= self.until {
            if matches!(self.spans, Spans::Rolling(_)) {
                let window = self.take(amount, now);
                self.settle(window, amount, amount, now);
                return window;
            }
            self.roll(now);
        }
        self.cell.spent = self.cell.spent.saturating_add(amount);
        self.free = self.free.saturating_sub(amount);
        self.cell.id
    }

    #[inline]
    pub(super) fn settle(&mut self, id: i64, held: u64, used: u64, now: Now) {
        if now.wall < self.until && id >= self.cell.id {
            self.cell.held = self.cell.held.saturating_sub(held);
            self.cell.spent = self.cell.spent.saturating_add(used);
            return self.weigh();
        }
        self.settle_past(id, held, used, now);
    }

    /// A window is over, or rolls.
    #[inline(never)]
    fn settle_past(&mut self, id: i64, held: u64, used: u64, now: Now) {
        if let Spans::Rolling(buckets) = &mut self.spans {
            self.cell.held = self.cell.held.saturating_sub(held);
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
        if let Spans::Rolling(buckets) = &mut self.spans {
            buckets.remove(u64::try_from(id).unwrap_or_default(), amount);
        } else {
            let is_it = |cell: &Cell| cell.id == id;
            self.change(id, |cell| {
                cell.spent = cell.spent.saturating_sub(if is_it(cell) { amount } else { 0 });
            });
        }
    }

    /// Changes one window and what it carries into the later ones. For a window that is no longer kept the
    /// next one stands in: nothing that was spent is lost.
    #[inline]
    pub(super) fn change(&mut self, id: i64, how: impl FnOnce(&mut Cell)) {
        if id >= self.cell.id {
            how(&mut self.cell)
        } else {
            self.change_past(id, how)
        }
        self.weigh();
    }

    #[cold]
    fn change_past(&mut self, id: i64, how: impl FnOnce(&mut Cell)) {
        let place = self.older.partition_point(|cell| cell.id < id);
        if id > self.forgotten && self.older.get(place).is_none_or(|cell| cell.id != id) {
            // Nothing was known of it so far.
            let earlier = place.checked_sub(1).and_then(|place| self.older.get(place));
            let carry = earlier.map_or(0, |earlier| earlier.debt(self.max, id));
            self.older.insert(place, Cell { id, carry, ..Cell::default() });
        }
        let Some(cell) = self.older.get_mut(place) else { return how(&mut self.cell) };
        how(cell);
        let mut last = *cell;
        for cell in self.older.iter_mut().skip(place.saturating_add(1)) {
            cell.carry = last.debt(self.max, cell.id);
            last = *cell;
        }
        self.cell.carry = last.debt(self.max, self.cell.id);
    }

    pub(super) fn raised(&self, now: Now) -> u64 {
        self.at(now).0.raised
    }

    pub(super) fn raise(&mut self, amount: u64, now: Now) {
        self.roll(now);
        self.cell.extra = self.cell.extra.saturating_add(amount);
        self.cell.raised = self.cell.raised.saturating_add(1);
        self.weigh();
    }

    pub(super) fn standing(&self, now: Now) -> Standing {
        let (cell, (start, end)) = self.at(now);
        let (max, spent) = (self.max.saturating_add(cell.extra), self.spent(&cell, now));
        let is_calendar = matches!(self.spans, Spans::Calendar(..));
        Standing {
            max,
            spent,
            held: cell.held,
            free: signed(max).saturating_sub(signed(spent)).saturating_sub(signed(cell.held)),
            leased: 0,
            silent: 0,
            refused: None,
            age_ns: 0,
            window: is_calendar.then_some((cell.id, start, end)),
        }
    }
}

pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
