//! Reads the primitives of an artifact. Whatever could be written in two ways is refused in all but one.

use std::str;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::{LoadError, LoadErrorKind};
use crate::value::MAX_QUANTITY;

/// Room for so many items is asked for before the first of a list is read: a list that only says that it is
/// long costs nothing.
const FEW: usize = 8;

/// A place in a payload. Every read moves it on or fails.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    /// What means something, with each text in full where it is first named and by a number after that: its
    /// place in the table means nothing.
    said: Vec<u8>,
    is_said: bool,
    /// What has been read from here on still has to be said, if it is.
    unheard: &'a [u8],
    /// For each text, its number; 0 if it has not been named.
    numbers: Vec<u32>,
    named: u32,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
            said: Vec::new(),
            is_said: true,
            unheard: bytes,
            numbers: Vec::new(),
            named: 0,
        }
    }

    /// A mistake at the place reached so far.
    #[cold]
    pub(crate) fn malformed(&self, what: &str) -> LoadError {
        let offset = self.length.saturating_sub(self.rest.len());
        LoadError::new(
            LoadErrorKind::Malformed,
            format!(
                "the artifact is damaged at byte {offset} of its payload: {what}; compile the policy again"
            ),
        )
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.malformed("the payload ends too early"));
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, LoadError> {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                Ok(*first)
            }
            [] => Err(self.malformed("the payload ends too early")),
        }
    }

    /// An unsigned number, LEB128 in as few bytes as can be.
    pub(crate) fn number(&mut self) -> Result<u64, LoadError> {
        let first = self.byte()?;
        if first < 0x80 { Ok(first.into()) } else { self.longer(u64::from(first & 0x7F)) }
    }

    /// The same from its second byte on.
    fn longer(&mut self, mut number: u64) -> Result<u64, LoadError> {
        for shift in (7..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            let placed = part.wrapping_shl(shift);
            if placed.wrapping_shr(shift) != part {
                return Err(self.malformed("a number is too large"));
            }
            number |= placed;
            if byte & 0x80 == 0 {
                return if byte == 0 {
                    Err(self.malformed("a number is longer than need be"))
                } else {
                    Ok(number)
                };
            }
        }
        Err(self.malformed("a number is too long"))
    }

    /// A quantity that the engine computes with.
    pub(crate) fn quantity(&mut self) -> Result<u64, LoadError> {
        let number = self.number()?;
        if number > MAX_QUANTITY {
            return Err(self.malformed("a quantity is too large"));
        }
        Ok(number)
    }

    /// A signed number, zigzag.
    pub(crate) fn signed(&mut self) -> Result<i64, LoadError> {
        let number = self.number()?;
        let half = i64::try_from(number.wrapping_shr(1)).unwrap_or(i64::MAX);
        Ok(if number & 1 == 0 { half } else { !half })
    }

    pub(crate) fn flag(&mut self) -> Result<bool, LoadError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("a flag is neither 0 nor 1")),
        }
    }

    /// One of a closed set, by its code.
    pub(crate) fn choice<T: Copy>(&mut self, choices: &[T]) -> Result<T, LoadError> {
        let code = usize::from(self.byte()?);
        choices.get(code).copied().ok_or_else(|| self.malformed("a code is unknown"))
    }

    /// An index below `count`.
    pub(crate) fn index(&mut self, count: usize) -> Result<u32, LoadError> {
        let number = self.number()?;
        match u32::try_from(number) {
            Ok(index) if (index as usize) < count => Ok(index),
            _ => Err(self.malformed("an index is out of range")),
        }
    }

    /// A text of the table, shared with it: however often an artifact points at a text, it is kept once.
    pub(crate) fn text(&mut self, strings: &[Arc<str>]) -> Result<Arc<str>, LoadError> {
        self.keyed_text(strings).map(|(_, text)| text)
    }

    /// The same with its index. The table ascends, so texts are put in order without comparing them.
    pub(crate) fn keyed_text(&mut self, strings: &[Arc<str>]) -> Result<(u32, Arc<str>), LoadError> {
        let index = self.unsaid(|reader| reader.index(strings.len()))?;
        let Some(text) = strings.get(index as usize) else {
            return Err(self.malformed("an index is out of range"));
        };
        if self.is_said {
            self.name(index, text);
        }
        Ok((index, Arc::clone(text)))
    }

    /// Something that changes nothing of what the artifact means.
    pub(crate) fn unsaid<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        if !self.is_said {
            return read(self);
        }
        self.say();
        self.is_said = false;
        let read = read(self);
        self.is_said = true;
        self.unheard = self.rest;
        read
    }

    /// Says all that was read up to here.
    fn say(&mut self) {
        let read = self.unheard.len().saturating_sub(self.rest.len());
        self.said.extend_from_slice(self.unheard.get(..read).unwrap_or_default());
        self.unheard = self.rest;
    }

    /// Says a text. One that is named often costs no more than a short one.
    fn name(&mut self, index: u32, text: &str) {
        let Some(number) = self.numbers.get_mut(index as usize) else { return };
        self.said.extend_from_slice(&number.to_le_bytes());
        if *number == 0 {
            self.named = self.named.saturating_add(1);
            *number = self.named;
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            self.said.extend_from_slice(&length.to_le_bytes());
            self.said.extend_from_slice(text.as_bytes());
        }
    }

    /// The digest of all that was said.
    pub(crate) fn meaning(&mut self) -> [u8; 32] {
        self.say();
        Sha256::digest(&self.said).into()
    }

    /// The number of items that follow. Each takes at least a byte, so no count can ask for more memory than
    /// the artifact has bytes for.
    pub(crate) fn count(&mut self) -> Result<usize, LoadError> {
        let number = self.number()?;
        match usize::try_from(number) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(self.malformed("a list is longer than the payload")),
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, LoadError>,
    ) -> Result<Vec<T>, LoadError> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(FEW));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A list whose items strictly ascend by their keys.
    pub(crate) fn ascending<K: Ord, T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(K, T), LoadError>,
    ) -> Result<Vec<T>, LoadError> {
        let mut last = None;
        self.list(|reader| {
            let (key, item) = item(reader)?;
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(reader.malformed("a list is not in order"));
            }
            last = Some(key);
            Ok(item)
        })
    }

    pub(crate) fn option<T>(
        &mut self,
        item: impl FnOnce(&mut Self) -> Result<T, LoadError>,
    ) -> Result<Option<T>, LoadError> {
        if self.flag()? { item(self).map(Some) } else { Ok(None) }
    }

    /// The string table: strictly ascending by bytes.
    pub(crate) fn strings(&mut self) -> Result<Box<[Arc<str>]>, LoadError> {
        let count = self.count()?;
        let mut strings: Vec<Arc<str>> = Vec::with_capacity(count);
        for _ in 0..count {
            let length = self.count()?;
            let bytes = self.bytes(length)?;
            let text = str::from_utf8(bytes).map_err(|_| self.malformed("a text is not UTF-8"))?;
            if strings.last().is_some_and(|last| last.as_bytes() >= bytes) {
                return Err(self.malformed("the texts are not in order"));
            }
            strings.push(text.into());
        }
        self.numbers = vec![0; strings.len()];
        self.said.reserve(self.rest.len());
        Ok(strings.into_boxed_slice())
    }

    /// Fails unless everything has been read.
    pub(crate) fn finish(&self) -> Result<(), LoadError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("bytes are left over")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Option<u64> {
        let mut reader = Reader::new(bytes);
        reader.number().ok().filter(|_| reader.finish().is_ok())
    }

    #[test]
    fn numbers_have_one_encoding_only() {
        assert_eq!(number(&[0]), Some(0));
        assert_eq!(number(&[0x7F]), Some(127));
        assert_eq!(number(&[0x80, 1]), Some(128));
        assert_eq!(number(&[0x80, 0]), None);
        assert_eq!(number(&[0xFF; 9]), None);
        let mut most = vec![0xFF; 9];
        most.push(1);
        assert_eq!(number(&most), Some(u64::MAX));
        if let Some(last) = most.last_mut() {
            *last = 2;
        }
        assert_eq!(number(&most), None);
    }

    #[test]
    fn zigzag_reaches_both_ends() {
        let signed = |bytes: &[u8]| Reader::new(bytes).signed().ok();
        assert_eq!(signed(&[0]), Some(0));
        assert_eq!(signed(&[1]), Some(-1));
        assert_eq!(signed(&[2]), Some(1));
        assert_eq!(signed(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]), Some(i64::MIN));
    }

    #[test]
    fn lists_cannot_outgrow_the_payload() {
        assert!(Reader::new(&[5, 0]).list(Reader::byte).is_err());
        assert_eq!(Reader::new(&[2, 7, 8]).list(Reader::byte), Ok(vec![7, 8]));
    }

    #[test]
    fn strings_ascend() {
        assert!(Reader::new(&[2, 1, b'a', 1, b'b']).strings().is_ok());
        assert!(Reader::new(&[2, 1, b'b', 1, b'a']).strings().is_err());
        assert!(Reader::new(&[2, 1, b'a', 1, b'a']).strings().is_err());
        assert!(Reader::new(&[1, 1, 0xFF]).strings().is_err());
    }

    /// What is said of two texts of a table, and of a text that says nothing between them.
    fn meaning(table: &[u8], named: [u8; 3]) -> Option<[u8; 32]> {
        let bytes: Vec<u8> = table.iter().chain(&named).copied().collect();
        let mut reader = Reader::new(&bytes);
        let strings = reader.unsaid(Reader::strings).ok()?;
        reader.text(&strings).ok()?;
        reader.unsaid(|reader| reader.text(&strings)).ok()?;
        reader.text(&strings).ok()?;
        reader.finish().ok()?;
        Some(reader.meaning())
    }

    #[test]
    fn texts_mean_what_they_say_wherever_they_stand() {
        let (two, three) = (b"\x02\x01a\x01b", b"\x03\x01a\x02aa\x01b");
        let first = meaning(two, [0, 0, 1]);
        assert!(first.is_some());
        assert_eq!(meaning(three, [0, 1, 2]), first);
        assert_eq!(meaning(two, [0, 1, 1]), first);
        let others = [[0, 0, 0], [1, 0, 0], [1, 0, 1]].map(|named| meaning(two, named));
        assert!(others.iter().all(|other| other.is_some() && *other != first));
        assert_eq!(others.iter().filter(|other| **other == others[0]).count(), 1);
        // Where one text ends and the next one begins.
        let (long, short) = (b"\x02\x05a\0\0\0\0\x01b", b"\x02\x05\0\0\0\0b\x01a");
        assert_ne!(meaning(long, [0, 0, 1]), meaning(short, [1, 0, 0]));
    }
}
