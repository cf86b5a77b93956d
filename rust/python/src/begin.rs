//! How a run comes to be: begun or resumed, alone or as a part of another one.

use std::sync::{Arc, Mutex};

use checkrein_stores::Ledger as Store;
use policy_core::books::Books;
use policy_core::{EngineError, Now, Scopes};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors;
use crate::guarded::Guarded;
use crate::ledger::Ledger;
use crate::live::{Live, Shared};
use crate::program::Program;
use crate::records::Recorder;
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
        let ledger = ledger.map(|ledger| Arc::clone(&ledger.get().core));
        if ledger.as_ref().is_some_and(|ledger| ledger.is_forked()) {
            let message = "this process was forked without Python's `os.fork`, so its ledger is the \
                           parent's; load the policy again in the child";
            return Err(errors::engine_error(py, "forked", message.to_owned()));
        }
        let own = || Arc::new(Mutex::new(Books::local()));
        let books = shared(ledger.as_ref(), core).map_or_else(own, |ledger| ledger.books());
        let begun = ids.lend(|scopes| begin(Arc::clone(core), scopes, &mut crate::live::locked(&books)));
        let mut run = begun.map_err(|error| refused(py, error))?;
        if let Some(ledger) = &ledger {
            run = run.watching(&ledger.watched());
        }
        Ok(Self::new_live(program, (run, books), ids, ledger, now, id))
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
        if !Arc::ptr_eq(&parent.program, &program.get().core) {
            let message = "a run and its parent have the same program; pass the parent's";
            return Err(errors::engine_error(py, "bad_value", message.to_owned()));
        }
        let core = Arc::clone(&parent.program);
        let ids = parent.ids.of_child(id);
        let begun = parent.tell(py, |live| {
            let begin = |scopes: &Scopes<'_>| live.event(|run, books| begin(core, scopes, Some(run), books));
            Ok((ids.lend(begin)?, live.books()))
        })?;
        Ok(Self::new_live(program, begun, ids, parent.ledger.clone(), now, id))
    }

    fn new_live(
        program: &Bound<'_, Program>,
        (run, books): (policy_core::Run, Shared),
        ids: Ids,
        ledger: Option<Arc<Store>>,
        now: Now,
        id: &str,
    ) -> Self {
        let Program { core, columns } = program.get();
        let recorder =
            |ledger: &Arc<Store>| Recorder::new(Arc::clone(ledger), Arc::clone(core), id.to_owned());
        let store = shared(ledger.as_ref(), core).map(|ledger| (Arc::clone(ledger), recorder(ledger)));
        Self {
            core: Guarded::new(Live::new(run, books, store, now)),
            program: Arc::clone(core),
            columns: Arc::clone(columns),
            ids,
            ledger,
        }
    }
}

/// The ledger whose books the runs of a program take from, if others take from them too: a run has books of
/// its own, and so a lock, where neither a store nor another run has to know.
fn shared<'a>(ledger: Option<&'a Arc<Store>>, program: &policy_core::Program) -> Option<&'a Arc<Store>> {
    ledger.filter(|ledger| ledger.has_store() || program.is_wide())
}
