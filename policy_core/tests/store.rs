//! What a request does to the store's rows: leases, reports, windows, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod store_common;

use policy_core::store::{Answer, Item, Kind, Operated, Operation, Refusal, Reply, Request, RowKey, Shown};
use store_common::{Node, SECOND, START, Store, account, ask, day, item};

#[test]
fn what_is_needed_is_granted_and_counts_at_once() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let answer = node.one(&mut store, ask("u1", 100, 30));
    assert_eq!(
        answer,
        Answer { granted: 30, max: 100, spent: 0, leased: 30, grants_used: 0, ..Answer::default() }
    );
    let answer = node.one(&mut store, Item { reported: vec![(0, 10)], give_back: 5, ..ask("u1", 100, 80) });
    assert_eq!(
        answer,
        Answer { granted: 0, max: 100, spent: 10, leased: 15, grants_used: 0, ..Answer::default() },
        "not part"
    );
    assert_eq!(node.one(&mut store, ask("u1", 100, 75)).granted, 75);
    assert_eq!(Node::new(2).one(&mut store, ask("u1", 100, 1)).granted, 0);
    assert_eq!(Node::new(3).one(&mut store, ask("u2", 100, 100)).granted, 100);
}

#[test]
fn what_is_wanted_beyond_is_shared_among_the_nodes_heard_of() {
    let mut store = Store::new();
    let wish = |need, want| Item { need, want, ..item("u1", 1000) };
    assert_eq!(Node::new(1).one(&mut store, wish(100, 1000)).granted, 100 + 900 / 2);
    assert_eq!(Node::new(2).one(&mut store, wish(0, 1000)).granted, 450 / 4);
    store.now += 11 * SECOND;
    assert_eq!(Node::new(3).one(&mut store, wish(0, 1000)).granted, 338 / 2, "the others are silent");
}

#[test]
fn a_repeated_request_is_answered_as_before_and_done_once() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let request = node.request(vec![ask("u1", 100, 30)]);
    let reply = store.apply(&request);
    let rows = store.rows.clone();
    store.now += SECOND;
    assert_eq!(store.apply(&request), reply);
    assert_eq!(store.rows, rows);
    node.answers(reply);
    node.one(&mut store, ask("u1", 100, 1));
    let rows = store.rows.clone();
    assert_eq!(store.apply(&request), Reply::Stale { seq: 1 });
    assert_eq!(store.rows, rows);
}

#[test]
fn a_node_that_says_nothing_new_is_answered_and_nothing_is_written() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 30));
    let rows = store.rows.clone();
    for _ in 0..3 {
        store.now += 2 * SECOND;
        let request = node.request(Vec::new());
        let reply = store.apply(&request);
        assert!(matches!(reply, Reply::Done { now, .. } if now == store.now), "{reply:?}");
        assert_eq!(store.apply(&request), reply, "repeated");
        assert_eq!(store.rows, rows);
        node.answers(reply);
    }
    let mut wrong = node.clone();
    wrong.seen ^= 1;
    let request = wrong.request(Vec::new());
    assert!(
        matches!(store.clone().apply(&request), Reply::Reassert { .. }),
        "a loss is noticed all the same"
    );
    // A silent ledger would look like one in which nobody could be heard of.
    store.now += 2 * SECOND;
    let (request, seen) = (node.request(Vec::new()), node.seen);
    store.now -= 2 * SECOND;
    let reply = store.apply(&request);
    assert_eq!(store.rows, rows);
    store.now += 2 * SECOND;
    store.apply(&request);
    assert_ne!(store.rows, rows, "a late copy is written down");
    node.answers(reply);
    assert_eq!(node.seen, seen, "and it does not matter which of the two answers the node got");
    // Others write, and it is still to be seen that this one was heard of.
    for _ in 0..5 {
        store.now += 4 * SECOND;
        Node::new(u128::from(store.now)).one(&mut store, item("u2", 100));
        node.done(&mut store, Vec::new());
    }
    let heard = store.shown().into_iter().find_map(|row| match row {
        Shown::Node { node: 1, heard, .. } => Some(heard),
        _ => None,
    });
    assert_eq!(heard, Some(store.now));
    assert_eq!(node.one(&mut store, ask("u1", 100, 70)).granted, 70, "its numbers go on");
}

#[test]
fn two_processes_with_one_name_are_told() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 30));
    let mut twin = node.clone();
    node.one(&mut store, ask("u1", 100, 1));
    let request = twin.request(vec![ask("u1", 100, 2)]);
    assert_eq!(store.apply(&request), Reply::Fenced { seq: 2 });
}

#[test]
fn a_ledger_is_made_once_and_never_by_a_request() {
    let mut store = Store::new();
    store.rows.clear();
    let request = Node::new(1).request(vec![ask("u1", 100, 1)]);
    assert_eq!(store.apply(&request), Reply::NoLedger);
    assert!(store.rows.is_empty());
    assert_eq!(store.operate("a", Operation::Restarted), Operated::NoLedger);
    let mut rows = policy_core::store::Rows::new();
    assert!(policy_core::store::create(START, 7, &mut rows));
    assert!(!policy_core::store::create(START, 8, &mut rows));
}

#[test]
fn a_node_that_closed_leaves_no_lease_and_cannot_return() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 30));
    let last = Item { reported: vec![(0, 10)], give_back: 20, closing: true, ..item("u1", 100) };
    let request = Request { closing: true, ..node.request(vec![last]) };
    let reply = store.apply(&request);
    assert_eq!(node.answers(reply)[0].leased, 0);
    assert!(!store.rows.keys().any(|key| key.as_str().starts_with(RowKey::LEASES)));
    let request = node.request(vec![ask("u1", 100, 1)]);
    assert_eq!(store.apply(&request), Reply::Fenced { seq: 3 });
    assert_eq!(store.windows(&account("u1"))[0].spent, 10);
}

#[test]
fn more_than_was_leased_is_refused_and_the_rest_is_done() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.done(&mut store, vec![ask("u1", 100, 30), ask("u2", 100, 30)]);
    let good = Item { reported: vec![(0, 30)], ..item("u1", 100) };
    let other = Item { kind: Kind::Rolling { ns: 60 }, ..item("u2", 100) };
    for (bad, why) in [
        (Item { reported: vec![(0, 31)], ..item("u2", 100) }, Refusal::NotLeased),
        (Item { give_back: 31, ..item("u2", 100) }, Refusal::NotLeased),
        (Item { reported: vec![(0, 20)], give_back: 11, ..item("u2", 100) }, Refusal::NotLeased),
        (Item { reported: vec![(0, 5)], debt: 6, ..item("u2", 100) }, Refusal::NotLeased),
        (other, Refusal::OtherKind),
    ] {
        let mut copy = store.clone();
        let answers = node.clone().done(&mut copy, vec![bad, good.clone()]);
        assert_eq!(answers[0], Answer { refused: Some(why), ..Answer::default() });
        assert_eq!((answers[1].spent, answers[1].refused), (30, None));
        for key in [RowKey::account(&account("u2")), RowKey::lease(1, &account("u2"))] {
            assert_eq!(copy.rows[&key], store.rows[&key], "nothing of it has changed");
        }
    }
}

#[test]
fn an_amount_that_cannot_be_is_refused_as_a_whole() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let rows = store.rows.clone();
    let bad = Item { reported: vec![(0, 1 << 53)], debt: 1 << 53, ..item("u2", 100) };
    let request = node.request(vec![ask("u1", 100, 30), bad]);
    assert!(matches!(store.apply(&request), Reply::Malformed { seq: 1, .. }));
    assert_eq!(store.rows, rows, "nothing has changed");
}

#[test]
fn debt_counts_beyond_what_was_granted() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 60));
    let over = Item { reported: vec![(0, 130)], debt: 70, ..item("u1", 100) };
    assert_eq!(node.one(&mut store, over), Answer { max: 100, spent: 130, ..Answer::default() });
    assert_eq!(node.one(&mut store, ask("u1", 100, 1)).granted, 0);
    let back = Item { refund: 40, need: 10, want: 10, ..item("u1", 100) };
    assert_eq!(
        node.one(&mut store, back),
        Answer { granted: 10, max: 100, spent: 90, leased: 10, grants_used: 0, ..Answer::default() }
    );
}

#[test]
fn people_raise_a_bound_only_so_often() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 100));
    let raise = Item { grant: Some((50, 2)), ..ask("u1", 100, 20) };
    let answer = node.one(&mut store, raise.clone());
    assert_eq!((answer.granted, answer.max, answer.grants_used), (20, 150, 1));
    assert_eq!(Node::new(2).one(&mut store, raise.clone()).max, 200);
    let answer = node.one(&mut store, raise);
    assert_eq!((answer.max, answer.grants_used), (200, 2), "a third time is not granted");
}

#[test]
fn a_lowered_bound_binds_from_the_next_grant_on() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, ask("u1", 100, 60));
    let answer = node.one(&mut store, ask("u1", 50, 1));
    assert_eq!(
        answer,
        Answer { granted: 0, max: 50, spent: 0, leased: 60, grants_used: 0, ..Answer::default() }
    );
    assert_eq!(Node::new(2).one(&mut store, ask("u1", 100, 40)).granted, 40, "an older policy's bound");
}

#[test]
fn each_window_of_a_calendar_has_its_own_room_and_takes_over_debt() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let on = |id, item| Item { kind: day(id), ..item };
    node.one(&mut store, on(0, ask("u1", 100, 60)));
    store.now += 86_400 * SECOND;
    assert_eq!(node.one(&mut store, on(1, ask("u1", 100, 90))).granted, 90);
    let late = Item { reported: vec![(0, 250)], debt: 190, ..item("u1", 100) };
    assert_eq!(node.one(&mut store, on(0, late)).spent, 250);
    let windows = store.windows(&account("u1"));
    assert_eq!(
        windows.iter().map(|w| (w.id, w.spent, w.leased, w.carried)).collect::<Vec<_>>(),
        [(0, 250, 0, 0), (1, 150, 90, 150),]
    );
    store.now += 86_400 * SECOND;
    let answer = node.one(&mut store, on(2, ask("u1", 100, 60)));
    assert_eq!((answer.granted, answer.spent), (0, 50), "150 of debt, 100 of which the second day paid");
    assert_eq!(node.one(&mut store, on(2, ask("u1", 100, 50))).granted, 50);
}

#[test]
fn old_windows_are_forgotten_and_reports_to_them_do_no_harm() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    for id in 0..12 {
        node.one(&mut store, Item { kind: day(id), ..ask("u1", 100, 10) });
        store.now += 86_400 * SECOND;
    }
    assert_eq!(
        store.windows(&account("u1")).iter().map(|w| w.id).collect::<Vec<_>>(),
        (4..12).collect::<Vec<_>>()
    );
    let late = |id| Item { kind: day(id), reported: vec![(0, 10)], ..item("u1", 100) };
    assert_eq!(node.one(&mut store, late(0)), Answer { max: 100, ..Answer::default() });
    assert_eq!(node.one(&mut store, late(4)).spent, 10);
}

#[test]
fn the_debt_of_a_forgotten_window_is_paid_by_the_oldest_that_is_kept() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    for id in 0..12 {
        node.one(&mut store, Item { kind: day(id), ..item("u1", 100) });
        store.now += 86_400 * SECOND;
    }
    store.now -= 86_400 * SECOND;
    let late = Item { kind: day(0), reported: vec![(0, 5_000)], debt: 5_000, ..item("u1", 100) };
    node.one(&mut store, late);
    assert_eq!(store.windows(&account("u1")).last().map(|window| window.id), Some(11));
    let today = node.one(&mut store, Item { kind: day(11), ..ask("u1", 100, 1) });
    assert_eq!((today.granted, today.spent), (0, 5_000 - 7 * 100), "seven windows have paid a hundred each");
}

#[test]
fn a_window_that_is_not_now_gives_nothing() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    store.now += SECOND;
    for (kind, item) in [(day(1), ask("u1", 100, 1)), (day(-2), ask("u1", 100, 1))] {
        let request = node.request(vec![ask("u2", 100, 50), Item { kind, ..item }]);
        let clock = Reply::Clock { seq: node.seq, now: store.now };
        assert_eq!(store.apply(&request), clock);
        assert_eq!(store.apply(&request), clock, "repeated");
    }
    assert!(!store.rows.contains_key(&RowKey::account(&account("u2"))), "nothing of it was done");
    store.now += 86_400 * SECOND - 300 * SECOND;
    assert_eq!(node.one(&mut store, Item { kind: day(1), ..ask("u1", 100, 5) }).granted, 5, "nearly there");
}

#[test]
fn what_a_wrong_clock_spent_waits_for_its_window_and_pushes_no_other_out() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, Item { kind: day(0), ..ask("u1", 100, 70) });
    for id in 2..12 {
        let spent = Item { kind: day(id), reported: vec![(0, 5)], debt: 5, ..item("u1", 100) };
        node.one(&mut store, spent);
    }
    assert_eq!(node.one(&mut store, Item { kind: day(0), ..ask("u1", 100, 40) }).leased, 70);
    let windows = store.windows(&account("u1"));
    assert_eq!(windows.iter().map(|w| w.id).collect::<Vec<_>>(), [0, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(store.operate("a", Operation::Adjust { account: account("u1"), delta: 7 }), Operated::Done);
    assert_eq!(store.windows(&account("u1"))[0].adjusted, 7, "the window that is now");
    store.now += 2 * 86_400 * SECOND;
    assert_eq!(node.one(&mut store, Item { kind: day(2), ..ask("u1", 100, 96) }).granted, 0);
    assert_eq!(node.one(&mut store, Item { kind: day(2), ..ask("u1", 100, 95) }).granted, 95);
}

#[test]
fn a_rolling_window_forgets_what_is_old_and_nothing_sooner() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let minute = |item| Item { kind: Kind::Rolling { ns: 60 * SECOND }, ..item };
    node.one(&mut store, minute(ask("u1", 100, 100)));
    let aged = vec![(10 * SECOND, 40), (0, 60)];
    assert_eq!(node.one(&mut store, minute(Item { reported: aged, ..item("u1", 100) })).spent, 100);
    for (seconds, spent) in [(50, 100), (1, 60), (9, 60), (1, 0)] {
        store.now += seconds * SECOND;
        assert_eq!(node.one(&mut store, minute(item("u1", 100))).spent, spent, "{seconds}");
    }
    assert_eq!(node.one(&mut store, minute(ask("u1", 100, 100))).granted, 100);
    let late = Item { reported: vec![(62 * SECOND, 100)], refund: 10, ..item("u1", 100) };
    assert_eq!(node.one(&mut store, minute(late)), Answer { max: 100, ..Answer::default() });
}

#[test]
fn what_a_silent_node_has_of_a_rolling_window_leaves_with_it() {
    let (mut store, mut dead, mut node) = (Store::new(), Node::new(1), Node::new(2));
    let minute = |item| Item { kind: Kind::Rolling { ns: 60 * SECOND }, ..item };
    dead.one(&mut store, minute(ask("u1", 100, 40)));
    for (seconds, spent, leased) in [(5, 0, 40), (8, 0, 40), (8, 40, 0), (9, 40, 0)] {
        store.now += seconds * SECOND;
        let answer = node.one(&mut store, minute(item("u1", 100)));
        assert_eq!((answer.spent, answer.leased), (spent, leased), "{seconds}");
    }
    for _ in 0..6 {
        store.now += 9 * SECOND;
        node.one(&mut store, minute(item("u1", 100)));
    }
    assert_eq!(
        node.one(&mut store, minute(ask("u1", 100, 100))).granted,
        100,
        "a minute after it fell silent"
    );
    let late = Item { reported: vec![(0, 10)], ..item("u1", 100) };
    let answer = dead.one(&mut store, minute(late));
    assert_eq!((answer.spent, answer.leased), (10, 130), "it was not dead: what it has counts again");
}

#[test]
fn silence_while_the_store_was_away_says_nothing() {
    let (mut store, mut first, mut second) = (Store::new(), Node::new(1), Node::new(2));
    let short = |item| Item { kind: Kind::Rolling { ns: SECOND }, ..item };
    first.one(&mut store, short(ask("u1", 100, 60)));
    store.now += 100 * SECOND;
    assert_eq!(second.one(&mut store, short(ask("u1", 100, 41))).granted, 0);
    for _ in 0..4 {
        store.now += 6 * SECOND;
        second.one(&mut store, short(item("u1", 100)));
    }
    assert_eq!(second.one(&mut store, short(ask("u1", 100, 100))).granted, 100);
}

#[test]
fn an_operator_writes_off_what_the_dead_hold() {
    let (mut store, mut dead) = (Store::new(), Node::new(1));
    dead.one(&mut store, ask("u1", 100, 60));
    let write_off = |node| Operation::WriteOff { account: account("u1"), node };
    assert_eq!(store.operate("w1", write_off(None)), Operated::Done);
    assert_eq!(store.windows(&account("u1"))[0].leased, 60, "heard of a moment ago");
    store.now += 61 * SECOND;
    Node::new(2).one(&mut store, ask("u1", 100, 40));
    assert_eq!(store.operate("w2", write_off(Some(2))), Operated::Done);
    assert_eq!(store.windows(&account("u1"))[0].leased, 100);
    assert_eq!(store.operate("w3", write_off(None)), Operated::Done);
    assert_eq!(store.windows(&account("u1"))[0].leased, 40);
    assert_eq!(dead.one(&mut store, item("u1", 100)).leased, 100, "it was not dead");
    let audits = store.shown().into_iter().filter(|row| matches!(row, Shown::Audit { .. }));
    assert_eq!(audits.count(), 3);
}

#[test]
fn a_refund_does_not_empty_a_rolling_window() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let minute = |item| Item { kind: Kind::Rolling { ns: 60 * SECOND }, ..item };
    node.one(&mut store, minute(ask("u1", 100, 50)));
    node.one(&mut store, minute(Item { reported: vec![(0, 50)], ..item("u1", 100) }));
    store.now += 100 * SECOND;
    node.one(&mut store, minute(ask("u1", 100, 50)));
    let next = Item { reported: vec![(0, 50)], refund: 50, ..item("u1", 100) };
    assert_eq!(node.one(&mut store, minute(next)).spent, 50, "the refund is of what has long left");
}

#[test]
fn a_damaged_row_is_never_read_and_stops_nobody_else() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.done(&mut store, vec![ask("u1", 100, 30), ask("u2", 100, 30)]);
    let news = |id| Item { reported: vec![(0, 10)], give_back: 20, ..ask(id, 100, 50) };
    let request = node.request(vec![news("u1"), news("u2")]);
    let good = store.rows.clone();
    let own = [RowKey::account(&account("u1")), RowKey::lease(1, &account("u1"))];
    for (key, row) in good.iter().filter(|(key, _)| !key.as_str().ends_with("u2\nper user\ncost\n")) {
        for place in 0..row.len() {
            store.rows = good.clone();
            store.rows.get_mut(key).unwrap()[place] ^= 1;
            let damaged = store.rows.clone();
            let reply = store.apply(&request);
            if own.contains(key) {
                let answers = node.clone().answers(reply.clone());
                assert_eq!(answers[0], Answer::from(Refusal::Damaged), "{key} {place}");
                assert_eq!((answers[1].granted, answers[1].spent), (50, 10), "{key} {place}");
                assert!(own.iter().all(|key| store.rows[key] == damaged[key]), "nothing is overwritten");
                assert_eq!(store.apply(&request), reply, "the answer is kept");
            } else {
                assert!(matches!(reply, Reply::Malformed { seq: 2, .. }), "{key} {place}");
                assert_eq!(store.rows, damaged);
            }
        }
    }
    store.rows = good.clone();
    store.rows.insert(own[1].clone(), good[&RowKey::node(1)].clone());
    assert_eq!(node.clone().one(&mut store, news("u1")), Refusal::Damaged.into(), "another row's content");
    store.rows = good;
    store.rows.remove(&own[0]);
    assert_eq!(node.one(&mut store, news("u1")), Refusal::Missing.into(), "a lost row");
    assert!(!store.rows.contains_key(&own[0]), "it is not made anew");
}

#[test]
fn operators_correct_and_pin_and_leave_a_trace() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let adjust = |delta| Operation::Adjust { account: account("u1"), delta };
    assert_eq!(store.operate("a1", adjust(5)), Operated::NoAccount);
    node.one(&mut store, ask("u1", 100, 90));
    node.one(&mut store, Item { reported: vec![(0, 60)], ..item("u1", 100) });
    assert_eq!(store.operate("a2", adjust(-60)), Operated::Done);
    assert_eq!(store.operate("a2", adjust(-60)), Operated::Before);
    assert_eq!(store.operate("a2", adjust(-61)), Operated::Taken);
    assert!(matches!(store.operate("a b", adjust(1)), Operated::Malformed(_)));
    let answer = Node::new(2).one(&mut store, ask("u1", 100, 70));
    assert_eq!(
        answer,
        Answer { granted: 70, max: 100, spent: 0, leased: 100, grants_used: 0, ..Answer::default() }
    );
    let pin = |max| Operation::Pin { account: account("u3"), max };
    assert_eq!(store.operate("p1", pin(Some(10))), Operated::Done);
    assert_eq!(node.one(&mut store, ask("u3", 100, 11)), Answer { max: 10, ..Answer::default() });
    assert_eq!(store.operate("p2", pin(None)), Operated::Done);
    assert_eq!(node.one(&mut store, ask("u3", 100, 11)).granted, 11);
    let trace: Vec<_> = store.shown().into_iter().filter(|row| matches!(row, Shown::Audit { .. })).collect();
    assert_eq!(trace.len(), 3, "before the last act");
    assert_eq!(store.shown().len(), store.rows.len());
    let window = store.windows(&account("u1"))[0];
    assert_eq!((window.max, window.leased, window.spent, window.adjusted), (100, 100, 0, -60));
    assert_eq!(store.operate("a3", adjust(-1000)), Operated::Done);
    assert_eq!(store.windows(&account("u1"))[0], window, "nothing is left to give back");
}

#[test]
fn many_living_nodes_are_each_counted_once() {
    let mut store = Store::new();
    let mut nodes: Vec<Node> = (1..=300).map(Node::new).collect();
    for round in 0..5 {
        for node in &mut nodes {
            let need = u64::from(round == 0) * 3;
            node.one(&mut store, Item { need, want: need, ..item("u1", 1_000_000) });
            store.now += SECOND / 20;
        }
        assert_eq!(nodes[0].one(&mut store, item("u1", 1_000_000)).leased, 900, "round {round}");
    }
}

#[test]
fn what_an_operator_gives_back_of_a_rolling_window_leaves_with_it() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let minute = Kind::Rolling { ns: 60 * SECOND };
    let wish = |need| Item { kind: minute, ..ask("u1", 60, need) };
    node.one(&mut store, wish(60));
    node.one(&mut store, Item { kind: minute, reported: vec![(0, 60)], ..item("u1", 60) });
    let back = Operation::Adjust { account: account("u1"), delta: -50 };
    assert_eq!(store.operate("a", back), Operated::Done);
    assert_eq!(node.one(&mut store, wish(51)).granted, 0);
    store.now += 600 * SECOND;
    assert_eq!(
        node.one(&mut store, wish(61)).granted,
        0,
        "what was given back is not added to a later minute"
    );
    assert_eq!(node.one(&mut store, wish(60)).granted, 60);
}

#[test]
fn a_pinned_bound_holds_whatever_people_raised() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    node.one(&mut store, Item { grant: Some((50, 1)), ..item("u1", 10) });
    let pin = Operation::Pin { account: account("u1"), max: Some(0) };
    assert_eq!(store.operate("p", pin), Operated::Done);
    assert_eq!(node.one(&mut store, ask("u1", 10, 1)), Answer { grants_used: 1, ..Answer::default() });
    assert_eq!(store.windows(&account("u1"))[0].max, 0, "and is shown");
}

#[test]
fn what_would_change_nothing_in_a_window_that_has_ended_is_refused() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let on = |id, item| Item { kind: day(id), ..item };
    node.one(&mut store, on(0, ask("u1", 100, 60)));
    node.one(&mut store, on(0, Item { reported: vec![(0, 60)], ..item("u1", 100) }));
    let adjust = |delta| Operation::Adjust { account: account("u1"), delta };
    assert_eq!(store.operate("a1", adjust(-10)), Operated::Done);
    store.now += 86_400 * SECOND;
    let rows = store.rows.clone();
    for delta in [-50, -1, 1, 50] {
        assert_eq!(store.operate("a2", adjust(delta)), Operated::Ended, "{delta}");
        assert_eq!(store.rows, rows, "it leaves no trace: nothing was done");
    }
    assert_eq!(store.operate("a2", adjust(90)), Operated::Done, "a debt of 40 goes over");
    assert_eq!(store.operate("a3", adjust(-15)), Operated::Done, "15 of it is forgiven");
    assert_eq!(
        node.one(&mut store, on(1, ask("u1", 100, 75))),
        Answer { granted: 75, max: 100, spent: 25, leased: 75, ..Answer::default() }
    );
    assert_eq!(store.operate("a4", adjust(-25)), Operated::Done, "the new window is open");
}

#[test]
fn a_report_of_a_window_that_goes_with_it_is_done_once_and_not_refused() {
    let (mut store, mut node) = (Store::new(), Node::new(1));
    let spend = |id, debt| Item { kind: day(id), reported: vec![(0, debt)], debt, ..item("u1", 10) };
    node.one(&mut store, Item { kind: day(0), ..ask("u1", 10, 10) });
    for id in 1..8 {
        store.now += 86_400 * SECOND;
        node.one(&mut store, spend(id, 1));
    }
    // Somebody's clock was ahead. A day later the ninth window has begun, and the first is one too many.
    node.one(&mut store, spend(8, 1));
    store.now += 86_400 * SECOND;
    let late = Item { reported: vec![(0, 25)], ..spend(0, 15) };
    assert_eq!(node.one(&mut store, late), Answer { max: 10, ..Answer::default() });
    let windows = store.windows(&account("u1"));
    assert_eq!((windows[0].id, windows[0].carried, windows.len()), (1, 15, 8));
    let after = node.one(&mut store, Item { kind: day(0), ..item("u1", 10) });
    assert_eq!(after, Answer { max: 10, ..Answer::default() }, "nothing is leased of it any more");
    assert_eq!(store.windows(&account("u1")), windows);
}
