//! A file in memory that keeps records through the death of its process, until they are in the store. What is
//! written is in the kernel's hands at once; only a power cut can lose what was not drained.
//!
//! A page of header, then a ring of frames: check, number, length, bytes, padded to 8. The check covers the
//! origin, the number and the bytes, and is stored last. A frame counts if its check is right and its number
//! is above the last drained one: what an earlier lap or a torn write left behind never is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use memmap2::MmapMut;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{ErrorKind, StoreError};
use crate::record::Record;

const MAGIC: [u8; 8] = *b"CRJRNL01";
const HEADER: usize = 4096;
const ORIGIN_AT: usize = 8;
const DRAINED_AT: usize = 24;
/// Check, number and length of a frame.
const FRAME: usize = 24;
/// As many bytes as wait for the store at most.
const RING: usize = 4 << 20;
/// With less room than this no new call is admitted, so that those in flight can still be settled.
const RESERVE: usize = RING / 4;

/// The journal of this process.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    map: MmapMut,
    // Holds the lock that says that this process lives.
    _file: File,
    origin: u128,
    /// Where the next frame goes and where the oldest that is not drained begins, in bytes ever written.
    head: usize,
    tail: usize,
}

impl Journal {
    /// A new journal in `folder`, which is there.
    pub(crate) fn create(folder: &Path, origin: u128) -> Result<Self, StoreError> {
        let path = folder.join(format!("{origin:032x}.journal"));
        // One that looks for dead processes may take an unfinished journal for theirs.
        let made = make(&path, origin).or_else(|_| make(&path, origin)).or_else(|_| make(&path, origin));
        let (file, map) = made.map_err(|error| StoreError::file(&path, &error))?;
        Ok(Self { path, map, _file: file, origin, head: 0, tail: 0 })
    }

    /// Writes a record; gives where it ends, for [`Journal::drained`].
    pub(crate) fn push(&mut self, number: u64, record: &[u8]) -> Result<usize, StoreError> {
        let size = size_of_frame(record.len());
        let mut begin = self.head;
        let left = RING.saturating_sub(begin.checked_rem(RING).unwrap_or(0));
        if left < size {
            begin = begin.saturating_add(left);
        }
        let end = begin.saturating_add(size);
        if end.saturating_sub(self.tail) > RING {
            return Err(self.full());
        }
        let at = HEADER.saturating_add(begin.checked_rem(RING).unwrap_or(0));
        let frame = self
            .map
            .get_mut(at..)
            .and_then(parts_of_frame)
            .map(|(check, place, length, rest)| (check, place, length, rest.get_mut(..record.len())));
        let Some((check, place, length, Some(rest))) = frame else { return Err(self.full()) };
        // Until the check is right, this is no frame.
        *check = [0; 8];
        *place = number.to_le_bytes();
        *length = u64::try_from(record.len()).unwrap_or(u64::MAX).to_le_bytes();
        rest.copy_from_slice(record);
        fence(Ordering::Release);
        *check = check_of(self.origin, number, record).to_le_bytes();
        self.head = end;
        Ok(end)
    }

    /// Everything up to `number`, which ends at `end`, is in the store.
    pub(crate) fn drained(&mut self, number: u64, end: usize) {
        self.tail = self.tail.max(end);
        if let Some(place) = self.map.get_mut(DRAINED_AT..DRAINED_AT.saturating_add(8)) {
            place.copy_from_slice(&number.to_le_bytes());
        }
    }

    /// Is there room for the calls that may begin now?
    pub(crate) fn has_room(&self) -> bool {
        RING.saturating_sub(self.head.saturating_sub(self.tail)) >= RESERVE
    }

    /// Removes the file: everything in it is in the store.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    pub(crate) fn full(&self) -> StoreError {
        let text = format!(
            "{}: the journal is full, since the store takes no records; look at the store's health",
            self.path.display()
        );
        StoreError::new(ErrorKind::Full, text)
    }
}

/// What a dead process left behind.
#[derive(Debug)]
pub(crate) struct Orphan {
    path: PathBuf,
    // Nobody else drains it meanwhile.
    _file: File,
    /// Who wrote it.
    pub(crate) origin: u128,
    /// What was not drained, ascending by number.
    pub(crate) records: Vec<(u64, Record)>,
    /// How many numbers are missing in between.
    pub(crate) missing: u64,
}

impl Orphan {
    /// Opens the journal at `path`, if its process is dead; `None` if it lives, or if the file went
    /// meanwhile.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::file(path, &error)),
        };
        if !lock(&file) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| StoreError::file(path, &error))?;
        let Some((origin, records, missing)) = salvage(&bytes) else {
            let text = format!("{}: not a journal; remove it if it is of no use", path.display());
            return Err(StoreError::new(ErrorKind::Damaged, text));
        };
        Ok(Some(Self { path: path.to_owned(), _file: file, origin, records, missing }))
    }

    /// Removes the file: everything in it is in the store.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

type Numbered = Vec<(u64, Record)>;

/// Reads whatever can be read: the origin, the records that are not drained, and how many are missing in
/// between.
fn salvage(bytes: &[u8]) -> Option<(u128, Numbered, u64)> {
    let (header, ring) = bytes.split_at_checked(HEADER)?;
    if !header.starts_with(&MAGIC) {
        return None;
    }
    let origin = u128::from_le_bytes(*header.get(ORIGIN_AT..)?.first_chunk()?);
    let drained = u64::from_le_bytes(*header.get(DRAINED_AT..)?.first_chunk()?);
    let mut records = Vec::new();
    let mut rest = ring;
    while let Some((_, next)) = rest.split_first_chunk::<8>() {
        // Most of a young journal was never written.
        if let Some((blank, next)) = rest.split_first_chunk::<HEADER>()
            && *blank == [0; HEADER]
        {
            rest = next;
            continue;
        }
        match frame_of(rest, origin, drained) {
            Some((number, record, size)) => {
                records.push((number, record));
                rest = rest.get(size..)?;
            }
            None => rest = next,
        }
    }
    records.sort_unstable_by_key(|(number, _)| *number);
    let reach = records.last().map_or(0, |(last, _)| last.saturating_sub(drained));
    let missing = reach.saturating_sub(u64::try_from(records.len()).unwrap_or(u64::MAX));
    Some((origin, records, missing))
}

fn frame_of(bytes: &[u8], origin: u128, drained: u64) -> Option<(u64, Record, usize)> {
    let (check, rest) = bytes.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (number, length) = (u64::from_le_bytes(*number), u64::from_le_bytes(*length));
    let length = usize::try_from(length).ok().filter(|length| *length <= Record::MOST_BYTES)?;
    let record = rest.get(..length)?;
    if number <= drained || u64::from_le_bytes(*check) != check_of(origin, number, record) {
        return None;
    }
    Some((number, Record::decode(record).ok()?, size_of_frame(length)))
}

type Parts<'a> = (&'a mut [u8; 8], &'a mut [u8; 8], &'a mut [u8; 8], &'a mut [u8]);

/// Check, number, length, and all that follows.
fn parts_of_frame(bytes: &mut [u8]) -> Option<Parts<'_>> {
    let (check, rest) = bytes.split_first_chunk_mut()?;
    let (number, rest) = rest.split_first_chunk_mut()?;
    let (length, rest) = rest.split_first_chunk_mut()?;
    Some((check, number, length, rest))
}

fn size_of_frame(length: usize) -> usize {
    FRAME.saturating_add(length).next_multiple_of(8)
}

fn check_of(origin: u128, number: u64, record: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&origin.to_le_bytes());
    hash.update(&number.to_le_bytes());
    hash.update(record);
    hash.digest()
}

/// Makes the file under another name first: nobody takes one for dead that is not locked yet.
fn make(path: &Path, origin: u128) -> io::Result<(File, MmapMut)> {
    let unfinished = path.with_extension("new");
    let mut file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&unfinished)?;
    if !lock(&file) {
        return Err(io::Error::other("its lock is taken: is this file system shared?"));
    }
    // Every block is written: a full disk shows here, and not as a signal later.
    let zeros = vec![0_u8; 1 << 16];
    let mut header = vec![0_u8; HEADER];
    for (to, from) in header.iter_mut().zip(MAGIC.iter().chain(&origin.to_le_bytes())) {
        *to = *from;
    }
    let written = file
        .write_all(&header)
        .and_then(|()| (0..RING.div_ceil(zeros.len())).try_for_each(|_| file.write_all(&zeros)));
    written.and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
        let _ = fs::remove_file(&unfinished);
    })?;
    let map = map(&file)?;
    Ok((file, map))
}

#[expect(unsafe_code, reason = "a mapped file is the only memory that outlives its process")]
fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: the file is ours alone: its name is random, its mode 0600, and it is locked. Its length never
    // changes: we wrote it whole, and drainers only read or remove it. Other processes write to it only
    // against these rules; the bytes are read back as plain bytes with a check, never as references to
    // something else.
    unsafe { MmapMut::map_mut(file) }
}

/// Takes the lock of a journal, if nobody has it. It goes when the last copy of the descriptor is closed.
#[expect(unsafe_code, reason = "the standard library of the oldest supported Rust has no file locks")]
pub(crate) fn lock(file: &File) -> bool {
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the call touches no memory.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
