//! What decides, in the ways that are measured: books alone, a ledger with its keeper, the whole engine.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use checkrein_stores::{Ledger, MemoryStore, Record, Store as _, UsageKind};
use policy_core::books::{AccountId, Books, Failure, Room, Terms, Window, WindowKind};
use policy_core::store::AccountKey;
use policy_core::{Decision, ModelCall, Now, Program, Run, Scopes, Slot, Usage};

use crate::{Folder, LONG, now};

/// What a call may cost at most, and what it cost.
const HOLD: u64 = 10;
const USED: u64 = 4;
pub(crate) const WIDE: u64 = 1 << 52;

pub(crate) fn key(scope: &str, id: u64) -> AccountKey {
    AccountKey::new(scope, &format!("id-{id:09}"), "limit", "cost", "").expect("a name")
}

pub(crate) const fn terms(max: u64) -> Terms {
    Terms { max, window: WindowKind::Forever, failure: Failure::Spend }
}

/// A run's account and those of its session, user and organisation.
pub(crate) fn four(books: &mut Books, of: u64, max: u64) -> [AccountId; 4] {
    let now = now();
    let run = books.open_own(&terms(max), now);
    let [session, user, org] =
        ["session", "user", "org"].map(|scope| books.open(&key(scope, of), &terms(max), true, now));
    [run, session, user, org]
}

pub(crate) fn reserve(books: &mut Books, ids: &[AccountId; 4], now: Now) -> Result<[Window; 4], Room> {
    let rooms = ids.map(|id| books.room(id, HOLD, 0, now));
    match rooms.into_iter().max() {
        Some(Room::Fits) | None => Ok(ids.map(|id| books.take(id, HOLD, now))),
        Some(room) => {
            ids.iter().zip(rooms).for_each(|(id, room)| {
                if room == Room::Leased {
                    books.need(*id, HOLD);
                }
            });
            Err(room)
        }
    }
}

pub(crate) fn settle(books: &mut Books, ids: &[AccountId; 4], windows: [Window; 4], now: Now) {
    for (id, window) in ids.iter().zip(windows) {
        books.settle(*id, window, HOLD, USED, now);
    }
}

/// As the binding writes one, texts and all.
pub(crate) fn record(attempt: u64) -> Record {
    Record {
        run: "5f0c7b8e9a1d4c3fb2a6e0d718f4935c".to_owned(),
        attempt,
        wall: 1_795_000_000_000_000_000,
        digest: *b"measured",
        name: "large".to_owned(),
        is_tool: false,
        usage: UsageKind::Exact,
        input: 800,
        output: 120,
        cache_read: 0,
        cache_write: 0,
        reasoning: 0,
        tokens: 920,
        cost: USED,
        prices: String::new(),
    }
}

/// Something that decides.
pub(crate) trait Contender {
    fn name(&self) -> &'static str;
    /// Other accounts, of this bound.
    fn renew(&mut self, max: u64);
    /// One reserve and settle.
    fn decide(&mut self, now: Now) -> Result<(), Room>;
    /// What another thread does meanwhile.
    fn pump(&mut self, all: bool);
}

/// Books without a lock and a keeper.
pub(crate) struct Bare {
    name: &'static str,
    books: Books,
    store: MemoryStore,
    ids: [AccountId; 4],
    opened: u64,
    /// Only looks for room: the first third of the work.
    looks: bool,
}

impl Bare {
    pub(crate) fn new(name: &'static str, mut books: Books, looks: bool) -> Self {
        let mut store = MemoryStore::new();
        store.create().expect("it is made");
        let ids = four(&mut books, 0, WIDE);
        Self { name, books, store, ids, opened: 0, looks }
    }
}

impl Contender for Bare {
    fn name(&self) -> &'static str {
        self.name
    }

    fn renew(&mut self, max: u64) {
        self.opened += 1;
        self.ids = four(&mut self.books, self.opened, max);
    }

    fn decide(&mut self, now: Now) -> Result<(), Room> {
        if self.looks {
            black_box(self.ids.map(|id| self.books.room(id, HOLD, 0, now)));
            return Ok(());
        }
        let windows = black_box(reserve(&mut self.books, &self.ids, now)?);
        settle(&mut self.books, &self.ids, windows, now);
        Ok(())
    }

    fn pump(&mut self, _all: bool) {
        let sent = now();
        while let Some(request) = self.books.poll(sent) {
            let reply = self.store.apply(&request).expect("it answers");
            self.books.reply(now(), &reply);
        }
    }
}

/// A ledger with its lock and its keeper, as the binding uses it.
pub(crate) struct Kept {
    name: &'static str,
    ledger: Ledger,
    books: Arc<Mutex<Books>>,
    ids: [AccountId; 4],
    opened: u64,
    /// A run of the engine that decides, with its program, instead of the books alone.
    engine: Option<Engine>,
    records: Option<u64>,
    _folder: Folder,
}

impl Kept {
    pub(crate) fn new(
        name: &'static str,
        engine: Option<&Arc<Program>>,
        durable: bool,
        records: bool,
    ) -> Self {
        let folder = Folder::new();
        let ledger = folder.ledger(durable);
        let books = ledger.books();
        let ids = four(&mut books.lock().expect("no panic"), 0, WIDE);
        let engine = engine.map(|program| Engine::new(program, &books, 0));
        Self { name, ledger, books, ids, opened: 0, engine, records: records.then_some(0), _folder: folder }
    }
}

impl Contender for Kept {
    fn name(&self) -> &'static str {
        self.name
    }

    fn renew(&mut self, max: u64) {
        self.opened += 1;
        self.ids = four(&mut self.books.lock().expect("no panic"), self.opened, max);
        if let Some(engine) = &mut self.engine {
            *engine = Engine::new(&engine.program, &self.books, self.opened);
        }
    }

    fn decide(&mut self, now: Now) -> Result<(), Room> {
        if let Some(engine) = &mut self.engine {
            engine.decide(&self.books, now)?;
        } else {
            let reserved = reserve(&mut self.books.lock().expect("no panic"), &self.ids, now);
            let windows = black_box(reserved?);
            settle(&mut self.books.lock().expect("no panic"), &self.ids, windows, now);
        }
        if let Some(records) = &mut self.records {
            *records += 1;
            self.ledger.record(record(*records)).expect("there is room");
        }
        Ok(())
    }

    fn pump(&mut self, all: bool) {
        if all {
            assert!(self.ledger.flush(LONG), "the records are in the store");
        } else {
            self.ledger.wake();
            thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Runs that make model calls, one after the other, 1,000 calls each.
pub(crate) struct Engine {
    program: Arc<Program>,
    id: String,
    run: Run,
    calls: u64,
    facts: Vec<Slot<'static>>,
}

impl Engine {
    pub(crate) fn new(program: &Arc<Program>, books: &Mutex<Books>, id: u64) -> Self {
        let id = format!("id-{id:09}");
        let run = begin(program, &id, &mut books.lock().expect("no panic"));
        let facts = vec![Slot::Missing; program.facts().len()];
        Self { program: Arc::clone(program), id, run, calls: 0, facts }
    }

    pub(crate) fn decide(&mut self, books: &Mutex<Books>, now: Now) -> Result<(), Room> {
        self.calls += 1;
        if self.calls.is_multiple_of(1_000) {
            let mut books = books.lock().expect("no panic");
            let mut past = std::mem::replace(&mut self.run, begin(&self.program, &self.id, &mut books));
            past.end(now, &mut books);
            past.release(&mut books);
        }
        let call = ModelCall {
            call: None,
            model: Some("large"),
            input_tokens: 1_000,
            max_output: Some(900),
            facts: &self.facts,
            ..ModelCall::default()
        };
        let mut decided = Decision::new();
        let asked = self.run.model_call(now, &call, &mut books.lock().expect("no panic"), &mut decided);
        asked.expect("a decision");
        let decided = black_box(decided);
        let Some(attempt) = decided.attempt else {
            return Err(if decided.wait_ns.is_some() { Room::Leased } else { Room::Full });
        };
        let used = Usage::exact(800, 120);
        self.run.settle(now, attempt, used, &mut books.lock().expect("no panic")).expect("it is settled");
        Ok(())
    }
}

fn begin(program: &Arc<Program>, id: &str, books: &mut Books) -> Run {
    let scopes = Scopes { session: Some(id), user: Some(id), org: Some(id), ..Scopes::default() };
    Run::new(Arc::clone(program), 1, now(), &scopes, None, books)
}
