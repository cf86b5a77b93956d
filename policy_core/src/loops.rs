//! Loop detection: the same call again and again, cycles of calls, and the same error again and again. Each
//! ring remembers the latest of what it is about, and no more.

use std::collections::VecDeque;

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

/// The latest logical tool calls, denied ones included, re-asks not. The newest is last.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// In which step each was asked.
    steps: VecDeque<u64>,
    /// For each form of arguments that the program compares.
    forms: Vec<Form>,
}

/// So many groups of calls are counted.
const GROUPS: usize = 512;

/// The calls of a ring in one form of arguments.
#[derive(Clone, Debug, Default)]
struct Form {
    /// What each is known by.
    calls: VecDeque<u64>,
    /// How many there are of each group: whoever looks for many of one finds most often that there are not so
    /// many of its group. Nothing until there is a call.
    groups: Box<[u16]>,
}

impl Form {
    fn push(&mut self, call: u64) {
        if self.groups.is_empty() {
            self.groups = vec![0; GROUPS].into_boxed_slice();
        }
        let oldest = if self.calls.len() == LONGEST { self.calls.front().copied() } else { None };
        if let Some(count) = oldest.and_then(|oldest| self.groups.get_mut(group(oldest))) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.groups.get_mut(group(call)) {
            *count = count.saturating_add(1);
        }
        push(&mut self.calls, call);
    }

    /// How many of the group of this call there are.
    fn at_most(&self, call: u64) -> u64 {
        self.groups.get(group(call)).copied().map_or(0, u64::from)
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
        Self { steps: VecDeque::new(), forms: vec![Form::default(); forms] }
    }

    /// Remembers a call, by its fingerprint in each form, that was asked when `step` logical model calls had
    /// begun.
    pub(crate) fn push(&mut self, fingerprints: &[u64], step: u64) {
        push(&mut self.steps, step);
        for (form, fingerprint) in self.forms.iter_mut().zip(fingerprints) {
            form.push(*fingerprint);
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.steps.len() as u64);
        for (place, step) in self.steps.iter().enumerate() {
            writer.number(*step);
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

    fn same_call(&self, form: usize, count: u64, steps: u64) -> bool {
        let Some((known, newest)) = self.forms.get(form).and_then(|known| Some((known, known.calls.back()?)))
        else {
            return false;
        };
        if known.at_most(*newest) < count {
            return false;
        }
        let latest = self.steps.back().copied().unwrap_or(0);
        // Steps never decrease, so the recent calls are those from here on.
        let first = self.steps.partition_point(|step| step.saturating_add(steps) <= latest);
        // In two slices, which the machine compares several of at once.
        let (front, back) = known.calls.as_slices();
        let (early, late) = (front.get(first..), first.saturating_sub(front.len()));
        let same = |calls: &[u64]| calls.iter().filter(|call| *call == newest).count();
        let found =
            same(early.unwrap_or_default()).saturating_add(same(back.get(late..).unwrap_or_default()));
        u64::try_from(found).unwrap_or(u64::MAX) >= count
    }

    fn cycle(&self, form: usize, longest: u64, times: u64) -> bool {
        let length = u64::try_from(self.steps.len()).unwrap_or(u64::MAX);
        let longest = longest.min(length.checked_div(times).unwrap_or(0));
        // The newest call is one of each round.
        let newest = self.forms.get(form).and_then(|known| Some(known.at_most(*known.calls.back()?)));
        if newest.is_none_or(|calls| calls < times) {
            return false;
        }
        (1..=longest).any(|period| self.has_period(form, period, period.saturating_mul(times)))
    }

    /// Whether each of the last `span` entries is the one `period` before it, as far as that is in the span.
    fn has_period(&self, form: usize, period: u64, span: u64) -> bool {
        let (Ok(period), Ok(span)) = (usize::try_from(period), usize::try_from(span)) else { return false };
        let Some(known) = self.forms.get(form).map(|form| &form.calls) else { return false };
        let end = known.len();
        let at = |back: usize| end.checked_sub(back).and_then(|place| known.get(place));
        (1..=span.saturating_sub(period)).all(|back| at(back) == at(back.saturating_add(period)))
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

/// The latest errors of tools that were given up, each with its step. The newest is last.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(VecDeque<(Mistake, u64)>);

impl Mistakes {
    pub(crate) fn push(&mut self, mistake: Mistake, step: u64) {
        push(&mut self.0, (mistake, step));
    }

    /// Whether the newest was made `count` times in the latest `steps` steps.
    pub(crate) fn repeat(&self, (count, steps): (u64, u64)) -> bool {
        recent(self.0.iter(), steps, |(_, step)| *step, |one, other| one.0 == other.0) >= count
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.0.len() as u64);
        for (mistake, step) in &self.0 {
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
        (entries.len() <= LONGEST && is_sorted && is_past).then(|| Self(entries.into()))
    }
}

#[cfg(test)]
mod tests {
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
        // Of another group: the oldest of the others has gone.
        calls.push(&[2], 0);
        assert!(!calls.same_call(0, 2, 1));
        assert_eq!((calls.forms[0].at_most(1), calls.forms[0].at_most(2)), (255, 1));
        calls.push(&[1], 0);
        assert!(calls.same_call(0, 255, 1) && !calls.same_call(0, 256, 1));
        (0..LONGEST as u64).for_each(|call| calls.push(&[call], 0));
        assert_eq!(calls.forms[0].groups.iter().filter(|count| **count == 1).count(), LONGEST);
        assert_eq!(calls.forms[0].groups.iter().max(), Some(&1));
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
