//! The door for C beside Python: the capsule with its table, and the meters of Python's runs.

use checkrein_c::{Api, Fault, api, close_meter, count, meter};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::convert::{Id, Tokens};
use crate::errors;
use crate::run::Run;

/// What a token loop counts on, in Python or, by its handle, in C.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Meter {
    handle: u64,
}

#[pymethods]
impl Meter {
    #[new]
    fn new(py: Python<'_>, run: &Bound<'_, Run>, attempt: Id) -> PyResult<Self> {
        let handle = meter(&run.get().core, attempt.0).map_err(|fault| refused(py, &fault))?;
        Ok(Self { handle })
    }

    #[pyo3(signature = (n=Tokens(1)), text_signature = "($self, n=1)")]
    fn count(&self, py: Python<'_>, n: Tokens) -> PyResult<u64> {
        count(self.handle, n.0).map_err(|fault| refused(py, &fault))
    }

    #[getter]
    const fn handle(&self) -> u64 {
        self.handle
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // C may have closed it.
        let _ = close_meter(self.handle);
    }
}

fn refused(py: Python<'_>, fault: &Fault) -> PyErr {
    errors::engine_error(py, fault.kind(), fault.message().to_owned())
}

/// The table in a capsule, which is never freed: a thread of C may use it as long as there is a process.
pub(crate) fn capsule(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    let capsule = PyCapsule::new_with_value::<Api>(py, *api(), c"checkrein._core._C_API")?;
    std::mem::forget(capsule.clone());
    Ok(capsule)
}
