//! Asking people: one request for each statement and exact call, answered once, used once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Outcome, Reply, ToolCall, Usage, fingerprint};

fn policy() -> Policy {
    let rule = |then| Enforced::Rule { on: Select::Tool("pay"), when: None, then };
    vocabulary().with("big", rule(Else::Escalate("leads")))
}

fn retries() -> Enforced {
    Enforced::Retry {
        on: Select::AnyTool,
        when: None,
        attempts: 3,
        within: None,
        backoff: None,
        share: None,
        otherwise: Else::Deny,
    }
}

fn pay(run: &mut Run, now: u64, call: Option<u64>) -> policy_core::Decision {
    ask_tool_with(run, now, call, "pay", b"{\"amount\":4}", &[])
}

#[test]
fn an_approval_lets_one_call_through() {
    let mut run = policy().run();
    let asked = pay(&mut run, SECOND, None);
    let request = asked.asked.unwrap();
    assert_eq!((asked.outcome, request.request, request.expires_at), (Outcome::Escalate, 1, 61 * SECOND));
    assert_eq!(pay(&mut run, 2 * SECOND, asked.call).asked, Some(request));
    run.answer(3 * SECOND, 1, true).unwrap();
    assert_eq!(pay(&mut run, 4 * SECOND, asked.call).outcome, Outcome::Allow);
    // An identical new call is another call.
    assert_eq!(pay(&mut run, 5 * SECOND, None).asked.unwrap().request, 2);
}

#[test]
fn an_approval_stays_with_the_retries_of_its_call() {
    let mut run = policy().with("r", retries()).run();
    pay(&mut run, 0, None);
    run.answer(0, 1, true).unwrap();
    assert_eq!(pay(&mut run, 0, Some(1)).outcome, Outcome::Allow);
    assert_eq!(pay(&mut run, 0, None).asked.unwrap().request, 2);
    assert_eq!(run.error(0, &failure_of(1, Usage::Unknown)).unwrap().outcome, Outcome::Wait);
    assert_eq!(pay(&mut run, 0, Some(1)).outcome, Outcome::Allow);
}

#[test]
fn a_rejection_denies_and_stays() {
    let mut run = policy().run();
    pay(&mut run, 0, None);
    run.answer(0, 1, false).unwrap();
    let denied = pay(&mut run, 0, Some(1));
    assert_eq!((denied.outcome, denied.rejected, by(&denied, &run).as_str()), (Outcome::Deny, true, "big"));
    assert_eq!(denied.reason(run.program()), Some("a person said no"));
    assert!(pay(&mut run, 0, None).rejected);
}

#[test]
fn an_unanswered_request_takes_the_default() {
    let strict = Enforced::Rule { on: Select::Tool("pay"), when: None, then: Else::Escalate("strict") };
    let mut run = policy().run();
    pay(&mut run, 0, None);
    assert_eq!(pay(&mut run, 60 * SECOND, Some(1)).outcome, Outcome::Escalate);
    let denied = pay(&mut run, 60 * SECOND + 1, Some(1));
    assert_eq!((denied.outcome, denied.rejected), (Outcome::Deny, false));
    let mut run = vocabulary().with("big", strict).run();
    pay(&mut run, 0, None);
    assert_eq!(run.answer(60 * SECOND + 1, 1, true).unwrap_err().kind(), "expired");
    let stopped = pay(&mut run, 60 * SECOND + 1, Some(1));
    assert_eq!(
        (stopped.outcome, stopped.state, by(&stopped, &run).as_str()),
        (Outcome::Stop, Some(1), "big")
    );
}

#[test]
fn several_askers_ask_one_after_the_other() {
    let also = Enforced::Rule { on: Select::Class(3), when: None, then: Else::Escalate("strict") };
    let mut run = policy().with("also", also).run();
    let first = pay(&mut run, 0, None);
    assert_eq!((by(&first, &run).as_str(), first.votes.len()), ("also", 2));
    run.answer(0, 1, true).unwrap();
    let second = pay(&mut run, 0, Some(1));
    assert_eq!((by(&second, &run).as_str(), second.asked.unwrap().request), ("big", 2));
    run.answer(0, 2, true).unwrap();
    assert_eq!(pay(&mut run, 0, Some(1)).outcome, Outcome::Allow);
}

#[test]
fn a_denial_beside_an_escalation_asks_nobody() {
    let deny = Enforced::Rule { on: Select::AnyTool, when: None, then: Else::Deny };
    let mut run = policy().with("no", deny).run();
    let denied = pay(&mut run, 0, None);
    assert_eq!((denied.outcome, denied.asked), (Outcome::Deny, None));
    assert_eq!(run.answer(0, 1, true).unwrap_err().kind(), "unknown_request");
}

#[test]
fn active_time_stands_still_while_a_person_thinks() {
    let limit = limit(vec![(ACTIVE_TIME, 100 * SECOND)], Else::Stop("over"));
    let mut run = policy().with("t", limit).run();
    pay(&mut run, 10 * SECOND, None);
    run.answer(50 * SECOND, 1, true).unwrap();
    assert_eq!(run.limits()[0].spent, 10 * SECOND);
    pay(&mut run, 52 * SECOND, Some(1));
    assert_eq!(run.limits()[0].spent, 12 * SECOND);
    // With an attempt in flight the agent is busy, so the clock goes on.
    pay(&mut run, 53 * SECOND, None);
    run.answer(63 * SECOND, 2, true).unwrap();
    assert_eq!(run.limits()[0].spent, 23 * SECOND);
}

#[test]
fn a_loop_that_asks_cannot_be_passed_by_asking_again() {
    let repeated =
        Enforced::Loop(LoopSpec { same_call: Some((2, 5)), ..LoopSpec::new(Else::Escalate("leads")) });
    let mut policy = vocabulary().with("stuck", repeated);
    policy.tools.iter_mut().for_each(|tool| tool.may_repeat = false);
    let mut run = policy.run();
    ask_tool(&mut run, 0, None, "look");
    let asked = ask_tool(&mut run, 0, None, "look");
    assert_eq!(asked.outcome, Outcome::Escalate);
    assert_eq!(ask_tool(&mut run, 0, asked.call, "look").outcome, Outcome::Escalate);
    run.answer(0, 1, true).unwrap();
    assert_eq!(ask_tool(&mut run, 0, asked.call, "look").outcome, Outcome::Allow);
}

#[test]
fn model_calls_are_bound_one_by_one() {
    let rule = Enforced::Rule { on: Select::Model("large"), when: None, then: Else::Escalate("leads") };
    let mut run = vocabulary().with("r", rule).run();
    assert_eq!(ask_model(&mut run, 0, None).asked.unwrap().request, 1);
    assert_eq!(ask_model(&mut run, 0, None).asked.unwrap().request, 2);
    run.answer(0, 1, true).unwrap();
    assert_eq!(ask_model(&mut run, 0, Some(2)).outcome, Outcome::Escalate);
    assert_eq!(ask_model(&mut run, 0, Some(1)).outcome, Outcome::Allow);
}

/// Two argument texts with one xxh3: eight bytes equal to its secret make it blind to the eight behind them.
fn alike(last: &[u8; 8]) -> Vec<u8> {
    let blinding = [0xDE, 0xD4, 0x6D, 0xE9, 0x83, 0x90, 0x97, 0xDB];
    [&[b'.'; 12][..], &blinding, last].concat()
}

#[test]
fn an_equal_fingerprint_does_not_carry_an_approval_to_other_arguments() {
    let (cheap, dear) = (alike(b"    $ 10"), alike(b"$ 100000"));
    assert_eq!(fingerprint("pay", &cheap), fingerprint("pay", &dear));
    let mut run = policy().with("r", retries()).run();
    ask_tool_with(&mut run, 0, None, "pay", &cheap, &[]);
    run.answer(0, 1, true).unwrap();
    assert_eq!(ask_tool_with(&mut run, 0, Some(1), "pay", &cheap, &[]).outcome, Outcome::Allow);
    run.error(0, &failure_of(1, Usage::Unknown)).unwrap();
    assert_eq!(ask_tool_with(&mut run, 0, Some(1), "pay", &dear, &[]).outcome, Outcome::Escalate);
    assert_eq!(ask_tool_with(&mut run, 0, Some(1), "pay", &cheap, &[]).outcome, Outcome::Allow);
}

#[test]
fn answers_about_inexact_arguments_are_for_one_call() {
    let ask = |run: &mut Run, call| {
        let (args, forms) = (&b"{}"[..], &[][..]);
        let event =
            ToolCall { call, tool: "pay", args, forms, is_exact: false, is_unsafe: false, facts: &[] };
        run.tool_call(0, &event).unwrap()
    };
    let mut run = policy().with("r", retries()).run();
    assert_eq!(ask(&mut run, None).asked.unwrap().request, 1);
    assert_eq!(ask(&mut run, None).asked.unwrap().request, 2);
    run.answer(0, 1, true).unwrap();
    assert_eq!(ask(&mut run, Some(2)).outcome, Outcome::Escalate);
    assert_eq!(ask(&mut run, Some(1)).outcome, Outcome::Allow);
    run.error(0, &failure_of(1, Usage::Unknown)).unwrap();
    assert_eq!(ask(&mut run, Some(1)).outcome, Outcome::Allow);
    run.answer(0, 2, false).unwrap();
    assert!(ask(&mut run, Some(2)).rejected);
    assert_eq!(ask(&mut run, None).outcome, Outcome::Escalate);
}

#[test]
fn a_retry_leaves_the_approval_of_an_equal_call() {
    let mut run = policy().with("r", retries()).run();
    pay(&mut run, 0, None);
    run.answer(0, 1, true).unwrap();
    pay(&mut run, 0, Some(1));
    pay(&mut run, 0, None);
    run.answer(0, 2, true).unwrap();
    run.error(0, &failure_of(1, Usage::Unknown)).unwrap();
    assert_eq!(pay(&mut run, 0, Some(1)).outcome, Outcome::Allow);
    assert_eq!(pay(&mut run, 0, Some(2)).outcome, Outcome::Allow);
}

#[test]
fn answers_are_final() {
    let mut run = policy().run();
    for unknown in [0, 1] {
        assert_eq!(run.answer(0, unknown, true).unwrap_err().kind(), "unknown_request");
    }
    pay(&mut run, 0, None);
    run.answer(0, 1, false).unwrap();
    run.answer(90 * SECOND, 1, false).unwrap();
    assert_eq!(run.answer(90 * SECOND, 1, true).unwrap_err().kind(), "already_answered");
}

#[test]
fn an_approval_that_is_not_used_in_time_is_none() {
    let mut run = policy().run();
    pay(&mut run, 0, None);
    run.answer(50 * SECOND, 1, true).unwrap();
    // The queue gives a minute to answer, and a minute to use the answer.
    let asked = pay(&mut run, 110 * SECOND + 1, Some(1)).asked.unwrap();
    assert_eq!((asked.request, asked.expires_at), (2, 170 * SECOND + 1));
    run.answer(120 * SECOND, 2, true).unwrap();
    assert_eq!(pay(&mut run, 180 * SECOND, Some(1)).outcome, Outcome::Allow);
    assert_eq!(pay(&mut run, 180 * SECOND, None).asked.unwrap().request, 3);
}

#[test]
fn an_answer_that_comes_late_counts_from_when_it_was_given() {
    let mut run = policy().run();
    pay(&mut run, 0, None);
    let reply = |ago, bound| Reply { request: 1, approve: true, ago, bound };
    assert_eq!(run.reply(70 * SECOND, reply(5 * SECOND, None)).unwrap_err().kind(), "expired");
    run.reply(70 * SECOND, reply(15 * SECOND, None)).unwrap();
    assert_eq!(pay(&mut run, 115 * SECOND, Some(1)).outcome, Outcome::Allow);
}

#[test]
fn an_answer_from_elsewhere_is_for_its_request_alone() {
    let mut run = policy().run();
    pay(&mut run, SECOND, None);
    ask_tool_with(&mut run, SECOND, None, "pay", b"{\"amount\":5}", &[]);
    let open = run.inner.open_requests();
    assert_eq!(
        open.iter().map(|it| (it.request, it.left_ns)).collect::<Vec<_>>(),
        [(1, 60 * SECOND), (2, 60 * SECOND)]
    );
    let reply = |request, bound| Reply { request, approve: true, ago: 0, bound: Some(bound) };
    assert_eq!(run.reply(SECOND, reply(1, open[1].bound)).unwrap_err().kind(), "unknown_request");
    run.reply(SECOND, reply(1, open[0].bound)).unwrap();
    assert_eq!(run.inner.open_requests(), open[1..]);
    run.answer(62 * SECOND, 1, true).unwrap();
    assert_eq!(run.inner.open_requests(), [], "nobody may answer the other one any more");
}

#[test]
fn nobody_may_answer_a_run_that_has_ended() {
    let mut run = policy().run();
    pay(&mut run, 0, None);
    assert_eq!(run.inner.open_requests().len(), 1);
    run.end(SECOND);
    assert_eq!(run.inner.open_requests(), []);
    assert_eq!(run.answer(SECOND, 1, true).unwrap_err().kind(), "ended");
}
