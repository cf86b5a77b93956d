//! What tells at a glance, at most calls, that a condition is false: the first question that it asks, where
//! that decides and is about a value of the host's.
//!
//! It may leave a condition open that is false, and never says of another one that it is.

use std::sync::Arc;

use super::few::Few;
use super::mark::{Mark, Piece, Values};
use crate::program::tables::{Fact, Presence, Source, Tables};
use crate::program::{Condition, Op, Predicate};
use crate::text::{head, is_same};
use crate::value::{Dimension, Slot, Truth};
use crate::vm::ask;

/// More texts than that are not looked at one by one.
const FEW: usize = 8;

/// The values of one fact that a condition is false of.
#[derive(Debug)]
pub(crate) struct Screen {
    /// One that no program has, if nothing is told.
    fact: u32,
    /// The value that stands in for a missing one is among them.
    has_missing: bool,
    flag: Option<bool>,
    numbers: Numbers,
    texts: Texts,
}

/// The numbers of a dimension but those of a range; from and to, both included.
#[derive(Debug)]
struct Numbers {
    dimension: (i64, i64),
    range: (i64, i64),
}

#[derive(Debug, Default)]
enum Texts {
    #[default]
    Nothing,
    /// Of the fact's choices, these, with their heads.
    Among(Box<[(u64, Arc<str>)]>),
    /// All that none of these admits, and most by their lengths: a bit for each that one of them may have.
    But(u64, Few<Piece>),
}

/// A statement, an index of its table, and what tells at a glance that it does not apply.
#[derive(Debug)]
pub(crate) struct Screened {
    pub(crate) index: u32,
    pub(crate) screen: Screen,
}

impl Screen {
    /// That of a condition.
    pub(super) fn of(condition: &Condition, tables: &Tables) -> Self {
        let Some((index, predicate)) = opening(&condition.ops) else { return Self::default() };
        let fact = tables.facts.at(index);
        let is_sent = fact.source.from_host() || fact.source == Source::Arg;
        if !is_sent || fact.most > 0 {
            return Self::default();
        }
        let mut screen = Self { fact: index, ..Self::default() };
        match fact.dimension {
            Dimension::Flag => {
                let is_false = |flag: &bool| ask(predicate, Slot::Flag(*flag)) == Truth::False;
                screen.flag = [true, false].into_iter().find(is_false);
            }
            Dimension::Text => screen.texts = Texts::of(predicate, fact),
            dimension => screen.numbers = Numbers::of(predicate, dimension),
        }
        if let Presence::Default(value) = &fact.presence {
            screen.has_missing = screen.has(value.as_slot());
        }
        screen
    }

    /// Whether the condition is false, whatever else is sent.
    #[inline(always)]
    pub(crate) fn rules_out(&self, sent: &[Slot<'_>]) -> bool {
        sent.get(self.fact as usize).is_some_and(|slot| self.has(*slot))
    }

    #[inline(always)]
    fn has(&self, slot: Slot<'_>) -> bool {
        match slot {
            Slot::Int(number) => self.numbers.has(number),
            Slot::Flag(flag) => self.flag == Some(flag),
            Slot::Missing => self.has_missing,
            Slot::Text(text) => self.texts.has(text),
            Slot::Ill | Slot::List(_) => false,
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            fact: u32::MAX,
            has_missing: false,
            flag: None,
            numbers: Numbers::default(),
            texts: Texts::default(),
        }
    }
}

impl Default for Numbers {
    /// None: nothing is between the ends of the dimension.
    fn default() -> Self {
        Self { dimension: (0, -1), range: (0, -1) }
    }
}

impl Numbers {
    fn of(predicate: &Predicate, dimension: Dimension) -> Self {
        let Some(Values::Numbers(pieces)) = values(predicate) else { return Self::default() };
        let range = pieces.first().zip(pieces.last()).map(|(first, last)| (first.0, last.1));
        range.map_or_else(Self::default, |range| Self { dimension: dimension.range(), range })
    }

    #[inline]
    const fn has(&self, number: i64) -> bool {
        let Self { dimension: (least, most), range: (from, to) } = *self;
        least <= number && number <= most && !(from <= number && number <= to)
    }
}

impl Texts {
    fn of(predicate: &Predicate, fact: &Fact) -> Self {
        match values(predicate) {
            // What an argument may be, each tool says for itself.
            _ if fact.source == Source::Arg || fact.choices.len() > FEW => Self::Nothing,
            _ if !fact.choices.is_empty() => {
                let is_false = |text: &&Arc<str>| ask(predicate, Slot::Text(text)) == Truth::False;
                let texts = fact.choices.iter().filter(is_false);
                Self::Among(texts.map(|text| (head(text), Arc::clone(text))).collect())
            }
            Some(Values::Texts(pieces)) if pieces.len() <= FEW => Self::But(lengths(&pieces), pieces),
            _ => Self::Nothing,
        }
    }

    #[inline(always)]
    fn has(&self, text: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Among(texts) => is_among(texts, text),
            Self::But(lengths, pieces) => lengths & length(text) == 0 || !is_admitted(pieces, text),
        }
    }
}

#[inline(never)]
fn is_among(texts: &[(u64, Arc<str>)], text: &str) -> bool {
    let own = head(text);
    texts.iter().any(|(head, known)| *head == own && is_same(known, text))
}

#[inline(never)]
fn is_admitted(pieces: &[Piece], text: &str) -> bool {
    pieces.iter().any(|piece| piece.admits(text))
}

/// The bit of a text's length; of all that are long, one.
#[inline]
fn length(text: &str) -> u64 {
    1_u64.unbounded_shl(u32::try_from(text.len()).unwrap_or(u32::MAX).min(63))
}

/// Those that these pieces admit.
fn lengths(pieces: &[Piece]) -> u64 {
    let least = |piece: &Piece| length(&piece.text);
    let of = |piece: &Piece| if piece.is_prefix { !least(piece).saturating_sub(1) } else { least(piece) };
    pieces.iter().fold(0, |lengths, piece| lengths | of(piece))
}

/// The values of which a question is true.
fn values(predicate: &Predicate) -> Option<Values> {
    Mark::of_value(0, predicate, false).map(|mark| mark.values)
}

/// The question that makes a condition false if its answer is no: all there is, or the first of those that
/// all have to hold.
fn opening(ops: &[Op]) -> Option<(u32, &Predicate)> {
    let (Op::Ask { fact, predicate }, mut rest) = ops.split_first()? else { return None };
    while let Some((Op::JumpIfFalse { skip }, further)) = rest.split_first() {
        rest = further.get(*skip as usize..)?;
    }
    rest.is_empty().then_some((*fact, predicate))
}
