//! What was spent in a rolling window, in sixty parts.
//!
//! INVARIANT (buckets): what was spent counts for at least the whole window, and for at most a sixtieth and
//! a bit longer: through the sixtieth bucket after its own.

use std::collections::VecDeque;

/// How many buckets a window has.
pub(super) const PARTS: u64 = 60;

/// Amounts by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// How long a bucket is, in nanoseconds.
    width: u64,
    /// An instant of this process's clock and what it was by the one that buckets are numbered by: another,
    /// if the account came from another process.
    pub(super) since: (u64, u64),
    /// The latest bucket that was seen.
    pub(super) newest: u64,
    /// (bucket, amount), ascending.
    pub(super) parts: VecDeque<(u64, u64)>,
    pub(super) sum: u64,
}

impl Buckets {
    pub(crate) fn new(window: u64) -> Self {
        Self { width: window.div_ceil(PARTS).max(1), ..Self::default() }
    }

    /// The clock that buckets are numbered by.
    pub(super) const fn clock(&self, mono: u64) -> u64 {
        mono.saturating_sub(self.since.0).saturating_add(self.since.1)
    }

    /// The bucket of an instant; time does not go back.
    pub(super) fn at(&self, mono: u64) -> u64 {
        self.clock(mono).checked_div(self.width).unwrap_or_default().max(self.newest)
    }

    /// What counts now.
    pub(crate) fn sum(&self, mono: u64) -> u64 {
        let now = self.at(mono);
        let gone = self.parts.iter().take_while(|(bucket, _)| now.saturating_sub(*bucket) > PARTS);
        self.sum.saturating_sub(gone.fold(0, |sum, (_, amount)| sum.saturating_add(*amount)))
    }

    pub(crate) fn add(&mut self, mono: u64, amount: u64) {
        let now = self.at(mono);
        self.newest = now;
        while self.parts.front().is_some_and(|(bucket, _)| now.saturating_sub(*bucket) > PARTS) {
            self.sum = self.sum.saturating_sub(self.parts.pop_front().map_or(0, |(_, amount)| amount));
        }
        self.sum = self.sum.saturating_add(amount);
        match self.parts.back_mut() {
            Some((bucket, known)) if *bucket == now => *known = known.saturating_add(amount),
            _ => self.parts.push_back((now, amount)),
        }
    }

    /// Takes an amount back from its own bucket. What is not there was counted in another one, or no longer
    /// counts: taking it from what others spent would let too much pass, so it ages out.
    pub(super) fn remove(&mut self, bucket: u64, amount: u64) {
        if let Some((_, known)) = self.parts.iter_mut().find(|(number, _)| *number == bucket) {
            let part = amount.min(*known);
            *known = known.saturating_sub(part);
            self.sum = self.sum.saturating_sub(part);
        }
    }
}
