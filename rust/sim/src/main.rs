//! Tries to overspend: seeded runs of many nodes with real books, one store with the real rules, and a
//! network, clocks and power that fail. The same seed gives the same run.
//!
//! `checkrein-sim --seeds N --first S` runs so many seeds; `--trace S` prints one; `--flaws` builds each
//! deliberate bug in, one at a time, and shows the first seed that finds it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a simulator that overflows or misses fails, as it should"
)]

mod end;
mod endings;
mod figures;
mod mishaps;
mod process;
mod random;
mod scenario;
mod server;
mod shadow;
mod truth;
mod window;
mod world;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{iter, panic, thread};

use figures::Figures;
use scenario::Broken;
use world::World;

const USAGE: &str = "use: checkrein-sim [--seeds N] [--first S] [--flaws] | --trace S\n";
/// What one seed of a flaw may at most try.
const FLAW_SEEDS: u64 = 20_000;
/// As many seeds are one piece of work.
const PORTION: u64 = 50;
/// As many failures are shown.
const SHOWN: usize = 20;

/// What was asked for.
struct Asked {
    seeds: u64,
    first: u64,
    flaws: bool,
    trace: Option<u64>,
}

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let result = match asked() {
        None => out.write_all(USAGE.as_bytes()).map(|()| false),
        Some(Asked { trace: Some(seed), .. }) => trace(seed, Broken::Nothing, &mut out),
        Some(Asked { flaws: true, first, .. }) => flaws(first, &mut out),
        Some(Asked { seeds, first, .. }) => sweep(first, seeds, &mut out),
    };
    if result.unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked() -> Option<Asked> {
    let mut asked = Asked { seeds: 5000, first: 1, flaws: false, trace: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next()?.parse().ok();
        match word.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--first" => asked.first = number()?,
            "--trace" => asked.trace = Some(number()?),
            "--flaws" => asked.flaws = true,
            _ => return None,
        }
    }
    Some(asked)
}

/// One seed, and why it failed, if it did.
fn one(seed: u64, broken: Broken, figures: &mut Figures) -> Option<String> {
    let result = panic::catch_unwind(|| {
        let mut world = World::new(seed, broken, false);
        let result = world.run();
        (world.figures, result)
    });
    match result {
        Ok((found, result)) => {
            figures.add(&found);
            result.err()
        }
        Err(_) => Some("a panic".to_owned()),
    }
}

/// Does the work of each number below `end`, on all cores. The answers come in the order of the numbers.
fn each<T: Send>(end: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let mine = || {
        let numbers = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.take_while(|number| *number < end).map(|number| (number, work(number))).collect::<Vec<_>>()
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<_> = thread::scope(|scope| {
        let parts: Vec<_> = (0..cores).map(|_| scope.spawn(mine)).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, done)| done).collect()
}

/// Runs so many seeds, and says of each that fails why it does.
fn sweep(first: u64, seeds: u64, out: &mut impl Write) -> io::Result<bool> {
    let portions = each(seeds.div_ceil(PORTION), |number| {
        let from = first + number * PORTION;
        let mut figures = Figures::default();
        let mine = from..(from + PORTION).min(first + seeds);
        let failed = mine.filter_map(|seed| Some((seed, one(seed, Broken::Nothing, &mut figures)?)));
        (failed.collect::<Vec<_>>(), figures)
    });
    let mut figures = Figures::default();
    portions.iter().for_each(|(_, found)| figures.add(found));
    let failed: Vec<_> = portions.iter().flat_map(|(failed, _)| failed).collect();
    figures.write(seeds, failed.len() as u64, out)?;
    for (seed, why) in failed.iter().take(SHOWN) {
        writeln!(out, "seed {seed}: {why}")?;
    }
    if let Some((seed, _)) = failed.first() {
        writeln!(out, "`--trace {seed}` prints all that happens there")?;
    }
    Ok(failed.is_empty())
}

/// Prints all that happens in a seed; whether it is all right.
fn trace(seed: u64, broken: Broken, out: &mut impl Write) -> io::Result<bool> {
    let mut world = World::new(seed, broken, true);
    let result = world.run();
    writeln!(out, "seed {seed}: {:?}", world.scenario)?;
    for line in world.trace.iter().flatten() {
        writeln!(out, "{line}")?;
    }
    match &result {
        Ok(()) => writeln!(out, "seed {seed}: nothing is wrong")?,
        Err(why) => writeln!(out, "seed {seed}: {why}")?,
    }
    Ok(result.is_ok())
}

/// Each deliberate bug must be found.
fn flaws(first: u64, out: &mut impl Write) -> io::Result<bool> {
    let store = policy_core::store::Flaw::ALL.into_iter().map(Broken::Store);
    let books = policy_core::books::Flaw::ALL.into_iter().map(Broken::Books);
    let all: Vec<_> = store.chain(books).collect();
    let found = each(all.len() as u64, |number| {
        let (broken, mut figures) = (all[number as usize], Figures::default());
        (first..first + FLAW_SEEDS).find_map(|seed| Some((seed, one(seed, broken, &mut figures)?)))
    });
    for (broken, found) in all.iter().zip(&found) {
        let name = format!("{broken:?}");
        match found {
            Some((seed, why)) => {
                let why: String = why.replace('\n', " ").chars().take(90).collect();
                writeln!(out, "{name:<28} seed {seed:>5}: {why}")?;
            }
            None => writeln!(out, "{name:<28} NOT FOUND in {FLAW_SEEDS} seeds")?,
        }
    }
    Ok(found.iter().all(Option::is_some))
}
