//! What a limit is: whose spending it bounds, in which window, by which measures, and what counts.

use std::sync::Arc;

use crate::books::{Failure, WindowKind};
use crate::program::statements::{Selector, Verdict};
use crate::program::tables::Queue;
use crate::value::Dimension;

/// What a bound of a limit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Money, in nano-units.
    Cost,
    /// Tokens, in and out together.
    Tokens,
    /// Tokens that are sent.
    InputTokens,
    /// Tokens that come back.
    OutputTokens,
    /// Logical model calls that were let through.
    Steps,
    /// Attempts on models.
    ModelCalls,
    /// Attempts on tools.
    ToolCalls,
    /// Attempts on either.
    Attempts,
    /// Attempts of a logical call after its first.
    Retries,
    /// Requests opened to people.
    Escalations,
    /// Time, in nanoseconds, without what people took to answer.
    ActiveTime,
    /// Time, in nanoseconds.
    WallTime,
    /// Attempts on what a selector takes.
    CallsOf(Selector),
}

impl Measure {
    /// All measures but `calls of`, in the order of their codes in an artifact.
    pub const ALL: [Self; 12] = [
        Self::Cost,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Steps,
        Self::ModelCalls,
        Self::ToolCalls,
        Self::Attempts,
        Self::Retries,
        Self::Escalations,
        Self::ActiveTime,
        Self::WallTime,
    ];

    /// The word that policies use; see [`crate::Program::measure_text`] for what a selector adds.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Steps => "steps",
            Self::ModelCalls => "model_calls",
            Self::ToolCalls => "tool_calls",
            Self::Attempts => "attempts",
            Self::Retries => "retries",
            Self::Escalations => "escalations",
            Self::ActiveTime => "active_time",
            Self::WallTime => "wall_time",
            Self::CallsOf(_) => "calls of",
        }
    }

    /// What its numbers are.
    #[must_use]
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::Cost => Dimension::Money,
            Self::Tokens | Self::InputTokens | Self::OutputTokens => Dimension::Tokens,
            Self::ActiveTime | Self::WallTime => Dimension::Duration,
            _ => Dimension::Count,
        }
    }

    /// Whether it is read from a clock; no account has it.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::ActiveTime | Self::WallTime)
    }

    /// Whether only the end of an attempt tells how much it is.
    pub(crate) const fn is_amount(self) -> bool {
        matches!(self, Self::Cost | Self::Tokens | Self::InputTokens | Self::OutputTokens)
    }

    /// Whether wrapping up withholds so many calls of it.
    pub(crate) const fn counts_model_calls(self) -> bool {
        match self {
            Self::Steps | Self::ModelCalls | Self::Attempts => true,
            Self::CallsOf(selector) => selector.takes_models(),
            _ => false,
        }
    }
}

/// One `measure <= max` of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is bounded.
    pub measure: Measure,
    /// The most there may be.
    pub max: u64,
    /// How much of it is kept for wrapping up.
    pub withheld: u64,
}

/// Whose spending a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One run's.
    Run,
    /// That of all runs of a session.
    Session,
    /// That of all runs for a user.
    User,
    /// That of all runs for a team.
    Team,
    /// That of all runs for an organisation.
    Org,
    /// That of all runs with the same value of a fact, an index into the program's facts.
    Key(u32),
}

impl Scope {
    /// The scope of that word; a key has none.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "run" => Some(Self::Run),
            "session" => Some(Self::Session),
            "user" => Some(Self::User),
            "team" => Some(Self::Team),
            "org" => Some(Self::Org),
            _ => None,
        }
    }
}

/// Which attempts a count counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Those that were allowed.
    #[default]
    Attempted,
    /// Those that ran, as far as one can tell.
    Executed,
    /// Those that ended well, or of which nobody knows.
    Succeeded,
}

impl Basis {
    /// All, in the order of their codes in an artifact.
    pub const ALL: [Self; 3] = [Self::Attempted, Self::Executed, Self::Succeeded];

    /// The word that policies use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempted => "attempted",
            Self::Executed => "executed",
            Self::Succeeded => "succeeded",
        }
    }
}

/// Who gets a threshold's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdKind {
    /// The agent.
    TellAgent,
    /// The operator.
    Warn,
    /// The route: from then on it tries lower tiers first.
    PreferLower,
}

impl ThresholdKind {
    /// All kinds, in the order of their codes in an artifact.
    pub(crate) const ALL: [Self; 3] = [Self::TellAgent, Self::Warn, Self::PreferLower];

    /// The words that policies use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TellAgent => "tell agent",
            Self::Warn => "warn",
            Self::PreferLower => "prefer lower tier",
        }
    }
}

/// A soft threshold of a limit.
#[derive(Debug)]
pub struct Threshold {
    /// Reached at this many parts per million of any bound.
    pub ppm: u64,
    /// Who gets the text.
    pub kind: ThresholdKind,
    /// The text; empty where nobody gets one.
    pub text: Arc<str>,
}

/// A limit.
#[derive(Debug)]
pub struct Limit {
    /// Its index in the program's statements.
    pub statement: u32,
    /// Whose spending it bounds.
    pub scope: Scope,
    /// In which part of time.
    pub window: WindowKind,
    /// Its bounds, ascending by measure, at most one of each.
    pub bounds: Box<[Bound]>,
    /// Which attempts its counts count.
    pub basis: Basis,
    /// What holds when the store does not answer.
    pub failure: Failure,
    /// How many calls wrapping up may take; 0 if it does not.
    pub wrap_up: u64,
    /// Its soft thresholds, in source order.
    pub thresholds: Box<[Threshold]>,
    pub(crate) verdict: Verdict,
}

impl Limit {
    /// Which attempts a measure of this limit counts. Retries and escalations count as they are made.
    pub(crate) const fn basis_of(&self, measure: Measure) -> Basis {
        match measure {
            Measure::Retries | Measure::Escalations => Basis::Attempted,
            _ => self.basis,
        }
    }

    /// The measure whose bound a queue's grants raise: the only one of their dimension, of tokens the total.
    pub(crate) fn granted(&self, queue: &Queue) -> Option<Measure> {
        let grants = queue.grants.as_ref()?;
        let is_one = |measure: &Measure| match grants.dimension {
            Dimension::Tokens => *measure == Measure::Tokens,
            dimension => measure.dimension() == dimension,
        };
        let mut measures = self.bounds.iter().map(|bound| bound.measure).filter(is_one);
        let first = measures.next();
        if measures.next().is_some() { None } else { first }
    }
}
