//! A store in this process: for tests, and to compare the others with.

use std::collections::BTreeMap;

use policy_core::store::{RowKey, Rows};

use crate::clock;
use crate::error::StoreError;
use crate::record::{Record, Stored};
use crate::store::{Change, Scanned, Store};

/// Rows and records in maps.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<RowKey, Vec<u8>>,
    records: BTreeMap<(u128, u64), Record>,
}

impl MemoryStore {
    /// Without a ledger yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a ledger, unless this machine has no random numbers.
    pub(crate) fn boxed() -> Box<dyn Store> {
        let mut store = Self::new();
        let _ = store.create();
        Box::new(store)
    }
}

impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn place(&self) -> String {
        "memory:".to_owned()
    }

    fn transact(&mut self, keys: Vec<RowKey>, change: Change<'_>) -> Result<(), StoreError> {
        let mut rows = Rows::new();
        for key in keys {
            let value = self.rows.get(&key).cloned();
            rows.load(key, value);
        }
        change(clock::wall(), &mut rows);
        for (key, value) in rows.changes() {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.to_vec()),
                None => self.rows.remove(key),
            };
        }
        Ok(())
    }

    fn scan(&mut self, prefix: &str) -> Result<Scanned, StoreError> {
        let begin = self.rows.range(RowKey::parse(prefix)..);
        let found = begin.take_while(|(key, _)| key.as_str().starts_with(prefix));
        Ok((clock::wall(), found.map(|(key, value)| (key.clone(), value.clone())).collect()))
    }

    fn append(&mut self, origin: u128, records: &[(u64, Record)]) -> Result<(), StoreError> {
        for (number, record) in records {
            self.records.entry((origin, *number)).or_insert_with(|| record.clone());
        }
        Ok(())
    }

    fn export(&mut self, visit: &mut dyn FnMut(Stored) -> bool) -> Result<(), StoreError> {
        for (&(origin, number), record) in &self.records {
            if !visit(Stored { origin, number, record: record.clone() }) {
                break;
            }
        }
        Ok(())
    }
}
