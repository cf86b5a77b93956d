//! How often this process was forked off: what a run, and a log, know their own process by.
//!
//! Asking the system for the process at each event costs as much as the decision. So whoever can be told of
//! forks (Python's `os.register_at_fork`, or `pthread_atfork`) says so here, in the child.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// This process has just been forked off: the runs that it has are copies, and refuse,
/// and what other threads held then is held for ever.
pub fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// What is another number in a fork.
#[must_use]
pub fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}
