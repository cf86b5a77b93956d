//! What share of the calls may be retries, so that those who try again don't drown a service in trouble.

use crate::books::Buckets;
use crate::value::MILLION;

/// How many retries a `retry` statement may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShareTerms {
    /// In parts per million of the calls.
    pub(crate) most: u64,
    pub(crate) window_ns: u64,
    /// So many retries pass whatever the share.
    pub(crate) least: u64,
}

/// The calls that a `retry` statement looks at, and the retries that it brought.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    calls: Buckets,
    retries: Buckets,
}

impl Tally {
    pub(super) fn new(terms: &ShareTerms) -> Self {
        Self { calls: Buckets::new(terms.window_ns), retries: Buckets::new(terms.window_ns) }
    }

    pub(super) fn call(&mut self, now: u64) {
        self.calls.add(now, 1);
    }

    pub(super) fn retry(&mut self, now: u64) {
        self.retries.add(now, 1);
    }

    /// Whether one more retry is within the share.
    pub(super) fn has_room(&self, terms: &ShareTerms, now: u64) -> bool {
        let (calls, retries) = (self.calls.sum(now), self.retries.sum(now));
        retries < terms.least || retries.saturating_mul(MILLION) < calls.saturating_mul(terms.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_below_the_share_or_the_least() {
        let terms = ShareTerms { most: 200_000, window_ns: 600, least: 2 };
        let mut tally = Tally::new(&terms);
        (0..9).for_each(|_| tally.call(0));
        (0..2).for_each(|_| tally.retry(0));
        assert!(!tally.has_room(&terms, 0), "two are the least, and a fifth of nine is 1.8");
        (0..2).for_each(|_| tally.call(0));
        assert!(tally.has_room(&terms, 0), "two are below a fifth of eleven");
        tally.retry(0);
        assert!(!tally.has_room(&terms, 0));
        assert!(tally.has_room(&terms, 700), "what is older than the window does not count");
    }
}
