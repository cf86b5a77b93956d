//! What observed statements would have said: gathered beside the votes, and nothing follows from it.

use super::Run;
use super::call::Call;
use super::candidates::Candidates;
use super::model::{Asked, Found};
use super::question::{Question, sort, vote_of};
use crate::decision::{Outcome, Vote};
use crate::facts::View;
use crate::value::Truth;

impl Question<'_> {
    /// One observed statement's say.
    pub(super) fn observe(&self, vote: Vote) {
        self.would.borrow_mut().push(vote);
    }

    /// The question is put once more: what was gathered of it is gathered anew.
    pub(super) fn observe_anew(&self) {
        self.would.take();
    }

    /// As for votes: an answer whose text cannot be told denies.
    pub(super) fn fill_observed(&self, view: &View<'_>) {
        self.fill(view, &mut self.would.borrow_mut());
    }

    /// All that was gathered: of each statement the most restrictive say, in the order of votes.
    pub(crate) fn observed(&self) -> Vec<Vote> {
        let mut said = self.would.take();
        sort(&mut said);
        let mut once: Vec<Vote> = Vec::with_capacity(said.len());
        for vote in said {
            if once.iter().all(|known| known.statement != vote.statement) {
                once.push(vote);
            }
        }
        once
    }
}

impl Asked<'_> {
    /// What observed requirements say of the model that serves: a denial if no later candidate would have
    /// done, an allow of that one otherwise.
    pub(super) fn observe_requirements(&self, view: &View<'_>, candidates: &Candidates, model: u32) {
        let models = &self.program().tables.models;
        for require in self.program().tables.requires.all() {
            let is_met = |index: u32| require.need.is_met(index, models.at(index));
            let applies = self.program().is_observed(require.statement) && !is_met(model);
            if !applies || self.question.truth(require.when, view) != Truth::True {
                continue;
            }
            let mut later = candidates.models.iter().skip_while(|known| **known != model);
            let is_replaced = later
                .any(|other| is_met(*other) && self.is_usable(*other, candidates, &mut Found::default()));
            let outcome = if is_replaced { Outcome::Allow } else { Outcome::Deny };
            self.question.observe(vote_of(require.statement, outcome));
        }
    }
}

impl Run {
    /// Whether some loop that was found at a call decides about it.
    pub(super) fn is_found(&self, call: &Call) -> bool {
        let statement = |index: &u32| self.program.tables.loops.at(*index).statement;
        call.loops.iter().any(|index| !self.program.is_observed(statement(index)))
    }
}
