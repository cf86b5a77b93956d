//! What an attempt has produced. A token loop may count without the run's lock: on a meter, which the run
//! shares with it until the attempt is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Run, Subject};
use crate::error::EngineError;

/// Added to what was counted: nobody counts on the meter any more, or not yet.
const CLOSED: u64 = 1 << 63;
const MOST: u64 = CLOSED - 1;

/// The tokens of one attempt, counted by several threads without a lock. It closes when its attempt is over,
/// however that came about; then it may serve another one.
#[derive(Debug)]
pub struct Meter {
    counted: AtomicU64,
    cap: AtomicU64,
    tag: u32,
}

impl Meter {
    /// A meter of no attempt yet. The host finds it again by the tag.
    #[must_use]
    pub const fn new(tag: u32) -> Self {
        Self { counted: AtomicU64::new(CLOSED), cap: AtomicU64::new(0), tag }
    }

    /// What it was made with.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// Whether its attempt is not over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.counted.load(Ordering::Acquire) < CLOSED
    }

    /// The attempt has produced this many tokens more. Gives how many it may still produce, or nothing once
    /// the attempt is over: then they are not counted.
    #[must_use]
    pub fn count(&self, tokens: u64) -> Option<u64> {
        let add = |counted: u64| (counted < CLOSED).then(|| sum(counted, tokens));
        let before = self.counted.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).ok()?;
        Some(self.cap.load(Ordering::Relaxed).saturating_sub(sum(before, tokens)))
    }

    /// Serves an attempt from now on, unless it serves one.
    fn open(&self, counted: u64, cap: u64) -> bool {
        let closed = self.counted.load(Ordering::Acquire);
        if closed < CLOSED {
            return false;
        }
        self.cap.store(cap, Ordering::Relaxed);
        let opened = self.counted.compare_exchange(closed, counted, Ordering::AcqRel, Ordering::Acquire);
        opened.is_ok()
    }

    /// Gives what was counted in the end.
    fn close(&self) -> u64 {
        self.counted.fetch_or(CLOSED, Ordering::AcqRel) & !CLOSED
    }
}

/// Both together; more than anybody counts leaves the sign of a closed meter alone.
fn sum(counted: u64, tokens: u64) -> u64 {
    counted.saturating_add(tokens).min(MOST)
}

/// What one attempt has produced so far.
#[derive(Debug, Default)]
pub(crate) struct Produced {
    tokens: u64,
    /// While somebody counts on one, it counts and `tokens` does not.
    meter: Option<Arc<Meter>>,
}

impl Produced {
    pub(crate) fn new(tokens: u64) -> Self {
        Self { tokens: tokens.min(MOST), meter: None }
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.meter.as_ref().map_or(self.tokens, |meter| meter.counted.load(Ordering::Acquire) & !CLOSED)
    }

    /// Adds to it; gives all of them.
    pub(crate) fn add(&mut self, tokens: u64) -> u64 {
        if let Some(meter) = &self.meter {
            // Only this closes the meter, so it is open.
            let _left = meter.count(tokens);
            return self.tokens();
        }
        self.tokens = sum(self.tokens, tokens);
        self.tokens
    }

    /// Nobody counts on a meter any more.
    pub(crate) fn close(&mut self) {
        if let Some(meter) = self.meter.take() {
            self.tokens = meter.close();
        }
    }
}

impl Drop for Produced {
    fn drop(&mut self) {
        self.close();
    }
}

impl Run {
    /// The meter that the tokens of an open attempt of a model are counted on from now on: `spare`, or the
    /// one that it has already.
    ///
    /// # Errors
    /// [`EngineError`] if the attempt is unknown, settled or a tool's, if the run is suspended, and if
    /// `spare` serves another attempt.
    pub fn metered(&mut self, attempt: u64, spare: Arc<Meter>) -> Result<Arc<Meter>, EngineError> {
        self.is_here()?;
        let place = self.place(attempt)?;
        let known = self.attempts.get_mut(place).ok_or(EngineError::UnknownAttempt(attempt))?;
        if !matches!(known.reserved.subject, Subject::Model(_)) {
            return Err(NO_TOKENS);
        }
        if known.settled.is_some() {
            return Err(EngineError::AlreadySettled(attempt));
        }
        if let Some(meter) = &known.produced.meter {
            return Ok(Arc::clone(meter));
        }
        if !spare.open(known.produced.tokens, known.cap) {
            return Err(EngineError::BadValue("the meter serves another attempt; pass a new one"));
        }
        known.produced.meter = Some(Arc::clone(&spare));
        Ok(spare)
    }
}

/// Only models produce tokens.
pub(super) const NO_TOKENS: EngineError =
    EngineError::BadValue("a tool's attempt has no tokens; count those of models only");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_counts_while_its_attempt_is_open() {
        let meter = Arc::new(Meter::new(7));
        assert_eq!((meter.tag(), meter.is_open(), meter.count(1)), (7, false, None));
        let mut produced = Produced::new(2);
        assert!(meter.open(produced.tokens, 10) && !meter.open(0, 99), "one attempt at a time");
        produced.meter = Some(Arc::clone(&meter));
        assert_eq!((meter.count(3), meter.count(0), produced.add(4)), (Some(5), Some(5), 9));
        assert_eq!((meter.count(1), meter.count(1)), (Some(0), Some(0)), "what is above the cap counts too");
        produced.close();
        assert_eq!((produced.tokens(), meter.count(1), produced.add(1)), (11, None, 12));
        assert!(meter.open(0, 1), "it serves another one");
        assert_eq!(meter.count(u64::MAX), Some(0));
        assert_eq!(meter.close(), MOST);
    }

    #[test]
    fn a_meter_closes_with_what_it_counts_for() {
        let meter = Arc::new(Meter::new(0));
        assert!(meter.open(0, 1));
        drop(Produced { tokens: 0, meter: Some(Arc::clone(&meter)) });
        assert_eq!(meter.count(1), None);
    }
}
