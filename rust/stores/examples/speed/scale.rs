//! Many accounts, and a start after many crashes.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use checkrein_stores::{Ledger, Options, open_store};
use policy_core::Now;
use policy_core::books::{AccountId, Books, Room};
use policy_core::store::{Answer, Reply, Request};

use crate::contenders::{WIDE, four, key, record, reserve, settle, terms};
use crate::{LONG, at, nanos, now};

/// Opens so many accounts and spends from each; they stay open, as those of runs that go on. Then every one
/// of them reports, and the lock's share of each request is timed.
pub(crate) fn keys(leased: bool, count: u64) {
    let mut books = if leased { Books::leased(7, now()) } else { Books::local() };
    let (before, begun) = (resident(), Instant::now());
    let mut waiting = Vec::new();
    for number in 0..count {
        let id = books.open(&key("user", number), &terms(WIDE), leased, now());
        if leased {
            books.need(id, 10);
            waiting.push(id);
        } else {
            spend(&mut books, id, now());
        }
        if waiting.len() == Request::MOST_ITEMS || (number + 1 == count && !waiting.is_empty()) {
            // What is not urgent has a part of each request.
            while waiting.iter().any(|id| books.room(*id, 10, 0, now()) == Room::Leased) {
                lease(&mut books, now()).expect("something is missing");
            }
            waiting.drain(..).for_each(|id| spend(&mut books, id, now()));
        }
    }
    let (seconds, bytes) = (begun.elapsed().as_secs_f64(), resident().saturating_sub(before));
    let mut round = Vec::new();
    let later = Now { mono: now().mono + 200_000_000, ..now() };
    while let Some(took) = lease(&mut books, later) {
        round.push(nanos(took) / 1e3);
    }
    print!("{{\"keys\": \"{}\", \"count\": {count}, ", if leased { "leased" } else { "local" });
    if !round.is_empty() {
        print!(
            "\"requests\": {}, \"request_us\": {:.1}, \"request_p99\": {:.1}, \"request_most\": {:.1}, ",
            round.len(),
            at(&mut round, 0.5),
            at(&mut round, 0.99),
            at(&mut round, 1.0),
        );
    }
    println!("\"bytes\": {bytes}, \"each\": {}, \"seconds\": {seconds:.2}}}", bytes / count);
}

fn spend(books: &mut Books, id: AccountId, now: Now) {
    assert_eq!(books.room(id, 10, 0, now), Room::Fits);
    let window = books.take(id, 10, now);
    books.settle(id, window, 10, 4, now);
}

/// Grants all that the books ask for, in place of a store, whose rows would be in this memory too. How long
/// the books were busy with the request and its answer; `None` if they have nothing to say.
fn lease(books: &mut Books, sent: Now) -> Option<Duration> {
    let begun = Instant::now();
    let request = books.poll(sent);
    let asked = begun.elapsed();
    let request = request?;
    let answer = |granted, max| Answer { granted, max, leased: granted, ..Answer::default() };
    let items = request.items.iter().map(|item| answer(item.want.max(item.need), item.max)).collect();
    let reply = Reply::Done { seq: request.seq, nonce: request.seq, epoch: 1, now: now().wall, items };
    let begun = Instant::now();
    books.reply(sent, &reply);
    Some(asked + begun.elapsed())
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("a Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

/// Fills a journal, and dies before the store has what is in it.
pub(crate) fn fill(folder: &Path) {
    let ledger = open(folder);
    let mut number = 0;
    while ledger.record(record(number)).is_ok() {
        number += 1;
    }
    println!("{{\"filled\": {number}, \"waiting\": {}}}", ledger.health().records_waiting);
    // Without a farewell: nothing is dropped, and nothing is drained.
    std::process::exit(0);
}

/// Opens a ledger whose folder has the journals of dead processes: until it is open, until a call is
/// admitted, until all is in the store.
pub(crate) fn start(folder: &Path) {
    let others = journals(folder);
    let begun = Instant::now();
    let ledger = open(folder);
    let opened = begun.elapsed();
    let books = ledger.books();
    admit(&ledger, &books, 0);
    let admitted = begun.elapsed();
    // Calls of others, each of which needs a first lease while the journals are brought in.
    let (mut longest, mut user) = (Duration::ZERO, 0);
    while journals(folder) > 1 {
        user += 1;
        let asked = Instant::now();
        admit(&ledger, &books, user);
        longest = longest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(2));
        assert!(begun.elapsed() < 4 * LONG, "the journals are still there");
    }
    let adopted = begun.elapsed();
    let peak = peak_mib();
    assert!(ledger.close(LONG), "everything is given back");
    let mut records = 0_u64;
    let mut store = open_store(&place(folder), false).expect("it opens");
    let count = store.export(&mut |_| {
        records += 1;
        true
    });
    count.expect("it is read");
    println!(
        "{{\"start\": {others}, \"records\": {records}, \"opened\": {:.3}, \"admitted\": {:.3}, \
         \"adopted\": {:.3}, \"longest\": {:.3}, \"peak_mib\": {peak}}}",
        opened.as_secs_f64(),
        admitted.as_secs_f64(),
        adopted.as_secs_f64(),
        longest.as_secs_f64(),
    );
}

/// One call of a user who was not here before.
fn admit(ledger: &Ledger, books: &Mutex<Books>, user: u64) {
    let begun = Instant::now();
    let ids = four(&mut books.lock().expect("no panic"), user, WIDE);
    loop {
        let mut books = books.lock().expect("no panic");
        if let Ok(windows) = reserve(&mut books, &ids, now()) {
            settle(&mut books, &ids, windows, now());
            return;
        }
        drop(books);
        ledger.wake();
        thread::sleep(Duration::from_micros(200));
        assert!(begun.elapsed() < 4 * LONG, "no lease in time");
    }
}

/// The most memory that this process ever had.
fn peak_mib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("a Linux");
    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("a number") / 1024
}

fn place(folder: &Path) -> String {
    folder.join("ledger.db").display().to_string()
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(&place(folder), Options { durable: true, now: now() }).expect("it opens")
}

fn journals(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("ledger.db-records")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|found| found == "journal")).count()
}
