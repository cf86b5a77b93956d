//! The latest so many fingerprints of a kind, each once: what was given, paid for, or seen before.

use std::collections::{BTreeSet, VecDeque};

use crate::code::{Reader, Writer};

/// How many are remembered. What is forgotten counts as never met.
const MOST: usize = 4096;

/// The latest. Most runs remember none of most kinds, and these ask for no memory.
#[derive(Debug, Default)]
pub(crate) struct Latest(Option<Box<Met>>);

/// Some fingerprints, by when each was met first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Met {
    order: VecDeque<u64>,
    known: BTreeSet<u64>,
}

impl Latest {
    /// Remembers a fingerprint; whether it is new.
    pub(crate) fn add(&mut self, fingerprint: u64) -> bool {
        let met = self.0.get_or_insert_default();
        let is_new = met.known.insert(fingerprint);
        if is_new {
            met.order.push_back(fingerprint);
        }
        if met.order.len() > MOST
            && let Some(oldest) = met.order.pop_front()
        {
            met.known.remove(&oldest);
        }
        is_new
    }

    pub(crate) fn knows(&self, fingerprint: u64) -> bool {
        self.0.as_ref().is_some_and(|met| met.known.contains(&fingerprint))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.number(self.0.as_ref().map_or(0, |met| met.order.len()) as u64);
        self.0.iter().flat_map(|met| &met.order).for_each(|fingerprint| writer.number(*fingerprint));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let order = reader.list(Reader::number)?;
        let known: BTreeSet<u64> = order.iter().copied().collect();
        let is_whole = order.len() <= MOST && known.len() == order.len();
        let met = (!order.is_empty()).then(|| Box::new(Met { order: order.into(), known }));
        is_whole.then_some(Self(met))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut latest = Latest::default();
        assert!((0..=MOST as u64).all(|fingerprint| latest.add(fingerprint)));
        assert!(!latest.knows(0) && latest.knows(1) && latest.knows(MOST as u64));
        assert!(!latest.add(MOST as u64));
        assert!(latest.knows(1), "what is known takes no place");
    }

    #[test]
    fn what_was_written_is_read() {
        let mut latest = Latest::default();
        [7, 3, 9].into_iter().for_each(|fingerprint| assert!(latest.add(fingerprint)));
        let mut writer = Writer::default();
        latest.write(&mut writer);
        let bytes = writer.sealed(0);
        let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
        assert!(Latest::read(&mut reader).is_some_and(|read| read.knows(3) && read.0 == latest.0));
    }
}
