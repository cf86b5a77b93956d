//! The decisions that most records are about: nobody objected, and there is nothing to tell but numbers.

use policy_core::{By, Decision, Event, Outcome};

/// A plain allow, as a record shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    number: u64,
    event: Event,
    wrap_up: bool,
    stayed: bool,
    model: Option<u32>,
    call: Option<u64>,
    attempt: Option<u64>,
    attempt_number: Option<u64>,
    output_cap: Option<u64>,
    timeout_ns: Option<u64>,
    tokens: u64,
    cost: u64,
}

impl Plain {
    /// A decision, if it is plain.
    #[inline]
    pub(crate) fn of(decision: &Decision) -> Option<Self> {
        // Every field by its name: a new one is decided about here.
        let Decision {
            number,
            event,
            outcome: Outcome::Allow,
            call,
            attempt,
            attempt_number,
            model,
            output_cap,
            timeout_ns,
            wait_ns: None,
            may_be_sooner: false,
            state: None,
            text: None,
            template: None,
            reused: None,
            by: By::Nobody,
            undecided: false,
            latched: false,
            rejected: false,
            wrap_up,
            stayed,
            asked: None,
            answered: None,
            reserved_tokens: tokens,
            reserved_cost: cost,
            ref votes,
            ref would,
            ref advice,
            ref values,
            ref skipped,
            ref passed,
        } = *decision
        else {
            return None;
        };
        let has_more = !votes.is_empty() || !would.is_empty() || !advice.is_empty();
        if has_more || !values.is_empty() || !skipped.is_empty() || !passed.is_empty() {
            return None;
        }
        Some(Self {
            number,
            event,
            wrap_up,
            stayed,
            model,
            call,
            attempt,
            attempt_number,
            output_cap,
            timeout_ns,
            tokens,
            cost,
        })
    }

    /// The decision that it was.
    pub(crate) const fn whole(&self) -> Decision {
        Decision {
            number: self.number,
            event: self.event,
            outcome: Outcome::Allow,
            call: self.call,
            attempt: self.attempt,
            attempt_number: self.attempt_number,
            model: self.model,
            output_cap: self.output_cap,
            timeout_ns: self.timeout_ns,
            wait_ns: None,
            may_be_sooner: false,
            state: None,
            text: None,
            template: None,
            reused: None,
            by: By::Nobody,
            undecided: false,
            latched: false,
            rejected: false,
            wrap_up: self.wrap_up,
            stayed: self.stayed,
            asked: None,
            answered: None,
            reserved_tokens: self.tokens,
            reserved_cost: self.cost,
            votes: Vec::new(),
            would: Vec::new(),
            advice: Vec::new(),
            values: Vec::new(),
            skipped: Vec::new(),
            passed: Vec::new(),
        }
    }
}
