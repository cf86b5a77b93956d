//! `Program`: a compiled policy, and what it says about itself.

use std::sync::Arc;

use policy_core::{LoadError, MoneyUnit, Plain, Presence, Range, Slot, Sought, Source, Tariff};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::errors;
use crate::facts::Columns;
use crate::hashes::hex;
use crate::members::Members;
use crate::sent::Sent;

/// A verified program, shared by the runs and decisions made from it.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) core: Arc<policy_core::Program>,
    pub(crate) columns: Arc<Columns>,
}

#[pymethods]
impl Program {
    #[staticmethod]
    fn load(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Self::loaded(py, policy_core::Program::load(data))
    }

    #[staticmethod]
    fn load_scanning(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Self::loaded(py, policy_core::Program::load_scanning(data))
    }

    #[getter]
    fn digest(&self) -> String {
        hex(self.core.digest())
    }

    #[getter]
    fn meaning(&self) -> String {
        hex(self.core.meaning())
    }

    #[getter]
    fn policy(&self) -> &str {
        self.core.policy()
    }

    #[getter]
    fn file(&self) -> &str {
        self.core.file()
    }

    #[getter]
    fn currency(&self) -> &str {
        self.core.currency()
    }

    #[getter]
    fn language(&self) -> u16 {
        self.core.language()
    }

    #[getter]
    fn prices(&self) -> &str {
        self.core.prices()
    }

    #[getter]
    fn scopes(&self) -> Vec<&str> {
        self.core.scopes().into_iter().map(|scope| self.core.scope_name(scope)).collect()
    }

    #[getter]
    fn ids(&self) -> Vec<&str> {
        self.core.ids().iter().map(|scope| self.core.scope_name(*scope)).collect()
    }

    #[getter]
    fn wide(&self) -> bool {
        self.core.is_wide()
    }

    #[getter]
    fn watches(&self) -> bool {
        self.core.watches()
    }

    #[getter]
    fn shared(&self) -> bool {
        self.core.is_shared()
    }

    #[getter]
    fn wraps_up(&self) -> bool {
        self.core.limits().iter().any(|limit| limit.wrap_up > 0)
    }

    #[getter]
    fn reuses(&self) -> bool {
        self.core.reuses()
    }

    #[getter]
    fn checks_truth(&self) -> bool {
        self.core.checks_truth()
    }

    #[getter]
    fn compares_context(&self) -> bool {
        self.core.compares_context()
    }

    #[getter]
    fn judges(&self) -> bool {
        self.core.judges()
    }

    #[getter]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        listed(py, self.core.models(), |model, dict| {
            dict.set_item("name", &*model.name)?;
            dict.set_item("target", &*model.target)?;
            dict.set_item("tier", model.tier)?;
            dict.set_item("place", model.place.name())?;
            dict.set_item("region", model.region.as_deref())?;
            dict.set_item("window", model.window)?;
            dict.set_item("output", model.output)?;
            dict.set_item("least_output", model.least_output)?;
            dict.set_item("cascades", self.core.cascades(model))?;
            let tariffs =
                model.price.as_ref().map(|price| listed(py, price.tariffs(), tariff)).transpose()?;
            dict.set_item("price", tariffs)
        })
    }

    #[getter]
    fn tools<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let facts = self.core.facts();
        listed(py, self.core.tools(), |tool, dict| {
            let args = listed(py, &tool.args, |arg, dict| {
                let fact = usize::try_from(arg.fact).ok().and_then(|index| facts.get(index));
                dict.set_item("name", &*arg.name)?;
                dict.set_item("dimension", fact.map(|fact| fact.dimension.name()))?;
                dict.set_item("unit", arg.unit.map(unit))
            })?;
            dict.set_item("name", &*tool.name)?;
            dict.set_item("tool_class", tool.class.name())?;
            dict.set_item("once", tool.once)?;
            dict.set_item("may_repeat", tool.may_repeat)?;
            dict.set_item("timeout_ns", tool.timeout_ns)?;
            dict.set_item("args", args)?;
            let results: Vec<_> = tool.results.iter().map(|field| &*field.name).collect();
            dict.set_item("results", results)
        })
    }

    #[getter]
    fn statements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        listed(py, self.core.statements(), |statement, dict| {
            dict.set_item("kind", statement.kind.name())?;
            dict.set_item("name", &*statement.name)?;
            dict.set_item("file", &*statement.file)?;
            dict.set_item("line", statement.line)?;
            dict.set_item("column", statement.column)?;
            dict.set_item("source", &*statement.source)
        })
    }

    #[getter]
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        listed(py, self.core.facts(), |fact, dict| {
            dict.set_item("name", &*fact.name)?;
            dict.set_item("dimension", fact.dimension.name())?;
            dict.set_item("most", fact.most)?;
            dict.set_item("source", source(fact.source))?;
            dict.set_item("presence", presence(&fact.presence))
        })
    }

    fn found<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        listed(py, &self.core.found(), |found, dict| {
            let by =
                found.by.iter().map(|clause| listed(py, clause, sought)).collect::<PyResult<Vec<_>>>()?;
            dict.set_item("statement", found.statement)?;
            dict.set_item("on", self.core.selector_text(found.selector))?;
            dict.set_item("by", by)?;
            dict.set_item("why", found.why.map(why))
        })
    }

    fn read(
        &self,
        tool: &Bound<'_, PyString>,
        args: &Bound<'_, PyDict>,
        facts: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<usize> {
        let (mut sent, mut slots) = (Sent::new(), self.columns.slots());
        let mut members = Members::new();
        let named = members.of(args);
        let given = (args, named.as_ref());
        self.columns.call(&self.core, &tool.to_string_lossy(), given, facts, (&mut sent, &mut slots))?;
        sent.fill(&mut slots)?;
        Ok(slots.iter().filter(|slot| !matches!(slot, Slot::Missing | Slot::Ill)).count())
    }

    fn __repr__(&self) -> String {
        format!("<Program `{}` of `{}`>", self.core.policy(), self.core.file())
    }
}

impl Program {
    fn loaded(py: Python<'_>, core: Result<policy_core::Program, LoadError>) -> PyResult<Self> {
        let core = core.map_err(|error| errors::load_error(py, error.to_string()))?;
        let columns = Arc::new(Columns::of(py, &core));
        Ok(Self { core: Arc::new(core), columns })
    }
}

fn tariff(tariff: &Tariff, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    dict.set_item("above", tariff.above)?;
    dict.set_item("from", tariff.from)?;
    dict.set_item("to", tariff.to)?;
    dict.set_item("input", tariff.input)?;
    dict.set_item("output", tariff.output)?;
    dict.set_item("cache_read", tariff.cache_read)?;
    dict.set_item("cache_write", tariff.cache_write)?;
    dict.set_item("reasoning", tariff.reasoning)
}

/// One dict for each row, filled by `fill`.
fn listed<'py, T>(
    py: Python<'py>,
    rows: &[T],
    fill: impl Fn(&T, &Bound<'py, PyDict>) -> PyResult<()>,
) -> PyResult<Bound<'py, PyList>> {
    let dicts = rows.iter().map(|row| {
        let dict = PyDict::new(py);
        fill(row, &dict).map(|()| dict)
    });
    PyList::new(py, dicts.collect::<PyResult<Vec<_>>>()?)
}

fn sought(sought: &Sought, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = dict.py();
    let range = |range: &Range| match range {
        Range::Any => ("any",).into_bound_py_any(py),
        Range::Numbers(from, to) => ("numbers", *from, *to).into_bound_py_any(py),
        Range::Text(text) => ("text", &**text).into_bound_py_any(py),
        Range::Beginning(text) => ("beginning", &**text).into_bound_py_any(py),
    };
    dict.set_item("fact", sought.fact)?;
    dict.set_item("values", sought.values.iter().map(range).collect::<PyResult<Vec<_>>>()?)
}

fn why(why: Plain) -> &'static str {
    match why {
        Plain::Unconditional => "unconditional",
        Plain::Open => "open",
        Plain::Few => "few",
    }
}

fn unit(unit: MoneyUnit) -> &'static str {
    match unit {
        MoneyUnit::Units => "units",
        MoneyUnit::Cents => "cents",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Host => "host",
        Source::Arg => "argument",
        Source::Result => "result",
        Source::BuiltIn(_) => "engine",
    }
}

fn presence(presence: &Presence) -> &'static str {
    match presence {
        Presence::Required => "required",
        Presence::Optional => "optional",
        Presence::Default(_) | Presence::Empty => "default",
    }
}
