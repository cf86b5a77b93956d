//! `Run`: the events of one agent run, each converted, decided under the run's lock, and converted back.

use std::sync::Arc;

use policy_core::{Dimension, EngineError, ErrorKind, Failure, ModelCall, Slot, ToolCall, Usage};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::canonical::{Canonical, canonical};
use crate::convert::{Id, Instant, Seed, Shape, Tokens};
use crate::decision::{Decision, Settlement};
use crate::errors;
use crate::facts::Columns;
use crate::guarded::{Broken, Guarded};
use crate::program::Program;

/// One agent run.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Run {
    core: Guarded<policy_core::Run>,
    program: Arc<policy_core::Program>,
    columns: Arc<Columns>,
}

impl Run {
    /// What takes the place of a run in which the engine itself has failed: it denies every call.
    fn ended(&self) -> policy_core::Run {
        let mut run = policy_core::Run::new(Arc::clone(&self.program), 0, 0);
        run.end(0);
        run
    }

    /// An event that a broken run answers too.
    fn ask<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut policy_core::Run) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        told(py, self.core.ask(|| self.ended(), event))
    }

    /// An event that needs what the run knows.
    fn tell<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut policy_core::Run) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        told(py, self.core.tell(|| self.ended(), event))
    }
}

/// The event's result, or the exception for it.
fn told<T>(py: Python<'_>, result: Result<Result<T, EngineError>, Broken>) -> PyResult<T> {
    match result {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(errors::engine_error(py, error.kind(), error.to_string())),
        Err(Broken) => {
            let message =
                "the engine failed inside this run, which now denies every call; report it as a bug";
            Err(errors::engine_error(py, "internal", message.to_owned()))
        }
    }
}

fn used(py: Python<'_>, word: &str, input: Tokens, output: Tokens) -> PyResult<Usage> {
    let (input, output) = (input.0, output.0);
    match word {
        "exact" => Ok(Usage::Exact { input, output }),
        "at_least" => Ok(Usage::AtLeast { input, output }),
        "unknown" => Ok(Usage::Unknown),
        "unsent" => Ok(Usage::Unsent),
        _ => {
            let message = format!("the usage is `{word}`; pass `exact`, `at_least`, `unknown` or `unsent`");
            Err(errors::engine_error(py, "bad_value", message))
        }
    }
}

fn error_kind(py: Python<'_>, word: &str) -> PyResult<ErrorKind> {
    ErrorKind::parse(word).ok_or_else(|| {
        let known = ErrorKind::ALL.map(|kind| format!("`{}`", kind.name())).join(", ");
        errors::engine_error(py, "bad_value", format!("the error kind is `{word}`; pass one of {known}"))
    })
}

/// The slot of an optional host value.
fn slot<'a>(value: Option<&'a Bound<'_, PyAny>>, dimension: Dimension) -> Slot<'a> {
    value.map_or(Slot::Missing, |value| Shape::of(dimension).slot(value))
}

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (program, *, seed, now))]
    fn new(program: &Bound<'_, Program>, seed: Seed, now: Instant) -> Self {
        let Program { core, columns } = program.get();
        let run = policy_core::Run::new(Arc::clone(core), seed.0, now.0);
        Self { core: Guarded::new(run), program: Arc::clone(core), columns: Arc::clone(columns) }
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(signature = (now, call, model, input_tokens, max_output, facts=None))]
    fn model_call(
        &self,
        py: Python<'_>,
        now: Instant,
        call: Option<Id>,
        model: Option<&Bound<'_, PyString>>,
        input_tokens: Tokens,
        max_output: Option<Tokens>,
        facts: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Decision> {
        // A name without UTF-8 becomes one that no policy declares: the call is denied, not dropped.
        let model = model.map(|name| name.to_string_lossy());
        let sent = self.columns.facts(py, &self.program, facts)?;
        let slots = sent.slots();
        let event = ModelCall {
            call: call.map(|id| id.0),
            model: model.as_deref(),
            input_tokens: input_tokens.0,
            max_output: max_output.map(|tokens| tokens.0),
            facts: &slots,
        };
        let decision = self.ask(py, |run| run.model_call(now.0, &event))?;
        Ok(Decision::new(decision, &self.program))
    }

    #[pyo3(signature = (now, call, tool, args, facts=None))]
    fn tool_call(
        &self,
        now: Instant,
        call: Option<Id>,
        tool: &Bound<'_, PyString>,
        args: &Bound<'_, PyDict>,
        facts: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Decision> {
        let tool = tool.to_string_lossy();
        let Canonical { text, is_exact } = canonical(args)?;
        let sent = self.columns.call(&self.program, &tool, args, facts)?;
        let slots = sent.slots();
        let call = call.map(|id| id.0);
        let event = ToolCall { call, tool: &tool, args: &text, is_exact, facts: &slots };
        let decision = self.ask(args.py(), |run| run.tool_call(now.0, &event))?;
        Ok(Decision::new(decision, &self.program))
    }

    #[pyo3(
        signature = (now, attempt, usage, input_tokens=Tokens(0), output_tokens=Tokens(0)),
        text_signature = "($self, now, attempt, usage, input_tokens=0, output_tokens=0)"
    )]
    fn settle(
        &self,
        py: Python<'_>,
        now: Instant,
        attempt: Id,
        usage: &str,
        input_tokens: Tokens,
        output_tokens: Tokens,
    ) -> PyResult<Settlement> {
        let usage = used(py, usage, input_tokens, output_tokens)?;
        self.tell(py, |run| run.settle(now.0, attempt.0, usage)).map(Settlement)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(signature = (
        now, attempt, usage, input_tokens, output_tokens, kind, status=None, retry_after=None, billed=None
    ))]
    fn error(
        &self,
        py: Python<'_>,
        now: Instant,
        attempt: Id,
        usage: &str,
        input_tokens: Tokens,
        output_tokens: Tokens,
        kind: &str,
        status: Option<&Bound<'_, PyAny>>,
        retry_after: Option<&Bound<'_, PyAny>>,
        billed: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Decision> {
        let failure = Failure {
            attempt: attempt.0,
            usage: used(py, usage, input_tokens, output_tokens)?,
            kind: error_kind(py, kind)?,
            status: slot(status, Dimension::Count),
            retry_after: slot(retry_after, Dimension::Duration),
            billed: slot(billed, Dimension::Flag),
        };
        let decision = self.tell(py, |run| run.error(now.0, &failure))?;
        Ok(Decision::new(decision, &self.program))
    }

    fn answer(&self, py: Python<'_>, now: Instant, request: Id, approve: bool) -> PyResult<()> {
        self.tell(py, |run| run.answer(now.0, request.0, approve))
    }

    fn count(&self, py: Python<'_>, now: Instant, attempt: Id, n: Tokens) -> PyResult<u64> {
        self.tell(py, |run| run.count(now.0, attempt.0, n.0))
    }

    fn end(&self, py: Python<'_>, now: Instant) -> PyResult<()> {
        self.ask(py, |run| {
            run.end(now.0);
            Ok(())
        })
    }

    fn limits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let readings = self.tell(py, |run| Ok(run.limits()))?;
        let rows = readings.iter().map(|reading| {
            let dict = PyDict::new(py);
            dict.set_item("name", limit_name(&self.program, reading.limit))?;
            dict.set_item("dimension", reading.kind.name())?;
            dict.set_item("limit", reading.max)?;
            dict.set_item("spent", reading.spent)?;
            dict.set_item("held", reading.held)?;
            Ok(dict)
        });
        PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
    }

    #[getter]
    fn in_flight(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |run| Ok(run.in_flight()))
    }

    #[getter]
    fn latched(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.ask(py, |run| Ok(run.latched().map(|state| state.name.to_string())))
    }
}

fn limit_name(program: &policy_core::Program, index: u32) -> Option<&str> {
    let limit = program.limits().get(usize::try_from(index).ok()?)?;
    program.statements().get(usize::try_from(limit.statement).ok()?).map(|statement| &*statement.name)
}
