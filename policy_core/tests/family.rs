//! Children, corrections after the end, and what tokens cost by size, hour, cache and reasoning.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Outcome, Tariff, Usage};

const HOUR: u64 = 3600 * SECOND;

#[test]
fn a_child_counts_in_all_that_its_ancestors_may() {
    let policy = vocabulary().with("l", limit(vec![(TOKENS, 500), (TOOL_CALLS, 2)], Else::Stop("over")));
    let mut run = policy.run();
    let mut child = run.child(0);
    let mut grandchild = child.child(0);
    assert_eq!(ask_model(&mut grandchild, 0, None).outcome, Outcome::Allow);
    ask_tool(&mut child, 0, None, "look");
    ask_tool(&mut run, 0, None, "look");
    assert_eq!(run.used(), [(0, 200), (2, 0)]);
    assert_eq!(child.used(), [(0, 200), (1, 0)]);
    assert_eq!(grandchild.used(), [(0, 200), (0, 0)]);
    // Its own bound has room, its grandparent's has not.
    let stopped = ask_tool(&mut grandchild, 0, None, "look");
    assert_eq!(
        (stopped.outcome, by(&stopped, &grandchild).as_str(), stopped.votes.len()),
        (Outcome::Stop, "l", 1)
    );
    assert!(run.latched().is_none());
    // The parent may be gone before what its child began ends.
    run.end(1);
    run.release();
    grandchild.settle(1, 1, Usage::exact(60, 40)).unwrap();
    assert_eq!((grandchild.used()[0], child.used()[0]), ((100, 0), (100, 0)));
}

#[test]
fn a_child_has_its_parents_scopes_and_its_own_wrapping_up() {
    let user = limit_on(USER, vec![(MODEL_CALLS, 3)], Else::Deny);
    let wrap = LimitSpec { bounds: vec![(STEPS, 2, 1)], wrap_up: 1, ..LimitSpec::new(vec![], Else::Deny) };
    let policy = vocabulary().with("u", user).with("w", Enforced::Limit(wrap));
    let scopes = policy_core::Scopes { user: Some("u"), ..Default::default() };
    let run = policy.run_in(&books(), &scopes);
    let (mut one, mut two) = (run.child(0), run.child(0));
    assert!(!ask_model(&mut one, 0, None).wrap_up);
    // The parent's last step, which it keeps for wrapping up, once.
    assert!(ask_model(&mut two, 0, None).wrap_up);
    let denied = ask_model(&mut two, 0, None);
    assert_eq!((denied.outcome, by(&denied, &two).as_str()), (Outcome::Deny, "w"));
    assert_eq!(run.used(), [(2, 0), (2, 0)]);
}

#[test]
fn facts_of_a_run_count_its_children() {
    let mut policy = vocabulary();
    policy.facts = ["run.cost.held", "run.cost.left", "run.cost.spent"]
        .map(|name| FactSpec { source: 2, ..fact(name, 3) })
        .to_vec();
    policy.facts.push(FactSpec { source: 2, ..fact("run.attempts.spent", 2) });
    let is = |name, dimension, number| Op::Compare(name, 0, Lit::Number(dimension, number));
    let all = vec![
        is("run.cost.held", 3, 0),
        is("run.cost.left", 3, 240),
        Op::And,
        is("run.cost.spent", 3, 60),
        Op::And,
        is("run.attempts.spent", 2, 1),
        Op::And,
    ];
    let rule = Enforced::Rule { on: Select::AnyTool, when: Some(all), then: Else::Deny };
    let mut run = policy
        .with("l", limit(vec![(COST, 300)], Else::Deny))
        .with("m", limit_on(USER, vec![(COST, 310)], Else::Deny))
        .with("r", rule)
        .run_in(&books(), &policy_core::Scopes { user: Some("u"), ..Default::default() });
    let mut child = run.child(0);
    assert_eq!(ask_model(&mut child, 0, None).outcome, Outcome::Allow);
    child.settle(0, 1, Usage::exact(50, 10)).unwrap();
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Deny);
    assert_eq!(ask_tool(&mut child, 0, None, "look").outcome, Outcome::Deny);
}

#[test]
fn what_was_unknown_is_corrected_once() {
    let kind = |error: policy_core::EngineError| error.kind();
    let mut run = vocabulary().with("l", limit(vec![(COST, 1000), (OUTPUT, 900)], Else::Deny)).run();
    for _ in 0..3 {
        ask_model(&mut run, 0, None);
    }
    ask_tool(&mut run, 0, None, "look");
    let right = Usage::exact(90, 20);
    assert_eq!(run.adjust(0, 1, right).map_err(kind), Err("not_settled"));
    run.settle(0, 1, Usage::Unknown).unwrap();
    run.settle(0, 2, Usage::at_least(100, 10)).unwrap();
    run.end(0);
    assert_eq!(run.used(), [(600, 0), (300, 0)]);
    let settled = run.adjust(1, 1, right).unwrap();
    assert_eq!((settled.cost, settled.tokens, settled.reserved_cost), (110, 110, 200));
    assert_eq!(run.used(), [(510, 0), (220, 0)]);
    assert_eq!(run.adjust(2, 1, right), Ok(settled));
    assert_eq!(run.adjust(2, 1, Usage::exact(1, 1)).map_err(kind), Err("already_settled"));
    assert_eq!(run.adjust(2, 1, Usage::Unknown).map_err(kind), Err("bad_value"));
    // Up as well, and what the run's end charged.
    run.adjust(3, 2, Usage::exact(150, 150)).unwrap();
    run.adjust(3, 3, Usage::exact(0, 0)).unwrap();
    assert_eq!(run.used(), [(410, 0), (170, 0)]);
    assert_eq!(run.inner.settled(3).unwrap().0, Usage::exact(0, 0));
    assert_eq!(run.adjust(3, 4, right).unwrap().tokens, 0);
    assert_eq!(run.adjust(3, 9, right).map_err(kind), Err("unknown_attempt"));
    assert_eq!(run.used(), [(410, 0), (170, 0)]);
}

fn priced(tariffs: Vec<Tariff>) -> Policy {
    let mut policy = vocabulary().with("l", limit(vec![(COST, 10_000)], Else::Deny));
    policy.models[0] = ModelSpec { window: 100_000, price: Some(tariffs), ..model("large") };
    policy
}

#[test]
fn a_tier_reprices_the_whole_request() {
    let mut run = priced(vec![flat(1_000_000, 0), Tariff { above: 1000, ..flat(2_000_000, 0) }]).run();
    let below = ask_model_with(&mut run, 0, None, 1000, &[]);
    let above = ask_model_with(&mut run, 0, None, 1001, &[]);
    assert_eq!((below.reserved_cost, above.reserved_cost), (1000, 2002));
    // The bound was above the tier, what was sent is not.
    assert_eq!(run.settle(0, 2, Usage::exact(1000, 0)).unwrap().cost, 1000);
    assert_eq!(run.settle(0, 1, Usage::exact(1001, 0)).unwrap().cost, 2002);
}

#[test]
fn the_hour_of_the_opening_sets_the_price() {
    let night = Tariff { to: 60, ..flat(1_000_000, 0) };
    let day = Tariff { from: 60, ..flat(3_000_000, 0) };
    let mut run = priced(vec![night, day]).run();
    for now in [24 * HOUR, 25 * HOUR - 1, 25 * HOUR] {
        assert_eq!(ask_model(&mut run, now, None).reserved_cost, 300);
    }
    let cost = |run: &mut Run, attempt| run.settle(30 * HOUR, attempt, Usage::exact(100, 0)).unwrap().cost;
    assert_eq!([cost(&mut run, 1), cost(&mut run, 2), cost(&mut run, 3)], [100, 100, 300]);
}

#[test]
fn cache_and_reasoning_have_their_own_rates() {
    let rates = Tariff {
        cache_read: 100_000,
        cache_write: 4_000_000,
        reasoning: 5_000_000,
        ..flat(1_000_000, 2_000_000)
    };
    let mut run = priced(vec![rates]).run();
    assert_eq!(ask_model(&mut run, 0, None).reserved_cost, 400 + 500);
    let used = Usage::Exact { input: 100, output: 50, cache_read: 60, cache_write: 10, reasoning: 20 };
    let settled = run.settle(0, 1, used).unwrap();
    assert_eq!(settled.cost, 30 + 6 + 40 + 60 + 100);
    assert_eq!((settled.cache_read_tokens, settled.reasoning_tokens, settled.tokens), (60, 20, 150));
    for (cache_read, reasoning) in [(101, 0), (0, 51)] {
        let wrong = Usage::AtLeast { input: 100, output: 50, cache_read, cache_write: 0, reasoning };
        assert_eq!(run.settle(0, 1, wrong).unwrap_err().kind(), "bad_value");
    }
    // What was counted beyond the cap of an attempt that nobody knows is reckoned at the dearest rate.
    ask_model(&mut run, 0, None);
    run.count(0, 2, 110).unwrap();
    assert_eq!(run.settle(0, 2, Usage::Unknown).unwrap().cost, 400 + 550);
}
