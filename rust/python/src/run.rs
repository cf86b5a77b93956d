//! `Run`: the events of one agent run, each converted, decided under the run's lock, and converted back.

use std::sync::Arc;

use checkrein_host::{Hosted, Live};
use checkrein_records::{self as records, Subject};
use policy_core::books::Books;
use policy_core::{Dimension, Failure, Now, Reply, Returned, Scopes};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::approvals;
use crate::asked::Asked;
use crate::convert::{Ended, Fingerprint, Id, Instant, Seed, Tokens, Wall};
use crate::decision::{Decision, Settlement};
use crate::facts::Columns;
use crate::ledger::Ledger;
use crate::log::{Records, said};
use crate::program::Program;
use crate::readings;
use crate::scopes::Ids;
use crate::sent::Sent;
use crate::usage::{Figures, error_kind, slot, used};

/// One agent run.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) core: Arc<Hosted>,
    pub(crate) program: Arc<policy_core::Program>,
    /// The same as Python has it.
    pub(crate) loaded: Py<Program>,
    pub(crate) columns: Arc<Columns>,
    pub(crate) ids: Ids,
    pub(crate) log: Option<Arc<records::Log>>,
}

const fn at(now: Instant, wall: Wall) -> Now {
    Now { mono: now.0, wall: wall.0 }
}

#[pymethods]
impl Run {
    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[new]
    #[pyo3(signature = (
        program, *, seed, now, wall=Wall(0), ledger=None, session=None, user=None, team=None, org=None,
        keys=None, parent=None, id="", records=None
    ), text_signature = "(program, *, seed, now, wall=0, ledger=None, session=None, user=None, team=None, \
        org=None, keys=None, parent=None, id='', records=None)")]
    fn new(
        py: Python<'_>,
        program: &Bound<'_, Program>,
        seed: Seed,
        now: Instant,
        wall: Wall,
        ledger: Option<&Bound<'_, Ledger>>,
        session: Option<&Bound<'_, PyString>>,
        user: Option<&Bound<'_, PyString>>,
        team: Option<&Bound<'_, PyString>>,
        org: Option<&Bound<'_, PyString>>,
        keys: Option<&Bound<'_, PyDict>>,
        parent: Option<&Bound<'_, Self>>,
        id: &str,
        records: Option<Records<'_>>,
    ) -> PyResult<Self> {
        let (now, whose) = (at(now, wall), ([session, user, team, org], keys));
        let begin = |program, scopes: &Scopes<'_>, parent: Option<&policy_core::Run>, books: &mut Books| {
            Ok(policy_core::Run::new(program, seed.0, now, scopes, parent, books))
        };
        if let Some(parent) = parent {
            return Self::below(py, program, parent.get(), now, id, begin)?.recorded(records);
        }
        Self::alone(py, program, ledger, whose, now, id, |program, scopes, books| {
            begin(program, scopes, None, books)
        })?
        .recorded(records)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[staticmethod]
    #[pyo3(signature = (
        program, state, *, now, wall, later, ledger=None, session=None, user=None, team=None, org=None,
        keys=None, id="", records=None
    ), text_signature = "(program, state, *, now, wall, later, ledger=None, session=None, user=None, \
        team=None, org=None, keys=None, id='', records=None)")]
    fn resume(
        py: Python<'_>,
        program: &Bound<'_, Program>,
        state: &[u8],
        now: Instant,
        wall: Wall,
        later: Instant,
        ledger: Option<&Bound<'_, Ledger>>,
        session: Option<&Bound<'_, PyString>>,
        user: Option<&Bound<'_, PyString>>,
        team: Option<&Bound<'_, PyString>>,
        org: Option<&Bound<'_, PyString>>,
        keys: Option<&Bound<'_, PyDict>>,
        id: &str,
        records: Option<Records<'_>>,
    ) -> PyResult<Self> {
        let (now, whose) = (at(now, wall), ([session, user, team, org], keys));
        Self::alone(py, program, ledger, whose, now, id, |program, scopes, books| {
            policy_core::Run::resume(program, state, (now, later.0), scopes, books)
        })?
        .recorded(records)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(signature = (
        now, wall, call, model, input_tokens, max_output, facts=None, results=None, messages=None
    ))]
    fn model_call<'py>(
        &self,
        py: Python<'py>,
        now: Instant,
        wall: Wall,
        call: Option<Id>,
        model: Option<&Bound<'py, PyString>>,
        input_tokens: Tokens,
        max_output: Option<Tokens>,
        facts: Option<&Bound<'py, PyDict>>,
        results: Option<Vec<[Fingerprint; 2]>>,
        messages: Option<Vec<(Fingerprint, Tokens)>>,
    ) -> PyResult<Bound<'py, Decision>> {
        let asked = Asked { now: at(now, wall), call, facts };
        self.ask_model(py, &asked, (model, input_tokens, max_output), (results, messages))
    }

    #[pyo3(signature = (now, wall, call, tool, args, facts=None))]
    fn tool_call<'py>(
        &self,
        now: Instant,
        wall: Wall,
        call: Option<Id>,
        tool: &Bound<'py, PyString>,
        args: &Bound<'py, PyDict>,
        facts: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, Decision>> {
        self.ask_tool(&Asked { now: at(now, wall), call, facts }, tool, args)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(
        signature = (
            now, wall, attempt, usage, input_tokens=Tokens(0), output_tokens=Tokens(0), cache_read=Tokens(0),
            cache_write=Tokens(0), reasoning=Tokens(0)
        ),
        text_signature = "($self, now, wall, attempt, usage, input_tokens=0, output_tokens=0, cache_read=0, \
            cache_write=0, reasoning=0)"
    )]
    fn settle(
        &self,
        py: Python<'_>,
        now: Instant,
        wall: Wall,
        attempt: Ended,
        usage: &str,
        input_tokens: Tokens,
        output_tokens: Tokens,
        cache_read: Tokens,
        cache_write: Tokens,
        reasoning: Tokens,
    ) -> PyResult<Settlement> {
        let (input, output) = (input_tokens, output_tokens);
        let usage = used(py, usage, Figures { input, output, cache_read, cache_write, reasoning })?;
        self.conclude(py, |live| live.settle(at(now, wall), attempt.0, usage)).map(Settlement)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(
        signature = (
            now, wall, attempt, usage, input_tokens=Tokens(0), output_tokens=Tokens(0), cache_read=Tokens(0),
            cache_write=Tokens(0), reasoning=Tokens(0), facts=None, fields=None, fingerprint=None,
            committed=false, subject=None
        ),
        text_signature = "($self, now, wall, attempt, usage, input_tokens=0, output_tokens=0, cache_read=0, \
            cache_write=0, reasoning=0, facts=None, fields=None, fingerprint=None, committed=False, \
            subject=None)"
    )]
    fn result<'py>(
        &self,
        py: Python<'py>,
        now: Instant,
        wall: Wall,
        attempt: Ended,
        usage: &str,
        input_tokens: Tokens,
        output_tokens: Tokens,
        cache_read: Tokens,
        cache_write: Tokens,
        reasoning: Tokens,
        facts: Option<&Bound<'_, PyDict>>,
        fields: Option<&Bound<'_, PyDict>>,
        fingerprint: Option<Fingerprint>,
        committed: bool,
        subject: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Bound<'py, Decision>> {
        let (now, input, output) = (at(now, wall), input_tokens, output_tokens);
        let tool = match fields {
            Some(_) => {
                self.tell(py, |live| Ok(live.run.target(attempt.0.attempt).map(|(name, _)| name.to_owned())))?
            }
            None => None,
        };
        let (mut sent, mut slots) = (Sent::new(), self.columns.slots());
        self.columns.of_result(
            py,
            &self.program,
            facts,
            tool.as_deref().zip(fields),
            (&mut sent, &mut slots),
        )?;
        sent.fill(&mut slots)?;
        let returned = Returned {
            attempt: attempt.0.attempt,
            usage: used(py, usage, Figures { input, output, cache_read, cache_write, reasoning })?,
            facts: &slots,
            fingerprint: fingerprint.map(|fingerprint| fingerprint.0),
            committed,
        };
        let subject = said(subject);
        let come = |live: &mut Live| live.result(now, attempt.0, &returned, Subject::Said(&subject));
        let mut decision = self.conclude(py, come)?;
        Decision::new(py, &mut decision, &self.loaded)
    }

    fn tell_agent(&self, py: Python<'_>, fingerprint: Fingerprint) -> PyResult<()> {
        self.tell(py, |live| live.run.tell(fingerprint.0))
    }

    fn settled(&self, py: Python<'_>, attempt: Id) -> PyResult<Option<Settlement>> {
        let settled = self.tell(py, |live| Ok(live.run.settled(attempt.0)))?;
        Ok(settled.map(|(_, settlement)| Settlement(settlement)))
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(
        signature = (
            now, wall, attempt, input_tokens, output_tokens, cache_read=Tokens(0), cache_write=Tokens(0),
            reasoning=Tokens(0)
        ),
        text_signature = "($self, now, wall, attempt, input_tokens, output_tokens, cache_read=0, \
            cache_write=0, reasoning=0)"
    )]
    fn adjust(
        &self,
        py: Python<'_>,
        now: Instant,
        wall: Wall,
        attempt: Ended,
        input_tokens: Tokens,
        output_tokens: Tokens,
        cache_read: Tokens,
        cache_write: Tokens,
        reasoning: Tokens,
    ) -> PyResult<Settlement> {
        let (input, output) = (input_tokens, output_tokens);
        let usage = Figures { input, output, cache_read, cache_write, reasoning }.exact();
        self.conclude(py, |live| live.adjust(at(now, wall), attempt.0, usage)).map(Settlement)
    }

    #[expect(clippy::too_many_arguments, reason = "the host passes them by name")]
    #[pyo3(
        signature = (
            now, wall, attempt, usage, input_tokens, output_tokens, kind, status=None, retry_after=None,
            billed=None, own=false, cache_read=Tokens(0), cache_write=Tokens(0), reasoning=Tokens(0),
            fingerprint=None, subject=None
        ),
        text_signature = "($self, now, wall, attempt, usage, input_tokens, output_tokens, kind, status=None, \
            retry_after=None, billed=None, own=False, cache_read=0, cache_write=0, reasoning=0, \
            fingerprint=None, subject=None)"
    )]
    fn error<'py>(
        &self,
        py: Python<'py>,
        now: Instant,
        wall: Wall,
        attempt: Ended,
        usage: &str,
        input_tokens: Tokens,
        output_tokens: Tokens,
        kind: &str,
        status: Option<&Bound<'_, PyAny>>,
        retry_after: Option<&Bound<'_, PyAny>>,
        billed: Option<&Bound<'_, PyAny>>,
        own: bool,
        cache_read: Tokens,
        cache_write: Tokens,
        reasoning: Tokens,
        fingerprint: Option<Fingerprint>,
        subject: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Bound<'py, Decision>> {
        let (input, output) = (input_tokens, output_tokens);
        let failure = Failure {
            attempt: attempt.0.attempt,
            usage: used(py, usage, Figures { input, output, cache_read, cache_write, reasoning })?,
            kind: error_kind(py, kind)?,
            status: slot(status, Dimension::Count)?,
            retry_after: slot(retry_after, Dimension::Duration)?,
            billed: slot(billed, Dimension::Flag)?,
            own,
            fingerprint: fingerprint.map(|fingerprint| fingerprint.0),
            committed: false,
        };
        let now = at(now, wall);
        let subject = said(subject);
        let mut decision = self.conclude(py, |live| live.error(now, &failure, Subject::Said(&subject)))?;
        Decision::new(py, &mut decision, &self.loaded)
    }

    #[expect(clippy::too_many_arguments, reason = "what an answer is")]
    #[pyo3(
        signature = (now, wall, request, approve, ago=Instant(0), bound=None),
        text_signature = "($self, now, wall, request, approve, ago=0, bound=None)"
    )]
    fn answer(
        &self,
        py: Python<'_>,
        now: Instant,
        wall: Wall,
        request: Id,
        approve: bool,
        ago: Instant,
        bound: Option<[u8; 32]>,
    ) -> PyResult<()> {
        let reply = Reply { request: request.0, approve, ago: ago.0, bound };
        self.tell(py, |live| live.answer(at(now, wall), &reply))
    }

    fn open_requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let open = self.tell(py, |live| Ok(live.run.open_requests()))?;
        approvals::open(py, &self.program, &open)
    }

    fn count(&self, py: Python<'_>, now: Instant, wall: Wall, attempt: Id, n: Tokens) -> PyResult<u64> {
        self.tell(py, |live| live.run.count(at(now, wall), attempt.0, n.0))
    }

    fn end(&self, py: Python<'_>, now: Instant, wall: Wall) -> PyResult<()> {
        self.ask(py, |live| {
            live.end(at(now, wall));
            Ok(())
        })
    }

    fn suspend(&self, py: Python<'_>, now: Instant, wall: Wall, keep: Vec<Id>) -> PyResult<Py<PyBytes>> {
        let keep: Vec<u64> = keep.into_iter().map(|id| id.0).collect();
        let state = self.tell(py, |live| live.suspend(at(now, wall), &keep))?;
        Ok(PyBytes::new(py, &state).unbind())
    }

    fn held<'py>(&self, py: Python<'py>, attempt: Id) -> PyResult<Option<Bound<'py, Decision>>> {
        let held = self.tell(py, |live| Ok(live.run.held(attempt.0)))?;
        held.map(|mut decision| Decision::new(py, &mut decision, &self.loaded)).transpose()
    }

    fn limits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let readings = self.tell(py, |live| Ok(live.event(|run, books| run.limits(books))))?;
        readings::rows(py, &self.program, &self.ids, &readings)
    }

    fn known(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.ask(py, |live| Ok(live.run.known().collect()))
    }

    fn time_left(&self, py: Python<'_>, now: Instant) -> PyResult<Option<u64>> {
        self.ask(py, |live| Ok(live.run.time_left_at(now.0)))
    }

    #[getter]
    fn in_flight(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |live| Ok(live.run.in_flight()))
    }

    #[getter]
    fn handed_over(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, |live| Ok(live.run.is_handed_over()))
    }

    #[getter]
    fn latched(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.ask(py, |live| Ok(live.run.latched().map(|state| state.name.to_string())))
    }
}
