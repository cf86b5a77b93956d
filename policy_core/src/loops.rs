//! Loop detection over a ring of logical tool calls: the same call again and again, and cycles of calls.

use std::collections::VecDeque;

use crate::code::{Reader, Writer};
use crate::program::Loop;

/// How many calls are remembered at most.
const LONGEST: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Entry {
    fingerprint: u64,
    step: u64,
}

/// The latest logical tool calls, denied ones included, re-asks not. The newest is last.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    entries: VecDeque<Entry>,
}

impl Ring {
    /// Remembers a call that was asked when `step` logical model calls had begun.
    pub(crate) fn push(&mut self, fingerprint: u64, step: u64) {
        if self.entries.len() == LONGEST {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { fingerprint, step });
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.entries.len() as u64);
        for entry in &self.entries {
            writer.number(entry.fingerprint);
            writer.number(entry.step);
        }
    }

    /// What was written, of a run with so many steps.
    pub(crate) fn read(reader: &mut Reader<'_>, steps: u64) -> Option<Self> {
        let read =
            |reader: &mut Reader<'_>| Some(Entry { fingerprint: reader.number()?, step: reader.number()? });
        let entries = reader.list(read)?;
        let is_sorted = entries.is_sorted_by_key(|entry| entry.step);
        let is_past = entries.last().is_none_or(|newest| newest.step <= steps);
        (entries.len() <= LONGEST && is_sorted && is_past).then(|| Self { entries: entries.into() })
    }

    /// Whether the newest call makes the run go round, in the sense of this statement.
    pub(crate) fn repeats(&self, statement: &Loop) -> bool {
        statement.same_call.is_some_and(|(count, steps)| self.same_call(count, steps))
            || statement.cycle.is_some_and(|(period, times)| self.cycle(period, times))
    }

    fn same_call(&self, count: u64, steps: u64) -> bool {
        let Some(newest) = self.entries.back() else { return false };
        let recent = |entry: &&Entry| entry.step.saturating_add(steps) > newest.step;
        let same = |entry: &&Entry| entry.fingerprint == newest.fingerprint;
        // Steps never decrease along the ring, so the recent entries are its end.
        let found = self.entries.iter().rev().take_while(recent).filter(same).count();
        u64::try_from(found).unwrap_or(u64::MAX) >= count
    }

    fn cycle(&self, longest: u64, times: u64) -> bool {
        let length = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let longest = longest.min(length.checked_div(times).unwrap_or(0));
        (1..=longest).any(|period| self.has_period(period, period.saturating_mul(times)))
    }

    /// Whether each of the last `span` entries is the one `period` before it, as far as that is in the span.
    fn has_period(&self, period: u64, span: u64) -> bool {
        let (Ok(period), Ok(span)) = (usize::try_from(period), usize::try_from(span)) else { return false };
        let newest_first = || self.entries.iter().rev().take(span);
        let shifted = newest_first().skip(period);
        newest_first().zip(shifted).all(|(later, earlier)| later.fingerprint == earlier.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(calls: &[(u64, u64)]) -> Ring {
        let mut ring = Ring::default();
        for &(fingerprint, step) in calls {
            ring.push(fingerprint, step);
        }
        ring
    }

    #[test]
    fn the_same_call_counts_within_its_steps() {
        let calls = ring(&[(1, 1), (1, 2), (2, 3), (1, 3)]);
        assert!(calls.same_call(3, 3));
        assert!(!calls.same_call(3, 2));
        assert!(calls.same_call(2, 2));
        assert!(!calls.same_call(4, 100));
    }

    #[test]
    fn cycles_are_found_at_the_end_of_the_ring() {
        let calls = ring(&[(9, 1), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)]);
        assert!(calls.cycle(2, 3));
        assert!(calls.cycle(4, 3));
        assert!(!calls.cycle(1, 3));
        assert!(!calls.cycle(2, 4));
        assert!(!ring(&[(1, 1), (2, 1), (1, 1)]).cycle(2, 2));
        assert!(ring(&[(1, 1), (1, 1), (1, 1)]).cycle(1, 3));
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut calls = Ring::default();
        for _ in 0..LONGEST + 10 {
            calls.push(1, 0);
        }
        assert_eq!(calls.entries.len(), LONGEST);
        assert!(calls.same_call(256, 1));
        assert!(!calls.same_call(257, 1));
    }
}
