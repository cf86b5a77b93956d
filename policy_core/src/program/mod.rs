//! A verified policy: immutable tables, shared by every run.
//!
//! INVARIANT (verified): every index kept in a [`Program`] is in range; only the loader builds one.

mod condition;
mod decode;
mod enforced;
mod index;
mod reader;
mod sections;
mod statements;
mod tables;
mod verify;

use std::fmt;

pub use condition::Const;
pub(crate) use condition::{Comparison, Condition, Op};
pub(crate) use index::Index;
pub use statements::{Bound, BoundKind, Limit, Statement, StatementKind, Threshold, ThresholdKind};
pub(crate) use statements::{Loop, Retry, Selector, Verdict};
pub(crate) use tables::Tables;
pub use tables::{
    Arg, Fact, Model, MoneyUnit, Place, Presence, Price, Queue, QueueDefault, Source, State, Tool, ToolClass,
};
pub(crate) use verify::DEEPEST;

use crate::error::LoadError;

/// The version of the artifact format that this engine loads.
pub const FORMAT: u16 = 1;

/// A policy, verified and ready to run. Immutable; share it between runs with an `Arc`.
pub struct Program {
    digest: [u8; 32],
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
        let artifact = decode::header(bytes)?;
        let tables = decode::payload(artifact.payload)?;
        verify::tables(&tables)?;
        let index = Index::new(&tables);
        Ok(Self { digest: artifact.digest, language: artifact.language, tables, index })
    }

    /// SHA-256 of the payload.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
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
        self.tables.tool_index(name).map(|index| self.tables.tools.at(index))
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

    /// The limits, ascending by statement.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        self.tables.limits.all()
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
