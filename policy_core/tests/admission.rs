//! Admission of calls: what votes, in which order candidates are tried, and what is reserved.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Decision, Measure, ModelCall, Now, Outcome, Slot, Usage};

const EXACT: Usage = Usage::exact(100, 50);

fn rule(on: Select, when: Option<Vec<Op>>, then: Else) -> Enforced {
    Enforced::Rule { on, when, then }
}

fn is(fact: Name, number: i64) -> Option<Vec<Op>> {
    Some(vec![Op::Compare(fact, 0, Lit::Number(2, number))])
}

#[test]
fn a_plain_allow_reserves_the_worst_case() {
    let mut run = vocabulary().run();
    let decision = ask_model(&mut run, 0, None);
    assert_eq!(decision.outcome, Outcome::Allow);
    assert_eq!((decision.call, decision.attempt, decision.attempt_number), (Some(1), Some(1), Some(1)));
    assert_eq!(
        (decision.output_cap, decision.reserved_tokens, decision.reserved_cost),
        (Some(100), 200, 200)
    );
    assert_eq!(by(&decision, &run), "");
    let settled = run.settle(1, 1, EXACT).unwrap();
    assert_eq!((settled.tokens, settled.cost, settled.reserved_cost), (150, 150, 200));
    assert_eq!(run.in_flight(), 0);
}

#[test]
fn nothing_of_what_was_in_a_lent_place_is_left() {
    let policy = vocabulary().with("l", limit(vec![(STEPS, 2)], Else::Stop("over")));
    let (mut fresh, mut used) = (policy.run(), policy.run());
    let event = ModelCall { model: Some("large"), input_tokens: 100, ..ModelCall::default() };
    for now in 0..4 {
        let mut decision = Decision::new();
        let at = Now { mono: now, wall: now };
        fresh.inner.model_call(at, &event, &mut fresh.books.borrow_mut(), &mut decision).unwrap();
        // The desk lends a place that has been used.
        assert_eq!(used.model_call(now, &event).unwrap(), decision);
    }
}

#[test]
fn the_output_is_capped_down_to_what_fits() {
    let policy = vocabulary().with("l", limit(vec![(COST, 180), (TOKENS, 500)], Else::Stop("over")));
    let mut run = policy.run();
    let decision = ask_model(&mut run, 0, None);
    assert_eq!((decision.output_cap, decision.reserved_cost), (Some(80), 180));
    // Everything is held: wait, and stop only when it is really spent.
    let waits = ask_model(&mut run, 1, None);
    assert_eq!(
        (waits.outcome, waits.wait_ns, by(&waits, &run).as_str()),
        (Outcome::Wait, Some(50_000_000), "holds")
    );
    run.settle(2, 1, Usage::Unknown).unwrap();
    let stops = ask_model(&mut run, 3, waits.call);
    assert_eq!((stops.outcome, by(&stops, &run).as_str(), stops.latched), (Outcome::Stop, "l", false));
    assert_eq!(&*run.latched().unwrap().name, "over");
    let again = ask_model(&mut run, 4, None);
    assert_eq!((again.outcome, again.latched, again.call), (Outcome::Stop, true, None));
}

#[test]
fn a_wait_for_holds_ends_after_a_minute() {
    let mut run = vocabulary().with("l", limit(vec![(COST, 180)], Else::Deny)).run();
    ask_model(&mut run, 0, None);
    let waits = ask_model(&mut run, 0, None);
    assert_eq!(ask_model(&mut run, 60 * SECOND - 50_000_000, waits.call).outcome, Outcome::Wait);
    assert_eq!(ask_model(&mut run, 60 * SECOND, waits.call).outcome, Outcome::Deny);
    assert_eq!(by(&ask_model(&mut run, 60 * SECOND, waits.call), &run), "closed call");
}

#[test]
fn the_most_restrictive_vote_wins_and_ties_go_by_name() {
    let policy = vocabulary()
        .with("c deny", rule(Select::AnyTool, None, Else::Deny))
        .with("b fail", rule(Select::Tool("pay"), None, Else::Fail("broken")))
        .with("a fail", rule(Select::Class(3), None, Else::Fail("broken")));
    let mut run = policy.run();
    let decision = ask_tool(&mut run, 0, None, "pay");
    assert_eq!((decision.outcome, by(&decision, &run).as_str()), (Outcome::Fail, "a fail"));
    assert_eq!(decision.votes.iter().map(|vote| vote.statement).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(decision.reason(run.program()), Some("because"));
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Deny);
}

#[test]
fn an_undecided_rule_votes_its_own_outcome() {
    let mut policy = vocabulary();
    policy.facts = vec![fact("data.n", 2)];
    let mut run = policy.with("r", rule(Select::AnyModel, is("data.n", 1), Else::Deny)).run();
    for slot in [Slot::Missing, Slot::Ill, Slot::Text("x")] {
        let decision = ask_model_with(&mut run, 0, None, 1, &[("data.n", slot)]);
        assert_eq!((decision.outcome, decision.undecided), (Outcome::Deny, true));
        assert_eq!(decision.values.len(), 1);
    }
    assert_eq!(ask_model_with(&mut run, 0, None, 1, &[("data.n", Slot::Int(2))]).outcome, Outcome::Allow);
    assert!(!ask_model_with(&mut run, 0, None, 1, &[("data.n", Slot::Int(1))]).undecided);
}

#[test]
fn defaults_and_choices_shape_what_is_read() {
    let mut policy = vocabulary();
    let choices = vec!["a", "b"];
    policy.facts =
        vec![FactSpec { presence: 2, default: Some(Lit::Text("a")), choices, ..fact("data.c", 0) }];
    let when = Some(vec![Op::Compare("data.c", 0, Lit::Text("b"))]);
    let mut run = policy.with("r", rule(Select::AnyTool, when, Else::Deny)).run();
    let mut ask = |slot| ask_tool_with(&mut run, 0, None, "look", b"{}", &[("data.c", slot)]);
    assert_eq!(ask(Slot::Missing).outcome, Outcome::Allow);
    assert_eq!(ask(Slot::Text("b")).outcome, Outcome::Deny);
    assert!(ask(Slot::Text("z")).undecided);
}

#[test]
fn the_route_goes_by_its_arms_then_by_its_fallbacks() {
    let mut policy = vocabulary();
    policy.facts = vec![fact("data.n", 2)];
    policy.models[1].window = 120;
    let arms = vec![("small", is("data.n", 1))];
    let mut run = policy
        .with("t", Enforced::Route { arms, fallbacks: vec![("small", "large")] })
        .with("r", rule(Select::Model("large"), is("data.n", 1), Else::Deny))
        .run();
    let mut ask = |number, input| ask_model_with(&mut run, 0, None, input, &[("data.n", Slot::Int(number))]);
    let small = ask(1, 30);
    assert_eq!((small.model, small.output_cap), (Some(1), Some(90)));
    // Too long for the small one, and a rule stands before the large one.
    assert_eq!(ask(1, 120).outcome, Outcome::Deny);
    // No arm holds: the model that was asked for.
    assert_eq!(ask(2, 120).model, Some(0));
    let undecided = ask_model_with(&mut run, 0, None, 10, &[]);
    assert_eq!((undecided.outcome, undecided.skipped.as_slice()), (Outcome::Deny, &[1][..]));
    let event = ModelCall {
        call: None,
        model: None,
        input_tokens: 1,
        facts: &[Slot::Int(5)],
        ..ModelCall::default()
    };
    let nobody = run.model_call(0, &event).unwrap();
    assert_eq!(by(&nobody, &run), "no candidate");
}

#[test]
fn requirements_filter_and_undecided_ones_deny() {
    let mut policy = vocabulary();
    policy.facts = vec![fact("data.n", 2)];
    policy.models[1].place = 0;
    let mut run = policy
        .with("edge", Enforced::Require { place: 0, when: is("data.n", 1) })
        .with("t", Enforced::Route { arms: vec![], fallbacks: vec![("large", "small")] })
        .run();
    let mut ask = |slot, input| ask_model_with(&mut run, 0, None, input, &[("data.n", slot)]);
    assert_eq!(ask(Slot::Int(1), 1).model, Some(1));
    assert_eq!(ask(Slot::Int(2), 1).model, Some(0));
    let undecided = ask(Slot::Missing, 1);
    assert_eq!((undecided.outcome, undecided.undecided), (Outcome::Deny, true));
    let too_long = ask(Slot::Int(1), 5000);
    assert_eq!((by(&too_long, &run).as_str(), too_long.votes.len()), ("edge", 1));
}

#[test]
fn nothing_undeclared_runs() {
    let mut run = vocabulary().run();
    let decision = ask_tool(&mut run, 0, None, "ghost");
    assert_eq!((by(&decision, &run).as_str(), decision.call), ("undeclared tool", Some(1)));
    let event =
        ModelCall { call: None, model: Some("ghost"), input_tokens: 1, facts: &[], ..ModelCall::default() };
    let decision = run.model_call(0, &event).unwrap();
    assert_eq!((by(&decision, &run).as_str(), decision.call), ("undeclared model", Some(2)));
}

#[test]
fn a_call_asked_again_must_be_the_same() {
    let policy = vocabulary().with("r", rule(Select::AnyTool, None, Else::Escalate("leads")));
    let mut run = policy.run();
    let asked = ask_tool_with(&mut run, 0, None, "pay", b"1", &[]);
    assert_eq!(asked.outcome, Outcome::Escalate);
    assert_eq!(by(&ask_tool_with(&mut run, 0, asked.call, "pay", b"2", &[]), &run), "changed call");
    assert_eq!(by(&ask_model(&mut run, 0, asked.call), &run), "changed call");
    assert_eq!(ask_tool_with(&mut run, 0, asked.call, "pay", b"1", &[]).asked, asked.asked);
    let running = ask_model(&mut run, 0, None);
    assert_eq!(by(&ask_model(&mut run, 0, running.call), &run), "closed call");
    assert_eq!(by(&ask_model(&mut run, 0, Some(99)), &run), "closed call");
}

#[test]
fn an_order_wants_a_success_before_the_proposal() {
    let order = OrderSpec::new(Select::Class(1), Select::Class(3), Else::Deny);
    let mut run = vocabulary().with("o", Enforced::Order(order)).run();
    ask_model(&mut run, 0, None);
    assert_eq!(ask_tool(&mut run, 0, None, "pay").outcome, Outcome::Deny);
    let look = ask_tool(&mut run, 0, None, "look");
    run.settle(0, look.attempt.unwrap(), EXACT).unwrap();
    // Proposed by the same model call as the look-up: a sibling.
    assert_eq!(ask_tool(&mut run, 0, None, "pay").outcome, Outcome::Deny);
    ask_model(&mut run, 0, None);
    assert_eq!(ask_tool(&mut run, 0, None, "pay").outcome, Outcome::Allow);
}

#[test]
fn loops_stop_the_same_call() {
    let repeated = Enforced::Loop(LoopSpec { same_call: Some((3, 2)), ..LoopSpec::new(Else::Stop("over")) });
    let mut policy = vocabulary().with("stuck", repeated);
    policy.tools.iter_mut().for_each(|tool| tool.may_repeat = false);
    let mut run = policy.run();
    for _ in 0..2 {
        ask_model(&mut run, 0, None);
        assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    }
    ask_model(&mut run, 0, None);
    // Two within two steps; the first is too long ago.
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Stop);
}

#[test]
fn a_loop_of_one_call_is_found_at_the_first() {
    let counts = [LoopSpec { same_call: Some((1, 1)), ..LoopSpec::new(Else::Deny) }, {
        LoopSpec { cycle: Some((1, 1)), ..LoopSpec::new(Else::Deny) }
    }];
    for each in counts {
        let mut policy = vocabulary().with("stuck", Enforced::Loop(each));
        policy.tools.iter_mut().for_each(|tool| tool.may_repeat = false);
        assert_eq!(ask_tool(&mut policy.run(), 0, None, "look").outcome, Outcome::Deny);
    }
}

#[test]
fn steps_are_charged_once_a_call_and_tools_run_out() {
    let policy = vocabulary()
        .with("l", limit(vec![(STEPS, 2), (MODEL_CALLS, 3), (TOOL_CALLS, 1)], Else::Stop("over")))
        .with(
            "again",
            Enforced::Retry {
                on: Select::AnyModel,
                when: None,
                attempts: 9,
                within: None,
                backoff: None,
                share: None,
                otherwise: Else::Deny,
            },
        );
    let mut run = policy.run();
    let first = ask_model(&mut run, 0, None);
    let failure = failure_of(1, Usage::Unknown);
    assert_eq!(run.error(0, &failure).unwrap().outcome, Outcome::Wait);
    ask_model(&mut run, 0, first.call);
    let spent = |run: &Run, kind| run.limits().iter().find(|reading| reading.measure == kind).unwrap().spent;
    assert_eq!((spent(&run, Measure::Steps), spent(&run, Measure::ModelCalls)), (1, 2));
    run.error(0, &failure_of(2, Usage::Unsent)).unwrap();
    assert_eq!((spent(&run, Measure::Steps), spent(&run, Measure::ModelCalls)), (1, 1));
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Stop);
}

#[test]
fn active_time_ends_and_bounds_timeouts() {
    let mut policy = vocabulary().with("t", limit(vec![(ACTIVE_TIME, 10 * SECOND)], Else::Stop("over")));
    policy.tools[0].timeout = Some(4 * SECOND);
    let mut run = policy.run();
    assert_eq!(ask_tool(&mut run, 5 * SECOND, None, "look").timeout_ns, Some(4 * SECOND));
    assert_eq!(ask_tool(&mut run, 7 * SECOND, None, "look").timeout_ns, Some(3 * SECOND));
    assert_eq!(ask_model(&mut run, 7 * SECOND, None).timeout_ns, Some(3 * SECOND));
    assert_eq!(ask_tool(&mut run, 10 * SECOND, None, "look").outcome, Outcome::Stop);
}

#[test]
fn thresholds_speak_once() {
    let mut run = vocabulary()
        .with(
            "l",
            Enforced::Limit(LimitSpec {
                at: vec![(500_000, "half"), (1_000_000, "all")],
                ..LimitSpec::new(vec![(TOKENS, 400)], Else::Deny)
            }),
        )
        .run();
    assert!(ask_model(&mut run, 0, None).advice.is_empty());
    let advice = ask_tool(&mut run, 0, None, "look").advice;
    assert_eq!(advice.len(), 1);
    assert_eq!(&*run.program().limits()[0].thresholds[advice[0].threshold as usize].text, "half");
    assert!(ask_tool(&mut run, 0, None, "look").advice.is_empty());
}

#[test]
fn a_debt_blocks_what_it_measures_and_an_ended_run_denies() {
    let mut run = vocabulary().with("l", limit(vec![(TOKENS, 200)], Else::Deny)).run();
    ask_model(&mut run, 0, None);
    run.settle(0, 1, Usage::exact(100, 500)).unwrap();
    // What asks for nothing that is overdrawn passes.
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    assert_eq!(by(&ask_model(&mut run, 0, None), &run), "l");
    run.end(0);
    assert_eq!(by(&ask_tool(&mut run, 0, None, "look"), &run), "run ended");
}

#[test]
fn clocks_never_go_back_and_numbers_are_checked() {
    let mut run = vocabulary().with("t", limit(vec![(ACTIVE_TIME, 10 * SECOND)], Else::Stop("over"))).run();
    ask_tool(&mut run, 3 * SECOND, None, "look");
    ask_tool(&mut run, SECOND, None, "look");
    assert_eq!(run.limits()[0].spent, 3 * SECOND);
    let event =
        ModelCall { call: None, model: None, input_tokens: u64::MAX, facts: &[], ..ModelCall::default() };
    assert_eq!(run.model_call(9 * SECOND, &event).unwrap_err().kind(), "bad_value");
    assert_eq!(run.limits()[0].spent, 3 * SECOND);
    let facts = [Slot::Missing];
    let event = ModelCall { call: None, model: None, input_tokens: 1, facts: &facts, ..ModelCall::default() };
    assert_eq!(run.model_call(0, &event).unwrap_err().kind(), "bad_value");
}
