//! A condition over the rows of a piece: an operation at a time, each on all rows.

use super::lanes::{self, Lane, NO, OPEN, YES};
use super::leaves::{From, Leaf, Test, Witness};
use super::plan::Plan;
use super::{Cells, Column, Mark, Piece};
use crate::error::EngineError;
use crate::program::{Condition, DEEPEST, Op};

/// A condition that is ready for rows.
#[derive(Debug)]
pub(super) struct Steps {
    steps: Box<[Step]>,
    leaves: Box<[Leaf]>,
    /// Each jump skips the other half of an `and` or an `or`, as in compiled conditions: then a row needs
    /// none, since it comes to the same without. An artifact could hold others.
    is_nested: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next leaf.
    Ask,
    Not,
    And,
    Or,
    /// Over so many steps and leaves, if every row is false, or true.
    Jump {
        truth: u8,
        steps: usize,
        leaves: usize,
    },
}

impl Steps {
    pub(super) fn of(condition: &Condition, witness: &Witness<'_>) -> Result<Self, EngineError> {
        let mut leaves = Vec::new();
        let mut steps = Vec::with_capacity(condition.ops.len());
        for (place, op) in condition.ops.iter().enumerate() {
            let jump = |truth, skip: u32| {
                let skipped = condition.ops.iter().skip(place.saturating_add(1)).take(skip as usize);
                let leaves = skipped.filter(|op| op.fact().is_some()).count();
                Step::Jump { truth, steps: skip as usize, leaves }
            };
            steps.push(match op {
                Op::Ask { fact, .. } | Op::AskEach { fact, .. } | Op::Has { fact } => {
                    leaves.push(witness.asks(*fact, op)?);
                    Step::Ask
                }
                Op::Not => Step::Not,
                Op::And => Step::And,
                Op::Or => Step::Or,
                Op::JumpIfFalse { skip } => jump(NO, *skip),
                Op::JumpIfTrue { skip } => jump(YES, *skip),
            });
        }
        let is_nested = is_nested(&condition.ops);
        Ok(Self { steps: steps.into(), leaves: leaves.into(), is_nested })
    }

    /// Whether all of these facts can be told in a text.
    pub(super) fn told(facts: &[u32], witness: &Witness<'_>) -> Result<Self, EngineError> {
        let leaves = facts.iter().map(|fact| witness.tells(*fact)).collect::<Result<Box<[Leaf]>, _>>()?;
        let mut steps = vec![Step::Ask; leaves.len().min(1)];
        steps.extend(leaves.iter().skip(1).flat_map(|_| [Step::Ask, Step::And]));
        Ok(Self { steps: steps.into(), leaves, is_nested: true })
    }
}

/// Whether each jump skips one whole value and the `and` or `or` that joins it to what it jumps with.
fn is_nested(ops: &[Op]) -> bool {
    // Where jumps land, whether by an `and`, and the depth that they come from; the innermost last.
    let mut jumps: Vec<(usize, bool, usize)> = Vec::new();
    let mut depth = 0_usize;
    for (place, op) in ops.iter().enumerate() {
        let takes = match op {
            Op::And | Op::Or => 2,
            Op::Not => 1,
            _ => 0,
        };
        let left = depth.saturating_sub(takes);
        while let Some(&(end, is_and, from)) = jumps.last() {
            if place.saturating_add(1) < end {
                if left < from {
                    return false;
                }
                break;
            }
            let joins = if is_and { matches!(op, Op::And) } else { matches!(op, Op::Or) };
            if place >= end || !joins || depth != from.saturating_add(1) {
                return false;
            }
            jumps.pop();
        }
        let end = |skip: &u32| place.saturating_add(1).saturating_add(*skip as usize);
        match op {
            Op::JumpIfFalse { skip } => jumps.push((end(skip), true, depth)),
            Op::JumpIfTrue { skip } => jumps.push((end(skip), false, depth)),
            Op::Not | Op::And | Op::Or => depth = left.saturating_add(1),
            _ => depth = depth.saturating_add(1),
        }
    }
    jumps.is_empty()
}

/// The truths in hand, and the marks of the columns that are read.
#[derive(Debug, Default)]
pub(super) struct Hand {
    stack: Vec<Lane<u8>>,
    /// For each fact that is read: marks of our own, where numbers are out of range.
    strays: Vec<(bool, Lane<Mark>)>,
    costs: Vec<i64>,
}

impl Hand {
    /// Looks for numbers that are out of the range of their facts.
    pub(super) fn begin(&mut self, plan: &Plan, columns: &[Column<'_>], rows: usize) {
        self.strays.resize_with(plan.reads.len(), Default::default);
        for ((fact, range), (has_strays, marks)) in plan.reads.iter().zip(&plan.ranges).zip(&mut self.strays)
        {
            let column = columns.get(*fact as usize).copied().unwrap_or(Column::NONE);
            *has_strays = false;
            let Cells::Numbers(numbers) = column.cells else { continue };
            if lanes::strays(numbers, *range) {
                *has_strays = true;
                let (least, most) = *range;
                let own = marks.rows_mut(rows);
                own.fill(Mark::Here);
                own.iter_mut().zip(column.marks).for_each(|(mark, known)| *mark = *known);
                for (mark, number) in own.iter_mut().zip(numbers) {
                    if *mark == Mark::Here && !(least <= *number && *number <= most) {
                        *mark = Mark::Ill;
                    }
                }
            }
        }
    }

    /// The truths found last.
    pub(super) fn truth(&self, rows: usize) -> &[u8] {
        self.stack.first().map_or(&[], |lane| lane.rows(rows))
    }

    /// Every row is true.
    pub(super) fn agree(&mut self, rows: usize) {
        self.at(0, rows).fill(YES);
    }

    /// The truths of a condition, one for each row.
    pub(super) fn run(&mut self, steps: &Steps, piece: &Piece<'_>, rows: usize) {
        if !steps.is_nested {
            return self.run_each(steps, piece, rows);
        }
        let mut leaves = steps.leaves.iter();
        let (mut depth, mut place) = (0_usize, 0_usize);
        while let Some(step) = steps.steps.get(place) {
            place = place.saturating_add(1);
            match *step {
                Step::Ask => {
                    if let Some(leaf) = leaves.next() {
                        self.ask(leaf, depth, piece, rows);
                        depth = depth.saturating_add(1);
                    }
                }
                Step::Not => lanes::negate(self.at(depth.saturating_sub(1), rows)),
                Step::And | Step::Or => {
                    depth = depth.saturating_sub(1);
                    let join = if matches!(step, Step::And) { lanes::least } else { lanes::greatest };
                    if let Some((below, above)) = self.stack.split_at_mut_checked(depth)
                        && let (Some(truths), Some(others)) = (below.last_mut(), above.first())
                    {
                        join(truths.rows_mut(rows), others.rows(rows));
                    }
                }
                Step::Jump { truth, steps, leaves: skipped } => {
                    let truths = self.at(depth.saturating_sub(1), rows);
                    if truths.iter().all(|each| *each == truth) {
                        place = place.saturating_add(steps);
                        if let Some(last) = skipped.checked_sub(1) {
                            leaves.nth(last);
                        }
                    }
                }
            }
        }
    }

    /// The same a row at a time, for a condition with jumps of its own kind.
    fn run_each(&mut self, steps: &Steps, piece: &Piece<'_>, rows: usize) {
        for (depth, leaf) in steps.leaves.iter().enumerate() {
            self.ask(leaf, depth.saturating_add(1), piece, rows);
        }
        for row in 0..rows {
            let truth = self.run_row(steps, row);
            if let Some(slot) = self.at(0, rows).get_mut(row) {
                *slot = truth;
            }
        }
    }

    fn run_row(&self, steps: &Steps, row: usize) -> u8 {
        let mut stack: Vec<u8> = Vec::with_capacity(DEEPEST);
        let (mut leaf, mut place) = (0_usize, 0_usize);
        while let Some(step) = steps.steps.get(place) {
            place = place.saturating_add(1);
            match *step {
                Step::Ask => {
                    leaf = leaf.saturating_add(1);
                    let truths = self.stack.get(leaf).map_or(&[][..], |lane| lane.rows(usize::MAX));
                    stack.push(truths.get(row).copied().unwrap_or(OPEN));
                }
                Step::Not => {
                    let truth = stack.pop().unwrap_or(OPEN);
                    stack.push(YES.saturating_sub(truth));
                }
                Step::And | Step::Or => {
                    let (one, other) = (stack.pop().unwrap_or(OPEN), stack.pop().unwrap_or(OPEN));
                    stack.push(if matches!(step, Step::And) { one.min(other) } else { one.max(other) });
                }
                Step::Jump { truth, steps, leaves } => {
                    if stack.last() == Some(&truth) {
                        place = place.saturating_add(steps);
                        leaf = leaf.saturating_add(leaves);
                    }
                }
            }
        }
        stack.pop().unwrap_or(OPEN)
    }

    /// The truths at this depth; beyond the deepest there are none.
    fn at(&mut self, depth: usize, rows: usize) -> &mut [u8] {
        if self.stack.len() <= depth {
            self.stack.resize_with(depth.saturating_add(1), Lane::default);
        }
        self.stack.get_mut(depth).map_or(&mut [], |lane| lane.rows_mut(rows))
    }

    fn ask(&mut self, leaf: &Leaf, depth: usize, piece: &Piece<'_>, rows: usize) {
        self.at(depth, rows);
        let Self { stack, strays, costs } = self;
        let Some(truths) = stack.get_mut(depth).map(|lane| lane.rows_mut(rows)) else { return };
        let column = match &leaf.from {
            From::Column => piece.columns.get(leaf.fact as usize).copied().unwrap_or(Column::NONE),
            From::Input => Column { cells: Cells::Numbers(piece.input), marks: &[] },
            From::Cost { program, model, most } => {
                costs.clear();
                costs.extend(piece.input.iter().map(|input| From::cost(program, *model, *most, *input)));
                Column { cells: Cells::Numbers(costs), marks: &[] }
            }
        };
        match (&leaf.test, column.cells) {
            (Test::Known(truth), _) => return truths.fill(*truth),
            (Test::Number(ask, bound), Cells::Numbers(numbers)) => lanes::ask(numbers, *ask, *bound, truths),
            (Test::Among(known), Cells::Numbers(numbers)) => {
                lanes::each(
                    numbers,
                    truths,
                    |number| {
                        if known.binary_search(&number).is_ok() { YES } else { NO }
                    },
                )
            }
            (Test::Listed(listed), Cells::Places(places)) => {
                lanes::each(places, truths, |place| listed.get(place as usize).copied().unwrap_or(OPEN));
            }
            (Test::Listed(listed), Cells::Few(places)) => {
                lanes::each(places, truths, |place| listed.get(usize::from(place)).copied().unwrap_or(OPEN));
            }
            (Test::Here, _) => truths.fill(YES),
            _ => truths.fill(OPEN),
        }
        match strays.get(leaf.place) {
            Some((true, own)) => lanes::mark(truths, own.rows(rows), leaf.odd),
            _ => lanes::mark(truths, column.marks, leaf.odd),
        }
    }
}
