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
use policy_core::{ErrorKind, Failure, Health, Outcome, Program, Scopes, Slot, Usage};

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

/// A session stays with the model that served it last, whichever of its runs that was.
#[test]
fn a_run_knows_what_served_its_session_in_another_run() {
    let route = Enforced::Route { arms: vec![("large", None)], fallbacks: vec![("large", "small")] };
    let program = vocabulary().with("t", route).program();
    let (health, books) = (Health::default(), books());
    let of = |session| {
        let scopes = Scopes { session: Some(session), ..Scopes::default() };
        Run::open(Arc::clone(&program), 7, 0, &scopes, None, &books).watching(&health)
    };
    let [mut ann, mut bob, mut other] = ["one", "one", "two"].map(of);
    let serve = |run: &mut Run, now| {
        let decision = ask_model(run, now, None);
        run.settle(now, decision.attempt.unwrap(), Usage::exact(10, 10)).unwrap();
        (decision.model, decision.stayed)
    };
    let (large, small) = (program.models().iter().position(|model| &*model.name == "large"), Some(1));
    assert_eq!(
        (large, serve(&mut ann, 0), serve(&mut ann, 1)),
        (Some(0), (Some(0), false), (Some(0), false))
    );
    // Its first choice fails, so the session goes on with the other one, in both runs; not another session.
    let asked = ask_model(&mut bob, 2, None);
    let waits = bob.error(2, &unavailable(asked.attempt.unwrap())).unwrap();
    let again = ask_model(&mut bob, 3, waits.call);
    bob.settle(3, again.attempt.unwrap(), Usage::exact(10, 10)).unwrap();
    assert_eq!((again.model, serve(&mut ann, 4)), (small, (small, true)));
    assert_eq!((serve(&mut other, 5), serve(&mut bob, 6)), ((Some(0), false), (small, true)));
    // What was given up is tried again after a while, and then serves as before.
    let later = 600 * SECOND;
    assert_eq!((serve(&mut ann, later), serve(&mut bob, later + 1)), ((Some(0), false), (Some(0), false)));
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
