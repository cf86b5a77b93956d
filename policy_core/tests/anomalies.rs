//! Artifacts that are damaged, forged or out of range: each is refused, none panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::drive::busy;
use common::{
    Else, Enforced, FactSpec, Lit, ModelSpec, Op, Policy, Select, artifact, fact, model, payload, seal,
    vocabulary,
};
use policy_core::{LoadErrorKind, Program};

fn refusal(bytes: &[u8]) -> LoadErrorKind {
    Program::load(bytes).expect_err("must be refused").kind()
}

fn refused(policy: &Policy) -> LoadErrorKind {
    refusal(&artifact(policy))
}

#[test]
fn every_flipped_bit_is_refused() {
    let sound = artifact(&busy());
    for place in 0..sound.len() {
        for bit in 0..8 {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << bit;
            assert!(Program::load(&bytes).is_err(), "byte {place}, bit {bit}");
        }
    }
}

#[test]
fn every_truncation_and_any_surplus_is_refused() {
    let mut bytes = artifact(&busy());
    for length in 0..bytes.len() {
        assert!(Program::load(&bytes[..length]).is_err(), "{length} bytes");
    }
    bytes.push(0);
    assert_eq!(refusal(&bytes), LoadErrorKind::Length);
}

#[test]
fn every_byte_may_be_forged() {
    let sound = payload(&busy());
    for place in 0..sound.len() {
        for byte in 0..=255 {
            let mut bytes = sound.clone();
            bytes[place] = byte;
            // A forged name or number may load; what counts is that nothing panics.
            drop(Program::load(&seal(&bytes)));
        }
    }
}

#[test]
fn every_truncated_payload_is_refused_even_with_its_digest() {
    let sound = payload(&busy());
    for length in 0..sound.len() {
        assert_eq!(refusal(&seal(&sound[..length])), LoadErrorKind::Malformed);
    }
    let mut longer = sound;
    longer.push(0);
    assert_eq!(refusal(&seal(&longer)), LoadErrorKind::Malformed);
}

#[test]
fn headers_say_what_is_wrong() {
    let sound = artifact(&busy());
    let with = |place: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[place] = byte;
        refusal(&bytes)
    };
    assert_eq!(refusal(b""), LoadErrorKind::NotAnArtifact);
    assert_eq!(refusal(b"REIN"), LoadErrorKind::Length);
    assert_eq!(with(0, b'X'), LoadErrorKind::NotAnArtifact);
    assert_eq!(with(4, 2), LoadErrorKind::Version);
    assert_eq!(with(6, 2), LoadErrorKind::Version);
    assert_eq!(with(8, b'X'), LoadErrorKind::Version);
    assert_eq!(with(16, sound[16] ^ 1), LoadErrorKind::Digest);
}

#[test]
fn a_huge_count_allocates_nothing() {
    let mut bytes = vec![0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    assert_eq!(refusal(&seal(&bytes)), LoadErrorKind::Malformed);
    bytes.extend_from_slice(&[0; 64]);
    assert_eq!(refusal(&seal(&bytes)), LoadErrorKind::Malformed);
}

#[test]
fn conditions_have_to_balance_and_fit_their_facts() {
    let rule = |ops: Vec<Op>| {
        let mut policy = vocabulary();
        policy.facts = vec![fact("data.n", 2), fact("data.t", 0)];
        refused(&policy.with("r", Enforced::Rule { on: Select::AnyTool, when: Some(ops), then: Else::Deny }))
    };
    assert_eq!(rule(vec![]), LoadErrorKind::Invalid);
    assert_eq!(rule(vec![Op::And]), LoadErrorKind::Invalid);
    assert_eq!(rule(vec![Op::Has("data.n"), Op::JumpIfTrue(9)]), LoadErrorKind::Invalid);
    assert_eq!(rule(vec![Op::Compare("data.n", 0, Lit::Text("x"))]), LoadErrorKind::Malformed);
    assert_eq!(rule(vec![Op::Compare("data.n", 0, Lit::Number(3, 1))]), LoadErrorKind::Malformed);
    assert_eq!(rule(vec![Op::Compare("data.t", 2, Lit::Text("x"))]), LoadErrorKind::Malformed);
    assert_eq!(rule(vec![Op::Starts("data.n", "x")]), LoadErrorKind::Malformed);
    let twice = vec![Lit::Number(2, 1), Lit::Number(2, 1)];
    assert_eq!(rule(vec![Op::Member("data.n", twice)]), LoadErrorKind::Malformed);
    assert_eq!(rule(vec![Op::Compare("data.n", 0, Lit::Number(2, 1 << 53))]), LoadErrorKind::Malformed);
}

#[test]
fn fallbacks_have_to_end() {
    let route = |fallbacks| {
        let statement = Enforced::Route { arms: vec![], fallbacks };
        Program::load(&artifact(&vocabulary().with("t", statement))).map_err(|error| error.kind()).err()
    };
    assert_eq!(route(vec![("large", "small")]), None);
    assert_eq!(route(vec![("large", "small"), ("small", "large")]), Some(LoadErrorKind::Invalid));
    assert_eq!(route(vec![("large", "large")]), Some(LoadErrorKind::Invalid));
    assert_eq!(route(vec![("large", "small"), ("large", "small")]), Some(LoadErrorKind::Invalid));
}

#[test]
fn there_is_one_route_at_most() {
    let route = || Enforced::Route { arms: vec![], fallbacks: vec![] };
    assert_eq!(refused(&vocabulary().with("a", route()).with("b", route())), LoadErrorKind::Invalid);
}

#[test]
fn names_are_unique_and_facts_are_whose_they_are() {
    let mut policy = vocabulary();
    policy.facts = vec![fact("data.n", 2), fact("data.n", 2)];
    assert_eq!(refused(&policy), LoadErrorKind::Malformed);
    policy.facts = vec![fact("run.cost.spent", 3)];
    assert_eq!(refused(&policy), LoadErrorKind::Malformed);
    policy.facts = vec![FactSpec { source: 2, ..fact("data.n", 2) }];
    assert_eq!(refused(&policy), LoadErrorKind::Malformed);
    policy.facts = vec![FactSpec { source: 2, ..fact("run.cost.spent", 4) }];
    assert_eq!(refused(&policy), LoadErrorKind::Malformed);
}

#[test]
fn models_limits_and_retries_have_sane_numbers() {
    let with = |spec: ModelSpec| refused(&Policy { models: vec![spec], ..Policy::default() });
    assert_eq!(with(ModelSpec { least: 101, ..model("m") }), LoadErrorKind::Malformed);
    assert_eq!(with(ModelSpec { window: 50, ..model("m") }), LoadErrorKind::Malformed);
    assert_eq!(with(ModelSpec { price: Some((1 << 60, 0)), ..model("m") }), LoadErrorKind::Malformed);
    let limit = |bounds, otherwise| vocabulary().with("l", Enforced::Limit { bounds, at: vec![], otherwise });
    assert_eq!(refused(&limit(vec![(1, 5), (0, 5)], Else::Deny)), LoadErrorKind::Malformed);
    assert_eq!(refused(&limit(vec![(0, 5), (0, 6)], Else::Deny)), LoadErrorKind::Malformed);
    assert_eq!(refused(&limit(vec![(0, 5)], Else::Escalate("leads"))), LoadErrorKind::Malformed);
    assert_eq!(refused(&limit(vec![(0, 1 << 53)], Else::Deny)), LoadErrorKind::Malformed);
    let retry = Enforced::Retry {
        on: Select::AnyTool,
        when: None,
        attempts: 2,
        within: None,
        backoff: Some((5, 4)),
        otherwise: Else::Deny,
    };
    assert_eq!(refused(&vocabulary().with("r", retry)), LoadErrorKind::Malformed);
}
