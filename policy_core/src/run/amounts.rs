//! How much one attempt is in every measure: what is asked for before it, what it was charged after it.

use crate::price::Tokens;
use crate::program::{Basis, Column, Kind, Measure, Selector, ToolClass};

/// What an attempt runs on; a request to a person is a third thing that limits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Model(u32),
    Tool(u32, ToolClass),
    Person,
}

/// The measures of which only the end of an attempt tells how much it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) cost: u64,
    pub(crate) tokens: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Charge {
    pub(crate) const fn new(cost: u64, tokens: &Tokens) -> Self {
        Self { cost, tokens: tokens.all(), input: tokens.input, output: tokens.output }
    }

    /// Whether it is more than another one in some measure.
    pub(crate) const fn exceeds(&self, other: &Self) -> bool {
        self.cost > other.cost
            || self.tokens > other.tokens
            || self.input > other.input
            || self.output > other.output
    }

    /// The greater of both, measure by measure.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            cost: self.cost.max(other.cost),
            tokens: self.tokens.max(other.tokens),
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }

    pub(crate) const fn of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Cost => self.cost,
            Measure::Tokens => self.tokens,
            Measure::InputTokens => self.input,
            Measure::OutputTokens => self.output,
            _ => 0,
        }
    }
}

/// What one attempt asks for, in every measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    pub(crate) subject: Subject,
    pub(crate) charge: Charge,
    /// For each basis: the attempt is the one that counts as the step.
    pub(crate) steps: [bool; Basis::ALL.len()],
    pub(crate) is_retry: bool,
}

/// The amounts of an attempt side by side: an account's is found without telling measures apart.
#[derive(Debug)]
pub(crate) struct Columns([u64; Column::COUNT]);

impl Columns {
    /// What an attempt asks for.
    #[inline]
    pub(crate) fn of(amounts: &Amounts) -> Self {
        Self::new(&amounts.charge, amounts.steps, [true; Basis::ALL.len()], amounts.is_retry)
    }

    /// What it used of that, if it is charged this, and what is counted by these bases counts.
    #[inline]
    pub(crate) fn used(amounts: &Amounts, charge: &Charge, counts: [bool; Basis::ALL.len()]) -> Self {
        let ([first, second, third], [attempted, executed, succeeded]) = (amounts.steps, counts);
        let steps = [first && attempted, second && executed, third && succeeded];
        Self::new(charge, steps, counts, amounts.is_retry)
    }

    #[inline]
    fn new(charge: &Charge, steps: [bool; 3], ones: [bool; 3], is_retry: bool) -> Self {
        let [first, second, third] = steps.map(u64::from);
        let [attempted, executed, succeeded] = ones.map(u64::from);
        let Charge { cost, tokens, input, output } = *charge;
        let retry = u64::from(is_retry);
        Self([cost, tokens, input, output, first, second, third, attempted, executed, succeeded, retry])
    }

    /// The amount of a column, of an attempt that it concerns.
    #[inline]
    pub(crate) fn at(&self, column: u8) -> Option<u64> {
        self.0.get(usize::from(column)).copied()
    }
}

impl Amounts {
    /// What a new request to a person asks for.
    pub(crate) const REQUEST: Self = Self {
        subject: Subject::Person,
        charge: Charge { cost: 0, tokens: 0, input: 0, output: 0 },
        steps: [false; Basis::ALL.len()],
        is_retry: false,
    };

    #[inline]
    pub(crate) fn of(&self, measure: Measure, basis: Basis) -> u64 {
        let is_one = match measure {
            Measure::Cost | Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => {
                return self.charge.of(measure);
            }
            Measure::Steps => self.steps.get(basis as usize).copied().unwrap_or(false),
            Measure::ModelCalls => matches!(self.subject, Subject::Model(_)),
            Measure::ToolCalls => matches!(self.subject, Subject::Tool(..)),
            Measure::Attempts => self.subject != Subject::Person,
            Measure::Retries => self.is_retry,
            Measure::Escalations => self.subject == Subject::Person,
            Measure::ActiveTime | Measure::WallTime => false,
            Measure::CallsOf(selector) => takes(selector, self.subject),
        };
        u64::from(is_one)
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.subject {
            Subject::Model(_) => Kind::Model,
            Subject::Tool(..) => Kind::Tool,
            Subject::Person => Kind::Person,
        }
    }

    pub(crate) const fn is_tool(&self) -> bool {
        matches!(self.subject, Subject::Tool(..))
    }
}

fn takes(selector: Selector, subject: Subject) -> bool {
    match (selector, subject) {
        (Selector::AnyModel, Subject::Model(_)) | (Selector::AnyTool, Subject::Tool(..)) => true,
        (Selector::Model(wanted), Subject::Model(model)) => wanted == model,
        (Selector::Tool(wanted), Subject::Tool(tool, _)) => wanted == tool,
        (Selector::Class(wanted), Subject::Tool(_, class)) => wanted == class,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_stands_in_its_column() {
        let charge = Charge { cost: 11, tokens: 12, input: 13, output: 14 };
        let steps = [true, false, true];
        let model = Amounts { subject: Subject::Model(1), charge, steps, is_retry: true };
        let tool = Amounts { subject: Subject::Tool(1, ToolClass::Act), is_retry: true, ..Amounts::REQUEST };
        let selectors = [
            Selector::AnyModel,
            Selector::Model(1),
            Selector::Model(2),
            Selector::AnyTool,
            Selector::Tool(1),
            Selector::Tool(2),
            Selector::Class(ToolClass::Act),
            Selector::Class(ToolClass::Reason),
        ];
        let measures = || Measure::ALL.into_iter().chain(selectors.map(Measure::CallsOf));
        for (measure, basis) in measures().flat_map(|measure| Basis::ALL.map(|basis| (measure, basis))) {
            let column = Column::of(measure, basis);
            for amounts in [model, tool, Amounts::REQUEST, Amounts { is_retry: false, ..model }] {
                let found = match Columns::of(&amounts).at(column.place) {
                    _ if !column.concerns(amounts.kind()) => 0,
                    None if matches!(measure, Measure::CallsOf(_)) => continue,
                    found => found.unwrap(),
                };
                assert_eq!(found, amounts.of(measure, basis), "{measure:?} {:?}", amounts.subject);
            }
        }
    }

    #[test]
    fn a_subject_is_counted_by_what_it_is() {
        let amounts = |subject| Amounts { subject, ..Amounts::REQUEST };
        let model = amounts(Subject::Model(1));
        let tool = amounts(Subject::Tool(1, ToolClass::Act));
        let of = |amounts: Amounts, measure| amounts.of(measure, Basis::Attempted);
        assert_eq!((of(model, Measure::ModelCalls), of(tool, Measure::ModelCalls)), (1, 0));
        assert_eq!((of(model, Measure::Attempts), of(Amounts::REQUEST, Measure::Attempts)), (1, 0));
        assert_eq!(of(Amounts::REQUEST, Measure::Escalations), 1);
        for (selector, expected) in [
            (Selector::AnyModel, (1, 0)),
            (Selector::Model(1), (1, 0)),
            (Selector::Model(0), (0, 0)),
            (Selector::AnyTool, (0, 1)),
            (Selector::Tool(1), (0, 1)),
            (Selector::Class(ToolClass::Act), (0, 1)),
            (Selector::Class(ToolClass::Reason), (0, 0)),
        ] {
            let measure = Measure::CallsOf(selector);
            assert_eq!((of(model, measure), of(tool, measure)), expected, "{selector:?}");
        }
    }
}
