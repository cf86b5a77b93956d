//! From which windows attempts took, in rows: most attempts take from the same windows as the one before, so
//! a row is that of many.

use crate::books::{Local, Window};
use crate::event::Now;

/// The rows: in each, one window for each account of the run.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    all: Vec<Window>,
    /// How many there are in a row; none in a run whose accounts have one window each.
    width: u32,
    /// The number of the latest row.
    latest: u32,
}

/// The row of an attempt that begins: the latest one, until it takes from another window.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    windows: &'a mut Windows,
    /// Where it begins.
    from: usize,
    /// Nobody has taken from any window but the first.
    is_first: bool,
    is_new: bool,
}

impl Windows {
    pub(super) const fn new(width: u32) -> Self {
        Self { all: Vec::new(), width, latest: 0 }
    }

    const fn width(&self) -> usize {
        self.width as usize
    }

    /// A row by its number; nothing, as long as nobody has taken from any window but the first.
    pub(super) fn row(&self, number: u32) -> &[Window] {
        let begin = (number as usize).saturating_mul(self.width());
        self.all.get(begin..begin.saturating_add(self.width())).unwrap_or_default()
    }

    /// The same as it is written, with the first windows too.
    pub(super) fn whole(&self, number: u32) -> Vec<Window> {
        let mut row = self.row(number).to_vec();
        row.resize(self.width(), Window::default());
        row
    }

    /// The row of an attempt that begins.
    pub(super) fn begin(&mut self) -> Row<'_> {
        let from = self.all.len().saturating_sub(self.width());
        let is_first = self.all.is_empty();
        Row { windows: self, from, is_first, is_new: false }
    }

    /// A row that was written; none if it is not one of this run's.
    pub(super) fn read(&mut self, windows: &[Window]) -> Option<u32> {
        let mut row = self.begin();
        if windows.len() != row.windows.width() {
            return None;
        }
        (0_u32..).zip(windows).for_each(|(place, window)| row.take(place, *window));
        Some(row.number())
    }
}

impl Row<'_> {
    /// The attempt takes from this window of the account at this place.
    #[inline]
    pub(super) fn take(&mut self, place: u32, window: Window) {
        if !self.is_first || window != Window::default() {
            self.note(place as usize, window);
        }
    }

    /// The same of the one that is open, if its figures tell that.
    #[inline(never)]
    pub(super) fn take_told(&mut self, place: u32, local: &Local, now: Now) -> bool {
        let is_told = local.is_told(now);
        if is_told {
            self.take(place, local.window());
        }
        is_told
    }

    fn note(&mut self, place: usize, window: Window) {
        let known = self.windows.all.get(self.from.saturating_add(place));
        if known.copied().unwrap_or_default() != window && place < self.windows.width() {
            self.differ(place, window);
        }
    }

    #[cold]
    fn differ(&mut self, place: usize, window: Window) {
        let Windows { all, latest, width } = &mut *self.windows;
        if all.is_empty() {
            all.resize(*width as usize, Window::default());
        }
        if !self.is_new {
            // What this attempt does not take from stays as it was: nobody asks for it.
            let end = all.len();
            all.extend_from_within(self.from..);
            (self.from, self.is_new, self.is_first) = (end, true, false);
            *latest = latest.saturating_add(1);
        }
        if let Some(known) = all.get_mut(self.from.saturating_add(place)) {
            *known = window;
        }
    }

    /// Its number.
    pub(super) const fn number(self) -> u32 {
        self.windows.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(windows: &mut Windows, places: &[(u32, i64)]) -> u32 {
        let mut row = windows.begin();
        places.iter().for_each(|(place, id)| row.take(*place, Window::of(*id)));
        row.number()
    }

    fn ids(windows: &Windows, row: u32) -> Vec<i64> {
        windows.whole(row).iter().map(|window| window.id()).collect()
    }

    #[test]
    fn attempts_in_the_same_windows_share_a_row() {
        let mut windows = Windows::new(3);
        let first = taken(&mut windows, &[(0, 7), (2, 9)]);
        assert_eq!(taken(&mut windows, &[(0, 7)]), first);
        assert_eq!(taken(&mut windows, &[(2, 9), (0, 7)]), first);
        let next = taken(&mut windows, &[(0, 8), (2, 9)]);
        assert_eq!((ids(&windows, first)[0], ids(&windows, first)[2]), (7, 9));
        assert_eq!((ids(&windows, next)[0], ids(&windows, next)[2], next), (8, 9, first + 1));
    }

    #[test]
    fn an_attempt_that_takes_from_no_window_has_a_row_too() {
        let mut windows = Windows::new(2);
        assert_eq!((taken(&mut windows, &[]), ids(&windows, 0)), (0, vec![0, 0]));
        assert_eq!((taken(&mut windows, &[(1, 4)]), ids(&windows, 1)), (1, vec![0, 4]));
        let mut none = Windows::new(0);
        assert_eq!((taken(&mut none, &[(0, 4)]), none.row(0).len()), (0, 0));
    }

    #[test]
    fn a_row_that_was_written_has_the_width_of_the_others() {
        let mut windows = Windows::new(2);
        let row = [Window::of(1), Window::of(2)];
        assert_eq!((windows.read(&row), windows.read(&row)), (Some(1), Some(1)));
        assert_eq!((windows.read(&row[..1]), windows.read(&[])), (None, None));
        assert_eq!(ids(&windows, 1), [1, 2]);
    }
}
