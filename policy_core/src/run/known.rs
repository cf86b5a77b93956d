//! The results that a run can hand back: the latest success of each call, by its exact arguments.

use std::collections::VecDeque;

use crate::fingerprint::Binding;

/// How many calls are remembered at most, as many as loops look back on.
const MOST: usize = 256;

/// Calls with the attempt that gave their latest result; the newest is last.
#[derive(Debug, Default)]
pub(crate) struct Known {
    results: VecDeque<(Binding, u64)>,
}

impl Known {
    /// An attempt at this call has succeeded.
    pub(crate) fn record(&mut self, call: Binding, attempt: u64) {
        self.results.retain(|(known, _)| *known != call);
        if self.results.len() == MOST {
            self.results.pop_front();
        }
        self.results.push_back((call, attempt));
    }

    /// The attempt with the latest result of this call.
    pub(crate) fn of(&self, call: Binding) -> Option<u64> {
        self.results.iter().find(|(known, _)| *known == call).map(|(_, attempt)| *attempt)
    }

    /// All attempts whose results may be handed back.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = u64> {
        self.results.iter().map(|(_, attempt)| *attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_result_of_a_call_counts_and_the_oldest_call_is_forgotten() {
        let mut known = Known::default();
        for call in 0..300 {
            known.record(Binding::Call(call), call);
            known.record(Binding::Call(44), 1000 + call);
        }
        assert_eq!(known.attempts().count(), MOST);
        assert_eq!(known.of(Binding::Call(44)), Some(1299));
        assert_eq!((known.of(Binding::Call(43)), known.of(Binding::Call(45))), (None, Some(45)));
    }
}
