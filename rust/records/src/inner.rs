//! What is behind a log: the batches, the thread that writes them, and what it left undone.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use policy_core::Program;

use crate::batch::{About, Batch};
use crate::file::Output;
use crate::log::{Audit, Trouble};

/// Between two looks of the thread while records come.
const GATHER: Duration = Duration::from_millis(1);
/// Between two tries of the thread where the file takes none.
const AGAIN: Duration = Duration::from_millis(100);
/// After so many looks without a record the thread sleeps until there is one.
const LOOKS: u32 = 10;
/// What a caller is asked to do once it holds no lock.
pub(crate) const FLUSH: u8 = 1;
pub(crate) const THREAD: u8 = 2;
pub(crate) const RELIEVE: u8 = 4;
pub(crate) const TROUBLE: u8 = 8;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) path: Box<Path>,
    pub(crate) audit: Audit,
    pub(crate) state: Mutex<State>,
    /// The thread is wanted.
    pub(crate) wanted: Condvar,
    /// A batch was written.
    pub(crate) written: Condvar,
    pub(crate) attention: AtomicU8,
    /// Records are required, and it is not sure that there is room for those of a next call.
    pub(crate) is_blocked: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) active: Batch,
    /// What writes, and the batch that it has to write; none while somebody does.
    pub(crate) writer: Option<(Output, Batch)>,
    /// As many records of that batch are in the file.
    pub(crate) done: usize,
    pub(crate) has_begun: bool,
    pub(crate) has_thread: bool,
    pub(crate) is_asleep: bool,
    pub(crate) is_closing: bool,
    /// The file took so long that nobody waits for it before it has answered.
    pub(crate) is_stuck: bool,
    pub(crate) lost: u64,
    pub(crate) error: Option<String>,
    pub(crate) untold: Option<Trouble>,
    pub(crate) was_told: bool,
}

impl Inner {
    pub(crate) fn new(path: &Path, audit: Audit) -> Self {
        let state = State {
            active: Batch::new(),
            writer: Some((Output::new(path), Batch::new())),
            done: 0,
            has_begun: false,
            has_thread: false,
            is_asleep: false,
            is_closing: false,
            is_stuck: false,
            lost: 0,
            error: None,
            untold: None,
            was_told: false,
        };
        Self {
            path: path.into(),
            audit,
            state: Mutex::new(state),
            wanted: Condvar::new(),
            written: Condvar::new(),
            attention: AtomicU8::new(0),
            is_blocked: AtomicBool::new(audit == Audit::Required),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ask(&self, what: u8) {
        self.attention.fetch_or(what, Ordering::Relaxed);
    }

    /// Has something said, once.
    pub(crate) fn tell(&self, state: &mut State, text: String) {
        if !state.was_told {
            state.was_told = true;
            state.untold = Some(Trouble(text));
            self.ask(TROUBLE);
        }
    }

    /// Counts a record that can't be kept.
    #[cold]
    pub(crate) fn miss(&self, state: &mut State, wall: u64, why: &'static str) {
        state.active.miss(wall, why);
        state.lost = state.lost.saturating_add(1);
        self.tell(state, format!("records are missing in {}: {why}", self.path.display()));
    }

    /// Starts the thread if there is none; `false` if there can't be one.
    pub(crate) fn start(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if state.has_thread {
            return true;
        }
        let inner = Arc::clone(self);
        let begun = thread::Builder::new().name("checkrein-log".to_owned()).spawn(move || inner.work());
        (state.has_thread, state.is_closing) = (begun.is_ok(), false);
        begun.is_ok()
    }

    /// The thread: writes what comes, and sleeps while nothing does.
    fn work(&self) {
        let mut looks = 0_u32;
        loop {
            let mut state = self.lock();
            let is_left = state.writer.as_ref().is_some_and(|(_, batch)| !batch.records.is_empty());
            if state.active.records.is_empty() && (state.is_closing || !is_left) {
                if state.is_closing {
                    state.has_thread = false;
                    return;
                }
                looks = looks.saturating_add(1);
                if looks > LOOKS {
                    state.is_asleep = true;
                    while state.is_asleep {
                        state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
                        state.is_asleep &= !state.is_closing;
                    }
                } else {
                    drop(self.wanted.wait_timeout(state, GATHER).unwrap_or_else(PoisonError::into_inner));
                }
                continue;
            }
            looks = 0;
            let is_failing = state.error.is_some();
            drop(state);
            self.drain(None);
            if is_failing && self.audit == Audit::Required {
                // Tried again by every call; besides, now and then.
                let state = self.lock();
                drop(self.wanted.wait_timeout(state, AGAIN).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Writes all records that are kept now, or has them written; `false` if that took longer than
    /// `patience`.
    pub(crate) fn drain(&self, patience: Option<Duration>) -> bool {
        let mut state = self.lock();
        let (mut output, mut batch) = loop {
            if let Some(writer) = state.writer.take() {
                break writer;
            }
            state = match patience {
                None => self.written.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let waited = self.written.wait_timeout(state, time);
                    let (state, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
                    if outcome.timed_out() && state.writer.is_none() {
                        return false;
                    }
                    state
                }
            };
        };
        // What was not written before comes first; only then are the batches changed over.
        if !batch.records.is_empty() {
            state = self.turn(state, &mut output, &mut batch);
        }
        if batch.records.is_empty() {
            std::mem::swap(&mut batch, &mut state.active);
            if !batch.records.is_empty() || output.misses() {
                state = self.turn(state, &mut output, &mut batch);
            }
        }
        state.writer = Some((output, batch));
        state.is_stuck = false;
        let is_uncertain = !state.has_begun || state.error.is_some() || state.active.is_crowded();
        let is_blocked = (is_uncertain || state.lost > 0) && self.audit == Audit::Required;
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
        drop(state);
        self.written.notify_all();
        true
    }

    /// Before the first record: finds out whether the file can be written.
    pub(crate) fn begin(&self, program: Option<&Arc<Program>>) {
        let mut state = self.lock();
        if state.has_begun {
            return;
        }
        let Some((mut output, batch)) = state.writer.take() else { return };
        drop(state);
        let begun = output.begin(program);
        let mut state = self.lock();
        state.error = begun.err().map(|error| error.to_string());
        state.writer = Some((output, batch));
        drop(state);
        self.written.notify_all();
    }

    /// Writes a batch while the lock is not held; what is left of it are records that have to be tried again.
    fn turn<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        output: &mut Output,
        batch: &mut Batch,
    ) -> MutexGuard<'a, State> {
        let done = state.done;
        drop(state);
        let (done, lost, error) = self.write(output, batch, done);
        let is_whole = done >= batch.records.len();
        if is_whole {
            batch.clear();
        }
        let mut state = self.lock();
        state.done = if is_whole { 0 } else { done };
        state.lost = state.lost.saturating_add(lost);
        if let Some(error) = &error {
            let text = format!("decisions are not logged to {}: {error}", self.path.display());
            self.tell(&mut state, text);
        }
        state.error = error;
        state
    }

    /// Writes a batch from record `done` on: how many are done then, how many of these were lost, and the
    /// last error.
    fn write(&self, output: &mut Output, batch: &Batch, mut done: usize) -> (usize, u64, Option<String>) {
        let (mut lost, mut error) = (0_u64, None);
        loop {
            let written = catch_unwind(AssertUnwindSafe(|| output.write(batch, done, error.is_some())));
            let (reached, result) = written.unwrap_or_else(|_| {
                output.begin_again();
                (done, Err(io::Error::other("a record could not be written as text; report it as a bug")))
            });
            done = reached;
            if let Err(failed) = result {
                let why = failed.to_string();
                match batch.records.get(done).filter(|_| self.audit == Audit::BestEffort) {
                    Some(record) => {
                        let is_record = !matches!(record.about, About::Gap { .. });
                        lost = lost.saturating_add(u64::from(is_record));
                        output.miss(record, &why);
                        done = done.saturating_add(1);
                        error = Some(why);
                    }
                    None => return (done, lost, Some(why)),
                }
            }
            if done >= batch.records.len() {
                return (done, lost, error);
            }
        }
    }
}
