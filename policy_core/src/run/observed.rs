//! What observed statements would have said: gathered beside the votes, and nothing follows from it.

use super::Run;
use super::amounts::{Amounts, Subject};
use super::call::Call;
use super::candidates::Candidates;
use super::model::{Asked, Found};
use super::question::{Clearance, Question, sort, vote_of};
use crate::books::Room;
use crate::decision::{Decision, Outcome, Vote};
use crate::facts::View;
use crate::value::Truth;

impl Question<'_> {
    /// One more vote; that of an observed statement is only noted.
    pub(super) fn cast(&self, vote: Vote, votes: &mut Vec<Vote>) {
        if self.program.is_observed(vote.statement) {
            self.would.borrow_mut().0.push(vote);
        } else {
            votes.push(vote);
        }
    }

    /// What observed limits say of these amounts: a wait where only holds are in the way, an allow where
    /// something else `fits` that would be tried after it.
    pub(super) fn observe_limits(&self, view: &View<'_>, amounts: &Amounts, fits: impl Fn(u32) -> bool) {
        let overrun = self.run.accounts.overrun(amounts, &self.asking(&[]));
        if overrun.is_empty() {
            return self.fill_observed(view);
        }
        let limit = |place: u32| self.run.accounts.limit(place);
        let mut limits: Vec<u32> = overrun.iter().filter_map(|(place, _)| limit(*place)).collect();
        limits.sort_unstable();
        limits.dedup();
        for index in limits {
            let own = || overrun.iter().filter(|(place, _)| limit(*place) == Some(index));
            let statement = self.program.tables.limits.at(index).statement;
            if fits(index) {
                self.cast(vote_of(statement, Outcome::Allow), &mut Vec::new());
            } else if own().all(|(_, room)| *room == Room::Held) {
                self.cast(vote_of(statement, Outcome::Wait), &mut Vec::new());
            } else {
                let ways: Vec<u32> = own().map(|(place, _)| *place).collect();
                self.vote_limit(index, &ways, &mut Vec::new());
            }
        }
        self.fill_observed(view);
    }

    /// The question is put once more: what was gathered of it is gathered anew.
    pub(super) fn observe_anew(&self) {
        self.would.take();
    }

    /// As for votes: an answer whose text cannot be told denies. Those that came since the last time are of
    /// this view.
    #[inline]
    pub(super) fn fill_observed(&self, view: &View<'_>) {
        if self.program.index.observes {
            self.fill_would(view);
        }
    }

    #[cold]
    fn fill_would(&self, view: &View<'_>) {
        let (said, known) = &mut *self.would.borrow_mut();
        self.fill(view, said.get_mut(*known..).unwrap_or_default());
        *known = said.len();
    }

    /// The question is answered: what it brings besides.
    #[inline(always)]
    pub(super) fn finish(&self, clearance: &mut Clearance, decision: &mut Decision) {
        if self.run.requests.has_unused() {
            clearance.besides.get_or_insert_default().bindings = self.bindings();
        }
        if self.program.index.observes {
            decision.would = self.observed();
        }
    }

    /// All that was gathered: of each statement the most restrictive say, in the order of votes.
    #[inline]
    pub(crate) fn observed(&self) -> Vec<Vote> {
        if self.program.index.observes { self.take_would() } else { Vec::new() }
    }

    #[cold]
    fn take_would(&self) -> Vec<Vote> {
        let (mut said, _) = self.would.take();
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
    /// What observed statements say of the model that serves: their denial, or an allow where they would have
    /// passed it over and a later candidate would have done.
    pub(super) fn observe_choice(&self, view: &View<'_>, candidates: &Candidates, model: u32) {
        self.observe_requirements(view, candidates, model);
        self.observe_health(candidates, model);
        let accounts = &self.question.run.accounts;
        let asking = self.question.asking(&[]);
        let least = |model: u32| self.least_amounts(model, self.program().tables.models.at(model));
        self.question.observe_limits(view, &least(model), |limit| {
            self.has_later(candidates, model, |other| {
                let overrun = accounts.overrun(&least(other), &asking);
                overrun.iter().all(|(place, _)| accounts.limit(*place) != Some(limit))
            })
        });
    }

    fn observe_requirements(&self, view: &View<'_>, candidates: &Candidates, model: u32) {
        let models = &self.program().tables.models;
        for require in self.program().tables.requires.all() {
            let is_met = |index: u32| require.need.is_met(index, models.at(index));
            let applies = self.program().is_observed(require.statement) && !is_met(model);
            if applies && self.question.truth(require.when, view) == Truth::True {
                let is_replaced = self.has_later(candidates, model, is_met);
                self.pass_over(require.statement, is_replaced);
            }
        }
    }

    fn observe_health(&self, candidates: &Candidates, model: u32) {
        let bars = |model: u32| self.question.observed_bars(Subject::Model(model));
        for statement in bars(model) {
            let is_replaced = self.has_later(candidates, model, |other| !bars(other).contains(&statement));
            self.pass_over(statement, is_replaced);
        }
    }

    fn pass_over(&self, statement: u32, is_replaced: bool) {
        let outcome = if is_replaced { Outcome::Allow } else { Outcome::Deny };
        self.question.cast(vote_of(statement, outcome), &mut Vec::new());
    }

    /// Whether a candidate after this one `does`, and could serve for all that is asked before limits.
    fn has_later(&self, candidates: &Candidates, model: u32, does: impl Fn(u32) -> bool) -> bool {
        let mut later = candidates.models().iter().skip_while(|known| **known != model).skip(1);
        later.any(|other| does(*other) && self.is_usable(*other, candidates, &mut Found::default()))
    }
}

impl Run {
    /// Whether some loop that was found at a call decides about it.
    pub(super) fn is_found(&self, call: &Call) -> bool {
        let statement = |index: &u32| self.program.tables.loops.at(*index).statement;
        call.loops.iter().any(|index| !self.program.is_observed(statement(index)))
    }
}
