//! Limits on more than a run: sessions, users and facts; windows; all or nothing; ids that are missing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Measure, Outcome, Scopes, Slot, Usage};

fn for_user(user: &str) -> Scopes<'_> {
    Scopes { user: Some(user), ..Scopes::default() }
}

fn each(period: u8, zone: Name, bounds: Vec<(Measured, u64)>) -> Enforced {
    let window = Windowed::Each(period, zone);
    Enforced::Limit(LimitSpec { scope: USER, window, ..LimitSpec::new(bounds, Else::Deny) })
}

#[test]
fn runs_of_one_user_share_what_they_may_spend() {
    let policy = vocabulary().with("u", limit_on(USER, vec![(TOKENS, 450)], Else::Stop("over")));
    let books = books();
    let mut first = policy.run_in(&books, &for_user("u1"));
    let mut second = policy.run_in(&books, &for_user("u1"));
    let mut other = policy.run_in(&books, &for_user("u2"));
    assert_eq!(ask_model(&mut first, 0, None).output_cap, Some(100));
    assert_eq!(ask_model(&mut second, 0, None).output_cap, Some(100));
    // 50 are left: not even the input; the other run's holds are in the way.
    let waits = ask_model(&mut first, 0, None);
    assert_eq!((waits.outcome, by(&waits, &first).as_str()), (Outcome::Wait, "holds"));
    second.settle(0, 1, Usage::exact(100, 20)).unwrap();
    assert_eq!(ask_model(&mut first, 1, waits.call).output_cap, Some(30));
    assert_eq!(first.limits(), second.limits());
    assert_eq!(ask_model(&mut other, 0, None).outcome, Outcome::Allow);
    first.end(2);
    let stopped = ask_model(&mut second, 2, None);
    assert_eq!((stopped.outcome, by(&stopped, &second).as_str()), (Outcome::Stop, "u"));
}

#[test]
fn what_runs_spent_is_known_after_they_are_gone() {
    let policy = vocabulary().with("u", limit_on(USER, vec![(TOKENS, 250)], Else::Deny));
    let books = books();
    let mut first = policy.run_in(&books, &for_user("u1"));
    ask_model(&mut first, 0, None);
    first.end(1);
    first.release();
    let mut second = policy.run_in(&books, &for_user("u1"));
    assert_eq!(second.used(), [(200, 0)]);
    assert_eq!(ask_model(&mut second, 2, None).outcome, Outcome::Deny);
}

#[test]
fn a_call_takes_from_every_limit_or_from_none() {
    let policy = vocabulary()
        .with("a", limit_on(USER, vec![(TOKENS, 1000), (MODEL_CALLS, 9)], Else::Deny))
        .with("b", limit(vec![(COST, 1000), (STEPS, 9)], Else::Deny))
        .with("c", limit_on(SESSION, vec![(ATTEMPTS, 0)], Else::Deny));
    let books = books();
    let scopes = Scopes { session: Some("s"), ..for_user("u") };
    let mut run = policy.run_in(&books, &scopes);
    let denied = ask_model(&mut run, 0, None);
    assert_eq!((denied.outcome, by(&denied, &run).as_str(), denied.votes.len()), (Outcome::Deny, "c", 1));
    assert_eq!(by(&ask_tool(&mut run, 0, None, "look"), &run), "c");
    assert!(run.used().iter().all(|used| *used == (0, 0)));
}

#[test]
fn a_day_begins_at_the_zones_midnight() {
    let mut policy = vocabulary().with("u", each(1, "East", vec![(MODEL_CALLS, 1)]));
    policy.zones = vec![("East", 3600, vec![])];
    let mut run = policy.run_in(&books(), &for_user("u"));
    let hour = 3600 * SECOND;
    run.ahead = 2 * hour;
    assert_eq!(ask_model(&mut run, 0, None).outcome, Outcome::Allow);
    assert_eq!(ask_model(&mut run, 20 * hour, None).outcome, Outcome::Deny);
    assert_eq!(ask_model(&mut run, 21 * hour, None).outcome, Outcome::Allow);
    assert_eq!(run.limits()[0].window.unwrap().0, 1);
    // The wall clock goes back, the window does not.
    run.ahead = 0;
    assert_eq!(ask_model(&mut run, 21 * hour + 1, None).outcome, Outcome::Deny);
}

#[test]
fn a_hold_stays_in_the_window_that_it_was_made_in() {
    let hour = 3600 * SECOND;
    let mut policy = vocabulary().with("u", each(0, "UTC", vec![(TOKENS, 250)]));
    policy.zones = vec![("UTC", 0, vec![])];
    let mut run = policy.run_in(&books(), &for_user("u"));
    ask_model(&mut run, 0, None);
    assert_eq!(ask_model(&mut run, hour, None).outcome, Outcome::Allow);
    run.settle(hour, 1, Usage::exact(100, 100)).unwrap();
    assert_eq!(run.used(), [(0, 200)]);
    run.settle(hour, 2, Usage::exact(10, 10)).unwrap();
    assert_eq!(run.used(), [(20, 0)]);
    // 2 was wrong about the first: what is beyond that hour's bound is carried on.
    ask_model(&mut run, hour, None);
    run.settle(hour, 3, Usage::Unknown).unwrap();
    run.adjust(2 * hour, 3, Usage::exact(300, 10)).unwrap();
    assert_eq!(run.used(), [(80, 0)]);
}

#[test]
fn what_is_used_beyond_an_earlier_windows_bound_is_a_debt_of_the_open_one() {
    let hour = 3600 * SECOND;
    let mut policy = vocabulary().with("u", each(0, "UTC", vec![(TOKENS, 250)]));
    policy.zones = vec![("UTC", 0, vec![])];
    let mut run = policy.run_in(&books(), &for_user("u"));
    ask_model(&mut run, 0, None);
    assert_eq!(ask_model(&mut run, hour, None).outcome, Outcome::Allow);
    run.settle(hour, 1, Usage::exact(200, 90)).unwrap();
    assert_eq!(run.used(), [(40, 200)]);
}

#[test]
fn a_rolling_window_forgets() {
    let window = Windowed::Rolling(60 * SECOND);
    let spec = LimitSpec { scope: USER, window, ..LimitSpec::new(vec![(TOOL_CALLS, 2)], Else::Deny) };
    let mut run = vocabulary().with("u", Enforced::Limit(spec)).run_in(&books(), &for_user("u"));
    assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 30 * SECOND, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 60 * SECOND, None, "look").outcome, Outcome::Deny);
    assert_eq!(ask_tool(&mut run, 61 * SECOND, None, "look").outcome, Outcome::Allow);
    assert_eq!(ask_tool(&mut run, 62 * SECOND, None, "look").outcome, Outcome::Deny);
    run.settle(62 * SECOND, 3, Usage::Unsent).unwrap();
    assert_eq!(ask_tool(&mut run, 62 * SECOND, None, "look").outcome, Outcome::Allow);
}

#[test]
fn a_missing_id_is_undecided_where_the_limit_measures() {
    let mut policy = vocabulary()
        .with("t", limit_on(SESSION, vec![(COST, 500)], Else::Stop("over")))
        .with("r", Enforced::Route { arms: vec![], fallbacks: vec![("large", "small")] });
    policy.models[1].price = None;
    for scopes in [Scopes::default(), Scopes { session: Some(""), ..Scopes::default() }] {
        let mut run = policy.run_in(&books(), &scopes);
        assert!(run.limits()[0].missing);
        // The free model is not measured by cost, nor is a tool.
        assert_eq!(ask_model(&mut run, 0, None).model, Some(1));
        assert_eq!(ask_tool(&mut run, 0, None, "look").outcome, Outcome::Allow);
    }
    policy.models[1].price = Some(vec![flat(1, 1)]);
    let mut run = policy.run_in(&books(), &Scopes::default());
    let stopped = ask_model(&mut run, 0, None);
    assert_eq!((stopped.outcome, stopped.undecided, by(&stopped, &run).as_str()), (Outcome::Stop, true, "t"));
}

#[test]
fn a_fact_is_a_scope() {
    let mut policy = vocabulary();
    policy.facts = vec![FactSpec { choices: vec!["acme", "other"], ..fact("tenant.id", 0) }];
    let policy = policy.with("t", limit_on(Scoped::Key("tenant.id"), vec![(MODEL_CALLS, 1)], Else::Deny));
    let program = policy.program();
    assert_eq!((program.key_facts(), program.is_wide()), (&[0][..], true));
    assert_eq!(program.scope_name(program.scopes()[0]), "tenant.id");
    let books = books();
    let run_of = |id| policy.run_in(&books, &Scopes { keys: &[id], ..Scopes::default() });
    let ask = |run: &mut Run| ask_model_with(run, 0, None, 1, &[("tenant.id", Slot::Text("x"))]);
    assert_eq!(ask(&mut run_of(Some("acme"))).outcome, Outcome::Allow);
    assert_eq!(ask(&mut run_of(Some("other"))).outcome, Outcome::Allow);
    assert!(!ask(&mut run_of(Some("acme"))).undecided);
    // Neither none nor a text that the fact cannot be.
    assert!(ask(&mut run_of(None)).undecided);
    assert!(ask(&mut run_of(Some("ghost"))).undecided);
}

#[test]
fn thresholds_see_what_others_spent() {
    let spec = LimitSpec {
        scope: USER,
        at: vec![(500_000, "half")],
        ..LimitSpec::new(vec![(TOKENS, 400)], Else::Deny)
    };
    let policy = vocabulary().with("u", Enforced::Limit(spec));
    let books = books();
    let mut first = policy.run_in(&books, &for_user("u"));
    let mut second = policy.run_in(&books, &for_user("u"));
    ask_model(&mut first, 0, None);
    assert_eq!(ask_tool(&mut second, 0, None, "look").advice.len(), 1);
    assert!(ask_tool(&mut second, 0, None, "look").advice.is_empty());
    assert_eq!(ask_tool(&mut first, 0, None, "look").advice.len(), 1);
}

#[test]
fn a_bound_that_was_lowered_meanwhile_is_reached_by_less() {
    let policy = |max| {
        let bounds = LimitSpec::new(vec![(TOOL_CALLS, max)], Else::Deny);
        let spec = LimitSpec { scope: USER, at: vec![(500_000, "half")], ..bounds };
        vocabulary().with("u", Enforced::Limit(spec))
    };
    let books = books();
    let mut run = policy(10).run_in(&books, &for_user("u"));
    let mut told = || ask_tool(&mut run, 0, None, "look").advice.len();
    assert_eq!([told(), told(), told()], [0, 0, 0]);
    let _lower = policy(4).run_in(&books, &for_user("u"));
    assert_eq!([told(), told()], [1, 0]);
}

#[test]
fn measures_and_windows_have_texts_that_name_accounts() {
    let calls =
        vec![(Measured::CallsOf(Select::Model("large")), 1), (Measured::CallsOf(Select::Class(3)), 1)];
    let mut policy = vocabulary().with("u", each(1, "UTC", calls));
    policy.zones = vec![("UTC", 0, vec![])];
    let program = policy.program();
    let limit = &program.limits()[0];
    let texts: Vec<String> = limit.bounds.iter().map(|bound| program.measure_text(bound.measure)).collect();
    assert_eq!(texts, ["calls of model \"large\"", "calls of tool class act"]);
    assert_eq!(program.window_text(limit), "day UTC");
    assert_eq!(program.measure_text(Measure::InputTokens), "input_tokens");
}
