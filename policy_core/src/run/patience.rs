//! Patience: a call that only holds in flight or the store are in the way of waits for them, for so long.

use std::mem;

use super::accounts::Obstacles;
use super::question::{Objection, Question, Ruling};
use crate::decision::BuiltIn;

/// How long to wait for holds and for the store, and how long a call may wait for either without a
/// break, in nanoseconds.
pub(crate) const HOLDS_WAIT: u64 = 50_000_000;
pub(crate) const LEASE_WAIT: u64 = 5_000_000;
const MOST_WAIT: u64 = 60_000_000_000;

impl Question<'_> {
    /// Patience until the store has said how the limits stand that conditions read.
    #[inline]
    pub(crate) fn wait_for_word(&self) -> Ruling {
        if self.program.index.shared.is_empty() { Ok(()) } else { self.wait_to_hear() }
    }

    #[cold]
    fn wait_to_hear(&self) -> Ruling {
        let needs = self.run.unheard(self.books);
        let mut obstacles = Obstacles { lease: !needs.is_empty(), needs, ..Obstacles::default() };
        self.wait(&mut obstacles)
    }

    /// Patience, if that is what the obstacles need and the call still may have it.
    pub(crate) fn wait(&self, obstacles: &mut Obstacles) -> Ruling {
        let (reason, delay) = match (obstacles.lease, obstacles.holds) {
            (true, _) => (BuiltIn::Lease, LEASE_WAIT),
            (false, true) => (BuiltIn::Holds, HOLDS_WAIT),
            (false, false) => return Ok(()),
        };
        let now = self.run.age.now();
        let waited = now.saturating_sub(self.call.waiting.unwrap_or(now));
        let may_wait = waited.saturating_add(delay) <= MOST_WAIT && self.run.fits_time(delay);
        if !may_wait {
            return Ok(());
        }
        Err(Box::new(Objection::Wait(reason, mem::take(&mut obstacles.needs))))
    }
}
