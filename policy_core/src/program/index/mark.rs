//! Marks: what has to hold of one fact, or else a condition is false. Rules are found by them.

use std::cmp::Ordering;
use std::sync::Arc;

use super::few::Few;
use crate::program::{Comparison, Const, Predicate};
use crate::value::Slot;

/// More values than that are not put together: a mark stays as large as what it was made from.
const MOST_PIECES: usize = 256;

/// For a fact that is neither ill-typed (which leaves everything open) nor as the mark says, a condition is
/// certainly false.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) fact: u32,
    /// Where the fact is missing, the condition is false.
    pub(crate) is_needed: bool,
    pub(crate) values: Values,
}

/// Values of one fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Values {
    None,
    /// From and to, both included, ascending and apart. A flag is 0 or 1.
    Numbers(Few<(i64, i64)>),
    /// Ascending; no text begins with one before it that is a beginning.
    Texts(Few<Piece>),
    All,
}

/// A text, or all that begin with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) text: Arc<str>,
    pub(crate) is_prefix: bool,
}

impl Piece {
    pub(super) fn admits(&self, text: &str) -> bool {
        if self.is_prefix { text.starts_with(&*self.text) } else { *text == *self.text }
    }
}

impl Mark {
    /// Of a value that is asked about, or of the negation of that.
    pub(crate) fn of_value(fact: u32, predicate: &Predicate, is_negated: bool) -> Option<Self> {
        let values = Values::of(predicate);
        let values = if is_negated { values.complement() } else { values };
        Self { fact, is_needed: false, values }.told()
    }

    /// Of `has`, or of the negation of that.
    pub(crate) const fn of_presence(fact: u32, is_negated: bool) -> Self {
        let values = if is_negated { Values::None } else { Values::All };
        Self { fact, is_needed: !is_negated, values }
    }

    /// Itself, if it tells anything.
    pub(crate) fn told(self) -> Option<Self> {
        (self.is_needed || self.values != Values::All).then_some(self)
    }

    /// What holds if both do; of one fact.
    pub(crate) fn and(&mut self, other: Self) {
        self.is_needed |= other.is_needed;
        let values = std::mem::replace(&mut self.values, Values::None);
        self.values = values.and(other.values);
    }

    /// What holds if one of them does; of one fact.
    pub(crate) fn or(&mut self, other: Self) {
        self.is_needed &= other.is_needed;
        let values = std::mem::replace(&mut self.values, Values::None);
        self.values = values.or(other.values);
    }

    /// Whether it leaves open what a condition says of this value.
    pub(crate) fn admits(&self, slot: Slot<'_>) -> bool {
        match (slot, &self.values) {
            (Slot::Missing, _) => !self.is_needed,
            (Slot::Ill | Slot::List(_), _) | (_, Values::All) => true,
            (_, Values::None) => false,
            (Slot::Int(number), Values::Numbers(pieces)) => within(pieces, number),
            (Slot::Flag(flag), Values::Numbers(pieces)) => within(pieces, i64::from(flag)),
            (Slot::Text(text), Values::Texts(pieces)) => {
                // Between a beginning of the text and the text, all begin with it: only one can be before.
                let after = pieces.partition_point(|piece| *piece.text <= *text);
                pieces.get(..after).and_then(<[_]>::last).is_some_and(|piece| piece.admits(text))
            }
            // Values of another sort than the fact's: the loader lets none in.
            (Slot::Int(_) | Slot::Flag(_), Values::Texts(_)) | (Slot::Text(_), Values::Numbers(_)) => true,
        }
    }
}

fn within(pieces: &[(i64, i64)], number: i64) -> bool {
    let found = pieces.binary_search_by(|(from, to)| match (from.cmp(&number), to.cmp(&number)) {
        (Ordering::Greater, _) => Ordering::Greater,
        (_, Ordering::Less) => Ordering::Less,
        _ => Ordering::Equal,
    });
    found.is_ok()
}

impl Values {
    /// The values of which this is true.
    fn of(predicate: &Predicate) -> Self {
        match predicate {
            Predicate::Compare { comparison, value: Const::Int(number) } => {
                Self::compared(*comparison, *number)
            }
            Predicate::Compare { comparison, value: Const::Flag(flag) } => {
                Self::compared(*comparison, i64::from(*flag))
            }
            Predicate::Compare { comparison: Comparison::Equal, value: Const::Text(text) } => {
                Self::Texts(Few::One(Piece { text: Arc::clone(text), is_prefix: false }))
            }
            Predicate::Member { values } => Self::among(values),
            Predicate::Starts { text } if !text.is_empty() => {
                Self::Texts(Few::One(Piece { text: Arc::clone(text), is_prefix: true }))
            }
            Predicate::Compare { .. } | Predicate::Starts { .. } | Predicate::Ends { .. } => Self::All,
        }
    }

    fn compared(comparison: Comparison, number: i64) -> Self {
        let below = || number.checked_sub(1).map(|most| (i64::MIN, most));
        let above = || number.checked_add(1).map(|least| (least, i64::MAX));
        Self::Numbers(match comparison {
            Comparison::Equal => Few::One((number, number)),
            Comparison::NotEqual => below().into_iter().chain(above()).collect(),
            Comparison::Less => below().into_iter().collect(),
            Comparison::LessOrEqual => Few::One((i64::MIN, number)),
            Comparison::Greater => above().into_iter().collect(),
            Comparison::GreaterOrEqual => Few::One((number, i64::MAX)),
        })
    }

    /// One of a list, which ascends and is of one sort.
    fn among(values: &[Const]) -> Self {
        let number = |value: &Const| match value {
            Const::Int(number) => Some(*number),
            Const::Flag(flag) => Some(i64::from(*flag)),
            Const::Text(_) => None,
        };
        let piece = |value: &Const| match value {
            Const::Text(text) => Some(Piece { text: Arc::clone(text), is_prefix: false }),
            Const::Int(_) | Const::Flag(_) => None,
        };
        match values {
            [] => Self::None,
            [Const::Text(_), ..] => {
                values.iter().map(piece).collect::<Option<_>>().map_or(Self::All, Self::Texts)
            }
            _ => {
                let numbers = values.iter().map(|value| number(value).map(|number| (number, number)));
                numbers
                    .collect::<Option<_>>()
                    .map_or(Self::All, |numbers| Self::Numbers(joined(numbers).into()))
            }
        }
    }

    /// All others, where these are numbers; of texts nearly all are left.
    fn complement(self) -> Self {
        match self {
            Self::None => Self::All,
            Self::Numbers(pieces) if pieces.len() <= MOST_PIECES => {
                let mut others = Vec::with_capacity(pieces.len().saturating_add(1));
                let mut next = Some(i64::MIN);
                for &(from, to) in &*pieces {
                    if let (Some(first), Some(last)) = (next, from.checked_sub(1))
                        && first <= last
                    {
                        others.push((first, last));
                    }
                    next = to.checked_add(1);
                }
                others.extend(next.map(|first| (first, i64::MAX)));
                Self::Numbers(others.into())
            }
            Self::Numbers(_) | Self::Texts(_) | Self::All => Self::All,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::None | Self::All => 0,
            Self::Numbers(pieces) => pieces.len(),
            Self::Texts(pieces) => pieces.len(),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, values) | (values, Self::All) => values,
            (Self::None, _) | (_, Self::None) => Self::None,
            // Either alone has to hold as well.
            (left, right) if left.len().saturating_add(right.len()) > MOST_PIECES => {
                if left.len() <= right.len() { left } else { right }
            }
            (Self::Numbers(left), Self::Numbers(right)) => Self::Numbers(common(&left, &right).into()),
            (Self::Texts(left), Self::Texts(right)) => Self::Texts(common_texts(&left, &right).into()),
            (left, _) => left,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, values) | (values, Self::None) => values,
            (left, right) if left.len().saturating_add(right.len()) > MOST_PIECES => Self::All,
            (Self::Numbers(left), Self::Numbers(right)) => {
                let mut left = left.into_vec();
                left.extend_from_slice(&right);
                left.sort_unstable();
                Self::Numbers(joined(left).into())
            }
            (Self::Texts(left), Self::Texts(right)) => {
                let mut left = left.into_vec();
                left.extend(right.into_vec());
                // Of equal texts the beginning first, which takes in the text itself.
                left.sort_unstable_by(|one, other| {
                    one.text.cmp(&other.text).then(other.is_prefix.cmp(&one.is_prefix))
                });
                left.dedup_by(|later, kept| kept.admits(&later.text));
                Self::Texts(left.into())
            }
            _ => Self::All,
        }
    }
}

/// The same numbers, with those put together that touch; from ascending ones.
fn joined(pieces: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut apart: Vec<(i64, i64)> = Vec::with_capacity(pieces.len());
    for (from, to) in pieces {
        match apart.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => apart.push((from, to)),
        }
    }
    apart
}

/// What is in both.
fn common(left: &[(i64, i64)], right: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut both = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(&&(from, to)), Some(&&(other_from, other_to))) = (lefts.peek(), rights.peek()) {
        let (first, last) = (from.max(other_from), to.min(other_to));
        if first <= last {
            both.push((first, last));
        }
        if to <= other_to {
            lefts.next();
        } else {
            rights.next();
        }
    }
    both
}

/// What is in both: of two pieces that have anything in common, one holds the other.
fn common_texts(left: &[Piece], right: &[Piece]) -> Vec<Piece> {
    let within = |one: &Piece, pieces: &[Piece]| {
        pieces.iter().any(|other| other.admits(&one.text) && (other.is_prefix || !one.is_prefix))
    };
    let mut both: Vec<Piece> = left.iter().filter(|piece| within(piece, right)).cloned().collect();
    both.extend(right.iter().filter(|piece| within(piece, left)).cloned());
    both.sort_unstable();
    both.dedup();
    both
}
