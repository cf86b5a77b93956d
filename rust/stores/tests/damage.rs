//! One damaged row on real stores: its account is refused, all else goes on, and nothing is overwritten.
#![cfg(all(feature = "sqlite", feature = "redis"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use std::time::Duration;

use checkrein_stores::{Ledger, MemoryStore, Options, Store};
use common::{Folder, Server, account, item, now, open, request, until};
use policy_core::books::{Failure, Room, Terms, WindowKind};
use policy_core::store::{Refusal, Reply, RowKey};

/// Puts other bytes into an account's row, as no ledger would; the answer is what was there.
fn put(store: &mut dyn Store, name: &str, bytes: &[u8]) -> Vec<u8> {
    let row = RowKey::account(&account(name));
    let mut before = Vec::new();
    let mut change = |_, rows: &mut policy_core::store::Rows| {
        before = rows.get(&row).map(<[u8]>::to_vec).unwrap_or_default();
        rows.put(row.clone(), Some(bytes.to_vec()));
    };
    store.transact(vec![row.clone()], &mut change).expect("it is written");
    before
}

#[test]
fn on_every_store_the_other_items_of_a_request_are_done() {
    let Some(server) = Server::durable() else { return };
    let folder = Folder::new("damage");
    let stores: [Box<dyn Store>; 3] =
        [Box::new(MemoryStore::new()), open(&folder.url("ledger.db")), open(&server.url())];
    for mut store in stores {
        store.create().expect("a ledger");
        put(store.as_mut(), "bad", b"nonsense");
        let ask = request(1, vec![item("bad", 100, 10, 10), item("good", 100, 10, 10)]);
        let reply = store.apply(&ask).expect("it answers");
        let Reply::Done { items, .. } = &reply else { panic!("{}: {reply:?}", store.kind()) };
        assert_eq!((items[0].refused, items[0].granted), (Some(Refusal::Damaged), 0), "{}", store.kind());
        assert_eq!((items[1].refused, items[1].granted), (None, 10), "{}", store.kind());
        assert_eq!(store.apply(&ask), Ok(reply), "the answer is kept");
        assert_eq!(put(store.as_mut(), "bad", b"nonsense"), b"nonsense", "nothing is overwritten");
    }
}

#[test]
fn a_ledger_names_the_account_and_goes_on_with_the_others() {
    let Some(server) = Server::durable() else { return };
    let folder = Folder::new("named");
    for url in [folder.url("ledger.db"), server.url()] {
        let mut store = open(&url);
        store.create().expect("a ledger");
        put(store.as_mut(), "bad", b"nonsense");
        // (SQLite's tally of all rows knows nothing of the damage: it was written with it.)
        let ledger = Ledger::open(&url, Options { durable: false, now: now() }).expect("it opens");
        let terms = Terms { max: 100, window: WindowKind::Forever, failure: Failure::Spend };
        let books = ledger.books();
        let open = |name| books.lock().expect("no panic").open(&account(name), &terms, true, now());
        let (bad, good) = (open("bad"), open("good"));
        let room = |id| {
            let mut books = books.lock().expect("no panic");
            let room = books.room(id, 10, 0, now());
            if room == Room::Leased {
                books.need(id, 10);
                ledger.wake();
            }
            room
        };
        until("there is room in the one", || room(good) == Room::Fits);
        until("there is none in the other", || room(bad) == Room::Full);
        let health = ledger.health();
        assert_eq!(health.error, None);
        let refused = health.refused.expect("it is named").message;
        assert!(refused.contains("user `bad`, limit `per user`, cost"), "{refused}");
        assert!(refused.contains("restored from a backup"), "{refused}");
        assert!(ledger.close(Duration::from_secs(10)));
    }
}
