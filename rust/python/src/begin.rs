//! How a run comes to be: begun or resumed, alone or as a part of another one.

use std::sync::Arc;

use checkrein_host::Hosted;
use policy_core::books::Books;
use policy_core::{EngineError, Now, Scopes};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::ledger::Ledger;
use crate::program::Program;
use crate::run::Run;
use crate::scopes::Ids;
use crate::told::refused;

/// Whose a run is: session to organisation, and the keys.
pub(crate) type Whose<'a, 'py> = ([Option<&'a Bound<'py, PyString>>; 4], Option<&'a Bound<'py, PyDict>>);

impl Run {
    /// A run that is no part of another.
    pub(crate) fn alone(
        py: Python<'_>,
        program: &Bound<'_, Program>,
        ledger: Option<&Bound<'_, Ledger>>,
        (words, keys): Whose<'_, '_>,
        now: Now,
        id: &str,
        begin: impl FnOnce(
            Arc<policy_core::Program>,
            &Scopes<'_>,
            &mut Books,
        ) -> Result<policy_core::Run, EngineError>,
    ) -> PyResult<Self> {
        let core = &program.get().core;
        let ids = Ids::read(core, id, words, keys)?;
        let ledger = ledger.map(|ledger| &ledger.get().core);
        let begin = |program, books: &mut Books| ids.lend(|scopes| begin(program, scopes, books));
        let hosted = Hosted::alone(core, ledger, (now, id), begin);
        Ok(Self::new_live(program, hosted.map_err(|error| refused(py, &error))?, ids))
    }

    /// A part of another run.
    pub(crate) fn below(
        py: Python<'_>,
        program: &Bound<'_, Program>,
        parent: &Self,
        now: Now,
        id: &str,
        begin: impl FnOnce(
            Arc<policy_core::Program>,
            &Scopes<'_>,
            Option<&policy_core::Run>,
            &mut Books,
        ) -> Result<policy_core::Run, EngineError>,
    ) -> PyResult<Self> {
        let ids = parent.ids.of_child(id);
        let begin = |program, run: &policy_core::Run, books: &mut Books| {
            ids.lend(|scopes| begin(program, scopes, Some(run), books))
        };
        let hosted = parent.core.below(&program.get().core, (now, id), begin);
        Ok(Self::new_live(program, hosted.map_err(|error| refused(py, &error))?, ids))
    }

    fn new_live(program: &Bound<'_, Program>, hosted: Hosted, ids: Ids) -> Self {
        let Program { core, columns } = program.get();
        Self {
            core: Arc::new(hosted),
            program: Arc::clone(core),
            loaded: program.clone().unbind(),
            columns: Arc::clone(columns),
            ids,
            log: None,
        }
    }
}
