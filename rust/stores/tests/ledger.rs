//! A ledger as a host uses it: leasing, records, closing, two in one process.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use std::time::Duration;

use checkrein_stores::{ErrorKind, Ledger, Options};
#[cfg(feature = "redis")]
use common::Server;
use common::{Folder, account, exported, now, open, record, until};
use policy_core::books::{AccountId, Failure, Room, Terms, WindowKind};
use policy_core::store::{RowKey, Shown};

const SECONDS: Duration = Duration::from_secs(10);

fn options(durable: bool) -> Options {
    Options { durable, now: now() }
}

fn terms(max: u64) -> Terms {
    Terms { max, window: WindowKind::Forever, failure: Failure::Spend }
}

fn begin(ledger: &Ledger, name: &str, max: u64) -> AccountId {
    ledger.books().lock().expect("no panic").open(&account(name), &terms(max), true, now())
}

/// Takes and settles an amount, waiting for a lease as a run would; `false` if there is no room.
fn spend(ledger: &Ledger, id: AccountId, amount: u64) -> bool {
    let mut fits = false;
    until("there is room, or there is none", || {
        let books = ledger.books();
        let mut books = books.lock().expect("no panic");
        match books.room(id, amount, 0, now()) {
            Room::Fits => {
                let window = books.take(id, amount, now());
                books.settle(id, window, amount, amount, now());
                fits = true;
                true
            }
            Room::Full => true,
            Room::Held | Room::Leased => {
                books.need(id, amount);
                drop(books);
                ledger.wake();
                false
            }
        }
    });
    fits
}

fn spent(url: &str, name: &str) -> (u64, u64) {
    let shown = open(url).show(RowKey::ACCOUNTS).expect("it can be read");
    let found = shown.iter().find_map(|shown| match shown {
        Shown::Account { account: key, windows, .. } if *key == account(name) => windows.last(),
        _ => None,
    });
    found.map_or((0, 0), |window| (window.spent, window.leased))
}

fn whole_life(url: &str) {
    let ledger = Ledger::open(url, options(true)).expect("it opens");
    let id = begin(&ledger, "a", 1000);
    for number in 1..=90 {
        ledger.ready().expect("there is room in the journal");
        assert!(spend(&ledger, id, 11), "{number}");
        ledger.record(record("run", number)).expect("it is kept");
    }
    assert!(!spend(&ledger, id, 11), "990 are spent, 10 are left");
    assert!(ledger.flush(SECONDS));
    let health = ledger.health();
    assert_eq!((health.error, health.records_waiting, health.records_lost), (None, 0, 0));
    assert!(health.round_trips < 90, "leases are for more than one decision: {}", health.round_trips);
    ledger.books().lock().expect("no panic").close(id);
    assert!(ledger.close(SECONDS));
    assert!(ledger.close(SECONDS), "closing again is nothing");
    assert_eq!(spent(url, "a"), (990, 0));
    let records = exported(open(url).as_mut());
    assert_eq!(
        records.iter().map(|(_, _, attempt)| *attempt).collect::<Vec<_>>(),
        (1..=90).collect::<Vec<_>>()
    );
}

#[test]
fn a_ledger_in_a_file_leases_spends_records_and_gives_back() {
    let folder = Folder::new("whole");
    whole_life(&folder.url("deep/er/ledger.db"));
    let left = common::files_of(&folder.file("deep/er/ledger.db"));
    assert_eq!(left.len(), 3, "the mark, the journals' folder, no log and no journal: {left:?}");
}

#[cfg(feature = "redis")]
#[test]
fn a_ledger_on_a_server_leases_spends_records_and_gives_back() {
    let Some(server) = Server::durable() else { return };
    assert_eq!(
        Ledger::open(&server.url(), options(false)).map_err(|e| e.kind).err(),
        Some(ErrorKind::NoLedger)
    );
    assert!(open(&server.url()).create().expect("it is made"));
    whole_life(&server.url());
}

#[test]
fn a_ledger_in_memory_is_alone() {
    let ledger = Ledger::open("memory:", options(true)).expect("it opens");
    let id = begin(&ledger, "a", 10);
    assert!(spend(&ledger, id, 10) && !spend(&ledger, id, 1));
    ledger.record(record("run", 1)).expect("it goes nowhere");
    assert!(ledger.flush(SECONDS) && ledger.close(SECONDS));
    assert_eq!((ledger.kind(), ledger.is_shared()), ("memory", false));
}

#[test]
fn the_same_file_opened_twice_in_one_process_is_one_ledger() {
    let folder = Folder::new("twice");
    let first = Ledger::open(&folder.url("ledger.db"), options(false)).expect("it opens");
    let second = Ledger::open(&format!("sqlite:{}/./ledger.db", folder.0.display()), options(false));
    let second = second.expect("it opens again");
    assert_eq!(first.health().node, second.health().node);
    let id = begin(&first, "a", 100);
    assert!(spend(&second, id, 60));
    assert!(second.close(SECONDS));
    assert!(spend(&first, id, 40), "the other goes on");
    assert!(!spend(&first, id, 1));
    assert!(first.close(SECONDS));
    let third = Ledger::open(&folder.url("ledger.db"), options(false)).expect("it opens anew");
    let id = begin(&third, "a", 100);
    assert!(!spend(&third, id, 1));
    assert!(third.close(SECONDS));
}

#[test]
fn threads_of_one_ledger_never_overspend() {
    let folder = Folder::new("threads");
    let ledger = Ledger::open(&folder.url("ledger.db"), options(true)).expect("it opens");
    let id = begin(&ledger, "a", 5000);
    let total: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let mut billed = 0;
                    while spend(ledger, id, 7) {
                        billed += 7;
                        ledger.record(record("run", thread * 10_000 + billed)).expect("it is kept");
                    }
                    billed
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(total <= 5000 && total > 5000 - 7, "{total}");
    assert!(ledger.close(SECONDS));
    assert_eq!(spent(&folder.url("ledger.db"), "a"), (total, 0));
    assert_eq!(exported(open(&folder.url("ledger.db")).as_mut()).len() as u64, total / 7);
}

#[test]
fn a_ledger_that_is_dropped_gives_back_in_the_background() {
    let folder = Folder::new("drop");
    let url = folder.url("ledger.db");
    let ledger = Ledger::open(&url, options(false)).expect("it opens");
    let id = begin(&ledger, "a", 1000);
    assert!(spend(&ledger, id, 100));
    drop(ledger);
    until("all is given back", || spent(&url, "a") == (100, 0));
}

#[test]
fn without_its_store_a_ledger_says_what_is_wrong() {
    let folder = Folder::new("away");
    let url = folder.url("ledger.db");
    let ledger = Ledger::open(&url, options(false)).expect("it opens");
    let id = begin(&ledger, "a", 1000);
    assert!(spend(&ledger, id, 1));
    for file in common::files_of(&folder.file("ledger.db")) {
        let _ = std::fs::rename(&file, file.with_extension("away"));
    }
    until("it is noticed", || ledger.health().error.is_some_and(|error| error.kind == ErrorKind::NoLedger));
    assert!(!ledger.close(Duration::from_millis(100)));
    assert!(!folder.file("ledger.db").exists(), "no other ledger is made");
}

#[test]
fn what_was_asked_for_and_never_used_is_given_back() {
    let folder = Folder::new("unused");
    let url = folder.url("ledger.db");
    for wait in 0..6_u64 {
        let ledger = Ledger::open(&url, options(false)).expect("it opens");
        let rolling = Terms { window: WindowKind::Rolling { ns: 2_000_000_000 }, ..terms(1_500_000) };
        let ids = {
            let books = ledger.books();
            let mut books = books.lock().expect("no panic");
            let ids = [
                books.open(&account("a"), &terms(1000), true, now()),
                books.open(&account("r"), &rolling, true, now()),
            ];
            ids.iter().for_each(|id| books.need(*id, 10));
            ids
        };
        ledger.wake();
        until("some are leased, or not yet", || ledger.health().round_trips >= wait % 3);
        {
            let books = ledger.books();
            let mut books = books.lock().expect("no panic");
            ids.iter().for_each(|id| books.need(*id, 70));
        }
        assert!(ledger.close(SECONDS), "{wait}: {:?}", ledger.health());
        assert_eq!((spent(&url, "a"), spent(&url, "r")), ((0, 0), (0, 0)));
    }
}

#[test]
fn a_ledger_that_is_closed_while_another_thread_forks_gives_back_afterwards() {
    let folder = Folder::new("halted");
    let url = folder.url("ledger.db");
    let ledger = Ledger::open(&url, options(false)).expect("it opens");
    let id = begin(&ledger, "a", 1000);
    assert!(spend(&ledger, id, 100));
    ledger.before_fork();
    assert!(!ledger.close(SECONDS), "nothing can be given back now");
    ledger.after_fork(false, now()).expect("it goes on");
    until("all is given back", || spent(&url, "a") == (100, 0));
    ledger.after_fork(false, now()).expect("it is closed, and stays so");
}

#[cfg(feature = "redis")]
#[test]
fn two_that_accept_different_risks_do_not_share_a_ledger() {
    let Some(server) = Server::durable() else { return };
    assert!(open(&server.url()).create().expect("it is made"));
    let with = |query: &str| Ledger::open(&format!("{}{query}", server.url()), options(false));
    let ledgers = ["", "?durability=relaxed", "?durability=full"].map(|q| with(q).expect("it opens"));
    let nodes = ledgers.each_ref().map(|ledger| ledger.health().node);
    assert_ne!(nodes[0], nodes[1]);
    assert_eq!(nodes[0], nodes[2], "the same in other words");
    assert!(ledgers.iter().all(|ledger| ledger.close(SECONDS)));
}
