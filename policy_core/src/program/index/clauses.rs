//! What a condition needs to be other than false, as clauses: of each, one mark at least has to admit.
//!
//! Sound whatever the operations are: a condition that is not made of whole operands has no clauses.

use super::mark::{Mark, Values};
use crate::program::{Condition, Op};

/// What goes beyond is left out, which only makes a rule run more often.
const MOST_CLAUSES: usize = 8;
const MOST_MARKS: usize = 8;

/// Marks of different facts, ascending by fact.
pub(crate) type Clause = Vec<Mark>;

/// The clauses of a condition.
pub(crate) fn clauses(condition: &Condition) -> Vec<Clause> {
    let ops = &*condition.ops;
    let Some(negated) = Shape::of(ops).map(|shape| shape.negated(ops)) else { return Vec::new() };
    let mut stack: Vec<Vec<Clause>> = Vec::new();
    for (op, is_negated) in ops.iter().zip(negated) {
        match op {
            Op::Ask { fact, predicate } => {
                let mark = Mark::of_value(*fact, predicate, is_negated);
                stack.push(mark.into_iter().map(|mark| vec![mark]).collect());
            }
            Op::Has { fact } => stack.push(vec![vec![Mark::of_presence(*fact, is_negated)]]),
            // Of a list's elements many may be asked about.
            Op::AskEach { .. } => stack.push(Vec::new()),
            Op::Not | Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => {}
            Op::And | Op::Or => {
                let right = stack.pop().unwrap_or_default();
                let left = stack.pop().unwrap_or_default();
                let is_both = matches!(op, Op::And) != is_negated;
                stack.push(if is_both { both(left, right) } else { either(left, &right) });
            }
        }
    }
    stack.pop().unwrap_or_default()
}

/// Where the operands of a condition's operations are.
struct Shape {
    /// For each join: the last operation of its left operand. The right one's is always the one before it.
    lefts: Vec<Option<usize>>,
}

impl Shape {
    /// None unless each jump goes from between two operands past the end of their join, and skips what the
    /// first has decided.
    fn of(ops: &[Op]) -> Option<Self> {
        let mut starts: Vec<usize> = Vec::new();
        let mut lefts = vec![None; ops.len()];
        let (mut jumps, mut used) = (0_usize, 0_usize);
        for (place, op) in ops.iter().enumerate() {
            match op {
                Op::Ask { .. } | Op::AskEach { .. } | Op::Has { .. } => starts.push(place),
                Op::Not => {}
                Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => jumps = jumps.saturating_add(1),
                Op::And | Op::Or => {
                    let before = starts.pop()?.checked_sub(1)?;
                    let length = place.checked_sub(before)?;
                    let is_jump = match (ops.get(before)?, op) {
                        (Op::JumpIfFalse { skip }, Op::And) | (Op::JumpIfTrue { skip }, Op::Or) => {
                            *skip as usize == length
                        }
                        _ => false,
                    };
                    used = used.saturating_add(usize::from(is_jump));
                    *lefts.get_mut(place)? = Some(before.checked_sub(usize::from(is_jump))?);
                }
            }
        }
        (jumps == used && starts.len() == 1).then_some(Self { lefts })
    }

    /// For each operation, whether it stands under an odd number of `not`.
    fn negated(&self, ops: &[Op]) -> Vec<bool> {
        let mut negated = vec![false; ops.len()];
        if !ops.iter().any(|op| matches!(op, Op::Not)) {
            return negated;
        }
        for (place, op) in ops.iter().enumerate().rev() {
            let is_negated = negated.get(place).copied().unwrap_or_default();
            let mut tell = |operand: Option<usize>, is_negated: bool| {
                if let Some(slot) = operand.and_then(|operand| negated.get_mut(operand)) {
                    *slot = is_negated;
                }
            };
            match op {
                Op::Not => tell(place.checked_sub(1), !is_negated),
                Op::And | Op::Or => {
                    tell(place.checked_sub(1), is_negated);
                    tell(self.lefts.get(place).copied().flatten(), is_negated);
                }
                _ => {}
            }
        }
        negated
    }
}

/// What both operands need.
fn both(mut left: Vec<Clause>, right: Vec<Clause>) -> Vec<Clause> {
    for mut clause in right {
        let has_room = left.len() < MOST_CLAUSES;
        let known = single(&clause)
            .and_then(|mark| left.iter_mut().filter_map(single_mut).find(|known| known.fact == mark.fact));
        match (known, clause.pop()) {
            (Some(known), Some(mark)) => known.and(mark),
            (None, Some(mark)) if has_room => {
                clause.push(mark);
                left.push(clause);
            }
            _ => {}
        }
    }
    left
}

/// What one of two operands needs: of facts that both are about, else of the most telling clause of each.
fn either(left: Vec<Clause>, right: &[Clause]) -> Vec<Clause> {
    let of_fact = |fact: u32| right.iter().filter_map(|clause| single(clause)).find(|mark| mark.fact == fact);
    let or = |mark: &Mark| {
        let mut mark = mark.clone();
        mark.or(of_fact(mark.fact)?.clone());
        mark.told().map(|mark| vec![mark])
    };
    let found: Vec<Clause> = left.iter().filter_map(|clause| single(clause)).filter_map(or).collect();
    if !found.is_empty() {
        return found;
    }
    let joined = || {
        let mut joined = left.iter().min_by_key(|clause| weight(clause))?.clone();
        for mark in right.iter().min_by_key(|clause| weight(clause))? {
            match joined.binary_search_by_key(&mark.fact, |known| known.fact) {
                Ok(place) => {
                    let known = joined.get_mut(place)?;
                    known.or(mark.clone());
                    known.clone().told()?;
                }
                Err(place) => joined.insert(place, mark.clone()),
            }
        }
        (joined.len() <= MOST_MARKS).then_some(joined)
    };
    joined().into_iter().collect()
}

/// The mark of a clause that has one.
fn single(clause: &Clause) -> Option<&Mark> {
    if let [mark] = &**clause { Some(mark) } else { None }
}

fn single_mut(clause: &mut Clause) -> Option<&mut Mark> {
    if let [mark] = &mut **clause { Some(mark) } else { None }
}

/// How little a clause tells by itself, whatever other rules ask.
fn weight(clause: &Clause) -> usize {
    let of = |mark: &Mark| match &mark.values {
        Values::None => 1,
        Values::Texts(pieces) => pieces.len(),
        Values::Numbers(pieces) => {
            let each = pieces.iter().map(|(from, to)| if from == to { 1 } else { 100 });
            each.fold(0, usize::saturating_add)
        }
        Values::All => 1000,
    };
    clause.iter().map(of).fold(0, usize::saturating_add)
}
