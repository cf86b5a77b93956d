//! After an attempt: settlements, retries, fallbacks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{ErrorKind, Failure, Meter, Outcome, Slot, Usage, xxh3_64};
use std::sync::Arc;

fn retry(on: Select, attempts: u64, within: Option<u64>, backoff: Option<(u64, u64)>) -> Enforced {
    Enforced::Retry {
        on,
        when: None,
        attempts,
        within,
        backoff,
        share: None,
        otherwise: Else::Fail("broken"),
    }
}

fn fails(run: &mut Run, now: u64, attempt: u64) -> policy_core::Decision {
    run.error(now, &failure_of(attempt, Usage::Unknown)).unwrap()
}

#[test]
fn without_a_retry_the_error_is_passed_on() {
    let mut run = vocabulary().run();
    ask_model(&mut run, 0, None);
    let decision = fails(&mut run, 0, 1);
    assert_eq!((decision.outcome, by(&decision, &run).as_str()), (Outcome::Allow, "not retried"));
    assert_eq!((decision.model, decision.attempt_number, decision.attempt), (Some(0), Some(1), None));
    assert_eq!(by(&ask_model(&mut run, 0, Some(1)), &run), "closed call");
}

#[test]
fn delays_are_those_of_the_specification() {
    let (least, most) = (SECOND / 5, 5 * SECOND);
    let mut run = vocabulary().with("r", retry(Select::AnyTool, 3, None, Some((least, most)))).run();
    ask_tool(&mut run, 0, None, "look");
    for made in 1..3_u64 {
        let decision = fails(&mut run, 0, made);
        let mut bytes = 1_u64.to_le_bytes().to_vec();
        bytes.extend_from_slice(&made.to_le_bytes());
        let ceiling = most.min(least << made);
        let expected = least + xxh3_64(&bytes, 7) % (ceiling - least + 1);
        assert_eq!((decision.outcome, decision.wait_ns), (Outcome::Wait, Some(expected)));
        assert_eq!(ask_tool(&mut run, 0, Some(1), "look").attempt_number, Some(made + 1));
    }
    let last = fails(&mut run, 0, 3);
    assert_eq!((last.outcome, by(&last, &run).as_str(), last.votes.len()), (Outcome::Fail, "r", 1));
    assert_eq!(last.reason(run.program()), Some("gave up"));
}

#[test]
fn retry_after_and_within_bound_a_wait() {
    let mut run = vocabulary().with("r", retry(Select::AnyTool, 9, Some(10 * SECOND), None)).run();
    ask_tool(&mut run, 0, None, "look");
    let asks = |seconds: u64| Failure {
        retry_after: Slot::Int((seconds * SECOND) as i64),
        ..failure_of(1, Usage::Unknown)
    };
    let decision = run.error(4 * SECOND, &asks(5)).unwrap();
    assert_eq!(decision.wait_ns, Some(5 * SECOND));
    ask_tool(&mut run, 4 * SECOND, Some(1), "look");
    let decision = run.error(5 * SECOND, &Failure { attempt: 2, ..asks(5) }).unwrap();
    assert_eq!(decision.outcome, Outcome::Fail);
}

#[test]
fn the_longest_wait_wins_and_any_else_beats_it() {
    let policy = vocabulary()
        .with("a", retry(Select::AnyTool, 2, None, Some((SECOND, SECOND))))
        .with("b", retry(Select::Tool("look"), 3, None, Some((2 * SECOND, 2 * SECOND))));
    let mut run = policy.run();
    ask_tool(&mut run, 0, None, "look");
    let decision = fails(&mut run, 0, 1);
    assert_eq!((decision.wait_ns, by(&decision, &run).as_str()), (Some(2 * SECOND), "b"));
    ask_tool(&mut run, 0, Some(1), "look");
    let decision = fails(&mut run, 0, 2);
    assert_eq!(
        (decision.outcome, by(&decision, &run).as_str(), decision.votes.len()),
        (Outcome::Fail, "a", 2)
    );
}

#[test]
fn once_means_once_and_cancelled_is_never_retried() {
    let mut policy = vocabulary().with("r", retry(Select::AnyTool, 5, None, None));
    (policy.tools[1].once, policy.tools[1].may_repeat) = (true, false);
    let mut run = policy.run();
    ask_tool(&mut run, 0, None, "pay");
    assert_eq!(fails(&mut run, 0, 1).outcome, Outcome::Fail);
    ask_tool(&mut run, 0, None, "look");
    let cancelled = Failure { kind: ErrorKind::Cancelled, ..failure_of(2, Usage::Unknown) };
    let decision = run.error(0, &cancelled).unwrap();
    assert_eq!((decision.outcome, by(&decision, &run).as_str()), (Outcome::Allow, "not retried"));
}

#[test]
fn a_condition_reads_the_error_and_the_last_ask() {
    let mut policy = vocabulary();
    policy.facts = vec![FactSpec { source: 2, ..fact("error.kind", 0) }, fact("data.n", 2)];
    let when = Some(vec![
        Op::Compare("error.kind", 0, Lit::Text("timeout")),
        Op::Compare("data.n", 0, Lit::Number(2, 4)),
        Op::And,
    ]);
    let statement = Enforced::Retry {
        on: Select::AnyTool,
        when,
        attempts: 3,
        within: None,
        backoff: None,
        share: None,
        otherwise: Else::Deny,
    };
    let mut run = policy.with("r", statement).run();
    let mut tries = |slot, kind| {
        let attempt = ask_tool_with(&mut run, 0, None, "look", b"{}", &[("data.n", slot)]).attempt.unwrap();
        run.error(0, &Failure { kind, ..failure_of(attempt, Usage::Unknown) }).unwrap()
    };
    assert_eq!(tries(Slot::Int(4), ErrorKind::Timeout).outcome, Outcome::Wait);
    assert_eq!(tries(Slot::Int(4), ErrorKind::Auth).outcome, Outcome::Allow);
    assert_eq!(tries(Slot::Int(5), ErrorKind::Timeout).outcome, Outcome::Allow);
    let undecided = tries(Slot::Missing, ErrorKind::Timeout);
    assert_eq!((undecided.outcome, undecided.undecided, undecided.values.len()), (Outcome::Deny, true, 2));
}

fn route() -> Enforced {
    Enforced::Route { arms: vec![], fallbacks: vec![("large", "small")] }
}

#[test]
fn a_failed_model_falls_back_to_the_next() {
    let policy = vocabulary().with("t", route()).with("r", retry(Select::Model("large"), 1, None, None));
    let mut run = policy.run();
    assert_eq!(ask_model(&mut run, 0, None).model, Some(0));
    let decision = fails(&mut run, 0, 1);
    assert_eq!(
        (decision.outcome, decision.wait_ns, by(&decision, &run).as_str()),
        (Outcome::Wait, Some(0), "t")
    );
    let outcomes: Vec<Outcome> = decision.votes.iter().map(|vote| vote.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Wait]);
    let next = ask_model(&mut run, 0, Some(1));
    assert_eq!((next.model, next.attempt_number), (Some(1), Some(1)));
    // No statement looks at the small model, and there is none after it.
    let last = fails(&mut run, 0, 2);
    assert_eq!((last.outcome, by(&last, &run).as_str()), (Outcome::Allow, "not retried"));
}

#[test]
fn without_retries_an_outage_falls_back_and_nothing_else_does() {
    let mut run = vocabulary().with("t", route()).run();
    ask_model(&mut run, 0, None);
    assert_eq!(by(&fails_with(&mut run, 1, ErrorKind::Timeout), &run), "t");
    ask_model(&mut run, 0, None);
    assert_eq!(by(&fails_with(&mut run, 2, ErrorKind::Auth), &run), "not retried");
}

fn fails_with(run: &mut Run, attempt: u64, kind: ErrorKind) -> policy_core::Decision {
    run.error(0, &Failure { kind, ..failure_of(attempt, Usage::Unknown) }).unwrap()
}

#[test]
fn usage_is_charged_as_it_is_known() {
    let mut run = vocabulary().with("l", limit_of(10_000)).run();
    for _ in 0..5 {
        ask_model(&mut run, 0, None);
    }
    assert_eq!(run.count(0, 2, 70).unwrap(), 30);
    assert_eq!(run.count(0, 2, 60).unwrap(), 0);
    let exact = run.settle(0, 1, Usage::exact(100, 10)).unwrap();
    assert_eq!((exact.tokens, exact.cost), (110, 110));
    let least = run.settle(0, 2, Usage::at_least(100, 10)).unwrap();
    assert_eq!((least.output_tokens, least.tokens), (130, 230));
    let least = run.settle(0, 3, Usage::at_least(100, 10)).unwrap();
    assert_eq!((least.output_tokens, least.tokens), (10, 200));
    assert_eq!(run.settle(0, 4, Usage::Unknown).unwrap().tokens, 200);
    assert_eq!(run.settle(0, 5, Usage::Unsent).unwrap().tokens, 0);
    let reading = run.limits()[0];
    assert_eq!((reading.spent, reading.held), (110 + 230 + 200 + 200, 0));
}

fn limit_of(tokens: u64) -> Enforced {
    limit(vec![(TOKENS, tokens)], Else::Deny)
}

#[test]
fn tokens_on_a_meter_are_charged_as_others_are() {
    let mut run = vocabulary().with("l", limit_of(10_000)).run();
    for _ in 0..3 {
        ask_model(&mut run, 0, None);
    }
    let kind = |error: policy_core::EngineError| error.kind();
    let spare = || Arc::new(Meter::new(0));
    assert_eq!(run.count(0, 2, 30).unwrap(), 70);
    let meter = run.inner.metered(2, spare()).unwrap();
    assert_eq!((meter.count(40), run.count(0, 2, 20).unwrap(), meter.count(40)), (Some(30), 10, Some(0)));
    assert!(Arc::ptr_eq(&meter, &run.inner.metered(2, spare()).unwrap()), "an attempt has one");
    assert_eq!(run.inner.metered(1, Arc::clone(&meter)).map_err(kind).err(), Some("bad_value"));
    let least = run.settle(0, 2, Usage::at_least(100, 10)).unwrap();
    assert_eq!((least.output_tokens, least.tokens), (130, 230), "as without a meter");
    assert_eq!((meter.count(1), run.count(0, 2, 1).map_err(kind)), (None, Err("already_settled")));
    assert_eq!(run.inner.metered(2, spare()).map_err(kind).err(), Some("already_settled"));
    let other = run.inner.metered(3, meter).unwrap();
    assert_eq!(other.count(1), Some(99), "it serves the next attempt");
    assert_eq!(run.settle(0, 3, Usage::Unsent).unwrap().tokens, 200, "it was sent: tokens came back");
    ask_tool(&mut run, 0, None, "look");
    assert_eq!(run.inner.metered(4, spare()).map_err(kind).err(), Some("bad_value"));
    let last = run.inner.metered(1, spare()).unwrap();
    run.end(0);
    assert_eq!((last.count(1), run.limits()[0].spent), (None, 230 + 200 + 200));
}

#[test]
fn an_attempt_is_settled_once() {
    let mut run = vocabulary().run();
    ask_model(&mut run, 0, None);
    ask_tool(&mut run, 0, None, "look");
    let usage = Usage::exact(1, 2);
    let kind = |error: policy_core::EngineError| error.kind();
    assert_eq!(run.settle(0, 0, usage).map_err(kind), Err("unknown_attempt"));
    assert_eq!(run.settle(0, 3, usage).map_err(kind), Err("unknown_attempt"));
    let first = run.settle(0, 1, usage);
    assert_eq!(run.settle(0, 1, usage), first);
    assert_eq!(run.settle(0, 1, Usage::Unknown).map_err(kind), Err("already_settled"));
    assert_eq!(run.error(0, &failure_of(1, usage)).map_err(kind).err(), Some("already_settled"));
    assert_eq!(run.count(0, 1, 1).map_err(kind), Err("already_settled"));
    assert_eq!(run.count(0, 2, 1).map_err(kind), Err("bad_value"));
    run.end(0);
    assert_eq!(run.settle(0, 2, Usage::Unsent).map_err(kind), Err("already_settled"));
    assert_eq!(run.error(0, &failure_of(9, usage)).map_err(kind).err(), Some("unknown_attempt"));
}
