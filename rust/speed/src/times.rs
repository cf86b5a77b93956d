//! Nanoseconds of a decision and of its settlement, and what a second thread adds. Contenders take turns, so
//! that a noisy machine disturbs all of them alike.

use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use policy_core::Program;
use policy_core::books::Books;

use crate::begin;
use crate::work::{Kind, Work};

/// Calls that are timed as one, such blocks in a round, calls of a round that are timed each, and rounds.
const BLOCK: u64 = 100;
const BLOCKS: u64 = 10;
const EACH: u64 = 1_000;
const ROUNDS: u64 = 20;
/// Calls of each thread in a round.
const SHARE: u64 = 20_000;
/// After so many calls a run ends and another one begins.
const LONGEST: u64 = 2_000;

/// What is timed: a kind of call, with the log or without.
struct Contender<'a> {
    kind: Kind,
    log: Option<&'a Path>,
    decisions: Vec<f64>,
    settlements: Vec<f64>,
    /// Both together, a call's share of its block: asking the clock is shared too.
    pairs: Vec<f64>,
}

impl Contender<'_> {
    /// One round, of a run of its own.
    fn round(&mut self, program: &Arc<Program>) {
        let mut work = begin(program, self.log);
        (0..BLOCK).for_each(|_| work.call(self.kind));
        for _ in 0..BLOCKS {
            work.empty();
            let begun = Instant::now();
            (0..BLOCK).for_each(|_| work.call(self.kind));
            self.pairs.push(nanos(begun.elapsed()) / BLOCK as f64);
        }
        for call in 0..EACH {
            if call.is_multiple_of(BLOCK) {
                work.empty();
            }
            work.propose();
            let begun = Instant::now();
            let opened = work.decide(self.kind);
            let decided = Instant::now();
            work.settle(opened);
            self.settlements.push(nanos(decided.elapsed()));
            self.decisions.push(nanos(decided - begun));
        }
    }
}

/// Each kind of call, without a log and with one at `path`; then one thread and two: of one organisation,
/// and with nothing in common.
pub(crate) fn run(program: &Arc<Program>, path: &Path) {
    let mut contenders: Vec<Contender<'_>> = [None, Some(path)]
        .into_iter()
        .flat_map(|log| [Kind::Model, Kind::Tool].map(|kind| (kind, log)))
        .map(|(kind, log)| Contender {
            kind,
            log,
            decisions: Vec::new(),
            settlements: Vec::new(),
            pairs: Vec::new(),
        })
        .collect();
    let mut timer = Vec::new();
    for _ in 0..ROUNDS {
        contenders.iter_mut().for_each(|contender| contender.round(program));
        timer.extend((0..EACH).map(|_| nanos(Instant::now().elapsed())));
    }
    println!("{{\"timer\": {}}}", said(&mut timer));
    for Contender { kind, log, mut decisions, mut settlements, mut pairs } in contenders {
        let (decision, settlement) = (said(&mut decisions), said(&mut settlements));
        println!(
            "{{\"times\": \"{kind:?}\", \"log\": {}, \"decision\": {decision}, \"settlement\": {settlement}, \
             \"pair\": {}}}",
            log.is_some(),
            said(&mut pairs)
        );
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
        // From the first that began to the last that ended: where a core is not free, they may run in turn.
        let spans: Vec<_> = all.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let begun = spans.iter().map(|span| span.start).min().expect("one thread at least");
        spans.iter().map(|span| span.end).max().expect("one thread at least") - begun
    });
    (threads * SHARE) as f64 / took.as_secs_f64()
}

fn share(program: &Arc<Program>, books: &Arc<Mutex<Books>>, number: u64, ready: &Barrier) -> Range<Instant> {
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
    begun..Instant::now()
}

/// The least, the p50 and the p99, as JSON.
fn said(values: &mut [f64]) -> String {
    let [least, p50, p99] = [0.0, 0.5, 0.99].map(|share| at(values, share));
    format!("{{\"least\": {least:.0}, \"p50\": {p50:.0}, \"p99\": {p99:.0}}}")
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The value below which this share of the values lies.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// What it takes to load a compiled policy so often.
pub(crate) fn load(bytes: &[u8], times: usize) {
    let time = |_| {
        let begun = Instant::now();
        let program = loaded(black_box(bytes));
        let passed = begun.elapsed();
        drop(black_box(program));
        nanos(passed)
    };
    let mut times: Vec<f64> = (0..times).map(time).collect();
    println!("{{\"load\": {}, \"bytes\": {}}}", said(&mut times), bytes.len());
}

/// A function of its own, so that its instructions can be counted.
#[inline(never)]
fn loaded(bytes: &[u8]) -> Program {
    Program::load(bytes).expect("it loads")
}
