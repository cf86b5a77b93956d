//! Admission of model calls: rules and requirements vote, then the route's candidates are tried in order.

use std::mem;
use std::sync::Arc;

use super::call::{Call, Point};
use super::question::{Clearance, Finding, Question, Ruling};
use super::{Run, check_facts, check_tokens};
use crate::decision::{BuiltIn, Decision, Event, Outcome, Vote};
use crate::error::EngineError;
use crate::event::ModelCall;
use crate::facts::{Sent, View, keep};
use crate::ledger::{Amounts, cost};
use crate::program::{Model, Place, Program, Verdict};
use crate::value::Truth;

/// How long to wait for holds, and how long a call may wait for them in all, in nanoseconds.
const HOLDS_WAIT: u64 = 50_000_000;
const HOLDS_WAIT_MOST: u64 = 60_000_000_000;

/// Which places are ruled out.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    edge: bool,
    cloud: bool,
}

impl Places {
    const fn add(&mut self, place: Place) {
        match place {
            Place::Edge => self.edge = true,
            Place::Cloud => self.cloud = true,
        }
    }

    const fn has(self, place: Place) -> bool {
        match place {
            Place::Edge => self.edge,
            Place::Cloud => self.cloud,
        }
    }
}

/// Why no candidate has been taken so far.
#[derive(Debug, Default)]
struct Obstacles {
    /// Limits in the way of some candidate.
    limits: Vec<u32>,
    /// Some candidate would fit if nothing were held.
    holds: bool,
    /// Places of candidates that a requirement ruled out.
    filtered: Places,
}

impl Run {
    /// A model call is proposed, or asked again.
    ///
    /// `event.facts` has one slot for each of [`Program::facts`], in that order. The host fills those whose
    /// source is [`from_host`](crate::Source::from_host); the others are not read.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if a number or the facts cannot be right; then nothing has happened.
    pub fn model_call(&mut self, now: u64, event: &ModelCall<'_>) -> Result<Decision, EngineError> {
        let program = Arc::clone(&self.program);
        check_facts(&program, event.facts)?;
        check_tokens(event.input_tokens)?;
        check_tokens(event.max_output.unwrap_or(0))?;
        self.begin_event(now);
        let mut decision = self.begin_decision(Event::ModelCall, event.call);
        if self.is_over(&mut decision) {
            return Ok(decision);
        }
        self.advise(&mut decision);
        if let Some(id) = self.open_model_call(&program, event, &mut decision) {
            self.admit_model_call(&program, id, event, &mut decision);
        }
        Ok(decision)
    }

    /// Finds or opens the logical call and remembers what was asked. Refuses what is not open or declared.
    fn open_model_call(
        &mut self,
        program: &Program,
        event: &ModelCall<'_>,
        decision: &mut Decision,
    ) -> Option<u64> {
        let requested = event.model.map(|name| program.tables.model_index(name));
        let id = match event.call {
            Some(id) => {
                self.reopen(id, decision, |point| point == Point::Model)?;
                id
            }
            None => {
                let id = self.next_call();
                self.steps = self.steps.saturating_add(1);
                self.step_clock = Some(self.clock);
                self.calls.insert(id, Call::new(Point::Model, self.latest, None));
                id
            }
        };
        decision.call = Some(id);
        if requested == Some(None) {
            self.calls.remove(&id);
            decision.refuse(BuiltIn::UndeclaredModel);
            return None;
        }
        let call = self.calls.get_mut(&id)?;
        call.requested = requested.flatten();
        call.input_tokens = Some(event.input_tokens);
        call.kept = keep(&program.index, event.facts);
        Some(id)
    }

    fn admit_model_call(
        &mut self,
        program: &Program,
        id: u64,
        event: &ModelCall<'_>,
        decision: &mut Decision,
    ) {
        let mut candidates = mem::take(&mut self.candidates);
        candidates.clear();
        let ruled = self.calls.get(&id).map(|call| {
            let question = Question::new(self, program, id, call, Sent::Now(event.facts));
            let asked = Asked { question: &question, input: event.input_tokens, most: event.max_output };
            (asked.rule(&mut candidates, &mut decision.skipped), question.needed_binding())
        });
        self.candidates = candidates;
        if let Some((ruling, binding)) = ruled {
            self.apply(program, id, ruling, binding, decision);
        }
        if decision.outcome == Outcome::Wait {
            decision.wait_ns = Some(HOLDS_WAIT);
        }
    }
}

/// A model call's question with its tokens.
#[derive(Debug)]
struct Asked<'a> {
    question: &'a Question<'a>,
    input: u64,
    most: Option<u64>,
}

impl Asked<'_> {
    fn program(&self) -> &Program {
        self.question.program
    }

    fn rule(&self, candidates: &mut Vec<u32>, skipped: &mut Vec<u32>) -> Ruling {
        let question = self.question;
        let view = question.view(question.call.next_attempt_anywhere(), None);
        let mut votes = Vec::new();
        question.vote_rules(self.program().index.rules.on_any_model().iter().copied(), &view, &mut votes);
        question.vote_active_time(&mut votes);
        let barred = self.vote_requirements(&view, &mut votes);
        if let Some(finding) = question.find(&view, votes) {
            return Ruling::Votes(finding);
        }
        self.list(&view, candidates, skipped);
        if candidates.is_empty() {
            return Ruling::BuiltIn(Outcome::Deny, BuiltIn::NoCandidate);
        }
        let mut obstacles = Obstacles::default();
        let mut rest = candidates.as_slice();
        while let [candidate, later @ ..] = rest {
            rest = later;
            if let Some(ruling) = self.consider(*candidate, !rest.is_empty(), barred, &mut obstacles) {
                return ruling;
            }
        }
        self.none_taken(&view, obstacles)
    }

    /// Requirements that cannot be decided deny; the true ones rule out places.
    fn vote_requirements(&self, view: &View<'_>, votes: &mut Vec<Vote>) -> Places {
        let mut barred = Places::default();
        for require in self.program().tables.requires.all() {
            match self.question.truth(require.when, view) {
                Truth::False => {}
                Truth::Unknown => self.question.vote(require.statement, Verdict::Deny, true, votes),
                Truth::True => barred.add(other(require.place)),
            }
        }
        barred
    }

    /// The candidates in order: arms that hold, or else the model asked for; then fallbacks, breadth first;
    /// without the models that this call has given up.
    fn list(&self, view: &View<'_>, candidates: &mut Vec<u32>, skipped: &mut Vec<u32>) {
        let route = self.program().tables.route.as_ref();
        for arm in route.iter().flat_map(|route| &route.arms) {
            match self.question.truth(arm.when, view) {
                Truth::False => {}
                Truth::Unknown => skipped.push(arm.model),
                Truth::True if candidates.contains(&arm.model) => {}
                Truth::True => candidates.push(arm.model),
            }
        }
        if candidates.is_empty() {
            candidates.extend(self.question.call.requested);
        }
        let mut visited = 0_usize;
        while let Some(&model) = candidates.get(visited) {
            visited = visited.saturating_add(1);
            for &(from, to) in route.iter().flat_map(|route| &route.fallbacks) {
                if from == model && !candidates.contains(&to) {
                    candidates.push(to);
                }
            }
        }
        candidates.retain(|model| !self.question.call.failed.contains(model));
    }

    /// A ruling, if this candidate brings one; otherwise it adds to the obstacles.
    fn consider(
        &self,
        candidate: u32,
        has_next: bool,
        barred: Places,
        obstacles: &mut Obstacles,
    ) -> Option<Ruling> {
        let question = self.question;
        let model = self.program().tables.models.at(candidate);
        if barred.has(model.place) {
            obstacles.filtered.add(model.place);
            return None;
        }
        if self.input.saturating_add(model.least_output) > model.window {
            return None;
        }
        let rules = self.program().index.rules.on_model(candidate);
        if !rules.is_empty() {
            let view = question.view(question.call.next_attempt(candidate), Some(candidate));
            let mut votes = Vec::new();
            question.vote_rules(rules.iter().copied(), &view, &mut votes);
            if let Some(finding) = question.find(&view, votes) {
                return Some(Ruling::Votes(finding));
            }
        }
        match self.fit(model) {
            Ok((cap, amounts)) => {
                Some(Ruling::Clear(Clearance { subject: candidate, cap, amounts, has_next }))
            }
            Err(least) => {
                self.block(&least, obstacles);
                None
            }
        }
    }

    /// The largest output that fits every limit and what it reserves, or what even the least would reserve.
    fn fit(&self, model: &Model) -> Result<(u64, Amounts), Amounts> {
        let ledger = &self.question.run.ledger;
        let index = &self.program().index;
        let room = model.window.saturating_sub(self.input);
        let cap = self.most.unwrap_or(u64::MAX).min(model.output).min(room);
        let least = model.least_output.min(cap);
        let most = ledger.most_output(index, model.price, self.input, cap);
        if let Some(output) = most.filter(|output| *output >= least) {
            let amounts = self.amounts(model, output);
            if ledger.fits(index, &amounts) {
                return Ok((output, amounts));
            }
        }
        Err(self.amounts(model, least))
    }

    fn amounts(&self, model: &Model, output: u64) -> Amounts {
        Amounts {
            cost: cost(model.price, self.input, output),
            tokens: self.input.saturating_add(output),
            steps: u64::from(!self.question.call.step_charged),
            model_calls: 1,
            tool_calls: 0,
        }
    }

    fn block(&self, least: &Amounts, obstacles: &mut Obstacles) {
        let ledger = &self.question.run.ledger;
        for (index, limit) in self.program().tables.limits.numbered() {
            if ledger.blocks(limit, least) && !obstacles.limits.contains(&index) {
                obstacles.limits.push(index);
            }
        }
        obstacles.holds |= ledger.fits_without_holds(&self.program().index, least);
    }

    fn none_taken(&self, view: &View<'_>, obstacles: Obstacles) -> Ruling {
        if obstacles.holds && self.may_wait() {
            return Ruling::BuiltIn(Outcome::Wait, BuiltIn::Holds);
        }
        let finding = if obstacles.limits.is_empty() {
            self.filtered(view, obstacles.filtered)
        } else {
            let mut votes = Vec::new();
            for index in obstacles.limits {
                let limit = self.program().tables.limits.at(index);
                self.question.vote(limit.statement, limit.verdict, false, &mut votes);
            }
            self.question.find(view, votes)
        };
        finding.map_or(Ruling::BuiltIn(Outcome::Deny, BuiltIn::NoUsableModel), Ruling::Votes)
    }

    /// The votes of the requirements that ruled some candidate out.
    fn filtered(&self, view: &View<'_>, filtered: Places) -> Option<Finding> {
        let mut votes = Vec::new();
        for require in self.program().tables.requires.all() {
            let ruled_out = filtered.has(other(require.place));
            if ruled_out && self.question.truth(require.when, view) == Truth::True {
                self.question.vote(require.statement, Verdict::Deny, false, &mut votes);
            }
        }
        self.question.find(view, votes)
    }

    fn may_wait(&self) -> bool {
        let waited = self.question.run.latest.saturating_sub(self.question.call.first_asked);
        waited.saturating_add(HOLDS_WAIT) <= HOLDS_WAIT_MOST && self.question.run.fits_active_time(HOLDS_WAIT)
    }
}

const fn other(place: Place) -> Place {
    match place {
        Place::Edge => Place::Cloud,
        Place::Cloud => Place::Edge,
    }
}
