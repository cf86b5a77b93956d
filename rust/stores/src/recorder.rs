//! The records on their way to the store: in memory, and in a journal if they must outlive this process.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::journal::{Journal, Orphan, lock};
use crate::record::Record;

/// As many records as wait in memory at most, if there is no journal.
const MOST_WAITING: usize = 1 << 16;
/// As many records as are appended at once.
pub(crate) const GROUP: usize = 512;

/// The records of one incarnation.
#[derive(Debug)]
pub(crate) struct Recorder {
    origin: u128,
    durable: bool,
    queue: Mutex<Queue>,
    ready: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    last: u64,
    waiting: VecDeque<(u64, Record, usize)>,
    journal: Option<Journal>,
    broken: Option<StoreError>,
    lost: u64,
    bytes: Vec<u8>,
}

impl Recorder {
    /// Records that die with the process.
    pub(crate) fn new(origin: u128) -> Self {
        Self { origin, durable: false, queue: Mutex::default(), ready: AtomicBool::new(true) }
    }

    /// Records that outlive the process, in a journal in `folder`.
    pub(crate) fn durable(origin: u128, folder: &Path) -> Self {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let journal = made
            .map_err(|error| StoreError::file(folder, &error))
            .and_then(|()| Journal::create(folder, origin));
        let (journal, broken) = match journal {
            Ok(journal) => (Some(journal), None),
            Err(error) => (None, Some(error)),
        };
        let ready = AtomicBool::new(broken.is_none());
        Self {
            origin,
            durable: true,
            queue: Mutex::new(Queue { journal, broken, ..Queue::default() }),
            ready,
        }
    }

    /// Who writes.
    pub(crate) fn origin(&self) -> u128 {
        self.origin
    }

    /// Keeps a record; `true` if it is the first to wait. A durable one is in the journal when this returns.
    pub(crate) fn push(&self, record: Record) -> Result<bool, StoreError> {
        let mut queue = self.queue();
        let Queue { last, waiting, journal, broken, lost, bytes } = &mut *queue;
        if let Some(error) = broken {
            *lost = lost.saturating_add(1);
            return Err(error.clone());
        }
        let number = last.saturating_add(1);
        let mut end = 0;
        if let Some(journal) = journal {
            bytes.clear();
            record.encode(bytes);
            end = journal.push(number, bytes).inspect_err(|_| *lost = lost.saturating_add(1))?;
            self.ready.store(journal.has_room(), Ordering::Relaxed);
        } else if waiting.len() >= MOST_WAITING {
            *lost = lost.saturating_add(1);
            return Ok(false);
        }
        *last = number;
        waiting.push_back((number, record, end));
        Ok(waiting.len() == 1)
    }

    /// May a call begin whose record must be kept?
    pub(crate) fn ready(&self) -> Result<(), StoreError> {
        if self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let queue = self.queue();
        match (&queue.broken, &queue.journal) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(journal)) if self.durable && !journal.has_room() => Err(journal.full()),
            _ => Ok(()),
        }
    }

    /// The oldest records that wait.
    pub(crate) fn group(&self) -> Vec<(u64, Record)> {
        let queue = self.queue();
        queue.waiting.iter().take(GROUP).map(|(number, record, _)| (*number, record.clone())).collect()
    }

    /// Everything up to `number` is in the store.
    pub(crate) fn drained(&self, number: u64) {
        let mut queue = self.queue();
        let mut end = 0;
        while queue.waiting.front().is_some_and(|(first, _, _)| *first <= number) {
            end = queue.waiting.pop_front().map_or(end, |(_, _, end)| end);
        }
        if let Some(journal) = &mut queue.journal {
            journal.drained(number, end);
            self.ready.store(journal.has_room(), Ordering::Relaxed);
        }
    }

    /// How many records wait, how many were lost, and the number of the last.
    pub(crate) fn figures(&self) -> (u64, u64, u64) {
        let queue = self.queue();
        (u64::try_from(queue.waiting.len()).unwrap_or(u64::MAX), queue.lost, queue.last)
    }

    /// The number of the oldest record that waits.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.queue().waiting.front().map(|(number, _, _)| *number)
    }

    /// Counts records that could not be read any more.
    pub(crate) fn count_lost(&self, more: u64) {
        let mut queue = self.queue();
        queue.lost = queue.lost.saturating_add(more);
    }

    /// The end of the incarnation: a journal without records goes.
    pub(crate) fn end(&self) {
        let mut queue = self.queue();
        if queue.waiting.is_empty()
            && let Some(journal) = queue.journal.take()
        {
            journal.remove();
        }
    }

    /// In a forked child: the journal is the parent's. Lets it go without touching what is in it.
    pub(crate) fn abandon(&self) {
        if let Ok(mut queue) = self.queue.try_lock() {
            queue.journal = None;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journals of dead processes in `folder`, each opened when it is asked for.
pub(crate) fn orphans(folder: &Path) -> impl Iterator<Item = Result<Orphan, StoreError>> + use<> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort_unstable();
    for path in &paths {
        // A process died while it made its journal.
        if has_extension(path, "new") && fs::File::open(path).is_ok_and(|file| lock(&file)) {
            let _ = fs::remove_file(path);
        }
    }
    let journals = paths.into_iter().filter(|path| has_extension(path, "journal"));
    journals.filter_map(|path| Orphan::open(&path).transpose())
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let recorder = Recorder::new(1);
        for number in 0..MOST_WAITING {
            assert_eq!(recorder.push(record()), Ok(number == 0));
        }
        let most = u64::try_from(MOST_WAITING).unwrap_or(0);
        assert_eq!(recorder.figures(), (most, 0, most));
        assert_eq!(recorder.push(record()), Ok(false));
        assert_eq!(recorder.figures(), (most, 1, most), "the new one is lost, and counted");
        let group = recorder.group();
        recorder.drained(group.last().map_or(0, |(last, _)| *last));
        assert_eq!(recorder.push(record()), Ok(false), "there is room again");
        let left = most - u64::try_from(group.len()).unwrap_or(0) + 1;
        assert_eq!(recorder.figures(), (left, 1, most + 1));
    }

    #[test]
    fn a_record_that_is_refused_is_counted() {
        // Nobody can make a folder there.
        let recorder = Recorder::durable(1, Path::new("/dev/null/records"));
        assert!(recorder.ready().is_err() && recorder.push(record()).is_err());
        assert_eq!(recorder.figures(), (0, 1, 0));
    }

    #[test]
    fn a_record_that_a_full_journal_refuses_is_counted() {
        let folder = std::env::temp_dir().join(format!("checkrein-full-{}", std::process::id()));
        let recorder = Recorder::durable(1, &folder);
        let mut kept = 0;
        while recorder.push(record()).is_ok() {
            kept += 1;
        }
        assert_eq!(recorder.figures(), (kept, 1, kept));
        assert!(recorder.push(record()).is_err());
        assert_eq!(recorder.figures(), (kept, 2, kept));
        let _ = fs::remove_dir_all(&folder);
    }
}
