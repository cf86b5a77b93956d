//! A small writer of artifacts, so that the engine's tests need no compiler.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part of this"
)]

mod bytes;
pub mod desk;
pub mod drive;
mod writer;

use std::sync::Arc;

use policy_core::{Decision, ErrorKind, Failure, ModelCall, Program, Slot, Tariff, ToolCall, Usage};

pub use desk::{Desk, Run, books};
pub use writer::{artifact, payload, seal};

pub type Name = &'static str;
pub const SECOND: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub enum Lit {
    Text(Name),
    Flag(bool),
    /// Dimension code and number.
    Number(u8, i64),
}

#[derive(Clone, Debug)]
pub enum Op {
    Compare(Name, u8, Lit),
    Member(Name, Vec<Lit>),
    Has(Name),
    Starts(Name, Name),
    Ends(Name, Name),
    /// One of these of each element: of all (0), of any (1).
    Each(u8, Box<Op>),
    Not,
    And,
    Or,
    JumpIfFalse(u64),
    JumpIfTrue(u64),
}

pub type When = Option<Vec<Op>>;

#[derive(Clone, Copy, Debug)]
pub enum Select {
    AnyModel,
    Model(Name),
    AnyTool,
    Tool(Name),
    Class(u8),
    /// Of breakers only.
    AnyProvider,
    Provider(Name),
}

#[derive(Clone, Copy, Debug)]
pub enum Else {
    Stop(Name),
    Fail(Name),
    Deny,
    Escalate(Name),
    Answer(u64),
    Reuse,
}

/// A measure by its code in an artifact.
#[derive(Clone, Copy, Debug)]
pub enum Measured {
    Simple(u8),
    CallsOf(Select),
}

pub const COST: Measured = Measured::Simple(0);
pub const TOKENS: Measured = Measured::Simple(1);
pub const INPUT: Measured = Measured::Simple(2);
pub const OUTPUT: Measured = Measured::Simple(3);
pub const STEPS: Measured = Measured::Simple(4);
pub const MODEL_CALLS: Measured = Measured::Simple(5);
pub const TOOL_CALLS: Measured = Measured::Simple(6);
pub const ATTEMPTS: Measured = Measured::Simple(7);
pub const RETRIES: Measured = Measured::Simple(8);
pub const ESCALATIONS: Measured = Measured::Simple(9);
pub const ACTIVE_TIME: Measured = Measured::Simple(10);
pub const WALL_TIME: Measured = Measured::Simple(11);

#[derive(Clone, Copy, Debug)]
pub enum Scoped {
    /// Run, session, user, team, org.
    Word(u8),
    Key(Name),
}

pub const RUN: Scoped = Scoped::Word(0);
pub const SESSION: Scoped = Scoped::Word(1);
pub const USER: Scoped = Scoped::Word(2);

#[derive(Clone, Copy, Debug)]
pub enum Windowed {
    Forever,
    /// Period code and zone.
    Each(u8, Name),
    Rolling(u64),
}

/// A limit; bounds as measure, most, withheld; thresholds as parts per million and text.
#[derive(Clone, Debug)]
pub struct LimitSpec {
    pub scope: Scoped,
    pub window: Windowed,
    pub bounds: Vec<(Measured, u64, u64)>,
    pub basis: u8,
    pub failure: u8,
    pub wrap_up: u64,
    pub at: Vec<(u64, Name)>,
    pub otherwise: Else,
}

impl LimitSpec {
    pub fn new(bounds: Vec<(Measured, u64)>, otherwise: Else) -> Self {
        Self {
            scope: RUN,
            window: Windowed::Forever,
            bounds: bounds.into_iter().map(|(measure, max)| (measure, max, 0)).collect(),
            basis: 0,
            failure: 0,
            wrap_up: 0,
            at: vec![],
            otherwise,
        }
    }
}

/// A limit on a run.
pub fn limit(bounds: Vec<(Measured, u64)>, otherwise: Else) -> Enforced {
    Enforced::Limit(LimitSpec::new(bounds, otherwise))
}

/// A limit on all runs of this scope.
pub fn limit_on(scope: Scoped, bounds: Vec<(Measured, u64)>, otherwise: Else) -> Enforced {
    Enforced::Limit(LimitSpec { scope, ..LimitSpec::new(bounds, otherwise) })
}

#[derive(Clone, Debug)]
pub enum Enforced {
    Rule {
        on: Select,
        when: When,
        then: Else,
    },
    Limit(LimitSpec),
    Retry {
        on: Select,
        when: When,
        attempts: u64,
        within: Option<u64>,
        backoff: Option<(u64, u64)>,
        /// Parts per million, window, least.
        share: Option<[u64; 3]>,
        otherwise: Else,
    },
    /// Failures in parts per million, calls, window, probes, after.
    Breaker {
        on: Select,
        terms: [u64; 5],
    },
    Require {
        place: u8,
        when: When,
    },
    Route {
        arms: Vec<(Name, When)>,
        fallbacks: Vec<(Name, Name)>,
    },
    /// A route whose last arm asks a second model as well.
    Cascade {
        arms: Vec<(Name, When)>,
        last: (Name, Name, When),
        fallbacks: Vec<(Name, Name)>,
    },
    Order(OrderSpec),
    Truth {
        otherwise: Else,
    },
    Loop(LoopSpec),
}

impl Enforced {
    pub fn kind(&self) -> u8 {
        match self {
            Self::Limit(_) => 0,
            Self::Retry { .. } => 1,
            Self::Breaker { .. } => 2,
            Self::Require { .. } => 3,
            Self::Route { .. } | Self::Cascade { .. } => 4,
            Self::Order(_) => 5,
            Self::Loop(_) => 6,
            Self::Truth { .. } => 7,
            Self::Rule { .. } => 8,
        }
    }
}

#[derive(Clone, Debug)]
pub struct OrderSpec {
    pub before: Select,
    pub after: Select,
    /// The facts of arguments.
    pub matching: Vec<Name>,
    pub again_after: Vec<Name>,
    pub otherwise: Else,
}

impl OrderSpec {
    pub fn new(before: Select, after: Select, otherwise: Else) -> Self {
        Self { before, after, matching: vec![], again_after: vec![], otherwise }
    }
}

#[derive(Clone, Debug)]
pub struct LoopSpec {
    pub ignoring: Vec<Name>,
    pub same_call: Option<(u64, u64)>,
    pub same_error: Option<(u64, u64)>,
    pub cycle: Option<(u64, u64)>,
    pub no_progress: Option<u64>,
    pub repeated_context: Option<u64>,
    pub otherwise: Else,
}

impl LoopSpec {
    /// One that watches nothing yet.
    pub fn new(otherwise: Else) -> Self {
        let (same_call, same_error, cycle) = (None, None, None);
        let (no_progress, repeated_context) = (None, None);
        Self { ignoring: vec![], same_call, same_error, cycle, no_progress, repeated_context, otherwise }
    }
}

#[derive(Clone, Debug)]
pub struct FactSpec {
    pub name: Name,
    pub dimension: u8,
    pub most: u64,
    pub source: u8,
    pub presence: u8,
    pub default: Option<Lit>,
    pub choices: Vec<Name>,
}

/// A fact that the host has to send.
pub fn fact(name: Name, dimension: u8) -> FactSpec {
    FactSpec { name, dimension, most: 0, source: 0, presence: 0, default: None, choices: vec![] }
}

#[derive(Clone, Debug)]
pub struct ModelSpec {
    pub name: Name,
    pub place: u8,
    pub region: Option<Name>,
    pub window: u64,
    pub output: u64,
    pub least: u64,
    pub price: Option<Vec<Tariff>>,
}

/// The same price at any hour for requests of any size.
pub fn flat(input: u64, output: u64) -> Tariff {
    Tariff {
        above: 0,
        from: 0,
        to: 1440,
        input,
        output,
        cache_read: input,
        cache_write: input,
        reasoning: output,
    }
}

/// A cloud model that costs a nano-unit a token, both ways.
pub fn model(name: Name) -> ModelSpec {
    let price = Some(vec![flat(1_000_000, 1_000_000)]);
    ModelSpec { name, place: 1, region: None, window: 1000, output: 100, least: 1, price }
}

#[derive(Clone, Debug)]
pub struct ToolSpec {
    pub name: Name,
    pub class: u8,
    pub once: bool,
    pub may_repeat: bool,
    pub timeout: Option<u64>,
    /// Argument, fact, money unit.
    pub args: Vec<(Name, Name, u8)>,
    /// Field, fact, money unit.
    pub results: Vec<(Name, Name, u8)>,
    pub succeeds: When,
}

pub fn tool(name: Name, class: u8) -> ToolSpec {
    let (args, results) = (vec![], vec![]);
    ToolSpec { name, class, once: false, may_repeat: true, timeout: None, args, results, succeeds: None }
}

/// Seconds since the epoch, and seconds east of UTC from then on.
pub type Transitions = Vec<(u64, i64)>;

#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub facts: Vec<FactSpec>,
    pub models: Vec<ModelSpec>,
    pub tools: Vec<ToolSpec>,
    pub states: Vec<Name>,
    /// Name, expiry, state of a default stop.
    pub queues: Vec<(Name, u64, Option<Name>)>,
    /// Queue, dimension code, amount, times.
    pub grants: Vec<(Name, u8, u64, u64)>,
    /// Name, seconds east of UTC, transitions.
    pub zones: Vec<(Name, i64, Transitions)>,
    pub clock: Option<Name>,
    pub templates: Vec<Vec<Part>>,
    pub statements: Vec<(Name, Enforced)>,
}

/// A part of an answer's text.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Literal(Name),
    Fact(Name),
}

impl Policy {
    pub fn with(mut self, name: Name, statement: Enforced) -> Self {
        self.statements.push((name, statement));
        self
    }

    pub fn program(&self) -> Arc<Program> {
        Arc::new(Program::load(&artifact(self)).expect("a sound artifact"))
    }

    pub fn run(&self) -> Run {
        Run::new(self.program(), 7, 0)
    }

    /// A run for these, in books that others use too.
    pub fn run_in(&self, books: &Desk, scopes: &policy_core::Scopes<'_>) -> Run {
        Run::open(self.program(), 7, 0, scopes, None, books)
    }
}

/// Two models, three tools, a state and a queue; nothing enforced.
pub fn vocabulary() -> Policy {
    Policy {
        models: vec![model("large"), model("small")],
        tools: vec![tool("look", 1), tool("pay", 3), tool("think", 2)],
        states: vec!["broken", "over"],
        queues: vec![("leads", 60 * SECOND, None), ("strict", 60 * SECOND, Some("over"))],
        ..Policy::default()
    }
}

/// A new call of the model `large`, or a re-ask.
pub fn ask_model(run: &mut Run, now: u64, call: Option<u64>) -> Decision {
    ask_model_with(run, now, call, 100, &[])
}

pub fn ask_model_with(
    run: &mut Run,
    now: u64,
    call: Option<u64>,
    input: u64,
    sent: &[(Name, Slot<'_>)],
) -> Decision {
    let program = Arc::clone(run.program());
    let facts = slots(&program, sent);
    let event =
        ModelCall { call, model: Some("large"), input_tokens: input, facts: &facts, ..ModelCall::default() };
    run.model_call(now, &event).expect("good values")
}

pub fn ask_tool(run: &mut Run, now: u64, call: Option<u64>, tool: &str) -> Decision {
    ask_tool_with(run, now, call, tool, b"{}", &[])
}

pub fn ask_tool_with(
    run: &mut Run,
    now: u64,
    call: Option<u64>,
    tool: &str,
    args: &[u8],
    sent: &[(Name, Slot<'_>)],
) -> Decision {
    let program = Arc::clone(run.program());
    let facts = slots(&program, sent);
    let event = ToolCall { call, tool, args, forms: &[], is_exact: true, is_unsafe: false, facts: &facts };
    run.tool_call(now, &event).expect("good values")
}

/// A slot for each fact of the program: what was sent, or missing.
pub fn slots<'a>(program: &Program, sent: &[(Name, Slot<'a>)]) -> Vec<Slot<'a>> {
    let find =
        |name: &str| sent.iter().find(|(known, _)| *known == name).map_or(Slot::Missing, |(_, slot)| *slot);
    program.facts().iter().map(|fact| find(&fact.name)).collect()
}

/// The name of the statement that decided.
pub fn by(decision: &Decision, run: &Run) -> String {
    match decision.by {
        policy_core::By::Nobody => String::new(),
        policy_core::By::BuiltIn(reason) => reason.name().to_owned(),
        policy_core::By::Statement(index) => run.program().statements()[index as usize].name.to_string(),
    }
}

/// A timeout of which nothing else is known.
pub fn failure_of(attempt: u64, usage: Usage) -> Failure<'static> {
    Failure {
        attempt,
        usage,
        kind: ErrorKind::Timeout,
        status: Slot::Missing,
        retry_after: Slot::Missing,
        billed: Slot::Missing,
        own: false,
        fingerprint: None,
        committed: false,
    }
}
