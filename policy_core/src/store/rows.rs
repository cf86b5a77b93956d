//! The rows that a store keeps: texts that name them, and what one transaction read and changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::message::AccountKey;

/// The name of a row. Rows of one kind have the same beginning, up to the first `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey(Arc<str>);

impl RowKey {
    /// What the names of all rows of accounts begin with.
    pub const ACCOUNTS: &'static str = "account/";
    /// What the names of all rows of nodes begin with.
    pub const NODES: &'static str = "node/";
    /// What the names of all rows of leases begin with.
    pub const LEASES: &'static str = "lease/";
    /// What the names of all rows about operators' acts begin with.
    pub const AUDITS: &'static str = "audit/";
    /// What the names of all rows of suspended runs begin with.
    pub const RUNS: &'static str = "run/";
    /// What the names of all rows of requests to people begin with.
    pub const APPROVALS: &'static str = "approval/";
    /// As many bytes as the id of a run may have here.
    const LONGEST_RUN: usize = 512;

    /// A name as a store gave it back. Whether such a row can be is told when it is read.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// The row about the ledger as a whole. Without it there is no ledger.
    #[must_use]
    pub fn meta() -> Self {
        Self("meta".into())
    }

    /// The row of an account.
    #[must_use]
    pub fn account(account: &AccountKey) -> Self {
        Self(format!("{}{}", Self::ACCOUNTS, account.as_str()).into())
    }

    /// The row of a node.
    #[must_use]
    pub fn node(node: u128) -> Self {
        Self(format!("{}{node:032x}", Self::NODES).into())
    }

    /// The row of what a node has leased of an account.
    #[must_use]
    pub fn lease(node: u128, account: &AccountKey) -> Self {
        Self(format!("{}{node:032x}/{}", Self::LEASES, account.as_str()).into())
    }

    /// The row about one act of an operator.
    #[must_use]
    pub fn audit(id: &str) -> Self {
        Self(format!("{}{id}", Self::AUDITS).into())
    }

    /// The row of a suspended run. `None`: no run has such an id.
    #[must_use]
    pub fn run(id: &str) -> Option<Self> {
        let is_id = !id.is_empty() && id.len() <= Self::LONGEST_RUN && !id.chars().any(char::is_control);
        is_id.then(|| Self(format!("{}{id}", Self::RUNS).into()))
    }

    /// The row of a request to a person, by the run that asks and its number there. `None`: no run has such
    /// an id.
    #[must_use]
    pub fn approval(run: &str, request: u64) -> Option<Self> {
        Self::run(run)?;
        Some(Self(format!("{}{run}/{request}", Self::APPROVALS).into()))
    }

    /// The name as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One row during a transaction.
#[derive(Clone, Debug, Default)]
struct Row {
    value: Option<Vec<u8>>,
    changed: bool,
}

/// The rows of one transaction. A store puts in those that were asked for, and writes back those that
/// changed.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    rows: BTreeMap<RowKey, Row>,
}

impl Rows {
    /// No rows.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: BTreeMap::new() }
    }

    /// A row as the store has it; `None` if it has none. Does not count as a change.
    pub fn load(&mut self, key: RowKey, value: Option<Vec<u8>>) {
        self.rows.insert(key, Row { value, changed: false });
    }

    /// What a row holds now.
    #[must_use]
    pub fn get(&self, key: &RowKey) -> Option<&[u8]> {
        self.rows.get(key)?.value.as_deref()
    }

    /// Changes a row; `None` removes it. To put what is there already is no change.
    pub fn put(&mut self, key: RowKey, value: Option<Vec<u8>>) {
        let row = self.rows.entry(key).or_default();
        if row.value != value {
            *row = Row { value, changed: true };
        }
    }

    /// What has to be written, ascending by name; `None`: the row goes.
    pub fn changes(&self) -> impl Iterator<Item = (&RowKey, Option<&[u8]>)> {
        self.rows.iter().filter(|(_, row)| row.changed).map(|(key, row)| (key, row.value.as_deref()))
    }

    /// All rows that are there, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&RowKey, &[u8])> {
        self.rows.iter().filter_map(|(key, row)| Some((key, row.value.as_deref()?)))
    }

    /// Forgets which rows changed: they are written.
    pub fn written(&mut self) {
        for row in self.rows.values_mut() {
            row.changed = false;
        }
    }
}
