//! The module's functions: canonical texts and fingerprints.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::canonical::canonical as written;
use crate::convert::Seed;

/// The canonical JSON of a value, as `bytes`.
#[pyfunction]
pub(crate) fn canonical(args: &Bound<'_, PyAny>) -> PyResult<Cow<'static, [u8]>> {
    Ok(Cow::Owned(written(args)?.into_text()))
}

/// The fingerprint of a call of a tool.
#[pyfunction]
pub(crate) fn fingerprint(tool: &Bound<'_, PyString>, args: &Bound<'_, PyAny>) -> PyResult<u64> {
    Ok(policy_core::fingerprint(&tool.to_string_lossy(), &written(args)?.text))
}

/// The xxh3 of some bytes.
#[pyfunction]
#[pyo3(signature = (data, seed=Seed(0)), text_signature = "(data, seed=0)")]
pub(crate) fn xxh3_64(data: &[u8], seed: Seed) -> u64 {
    policy_core::xxh3_64(data, seed.0)
}

/// Bytes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
