//! What a ledger may forget: nodes that have been silent for long, their leases, and accounts of which
//! nothing counts any more.
//!
//! INVARIANT (prune): nothing that is forgotten gives anybody room. What the silent have leased stays leased
//! in the account, until an operator writes it off; a node that returns after all is not known, has to say
//! again what it holds, and is counted once more. An account goes only if one that was never used would
//! allow as much.

use super::account::Account;
use super::records::{Node, Record};
use super::rows::{RowKey, Rows};

/// What is younger than that is not forgotten, whatever an operator says: late messages may still be on
/// their way.
pub(super) const LEAST: u64 = 86_400_000_000_000;

/// The kinds of rows that are pruned, in this order: a node goes after its leases.
pub const PRUNED: [&str; 3] = [RowKey::LEASES, RowKey::NODES, RowKey::ACCOUNTS];

/// The rows that [`prune`] reads to judge some rows of one kind.
#[must_use]
pub fn prune_keys(kind: &str, mut keys: Vec<RowKey>) -> Vec<RowKey> {
    if kind == RowKey::LEASES {
        let nodes: Vec<_> = keys.iter().filter_map(node_of).collect();
        keys.extend(nodes);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Removes those rows of one kind that may go: nobody has heard of them since `before`. How many went. A row
/// that cannot be read stays.
pub fn prune(kind: &str, before: u64, now: u64, rows: &mut Rows) -> u64 {
    let before = before.min(now.saturating_sub(LEAST));
    let is_silent = |key: &RowKey| match Node::load(key, rows) {
        Ok(node) => node.is_none_or(|node| node.heard < before),
        Err(_) => false,
    };
    let may_go = |key: &RowKey| match kind {
        RowKey::LEASES => node_of(key).is_some_and(|node| is_silent(&node)),
        RowKey::NODES => is_silent(key),
        _ => Account::load(key, rows).is_ok_and(|account| account.is_some_and(|a| a.is_over(before, now))),
    };
    let of_kind = rows.iter().map(|(key, _)| key).filter(|key| key.as_str().starts_with(kind));
    let gone: Vec<RowKey> = of_kind.filter(|key| may_go(key)).cloned().collect();
    let count = gone.len() as u64;
    gone.into_iter().for_each(|key| rows.put(key, None));
    count
}

/// The row of the node whose lease this is.
fn node_of(lease: &RowKey) -> Option<RowKey> {
    let (node, _) = lease.as_str().strip_prefix(RowKey::LEASES)?.split_once('/')?;
    u128::from_str_radix(node, 16).ok().map(RowKey::node)
}
