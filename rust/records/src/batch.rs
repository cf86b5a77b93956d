//! Records as they are kept until they are written: in columns that were asked for once.

use std::sync::Arc;

use policy_core::{Decision, ErrorKind, Program, Settlement, Stand};

/// As many records as a batch has room for.
const RECORDS: usize = 4_096;
/// As many readings of limits.
const STANDS: usize = 16 * RECORDS;
/// As many bytes of text.
const TEXT: usize = 256 * RECORDS;

/// Which record of a charge it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// What an attempt was charged when it ended.
    Settlement,
    /// What it really used, learnt later.
    Adjustment,
}

/// What a record is about.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is kept in place, so that no memory is asked for")]
pub(crate) enum About {
    /// A decision, with the error that it answers.
    Decision { decision: Decision, error: Option<ErrorKind> },
    /// A charge: of which attempt, by which usage.
    Charge { charged: Charged, number: u64, attempt: u64, usage: &'static str, settlement: Settlement },
    /// A line that was made elsewhere; it is the record's text.
    Line,
    /// So many records could not be kept.
    Gap(u64),
}

/// One record, but for what stands in the columns beside it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) about: About,
    pub(crate) wall: u64,
    /// The program's place in the batch.
    pub(crate) program: Option<usize>,
    /// Bytes of the head, and of the subject after it.
    pub(crate) head: usize,
    pub(crate) subject: usize,
    /// Readings before, and after them those after.
    pub(crate) before: usize,
    pub(crate) after: usize,
}

/// Records in the order in which they came.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) stands: Vec<Stand>,
    pub(crate) text: Vec<u8>,
    pub(crate) programs: Vec<Arc<Program>>,
}

/// What a record brings along for the columns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) program: Option<&'a Arc<Program>>,
    pub(crate) head: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) before: &'a [Stand],
    pub(crate) after: &'a [Stand],
}

impl Batch {
    /// An empty one. Its memory is taken from the system as it is used.
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::with_capacity(RECORDS),
            stands: Vec::with_capacity(STANDS),
            text: Vec::with_capacity(TEXT),
            programs: Vec::with_capacity(4),
        }
    }

    /// Whether a record fits without more memory. An empty batch takes any.
    pub(crate) fn has_room(&self, beside: &Beside<'_>) -> bool {
        let fits = |used: usize, more: [usize; 2], most: usize| {
            more.into_iter().fold(used, usize::saturating_add) <= most
        };
        self.records.is_empty()
            || (self.records.len() < RECORDS
                && fits(self.stands.len(), [beside.before.len(), beside.after.len()], STANDS)
                && fits(self.text.len(), [beside.head.len(), beside.subject.len()], TEXT))
    }

    /// Whether it is three quarters full: time that somebody writes it.
    pub(crate) fn is_crowded(&self) -> bool {
        self.records.len() >= RECORDS - RECORDS / 4
            || self.stands.len() >= STANDS - STANDS / 4
            || self.text.len() >= TEXT - TEXT / 4
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, about: About, wall: u64, beside: &Beside<'_>) {
        let program = beside.program.map(|program| self.place(program));
        self.text.extend_from_slice(beside.head);
        self.text.extend_from_slice(beside.subject);
        self.stands.extend_from_slice(beside.before);
        self.stands.extend_from_slice(beside.after);
        self.records.push(Record {
            about,
            wall,
            program,
            head: beside.head.len(),
            subject: beside.subject.len(),
            before: beside.before.len(),
            after: beside.after.len(),
        });
    }

    fn place(&mut self, program: &Arc<Program>) -> usize {
        let known = self.programs.iter().position(|known| Arc::ptr_eq(known, program));
        known.unwrap_or_else(|| {
            self.programs.push(Arc::clone(program));
            self.programs.len().saturating_sub(1)
        })
    }

    /// Forgets all records, and keeps the memory that a new batch would have.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.stands.clear();
        self.text.clear();
        self.programs.clear();
        self.records.shrink_to(RECORDS);
        self.stands.shrink_to(STANDS);
        self.text.shrink_to(TEXT);
    }
}
