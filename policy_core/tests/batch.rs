//! Calls decided at once are decided as one by one, each as the first of a new run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use std::sync::Arc;

use common::*;
use policy_core::batch::{
    Answers, BUILT_IN, Batch, Calls, Cells, Column, Mark, Piece, ROWS, Scratch, Values,
};
use policy_core::{
    By, Decision, EngineError, ModelCall, Now, Outcome, Program, Scopes, Slot, ToolCall, Value,
};
use proptest::prelude::*;

/// What a row of a test holds for each fact, and whether its arguments are unsafe.
type Row = (Vec<Value>, bool);

/// What was decided: the outcome, the deciding statement or -1, whether it was undecided, and the model.
type Told = (Outcome, i32, bool, i32);

/// A source of chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }
}

const TEXTS: [Name; 4] = ["", "a", "ab", "b"];

fn declared() -> Policy {
    let mut policy = vocabulary();
    let mut facts = vec![fact("call.args.sum", 3), fact("call.tool", 0), fact("data.class", 0)];
    facts.extend([fact("data.count", 2), fact("data.names", 0), fact("data.old", 5), fact("data.risk", 6)]);
    facts.extend([fact("data.seen", 1), fact("data.text", 0), fact("step.index", 2)]);
    facts[0].source = 1;
    (facts[1].source, facts[9].source) = (2, 2);
    facts[2].choices = vec!["a", "ab"];
    facts[4].most = 2;
    (facts[5].presence, facts[5].default) = (2, Some(Lit::Number(5, 7)));
    (facts[8].presence, facts[8].default) = (2, Some(Lit::Text("ab")));
    facts[4].presence = 3;
    facts[6].presence = 1;
    policy.facts = facts;
    policy.tools[1].args = vec![("sum", "call.args.sum", 1)];
    policy.templates = vec![];
    policy
}

fn leaf(dice: &mut Dice) -> Op {
    let text = |dice: &mut Dice| Lit::Text(dice.one(&TEXTS));
    match dice.roll(10) {
        0 => Op::Has(dice.one(&["call.args.sum", "data.class", "data.names", "data.risk", "data.seen"])),
        1 => Op::Compare("data.seen", dice.roll(2) as u8, Lit::Flag(dice.roll(2) == 0)),
        2 => Op::Compare(dice.one(&["data.text", "call.tool"]), dice.roll(2) as u8, text(dice)),
        3 => Op::Starts("data.text", dice.one(&["a", "b"])),
        4 => Op::Ends("data.text", dice.one(&["a", "b"])),
        5 => {
            let of =
                if dice.roll(2) == 0 { Op::Starts("data.names", "a") } else { Op::Ends("data.names", "b") };
            Op::Each(dice.roll(2) as u8, Box::new(of))
        }
        6 => Op::Member("data.class", vec![Lit::Text("a"), Lit::Text("ab")]),
        7 => Op::Member("data.count", vec![Lit::Number(2, -1), Lit::Number(2, 2)]),
        _ => {
            let (name, dimension) =
                dice.one(&[("call.args.sum", 3), ("data.count", 2), ("data.old", 5), ("data.risk", 6)]);
            let name = if dimension == 2 && dice.roll(4) == 0 { "step.index" } else { name };
            let number = dice.one(&[0, 1, 2, 7]);
            Op::Compare(name, dice.roll(6) as u8, Lit::Number(dimension, number))
        }
    }
}

fn condition(dice: &mut Dice, deep: usize) -> Vec<Op> {
    condition_on(dice, deep, leaf)
}

fn condition_on(dice: &mut Dice, deep: usize, leaf: fn(&mut Dice) -> Op) -> Vec<Op> {
    let kinds = if deep == 0 { 1 } else { 5 };
    match dice.roll(kinds) {
        0 => vec![leaf(dice)],
        1 => [condition_on(dice, deep - 1, leaf), vec![Op::Not]].concat(),
        // A jump that no compiler writes: only what is false, or true, stays as it is.
        2 if dice.roll(3) == 0 => {
            let jump = if dice.roll(2) == 0 { Op::JumpIfFalse(1) } else { Op::JumpIfTrue(1) };
            [condition_on(dice, deep - 1, leaf), vec![jump, Op::Not]].concat()
        }
        joined => {
            let (first, second) = (condition_on(dice, deep - 1, leaf), condition_on(dice, deep - 1, leaf));
            let skip = second.len() as u64 + 1;
            let (jump, join) = if joined % 2 == 0 {
                (Op::JumpIfFalse(skip), Op::And)
            } else {
                (Op::JumpIfTrue(skip), Op::Or)
            };
            [first, vec![jump], second, vec![join]].concat()
        }
    }
}

fn policy(dice: &mut Dice) -> Policy {
    let mut policy = declared();
    let selectors = [Select::AnyTool, Select::Tool("pay"), Select::Tool("look"), Select::Class(3)];
    for name in &["r1", "r2", "r3", "r4", "r5"][..dice.roll(6)] {
        let then = match dice.roll(5) {
            0 => Else::Stop("over"),
            1 => Else::Fail("broken"),
            2 => Else::Escalate("leads"),
            3 => Else::Reuse,
            _ => Else::Deny,
        };
        let when = (dice.roll(6) > 0).then(|| condition(dice, 3));
        policy = policy.with(name, Enforced::Rule { on: dice.one(&selectors), when, then });
    }
    policy
}

/// A policy about models: rules, requirements and a route.
fn routed(dice: &mut Dice) -> Policy {
    let mut policy = declared();
    policy.facts.retain(|fact| fact.name != "call.args.sum" && fact.name != "call.tool");
    policy.facts.extend([fact("call.cost", 3), fact("call.input_tokens", 4), fact("call.model", 0)]);
    for fact in policy.facts.iter_mut().filter(|fact| fact.name.starts_with("call.")) {
        (fact.source, fact.presence) = (2, u8::from(fact.name != "call.input_tokens"));
    }
    policy.facts.sort_by_key(|fact| fact.name);
    policy.tools[1].args = vec![];
    policy.models[1].place = 0;
    policy.models[1].window = 900;
    let when = |dice: &mut Dice| (dice.roll(4) > 0).then(|| condition_on(dice, 2, model_leaf));
    for name in &["r1", "r2", "r3", "r4"][..dice.roll(5)] {
        let on = dice.one(&[Select::AnyModel, Select::Model("large"), Select::Model("small")]);
        let then = match dice.roll(5) {
            0 => Else::Stop("over"),
            1 => Else::Escalate("leads"),
            2 | 3 => {
                let part =
                    dice.one(&["data.class", "data.risk", "call.model", "call.input_tokens", "call.cost"]);
                policy.templates.push(vec![Part::Literal("no "), Part::Fact(part)]);
                Else::Answer(policy.templates.len() as u64 - 1)
            }
            _ => Else::Deny,
        };
        policy = policy.with(name, Enforced::Rule { on, when: when(dice), then });
    }
    for name in &["q1", "q2"][..dice.roll(3)] {
        policy = policy.with(name, Enforced::Require { place: dice.roll(2) as u8, when: when(dice) });
    }
    let fallbacks = dice.one(&[vec![], vec![("large", "small")], vec![("small", "large")]]);
    let arms: Vec<(Name, When)> =
        (0..dice.roll(3)).map(|_| (dice.one(&["large", "small"]), when(dice))).collect();
    match dice.roll(3) {
        0 => policy,
        1 => policy
            .with("way", Enforced::Route { arms: [arms, vec![("small", when(dice))]].concat(), fallbacks }),
        _ => {
            let last = vec![Op::Compare("data.count", 2, Lit::Number(2, 2))];
            policy.with("way", Enforced::Cascade { arms, last: ("small", "large", Some(last)), fallbacks })
        }
    }
}

fn model_leaf(dice: &mut Dice) -> Op {
    let number =
        |dice: &mut Dice, dimension| Lit::Number(dimension, dice.one(&[0, 1, 100, 107, 899, 990, 1090]));
    match dice.roll(5) {
        0 => Op::Compare("call.input_tokens", dice.roll(6) as u8, number(dice, 4)),
        1 => Op::Compare("call.cost", dice.roll(6) as u8, number(dice, 3)),
        2 => Op::Compare("call.model", 0, Lit::Text(dice.one(&["large", "small"]))),
        3 => Op::Compare("step.index", 0, Lit::Number(2, 1)),
        _ => data_leaf(dice),
    }
}

fn data_leaf(dice: &mut Dice) -> Op {
    loop {
        let op = leaf(dice);
        let (Op::Compare(name, ..) | Op::Has(name) | Op::Member(name, _)) = &op else { return op };
        if name.starts_with("data.") {
            return op;
        }
    }
}

fn value(name: &str, dice: &mut Dice) -> Value {
    let text = |dice: &mut Dice| Value::Text(dice.one(&TEXTS).into());
    let number =
        |dice: &mut Dice| Value::Int(dice.one(&[-1, 0, 1, 2, 3, 7, 8, 1_000_001, 1 << 53, i64::MIN]));
    match (dice.roll(9), name) {
        (_, "call.tool" | "call.model" | "call.cost" | "call.input_tokens" | "step.index") | (0, _) => {
            Value::Missing
        }
        (1, _) => Value::Ill,
        (_, "data.seen") => Value::Flag(dice.roll(2) == 0),
        (_, "data.class" | "data.text") => text(dice),
        (_, "data.names") => {
            let count = dice.roll(4);
            Value::List(
                (0..count).map(|_| if dice.roll(5) == 0 { number(dice) } else { text(dice) }).collect(),
            )
        }
        _ => number(dice),
    }
}

/// One by one: each row in a run of its own.
fn told_alone(program: &Arc<Program>, tool: &str, (values, is_unsafe): &Row) -> Told {
    let mut run = Run::new(Arc::clone(program), 7, 0);
    let facts: Vec<Slot<'_>> = values.iter().map(Value::as_slot).collect();
    let call = ToolCall {
        call: None,
        tool,
        args: b"{}",
        forms: &[],
        is_exact: true,
        is_unsafe: *is_unsafe,
        facts: &facts,
    };
    let decision = run.tool_call(0, &call).unwrap();
    told(program, &decision)
}

fn told(program: &Program, decision: &Decision) -> Told {
    let by = match decision.by {
        By::Nobody => -1,
        By::Statement(index) => i32::try_from(index).unwrap(),
        By::BuiltIn(reason) => {
            (program.statements().len() + BUILT_IN.iter().position(|each| *each == reason).unwrap()) as i32
        }
    };
    let model = if decision.outcome == Outcome::Allow { decision.model } else { None };
    (decision.outcome, by, decision.undecided, model.map_or(-1, |model| model as i32))
}

/// The same of a model call.
fn asked_alone(program: &Arc<Program>, calls: &Calls<'_>, input: u64, (values, _): &Row) -> Told {
    let mut run = Run::new(Arc::clone(program), 7, 0);
    let facts: Vec<Slot<'_>> = values.iter().map(Value::as_slot).collect();
    let call = ModelCall {
        model: calls.model,
        input_tokens: input,
        max_output: calls.max_output,
        facts: &facts,
        ..ModelCall::default()
    };
    told(program, &run.model_call(0, &call).unwrap())
}

/// A column of a test, as a host would hold it.
enum Held {
    One(Value),
    Numbers(Vec<i64>, Vec<Mark>),
    Places(Vec<Value>, Vec<u32>, Vec<Mark>),
    Few(Vec<Value>, Vec<u8>),
}

fn marks(column: &[&Value]) -> Vec<Mark> {
    let mark = |value: &&Value| match value {
        Value::Missing => Mark::Missing,
        Value::Ill => Mark::Ill,
        _ => Mark::Here,
    };
    let marks: Vec<Mark> = column.iter().map(mark).collect();
    if marks.iter().all(|mark| *mark == Mark::Here) { vec![] } else { marks }
}

fn held(column: &[&Value], is_number: bool, dice: &mut Dice) -> Held {
    let mut known: Vec<Value> = vec![];
    for value in column {
        if !known.contains(value) {
            known.push((*value).clone());
        }
    }
    if known.len() == 1 && dice.roll(2) == 0 {
        return Held::One(known.remove(0));
    }
    if is_number && dice.roll(3) > 0 {
        let number = |value: &&Value| if let Value::Int(number) = value { *number } else { 1 };
        return Held::Numbers(column.iter().map(number).collect(), marks(column));
    }
    let place = |value: &&Value| known.iter().position(|each| each == *value).unwrap();
    let places: Vec<usize> = column.iter().map(place).collect();
    if dice.roll(2) == 0 {
        return Held::Few(known, places.iter().map(|place| *place as u8).collect());
    }
    // Marks and values that say it are the same.
    let marks = if dice.roll(2) == 0 { marks(column) } else { vec![] };
    Held::Places(known, places.iter().map(|place| *place as u32).collect(), marks)
}

/// What is decided at once: calls of a tool, or of models with these tokens.
#[derive(Clone, Copy)]
enum Of<'a> {
    Tool(&'a str),
    Model(&'a Calls<'a>, &'a [i64]),
}

fn told_at_once(
    program: &Arc<Program>,
    of: Of<'_>,
    rows: &[Row],
    dice: &mut Dice,
    scratch: &mut Scratch,
) -> Vec<Told> {
    let columns: Vec<Held> = (0..program.facts().len())
        .map(|fact| {
            let column: Vec<&Value> = rows.iter().map(|(values, _)| &values[fact]).collect();
            held(&column, program.facts()[fact].dimension.is_number(), dice)
        })
        .collect();
    let values: Vec<Values<'_>> = columns
        .iter()
        .map(|column| match column {
            Held::One(value) => Values::One(value.as_slot()),
            Held::Numbers(..) => Values::Numbers,
            Held::Places(known, ..) | Held::Few(known, _) => Values::Among(known),
        })
        .collect();
    let now = Now { mono: 0, wall: 0 };
    let scopes = Scopes::default();
    let (batch, input, width) = match of {
        Of::Tool(tool) => (Batch::of_tool(program, now, &scopes, tool, &values), &[][..], 0),
        Of::Model(calls, input) => {
            let input = if calls.input.is_some() { &[][..] } else { input };
            (Batch::of_model(program, now, &scopes, calls, &values), input, rows.len())
        }
    };
    let batch = batch.unwrap().unwrap();
    let cells: Vec<Column<'_>> = columns
        .iter()
        .map(|column| match column {
            Held::One(_) => Column::NONE,
            Held::Numbers(numbers, marks) => Column { cells: Cells::Numbers(numbers), marks },
            Held::Places(_, places, marks) => Column { cells: Cells::Places(places), marks },
            Held::Few(_, places) => Column { cells: Cells::Few(places), marks: &[] },
        })
        .collect();
    let mut is_unsafe: Vec<bool> = rows.iter().map(|(_, is_unsafe)| *is_unsafe).collect();
    if !is_unsafe.contains(&true) {
        is_unsafe.clear();
    }
    let count = rows.len();
    let (mut outcome, mut by, mut undecided) =
        (vec![Outcome::Stop; count], vec![9; count], vec![true; count]);
    let mut model = vec![9; width];
    let mut answers =
        Answers { outcome: &mut outcome, by: &mut by, undecided: &mut undecided, model: &mut model };
    batch.decide(&Piece { columns: &cells, is_unsafe: &is_unsafe, input }, scratch, &mut answers).unwrap();
    let model = |row: usize| model.get(row).copied().unwrap_or(-1);
    (0..count).map(|row| (outcome[row], by[row], undecided[row], model(row))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn at_once_is_as_one_by_one(seed in 1..u64::MAX) {
        let mut dice = Dice(seed);
        let program = policy(&mut dice).program();
        let is_unsafe = dice.roll(3) == 0;
        let count = dice.one(&[1, 2, 7, 40]);
        let mut rows: Vec<Row> = (0..count)
            .map(|_| {
                let facts = program.facts().iter();
                (facts.map(|fact| value(&fact.name, &mut dice)).collect(), is_unsafe && dice.roll(2) == 0)
            })
            .collect();
        if dice.roll(4) == 0 {
            let first = rows[0].clone();
            rows.fill(first);
        }
        let mut scratch = Scratch::default();
        for tool in ["pay", "look", "think"] {
            let at_once = told_at_once(&program, Of::Tool(tool), &rows, &mut dice, &mut scratch);
            let alone: Vec<Told> = rows
                .iter()
                .map(|row| told_alone(&program, tool, row))
                .map(|(outcome, by, undecided, _)| (outcome, by, undecided, -1))
                .collect();
            prop_assert_eq!(at_once, alone);
        }
    }

    #[test]
    fn models_are_chosen_as_one_by_one(seed in 1..u64::MAX) {
        let mut dice = Dice(seed);
        let program = routed(&mut dice).program();
        let count = dice.one(&[1, 2, 7, 40]);
        let rows: Vec<Row> = (0..count)
            .map(|_| (program.facts().iter().map(|fact| value(&fact.name, &mut dice)).collect(), false))
            .collect();
        let mut scratch = Scratch::default();
        for requested in [None, Some("large"), Some("small")] {
            let input = dice.one(&[Some(100), Some(995), None]);
            let max_output = dice.one(&[None, Some(0), Some(7)]);
            let calls = Calls { model: requested, input, max_output };
            let sizes = [0, 1, 100, 899, 990, 1000, 1001];
            let inputs: Vec<i64> =
                rows.iter().map(|_| input.map_or_else(|| dice.one(&sizes), |all| all as i64)).collect();
            let at_once = told_at_once(&program, Of::Model(&calls, &inputs), &rows, &mut dice, &mut scratch);
            let alone = rows.iter().zip(&inputs);
            let alone: Vec<Told> =
                alone.map(|(row, input)| asked_alone(&program, &calls, *input as u64, row)).collect();
            prop_assert_eq!(at_once, alone);
        }
    }
}

fn counted(bound: i64) -> Arc<Program> {
    let mut policy = declared();
    policy.facts = vec![fact("data.count", 2)];
    policy.tools[1].args = vec![];
    let when = Some(vec![Op::Compare("data.count", 4, Lit::Number(2, bound))]);
    policy.with("r", Enforced::Rule { on: Select::AnyTool, when, then: Else::Deny }).program()
}

#[test]
fn a_whole_piece_is_decided() {
    let program = counted(3);
    let now = Now { mono: 0, wall: 0 };
    let batch =
        Batch::of_tool(&program, now, &Scopes::default(), "pay", &[Values::Numbers]).unwrap().unwrap();
    assert_eq!((batch.reads(), batch.asks()), (&[0][..], false));
    let numbers: Vec<i64> = (0..ROWS as i64).collect();
    let columns = [Column { cells: Cells::Numbers(&numbers), marks: &[] }];
    let (mut outcome, mut by, mut undecided) = ([Outcome::Stop; ROWS], [7; ROWS], [true; ROWS]);
    let mut answers =
        Answers { outcome: &mut outcome, by: &mut by, undecided: &mut undecided, model: &mut [] };
    let piece = Piece { columns: &columns, is_unsafe: &[], input: &[] };
    batch.decide(&piece, &mut Scratch::default(), &mut answers).unwrap();
    for row in 0..ROWS {
        let is_denied = row > 3;
        assert_eq!(
            (outcome[row] == Outcome::Deny, by[row] == 0, undecided[row]),
            (is_denied, is_denied, false)
        );
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let program = counted(3);
    let (now, scopes) = (Now { mono: 0, wall: 0 }, Scopes::default());
    let refused = |values: &[Values<'_>]| Batch::of_tool(&program, now, &scopes, "pay", values).unwrap_err();
    assert!(matches!(refused(&[]), EngineError::BadValue(_)));
    assert!(Batch::of_tool(&program, now, &scopes, "ghost", &[Values::Numbers]).unwrap().is_none());
    let batch = Batch::of_tool(&program, now, &scopes, "pay", &[Values::Numbers]).unwrap().unwrap();
    let long = [0; ROWS + 1];
    for (cells, rows) in [
        (Cells::Numbers(&long[..2]), 3),
        (Cells::Numbers(&[]), 3),
        (Cells::Places(&[0, 0, 0]), 3),
        (Cells::Numbers(&long), ROWS + 1),
    ] {
        let columns = [Column { cells, marks: &[] }];
        let (mut outcome, mut by, mut undecided) =
            (vec![Outcome::Stop; rows], vec![7; rows], vec![true; rows]);
        let mut answers =
            Answers { outcome: &mut outcome, by: &mut by, undecided: &mut undecided, model: &mut [] };
        let piece = Piece { columns: &columns, is_unsafe: &[], input: &[] };
        let refused = batch.decide(&piece, &mut Scratch::default(), &mut answers).unwrap_err();
        assert!(matches!(refused, EngineError::BadValue(_)));
        assert!(outcome.iter().all(|each| *each == Outcome::Stop), "nothing is written");
    }
}

#[test]
fn numbers_come_only_for_facts_that_are_numbers() {
    let mut policy = declared();
    policy.facts = vec![fact("data.text", 0)];
    policy.tools[1].args = vec![];
    let when = Some(vec![Op::Has("data.text")]);
    let program = policy.with("r", Enforced::Rule { on: Select::AnyTool, when, then: Else::Deny }).program();
    let now = Now { mono: 0, wall: 0 };
    let refused = Batch::of_tool(&program, now, &Scopes::default(), "pay", &[Values::Numbers]).unwrap_err();
    assert!(matches!(refused, EngineError::BadValue(_)));
}
