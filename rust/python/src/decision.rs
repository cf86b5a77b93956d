//! `Decision` and `Settlement`: what the engine answered. Fields become Python objects when they are read.

use std::mem;

use checkrein_records::{self as records, Plain};
use policy_core::{Asked, By, Outcome, Program, Statement, Why};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::program::Program as Loaded;

/// One decision, with the program whose names it refers to. It is small, and its memory is used again, since
/// an object is made of each.
#[pyclass(frozen, freelist = 16, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Decision {
    plain: Plain,
    /// All of it, if it has more than that.
    whole: Option<Box<policy_core::Decision>>,
    /// Kept by Python: counting who has it takes no atomic operation.
    program: Py<Loaded>,
}

/// The row of a table that the engine gave by its index.
fn row<T>(table: &[T], index: u32) -> Option<&T> {
    table.get(usize::try_from(index).ok()?)
}

impl Decision {
    /// The object of a decision, which is left empty if the object has to have all of it. It is made where
    /// the call was decided, since each layer that took its content would copy it.
    #[inline]
    pub(crate) fn new<'py>(
        py: Python<'py>,
        core: &mut policy_core::Decision,
        program: &Py<Loaded>,
    ) -> PyResult<Bound<'py, Self>> {
        let plain = Plain::of(core);
        let whole = if Plain::is_all(core) { None } else { Some(Box::new(mem::take(core))) };
        Bound::new(py, Self { plain, whole, program: program.clone_ref(py) })
    }

    fn program(&self) -> &Program {
        &self.program.get().core
    }

    /// What it has besides its figures.
    fn more(&self) -> Option<&policy_core::Decision> {
        self.whole.as_deref()
    }

    fn asked(&self) -> Option<Asked> {
        self.more()?.asked
    }

    /// The attempt that it opened, and its number.
    pub(crate) const fn opened(&self) -> (Option<u64>, u64) {
        (self.plain.attempt, self.plain.number)
    }

    /// It lets the call run and says nothing else.
    pub(crate) fn lets_run(&self) -> bool {
        let advises = self.more().is_some_and(|whole| !whole.advice.is_empty());
        self.plain.outcome == Outcome::Allow && !advises && !self.plain.wrap_up
    }

    /// It is about a tool, or about no model that there is.
    pub(crate) const fn has_no_model(&self) -> bool {
        self.plain.model.is_none()
    }

    fn statement(&self) -> Option<&Statement> {
        match self.more()?.by {
            By::Statement(index) => row(self.program().statements(), index),
            By::Nobody | By::BuiltIn(_) => None,
        }
    }

    fn ended_in(&self) -> Option<&policy_core::State> {
        row(self.program().states(), self.more()?.state?)
    }
}

#[pymethods]
impl Decision {
    #[getter]
    fn number(&self) -> u64 {
        self.plain.number
    }

    #[getter]
    fn event(&self) -> &'static str {
        self.plain.event.name()
    }

    // Asked of every decision, so the word is one that is there already.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> &'py Bound<'py, PyString> {
        match self.plain.outcome {
            Outcome::Allow => intern!(py, "allow"),
            Outcome::Reuse => intern!(py, "reuse"),
            Outcome::Answer => intern!(py, "answer"),
            Outcome::Wait => intern!(py, "wait"),
            Outcome::Escalate => intern!(py, "escalate"),
            Outcome::Deny => intern!(py, "deny"),
            Outcome::Fail => intern!(py, "fail"),
            Outcome::Stop => intern!(py, "stop"),
        }
    }

    #[getter]
    fn is_plain(&self) -> bool {
        self.lets_run()
    }

    #[getter]
    fn call(&self) -> Option<u64> {
        self.plain.call
    }

    #[getter]
    fn attempt(&self) -> Option<u64> {
        self.plain.attempt
    }

    #[getter]
    fn attempt_number(&self) -> Option<u64> {
        self.plain.attempt_number
    }

    #[getter]
    fn model(&self) -> Option<&str> {
        row(self.program().models(), self.plain.model?).map(|model| &*model.name)
    }

    #[getter]
    fn output_cap(&self) -> Option<u64> {
        self.plain.output_cap
    }

    #[getter]
    fn timeout_ns(&self) -> Option<u64> {
        self.plain.timeout_ns
    }

    #[getter]
    fn wait_ns(&self) -> Option<u64> {
        self.more()?.wait_ns
    }

    #[getter]
    fn may_be_sooner(&self) -> bool {
        self.more().is_some_and(|whole| whole.may_be_sooner)
    }

    #[getter]
    fn state(&self) -> Option<&str> {
        self.ended_in().map(|state| &*state.name)
    }

    #[getter]
    fn tell_agent(&self) -> Option<&str> {
        self.ended_in()?.tell_agent.as_deref()
    }

    #[getter]
    fn tell_user(&self) -> Option<&str> {
        self.ended_in()?.tell_user.as_deref()
    }

    #[getter]
    fn by(&self) -> Option<&str> {
        match self.more()?.by {
            By::BuiltIn(reason) => Some(reason.name()),
            By::Nobody | By::Statement(_) => self.statement().map(|statement| &*statement.name),
        }
    }

    #[getter]
    fn kind(&self) -> Option<&'static str> {
        match self.more()?.by {
            By::BuiltIn(_) => Some("built-in"),
            By::Nobody | By::Statement(_) => self.statement().map(|statement| statement.kind.name()),
        }
    }

    #[getter]
    fn file(&self) -> Option<&str> {
        self.statement().map(|statement| &*statement.file)
    }

    #[getter]
    fn line(&self) -> Option<u64> {
        self.statement().map(|statement| statement.line)
    }

    #[getter]
    fn column(&self) -> Option<u64> {
        self.statement().map(|statement| statement.column)
    }

    #[getter]
    fn reason(&self) -> Option<&str> {
        self.more()?.reason(self.program())
    }

    #[getter]
    fn text(&self) -> Option<&str> {
        self.more()?.text.as_deref()
    }

    #[getter]
    fn template(&self) -> Option<String> {
        let template = row(self.program().templates(), self.more()?.template?)?;
        Some(template.source(self.program()))
    }

    #[getter]
    fn reused(&self) -> Option<u64> {
        self.more()?.reused
    }

    #[getter]
    fn undecided(&self) -> bool {
        self.more().is_some_and(|whole| whole.undecided)
    }

    #[getter]
    fn latched(&self) -> bool {
        self.more().is_some_and(|whole| whole.latched)
    }

    #[getter]
    fn wrap_up(&self) -> bool {
        self.plain.wrap_up
    }

    #[getter]
    fn stayed(&self) -> bool {
        self.plain.stayed
    }

    #[getter]
    fn request(&self) -> Option<u64> {
        self.asked().map(|asked| asked.request)
    }

    #[getter]
    fn queue(&self) -> Option<&str> {
        row(self.program().queues(), self.asked()?.queue).map(|queue| &*queue.name)
    }

    #[getter]
    fn wants(&self) -> Option<&'static str> {
        self.asked().map(|asked| asked.wants.name())
    }

    #[getter]
    fn answered(&self) -> Option<u64> {
        self.more()?.answered
    }

    #[getter]
    fn expires_at(&self) -> Option<u64> {
        self.asked().map(|asked| asked.expires_at)
    }

    #[getter]
    fn reserved_tokens(&self) -> u64 {
        self.plain.reserved_tokens
    }

    #[getter]
    fn reserved_cost(&self) -> u64 {
        self.plain.reserved_cost
    }

    #[getter]
    fn votes(&self) -> Vec<(&'static str, &str, &'static str, bool)> {
        let named = self.more().map_or(&[][..], |whole| &whole.votes).iter().filter_map(|vote| {
            let statement = row(self.program().statements(), vote.statement)?;
            Some((statement.kind.name(), &*statement.name, vote.outcome.name(), vote.undecided))
        });
        named.collect()
    }

    #[getter]
    fn would(&self) -> Vec<(&'static str, &'static str, &str, Option<&str>, bool)> {
        let named = self.more().map_or(&[][..], |whole| &whole.would).iter().filter_map(|vote| {
            let statement = row(self.program().statements(), vote.statement)?;
            let (outcome, reason) = (vote.outcome.name(), statement.reason.as_deref());
            Some((outcome, statement.kind.name(), &*statement.name, reason, vote.undecided))
        });
        named.collect()
    }

    #[getter]
    fn advice(&self) -> Vec<(&'static str, &str, &str)> {
        let told = self.more().map_or(&[][..], |whole| &whole.advice).iter().filter_map(|advice| {
            let limit = row(self.program().limits(), advice.limit)?;
            let threshold = row(&limit.thresholds, advice.threshold)?;
            let name = &row(self.program().statements(), limit.statement)?.name;
            Some((threshold.kind.name(), &*threshold.text, &**name))
        });
        told.collect()
    }

    #[getter]
    fn values(&self) -> Vec<(&str, String)> {
        let shown = self.more().map_or(&[][..], |whole| &whole.values).iter().filter_map(|(index, value)| {
            let fact = row(self.program().facts(), *index)?;
            Some((&*fact.name, records::value(self.program(), fact.dimension, value)))
        });
        shown.collect()
    }

    #[getter]
    fn skipped(&self) -> Vec<&str> {
        let models = self
            .more()
            .map_or(&[][..], |whole| &whole.skipped)
            .iter()
            .filter_map(|index| row(self.program().models(), *index));
        models.map(|model| &*model.name).collect()
    }

    #[getter]
    fn passed(&self) -> Vec<(&str, &'static str, &str)> {
        let named = self.more().map_or(&[][..], |whole| &whole.passed).iter().filter_map(|(model, why)| {
            let model = &*row(self.program().models(), *model)?.name;
            let Why::Statement(index) = why else { return Some((model, "window", "")) };
            let statement = row(self.program().statements(), *index)?;
            Some((model, statement.kind.name(), &*statement.name))
        });
        named.collect()
    }

    fn __repr__(&self) -> String {
        let by = self.by().map(|by| format!(" by `{by}`")).unwrap_or_default();
        format!("<Decision {}: {} {}{by}>", self.plain.number, self.event(), self.plain.outcome.name())
    }
}

/// What an attempt was charged in the end.
#[pyclass(frozen, freelist = 16, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Settlement(pub(crate) policy_core::Settlement);

#[pymethods]
impl Settlement {
    #[getter]
    fn input_tokens(&self) -> u64 {
        self.0.input_tokens
    }

    #[getter]
    fn output_tokens(&self) -> u64 {
        self.0.output_tokens
    }

    #[getter]
    fn cache_read_tokens(&self) -> u64 {
        self.0.cache_read_tokens
    }

    #[getter]
    fn cache_write_tokens(&self) -> u64 {
        self.0.cache_write_tokens
    }

    #[getter]
    fn reasoning_tokens(&self) -> u64 {
        self.0.reasoning_tokens
    }

    #[getter]
    fn tokens(&self) -> u64 {
        self.0.tokens
    }

    #[getter]
    fn cost(&self) -> u64 {
        self.0.cost
    }

    #[getter]
    fn reserved_tokens(&self) -> u64 {
        self.0.reserved_tokens
    }

    #[getter]
    fn reserved_cost(&self) -> u64 {
        self.0.reserved_cost
    }

    fn __repr__(&self) -> String {
        format!("<Settlement: {} tokens, {} nano-units>", self.0.tokens, self.0.cost)
    }
}
