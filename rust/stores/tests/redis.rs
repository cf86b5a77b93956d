//! A ledger on a real Redis server: which servers are refused, and what a crash of one may not lose.
#![cfg(feature = "redis")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use checkrein_stores::{ErrorKind, Store, open_store};
use common::{Server, exported, item, open, record, request};
use policy_core::store::{Operation, Order, Reply};

fn made(server: &Server) -> Box<dyn Store> {
    let mut store = open(&server.url());
    assert!(store.create().expect("a ledger is made"));
    store
}

fn refusal(url: &str) -> ErrorKind {
    open_store(url, true).expect_err("this server is refused").kind
}

#[test]
fn what_was_acknowledged_is_there_after_the_server_was_killed() {
    let Some(mut server) = Server::durable() else { return };
    let mut store = made(&server);
    let ask = request(1, vec![item("a", 100, 1, 30)]);
    let before = store.apply(&ask).expect("it answers");
    store.append(1, &[(1, record("run", 1)), (2, record("run", 2))]).expect("they are written");
    server.kill();
    assert_eq!(store.apply(&ask).expect_err("it is away").kind, ErrorKind::Away);
    server.again();
    common::until("the server has read its log", || store.has_ledger().is_ok());
    assert_eq!(store.apply(&ask).expect("it answers"), before, "the stored answer");
    store.append(1, &[(2, record("run", 9)), (3, record("run", 3))]).expect("they are written");
    assert_eq!(exported(store.as_mut()), [(1, 1, 1), (1, 2, 2), (1, 3, 3)]);
}

#[test]
fn an_emptied_server_has_no_ledger() {
    let Some(server) = Server::durable() else { return };
    let mut store = made(&server);
    let ask = request(1, vec![item("a", 100, 1, 30)]);
    assert!(matches!(store.apply(&ask), Ok(Reply::Done { .. })));
    server.command(&["FLUSHALL"]);
    assert_eq!(store.apply(&ask), Ok(Reply::NoLedger));
    let error = store.append(1, &[(1, record("run", 1))]).expect_err("nothing is kept");
    assert_eq!(error.kind, ErrorKind::NoLedger);
    assert!(server.command(&["DBSIZE"]).starts_with(":0"), "nothing was written");
}

#[test]
fn a_server_that_throws_away_or_forgets_is_refused() {
    let Some(server) = Server::start(&[]) else { return };
    assert_eq!(refusal(&server.url()), ErrorKind::NotDurable);
    let relaxed = format!("{}?durability=relaxed", server.url());
    assert!(open(&relaxed).create().expect("the operator takes the risk"));
    server.command(&["CONFIG", "SET", "appendonly", "yes"]);
    assert_eq!(refusal(&server.url()), ErrorKind::NotDurable, "once a second is not enough");
    server.command(&["CONFIG", "SET", "appendfsync", "always"]);
    drop(open(&server.url()));
    server.command(&["CONFIG", "SET", "no-appendfsync-on-rewrite", "yes"]);
    assert_eq!(refusal(&server.url()), ErrorKind::NotDurable, "not while it rewrites its log");
    server.command(&["CONFIG", "SET", "no-appendfsync-on-rewrite", "no"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    drop(open(&server.url()));
    server.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    assert_eq!(refusal(&server.url()), ErrorKind::Evicting);
    assert_eq!(refusal(&relaxed), ErrorKind::Evicting, "nobody can accept that");
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    drop(open(&server.url()));
}

#[test]
fn a_full_server_is_an_error_and_changes_nothing() {
    let Some(server) = Server::durable() else { return };
    let mut store = made(&server);
    let rows = store.scan("").expect("rows").1;
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let error = store.apply(&request(1, vec![item("a", 9, 1, 9)])).expect_err("it is full");
    assert_eq!(error.kind, ErrorKind::Full, "{error}");
    assert_eq!(store.append(1, &[(1, record("run", 1))]).map_err(|e| e.kind), Err(ErrorKind::Full));
    assert_eq!(store.scan("").expect("rows").1, rows);
}

#[test]
fn a_password_is_needed_and_never_told() {
    let Some(server) =
        Server::start(&["--appendonly", "yes", "--appendfsync", "always", "--requirepass", "hunter2"])
    else {
        return;
    };
    let with = |user: &str| server.url().replace("redis://", &format!("redis://{user}@"));
    drop(open(&with(":hunter2")));
    for (url, secret) in [(server.url(), "hunter2"), (with(":wrong-secret"), "wrong-secret")] {
        let error = open_store(&url, true).expect_err("the password is wrong");
        assert_eq!(error.kind, ErrorKind::Auth, "{error}");
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
    let store = open(&with(":hunter2"));
    assert!(!format!("{store:?} {}", store.place()).contains("hunter2"));
    let error = open_store("redis://:hunter2@127.0.0.1:1", true).expect_err("nobody is there");
    assert_eq!(error.kind, ErrorKind::Away);
    assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    let error = open_store("redis://:hunter2@bad host:1:2", true).expect_err("no address");
    assert!(!format!("{error:?}").contains("hunter2"), "{error}");
}

#[test]
fn namespaces_are_ledgers_of_their_own() {
    let Some(server) = Server::durable() else { return };
    let mut first = made(&server);
    let mut second = open(&format!("{}?namespace=second", server.url()));
    assert!(!second.has_ledger().expect("it can be read"));
    second.create().expect("it is made");
    let ask = request(1, vec![item("a*[b]?", 100, 1, 30)]);
    assert!(matches!(first.apply(&ask), Ok(Reply::Done { .. })));
    assert_eq!(second.scan("account/").expect("rows").1.len(), 0);
    assert_eq!(first.scan("account/").expect("rows").1.len(), 1);
    let found = first.scan("account/user:a*[").expect("rows").1;
    assert_eq!(found.len(), 1, "a name is no pattern");
    assert_eq!(first.scan("account/user:a?[").expect("rows").1.len(), 0);
}

#[test]
fn many_nodes_at_once_grant_no_more_than_there_is() {
    let Some(server) = Server::durable() else { return };
    drop(made(&server));
    let granted: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=6_u128)
            .map(|node| {
                let url = server.url();
                scope.spawn(move || {
                    let mut store = open(&url);
                    let (mut granted, mut seen, mut epoch) = (0, 0, 0);
                    for seq in 1..=25 {
                        let mut ask = request(node, vec![item("a", 10_000, 7, 100)]);
                        (ask.seq, ask.seen, ask.epoch) = (seq, seen, epoch);
                        match store.apply(&ask).expect("it answers") {
                            Reply::Done { items, nonce, epoch: now, .. } => {
                                granted += items[0].granted;
                                (seen, epoch) = (nonce, now);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    granted
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(granted <= 10_000 && granted > 9_000, "{granted}");
}

#[test]
fn a_server_that_may_have_forgotten_grants_nothing_for_a_while() {
    started_again("?durability=relaxed", true);
}

#[test]
fn a_server_that_forgets_nothing_goes_on_after_a_crash() {
    started_again("", false);
}

fn started_again(query: &str, forgets: bool) {
    let Some(mut server) = Server::durable() else { return };
    let mut store = open(&format!("{}{query}", server.url()));
    store.create().expect("a ledger is made");
    let order = Order {
        id: "first".into(),
        who: "test".into(),
        why: "test".into(),
        operation: Operation::Pin { account: common::account("a"), max: Some(50) },
    };
    store.operate(&order).expect("it is done");
    let Ok(Reply::Done { epoch: before, .. }) = store.apply(&request(1, vec![item("a", 100, 1, 30)])) else {
        panic!("it answers")
    };
    server.kill();
    server.again();
    common::until("the server has read its log", || store.has_ledger().is_ok());
    let ask = request(2, vec![item("a", 100, 1, 30)]);
    let Ok(Reply::Done { epoch, items, .. }) = store.apply(&ask) else { panic!("it answers") };
    assert_eq!((epoch, items[0].granted > 0), (before + u64::from(forgets), !forgets));
}
