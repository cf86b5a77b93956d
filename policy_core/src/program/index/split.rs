//! Finds, for the value of one fact, the branches whose marks admit it: single values by their hashes,
//! ranges of numbers in a tree of intervals, beginnings of texts by the chain of those that begin one
//! another.
//!
//! It may find a branch too many, never one too few. No branch is found twice.

use std::sync::Arc;

use super::mark::{Mark, Piece, Values};
use crate::fingerprint::xxh3_64;
use crate::text::head;
use crate::value::Slot;

/// Branches of one fact, numbered in the order of their marks.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) fact: u32,
    /// The node of the first branch.
    pub(crate) first: u32,
    /// How many branches there are; those that a missing value leaves open come first.
    branches: u32,
    open: u32,
    /// The last branch is the one that only needs a value, whichever.
    has_any: bool,
    /// What values the marks name.
    has_numbers: bool,
    has_texts: bool,
    singles: Singles,
    ranges: Ranges,
    beginnings: Beginnings,
}

impl Split {
    /// Of marks on one fact, ascending, each once.
    pub(crate) fn new<'a>(first: u32, marks: impl Iterator<Item = &'a Mark>) -> Self {
        let mut split = Self { first, ..Self::default() };
        let (mut singles, mut ranges, mut beginnings) = (Vec::new(), Vec::new(), Vec::new());
        for (branch, mark) in (0..=u32::MAX).zip(marks) {
            split.fact = mark.fact;
            split.branches = branch.saturating_add(1);
            if !mark.is_needed {
                split.open = split.branches;
            }
            match &mark.values {
                Values::None => {}
                Values::All => split.has_any = true,
                Values::Numbers(pieces) => {
                    split.has_numbers = true;
                    for &(from, to) in pieces.iter() {
                        if from == to {
                            singles.push((hash_of_number(from), branch));
                        } else {
                            ranges.push((from, to, branch));
                        }
                    }
                }
                Values::Texts(pieces) => {
                    split.has_texts = true;
                    if pieces.iter().any(|piece| piece.is_prefix) {
                        beginnings.extend(apart(pieces).into_iter().map(|text| (text, branch)));
                    } else {
                        singles.extend(pieces.iter().map(|piece| (hash_of_text(&piece.text), branch)));
                    }
                }
            }
        }
        split.singles = Singles::new(singles);
        split.ranges = Ranges::new(ranges);
        split.beginnings = Beginnings::new(beginnings);
        split
    }

    /// Gives the branches that this value leaves open.
    pub(crate) fn find(&self, slot: Slot<'_>, found: &mut impl FnMut(u32)) {
        match slot {
            Slot::Missing => (0..self.open).for_each(found),
            Slot::Int(number) if !self.has_texts => self.find_number(number, found),
            Slot::Flag(flag) if !self.has_texts => self.find_number(i64::from(flag), found),
            Slot::Text(text) if !self.has_numbers => {
                if !self.singles.is_empty() {
                    self.singles.find(hash_of_text(text), found);
                }
                self.beginnings.find(text, found);
                self.find_any(found);
            }
            // Ill-typed, or of a sort that the loader lets nothing ask about: all is open.
            _ => (0..self.branches).for_each(found),
        }
    }

    fn find_number(&self, number: i64, found: &mut impl FnMut(u32)) {
        self.singles.find(hash_of_number(number), found);
        self.ranges.find(number, found);
        self.find_any(found);
    }

    fn find_any(&self, found: &mut impl FnMut(u32)) {
        if self.has_any {
            found(self.branches.saturating_sub(1));
        }
    }
}

/// Texts and beginnings of texts as beginnings alone, none of which begins another: else a text might find
/// their branch twice.
fn apart(pieces: &[Piece]) -> Vec<Arc<str>> {
    let mut apart: Vec<Arc<str>> = pieces.iter().map(|piece| Arc::clone(&piece.text)).collect();
    apart.dedup_by(|later, kept| later.starts_with(&**kept));
    apart
}

/// Equal texts have equal hashes; that others may as well only makes a rule run that says no.
fn hash_of_text(text: &str) -> u64 {
    xxh3_64(text.as_bytes(), 0)
}

/// Different for different numbers, and spread over the upper bits.
fn hash_of_number(number: i64) -> u64 {
    number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Single values: their hashes, and where those with the same upper bits begin.
#[derive(Debug, Default)]
struct Singles {
    starts: Box<[u32]>,
    /// How many bits of a hash are not upper ones.
    shift: u32,
    hashes: Box<[(u64, u32)]>,
}

impl Singles {
    fn new(mut hashes: Vec<(u64, u32)>) -> Self {
        hashes.sort_unstable();
        // Two texts of one branch may have the same hash.
        hashes.dedup();
        let bits = hashes.len().checked_ilog2().unwrap_or_default();
        let shift = u64::BITS.saturating_sub(bits);
        let mut starts = Vec::new();
        for (place, (hash, _)) in (0..=u32::MAX).zip(&hashes) {
            let end = upper(*hash, shift).saturating_add(1);
            if starts.len() < end {
                starts.resize(end, place);
            }
        }
        starts.resize(1_usize.wrapping_shl(bits), u32::try_from(hashes.len()).unwrap_or(u32::MAX));
        Self { starts: starts.into_boxed_slice(), shift, hashes: hashes.into_boxed_slice() }
    }

    fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn find(&self, hash: u64, found: &mut impl FnMut(u32)) {
        let first = upper(hash, self.shift);
        let start = |place: usize| self.starts.get(place).map_or(self.hashes.len(), |start| *start as usize);
        let bucket = self.hashes.get(start(first)..start(first.saturating_add(1))).unwrap_or_default();
        // One or two on average; only hashes that were made to collide are more.
        let before = bucket.partition_point(|(known, _)| *known < hash);
        let equal = bucket.iter().skip(before).take_while(|(known, _)| *known == hash);
        equal.for_each(|(_, branch)| found(*branch));
    }
}

/// The upper bits of a hash: all but so many.
fn upper(hash: u64, shift: u32) -> usize {
    usize::try_from(hash.checked_shr(shift).unwrap_or_default()).unwrap_or(usize::MAX)
}

/// Ranges of numbers, ascending by where they begin. The middle one of each stretch, of halves of halves,
/// knows the furthest end in its stretch.
#[derive(Debug, Default)]
struct Ranges {
    ranges: Box<[Range]>,
}

#[derive(Debug)]
struct Range {
    from: i64,
    to: i64,
    furthest: i64,
    branch: u32,
}

impl Ranges {
    fn new(mut ranges: Vec<(i64, i64, u32)>) -> Self {
        ranges.sort_unstable();
        let range = |(from, to, branch)| Range { from, to, furthest: to, branch };
        let mut ranges: Box<[Range]> = ranges.into_iter().map(range).collect();
        reach(&mut ranges);
        Self { ranges }
    }

    fn find(&self, number: i64, found: &mut impl FnMut(u32)) {
        search(&self.ranges, number, found);
    }
}

/// Writes into each middle how far its stretch reaches, and gives that. As deep as the logarithm of the
/// length.
fn reach(stretch: &mut [Range]) -> i64 {
    let (left, right) = stretch.split_at_mut(stretch.len() / 2);
    let Some((middle, right)) = right.split_first_mut() else { return i64::MIN };
    middle.furthest = middle.to.max(reach(left)).max(reach(right));
    middle.furthest
}

fn search(stretch: &[Range], number: i64, found: &mut impl FnMut(u32)) {
    let (left, right) = stretch.split_at(stretch.len() / 2);
    let Some((middle, right)) = right.split_first() else { return };
    if middle.furthest < number {
        return;
    }
    search(left, number, found);
    if middle.from <= number {
        if number <= middle.to {
            found(middle.branch);
        }
        search(right, number, found);
    }
}

/// Beginnings of texts, ascending.
#[derive(Debug, Default)]
struct Beginnings {
    texts: Box<[Beginning]>,
}

#[derive(Debug)]
struct Beginning {
    /// The first bytes as a number, so that most are told apart without looking at texts elsewhere.
    head: u64,
    text: Arc<str>,
    branch: u32,
    /// The one before it that is the same, or else the longest that it begins with.
    shorter: Option<u32>,
}

impl Beginnings {
    fn new(mut pieces: Vec<(Arc<str>, u32)>) -> Self {
        pieces.sort_unstable();
        let mut texts: Vec<Beginning> = Vec::with_capacity(pieces.len());
        let mut last = None;
        for (place, (text, branch)) in (0..=u32::MAX).zip(pieces) {
            let mut shorter = last;
            while let Some(known) = shorter.and_then(|known: u32| texts.get(known as usize)) {
                if text.starts_with(&*known.text) {
                    break;
                }
                shorter = known.shorter;
            }
            texts.push(Beginning { head: head(&text), text, branch, shorter });
            last = Some(place);
        }
        Self { texts: texts.into_boxed_slice() }
    }

    fn find(&self, text: &str, found: &mut impl FnMut(u32)) {
        if self.texts.is_empty() {
            return;
        }
        let first = head(text);
        // All that lies between a beginning of a text and the text begins with it, so that the last one
        // before leads to every other.
        let after = self.texts.partition_point(|known| (known.head, &*known.text) <= (first, text));
        let mut next = self.texts.get(..after).and_then(<[_]>::last);
        while let Some(known) = next {
            if text.starts_with(&*known.text) {
                found(known.branch);
            }
            next = known.shorter.and_then(|place| self.texts.get(place as usize));
        }
    }
}
