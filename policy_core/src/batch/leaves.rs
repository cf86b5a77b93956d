//! What is asked of one column: found out beforehand for every value that is listed, and for numbers as one
//! comparison.

use std::sync::Arc;

use super::Values;
use super::lanes::{Ask, OPEN};
use crate::books::Books;
use crate::error::EngineError;
use crate::facts::{BuiltInFact, CallFacts, Sent, View};
use crate::program::{Comparison, Condition, Const, Op, Predicate, Program, Source};
use crate::run::Run;
use crate::value::{Slot, Truth};
use crate::vm::evaluate;

/// A question to one fact.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) fact: u32,
    /// Its place among the facts that are read.
    pub(super) place: usize,
    pub(super) from: From,
    pub(super) test: Test,
    /// What holds where the value is missing, and where it is ill-typed.
    pub(super) odd: [u8; 2],
}

/// Where its value is found.
#[derive(Debug)]
pub(super) enum From {
    /// In the fact's own column.
    Column,
    /// In how many tokens each request has.
    Input,
    /// In what such a request to this model may cost, with no more output than the host asks for.
    Cost { program: Arc<Program>, model: u32, most: Option<u64> },
}

impl From {
    /// The worst cost of a request of so many tokens.
    pub(super) fn cost(program: &Program, model: u32, most: Option<u64>, input: i64) -> i64 {
        let (model, input) = (program.tables.models.at(model), input.unsigned_abs());
        let output = model.cap(input, most);
        let cost = model.price.as_ref().map_or(0, |price| price.worst(input).cost(input, output));
        i64::try_from(cost).unwrap_or(i64::MAX)
    }
}

/// How it is told.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// It is the same for every row.
    Known(u8),
    /// By a number.
    Number(Ask, i64),
    /// By a number among these, ascending.
    Among(Box<[i64]>),
    /// By being there.
    Here,
    /// By the place in the list of values: the truth of each.
    Listed(Box<[u8]>),
}

/// Asks conditions about facts as a first call would see them.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    pub(super) program: &'a Arc<Program>,
    pub(super) run: &'a Run,
    pub(super) books: &'a Books,
    pub(super) call: CallFacts<'a>,
    pub(super) values: &'a [Values<'a>],
    /// The facts that are read, ascending.
    pub(super) reads: &'a [u32],
    /// The model that the statement is on, if it names one.
    pub(super) model: Option<u32>,
    /// Requests have different numbers of tokens.
    pub(super) varies: bool,
}

impl<'a> Witness<'a> {
    /// The truth of `said` where one fact is this and no other is there.
    fn truth(&self, fact: u32, slot: Slot<'_>, said: impl Fn(&View<'_>) -> Truth) -> u8 {
        let mut slots = vec![Slot::Missing; self.values.len()];
        if let Some(place) = slots.get_mut(fact as usize) {
            *place = slot;
        }
        said(&self.view(&slots)) as u8
    }

    pub(super) fn view<'b>(&'b self, slots: &'b [Slot<'b>]) -> View<'b> {
        View {
            program: self.program,
            run: self.run,
            books: self.books,
            sent: Sent::Now(slots),
            call: self.call,
            error: None,
        }
    }

    /// An operation that reads a fact.
    pub(super) fn asks(&self, fact: u32, op: &Op) -> Result<Leaf, EngineError> {
        let alone = Condition::new(vec![op.clone()]);
        let test = match op {
            Op::Ask { predicate, .. } => number_test(predicate),
            Op::Has { .. } => Some(Test::Here),
            _ => None,
        };
        self.leaf(fact, test, |view| evaluate(&alone, view))
    }

    /// Whether a fact can be told in a text.
    pub(super) fn tells(&self, fact: u32) -> Result<Leaf, EngineError> {
        self.leaf(fact, Some(Test::Here), |view| {
            Truth::from(!matches!(view.slot(fact), Slot::Missing | Slot::Ill | Slot::List(_)))
        })
    }

    fn leaf(
        &self,
        fact: u32,
        of_numbers: Option<Test>,
        said: impl Fn(&View<'_>) -> Truth,
    ) -> Result<Leaf, EngineError> {
        let odd = [Slot::Missing, Slot::Ill].map(|slot| self.truth(fact, slot, &said));
        let declared = self.program.tables.facts.at(fact);
        let place = self.reads.binary_search(&fact).unwrap_or(usize::MAX);
        if let (Some(from), Some(test)) = (self.of_request(declared.source), &of_numbers) {
            let test = test.clone();
            return Ok(Leaf { fact, place, from, test, odd });
        }
        let test = match self.values.get(fact as usize).copied().unwrap_or(Values::One(Slot::Missing)) {
            Values::One(slot) => Test::Known(self.truth(fact, slot, &said)),
            Values::Among(values) => {
                let mut slots = vec![Slot::Missing; self.values.len()];
                let mut truths = Vec::with_capacity(values.len());
                for value in values {
                    if let Some(place) = slots.get_mut(fact as usize) {
                        *place = value.as_slot();
                    }
                    truths.push(said(&self.view(&slots)) as u8);
                }
                Test::Listed(truths.into_boxed_slice())
            }
            Values::Numbers if declared.dimension.is_number() && declared.most == 0 => {
                of_numbers.unwrap_or(Test::Known(OPEN))
            }
            Values::Numbers => {
                return Err(EngineError::BadValue("a column of numbers is for a fact that is no number"));
            }
        };
        Ok(Leaf { fact, place, from: From::Column, test, odd })
    }

    /// Where a fact of the engine's is found that differs from request to request.
    fn of_request(&self, source: Source) -> Option<From> {
        match source {
            Source::BuiltIn(BuiltInFact::CallInputTokens) if self.varies => Some(From::Input),
            Source::BuiltIn(BuiltInFact::CallCost) if self.varies => {
                let (program, most) = (Arc::clone(self.program), self.call.most_output);
                Some(From::Cost { program, model: self.model?, most })
            }
            _ => None,
        }
    }
}

/// How a number is asked; nothing if no number can be.
fn number_test(predicate: &Predicate) -> Option<Test> {
    match predicate {
        Predicate::Compare { comparison, value: Const::Int(bound) } => {
            let above = bound.saturating_add(1);
            Some(match comparison {
                Comparison::Equal => Test::Number(Ask::Equal, *bound),
                Comparison::NotEqual => Test::Number(Ask::NotEqual, *bound),
                Comparison::Less => Test::Number(Ask::Below, *bound),
                Comparison::LessOrEqual => Test::Number(Ask::Below, above),
                Comparison::Greater => Test::Number(Ask::NotBelow, above),
                Comparison::GreaterOrEqual => Test::Number(Ask::NotBelow, *bound),
            })
        }
        Predicate::Member { values } => {
            let number = |value: &Const| if let Const::Int(number) = value { Some(*number) } else { None };
            Some(Test::Among(values.iter().filter_map(number).collect()))
        }
        Predicate::Compare { .. } | Predicate::Starts { .. } | Predicate::Ends { .. } => None,
    }
}
