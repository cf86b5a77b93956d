//! One window of an account, and what few accounts have besides the open one: other windows, raised bounds.

use std::sync::Arc;

use super::buckets::Buckets;
use super::calendar::{Period, Zone};
use super::terms::WindowKind;
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
    pub(super) const fn is_blank(&self) -> bool {
        self.spent == 0 && self.carry == 0 && self.held == 0 && self.extra == 0
    }

    /// What a later window must still work off.
    pub(super) fn debt(&self, max: u64, later: i64) -> u64 {
        let own = self.spent.saturating_add(self.carry).saturating_sub(max.saturating_add(self.extra));
        let idle = later.saturating_sub(self.id).saturating_sub(1);
        own.saturating_sub(max.saturating_mul(u64::try_from(idle).unwrap_or_default()))
    }
}

/// What an account has that is not the same for all of time, or whose bound people raised.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// By how much they raised that of the open window, and how often.
    pub(super) extra: u64,
    pub(super) raised: u64,
    pub(super) spans: Spans,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Spans {
    #[default]
    Forever,
    Calendar(Pages),
    Rolling(Buckets),
}

/// The windows of a calendar.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    pub(super) period: Period,
    pub(super) zone: Arc<Zone>,
    /// The number of the open window, and where it begins and ends, by the wall clock.
    pub(super) id: i64,
    pub(super) span: (u64, u64),
    /// The debt of earlier windows that is spent in it.
    pub(super) carry: u64,
    /// Ascending, without the open one.
    pub(super) older: Vec<Cell>,
    /// The latest window that is no longer kept.
    pub(super) forgotten: i64,
}

impl More {
    /// What an account with these windows has; nothing, if there is one for all of time.
    pub(super) fn of(window: &WindowKind, now: Now) -> Option<Box<Self>> {
        let spans = match window {
            WindowKind::Forever => return None,
            WindowKind::Calendar { period, zone } => {
                let (id, start, end) = period.window(zone, now.wall);
                Spans::Calendar(Pages {
                    period: *period,
                    zone: Arc::clone(zone),
                    id,
                    span: (start, end),
                    carry: 0,
                    older: Vec::new(),
                    forgotten: i64::MIN,
                })
            }
            WindowKind::Rolling { ns } => Spans::Rolling(Buckets::new(*ns)),
        };
        Some(Box::new(Self { spans, ..Self::default() }))
    }

    /// The number of the open window.
    pub(super) const fn id(&self) -> i64 {
        match &self.spans {
            Spans::Calendar(pages) => pages.id,
            _ => 0,
        }
    }

    /// Until which instant of the wall clock it is open, and what is spent in it is known by itself.
    pub(super) const fn until(&self) -> u64 {
        match &self.spans {
            Spans::Forever => u64::MAX,
            Spans::Calendar(pages) => pages.span.1,
            Spans::Rolling(_) => 0,
        }
    }

    pub(super) const fn pages(&self) -> Option<&Pages> {
        match &self.spans {
            Spans::Calendar(pages) => Some(pages),
            _ => None,
        }
    }

    pub(super) const fn pages_mut(&mut self) -> Option<&mut Pages> {
        match &mut self.spans {
            Spans::Calendar(pages) => Some(pages),
            _ => None,
        }
    }

    pub(super) const fn buckets(&self) -> Option<&Buckets> {
        match &self.spans {
            Spans::Rolling(buckets) => Some(buckets),
            _ => None,
        }
    }

    pub(super) const fn buckets_mut(&mut self) -> Option<&mut Buckets> {
        match &mut self.spans {
            Spans::Rolling(buckets) => Some(buckets),
            _ => None,
        }
    }
}

impl Pages {
    /// The window that was open is over.
    pub(super) fn put_by(&mut self, cell: Cell) {
        if !cell.is_blank() {
            self.older.push(cell);
        }
        // Those with holds stay, and so does all that came after them: debt is carried from one to the next.
        let spare = self.older.len().saturating_sub(KEPT);
        let spare = self.older.iter().take(spare).take_while(|cell| cell.held == 0).count();
        self.forgotten = self.older.drain(..spare).next_back().map_or(self.forgotten, |cell| cell.id);
    }

    /// The place of a window before the open one. For one that is no longer kept the next one stands in, if
    /// there is any before the open one: nothing that was spent is lost.
    pub(super) fn place(&mut self, max: u64, id: i64) -> Option<usize> {
        let place = self.older.partition_point(|cell| cell.id < id);
        if id > self.forgotten && self.older.get(place).is_none_or(|cell| cell.id != id) {
            // Nothing was known of it so far.
            let earlier = place.checked_sub(1).and_then(|place| self.older.get(place));
            let carry = earlier.map_or(0, |earlier| earlier.debt(max, id));
            self.older.insert(place, Cell { id, carry, ..Cell::default() });
        }
        (place < self.older.len()).then_some(place)
    }

    /// Changes the window at a place, and what it carries into the later ones; the answer is what the open
    /// one has of that.
    pub(super) fn change(&mut self, max: u64, place: usize, how: impl FnOnce(&mut Cell)) -> u64 {
        let mut later = self.older.iter_mut().skip(place);
        let Some(cell) = later.next() else { return self.carry };
        how(cell);
        let mut last = *cell;
        for cell in later {
            cell.carry = last.debt(max, cell.id);
            last = *cell;
        }
        last.debt(max, self.id)
    }
}
