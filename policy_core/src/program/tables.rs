//! The vocabulary of a program: facts, models, tools, states and queues, with names resolved to texts.

use std::sync::Arc;

use crate::books::Zone;
use crate::facts::BuiltInFact;
use crate::price::Price;
use crate::program::limits::Limit;
use crate::program::statements::{Loop, Order, Require, Retry, Route, Rule, Statement, TruthOf};
use crate::program::watch::Breaker;
use crate::program::{Condition, Const, Template};
use crate::value::Dimension;

/// A list whose indexes were verified when the program was loaded.
#[derive(Debug, Default)]
pub(crate) struct Table<T>(Box<[T]>);

impl<T> Table<T> {
    pub(crate) fn new(items: Vec<T>) -> Self {
        Self(items.into_boxed_slice())
    }

    /// The item at a verified index.
    #[expect(
        clippy::indexing_slicing,
        reason = "INVARIANT (verified): the loader checked every index it kept"
    )]
    pub(crate) fn at(&self, index: u32) -> &T {
        &self.0[index as usize]
    }

    pub(crate) fn all(&self) -> &[T] {
        &self.0
    }

    /// The items with their indexes. No table is longer than an artifact, whose length is a `u32`.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..=u32::MAX).zip(self.0.iter())
    }
}

/// Where a fact's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The host sends it under the fact's name.
    Host,
    /// It is an argument of the tool being called; see [`Tool::args`].
    Arg,
    /// It is a field of what the tool gave; see [`Tool::results`].
    Result,
    /// The engine knows it, or reads it from the event. See [`BuiltInFact::from_host`] for the two that
    /// the host may send.
    BuiltIn(BuiltInFact),
}

/// What holds if a fact's value is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The host must send it; conditions that read it without are undecided.
    Required,
    /// It may be missing; conditions ask with `has`.
    Optional,
    /// This value stands in.
    Default(Const),
    /// The empty list stands in.
    Empty,
}

/// A fact that some condition reads.
#[derive(Debug)]
pub struct Fact {
    /// The dotted name.
    pub name: Arc<str>,
    /// What it measures, or each of its elements.
    pub dimension: Dimension,
    /// The most elements of a list; 0 if it is one value. Each tool may allow fewer: see [`Arg::most`].
    pub most: u32,
    /// Where its value comes from.
    pub source: Source,
    /// What holds if it is missing.
    pub presence: Presence,
    /// For `one of` texts: the declared choices, ascending. Empty: any text.
    pub choices: Box<[Arc<str>]>,
}

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine or network.
    Edge,
    /// Elsewhere.
    Cloud,
}

impl Place {
    /// The word that policies use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Cloud => "cloud",
        }
    }
}

/// A declared model.
#[derive(Debug)]
pub struct Model {
    /// Its name in the policy.
    pub name: Arc<str>,
    /// What the host calls, such as `openai/gpt-5`.
    pub target: Arc<str>,
    /// Its tier, 1 the lowest; 0 if none is declared.
    pub tier: u64,
    /// Where it runs.
    pub place: Place,
    /// In which region, if that is declared.
    pub region: Option<Arc<str>>,
    /// The most tokens in and out together.
    pub window: u64,
    /// The most tokens out.
    pub output: u64,
    /// The fewest tokens out that are worth a call.
    pub least_output: u64,
    /// `None` if declared free.
    pub price: Option<Price>,
}

impl Model {
    /// The most output of a call with so much input, where the host asks for no more than `most`.
    pub(crate) fn cap(&self, input: u64, most: Option<u64>) -> u64 {
        most.unwrap_or(u64::MAX).min(self.output).min(self.window.saturating_sub(input))
    }
}

/// What a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolClass {
    /// Not declared.
    None,
    /// It looks something up.
    Retrieve,
    /// It only thinks.
    Reason,
    /// It changes the world.
    Act,
}

impl ToolClass {
    /// All classes, in the order of their codes in an artifact.
    pub const ALL: [Self; 4] = [Self::None, Self::Retrieve, Self::Reason, Self::Act];

    /// The word that policies use; `None` if none was declared.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Retrieve => Some("retrieve"),
            Self::Reason => Some("reason"),
            Self::Act => Some("act"),
        }
    }
}

/// The unit in which a tool's argument gives money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyUnit {
    /// Whole units of the currency.
    Units,
    /// Hundredths of it.
    Cents,
}

/// An argument that some condition reads, or a field of a result.
#[derive(Debug)]
pub struct Arg {
    /// Its name in the tool's arguments, or in its result.
    pub name: Arc<str>,
    /// The fact whose slot it fills, an index into the program's facts.
    pub fact: u32,
    /// For money only.
    pub unit: Option<MoneyUnit>,
    /// The most elements of a list that this tool takes; 0 if it is one value.
    pub most: u32,
    /// The only texts that this tool takes, ascending; empty for any.
    pub choices: Box<[Arc<str>]>,
}

/// A declared tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub class: ToolClass,
    /// It must never run twice for one call.
    pub once: bool,
    /// It may run twice for one call, and answer differently each time.
    pub may_repeat: bool,
    /// How long it may take.
    pub timeout_ns: Option<u64>,
    /// The arguments that conditions read, ascending by name.
    pub args: Box<[Arg]>,
    /// The fields of its result that conditions read, ascending by name.
    pub results: Box<[Arg]>,
    /// The condition without which an attempt has failed.
    pub(crate) succeeds: Option<u32>,
}

impl Tool {
    /// Whether it may be run again though nobody knows whether it has run.
    pub(crate) const fn may_run_twice(&self) -> bool {
        !self.once && (self.may_repeat || matches!(self.class, ToolClass::Retrieve | ToolClass::Reason))
    }
}

/// A declared failure state.
#[derive(Debug)]
pub struct State {
    /// Its name.
    pub name: Arc<str>,
    /// What the agent is told.
    pub tell_agent: Option<Arc<str>>,
    /// What the user is told.
    pub tell_user: Option<Arc<str>>,
}

/// What happens when nobody answers in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueDefault {
    /// The call is denied.
    Deny,
    /// The run stops in this state, an index into the program's states.
    Stop(u32),
}

/// Where people are asked.
#[derive(Debug)]
pub struct Queue {
    /// Its name.
    pub name: Arc<str>,
    /// How long a request may be answered.
    pub expires_ns: u64,
    /// What happens after that.
    pub default: QueueDefault,
    /// What an approval adds to the limit that asks; only limits ask where this is given.
    pub grants: Option<Grants>,
    /// The arguments that an answer is for, ascending; all of them, if it names none.
    pub binds: Box<[Arc<str>]>,
}

/// By how much a person may raise a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Count, money or tokens.
    pub dimension: Dimension,
    /// How much more one approval allows.
    pub amount: u64,
    /// How often, in one window of the limit.
    pub times: u64,
}

/// A time zone as the policy was compiled with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    /// Its name and transitions.
    pub zone: Arc<Zone>,
    /// The version of the time zone database.
    pub version: Arc<str>,
}

/// Everything that an artifact says.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) strings: Box<[Arc<str>]>,
    pub(crate) policy: Arc<str>,
    pub(crate) file: Arc<str>,
    pub(crate) currency: Arc<str>,
    pub(crate) prices: Arc<str>,
    pub(crate) is_shared: bool,
    pub(crate) facts: Table<Fact>,
    pub(crate) models: Table<Model>,
    pub(crate) tools: Table<Tool>,
    pub(crate) states: Table<State>,
    pub(crate) queues: Table<Queue>,
    pub(crate) zones: Table<TimeZone>,
    /// The zone of the clock, if facts are read from it.
    pub(crate) clock: Option<u32>,
    pub(crate) conditions: Table<Condition>,
    pub(crate) templates: Table<Template>,
    pub(crate) statements: Table<Statement>,
    pub(crate) rules: Table<Rule>,
    pub(crate) limits: Table<Limit>,
    pub(crate) retries: Table<Retry>,
    pub(crate) breakers: Table<Breaker>,
    pub(crate) requires: Table<Require>,
    pub(crate) route: Option<Route>,
    pub(crate) orders: Table<Order>,
    pub(crate) loops: Table<Loop>,
    pub(crate) truth: Option<TruthOf>,
}

impl Tables {
    /// Whether a statement only says what it would have said.
    pub(crate) fn is_observed(&self, statement: u32) -> bool {
        self.statements.all().get(statement as usize).is_some_and(|statement| statement.is_observed)
    }
}
