//! A fork while a ledger is open: the child is another node that has nothing, and harms nothing of its
//! parent's.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "these are tests: what goes wrong here fails one"
)]
#![expect(unsafe_code, reason = "there is no other way to fork")]

mod common;

use std::time::Duration;

use checkrein_stores::{ErrorKind, Ledger, Options};
use common::{Folder, account, exported, now, open, record, until};
use policy_core::books::{Failure, Room, Terms, WindowKind};
use policy_core::store::{RowKey, Shown};

const SECONDS: Duration = Duration::from_secs(10);

/// Spends until there is no room, at most `most`; what was spent.
fn spend(ledger: &Ledger, most: u64) -> u64 {
    let terms = Terms { max: 10_000, window: WindowKind::Forever, failure: Failure::Spend };
    let books = ledger.books();
    let id = books.lock().expect("no panic").open(&account("a"), &terms, true, now());
    let mut spent = 0;
    while spent < most {
        let mut fits = false;
        until("there is room, or there is none", || {
            let mut books = books.lock().expect("no panic");
            match books.room(id, 10, 0, now()) {
                Room::Fits => {
                    let window = books.take(id, 10, now());
                    books.settle(id, window, 10, 10, now());
                    fits = true;
                    true
                }
                Room::Full => true,
                Room::Held | Room::Leased => {
                    books.need(id, 10);
                    drop(books);
                    ledger.wake();
                    false
                }
            }
        });
        if !fits {
            break;
        }
        spent += 10;
        ledger.record(record("run", spent)).expect("it is kept");
    }
    spent
}

/// Forks; the child runs `act` and ends with its code. Gives the code.
fn fork(act: impl FnOnce() -> i32, meanwhile: impl FnOnce()) -> i32 {
    // SAFETY: the child has this thread alone. No other thread of this test holds a lock of the allocator's
    // or of the ledger's: the keeper was ended before, or (in the test of that) is asleep in its own lock,
    // which the child never takes.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "the process forks");
    if child == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).unwrap_or(99);
        // SAFETY: ends the child at once, without the parent's clean-up.
        unsafe { libc::_exit(code) }
    }
    meanwhile();
    let mut status = 0;
    // SAFETY: waits for our own child; `status` lives long enough.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "the child ended by itself: {status}");
    libc::WEXITSTATUS(status)
}

#[test]
fn a_child_is_another_node() {
    let folder = Folder::new("fork");
    let url = folder.url("ledger.db");
    let ledger = Ledger::open(&url, Options { durable: true, now: now() }).expect("it opens");
    let mut spent = spend(&ledger, 1000);
    let node = ledger.health().node;

    ledger.before_fork();
    let in_child = || {
        ledger.after_fork(true, now()).expect("it begins anew");
        assert_ne!(ledger.health().node, node);
        let spent = spend(&ledger, 2000);
        assert!(ledger.flush(SECONDS) && ledger.close(SECONDS), "{:?}", ledger.health());
        if spent == 2000 { 0 } else { 1 }
    };
    let code = fork(in_child, || {
        ledger.after_fork(false, now()).expect("it goes on");
        ledger.after_fork(false, now()).expect("a second handle does it again");
        spent += spend(&ledger, 3000);
    });
    assert_eq!(code, 0, "what the child found");
    assert_eq!(ledger.health().node, node);
    spent += spend(&ledger, u64::MAX);
    assert_eq!(spent + 2000, 10_000, "all is spent, and no more");
    assert!(ledger.close(SECONDS), "{:?}", ledger.health());

    let mut store = open(&url);
    let shown = store.show(RowKey::ACCOUNTS).expect("it can be read");
    let Some(Shown::Account { windows, .. }) = shown.first() else { panic!("an account") };
    assert_eq!(windows.last().map(|window| (window.spent, window.leased)), Some((10_000, 0)));
    assert_eq!(exported(store.as_mut()).len(), 1000);
    drop(store);

    // Somebody forks behind our back: the child must not open what its parent has open.
    let ledger = Ledger::open(&url, Options { durable: false, now: now() }).expect("it opens");
    until("the keeper is at rest", || ledger.flush(SECONDS));
    let code = fork(
        || match checkrein_stores::open_store(&url, false) {
            Err(error) if error.kind == ErrorKind::Forked => 0,
            other => {
                eprintln!("{other:?}");
                1
            }
        },
        || (),
    );
    assert_eq!(code, 0, "the child may not open the file");
    assert!(ledger.close(SECONDS), "{:?}", ledger.health());
}
