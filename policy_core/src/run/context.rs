//! How much of a prompt was paid for before: what is explained to one agent after the other, or again.

use std::collections::BTreeSet;

use crate::code::{Reader, Writer};
use crate::fingerprint::xxh3_64;
use crate::latest::Latest;
use crate::value::MILLION;

/// What the prompts of a family were made of. A message is its fingerprint and its tokens.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Each message that was sent.
    sent: Latest,
    /// Each beginning of a prompt, by all its messages.
    beginnings: Latest,
}

/// The part of a prompt's tokens that was paid for before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    again: u128,
    all: u128,
}

impl Share {
    /// Whether it is so many parts per million; nothing is no part of nothing.
    pub(crate) fn reaches(self, least: u64) -> bool {
        let (again, needed) = (self.again.saturating_mul(MILLION.into()), u128::from(least));
        self.all > 0 && again >= needed.saturating_mul(self.all)
    }
}

impl Context {
    /// How much of a prompt is sent again, after the longest beginning that it has in common with an earlier
    /// one: so does a conversation grow. What stands twice in it is sent again the second time.
    pub(crate) fn share(&self, messages: &[(u64, u64)]) -> Share {
        let mut beginnings = beginnings(messages).collect::<Vec<u64>>().into_iter();
        let known = beginnings.rposition(|beginning| self.beginnings.knows(beginning));
        let common = known.map_or(0, |place| place.saturating_add(1));
        let (mut share, mut met) = (Share { again: 0, all: 0 }, BTreeSet::new());
        for (place, (message, tokens)) in messages.iter().enumerate() {
            let is_new = met.insert(*message) && !self.sent.knows(*message);
            share.all = share.all.saturating_add((*tokens).into());
            if place >= common && !is_new {
                share.again = share.again.saturating_add((*tokens).into());
            }
        }
        share
    }

    /// This prompt is sent.
    pub(super) fn send(&mut self, messages: &[(u64, u64)]) {
        for ((message, _), beginning) in messages.iter().zip(beginnings(messages)) {
            self.sent.add(*message);
            self.beginnings.add(beginning);
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.sent.write(writer);
        self.beginnings.write(writer);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { sent: Latest::read(reader)?, beginnings: Latest::read(reader)? })
    }
}

/// For each message: what the prompt up to it is known by.
fn beginnings(messages: &[(u64, u64)]) -> impl Iterator<Item = u64> {
    messages.iter().scan(0, |beginning, (message, _)| {
        *beginning = xxh3_64(&message.to_le_bytes(), *beginning);
        Some(*beginning)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In parts per million, rounded down.
    fn share(context: &Context, messages: &[(u64, u64)]) -> Option<u128> {
        let Share { again, all } = context.share(messages);
        again.saturating_mul(MILLION.into()).checked_div(all)
    }

    #[test]
    fn a_long_conversation_is_remembered_by_its_end() {
        let mut context = Context::default();
        let all: Vec<(u64, u64)> = (0..10_000).map(|message| (message, 1)).collect();
        for end in (0..=10_000).step_by(500) {
            assert_eq!(share(&context, &all[..end]).unwrap_or(0), 0, "{end}");
            context.send(&all[..end]);
        }
        // What was said last is known, what was said long ago is forgotten.
        assert_eq!(share(&context, &all[9_000..]), Some(1_000_000));
        assert_eq!(share(&context, &all[1..1_000]), Some(0));
    }

    #[test]
    fn as_many_tokens_as_there_can_be_do_not_overflow() {
        let mut context = Context::default();
        context.send(&[(1, 1)]);
        let prompt: Vec<(u64, u64)> = (0..1_000).map(|_| (7, u64::MAX)).collect();
        assert_eq!(share(&context, &prompt), Some(999_000));
        assert!(context.share(&prompt).reaches(999_000) && !context.share(&prompt).reaches(999_001));
        assert!(!context.share(&[]).reaches(1) && !context.share(&[(1, 0)]).reaches(1));
    }
}
