//! An event under the run's lock, and the exceptions for what can be wrong with it.

use checkrein_host::{Live, Refused};
use checkrein_records::Subject;
use policy_core::books::Books;
use policy_core::{EngineError, Now};
use pyo3::prelude::*;

use crate::decision::Decision;
use crate::errors;
use crate::run::Run;

impl Run {
    /// An event that a broken run answers too.
    pub(crate) fn ask<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut Live) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        self.core.ask(event).map_err(|error| refused(py, &error))
    }

    /// An event that needs what the run knows.
    pub(crate) fn tell<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut Live) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        self.core.tell(event).map_err(|error| refused(py, &error))
    }

    /// An admission.
    pub(crate) fn admit<'py>(
        &self,
        py: Python<'py>,
        now: Now,
        subject: Subject<'_>,
        event: impl FnOnce(
            &mut policy_core::Run,
            &mut Books,
            &mut policy_core::Decision,
        ) -> Result<(), EngineError>,
    ) -> PyResult<Bound<'py, Decision>> {
        self.ready(py)?;
        let mut decision = policy_core::Decision::new();
        let decided = self.core.admit(now, subject, &mut decision, event);
        decided.map_err(|error| refused(py, &error))?;
        self.attend(py)?;
        Decision::new(py, &mut decision, &self.loaded)
    }
}

/// This process was forked off.
#[pyfunction]
pub(crate) fn forked() {
    checkrein_host::forked();
}

/// The exception for what was refused.
pub(crate) fn refused(py: Python<'_>, error: &Refused) -> PyErr {
    errors::engine_error(py, error.kind(), error.to_string())
}
