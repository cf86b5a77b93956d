//! What can go wrong: a status, and a message that the thread may ask for.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use checkrein_host::Refused;
use checkrein_stores::StoreError;

use crate::types;

/// Why a function did nothing.
#[derive(Debug)]
pub struct Fault {
    pub(crate) status: i32,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A stable word for hosts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.status {
            types::INTERNAL => "internal",
            types::CLOSED => "closed",
            types::FORKED => "forked",
            types::FULL => "full",
            types::UNKNOWN_ATTEMPT => "unknown_attempt",
            types::ALREADY_SETTLED => "already_settled",
            types::SUSPENDED => "suspended",
            _ => "bad_value",
        }
    }

    /// What happened and what to do next.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What was passed cannot be right.
pub(crate) fn bad(message: impl Into<String>) -> Fault {
    Fault::new(types::BAD_VALUE, message)
}

/// A handle that stands for nothing.
pub(crate) fn closed(what: &str) -> Fault {
    Fault::new(types::CLOSED, format!("this {what} is closed, or is none; open one and pass its handle"))
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let status = match (&refused, refused.kind()) {
            (Refused::Unready(_), _) => types::STORE,
            (_, "unknown_attempt") => types::UNKNOWN_ATTEMPT,
            (_, "already_settled") => types::ALREADY_SETTLED,
            (_, "not_settled") => types::NOT_SETTLED,
            (_, "unknown_request") => types::UNKNOWN_REQUEST,
            (_, "expired") => types::EXPIRED,
            (_, "already_answered") => types::ALREADY_ANSWERED,
            (_, "suspended") => types::SUSPENDED,
            (_, "ended") => types::ENDED,
            (_, "forked") => types::FORKED,
            (_, "internal") => types::INTERNAL,
            _ => types::BAD_VALUE,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(types::STORE, error.to_string())
    }
}

thread_local! {
    static LATEST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The message of the latest failure in this thread; a thread that is being taken down has none.
pub(crate) fn latest() -> String {
    LATEST
        .try_with(|latest| latest.try_borrow().map(|latest| latest.clone()).unwrap_or_default())
        .unwrap_or_default()
}

/// Runs the body of a function. A panic is a bug of ours, and goes no further.
pub(crate) fn answer(body: impl FnOnce() -> Result<(), Fault>) -> i32 {
    match caught(body) {
        Ok(()) => types::OK,
        Err(fault) => told(fault),
    }
}

/// The same for one that gives a number.
pub(crate) fn number(body: impl FnOnce() -> Result<i64, Fault>) -> i64 {
    caught(body).unwrap_or_else(|fault| i64::from(told(fault)))
}

fn caught<T>(body: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Fault::new(types::INTERNAL, "checkrein failed inside; report it as a bug")))
}

fn told(fault: Fault) -> i32 {
    let Fault { status, message } = fault;
    let _ = LATEST.try_with(|latest| latest.try_borrow_mut().map(|mut latest| *latest = message));
    status
}
