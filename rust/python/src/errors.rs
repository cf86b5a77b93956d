//! The only mapping from failures to Python exceptions. The classes live in `checkrein/errors.py`.

use checkrein_stores::StoreError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

static LOAD_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ENGINE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static STORE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static UNKNOWN_FACT: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `EngineError(message, kind)`: the host misused a run, or passed a value that cannot be taken.
pub(crate) fn engine_error(py: Python<'_>, kind: &str, message: String) -> PyErr {
    raised(py, &ENGINE_ERROR, "EngineError", (message, kind.to_owned()))
}

/// `UnknownFact(message)`: a fact that is not declared, or that only the engine sets.
pub(crate) fn unknown_fact(py: Python<'_>, message: String) -> PyErr {
    raised(py, &UNKNOWN_FACT, "UnknownFact", (message,))
}

/// `LoadError(message)`: an artifact was refused.
pub(crate) fn load_error(py: Python<'_>, message: String) -> PyErr {
    raised(py, &LOAD_ERROR, "LoadError", (message,))
}

/// `StoreError(message, kind)`: the store of a ledger cannot be used.
pub(crate) fn store_error(py: Python<'_>, error: &StoreError) -> PyErr {
    raised(py, &STORE_ERROR, "StoreError", (error.to_string(), error.kind.as_str()))
}

/// The same, for what the store was asked and does not do.
pub(crate) fn store_refusal(py: Python<'_>, kind: &str, message: &str) -> PyErr {
    raised(py, &STORE_ERROR, "StoreError", (message.to_owned(), kind.to_owned()))
}

/// An instance of the class, or the error met while importing it.
fn raised<A>(py: Python<'_>, cell: &'static PyOnceLock<Py<PyType>>, name: &str, arguments: A) -> PyErr
where
    A: pyo3::PyErrArguments + Send + Sync + 'static,
{
    match cell.import(py, "checkrein.errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), arguments),
        Err(error) => error,
    }
}
