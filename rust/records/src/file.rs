//! The file of a log: whole lines, appended.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy_core::Program;

use crate::batch::{About, Batch, Record};
use crate::line::{Lines, Row};
use crate::page::Page;

/// As many bytes as are collected before they are written.
const CHUNK: usize = 64 << 10;
/// As many programs as are remembered; others are looked at again.
const PAGES: usize = 8;

/// What a line is about.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Record,
    Program([u8; 32]),
    Missing,
}

/// Records that the file did not take, and does not tell of yet.
#[derive(Debug)]
struct Missing {
    lost: u64,
    wall: u64,
    /// Why the first of them is missing.
    why: String,
}

/// Appends to a file, created readable by its owner only.
///
/// Lines are written whole, so that several processes may share a file; one that was deleted or emptied is
/// begun again.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: Option<File>,
    /// The digests of the programs that the file tells of.
    told: Vec<[u8; 32]>,
    /// The last line is a part of one.
    is_torn: bool,
    missing: Option<Missing>,
    pages: Vec<Page>,
    lines: Lines,
    chunk: Vec<u8>,
    /// Where each line of the chunk ends, how many records are done with it, and what it is about.
    ends: Vec<(usize, usize, Line)>,
}

impl Output {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            told: Vec::new(),
            is_torn: false,
            missing: None,
            pages: Vec::new(),
            lines: Lines::default(),
            chunk: Vec::with_capacity(2 * CHUNK),
            ends: Vec::new(),
        }
    }

    /// Forgets what writing left behind where it broke off.
    pub(crate) fn begin_again(&mut self) {
        *self = Self { missing: self.missing.take(), ..Self::new(&self.path) };
    }

    /// Whether the file does not tell yet of records that it did not take.
    pub(crate) const fn misses(&self) -> bool {
        self.missing.is_some()
    }

    /// Leaves out a record that the file does not take; the line that is written next tells of it.
    pub(crate) fn miss(&mut self, record: &Record, why: &str) {
        let (more, why) = match record.about {
            About::Gap { lost, why } => (lost, why),
            _ => (1, why),
        };
        let missing = self.missing.get_or_insert_with(|| Missing { lost: 0, wall: 0, why: why.to_owned() });
        (missing.lost, missing.wall) = (missing.lost.saturating_add(more), record.wall);
    }

    /// Closes the file; what is written later opens it again.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// Opens the file, and tells of a program: whoever can do both can write the records of its runs.
    pub(crate) fn begin(&mut self, program: Option<&Arc<Program>>) -> io::Result<()> {
        self.open()?;
        let Some(program) = program.filter(|program| !self.told.contains(program.digest())) else {
            return Ok(());
        };
        let page = self.page(program);
        if let Some(page) = self.pages.get(page) {
            page.write_program(&mut self.chunk);
            self.ends.push((self.chunk.len(), 0, Line::Program(*program.digest())));
        }
        self.append(0).1
    }

    /// Writes the records of a batch from number `from` on, of which one at a time if `singly`, and first how
    /// many are missing before them: the number of the first that is not written, and why.
    pub(crate) fn write(&mut self, batch: &Batch, from: usize, singly: bool) -> (usize, io::Result<()>) {
        let mut done = from;
        if let Err(error) = self.open() {
            return (done, Err(error));
        }
        if let Some(Missing { lost, wall, why }) = &self.missing {
            self.lines.gap(&mut self.chunk, *wall, *lost, why);
            self.ends.push((self.chunk.len(), from, Line::Missing));
            if batch.records.len() <= from {
                return self.append(done);
            }
        }
        let mut records = batch.records.iter().skip(from).enumerate().peekable();
        while let Some((place, record)) = records.next() {
            let row = Row::of(record, batch);
            let page = row.head.map(|head| self.page(&head.program));
            let page = page.and_then(|page| self.pages.get(page));
            if let Some(page) = page {
                let digest = *page.program.digest();
                let coming = |end: &(usize, usize, Line)| end.2 == Line::Program(digest);
                if !self.told.contains(&digest) && !self.ends.iter().any(coming) {
                    page.write_program(&mut self.chunk);
                    self.ends.push((self.chunk.len(), from.saturating_add(place), Line::Program(digest)));
                }
            }
            self.lines.write(&mut self.chunk, &row, page);
            let next = from.saturating_add(place).saturating_add(1);
            self.ends.push((self.chunk.len(), next, Line::Record));
            if singly || self.chunk.len() >= CHUNK || records.peek().is_none() {
                let (reached, result) = self.append(done);
                done = reached;
                if singly || result.is_err() {
                    return (done, result);
                }
            }
        }
        (done, Ok(()))
    }

    /// The place of a program's page, made if it is new.
    fn page(&mut self, program: &Arc<Program>) -> usize {
        let known = self.pages.iter().position(|page| Arc::ptr_eq(&page.program, program));
        known.unwrap_or_else(|| {
            if self.pages.len() >= PAGES {
                self.pages.clear();
            }
            self.pages.push(Page::of(program));
            self.pages.len().saturating_sub(1)
        })
    }

    /// Has the file open, and knows whether it still has what was written to it.
    fn open(&mut self) -> io::Result<()> {
        let mut status = self.file.as_ref().map(File::metadata).transpose()?;
        if status.as_ref().is_some_and(|status| status.nlink() == 0) {
            self.file = None;
        }
        if self.file.is_none() {
            if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                DirBuilder::new().recursive(true).create(folder)?;
            }
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
            status = Some(file.metadata()?);
            self.file = Some(file);
        }
        if status.is_some_and(|status| status.len() == 0 && status.is_file()) {
            self.told.clear();
        }
        Ok(())
    }

    /// Appends the chunk in one write: what other processes add stands before or after it. Gives how many
    /// records are done, which were `done` before.
    fn append(&mut self, mut done: usize) -> (usize, io::Result<()>) {
        if self.is_torn {
            self.chunk.insert(0, b'\n');
            self.ends.iter_mut().for_each(|(end, _, _)| *end = end.saturating_add(1));
        }
        let result = self.put();
        let written = *result.as_ref().unwrap_or(&0);
        if written > 0 {
            let at_end = self.ends.iter().any(|(end, _, _)| *end == written);
            self.is_torn = !(at_end || (self.is_torn && written == 1));
        }
        for (_, records, line) in self.ends.drain(..).filter(|(end, _, _)| *end <= written) {
            done = records;
            match line {
                Line::Program(digest) => self.told.push(digest),
                Line::Missing => self.missing = None,
                Line::Record => {}
            }
        }
        let is_whole = written == self.chunk.len();
        self.chunk.clear();
        self.chunk.shrink_to(4 * CHUNK);
        let result = result.and_then(|_| {
            // The system said how much it took, and not why no more.
            if is_whole { Ok(()) } else { Err(io::Error::from(ErrorKind::StorageFull)) }
        });
        (done, result)
    }

    fn put(&mut self) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Err(io::Error::from(ErrorKind::NotFound)) };
        loop {
            match file.write(&self.chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}
