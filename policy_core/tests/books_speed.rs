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
use policy_core::store::AccountKey;

const ROUNDS: u64 = 2_000_000;

fn measure(name: &str, books: &mut Books, ids: &[AccountId]) {
    let start = Instant::now();
    for round in 0..ROUNDS {
        let now = Now { mono: round * 1_000, wall: round * 1_000 };
        for id in ids {
            assert_eq!(books.room(*id, 10, 0, now), Room::Fits);
        }
        let windows = [0, 1, 2, 3].map(|place| books.take(ids[place], 10, now));
        for (id, window) in ids.iter().zip(black_box(windows)) {
            books.settle(*id, window, 10, 3, now);
        }
    }
    let each = start.elapsed().as_nanos() / u128::from(ROUNDS);
    println!("{name}: {each} ns for room, take and settle of four accounts");
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
