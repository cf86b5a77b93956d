//! Records as they are kept until they are written: in columns that were asked for once.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use policy_core::{Decision, ErrorKind, Stand};

use crate::head::Head;
use crate::plain::Plain;

/// As many records as a batch has room for.
const RECORDS: usize = 4_096;
/// As many readings of limits.
const STANDS: usize = 16 * RECORDS;
/// As many bytes of text.
const TEXT: usize = 64 * RECORDS;
/// Where long records come, as many bytes of text may wait, and readings of as many bytes.
const MOST_TEXT: usize = 16 << 20;
const MOST_STANDS: usize = MOST_TEXT / size_of::<Stand>();

/// Filled batches so far, so that each has a number of its own, in a fork as well.
static FILLED: AtomicU64 = AtomicU64::new(0);

/// Which record of a charge it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// What an attempt was charged when it ended.
    Settlement,
    /// What it really used, learnt later.
    Adjustment,
}

/// A decision as it is kept: as it is, or by its place among those that are whole.
#[derive(Debug)]
pub(crate) enum Kept {
    Plain(Plain),
    Whole(usize),
}

/// Where something stands in its column, and how much of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    from: u32,
    length: u32,
}

impl Span {
    const fn of(from: usize, length: usize) -> Self {
        // A column is no longer than that: see `Room::Never`.
        Self { from: from as u32, length: length as u32 }
    }

    /// What stands there.
    pub(crate) fn within<T>(self, column: &[T]) -> &[T] {
        let from = column.get(self.from as usize..).unwrap_or_default();
        from.get(..self.length as usize).unwrap_or_default()
    }
}

/// What a charge shows of a settlement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    pub(crate) reserved_tokens: u64,
    pub(crate) reserved_cost: u64,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
}

/// What a record is about.
#[derive(Debug)]
pub(crate) enum About {
    /// A decision: about this kind of call, or in words alone, and the error that it answers.
    Decision { kept: Kept, point: Option<&'static str>, error: Option<ErrorKind> },
    /// A charge: of which attempt, by which usage.
    Charge { charged: Charged, number: u64, attempt: u64, usage: &'static str, amounts: Amounts },
    /// A line that was made elsewhere; it is the record's text.
    Line,
    /// So many records could not be kept, and why.
    Gap { lost: u64, why: &'static str },
}

/// One record, but for what stands in the columns beside it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) about: About,
    pub(crate) wall: u64,
    pub(crate) head: Option<u32>,
    pub(crate) text: Span,
    pub(crate) before: Span,
    pub(crate) after: Span,
}

/// How much room a batch has for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Ample,
    /// Three quarters of its memory are taken: it is time that somebody writes it. A long record takes more.
    Scarce,
    /// So much waits already that it has to be written first.
    None,
    /// The columns would be longer than spans reach, whatever is written meanwhile.
    Never,
}

/// Where something is that records have in common, so that a batch has it once: in which batch, and there.
pub(crate) type Known<T> = Option<(u64, T)>;

/// Readings of limits, which two records may show.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) stands: &'a [Stand],
    pub(crate) known: &'a mut Known<Span>,
}

/// Records in the order in which they came.
#[derive(Debug)]
pub(crate) struct Batch {
    /// No other batch has it, nor this one once it was cleared.
    number: u64,
    pub(crate) records: Vec<Record>,
    /// Those that are not plain.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) stands: Vec<Stand>,
    pub(crate) text: Vec<u8>,
    pub(crate) heads: Vec<Arc<Head>>,
}

impl Batch {
    /// An empty one. Its memory is taken from the system as it is used.
    pub(crate) fn new() -> Self {
        Self {
            number: FILLED.fetch_add(1, Ordering::Relaxed),
            records: Vec::with_capacity(RECORDS + 1), // and a gap behind the last
            decisions: Vec::with_capacity(RECORDS),
            stands: Vec::with_capacity(STANDS),
            text: Vec::with_capacity(TEXT),
            heads: Vec::with_capacity(RECORDS),
        }
    }

    /// How much room there is for one more record, with so many readings and bytes of text.
    #[inline]
    pub(crate) const fn room(&self, stands: usize, text: usize) -> Room {
        let records = self.records.len();
        let (waiting_stands, waiting_text) = (self.stands.len(), self.text.len());
        let (stands, text) = (waiting_stands.saturating_add(stands), waiting_text.saturating_add(text));
        if records < RECORDS - RECORDS / 4 && stands < STANDS - STANDS / 4 && text < TEXT - TEXT / 4 {
            Room::Ample
        } else if stands > u32::MAX as usize || text > u32::MAX as usize {
            Room::Never
        } else if records < RECORDS && waiting_stands < MOST_STANDS && waiting_text < MOST_TEXT {
            Room::Scarce
        } else {
            Room::None
        }
    }

    /// Whether it is three quarters full.
    pub(crate) fn is_crowded(&self) -> bool {
        self.room(0, 0) != Room::Ample
    }

    /// Tells of a record that can't be kept, where it would stand.
    #[cold]
    pub(crate) fn miss(&mut self, wall: u64, why: &'static str) {
        if let Some(Record { about: About::Gap { lost, why: known }, wall: latest, .. }) =
            self.records.last_mut()
            && *known == why
        {
            *lost = lost.saturating_add(1);
            *latest = wall;
            return;
        }
        let (about, none) = (About::Gap { lost: 1, why }, Span::default());
        self.add(|| Record { about, wall, head: None, text: none, before: none, after: none });
    }

    /// Adds a record, made where it stays once there is room: it is large.
    #[inline]
    pub(crate) fn add(&mut self, record: impl FnOnce() -> Record) {
        self.records.extend(iter::once_with(record));
    }

    /// Adds the record of a decision, `of` which it is once it is known where that is kept.
    #[inline]
    pub(crate) fn decision(&mut self, decision: &Decision, of: impl Fn(Kept) -> Record) {
        if Plain::is_all(decision) {
            self.add(|| of(Kept::Plain(Plain::of(decision))));
        } else {
            let kept = self.whole(decision);
            self.records.push(of(kept));
        }
    }

    #[cold]
    fn whole(&mut self, decision: &Decision) -> Kept {
        self.decisions.push(decision.clone());
        Kept::Whole(self.decisions.len().saturating_sub(1))
    }

    /// Whose records they are, once for all of them.
    pub(crate) fn head(&mut self, head: &Arc<Head>, known: &mut Known<u32>) -> u32 {
        match *known {
            Some((number, place)) if number == self.number => place,
            _ => {
                let place = self.heads.len() as u32;
                self.heads.push(Arc::clone(head));
                *known = Some((self.number, place));
                place
            }
        }
    }

    /// Adds readings, unless they are there.
    pub(crate) fn shown(&mut self, shown: Shown<'_>) -> Span {
        match *shown.known {
            Some((number, span)) if number == self.number => span,
            _ => {
                let span = Span::of(self.stands.len(), shown.stands.len());
                self.stands.extend_from_slice(shown.stands);
                *shown.known = Some((self.number, span));
                span
            }
        }
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, text: &str) -> Span {
        let span = Span::of(self.text.len(), text.len());
        self.text.extend_from_slice(text.as_bytes());
        span
    }

    /// Forgets all records, and keeps the memory that a new batch would have.
    pub(crate) fn clear(&mut self) {
        self.number = FILLED.fetch_add(1, Ordering::Relaxed);
        self.records.clear();
        self.decisions.clear();
        self.stands.clear();
        self.text.clear();
        self.heads.clear();
        self.records.shrink_to(RECORDS + 1);
        self.decisions.shrink_to(RECORDS);
        self.stands.shrink_to(STANDS);
        self.text.shrink_to(TEXT);
        self.heads.shrink_to(RECORDS);
    }
}
