//! What the books cost a decision: `cargo test --release -p policy_core --test books_speed -- --ignored
//! --nocapture`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures, and says what it measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use policy_core::Now;
use policy_core::books::{AccountId, Books, Failure, Period, Room, Terms, WindowKind, Zone};
use policy_core::store::{AccountKey, Answer, Reply};

const BLOCK: u32 = 10_000;
const BLOCKS: u64 = 300;

fn measure(name: &str, books: &mut Books, ids: &[AccountId]) {
    let mut times: Vec<u128> = (0..BLOCKS).map(|block| decide(books, ids, block)).collect();
    times.sort_unstable();
    let each = |nanos: u128| nanos / u128::from(BLOCK);
    let (least, middle) = (each(times[0]), each(times[times.len() / 2]));
    println!("{name}: {least} ns, mostly {middle} ns for room, take and settle of four accounts");
}

/// One block.
fn decide(books: &mut Books, ids: &[AccountId], block: u64) -> u128 {
    let start = Instant::now();
    for round in 0..u64::from(BLOCK) {
        let nanos = (block * u64::from(BLOCK) + round) * 1_000;
        let now = Now { mono: nanos, wall: nanos };
        for id in ids {
            assert_eq!(books.room(*id, 10, 0, now), Room::Fits);
        }
        let windows = [0, 1, 2, 3].map(|place| books.take(ids[place], 10, now));
        for (id, window) in ids.iter().zip(black_box(windows)) {
            books.settle(*id, window, 10, 3, now);
        }
    }
    start.elapsed().as_nanos()
}

#[test]
#[ignore = "measures"]
fn four_local_accounts() {
    let hourly = WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) };
    for (name, window) in [
        ("for ever", WindowKind::Forever),
        ("each hour", hourly),
        ("rolling", WindowKind::Rolling { ns: 60_000_000_000 }),
    ] {
        let terms = Terms { max: 1 << 53, window, failure: Failure::Spend };
        let mut books = Books::local();
        let open = |number: u64| {
            let key = AccountKey::new("user", &number.to_string(), "limit", "cost", "").unwrap();
            books.open(&key, &terms, false, Now::default())
        };
        let ids = [0, 1, 2, 3].map(open);
        measure(name, &mut books, &ids);
    }
}

#[test]
#[ignore = "measures"]
fn four_leased_accounts() {
    let terms = Terms { max: 1 << 53, window: WindowKind::Forever, failure: Failure::Spend };
    let mut books = Books::leased(1, Now::default());
    let ids = [0, 1, 2, 3].map(|number: u64| {
        let key = AccountKey::new("user", &number.to_string(), "limit", "cost", "").unwrap();
        let id = books.open(&key, &terms, true, Now::default());
        books.need(id, 10);
        id
    });
    let request = books.poll(Now::default()).unwrap();
    let answer = Answer { granted: 1 << 50, max: 1 << 53, leased: 1 << 50, ..Answer::default() };
    let items = request.items.iter().map(|_| answer).collect();
    let reply = Reply::Done { seq: request.seq, nonce: 1, epoch: 1, now: 0, items };
    books.reply(Now::default(), &reply);
    measure("leased", &mut books, &ids);
}
