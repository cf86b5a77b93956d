//! Many calls decided at once: what rules, requirements and the route say of each, as if it were the first
//! call of a new run.
//!
//! Facts come as columns. A condition is run once for [`ROWS`] rows, an operation a time: a truth is a byte,
//! `and` is the lesser and `or` the greater of two, so that the processor takes many rows in one step.

mod lanes;
mod leaves;
mod models;
mod plan;
mod steps;

use std::sync::Arc;

use self::lanes::Lane;
use self::models::Choice;
use self::plan::{Entry, Kind, Plan};
use self::steps::Hand;
use crate::decision::{BuiltIn, Outcome};
use crate::error::EngineError;
use crate::event::{Now, Scopes};
use crate::program::Program;
use crate::value::{MAX_NUMBER, MAX_QUANTITY, Slot, Value};

/// The most rows of one piece: so few that what is in hand of them stays near the processor.
pub const ROWS: usize = 1024;

/// How the values of one fact come.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// The same for every row.
    One(Slot<'a>),
    /// A number for each row; only for a fact that is a number, and no list.
    Numbers,
    /// For each row a place in this list.
    Among(&'a [Value]),
}

/// The values of one fact for the rows of a piece.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// Nothing, where the values are [`Values::One`].
    None,
    /// Numbers, in the integer unit of the fact's dimension.
    Numbers(&'a [i64]),
    /// Places in [`Values::Among`].
    Places(&'a [u32]),
    /// The same, where there are few.
    Few(&'a [u8]),
}

/// Whether a value is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// It is.
    #[default]
    Here,
    /// Nothing was sent.
    Missing,
    /// It is not a value of the fact's dimension.
    Ill,
}

/// One column of a piece.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Its values; where a mark says otherwise, they are not looked at.
    pub cells: Cells<'a>,
    /// A mark for each row; none at all if every value is there.
    pub marks: &'a [Mark],
}

impl Column<'_> {
    /// A column of values that are the same for every row.
    pub const NONE: Self = Self { cells: Cells::None, marks: &[] };
}

/// The rows of a piece: as many as `outcome` of the answers.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// A column for each fact of the program.
    pub columns: &'a [Column<'a>],
    /// For each row whether the arguments hold a number that not everybody reads alike; none at all if no row
    /// does.
    pub is_unsafe: &'a [bool],
    /// For each row the tokens of its request; none at all if the calls say how many all have.
    pub input: &'a [i64],
}

/// Model calls that are decided at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls<'a> {
    /// The model that the host asks for.
    pub model: Option<&'a str>,
    /// The tokens of each request; none if each piece says it row by row.
    pub input: Option<u64>,
    /// The most output that the host asks for.
    pub max_output: Option<u64>,
}

/// What the engine itself says of calls of a batch. In the answers these come behind the statements, in this
/// order.
pub const BUILT_IN: [BuiltIn; 4] =
    [BuiltIn::UndeclaredTool, BuiltIn::UndeclaredModel, BuiltIn::NoCandidate, BuiltIn::NoUsableModel];

/// What is decided of each row.
#[derive(Debug)]
pub struct Answers<'a> {
    /// What the host would have to do.
    pub outcome: &'a mut [Outcome],
    /// The deciding statement's index, behind them the place in [`BUILT_IN`], or -1 for nobody.
    pub by: &'a mut [i32],
    /// Whether that statement could not decide its condition.
    pub undecided: &'a mut [bool],
    /// The model that would serve, or -1; empty for tool calls.
    pub model: &'a mut [i32],
}

/// What a process has in hand while it decides; kept between pieces.
#[derive(Debug, Default)]
pub struct Scratch {
    hand: Hand,
    open: Lane<bool>,
    hits: Lane<bool>,
    choice: Choice,
}

/// The statements of a program that look at calls of one tool, or of models, ready for rows.
#[derive(Debug)]
pub struct Batch {
    plan: Plan,
}

impl Batch {
    /// For calls of this tool. `values` says for each fact of the program how its values will come; what the
    /// engine knows by itself is read from a new run that begins `now`.
    ///
    /// Nothing if the program does not declare the tool: then each call is denied as undeclared.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if the values are not as many as the program's facts, or if numbers are said
    /// to come for a fact that is none.
    pub fn of_tool(
        program: &Arc<Program>,
        now: Now,
        scopes: &Scopes<'_>,
        tool: &str,
        values: &[Values<'_>],
    ) -> Result<Option<Self>, EngineError> {
        has_all(program, values)?;
        let Some(index) = program.tool_index(tool) else { return Ok(None) };
        let plan = Plan::of_tool(program, (now, scopes), index, values)?;
        Ok(Some(Self { plan }))
    }

    /// For model calls, as for those of a tool. Nothing if the program does not declare the model asked for.
    ///
    /// # Errors
    /// As [`Self::of_tool`], and for a number of tokens that is none.
    pub fn of_model(
        program: &Arc<Program>,
        now: Now,
        scopes: &Scopes<'_>,
        calls: &Calls<'_>,
        values: &[Values<'_>],
    ) -> Result<Option<Self>, EngineError> {
        has_all(program, values)?;
        if calls.input.unwrap_or(0).max(calls.max_output.unwrap_or(0)) > MAX_QUANTITY {
            return Err(NO_TOKENS);
        }
        let requested = calls.model.map(|name| program.model_index(name));
        if requested == Some(None) {
            return Ok(None);
        }
        let plan = Plan::of_model(program, (now, scopes), calls, requested.flatten(), values)?;
        Ok(Some(Self { plan }))
    }

    /// The facts that conditions look at here, ascending: the other columns may be empty.
    #[must_use]
    pub fn reads(&self) -> &[u32] {
        &self.plan.reads
    }

    /// Whether it matters if numbers of arguments are read alike by everybody.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.plan.asks
    }

    /// Decides every row.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if there are more than [`ROWS`] rows, or columns or answers are of another
    /// length.
    pub fn decide(
        &self,
        piece: &Piece<'_>,
        scratch: &mut Scratch,
        answers: &mut Answers<'_>,
    ) -> Result<(), EngineError> {
        let rows = answers.outcome.len();
        self.check(piece, answers)?;
        answers.model.fill(-1);
        let Scratch { hand, open, hits, .. } = scratch;
        hand.begin(&self.plan, piece.columns, rows);
        open.fill(true, rows);
        let left = vote(&self.plan.entries, hand, piece, (open, hits), answers);
        if let Some(models) = &self.plan.models
            && left > 0
        {
            models.choose(piece, scratch, answers);
        }
        Ok(())
    }

    fn check(&self, piece: &Piece<'_>, answers: &Answers<'_>) -> Result<(), EngineError> {
        let rows = answers.outcome.len();
        let fits = |length: usize| length == 0 || length == rows;
        let models = self.plan.models.as_ref();
        let is_whole = |(fact, kind): (&u32, &Kind)| {
            let column = piece.columns.get(*fact as usize);
            column.is_some_and(|column| {
                *kind == Kind::One || (kind.length(column) == Some(rows) && fits(column.marks.len()))
            })
        };
        let is_even = rows <= ROWS
            && answers.by.len() == rows
            && answers.undecided.len() == rows
            && fits(piece.is_unsafe.len())
            && piece.input.len()
                == if models.is_some_and(|models| models.input.is_none()) { rows } else { 0 }
            && answers.model.len() == if models.is_some() { rows } else { 0 }
            && self.plan.reads.iter().zip(&self.plan.kinds).all(is_whole);
        let is_quantity = |tokens: &i64| (0..=MAX_NUMBER).contains(tokens);
        if is_even && !piece.input.iter().all(is_quantity) {
            Err(NO_TOKENS)
        } else if is_even {
            Ok(())
        } else {
            Err(EngineError::BadValue(
                "the columns of a piece are not of one length or not what they were said to be",
            ))
        }
    }
}

const NO_TOKENS: EngineError =
    EngineError::BadValue("a number of tokens is below 0 or above 2^53 - 1; pass what is sent");

fn has_all(program: &Program, values: &[Values<'_>]) -> Result<(), EngineError> {
    if values.len() == program.facts().len() {
        Ok(())
    } else {
        Err(EngineError::BadValue("the columns are not as many as the program's facts; pass one for each"))
    }
}

/// The first of the entries that hits an open row decides it; gives how many rows are left open.
fn vote(
    entries: &[Entry],
    hand: &mut Hand,
    piece: &Piece<'_>,
    (open, hits): (&mut Lane<bool>, &mut Lane<bool>),
    answers: &mut Answers<'_>,
) -> usize {
    let rows = answers.outcome.len();
    answers.outcome.fill(Outcome::Allow);
    answers.by.fill(-1);
    answers.undecided.fill(false);
    let mut left = rows;
    for entry in entries {
        let found = entry.find(hand, piece, (open, hits), rows);
        if found > 0 {
            entry.say(hits.rows(rows), hand.truth(rows), answers);
            lanes::close(open.rows_mut(rows), hits.rows(rows));
            left = left.saturating_sub(found);
            if left == 0 {
                break;
            }
        }
    }
    left
}
