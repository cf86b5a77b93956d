//! A store in memory for the tests of the books: the real rules over a map.
#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;

use policy_core::Now;
use policy_core::books::{Books, Standing};
use policy_core::store::{
    AccountKey, Reply, Request, RowKey, Rows, Shown, ShownWindow, apply, create, describe_row, keys,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// An instant, in milliseconds; both clocks show the same.
pub(crate) fn at(ms: u64) -> Now {
    Now { mono: ms * MS, wall: ms * MS }
}

pub(crate) fn key(user: &str) -> AccountKey {
    AccountKey::new("user", user, "per user", "cost", "").unwrap()
}

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) rows: BTreeMap<RowKey, Vec<u8>>,
    pub(crate) nonce: u64,
}

impl Ledger {
    pub(crate) fn empty() -> Self {
        Self { rows: BTreeMap::new(), nonce: 1 }
    }

    pub(crate) fn new() -> Self {
        let mut ledger = Self::empty();
        let mut rows = Rows::new();
        assert!(create(0, 77, &mut rows));
        ledger.write(&rows);
        ledger
    }

    fn write(&mut self, rows: &Rows) {
        for (key, value) in rows.changes() {
            match value {
                Some(value) => drop(self.rows.insert(key.clone(), value.to_vec())),
                None => drop(self.rows.remove(key)),
            }
        }
    }

    pub(crate) fn apply(&mut self, request: &Request, now: Now) -> Reply {
        let mut rows = Rows::new();
        for key in keys(request) {
            let value = self.rows.get(&key).cloned();
            rows.load(key, value);
        }
        self.nonce += 1;
        let reply = apply(request, now.wall, self.nonce, &mut rows);
        self.write(&rows);
        reply
    }

    pub(crate) fn windows(&self, user: &str) -> Vec<ShownWindow> {
        let row = RowKey::account(&key(user));
        match self.rows.get(&row).and_then(|bytes| describe_row(&row, bytes, 0)) {
            Some(Shown::Account { windows, .. }) => windows,
            other => panic!("{other:?}"),
        }
    }
}

/// The only window of a user's account.
#[track_caller]
pub(crate) fn account(ledger: &Ledger, user: &str) -> ShownWindow {
    let windows = ledger.windows(user);
    assert_eq!(windows.len(), 1);
    windows[0]
}

/// All that a node has to say now, answered at once.
pub(crate) fn talk(ledger: &mut Ledger, books: &mut Books, now: Now) {
    while let Some(request) = books.poll(now) {
        let answer = ledger.apply(&request, now);
        assert!(!matches!(answer, Reply::Malformed { .. }), "{answer:?} to {request:?}");
        books.reply(now, &answer);
    }
}

#[track_caller]
pub(crate) fn balanced(standing: &Standing) {
    let sum = i128::from(standing.spent) + i128::from(standing.held) + i128::from(standing.leased);
    assert_eq!(sum + i128::from(standing.free), i128::from(standing.max), "{standing:?}");
}
