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
use common::*;
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
fn lists_are_asked_as_lists_and_are_not_too_long() {
    let rule = |most: u64, presence: u8, ops: Vec<Op>| {
        let mut policy = vocabulary();
        let list = FactSpec { most, presence, ..fact("data.l", 2) };
        policy.facts = vec![list, fact("data.n", 2)];
        let when = Some(ops);
        let policy = policy.with("r", Enforced::Rule { on: Select::AnyTool, when, then: Else::Deny });
        Program::load(&artifact(&policy)).map_err(|error| error.kind()).err()
    };
    let each = |quantifier, op| Op::Each(quantifier, Box::new(op));
    let is_two = |fact| Op::Compare(fact, 0, Lit::Number(2, 2));
    let malformed = Some(LoadErrorKind::Malformed);
    assert_eq!(rule(1_000, 0, vec![each(0, is_two("data.l"))]), None);
    assert_eq!(rule(1_000, 3, vec![each(1, is_two("data.l"))]), None);
    assert_eq!(rule(1, 0, vec![Op::Has("data.l")]), None);
    assert_eq!(rule(1_001, 0, vec![each(0, is_two("data.l"))]), malformed);
    assert_eq!(rule(0, 3, vec![is_two("data.l")]), malformed, "one value by default an empty list");
    assert_eq!(rule(0, 0, vec![each(0, is_two("data.l"))]), malformed);
    assert_eq!(rule(1, 0, vec![is_two("data.l")]), malformed);
    assert_eq!(rule(1, 0, vec![each(2, is_two("data.l"))]), malformed);
    assert_eq!(rule(1, 0, vec![each(0, Op::Has("data.l"))]), malformed);
    assert_eq!(rule(1, 0, vec![each(0, Op::Not)]), malformed);
    let asked = |times: usize| {
        let more = (1..times).flat_map(|_| [each(1, is_two("data.l")), Op::Or]);
        rule(1_000, 0, [each(1, is_two("data.l"))].into_iter().chain(more).collect())
    };
    assert_eq!(asked(16), None);
    assert_eq!(asked(17), malformed, "more elements than a condition may look at");
}

#[test]
fn what_wants_one_value_takes_no_list() {
    let load = |most: u64, source: u8, templates: Vec<Vec<Part>>, statement: Enforced| {
        let mut policy = vocabulary();
        policy.facts = vec![FactSpec { most, source, ..fact("x.y", 0) }];
        policy.templates = templates;
        Program::load(&artifact(&policy.with("s", statement))).map_err(|error| error.kind()).err()
    };
    let answer = || Enforced::Rule { on: Select::AnyModel, when: None, then: Else::Answer(0) };
    let text = || vec![vec![Part::Fact("x.y")]];
    let on_key = || limit_on(Scoped::Key("x.y"), vec![(TOOL_CALLS, 5)], Else::Deny);
    let order = || {
        Enforced::Order(OrderSpec {
            matching: vec!["x.y"],
            ..OrderSpec::new(Select::AnyTool, Select::AnyTool, Else::Deny)
        })
    };
    let malformed = Some(LoadErrorKind::Malformed);
    assert_eq!((load(0, 0, text(), answer()), load(2, 0, text(), answer())), (None, malformed));
    assert_eq!((load(0, 0, vec![], on_key()), load(2, 0, vec![], on_key())), (None, malformed));
    assert_eq!((load(0, 1, vec![], order()), load(2, 1, vec![], order())), (None, malformed));
}

#[test]
fn the_texts_of_answers_are_written_in_one_way_and_used_once_each() {
    let load = |templates: Vec<Vec<Part>>, on: Select, then: Else| {
        let mut policy = vocabulary();
        policy.facts = vec![fact("data.n", 2)];
        policy.templates = templates;
        let policy = policy.with("r", Enforced::Rule { on, when: None, then });
        Program::load(&artifact(&policy)).map_err(|error| error.kind()).err()
    };
    let good = || vec![Part::Literal("a"), Part::Fact("data.n"), Part::Fact("data.n"), Part::Literal("b")];
    assert_eq!(load(vec![good()], Select::AnyModel, Else::Answer(0)), None);
    let malformed = Some(LoadErrorKind::Malformed);
    assert_eq!(load(vec![vec![]], Select::AnyModel, Else::Answer(0)), malformed);
    assert_eq!(load(vec![vec![Part::Literal("")]], Select::AnyModel, Else::Answer(0)), malformed);
    let twice = vec![Part::Literal("a"), Part::Literal("b")];
    assert_eq!(load(vec![twice], Select::AnyModel, Else::Answer(0)), malformed);
    assert_eq!(load(vec![good()], Select::AnyModel, Else::Answer(1)), malformed);
    assert_eq!(load(vec![good()], Select::AnyTool, Else::Answer(0)), malformed);
    assert_eq!(load(vec![], Select::AnyModel, Else::Reuse), malformed);
    assert_eq!(load(vec![], Select::AnyTool, Else::Reuse), None);
    assert_eq!(load(vec![good()], Select::AnyTool, Else::Deny), Some(LoadErrorKind::Invalid));
    assert_eq!(load(vec![good(), good()], Select::AnyModel, Else::Answer(0)), Some(LoadErrorKind::Invalid));
}

#[test]
fn what_cannot_be_given_is_not_loaded() {
    let load = |statement| {
        let mut policy = vocabulary();
        policy.templates = vec![vec![Part::Literal("a")]];
        Program::load(&artifact(&policy.with("s", statement))).map_err(|error| error.kind()).err()
    };
    let malformed = Some(LoadErrorKind::Malformed);
    let retry = |on, otherwise| Enforced::Retry {
        on,
        when: None,
        attempts: 2,
        within: None,
        backoff: None,
        share: None,
        otherwise,
    };
    assert_eq!(load(retry(Select::AnyModel, Else::Answer(0))), None);
    assert_eq!(load(retry(Select::AnyTool, Else::Answer(0))), malformed);
    assert_eq!(load(retry(Select::AnyTool, Else::Reuse)), malformed);
    let order =
        |otherwise| Enforced::Order(OrderSpec::new(Select::Tool("look"), Select::Tool("pay"), otherwise));
    assert_eq!(load(order(Else::Answer(0))), malformed);
    assert_eq!(load(order(Else::Reuse)), malformed);
    let repeats =
        |otherwise| Enforced::Loop(LoopSpec { same_call: Some((2, 2)), ..LoopSpec::new(otherwise) });
    assert_eq!(load(repeats(Else::Answer(0))), malformed);
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
    assert_eq!(
        with(ModelSpec { price: Some(vec![flat(1 << 60, 0)]), ..model("m") }),
        LoadErrorKind::Malformed
    );
    let with_limit = |bounds, otherwise| vocabulary().with("l", limit(bounds, otherwise));
    assert_eq!(refused(&with_limit(vec![(TOKENS, 5), (COST, 5)], Else::Deny)), LoadErrorKind::Malformed);
    assert_eq!(refused(&with_limit(vec![(COST, 5), (COST, 6)], Else::Deny)), LoadErrorKind::Malformed);
    assert_eq!(refused(&with_limit(vec![(COST, 5)], Else::Escalate("leads"))), LoadErrorKind::Malformed);
    assert_eq!(refused(&with_limit(vec![(COST, 1 << 53)], Else::Deny)), LoadErrorKind::Malformed);
    let retry = Enforced::Retry {
        on: Select::AnyTool,
        when: None,
        attempts: 2,
        within: None,
        backoff: Some((5, 4)),
        share: None,
        otherwise: Else::Deny,
    };
    assert_eq!(refused(&vocabulary().with("r", retry)), LoadErrorKind::Malformed);
}

#[test]
fn breakers_and_shares_have_sane_numbers() {
    let load = |statement| {
        let loaded = Program::load(&artifact(&vocabulary().with("s", statement)));
        loaded.map(|program| program.watches()).map_err(|error| error.kind())
    };
    let malformed = Err(LoadErrorKind::Malformed);
    let breaker = |on, terms| load(Enforced::Breaker { on, terms });
    assert_eq!(breaker(Select::AnyTool, [1, 1, 1, 1, 1]), Ok(true));
    assert_eq!(breaker(Select::AnyTool, [1_000_001, 1, 1, 1, 1]), malformed);
    for zero in 0..5 {
        let mut terms = [1; 5];
        terms[zero] = 0;
        assert_eq!(breaker(Select::AnyTool, terms), malformed);
    }
    assert_eq!(breaker(Select::AnyProvider, [1; 5]), Ok(true));
    assert_eq!(breaker(Select::Provider("nobody"), [1; 5]), malformed);
    let retry = |share| {
        load(Enforced::Retry {
            on: Select::AnyTool,
            when: None,
            attempts: 2,
            within: None,
            backoff: None,
            share,
            otherwise: Else::Deny,
        })
    };
    assert_eq!(retry(None), Ok(false));
    assert_eq!(retry(Some([1_000_000, 1, 0])), Ok(true));
    assert_eq!(retry(Some([0, 1, 1])), malformed);
    assert_eq!(retry(Some([1_000_001, 1, 1])), malformed);
    assert_eq!(retry(Some([1, 0, 1])), malformed);
}

#[test]
fn a_limit_says_nothing_that_it_cannot_mean() {
    let plain = || LimitSpec::new(vec![(TOKENS, 9)], Else::Deny);
    let mut policy = vocabulary();
    policy.zones = vec![("UTC", 0, vec![])];
    policy.facts = vec![fact("data.n", 2), FactSpec { presence: 1, ..fact("data.t", 0) }];
    policy.queues.push(("more", SECOND, None));
    policy.grants = vec![("more", 4, 5, 1)];
    let check = |limit: LimitSpec| {
        let bytes = artifact(&policy.clone().with("l", Enforced::Limit(limit)));
        Program::load(&bytes).map_err(|error| error.kind()).err()
    };
    let bad = Some(LoadErrorKind::Malformed);
    let rolling = |ns| LimitSpec { window: Windowed::Rolling(ns), ..plain() };
    assert_eq!(check(plain()), None);
    assert_eq!(check(rolling(SECOND)), None);
    assert_eq!(check(rolling(SECOND - 1)), bad);
    assert_eq!(check(LimitSpec { window: Windowed::Each(3, "UTC"), ..plain() }), None);
    assert_eq!(check(LimitSpec { window: Windowed::Each(4, "UTC"), ..plain() }), bad);
    assert_eq!(check(LimitSpec { scope: Scoped::Key("data.n"), ..plain() }), bad);
    assert_eq!(check(LimitSpec { scope: Scoped::Key("data.t"), ..plain() }), bad);
    assert_eq!(check(LimitSpec { failure: 1, ..plain() }), bad);
    assert_eq!(check(LimitSpec { failure: 1, scope: USER, ..plain() }), None);
    // Time is of a whole run.
    let timed = |window| LimitSpec { window, ..LimitSpec::new(vec![(WALL_TIME, 9)], Else::Deny) };
    assert_eq!(check(timed(Windowed::Forever)), None);
    assert_eq!(check(timed(Windowed::Rolling(SECOND))), bad);
    assert_eq!(check(LimitSpec { scope: USER, ..timed(Windowed::Forever) }), bad);
    // So is wrapping up, which withholds just as much.
    let wraps = |bounds, wrap_up| LimitSpec { bounds, wrap_up, ..plain() };
    assert_eq!(check(wraps(vec![(TOKENS, 9, 9), (STEPS, 1, 1)], 2)), None);
    assert_eq!(check(wraps(vec![(TOKENS, 9, 10)], 2)), bad);
    assert_eq!(check(wraps(vec![(TOKENS, 9, 5), (STEPS, 3, 1)], 2)), bad);
    assert_eq!(check(wraps(vec![(TOKENS, 9, 5), (TOOL_CALLS, 3, 2)], 2)), bad);
    assert_eq!(check(wraps(vec![(TOKENS, 9, 1)], 0)), bad);
    assert_eq!(check(LimitSpec { scope: USER, ..wraps(vec![(TOKENS, 9, 1)], 1) }), bad);
    // More can be asked for where it is granted.
    let asks = |bounds, queue| LimitSpec::new(bounds, Else::Escalate(queue));
    assert_eq!(check(asks(vec![(COST, 9), (TOKENS, 9), (INPUT, 9)], "more")), None);
    assert_eq!(check(asks(vec![(COST, 9), (INPUT, 9)], "more")), bad);
    assert_eq!(check(asks(vec![(TOKENS, 9)], "leads")), bad);
    let calls = [Measured::CallsOf(Select::AnyModel), Measured::CallsOf(Select::Model("large"))];
    assert_eq!(check(LimitSpec::new(vec![(WALL_TIME, 9), (calls[0], 1), (calls[1], 1)], Else::Deny)), None);
    assert_eq!(check(LimitSpec::new(vec![(calls[1], 1), (calls[0], 1)], Else::Deny)), bad);
    let rule = Enforced::Rule { on: Select::AnyTool, when: None, then: Else::Escalate("more") };
    assert_eq!(refused(&policy.clone().with("r", rule)), LoadErrorKind::Malformed);
}

#[test]
fn counts_of_one_kind_are_granted_if_there_is_but_one() {
    let mut policy = vocabulary();
    policy.queues.push(("more", SECOND, None));
    policy.grants = vec![("more", 2, 5, 1)];
    let loads = |bounds| {
        Program::load(&artifact(&policy.clone().with("l", limit(bounds, Else::Escalate("more"))))).is_ok()
    };
    assert!(loads(vec![(COST, 9), (STEPS, 9)]));
    assert!(!loads(vec![(STEPS, 9), (TOOL_CALLS, 9)]));
    for (dimension, amount, times) in [(5, 5, 1), (2, 0, 1), (2, 5, 0)] {
        let grants = vec![("more", dimension, amount, times)];
        assert_eq!(refused(&Policy { grants, ..policy.clone() }), LoadErrorKind::Malformed);
    }
}

#[test]
fn tariffs_share_the_day_and_zones_are_near_utc() {
    let night = policy_core::Tariff { to: 60, ..flat(1, 1) };
    let day = policy_core::Tariff { from: 60, ..flat(1, 1) };
    let large = policy_core::Tariff { above: 5, ..flat(1, 1) };
    let loads = |tariffs| {
        let models = vec![ModelSpec { price: Some(tariffs), ..model("m") }];
        Program::load(&artifact(&Policy { models, ..Policy::default() })).is_ok()
    };
    assert!(loads(vec![night, day, large]));
    for wrong in [
        vec![],
        vec![night],
        vec![day],
        vec![large],
        vec![night, large],
        vec![night, night, day],
        vec![flat(1, 1), flat(1, 1)],
        vec![flat(1, 1), large, large],
        vec![policy_core::Tariff { to: 1441, ..flat(1, 1) }],
        (0..65).map(|above| policy_core::Tariff { above, ..flat(1, 1) }).collect(),
    ] {
        assert!(!loads(wrong));
    }
    let zone = |before, transitions| {
        let zones = vec![("Z", before, transitions)];
        Program::load(&artifact(&Policy { zones, ..vocabulary() })).is_ok()
    };
    assert!(zone(-86_400, vec![(1, 86_400), (2, 0)]));
    assert!(!zone(86_401, vec![]));
    assert!(!zone(0, vec![(1, -86_401)]));
    assert!(!zone(0, vec![(2, 0), (1, 0)]));
    assert!(!zone(0, vec![(1, 0), (1, 0)]));
}

#[test]
fn a_clock_is_there_if_facts_are_read_from_it() {
    let load = |facts: Vec<FactSpec>, clock| {
        let zones = vec![("A", 0, vec![]), ("B", 3600, vec![])];
        Program::load(&artifact(&Policy { facts, zones, clock, ..vocabulary() })).is_ok()
    };
    let of_clock = || vec![FactSpec { source: 2, ..fact("now.hour", 2) }];
    assert!(load(vec![], None));
    assert!(load(of_clock(), Some("B")));
    assert!(!load(of_clock(), None));
    assert!(!load(vec![], Some("A")));
    assert!(!load(vec![FactSpec { source: 2, ..fact("now.minute", 2) }], Some("A")));
}

#[test]
fn an_order_matches_arguments_and_comes_again_after_tools() {
    let load = |matching, again_after| {
        let mut policy = vocabulary();
        policy.facts = vec![fact("data.n", 2), FactSpec { source: 1, ..fact("call.args.id", 0) }];
        for tool in &mut policy.tools {
            tool.args = vec![("id", "call.args.id", 0)];
        }
        let order = OrderSpec::new(Select::Tool("look"), Select::Tool("pay"), Else::Deny);
        let order = Enforced::Order(OrderSpec { matching, again_after, ..order });
        Program::load(&artifact(&policy.with("s", order))).map_err(|error| error.kind()).err()
    };
    assert_eq!(load(vec!["call.args.id"], vec!["look", "pay"]), None);
    let malformed = Some(LoadErrorKind::Malformed);
    assert_eq!(load(vec!["data.n"], vec![]), malformed);
    assert_eq!(load(vec!["call.args.id", "call.args.id"], vec![]), malformed);
    assert_eq!(load(vec![], vec!["pay", "look"]), malformed);
}

#[test]
fn what_is_read_of_a_limit_is_of_one() {
    let load = |name, limits: usize| {
        let mut policy = Policy { facts: vec![FactSpec { source: 2, ..fact(name, 2) }], ..vocabulary() };
        for name in ["a", "b"].into_iter().take(limits) {
            policy = policy.with(name, limit_on(USER, vec![(TOOL_CALLS, 9)], Else::Deny));
        }
        Program::load(&artifact(&policy)).is_ok()
    };
    for (name, most) in [("user.tool_calls.spent", 1), ("user.tool_calls.left", 2)] {
        assert!(!load(name, 0));
        assert!(load(name, 1));
        assert_eq!(load(name, 2), most == 2);
    }
    assert!(!load("org.tool_calls.left", 1));
    assert!(!load("user.steps.left", 1));
}
