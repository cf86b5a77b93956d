//! Nanoseconds of a decision and of its settlement, and what a second thread adds. Contenders take turns, so
//! that a noisy machine disturbs all of them alike.

use std::fs;
use std::hint::{black_box, spin_loop};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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
/// Calls of each thread in a round, and how often a round is tried whose threads have to share a processor.
const SHARE: u64 = 20_000;
const TRIES: u64 = 20 * ROUNDS;
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

/// Each kind of call, without a log and with one at `path`; then one thread and two, by what they have in
/// common.
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
    for common in [Common::Nothing, Common::Number, Common::Organisation] {
        // Where there is one processor only, two threads never have one each.
        let rates = best(program, 1, common).zip(best(program, 2, common));
        let Some((one, two)) = rates else { continue };
        let (name, ratio) = (common.name(), two / one);
        println!("{{\"threads\": \"{name}\", \"one\": {one:.0}, \"two\": {two:.0}, \"ratio\": {ratio:.2}}}");
    }
}

/// What threads have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Common {
    Nothing,
    /// Nothing but a number, to which each decision and each settlement adds: the least that an exact count
    /// of what they take needs.
    Number,
    /// The accounts of an organisation.
    Organisation,
}

impl Common {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing in common",
            Self::Number => "one number in common",
            Self::Organisation => "one organisation",
        }
    }
}

/// Calls a second of all threads together: the most of some rounds in which each had a processor of its own.
fn best(program: &Arc<Program>, threads: u64, common: Common) -> Option<f64> {
    let tries = (0..TRIES).filter_map(|_| rate(program, threads, common));
    tries.take(ROUNDS as usize / 2).reduce(f64::max)
}

/// The same of one round; none if they had to share a processor.
fn rate(program: &Arc<Program>, threads: u64, common: Common) -> Option<f64> {
    let (books, number) = (Arc::new(Mutex::new(Books::local())), AtomicU64::new(0));
    let ready = AtomicU64::new(threads);
    let all: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|own| {
                let books = if common == Common::Organisation { Arc::clone(&books) } else { Arc::default() };
                let number = (common == Common::Number).then_some(&number);
                let ready = &ready;
                scope.spawn(move || share(program, &books, number, own, ready))
            })
            .collect();
        all.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let is_own = |place: usize| {
        let (_, processor) = &all[place];
        processor.is_none() || all[..place].iter().all(|(_, other)| other != processor)
    };
    if !(0..all.len()).all(is_own) {
        return None;
    }
    // From the first that began to the last that ended: where a processor is not free, they may run in turn.
    let begun = all.iter().map(|(span, _)| span.start).min().expect("one thread at least");
    let ended = all.iter().map(|(span, _)| span.end).max().expect("one thread at least");
    Some((threads * SHARE) as f64 / (ended - begun).as_secs_f64())
}

/// The calls of one thread: when, and on which processor if that can be told. They begin once all threads
/// have made as many to warm up, so that the system has found a processor for each.
fn share(
    program: &Arc<Program>,
    books: &Arc<Mutex<Books>>,
    number: Option<&AtomicU64>,
    own: u64,
    ready: &AtomicU64,
) -> (Range<Instant>, Option<String>) {
    let own = format!("own-{own}");
    let begin = || Work::new(program, books, ("acme", &own));
    let mut work = begin();
    (0..SHARE).for_each(|_| work.call(Kind::Both));
    work = begin();
    let count = || number.map(|number| number.fetch_add(1, Ordering::Relaxed));
    ready.fetch_sub(1, Ordering::AcqRel);
    while ready.load(Ordering::Acquire) > 0 {
        spin_loop();
    }
    let begun = Instant::now();
    for call in 1..=SHARE {
        work.propose();
        let opened = work.decide(Kind::Both);
        count();
        work.settle(opened);
        count();
        if call.is_multiple_of(LONGEST) {
            work = begin();
        }
    }
    (begun..Instant::now(), processor())
}

/// The processor that this thread runs on, as Linux tells it.
fn processor() -> Option<String> {
    let stat = fs::read_to_string("/proc/thread-self/stat").ok()?;
    // The name of the program, in brackets, may have any character; after it come numbers, the 37th is it.
    stat.rsplit(')').next()?.split_whitespace().nth(36).map(str::to_owned)
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
