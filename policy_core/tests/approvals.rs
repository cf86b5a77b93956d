//! Requests to people in the store: written with their run, answered once, taken along by one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

#[path = "common/shelf.rs"]
mod shelf;

use policy_core::store::{
    Answered, Ask, Claimed, Given, Life, Luggage, Operated, Operation, Order, Parked, RowKey, Shown, Word,
    claim, describe_row, finish, give_back, operate, operation_keys, park, requests_of, run_keys,
};
use proptest::prelude::*;
use shelf::Store;

const MEANING: [u8; 32] = [7; 32];
const FIRST: Life = Life { origin: 1, holder: 1, number: 0 };

impl Store {
    /// The rows of the run and of all its requests, with these.
    fn keys(&mut self, requests: &[u64]) -> Vec<RowKey> {
        let mut known = self.transact(run_keys("r", &[]).unwrap(), |_, rows| requests_of("r", rows));
        known.extend(requests);
        run_keys("r", &known).unwrap()
    }

    fn park(&mut self, life: Life, asks: &[Ask]) -> Parked {
        let luggage = Luggage { state: format!("{life:?}").into(), host: Vec::new() };
        let requests: Vec<u64> = asks.iter().map(|ask| ask.request).collect();
        let keys = self.keys(&requests);
        self.transact(keys, |now, rows| park(("r", life), MEANING, &luggage, asks, now, rows))
    }

    fn claim(&mut self, holder: u128) -> Option<(Life, Vec<Answered>)> {
        let keys = self.keys(&[]);
        match self.transact(keys, |now, rows| claim("r", MEANING, holder, now, rows)) {
            Claimed::Yours(life, _, _, answers) => Some((life, answers)),
            _ => None,
        }
    }

    fn give_back(&mut self, holder: u128) {
        let keys = run_keys("r", &[]).unwrap();
        self.transact(keys, |now, rows| give_back("r", holder, now, rows)).unwrap();
    }

    fn finish(&mut self, life: Life) {
        let keys = self.keys(&[]);
        self.transact(keys, |now, rows| finish("r", life, now, rows)).unwrap();
    }

    fn order(&mut self, order: &Order) -> Operated {
        let mut keys = operation_keys(order);
        keys.extend(self.keys(&[]));
        self.transact(keys, |now, rows| operate(order, now, rows))
    }

    /// An answer under an id of its own.
    fn answer(&mut self, who: &str, request: u64, word: Word) -> Operated {
        let act = self.next_act();
        self.order(&answer(&act, who, request, word))
    }

    fn shown(&self, request: u64) -> Option<Shown> {
        let key = RowKey::approval("r", request)?;
        describe_row(&key, self.rows.get(&key)?, self.now)
    }

    /// Who has answered a request, and what.
    fn given(&self, request: u64) -> Option<(String, Word)> {
        match self.shown(request) {
            Some(Shown::Approval { given: Some(Given { who, word, .. }), .. }) => Some((who, word)),
            _ => None,
        }
    }

    fn requests(&self) -> usize {
        self.rows.keys().filter(|key| key.as_str().starts_with(RowKey::APPROVALS)).count()
    }
}

fn answer(id: &str, who: &str, request: u64, word: Word) -> Order {
    let operation = Operation::Answer { run: "r".to_owned(), request, word };
    Order { id: id.to_owned(), who: who.to_owned(), why: "I looked at it".to_owned(), operation }
}

fn ask(request: u64) -> Ask {
    Ask { request, bound: [request as u8; 32], is_question: false, left: 500, shown: b"refund".to_vec() }
}

fn question(request: u64) -> Ask {
    Ask { is_question: true, ..ask(request) }
}

fn text(text: &str) -> Word {
    Word::Text(text.to_owned())
}

#[test]
fn an_answer_goes_along_with_its_run() {
    let mut store = Store::new();
    assert_eq!(store.park(FIRST, &[ask(1), question(2)]), Parked::Done);
    let Some(Shown::Approval { run, request, is_question, asked, expires, shown, given }) = store.shown(1)
    else {
        panic!("{:?}", store.shown(1))
    };
    assert_eq!((&*run, request, is_question, asked, expires, given), ("r", 1, false, 1_000, 1_500, None));
    assert_eq!(shown, b"refund");
    store.now = 1_200;
    assert_eq!(store.answer("ann", 1, Word::Approve), Operated::Done);
    assert_eq!(store.answer("bob", 2, text("Rome")), Operated::Done);
    store.now = 1_300;
    let (life, answers) = store.claim(5).unwrap();
    let said = |request, word, who: &str| Answered {
        request,
        bound: [request as u8; 32],
        word,
        who: who.to_owned(),
        ago: 100,
    };
    assert_eq!(answers, [said(1, Word::Approve, "ann"), said(2, text("Rome"), "bob")]);
    store.now = 1_300;
    assert_eq!(store.claim(5).unwrap().1, answers, "the same claim again gets the same answers");
    assert_eq!(store.claim(6), None);
    // What is answered is asked no more, and goes.
    assert_eq!(store.park(life, &[]), Parked::Done);
    assert_eq!(store.requests(), 0);
    assert_eq!(store.claim(6).unwrap().1, []);
}

#[test]
fn one_answer_stands() {
    let mut store = Store::new();
    store.park(FIRST, &[ask(1)]);
    assert_eq!(store.answer("ann", 1, Word::Reject), Operated::Done);
    for word in [Word::Approve, Word::Reject] {
        let before = Given { word: Word::Reject, who: "ann".into(), why: "I looked at it".into(), at: 1_000 };
        assert_eq!(store.answer("bob", 1, word), Operated::Answered(before));
    }
    let (word, who) = (Word::Reject, "ann".to_owned());
    assert_eq!(store.given(1), Some((who, word)));
    // The same act again is no second answer.
    assert_eq!(store.order(&answer("act-1", "ann", 1, Word::Reject)), Operated::Before);
    assert_eq!(store.order(&answer("act-1", "ann", 1, Word::Approve)), Operated::Taken);
}

#[test]
fn an_answer_comes_in_time_and_fits_what_is_asked() {
    let mut store = Store::new();
    store.park(FIRST, &[ask(1), question(2), ask(3)]);
    assert_eq!(store.answer("ann", 1, text("yes")), Operated::OtherKind);
    assert_eq!(store.answer("ann", 2, Word::Approve), Operated::OtherKind);
    for word in [text(" \n"), text(&"x".repeat(Word::LONGEST + 1))] {
        assert!(matches!(store.answer("ann", 2, word), Operated::Malformed(_)));
    }
    assert_eq!(store.answer("ann", 4, Word::Approve), Operated::NoRequest);
    store.now = 1_500;
    assert_eq!(store.answer("ann", 1, Word::Approve), Operated::Done);
    assert_eq!(store.answer("ann", 2, Word::Reject), Operated::Done, "a question may be turned down");
    store.now = 1_501;
    let rows = store.rows.clone();
    assert_eq!(store.answer("ann", 3, Word::Approve), Operated::Expired(1_500));
    assert_eq!(store.rows, rows, "a refused answer leaves no trace");
    store.now = 900;
    assert_eq!(store.answer("ann", 3, Word::Approve), Operated::Done, "the time by which it is told");
}

#[test]
fn a_request_that_is_still_asked_stays_as_it_is() {
    let mut store = Store::new();
    store.park(FIRST, &[ask(1), ask(2)]);
    store.now = 1_100;
    let (life, _) = store.claim(5).unwrap();
    // Somebody goes on with the run while a person thinks.
    assert_eq!(store.answer("ann", 1, Word::Approve), Operated::Done);
    store.now = 1_200;
    let again = |request| Ask { left: 400, shown: Vec::new(), ..ask(request) };
    store.park(life, &[again(1), again(2), again(3)]);
    assert_eq!(store.given(1).unwrap().1, Word::Approve);
    assert!(matches!(store.shown(2), Some(Shown::Approval { asked: 1_000, expires: 1_500, .. })));
    assert_eq!(store.requests(), 2, "what nobody could see is not asked");
    assert_eq!(store.claim(6).unwrap().1.len(), 1);
}

#[test]
fn answers_wait_for_whoever_goes_on_in_the_end() {
    let mut store = Store::new();
    store.park(FIRST, &[ask(1)]);
    store.answer("ann", 1, Word::Approve);
    let (_, answers) = store.claim(5).unwrap();
    store.give_back(5);
    assert_eq!(store.claim(6).unwrap().1, answers);
}

#[test]
fn nobody_is_asked_for_a_run_that_is_over() {
    let mut store = Store::new();
    store.park(FIRST, &[ask(1)]);
    let (life, _) = store.claim(5).unwrap();
    store.finish(life);
    assert_eq!((store.requests(), store.answer("ann", 1, Word::Approve)), (0, Operated::NoRequest));
    let mut store = Store::new();
    store.park(FIRST, &[ask(1)]);
    let operation = Operation::DropRun { run: "r".to_owned() };
    let order = Order { id: "d".into(), who: "ann".into(), why: "gone".into(), operation };
    assert_eq!(store.order(&order), Operated::Done);
    assert_eq!((store.requests(), store.answer("ann", 1, Word::Approve)), (0, Operated::NoRequest));
}

#[test]
fn the_audit_keeps_no_text() {
    let mut store = Store::new();
    store.park(FIRST, &[question(1)]);
    store.answer("ann", 1, text("my new address"));
    let key = RowKey::audit("act-1");
    let row = &store.rows[&key];
    let Some(Shown::Audit { at: 1_000, order }) = describe_row(&key, row, 0) else { panic!("it is") };
    let Operation::Answer { request: 1, word: Word::Text(hash), .. } = order.operation else {
        panic!("it is")
    };
    assert_eq!((hash.len(), &*order.who), (64, "ann"));
    assert!(!String::from_utf8_lossy(row).contains("address"));
    assert_eq!(store.order(&answer("act-1", "ann", 1, text("my new address"))), Operated::Before);
}

#[test]
fn a_run_asks_so_much_at_most() {
    let mut store = Store::new();
    let asks: Vec<Ask> = (1..=1_001).map(ask).collect();
    assert!(matches!(store.park(FIRST, &asks), Parked::Malformed(_)));
    let large = Ask { shown: vec![0; Luggage::LONGEST], ..ask(1) };
    assert!(matches!(store.park(FIRST, &[large]), Parked::Malformed(_)));
    assert_eq!(store.park(FIRST, &asks[..1_000]), Parked::Done);
}

proptest! {
    /// A damaged request is answered by nobody; the others, and the run, go on.
    #[test]
    fn a_damaged_request_is_refused_alone(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut store = Store::new();
        store.park(FIRST, &[ask(1), ask(2)]);
        store.answer("ann", 1, Word::Approve);
        store.answer("ann", 2, Word::Approve);
        let key = RowKey::approval("r", 1).unwrap();
        let mut row = store.rows[&key].clone();
        let place = place.index(row.len());
        row[place] ^= 1 << bit;
        store.rows.insert(key.clone(), row);
        prop_assert_eq!(store.shown(1), None);
        prop_assert!(matches!(store.answer("bob", 1, Word::Approve), Operated::Malformed(_)));
        let (life, answers) = store.claim(5).unwrap();
        prop_assert_eq!(answers.iter().map(|it| it.request).collect::<Vec<_>>(), [2]);
        store.park(life, &[ask(1)]);
        prop_assert_eq!(store.shown(1), None, "nothing is written over it");
        prop_assert!(store.shown(2).is_none());
    }

    /// People answer and processes go on in any order: one answer stands, and who goes on gets that one.
    #[test]
    fn in_any_order_one_answer_stands(acts in proptest::collection::vec(0..8_usize, 1..24)) {
        let mut store = Store::new();
        store.park(FIRST, &[ask(1)]);
        let (mut stands, mut running) = (None, None);
        for act in acts {
            store.now += 20;
            match act {
                0..=3 => {
                    let word = if act % 2 == 0 { Word::Approve } else { Word::Reject };
                    let who = format!("person {act}");
                    let answered = store.answer(&who, 1, word.clone());
                    if answered == Operated::Done {
                        prop_assert_eq!(&stands, &None);
                        stands = Some((who, word));
                    } else {
                        prop_assert!(matches!(answered, Operated::Answered(_) | Operated::Expired(_)));
                    }
                }
                4..=6 => {
                    let claimed = store.claim(act as u128 * 10_000 + u128::from(store.now));
                    prop_assert_eq!(claimed.is_some(), running.is_none());
                    if let Some((life, answers)) = claimed {
                        let got = answers.into_iter().next().map(|it| (it.who, it.word));
                        prop_assert_eq!(&got, &stands);
                        running = Some(life);
                    }
                }
                _ => {
                    if let Some(life) = running.take() {
                        store.park(life, &[Ask { shown: Vec::new(), ..ask(1) }]);
                    }
                }
            }
            prop_assert_eq!(&store.given(1), &stands);
        }
    }
}
