//! What one decision of the engine costs, with its settlement, under a compiled policy. It says JSON lines.
//!
//! `count POLICY KIND NUMBER`: makes so many calls and reads no clock, for a tool that counts instructions.
//! `allocations POLICY`: what calls ask of the allocator, and what a run takes. `times POLICY`:
//! nanoseconds, with one thread and with two. `load POLICY`: nanoseconds to verify it and to build its
//! index. A kind is `model`, `tool` or `both`, one after the other.

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
mod times;
mod work;

use std::fs;
use std::sync::{Arc, Mutex};

use policy_core::Program;
use policy_core::books::Books;

use counting::allocated;
use work::{Kind, Work};

/// Calls before what is counted, so that every table has the size that it needs next.
const WARM: u64 = 1_100;
/// Calls that are counted. Between those before and these, the table of attempts does not grow.
const COUNTED: u64 = 900;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["count", policy, kind, number] => {
            let mut work = begin(&program(policy));
            (0..number.parse().expect("a number")).for_each(|_| work.call(kind_of(kind)));
        }
        ["allocations", policy] => {
            let program = program(policy);
            [Kind::Model, Kind::Tool, Kind::Both].into_iter().for_each(|kind| allocations(&program, kind));
            size(&program);
        }
        ["times", policy] => times::run(&program(policy)),
        ["load", policy] => times::load(&fs::read(policy).expect("a compiled policy")),
        _ => panic!("count POLICY KIND NUMBER, allocations POLICY, times POLICY or load POLICY"),
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

fn begin(program: &Arc<Program>) -> Work {
    Work::new(program, &Arc::new(Mutex::new(Books::local())), ("acme", "one"))
}

/// What calls ask of the allocator once everything has its size.
fn allocations(program: &Arc<Program>, kind: Kind) {
    let mut work = begin(program);
    (0..WARM).for_each(|_| work.call(kind));
    let before = allocated().0;
    (0..COUNTED).for_each(|_| work.call(kind));
    let asked = allocated().0 - before;
    println!("{{\"allocations\": \"{kind:?}\", \"calls\": {COUNTED}, \"asked\": {asked}}}");
}

/// How much memory a run takes that has just begun, and how much after many calls.
fn size(program: &Arc<Program>) {
    let books = Arc::new(Mutex::new(Books::local()));
    // The first run opens the accounts that the others use too.
    let _first = Work::begun(program, &books, ("acme", "one"));
    let before = allocated().1;
    let mut second = Work::begun(program, &books, ("acme", "one"));
    let begun = allocated().1.wrapping_sub(before);
    second.look();
    (0..10_000).for_each(|_| second.call(Kind::Both));
    let grown = allocated().1.wrapping_sub(before);
    let own = size_of::<policy_core::Run>();
    println!("{{\"bytes\": {{\"own\": {own}, \"begun\": {begun}, \"calls\": 10000, \"grown\": {grown}}}}}");
}
