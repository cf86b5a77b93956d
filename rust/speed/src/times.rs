//! Nanoseconds of a decision and of its settlement, and what a second thread adds. Contenders take turns, so
//! that a noisy machine disturbs all of them alike.

use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use policy_core::Program;
use policy_core::books::Books;

use crate::work::{Kind, Work};

/// Calls that are timed as one, such blocks in a round, and rounds.
const BLOCK: u64 = 100;
const BLOCKS: u64 = 20;
const ROUNDS: u64 = 20;
/// Calls of each thread in a round.
const SHARE: u64 = 20_000;
/// After so many calls a run ends and another one begins.
const LONGEST: u64 = 2_000;

/// Each kind of call, then one thread and two: of one organisation, and with nothing in common.
pub(crate) fn run(program: &Arc<Program>) {
    let kinds = [Kind::Model, Kind::Tool, Kind::Both];
    let mut blocks: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (kind, blocks) in kinds.iter().zip(&mut blocks) {
            let mut work = Work::new(program, &Arc::default(), ("acme", "one"));
            (0..BLOCK).for_each(|_| work.call(*kind));
            for _ in 0..BLOCKS {
                let begun = Instant::now();
                (0..BLOCK).for_each(|_| work.call(*kind));
                blocks.push(nanos(begun.elapsed()) / BLOCK as f64);
            }
        }
    }
    for (kind, mut blocks) in kinds.iter().zip(blocks) {
        let [least, p50, p99] = [0.0, 0.5, 0.99].map(|share| at(&mut blocks, share));
        println!("{{\"times\": \"{kind:?}\", \"least\": {least:.0}, \"p50\": {p50:.0}, \"p99\": {p99:.0}}}");
    }
    for is_common in [false, true] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS / 2 {
            for (threads, rates) in (1..).zip(&mut rates) {
                rates.push(rate(program, threads, is_common));
            }
        }
        let [one, two] = rates.map(|mut rates| at(&mut rates, 1.0));
        let name = if is_common { "one organisation" } else { "nothing in common" };
        let ratio = two / one;
        println!("{{\"threads\": \"{name}\", \"one\": {one:.0}, \"two\": {two:.0}, \"ratio\": {ratio:.2}}}");
    }
}

/// Calls a second of all threads together.
fn rate(program: &Arc<Program>, threads: u64, is_common: bool) -> f64 {
    let common = Arc::new(Mutex::new(Books::local()));
    let ready = Barrier::new(usize::try_from(threads).expect("few"));
    let took = thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|number| {
                let books = if is_common { Arc::clone(&common) } else { Arc::default() };
                let ready = &ready;
                scope.spawn(move || share(program, &books, number, ready))
            })
            .collect();
        all.into_iter().map(|thread| thread.join().expect("no panic")).max()
    });
    (threads * SHARE) as f64 / took.expect("one thread at least").as_secs_f64()
}

fn share(program: &Arc<Program>, books: &Arc<Mutex<Books>>, number: u64, ready: &Barrier) -> Duration {
    let own = format!("own-{number}");
    let begin = || Work::new(program, books, ("acme", &own));
    let mut work = begin();
    ready.wait();
    let begun = Instant::now();
    for call in 1..=SHARE {
        work.call(Kind::Both);
        if call.is_multiple_of(LONGEST) {
            work = begin();
        }
    }
    begun.elapsed()
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The value below which this share of the values lies.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// What it takes to load a compiled policy.
pub(crate) fn load(bytes: &[u8]) {
    let time = |_| {
        let begun = Instant::now();
        let program = Program::load(black_box(bytes)).expect("it loads");
        let passed = begun.elapsed().as_nanos();
        drop(black_box(program));
        passed
    };
    let mut times: Vec<u128> = (0..101).map(time).collect();
    times.sort_unstable();
    println!("{{\"load\": {{\"bytes\": {}, \"least\": {}, \"p50\": {}}}}}", bytes.len(), times[0], times[50]);
}
