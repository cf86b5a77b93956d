//! What a person is asked about a call, and what becomes of it: what an answer is for, and how an escalation
//! votes once it was asked, answered or left open.

use super::escalate::Standing;
use super::question::Question;
use crate::decision::{Outcome, Vote};
use crate::fingerprint::Binding;
use crate::program::{AskFor, QueueDefault};

impl Question<'_> {
    /// What approvals of this call are bound to.
    pub(super) fn binding(&self) -> Binding {
        *self.binding.get_or_init(|| match (self.call.exact, self.tool, self.args) {
            (Some(exact), ..) => exact,
            (None, Some(tool), Some(args)) => Binding::of_tool(&tool.name, args),
            _ => Binding::Call(self.id),
        })
    }

    /// What an answer that this queue gives is for.
    pub(super) fn binding_in(&self, queue: u32) -> Binding {
        let binds = &self.program.tables.queues.at(queue).binds;
        let (Some(tool), Some(args), false) = (self.tool, self.args, binds.is_empty()) else {
            return self.binding();
        };
        Binding::of_some(&tool.name, args, binds).unwrap_or_else(|| self.binding())
    }

    /// All that answers may be for.
    #[cold]
    pub(super) fn bindings(&self) -> Vec<Binding> {
        let queues = self.program.tables.queues.numbered();
        let narrow = queues.filter(|(_, queue)| !queue.binds.is_empty());
        let mut bindings: Vec<Binding> = narrow.map(|(index, _)| self.binding_in(index)).collect();
        bindings.push(self.binding());
        bindings.sort_unstable();
        bindings.dedup();
        bindings
    }

    /// Turns an escalation into what its request has come to; false if it was approved.
    pub(super) fn escalate(&self, queue: u32, wants: AskFor, vote: &mut Vote) -> bool {
        let binding = self.binding_in(queue);
        vote.wants = wants;
        // Compared by their binding, since equal fingerprints do not prove that the arguments are equal.
        if self.call.grants.contains(&(vote.statement, binding)) {
            return false;
        }
        if self.is_unsafe {
            (vote.outcome, vote.undecided) = (Outcome::Deny, true);
            return true;
        }
        match self.run.requests.standing(vote.statement, binding, self.run.age.now()) {
            Standing::Approved if wants == AskFor::Approval => return false,
            Standing::Approved => {
                vote.outcome = if wants == AskFor::Text { Outcome::Answer } else { Outcome::Stop };
                vote.queue = Some(queue);
                vote.request = self.run.requests.of(vote.statement, binding);
            }
            Standing::Unasked | Standing::Pending => vote.queue = Some(queue),
            Standing::Rejected => reject(vote),
            Standing::Expired => self.take_default(queue, vote),
        }
        true
    }

    /// What holds when nobody has answered, or could.
    pub(super) fn take_default(&self, queue: u32, vote: &mut Vote) {
        match self.program.tables.queues.at(queue).default {
            QueueDefault::Deny => vote.outcome = Outcome::Deny,
            QueueDefault::Stop(state) => {
                vote.outcome = Outcome::Stop;
                vote.state = Some(state);
            }
        }
    }

    /// Whether this vote asks a person anew.
    pub(super) fn opens_request(&self, vote: &Vote) -> bool {
        let binding = self.binding_of(vote);
        self.run.requests.standing(vote.statement, binding, self.run.age.now()) == Standing::Unasked
    }

    /// What a request of this vote is about: of a limit, the logical call.
    pub(super) fn binding_of(&self, vote: &Vote) -> Binding {
        match vote.queue {
            Some(queue) if self.program.limit_of(vote.statement).is_none() => self.binding_in(queue),
            _ => Binding::Call(self.id),
        }
    }
}

pub(super) const fn reject(vote: &mut Vote) {
    vote.outcome = Outcome::Deny;
    vote.rejected = true;
}
