//! Accounts that are leased from a store: the node's half against the store's half, in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

mod books_common;

use std::sync::Arc;

use books_common::{Ledger, MS, SECOND, account, at, balanced, key, talk};
use policy_core::Now;
use policy_core::books::{AccountId, Books, Failure, Period, Room, Terms, WindowKind, Zone};
use policy_core::store::{Reply, Request, RowKey, Shown, describe_row};

fn terms(max: u64, failure: Failure) -> Terms {
    Terms { max, window: WindowKind::Forever, failure }
}

fn node(ledger: &mut Ledger, name: u128, terms: &Terms, now: Now) -> (Books, AccountId) {
    let mut books = Books::leased(name, now);
    let id = books.open(&key("u1"), terms, true, now);
    talk(ledger, &mut books, now);
    (books, id)
}

/// Asks the store until the amount fits or it says that there is none.
fn obtain(ledger: &mut Ledger, books: &mut Books, id: AccountId, amount: u64, now: Now) -> Room {
    books.need(id, amount);
    talk(ledger, books, now);
    books.room(id, amount, 0, now)
}

#[test]
fn failure_04_two_processes_share_one_bound() {
    let mut ledger = Ledger::new();
    let ((mut one, a), (mut two, b)) = (
        node(&mut ledger, 1, &terms(10, Failure::Spend), at(0)),
        node(&mut ledger, 2, &terms(10, Failure::Spend), at(0)),
    );
    assert_eq!(one.room(a, 6, 0, at(0)), Room::Leased, "nothing is leased yet");
    assert_eq!(one.room(a, 0, 0, at(0)), Room::Fits);
    assert_eq!(obtain(&mut ledger, &mut one, a, 6, at(1)), Room::Fits);
    let hold = one.take(a, 6, at(1));
    assert_eq!(obtain(&mut ledger, &mut two, b, 5, at(2)), Room::Leased, "the first one holds it");
    assert_eq!(two.standing(b, at(2)).leased, 6);
    assert_eq!(two.most(b, at(2)), 4);
    one.settle(a, hold, 6, 6, at(3));
    talk(&mut ledger, &mut one, at(200));
    assert_eq!(obtain(&mut ledger, &mut two, b, 5, at(201)), Room::Full, "now it is spent");
    assert_eq!(obtain(&mut ledger, &mut two, b, 4, at(300)), Room::Fits);
    two.take(b, 4, at(300));
    assert_eq!(obtain(&mut ledger, &mut one, a, 1, at(301)), Room::Leased);
    for (books, id) in [(&one, a), (&two, b)] {
        balanced(&books.standing(id, at(301)));
    }
    assert_eq!(account(&ledger, "u1").spent, 6);
}

#[test]
fn what_is_not_used_for_a_second_goes_back() {
    let mut ledger = Ledger::new();
    let (mut one, a) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut one, a, 60, at(0)), Room::Fits);
    let hold = one.take(a, 60, at(0));
    one.settle(a, hold, 60, 10, at(10));
    talk(&mut ledger, &mut one, at(150));
    assert_eq!((account(&ledger, "u1").spent, account(&ledger, "u1").leased > 0), (10, true));
    let due = one.due(at(150)).unwrap();
    assert!(due <= 1_010 * MS, "{due}");
    talk(&mut ledger, &mut one, at(1_010));
    assert_eq!((account(&ledger, "u1").spent, account(&ledger, "u1").leased), (10, 0));
    let (mut two, b) = node(&mut ledger, 2, &terms(100, Failure::Spend), at(1_100));
    assert_eq!(obtain(&mut ledger, &mut two, b, 90, at(1_100)), Room::Fits);
}

#[test]
fn a_request_is_sent_again_unchanged_until_it_is_answered_and_late_answers_are_ignored() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    books.need(id, 10);
    let first = books.poll(at(1)).unwrap();
    assert_eq!(books.poll(at(2)), None, "one is in flight");
    books.need(id, 70);
    books.lost(at(3));
    assert_eq!(books.due(at(3)), Some(13 * MS), "a short wait first");
    assert_eq!(books.poll(at(13)).as_ref(), Some(&first));
    books.lost(at(14));
    assert_eq!(books.due(at(14)), Some(34 * MS), "then twice as long");
    let answer = ledger.apply(&first, at(20));
    assert_eq!(books.poll(at(34)).as_ref(), Some(&first));
    let again = ledger.apply(&first, at(35));
    assert_eq!(answer, again, "the store did it once");
    books.reply(at(35), &again);
    let free =
        |books: &Books| (0..=100).rev().find(|amount| books.room(id, *amount, 0, at(36)) == Room::Fits);
    let granted = free(&books).unwrap();
    assert!((10..70).contains(&granted));
    books.reply(at(37), &answer);
    assert_eq!(free(&books), Some(granted), "an answer counts once");
    let second = books.poll(at(38)).unwrap();
    assert!(second.seq > first.seq && second.items[0].need > 0);
    for late in [answer, Reply::Reassert { seq: first.seq, epoch: 9 }, Reply::Fenced { seq: first.seq }] {
        books.reply(at(39), &late);
        assert_eq!(books.poll(at(40)), None, "the second one is in flight still");
    }
    assert_eq!(free(&books), Some(granted));
}

#[test]
fn spend_uses_up_what_is_leased_and_then_waits_only_so_long() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 10, at(0)), Room::Fits);
    books.need(id, 90);
    books.poll(at(30)).unwrap();
    books.lost(at(31));
    assert_eq!(books.room(id, 10, 0, at(3_000)), Room::Fits);
    assert_eq!(books.room(id, 90, 0, at(3_000)), Room::Leased, "the store may come back");
    assert_eq!(books.room(id, 90, 0, at(5_100)), Room::Full);
    assert_eq!(books.room(id, 10, 0, at(90_000)), Room::Fits, "what is leased stays leased");
    assert_eq!(books.health(at(5_100)).away_since, Some(30 * MS));
}

#[test]
fn deny_takes_nothing_on_an_old_word() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Deny), at(0));
    assert_eq!(books.room(id, 10, 0, at(0)), Room::Leased);
    assert_eq!(obtain(&mut ledger, &mut books, id, 10, at(0)), Room::Fits);
    assert_eq!(books.room(id, 10, 0, at(9_999)), Room::Fits);
    assert_eq!(books.room(id, 10, 0, at(10_000)), Room::Leased);
    books.poll(at(10_000)).unwrap();
    assert_eq!(books.room(id, 10, 0, at(15_000)), Room::Full, "the store is away");
    assert_eq!(obtain(&mut ledger, &mut books, id, 10, at(16_000)), Room::Fits);
}

#[test]
fn allow_goes_on_without_the_store_and_the_debt_counts_against_all() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Allow), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 10, at(0)), Room::Fits);
    assert_eq!(obtain(&mut ledger, &mut books, id, 101, at(50)), Room::Full, "the store is there");
    books.need(id, 50);
    books.poll(at(100)).unwrap();
    assert_eq!(books.room(id, 500, 0, at(1_099)), Room::Leased);
    assert_eq!((books.room(id, 500, 0, at(1_100)), books.most(id, at(1_100))), (Room::Fits, u64::MAX));
    let hold = books.take(id, 500, at(1_100));
    assert_eq!(books.health(at(1_100)).degraded, 1);
    balanced(&books.standing(id, at(1_100)));
    books.settle(id, hold, 500, 450, at(1_200));
    assert!(books.standing(id, at(1_200)).free < 0);
    for step in 13..30 {
        talk(&mut ledger, &mut books, at(step * 100));
    }
    assert_eq!((account(&ledger, "u1").spent, account(&ledger, "u1").leased), (450, 0));
    assert_eq!(books.room(id, 1, 0, at(3_000)), Room::Leased, "it is asked again");
    assert_eq!(obtain(&mut ledger, &mut books, id, 1, at(3_000)), Room::Full);
    balanced(&books.standing(id, at(3_000)));
}

#[test]
fn a_copy_of_a_process_has_nothing_and_its_old_holds_are_charged() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 60, at(0)), Room::Fits);
    let hold = books.take(id, 20, at(0));
    let parents = account(&ledger, "u1").leased;
    books.forked(2, at(10));
    assert_eq!(books.room(id, 1, 0, at(10)), Room::Leased);
    books.refund(id, hold, 20, at(10));
    books.settle(id, hold, 20, 7, at(10));
    talk(&mut ledger, &mut books, at(200));
    assert_eq!((account(&ledger, "u1").spent, account(&ledger, "u1").leased), (7, parents));
    let mut rest = 0;
    while obtain(&mut ledger, &mut books, id, 1, at(300 + rest * 400)) == Room::Fits {
        books.take(id, 1, at(300 + rest * 400));
        rest += 1;
    }
    assert_eq!(rest + 7 + parents, 100);
}

#[test]
fn a_store_that_went_back_is_told_again() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
    let backup = ledger.clone();
    assert_eq!(obtain(&mut ledger, &mut books, id, 60, at(100)), Room::Fits);
    let hold = books.take(id, 60, at(100));
    books.settle(id, hold, 60, 50, at(110));
    talk(&mut ledger, &mut books, at(300));
    let before = account(&ledger, "u1");
    let mut ledger = Ledger { rows: backup.rows, ..ledger };
    assert_eq!(account(&ledger, "u1").spent, 0, "the store has lost it");
    books.need(id, 90);
    let mut asked = Vec::<Request>::new();
    for step in 0..20 {
        while let Some(request) = books.poll(at(400 + step * 20)) {
            let answer = ledger.apply(&request, at(400 + step * 20));
            books.reply(at(400 + step * 20), &answer);
            asked.push(request);
        }
    }
    assert!(asked.iter().any(|request| request.seen == 0 && request.claims.len() == 1));
    let after = account(&ledger, "u1");
    assert_eq!((after.spent, after.spent + after.leased), (50, before.spent + before.leased));
    balanced(&books.standing(id, at(900)));
}

#[test]
fn a_window_that_ended_is_reported_and_given_back_in_its_own_name() {
    let mut ledger = Ledger::new();
    let hourly = WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) };
    let terms = Terms { max: 100, window: hourly, failure: Failure::Spend };
    let (mut books, id) = node(&mut ledger, 1, &terms, at(0));
    let start = 3_600_000 - 200;
    assert_eq!(obtain(&mut ledger, &mut books, id, 60, at(start)), Room::Fits);
    let hold = books.take(id, 30, at(start));
    let next = start + 300;
    assert_eq!(books.room(id, 1, 0, at(next)), Room::Leased, "a new window, a new slice");
    assert_eq!(obtain(&mut ledger, &mut books, id, 100, at(next)), Room::Fits);
    books.settle(id, hold, 30, 12, at(next + 100));
    for step in 0..5 {
        talk(&mut ledger, &mut books, at(next + 400 + step * 200));
    }
    let windows = ledger.windows("u1");
    let old: Vec<_> =
        windows.iter().filter(|window| window.id == 0).map(|window| (window.spent, window.leased)).collect();
    assert_eq!(old, [(12, 0)]);
    assert_eq!(books.standing(id, at(next)).window.unwrap().0, 1);
}

#[test]
fn clocks_that_differ_by_minutes_agree_on_the_stores_window() {
    let mut ledger = Ledger::new();
    let hourly = WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) };
    let terms = Terms { max: 100, window: hourly, failure: Failure::Spend };
    let mut books = Books::leased(1, at(0));
    let ahead = |ms: u64| Now { mono: ms * MS, wall: ms * MS + 5 * 3_600 * SECOND };
    let id = books.open(&key("u1"), &terms, true, ahead(0));
    for step in 0..20 {
        books.need(id, 5);
        while let Some(request) = books.poll(ahead(step * 20)) {
            let answer = ledger.apply(&request, at(step * 20));
            books.reply(ahead(step * 20), &answer);
        }
    }
    assert_eq!(books.room(id, 5, 0, ahead(400)), Room::Fits);
    assert_eq!(books.standing(id, ahead(400)).window.unwrap().0, 0);
    assert_eq!(books.health(ahead(400)).error, None);
}

#[test]
fn a_clean_end_gives_everything_back_and_charges_what_is_held() {
    let mut ledger = Ledger::new();
    let mut books = Books::leased(1, at(0));
    let mut ids = Vec::new();
    for number in 0..150 {
        let id = books.open(&key(&format!("u{number}")), &terms(100, Failure::Spend), true, at(0));
        books.need(id, 20);
        ids.push(id);
    }
    talk(&mut ledger, &mut books, at(0));
    let holds: Vec<_> = ids.iter().map(|id| books.take(*id, 7, at(1))).collect();
    books.settle(ids[0], holds[0], 7, 3, at(2));
    books.close_all(at(3));
    assert_eq!(books.room(ids[0], 1, 0, at(3)), Room::Full);
    talk(&mut ledger, &mut books, at(4));
    assert!(books.health(at(4)).is_closed);
    assert_eq!((books.poll(at(9_999)), books.due(at(9_999))), (None, None));
    for number in 0..150 {
        let window = account(&ledger, &format!("u{number}"));
        assert_eq!((window.spent, window.leased), (if number == 0 { 3 } else { 7 }, 0), "u{number}");
    }
}

#[test]
fn what_was_reported_can_be_taken_back() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 60, at(0)), Room::Fits);
    let hold = books.take(id, 60, at(0));
    books.settle(id, hold, 60, 60, at(0));
    talk(&mut ledger, &mut books, at(200));
    assert_eq!(account(&ledger, "u1").spent, 60);
    books.refund(id, hold, 25, at(300));
    books.charge(id, hold, 1, at(300));
    talk(&mut ledger, &mut books, at(500));
    assert_eq!(account(&ledger, "u1").spent, 36);
    balanced(&books.standing(id, at(500)));
}

#[test]
fn a_grant_of_a_person_counts_once_for_everybody() {
    let mut ledger = Ledger::new();
    let ((mut one, a), (mut two, b)) = (
        node(&mut ledger, 1, &terms(10, Failure::Spend), at(0)),
        node(&mut ledger, 2, &terms(10, Failure::Spend), at(0)),
    );
    assert_eq!(obtain(&mut ledger, &mut one, a, 10, at(0)), Room::Fits);
    one.take(a, 10, at(0));
    assert!(one.grant(a, 5, 1, at(10)));
    assert!(!one.grant(a, 5, 1, at(10)), "the store need not have heard of the first");
    assert_eq!(one.room(a, 5, 0, at(10)), Room::Leased);
    assert_eq!(obtain(&mut ledger, &mut one, a, 5, at(30)), Room::Fits);
    assert_eq!(one.standing(a, at(30)).max, 15);
    talk(&mut ledger, &mut two, at(40));
    obtain(&mut ledger, &mut two, b, 1, at(40));
    assert_eq!((two.standing(b, at(40)).max, two.grants_left(b, 1, at(40))), (15, 0));
    assert!(!two.grant(b, 5, 1, at(40)));
}

#[test]
fn a_node_that_was_declared_dead_begins_anew() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
    books.need(id, 90);
    let request = books.poll(at(50)).unwrap();
    books.reply(at(51), &Reply::Fenced { seq: request.seq });
    assert_eq!(books.room(id, 1, 0, at(52)), Room::Leased);
    books.need(id, 1);
    let again = books.poll(at(53)).unwrap();
    assert!(again.node != request.node && again.seq == 1 && again.seen == 0 && again.epoch == 0);
    assert_eq!(books.health(at(53)).restarts, 1);
}

#[test]
fn without_a_ledger_nothing_is_made_up() {
    let mut ledger = Ledger::empty();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 5, at(0)), Room::Leased);
    assert!(books.health(at(0)).error.unwrap().contains("no ledger"));
    assert!(ledger.rows.is_empty());
    assert_eq!(books.room(id, 5, 0, at(6_000)), Room::Full);
}

#[test]
fn an_account_that_nobody_uses_is_left_after_a_while() {
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 5, at(0)), Room::Fits);
    let hold = books.take(id, 5, at(0));
    books.close(id);
    books.settle(id, hold, 5, 5, at(10));
    let mut now = 0;
    let mut beats = 0;
    // Then only a sign of life is left, an hour later.
    while let Some(due) = books.due(at(now)).filter(|due| *due < at(now + 60_000).mono) {
        now = (due / MS).max(now) + 1;
        beats += 1;
        talk(&mut ledger, &mut books, at(now));
    }
    assert!((600_000..620_000).contains(&now), "{now}");
    assert!(beats < 320, "{beats}");
    assert_eq!((account(&ledger, "u1").spent, account(&ledger, "u1").leased), (5, 0));
    assert_eq!(books.room(id, 1, 0, at(now)), Room::Full, "its id is no more");
    assert!(ledger.rows.keys().all(|key| !key.as_str().starts_with("lease/")));
}

#[test]
fn who_has_nothing_is_heard_of_now_and_then_so_that_no_living_process_is_forgotten() {
    const HOUR: u64 = 3_600_000;
    let mut ledger = Ledger::new();
    let (mut books, id) = node(&mut ledger, 1, &terms(100, Failure::Spend), at(0));
    assert_eq!(books.due(at(0)), None, "the store does not know of it yet");
    assert_eq!(obtain(&mut ledger, &mut books, id, 10, at(0)), Room::Fits);
    for ms in (0..60_000).step_by(500) {
        talk(&mut ledger, &mut books, at(ms));
    }
    books.close(id);
    for ms in (60_000..1_400_000).step_by(1_000) {
        talk(&mut ledger, &mut books, at(ms));
    }
    let mut due = books.due(at(1_400_000)).unwrap() / MS;
    for _ in 0..48 {
        assert_eq!(books.poll(at(due - 1)), None);
        let request = books.poll(at(due)).unwrap();
        assert!(request.is_blank());
        let reply = ledger.apply(&request, at(due));
        books.reply(at(due), &reply);
        let row = RowKey::node(1);
        let shown = describe_row(&row, &ledger.rows[&row], 0);
        assert!(matches!(shown, Some(Shown::Node { heard, .. }) if heard == due * MS), "{shown:?}");
        let next = books.due(at(due)).unwrap() / MS;
        assert_eq!(next, due + HOUR);
        due = next;
    }
}
