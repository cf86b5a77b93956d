//! A verified policy: immutable tables, shared by every run.
//!
//! INVARIANT (verified): every index kept in a [`Program`] is in range; only the loader builds one.

mod condition;
mod decode;
mod enforced;
mod index;
mod limit_section;
mod limits;
mod reader;
mod sections;
mod statements;
mod tables;
mod template;
mod verify;
mod watch;

use std::fmt;

pub use condition::Const;
pub(crate) use condition::{Comparison, Condition, Op, Predicate, Quantifier};
pub(crate) use index::{
    Column, Drawn, Draws, Entry, Fill, Index, Kind, Level, OfTool, Screened, Soft, bounded,
};
pub use index::{Found, Plain, Range, Sought};
pub use limits::{Basis, Bound, Limit, Measure, Scope, Threshold, ThresholdKind};
pub(crate) use statements::{Arm, Loop, Order, Require, Retry, Route, Rule, Verdict};
pub use statements::{AskFor, Selector, Statement, StatementKind};
pub(crate) use tables::Tables;
pub use tables::{
    Arg, Fact, Grants, Model, MoneyUnit, Place, Presence, Queue, QueueDefault, Source, State, TimeZone, Tool,
    ToolClass,
};
pub use template::Template;
pub(crate) use verify::DEEPEST;

use crate::books::{Period, WindowKind};
use crate::error::LoadError;

/// The version of the artifact format that this engine loads.
pub const FORMAT: u16 = 1;

/// A policy, verified and ready to run. Immutable; share it between runs with an `Arc`.
pub struct Program {
    digest: [u8; 32],
    meaning: [u8; 32],
    language: u16,
    pub(crate) tables: Tables,
    pub(crate) index: Index,
}

impl Program {
    /// Loads and verifies a compiled policy (a `.reinc` file's bytes).
    ///
    /// # Errors
    /// [`LoadError`] for anything but a whole, undamaged artifact of this version.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::load_with(bytes, Index::new)
    }

    /// The same, to hold the index against: every rule of a selector is looked at. For tests.
    ///
    /// # Errors
    /// As of [`load`](Self::load).
    #[doc(hidden)]
    pub fn load_scanning(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::load_with(bytes, Index::scanning)
    }

    fn load_with(bytes: &[u8], index: impl Fn(&Tables) -> Index) -> Result<Self, LoadError> {
        let artifact = decode::header(bytes)?;
        let (meaning, tables) = decode::payload(artifact.payload)?;
        verify::tables(&tables)?;
        let index = index(&tables);
        Ok(Self { digest: artifact.digest, meaning, language: artifact.language, tables, index })
    }

    /// SHA-256 of the payload.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// SHA-256 of all that decides, with names and reasons: not of the file's place, of comments, and of
    /// where statements stand. A run that was suspended goes on under a program with the same.
    #[must_use]
    pub const fn meaning(&self) -> &[u8; 32] {
        &self.meaning
    }

    /// The version of the language that the policy is written in.
    #[must_use]
    pub const fn language(&self) -> u16 {
        self.language
    }

    /// The policy's name.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.tables.policy
    }

    /// The source file that the policy was compiled from.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.tables.file
    }

    /// The currency of money, such as `$`.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.tables.currency
    }

    /// Every fact that a condition reads, ascending by name and dimension. Slots are passed in this order.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        self.tables.facts.all()
    }

    /// The models, ascending by name.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        self.tables.models.all()
    }

    /// The tools, ascending by name.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        self.tables.tools.all()
    }

    /// The tool of that name, if the policy declares it.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tool_index(name).map(|index| self.tables.tools.at(index))
    }

    /// The failure states, ascending by name.
    #[must_use]
    pub fn states(&self) -> &[State] {
        self.tables.states.all()
    }

    /// The queues of escalations, ascending by name.
    #[must_use]
    pub fn queues(&self) -> &[Queue] {
        self.tables.queues.all()
    }

    /// Every enforced statement, ascending by name and kind; ties between votes go by this order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        self.tables.statements.all()
    }

    /// The texts of answers, in the order of their use.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        self.tables.templates.all()
    }

    /// Whether a statement hands known results back, so that the host has to keep them.
    #[must_use]
    pub const fn reuses(&self) -> bool {
        self.index.reuses
    }

    /// The limits, ascending by statement.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        self.tables.limits.all()
    }

    /// Whether a statement only says what it would have said.
    pub(crate) fn is_observed(&self, statement: u32) -> bool {
        self.tables.is_observed(statement)
    }

    /// Whether there are breakers.
    pub(crate) fn has_breakers(&self) -> bool {
        !self.tables.breakers.all().is_empty()
    }

    /// The index of a model, if one has this name.
    #[inline]
    pub(crate) fn model_index(&self, name: &str) -> Option<u32> {
        self.index.models.find(self.tables.models.all(), |model| &model.name, name)
    }

    /// The index of a tool in [`Program::tools`], if one has this name.
    #[inline]
    #[must_use]
    pub fn tool_index(&self, name: &str) -> Option<u32> {
        self.index.tools.find(self.tables.tools.all(), |tool| &tool.name, name)
    }

    /// Whether a statement is a breaker.
    pub(crate) fn is_breaker(&self, statement: u32) -> bool {
        let statement = self.statements().get(statement as usize);
        statement.is_some_and(|statement| statement.kind == StatementKind::Breaker)
    }

    /// The limit that a statement is, an index.
    pub(crate) fn limit_of(&self, statement: u32) -> Option<u32> {
        let found = self.limits().binary_search_by_key(&statement, |limit| limit.statement);
        found.ok().and_then(|index| u32::try_from(index).ok())
    }

    /// By how much a person may raise the bound of the limit that a statement is.
    pub(crate) fn grants_of(&self, statement: u32) -> Option<Grants> {
        let limit = self.tables.limits.at(self.limit_of(statement)?);
        let Verdict::Escalate(queue, _) = limit.verdict else { return None };
        self.tables.queues.at(queue).grants
    }

    /// The facts that limits are on, indexes into the program's facts, ascending.
    #[must_use]
    pub fn key_facts(&self) -> &[u32] {
        &self.index.key_facts
    }

    /// The scopes whose ids facts read, or observed limits, ascending.
    #[must_use]
    pub fn ids(&self) -> &[Scope] {
        &self.index.ids
    }

    /// Sets of arguments that some loop leaves out, each ascending by name.
    #[must_use]
    pub fn ignored_args(&self) -> &[Box<[std::sync::Arc<str>]>] {
        &self.index.loops.forms
    }

    /// The time zones of calendar windows, ascending by name.
    #[must_use]
    pub fn zones(&self) -> &[TimeZone] {
        self.tables.zones.all()
    }

    /// The id of the price snapshot that prices came from; empty if none did.
    #[must_use]
    pub fn prices(&self) -> &str {
        &self.tables.prices
    }

    /// Whether the policy wants a store that other machines see too.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.tables.is_shared
    }

    /// Whether some limit is on more than a run.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.limits().iter().any(|limit| limit.scope != Scope::Run)
    }

    /// Whether results are decided about: if not, [`Run::settle`](crate::Run::settle) says all.
    #[must_use]
    pub fn judges(&self) -> bool {
        let mut arms = self.tables.route.iter().flat_map(|route| &route.arms);
        self.checks_truth()
            || self.index.loops.progressing() > 0
            || self.tools().iter().any(|tool| tool.succeeds.is_some())
            || arms.any(|arm| arm.then.is_some())
    }

    /// Whether a larger model may be asked as well when the result of this one is there.
    #[must_use]
    pub fn cascades(&self, model: &Model) -> bool {
        let mut arms = self.tables.route.iter().flat_map(|route| &route.arms);
        arms.any(|arm| {
            arm.then.is_some()
                && self.models().get(arm.model as usize).is_some_and(|first| first.name == model.name)
        })
    }

    /// Whether a model call has to come with the tool results of its conversation.
    #[must_use]
    pub const fn checks_truth(&self) -> bool {
        self.tables.truth.is_some()
    }

    /// Whether a model call has to come with the messages of its prompt.
    #[must_use]
    pub const fn compares_context(&self) -> bool {
        self.index.loops.compares_context
    }

    /// Whether some statement watches how models and tools fare, or it matters which model served last: the
    /// runs of a process then share that.
    #[must_use]
    pub const fn watches(&self) -> bool {
        self.index.counts_health || self.index.sticks
    }

    /// The scopes wider than a run that limits are on, ascending; not those of observed limits, which need
    /// no id.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        let enforced = self.limits().iter().filter(|limit| !self.is_observed(limit.statement));
        let mut scopes: Vec<Scope> = enforced.map(|limit| limit.scope).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes.retain(|scope| *scope != Scope::Run);
        scopes
    }

    /// The word that policies use for a scope: a fact's name, if it is one.
    #[must_use]
    pub fn scope_name(&self, scope: Scope) -> &str {
        match scope {
            Scope::Run => "run",
            Scope::Session => "session",
            Scope::User => "user",
            Scope::Team => "team",
            Scope::Org => "org",
            Scope::Key(fact) => self.facts().get(fact as usize).map_or("", |fact| &fact.name),
        }
    }

    /// What the index finds each rule by, in the order of statements.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        index::found(&self.tables)
    }

    /// A measure in the words of policies, such as `cost` or `calls of tool "search"`.
    #[must_use]
    pub fn measure_text(&self, measure: Measure) -> String {
        match measure {
            Measure::CallsOf(selector) => format!("calls of {}", self.selector_text(selector)),
            _ => measure.name().to_owned(),
        }
    }

    /// A selector in the words of policies, such as `tool "search"`.
    #[must_use]
    pub fn selector_text(&self, selector: Selector) -> String {
        let named = |kind: &str, name: Option<&str>| format!("{kind} \"{}\"", name.unwrap_or_default());
        match selector {
            Selector::AnyModel => "model any".to_owned(),
            Selector::Model(model) => {
                named("model", self.models().get(model as usize).map(|model| &*model.name))
            }
            Selector::AnyTool => "tool any".to_owned(),
            Selector::Tool(tool) => named("tool", self.tools().get(tool as usize).map(|tool| &*tool.name)),
            Selector::Class(class) => format!("tool class {}", class.name().unwrap_or_default()),
        }
    }

    /// A window as accounts are named by it: empty for ever, `day Europe/Rome`, or `rolling` and nanoseconds.
    #[must_use]
    pub fn window_text(&self, limit: &Limit) -> String {
        match &limit.window {
            WindowKind::Forever => String::new(),
            WindowKind::Calendar { period, zone } => {
                let period = match period {
                    Period::Hour => "hour",
                    Period::Day => "day",
                    Period::Week => "week",
                    Period::Month => "month",
                };
                format!("{period} {}", zone.name)
            }
            WindowKind::Rolling { ns } => format!("rolling {ns}"),
        }
    }

    /// Whether `text` is written in the policy (so that a record may show it in full).
    #[must_use]
    pub fn has_text(&self, text: &str) -> bool {
        self.tables.strings.binary_search_by(|known| known.as_bytes().cmp(text.as_bytes())).is_ok()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Program")
            .field("policy", &self.tables.policy)
            .field("file", &self.tables.file)
            .field("statements", &self.tables.statements.all().len())
            .finish_non_exhaustive()
    }
}
