//! When something happens to a run: by this process's clocks, or by those that the host gave.

use policy_core::Now;
use pyo3::prelude::*;

use crate::convert::{Instant, Wall};

/// The clocks of a run.
#[derive(Debug)]
pub(crate) enum Clock {
    /// This process's: reading them needs nothing of Python.
    Own,
    /// The host's functions, for monotonic time and for that on the wall.
    Host(Py<PyAny>, Py<PyAny>),
}

impl Clock {
    /// Both clocks, now.
    ///
    /// # Errors
    /// What the host's functions raise, and `EngineError` for what is no instant.
    pub(crate) fn now(&self, py: Python<'_>) -> PyResult<Now> {
        match self {
            Self::Own => Ok(checkrein_stores::now()),
            Self::Host(now, wall) => {
                let (Instant(mono), Wall(wall)) =
                    (now.bind(py).call0()?.extract()?, wall.bind(py).call0()?.extract()?);
                Ok(Now { mono, wall })
            }
        }
    }
}

/// This process's monotonic clock, in nanoseconds.
#[pyfunction]
pub(crate) fn now() -> u64 {
    checkrein_stores::now().mono
}
