//! The log that runs share: where records wait, who writes them, and what becomes of those that can't be.
//!
//! There are two batches: one takes records, the other is written by whoever has it, the thread or a caller
//! that flushes. So a record waits for no file, and an order of two records of one run is the order of their
//! events. The lock is held to copy a record in, or to change the batches over.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use policy_core::Program;

use crate::batch::{About, Batch, Record, Room, Span};
use crate::forks::forks;
use crate::head::Head;
use crate::inner::{FLUSH, Inner, RELIEVE, THREAD, TROUBLE};

/// As long as a call waits for the file where there is no room, before records are left out.
const PATIENCE: Duration = Duration::from_millis(50);
/// The same where every record is required.
const REQUIRED_PATIENCE: Duration = Duration::from_secs(5);

/// Why a record can't be kept.
const TOO_LONG: &str = "a record is longer than 4 GiB";
const TOO_SLOW: &str = "the file takes none for so long that there is no room for more";

/// What holds when a record can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Calls go on. The log says how many records are missing.
    BestEffort,
    /// No further call is let through.
    Required,
}

/// Why records are not, or not yet, in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble(pub String);

/// A log. After a fork it is another one with the same file, which what waited in the parent is not in.
#[derive(Debug)]
pub struct Log {
    inner: Arc<Inner>,
    forks: u64,
    child: OnceLock<Box<Log>>,
}

impl Log {
    /// A log in a file, which is opened when there is something to write.
    #[must_use]
    pub fn new(path: &Path, audit: Audit) -> Self {
        let inner = Arc::new(Inner::new(path, audit));
        Self { inner, forks: forks(), child: OnceLock::new() }
    }

    /// That of this process: a lock of a parent's is never touched.
    fn current(&self) -> &Arc<Inner> {
        if self.forks == forks() {
            return &self.inner;
        }
        self.child.get_or_init(|| Box::new(Self::new(&self.inner.path, self.inner.audit))).current()
    }

    /// Keeps a line that was made elsewhere, without its end.
    pub fn line(&self, line: &str, program: Option<&Arc<Program>>) {
        let head = program.map(|program| Arc::new(Head::of(Arc::clone(program))));
        self.push(0, (0, line.len()), |batch| {
            let head = head.map(|head| batch.head(&head, &mut None));
            let text = batch.text(line);
            let none = Span::default();
            batch.add(|| Record { about: About::Line, wall: 0, head, text, before: none, after: none });
        });
    }

    /// Keeps a record, which `put` adds, with so many readings and bytes of text.
    pub(crate) fn push(&self, wall: u64, (stands, text): (usize, usize), put: impl FnOnce(&mut Batch)) {
        let inner = self.current();
        let mut state = inner.lock();
        let room = state.active.room(stands, text);
        match room {
            Room::Never => inner.miss(&mut state, wall, TOO_LONG),
            Room::None if inner.audit == Audit::BestEffort => inner.miss(&mut state, wall, TOO_SLOW),
            Room::Ample | Room::Scarce | Room::None => put(&mut state.active),
        }
        if !state.has_begun {
            state.has_begun = true;
            inner.ask(FLUSH); // a file that can't be written is said at once
        } else if !state.has_thread {
            inner.ask(THREAD);
        }
        if room != Room::Ample {
            inner.is_blocked.store(inner.audit == Audit::Required, Ordering::Relaxed);
            if !state.is_stuck {
                inner.ask(RELIEVE);
            }
        }
        let is_asleep = std::mem::take(&mut state.is_asleep);
        drop(state);
        if is_asleep {
            inner.wanted.notify_one();
        }
    }

    /// Whether [`Log::attend`] has something to do.
    #[must_use]
    pub fn wants_attention(&self) -> bool {
        self.current().attention.load(Ordering::Relaxed) != 0
    }

    /// Does what records have to be followed by, where it may take a while: starts the thread, makes room.
    /// Gives what has to be said about records that are lost, once.
    pub fn attend(&self) -> Option<Trouble> {
        let inner = self.current();
        let wanted = inner.attention.swap(0, Ordering::Relaxed);
        if wanted & FLUSH != 0 || (wanted & THREAD != 0 && !inner.start()) {
            inner.drain(None);
        }
        if wanted & RELIEVE != 0 && !inner.drain(Some(PATIENCE)) {
            inner.lock().is_stuck = true;
        }
        inner.attention.fetch_and(!TROUBLE, Ordering::Relaxed);
        inner.lock().untold.take()
    }

    /// Whether [`Log::ready`] has something to look at.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.current().is_blocked.load(Ordering::Relaxed)
    }

    /// Whether a call under this program may begin whose records are required.
    ///
    /// # Errors
    /// What keeps earlier records, or a first one, from the file.
    pub fn ready(&self, program: Option<&Arc<Program>>) -> Result<(), Trouble> {
        let inner = self.current();
        if !self.is_blocked() {
            return Ok(());
        }
        let is_drained = inner.drain(Some(REQUIRED_PATIENCE));
        inner.begin(program);
        let state = inner.lock();
        let text = match &state.error {
            None if state.lost > 0 => TOO_LONG.to_owned(),
            None if is_drained && !state.active.is_crowded() => return Ok(()),
            None => "it takes too long to be written".to_owned(),
            Some(error) => error.clone(),
        };
        let path = inner.path.display();
        Err(Trouble(format!(
            "decisions are not logged to {path}: {text}; every record is required here, so no call is let \
             through until the file can be written"
        )))
    }

    /// Writes what was kept before this is called.
    ///
    /// # Errors
    /// Why records still wait; only where they are required.
    pub fn flush(&self) -> Result<(), Trouble> {
        let inner = self.current();
        inner.drain(None);
        let state = inner.lock();
        match &state.error {
            Some(error) if inner.audit == Audit::Required => {
                Err(Trouble(format!("decisions are not logged to {}: {error}", inner.path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Writes what is kept, and closes the file and the thread; a later record opens them again.
    pub fn close(&self) {
        let inner = self.current();
        inner.drain(None);
        let mut state = inner.lock();
        if let Some((output, _)) = &mut state.writer {
            output.close();
        }
        state.is_closing = state.has_thread;
        state.is_asleep = false;
        drop(state);
        inner.wanted.notify_one();
    }

    /// How many records were lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let inner = self.current();
        inner.drain(None);
        let state = inner.lock();
        state.lost
    }

    /// Where the log is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // In a child the parent's log is let go without a look at it.
        if self.forks == forks() {
            self.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spans_do_not_reach_is_a_gap_and_never_cut() {
        for audit in [Audit::BestEffort, Audit::Required] {
            let name = format!("checkrein-spans-{}-{audit:?}.jsonl", std::process::id());
            let path = std::env::temp_dir().join(name);
            let log = Log::new(&path, audit);
            let most = u32::MAX as usize;
            let mut kept = [false; 2];
            log.push(0, (0, most), |_| kept[0] = true);
            log.push(0, (0, most.saturating_add(1)), |_| kept[1] = true);
            assert_eq!((kept, log.lost()), ([true, false], 1), "{audit:?}");
            let said = log.attend().map(|trouble| trouble.0).unwrap_or_default();
            assert!(said.ends_with(TOO_LONG), "{said}");
            let ready = log.ready(None).map_err(|trouble| trouble.0.contains(TOO_LONG));
            assert_eq!(ready, if audit == Audit::Required { Err(true) } else { Ok(()) });
            log.push(0, (0, 0), |_| kept[1] = true);
            assert!(kept[1], "those behind it are kept");
            drop(log);
            let told = std::fs::read_to_string(&path).expect("a log with a gap");
            assert!(told.contains(&format!("\"lost\":1,\"why\":\"{TOO_LONG}\"")), "{told}");
            std::fs::remove_file(path).expect("a log with a gap");
        }
    }
}
