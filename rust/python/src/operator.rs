//! `Operator`: a ledger's store for those who run it, who look at accounts and correct them.

use std::sync::{Mutex, PoisonError};

use checkrein_stores::{Store, StoreError, Stored, open_store};
use policy_core::store::{AccountKey, Operated, Operation, Order, RowKey, Shown, ShownWindow, Whereabouts};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::approvals;
use crate::errors;
use crate::hashes::hex;

/// The store of a ledger, opened to be looked at.
#[pyclass(frozen, module = "checkrein._core")]
#[derive(Debug)]
pub(crate) struct Operator {
    store: Mutex<Box<dyn Store>>,
}

const ENDED: &str = "the account's latest window has ended, and left no debt that this would change; nothing \
                     was done: a correction counts in the window of the account's next call";
/// As many records as are handed to Python at a time.
const BATCH: usize = 1_000;

impl Operator {
    /// Something that may wait for the store, without the interpreter.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut (dyn Store + 'static)) -> Result<T, StoreError> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut **store)
        });
        done.map_err(|error| errors::store_error(py, &error))
    }

    fn order(&self, py: Python<'_>, order: &Order) -> PyResult<bool> {
        let operated = self.work(py, |store| store.operate(order))?;
        Self::is_done(py, &operated)
    }

    /// Whether something was done; else it was done before.
    pub(crate) fn is_done(py: Python<'_>, operated: &Operated) -> PyResult<bool> {
        let refused = |kind: &str, message: &str| Err(errors::store_refusal(py, kind, message));
        if let Some((kind, message)) = approvals::refusal(operated) {
            return refused(kind, &message);
        }
        match operated {
            Operated::Done => Ok(true),
            Operated::Before => Ok(false),
            Operated::Taken => refused("taken", "another act has this id; choose another"),
            Operated::NoLedger => refused("no_ledger", "there is no ledger here; make it with `ledger init`"),
            Operated::NoAccount => refused("no_account", "no such account has ever been used"),
            Operated::NoRun => {
                refused("no_run", "no run of this id waits here or was resumed; see `checkrein ledger runs`")
            }
            Operated::Ended => refused("ended", ENDED),
            Operated::Malformed(why) => refused("malformed", why),
            // Told above.
            Operated::NoRequest | Operated::Answered(_) | Operated::Expired(_) | Operated::OtherKind => {
                refused("no_request", "no run asks this")
            }
        }
    }
}

#[pymethods]
impl Operator {
    #[staticmethod]
    #[pyo3(signature = (url, *, create=false))]
    fn open(py: Python<'_>, url: &str, create: bool) -> PyResult<Self> {
        match py.detach(|| open_store(url, create)) {
            Ok(store) => Ok(Self { store: Mutex::new(store) }),
            Err(error) => Err(errors::store_error(py, &error)),
        }
    }

    #[getter]
    fn place(&self, py: Python<'_>) -> PyResult<String> {
        self.work(py, |store| Ok(store.place()))
    }

    fn init(&self, py: Python<'_>) -> PyResult<bool> {
        self.work(py, Store::create)
    }

    fn accounts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.work(py, |store| store.show(RowKey::ACCOUNTS))?;
        dicts(py, &rows, |row, dict| match row {
            Shown::Account { account, pinned, windows } => {
                named(account, dict)?;
                dict.set_item("pinned", pinned)?;
                dict.set_item("windows", dicts(py, windows, window)?)
            }
            _ => Ok(()),
        })
    }

    fn audit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.work(py, |store| store.show(RowKey::AUDITS))?;
        dicts(py, &rows, |row, dict| match row {
            Shown::Audit { at, order } => audited(*at, order, dict),
            _ => Ok(()),
        })
    }

    fn nodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.work(py, |store| store.show(RowKey::NODES))?;
        dicts(py, &rows, |row, dict| match row {
            Shown::Node { node, seq, heard, closed } => {
                dict.set_item("node", format!("{node:032x}"))?;
                dict.set_item("requests", seq)?;
                dict.set_item("heard", heard)?;
                dict.set_item("closed", closed)
            }
            _ => Ok(()),
        })
    }

    fn leases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.work(py, |store| store.show(RowKey::LEASES))?;
        dicts(py, &rows, |row, dict| match row {
            Shown::Lease { node, account, windows } => {
                named(account, dict)?;
                dict.set_item("node", format!("{node:032x}"))?;
                dict.set_item("windows", windows)
            }
            _ => Ok(()),
        })
    }

    fn adjust(
        &self,
        py: Python<'_>,
        account: &str,
        delta: i64,
        id: String,
        who: String,
        why: String,
    ) -> PyResult<bool> {
        let operation = Operation::Adjust { account: parsed(py, account)?, delta };
        self.order(py, &Order { id, who, why, operation })
    }

    fn pin(
        &self,
        py: Python<'_>,
        account: &str,
        most: Option<u64>,
        id: String,
        who: String,
        why: String,
    ) -> PyResult<bool> {
        let operation = Operation::Pin { account: parsed(py, account)?, max: most };
        self.order(py, &Order { id, who, why, operation })
    }

    fn write_off(
        &self,
        py: Python<'_>,
        account: &str,
        id: String,
        who: String,
        why: String,
    ) -> PyResult<bool> {
        let operation = Operation::WriteOff { account: parsed(py, account)?, node: None };
        self.order(py, &Order { id, who, why, operation })
    }

    fn runs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (_, mut rows) = self.work(py, |store| store.described(RowKey::RUNS))?;
        rows.retain(|(_, row)| !matches!(row, Some(Shown::Run { whereabouts: Whereabouts::Ended, .. })));
        dicts(py, &rows, |(key, row), dict| match row {
            Some(Shown::Run { id, meaning, resumed, whereabouts, since }) => {
                dict.set_item("run", id)?;
                dict.set_item("damaged", false)?;
                dict.set_item("meaning", hex(meaning))?;
                dict.set_item("resumed", resumed)?;
                dict.set_item("waits", *whereabouts == Whereabouts::Waiting)?;
                dict.set_item("since", since)
            }
            _ => {
                dict.set_item("run", key.as_str().strip_prefix(RowKey::RUNS))?;
                dict.set_item("damaged", true)
            }
        })
    }

    fn drop_run(&self, py: Python<'_>, run: String, id: String, who: String, why: String) -> PyResult<bool> {
        self.order(py, &Order { id, who, why, operation: Operation::DropRun { run } })
    }

    fn approvals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let waiting = self.work(py, approvals::waiting)?;
        approvals::rows(py, &waiting)
    }

    #[expect(clippy::too_many_arguments, reason = "what an answer is")]
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
    ) -> PyResult<bool> {
        let order = approvals::order(py, (run, request), word, text, [id, who, why])?;
        self.order(py, &order)
    }

    fn prune(&self, py: Python<'_>, before: u64, id: String, who: String, why: String) -> PyResult<u64> {
        let order = Order { id, who, why, operation: Operation::Prune { before } };
        let (operated, gone) = self.work(py, |store| store.prune(&order))?;
        Self::is_done(py, &operated).map(|_| gone)
    }

    fn records(&self, py: Python<'_>, visit: &Bound<'_, PyAny>) -> PyResult<()> {
        let visit = visit.clone().unbind();
        let mut raised = None;
        let mut batch: Vec<Stored> = Vec::new();
        let hand_on = |batch: &mut Vec<Stored>| {
            let handed = Python::attach(|py| visit.call1(py, (dicts(py, batch, record)?,)).map(drop));
            batch.clear();
            handed
        };
        self.work(py, |store| {
            store.export(&mut |stored| {
                batch.push(stored);
                if batch.len() == BATCH {
                    raised = hand_on(&mut batch).err();
                }
                raised.is_none()
            })?;
            if raised.is_none() && !batch.is_empty() {
                raised = hand_on(&mut batch).err();
            }
            Ok(())
        })?;
        raised.map_or(Ok(()), Err)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Operator of {}>", self.place(py)?))
    }
}

fn parsed(py: Python<'_>, account: &str) -> PyResult<AccountKey> {
    AccountKey::parse(account).ok_or_else(|| {
        errors::store_refusal(
            py,
            "malformed",
            "this is no name of an account; take one that `accounts` lists",
        )
    })
}

pub(crate) fn dicts<'py, T>(
    py: Python<'py>,
    rows: &[T],
    fill: impl Fn(&T, &Bound<'py, PyDict>) -> PyResult<()>,
) -> PyResult<Bound<'py, PyList>> {
    let dicts = rows.iter().map(|row| {
        let dict = PyDict::new(py);
        fill(row, &dict).map(|()| dict)
    });
    PyList::new(py, dicts.collect::<PyResult<Vec<_>>>()?)
}

fn named(account: &AccountKey, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let [scope, id, limit, measure, window] = account.parts();
    dict.set_item("account", account.as_str())?;
    dict.set_item("name", account.to_string())?;
    dict.set_item("scope", scope)?;
    dict.set_item("id", id)?;
    dict.set_item("limit", limit)?;
    dict.set_item("measure", measure)?;
    dict.set_item("window", window)
}

fn window(window: &ShownWindow, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    dict.set_item("id", window.id)?;
    dict.set_item("start", window.start)?;
    dict.set_item("end", window.end)?;
    dict.set_item("asked", window.asked)?;
    dict.set_item("most", window.max)?;
    dict.set_item("spent", window.spent)?;
    dict.set_item("leased", window.leased)?;
    dict.set_item("carried", window.carried)?;
    dict.set_item("adjusted", window.adjusted)?;
    dict.set_item("extra", window.extra)?;
    dict.set_item("grants_used", window.grants_used)
}

fn audited(at: u64, order: &Order, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    dict.set_item("time", at)?;
    dict.set_item("order", &order.id)?;
    dict.set_item("who", &order.who)?;
    dict.set_item("why", &order.why)?;
    match &order.operation {
        Operation::Adjust { account, delta } => {
            dict.set_item("act", "adjust")?;
            dict.set_item("amount", delta)?;
            named(account, dict)
        }
        Operation::Pin { account, max } => {
            dict.set_item("act", "pin")?;
            dict.set_item("amount", max)?;
            named(account, dict)
        }
        Operation::WriteOff { account, node } => {
            dict.set_item("act", "write off")?;
            dict.set_item("node", node.map(|node| format!("{node:032x}")))?;
            named(account, dict)
        }
        Operation::Restarted => dict.set_item("act", "restarted"),
        Operation::DropRun { run } => {
            dict.set_item("act", "drop run")?;
            dict.set_item("run", run)
        }
        Operation::Answer { run, request, word } => {
            let (word, text) = approvals::said(word.clone());
            dict.set_item("act", word)?;
            dict.set_item("run", run)?;
            dict.set_item("request", request)?;
            dict.set_item("text_sha256", text)
        }
        Operation::Prune { before } => {
            dict.set_item("act", "prune")?;
            dict.set_item("before", before)
        }
    }
}

fn record(stored: &Stored, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let record = &stored.record;
    dict.set_item("origin", format!("{:032x}", stored.origin))?;
    dict.set_item("number", stored.number)?;
    dict.set_item("run", &record.run)?;
    dict.set_item("attempt", record.attempt)?;
    dict.set_item("time", record.wall)?;
    dict.set_item("digest", hex(&record.digest))?;
    dict.set_item(if record.is_tool { "tool" } else { "model" }, &record.name)?;
    dict.set_item("usage", record.usage.as_str())?;
    dict.set_item("input", record.input)?;
    dict.set_item("output", record.output)?;
    dict.set_item("cache_read", record.cache_read)?;
    dict.set_item("cache_write", record.cache_write)?;
    dict.set_item("reasoning", record.reasoning)?;
    dict.set_item("tokens", record.tokens)?;
    dict.set_item("cost", record.cost)?;
    dict.set_item("prices", &record.prices)
}
