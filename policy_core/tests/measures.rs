//! What limits count: every measure, by what basis, and what is kept for wrapping up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{ErrorKind, Failure, Outcome, Usage};

fn on_basis(basis: u8, bounds: Vec<(Measured, u64)>) -> Enforced {
    Enforced::Limit(LimitSpec { basis, ..LimitSpec::new(bounds, Else::Deny) })
}

fn fails(run: &mut Run, attempt: u64, kind: ErrorKind, usage: Usage) -> Outcome {
    run.error(0, &Failure { kind, ..failure_of(attempt, usage) }).unwrap().outcome
}

fn retries() -> Enforced {
    let on = Select::AnyModel;
    Enforced::Retry {
        on,
        when: None,
        attempts: 9,
        within: None,
        backoff: None,
        share: None,
        otherwise: Else::Deny,
    }
}

#[test]
fn input_and_output_have_bounds_of_their_own() {
    let policy = vocabulary().with("l", limit(vec![(INPUT, 250), (OUTPUT, 130)], Else::Deny));
    let mut run = policy.run();
    assert_eq!(ask_model(&mut run, 0, None).output_cap, Some(100));
    assert_eq!(ask_model(&mut run, 0, None).output_cap, Some(30));
    run.settle(0, 1, Usage::at_least(120, 10)).unwrap();
    run.settle(0, 2, Usage::exact(80, 10)).unwrap();
    assert_eq!(run.used(), [(200, 0), (110, 0)]);
    assert_eq!(ask_model_with(&mut run, 0, None, 51, &[]).outcome, Outcome::Deny);
    assert_eq!(ask_model_with(&mut run, 0, None, 50, &[]).output_cap, Some(20));
}

#[test]
fn calls_are_counted_by_what_they_are_of() {
    let bounds = vec![
        (ATTEMPTS, 5),
        (Measured::CallsOf(Select::Model("small")), 0),
        (Measured::CallsOf(Select::Tool("look")), 1),
        (Measured::CallsOf(Select::Class(3)), 1),
    ];
    let policy = vocabulary()
        .with("l", limit(bounds, Else::Deny))
        .with("t", Enforced::Route { arms: vec![("small", None)], fallbacks: vec![("small", "large")] });
    let mut run = policy.run();
    assert_eq!(ask_model(&mut run, 0, None).model, Some(0));
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Deny);
    assert_eq!(ask_tool(&mut run, 0, None, "pay").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 0, None, "pay").outcome, Outcome::Deny);
    assert_eq!(ask_tool(&mut run, 0, None, "think").outcome, Outcome::Allow);
    assert_eq!(run.used(), [(4, 0), (0, 0), (1, 0), (1, 0)]);
}

#[test]
fn retries_are_what_comes_after_the_first_attempt() {
    let mut run =
        vocabulary().with("l", limit(vec![(RETRIES, 1)], Else::Fail("broken"))).with("r", retries()).run();
    ask_model(&mut run, 0, None);
    assert_eq!(fails(&mut run, 1, ErrorKind::Timeout, Usage::Unsent), Outcome::Wait);
    assert_eq!(ask_model(&mut run, 0, Some(1)).outcome, Outcome::Allow);
    assert_eq!(fails(&mut run, 2, ErrorKind::Timeout, Usage::Unknown), Outcome::Wait);
    assert_eq!(ask_model(&mut run, 0, Some(1)).outcome, Outcome::Fail);
    assert_eq!(ask_model(&mut run, 0, None).outcome, Outcome::Allow);
}

#[test]
fn executed_counts_what_may_have_run() {
    let bounds = vec![(STEPS, 1), (MODEL_CALLS, 2)];
    let mut run = vocabulary().with("l", on_basis(1, bounds)).with("r", retries()).run();
    ask_model(&mut run, 0, None);
    assert_eq!(run.used(), [(0, 1), (0, 1)]);
    // Others wait for what may come back.
    assert_eq!(by(&ask_model(&mut run, 0, None), &run), "holds");
    fails(&mut run, 1, ErrorKind::RateLimited, Usage::Unknown);
    assert_eq!(run.used(), [(0, 0), (0, 0)]);
    assert_eq!(ask_model(&mut run, 0, Some(1)).outcome, Outcome::Allow);
    fails(&mut run, 2, ErrorKind::Unavailable, Usage::Unknown);
    assert_eq!(run.used(), [(1, 0), (1, 0)]);
    // The step is paid for, so its retry takes no other.
    assert_eq!(ask_model(&mut run, 0, Some(1)).outcome, Outcome::Allow);
    run.settle(0, 3, Usage::Unknown).unwrap();
    assert_eq!(run.used(), [(1, 0), (2, 0)]);
}

#[test]
fn succeeded_counts_what_may_have_succeeded() {
    let calls = Measured::CallsOf(Select::AnyTool);
    let mut run = vocabulary().with("l", on_basis(2, vec![(TOOL_CALLS, 9), (calls, 9)])).run();
    let ends = [
        (ErrorKind::ToolFailure, Usage::Unknown, 0),
        (ErrorKind::Unavailable, Usage::Unknown, 0),
        (ErrorKind::Timeout, Usage::Unsent, 0),
        (ErrorKind::Timeout, Usage::Unknown, 1),
        (ErrorKind::Cancelled, Usage::Unknown, 2),
        (ErrorKind::Unknown, Usage::Unknown, 3),
    ];
    for (kind, usage, expected) in ends {
        let attempt = ask_tool(&mut run, 0, None, "look").attempt.unwrap();
        fails(&mut run, attempt, kind, usage);
        assert_eq!(run.used(), [(expected, 0); 2], "{kind:?}");
    }
    ask_tool(&mut run, 0, None, "look");
    run.settle(0, 7, Usage::Unknown).unwrap();
    ask_tool(&mut run, 0, None, "look");
    run.end(0);
    assert_eq!(run.used(), [(5, 0); 2]);
}

#[test]
fn requests_to_people_are_counted() {
    let rule = Enforced::Rule { on: Select::Tool("pay"), when: None, then: Else::Escalate("leads") };
    let mut run =
        vocabulary().with("l", limit(vec![(ESCALATIONS, 1)], Else::Fail("broken"))).with("r", rule).run();
    let pay = |run: &mut Run, call, args: &[u8]| ask_tool_with(run, 0, call, "pay", args, &[]);
    let asked = pay(&mut run, None, b"1");
    assert_eq!(asked.outcome, Outcome::Escalate);
    // Asked again, it is the same request.
    assert_eq!(pay(&mut run, asked.call, b"1").asked, asked.asked);
    let failed = pay(&mut run, None, b"2");
    assert_eq!((failed.outcome, by(&failed, &run).as_str(), failed.votes.len()), (Outcome::Fail, "l", 2));
    assert_eq!((failed.asked, run.used()), (None, vec![(1, 0)]));
}

#[test]
fn wall_time_does_not_stand_still() {
    let rule = Enforced::Rule { on: Select::Tool("pay"), when: None, then: Else::Escalate("leads") };
    let bounds = vec![(ACTIVE_TIME, 20 * SECOND), (WALL_TIME, 50 * SECOND)];
    let mut run = vocabulary().with("t", limit(bounds, Else::Stop("over"))).with("r", rule).run();
    assert_eq!(ask_tool(&mut run, SECOND, None, "look").timeout_ns, Some(19 * SECOND));
    run.settle(SECOND, 1, Usage::Unknown).unwrap();
    ask_tool(&mut run, SECOND, None, "pay");
    assert_eq!(ask_tool(&mut run, 45 * SECOND, None, "look").timeout_ns, Some(5 * SECOND));
    assert_eq!(run.used(), [(SECOND, 0), (45 * SECOND, 0)]);
    assert_eq!(ask_tool(&mut run, 50 * SECOND, None, "look").outcome, Outcome::Stop);
}

/// 1,000 tokens, 3 steps; one call of 200 tokens is kept.
fn wrapping() -> Policy {
    let bounds = vec![(TOKENS, 600, 200), (STEPS, 3, 1), (TOOL_CALLS, 2, 0), (ATTEMPTS, 9, 1)];
    let at = vec![(1_000_000, "all")];
    let otherwise = Else::Stop("over");
    vocabulary()
        .with("l", Enforced::Limit(LimitSpec { bounds, wrap_up: 1, at, ..LimitSpec::new(vec![], otherwise) }))
}

#[test]
fn the_last_call_wraps_up() {
    let mut run = wrapping().run();
    for attempt in 1..=2 {
        assert!(!ask_model(&mut run, 0, None).wrap_up);
        run.settle(0, attempt, Usage::exact(100, 100)).unwrap();
    }
    let last = ask_model(&mut run, 0, None);
    assert_eq!((last.outcome, last.wrap_up, last.output_cap), (Outcome::Allow, true, Some(100)));
    assert_eq!((last.advice.len(), run.limits()[0].max), (1, 600));
    // Never sent: it may be tried again.
    run.settle(0, 3, Usage::Unsent).unwrap();
    assert!(ask_model(&mut run, 0, None).wrap_up);
    run.settle(0, 4, Usage::exact(10, 10)).unwrap();
    let stopped = ask_model(&mut run, 0, None);
    assert_eq!((stopped.outcome, stopped.wrap_up), (Outcome::Stop, false));
}

#[test]
fn holds_are_waited_for_before_wrapping_up_and_tools_have_the_normal_room() {
    let mut run = wrapping().run();
    ask_model(&mut run, 0, None);
    ask_model(&mut run, 0, None);
    // Two steps are taken for good.
    assert!(ask_model(&mut run, 0, None).wrap_up);
    let mut policy = wrapping();
    let Some((_, Enforced::Limit(limit))) = policy.statements.first_mut() else { panic!() };
    limit.bounds = vec![(TOKENS, 400, 200), (ATTEMPTS, 2, 1)];
    let mut run = policy.run();
    let first = ask_model(&mut run, 0, None);
    assert!(!first.wrap_up);
    assert!(ask_model(&mut run, 0, None).wrap_up);
    let mut run = policy.run();
    ask_tool(&mut run, 0, None, "look");
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Stop);
    limit_only_tokens(&mut policy);
    let mut run = policy.run();
    ask_model(&mut run, 0, None);
    assert_eq!(by(&ask_model(&mut run, 0, None), &run), "holds");
}

fn limit_only_tokens(policy: &mut Policy) {
    let Some((_, Enforced::Limit(limit))) = policy.statements.first_mut() else { panic!() };
    limit.bounds = vec![(TOKENS, 400, 200)];
}
