//! What a run asks about the health of what it calls, and what it tells about it.

use std::mem;

use super::Run;
use super::amounts::Subject;
use super::call::Attempt;
use super::question::{Clearance, Question, Ruling, vote_of};
use super::settle::Fate;
use crate::decision::{Outcome, Vote};
use crate::event::{ErrorKind, Usage};
use crate::health::{Barred, Ending, Health, Place, Ticket};
use crate::program::{Program, Retry};

/// Breakers that are in the way of a call, and for how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tripped {
    /// By statement.
    pub(crate) statements: Vec<u32>,
    pub(crate) again: Option<Barred>,
}

impl Run {
    /// The same, with what is known of how models and tools fare in common with all that hold `health`. A run
    /// that begins knows nothing by itself, or what its parent knows.
    #[must_use]
    pub fn watching(mut self, health: &Health) -> Self {
        self.health = health.clone();
        self.served = None;
        self
    }
}

impl Question<'_> {
    /// What is in the way of a call of this model or tool.
    pub(crate) fn tripped(&self, subject: Subject) -> Tripped {
        let mut tripped = Tripped::default();
        let (program, now) = (self.program, self.run.latest.mono);
        each_place(program, subject, |place| {
            let breaker = program.tables.breakers.at(place.0);
            if program.is_observed(breaker.statement) {
                return;
            }
            let barred = self.run.health.fares().barred(program.meaning(), place, &breaker.terms, now);
            if let Some(barred) = barred {
                tripped.statements.push(breaker.statement);
                tripped.again = Some(tripped.again.map_or(barred, |other| other.and(barred)));
            }
        });
        tripped.statements.sort_unstable();
        tripped
    }

    /// Whether a retry statement's share has room for one more attempt.
    pub(crate) fn has_share(&self, index: u32, retry: &Retry) -> bool {
        let (meaning, now) = (self.program.meaning(), self.run.latest.mono);
        retry.share.is_none_or(|terms| self.run.health.fares().has_share(meaning, index, &terms, now))
    }

    /// What `rule` says, with the call let through by the circuits that it passes. Between the two another
    /// run may have opened one or taken its last place: then the question is another one.
    pub(crate) fn rule_admitted(
        &self,
        clearance: &mut Clearance,
        mut rule: impl FnMut(&mut Clearance) -> Ruling,
    ) -> Ruling {
        self.wait_for_word()?;
        loop {
            rule(clearance)?;
            if !self.program.index.counts_health {
                return Ok(());
            }
            if let Some(tickets) = self.admit(clearance.amounts.subject) {
                if !tickets.is_empty() {
                    clearance.besides.get_or_insert_default().tickets = tickets;
                }
                return Ok(());
            }
            self.observe_anew();
            clearance.besides = None;
        }
    }

    /// An attempt begins, unless a circuit bars it: circuits let it pass, and the shares of retries count it.
    fn admit(&self, subject: Subject) -> Option<Vec<Ticket>> {
        let (program, now) = (self.program, self.run.latest.mono);
        let (meaning, mut fares) = (program.meaning(), self.run.health.fares());
        let terms = |place: Place| &program.tables.breakers.at(place.0).terms;
        let mut places = Vec::new();
        each_place(program, subject, |place| places.push(place));
        let is_observed = |place: &Place| program.is_observed(program.tables.breakers.at(place.0).statement);
        let barred: Vec<Place> = places
            .iter()
            .copied()
            .filter(|place| fares.barred(meaning, *place, terms(*place), now).is_some())
            .collect();
        if barred.iter().any(|place| !is_observed(place)) {
            return None;
        }
        // An observed circuit that is open counts as if the call had not been made.
        places.retain(|place| !barred.contains(place));
        let all = &program.index.retries;
        let mut count = |index: u32| {
            if let Some(terms) = program.tables.retries.at(index).share {
                fares.count(meaning, index, &terms, (false, now));
            }
        };
        match subject {
            Subject::Model(model) => all.of_model(model).for_each(&mut count),
            Subject::Tool(tool, class) => all.of_tool(tool, class).for_each(&mut count),
            Subject::Person => {}
        }
        Some(places.into_iter().map(|place| fares.admit(meaning, place, terms(place), now)).collect())
    }

    /// The observed breakers that would be in the way of a call of this model or tool.
    pub(super) fn observed_bars(&self, subject: Subject) -> Vec<u32> {
        let (program, now) = (self.program, self.run.latest.mono);
        let mut statements = Vec::new();
        each_place(program, subject, |place| {
            let breaker = program.tables.breakers.at(place.0);
            let barred = || self.run.health.fares().barred(program.meaning(), place, &breaker.terms, now);
            if program.is_observed(breaker.statement) && barred().is_some() {
                statements.push(breaker.statement);
            }
        });
        statements
    }

    /// Counts the retries that observed statements would have made, in their own shares.
    pub(super) fn count_observed(&self, would: &[Vote]) {
        let (program, now) = (self.program, self.run.latest.mono);
        let voted = |retry: &Retry| {
            would.iter().any(|vote| vote.statement == retry.statement && vote.outcome == Outcome::Wait)
        };
        for (index, retry) in program.tables.retries.numbered().filter(|(_, retry)| voted(retry)) {
            if let Some(terms) = &retry.share {
                self.run.health.fares().count(program.meaning(), index, terms, (true, now));
            }
        }
    }

    /// Counts the retries that these votes bring, unless another run has taken what was left of a share.
    pub(crate) fn count_retries(&self, votes: &[Vote]) -> bool {
        let (program, now) = (self.program, self.run.latest.mono);
        let voted = |retry: &Retry| {
            votes.iter().any(|vote| vote.statement == retry.statement && vote.outcome == Outcome::Wait)
        };
        let retries = program.tables.retries.numbered().filter(|(_, retry)| voted(retry));
        let shares: Vec<_> = retries.filter_map(|(index, retry)| Some((index, retry.share?))).collect();
        if shares.is_empty() {
            return true;
        }
        let (meaning, mut fares) = (program.meaning(), self.run.health.fares());
        let has_room = shares.iter().all(|(index, terms)| fares.has_share(meaning, *index, terms, now));
        if has_room {
            shares.iter().for_each(|(index, terms)| fares.count(meaning, *index, terms, (true, now)));
        }
        has_room
    }
}

/// A call is denied while a breaker is open.
pub(crate) fn vote_tripped(statements: &[u32], votes: &mut Vec<Vote>) {
    votes.extend(statements.iter().map(|statement| vote_of(*statement, Outcome::Deny)));
}

/// An attempt has ended like this, or is left.
#[inline]
pub(crate) fn conclude(program: &Program, attempt: &mut Attempt, fate: Fate, health: &Health, now: u64) {
    if let Some(rare) = &mut attempt.rare {
        let is_unsent = attempt.settled == Some(Usage::Unsent) && fate == Fate::Settled;
        let ending = if is_unsent { Ending::Untold } else { fate.ending(attempt.reserved.is_tool()) };
        for ticket in mem::take(&mut rare.tickets) {
            let terms = &program.tables.breakers.at(ticket.place.0).terms;
            health.fares().conclude(program.meaning(), ticket, terms, (ending, now));
        }
    }
}

impl Fate {
    /// What it says about the model or the tool: only what may be its own fault speaks against it.
    const fn ending(self, is_tool: bool) -> Ending {
        match self {
            Self::Settled => Ending::Succeeded,
            Self::Failed(ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Unavailable) => {
                Ending::Failed
            }
            Self::Failed(ErrorKind::ToolFailure) if is_tool => Ending::Failed,
            // Half a result is an answer: the tool is there.
            Self::Failed(_) | Self::FellShort | Self::CutShort | Self::Left => Ending::Untold,
        }
    }
}

/// Does it for every circuit that calls of this model or tool pass.
fn each_place(program: &Program, subject: Subject, act: impl FnMut(Place)) {
    if program.tables.breakers.all().is_empty() {
        return;
    }
    match subject {
        Subject::Model(model) => program.index.breakers.of_model(model).for_each(act),
        Subject::Tool(tool, class) => program.index.breakers.of_tool(tool, class).for_each(act),
        Subject::Person => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{self, Enforced, SECOND, Select, ask_model, failure_of, slots, vocabulary};
    use crate::decision::{Decision, Why};
    use crate::event::Now;
    use crate::facts::Sent;
    use crate::run::call::Point;
    use crate::run::candidates::Candidates;
    use crate::run::model::Asked;

    /// A call of `large`, with what it may fall back on, while so many other runs fail at `large`, one after
    /// each look at the candidates: which were chosen, whether the last may run, and which were passed over.
    fn chosen(fallbacks: &[(&'static str, &'static str)], failing: usize) -> (Vec<u32>, bool, Vec<u32>) {
        let terms = [500_000, 1, 30 * SECOND, 1, SECOND];
        let route = Enforced::Route { arms: vec![("large", None)], fallbacks: fallbacks.to_vec() };
        let breaker = Enforced::Breaker { on: Select::AnyModel, terms };
        let program = vocabulary().with("b", breaker).with("t", route).program();
        let health = Health::default();
        let begun = || common::Run::new(program.clone(), 7, 0).watching(&health);
        let flying = |mut run: common::Run| {
            let attempt = ask_model(&mut run, 0, None).attempt.unwrap();
            (run, failure_of(attempt, Usage::Unknown))
        };
        let mut flying: Vec<_> = (0..failing).map(|_| flying(begun())).collect();
        let mut run = begun();
        run.inner.begin_event(Now { mono: 0, wall: 0 });
        let age = run.inner.age.now();
        let call = run.inner.calls.begin(Point::Model, age, None);
        let (books, facts) = (run.books.borrow(), slots(&program, &[]));
        let question = Question::new((&run.inner, &books), &program, 0, &call, Sent::Now(&facts));
        let asked = Asked { question: &question, input: 10, most: None, results: None, messages: None };
        let (mut candidates, mut decision) = (Candidates::default(), Decision::new());
        let (mut clearance, mut looks) = (Clearance::new(), Vec::new());
        let ruling = question.rule_admitted(&mut clearance, |clearance| {
            let ruling = asked.rule(&mut candidates, clearance, &mut decision);
            looks.extend(ruling.is_ok().then_some(clearance.subject));
            if let Some((mut other, failure)) = flying.pop() {
                other.error(0, &failure).unwrap();
            }
            ruling
        });
        assert!(decision.passed.iter().all(|(_, why)| *why == Why::Statement(0)));
        (looks, ruling.is_ok(), decision.passed.iter().map(|(model, _)| *model).collect())
    }

    #[test]
    fn a_circuit_that_opens_between_two_looks_is_looked_at_once_more() {
        let fallback = [("large", "small")];
        assert_eq!(chosen(&fallback, 0), (vec![0], true, vec![]));
        assert_eq!(chosen(&fallback, 1), (vec![0, 1], true, vec![0]));
        assert_eq!(chosen(&[], 1), (vec![0], false, vec![0]));
    }
}
