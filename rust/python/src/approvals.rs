//! Requests to people, between Python and the store: what is asked, what is answered, and what is shown.

use checkrein_stores::{Described, Store, StoreError};
use policy_core::QueueDefault;
use policy_core::store::{Answered, Ask, Given, Operated, Operation, Order, RowKey, Shown, Word};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::errors;
use crate::operator::dicts;

/// A request of a run that is suspended: its number, what an answer is for, whether it wants a text, for how
/// long it may be answered, and what people see of it.
pub(crate) type Asking = (u64, [u8; 32], bool, u64, Vec<u8>);

pub(crate) fn asks(asking: Vec<Asking>) -> Vec<Ask> {
    let ask = |(request, bound, is_question, left, shown)| Ask { request, bound, is_question, left, shown };
    asking.into_iter().map(ask).collect()
}

/// An answer that goes along with its run: the request, what it is for, what was said (with the text of a
/// question's), who said it, and how long ago.
pub(crate) type Taken<'py> = (u64, Bound<'py, PyBytes>, &'static str, Option<String>, String, u64);

pub(crate) fn taken(py: Python<'_>, answers: Vec<Answered>) -> Vec<Taken<'_>> {
    let answer = |it: Answered| {
        let (word, text) = said(it.word);
        (it.request, PyBytes::new(py, &it.bound), word, text, it.who, it.ago)
    };
    answers.into_iter().map(answer).collect()
}

pub(crate) fn said(word: Word) -> (&'static str, Option<String>) {
    match word {
        Word::Approve => ("approve", None),
        Word::Reject => ("reject", None),
        Word::Text(text) => ("answer", Some(text)),
    }
}

/// What a run asks people: a dict a request.
pub(crate) fn open<'py>(
    py: Python<'py>,
    program: &policy_core::Program,
    open: &[policy_core::OpenRequest],
) -> PyResult<Bound<'py, PyList>> {
    dicts(py, open, |asked, dict| {
        dict.set_item("request", asked.request)?;
        dict.set_item("bound", PyBytes::new(py, &asked.bound))?;
        dict.set_item("left", asked.left_ns)?;
        dict.set_item("wants", asked.wants.name())?;
        if let Some(queue) = program.queues().get(asked.queue as usize) {
            dict.set_item("queue", &*queue.name)?;
            dict.set_item("binds", queue.binds.iter().map(|name| &**name).collect::<Vec<_>>())?;
            let state = |state: u32| program.states().get(state as usize).map(|state| &*state.name);
            dict.set_item(
                "default",
                match queue.default {
                    QueueDefault::Deny => ("deny", None),
                    QueueDefault::Stop(stop) => ("stop", state(stop)),
                },
            )?;
        }
        if let Some(statement) = program.statements().get(asked.statement as usize) {
            dict.set_item("kind", statement.kind.name())?;
            dict.set_item("by", &*statement.name)?;
            dict.set_item("file", &*statement.file)?;
            dict.set_item("line", statement.line)?;
            dict.set_item("source", &*statement.source)?;
            dict.set_item("reason", statement.reason.as_deref())?;
        }
        Ok(())
    })
}

pub(crate) fn waiting(store: &mut (dyn Store + 'static)) -> Result<Described, StoreError> {
    store.described(RowKey::APPROVALS)
}

/// Requests as dicts; one that is damaged has its row's name only.
pub(crate) fn rows<'py>(py: Python<'py>, (now, rows): &Described) -> PyResult<Bound<'py, PyList>> {
    dicts(py, rows, |(key, shown), dict| {
        let Some(Shown::Approval { run, request, is_question, asked, expires, shown, given }) = shown else {
            return dict.set_item("damaged", key.as_str());
        };
        dict.set_item("run", run)?;
        dict.set_item("request", request)?;
        dict.set_item("is_question", is_question)?;
        dict.set_item("asked", asked)?;
        dict.set_item("expires", expires)?;
        dict.set_item("now", now)?;
        dict.set_item("shown", PyBytes::new(py, shown))?;
        let Some(Given { word, who, why, at }) = given else {
            return dict.set_item("answer", py.None());
        };
        let answer = PyDict::new(py);
        let (word, text) = said(word.clone());
        answer.set_item("word", word)?;
        answer.set_item("text", text)?;
        answer.set_item("who", who)?;
        answer.set_item("why", why)?;
        answer.set_item("at", at)?;
        dict.set_item("answer", answer)
    })
}

/// The order to answer a request.
pub(crate) fn order(
    py: Python<'_>,
    (run, request): (String, u64),
    word: &str,
    text: Option<String>,
    [id, who, why]: [String; 3],
) -> PyResult<Order> {
    let word = match (word, text) {
        ("approve", None) => Word::Approve,
        ("reject", None) => Word::Reject,
        ("answer", Some(text)) => Word::Text(text),
        _ => {
            let what = "an answer is `approve`, `reject`, or `answer` with a text";
            return Err(errors::store_refusal(py, "malformed", what));
        }
    };
    Ok(Order { id, who, why, operation: Operation::Answer { run, request, word } })
}

/// Why an answer does not stand; none if it does.
pub(crate) fn refusal(operated: &Operated) -> Option<(&'static str, String)> {
    Some(match operated {
        Operated::NoRequest => {
            ("no_request", "no run asks this, or not any more; see `checkrein approvals list`".to_owned())
        }
        Operated::Answered(Given { word, who, .. }) => {
            let before = match word {
                Word::Approve => "approved it",
                Word::Reject => "rejected it",
                Word::Text(_) => "answered it",
            };
            ("already_answered", format!("{who} has {before} before, and that stands"))
        }
        Operated::Expired(_) => (
            "expired",
            "nobody answered in time, so the queue's default holds; this answer changes nothing".to_owned(),
        ),
        Operated::OtherKind => {
            ("other_kind", "a question is answered with a text, any other request with yes or no".to_owned())
        }
        _ => return None,
    })
}
