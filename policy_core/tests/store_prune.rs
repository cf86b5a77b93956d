//! What a ledger forgets when it is told to, and that nobody gains anything by it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod store_common;

use policy_core::store::{
    Claim, Item, Kind, Operated, Operation, PRUNED, Reply, Request, RowKey, Rows, prune, prune_keys,
};
use store_common::{Node, SECOND, START, Store, account, ask, day, item};

const DAY: u64 = 86_400 * SECOND;

/// Forgets what is older than `days`, as a store does.
fn forget(store: &mut Store, days: u64) -> u64 {
    let mut gone = 0;
    for kind in PRUNED {
        let found = store.rows.keys().filter(|key| key.as_str().starts_with(kind)).cloned().collect();
        let mut rows = Rows::new();
        for key in prune_keys(kind, found) {
            let value = store.rows.get(&key).cloned();
            rows.load(key, value);
        }
        gone += prune(kind, store.now - days * DAY, store.now, &mut rows);
        for (key, value) in rows.changes() {
            assert!(value.is_none(), "rows only go");
            store.rows.remove(key);
        }
    }
    gone
}

fn has(store: &Store, key: &RowKey) -> bool {
    store.rows.contains_key(key)
}

#[test]
fn silent_nodes_go_with_their_leases_and_what_they_hold_stays_leased() {
    let (mut store, mut dead, mut closed, mut alive) =
        (Store::new(), Node::new(1), Node::new(2), Node::new(3));
    dead.one(&mut store, ask("u1", 100, 40));
    closed.one(&mut store, ask("u1", 100, 10));
    let last = Item { reported: vec![(0, 10)], closing: true, ..item("u1", 100) };
    let request = Request { closing: true, ..closed.request(vec![last]) };
    store.apply(&request);
    store.now += 91 * DAY;
    alive.one(&mut store, ask("u1", 100, 50));
    assert_eq!(forget(&mut store, 90), 3, "two nodes, and the lease of one");
    for node in [1, 2] {
        assert!(!has(&store, &RowKey::node(node)) && !has(&store, &RowKey::lease(node, &account("u1"))));
    }
    assert!(has(&store, &RowKey::node(3)) && has(&store, &RowKey::lease(3, &account("u1"))));
    assert_eq!((store.windows(&account("u1"))[0].spent, store.windows(&account("u1"))[0].leased), (10, 90));
    assert_eq!(alive.one(&mut store, ask("u1", 100, 1)).granted, 0, "nobody gained anything");
    let write_off = Operation::WriteOff { account: account("u1"), node: None };
    assert_eq!(store.operate("w", write_off), Operated::Done);
    assert_eq!(alive.one(&mut store, ask("u1", 100, 40)).granted, 40, "an operator can give it back");
}

#[test]
fn late_messages_of_a_node_that_was_forgotten_give_nobody_room() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let items = [
        ask("u1", 100, 60),
        Item { reported: vec![(0, 30)], ..ask("u1", 100, 20) },
        Item { refund: 10, give_back: 20, ..item("u1", 100) },
        Item { reported: vec![(0, 40)], debt: 10, ..item("u1", 100) },
    ];
    let mut sent = Vec::new();
    for each in items {
        let request = node.request(vec![each]);
        let reply = store.apply(&request);
        node.answers(reply);
        sent.push(request);
    }
    sent.push(Request { closing: true, ..node.request(Vec::new()) });
    store.now += 91 * DAY;
    assert_eq!(forget(&mut store, 90), 2);
    let before = store.windows(&account("u1"))[0];
    for request in &sent {
        for times in 0..2 {
            let mut copy = store.clone();
            let reply = copy.apply(request);
            let after = copy.windows(&account("u1"))[0];
            let first = request.seq == 1;
            assert_eq!(matches!(reply, Reply::Reassert { .. }), !first, "{times}: {reply:?}");
            assert!(
                after.spent >= before.spent && after.spent + after.leased >= before.spent + before.leased
            );
            assert!(after.spent + after.leased <= 100);
        }
    }
    // It was only asleep: what it says again is counted once more.
    let request = node.request(Vec::new());
    let Reply::Reassert { epoch, .. } = store.apply(&request) else { panic!("it is not known") };
    let claim = Claim { account: account("u1"), kind: Kind::Forever, granted: 60, reported: 60 };
    let request = node.claims(epoch, vec![claim]);
    assert!(matches!(store.apply(&request), Reply::Done { .. }));
    assert_eq!(store.windows(&account("u1"))[0].spent, before.spent + 60, "strict, not lax");
}

#[test]
fn an_account_goes_when_one_that_was_never_used_would_allow_as_much() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let today = |id, amount| Item { kind: day(0), ..ask(id, 100, amount) };
    let minute = |id, amount| Item { kind: Kind::Rolling { ns: 60 * SECOND }, ..ask(id, 100, amount) };
    let told = |item: Item, amount| Item { reported: vec![(0, amount)], need: 0, want: 0, ..item };
    let names = ["spent", "debt", "leased", "pinned", "ever", "minute", "raised"];
    for asked in [
        today("spent", 50),
        today("debt", 50),
        today("leased", 50),
        today("pinned", 50),
        ask("ever", 100, 50),
    ] {
        node.one(&mut store, asked.clone());
        if asked.account != account("leased") {
            node.one(&mut store, told(asked, 50));
        }
    }
    node.one(&mut store, Item { debt: 80, ..told(today("debt", 0), 80) });
    node.one(&mut store, minute("minute", 50));
    node.one(&mut store, told(minute("minute", 0), 50));
    node.one(&mut store, Item { grant: Some((10, 1)), ..minute("raised", 0) });
    assert_eq!(
        store.operate("p", Operation::Pin { account: account("pinned"), max: Some(60) }),
        Operated::Done
    );
    let left = |store: &Store| -> Vec<&str> {
        names.into_iter().filter(|name| has(store, &RowKey::account(&account(name)))).collect()
    };
    store.now += 80 * DAY;
    forget(&mut store, 90);
    assert_eq!(left(&store), names, "nothing is so old");
    store.now += 12 * DAY;
    forget(&mut store, 90);
    assert_eq!(left(&store), ["debt", "leased", "pinned", "ever", "raised"]);
    assert_eq!(Node::new(9).one(&mut store, minute("minute", 100)).granted, 100);
}

#[test]
fn what_is_damaged_or_younger_than_a_day_stays() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 40));
    store.now += DAY - 1;
    assert_eq!(forget(&mut store, 0), 0);
    let order = |before| Operation::Prune { before };
    assert!(matches!(store.operate("a", order(store.now)), Operated::Malformed(_)));
    assert_eq!(store.operate("a", order(START - 1)), Operated::Done);
    assert_eq!(store.operate("a", order(START - 1)), Operated::Before);
    store.now += 2;
    store.rows.insert(RowKey::node(1), b"nonsense".to_vec());
    assert_eq!(forget(&mut store, 0), 0, "whose lease it is cannot be told");
}
