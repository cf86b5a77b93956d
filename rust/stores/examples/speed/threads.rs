//! What a second thread adds, and how many decisions one round trip to the store pays for.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use checkrein_stores::Ledger;
use policy_core::Program;
use policy_core::books::Books;

use crate::contenders::{Engine, WIDE, four, reserve, settle};
use crate::{Folder, at, now};

/// Each round of a contender is this long.
const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: u64 = 9;

/// Decides once; `false`: it has to wait for a lease.
type Decide = Box<dyn FnMut() -> bool + Send>;

/// What is run by one thread and by two, by name.
type Contender<'a> = (&'static str, Box<dyn Fn(u64) -> Decide + 'a>);

/// One thread, then two, in turn: each with runs of its own.
pub(crate) fn run(program: &Arc<Program>) {
    let folder = Folder::new();
    let ledger = folder.ledger(false);
    let shared = ledger.books();
    let empty = Arc::new(Mutex::new(0_u64));
    let contenders: [Contender<'_>; 5] = [
        ("a lock and nothing behind it", Box::new(|_| with_nothing(&empty))),
        ("books of a ledger", Box::new(|thread| with_books(&shared, thread))),
        ("books of their own", Box::new(|thread| with_books(&Arc::new(Mutex::new(Books::local())), thread))),
        ("engine with a ledger", Box::new(|thread| with_engine(program, &shared, thread))),
        (
            "engine with books of their own",
            Box::new(|thread| with_engine(program, &Arc::new(Mutex::new(Books::local())), thread)),
        ),
    ];
    let mut rates: Vec<[Vec<f64>; 2]> = contenders.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for _ in 0..ROUNDS {
        for ((_, make), rates) in contenders.iter().zip(&mut rates) {
            for (threads, rates) in (1..).zip(rates) {
                rates.push(rate(&ledger, (0..threads).map(make).collect()));
            }
        }
    }
    for ((name, _), [mut one, mut two]) in contenders.iter().zip(rates) {
        let (one, two) = (at(&mut one, 0.5), at(&mut two, 0.5));
        println!(
            "{{\"threads\": \"{name}\", \"one\": {one:.0}, \"two\": {two:.0}, \"ratio\": {:.2}}}",
            two / one
        );
    }
    drop(contenders);
    assert!(ledger.close(Duration::from_secs(30)), "everything is given back");
}

fn with_books(books: &Arc<Mutex<Books>>, thread: u64) -> Decide {
    let ids = four(&mut books.lock().expect("no panic"), thread, WIDE);
    let books = Arc::clone(books);
    Box::new(move || {
        let at = now();
        let reserved = reserve(&mut books.lock().expect("no panic"), &ids, at);
        reserved.map(|windows| settle(&mut books.lock().expect("no panic"), &ids, windows, at)).is_ok()
    })
}

/// A lock taken as often as a decision and its settlement take it.
fn with_nothing(lock: &Arc<Mutex<u64>>) -> Decide {
    let lock = Arc::clone(lock);
    Box::new(move || {
        black_box(now());
        *lock.lock().expect("no panic") += 1;
        *lock.lock().expect("no panic") += 1;
        true
    })
}

fn with_engine(program: &Arc<Program>, books: &Arc<Mutex<Books>>, thread: u64) -> Decide {
    let mut engine = Engine::new(program, books, thread);
    let books = Arc::clone(books);
    Box::new(move || engine.decide(&books, now()).is_ok())
}

/// Decisions a second of all threads together, once each of them has decided.
fn rate(ledger: &Ledger, all: Vec<Decide>) -> f64 {
    let (ready, over) = (Barrier::new(all.len() + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let work = |mut decide: Decide| {
            let mut decided = || {
                let done = decide();
                if !done {
                    ledger.wake();
                    thread::sleep(Duration::from_micros(200));
                }
                done
            };
            while !decided() {}
            ready.wait();
            let mut count = 0_u64;
            while !over.load(Ordering::Relaxed) {
                count += u64::from(decided());
            }
            count
        };
        let threads: Vec<_> = all.into_iter().map(|decide| scope.spawn(move || work(decide))).collect();
        ready.wait();
        let begun = Instant::now();
        thread::sleep(ROUND);
        over.store(true, Ordering::Relaxed);
        let seconds = begun.elapsed().as_secs_f64();
        let counts = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        counts.sum::<u64>() as f64 / seconds
    })
}

/// Decisions for each round trip to the store, at several loads.
pub(crate) fn trips() {
    for per_second in [100, 1_000, 10_000, 0] {
        let folder = Folder::new();
        let ledger = folder.ledger(false);
        let books = ledger.books();
        let mut decide = with_books(&books, 0);
        // The first second finds out how much is used.
        work(&ledger, &mut decide, per_second, Duration::from_millis(1_500));
        let before = ledger.health().round_trips;
        let (decisions, waits) = work(&ledger, &mut decide, per_second, Duration::from_secs(3));
        let trips = ledger.health().round_trips - before;
        println!(
            "{{\"trips\": {per_second}, \"decisions\": {decisions}, \"round_trips\": {trips}, \
             \"each\": {:.0}, \"waits\": {waits}}}",
            decisions as f64 / trips.max(1) as f64
        );
        assert!(ledger.close(Duration::from_secs(30)), "everything is given back");
    }
}

/// So many decisions a second, as many as possible if 0; how many were made, and how often one had to wait.
fn work(ledger: &Ledger, decide: &mut Decide, per_second: u64, time: Duration) -> (u64, u64) {
    let (begun, mut decisions, mut waits) = (Instant::now(), 0_u64, 0_u64);
    while begun.elapsed() < time {
        let due = begun.elapsed().as_secs_f64() * per_second as f64;
        if per_second > 0 && decisions as f64 >= due {
            thread::sleep(Duration::from_micros(500));
        } else if decide() {
            decisions += 1;
        } else {
            waits += 1;
            ledger.wake();
            thread::sleep(Duration::from_micros(200));
        }
    }
    (decisions, waits)
}
