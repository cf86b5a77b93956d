//! What a condition needs to be other than false, as clauses: of each, one mark at least has to admit.
//!
//! Sound whatever the operations are: a condition that is not made of whole operands has no clauses.

use super::few::Few;
use super::mark::{Mark, Values};
use crate::program::{Condition, Op};

/// What goes beyond is left out, which only makes a rule run more often.
pub(crate) const MOST_CLAUSES: usize = 8;
const MOST_MARKS: usize = 8;

/// Marks of different facts, ascending by fact.
pub(crate) type Clause = Few<Mark>;

/// Works out the clauses of one condition after the other, in the same rooms.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    shape: Shape,
    /// Where the clauses begin of each operand that is not joined yet.
    operands: Vec<usize>,
    /// Those of a right operand, on their way to the left one.
    right: Vec<Clause>,
}

impl Needs {
    /// Adds the clauses of a condition to these.
    pub(crate) fn add(&mut self, condition: &Condition, clauses: &mut Vec<Clause>) {
        self.operands.clear();
        let ops = &*condition.ops;
        if !self.shape.take(ops) {
            return;
        }
        for (place, op) in ops.iter().enumerate() {
            let is_negated = self.shape.negated.get(place).copied().unwrap_or_default();
            match op {
                Op::Ask { fact, predicate } => {
                    self.operands.push(clauses.len());
                    clauses.extend(Mark::of_value(*fact, predicate, is_negated).map(Few::One));
                }
                Op::Has { fact } => {
                    self.operands.push(clauses.len());
                    clauses.push(Few::One(Mark::of_presence(*fact, is_negated)));
                }
                // Of a list's elements many may be asked about.
                Op::AskEach { .. } => self.operands.push(clauses.len()),
                Op::Not | Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => {}
                Op::And | Op::Or => {
                    let right = self.operands.pop().unwrap_or_default();
                    self.right.extend(clauses.drain(right..));
                    let left = self.operands.last().copied().unwrap_or_default();
                    let is_both = matches!(op, Op::And) != is_negated;
                    if is_both { self.both(clauses, left) } else { self.either(clauses, left) }
                }
            }
        }
    }

    /// What the right operand needs and the left one, whose clauses begin here.
    fn both(&mut self, clauses: &mut Vec<Clause>, left: usize) {
        for clause in self.right.drain(..) {
            let has_room = clauses.len().saturating_sub(left) < MOST_CLAUSES;
            let mut lefts = clauses.iter_mut().skip(left).filter_map(single_mut);
            let known = single(&clause).and_then(|mark| lefts.find(|known| known.fact == mark.fact));
            match (known, clause) {
                (Some(known), Few::One(mark)) => known.and(mark),
                (_, clause) if has_room => clauses.push(clause),
                _ => {}
            }
        }
    }

    /// What one of them needs.
    fn either(&mut self, clauses: &mut Vec<Clause>, left: usize) {
        let found = either(clauses.get(left..).unwrap_or_default(), &self.right);
        self.right.clear();
        clauses.truncate(left);
        clauses.extend(found);
    }
}

/// Where the operands of a condition's operations are, and which of them are negated.
#[derive(Debug, Default)]
struct Shape {
    /// Where each operand begins that is not joined yet.
    starts: Vec<usize>,
    /// For each join: the last operation of its left operand. The right one's is always the one before it.
    lefts: Vec<Option<usize>>,
    /// For each operation, whether it stands under an odd number of `not`; none where no `not` is.
    negated: Vec<bool>,
}

impl Shape {
    /// Not unless each jump goes from between two operands past the end of their join, and skips what the
    /// first has decided.
    fn take(&mut self, ops: &[Op]) -> bool {
        self.starts.clear();
        self.lefts.clear();
        self.negated.clear();
        let is_whole = self.join(ops).is_some_and(|unused| unused == 0) && self.starts.len() == 1;
        if is_whole && ops.iter().any(|op| matches!(op, Op::Not)) {
            self.negate(ops);
        }
        is_whole
    }

    /// How many jumps are not those of a join.
    fn join(&mut self, ops: &[Op]) -> Option<usize> {
        let mut unused = 0_usize;
        for (place, op) in ops.iter().enumerate() {
            let mut left = None;
            match op {
                Op::Ask { .. } | Op::AskEach { .. } | Op::Has { .. } => self.starts.push(place),
                Op::Not => {}
                Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => unused = unused.saturating_add(1),
                Op::And | Op::Or => {
                    let before = self.starts.pop()?.checked_sub(1)?;
                    let length = place.checked_sub(before)?;
                    let is_jump = match (ops.get(before)?, op) {
                        (Op::JumpIfFalse { skip }, Op::And) | (Op::JumpIfTrue { skip }, Op::Or) => {
                            *skip as usize == length
                        }
                        _ => false,
                    };
                    unused = unused.checked_sub(usize::from(is_jump))?;
                    left = Some(before.checked_sub(usize::from(is_jump))?);
                }
            }
            self.lefts.push(left);
        }
        Some(unused)
    }

    fn negate(&mut self, ops: &[Op]) {
        self.negated.resize(ops.len(), false);
        for (place, op) in ops.iter().enumerate().rev() {
            let is_negated = self.negated.get(place).copied().unwrap_or_default();
            let mut tell = |operand: Option<usize>, is_negated: bool| {
                if let Some(slot) = operand.and_then(|operand| self.negated.get_mut(operand)) {
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
    }
}

/// What one of two operands needs: of facts that both are about, else of the most telling clause of each.
fn either(left: &[Clause], right: &[Clause]) -> Vec<Clause> {
    let of_fact = |fact: u32| right.iter().filter_map(single).find(|mark| mark.fact == fact);
    let or = |mark: &Mark| {
        let mut mark = mark.clone();
        mark.or(of_fact(mark.fact)?.clone());
        mark.told().map(Few::One)
    };
    let found: Vec<Clause> = left.iter().filter_map(single).filter_map(or).collect();
    if !found.is_empty() {
        return found;
    }
    let joined = || {
        let mut joined = left.iter().min_by_key(|clause| weight(clause))?.to_vec();
        for mark in right.iter().min_by_key(|clause| weight(clause))?.iter() {
            match joined.binary_search_by_key(&mark.fact, |known| known.fact) {
                Ok(place) => {
                    let known = joined.get_mut(place)?;
                    known.or(mark.clone());
                    known.clone().told()?;
                }
                Err(place) => joined.insert(place, mark.clone()),
            }
        }
        (joined.len() <= MOST_MARKS).then_some(joined.into())
    };
    joined().into_iter().collect()
}

/// The mark of a clause that has one.
const fn single(clause: &Clause) -> Option<&Mark> {
    if let Few::One(mark) = clause { Some(mark) } else { None }
}

const fn single_mut(clause: &mut Clause) -> Option<&mut Mark> {
    if let Few::One(mark) = clause { Some(mark) } else { None }
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
