//! Randomness that is the same for the same seed, on every machine.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: u64,
    count: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.count += 1;
        xxh3_64_with_seed(&self.count.to_le_bytes(), self.seed)
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.below(1000) < in_a_thousand
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let place = self.below(choices.len() as u64) as usize;
        choices[place]
    }
}
