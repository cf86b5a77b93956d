//! Admission of model calls: rules and requirements vote, then the candidates are tried in order.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use super::accounts::Obstacles;
use super::amounts::{Amounts, Charge, Subject};
use super::call::{Call, Point};
use super::candidates::Candidates;
use super::question::{Clearance, Objection, Question, Ruling};
use super::{Run, check_facts, check_tokens};
use crate::books::{AccountId, Books};
use crate::decision::{BuiltIn, Decision, Event, Outcome, Why};
use crate::error::EngineError;
use crate::event::{ModelCall, Now};
use crate::facts::{Sent, View};
use crate::health::Barred;
use crate::price::{Rates, Tokens};
use crate::program::{Model, Program};

impl Run {
    /// A model call is proposed, or asked again.
    ///
    /// `event.facts` has one slot for each of [`Program::facts`], in that order. The host fills those whose
    /// source is [`from_host`](crate::Source::from_host); the others are not read. What is decided is written
    /// into `decision`, whatever was in it.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if a number or the facts cannot be right; then nothing has happened.
    pub fn model_call(
        &mut self,
        now: Now,
        event: &ModelCall<'_>,
        books: &mut Books,
        decision: &mut Decision,
    ) -> Result<(), EngineError> {
        self.under(|run, program| run.propose_model((program, books), now, event, decision))
    }

    fn propose_model(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        event: &ModelCall<'_>,
        decision: &mut Decision,
    ) -> Result<(), EngineError> {
        check_facts(program, event.facts)?;
        check_tokens(event.input_tokens)?;
        check_tokens(event.max_output.unwrap_or(0))?;
        event.messages.unwrap_or_default().iter().try_for_each(|(_, tokens)| check_tokens(*tokens))?;
        self.begin_event(now);
        self.begin_decision(Event::ModelCall, event.call, decision);
        if self.is_over(decision) {
            return Ok(());
        }
        self.advise(decision, books);
        self.look_around(books);
        if let Some((id, call)) = self.open_model_call(program, event, decision) {
            self.admit_model_call((program, books), (id, call), event, decision);
        }
        Ok(())
    }

    /// Finds or opens the logical call and remembers what was asked. Refuses what is not open or declared.
    fn open_model_call(
        &mut self,
        program: &Program,
        event: &ModelCall<'_>,
        decision: &mut Decision,
    ) -> Option<(u64, Box<Call>)> {
        let requested = event.model.map(|name| program.model_index(name));
        let (id, mut call) = match event.call {
            Some(id) => (id, self.reopen(id, decision, |point| point == Point::Model)?),
            None => {
                let id = self.next_call();
                decision.call = Some(id);
                self.steps = self.steps.saturating_add(1);
                self.family.memory().step();
                if program.index.loops.progressing() > 0 {
                    self.progress.step(&self.steps_under_way());
                }
                self.step_clock = NonZeroU64::new(self.clock);
                let mut call = self.calls.begin(Point::Model, self.age.now(), None);
                self.find_idle_loops(program, &mut call);
                (id, call)
            }
        };
        if requested == Some(None) {
            self.calls.spare(call);
            decision.refuse(BuiltIn::UndeclaredModel);
            return None;
        }
        call.requested = requested.flatten();
        call.input_tokens = Some(event.input_tokens);
        call.max_output = event.max_output;
        call.keep(&program.index, event.facts);
        Some((id, call))
    }

    /// The steps whose tool calls were let pass, or wait on their own, and are not over.
    fn steps_under_way(&self) -> BTreeSet<u64> {
        let is_under_way = |call: &&Call| {
            matches!(call.point, Point::Tool { .. }) && (call.tries.is_begun() || call.waiting.is_some())
        };
        self.calls
            .iter()
            .map(|(_, call)| call)
            .filter(is_under_way)
            .map(|call| call.proposed.unwrap_or(0))
            .collect()
    }

    /// Notes the loops that have seen enough steps without anything new.
    fn find_idle_loops(&self, program: &Program, call: &mut Call) {
        let loops = &program.index.loops;
        for &index in &loops.of_models {
            let idle = self.progress.idle(loops.form(index));
            if program.tables.loops.at(index).no_progress.is_some_and(|steps| idle >= steps) {
                call.loops.push(index);
            }
        }
    }

    fn admit_model_call(
        &mut self,
        (program, books): (&Program, &mut Books),
        (id, call): (u64, Box<Call>),
        event: &ModelCall<'_>,
        decision: &mut Decision,
    ) {
        let mut candidates = self.candidates.take().unwrap_or_default();
        let mut clearance = Clearance::new();
        let question = Question::new((self, books), program, id, &call, Sent::Now(event.facts));
        let asked = Asked {
            question: &question,
            input: event.input_tokens,
            most: event.max_output,
            results: event.results,
            messages: event.messages,
        };
        let ruling = question
            .rule_admitted(&mut clearance, |clearance| asked.rule(&mut candidates, clearance, decision));
        question.finish(&mut clearance, decision);
        self.candidates = Some(candidates);
        let is_first = !call.tries.is_begun();
        self.apply((program, books), (id, call), ruling, &mut clearance, decision);
        if is_first && decision.outcome == Outcome::Allow && program.compares_context() {
            self.family.memory().context.send(event.messages.unwrap_or_default());
        }
    }
}

/// What was found on the way through the candidates.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The models passed over.
    pub(super) passed: Vec<(u32, Why)>,
    /// What is in the way of the others.
    obstacles: Option<Box<Obstacles>>,
    /// For how long breakers are in the way of the first of the models that they alone are in the way of.
    pub(super) again: Option<Barred>,
}

/// A model call's question with its tokens.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) input: u64,
    pub(super) most: Option<u64>,
    pub(super) results: Option<&'a [[u64; 2]]>,
    pub(super) messages: Option<&'a [(u64, u64)]>,
}

impl Asked<'_> {
    pub(super) fn program(&self) -> &Program {
        self.question.program
    }

    pub(super) fn rule(
        &self,
        candidates: &mut Candidates,
        clearance: &mut Clearance,
        decision: &mut Decision,
    ) -> Ruling {
        let question = self.question;
        let view = question.view(question.call.next_attempt_anywhere(), None);
        let mut votes = Vec::new();
        question.vote_rules(self.program().index.rules.on_any_model(), &view, &mut votes);
        question.vote_time(&mut votes);
        question.vote_within(&mut votes);
        question.vote_truth(self.results, &mut votes);
        question.vote_model_loops(self.messages, &mut votes);
        self.ask_requirements(&view, candidates, &mut votes);
        question.rule(&view, votes)?;
        let stays = self.list(&view, candidates, &mut decision.skipped);
        if candidates.models().is_empty() {
            return Err(Box::new(Objection::BuiltIn(BuiltIn::NoCandidate)));
        }
        let mut found = Found::default();
        let ruling = self.choose(&view, candidates, &mut found, clearance);
        if ruling.is_ok() && self.program().index.observes {
            self.observe_choice(&view, candidates, clearance.subject);
        }
        // Also where it is none: the question may be put once more.
        decision.passed = found.passed;
        decision.stayed = stays && ruling.is_ok() && candidates.models().first() == Some(&clearance.subject);
        ruling
    }

    /// The first candidate that may run, if need be by wrapping up; else what is in the way.
    fn choose(
        &self,
        view: &View<'_>,
        candidates: &Candidates,
        found: &mut Found,
        clearance: &mut Clearance,
    ) -> Ruling {
        if self.try_all(candidates, &[], found, clearance)? {
            return Ok(());
        }
        self.choose_otherwise(view, candidates, found, clearance)
    }

    /// What follows where none of them may run as it is asked for.
    #[cold]
    fn choose_otherwise(
        &self,
        view: &View<'_>,
        candidates: &Candidates,
        found: &mut Found,
        clearance: &mut Clearance,
    ) -> Ruling {
        let question = self.question;
        let mut obstacles = found.obstacles.take().unwrap_or_default();
        question.wait(&mut obstacles)?;
        let lifted = question.run.accounts.liftable(&obstacles, &question.asking(&[]));
        if !lifted.is_empty() {
            let mut last = Found::default();
            let taken = self.try_all(candidates, &lifted, &mut last, clearance);
            let ruling = match taken {
                Ok(false) => question.wait(&mut last.obstacles.take().unwrap_or_default()).map(|()| false),
                _ => taken,
            };
            if !matches!(ruling, Ok(false)) {
                *found = last;
                return ruling.map(|_| ());
            }
        }
        self.none_taken(view, found, obstacles.ways)
    }

    /// The candidates in order; the first that may run is taken, if rules on it say nothing against that.
    fn try_all(
        &self,
        candidates: &Candidates,
        lifted: &[AccountId],
        found: &mut Found,
        clearance: &mut Clearance,
    ) -> Ruling<bool> {
        let mut rest = candidates.models();
        while let [candidate, later @ ..] = rest {
            rest = later;
            if self.is_usable(*candidate, candidates, found)
                && self.consider(*candidate, lifted, found, clearance)?
            {
                clearance.has_next = !rest.is_empty();
                clearance.cascade = candidates.cascade(*candidate);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this candidate may run; otherwise it adds to what was found.
    fn consider(
        &self,
        candidate: u32,
        lifted: &[AccountId],
        found: &mut Found,
        clearance: &mut Clearance,
    ) -> Ruling<bool> {
        let question = self.question;
        let rules = self.program().index.rules.on_model(candidate);
        if !rules.is_empty() {
            let view = question.view(question.call.next_attempt(candidate), Some(candidate));
            let mut votes = Vec::new();
            question.vote_rules(rules, &view, &mut votes);
            question.rule(&view, votes)?;
        }
        let model = self.program().tables.models.at(candidate);
        let Some(cap) = self.fit(candidate, model, lifted, &mut clearance.amounts) else {
            self.obstruct(candidate, &clearance.amounts, lifted, found);
            return Ok(false);
        };
        clearance.subject = candidate;
        clearance.cap = cap;
        if !lifted.is_empty() {
            clearance.besides.get_or_insert_default().wrap_ups = lifted.to_vec();
        }
        Ok(true)
    }

    /// Limits are in the way of this candidate.
    #[cold]
    fn obstruct(&self, candidate: u32, amounts: &Amounts, lifted: &[AccountId], found: &mut Found) {
        let accounts = &self.question.run.accounts;
        let own = accounts.obstacles(amounts, &self.question.asking(lifted));
        for limit in own.ways.iter().filter_map(|place| accounts.entry(*place)?.limit) {
            found.pass_over(candidate, Why::Statement(self.program().tables.limits.at(limit).statement));
        }
        found.obstacles.get_or_insert_default().add(own);
    }

    /// The largest output that fits every limit, and what it reserves; or nothing, and what did not fit:
    /// that, where only the store or holds are in its way, else even the least.
    fn fit(&self, candidate: u32, model: &Model, lifted: &[AccountId], amounts: &mut Amounts) -> Option<u64> {
        let (accounts, asking) = (&self.question.run.accounts, self.question.asking(lifted));
        let rates = model.price.as_ref().map(|price| price.worst(self.input));
        let cap = model.cap(self.input, self.most);
        // Most calls fit as they are asked for.
        *amounts = self.amounts(candidate, rates, cap);
        if accounts.fits(amounts, &asking) {
            return Some(cap);
        }
        let least = model.least_output.min(cap);
        let most = accounts.most_output(rates, self.input, cap, &asking);
        let output = most.filter(|output| *output >= least);
        *amounts = self.amounts(candidate, rates, output.unwrap_or(least));
        output.filter(|_| accounts.fits(amounts, &asking))
    }

    /// What a call of this model asks for at least.
    pub(super) fn least_amounts(&self, candidate: u32, model: &Model) -> Amounts {
        let rates = model.price.as_ref().map(|price| price.worst(self.input));
        let room = model.window.saturating_sub(self.input);
        let cap = self.most.unwrap_or(u64::MAX).min(model.output).min(room);
        self.amounts(candidate, rates, model.least_output.min(cap))
    }

    fn amounts(&self, candidate: u32, rates: Option<Rates>, output: u64) -> Amounts {
        let call = self.question.call;
        let cost = rates.map_or(0, |rates| rates.cost(self.input, output));
        let tokens = Tokens { input: self.input, output, ..Tokens::default() };
        Amounts {
            subject: Subject::Model(candidate),
            charge: Charge::new(cost, &tokens),
            steps: call.steps.map(|is_counted| !is_counted),
            is_retry: call.tries.is_begun(),
        }
    }

    fn none_taken(&self, view: &View<'_>, found: &Found, ways: Vec<u32>) -> Ruling {
        let mut votes = Vec::new();
        self.vote_tripped(found, &mut votes);
        if !ways.is_empty() {
            self.question.vote_limits(&ways, &mut votes);
        } else if votes.is_empty() {
            self.vote_required(found, &mut votes);
        }
        self.question.fill_observed(view);
        self.question.rule_by(view, votes, ways).map_err(|objection| objection.again(found.again))?;
        Err(Box::new(Objection::BuiltIn(BuiltIn::NoUsableModel)))
    }
}
