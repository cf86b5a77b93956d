//! The results that a run can hand back: the latest success of each call, by its exact arguments.

use std::collections::VecDeque;

use crate::fingerprint::Binding;
use crate::order::Changes;

/// How many calls are remembered at most, as many as loops look back on.
const MOST: usize = 256;

/// Calls with the attempt that gave their latest result; the newest is last. Most programs hand nothing back,
/// and their runs ask for no memory.
#[derive(Debug, Default)]
pub(crate) struct Known(Option<Box<Results>>);

type Results = VecDeque<(Binding, Found)>;

/// A result that can be handed back.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) attempt: u64,
    /// The orders that begin anew after a change and in which its tool comes first: how many changes each had
    /// had when the attempt began.
    pub(crate) changes: Vec<(u32, u64)>,
}

impl Found {
    /// Whether nothing has changed since.
    pub(crate) fn is_fresh(&self, changes: &Changes) -> bool {
        self.changes.iter().all(|&(order, made)| changes.settled(order) == Some(made))
    }
}

impl Known {
    /// An attempt at this call has succeeded.
    pub(crate) fn record(&mut self, call: Binding, found: Found) {
        let results = self.0.get_or_insert_default();
        results.retain(|(known, _)| *known != call);
        if results.len() == MOST {
            results.pop_front();
        }
        results.push_back((call, found));
    }

    /// The latest result of this call.
    pub(crate) fn of(&self, call: Binding) -> Option<&Found> {
        self.results().find(|(known, _)| *known == call).map(|(_, found)| found)
    }

    /// All attempts whose results may be handed back.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = u64> {
        self.results().map(|(_, found)| found.attempt)
    }

    fn results(&self) -> impl Iterator<Item = &(Binding, Found)> {
        self.0.iter().flat_map(|results| results.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_result_of_a_call_counts_and_the_oldest_call_is_forgotten() {
        let mut known = Known::default();
        let found = |attempt| Found { attempt, changes: Vec::new() };
        for call in 0..300 {
            known.record(Binding::Call(call), found(call));
            known.record(Binding::Call(44), found(1000 + call));
        }
        let of = |call| known.of(Binding::Call(call)).map(|found| found.attempt);
        assert_eq!(known.attempts().count(), MOST);
        assert_eq!(of(44), Some(1299));
        assert_eq!((of(43), of(45)), (None, Some(45)));
    }
}
