//! The facts that the engine knows by itself, and the view through which conditions read all facts.

use crate::books::Books;
use crate::clock::Shown;
use crate::event::ErrorKind;
use crate::program::{Condition, Fact, Measure, Model, Presence, Program, Scope, Source, Tool};
use crate::run::{Run, Tightest};
use crate::typed::{Form, chosen, is_among, typed};
use crate::value::{Dimension, Slot, Value};

/// A fact of the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltInFact {
    /// `run.X.spent`, `user.X.spent`, ...
    Spent(Scope, Measure),
    /// `run.X.held`, ...
    Held(Scope, Measure),
    /// `run.X.left`, ...
    Left(Scope, Measure),
    /// `user.X.age`, ...; of no run
    Age(Scope, Measure),
    /// `run.id`, `session.id`, ...; of no key
    Id(Scope),
    /// `now.X`
    Now(Shown),
    /// `call.attempt`
    CallAttempt,
    /// `call.cost`
    CallCost,
    /// `call.model`
    CallModel,
    /// `call.tool`
    CallTool,
    /// `call.input_tokens`
    CallInputTokens,
    /// `step.index`
    StepIndex,
    /// `step.kind`, which the host may send.
    StepKind,
    /// `step.confidence`, which the host may send.
    StepConfidence,
    /// `error.kind`
    ErrorKind,
    /// `error.status`
    ErrorStatus,
    /// `error.retry_after`
    ErrorRetryAfter,
    /// `error.billed`
    ErrorBilled,
    /// `result.confidence`, which the host may send.
    ResultConfidence,
}

impl BuiltInFact {
    /// The fact of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "call.attempt" => Some(Self::CallAttempt),
            "call.cost" => Some(Self::CallCost),
            "call.model" => Some(Self::CallModel),
            "call.tool" => Some(Self::CallTool),
            "call.input_tokens" => Some(Self::CallInputTokens),
            "step.index" => Some(Self::StepIndex),
            "step.kind" => Some(Self::StepKind),
            "step.confidence" => Some(Self::StepConfidence),
            "error.kind" => Some(Self::ErrorKind),
            "error.status" => Some(Self::ErrorStatus),
            "error.retry_after" => Some(Self::ErrorRetryAfter),
            "error.billed" => Some(Self::ErrorBilled),
            "result.confidence" => Some(Self::ResultConfidence),
            _ => match name.split_once('.')? {
                ("now", what) => Shown::parse(what).map(Self::Now),
                (scope, what) => Self::of_scope(Scope::parse(scope)?, what),
            },
        }
    }

    fn of_scope(scope: Scope, what: &str) -> Option<Self> {
        if what == "id" {
            return Some(Self::Id(scope));
        }
        let (of, what) = what.split_once('.')?;
        let measure = Measure::ALL.into_iter().find(|measure| measure.name() == of)?;
        let is_wide = scope != Scope::Run;
        match what {
            // Only limits on a run bound time.
            _ if is_wide && measure.is_time() => None,
            "spent" => Some(Self::Spent(scope, measure)),
            "left" => Some(Self::Left(scope, measure)),
            "held" if measure.is_amount() => Some(Self::Held(scope, measure)),
            "age" if is_wide => Some(Self::Age(scope, measure)),
            _ => None,
        }
    }

    /// What is counted for more than a run, and whose it is.
    pub(crate) fn counted(self) -> Option<(Scope, Measure)> {
        match self {
            Self::Spent(scope, measure)
            | Self::Held(scope, measure)
            | Self::Left(scope, measure)
            | Self::Age(scope, measure)
                if scope != Scope::Run =>
            {
                Some((scope, measure))
            }
            _ => None,
        }
    }

    /// What it measures.
    #[must_use]
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::Spent(_, measure) | Self::Held(_, measure) | Self::Left(_, measure) => measure.dimension(),
            Self::Age(..) => Dimension::Duration,
            Self::CallCost => Dimension::Money,
            Self::Now(shown) => shown.dimension(),
            Self::CallAttempt | Self::StepIndex | Self::ErrorStatus => Dimension::Count,
            Self::Id(_) | Self::CallModel | Self::CallTool | Self::StepKind | Self::ErrorKind => {
                Dimension::Text
            }
            Self::CallInputTokens => Dimension::Tokens,
            Self::StepConfidence | Self::ResultConfidence => Dimension::Percent,
            Self::ErrorRetryAfter => Dimension::Duration,
            Self::ErrorBilled => Dimension::Flag,
        }
    }

    /// Whether the host sends it with a call, like a declared fact.
    #[must_use]
    pub const fn from_host(self) -> bool {
        matches!(self, Self::StepKind | Self::StepConfidence)
    }

    /// Whether the host sends it with a result.
    #[must_use]
    pub const fn of_result(self) -> bool {
        matches!(self, Self::ResultConfidence)
    }
}

impl Source {
    /// Whether the host sends it with a call under the fact's name.
    #[must_use]
    pub const fn from_host(self) -> bool {
        match self {
            Self::Host => true,
            Self::Arg | Self::Result => false,
            Self::BuiltIn(fact) => fact.from_host(),
        }
    }
}

/// What the host sent: with this event, or with the call's last ask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent<'a> {
    /// A slot for each fact of the program.
    Now(&'a [Slot<'a>]),
    /// A value for each of the index's kept facts.
    Kept(&'a [Value]),
    /// With a result: what is missing in its slots is as it was kept.
    After { slots: &'a [Slot<'a>], kept: &'a [Value] },
}

impl<'a> Sent<'a> {
    /// What was sent with this event, if nothing else counts.
    pub(crate) const fn now(self) -> &'a [Slot<'a>] {
        if let Self::Now(slots) = self { slots } else { &[] }
    }
}

/// What the engine knows of the call at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFacts<'a> {
    pub(crate) attempt: u64,
    pub(crate) model: Option<u32>,
    /// The model that the statement is on, if it names one.
    pub(crate) named: Option<&'a Model>,
    pub(crate) tool: Option<&'a Tool>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) most_output: Option<u64>,
}

impl CallFacts<'_> {
    /// Those of a first attempt, as far as nothing else is known.
    pub(crate) const FIRST: Self =
        Self { attempt: 1, model: None, named: None, tool: None, input_tokens: None, most_output: None };
}

/// What the host says of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorFacts<'a> {
    pub(crate) kind: ErrorKind,
    pub(crate) status: Slot<'a>,
    pub(crate) retry_after: Slot<'a>,
    pub(crate) billed: Slot<'a>,
}

/// Everything that a condition can read at one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) program: &'a Program,
    pub(crate) run: &'a Run,
    pub(crate) books: &'a Books,
    pub(crate) sent: Sent<'a>,
    pub(crate) call: CallFacts<'a>,
    pub(crate) error: Option<&'a ErrorFacts<'a>>,
}

impl<'a> View<'a> {
    /// The value of a fact: in range and of the right sort, or ill-typed, or missing.
    pub(crate) fn slot(&self, index: u32) -> Slot<'a> {
        let fact = self.program.tables.facts.at(index);
        // Most facts are the host's, and most of these are sent as they should be.
        if let (Sent::Now(slots), Source::Host, 0) = (self.sent, fact.source, fact.most) {
            let slot = slots.get(index as usize).copied().unwrap_or_default();
            let fits = match slot {
                Slot::Int(number) => fact.dimension.admits(number),
                Slot::Text(text) => fact.dimension == Dimension::Text && is_among(&fact.choices, text),
                Slot::Flag(_) => fact.dimension == Dimension::Flag,
                _ => false,
            };
            if fits {
                return slot;
            }
        }
        let slot = match fact.source {
            Source::BuiltIn(built_in) if !built_in.from_host() && !built_in.of_result() => {
                return self.built_in(built_in);
            }
            _ => self.sent(index),
        };
        match (slot, &fact.presence) {
            (Slot::Missing, Presence::Default(value)) => value.as_slot(),
            (Slot::Missing, Presence::Empty) => Slot::List(&[]),
            (Slot::Missing, _) => Slot::Missing,
            (Slot::List(values), _) => {
                let fits = fact.most > 0 && values.len() <= self.form(index, fact).most as usize;
                if fits { slot } else { Slot::Ill }
            }
            _ if fact.most > 0 => Slot::Ill,
            (Slot::Text(_), _) => chosen(slot, fact.dimension, self.form(index, fact).choices),
            _ => typed(slot, fact.dimension),
        }
    }

    /// The elements of a list that a fact holds, each of the right sort, or ill-typed.
    pub(crate) fn elements(&self, index: u32, values: &'a [Value]) -> impl Iterator<Item = Slot<'a>> {
        let fact = self.program.tables.facts.at(index);
        let choices = self.form(index, fact).choices;
        values.iter().map(|value| match value.as_slot() {
            Slot::Missing => Slot::Ill,
            slot => chosen(slot, fact.dimension, choices),
        })
    }

    /// What a fact may be; an argument and a result are as the tool that is called says.
    fn form(&self, index: u32, fact: &'a Fact) -> Form<'a> {
        if !matches!(fact.source, Source::Arg | Source::Result) {
            return Form { most: fact.most, choices: &fact.choices };
        }
        let mut filled = self.call.tool.into_iter().flat_map(|tool| tool.args.iter().chain(&tool.results));
        let found = filled.find(|arg| arg.fact == index);
        found.map_or(Form::default(), |arg| Form { most: arg.most, choices: &arg.choices })
    }

    /// What a condition read, to explain a decision with.
    pub(crate) fn values(&self, condition: &Condition) -> Vec<(u32, Value)> {
        let mut values: Vec<_> = condition.facts.iter().map(|&fact| (fact, self.value(fact))).collect();
        for &fact in &condition.facts {
            if let Some(age) = self.age_of(fact)
                && !values.iter().any(|(known, _)| *known == age.0)
            {
                values.push(age);
            }
        }
        values
    }

    /// How old the store's word is that a fact goes by, and the fact that says so; none if it is no store's.
    fn age_of(&self, fact: u32) -> Option<(u32, Value)> {
        let Source::BuiltIn(built_in) = self.program.tables.facts.at(fact).source else { return None };
        let (scope, measure) = built_in.counted()?;
        let age = Source::BuiltIn(BuiltInFact::Age(scope, measure));
        let (index, _) = self.program.tables.facts.numbered().find(|(_, fact)| fact.source == age)?;
        let slot = self.slot(index);
        matches!(slot, Slot::Int(1..)).then(|| (index, slot.into()))
    }

    fn value(&self, index: u32) -> Value {
        match self.slot(index) {
            Slot::List(values) => Value::List(self.elements(index, values).map(Value::from).collect()),
            slot => slot.into(),
        }
    }

    fn sent(&self, index: u32) -> Slot<'a> {
        let of = |slots: &'a [Slot<'a>]| slots.get(index as usize).copied().unwrap_or_default();
        match self.sent {
            Sent::Now(slots) => of(slots),
            Sent::Kept(values) => self.kept(values, index),
            Sent::After { slots, kept } => match of(slots) {
                Slot::Missing => self.kept(kept, index),
                slot => slot,
            },
        }
    }

    fn kept(&self, values: &'a [Value], index: u32) -> Slot<'a> {
        let place = self.program.index.kept_facts.binary_search(&index).ok();
        place.and_then(|place| values.get(place)).map_or(Slot::Missing, Value::as_slot)
    }

    fn built_in(&self, fact: BuiltInFact) -> Slot<'a> {
        match fact {
            BuiltInFact::Spent(Scope::Run, measure) => number(self.run.spent(measure, self.books)),
            BuiltInFact::Held(Scope::Run, measure) => number(self.run.reserved(measure, self.books)),
            BuiltInFact::Left(Scope::Run, measure) => {
                self.run.left(measure, self.books).map_or(Slot::Missing, number)
            }
            BuiltInFact::Spent(scope, measure) => self.shared(scope, measure, |least| least.spent),
            BuiltInFact::Held(scope, measure) => self.shared(scope, measure, |least| least.held),
            BuiltInFact::Left(scope, measure) => self.shared(scope, measure, |least| least.left),
            BuiltInFact::Age(scope, measure) => self.shared(scope, measure, |least| least.age_ns),
            BuiltInFact::Id(scope) => self.run.ids.of_scope(scope).map_or(Slot::Missing, Slot::Text),
            BuiltInFact::Now(shown) => self.shown(shown),
            BuiltInFact::CallAttempt => number(self.call.attempt),
            BuiltInFact::CallCost => self.worst_cost().map_or(Slot::Missing, number),
            BuiltInFact::CallModel => self
                .call
                .model
                .map_or(Slot::Missing, |model| Slot::Text(&self.program.tables.models.at(model).name)),
            BuiltInFact::CallTool => self.call.tool.map_or(Slot::Missing, |tool| Slot::Text(&tool.name)),
            BuiltInFact::CallInputTokens => self.call.input_tokens.map_or(Slot::Missing, number),
            BuiltInFact::StepIndex => number(self.run.steps()),
            BuiltInFact::StepKind | BuiltInFact::StepConfidence | BuiltInFact::ResultConfidence => {
                Slot::Missing
            }
            BuiltInFact::ErrorKind => self.error.map_or(Slot::Missing, |error| Slot::Text(error.kind.name())),
            BuiltInFact::ErrorStatus => self.of_error(fact, |error| error.status),
            BuiltInFact::ErrorRetryAfter => self.of_error(fact, |error| error.retry_after),
            BuiltInFact::ErrorBilled => self.of_error(fact, |error| error.billed),
        }
    }

    /// What is read of limits that other runs share; missing where nobody knows how they stand.
    fn shared(&self, scope: Scope, measure: Measure, read: impl Fn(&Tightest) -> u64) -> Slot<'a> {
        let tightest = self.run.tightest(scope, measure, self.books);
        tightest.map_or(Slot::Missing, |tightest| number(read(&tightest)))
    }

    /// What the call may cost on the model that the statement names, whatever limits leave.
    fn worst_cost(&self) -> Option<u64> {
        let (model, input) = (self.call.named?, self.call.input_tokens?);
        let output = model.cap(input, self.call.most_output);
        Some(model.price.as_ref().map_or(0, |price| price.worst(input).cost(input, output)))
    }

    fn shown(&self, shown: Shown) -> Slot<'a> {
        let clock = self.program.tables.clock.map(|zone| &self.program.tables.zones.at(zone).zone);
        clock.map_or(Slot::Missing, |zone| shown.at(zone, self.run.wall()))
    }

    fn of_error(&self, fact: BuiltInFact, read: impl Fn(&ErrorFacts<'a>) -> Slot<'a>) -> Slot<'a> {
        self.error.map_or(Slot::Missing, |error| typed(read(error), fact.dimension()))
    }
}

fn number<'a>(quantity: u64) -> Slot<'a> {
    Slot::Int(i64::try_from(quantity).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_engine_are_known() {
        assert_eq!(BuiltInFact::parse("run.cost.spent"), Some(BuiltInFact::Spent(Scope::Run, Measure::Cost)));
        let left = BuiltInFact::Left(Scope::Run, Measure::ActiveTime);
        assert_eq!(BuiltInFact::parse("run.active_time.left"), Some(left));
        let age = BuiltInFact::Age(Scope::User, Measure::Cost);
        assert_eq!(BuiltInFact::parse("user.cost.age"), Some(age));
        assert_eq!(BuiltInFact::parse("run.cost.age"), None);
        assert_eq!(BuiltInFact::parse("user.wall_time.spent"), None);
        assert_eq!(BuiltInFact::parse("team.id"), Some(BuiltInFact::Id(Scope::Team)));
        assert_eq!(BuiltInFact::parse("run.steps.held"), None);
        assert_eq!(BuiltInFact::parse("run.cost.spent.x"), None);
        assert_eq!(BuiltInFact::parse("data.class"), None);
        assert_eq!(left.dimension(), Dimension::Duration);
    }
}
