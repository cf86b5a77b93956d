//! `Ledger`: the accounts of a process, and the store that it shares them with.

use std::sync::Arc;

use checkrein_stores::Options;
use policy_core::Now;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Instant, Patience, Wall};
use crate::errors;

/// The accounts of this process, leased from a store.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) core: Arc<checkrein_stores::Ledger>,
}

#[pymethods]
impl Ledger {
    #[staticmethod]
    #[pyo3(signature = (url, *, now, wall, durable=false))]
    fn open(py: Python<'_>, url: &str, now: Instant, wall: Wall, durable: bool) -> PyResult<Self> {
        let options = Options { durable, now: Now { mono: now.0, wall: wall.0 } };
        let opened = py.detach(|| checkrein_stores::Ledger::open(url, options));
        match opened {
            Ok(core) => Ok(Self { core: Arc::new(core) }),
            Err(error) => Err(errors::store_error(py, &error)),
        }
    }

    #[staticmethod]
    fn memory() -> Self {
        Self { core: Arc::new(checkrein_stores::Ledger::memory()) }
    }

    #[pyo3(signature = (timeout=Patience(WAIT)), text_signature = "($self, timeout=5)")]
    fn flush(&self, py: Python<'_>, timeout: Patience) -> bool {
        py.detach(|| self.core.flush(timeout.0))
    }

    #[pyo3(signature = (timeout=Patience(WAIT)), text_signature = "($self, timeout=5)")]
    fn close(&self, py: Python<'_>, timeout: Patience) -> bool {
        py.detach(|| self.core.close(timeout.0))
    }

    fn before_fork(&self, py: Python<'_>) {
        py.detach(|| self.core.before_fork());
    }

    fn after_fork(&self, py: Python<'_>, child: bool, now: Instant, wall: Wall) -> PyResult<()> {
        // The interpreter is not let go of: a fork must not be seen half done.
        let begun = self.core.after_fork(child, Now { mono: now.0, wall: wall.0 });
        begun.map_err(|error| errors::store_error(py, &error))
    }

    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let health = py.detach(|| self.core.health());
        let dict = PyDict::new(py);
        dict.set_item("kind", health.kind)?;
        dict.set_item("node", format!("{:032x}", health.node))?;
        dict.set_item("away_since", health.books.away_since)?;
        dict.set_item("last_reply", health.books.last_reply)?;
        dict.set_item("degraded", health.books.degraded)?;
        dict.set_item("restarts", health.books.restarts)?;
        let refused = health.refused.map(|error| error.to_string());
        let error = health.error.map(|error| error.to_string()).or(health.books.error.map(Into::into));
        dict.set_item("error", error.as_ref().or(refused.as_ref()))?;
        dict.set_item("refused", refused)?;
        dict.set_item("closed", health.books.is_closed)?;
        dict.set_item("round_trips", health.round_trips)?;
        dict.set_item("records_waiting", health.records_waiting)?;
        dict.set_item("records_lost", health.records_lost)?;
        Ok(dict)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.core.kind()
    }

    #[getter]
    fn is_shared(&self) -> bool {
        self.core.is_shared()
    }

    fn __repr__(&self) -> String {
        format!("<Ledger in {}>", self.core.kind())
    }
}

/// How long the host waits for a store if it does not say.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);
