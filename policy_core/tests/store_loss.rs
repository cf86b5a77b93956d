//! A store that lost what it had acknowledged is found out, and hears again what every node holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod store_common;

use policy_core::store::{Answer, Claim, Item, Kind, Operated, Operation, Refusal, Reply, Request, RowKey};
use store_common::{Node, SECOND, START, Store, account, ask, item};

fn claim(granted: u64, reported: u64) -> Claim {
    Claim { account: account("u1"), kind: Kind::Forever, granted, reported }
}

#[test]
fn a_lost_grant_is_found_by_the_nonce_and_counted_again() {
    let (mut store, mut node, mut other) = (Store::new(), Node::new(1), Node::new(2));
    node.one(&mut store, ask("u1", 100, 10));
    other.one(&mut store, ask("u1", 100, 5));
    let before = store.rows.clone();
    node.one(&mut store, ask("u1", 100, 80));
    store.rows = before;

    let request = node.request(vec![ask("u1", 100, 1)]);
    let refused = Reply::Reassert { seq: 3, epoch: 2 };
    assert_eq!(store.apply(&request), refused);
    assert_eq!(store.apply(&request), refused, "once");
    assert_eq!(store.epoch(), (2, START + 20 * SECOND));
    let request = node.claims(2, vec![claim(90, 30)]);
    let reply = store.apply(&request);
    assert_eq!(node.answers(reply), [Answer::default()]);
    let window = store.windows(&account("u1"))[0];
    assert_eq!((window.spent, window.leased), (30, 65));

    let request = other.request(vec![item("u1", 100)]);
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 2, epoch: 2 }, "everybody is asked");
    let request = other.claims(2, vec![claim(5, 5)]);
    let reply = store.apply(&request);
    other.answers(reply);
    assert_eq!(store.epoch().0, 2);
    assert_eq!(other.one(&mut store, ask("u1", 100, 1)).granted, 0, "nothing is granted for a while");
    // Time counts only while somebody could be heard of.
    for _ in 0..4 {
        store.now += 5 * SECOND;
        assert_eq!(other.one(&mut store, ask("u1", 100, 6)).granted, 0);
    }
    assert_eq!(other.one(&mut store, ask("u1", 100, 5)).granted, 5);
}

#[test]
fn history_that_is_repeated_after_a_loss_does_not_pass_for_the_first_one() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 10));
    let before = store.rows.clone();
    let second = node.request(vec![ask("u1", 100, 80)]);
    let reply = store.apply(&second);
    node.answers(reply);
    store.rows = before;
    assert!(matches!(store.apply(&second), Reply::Done { .. }), "a late copy");
    let request = node.request(vec![]);
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 3, epoch: 2 });
}

#[test]
fn a_node_that_the_store_forgot_is_asked() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let before = store.rows.clone();
    node.one(&mut store, ask("u1", 100, 80));
    store.rows = before;
    let request = node.request(vec![]);
    assert!(matches!(store.apply(&request), Reply::Reassert { .. }));
}

#[test]
fn an_epoch_that_was_lost_is_not_used_again() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.epoch = 5;
    let request = node.request(vec![ask("u1", 100, 80)]);
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 1, epoch: 6 });
}

#[test]
fn a_restart_that_is_declared_asks_everybody_before_anything_is_granted() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 40));
    let before = store.rows.clone();
    node.one(&mut store, ask("u1", 100, 60));
    store.rows = before;
    assert_eq!(store.operate("r", Operation::Restarted), Operated::Done);
    assert_eq!(Node::new(2).one(&mut store, ask("u1", 100, 1)).granted, 0);
    let request = node.request(vec![]);
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 3, epoch: 2 });
    let request = node.claims(2, vec![claim(100, 0)]);
    assert!(matches!(store.apply(&request), Reply::Done { .. }));
    store.now += 21 * SECOND;
    assert_eq!(Node::new(3).one(&mut store, ask("u1", 100, 1)).granted, 0);
}

#[test]
fn a_claim_that_gave_back_in_the_meantime_is_believed() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 100));
    let before = store.rows.clone();
    node.one(&mut store, Item { reported: vec![(0, 20)], give_back: 70, ..item("u1", 100) });
    store.rows = before;
    let request = node.request(vec![]);
    store.apply(&request);
    let request = node.claims(2, vec![claim(30, 20)]);
    store.apply(&request);
    let window = store.windows(&account("u1"))[0];
    assert_eq!((window.spent, window.leased), (20, 10));
}

#[test]
fn what_is_said_again_of_a_damaged_row_is_refused_alone() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let of = |id, granted: u64| Claim { account: account(id), ..claim(granted, granted.min(5)) };
    node.done(&mut store, vec![ask("u1", 100, 40), ask("u2", 100, 40)]);
    let row = RowKey::account(&account("u1"));
    let good = store.rows[&row].clone();
    store.rows.insert(row.clone(), b"nonsense".to_vec());
    let request = node.claims(1, vec![of("u1", 40), of("u2", 40)]);
    let reply = store.apply(&request);
    assert_eq!(node.answers(reply), [Refusal::Damaged.into(), Answer::default()]);
    assert_eq!(store.rows[&row], b"nonsense");
    assert_eq!(store.windows(&account("u2"))[0].spent, 5);
    store.rows.insert(row, good);
    let request = Request { claims: vec![of("u1", 40), of("u3", 0)], ..node.request(Vec::new()) };
    let reply = store.apply(&request);
    assert_eq!(node.answers(reply), [Answer::default(); 2]);
    assert_eq!((store.windows(&account("u1"))[0].spent, store.windows(&account("u1"))[0].leased), (5, 35));
}

#[test]
fn a_part_that_was_lost_is_found_by_the_next_one() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 40));
    assert_eq!(store.operate("r", Operation::Restarted), Operated::Done);
    let request = node.request(vec![]);
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 2, epoch: 2 });
    let before = store.rows.clone();
    let request = node.claims(2, vec![claim(40, 0)]);
    let reply = store.apply(&request);
    node.answers(reply);
    store.rows = before;
    let request = Request { claims: vec![claim(40, 0)], ..node.request(Vec::new()) };
    assert_eq!(store.apply(&request), Reply::Reassert { seq: 4, epoch: 3 });
}

#[test]
fn a_quarantine_lasts_until_the_last_part_of_what_is_said_again() {
    let (mut store, mut node, mut other) = (Store::new(), Node::new(1), Node::new(2));
    node.one(&mut store, ask("u1", 100, 60));
    other.one(&mut store, item("u1", 100));
    for row in [RowKey::account(&account("u1")), RowKey::lease(1, &account("u1"))] {
        store.rows.remove(&row);
    }
    store.operate("r", Operation::Restarted);
    other.epoch = store.epoch().0;
    // Slowly: the account is in the last part.
    let mut part = node.claims(other.epoch, Vec::new());
    for number in 0..12 {
        let claims = vec![Claim { account: account(&format!("a{number:02}")), ..claim(1, 0) }];
        let reply = store.apply(&Request { claims, more: true, ..part });
        node.answers(reply);
        store.now += 2 * SECOND;
        assert_eq!(other.one(&mut store, ask("u1", 100, 100)).granted, 0, "{number}");
        part = node.request(Vec::new());
    }
    let reply = store.apply(&Request { claims: vec![claim(60, 0)], ..part });
    node.answers(reply);
    for _ in 0..4 {
        assert_eq!(other.one(&mut store, ask("u1", 100, 40)).granted, 0);
        store.now += 5 * SECOND;
    }
    assert_eq!(other.one(&mut store, ask("u1", 100, 41)).granted, 0);
    assert_eq!(other.one(&mut store, ask("u1", 100, 40)).granted, 40);
}
