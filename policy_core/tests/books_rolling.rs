//! Leased rolling windows: a slice is good only while the store hears of it, since the store counts as
//! spent what a node that says nothing any more has leased.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod books_common;

use books_common::{Ledger, MS, SECOND, account, at, key, talk};
use policy_core::Now;
use policy_core::books::{AccountId, Books, Failure, Room, Terms, WindowKind};

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
fn a_slice_of_a_rolling_window_lapses_without_the_store() {
    let mut ledger = Ledger::new();
    let minute = WindowKind::Rolling { ns: 60 * SECOND };
    for failure in [Failure::Spend, Failure::Deny] {
        let terms = Terms { max: 100, window: minute.clone(), failure };
        let (mut books, id) = node(&mut ledger, if failure == Failure::Spend { 1 } else { 2 }, &terms, at(0));
        assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
        let hold = books.take(id, 20, at(0));
        assert_eq!(
            (books.room(id, 10, 0, at(9_999)), books.room(id, 10, 0, at(10_000))),
            (Room::Fits, Room::Leased)
        );
        let request = books.poll(at(10_500)).unwrap();
        assert_eq!(request.items[0].give_back, 10);
        books.settle(id, hold, 20, 5, at(10_600));
        let answer = ledger.apply(&request, at(10_700));
        books.reply(at(10_700), &answer);
        assert_eq!(books.room(id, 1, 0, at(10_700)), Room::Leased, "what the hold left has lapsed too");
        talk(&mut ledger, &mut books, at(10_900));
        let window = account(&ledger, "u1");
        assert_eq!((window.leased, ledger_spent(&mut ledger, &terms)), (0, 5));
        ledger = Ledger::new();
    }
}

/// What a node is told that asks now.
fn ledger_spent(ledger: &mut Ledger, terms: &Terms) -> u64 {
    let (mut books, id) = node(ledger, 99, terms, at(11_000));
    obtain(ledger, &mut books, id, 1, at(11_000));
    books.standing(id, at(11_000)).spent
}

#[test]
fn a_call_that_takes_minutes_keeps_its_part_of_a_rolling_window() {
    let mut ledger = Ledger::new();
    let terms = Terms { max: 100, window: WindowKind::Rolling { ns: 60 * SECOND }, failure: Failure::Spend };
    let (mut books, id) = node(&mut ledger, 1, &terms, at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
    let hold = books.take(id, 30, at(0));
    let mut now = 0;
    while now < 120_000 {
        now = (books.due(at(now)).unwrap() / MS).max(now) + 1;
        talk(&mut ledger, &mut books, at(now));
    }
    assert_eq!(account(&ledger, "u1").leased, 30);
    books.settle(id, hold, 30, 10, at(now));
    assert_eq!(books.room(id, 20, 0, at(now)), Room::Fits, "the store has heard of it all the time");
}

#[test]
fn a_call_that_takes_minutes_is_not_taken_for_that_of_a_dead_process() {
    let mut ledger = Ledger::new();
    let terms = Terms { max: 100, window: WindowKind::Forever, failure: Failure::Spend };
    let (mut books, id) = node(&mut ledger, 1, &terms, at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
    books.take(id, 30, at(0));
    let (mut now, mut heard) = (0, 0);
    while now < 200_000 {
        now = (books.due(at(now)).unwrap() / MS).max(now) + 1;
        while let Some(request) = books.poll(at(now)) {
            if request.items.iter().any(|item| item.account == key("u1")) {
                heard = now;
            }
            let answer = ledger.apply(&request, at(now));
            books.reply(at(now), &answer);
        }
        assert!(now - heard <= 25_000, "an operator may write off what was silent for a minute");
    }
}

#[test]
fn allow_does_not_use_what_has_lapsed_but_owes_it() {
    let mut ledger = Ledger::new();
    let terms = Terms { max: 100, window: WindowKind::Rolling { ns: 60 * SECOND }, failure: Failure::Allow };
    let (mut books, id) = node(&mut ledger, 1, &terms, at(0));
    assert_eq!(obtain(&mut ledger, &mut books, id, 30, at(0)), Room::Fits);
    books.need(id, 99);
    books.poll(at(100)).unwrap();
    assert_eq!(books.room(id, 30, 0, at(10_000)), Room::Fits);
    let hold = books.take(id, 30, at(10_000));
    assert_eq!(books.health(at(10_000)).degraded, 1, "all of it is debt");
    books.settle(id, hold, 30, 30, at(10_000));
    for step in 0..9 {
        talk(&mut ledger, &mut books, at(11_000 + step * 100));
    }
    assert_eq!(account(&ledger, "u1").leased, 0);
    assert_eq!(ledger_spent(&mut ledger, &terms), 30);
}
