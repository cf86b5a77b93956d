//! How much one attempt is in every measure: what is asked for before it, what it was charged after it.

use crate::price::Tokens;
use crate::program::{Basis, Measure, Selector, ToolClass};

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

    pub(crate) const fn is_tool(&self) -> bool {
        matches!(self.subject, Subject::Tool(..))
    }

    /// Whether the end of the attempt may bring an amount of this measure, though nothing may be asked for
    /// now.
    pub(crate) const fn may_bring(&self, measure: Measure) -> bool {
        measure.is_amount() && matches!(self.subject, Subject::Model(_))
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
