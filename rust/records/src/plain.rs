//! What every decision has. Of a plain allow, where nobody objected and nothing is told, that is all.

use policy_core::{By, Decision, Event, Outcome};

/// The figures of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// Its number in the run.
    pub number: u64,
    /// The event it answers.
    pub event: Event,
    /// What the host has to do.
    pub outcome: Outcome,
    /// The attempt is among the last.
    pub wrap_up: bool,
    /// The model is the one that served before.
    pub stayed: bool,
    /// The model, an index into the program's.
    pub model: Option<u32>,
    /// The logical call.
    pub call: Option<u64>,
    /// The attempt that it opened.
    pub attempt: Option<u64>,
    /// Which attempt of the call it is.
    pub attempt_number: Option<u64>,
    /// The most tokens that may come back.
    pub output_cap: Option<u64>,
    /// How long the attempt may take.
    pub timeout_ns: Option<u64>,
    /// Tokens held.
    pub reserved_tokens: u64,
    /// Nano-units held.
    pub reserved_cost: u64,
}

impl Plain {
    /// The figures of a decision.
    #[inline]
    #[must_use]
    pub const fn of(decision: &Decision) -> Self {
        Self {
            number: decision.number,
            event: decision.event,
            outcome: decision.outcome,
            wrap_up: decision.wrap_up,
            stayed: decision.stayed,
            model: decision.model,
            call: decision.call,
            attempt: decision.attempt,
            attempt_number: decision.attempt_number,
            output_cap: decision.output_cap,
            timeout_ns: decision.timeout_ns,
            reserved_tokens: decision.reserved_tokens,
            reserved_cost: decision.reserved_cost,
        }
    }

    /// Whether a decision has nothing else.
    #[inline]
    #[must_use]
    pub fn is_all(decision: &Decision) -> bool {
        // Every field by its name: a new one is decided about here.
        let Decision {
            number: _,
            event: _,
            outcome,
            call: _,
            attempt: _,
            attempt_number: _,
            model: _,
            output_cap: _,
            timeout_ns: _,
            wait_ns,
            may_be_sooner,
            state,
            ref text,
            template,
            reused,
            by,
            undecided,
            latched,
            rejected,
            wrap_up: _,
            stayed: _,
            asked,
            answered,
            reserved_tokens: _,
            reserved_cost: _,
            ref votes,
            ref would,
            ref advice,
            ref values,
            ref skipped,
            ref passed,
        } = *decision;
        // Together, not one after the other: mostly there is nothing of all this.
        let listed = votes.len() | would.len() | advice.len() | values.len() | skipped.len() | passed.len();
        let has_ids = state.is_some() | template.is_some() | asked.is_some() | answered.is_some();
        let has_more = wait_ns.is_some() | text.is_some() | reused.is_some();
        let has_marks = may_be_sooner | undecided | latched | rejected;
        let is_plain = outcome == Outcome::Allow && by == By::Nobody;
        is_plain && listed == 0 && !(has_ids | has_more | has_marks)
    }

    /// The decision that it was, if that is all.
    pub(crate) const fn whole(&self) -> Decision {
        Decision {
            number: self.number,
            event: self.event,
            outcome: self.outcome,
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
            reserved_tokens: self.reserved_tokens,
            reserved_cost: self.reserved_cost,
            votes: Vec::new(),
            would: Vec::new(),
            advice: Vec::new(),
            values: Vec::new(),
            skipped: Vec::new(),
            passed: Vec::new(),
        }
    }
}
