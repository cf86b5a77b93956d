//! A limit that asks for more: when it does, what an approval adds, and when that is over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Outcome, Scopes, Usage};

/// 250 tokens and what `more` grants: 200 at a time, twice.
fn policy(scope: Scoped, bounds: Vec<(Measured, u64)>) -> Policy {
    let mut policy = vocabulary().with("l", limit_on(scope, bounds, Else::Escalate("more")));
    policy.queues.push(("more", 60 * SECOND, Some("over")));
    policy.grants = vec![("more", 4, 200, 2)];
    policy
}

fn spend(run: &mut Run, call: Option<u64>) -> policy_core::Decision {
    let decision = ask_model(run, 0, call);
    if let Some(attempt) = decision.attempt {
        run.settle(0, attempt, Usage::exact(100, 100)).unwrap();
    }
    decision
}

#[test]
fn an_approval_raises_the_bound_so_often() {
    let mut run = policy(RUN, vec![(TOKENS, 200)]).run();
    assert_eq!(spend(&mut run, None).outcome, Outcome::Allow);
    for request in 1..=2 {
        let asked = spend(&mut run, None);
        assert_eq!((asked.outcome, by(&asked, &run).as_str()), (Outcome::Escalate, "l"));
        assert_eq!(asked.asked.unwrap().request, request);
        assert_eq!(spend(&mut run, asked.call).asked, asked.asked);
        run.answer(0, request, true).unwrap();
        run.answer(0, request, true).unwrap();
        assert_eq!(run.limits()[0].max, 200 + 200 * request);
        assert_eq!(spend(&mut run, asked.call).outcome, Outcome::Allow);
    }
    let stopped = spend(&mut run, None);
    assert_eq!((stopped.outcome, stopped.state), (Outcome::Stop, Some(1)));
}

#[test]
fn every_run_of_a_user_has_what_was_granted() {
    let policy = policy(USER, vec![(TOKENS, 200)]);
    let books = books();
    let scopes = Scopes { user: Some("u"), ..Scopes::default() };
    let (mut first, mut second) = (policy.run_in(&books, &scopes), policy.run_in(&books, &scopes));
    spend(&mut first, None);
    let (one, two) = (spend(&mut first, None), spend(&mut second, None));
    assert_eq!((one.outcome, two.outcome), (Outcome::Escalate, Outcome::Escalate));
    first.answer(0, 1, true).unwrap();
    assert_eq!(spend(&mut second, two.call).outcome, Outcome::Allow);
    // The grant is spent, so the first has to ask once more.
    assert_eq!(spend(&mut first, one.call).asked.unwrap().request, 2);
}

#[test]
fn an_answer_is_for_the_logical_call() {
    let mut run = policy(RUN, vec![(TOKENS, 200)]).run();
    spend(&mut run, None);
    let asked = spend(&mut run, None);
    run.answer(0, 1, false).unwrap();
    let denied = spend(&mut run, asked.call);
    assert_eq!((denied.outcome, denied.rejected), (Outcome::Deny, true));
    assert_eq!(spend(&mut run, None).asked.unwrap().request, 2);
    let late = ask_model(&mut run, 61 * SECOND, Some(3));
    assert_eq!(late.outcome, Outcome::Stop);
}

#[test]
fn nobody_is_asked_where_more_does_not_help() {
    let mut run = policy(RUN, vec![(TOKENS, 200), (MODEL_CALLS, 1)]).run();
    spend(&mut run, None);
    assert_eq!(spend(&mut run, None).outcome, Outcome::Stop);
    let mut run = policy(RUN, vec![(TOKENS, 200), (WALL_TIME, SECOND)]).run();
    assert_eq!(ask_tool(&mut run, SECOND, None, "look").outcome, Outcome::Stop);
    // Without an id there is no account that could be raised.
    let mut run = policy(USER, vec![(TOKENS, 200)]).run();
    let denied = spend(&mut run, None);
    assert_eq!((denied.outcome, denied.undecided), (Outcome::Deny, true));
}

#[test]
fn requests_for_more_are_requests_too() {
    let policy = policy(RUN, vec![(TOKENS, 200)]).with("asks", limit(vec![(ESCALATIONS, 1)], Else::Deny));
    let mut run = policy.run();
    spend(&mut run, None);
    let asked = spend(&mut run, None);
    run.answer(0, 1, true).unwrap();
    assert_eq!(spend(&mut run, asked.call).outcome, Outcome::Allow);
    let denied = spend(&mut run, None);
    assert_eq!((denied.outcome, by(&denied, &run).as_str()), (Outcome::Deny, "asks"));
}

#[test]
fn a_child_asks_for_the_account_that_is_in_its_way() {
    let run = policy(RUN, vec![(TOKENS, 500)]).run();
    let (mut one, mut two) = (run.child(0), run.child(0));
    spend(&mut one, None);
    spend(&mut one, None);
    let asked = spend(&mut two, None);
    assert_eq!(asked.outcome, Outcome::Escalate);
    two.answer(0, 1, true).unwrap();
    assert_eq!((run.limits()[0].max, two.limits()[0].max), (700, 500));
    assert_eq!(spend(&mut two, asked.call).outcome, Outcome::Allow);
}
