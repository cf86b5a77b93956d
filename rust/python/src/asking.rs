//! `Door`: what a host asks and tells at every call. A call that is let through without more runs no Python;
//! what waits, asks people, writes to a host's sink or raises is the Python class's that inherits from it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use checkrein_records::forks;
use policy_core::Usage;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::asked::{Asked, Wanted};
use crate::convert::{Ended, Id, Tokens};
use crate::decision::{Decision, Settlement};
use crate::instant::Clock;
use crate::run::Run;
use crate::usage::{Figures, used};

/// The calls of one run.
#[pyclass(frozen, subclass, module = "checkrein._core")]
#[derive(Debug, Default)]
pub(crate) struct Door {
    opened: OnceLock<Opened>,
    /// Something was put off until the next event: the Python class sees to it.
    due: AtomicBool,
    suspended: AtomicBool,
}

#[derive(Debug)]
struct Opened {
    run: Py<Run>,
    clock: Clock,
    /// What holds for all calls.
    facts: Py<PyDict>,
    /// The run that began it and is no child, if it is one: where that is suspended, this is.
    first: Option<Py<Door>>,
    /// Records are dicts, which are made in Python.
    has_sink: bool,
    /// How often the process had been forked.
    forks: u64,
}

/// The tool results in the conversation, and the messages of the prompt.
type Prompt<'a, 'py> = (Option<&'a Bound<'py, PyAny>>, Option<&'a Bound<'py, PyAny>>);

#[pymethods]
impl Door {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// The run is there from now on.
    fn _open(
        &self,
        run: Py<Run>,
        clock: Option<(Py<PyAny>, Py<PyAny>)>,
        facts: Py<PyDict>,
        first: Option<Py<Self>>,
        has_sink: bool,
    ) {
        let clock = clock.map_or(Clock::Own, |(now, wall)| Clock::Host(now, wall));
        let _again = self.opened.set(Opened { run, clock, facts, first, has_sink, forks: forks() });
    }

    /// One decision, for hosts that run the call themselves.
    ///
    /// With `tool` a tool call, else a model call, with the tool `results` that its conversation has and the
    /// messages of its prompt (`context`). An `allow` opens `decision.attempt`: end it with `settle` or
    /// `fail`. On `wait`, wait `decision.wait_ns` and ask again with `decision.call`.
    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(
        signature = (
            *, tool=None, args=None, model=None, input_tokens=Tokens(0), max_tokens=None, step=None,
            confidence=None, facts=None, call=None, results=None, context=None
        ),
        text_signature = "($self, *, tool=None, args=None, model=None, input_tokens=0, max_tokens=None, \
            step=None, confidence=None, facts=None, call=None, results=None, context=None)"
    )]
    pub(crate) fn decide<'py>(
        slf: &Bound<'py, Self>,
        tool: Option<&Bound<'py, PyString>>,
        args: Option<&Bound<'py, PyAny>>,
        model: Option<&Bound<'py, PyString>>,
        input_tokens: Tokens,
        max_tokens: Option<Tokens>,
        step: Option<&Bound<'py, PyAny>>,
        confidence: Option<&Bound<'py, PyAny>>,
        facts: Option<&Bound<'py, PyAny>>,
        call: Option<Id>,
        results: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let opened = slf.get().opened()?;
        let facts = Self::sent(slf, opened, facts, [step, confidence])?;
        let Some(tool) = tool else {
            let wanted = (model, input_tokens, max_tokens);
            return Self::of_model(slf, opened, call, wanted, facts.as_ref(), (results, context));
        };
        match args.map(Bound::cast_exact::<PyDict>) {
            Some(Ok(args)) => Self::of_tool(slf, opened, call, tool, args, facts.as_ref()),
            _ => Self::of_tool(slf, opened, call, tool, &dict(slf.py(), args)?, facts.as_ref()),
        }
    }

    /// Ask about a model call; `call` is the logical call when it is asked again.
    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(signature = (call, model, input_tokens, max_tokens, facts, results=None, context=None))]
    fn ask_model<'py>(
        slf: &Bound<'py, Self>,
        call: Option<Id>,
        model: Option<&Bound<'py, PyString>>,
        input_tokens: Tokens,
        max_tokens: Option<Tokens>,
        facts: &Bound<'py, PyDict>,
        results: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let wanted = (model, input_tokens, max_tokens);
        Self::of_model(slf, slf.get().opened()?, call, wanted, Some(facts), (results, context))
    }

    /// Ask about a tool call; `call` is the logical call when it is asked again.
    fn ask_tool<'py>(
        slf: &Bound<'py, Self>,
        call: Option<Id>,
        name: &Bound<'py, PyString>,
        arguments: &Bound<'py, PyDict>,
        facts: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::of_tool(slf, slf.get().opened()?, call, name, arguments, Some(facts))
    }

    /// The attempt of `decision` has ended well and used so much.
    ///
    /// A model call settled without a usage keeps its whole hold as spent.
    #[pyo3(signature = (decision, usage=None))]
    fn settle<'py>(
        slf: &Bound<'py, Self>,
        decision: &Bound<'py, PyAny>,
        usage: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, opened) = (slf.py(), slf.get().opened()?);
        if opened.has_sink {
            return slf.call_method1(intern!(py, "_settle_in_sink"), (decision, usage));
        }
        if slf.get().due.load(Ordering::Relaxed) {
            slf.call_method0(intern!(py, "_touch"))?;
        }
        let usage = usage.map_or_else(|| unsaid(decision), said)?;
        let (now, ended) = (opened.clock.now(py)?, decision.extract::<Ended>()?);
        let settled = opened.run.get().conclude(py, |live| live.settle(now, ended.0, usage))?;
        Ok(Bound::new(py, Settlement(settled))?.into_any())
    }

    fn _is_forked(&self) -> PyResult<bool> {
        Ok(self.opened()?.is_forked())
    }

    #[getter]
    fn _due(&self) -> bool {
        self.due.load(Ordering::Relaxed)
    }

    #[setter(_due)]
    fn put_off(&self, due: bool) {
        self.due.store(due, Ordering::Relaxed);
    }

    #[getter]
    fn _suspended(&self) -> bool {
        self.suspended.load(Ordering::Relaxed)
    }

    #[setter(_suspended)]
    fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::Relaxed);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(opened) = self.opened.get() else { return Ok(()) };
        if let Clock::Host(now, wall) = &opened.clock {
            visit.call(now)?;
            visit.call(wall)?;
        }
        visit.call(&opened.first)?;
        visit.call(&opened.facts)
    }
}

impl Opened {
    fn is_forked(&self) -> bool {
        self.forks != forks()
    }
}

impl Door {
    fn opened(&self) -> PyResult<&Opened> {
        self.opened.get().ok_or_else(|| PyRuntimeError::new_err("this run was not begun; use `guard.run()`"))
    }

    /// The facts of a call: those of the run, and its own.
    fn sent<'py>(
        slf: &Bound<'py, Self>,
        opened: &Opened,
        facts: Option<&Bound<'py, PyAny>>,
        step: [Option<&Bound<'py, PyAny>>; 2],
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let (py, own) = (slf.py(), opened.facts.bind(slf.py()));
        let given = facts.map(Bound::cast_exact::<PyDict>).transpose();
        match given {
            Ok(facts) if own.is_empty() && step.iter().all(Option::is_none) => Ok(facts.cloned()),
            Ok(facts) => {
                let sent = own.copy()?;
                if let Some(facts) = facts {
                    sent.update(facts.as_mapping())?;
                }
                for (name, value) in
                    [intern!(py, "step.kind"), intern!(py, "step.confidence")].iter().zip(step)
                {
                    if let Some(value) = value {
                        sent.set_item(name, value)?;
                    }
                }
                Ok(Some(sent))
            }
            Err(_) => {
                let [step, confidence] = step;
                let sent = slf.call_method1(intern!(py, "_facts"), (facts, step, confidence))?;
                Ok(Some(sent.cast_into::<PyDict>()?))
            }
        }
    }

    /// An event that asks for something new begins, if the run is here.
    fn begin(slf: &Bound<'_, Self>, opened: &Opened) -> PyResult<()> {
        let this = slf.get();
        let first = opened.first.as_ref().map_or(this, Py::get);
        let is_away = first.suspended.load(Ordering::Relaxed) || opened.is_forked();
        if is_away || this.due.load(Ordering::Relaxed) {
            slf.call_method0(intern!(slf.py(), "_begin"))?;
        }
        Ok(())
    }

    fn of_model<'py>(
        slf: &Bound<'py, Self>,
        opened: &Opened,
        call: Option<Id>,
        wanted: Wanted<'_, 'py>,
        facts: Option<&Bound<'py, PyDict>>,
        (results, context): Prompt<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, run) = (slf.py(), opened.run.get());
        let results = results.filter(|_| run.program.checks_truth());
        let context = context.filter(|_| run.program.compares_context());
        let mut compared = None;
        if results.is_some() || context.is_some() {
            compared = Some(slf.call_method1(intern!(py, "_compared"), (results, context))?);
        }
        if opened.has_sink {
            let (model, input_tokens, max_output) = wanted;
            let (call, max_output) = (call.map(|id| id.0), max_output.map(|most| most.0));
            let details = (call, model, input_tokens.0, max_output, facts);
            return slf.call_method1(intern!(py, "_model_in_sink"), (model, details, compared));
        }
        let prompt = compared.map(|compared| compared.extract()).transpose()?.unwrap_or_default();
        Self::begin(slf, opened)?;
        let asked = Asked { now: opened.clock.now(py)?, call, facts };
        let decision = run.ask_model(py, &asked, wanted, prompt)?;
        Self::heeded(slf, decision, ("model", wanted.0), None)
    }

    fn of_tool<'py>(
        slf: &Bound<'py, Self>,
        opened: &Opened,
        call: Option<Id>,
        tool: &Bound<'py, PyString>,
        args: &Bound<'py, PyDict>,
        facts: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if opened.has_sink {
            let details = (call.map(|id| id.0), tool, args, facts);
            return slf.call_method1(intern!(py, "_tool_in_sink"), (tool, details, args));
        }
        Self::begin(slf, opened)?;
        let asked = Asked { now: opened.clock.now(py)?, call, facts };
        let decision = opened.run.get().ask_tool(&asked, tool, args)?;
        Self::heeded(slf, decision, ("tool", Some(tool)), Some(args))
    }

    /// The decision, once the Python class has kept what else it says.
    fn heeded<'py>(
        slf: &Bound<'py, Self>,
        decision: Bound<'py, Decision>,
        (point, name): (&str, Option<&Bound<'py, PyString>>),
        args: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !decision.get().lets_run() {
            let py = slf.py();
            let args = args.map_or_else(|| PyDict::new(py), Bound::clone);
            slf.call_method1(intern!(py, "_heed"), (&decision, point, name, args))?;
        }
        Ok(decision.into_any())
    }
}

/// The arguments of a call, as Python's own `dict` takes them.
fn dict<'py>(py: Python<'py>, args: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyDict>> {
    match args {
        Some(args) if args.is_truthy()? => {
            Ok(py.get_type::<PyDict>().call1((args,))?.cast_into::<PyDict>()?)
        }
        _ => Ok(PyDict::new(py)),
    }
}

/// What an attempt used whose host says nothing: a tool no tokens, a model nobody knows how many.
fn unsaid(decision: &Bound<'_, PyAny>) -> PyResult<Usage> {
    let is_tool = match decision.cast::<Decision>() {
        Ok(decision) => decision.get().has_no_model(),
        Err(_) => decision.getattr(intern!(decision.py(), "model"))?.is_none(),
    };
    Ok(if is_tool { Figures::NOTHING.exact() } else { Usage::Unknown })
}

/// What the host says that an attempt used.
fn said(usage: &Bound<'_, PyAny>) -> PyResult<Usage> {
    let py = usage.py();
    let tokens = |name| usage.getattr(name)?.extract::<Tokens>();
    let kind = usage.getattr(intern!(py, "kind"))?;
    let figures = Figures {
        input: tokens(intern!(py, "input_tokens"))?,
        output: tokens(intern!(py, "output_tokens"))?,
        cache_read: tokens(intern!(py, "cache_read_tokens"))?,
        cache_write: tokens(intern!(py, "cache_write_tokens"))?,
        reasoning: tokens(intern!(py, "reasoning_tokens"))?,
    };
    used(py, kind.extract()?, figures)
}
