//! What one decision of the engine costs, with its settlement, under a compiled policy. It says JSON lines.
//!
//! `count POLICY KIND NUMBER [LOG]`: makes so many calls, with a log at LOG if it is given, and reads no
//! clock, for a tool that counts instructions. `allocations POLICY LOG`: what calls ask of the allocator,
//! and what a run takes. `chains POLICY`: the bytes of runs of which each is below the last. `times POLICY
//! LOG`: nanoseconds, with one thread and with two. `load POLICY NUMBER`: nanoseconds to verify it and to
//! build its index, so often. A kind is `model`, `tool` or `both`, one after the other.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures: what goes wrong ends it"
)]

mod counting;
mod door;
mod times;
mod work;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use policy_core::books::Books;
use policy_core::{Now, Program, Run, Scopes};

use counting::allocated;
use work::{Kind, Work};

/// Calls before what is counted, so that every table has the size that it needs next.
const WARM: u64 = 1_100;
/// Calls that are counted. Between those before and these, the table of attempts does not grow.
const COUNTED: u64 = 900;

/// A log is emptied after so many calls.
const EMPTIED: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["count", policy, kind, number, log @ ..] => {
            count(&program(policy), kind_of(kind), number.parse().expect("a number"), path_of(log));
        }
        ["allocations", policy, log] => {
            let program = program(policy);
            for log in [None, Some(Path::new(log))] {
                [Kind::Model, Kind::Tool].into_iter().for_each(|kind| allocations(&program, kind, log));
            }
            size(&program);
        }
        ["chains", policy] => chains(policy),
        ["times", policy, log] => times::run(&program(policy), Path::new(log)),
        ["load", policy, number] => {
            times::load(&fs::read(policy).expect("a compiled policy"), number.parse().expect("a number"));
        }
        _ => panic!("count, allocations, chains, times or load, and what it needs (src/main.rs says what)"),
    }
}

fn program(path: &str) -> Arc<Program> {
    Arc::new(Program::load(&fs::read(path).expect("a compiled policy")).expect("it loads"))
}

fn kind_of(word: &str) -> Kind {
    match word {
        "model" => Kind::Model,
        "tool" => Kind::Tool,
        "both" => Kind::Both,
        _ => panic!("a kind is model, tool or both"),
    }
}

/// The path of a log, if there is to be one.
fn path_of<'a>(words: &[&'a str]) -> Option<&'a Path> {
    words.first().copied().map(Path::new)
}

/// So many calls; the log has room for those between two times that it is emptied.
fn count(program: &Arc<Program>, kind: Kind, number: u64, log: Option<&Path>) {
    let mut work = begin(program, log);
    for call in 0..number {
        if call.is_multiple_of(EMPTIED) {
            work.empty();
        }
        work.call(kind);
    }
}

/// A run of books of its own, with a log if there is to be one.
fn begin(program: &Arc<Program>, log: Option<&Path>) -> Work {
    log.map_or_else(
        || Work::new(program, &Arc::default(), ("acme", "one")),
        |path| Work::logged(program, path),
    )
}

/// What calls and their settlements ask of the allocator once everything has its size.
fn allocations(program: &Arc<Program>, kind: Kind, log: Option<&Path>) {
    let mut work = begin(program, log);
    (0..WARM).for_each(|_| work.call(kind));
    work.empty();
    let before = allocated().0;
    (0..COUNTED).for_each(|_| work.call(kind));
    let asked = allocated().0 - before;
    let is_logged = log.is_some();
    println!(
        "{{\"allocations\": \"{kind:?}\", \"log\": {is_logged}, \"calls\": {COUNTED}, \"asked\": {asked}}}"
    );
}

/// How much memory a run takes that has just begun, itself and what it has asked for, and how much after
/// many calls.
fn size(program: &Arc<Program>) {
    let books = Arc::new(Mutex::new(Books::local()));
    // The first run opens the accounts that the others use too.
    let _first = Work::begun(program, &books, ("acme", "one"), None);
    let own = size_of::<policy_core::Run>() as u64;
    let before = allocated().1;
    let second = Work::begun(program, &books, ("acme", "one"), None);
    let taken = |work: &Work| own + allocated().1.wrapping_sub(before) - work.held();
    let begun = taken(&second);
    let mut second = second.looked();
    (0..10_000).for_each(|_| second.call(Kind::Both));
    let grown = taken(&second);
    println!("{{\"bytes\": {{\"own\": {own}, \"begun\": {begun}, \"calls\": 10000, \"grown\": {grown}}}}}");
}

/// How much memory runs take of which each is below the last. A run has a list of the accounts of all above
/// it, so there is something that grows with the square of the depth; there must be nothing more.
fn chains(policy: &str) {
    let taken = |depth: usize| {
        let (program, mut books, now) = (program(policy), Books::local(), Now { mono: 1, wall: 1 });
        let before = allocated().1;
        let mut runs: Vec<Run> = Vec::with_capacity(depth);
        for _ in 0..depth {
            runs.push(Run::new(Arc::clone(&program), 1, now, &Scopes::default(), runs.last(), &mut books));
        }
        allocated().1 - before
    };
    println!("{{\"100\": {}, \"400\": {}}}", taken(100), taken(400));
}
