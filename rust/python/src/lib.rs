//! The Python face of the engine: translation only. No decision is taken here.
//!
//! `convert` and `facts` read host values, `canonical` is their exact text, `errors` raises;
//! `program`, `run`, `decision`, `ledger` and `operator` are the classes, `begin`, `told`, `scopes` and
//! `readings` what a run needs besides. The documentation for users is in the stub,
//! `python/checkrein/_core.pyi`.

mod approvals;
mod asked;
mod asking;
mod batch;
mod begin;
mod canonical;
mod convert;
mod decision;
mod door;
mod entry;
mod errors;
mod facts;
mod hashes;
mod instant;
mod keys;
mod ledger;
mod log;
mod members;
mod names;
mod operator;
mod program;
mod readings;
mod run;
mod scopes;
mod sent;
mod told;
mod usage;
mod walk;

/// The module `checkrein._core`.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::asking::Door;
    #[pymodule_export]
    use crate::batch::{decide_model_calls, decide_tool_calls};
    #[pymodule_export]
    use crate::decision::{Decision, Settlement};
    #[pymodule_export]
    use crate::door::Meter;
    #[pymodule_export]
    use crate::hashes::{canonical, fingerprint, xxh3_64};
    #[pymodule_export]
    use crate::instant::now;
    #[pymodule_export]
    use crate::ledger::Ledger;
    #[pymodule_export]
    use crate::log::Log;
    #[pymodule_export]
    use crate::operator::Operator;
    #[pymodule_export]
    use crate::program::Program;
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::told::forked;

    #[pymodule_export]
    const FORMAT: u16 = policy_core::FORMAT;

    // The grammar travels inside the extension, so that an installed parser and engine always agree.
    #[pymodule_export]
    const GRAMMAR: &str = include_str!("../../../grammar/rein.lark");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::entry::install(module.py())?;
        module.add("_C_API", crate::door::capsule(module.py())?)
    }
}
