//! Every store answers the same requests with the same answers: random sequences on memory, SQLite and Redis.
#![cfg(all(feature = "sqlite", feature = "redis"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use checkrein_stores::{MemoryStore, Store};
use common::{Folder, Server, item, open, record, wall};
use policy_core::store::{
    Ask, Claim, Claimed, Kind, Life, Luggage, Operated, Operation, Order, Reply, Request, Word,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One thing that a node or an operator does.
#[derive(Clone, Debug)]
enum Step {
    /// Node, account, kind of window, need, more that is wanted, reported, given back, grant, closing, and
    /// how the number and the nonce are: 0 right, 1 repeated, 2 old, 3 wrong nonce, 4 reasserting.
    Ask(u8, u8, u8, u64, u64, u64, u64, bool, bool, u8),
    Adjust(u8, i64),
    Pin(u8, Option<u64>),
    Restarted,
    Append(u8, u64),
    /// Run, whose life it is said to be, what is taken along.
    Park(u8, u8, u8),
    /// Run, holder, digest.
    Claim(u8, u8, u8),
    Finish(u8, u8),
    DropRun(u8),
    /// Run, request, what is said.
    Answer(u8, u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (
        0..3_u8,
        0..4_u8,
        0..3_u8,
        0..50_u64,
        0..100_u64,
        0..30_u64,
        0..20_u64,
        any::<bool>(),
        any::<bool>(),
        0..40_u8,
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| Step::Ask(a, b, c, d, e, f, g, h && i, i && j > 30, j));
    prop_oneof![
        40 => ask,
        1 => (0..4_u8, -40..40_i64).prop_map(|(account, delta)| Step::Adjust(account, delta)),
        1 => (0..4_u8, proptest::option::of(0..300_u64)).prop_map(|(account, max)| Step::Pin(account, max)),
        1 => Just(Step::Restarted),
        2 => (0..3_u8, 1..20_u64).prop_map(|(node, number)| Step::Append(node, number)),
        6 => (0..2_u8, 0..5_u8, 0..2_u8).prop_map(|(run, life, state)| Step::Park(run, life, state)),
        8 => (0..2_u8, 0..3_u8, 0..8_u8).prop_map(|(run, holder, n)| Step::Claim(run, holder, n / 7)),
        2 => (0..2_u8, 0..8_u8).prop_map(|(run, life)| Step::Finish(run, life)),
        1 => (0..2_u8).prop_map(Step::DropRun),
        3 => (0..2_u8, 0..4_u8, 0..3_u8).prop_map(|(run, request, word)| Step::Answer(run, request, word)),
    ]
}

/// What each node remembers of one store: epoch, number and nonce, and what it has of each account.
type Memory = [(u64, u64, u64, [u64; 4]); 3];

fn kind(which: u8, time: u64) -> Kind {
    match which {
        0 => Kind::Forever,
        1 => Kind::Calendar { id: 7, start: time - 3_600_000_000_000, end: time + 3_600_000_000_000 },
        _ => Kind::Rolling { ns: 3_600_000_000_000 },
    }
}

/// The first lives of two runs, and later ones of the first.
fn life(which: u8) -> Life {
    match which {
        0 | 1 => Life { origin: 10 - u128::from(which), holder: 10 - u128::from(which), number: 0 },
        _ => Life { origin: 10, holder: 10 + u128::from(which % 3), number: u64::from(which / 3) },
    }
}

/// Does a step on one store; what it answered, without what differs from store to store by nature.
fn act(
    store: &mut dyn Store,
    memory: &mut Memory,
    step: &Step,
    number: usize,
    base: u128,
    time: u64,
) -> String {
    let name = |account: u8| format!("{base:x}-{account}");
    let order =
        |operation| Order { id: format!("{base:x}-{number}"), who: "a".into(), why: "b".into(), operation };
    match step {
        Step::Ask(node, account, window, need, more, reported, back, grant, closing, how) => {
            // An account always has the same kind of window.
            let window = (*account).min(2).min(*window + 2);
            let mine = &mut memory[usize::from(*node)];
            let mut one = item(&name(*account), 300, *need, need + more);
            one.kind = kind(window, time);
            // Now and then a node says more than it has, which is refused.
            let own = &mut mine.3[usize::from(*account)];
            let reported = if *how == 5 { *reported } else { (*reported).min(*own) };
            let back = if *how == 6 { *back } else { (*back).min(own.saturating_sub(reported)) };
            one.reported = if reported > 0 { vec![(0, reported)] } else { Vec::new() };
            (one.give_back, one.closing) = (back, *closing);
            one.grant = grant.then_some((10, 3));
            let mut request = Request {
                node: base + u128::from(*node),
                epoch: mine.0,
                seq: mine.1 + 1,
                seen: mine.2,
                wall: time,
                closing: false,
                items: vec![one],
                claims: Vec::new(),
                more: false,
            };
            match how {
                1 => request.seq = mine.1.max(1),
                2 => request.seq = mine.1.saturating_sub(2).max(1),
                3 => request.seen ^= 1,
                4 => {
                    let claim = Claim {
                        account: request.items[0].account.clone(),
                        kind: request.items[0].kind,
                        granted: *need + 20,
                        reported: reported.min(20),
                    };
                    (request.items, request.claims, request.seen) = (Vec::new(), vec![claim], 0);
                }
                _ => {}
            }
            let reply = store.apply(&request).expect("it answers");
            match &reply {
                Reply::Done { seq, nonce, epoch, items, .. } => {
                    let own = &mut mine.3;
                    let now = &mut own[usize::from(*account)];
                    if *seq > mine.1 && !items.is_empty() {
                        *now = (*now + items[0].granted).saturating_sub(reported + back);
                    }
                    (mine.0, mine.1, mine.2) = (*epoch, *seq, *nonce);
                }
                Reply::Reassert { epoch, seq } => (mine.0, mine.1) = (*epoch, *seq),
                _ => {}
            }
            match reply {
                Reply::Done { seq, epoch, items, .. } => format!("done {seq} {epoch} {items:?}"),
                Reply::Clock { seq, .. } => format!("clock {seq}"),
                other => format!("{other:?}"),
            }
        }
        Step::Adjust(account, delta) => {
            let operation = Operation::Adjust { account: common::account(&name(*account)), delta: *delta };
            format!("{:?}", store.operate(&order(operation)))
        }
        Step::Pin(account, max) => {
            let operation = Operation::Pin { account: common::account(&name(*account)), max: *max };
            format!("{:?}", store.operate(&order(operation)))
        }
        Step::Restarted => format!("{:?}", store.operate(&order(Operation::Restarted))),
        Step::Park(run, which, state) => {
            let luggage = Luggage { state: vec![*state], host: vec![*run] };
            let ask = |request| Ask {
                request: u64::from(request),
                bound: [request; 32],
                is_question: request == 1,
                left: 3_600_000_000_000,
                shown: vec![request],
            };
            let asks: Vec<_> = (0..*state * 2).map(ask).collect();
            format!("{:?}", store.park(&format!("r{run}"), [0; 32], life(*which), &luggage, &asks))
        }
        Step::Claim(run, holder, digest) => {
            match store.claim(&format!("r{run}"), [*digest; 32], 10 + u128::from(*holder)) {
                // The stores' clocks differ.
                Ok(Claimed::Yours(life, luggage, _, answers)) => {
                    let words: Vec<_> = answers.into_iter().map(|it| (it.request, it.word)).collect();
                    format!("Yours {life:?} {luggage:?} {words:?}")
                }
                Ok(Claimed::Others(_)) => "others".to_owned(),
                Ok(Claimed::Ended(_)) => "ended".to_owned(),
                other => format!("{other:?}"),
            }
        }
        Step::Finish(run, which) => format!("{:?}", store.finish(&format!("r{run}"), life(*which))),
        Step::DropRun(run) => {
            let operation = Operation::DropRun { run: format!("r{run}") };
            format!("{:?}", store.operate(&order(operation)))
        }
        Step::Answer(run, request, word) => {
            let word =
                [Word::Approve, Word::Reject, Word::Text("Rome".to_owned())][usize::from(*word)].clone();
            let operation = Operation::Answer { run: format!("r{run}"), request: u64::from(*request), word };
            match store.operate(&order(operation)) {
                Ok(Operated::Answered(given)) => format!("answered {:?}", given.word),
                other => format!("{other:?}"),
            }
        }
        Step::Append(node, number) => {
            let records: Vec<_> = (1..=*number).map(|n| (n, record("run", n))).collect();
            format!("{:?}", store.append(base + u128::from(*node), &records))
        }
    }
}

#[test]
fn the_same_requests_get_the_same_answers_everywhere() {
    let Some(server) = Server::durable() else { return };
    let folder = Folder::new("same");
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let figures = std::cell::Cell::new((0_usize, 0_usize));
    let resumed = std::cell::Cell::new(0_usize);
    let case = std::cell::Cell::new(0_u128);
    let result = runner.run(&proptest::collection::vec(step(), 1..40), |steps| {
        case.set(case.get() + 1);
        let time = wall();
        let mut stores: Vec<Box<dyn Store>> = vec![
            Box::new(MemoryStore::new()),
            open(&folder.url(&format!("{}.db", case.get()))),
            open(&format!("{}?namespace=n{}", server.url(), case.get())),
        ];
        for store in &mut stores {
            store.create().expect("a ledger");
        }
        let mut memories: [Memory; 3] = Default::default();
        for (number, step) in steps.iter().enumerate() {
            let said: Vec<String> = stores
                .iter_mut()
                .zip(&mut memories)
                .map(|(store, memory)| act(store.as_mut(), memory, step, number, case.get() << 8, time))
                .collect();
            prop_assert_eq!(&said[0], &said[1], "SQLite, step {}: {:?}", number, step);
            prop_assert_eq!(&said[0], &said[2], "Redis, step {}: {:?}", number, step);
            let (answers, granted) = figures.get();
            let got = usize::from(said[0].starts_with("done") && !said[0].contains("granted: 0"));
            figures.set((answers + 1, granted + got));
            resumed.set(resumed.get() + usize::from(said[0].contains("Yours")));
        }
        let rows: Vec<Vec<String>> = stores
            .iter_mut()
            .map(|store| store.scan("").expect("rows").1.iter().map(|(key, _)| key.to_string()).collect())
            .collect();
        prop_assert_eq!(&rows[0], &rows[1]);
        prop_assert_eq!(&rows[0], &rows[2]);
        let records: Vec<_> = stores
            .iter_mut()
            .map(|store| {
                let mut found = common::exported(store.as_mut());
                found.sort_unstable();
                found
            })
            .collect();
        prop_assert_eq!(&records[0], &records[1]);
        prop_assert_eq!(&records[0], &records[2]);
        Ok(())
    });
    result.expect("the stores agree");
    let (answers, granted) = figures.get();
    let resumed = resumed.get();
    println!("{answers} steps, {granted} with something granted, {resumed} runs resumed");
    assert!(granted > 30 && resumed > 3, "{granted}, {resumed}");
}
