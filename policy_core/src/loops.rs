//! Loop detection: the same call again and again, cycles of calls, and the same error again and again. Each
//! ring remembers the latest of what it is about, and no more.

use std::collections::VecDeque;
use std::iter;

use crate::code::{Reader, Writer};
use crate::event::ErrorKind;
use crate::program::Loop;

/// How many calls, and how many errors, are remembered at most.
pub(crate) const LONGEST: usize = 256;

/// Adds the newest; the oldest goes if there are too many.
pub(crate) fn push<T>(ring: &mut VecDeque<T>, newest: T) {
    if ring.len() == LONGEST {
        ring.pop_front();
    }
    ring.push_back(newest);
}

/// How many entries of the latest `steps` steps are the same as the newest, itself included. Steps never
/// decrease along a ring, so the recent entries are its end.
fn recent<T>(
    ring: impl DoubleEndedIterator<Item = T> + Clone,
    steps: u64,
    step_of: impl Fn(&T) -> u64,
    same: impl Fn(&T, &T) -> bool,
) -> u64 {
    let Some(newest) = ring.clone().next_back() else { return 0 };
    let is_recent = |entry: &T| step_of(entry).saturating_add(steps) > step_of(&newest);
    let found = ring.rev().take_while(is_recent).filter(|entry| same(entry, &newest)).count();
    u64::try_from(found).unwrap_or(u64::MAX)
}

/// The latest logical tool calls, denied ones included, re-asks not. A place in it is a number that comes
/// round again after all of them: the newest call takes that of the oldest.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// In which step each was asked.
    steps: Vec<u64>,
    /// For each form of arguments that the program compares.
    forms: Vec<Form>,
    /// The place of the next call.
    next: u8,
    /// In some form the newest was made before.
    is_repeated: bool,
}

/// So many groups of calls are told apart.
const GROUPS: usize = 512;

/// The calls of a ring in one form of arguments.
#[derive(Clone, Debug, Default)]
struct Form {
    /// What each is known by.
    calls: Vec<u64>,
    /// For each: where the latest of its group was, when it came.
    before: Vec<Option<u8>>,
    /// Where the latest of each group is, or was, if it has gone since. Nothing until there is a call.
    latest: Box<[Option<u8>]>,
    /// The newest was made before.
    is_repeated: bool,
}

impl Form {
    fn push(&mut self, place: u8, call: u64) {
        if self.latest.is_empty() {
            self.latest = vec![None; GROUPS].into_boxed_slice();
        }
        let latest = self.latest.get_mut(group(call)).and_then(|latest| latest.replace(place));
        put(&mut self.calls, place, call);
        put(&mut self.before, place, latest);
        self.is_repeated = latest.is_some() && self.earlier(place).next().is_some();
    }

    fn at(&self, place: u8) -> Option<u64> {
        self.calls.get(usize::from(place)).copied()
    }

    /// How far back the call at this place, the newest, was made before, the latest time first. Nearly always
    /// there is nothing of its group, and so nothing to look at.
    fn earlier(&self, newest: u8) -> impl Iterator<Item = u8> {
        let mut back = 0;
        let of_group = iter::from_fn(move || {
            let before = *self.before.get(usize::from(newest.wrapping_sub(back)))?;
            // A call that is no older has taken the place of the one that was meant, and with that one all of
            // the group before it have gone.
            let further = Some(newest.wrapping_sub(before?)).filter(|further| *further > back)?;
            back = further;
            Some(further)
        });
        of_group.filter(move |back| self.at(newest.wrapping_sub(*back)) == self.at(newest))
    }
}

/// Writes to a place of a ring that has had its first round, or has all places before this one.
fn put<T>(ring: &mut Vec<T>, place: u8, item: T) {
    match ring.get_mut(usize::from(place)) {
        Some(known) => *known = item,
        None => ring.push(item),
    }
}

/// The group of a call: fingerprints are spread evenly.
fn group(call: u64) -> usize {
    let [low, high, ..] = call.to_le_bytes();
    usize::from(u16::from_le_bytes([low, high])) % GROUPS
}

impl Ring {
    /// A ring for so many forms of arguments.
    pub(crate) fn new(forms: usize) -> Self {
        Self { steps: Vec::new(), forms: vec![Form::default(); forms], next: 0, is_repeated: false }
    }

    /// Remembers a call, by its fingerprint in each form, that was asked when `step` logical model calls had
    /// begun.
    pub(crate) fn push(&mut self, fingerprints: &[u64], step: u64) {
        put(&mut self.steps, self.next, step);
        self.is_repeated = false;
        for (form, fingerprint) in self.forms.iter_mut().zip(fingerprints) {
            form.push(self.next, *fingerprint);
            self.is_repeated |= form.is_repeated;
        }
        self.next = self.next.wrapping_add(1);
    }

    /// Whether the newest call was made before, in some form: else only a loop of one call is found.
    pub(crate) const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    const fn newest(&self) -> u8 {
        self.next.wrapping_sub(1)
    }

    fn step(&self, back: u8) -> u64 {
        self.steps.get(usize::from(self.newest().wrapping_sub(back))).copied().unwrap_or(0)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let length = self.steps.len();
        writer.number(length as u64);
        // The oldest first.
        let oldest = if length == LONGEST { usize::from(self.next) } else { 0 };
        for place in (oldest..length).chain(0..oldest) {
            writer.number(self.steps.get(place).copied().unwrap_or(0));
            let known = self.forms.iter().filter_map(|form| form.calls.get(place));
            known.for_each(|fingerprint| writer.number(*fingerprint));
        }
    }

    /// What was written, of a run with so many steps.
    pub(crate) fn read(reader: &mut Reader<'_>, forms: usize, steps: u64) -> Option<Self> {
        let mut ring = Self::new(forms);
        let entries = reader.list(|reader| {
            let step = reader.number()?;
            let fingerprints = (0..forms).map(|_| reader.number()).collect::<Option<Vec<u64>>>()?;
            Some((step, fingerprints))
        })?;
        let is_sorted = entries.is_sorted_by_key(|(step, _)| *step);
        let is_past = entries.last().is_none_or(|(newest, _)| *newest <= steps);
        let is_sound = entries.len() <= LONGEST && is_sorted && is_past;
        entries.iter().for_each(|(step, fingerprints)| ring.push(fingerprints, *step));
        is_sound.then_some(ring)
    }

    /// Whether the newest call makes the run go round, in the sense of this statement, which compares calls
    /// in this form.
    pub(crate) fn repeats(&self, statement: &Loop, form: usize) -> bool {
        statement.same_call.is_some_and(|(count, steps)| self.same_call(form, count, steps))
            || statement.cycle.is_some_and(|(period, times)| self.cycle(form, period, times))
    }

    /// Whether the newest call is one of so many equal ones in the latest steps.
    fn same_call(&self, form: usize, count: u64, steps: u64) -> bool {
        let Some(known) = self.forms.get(form).filter(|known| known.is_repeated || count == 1) else {
            return false;
        };
        let (latest, mut missing) = (self.step(0), count.saturating_sub(1));
        for back in known.earlier(self.newest()) {
            // Steps never decrease, so all before this one are as long ago.
            if missing == 0 || self.step(back).saturating_add(steps) <= latest {
                break;
            }
            missing = missing.saturating_sub(1);
        }
        missing == 0
    }

    /// Whether the latest calls are the same few, so many times. The newest is one of each round, so that a
    /// round is as long as that is back.
    fn cycle(&self, form: usize, longest: u64, times: u64) -> bool {
        let Some(known) = self.forms.get(form).filter(|known| known.is_repeated || times == 1) else {
            return false;
        };
        let length = u64::try_from(self.steps.len()).unwrap_or(u64::MAX);
        let longest = longest.min(length.checked_div(times).unwrap_or(0));
        if times == 1 {
            return longest > 0;
        }
        let mut periods = known.earlier(self.newest()).take_while(|period| u64::from(*period) <= longest);
        periods.any(|period| self.has_period(known, period, times))
    }

    /// Whether each of so many latest rounds is the one before it.
    fn has_period(&self, known: &Form, period: u8, times: u64) -> bool {
        let rounds = u8::try_from(times.saturating_sub(1)).unwrap_or(u8::MAX);
        let at = |back: u8| known.at(self.newest().wrapping_sub(back));
        (0..period.saturating_mul(rounds)).all(|back| at(back) == at(back.saturating_add(period)))
    }
}

/// An error of a tool that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) tool: u32,
    pub(crate) kind: ErrorKind,
    /// Of its message, if the host says.
    pub(crate) message: Option<u64>,
}

/// The latest errors of tools that were given up, each with its step. The newest is last. Most runs have
/// none, and need no memory for them.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(Option<Box<Latest>>);

type Latest = VecDeque<(Mistake, u64)>;

impl Mistakes {
    pub(crate) fn push(&mut self, mistake: Mistake, step: u64) {
        push(self.0.get_or_insert_default(), (mistake, step));
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &(Mistake, u64)> + Clone {
        self.0.iter().flat_map(|all| all.iter())
    }

    /// Whether the newest was made `count` times in the latest `steps` steps.
    pub(crate) fn repeat(&self, (count, steps): (u64, u64)) -> bool {
        recent(self.all(), steps, |(_, step)| *step, |one, other| one.0 == other.0) >= count
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.all().count() as u64);
        for (mistake, step) in self.all() {
            let kind = ErrorKind::ALL.iter().position(|kind| *kind == mistake.kind);
            writer.number(u64::from(mistake.tool));
            writer.number(kind.unwrap_or(usize::MAX) as u64);
            writer.optional(mistake.message);
            writer.number(*step);
        }
    }

    /// What was written, of a run with so many tools and steps.
    pub(crate) fn read(reader: &mut Reader<'_>, tools: usize, steps: u64) -> Option<Self> {
        let entries = reader.list(|reader| {
            let tool = reader.index(tools)?;
            let kind = *ErrorKind::ALL.get(reader.index(ErrorKind::ALL.len())? as usize)?;
            Some((Mistake { tool, kind, message: reader.optional()? }, reader.number()?))
        })?;
        let is_sorted = entries.is_sorted_by_key(|(_, step)| *step);
        let is_past = entries.last().is_none_or(|(_, newest)| *newest <= steps);
        let all = (!entries.is_empty()).then(|| Box::new(VecDeque::from(entries)));
        (all.as_ref().is_none_or(|all| all.len() <= LONGEST) && is_sorted && is_past).then_some(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(calls: &[(u64, u64)]) -> Ring {
        let mut ring = Ring::new(1);
        for &(fingerprint, step) in calls {
            ring.push(&[fingerprint], step);
        }
        ring
    }

    #[test]
    fn the_same_call_counts_within_its_steps() {
        let calls = ring(&[(1, 1), (1, 2), (2, 3), (1, 3)]);
        assert!(calls.same_call(0, 3, 3));
        assert!(!calls.same_call(0, 3, 2));
        assert!(calls.same_call(0, 2, 2));
        assert!(!calls.same_call(0, 4, 100));
    }

    #[test]
    fn cycles_are_found_at_the_end_of_the_ring() {
        let calls = ring(&[(9, 1), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)]);
        assert!(calls.cycle(0, 2, 3));
        assert!(calls.cycle(0, 4, 3));
        assert!(!calls.cycle(0, 1, 3));
        assert!(!calls.cycle(0, 2, 4));
        assert!(!ring(&[(1, 1), (2, 1), (1, 1)]).cycle(0, 2, 2));
        assert!(ring(&[(1, 1), (1, 1), (1, 1)]).cycle(0, 1, 3));
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut calls = Ring::new(1);
        for _ in 0..LONGEST + 10 {
            calls.push(&[1], 0);
        }
        assert_eq!((calls.steps.len(), calls.forms[0].calls.len()), (LONGEST, LONGEST));
        assert!(calls.same_call(0, 256, 1));
        assert!(!calls.same_call(0, 257, 1));
        calls.push(&[2], 0);
        assert!(!calls.same_call(0, 2, 1));
        calls.push(&[1], 0);
        assert!(calls.same_call(0, 255, 1) && !calls.same_call(0, 256, 1));
    }

    /// All calls in one list, looked through from end to end.
    fn plain(calls: &[(u64, u64)], (count, steps): (u64, u64), (longest, times): (u64, u64)) -> (bool, bool) {
        let calls = &calls[calls.len().saturating_sub(LONGEST)..];
        let (call, step) = calls[calls.len() - 1];
        let same = calls.iter().filter(|known| known.0 == call && known.1 + steps > step).count();
        let has_period = |period: usize| {
            let latest = calls.len().checked_sub(period * times as usize).map(|from| &calls[from..]);
            latest
                .is_some_and(|latest| (period..latest.len()).all(|at| latest[at].0 == latest[at - period].0))
        };
        (same as u64 >= count, (1..=longest as usize).any(has_period))
    }

    fn round() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0..5_u64, 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        /// What is found by groups is what a look at every call finds, also among those of one group, and
        /// after the ring was written and read.
        #[test]
        fn groups_hide_nothing(
            pieces in prop::collection::vec((round(), 1..40_usize, 0..3_u64), 1..12),
            same in (1..300_u64, 1..40_u64),
            cycle in (1..140_u64, 1..6_u64),
            group in prop::sample::select(vec![1, GROUPS as u64]),
        ) {
            let (mut ring, mut calls, mut step) = (Ring::new(1), Vec::new(), 1);
            for (round, times, steps) in pieces {
                for (at, call) in round.repeat(times).into_iter().enumerate() {
                    step += u64::from(at % 4 == 0) * steps;
                    calls.push((call * group, step));
                    ring.push(&[call * group], step);
                    let found = |ring: &Ring| {
                        (ring.same_call(0, same.0, same.1), ring.cycle(0, cycle.0, cycle.1))
                    };
                    let expected = plain(&calls, same, cycle);
                    prop_assert_eq!(found(&ring), expected, "{:?}", &calls);
                    let is_of_one = same.0 == 1 || cycle.1 == 1;
                    prop_assert!(ring.is_repeated() || is_of_one || expected == (false, false));
                    if calls.len() % 50 == 0 {
                        let mut writer = Writer::default();
                        ring.write(&mut writer);
                        let bytes = writer.sealed(0);
                        let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
                        let read = Ring::read(&mut reader, 1, step).unwrap_or_else(|| unreachable!());
                        prop_assert_eq!(found(&read), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn each_form_has_calls_of_its_own() {
        let mut calls = Ring::new(2);
        calls.push(&[1, 7], 1);
        calls.push(&[2, 7], 1);
        assert!(!calls.same_call(0, 2, 9) && calls.same_call(1, 2, 9));
        assert!(!calls.cycle(0, 1, 2) && calls.cycle(1, 1, 2));
    }

    #[test]
    fn mistakes_are_told_apart_by_tool_kind_and_message() {
        let made = |tool, kind, message| Mistake { tool, kind, message };
        let (failed, late) = (ErrorKind::ToolFailure, ErrorKind::Timeout);
        let mut mistakes = Mistakes::default();
        for other in [made(1, failed, None), made(0, late, None), made(0, failed, Some(5))] {
            mistakes.push(other, 1);
        }
        mistakes.push(made(0, failed, None), 1);
        assert!(!mistakes.repeat((2, 9)));
        mistakes.push(made(0, failed, None), 3);
        assert!(mistakes.repeat((2, 3)));
        assert!(!mistakes.repeat((2, 2)));
    }
}
