//! Reserve and settle over four accounts, contender beside contender, so that a noisy machine disturbs all.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use policy_core::Program;
use policy_core::books::{Books, Room};

use crate::contenders::{Bare, Contender, Kept, WIDE};
use crate::{ALLOCATIONS, LONG, at, nanos, now};

/// Decisions in a block that is timed as one, blocks in a round, and decisions timed one by one in a round.
const BLOCK: u64 = 100;
const BLOCKS: u64 = 100;
const SINGLES: u64 = 1_000;
const ROUNDS: u64 = 20;

/// What one contender took, and how often it had to wait for a lease.
#[derive(Default)]
struct Taken {
    blocks: Vec<f64>,
    singles: Vec<f64>,
    waits: u64,
    allocations: u64,
    decisions: u64,
}

pub(crate) fn run(program: &Arc<Program>) {
    let mut contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Bare::new("local", Books::local(), false)),
        Box::new(Bare::new("look", Books::local(), true)),
        Box::new(Bare::new("leased", Books::leased(7, now()), false)),
        Box::new(Kept::new("sqlite", None, false, false)),
        Box::new(Kept::new("sqlite records", None, false, true)),
        Box::new(Kept::new("sqlite durable", None, true, true)),
        Box::new(Kept::new("engine", Some(program), false, false)),
    ];
    for contender in &mut contenders {
        if matches!(contender.name(), "engine" | "look") {
            // The engine's bounds are the policy's, so `bench_ledger.py` compares it. The other only looks.
            continue;
        }
        let admitted = admitted(contender.as_mut());
        println!("{{\"answers\": \"{}\", \"asked\": 400, \"admitted\": {admitted}}}", contender.name());
        contender.renew(WIDE);
    }
    let mut taken: Vec<Taken> = contenders.iter().map(|_| Taken::default()).collect();
    for number in 0..ROUNDS {
        for (contender, taken) in contenders.iter_mut().zip(&mut taken) {
            let mut this = Taken::default();
            round(contender.as_mut(), &mut this);
            if number > 0 {
                // The first round warms up.
                taken.blocks.append(&mut this.blocks);
                taken.singles.append(&mut this.singles);
                taken.waits += this.waits;
                taken.allocations += this.allocations;
                taken.decisions += this.decisions;
            }
        }
    }
    let empty = timer();
    for (contender, mut taken) in contenders.iter().zip(taken) {
        println!(
            "{{\"decisions\": \"{}\", \"p50\": {:.1}, \"p99\": {:.1}, \"single_p99\": {:.0}, \
             \"timer\": {empty:.0}, \"allocations\": {:.2}, \"waits\": {}, \"count\": {}}}",
            contender.name(),
            at(&mut taken.blocks, 0.5),
            at(&mut taken.blocks, 0.99),
            at(&mut taken.singles, 0.99),
            taken.allocations as f64 / taken.decisions as f64,
            taken.waits,
            taken.decisions,
        );
    }
}

/// How many of 400 calls that hold 10 and use 4 fit a bound of 1,000; 248 do.
fn admitted(contender: &mut dyn Contender) -> u64 {
    contender.renew(1_000);
    let (mut admitted, mut asked, until) = (0, 0, Instant::now() + LONG);
    while asked < 400 {
        match contender.decide(now()) {
            Ok(()) => admitted += 1,
            Err(Room::Full) => {}
            Err(_) => {
                assert!(Instant::now() < until, "{}: no answer in time", contender.name());
                contender.pump(false);
                continue;
            }
        }
        asked += 1;
    }
    admitted
}

fn round(contender: &mut dyn Contender, taken: &mut Taken) {
    while contender.decide(now()).is_err() {
        contender.pump(false);
    }
    let mut number = 0;
    while number < BLOCKS {
        // The host reads its clocks once a decision anyway: that is not the ledger's.
        let at = now();
        let (allocated, begun) = (ALLOCATIONS.get(), Instant::now());
        let done = (0..BLOCK).take_while(|_| contender.decide(at).is_ok()).count();
        let took = begun.elapsed();
        if done as u64 == BLOCK {
            taken.blocks.push(nanos(took) / BLOCK as f64);
            taken.allocations += ALLOCATIONS.get() - allocated;
            taken.decisions += BLOCK;
            number += 1;
        } else {
            taken.waits += 1;
            contender.pump(false);
        }
        if number % 10 == 0 {
            contender.pump(false);
        }
    }
    for _ in 0..SINGLES {
        let at = now();
        let begun = Instant::now();
        let done = contender.decide(at);
        let took = begun.elapsed();
        match done {
            Ok(()) => taken.singles.push(nanos(took)),
            Err(_) => contender.pump(false),
        }
    }
    contender.pump(true);
}

/// What reading the timer twice takes.
fn timer() -> f64 {
    let mut times: Vec<f64> = (0..10_000)
        .map(|_| {
            let begun = Instant::now();
            nanos(black_box(begun).elapsed())
        })
        .collect();
    at(&mut times, 0.5)
}
