//! The closed set of values: dimensions, slots of facts, and the three truth values.

/// The largest number the engine computes with (2^53 - 1), so that every store and every JSON reader
/// keeps it exactly.
pub const MAX_NUMBER: i64 = (1 << 53) - 1;

/// [`MAX_NUMBER`] for quantities that are never negative.
pub const MAX_QUANTITY: u64 = (1 << 53) - 1;

/// One million: percentages are parts per million, prices are per million tokens.
pub const MILLION: u64 = 1_000_000;

/// What a value measures. Two values compare only within one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// Unicode text.
    Text,
    /// True or false.
    Flag,
    /// A plain number.
    Count,
    /// Nano-units of the policy's currency.
    Money,
    /// Model tokens.
    Tokens,
    /// Nanoseconds.
    Duration,
    /// Parts per million.
    Percent,
}

impl Dimension {
    /// All dimensions, in the order of their codes in an artifact.
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Flag, Self::Count, Self::Money, Self::Tokens, Self::Duration, Self::Percent];

    /// The word that policies and messages use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Flag => "flag",
            Self::Count => "count",
            Self::Money => "money",
            Self::Tokens => "tokens",
            Self::Duration => "duration",
            Self::Percent => "percent",
        }
    }

    /// Whether values of this dimension are numbers, and so have an order.
    #[must_use]
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Text | Self::Flag)
    }

    /// The least and the greatest number of this dimension; none is between those of what is no number.
    pub(crate) const fn range(self) -> (i64, i64) {
        match self {
            Self::Count | Self::Money => (-MAX_NUMBER, MAX_NUMBER),
            Self::Tokens | Self::Duration => (0, MAX_NUMBER),
            Self::Percent => (0, 1_000_000),
            Self::Text | Self::Flag => (0, -1),
        }
    }

    /// Whether `number` is a value of this dimension.
    #[must_use]
    pub const fn admits(self, number: i64) -> bool {
        let (least, most) = self.range();
        least <= number && number <= most
    }
}

/// The value of one fact as the host supplies it, borrowed for the length of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slot<'a> {
    /// The host sent nothing.
    #[default]
    Missing,
    /// The host sent something that is not a value of the fact's dimension.
    Ill,
    /// A number, in the integer unit of its dimension.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// A flag.
    Flag(bool),
    /// A list, as the host sent its elements: each of them may be ill-typed by itself.
    List(&'a [Value]),
}

/// A slot that owns what it holds; kept in decisions and between the events of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing was sent.
    #[default]
    Missing,
    /// Not a value of the fact's dimension.
    Ill,
    /// A number, in the integer unit of its dimension.
    Int(i64),
    /// A text.
    Text(Box<str>),
    /// A flag.
    Flag(bool),
    /// A list.
    List(Box<[Value]>),
}

impl Value {
    /// The same value, borrowed.
    #[must_use]
    pub fn as_slot(&self) -> Slot<'_> {
        match self {
            Self::Missing => Slot::Missing,
            Self::Ill => Slot::Ill,
            Self::Int(number) => Slot::Int(*number),
            Self::Text(text) => Slot::Text(text),
            Self::Flag(flag) => Slot::Flag(*flag),
            Self::List(values) => Slot::List(values),
        }
    }
}

impl From<Slot<'_>> for Value {
    fn from(slot: Slot<'_>) -> Self {
        match slot {
            Slot::Missing => Self::Missing,
            Slot::Ill => Self::Ill,
            Slot::Int(number) => Self::Int(number),
            Slot::Text(text) => Self::Text(text.into()),
            Slot::Flag(flag) => Self::Flag(flag),
            Slot::List(values) => Self::List(values.into()),
        }
    }
}

/// Kleene's three truth values, ordered so that `and` is the least and `or` the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// Certainly not.
    #[default]
    False,
    /// A value that is missing or ill-typed leaves it open.
    Unknown,
    /// Certainly so.
    True,
}

impl Truth {
    /// `not`: false and true change places, unknown stays.
    #[must_use]
    pub const fn negate(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kleene_logic_follows_the_order_of_the_variants() {
        assert_eq!(Truth::False.min(Truth::Unknown), Truth::False);
        assert_eq!(Truth::Unknown.min(Truth::True), Truth::Unknown);
        assert_eq!(Truth::Unknown.max(Truth::True), Truth::True);
        assert_eq!(Truth::Unknown.negate(), Truth::Unknown);
        assert_eq!(Truth::True.negate(), Truth::False);
    }

    #[test]
    fn dimensions_know_their_range() {
        assert!(Dimension::Money.admits(-1));
        assert!(!Dimension::Tokens.admits(-1));
        assert!(Dimension::Percent.admits(1_000_000));
        assert!(!Dimension::Percent.admits(1_000_001));
        assert!(!Dimension::Count.admits(MAX_NUMBER + 1));
        assert!(!Dimension::Text.admits(0));
    }

    #[test]
    fn a_value_round_trips_through_a_slot() {
        let list = [Value::Int(1), Value::Ill];
        let simple = [Slot::Missing, Slot::Ill, Slot::Int(-3), Slot::Text("x"), Slot::Flag(true)];
        for slot in [&simple[..], &[Slot::List(&list), Slot::List(&[])]].concat() {
            assert_eq!(Value::from(slot).as_slot(), slot);
        }
    }
}
