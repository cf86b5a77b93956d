//! Texts told apart by their first bytes as a number: most differ there, and nothing has to be called for
//! that.

use std::cmp::Ordering;

/// So many heads are looked at one after the other.
const FEW: usize = 8;

/// The first eight bytes; of a shorter text, zeros after it. Ascends as texts do, but that a text and the
/// same with zeros behind it have equal ones.
#[inline]
pub(crate) fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    // As two halves that may overlap, or byte by byte: to copy them would be a call.
    match (bytes, bytes.first_chunk(), bytes.last_chunk()) {
        (_, Some(first), Some(last)) => {
            let missing = 8_usize.saturating_sub(bytes.len()).saturating_mul(8);
            let (first, last) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
            (u64::from(first) << 32) | ((u64::from(last) << missing) & u64::from(u32::MAX))
        }
        ([one, two, three], ..) => u64::from_be_bytes([*one, *two, *three, 0, 0, 0, 0, 0]),
        ([one, two], ..) => u64::from_be_bytes([*one, *two, 0, 0, 0, 0, 0, 0]),
        ([one], ..) => u64::from_be_bytes([*one, 0, 0, 0, 0, 0, 0, 0]),
        _ => 0,
    }
}

/// The order of two texts by their bytes.
#[inline]
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    head(one).cmp(&head(other)).then_with(|| {
        if one.len().max(other.len()) <= 8 { one.len().cmp(&other.len()) } else { one.cmp(other) }
    })
}

/// Whether two texts with equal heads are equal: short ones are, if they are as long.
#[inline]
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.len() <= 8 || one == other)
}

/// The heads of texts, in the ascending order of these.
#[derive(Debug)]
pub(crate) struct Heads(Box<[u64]>);

impl Heads {
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        Self(texts.map(head).collect())
    }

    /// The place of the item with this text.
    #[inline]
    pub(crate) fn find<T>(&self, items: &[T], text_of: impl Fn(&T) -> &str, text: &str) -> Option<u32> {
        let own = head(text);
        let first = if self.0.len() <= FEW {
            self.0.iter().position(|head| *head == own)?
        } else {
            self.0.partition_point(|head| *head < own)
        };
        if *self.0.get(first)? != own {
            return None;
        }
        if is_same(text_of(items.get(first)?), text) {
            return u32::try_from(first).ok();
        }
        let of_text = |item: &T| compare(text_of(item), text);
        let further = items.get(first..)?.binary_search_by(of_text).ok()?;
        u32::try_from(first.saturating_add(further)).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_ordered_by_their_bytes(
            texts in prop::collection::vec("[ab\0é]{0,10}", 2),
            common in "[a\0]{0,9}",
        ) {
            let [one, other] = [0, 1].map(|place| format!("{common}{}", texts[place]));
            prop_assert_eq!(compare(&one, &other), one.as_bytes().cmp(other.as_bytes()));
            prop_assert!(head(&one) <= head(&other) || one > other);
        }

        #[test]
        fn a_text_is_found_at_its_place(
            texts in prop::collection::btree_set("(abcdefgh)?[ab\0]{0,3}", 0..12),
            text in "(abcdefgh)?[ab\0]{0,3}",
        ) {
            let texts: Vec<String> = texts.into_iter().collect();
            let heads = Heads::new(texts.iter().map(String::as_str));
            let found = heads.find(&texts, String::as_str, &text).map(|place| place as usize);
            prop_assert_eq!(found, texts.iter().position(|known| *known == text));
        }
    }
}
