//! What a node does when the store refuses one account, when it has more to say than a request can hold, and
//! when it has to say everything again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

mod books_common;

use books_common::{Ledger, SECOND, account, at, key, talk};
use policy_core::MAX_QUANTITY;
use policy_core::books::{AccountId, Books, Failure, Room, Terms, WindowKind};
use policy_core::store::{Operation, Order, Refusal, Reply, Request, RowKey, Rows, operate, operation_keys};

fn open(books: &mut Books, user: &str, max: u64, failure: Failure) -> AccountId {
    books.open(&key(user), &Terms { max, window: WindowKind::Forever, failure }, true, at(0))
}

/// Holds an amount that has to be leased first.
fn take(ledger: &mut Ledger, books: &mut Books, id: AccountId, amount: u64, ms: u64) {
    books.need(id, amount);
    talk(ledger, books, at(ms));
    assert_eq!(books.room(id, amount, 0, at(ms)), Room::Fits);
    books.take(id, amount, at(ms));
}

/// Settles a hold of the only window.
fn settle(books: &mut Books, id: AccountId, held: u64, used: u64, ms: u64) {
    let window = books.take(id, 0, at(ms));
    books.settle(id, window, held, used, at(ms));
}

/// The store may have lost something: everybody says again what is held.
fn declare(ledger: &mut Ledger, ms: u64) {
    let (who, why) = ("ann".to_owned(), "a test".to_owned());
    let order = Order { id: format!("at-{ms}"), who, why, operation: Operation::Restarted };
    let mut rows = Rows::new();
    for key in operation_keys(&order) {
        let value = ledger.rows.get(&key).cloned();
        rows.load(key, value);
    }
    operate(&order, at(ms).wall, &mut rows);
    for (key, value) in rows.changes() {
        ledger.rows.insert(key.clone(), value.unwrap().to_vec());
    }
}

#[test]
fn a_damaged_row_mutes_its_account_until_it_is_mended_and_no_other() {
    for failure in [Failure::Spend, Failure::Deny, Failure::Allow] {
        let (mut ledger, mut books) = (Ledger::new(), Books::leased(1, at(0)));
        let bad = open(&mut books, "bad", 100, failure);
        let good = open(&mut books, "good", 100, failure);
        take(&mut ledger, &mut books, bad, 30, 0);
        take(&mut ledger, &mut books, good, 30, 0);
        let row = RowKey::account(&key("bad"));
        let whole = ledger.rows[&row].clone();
        ledger.rows.insert(row.clone(), b"nonsense".to_vec());

        settle(&mut books, bad, 10, 10, 200);
        settle(&mut books, good, 10, 10, 200);
        talk(&mut ledger, &mut books, at(400));
        assert_eq!(account(&ledger, "good").spent, 10, "the other item was done");
        let health = books.health(at(400));
        assert_eq!(health.refused, Some((key("bad"), Refusal::Damaged)));
        assert!(health.away_since.is_none() && health.error.is_none(), "the store is there: {health:?}");
        assert_eq!(books.room(bad, 1, 0, at(400)), Room::Full);
        assert_eq!(books.most(bad, at(400)), 0);
        assert_eq!(books.standing(bad, at(400)).refused, Some(Refusal::Damaged));
        assert_eq!(books.standing(good, at(400)).refused, None);

        // What happens meanwhile is kept, and the other account goes on.
        settle(&mut books, bad, 20, 25, 500);
        for ms in (600..9_000).step_by(300) {
            talk(&mut ledger, &mut books, at(ms));
        }
        take(&mut ledger, &mut books, good, 40, 9_100);
        assert_eq!(ledger.rows[&row], b"nonsense", "nothing is overwritten");
        ledger.rows.insert(row, whole);
        talk(&mut ledger, &mut books, at(9_200));
        assert!(books.health(at(9_200)).refused.is_some(), "it was not asked yet");
        assert!(books.due(at(9_200)).is_some_and(|due| due <= at(10_500).mono));
        talk(&mut ledger, &mut books, at(10_500));
        talk(&mut ledger, &mut books, at(10_700));
        assert_eq!((books.health(at(10_700)).refused, books.standing(bad, at(10_700)).refused), (None, None));
        assert_eq!((account(&ledger, "bad").spent, account(&ledger, "bad").leased), (35, 0));
        take(&mut ledger, &mut books, bad, 65, 10_800);
    }
}

#[test]
fn an_account_that_was_never_leased_is_asked_about_again_as_well() {
    let (mut ledger, mut books) = (Ledger::new(), Books::leased(1, at(0)));
    let id = open(&mut books, "bad", 100, Failure::Spend);
    let row = RowKey::account(&key("bad"));
    ledger.rows.insert(row.clone(), b"nonsense".to_vec());
    books.need(id, 10);
    talk(&mut ledger, &mut books, at(0));
    assert_eq!(books.room(id, 10, 0, at(10)), Room::Full);
    let sent = std::iter::from_fn(|| books.poll(at(9_999))).count();
    assert_eq!(sent, 0, "not at once");
    ledger.rows.remove(&row);
    talk(&mut ledger, &mut books, at(10_000));
    assert_eq!(books.room(id, 10, 0, at(10_000)), Room::Leased);
    take(&mut ledger, &mut books, id, 10, 10_000);
}

#[test]
fn what_was_refused_and_is_gone_is_not_asked_about() {
    let (mut ledger, mut books) = (Ledger::new(), Books::leased(1, at(0)));
    let id = open(&mut books, "bad", 100, Failure::Spend);
    ledger.rows.insert(RowKey::account(&key("bad")), b"nonsense".to_vec());
    books.need(id, 10);
    talk(&mut ledger, &mut books, at(0));
    assert!(books.health(at(10)).refused.is_some());
    books.close(id);
    talk(&mut ledger, &mut books, at(10));
    assert!(books.due(at(10)).is_some_and(|due| due > at(60_000).mono), "{:?}", books.due(at(10)));
}

#[test]
fn a_node_that_closes_leaves_what_is_refused_and_gives_back_the_rest() {
    let (mut ledger, mut books) = (Ledger::new(), Books::leased(1, at(0)));
    let (bad, good) =
        (open(&mut books, "bad", 100, Failure::Spend), open(&mut books, "good", 100, Failure::Spend));
    take(&mut ledger, &mut books, bad, 30, 0);
    take(&mut ledger, &mut books, good, 30, 0);
    let row = RowKey::account(&key("bad"));
    let whole = ledger.rows.insert(row.clone(), b"nonsense".to_vec()).unwrap();
    books.close_all(at(500));
    for ms in (500..3_000).step_by(100) {
        talk(&mut ledger, &mut books, at(ms));
    }
    assert!(books.health(at(3_000)).is_closed);
    assert_eq!((account(&ledger, "good").spent, account(&ledger, "good").leased), (30, 0));
    ledger.rows.insert(row, whole);
    assert_eq!(account(&ledger, "bad").leased, 30, "nobody else gets it");
}

#[test]
fn what_somebody_holds_who_may_be_gone_is_not_waited_for() {
    let (mut ledger, mut dead, mut books) = (Ledger::new(), Books::leased(1, at(0)), Books::leased(2, at(0)));
    let theirs = open(&mut dead, "u", 100, Failure::Spend);
    take(&mut ledger, &mut dead, theirs, 60, 0);
    let id = open(&mut books, "u", 100, Failure::Spend);
    for (ms, amount, room) in [(29_900, 41, Room::Leased), (30_100, 41, Room::Full), (31_200, 40, Room::Fits)]
    {
        books.need(id, amount);
        talk(&mut ledger, &mut books, at(ms));
        assert_eq!(books.room(id, amount, 0, at(ms)), room, "{ms}");
    }
    let standing = books.standing(id, at(31_200));
    assert_eq!((standing.leased, standing.silent), (60, 60));
    talk(&mut ledger, &mut dead, at(31_300));
    books.take(id, 40, at(31_300));
    books.need(id, 1);
    talk(&mut ledger, &mut books, at(32_500));
    assert_eq!(books.standing(id, at(32_500)).silent, 0, "it was not dead");
    assert_eq!(books.room(id, 1, 0, at(32_500)), Room::Held);
}

#[test]
fn more_than_a_request_can_say_is_said_by_several() {
    let kinds = [WindowKind::Forever, WindowKind::Rolling { ns: 3_600 * SECOND }];
    for window in kinds {
        let (mut ledger, mut books) = (Ledger::new(), Books::leased(1, at(0)));
        let terms = Terms { max: MAX_QUANTITY, window, failure: Failure::Spend };
        let id = books.open(&key("u"), &terms, true, at(0));
        take(&mut ledger, &mut books, id, 1_000, 0);
        settle(&mut books, id, 1_000, MAX_QUANTITY, 200);
        settle(&mut books, id, 0, MAX_QUANTITY, 200);
        settle(&mut books, id, 0, 7, 200);
        let mut requests = 0;
        for ms in (200..3_000).step_by(100) {
            while let Some(request) = books.poll(at(ms)) {
                requests += usize::from(request.items.iter().any(|item| !item.reported.is_empty()));
                let reply = ledger.apply(&request, at(ms));
                assert!(
                    matches!(&reply, Reply::Done { items, .. } if items.iter().all(|a| a.refused.is_none())),
                    "{reply:?}"
                );
                books.reply(at(ms), &reply);
            }
        }
        assert_eq!((requests, account(&ledger, "u").spent), (3, 2 * MAX_QUANTITY + 7));
        assert_eq!(account(&ledger, "u").leased, 0);
    }
}

/// A node with so many accounts, of each of which it has something.
fn many(ledger: &mut Ledger, accounts: usize) -> (Books, Vec<AccountId>) {
    let mut books = Books::leased(1, at(0));
    let ids: Vec<_> =
        (0..accounts).map(|n| open(&mut books, &format!("u{n}"), 100, Failure::Spend)).collect();
    for id in &ids {
        books.need(*id, 10);
    }
    talk(ledger, &mut books, at(0));
    for id in &ids {
        books.take(*id, 10, at(0));
    }
    (books, ids)
}

/// The next request, which the store has to refuse: it may have lost something.
fn refused(ledger: &mut Ledger, books: &mut Books, ms: u64) {
    let request = books.poll(at(ms)).unwrap();
    let reply = ledger.apply(&request, at(ms));
    assert!(matches!(reply, Reply::Reassert { .. }), "{reply:?}");
    books.reply(at(ms), &reply);
}

fn part(books: &mut Books, ms: u64) -> Request {
    let request = books.poll(at(ms)).unwrap();
    assert!(
        request.items.is_empty()
            && !request.claims.is_empty()
            && request.claims.len() <= Request::MOST_CLAIMS
    );
    request
}

#[test]
fn all_that_is_held_is_said_again_in_parts_and_nothing_else_between() {
    const ACCOUNTS: usize = 2 * Request::MOST_CLAIMS + 3;
    let mut ledger = Ledger::new();
    let (mut books, ids) = many(&mut ledger, ACCOUNTS);
    for n in 0..ACCOUNTS {
        // The store has lost everything but that there is a ledger.
        ledger.rows.remove(&RowKey::account(&key(&format!("u{n}"))));
        ledger.rows.remove(&RowKey::lease(1, &key(&format!("u{n}"))));
    }
    declare(&mut ledger, 2_500);
    refused(&mut ledger, &mut books, 3_000);
    let mut said = Vec::new();
    for (round, size) in [Request::MOST_CLAIMS, Request::MOST_CLAIMS, 3].into_iter().enumerate() {
        books.need(ids[0], 50);
        let request = part(&mut books, 3_100);
        assert_eq!((request.epoch, request.claims.len()), (2, size), "part {round}");
        assert_eq!(request.seen == 0, round == 0, "each part shows that the one before was not lost");
        assert_eq!(books.poll(at(3_200)), None, "one at a time");
        said.extend(request.claims.iter().map(|claim| claim.account.clone()));
        let reply = ledger.apply(&request, at(3_100));
        assert_eq!(ledger.apply(&request, at(3_100)), reply, "a repeated part is done once");
        books.reply(at(3_100), &reply);
        books.reply(at(3_100), &reply);
    }
    said.dedup();
    assert_eq!(said.len(), ACCOUNTS);
    let request = books.poll(at(3_100)).unwrap();
    assert!(request.claims.is_empty() && request.items.iter().any(|item| item.need > 0), "now it asks");
    assert_eq!(account(&ledger, "u7").leased, 10);
}

#[test]
fn a_loss_between_two_parts_begins_all_of_it_anew() {
    let mut ledger = Ledger::new();
    let (mut books, _) = many(&mut ledger, Request::MOST_CLAIMS + 1);
    declare(&mut ledger, 2_500);
    refused(&mut ledger, &mut books, 3_000);
    let before = ledger.rows.clone();
    let first = part(&mut books, 3_100);
    let reply = ledger.apply(&first, at(3_100));
    books.reply(at(3_100), &reply);
    ledger.rows = before;
    refused(&mut ledger, &mut books, 3_200);
    let again = part(&mut books, 4_000);
    assert_eq!((again.epoch, again.seen, &again.claims), (3, 0, &first.claims));
}

#[test]
fn a_part_that_is_full_with_the_last_claim_is_followed_by_an_empty_one() {
    let mut ledger = Ledger::new();
    let (mut books, ids) = many(&mut ledger, Request::MOST_CLAIMS);
    declare(&mut ledger, 2_500);
    refused(&mut ledger, &mut books, 3_000);
    talk(&mut ledger, &mut books, at(3_100));
    assert_eq!(books.room(ids[0], 0, 0, at(3_100)), Room::Fits);
    // The store's quarantine begins anew when nobody was heard of for ten seconds.
    for ms in (4_000..24_000).step_by(1_000) {
        talk(&mut ledger, &mut books, at(ms));
    }
    take(&mut ledger, &mut books, ids[0], 90, 24_000);
}
