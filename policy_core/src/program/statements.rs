//! What a program enforces: one table for each kind of statement.

use std::sync::Arc;

use crate::decision::Outcome;
use crate::fingerprint::xxh3_64;
use crate::health::ShareTerms;
use crate::program::{Comparison, Model, Place, ToolClass};
use crate::value::MILLION;

/// The kinds of enforced statements, in the order in which ties are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatementKind {
    /// `limit`
    Limit,
    /// `retry`
    Retry,
    /// `breaker`
    Breaker,
    /// `require`
    Require,
    /// `route`
    Route,
    /// `order`
    Order,
    /// `loop`
    Loop,
    /// `truth`
    Truth,
    /// `rule`
    Rule,
}

impl StatementKind {
    /// All kinds, in the order of their codes in an artifact.
    pub const ALL: [Self; 9] = [
        Self::Limit,
        Self::Retry,
        Self::Breaker,
        Self::Require,
        Self::Route,
        Self::Order,
        Self::Loop,
        Self::Truth,
        Self::Rule,
    ];

    /// The keyword.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Retry => "retry",
            Self::Breaker => "breaker",
            Self::Require => "require",
            Self::Route => "route",
            Self::Order => "order",
            Self::Loop => "loop",
            Self::Truth => "truth",
            Self::Rule => "rule",
        }
    }
}

/// An enforced statement: what explanations show of it.
#[derive(Debug)]
pub struct Statement {
    /// Its kind.
    pub kind: StatementKind,
    /// The author's name for it.
    pub name: Arc<str>,
    /// The file it stands in: the policy's own, or one that this includes.
    pub file: Arc<str>,
    /// The line it starts in, from 1.
    pub line: u64,
    /// The column it starts in, from 1.
    pub column: u64,
    /// Its source text.
    pub source: Arc<str>,
    /// It only says what it would have said (`observe until`).
    pub is_observed: bool,
    /// What the agent is told, if the author says.
    pub reason: Option<Arc<str>>,
}

/// Which calls a statement looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// Those of every model.
    AnyModel,
    /// Those of one, an index into the program's models.
    Model(u32),
    /// Those of every tool.
    AnyTool,
    /// Those of one, an index into the program's tools.
    Tool(u32),
    /// Those of every tool of a class.
    Class(ToolClass),
}

impl Selector {
    /// The model that it names.
    pub(crate) const fn model(self) -> Option<u32> {
        if let Self::Model(model) = self { Some(model) } else { None }
    }

    /// Whether it looks at models.
    pub(crate) const fn takes_models(self) -> bool {
        matches!(self, Self::AnyModel | Self::Model(_))
    }
}

/// A declared outcome with its state, queue or text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stop(u32),
    Fail(u32),
    Deny,
    Escalate(u32, AskFor),
    Answer(u32),
    Reuse,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskFor {
    /// A yes: then the call is decided without this statement.
    Approval,
    /// A text, which ends the call.
    Text,
    /// To take the task over, which ends the run.
    Handover,
}

impl AskFor {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Approval, Self::Text, Self::Handover];

    /// The word for records and hosts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Text => "question",
            Self::Handover => "handover",
        }
    }
}

impl Verdict {
    /// The text of an answer, an index into the program's templates.
    pub(crate) const fn template(self) -> Option<u32> {
        if let Self::Answer(template) = self { Some(template) } else { None }
    }

    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Stop(_) => Outcome::Stop,
            Self::Fail(_) => Outcome::Fail,
            Self::Deny => Outcome::Deny,
            Self::Escalate(..) => Outcome::Escalate,
            Self::Answer(_) => Outcome::Answer,
            Self::Reuse => Outcome::Reuse,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) statement: u32,
    pub(crate) selector: Selector,
    pub(crate) when: Option<u32>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) statement: u32,
    pub(crate) selector: Selector,
    pub(crate) when: Option<u32>,
    pub(crate) attempts: u64,
    pub(crate) within_ns: Option<u64>,
    pub(crate) backoff_ns: Option<(u64, u64)>,
    pub(crate) share: Option<ShareTerms>,
    pub(crate) verdict: Verdict,
}

/// What is required of a model. One that does not say what it is asked for does not meet it.
#[derive(Debug)]
pub(crate) enum Need {
    Place(Place),
    Tier(Comparison, u64),
    /// One of these models, ascending.
    Models(Box<[u32]>),
    /// One of these regions, ascending.
    Regions(Box<[Arc<str>]>),
}

impl Need {
    /// Whether this model, given with its index, meets it.
    pub(crate) fn is_met(&self, index: u32, model: &Model) -> bool {
        match self {
            Self::Place(place) => *place == model.place,
            Self::Tier(comparison, tier) => model.tier > 0 && comparison.holds(model.tier.cmp(tier)),
            Self::Models(models) => models.binary_search(&index).is_ok(),
            Self::Regions(regions) => {
                model.region.as_ref().is_some_and(|region| regions.binary_search(region).is_ok())
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Require {
    pub(crate) statement: u32,
    pub(crate) need: Need,
    pub(crate) when: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) model: u32,
    pub(crate) when: Option<u32>,
    /// The model that is asked too, if the result is so.
    pub(crate) then: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) statement: u32,
    pub(crate) arms: Box<[Arm]>,
    pub(crate) fallbacks: Box<[(u32, u32)]>,
    pub(crate) canaries: Option<Canaries>,
}

/// Shares of the values of one fact, each for a model. They lie side by side from 0, so that a value has one
/// point and a larger share takes others in besides those that it had.
#[derive(Debug)]
pub(crate) struct Canaries {
    /// The text that is drawn by.
    pub(crate) fact: u32,
    /// (model, parts per million)
    pub(crate) shares: Box<[(u32, u64)]>,
}

impl Canaries {
    /// The model whose share a value falls into. `salt` makes the draws of several routes differ.
    pub(crate) fn draw(&self, value: &str, salt: &str) -> Option<u32> {
        let hash = xxh3_64(value.as_bytes(), xxh3_64(salt.as_bytes(), 0));
        // The hash is a fraction of all hashes; so many parts per million are below it.
        let point = u128::from(hash).saturating_mul(u128::from(MILLION)).checked_shr(u64::BITS)?;
        let mut end = 0_u64;
        let mut share = self.shares.iter().skip_while(|(_, share)| {
            end = end.saturating_add(*share);
            u128::from(end) <= point
        });
        share.next().map(|(model, _)| *model)
    }
}

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) statement: u32,
    pub(crate) before: Selector,
    pub(crate) after: Selector,
    /// The arguments, as facts, in which the two have to be equal, ascending.
    pub(crate) matching: Box<[u32]>,
    /// The tools after whose calls an earlier success counts no more, ascending.
    pub(crate) again_after: Box<[u32]>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) statement: u32,
    /// Arguments that make no difference, ascending.
    pub(crate) ignoring: Box<[Arc<str>]>,
    /// (count, steps)
    pub(crate) same_call: Option<(u64, u64)>,
    /// (count, steps)
    pub(crate) same_error: Option<(u64, u64)>,
    /// (longest period, repetitions)
    pub(crate) cycle: Option<(u64, u64)>,
    /// Steps in a row that brought nothing new.
    pub(crate) no_progress: Option<u64>,
    /// What share of a prompt was paid for before, in parts per million.
    pub(crate) repeated_context: Option<u64>,
    pub(crate) verdict: Verdict,
}

impl Loop {
    /// Whether it may be found when a model is to be called.
    pub(crate) const fn is_of_models(&self) -> bool {
        self.no_progress.is_some() || self.repeated_context.is_some()
    }
}

/// What a conversation says that tools gave, they gave.
#[derive(Debug)]
pub(crate) struct TruthOf {
    pub(crate) statement: u32,
    pub(crate) verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(shares: &[(u32, u64)], salt: &str) -> Vec<Option<u32>> {
        let canaries = Canaries { fact: 0, shares: shares.into() };
        (0..100_000).map(|id| canaries.draw(&format!("session-{id}"), salt)).collect()
    }

    #[test]
    fn a_share_is_a_share_and_only_grows() {
        let mut before = drawn(&[(1, 0)], "route");
        assert!(before.iter().all(Option::is_none));
        for percent in [1, 5, 20, 50, 99, 100] {
            let after = drawn(&[(1, percent * 10_000)], "route");
            let taken = u64::try_from(after.iter().flatten().count()).unwrap();
            assert!(taken.abs_diff(percent * 1_000) <= 1_000, "{taken} of {percent}%");
            assert!(before.iter().zip(&after).all(|(before, after)| before.is_none() || after.is_some()));
            before = after;
        }
        assert!(before.iter().all(Option::is_some));
    }

    #[test]
    fn shares_lie_side_by_side() {
        let both = drawn(&[(1, 300_000), (2, 200_000)], "route");
        let first = drawn(&[(1, 300_000)], "route");
        let whole = drawn(&[(1, 500_000)], "route");
        for ((both, first), whole) in both.iter().zip(&first).zip(&whole) {
            assert_eq!(*both == Some(1), first.is_some());
            assert_eq!(both.is_some(), whole.is_some());
        }
        let second = u64::try_from(both.iter().filter(|drawn| **drawn == Some(2)).count()).unwrap();
        assert!(second.abs_diff(20_000) <= 1_000);
    }

    #[test]
    fn routes_draw_differently() {
        let (one, other) = (drawn(&[(1, 500_000)], "one"), drawn(&[(1, 500_000)], "other"));
        let same = u64::try_from(one.iter().zip(&other).filter(|(one, other)| one == other).count()).unwrap();
        assert!(same.abs_diff(50_000) <= 1_000);
    }
}
