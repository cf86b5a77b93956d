//! Evaluates one condition over the facts of one event, in Kleene's logic. Total, bounded by the condition's
//! length (jumps only go forward) and by the elements of the lists in it, no allocation.

use std::cmp::Ordering;

use crate::facts::View;
use crate::program::{Comparison, Condition, Const, DEEPEST, Op, Predicate};
use crate::value::{Slot, Truth};

/// The truth values in hand. The loader proved that no condition needs more than [`DEEPEST`].
#[derive(Debug)]
struct Stack {
    values: [Truth; DEEPEST],
    depth: usize,
}

impl Stack {
    fn push(&mut self, truth: Truth) {
        if let Some(place) = self.values.get_mut(self.depth) {
            *place = truth;
            self.depth = self.depth.saturating_add(1);
        }
    }

    fn pop(&mut self) -> Truth {
        let top = self.top();
        self.depth = self.depth.saturating_sub(1);
        top
    }

    fn top(&self) -> Truth {
        // A verified condition never looks below the ground; unknown is what refuses to allow.
        let place = self.depth.checked_sub(1);
        place.and_then(|place| self.values.get(place)).copied().unwrap_or(Truth::Unknown)
    }
}

/// The truth of a condition.
#[inline(never)]
pub(crate) fn evaluate(condition: &Condition, view: &View<'_>) -> Truth {
    match &*condition.ops {
        // Most conditions ask one thing, and need no stack.
        [Op::Ask { fact, predicate }] => ask(predicate, view.slot(*fact)),
        ops => evaluate_all(ops, view),
    }
}

fn evaluate_all(ops: &[Op], view: &View<'_>) -> Truth {
    let mut stack = Stack { values: [Truth::False; DEEPEST], depth: 0 };
    let mut place = 0_usize;
    while let Some(op) = ops.get(place) {
        place = place.saturating_add(1);
        match op {
            Op::Ask { fact, predicate } => stack.push(ask(predicate, view.slot(*fact))),
            Op::AskEach { fact, quantifier, predicate } => stack.push(match view.slot(*fact) {
                Slot::List(values) => {
                    let elements = view.elements(*fact, values);
                    quantifier.join(elements.map(|element| ask(predicate, element)))
                }
                _ => Truth::Unknown,
            }),
            Op::Has { fact } => stack.push(match view.slot(*fact) {
                Slot::Missing => Truth::False,
                Slot::Ill => Truth::Unknown,
                _ => Truth::True,
            }),
            Op::Not => {
                let truth = stack.pop().negate();
                stack.push(truth);
            }
            Op::And => {
                let truth = stack.pop().min(stack.pop());
                stack.push(truth);
            }
            Op::Or => {
                let truth = stack.pop().max(stack.pop());
                stack.push(truth);
            }
            Op::JumpIfFalse { skip } if stack.top() == Truth::False => {
                place = place.saturating_add(*skip as usize);
            }
            Op::JumpIfTrue { skip } if stack.top() == Truth::True => {
                place = place.saturating_add(*skip as usize);
            }
            Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => {}
        }
    }
    stack.pop()
}

/// The truth of one question.
pub(crate) fn ask(predicate: &Predicate, slot: Slot<'_>) -> Truth {
    match predicate {
        Predicate::Compare { comparison, value } => compare(slot, *comparison, value),
        Predicate::Member { values } => member(slot, values),
        Predicate::Starts { text } => affix(slot, |fact| fact.starts_with(&**text)),
        Predicate::Ends { text } => affix(slot, |fact| fact.ends_with(&**text)),
    }
}

fn compare(slot: Slot<'_>, comparison: Comparison, value: &Const) -> Truth {
    let order = match (slot, value) {
        (Slot::Int(left), Const::Int(right)) => left.cmp(right),
        // Texts of other lengths need not be read to be told apart.
        (Slot::Text(left), Const::Text(right)) if *left == **right => Ordering::Equal,
        (Slot::Text(_), Const::Text(_)) if !comparison.needs_order() => Ordering::Less,
        (Slot::Text(left), Const::Text(right)) => left.cmp(&**right),
        (Slot::Flag(left), Const::Flag(right)) => left.cmp(right),
        _ => return Truth::Unknown,
    };
    Truth::from(comparison.holds(order))
}

fn member(slot: Slot<'_>, values: &[Const]) -> Truth {
    let found = match slot {
        Slot::Missing | Slot::Ill | Slot::List(_) => return Truth::Unknown,
        Slot::Int(number) => values.binary_search(&Const::Int(number)).is_ok(),
        Slot::Flag(flag) => values.binary_search(&Const::Flag(flag)).is_ok(),
        Slot::Text(text) => values
            .binary_search_by(|value| match value {
                Const::Text(known) => (**known).cmp(text),
                // All values of a list have the fact's dimension.
                Const::Flag(_) | Const::Int(_) => Ordering::Less,
            })
            .is_ok(),
    };
    Truth::from(found)
}

fn affix(slot: Slot<'_>, holds: impl Fn(&str) -> bool) -> Truth {
    match slot {
        Slot::Text(text) => Truth::from(holds(text)),
        _ => Truth::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_of_what_is_not_there_are_unknown() {
        let one = Const::Int(1);
        assert_eq!(compare(Slot::Missing, Comparison::Equal, &one), Truth::Unknown);
        assert_eq!(compare(Slot::Ill, Comparison::NotEqual, &one), Truth::Unknown);
        assert_eq!(compare(Slot::Int(2), Comparison::Greater, &one), Truth::True);
        assert_eq!(compare(Slot::Int(1), Comparison::Less, &one), Truth::False);
        assert_eq!(compare(Slot::Int(1), Comparison::GreaterOrEqual, &one), Truth::True);
    }

    #[test]
    fn membership_searches_texts_numbers_and_flags() {
        let texts = [Const::Text("a".into()), Const::Text("c".into())];
        assert_eq!(member(Slot::Text("c"), &texts), Truth::True);
        assert_eq!(member(Slot::Text("b"), &texts), Truth::False);
        assert_eq!(member(Slot::Missing, &texts), Truth::Unknown);
        assert_eq!(member(Slot::Int(2), &[Const::Int(1), Const::Int(2)]), Truth::True);
        assert_eq!(member(Slot::Flag(true), &[Const::Flag(false)]), Truth::False);
    }

    #[test]
    fn of_a_list_any_is_or_and_all_is_and() {
        use crate::program::Quantifier::{All, Any};
        let (no, open, yes) = (Truth::False, Truth::Unknown, Truth::True);
        for (truths, any, all) in [
            (&[][..], no, yes),
            (&[no], no, no),
            (&[open], open, open),
            (&[no, open], open, no),
            (&[open, yes], yes, open),
            (&[no, open, yes], yes, no),
            (&[yes, yes], yes, yes),
        ] {
            assert_eq!((Any.join(truths.iter().copied()), All.join(truths.iter().copied())), (any, all));
        }
    }

    #[test]
    fn no_element_is_looked_at_once_it_is_decided() {
        use crate::program::Quantifier::{All, Any};
        let mut truths = [Truth::True, Truth::False, Truth::True].into_iter();
        assert_eq!(All.join(&mut truths), Truth::False);
        assert_eq!(truths.len(), 1);
        let mut truths = [Truth::True, Truth::False, Truth::False].into_iter();
        assert_eq!(Any.join(&mut truths), Truth::True);
        assert_eq!(truths.len(), 2);
    }

    #[test]
    fn affixes_need_a_text() {
        assert_eq!(affix(Slot::Text("abc"), |text| text.starts_with("ab")), Truth::True);
        assert_eq!(affix(Slot::Ill, |_| true), Truth::Unknown);
    }
}
