//! The index decides nothing: with it and without, the same calls get the same decisions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use std::sync::Arc;

use common::{Else, Enforced, Lit, Name, Op, Policy, Run, Select, artifact, fact, vocabulary};
use policy_core::{Decision, ModelCall, Program, Slot, ToolCall};
use proptest::prelude::*;
use proptest::sample::select;

const TEXTS: [Name; 8] = ["", "a", "ab", "abc", "abcdefgh", "abcdefghij", "b", "c"];
/// No choice of `f.other`.
const STRANGE: [Name; 3] = ["\0", "abcdefghik", "d"];
type Choices = (Vec<(u8, Vec<Op>)>, Vec<(Name, Option<Vec<Op>>)>);

const FACTS: [Name; 7] =
    ["call.args.sum", "call.args.to", "f.flag", "f.money", "f.number", "f.other", "f.text"];

/// What one atom asks; only conditions about one tool read its arguments.
fn asks(reads_args: bool) -> impl Strategy<Value = Op> {
    let from = if reads_args { 0 } else { 1 };
    let text = move || (select(&["call.args.to", "f.other", "f.text"][from..]), select(&TEXTS[..]));
    let numbers = &[("call.args.sum", 3), ("f.money", 3), ("f.number", 2)][from..];
    let number = (select(numbers), 0..6_u8, -3..12_i64);
    let texts = prop::collection::btree_set(select(&TEXTS[..]), 1..4);
    let compared = |((name, dimension), comparison, number): ((Name, u8), u8, i64)| {
        Op::Compare(name, comparison, Lit::Number(dimension, number))
    };
    prop_oneof![
        4 => number.prop_map(compared),
        3 => text().prop_map(|(name, value)| Op::Compare(name, 0, Lit::Text(value))),
        2 => texts.prop_map(|texts| Op::Member("f.text", texts.into_iter().map(Lit::Text).collect())),
        1 => text().prop_map(|(name, value)| Op::Starts(name, value)),
        1 => any::<bool>().prop_map(|flag| Op::Compare("f.flag", 0, Lit::Flag(flag))),
        1 => select(&FACTS[2 * from..]).prop_map(Op::Has),
    ]
}

/// One to three atoms, joined by `and` or by `or`; some of them negated.
fn when(reads_args: bool) -> impl Strategy<Value = Vec<Op>> {
    (prop::collection::vec((asks(reads_args), 0..5_u8), 1..4), any::<bool>()).prop_map(|(atoms, is_and)| {
        let mut ops = Vec::new();
        for (place, (atom, negated)) in atoms.into_iter().enumerate() {
            let mut further = vec![atom];
            if negated == 0 {
                further.push(Op::Not);
            }
            if place > 0 {
                let skip = u64::try_from(further.len()).unwrap() + 1;
                ops.push(if is_and { Op::JumpIfFalse(skip) } else { Op::JumpIfTrue(skip) });
                further.push(if is_and { Op::And } else { Op::Or });
            }
            ops.extend(further);
        }
        ops
    })
}

fn rule() -> impl Strategy<Value = (Select, Option<Vec<Op>>, bool)> {
    let tools = [Select::AnyTool, Select::Tool("pay"), Select::Class(3)];
    let models = [Select::AnyModel, Select::Model("large")];
    let on = prop_oneof![2 => select(tools.to_vec()), 1 => select(models.to_vec())];
    on.prop_flat_map(|on| {
        let when = when(matches!(on, Select::Tool(_)));
        (Just(on), prop_oneof![9 => when.prop_map(Some), 1 => Just(None)], any::<bool>())
    })
}

/// What is required of models, and the arms of a route.
fn choices() -> impl Strategy<Value = Choices> {
    let arm = (select(&["large", "small"][..]), when(false).prop_map(Some));
    (prop::collection::vec((0..2_u8, when(false)), 0..3), prop::collection::vec(arm, 0..4))
}

fn policy(rules: Vec<(Select, Option<Vec<Op>>, bool)>, (requires, arms): Choices) -> Policy {
    let facts = FACTS.iter().zip([3, 0, 1, 3, 2, 0, 0]);
    let facts = facts.map(|(&name, dimension)| match name {
        "call.args.sum" | "call.args.to" => common::FactSpec { source: 1, ..fact(name, dimension) },
        "f.number" => {
            common::FactSpec { presence: 2, default: Some(Lit::Number(2, 5)), ..fact(name, dimension) }
        }
        "f.other" => common::FactSpec { presence: 1, choices: TEXTS.into(), ..fact(name, dimension) },
        _ => common::FactSpec { presence: 1, ..fact(name, dimension) },
    });
    let mut policy = Policy { facts: facts.collect(), ..vocabulary() };
    // Only what is read stands in an artifact.
    let of_rules = rules.iter().flat_map(|(_, when, _)| when);
    let of_choices = requires.iter().map(|(_, when)| when).chain(arms.iter().flat_map(|(_, when)| when));
    let read: Vec<Name> = of_rules.chain(of_choices).flatten().filter_map(read).collect();
    policy.facts.retain(|fact| read.contains(&fact.name));
    for tool in policy.tools.iter_mut().filter(|tool| tool.name == "pay") {
        let args = [("sum", "call.args.sum", 1), ("to", "call.args.to", 0)];
        tool.args = args.into_iter().filter(|(_, fact, _)| read.contains(fact)).collect();
    }
    for (number, (place, when)) in requires.into_iter().enumerate() {
        let name: Name = Box::leak(format!("q{number}").into_boxed_str());
        policy = policy.with(name, Enforced::Require { place, when: Some(when) });
    }
    if !arms.is_empty() {
        policy = policy.with("t", Enforced::Route { arms, fallbacks: vec![("large", "small")] });
    }
    for (number, (on, when, is_escalated)) in rules.into_iter().enumerate() {
        let name: Name = Box::leak(format!("r{number:02}").into_boxed_str());
        let then = if is_escalated { Else::Escalate("leads") } else { Else::Deny };
        policy = policy.with(name, Enforced::Rule { on, when, then });
    }
    policy
}

fn read(op: &Op) -> Option<Name> {
    match op {
        Op::Compare(name, ..) | Op::Member(name, _) | Op::Has(name) | Op::Starts(name, _) => Some(name),
        _ => None,
    }
}

fn sent() -> impl Strategy<Value = Vec<Slot<'static>>> {
    let text = || {
        let texts = prop_oneof![5 => select(&TEXTS[..]), 1 => select(&STRANGE[..])];
        texts.prop_map(Slot::Text).boxed()
    };
    let number = || {
        let numbers = prop_oneof![9 => -4..13_i64, 1 => select(vec![i64::MIN, i64::MAX])];
        numbers.prop_map(Slot::Int).boxed()
    };
    let values =
        [number(), text(), any::<bool>().prop_map(Slot::Flag).boxed(), number(), number(), text(), text()];
    let slot = |value| prop_oneof![8 => value, 1 => Just(Slot::Missing), 1 => Just(Slot::Ill)].boxed();
    values.map(slot).into_iter().collect::<Vec<_>>()
}

fn decide(program: &Arc<Program>, sent: &[Slot<'_>], tool: Option<&str>) -> Decision {
    let mut run = Run::new(Arc::clone(program), 7, 0);
    // Only this tool's conditions read arguments, so only its calls send them.
    let is_sent = |name: &str| tool == Some("pay") || !name.starts_with("call.args.");
    let place = |name: &str| FACTS.iter().position(|known| *known == name && is_sent(name));
    let facts: Vec<_> =
        program.facts().iter().map(|fact| place(&fact.name).map_or(Slot::Missing, |at| sent[at])).collect();
    match tool {
        Some(tool) => {
            let (args, forms) = (&b"{}"[..], &[][..]);
            let event =
                ToolCall { call: None, tool, args, forms, is_exact: true, is_unsafe: false, facts: &facts };
            run.tool_call(1, &event).expect("good values")
        }
        None => {
            let call =
                ModelCall { model: Some("large"), input_tokens: 10, facts: &facts, ..ModelCall::default() };
            run.model_call(1, &call).expect("good values")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn with_the_index_and_without_decisions_are_the_same(
        rules in prop::collection::vec(rule(), 1..50),
        choices in choices(),
        sent in prop::collection::vec(sent(), 4),
    ) {
        let bytes = artifact(&policy(rules, choices));
        let (indexed, scanned) = (Program::load(&bytes).unwrap(), Program::load_scanning(&bytes).unwrap());
        let (indexed, scanned) = (Arc::new(indexed), Arc::new(scanned));
        for sent in sent {
            for tool in [Some("pay"), Some("look"), None] {
                let (ours, theirs) = (decide(&indexed, &sent, tool), decide(&scanned, &sent, tool));
                prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
            }
        }
    }
}
