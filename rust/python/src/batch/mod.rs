//! `decide_many`: a call for each row of the host's arrays, decided on all cores without the interpreter.

mod held;
mod listed;

use std::thread;

use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use policy_core::batch::{Answers, Batch, Calls, Column, Piece, ROWS, Scratch, Values};
use policy_core::{Arg, EngineError, MoneyUnit, Now, Outcome, Slot, Source};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use self::held::{Held, Room, Shared, Wanted, add_unsafe};
use crate::convert::{Instant, Shape, Tokens, Wall};
use crate::errors;
use crate::program::Program;
use crate::scopes::Ids;
use crate::sent::Sent;

/// So many rows are decided before another thread would have begun.
const ROWS_A_THREAD: usize = 1 << 15;

/// What is told of each row, as arrays of one length; that of models is empty for calls of a tool.
type Arrays<'py> = (
    PyReadwriteArray1<'py, u8>,
    PyReadwriteArray1<'py, i32>,
    PyReadwriteArray1<'py, bool>,
    PyReadwriteArray1<'py, i32>,
);

/// Decides a call of a tool for each row, and writes what it is into the answers. False if the program does
/// not declare the tool; then nothing is written.
#[expect(clippy::too_many_arguments, reason = "one caller, which names them")]
#[pyfunction]
pub(crate) fn decide_tool_calls(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    tool: &Bound<'_, PyString>,
    args: &Bound<'_, PyDict>,
    facts: &Bound<'_, PyDict>,
    now: Instant,
    wall: Wall,
    whose: [Option<Bound<'_, PyString>>; 4],
    answers: Arrays<'_>,
    threads: usize,
) -> PyResult<bool> {
    let core = &program.get().core;
    let tool = tool.to_string_lossy();
    let host = Host::read(py, program.get(), (&tool, args), facts, &whose)?;
    let now = Now { mono: now.0, wall: wall.0 };
    let batch = host.ids.lend(|scopes| Batch::of_tool(core, now, scopes, &tool, &host.values()));
    let Some(batch) = batch.map_err(|error| refused(py, error))? else { return Ok(false) };
    let mut unsafe_rows = Vec::new();
    if batch.asks() {
        let rows = answers.0.len()?;
        args.values().iter().try_for_each(|given| add_unsafe(&given, rows, &mut unsafe_rows))?;
    }
    host.decide(py, &batch, (&unsafe_rows, &[]), answers, threads)?;
    Ok(true)
}

/// The same of model calls, whose tokens are `input_tokens`, or those of `inputs` row by row.
#[expect(clippy::too_many_arguments, reason = "one caller, which names them")]
#[pyfunction]
pub(crate) fn decide_model_calls(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    model: Option<&Bound<'_, PyString>>,
    input_tokens: Tokens,
    inputs: Option<PyReadonlyArray1<'_, i64>>,
    max_output: Option<Tokens>,
    facts: &Bound<'_, PyDict>,
    now: Instant,
    wall: Wall,
    whose: [Option<Bound<'_, PyString>>; 4],
    answers: Arrays<'_>,
    threads: usize,
) -> PyResult<bool> {
    let core = &program.get().core;
    let model = model.map(|name| name.to_string_lossy());
    let host = Host::read(py, program.get(), ("", &PyDict::new(py)), facts, &whose)?;
    let now = Now { mono: now.0, wall: wall.0 };
    let calls = Calls {
        model: model.as_deref(),
        input: if inputs.is_some() { None } else { Some(input_tokens.0) },
        max_output: max_output.map(|tokens| tokens.0),
    };
    let batch = host.ids.lend(|scopes| Batch::of_model(core, now, scopes, &calls, &host.values()));
    let Some(batch) = batch.map_err(|error| refused(py, error))? else { return Ok(false) };
    let inputs = inputs.as_ref().map_or(Ok(&[][..]), |inputs| inputs.as_slice())?;
    host.decide(py, &batch, (&[], inputs), answers, threads)?;
    Ok(true)
}

fn refused(py: Python<'_>, error: EngineError) -> PyErr {
    errors::engine_error(py, error.kind(), error.to_string())
}

/// What the host gave for all rows.
struct Host<'py> {
    ids: Ids,
    columns: Vec<Option<Held<'py>>>,
}

impl<'py> Host<'py> {
    fn read(
        py: Python<'py>,
        program: &Program,
        (tool, args): (&str, &Bound<'py, PyDict>),
        facts: &Bound<'py, PyDict>,
        whose: &[Option<Bound<'py, PyString>>; 4],
    ) -> PyResult<Self> {
        let (mut sent, mut slots) = (Sent::new(), program.columns.slots());
        program.columns.facts(py, &program.core, Some(facts), (&mut sent, &mut slots))?;
        let ids = Ids::read(&program.core, "", whose.each_ref().map(Option::as_ref), None)?;
        Ok(Self { ids, columns: columns(&program.core, tool, args, facts)? })
    }

    fn values(&self) -> Vec<Values<'_>> {
        let columns = self.columns.iter().map(Option::as_ref);
        columns.map(|held| held.map_or(Values::One(Slot::Missing), Held::values)).collect()
    }

    /// Decides every row without the interpreter.
    fn decide(
        &self,
        py: Python<'py>,
        batch: &Batch,
        (unsafe_rows, inputs): (&[bool], &[i64]),
        answers: Arrays<'_>,
        threads: usize,
    ) -> PyResult<()> {
        let columns = self.columns.iter().map(Option::as_ref);
        let columns = columns.map(|held| held.map_or(Ok(Shared::NONE), Held::shared));
        let columns: Vec<Shared<'_>> = columns.collect::<PyResult<_>>()?;
        let work = Work { batch, columns: &columns, unsafe_rows, inputs };
        let (mut outcome, mut by, mut undecided, mut model) = answers;
        let told = Told {
            outcome: outcome.as_slice_mut()?,
            by: by.as_slice_mut()?,
            undecided: undecided.as_slice_mut()?,
            model: model.as_slice_mut()?,
        };
        py.detach(|| work.share(told, threads)).map_err(|error| refused(py, error))
    }
}

/// A column for each fact of the program, if the host gives one.
fn columns<'py>(
    program: &policy_core::Program,
    tool: &str,
    args: &Bound<'py, PyDict>,
    facts: &Bound<'py, PyDict>,
) -> PyResult<Vec<Option<Held<'py>>>> {
    let declared = program.tool(tool);
    let arg = |index: u32| declared.and_then(|tool| tool.args.iter().find(|arg: &&Arg| arg.fact == index));
    let column = |(index, fact): (u32, &policy_core::Fact)| {
        let arg = arg(index);
        let given = match (fact.source, arg) {
            (Source::Arg, Some(arg)) => args.get_item(&*arg.name)?,
            (source, _) if source.from_host() => facts.get_item(&*fact.name)?,
            _ => None,
        };
        let shape = match arg.and_then(|arg| arg.unit) {
            Some(MoneyUnit::Cents) => Shape::cents(),
            Some(MoneyUnit::Units) | None => Shape::of(fact.dimension),
        };
        let most = arg.map_or(fact.most, |arg| arg.most);
        let wanted = Wanted { shape, most, is_number: fact.dimension.is_number() };
        given.map(|given| Held::read(&given, wanted)).transpose()
    };
    (0..).zip(program.facts()).map(column).collect()
}

/// What all threads share.
#[derive(Clone, Copy, Debug)]
struct Work<'a> {
    batch: &'a Batch,
    columns: &'a [Shared<'a>],
    /// Nothing if everybody reads the arguments alike.
    unsafe_rows: &'a [bool],
    /// Nothing if all requests have as many tokens.
    inputs: &'a [i64],
}

/// What is told of some rows.
#[derive(Debug)]
struct Told<'a> {
    outcome: &'a mut [u8],
    by: &'a mut [i32],
    undecided: &'a mut [bool],
    model: &'a mut [i32],
}

impl<'a> Told<'a> {
    fn split(self, at: usize) -> (Self, Self) {
        let (outcome, outcomes) = self.outcome.split_at_mut(at.min(self.outcome.len()));
        let (by, bys) = self.by.split_at_mut(at.min(self.by.len()));
        let (undecided, undecideds) = self.undecided.split_at_mut(at.min(self.undecided.len()));
        let (model, models) = self.model.split_at_mut(at.min(self.model.len()));
        let rest = Self { outcome: outcomes, by: bys, undecided: undecideds, model: models };
        (Self { outcome, by, undecided, model }, rest)
    }
}

impl Work<'_> {
    /// Decides all rows, in as many threads as there are cores, but for no fewer rows than pay for one.
    fn share(self, told: Told<'_>, threads: usize) -> Result<(), EngineError> {
        let rows = told.outcome.len();
        let pieces = rows.div_ceil(ROWS);
        let most = rows.div_ceil(ROWS_A_THREAD).max(1);
        let a_thread = pieces.div_ceil(threads.clamp(1, most)).saturating_mul(ROWS).max(ROWS);
        thread::scope(|scope| {
            let (mut rest, mut first) = (told, 0_usize);
            let mut others = Vec::new();
            while rest.outcome.len() > a_thread {
                let (part, later) = rest.split(a_thread);
                rest = later;
                others.push(scope.spawn(move || self.decide(first, part)));
                first = first.saturating_add(a_thread);
            }
            let own = self.decide(first, rest);
            let lost = || Err(EngineError::BadValue("a thread of the batch came to grief"));
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|_| lost()));
            others.fold(own, Result::and)
        })
    }

    /// Decides the rows of one thread, a piece at a time.
    fn decide(self, mut first: usize, mut told: Told<'_>) -> Result<(), EngineError> {
        let mut scratch = Scratch::default();
        let mut rooms: Vec<Room> = Vec::new();
        rooms.resize_with(self.columns.len(), Room::default);
        let mut outcomes = [Outcome::Deny; ROWS];
        while !told.outcome.is_empty() {
            let (part, later) = told.split(ROWS);
            let rows = part.outcome.len();
            let mut columns = vec![Column::NONE; self.columns.len()];
            for ((column, shared), room) in columns.iter_mut().zip(self.columns).zip(&mut rooms) {
                *column = shared.piece(first, rows, room);
            }
            let end = first.saturating_add(rows);
            let is_unsafe = self.unsafe_rows.get(first..end).unwrap_or_default();
            let outcome = outcomes.get_mut(..rows).unwrap_or_default();
            let input = self.inputs.get(first..end).unwrap_or_default();
            let mut answers = Answers { outcome, by: part.by, undecided: part.undecided, model: part.model };
            self.batch.decide(&Piece { columns: &columns, is_unsafe, input }, &mut scratch, &mut answers)?;
            for (slot, outcome) in part.outcome.iter_mut().zip(outcomes) {
                *slot = outcome as u8;
            }
            (told, first) = (later, end);
        }
        Ok(())
    }
}
