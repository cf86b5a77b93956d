//! What is old is forgotten on every store alike, after that was noted.
#![cfg(all(feature = "sqlite", feature = "redis"))]
#![allow(clippy::expect_used, reason = "these are tests: what goes wrong here fails one")]

mod common;

use checkrein_stores::{MemoryStore, Store};
use common::{Folder, Server, account, item, open, request, wall};
use policy_core::store::{Kind, Operated, Operation, Order, Reply, RowKey, Rows, apply, keys};

const DAY: u64 = 86_400_000_000_000;

/// Lets a node have asked for something some days ago.
fn asked(store: &mut dyn Store, node: u128, name: &str, days: u64) {
    let at = wall().saturating_sub(days.saturating_mul(DAY));
    let mut one = item(name, 100, 10, 10);
    one.kind = Kind::Calendar { id: 1, start: at.saturating_sub(1), end: at.saturating_add(1) };
    let mut ask = request(node, vec![one]);
    ask.wall = at;
    let mut done = false;
    // The ledger was younger then.
    let mut change = |_, rows: &mut Rows| {
        done = matches!(apply(&ask, at, 7, rows), Reply::Done { .. });
    };
    store.transact(keys(&ask), &mut change).expect("it is written");
    assert!(done, "{name}");
}

#[test]
fn on_every_store_the_old_go_and_the_young_stay() {
    let Some(server) = Server::durable() else { return };
    let folder = Folder::new("prune");
    let stores: [Box<dyn Store>; 3] =
        [Box::new(MemoryStore::new()), open(&folder.url("ledger.db")), open(&server.url())];
    for mut store in stores {
        let mut made = |_, rows: &mut Rows| {
            rows.put(RowKey::meta(), None);
            policy_core::store::create(wall().saturating_sub(1_000 * DAY), 1, rows);
        };
        // A ledger that is as old as what is in it.
        store.transact(vec![RowKey::meta()], &mut made).expect("it is written");
        for node in 0..200_u64 {
            // More than are looked at in one transaction.
            asked(store.as_mut(), u128::from(node).saturating_add(1), "dead", 400_u64.saturating_sub(node));
        }
        asked(store.as_mut(), 1_000, "young", 2);
        let before = wall().saturating_sub(90 * DAY);
        let order = Order {
            id: "p1".to_owned(),
            who: "ann".to_owned(),
            why: "a test".to_owned(),
            operation: Operation::Prune { before },
        };
        let kind = store.kind();
        assert_eq!(store.prune(&order), Ok((Operated::Done, 400)), "{kind}: nodes and leases");
        assert_eq!(store.prune(&order), Ok((Operated::Before, 0)), "{kind}");
        let left = |store: &mut dyn Store, prefix| store.scan(prefix).expect("rows").1.len();
        for (prefix, rows) in [
            (RowKey::NODES, 1),
            (RowKey::LEASES, 1),
            // What the dead have leased keeps their account.
            (RowKey::ACCOUNTS, 2),
            (RowKey::AUDITS, 1),
        ] {
            assert_eq!(left(store.as_mut(), prefix), rows, "{kind}: {prefix}");
        }
        let operation = Operation::WriteOff { account: account("dead"), node: None };
        let order = Order { id: "w1".to_owned(), operation, ..order };
        assert_eq!(store.operate(&order), Ok(Operated::Done));
        let order = Order { id: "p2".to_owned(), operation: Operation::Prune { before }, ..order };
        assert_eq!(store.prune(&order), Ok((Operated::Done, 1)), "{kind}: now the account goes");
        assert_eq!(left(store.as_mut(), RowKey::ACCOUNTS), 1);
    }
}
