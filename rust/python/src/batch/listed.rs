//! Values that come again: each is kept once, and a row holds its place.

#[expect(clippy::disallowed_types, reason = "only looked up: places are in the order of the rows")]
use std::collections::HashMap;

use std::hash::{BuildHasher, Hasher, RandomState};

use policy_core::{Value, xxh3_64};

/// What a column holds, and where.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) values: Vec<Value>,
    pub(super) places: Vec<u32>,
}

impl Listed {
    /// So many rows of nothing that the fact may be.
    pub(super) fn ill(rows: usize) -> Self {
        Self { values: vec![Value::Ill], places: vec![0; rows] }
    }

    /// Values in the order of their rows. Texts are looked for among those before; numbers and lists are not.
    #[expect(clippy::disallowed_types, reason = "only looked up")]
    pub(super) fn of(values: impl ExactSizeIterator<Item = Value>) -> Self {
        let mut listed = Self { values: Vec::new(), places: Vec::with_capacity(values.len()) };
        let mut known: HashMap<Box<str>, u32> = HashMap::new();
        let mut odd: [Option<u32>; 4] = [None; 4];
        for value in values {
            let place = match &value {
                Value::Text(text) => match known.get(text) {
                    Some(place) => *place,
                    None => {
                        let text = text.clone();
                        let place = listed.push(value);
                        known.insert(text, place);
                        place
                    }
                },
                Value::Missing => *odd[0].get_or_insert_with(|| listed.push(value)),
                Value::Ill => *odd[1].get_or_insert_with(|| listed.push(value)),
                Value::Flag(false) => *odd[2].get_or_insert_with(|| listed.push(value)),
                Value::Flag(true) => *odd[3].get_or_insert_with(|| listed.push(value)),
                Value::Int(_) | Value::List(_) => listed.push(value),
            };
            listed.places.push(place);
        }
        listed
    }

    fn push(&mut self, value: Value) -> u32 {
        let place = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value);
        place
    }
}

/// The texts of numpy's letters, `width` for each row and zeros behind them: what they are, and which row has
/// which. Letters that are none make no text.
pub(super) fn texts(letters: &[u32], width: usize) -> (Vec<Option<String>>, Vec<u32>) {
    let mut texts = Texts::new();
    let rows = letters.chunks_exact(width.max(1));
    let places = rows.map(|row| texts.place(row)).collect();
    (texts.found, places)
}

/// As many texts as are found again at one look.
const NEAR: usize = 64;

/// Texts that were met.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "only looked up")]
struct Texts<'a> {
    found: Vec<Option<String>>,
    known: HashMap<&'a [u32], u32, Seeded>,
    /// The latest of those that have the same sum of letters: most columns hold few texts.
    near: [(&'a [u32], u32); NEAR],
}

impl<'a> Texts<'a> {
    #[expect(clippy::disallowed_types, reason = "only looked up")]
    fn new() -> Self {
        let known = HashMap::with_hasher(Seeded::new());
        Self { found: Vec::new(), known, near: [(&[], 0); NEAR] }
    }

    /// Which of them a row has.
    fn place(&mut self, row: &'a [u32]) -> u32 {
        let sum = row.iter().fold(0_u32, |sum, letter| sum.rotate_left(5) ^ letter);
        // The high bits take part too: the last letters of short texts are zeros, which only move the others.
        let sum = sum.wrapping_mul(0x9E37_79B9) >> 26;
        match self.near.get_mut(sum as usize) {
            Some((known, place)) if *known == row => *place,
            Some(near) => {
                *near = (row, place_of(row, &mut self.known, &mut self.found));
                near.1
            }
            None => place_of(row, &mut self.known, &mut self.found),
        }
    }
}

/// The same by a whole look.
#[expect(clippy::disallowed_types, reason = "only looked up")]
#[cold]
fn place_of<'a>(
    row: &'a [u32],
    known: &mut HashMap<&'a [u32], u32, Seeded>,
    found: &mut Vec<Option<String>>,
) -> u32 {
    *known.entry(row).or_insert_with(|| {
        let place = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let end = row.iter().rposition(|letter| *letter != 0).map_or(0, |last| last.saturating_add(1));
        let letters = row.iter().take(end).map(|letter| char::from_u32(*letter));
        found.push(letters.collect::<Option<String>>());
        place
    })
}

/// A hash for short texts, seeded so that nobody can choose texts that meet in it.
#[derive(Clone, Copy, Debug)]
struct Seeded(u64);

impl Seeded {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for Seeded {
    type Hasher = Sum;

    fn build_hasher(&self) -> Sum {
        Sum(self.0)
    }
}

/// What was hashed so far.
#[derive(Clone, Copy, Debug)]
struct Sum(u64);

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes, self.0);
    }

    fn write_usize(&mut self, number: usize) {
        self.0 ^= number as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
