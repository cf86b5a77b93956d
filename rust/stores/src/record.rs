//! What is kept of one settled attempt, and its bytes.

use crate::error::{ErrorKind, StoreError};

/// How the usage of an attempt is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKind {
    /// The provider said so.
    Exact,
    /// A lower bound: the hold was charged, or more.
    AtLeast,
    /// Nobody knows: the hold was charged.
    Unknown,
    /// Nothing was sent.
    Unsent,
}

impl UsageKind {
    const ALL: [Self; 4] = [Self::Exact, Self::AtLeast, Self::Unknown, Self::Unsent];

    /// As records name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtLeast => "at_least",
            Self::Unknown => "unknown",
            Self::Unsent => "unsent",
        }
    }
}

/// One settled attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The run's id, as the host gave it.
    pub run: String,
    /// The attempt's number in the run.
    pub attempt: u64,
    /// When it was settled: nanoseconds since the Unix epoch.
    pub wall: u64,
    /// The first bytes of the program's digest.
    pub digest: [u8; 8],
    /// The model or the tool.
    pub name: String,
    /// It is a tool.
    pub is_tool: bool,
    /// How the usage is known.
    pub usage: UsageKind,
    /// All input tokens.
    pub input: u64,
    /// All output tokens.
    pub output: u64,
    /// Input that was read from a cache.
    pub cache_read: u64,
    /// Input that was written to a cache.
    pub cache_write: u64,
    /// Output that nobody sees.
    pub reasoning: u64,
    /// Tokens charged.
    pub tokens: u64,
    /// Nano-units charged.
    pub cost: u64,
    /// The price snapshot that the cost comes from; empty if the policy states its prices.
    pub prices: String,
}

/// A record as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The incarnation that wrote it.
    pub origin: u128,
    /// 1, 2, 3, ... of this origin.
    pub number: u64,
    /// What it says.
    pub record: Record,
}

/// As long as a text of a record may be; what is longer is cut at a character.
const LONGEST: usize = 512;
/// Grows with every change of the bytes below.
const FORM: u8 = 1;

impl Record {
    /// As many bytes as a record may have.
    pub const MOST_BYTES: usize = 3 * (2 + LONGEST) + 2 + 10 * 8 + 2;

    /// The bytes of the record, appended.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(FORM);
        bytes.push((self.usage as u8) | (u8::from(self.is_tool) << 7));
        bytes.extend_from_slice(&self.digest);
        for number in [
            self.attempt,
            self.wall,
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.reasoning,
            self.tokens,
            self.cost,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for text in [&self.run, &self.name, &self.prices] {
            let text = cut(text);
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// The record that these bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::read(&mut Cursor(bytes))
            .ok_or_else(|| StoreError::new(ErrorKind::Damaged, "a record of the ledger cannot be read"))
    }

    fn read(bytes: &mut Cursor<'_>) -> Option<Self> {
        let [form, bits] = bytes.take()?;
        if form != FORM {
            return None;
        }
        let record = Self {
            usage: *UsageKind::ALL.get(usize::from(bits & 0x7f))?,
            is_tool: bits & 0x80 != 0,
            digest: bytes.take()?,
            attempt: bytes.number()?,
            wall: bytes.number()?,
            input: bytes.number()?,
            output: bytes.number()?,
            cache_read: bytes.number()?,
            cache_write: bytes.number()?,
            reasoning: bytes.number()?,
            tokens: bytes.number()?,
            cost: bytes.number()?,
            run: bytes.text()?,
            name: bytes.text()?,
            prices: bytes.text()?,
        };
        bytes.0.is_empty().then_some(record)
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record() -> Record {
        Record {
            run: "run-1".into(),
            attempt: 7,
            wall: 1_700_000_000_000_000_000,
            digest: *b"abcdefgh",
            name: "model é".into(),
            is_tool: true,
            usage: UsageKind::AtLeast,
            input: 1,
            output: 2,
            cache_read: 3,
            cache_write: 4,
            reasoning: 5,
            tokens: 6,
            cost: u64::MAX,
            prices: String::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        record().encode(&mut bytes);
        assert_eq!(Record::decode(&bytes), Ok(record()));
        for end in 0..bytes.len() {
            assert!(Record::decode(&bytes[..end]).is_err(), "{end}");
        }
        bytes.push(0);
        assert!(Record::decode(&bytes).is_err());
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long =
            Record { run: "é".repeat(400), name: "x".repeat(513), prices: "y".repeat(512), ..record() };
        let mut bytes = Vec::new();
        long.encode(&mut bytes);
        assert!(bytes.len() <= Record::MOST_BYTES);
        let back = Record::decode(&bytes).expect("it is whole");
        assert_eq!((back.run.len(), back.name.len(), back.prices.len()), (512, 512, 512));
    }
}
