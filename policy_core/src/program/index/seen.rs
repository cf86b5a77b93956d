//! How much a clause tells, beside the others: what share it lets through of the values that they name.

use super::clauses::Clause;
use super::mark::{Mark, Values};
use crate::fingerprint::xxh3_64;

/// All values of a fact; shares are so many parts of it.
const WHOLE: u64 = 1 << 20;

/// A clause that lets more through is not worth to be looked up.
pub(super) const MOST_SHARE: u64 = WHOLE / 4 * 3;

/// The values that marks name, by fact: numbers in their order, texts in that of their hashes.
#[derive(Debug, Default)]
pub(super) struct Seen {
    points: Vec<(u32, u64)>,
    /// For each fact that is named, where its points begin.
    facts: Vec<(u32, usize)>,
}

impl Seen {
    /// Looks at these marks, and forgets those before.
    pub(super) fn look<'a>(&mut self, marks: impl Iterator<Item = &'a Mark>) {
        let points = &mut self.points;
        points.clear();
        for mark in marks {
            let mut add = |point: u64| points.push((mark.fact, point));
            match &mark.values {
                Values::None | Values::All => {}
                Values::Numbers(pieces) => pieces.iter().for_each(|(from, to)| {
                    add(ordered(*from));
                    add(ordered(*to));
                }),
                Values::Texts(pieces) => {
                    pieces.iter().for_each(|piece| add(xxh3_64(piece.text.as_bytes(), 0)));
                }
            }
        }
        points.sort_unstable();
        points.dedup();
        self.facts.clear();
        for (place, (fact, _)) in points.iter().enumerate() {
            if self.facts.last().is_none_or(|(last, _)| last != fact) {
                self.facts.push((*fact, place));
            }
        }
    }

    /// The points of a fact.
    fn of(&self, fact: u32) -> &[(u32, u64)] {
        let Ok(place) = self.facts.binary_search_by_key(&fact, |(known, _)| *known) else { return &[] };
        let begin = |place: usize| self.facts.get(place).map_or(self.points.len(), |(_, begin)| *begin);
        self.points.get(begin(place)..begin(place.saturating_add(1))).unwrap_or_default()
    }

    /// The share of values that a clause lets through, as if all that are named came equally often.
    pub(super) fn share(&self, clause: &Clause) -> u64 {
        clause.iter().map(|mark| self.share_of(mark)).fold(0, u64::saturating_add)
    }

    fn share_of(&self, mark: &Mark) -> u64 {
        let points = self.of(mark.fact);
        let taken = match &mark.values {
            Values::None => return WHOLE / 4,
            Values::All => return MOST_SHARE,
            Values::Numbers(pieces) => pieces.iter().fold(0, |taken: usize, (from, to)| {
                let before = points.partition_point(|(_, known)| *known < ordered(*from));
                let through = points.partition_point(|(_, known)| *known <= ordered(*to));
                taken.saturating_add(through.saturating_sub(before))
            }),
            // What begins so is more than one text.
            Values::Texts(pieces) => {
                let of = |is_prefix: bool| if is_prefix { 2 } else { 1 };
                pieces.iter().fold(0, |taken: usize, piece| taken.saturating_add(of(piece.is_prefix)))
            }
        };
        let all = points.len().saturating_add(1);
        let (taken, all) = (u64::try_from(taken).unwrap_or(u64::MAX), u64::try_from(all).unwrap_or(u64::MAX));
        let share = taken.saturating_mul(WHOLE).checked_div(all).unwrap_or(WHOLE);
        if is_open_on_one_side(&mark.values) { share.min(WHOLE / 2) } else { share }
    }
}

/// Thresholds name no values that come: the lowest of many is worth to be looked up as the highest is.
fn is_open_on_one_side(values: &Values) -> bool {
    let Values::Numbers(pieces) = values else { return false };
    let is_end = |piece: Option<&(i64, i64)>, is_it: fn(&(i64, i64)) -> bool| piece.is_some_and(is_it);
    is_end(pieces.first(), |(from, _)| *from == i64::MIN) != is_end(pieces.last(), |(_, to)| *to == i64::MAX)
}

/// A number as one that is never negative, in the same order.
const fn ordered(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}
