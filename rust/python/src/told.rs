//! An event under the run's lock, and the exceptions for what can be wrong with it.

use policy_core::books::Books;
use policy_core::{EngineError, Now};
use pyo3::prelude::*;

use crate::decision::Decision;
use crate::errors;
use crate::guarded::Broken;
use crate::live::Live;
use crate::run::Run;

impl Run {
    /// An event that a broken run answers too.
    pub(crate) fn ask<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut Live) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        told(py, self.core.ask(|| Live::ended(&self.program), |live| own(live, event)))
    }

    /// An event that needs what the run knows.
    pub(crate) fn tell<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut Live) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        told(py, self.core.tell(|| Live::ended(&self.program), |live| own(live, event)))
    }

    /// An admission: what the call would use has to have its place in a journal, if there is one.
    pub(crate) fn admit(
        &self,
        py: Python<'_>,
        now: Now,
        event: impl FnOnce(&mut policy_core::Run, &mut Books) -> Result<policy_core::Decision, EngineError>,
    ) -> PyResult<Decision> {
        let admit = |live: &mut Live| match live.ready() {
            Ok(()) => own(live, |live| live.admit(now, event)),
            Err(error) => Told::Full(error),
        };
        let decision = told(py, self.core.ask(|| Live::ended(&self.program), admit))?;
        Ok(Decision::new(decision, &self.program))
    }
}

/// What came of an event, if the run is of this process.
enum Told<T> {
    Forked,
    Full(checkrein_stores::StoreError),
    Answer(Result<T, EngineError>),
}

fn own<T>(live: &mut Live, event: impl FnOnce(&mut Live) -> Result<T, EngineError>) -> Told<T> {
    if live.is_forked() { Told::Forked } else { Told::Answer(event(live)) }
}

/// The event's result, or the exception for it.
fn told<T>(py: Python<'_>, result: Result<Told<T>, Broken>) -> PyResult<T> {
    let (kind, message) = match result {
        Ok(Told::Answer(answer)) => return answer.map_err(|error| refused(py, error)),
        Ok(Told::Full(error)) => (error.kind.as_str(), error.to_string()),
        Ok(Told::Forked) => {
            ("forked", "this run is of another process: nobody adds up what a fork spends".to_owned())
        }
        Err(Broken) => (
            "internal",
            "the engine failed inside this run, which now denies every call; report it as a bug".to_owned(),
        ),
    };
    Err(errors::engine_error(py, kind, message))
}

/// The exception for a misuse.
pub(crate) fn refused(py: Python<'_>, error: EngineError) -> PyErr {
    errors::engine_error(py, error.kind(), error.to_string())
}
