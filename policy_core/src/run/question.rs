//! One question to the policy, and how statements vote on it. Nothing here changes the run.

use std::cell::OnceCell;

use super::Run;
use super::call::Call;
use super::escalate::Standing;
use crate::decision::{BuiltIn, Outcome, Vote};
use crate::facts::{CallFacts, ErrorFacts, Sent, View};
use crate::fingerprint::Binding;
use crate::ledger::Amounts;
use crate::program::{BoundKind, Program, QueueDefault, Verdict};
use crate::value::{Truth, Value};
use crate::vm::evaluate;

/// A call that is asked about, with all that conditions may read.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) run: &'a Run,
    pub(crate) program: &'a Program,
    pub(crate) id: u64,
    pub(crate) call: &'a Call,
    pub(crate) sent: Sent<'a>,
    pub(crate) error: Option<ErrorFacts<'a>>,
    /// The tool's name; `None` for a model.
    pub(crate) tool: Option<&'a str>,
    /// The tool's canonical arguments, if an answer about them is for every equal call.
    pub(crate) args: Option<&'a [u8]>,
    /// Hashed only if somebody may have to be asked.
    binding: OnceCell<Binding>,
}

/// What the policy says to a question.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// Statements object.
    Votes(Finding),
    /// The engine itself objects, or asks for patience.
    BuiltIn(Outcome, BuiltIn),
    /// It may run.
    Clear(Clearance),
}

/// Votes in their order, and what the condition of the first one read.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) votes: Vec<Vote>,
    pub(crate) values: Vec<(u32, Value)>,
}

/// What a call may run on, and what it reserves.
#[derive(Debug)]
pub(crate) struct Clearance {
    pub(crate) subject: u32,
    pub(crate) cap: u64,
    pub(crate) amounts: Amounts,
    pub(crate) has_next: bool,
}

impl<'a> Question<'a> {
    pub(crate) fn new(run: &'a Run, program: &'a Program, id: u64, call: &'a Call, sent: Sent<'a>) -> Self {
        Self { run, program, id, call, sent, error: None, tool: None, args: None, binding: OnceCell::new() }
    }

    /// The facts as statements on a call of this attempt see them; `model` is the one they are on, if they
    /// name one.
    pub(crate) fn view(&self, attempt: u64, model: Option<u32>) -> View<'a> {
        let models = &self.program.tables.models;
        let model = model.or(self.call.requested).map(|model| &*models.at(model).name);
        View {
            program: self.program,
            ledger: &self.run.ledger,
            elapsed: self.run.elapsed(),
            steps: self.run.steps,
            sent: self.sent,
            call: CallFacts { attempt, model, tool: self.tool, input_tokens: self.call.input_tokens },
            error: self.error,
        }
    }

    /// What approvals of this call are bound to.
    fn binding(&self) -> Binding {
        *self.binding.get_or_init(|| match (self.tool, self.args) {
            (Some(tool), Some(args)) => Binding::of_tool(tool, args),
            _ => Binding::Call(self.id),
        })
    }

    /// The binding, if somebody is to be asked, or has approved of a call that has not come yet.
    pub(crate) fn needed_binding(&self) -> Option<Binding> {
        if self.run.requests.has_unused() { Some(self.binding()) } else { self.binding.get().copied() }
    }

    /// The truth of a condition; none is always true.
    pub(crate) fn truth(&self, when: Option<u32>, view: &View<'_>) -> Truth {
        when.map_or(Truth::True, |when| evaluate(self.program.tables.conditions.at(when), view))
    }

    /// The votes of these rules. One that cannot be decided votes too: an error never loosens.
    pub(crate) fn vote_rules(
        &self,
        rules: impl Iterator<Item = u32>,
        view: &View<'_>,
        votes: &mut Vec<Vote>,
    ) {
        for index in rules {
            let rule = self.program.tables.rules.at(index);
            let truth = self.truth(rule.when, view);
            if truth != Truth::False {
                self.vote(rule.statement, rule.verdict, truth == Truth::Unknown, votes);
            }
        }
    }

    /// The votes of limits whose active time is over.
    pub(crate) fn vote_active_time(&self, votes: &mut Vec<Vote>) {
        if self.run.fits_active_time(0) {
            return;
        }
        let elapsed = self.run.elapsed();
        for limit in self.program.limits() {
            let mut bounds = limit.bounds.iter();
            if bounds.any(|bound| bound.kind == BoundKind::ActiveTime && elapsed >= bound.max) {
                self.vote(limit.statement, limit.verdict, false, votes);
            }
        }
    }

    /// One statement's vote; none if a person has approved of this call.
    pub(crate) fn vote(&self, statement: u32, verdict: Verdict, undecided: bool, votes: &mut Vec<Vote>) {
        let mut vote = Vote {
            statement,
            outcome: verdict.outcome(),
            state: None,
            queue: None,
            undecided,
            rejected: false,
        };
        match verdict {
            Verdict::Stop(state) | Verdict::Fail(state) => vote.state = Some(state),
            Verdict::Deny => {}
            Verdict::Escalate(queue) => {
                if !self.escalate(queue, &mut vote) {
                    return;
                }
            }
        }
        votes.push(vote);
    }

    /// Turns an escalation into what its request has come to; false if it was approved.
    fn escalate(&self, queue: u32, vote: &mut Vote) -> bool {
        // Compared by their binding, since equal fingerprints do not prove that the arguments are equal.
        if !self.call.grants.is_empty() && self.call.grants.contains(&(vote.statement, self.binding())) {
            return false;
        }
        match self.run.requests.standing(vote.statement, self.binding(), self.run.latest) {
            Standing::Approved => return false,
            Standing::Unasked | Standing::Pending => vote.queue = Some(queue),
            Standing::Rejected => {
                vote.outcome = Outcome::Deny;
                vote.rejected = true;
            }
            Standing::Expired => match self.program.tables.queues.at(queue).default {
                QueueDefault::Deny => vote.outcome = Outcome::Deny,
                QueueDefault::Stop(state) => {
                    vote.outcome = Outcome::Stop;
                    vote.state = Some(state);
                }
            },
        }
        true
    }

    /// Puts votes in order and reads what the first one's condition read; `None` if nobody voted.
    pub(crate) fn find(&self, view: &View<'_>, mut votes: Vec<Vote>) -> Option<Finding> {
        sort(&mut votes);
        let values = self.values(view, votes.first()?.statement);
        Some(Finding { votes, values })
    }

    /// What a statement's condition reads.
    pub(crate) fn values(&self, view: &View<'_>, statement: u32) -> Vec<(u32, Value)> {
        let condition = self.program.index.condition_of.get(statement as usize).copied().flatten();
        condition.map_or_else(Vec::new, |index| view.values(self.program.tables.conditions.at(index)))
    }
}

/// The most restrictive vote first, then by statement.
pub(crate) fn sort(votes: &mut [Vote]) {
    votes.sort_by(|left, right| {
        right.outcome.cmp(&left.outcome).then_with(|| left.statement.cmp(&right.statement))
    });
}
