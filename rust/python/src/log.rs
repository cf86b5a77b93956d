//! `Log`: the decision log as Python has it, and what its callers owe it.

use std::path::PathBuf;
use std::sync::Arc;

use checkrein_records::{self as records, Audit};
use pyo3::exceptions::{PyRuntimeWarning, PyValueError};
use pyo3::prelude::*;

use crate::errors;
use crate::program::Program;

/// A log file.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Log(pub(crate) Arc<records::Log>);

#[pymethods]
impl Log {
    #[new]
    #[pyo3(signature = (path, *, required=false), text_signature = "(path, *, required=False)")]
    fn new(path: PathBuf, required: bool) -> Self {
        let audit = if required { Audit::Required } else { Audit::BestEffort };
        Self(Arc::new(records::Log::new(&path, audit)))
    }

    #[pyo3(signature = (json, program=None))]
    fn line(&self, py: Python<'_>, json: &[u8], program: Option<&Bound<'_, Program>>) -> PyResult<()> {
        let json = std::str::from_utf8(json).map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.0.line(json, program.map(|program| &program.get().core));
        attend(py, &self.0)
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let flushed = py.detach(|| self.0.flush());
        attend(py, &self.0)?;
        flushed.map_err(|trouble| errors::engine_error(py, "log", trouble.0))
    }

    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let _waits = py.detach(|| self.0.flush());
        attend(py, &self.0)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.close());
        attend(py, &self.0)
    }

    #[getter]
    fn lost(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.0.lost())
    }

    #[staticmethod]
    fn forked() {
        records::forked();
    }
}

/// What a record has to be followed by, once no lock is held: it may take a while, and it warns.
pub(crate) fn attend(py: Python<'_>, log: &records::Log) -> PyResult<()> {
    if !log.wants_attention() {
        return Ok(());
    }
    let Some(trouble) = py.detach(|| log.attend()) else { return Ok(()) };
    let text = std::ffi::CString::new(trouble.0.replace('\0', ""))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 2)
}
