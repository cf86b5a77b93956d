//! What the tools of a family gave, and what its agents were told in place of that: by fingerprint.

use std::collections::{BTreeSet, VecDeque};

use crate::code::{Reader, Writer};

/// How many are remembered. What is forgotten counts as never given.
const MOST: usize = 4096;

/// The latest results, each once.
#[derive(Debug, Default)]
pub(crate) struct Given {
    order: VecDeque<u64>,
    known: BTreeSet<u64>,
}

impl Given {
    pub(crate) fn add(&mut self, fingerprint: u64) {
        if !self.known.insert(fingerprint) {
            return;
        }
        self.order.push_back(fingerprint);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn knows(&self, fingerprint: u64) -> bool {
        self.known.contains(&fingerprint)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.order.len() as u64);
        self.order.iter().for_each(|fingerprint| writer.number(*fingerprint));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let order = reader.list(Reader::number)?;
        let known: BTreeSet<u64> = order.iter().copied().collect();
        (order.len() <= MOST && known.len() == order.len()).then(|| Self { order: order.into(), known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut given = Given::default();
        (0..=MOST as u64).for_each(|fingerprint| given.add(fingerprint));
        assert!(!given.knows(0) && given.knows(1) && given.knows(MOST as u64));
        given.add(MOST as u64);
        assert!(given.knows(1), "what is known takes no place");
    }

    #[test]
    fn what_was_written_is_read() {
        let mut given = Given::default();
        [7, 3, 9].into_iter().for_each(|fingerprint| given.add(fingerprint));
        let mut writer = Writer::default();
        given.write(&mut writer);
        let bytes = writer.sealed(0);
        let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
        assert!(Given::read(&mut reader).is_some_and(|read| read.knows(3) && read.order == given.order));
    }
}
