//! What a value of C's is to a fact: in the integer unit of its dimension, exactly, or ill-typed. The same as
//! what the same value is from Python.

use checkrein_host::{exact, is_plain, scaled};
use policy_core::{Dimension, MoneyUnit, Slot, Value};

use crate::edge::Given;
use crate::fault::Fault;

/// How one fact reads values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    dimension: Dimension,
    /// How many decimal places the integer inside has.
    scale: u32,
    /// The most elements of a list; 0 of one value.
    most: u32,
}

impl Shape {
    /// Whole currency units or hundredths, seconds, fractions of one, or plain numbers.
    pub(crate) fn new(dimension: Dimension, unit: Option<MoneyUnit>, most: u32) -> Self {
        let scale = match (dimension, unit) {
            (Dimension::Money, Some(MoneyUnit::Cents)) => 7,
            (Dimension::Money | Dimension::Duration, _) => 9,
            (Dimension::Percent, _) => 6,
            (Dimension::Text | Dimension::Flag | Dimension::Count | Dimension::Tokens, _) => 0,
        };
        Self { dimension, scale, most }
    }

    /// Whether the fact is a list.
    pub(crate) const fn is_list(self) -> bool {
        self.most > 0
    }

    /// The value of a list fact, which owns its elements; nothing of a fact of one value.
    pub(crate) fn list(self, given: Given<'_>) -> Result<Option<Value>, Fault> {
        if !self.is_list() {
            return Ok(None);
        }
        let Given::List(items) = given else {
            return Ok(Some(if matches!(given, Given::Missing) { Value::Missing } else { Value::Ill }));
        };
        // One more than fits tells that it is too long, however long it is.
        let looked_at = items.iter().take((self.most as usize).saturating_add(1));
        let elements = looked_at.map(|item| Ok(Value::from(self.slot(item.read()?))));
        elements.collect::<Result<_, _>>().map(|elements| Some(Value::List(elements)))
    }

    /// The slot of one value. It borrows its text.
    pub(crate) fn slot(self, given: Given<'_>) -> Slot<'_> {
        let number = match given {
            Given::Missing => return Slot::Missing,
            Given::Text(text) if self.dimension == Dimension::Text => return Slot::Text(text),
            Given::Flag(flag) if self.dimension == Dimension::Flag => return Slot::Flag(flag),
            Given::Integer(number) if self.dimension.is_number() => {
                10_i64.checked_pow(self.scale).and_then(|unit| number.checked_mul(unit))
            }
            Given::Real(number) if self.dimension.is_number() => exact(number, self.scale),
            Given::Text(text) if self.dimension == Dimension::Money && is_plain(text) => {
                scaled(text, self.scale)
            }
            _ => None,
        };
        number.filter(|number| self.dimension.admits(*number)).map_or(Slot::Ill, Slot::Int)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_unit_of_their_fact() {
        let of = |dimension| Shape::new(dimension, None, 0);
        let cents = Shape::new(Dimension::Money, Some(MoneyUnit::Cents), 0);
        assert_eq!(cents.slot(Given::Integer(15_000)), Slot::Int(150_000_000_000));
        assert_eq!(of(Dimension::Money).slot(Given::Text("12.50")), Slot::Int(12_500_000_000));
        assert_eq!(of(Dimension::Percent).slot(Given::Real(0.85)), Slot::Int(850_000));
        assert_eq!(of(Dimension::Duration).slot(Given::Integer(2)), Slot::Int(2_000_000_000));
        assert_eq!(of(Dimension::Text).slot(Given::Text("x")), Slot::Text("x"));
        for (dimension, ill) in [
            (Dimension::Text, Given::Integer(1)),
            (Dimension::Flag, Given::Integer(1)),
            (Dimension::Count, Given::Flag(true)),
            (Dimension::Count, Given::Text("1")),
            (Dimension::Count, Given::Real(0.5)),
            (Dimension::Count, Given::Real(f64::NAN)),
            (Dimension::Money, Given::Text("1e3")),
            (Dimension::Money, Given::Integer(i64::MAX)),
            (Dimension::Tokens, Given::Integer(-1)),
            (Dimension::Text, Given::List(&[])),
        ] {
            assert_eq!(of(dimension).slot(ill), Slot::Ill, "{dimension:?} {ill:?}");
        }
    }
}
