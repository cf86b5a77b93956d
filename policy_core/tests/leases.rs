//! Limits that a store keeps: what is not leased yet is waited for, by model and tool calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod books_common;
mod common;

use std::cell::RefCell;
use std::rc::Rc;

use books_common::{Ledger, at, talk};
use common::*;
use policy_core::books::Books;
use policy_core::{Outcome, Scopes, Usage};

const FOR_USER: Scopes<'static> =
    Scopes { run: None, session: None, user: Some("u"), team: None, org: None, keys: &[] };

fn leased(node: u128) -> Desk {
    Rc::new(RefCell::new(Books::leased(node, at(0))))
}

fn say(ledger: &mut Ledger, books: &Desk, ms: u64) {
    talk(ledger, &mut books.borrow_mut(), at(ms));
}

#[test]
fn a_lease_is_waited_for_and_then_spent() {
    let policy =
        vocabulary().with("u", limit_on(USER, vec![(TOKENS, 500), (TOOL_CALLS, 1)], Else::Stop("over")));
    let (mut ledger, books) = (Ledger::new(), leased(1));
    let mut run = policy.run_in(&books, &FOR_USER);
    let waits = ask_model(&mut run, 0, None);
    assert_eq!(
        (waits.outcome, waits.wait_ns, by(&waits, &run).as_str()),
        (Outcome::Wait, Some(5_000_000), "lease")
    );
    say(&mut ledger, &books, 1);
    assert_eq!(ask_model(&mut run, 5_000_000, waits.call).output_cap, Some(100));
    run.settle(6_000_000, 1, Usage::exact(100, 100)).unwrap();
    let waits = ask_tool(&mut run, 7_000_000, None, "look");
    assert_eq!((waits.outcome, by(&waits, &run).as_str()), (Outcome::Wait, "lease"));
    say(&mut ledger, &books, 200);
    assert_eq!(ask_tool(&mut run, 201_000_000, waits.call, "look").outcome, Outcome::Allow);
    let stopped = ask_tool(&mut run, 202_000_000, None, "look");
    assert_eq!((stopped.outcome, by(&stopped, &run).as_str()), (Outcome::Stop, "u"));
}

#[test]
fn a_person_may_take_longer_than_a_lease() {
    let ask = Enforced::Rule { on: Select::AnyTool, when: None, then: Else::Escalate("leads") };
    let limit = limit_on(USER, vec![(TOOL_CALLS, 5)], Else::Stop("over"));
    let mut policy = vocabulary().with("u", limit).with("ask", ask);
    policy.queues[0].1 = 3600 * SECOND;
    let (mut ledger, books) = (Ledger::new(), leased(1));
    let mut run = policy.run_in(&books, &FOR_USER);
    let call = ask_tool(&mut run, 0, None, "look").call;
    run.answer(600 * SECOND, 1, true).unwrap();
    // Nothing was leased so far, or it was given back: that is no reason to refuse.
    let waits = ask_tool(&mut run, 600 * SECOND, call, "look");
    assert_eq!((waits.outcome, by(&waits, &run).as_str()), (Outcome::Wait, "lease"));
    say(&mut ledger, &books, 600_001);
    assert_eq!(ask_tool(&mut run, 601 * SECOND, call, "look").outcome, Outcome::Allow);
}

#[test]
fn nodes_share_one_bound() {
    let policy = vocabulary().with("u", limit_on(USER, vec![(MODEL_CALLS, 2)], Else::Deny));
    let mut ledger = Ledger::new();
    let (mut allowed, mut desks) = (0, Vec::new());
    for node in 1..=3 {
        let books = leased(node);
        let mut run = policy.run_in(&books, &FOR_USER);
        let mut call = None;
        for ms in 1..20 {
            let decision = ask_model(&mut run, ms * 5_000_000, call);
            call = decision.call;
            if decision.outcome != Outcome::Wait {
                allowed += u64::from(decision.outcome == Outcome::Allow);
                break;
            }
            say(&mut ledger, &books, ms * 5);
        }
        desks.push((books, run));
    }
    assert_eq!(allowed, 2);
}

#[test]
fn without_a_store_a_call_waits_a_minute_and_no_limit_in_vain_is_blamed() {
    let policy = vocabulary()
        .with("a", limit_on(USER, vec![(TOKENS, 500)], Else::Stop("over")))
        .with("b", limit(vec![(MODEL_CALLS, 1), (TOOL_CALLS, 0)], Else::Deny));
    let mut run = policy.run_in(&leased(1), &FOR_USER);
    let waits = ask_model(&mut run, 0, None);
    assert_eq!(ask_model(&mut run, 60 * SECOND - 5_000_000, waits.call).outcome, Outcome::Wait);
    assert_eq!(by(&ask_model(&mut run, 60 * SECOND, waits.call), &run), "a");
    // What is merely not leased yet does not stop a run that another limit denies a call.
    let mut run = policy.run_in(&leased(2), &FOR_USER);
    assert_eq!(by(&ask_tool(&mut run, 0, None, "look"), &run), "b");
    let spent = limit(vec![(MODEL_CALLS, 0)], Else::Deny);
    let policy =
        vocabulary().with("a", limit_on(USER, vec![(TOKENS, 500)], Else::Stop("over"))).with("b", spent);
    let mut run = policy.run_in(&leased(3), &FOR_USER);
    let denied = ask_model(&mut run, 0, None);
    assert_eq!((denied.outcome, denied.votes.len()), (Outcome::Deny, 1));
}

#[test]
fn a_granted_raise_comes_through_the_store() {
    let mut policy = vocabulary().with("u", limit_on(USER, vec![(TOKENS, 200)], Else::Escalate("more")));
    policy.queues.push(("more", 60 * SECOND, None));
    policy.grants = vec![("more", 4, 200, 1)];
    let (mut ledger, books) = (Ledger::new(), leased(1));
    let mut run = policy.run_in(&books, &FOR_USER);
    let first = ask_model(&mut run, 0, None);
    say(&mut ledger, &books, 1);
    assert_eq!(ask_model(&mut run, 5_000_000, first.call).outcome, Outcome::Allow);
    run.settle(6_000_000, 1, Usage::exact(100, 100)).unwrap();
    let asked = ask_model(&mut run, 7_000_000, None);
    assert_eq!(asked.outcome, Outcome::Escalate);
    run.answer(8_000_000, 1, true).unwrap();
    for ms in [300, 600] {
        if ask_model(&mut run, ms * 1_000_000, asked.call).outcome == Outcome::Allow {
            return;
        }
        say(&mut ledger, &books, ms);
    }
    assert_eq!(ask_model(&mut run, 700_000_000, asked.call).outcome, Outcome::Allow);
}
