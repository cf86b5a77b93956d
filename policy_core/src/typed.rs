//! Whether a value that a host sent is one that its fact may have.

use std::sync::Arc;

use crate::value::{Dimension, Slot};

/// What a fact may be, besides its dimension.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form<'a> {
    /// The most elements of a list.
    pub(crate) most: u32,
    pub(crate) choices: &'a [Arc<str>],
}

/// A slot of the wrong sort, or a text that is none of the choices, is ill-typed.
pub(crate) fn chosen<'a>(slot: Slot<'a>, dimension: Dimension, choices: &[Arc<str>]) -> Slot<'a> {
    match typed(slot, dimension) {
        Slot::Text(text) if !is_among(choices, text) => Slot::Ill,
        slot => slot,
    }
}

/// As many choices are compared one after the other.
const FEW: usize = 8;

/// Whether a text is one of the choices, if there are any.
pub(crate) fn is_among(choices: &[Arc<str>], text: &str) -> bool {
    match choices.len() {
        0 => true,
        // Of a few most are told apart by their lengths.
        1..=FEW => choices.iter().any(|choice| **choice == *text),
        _ => choices.binary_search_by(|choice| choice.as_bytes().cmp(text.as_bytes())).is_ok(),
    }
}

/// A slot of the wrong sort or out of range is ill-typed, whatever the host thinks.
pub(crate) fn typed(slot: Slot<'_>, dimension: Dimension) -> Slot<'_> {
    let fits = match slot {
        Slot::Missing | Slot::Ill => true,
        Slot::Int(number) => dimension.admits(number),
        Slot::Text(_) => dimension == Dimension::Text,
        Slot::Flag(_) => dimension == Dimension::Flag,
        Slot::List(_) => false,
    };
    if fits { slot } else { Slot::Ill }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_the_wrong_sort_are_ill_typed() {
        assert_eq!(typed(Slot::Int(3), Dimension::Text), Slot::Ill);
        assert_eq!(typed(Slot::Int(-3), Dimension::Tokens), Slot::Ill);
        assert_eq!(typed(Slot::Int(-3), Dimension::Money), Slot::Int(-3));
        assert_eq!(typed(Slot::Flag(true), Dimension::Count), Slot::Ill);
        assert_eq!(typed(Slot::Missing, Dimension::Count), Slot::Missing);
        assert_eq!(typed(Slot::List(&[]), Dimension::Count), Slot::Ill);
    }
}
