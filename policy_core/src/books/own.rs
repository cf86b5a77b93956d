//! A run's own accounts leave the books when the run is suspended, and enter others when it goes on.

use super::buckets::Buckets;
use super::cell::{Cell, Pages, Spans};
use super::local::Local;
use super::{Account, AccountId, Authority, Books};
use crate::code::{Reader, Writer};
use crate::event::Now;
use crate::store::AccountKey;

impl Books {
    /// What others find an account by; a run's own has nothing.
    pub(crate) fn key(&self, id: AccountId) -> Option<&AccountKey> {
        let place = self.places.get(id.place).filter(|place| place.generation == id.generation)?;
        place.account.as_ref()?.key.as_deref()
    }

    /// Takes out a run's own account. What is held there beyond `kept`, (window, amount), is spent: those who
    /// hold it find the account gone.
    pub(crate) fn take_out(&mut self, id: AccountId, kept: &[(i64, u64)], now: Now, writer: &mut Writer) {
        let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) else { return };
        local.leave(kept, now, writer);
        self.remove(id.place);
    }

    /// Makes a new account of a run what it was when it was taken out, so much earlier.
    pub(crate) fn put_in(
        &mut self,
        id: AccountId,
        reader: &mut Reader<'_>,
        now: Now,
        later: u64,
    ) -> Option<()> {
        let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) else { return None };
        local.read(reader, now, later)
    }
}

impl Cell {
    fn write(&self, writer: &mut Writer) {
        writer.signed(self.id);
        for number in [self.spent, self.carry, self.held, self.extra, self.raised] {
            writer.number(number);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.signed()?,
            spent: reader.number()?,
            carry: reader.number()?,
            held: reader.number()?,
            extra: reader.number()?,
            raised: reader.number()?,
        })
    }
}

impl Local {
    /// What is held beyond `kept` is spent; then it is written.
    pub(super) fn leave(&mut self, kept: &[(i64, u64)], now: Now, writer: &mut Writer) {
        self.spend_all_but(kept, now);
        self.write(now, writer);
    }

    fn spend_all_but(&mut self, kept: &[(i64, u64)], now: Now) {
        let sum = |of: &dyn Fn(i64) -> bool| {
            let own = kept.iter().filter(|(window, _)| of(*window));
            own.fold(0_u64, |sum, (_, amount)| sum.saturating_add(*amount))
        };
        if self.is_rolling() {
            let lost = self.cell().held.saturating_sub(sum(&|_| true));
            return self.settle(0, lost, lost, now);
        }
        self.roll(now);
        let older =
            self.more.as_ref().and_then(|more| more.pages()).into_iter().flat_map(|pages| &pages.older);
        let windows: Vec<i64> = older.map(|cell| cell.id).chain([self.cell().id]).collect();
        for id in windows {
            let kept = sum(&|window| window == id);
            self.change(id, |cell| {
                let lost = cell.held.saturating_sub(kept);
                cell.held = cell.held.saturating_sub(lost);
                cell.spent = cell.spent.saturating_add(lost);
            });
        }
    }

    fn write(&self, now: Now, writer: &mut Writer) {
        self.cell().write(writer);
        match self.more.as_ref().map(|more| &more.spans) {
            None | Some(Spans::Forever) => {}
            Some(Spans::Calendar(pages)) => {
                writer.list(&pages.older, |writer, cell| cell.write(writer));
                writer.signed(pages.forgotten);
            }
            Some(Spans::Rolling(buckets)) => buckets.write(now.mono, writer),
        }
    }

    /// What was written of an account with the same terms.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, now: Now, later: u64) -> Option<()> {
        let cell = Cell::read(reader)?;
        match self.more.as_mut().map(|more| &mut more.spans) {
            Some(Spans::Calendar(pages)) => pages.read(cell.id, reader)?,
            Some(Spans::Rolling(buckets)) if cell.id == 0 => buckets.read(reader, now.mono, later)?,
            None | Some(Spans::Forever) if cell.id == 0 => {}
            _ => return None,
        }
        self.put(cell);
        Some(())
    }
}

impl Pages {
    /// The window with this number is open.
    fn read(&mut self, id: i64, reader: &mut Reader<'_>) -> Option<()> {
        let (_, start, end) = self.period.numbered(&self.zone, id);
        self.span = (start, end);
        self.older = reader.list(Cell::read)?;
        self.forgotten = reader.signed()?;
        let ids = || self.older.iter().map(|cell| cell.id).chain([id]);
        let earlier = std::iter::once(self.forgotten).chain(ids());
        earlier.zip(ids()).all(|(earlier, later)| earlier < later).then_some(())
    }
}

impl Buckets {
    fn write(&self, mono: u64, writer: &mut Writer) {
        writer.number(self.clock(mono));
        writer.number(self.newest);
        let parts: Vec<_> = self.parts.iter().copied().collect();
        writer.list(&parts, |writer, (bucket, amount)| {
            writer.number(*bucket);
            writer.number(*amount);
        });
    }

    fn read(&mut self, reader: &mut Reader<'_>, mono: u64, later: u64) -> Option<()> {
        self.since = (mono, reader.number()?.saturating_add(later));
        self.newest = reader.number()?;
        let parts = reader.list(|reader| Some((reader.number()?, reader.number()?)))?;
        self.sum = parts.iter().fold(0, |sum, (_, amount)| sum.saturating_add(*amount));
        let buckets = || parts.iter().map(|(bucket, _)| *bucket);
        let is_sorted = buckets().zip(buckets().skip(1)).all(|(earlier, later)| earlier < later);
        let is_past = buckets().next_back().is_none_or(|last| last <= self.newest);
        self.parts = parts.into();
        (is_sorted && is_past).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::books::{Failure, Period, Terms, WindowKind, Zone};
    use crate::event::Now;

    const SECOND: u64 = 1_000_000_000;

    fn moved(
        window: WindowKind,
        fill: impl FnOnce(&mut Books, AccountId),
        at: Now,
        to: Now,
    ) -> (Books, AccountId) {
        let terms = Terms { max: 100, window, failure: Failure::Spend };
        let (mut here, mut there) = (Books::local(), Books::local());
        let id = here.open_own(&terms, Now::default());
        fill(&mut here, id);
        let mut writer = Writer::default();
        here.take_out(id, &[], at, &mut writer);
        assert_eq!(here.most(id, at), 0, "there is no room where it was");
        let bytes = writer.sealed(0);
        let mut reader = Reader::sealed(&bytes, 0).unwrap();
        let id = there.open_own(&terms, to);
        there.put_in(id, &mut reader, to, to.wall - at.wall).unwrap();
        assert_eq!(reader.end(), Some(()));
        (there, id)
    }

    const fn at(mono: u64, wall: u64) -> Now {
        Now { mono: mono * SECOND, wall: wall * SECOND }
    }

    #[test]
    fn a_rolling_window_goes_on_by_the_wall_clock() {
        let fill = |books: &mut Books, id| books.charge(id, Default::default(), 60, at(1000, 0));
        let rolling = WindowKind::Rolling { ns: 60 * SECOND };
        // Spent at 1000 s of the old clock, taken out 10 s later, put in 20 s after that, at 5 s of the new.
        let (books, id) = moved(rolling, fill, at(1010, 10), at(5, 30));
        assert_eq!(books.most(id, at(5, 30)), 40);
        assert_eq!(books.most(id, at(35, 60)), 40, "the whole window");
        assert_eq!(books.most(id, at(37, 62)), 100);
    }

    #[test]
    fn the_last_window_that_a_clock_can_show_does_not_end() {
        let now = Now { mono: 1, wall: u64::MAX };
        for period in [Period::Hour, Period::Day, Period::Week, Period::Month] {
            let zone = Arc::new(Zone { name: "UTC".into(), before: 0, transitions: Vec::new() });
            let fill = |books: &mut Books, id| {
                for _ in 0..3 {
                    books.take(id, 20, now);
                }
            };
            let (books, id) = moved(WindowKind::Calendar { period, zone }, fill, now, now);
            assert_eq!(books.most(id, now), 40, "what was spent in it stays spent");
        }
    }

    #[test]
    fn what_others_hold_is_spent() {
        let fill = |books: &mut Books, id| {
            books.take(id, 30, at(1, 1));
        };
        let (books, id) = moved(WindowKind::Forever, fill, at(2, 2), at(0, 9));
        let standing = books.standing(id, at(0, 9));
        assert_eq!((standing.spent, standing.held), (30, 0));
    }
}
