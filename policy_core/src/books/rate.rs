//! How fast an account is used.

use super::link::SECOND;

/// What is taken in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    second: u64,
    now: u64,
    last: u64,
}

impl Rate {
    pub(super) fn add(&mut self, amount: u64, mono: u64) {
        let second = mono / SECOND;
        if second > self.second {
            self.last = if second == self.second.saturating_add(1) { self.now } else { 0 };
            (self.second, self.now) = (second, 0);
        }
        self.now = self.now.saturating_add(amount);
    }

    pub(super) fn get(&self, mono: u64) -> u64 {
        match (mono / SECOND).saturating_sub(self.second) {
            0 => self.now.max(self.last),
            1 => self.now,
            _ => 0,
        }
    }
}
