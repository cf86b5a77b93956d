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
use policy_core::{Decision, Outcome, Scopes, Usage, Value};

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

/// Calls of tools are denied once the user has made two, as far as the store has said.
fn counted() -> Policy {
    let of_engine = |name, dimension| FactSpec { source: 2, ..fact(name, dimension) };
    let when = Some(vec![Op::Compare("user.tool_calls.spent", 5, Lit::Number(2, 2))]);
    let mut policy = vocabulary();
    policy.facts = vec![of_engine("user.tool_calls.age", 5), of_engine("user.tool_calls.spent", 2)];
    policy
        .with("u", limit_on(USER, vec![(TOOL_CALLS, 9)], Else::Stop("over")))
        .with("twice", Enforced::Rule { on: Select::AnyTool, when, then: Else::Deny })
}

/// Asks until there is a decision that is no wait for a lease, 5 ms each; and how often it waited.
fn asked(run: &mut Run, ledger: &mut Ledger, books: &Desk, mut ms: u64) -> (Decision, u64) {
    let mut decision = ask_tool(run, ms * 1_000_000, None, "look");
    for waits in 0..50 {
        if decision.outcome != Outcome::Wait {
            return (decision, waits);
        }
        assert_eq!(by(&decision, run), "lease");
        say(ledger, books, ms + 1);
        ms += 5;
        decision = ask_tool(run, ms * 1_000_000, decision.call, "look");
    }
    panic!("it waits for ever");
}

#[test]
fn facts_of_a_shared_limit_are_what_the_store_said_and_how_long_ago() {
    let mut ledger = Ledger::new();
    let (here, there) = (leased(1), leased(2));
    let (mut one, mut other) = (counted().run_in(&here, &FOR_USER), counted().run_in(&there, &FOR_USER));
    for ms in [0, 50] {
        assert_eq!(asked(&mut one, &mut ledger, &here, ms).0.outcome, Outcome::Allow);
    }
    // It knows what it has spent itself, reported or not.
    assert_eq!(asked(&mut one, &mut ledger, &here, 60).0.outcome, Outcome::Deny);
    say(&mut ledger, &here, 500);
    // Another process knows nothing yet, so it asks before anything is decided.
    let (denied, waits) = asked(&mut other, &mut ledger, &there, 600);
    assert_eq!((denied.outcome, denied.votes[0].undecided, waits > 0), (Outcome::Deny, false, true));
    let age = 4_000_000;
    assert_eq!(denied.values, [(1, Value::Int(2)), (0, Value::Int(age))]);
    // What it has heard is good for some seconds, and the store is asked again meanwhile.
    let later = ask_tool(&mut other, 3 * SECOND, None, "look");
    assert_eq!((later.outcome, &later.values[0]), (Outcome::Deny, &(1, Value::Int(2))));
    say(&mut ledger, &there, 3_001);
    let again = ask_tool(&mut other, 3_002_000_000, None, "look");
    assert_eq!(again.values[1], (0, Value::Int(1_000_000)));
    // What it had been lent goes back, and then nobody has anything to say but that a call reads it.
    say(&mut ledger, &there, 4_500);
    ask_tool(&mut other, 6 * SECOND, None, "look");
    say(&mut ledger, &there, 6_001);
    let again = ask_tool(&mut other, 6_002_000_000, None, "look");
    assert_eq!(again.values[1], (0, Value::Int(1_000_000)));
    // After a longer silence it is worth waiting for.
    let waits = ask_tool(&mut other, 20 * SECOND, None, "look");
    assert_eq!((waits.outcome, by(&waits, &other).as_str()), (Outcome::Wait, "lease"));
    say(&mut ledger, &there, 20_001);
    assert_eq!(ask_tool(&mut other, 20_005_000_000, waits.call, "look").outcome, Outcome::Deny);
}

#[test]
fn what_no_store_has_said_is_not_known() {
    let mut run = counted().run_in(&leased(1), &FOR_USER);
    let waits = ask_tool(&mut run, 0, None, "look");
    assert_eq!((waits.outcome, by(&waits, &run).as_str()), (Outcome::Wait, "lease"));
    let denied = ask_tool(&mut run, 60 * SECOND, waits.call, "look");
    assert_eq!((by(&denied, &run).as_str(), denied.votes[0].undecided), ("twice", true));
    assert_eq!(denied.values, [(1, Value::Missing)]);
}

#[test]
fn of_a_new_window_nothing_was_said_yet() {
    let mut policy = counted();
    policy.zones = vec![("UTC", 0, vec![])];
    let Some((_, Enforced::Limit(limit))) = policy.statements.first_mut() else { panic!("a limit") };
    limit.window = Windowed::Each(0, "UTC");
    let (mut ledger, books) = (Ledger::new(), leased(1));
    let mut run = policy.run_in(&books, &FOR_USER);
    assert_eq!(asked(&mut run, &mut ledger, &books, 0).0.outcome, Outcome::Allow);
    assert_eq!(asked(&mut run, &mut ledger, &books, 50).0.outcome, Outcome::Allow);
    assert_eq!(asked(&mut run, &mut ledger, &books, 60).0.outcome, Outcome::Deny);
    let (allowed, waits) = asked(&mut run, &mut ledger, &books, 3_600_000);
    assert_eq!((allowed.outcome, waits > 0), (Outcome::Allow, true));
}
