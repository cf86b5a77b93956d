//! What a ruling does to the run: attempts open, calls close, requests are made, stops latch.

use super::Run;
use super::call::{Attempt, Latch, Point, Subject};
use super::question::{Clearance, Finding, Ruling};
use crate::decision::{Asked, BuiltIn, By, Decision, Outcome, Vote};
use crate::fingerprint::Binding;
use crate::program::Program;

impl Run {
    /// Checks that a call asked again is open and `is_same`; refuses it otherwise, and leaves it as it is.
    pub(crate) fn reopen(
        &self,
        id: u64,
        decision: &mut Decision,
        is_same: impl Fn(Point) -> bool,
    ) -> Option<()> {
        match self.calls.get(&id) {
            Some(call) if !call.in_flight && is_same(call.point) => Some(()),
            Some(call) if !call.in_flight => {
                decision.refuse(BuiltIn::ChangedCall);
                None
            }
            _ => {
                decision.refuse(BuiltIn::ClosedCall);
                None
            }
        }
    }

    /// Does what was ruled on an open call.
    pub(crate) fn apply(
        &mut self,
        program: &Program,
        id: u64,
        ruling: Ruling,
        binding: Option<Binding>,
        decision: &mut Decision,
    ) {
        decision.call = Some(id);
        match ruling {
            Ruling::Votes(finding) => self.conclude(program, id, finding, binding, decision),
            Ruling::BuiltIn(outcome, reason) => {
                decision.built_in(outcome, reason);
                if outcome == Outcome::Deny {
                    self.calls.remove(&id);
                }
            }
            Ruling::Clear(clearance) => self.allow(program, id, &clearance, binding, decision),
        }
    }

    /// The first vote decides.
    pub(crate) fn conclude(
        &mut self,
        program: &Program,
        id: u64,
        finding: Finding,
        binding: Option<Binding>,
        decision: &mut Decision,
    ) {
        let Some(first) = finding.votes.first().copied() else { return };
        decision.outcome = first.outcome;
        decision.state = first.state;
        decision.by = By::Statement(first.statement);
        decision.undecided = first.undecided;
        decision.rejected = first.rejected;
        decision.votes = finding.votes;
        decision.values = finding.values;
        match first.outcome {
            Outcome::Allow | Outcome::Wait => {}
            Outcome::Escalate => {
                let binding = binding.unwrap_or(Binding::Call(id));
                decision.asked = self.ask(program, first, binding);
                // Nothing runs while a person thinks, so that time is not the agent's.
                self.is_paused = self.in_flight == 0;
            }
            Outcome::Deny | Outcome::Fail => {
                self.calls.remove(&id);
            }
            Outcome::Stop => {
                self.latch = Some(Latch { state: first.state, by: decision.by });
                self.calls.remove(&id);
            }
        }
    }

    fn ask(&mut self, program: &Program, vote: Vote, binding: Binding) -> Option<Asked> {
        let queue = vote.queue?;
        let expires = program.tables.queues.at(queue).expires_ns;
        let (request, expires_at) = self.requests.ask(vote.statement, binding, self.latest, expires);
        Some(Asked { request, queue, expires_at })
    }

    /// Opens an attempt: its amounts are reserved and the call is in flight until it is settled.
    fn allow(
        &mut self,
        program: &Program,
        id: u64,
        clearance: &Clearance,
        binding: Option<Binding>,
        decision: &mut Decision,
    ) {
        let time_left = self.active_time_left();
        let Some(call) = self.calls.get_mut(&id) else { return };
        let subject = match call.point {
            Point::Model => Subject::Model(clearance.subject),
            Point::Tool { .. } => Subject::Tool(clearance.subject),
        };
        if let Some(binding) = binding {
            self.requests.consume(binding, &mut call.grants);
        }
        let number = call.tries.add(clearance.subject);
        call.in_flight = true;
        call.has_next = clearance.has_next;
        call.step_charged |= clearance.amounts.steps > 0;
        self.in_flight = self.in_flight.saturating_add(1);
        self.ledger.reserve(&clearance.amounts);
        self.attempts.push(Attempt {
            call: id,
            subject,
            number,
            reserved: clearance.amounts,
            cap: clearance.cap,
            produced: 0,
            settled: None,
        });

        decision.outcome = Outcome::Allow;
        decision.attempt = u64::try_from(self.attempts.len()).ok();
        decision.attempt_number = Some(number);
        decision.reserved_tokens = clearance.amounts.tokens;
        decision.reserved_cost = clearance.amounts.cost;
        let timeout = match subject {
            Subject::Model(model) => {
                decision.model = Some(model);
                decision.output_cap = Some(clearance.cap);
                None
            }
            Subject::Tool(tool) => program.tables.tools.at(tool).timeout_ns,
        };
        decision.timeout_ns = [timeout, time_left].into_iter().flatten().min();
    }
}
