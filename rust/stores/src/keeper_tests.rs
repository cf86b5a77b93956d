//! A keeper that always has something to do still does everything else.

use policy_core::books::{Failure, Terms, WindowKind};
use policy_core::store::{AccountKey, RowKey};

use super::*;
use crate::record::tests::record;
use crate::record::{Record, Stored};
use crate::session::Session;
use crate::store::{Change, Scanned};

const SECONDS: Duration = Duration::from_secs(10);

/// A slow store; with each answer there is as much to do as before.
#[derive(Debug)]
struct Busy {
    store: crate::memory::MemoryStore,
    session: Arc<Session>,
    /// Records that come while some are carried.
    more: usize,
    /// Between request and answer.
    slow: Duration,
}

impl Store for Busy {
    fn kind(&self) -> &'static str {
        "busy"
    }

    fn place(&self) -> String {
        "busy".to_owned()
    }

    fn transact(&mut self, keys: Vec<RowKey>, change: Change<'_>) -> Result<(), StoreError> {
        clock::pause(self.slow);
        self.store.transact(keys, change)
    }

    fn scan(&mut self, prefix: &str) -> Result<Scanned, StoreError> {
        self.store.scan(prefix)
    }

    fn append(&mut self, _: u128, _: &[(u64, Record)]) -> Result<(), StoreError> {
        for _ in 0..self.more {
            self.session.recorder.push(record())?;
        }
        Ok(())
    }

    fn export(&mut self, _: &mut dyn FnMut(Stored) -> bool) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A keeper at work with a store that leaves it no rest.
fn begin(more: usize, slow: Duration) -> Arc<Session> {
    let now = policy_core::Now { mono: 1, wall: clock::wall() };
    let Ok(session) = Session::leased(now, None).map(Arc::new) else { panic!("a session") };
    let mut store = crate::memory::MemoryStore::new();
    assert_eq!(store.create(), Ok(true));
    assert_eq!(session.recorder.push(record()), Ok(true));
    let store = Busy { store, session: Arc::clone(&session), more, slow };
    let keeper = Keeper {
        session: Arc::clone(&session),
        place: Place::Memory,
        folder: PathBuf::from("/nowhere"),
        store: Some(Box::new(store)),
        records: Pace::default(),
        errands: None,
    };
    std::thread::spawn(|| keeper.run());
    session
}

/// One more account that wants something now.
fn want(session: &Session, number: u64) {
    let key = AccountKey::new("user", &number.to_string(), "per user", "cost", "");
    let Some(key) = key else { panic!("a name") };
    let terms = Terms { max: 1000, window: WindowKind::Forever, failure: Failure::Spend };
    let now = session.clock.now();
    let mut books = session.books();
    let id = books.open(&key, &terms, true, now);
    books.need(id, 10);
    drop(books);
    session.wake();
    clock::pause(Duration::from_millis(1));
}

#[test]
fn records_without_end_keep_nobody_from_leasing_or_ending() {
    for wish in [Wish::Halt, Wish::Close(clock::instant().checked_add(Duration::from_millis(300)))] {
        let session = begin(2 * GROUP, Duration::ZERO);
        want(&session, 0);
        let until = clock::instant() + SECONDS;
        while session.round_trips.load(Ordering::Relaxed) == 0 {
            assert!(clock::instant() < until, "the books have their turn");
            clock::pause(Duration::from_millis(1));
        }
        session.wish(wish);
        assert_eq!(session.await_end(SECONDS), Some(false), "{wish:?}");
    }
}

#[test]
fn leasing_without_end_keeps_nobody_from_carrying_or_ending() {
    let session = begin(0, Duration::from_millis(120));
    let (until, mut number) = (clock::instant() + SECONDS, 0);
    while session.recorder.oldest().is_some() || session.round_trips.load(Ordering::Relaxed) < 8 {
        number += 1;
        want(&session, number);
        assert!(clock::instant() < until, "the record has its turn");
        clock::pause(Duration::from_millis(1));
    }
    session.wish(Wish::Halt);
    let halted = std::thread::scope(|scope| {
        let halted = scope.spawn(|| session.await_end(Duration::from_secs(1)));
        while !halted.is_finished() {
            number += 1;
            want(&session, number);
        }
        halted.join()
    });
    assert_eq!(halted.ok().flatten(), Some(false), "one request at most is waited for");
}

#[test]
fn clocks_that_are_apart_are_said_with_how_far_and_in_which_direction() {
    let hour = 3_600_000_000_000;
    let told = |now| trouble(&Reply::Clock { seq: 1, now }, &Place::Memory).map(|error| error.message);
    let ahead = told(clock::wall().saturating_add(2 * hour + 30_000_000_000)).unwrap_or_default();
    assert!(ahead.contains("120 minutes ahead of") && ahead.contains("docs/ledger.md"), "{ahead}");
    let behind = told(clock::wall().saturating_sub(hour)).unwrap_or_default();
    assert!(behind.contains("60 minutes behind"), "{behind}");
}
