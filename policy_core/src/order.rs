//! What must have succeeded before what. The success has to be known before the model call that proposed
//! the act, so that siblings which run in parallel do not count for each other; and nothing may have changed
//! since it began.

use std::collections::BTreeMap;

use crate::code::{Reader, Writer};

/// The values of the arguments that an order matches, by their SHA-256: who finds two with the same hash
/// could act on one thing after a look at another.
pub(crate) type Values = [u8; 32];

/// Those of an order that matches none: all successes are about the same.
pub(crate) const SAME: Values = [0; 32];

/// How many values are remembered for an order. What is forgotten counts as never looked at.
const MOST: usize = 4096;

/// For each order: what a run has done that comes first.
#[derive(Debug)]
pub(crate) struct Successes(Box<[Known]>);

/// The successes that count for one order, by their values.
#[derive(Clone, Debug, Default)]
struct Known {
    /// How many changes there had been when they began.
    changes: u64,
    /// The event clocks of the first and of the latest: the first serves every later act.
    clocks: BTreeMap<Values, (u64, u64)>,
    /// The values by their latest success.
    latest: BTreeMap<u64, Values>,
    /// The first event clock of [`SAME`], which most orders look for and no other.
    same: Option<u64>,
}

impl Known {
    fn record(&mut self, values: Values, clock: u64) {
        let first = self.clocks.get(&values).copied().map_or(clock, |(first, latest)| {
            self.latest.remove(&latest);
            first
        });
        self.clocks.insert(values, (first, clock));
        if values == SAME {
            self.same = Some(first);
        }
        self.latest.insert(clock, values);
        if self.latest.len() > MOST
            && let Some((_, oldest)) = self.latest.pop_first()
        {
            self.clocks.remove(&oldest);
            self.same = self.same.filter(|_| oldest != SAME);
        }
    }

    /// Those of an order after so many changes.
    fn after(&self, changes: u64) -> Option<&Self> {
        (self.changes == changes).then_some(self)
    }

    fn write(&self, writer: &mut Writer) {
        writer.number(self.changes);
        writer.number(self.latest.len() as u64);
        for (latest, values) in &self.latest {
            writer.fixed(values);
            writer.number(self.clocks.get(values).map_or(*latest, |(first, _)| *first));
            writer.number(*latest);
        }
    }

    fn read(reader: &mut Reader<'_>, clock: u64) -> Option<Self> {
        let changes = reader.number()?;
        let rows =
            reader.list(|reader| Some((reader.fixed::<32>()?, (reader.number()?, reader.number()?))))?;
        let clocks: BTreeMap<Values, (u64, u64)> = rows.iter().copied().collect();
        let latest = rows.iter().map(|(values, (_, latest))| (*latest, *values)).collect();
        let is_past = rows.iter().all(|(_, (first, latest))| first <= latest && *latest <= clock);
        let is_sorted = rows.is_sorted_by(|(_, one), (_, other)| one.1 < other.1);
        let is_sound = rows.len() <= MOST && clocks.len() == rows.len() && is_past && is_sorted;
        let same = clocks.get(&SAME).map(|(first, _)| *first);
        is_sound.then_some(Self { changes, clocks, latest, same })
    }
}

impl Successes {
    pub(crate) fn new(orders: usize) -> Self {
        Self(vec![Known::default(); orders].into_boxed_slice())
    }

    /// A success, of an attempt that began after so many changes; there have been none since.
    pub(crate) fn record(&mut self, order: u32, changes: u64, values: Values, clock: u64) {
        let Some(known) = self.0.get_mut(order as usize) else { return };
        if known.changes != changes {
            *known = Known { changes, ..Known::default() };
        }
        known.record(values, clock);
    }

    /// Whether there was a success with these values, after so many changes, before `proposed`: the clock of
    /// the latest model call that came before the act; ever, if there was none.
    pub(crate) fn precede(&self, order: u32, changes: u64, values: &Values, proposed: Option<u64>) -> bool {
        let known = self.0.get(order as usize).and_then(|known| known.after(changes));
        let first = known.and_then(|known| known.clocks.get(values));
        first.is_some_and(|(first, _)| is_before(*first, proposed))
    }

    /// The same with [`SAME`], of an order that matches nothing.
    #[inline]
    pub(crate) fn precede_any(&self, order: u32, changes: u64, proposed: Option<u64>) -> bool {
        let known = self.0.get(order as usize).and_then(|known| known.after(changes));
        known.and_then(|known| known.same).is_some_and(|first| is_before(first, proposed))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.0.iter().for_each(|known| known.write(writer));
    }

    /// What was written, of a run with so many orders, at this event clock.
    pub(crate) fn read(reader: &mut Reader<'_>, orders: usize, clock: u64) -> Option<Self> {
        let known = (0..orders).map(|_| Known::read(reader, clock)).collect::<Option<Vec<_>>>()?;
        Some(Self(known.into_boxed_slice()))
    }
}

fn is_before(first: u64, proposed: Option<u64>) -> bool {
    proposed.is_none_or(|proposed| first < proposed)
}

/// For each order: the calls of the tools that it comes again after, in the whole family.
#[derive(Debug, Default)]
pub(crate) struct Changes(Box<[Change]>);

#[derive(Clone, Copy, Debug, Default)]
struct Change {
    /// Attempts that ended, and may have changed something.
    made: u64,
    under_way: u64,
}

impl Changes {
    pub(crate) fn new(orders: usize) -> Self {
        Self(vec![Change::default(); orders].into_boxed_slice())
    }

    fn each(&mut self, orders: impl Iterator<Item = u32>, mut does: impl FnMut(&mut Change)) {
        for order in orders {
            if let Some(change) = self.0.get_mut(order as usize) {
                does(change);
            }
        }
    }

    /// An attempt begins that may change what these orders are about.
    pub(crate) fn begin(&mut self, orders: impl Iterator<Item = u32>) {
        self.each(orders, |change| change.under_way = change.under_way.saturating_add(1));
    }

    /// It has ended, and provably never left or not.
    pub(crate) fn end(&mut self, orders: impl Iterator<Item = u32>, is_sent: bool) {
        self.each(orders, |change| {
            change.under_way = change.under_way.saturating_sub(1);
            change.made = change.made.saturating_add(u64::from(is_sent));
        });
    }

    /// How many changes there have been, for each order.
    pub(crate) fn made(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|change| change.made)
    }

    /// How many there have been for this one.
    pub(crate) fn made_for(&self, order: u32) -> u64 {
        self.0.get(order as usize).map_or(0, |change| change.made)
    }

    /// How many there have been for this one; none can be told while one is under way.
    pub(crate) fn settled(&self, order: u32) -> Option<u64> {
        self.0.get(order as usize).filter(|change| change.under_way == 0).map(|change| change.made)
    }

    /// Of what is under way, `kept` goes on where this is read; all else may yet have its effect there.
    pub(crate) fn write(&self, kept: &Self, writer: &mut Writer) {
        for (change, kept) in self.0.iter().zip(&kept.0) {
            let lost = u64::from(change.under_way > kept.under_way);
            writer.number(change.made.saturating_add(lost));
        }
    }

    /// What is under way in another process goes on.
    pub(crate) fn go_on(&mut self, kept: &Self) {
        for (change, kept) in self.0.iter_mut().zip(&kept.0) {
            change.under_way = kept.under_way;
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, orders: usize) -> Option<Self> {
        let change = |reader: &mut Reader<'_>| Some(Change { made: reader.number()?, under_way: 0 });
        Some(Self((0..orders).map(|_| change(reader)).collect::<Option<Vec<_>>>()?.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(number: u64) -> Values {
        let mut values = SAME;
        values[..8].copy_from_slice(&number.to_le_bytes());
        values
    }

    /// Whether there was any success, by its values and without them.
    fn any(successes: &Successes, order: u32, changes: u64, proposed: Option<u64>) -> bool {
        let any = successes.precede_any(order, changes, proposed);
        assert_eq!(successes.precede(order, changes, &SAME, proposed), any);
        any
    }

    #[test]
    fn a_success_counts_from_the_next_model_call_on() {
        let mut successes = Successes::new(2);
        assert!(!any(&successes, 0, 0, None));
        successes.record(1, 0, SAME, 1);
        assert!(!any(&successes, 0, 0, None));
        successes.record(0, 0, SAME, 5);
        successes.record(0, 0, SAME, 9);
        assert!(any(&successes, 0, 0, None));
        assert!(!any(&successes, 0, 0, Some(5)));
        assert!(any(&successes, 0, 0, Some(6)));
    }

    #[test]
    fn a_success_counts_for_its_own_values_until_something_changes() {
        let mut successes = Successes::new(1);
        successes.record(0, 3, values(1), 5);
        successes.record(0, 3, values(2), 6);
        assert!(successes.precede(0, 3, &values(1), Some(6)) && successes.precede(0, 3, &values(2), None));
        assert!(!successes.precede(0, 3, &values(3), None) && !successes.precede(0, 4, &values(1), None));
        successes.record(0, 4, values(2), 7);
        assert!(!successes.precede(0, 4, &values(1), None) && !successes.precede(0, 4, &values(2), Some(7)));
    }

    #[test]
    fn what_was_looked_at_longest_ago_is_forgotten() {
        let mut successes = Successes::new(1);
        let most = MOST as u64;
        (0..most).for_each(|number| successes.record(0, 0, values(number), number));
        successes.record(0, 0, values(0), most);
        successes.record(0, 0, values(most), most + 1);
        assert!(successes.precede(0, 0, &values(0), Some(1)), "the first time still counts");
        assert!(!successes.precede(0, 0, &values(1), None) && successes.precede(0, 0, &values(2), None));
    }

    #[test]
    fn what_is_about_nothing_in_particular_is_forgotten_too() {
        let mut successes = Successes::new(1);
        (0..MOST as u64).for_each(|number| successes.record(0, 0, values(number), number));
        assert!(values(0) == SAME && any(&successes, 0, 0, None) && !any(&successes, 0, 1, None));
        successes.record(0, 0, values(MOST as u64), MOST as u64);
        assert!(!any(&successes, 0, 0, None));
        successes.record(0, 0, SAME, 9999);
        assert!(any(&successes, 0, 0, None) && !any(&successes, 0, 0, Some(9999)));
        successes.record(0, 1, values(7), 10_000);
        assert!(!any(&successes, 0, 0, None) && !any(&successes, 0, 1, None));
    }

    #[test]
    fn nothing_can_be_told_while_a_change_is_under_way() {
        let (mut changes, both) = (Changes::new(2), || [0, 1].into_iter());
        changes.begin(both());
        changes.begin([1].into_iter());
        assert_eq!((changes.settled(0), changes.settled(1)), (None, None));
        changes.end(both(), true);
        assert_eq!((changes.settled(0), changes.settled(1)), (Some(1), None));
        changes.end([1].into_iter(), false);
        assert_eq!((changes.settled(1), changes.settled(2)), (Some(1), None));
    }

    fn sealed(write: impl Fn(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.sealed(0)
    }

    #[test]
    fn what_was_written_is_read() {
        let mut successes = Successes::new(2);
        for (number, clock) in [(1, 4), (2, 5), (1, 9)] {
            successes.record(1, 7, values(number), clock);
        }
        let bytes = sealed(|writer| successes.write(writer));
        let read = |clock| {
            let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
            Successes::read(&mut reader, 2, clock)
        };
        assert!(read(8).is_none(), "nothing is remembered of what is to come");
        let read = read(9).unwrap_or_else(|| unreachable!());
        assert!(read.precede(1, 7, &values(1), Some(5)) && !read.precede(1, 7, &values(2), Some(5)));
        assert_eq!(sealed(|writer| read.write(writer)), bytes);
    }

    #[test]
    fn what_nobody_waits_for_any_more_has_changed_something() {
        let (mut changes, mut kept) = (Changes::new(2), Changes::new(2));
        changes.begin([0, 1, 1].into_iter());
        kept.begin([0, 1].into_iter());
        let bytes = sealed(|writer| changes.write(&kept, writer));
        let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
        let read = Changes::read(&mut reader, 2).unwrap_or_else(|| unreachable!());
        assert_eq!((read.settled(0), read.settled(1)), (Some(0), Some(1)));
    }
}
