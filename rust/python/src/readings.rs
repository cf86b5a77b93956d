//! Where every limit stands, as rows that Python reads.

use policy_core::store::Refusal;
use policy_core::{Program, Reading};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::scopes::Ids;

/// One dict for each bound of each limit.
pub(crate) fn rows<'py>(
    py: Python<'py>,
    program: &Program,
    ids: &Ids,
    readings: &[Reading],
) -> PyResult<Bound<'py, PyList>> {
    let rows = readings.iter().filter_map(|reading| {
        let limit = program.limits().get(usize::try_from(reading.limit).ok()?)?;
        let statement = program.statements().get(usize::try_from(limit.statement).ok()?)?;
        Some((reading, limit.scope, &*statement.name))
    });
    let dicts = rows.map(|(reading, scope, name)| {
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "name"), name)?;
        dict.set_item(intern!(py, "dimension"), program.measure_text(reading.measure))?;
        dict.set_item(intern!(py, "limit"), reading.max)?;
        dict.set_item(intern!(py, "spent"), reading.spent)?;
        dict.set_item(intern!(py, "held"), reading.held)?;
        dict.set_item(intern!(py, "free"), reading.free)?;
        dict.set_item(intern!(py, "leased"), reading.leased)?;
        dict.set_item(intern!(py, "silent"), reading.silent)?;
        dict.set_item(intern!(py, "refused"), reading.refused.map(Refusal::why))?;
        dict.set_item(intern!(py, "scope"), ids.named(program, scope))?;
        dict.set_item(intern!(py, "window"), reading.window)?;
        dict.set_item(intern!(py, "soft"), reading.soft)?;
        dict.set_item(intern!(py, "age"), reading.age_ns)?;
        Ok(dict)
    });
    PyList::new(py, dicts.collect::<PyResult<Vec<_>>>()?)
}
