//! `Ledger`: the accounts of a process, and the store that it shares them with.

use std::sync::Arc;

use checkrein_stores::{Options, StoreError};
use policy_core::Now;
use policy_core::store::{Claimed, DAMAGED, Life, Luggage, Parked};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::approvals::{self, Asking, Taken};
use crate::convert::{Instant, Patience, Wall};
use crate::errors;
use crate::hashes::hex;
use crate::operator::Operator;
use crate::program::Program;

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

    #[expect(clippy::too_many_arguments, reason = "what a suspended run is")]
    #[pyo3(
        signature = (id, program, life, state, host, asking, timeout=Patience(WAIT)),
        text_signature = "($self, id, program, life, state, host, asking, timeout=5)"
    )]
    fn park(
        &self,
        py: Python<'_>,
        id: &str,
        program: &Program,
        life: Numbers,
        state: Vec<u8>,
        host: Vec<u8>,
        asking: Vec<Asking>,
        timeout: Patience,
    ) -> PyResult<()> {
        let (meaning, life) = (*program.core.meaning(), life_of(life));
        let parcel = (Luggage { state, host }, approvals::asks(asking));
        let (kind, message) = match asked(py, || self.core.park(id, meaning, life, parcel, timeout.0))? {
            Parked::Done => return Ok(()),
            Parked::Taken => (
                "taken",
                format!(
                    "another run had the id `{id}` before, in {}: an id is used once in a store; give every \
                     run one of its own",
                    self.core.place()
                ),
            ),
            Parked::Over => (
                "dropped",
                format!(
                    "nobody goes on with run `{id}`: an operator dropped it or emptied the store; see {}",
                    self.listing("export")
                ),
            ),
            Parked::NoLedger => ("no_ledger", self.gone()),
            Parked::Malformed(why) => self.refused(id, why),
        };
        Err(errors::engine_error(py, kind, message))
    }

    #[pyo3(
        signature = (id, program, holder, timeout=Patience(WAIT)),
        text_signature = "($self, id, program, holder, timeout=5)"
    )]
    fn claim<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        program: &Program,
        holder: u128,
        timeout: Patience,
    ) -> PyResult<Claim<'py>> {
        let meaning = *program.core.meaning();
        let (kind, message) = match asked(py, || self.core.claim(id, meaning, holder, timeout.0))? {
            Claimed::Yours(life, luggage, later, answers) => {
                let life = (life.origin, life.holder, life.number);
                let (state, host) = (PyBytes::new(py, &luggage.state), PyBytes::new(py, &luggage.host));
                return Ok((life, state, host, later, approvals::taken(py, answers)));
            }
            Claimed::Others(_) => (
                "already_resumed",
                format!(
                    "run `{id}` was resumed already, and goes on once; if the process that did it is gone, \
                     so is what the run did since: begin a new one ({} says since when)",
                    self.listing("runs")
                ),
            ),
            Claimed::Ended(_) => {
                let place = self.core.place();
                (
                    "ended",
                    format!("run `{id}` in {place} has ended, or an operator dropped it; begin a new one"),
                )
            }
            Claimed::OtherProgram(other) => (
                "other_policy",
                format!(
                    "run `{id}` began under a policy that means something else ({}, this one {}; comments \
                     and the file's place do not count); load what `checkrein compile` made of that \
                     policy, and keep it until its runs have ended",
                    hex(&other),
                    hex(&meaning)
                ),
            ),
            Claimed::Unknown => (
                "unknown_run",
                format!(
                    "no run `{id}` was suspended in {}{}; {} lists those that were",
                    self.core.place(),
                    if self.core.health().made { ", which was made just now" } else { "" },
                    self.listing("runs")
                ),
            ),
            Claimed::NoLedger => ("no_ledger", self.gone()),
            Claimed::Malformed(why) => self.refused(id, why),
        };
        Err(errors::engine_error(py, kind, message))
    }

    fn finish(&self, py: Python<'_>, id: &str, life: Numbers) {
        py.detach(|| self.core.finish(id, life_of(life)));
    }

    fn give_back(&self, py: Python<'_>, id: &str, holder: u128) {
        py.detach(|| self.core.give_back(id, holder));
    }

    #[pyo3(signature = (timeout=Patience(WAIT)), text_signature = "($self, timeout=5)")]
    fn approvals<'py>(&self, py: Python<'py>, timeout: Patience) -> PyResult<Bound<'py, PyList>> {
        let waiting = py.detach(|| self.core.ask(timeout.0, approvals::waiting));
        approvals::rows(py, &waiting.map_err(|error| errors::store_error(py, &error))?)
    }

    #[expect(clippy::too_many_arguments, reason = "what an answer is")]
    #[pyo3(
        signature = (run, request, word, text, id, who, why, timeout=Patience(WAIT)),
        text_signature = "($self, run, request, word, text, id, who, why, timeout=5)"
    )]
    fn answer(
        &self,
        py: Python<'_>,
        run: String,
        request: u64,
        word: &str,
        text: Option<String>,
        id: String,
        who: String,
        why: String,
        timeout: Patience,
    ) -> PyResult<bool> {
        let order = approvals::order(py, (run, request), word, text, [id, who, why])?;
        let operated = py.detach(|| self.core.ask(timeout.0, move |store| store.operate(&order)));
        Operator::is_done(py, &operated.map_err(|error| errors::store_error(py, &error))?)
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
        dict.set_item("made", health.made)?;
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

/// A life as Python has it: origin, holder, number.
type Numbers = (u128, u128, u64);

/// What who goes on with a run gets: its life, its state, its host's part, how long it waited, and answers.
type Claim<'py> = (Numbers, Bound<'py, PyBytes>, Bound<'py, PyBytes>, u64, Vec<Taken<'py>>);

const fn life_of((origin, holder, number): Numbers) -> Life {
    Life { origin, holder, number }
}

/// Something that waits for the store, without the interpreter.
fn asked<T: Send>(py: Python<'_>, ask: impl FnOnce() -> Result<T, StoreError> + Send) -> PyResult<T> {
    py.detach(ask).map_err(|error| errors::engine_error(py, error.kind.as_str(), error.to_string()))
}

impl Ledger {
    /// A command about this store.
    fn listing(&self, command: &str) -> String {
        format!("`checkrein ledger {command} --store {}`", self.core.place())
    }

    fn gone(&self) -> String {
        format!(
            "there is no ledger in {} any more; put it back, or restore it from a backup, and ask again",
            self.core.place()
        )
    }

    fn refused(&self, id: &str, why: &str) -> (&'static str, String) {
        let place = self.core.place();
        if why == DAMAGED {
            return ("damaged", format!("run `{id}` in {place}: {why}; restore the ledger from a backup"));
        }
        ("bad_value", format!("run `{id}`: {why}"))
    }
}

/// How long the host waits for a store if it does not say.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);
