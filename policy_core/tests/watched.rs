//! Runs with books of their own share how what they call fares, and their threads race for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod common;

use std::sync::{Arc, Barrier};
use std::thread;

use common::*;
use policy_core::{ErrorKind, Failure, Health, Outcome, Program, Slot, Usage};

const THREADS: usize = 8;
const ROUNDS: usize = 200;

/// A run with books of its own.
fn one(program: &Arc<Program>, health: &Health) -> Run {
    Run::new(Arc::clone(program), 7, 0).watching(health)
}

fn unavailable(attempt: u64) -> Failure<'static> {
    Failure {
        attempt,
        usage: Usage::Unknown,
        kind: ErrorKind::Unavailable,
        status: Slot::Missing,
        retry_after: Slot::Missing,
        billed: Slot::Missing,
        own: false,
        fingerprint: None,
        committed: false,
    }
}

/// How many of the threads have an outcome, if all do the same at once, each with a run of its own.
fn race(program: &Arc<Program>, health: &Health, wanted: Outcome, act: fn(&mut Run) -> Outcome) -> usize {
    let start = Barrier::new(THREADS);
    let outcome = || {
        let mut run = one(program, health);
        start.wait();
        act(&mut run)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(outcome)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|got| *got == wanted).count()
    })
}

#[test]
fn runs_share_a_circuit_and_not_their_books() {
    let breaker = Enforced::Breaker { on: Select::AnyTool, terms: [500_000, 2, 30 * SECOND, 1, SECOND] };
    let program =
        vocabulary().with("b", breaker).with("l", limit(vec![(TOOL_CALLS, 1)], Else::Deny)).program();
    let health = Health::default();
    let [mut ann, mut bob, mut alone] =
        [&health, &health, &Health::default()].map(|each| one(&program, each));
    for run in [&mut ann, &mut bob] {
        assert_eq!(ask_tool(run, 0, None, "look").outcome, Outcome::Allow);
        run.error(0, &unavailable(1)).unwrap();
    }
    let denied = ask_tool(&mut one(&program, &health), 0, None, "look");
    assert_eq!((denied.outcome, denied.wait_ns), (Outcome::Deny, Some(SECOND)));
    assert_eq!(ask_tool(&mut alone, 0, None, "look").outcome, Outcome::Allow);
    // A child knows what its parent knows.
    assert_eq!(ask_tool(&mut bob.child(0), 0, None, "look").outcome, Outcome::Deny);
}

#[test]
fn runs_that_race_for_the_probes_take_as_many_as_there_are() {
    let breaker = Enforced::Breaker { on: Select::AnyTool, terms: [500_000, 1, 30 * SECOND, 3, SECOND] };
    let program = vocabulary().with("b", breaker).program();
    for round in 0..ROUNDS {
        let health = Health::default();
        let mut run = one(&program, &health);
        ask_tool(&mut run, 0, None, "look");
        run.error(0, &unavailable(1)).unwrap();
        let probe = |run: &mut Run| ask_tool(run, SECOND, None, "look").outcome;
        assert_eq!(race(&program, &health, Outcome::Allow, probe), 3, "round {round}");
    }
}

#[test]
fn runs_that_race_for_a_share_take_no_more_than_there_is() {
    let retry = Enforced::Retry {
        on: Select::AnyTool,
        when: None,
        attempts: 5,
        within: None,
        backoff: None,
        share: Some([1, 60 * SECOND, 3]),
        otherwise: Else::Deny,
    };
    let program = vocabulary().with("r", retry).program();
    for round in 0..ROUNDS {
        let fail = |run: &mut Run| {
            ask_tool(run, 0, None, "look");
            run.error(0, &unavailable(1)).unwrap().outcome
        };
        assert_eq!(race(&program, &Health::default(), Outcome::Wait, fail), 3, "round {round}");
    }
}
