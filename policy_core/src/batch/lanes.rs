//! What is in hand of the rows of a piece, and what is done to all of them in one go. The loops are so plain
//! that the compiler turns them into steps over many rows.

use super::{Mark, ROWS};
use crate::value::Truth;

/// A value for each row of a piece.
#[derive(Debug)]
pub(super) struct Lane<T>(Box<[T]>);

impl<T: Copy + Default> Default for Lane<T> {
    fn default() -> Self {
        Self(vec![T::default(); ROWS].into_boxed_slice())
    }
}

impl<T: Copy> Lane<T> {
    pub(super) fn rows(&self, rows: usize) -> &[T] {
        self.0.get(..rows).unwrap_or(&self.0)
    }

    pub(super) fn rows_mut(&mut self, rows: usize) -> &mut [T] {
        let rows = rows.min(self.0.len());
        self.0.get_mut(..rows).unwrap_or_default()
    }

    /// The value of a row; beyond the last, nothing that anybody asks for.
    pub(super) fn at(&self, row: usize) -> T
    where
        T: Default,
    {
        self.0.get(row).copied().unwrap_or_default()
    }

    pub(super) fn fill(&mut self, value: T, rows: usize) {
        self.rows_mut(rows).fill(value);
    }
}

/// A truth as a byte: `and` is the lesser of two, `or` the greater.
pub(super) const NO: u8 = Truth::False as u8;
pub(super) const OPEN: u8 = Truth::Unknown as u8;
pub(super) const YES: u8 = Truth::True as u8;

pub(super) fn negate(truths: &mut [u8]) {
    for truth in truths {
        *truth = YES.wrapping_sub(*truth);
    }
}

pub(super) fn least(truths: &mut [u8], others: &[u8]) {
    for (truth, other) in truths.iter_mut().zip(others) {
        *truth = (*truth).min(*other);
    }
}

pub(super) fn greatest(truths: &mut [u8], others: &[u8]) {
    for (truth, other) in truths.iter_mut().zip(others) {
        *truth = (*truth).max(*other);
    }
}

/// A question to a number that is one subtraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Below,
    NotBelow,
    Equal,
    NotEqual,
}

/// The truths of a question. Numbers and bounds are far below 2^62, so the sign of their difference tells; of
/// others the marks say that they are ill.
pub(super) fn ask(numbers: &[i64], ask: Ask, bound: i64, truths: &mut [u8]) {
    let sign = |number: i64| u8::from(number < 0);
    let below = |number: i64| sign(number.wrapping_sub(bound));
    let differs = |number: i64| {
        let difference = number.wrapping_sub(bound);
        sign(difference | difference.wrapping_neg())
    };
    match ask {
        Ask::Below => each(numbers, truths, |number| YES.wrapping_mul(below(number))),
        Ask::NotBelow => each(numbers, truths, |number| YES.wrapping_mul(1 ^ below(number))),
        Ask::Equal => each(numbers, truths, |number| YES.wrapping_mul(1 ^ differs(number))),
        Ask::NotEqual => each(numbers, truths, |number| YES.wrapping_mul(differs(number))),
    }
}

/// One truth for each cell.
pub(super) fn each<T: Copy>(cells: &[T], truths: &mut [u8], truth: impl Fn(T) -> u8) {
    for (slot, cell) in truths.iter_mut().zip(cells) {
        *slot = truth(*cell);
    }
}

/// What holds instead where a value is missing or ill-typed.
pub(super) fn mark(truths: &mut [u8], marks: &[Mark], [missing, ill]: [u8; 2]) {
    for (truth, mark) in truths.iter_mut().zip(marks) {
        let known = *truth;
        *truth = match mark {
            Mark::Here => known,
            Mark::Missing => missing,
            Mark::Ill => ill,
        };
    }
}

/// Whether some number is out of these bounds.
pub(super) fn strays(numbers: &[i64], (least, most): (i64, i64)) -> bool {
    let all =
        numbers.iter().fold(0, |all, number| all | number.wrapping_sub(least) | most.wrapping_sub(*number));
    all < 0
}

/// Whether each cell is so.
pub(super) fn each_is<T: Copy>(cells: &[T], slots: &mut [bool], is: impl Fn(T) -> bool) {
    for (slot, cell) in slots.iter_mut().zip(cells) {
        *slot = is(*cell);
    }
}

/// Of the rows that hit those that are open and whose truth is one of these; gives how many they are.
pub(super) fn keep(hits: &mut [bool], truths: &[u8], open: &[bool], [one, other]: [u8; 2]) -> usize {
    let mut kept = 0_usize;
    for ((hit, truth), is_open) in hits.iter_mut().zip(truths).zip(open) {
        *hit &= ((*truth == one) | (*truth == other)) & *is_open;
        kept = kept.wrapping_add(usize::from(*hit));
    }
    kept
}

/// A value into the rows that hit.
pub(super) fn put<T: Copy>(slots: &mut [T], hits: &[bool], value: T) {
    for (slot, hit) in slots.iter_mut().zip(hits) {
        *slot = if *hit { value } else { *slot };
    }
}

/// Rows that hit are open no more.
pub(super) fn close(open: &mut [bool], hits: &[bool]) {
    for (is_open, hit) in open.iter_mut().zip(hits) {
        *is_open &= !*hit;
    }
}
