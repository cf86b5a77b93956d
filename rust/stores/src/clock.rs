//! The only file of this crate that reads a clock or draws a random number.

use std::fs::File;
use std::io::Read;
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use policy_core::Now;

use crate::error::{ErrorKind, StoreError};

/// The host's monotonic clock, carried on by our own: so the books see one clock, whoever asks them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    begin: Instant,
    mono: u64,
}

impl Clock {
    /// `mono` is what the host's monotonic clock shows now.
    pub(crate) fn from(mono: u64) -> Self {
        Self { begin: instant(), mono }
    }

    /// Both clocks, now.
    pub(crate) fn now(self) -> Now {
        let passed = u64::try_from(instant().saturating_duration_since(self.begin).as_nanos());
        Now { mono: self.mono.saturating_add(passed.unwrap_or(u64::MAX)), wall: wall() }
    }
}

/// Both clocks, for a host without one of its own. The monotonic one begins when it is first read.
#[must_use]
pub fn now() -> Now {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    // Not from 0, so that nothing is ever before it.
    CLOCK.get_or_init(|| Clock::from(1)).now()
}

/// An instant for timeouts.
#[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the monotonic clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Nanoseconds since the Unix epoch, UTC; 0 if the machine believes that it is earlier.
#[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the wall clock")]
pub(crate) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Does nothing for a while: between two attempts to get what somebody else holds.
pub(crate) fn pause(time: Duration) {
    let nothing = Mutex::new(());
    if let Ok(guard) = nothing.lock() {
        let _ = Condvar::new().wait_timeout(guard, time);
    }
}

/// A pause that differs from process to process, so that two that collided do not collide again.
#[cfg(any(feature = "sqlite", feature = "redis"))]
pub(crate) fn jitter(most: Duration) -> Duration {
    let draw = random_u64().unwrap_or_else(|_| u64::from(std::process::id())) % 1024;
    most.saturating_mul(u32::try_from(draw).unwrap_or(0)).checked_div(1024).unwrap_or_default()
}

/// 128 random bits, never 0: who an incarnation of a process is.
pub(crate) fn random_u128() -> Result<u128, StoreError> {
    let mut bytes = [0_u8; 16];
    fill(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes).max(1))
}

/// 64 random bits, never 0.
pub(crate) fn random_u64() -> Result<u64, StoreError> {
    let mut bytes = [0_u8; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

fn fill(bytes: &mut [u8]) -> Result<(), StoreError> {
    let source = "/dev/urandom";
    File::open(source).and_then(|mut file| file.read_exact(bytes)).map_err(|error| {
        let text = format!("{source}: {error}; a ledger needs random numbers, is /dev mounted?");
        StoreError::new(ErrorKind::Unsupported, text)
    })
}
