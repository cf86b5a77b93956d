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

mod endings;
mod figures;
mod mishaps;
mod process;
mod random;
mod scenario;
mod server;
mod shadow;
mod truth;
mod world;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use figures::Figures;
use scenario::Broken;
use world::World;

const USAGE: &str = "use: checkrein-sim [--seeds N] [--first S] [--flaws] | --trace S\n";
/// What one seed of a flaw may at most try.
const FLAW_SEEDS: u64 = 20_000;
const THREADS: u64 = 2;

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

/// Runs every seed of a range that is a thread's, until one fails.
fn run(seeds: impl Iterator<Item = u64>, broken: Broken) -> (Figures, Option<(u64, String)>) {
    let mut figures = Figures::default();
    for seed in seeds {
        let mut world = World::new(seed, broken, false);
        let result = world.run();
        figures.add(&world.figures);
        if let Err(why) = result {
            return (figures, Some((seed, why)));
        }
    }
    (figures, None)
}

fn sweep(first: u64, seeds: u64, out: &mut impl Write) -> io::Result<bool> {
    let mut figures = Figures::default();
    let mut failed: Vec<(u64, String)> = Vec::new();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS)
            .map(|part| {
                let mine = (first..first + seeds).filter(move |seed| seed % THREADS == part);
                scope.spawn(move || run(mine, Broken::Nothing))
            })
            .collect();
        for part in parts {
            match part.join() {
                Ok((found, failure)) => {
                    figures.add(&found);
                    failed.extend(failure);
                }
                Err(_) => failed.push((0, "a thread ended in a panic".to_owned())),
            }
        }
    });
    failed.sort();
    figures.write(seeds, failed.len() as u64, out)?;
    match failed.first() {
        None => Ok(true),
        Some((seed, _)) => {
            trace(*seed, Broken::Nothing, out)?;
            Ok(false)
        }
    }
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
    let mut all = true;
    for broken in store.chain(books) {
        let (_, found) = run(first..first + FLAW_SEEDS, broken);
        let name = format!("{broken:?}");
        match found {
            Some((seed, why)) => {
                let why: String = why.replace('\n', " ").chars().take(90).collect();
                writeln!(out, "{name:<28} seed {seed:>5}: {why}")?;
            }
            None => {
                all = false;
                writeln!(out, "{name:<28} NOT FOUND in {FLAW_SEEDS} seeds")?;
            }
        }
        out.flush()?;
    }
    Ok(all)
}
