//! The part of `scripts/crash.py` that is killed, and the part that counts afterwards.
//!
//! `worker URL FOLDER NAME`: spends from accounts as fast as it can until the file `stop` is there. Before it
//! settles an attempt it writes what it billed to its truth file, and after the ledger took the record it
//! writes that too.
//! `check URL FOLDER`: compares the truth with the ledger. `measure URL`: how fast decisions are.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for tests: what goes wrong ends it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use checkrein_stores::{Ledger, Options, Record, UsageKind, open_store};
use policy_core::Now;
use policy_core::books::{AccountId, Failure, Room, Terms, WindowKind};
use policy_core::store::{AccountKey, RowKey, Shown};

/// What one account may spend for ever, and what all may in any two seconds.
const MAX: u64 = 2_000_000;
const PER_PERIOD: u64 = 1_500_000;
const PERIOD: u64 = 2_000_000_000;
/// The limit over a period gets another account as often as this: what killed processes had leased of it
/// comes back much later than that.
const RENEWED: u64 = 10_000_000_000;
/// A line of truth: what happened, run, attempt, account, amount, time.
const LINE: usize = 40;
const BILLED: u32 = 1;
const ACKNOWLEDGED: u32 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["worker", url, folder, name] => worker(url, Path::new(folder), name),
        ["check", url, folder] => return check(url, Path::new(folder)),
        ["measure", url] => measure(url),
        ["init", url] => {
            open_store(url, true).and_then(|mut store| store.create()).expect("a ledger is made");
        }
        _ => panic!("worker URL FOLDER NAME | check URL FOLDER | measure URL | init URL"),
    }
    ExitCode::SUCCESS
}

fn wall() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_nanos()).expect("before 2500")
}

#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Now {
        Now { mono: 1 + u64::try_from(self.0.elapsed().as_nanos()).expect("a short run"), wall: wall() }
    }
}

/// Numbers that are random enough to vary amounts.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + self.0 % most
    }
}

fn forever(max: u64) -> Terms {
    Terms { max, window: WindowKind::Forever, failure: Failure::Spend }
}

fn key(user: u64) -> AccountKey {
    AccountKey::new("user", &user.to_string(), "per user", "cost", "").expect("a name")
}

struct Worker {
    ledger: Ledger,
    clock: Clock,
    truth: File,
    run: u64,
}

impl Worker {
    fn open(&self, user: u64) -> AccountId {
        self.ledger.books().lock().expect("no panic").open(&key(user), &forever(MAX), true, self.clock.now())
    }

    /// What all share now, and its number.
    fn open_all(&self) -> (u64, AccountId) {
        let number = wall() / RENEWED;
        let terms =
            Terms { max: PER_PERIOD, window: WindowKind::Rolling { ns: PERIOD }, failure: Failure::Spend };
        let all = AccountKey::new("org", &number.to_string(), "burst", "cost", "rolling 2000000000");
        let books = self.ledger.books();
        let id = books.lock().expect("no panic").open(&all.expect("a name"), &terms, true, self.clock.now());
        (number, id)
    }

    fn tell(&mut self, what: u32, attempt: u32, account: u64, amount: u64) {
        let mut line = [0_u8; LINE];
        line[..4].copy_from_slice(&what.to_le_bytes());
        line[4..8].copy_from_slice(&attempt.to_le_bytes());
        line[8..16].copy_from_slice(&self.run.to_le_bytes());
        line[16..24].copy_from_slice(&account.to_le_bytes());
        line[24..32].copy_from_slice(&amount.to_le_bytes());
        line[32..40].copy_from_slice(&wall().to_le_bytes());
        self.truth.write_all(&line).expect("the truth is written");
    }

    /// The least room of both accounts for an amount; what is short is asked for.
    fn room(&self, ids: [AccountId; 2], amount: u64) -> Room {
        let books = self.ledger.books();
        let mut books = books.lock().expect("no panic");
        let now = self.clock.now();
        let rooms = ids.map(|id| books.room(id, amount, 0, now));
        for (id, room) in ids.into_iter().zip(rooms) {
            if room == Room::Leased {
                books.need(id, amount);
            }
        }
        // An account that is full is left for the next; a full period passes.
        if rooms[0] == Room::Full { Room::Full } else { rooms[0].max(rooms[1].min(Room::Leased)) }
    }

    fn call(&mut self, ids: [AccountId; 2], account: u64, attempt: u32, hold: u64, used: u64) {
        let books = self.ledger.books();
        let windows = ids.map(|id| books.lock().expect("no panic").take(id, hold, self.clock.now()));
        self.tell(BILLED, attempt, account, used);
        for (id, window) in ids.into_iter().zip(windows) {
            books.lock().expect("no panic").settle(id, window, hold, used, self.clock.now());
        }
        if self.ledger.record(record(self.run, attempt, used)).is_ok() {
            self.tell(ACKNOWLEDGED, attempt, account, used);
        }
    }
}

fn record(run: u64, attempt: u32, cost: u64) -> Record {
    Record {
        run: format!("{run:016x}"),
        attempt: u64::from(attempt),
        wall: wall(),
        digest: [7; 8],
        name: "large".to_owned(),
        is_tool: false,
        usage: UsageKind::Exact,
        input: 1000,
        output: 500,
        cache_read: 0,
        cache_write: 0,
        reasoning: 0,
        tokens: 1500,
        cost,
        prices: String::new(),
    }
}

/// Opens the ledger, which another process or a restarting server may hold for a moment.
fn open(url: &str, durable: bool, clock: Clock) -> Ledger {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match Ledger::open(url, Options { durable, now: clock.now() }) {
            Ok(ledger) => return ledger,
            Err(error) => {
                let passes = ["away", "locked"].contains(&error.kind.as_str());
                assert!(passes && Instant::now() < deadline, "{error}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn worker(url: &str, folder: &Path, name: &str) {
    let clock = Clock(Instant::now());
    let truth = OpenOptions::new().create(true).append(true).open(folder.join(format!("truth-{name}")));
    let run = wall() ^ (u64::from(std::process::id()) << 40);
    let mut worker = Worker { ledger: open(url, true, clock), clock, truth: truth.expect("the truth"), run };
    let (mut number, mut all) = worker.open_all();
    let (mut user, mut attempt, mut dice) = (first_open(folder), 0_u32, Dice(run | 1));
    let mut id = worker.open(user);
    let mut waits = 0;
    let stop = folder.join("stop");
    loop {
        if wall() / RENEWED != number {
            worker.ledger.books().lock().expect("no panic").close(all);
            (number, all) = worker.open_all();
        }
        let hold = dice.roll(100);
        match worker.room([id, all], hold) {
            Room::Fits if worker.ledger.ready().is_ok() => {
                (attempt, waits) = (attempt + 1, 0);
                let account = (number << 24) | user;
                worker.call([id, all], account, attempt, hold, dice.roll(hold));
            }
            // What is left may be leased to processes that were killed: nobody gives that back.
            room if room == Room::Full || waits > 100 => {
                waits = 0;
                worker.ledger.books().lock().expect("no panic").close(id);
                let _ = fs::write(folder.join(format!("full-{user}")), b"");
                user += 1;
                id = worker.open(user);
            }
            _ => {
                worker.ledger.wake();
                waits += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        if attempt % 64 == 0 && stop.exists() {
            break;
        }
    }
    assert!(worker.ledger.close(Duration::from_secs(30)), "{:?}", worker.ledger.health());
}

/// The first account that nobody found full.
fn first_open(folder: &Path) -> u64 {
    (0..).find(|user| !folder.join(format!("full-{user}")).exists()).expect("there are many")
}

#[derive(Default)]
struct Truth {
    calls: u64,
    billed: BTreeMap<u64, u64>,
    times: BTreeMap<u64, Vec<(u64, u64)>>,
    acknowledged: BTreeSet<(u64, u32)>,
}

fn read_truth(folder: &Path) -> Truth {
    let mut truth = Truth::default();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("truth-")) {
            continue;
        }
        for line in fs::read(path).expect("the truth").chunks_exact(LINE) {
            let number = |at: usize| u64::from_le_bytes(line[at..at + 8].try_into().expect("8 bytes"));
            let word = |at: usize| u32::from_le_bytes(line[at..at + 4].try_into().expect("4 bytes"));
            if word(0) == BILLED {
                truth.calls += 1;
                *truth.billed.entry(number(16) & 0xff_ffff).or_default() += number(24);
                truth.times.entry(number(16) >> 24).or_default().push((number(32), number(24)));
            } else {
                truth.acknowledged.insert((number(8), word(4)));
            }
        }
    }
    truth
}

/// The most that was billed in any period: what a rolling limit bounds.
fn most_in_a_period(times: &mut [(u64, u64)]) -> u64 {
    times.sort_unstable();
    let (mut first, mut sum, mut most) = (0, 0, 0);
    for next in 0..times.len() {
        sum += times[next].1;
        while times[next].0 - times[first].0 > PERIOD {
            sum -= times[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

fn check(url: &str, folder: &Path) -> ExitCode {
    // One more process, which brings in what the dead left behind.
    let ledger = open(url, true, Clock(Instant::now()));
    let deadline = Instant::now() + Duration::from_secs(60);
    while journals(folder) > 1 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ledger.close(Duration::from_secs(30)), "{:?}", ledger.health());
    let mut truth = read_truth(folder);
    let mut store = open_store(url, false).expect("the ledger opens");
    let (mut stored, mut twice) = (BTreeSet::new(), 0_u64);
    let export = store.export(&mut |found| {
        let run = u64::from_str_radix(&found.record.run, 16).expect("a run");
        let attempt = u32::try_from(found.record.attempt).expect("an attempt");
        twice += u64::from(!stored.insert((run, attempt)));
        true
    });
    export.expect("the records can be read");
    let lost = truth.acknowledged.difference(&stored).count();
    let overspent: u64 = truth.billed.values().map(|billed| billed.saturating_sub(MAX)).sum();
    let uncounted: u64 = uncounted(&truth, &store.show(RowKey::ACCOUNTS).expect("the accounts can be read"));
    let most = truth.times.values_mut().map(|times| most_in_a_period(times)).max().unwrap_or(0);
    let billed: u64 = truth.billed.values().sum();
    println!("calls {}", truth.calls);
    println!("accounts {}", truth.billed.len());
    println!("billed {billed} of {}", MAX * truth.billed.len() as u64);
    println!("overspent {overspent}");
    println!("most in 2 s {most} of {PER_PERIOD}");
    println!("billed and not counted {uncounted}");
    println!("acknowledged {} stored {} lost {lost} twice {twice}", truth.acknowledged.len(), stored.len());
    let well = overspent == 0 && most <= PER_PERIOD && uncounted == 0 && lost == 0 && twice == 0;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn journals(folder: &Path) -> usize {
    let folders = [folder.join("ledger.db-records"), folder.join(".checkrein")];
    let count = |path: &Path| -> usize {
        fs::read_dir(path).map_or(0, |entries| {
            entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "journal")).count()
        })
    };
    let below = fs::read_dir(&folders[1]).map(|d| d.flatten().map(|e| count(&e.path())).sum()).unwrap_or(0);
    count(&folders[0]).max(below)
}

/// What was billed beyond what the ledger says is spent or leased.
fn uncounted(truth: &Truth, shown: &[Shown]) -> u64 {
    let mut counted = BTreeMap::new();
    for shown in shown {
        if let Shown::Account { account, windows, .. } = shown
            && let (["user", id, ..], Some(window)) = (account.parts(), windows.last())
        {
            counted.insert(id.parse::<u64>().expect("a user"), window.spent + window.leased);
        }
    }
    truth.billed.iter().map(|(user, billed)| billed.saturating_sub(*counted.get(user).unwrap_or(&0))).sum()
}

fn measure(url: &str) {
    for durable in [false, true] {
        let clock = Clock(Instant::now());
        let ledger = open(url, durable, clock);
        let ids: Vec<AccountId> = (0..4)
            .map(|n| {
                let books = ledger.books();
                let mut books = books.lock().expect("no panic");
                let name = AccountKey::new("team", &format!("{n}-{durable}"), "measured", "cost", "");
                books.open(&name.expect("a name"), &forever(1 << 50), true, clock.now())
            })
            .collect();
        let (mut times, mut attempt, mut waits) = (Vec::with_capacity(4_000_000), 0_u32, 0_u64);
        let end = Instant::now() + Duration::from_secs(5);
        let before = ledger.health().round_trips;
        while Instant::now() < end {
            let books = ledger.books();
            let now = clock.now();
            let mut locked = books.lock().expect("no panic");
            if ledger.ready().is_err() || ids.iter().any(|id| locked.room(*id, 10, 0, now) != Room::Fits) {
                ids.iter().for_each(|id| locked.need(*id, 10));
                drop(locked);
                ledger.wake();
                waits += 1;
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            drop(locked);
            attempt += 1;
            let begin = Instant::now();
            let mut locked = books.lock().expect("no panic");
            let windows: [_; 4] = std::array::from_fn(|i| locked.take(ids[i], 10, now));
            ids.iter().zip(windows).for_each(|(id, window)| locked.settle(*id, window, 10, 7, now));
            drop(locked);
            if durable {
                ledger.record(record(1, attempt, 7)).expect("there is room");
            }
            times.push(begin.elapsed().as_nanos());
        }
        let trips = ledger.health().round_trips - before;
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 1000];
        println!(
            "journal {durable}: take+settle of 4 accounts p50 {} ns, p99 {} ns; {attempt} decisions on \
             {trips} \
             round trips ({} each), {waits} waits",
            at(500),
            at(990),
            u64::from(attempt) / trips.max(1)
        );
        assert!(ledger.close(Duration::from_secs(30)));
    }
}
