//! `Log`: the decision log as Python has it, and what its callers owe it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use checkrein_host::Live;
use checkrein_host::json::is_printable;
use checkrein_records::{self as records, Audit, Subject, Writer};
use policy_core::EngineError;
use pyo3::exceptions::{PyRuntimeWarning, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::errors;
use crate::program::Program;
use crate::run::Run;

/// A name of more characters is cut in records, and one that can't be printed as it is gets escapes.
const LONGEST_NAME: usize = 128;

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
}

/// A log, and two lines of JSON: the run's id, and the members that say whose it is.
pub(crate) type Records<'py> = (Bound<'py, Log>, Bound<'py, PyBytes>);

impl Run {
    /// The run, whose events are written down from now on.
    pub(crate) fn recorded(mut self, records: Option<Records<'_>>) -> PyResult<Self> {
        let Some((log, head)) = records else { return Ok(self) };
        let py = log.py();
        let log = Arc::clone(&log.get().0);
        let head =
            std::str::from_utf8(head.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let scope = |scope| self.ids.named(&self.program, scope);
        self.tell(py, |live| {
            live.record(|run| Writer::new(Arc::clone(&log), run, head, scope));
            Ok(())
        })?;
        self.log = Some(log);
        Ok(self)
    }

    /// What a call is about in the records, if there are any.
    pub(crate) fn called<'a>(
        &self,
        point: &'static str,
        given: Option<&Bound<'_, PyString>>,
        name: Option<&'a str>,
    ) -> PyResult<Called<'a>> {
        let is_plain = |name: &str| (1..=LONGEST_NAME).contains(&name.len()) && is_printable(name);
        match given {
            Some(given) if self.log.is_some() && !name.is_some_and(is_plain) => {
                let module = given.py().import(intern!(given.py(), "checkrein.sentences"))?;
                let text = module.call_method1(intern!(given.py(), "subject"), (point, given))?;
                Ok(Called::Said(text.extract()?))
            }
            _ => Ok(Called::Plain(point, name)),
        }
    }

    /// Whether the records of a next call can be kept, where they are required.
    #[inline]
    pub(crate) fn ready(&self, py: Python<'_>) -> PyResult<()> {
        match &self.log {
            Some(log) if log.is_blocked() => self.readied(py, log),
            _ => Ok(()),
        }
    }

    #[cold]
    fn readied(&self, py: Python<'_>, log: &records::Log) -> PyResult<()> {
        py.detach(|| log.ready(Some(&self.program)))
            .map_err(|trouble| errors::engine_error(py, "log", trouble.0))
    }

    /// An event that ends an attempt, and what follows its records.
    pub(crate) fn conclude<T>(
        &self,
        py: Python<'_>,
        event: impl FnOnce(&mut Live) -> Result<T, EngineError>,
    ) -> PyResult<T> {
        let answer = self.tell(py, event)?;
        self.attend(py)?;
        Ok(answer)
    }

    /// What an event's records have to be followed by.
    #[inline]
    pub(crate) fn attend(&self, py: Python<'_>) -> PyResult<()> {
        self.log.as_ref().map_or(Ok(()), |log| attend(py, log))
    }
}

/// A subject, whose text may have to be made.
#[derive(Debug)]
pub(crate) enum Called<'a> {
    Plain(&'static str, Option<&'a str>),
    Said(String),
}

impl Called<'_> {
    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Self::Plain(point, name) => Subject::Call(point, *name),
            Self::Said(text) => Subject::Said(text),
        }
    }
}

/// The subject that the host gives of what came back.
pub(crate) fn said<'a>(subject: Option<&'a Bound<'_, PyString>>) -> Cow<'a, str> {
    subject.map_or(Cow::Borrowed("call"), |subject| subject.to_string_lossy())
}

/// What a record has to be followed by, once no lock is held: it may take a while, and it warns.
#[inline]
pub(crate) fn attend(py: Python<'_>, log: &records::Log) -> PyResult<()> {
    if log.wants_attention() { attended(py, log) } else { Ok(()) }
}

#[cold]
fn attended(py: Python<'_>, log: &records::Log) -> PyResult<()> {
    let Some(trouble) = py.detach(|| log.attend()) else { return Ok(()) };
    let text = std::ffi::CString::new(trouble.0.replace('\0', ""))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 2)
}
