//! A store's rows in memory, changed as a store changes them: only those that were asked for.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::BTreeMap;

use policy_core::store::{RowKey, Rows, create};

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Store {
    pub(crate) rows: BTreeMap<RowKey, Vec<u8>>,
    pub(crate) now: u64,
    acts: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        let mut store = Self { now: 1_000, ..Self::default() };
        store.transact(vec![RowKey::meta()], |now, rows| assert!(create(now, 7, rows)));
        store
    }

    /// An id that no act of an operator has had.
    pub(crate) fn next_act(&mut self) -> String {
        self.acts += 1;
        format!("act-{}", self.acts)
    }

    pub(crate) fn transact<T>(&mut self, keys: Vec<RowKey>, act: impl FnOnce(u64, &mut Rows) -> T) -> T {
        let (asked, mut rows) = (keys.clone(), Rows::new());
        for key in keys {
            let value = self.rows.get(&key).cloned();
            rows.load(key, value);
        }
        let result = act(self.now, &mut rows);
        for (key, value) in rows.changes() {
            assert!(asked.contains(key), "a row that was not asked for has changed: {key}");
            match value {
                Some(value) => self.rows.insert(key.clone(), value.to_vec()),
                None => self.rows.remove(key),
            };
        }
        result
    }
}
