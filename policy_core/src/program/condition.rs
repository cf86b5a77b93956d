//! Conditions as the machine runs them: a line of operations with forward jumps only.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::value::{Slot, Truth};

/// A constant of the policy, in the integer unit of its fact's dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Const {
    /// A text.
    Text(Arc<str>),
    /// A flag.
    Flag(bool),
    /// A number.
    Int(i64),
}

impl Const {
    /// The same value as a host would send it.
    #[must_use]
    pub fn as_slot(&self) -> Slot<'_> {
        match self {
            Self::Text(text) => Slot::Text(text),
            Self::Flag(flag) => Slot::Flag(*flag),
            Self::Int(number) => Slot::Int(*number),
        }
    }
}

/// How a fact is compared with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// All comparisons, in the order of their codes in an artifact.
    pub(crate) const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::LessOrEqual, Self::Greater, Self::GreaterOrEqual];

    /// Whether it is true of two values in this order.
    pub(crate) const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// Whether it asks for an order, which only numbers have.
    pub(crate) const fn needs_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// What is asked of one value: of a fact's, or of an element's of a list.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    Compare { comparison: Comparison, value: Const },
    Member { values: Box<[Const]> },
    Starts { text: Arc<str> },
    Ends { text: Arc<str> },
}

/// How the truths of a list's elements are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// By `and`.
    All,
    /// By `or`.
    Any,
}

impl Quantifier {
    /// All quantifiers, in the order of their codes in an artifact.
    pub(crate) const ALL: [Self; 2] = [Self::All, Self::Any];

    /// The truth of a list; of none, `and` is true and `or` is false.
    pub(crate) fn join(self, truths: impl Iterator<Item = Truth>) -> Truth {
        let (decisive, mut found) = match self {
            Self::All => (Truth::False, Truth::True),
            Self::Any => (Truth::True, Truth::False),
        };
        for truth in truths {
            if truth == decisive {
                return decisive;
            }
            if truth == Truth::Unknown {
                found = truth;
            }
        }
        found
    }
}

/// One operation. Operands are facts of the program; each reading pushes one truth value.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Ask { fact: u32, predicate: Predicate },
    AskEach { fact: u32, quantifier: Quantifier, predicate: Predicate },
    Has { fact: u32 },
    Not,
    And,
    Or,
    JumpIfFalse { skip: u32 },
    JumpIfTrue { skip: u32 },
}

impl Op {
    /// The fact that it reads.
    pub(crate) const fn fact(&self) -> Option<u32> {
        match self {
            Self::Ask { fact, .. } | Self::AskEach { fact, .. } | Self::Has { fact } => Some(*fact),
            Self::Not | Self::And | Self::Or | Self::JumpIfFalse { .. } | Self::JumpIfTrue { .. } => None,
        }
    }
}

/// A verified condition.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) ops: Box<[Op]>,
    /// The facts it reads, each once, in source order.
    pub(crate) facts: Box<[u32]>,
}

impl Condition {
    pub(crate) fn new(ops: Vec<Op>) -> Self {
        // Most conditions ask about each of their facts once, and then this is all the room that they take.
        let asked = ops.iter().filter_map(Op::fact).count();
        let mut facts = Vec::with_capacity(asked.min(8));
        for fact in ops.iter().filter_map(Op::fact) {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        Self { ops: ops.into_boxed_slice(), facts: facts.into_boxed_slice() }
    }
}
