//! Which model serves a call of a batch: the requirements, the route and the rules on each model.

use std::sync::Arc;

use super::lanes::{Lane, YES};
use super::leaves::Witness;
use super::plan::{Entry, Plan, read_by, voting};
use super::steps::Steps;
use super::{Answers, BUILT_IN, Calls, Cells, Piece, Scratch, Values};
use crate::books::Books;
use crate::decision::{BuiltIn, Outcome};
use crate::error::EngineError;
use crate::event::{Now, Scopes};
use crate::facts::CallFacts;
use crate::program::{Program, Selector};
use crate::run::Run;
use crate::value::{Slot, Value};

/// What chooses a model.
#[derive(Debug)]
pub(super) struct Models {
    requested: Option<u32>,
    /// The tokens of each request, where all have as many.
    pub(super) input: Option<u64>,
    canary: Option<Canary>,
    arms: Box<[Arm]>,
    fallbacks: Box<[(u32, u32)]>,
    requires: Box<[Require]>,
    /// For each model: the largest request that fits beside its least output, and its own rules.
    fits: Box<[Option<u64>]>,
    own: Box<[Box<[Entry]>]>,
    /// The first statement that is none: what the engine itself says comes behind the statements.
    statements: u32,
}

#[derive(Debug)]
struct Arm {
    when: Option<Steps>,
    model: u32,
    then: Option<u32>,
}

#[derive(Debug)]
struct Require {
    statement: u32,
    when: Option<Steps>,
    /// The models that meet it.
    meets: Box<[bool]>,
}

/// The model that is drawn by a text: for each value that is listed, and where nothing or no value is there.
#[derive(Debug)]
struct Canary {
    fact: u32,
    listed: Box<[Option<u32>]>,
    odd: Option<u32>,
}

/// What is in hand of each model's own rules.
#[derive(Debug, Default)]
pub(super) struct Own {
    open: Lane<bool>,
    outcome: Lane<Outcome>,
    by: Lane<i32>,
    undecided: Lane<bool>,
}

/// What is in hand while models are chosen.
#[derive(Debug, Default)]
pub(super) struct Choice {
    own: Vec<Own>,
    /// The truths of requirements, then of arms.
    truths: Vec<Lane<u8>>,
    /// The same of each row in one number, which is of no other truths if they are [`FEW`].
    signs: Lane<u64>,
    /// What came of rows before, by their signs: many rows are alike.
    kinds: [Alike; KINDS],
}

/// As many kinds of rows as are kept, and the bits of a number that tell them apart.
const KINDS: usize = 16;
const KIND_BITS: u32 = KINDS.ilog2();

/// As many truths, of two bits each, as a number holds.
const FEW: usize = 32;

/// Rows with the same truths, for which the same model was drawn.
#[derive(Debug, Default)]
struct Alike {
    of: Option<(u64, Option<u32>)>,
    truths: Vec<u8>,
    /// The candidates that no requirement rules out, in their order; who denies if none of them can serve.
    candidates: Vec<u32>,
    denier: u32,
}

impl Plan {
    pub(super) fn of_model(
        program: &Arc<Program>,
        new: (Now, &Scopes<'_>),
        calls: &Calls<'_>,
        requested: Option<u32>,
        values: &[Values<'_>],
    ) -> Result<Self, EngineError> {
        let tables = &program.tables;
        let rules = voting(program, |selector| selector.takes_models());
        let requires = || tables.requires.all().iter().filter(|each| !program.is_observed(each.statement));
        let arms = || tables.route.iter().flat_map(|route| route.arms.iter());
        let others =
            [requires().filter_map(|each| each.when).collect(), arms().filter_map(|arm| arm.when).collect()];
        let mut reads = read_by(program, &rules, others).into_vec();
        let canaries = tables.route.as_ref().and_then(|route| route.canaries.as_ref());
        reads.extend(canaries.map(|canaries| canaries.fact));
        reads.sort_unstable();
        reads.dedup();
        let mut books = Books::local();
        let run = Run::fresh(program, new, true, &mut books);
        let (run, books, reads, varies) = (&run, &books, &*reads, calls.input.is_none());
        let call = CallFacts {
            model: requested,
            input_tokens: Some(calls.input.unwrap_or(0)),
            most_output: calls.max_output,
            ..CallFacts::FIRST
        };
        let witness = Witness { program, run, books, call, values, reads, model: None, varies };
        let on_any: Vec<_> =
            rules.iter().copied().filter(|rule| rule.selector == Selector::AnyModel).collect();
        let open = requires().filter_map(|each| Some(witness.open_requirement(each.statement, each.when?)));
        let entries = witness.ranked(&on_any, open.collect::<Result<_, _>>()?)?;
        let own = tables.models.numbered().map(|(index, model)| {
            let own: Vec<_> =
                rules.iter().copied().filter(|rule| rule.selector == Selector::Model(index)).collect();
            let call = CallFacts { model: Some(index), named: Some(model), ..call };
            Witness { program, run, books, call, values, reads, model: Some(index), varies }
                .ranked(&own, Vec::new())
        });
        let require = |each: &crate::program::Require| {
            let meets = tables.models.numbered().map(|(index, model)| each.need.is_met(index, model));
            Ok(Require { statement: each.statement, when: witness.steps(each.when)?, meets: meets.collect() })
        };
        let arm = |arm: &crate::program::Arm| {
            let then = arm.then.map(|(model, _)| model);
            Ok(Arm { when: witness.steps(arm.when)?, model: arm.model, then })
        };
        let models = Models {
            requested,
            input: calls.input,
            canary: witness.canary(),
            arms: arms().map(arm).collect::<Result<_, EngineError>>()?,
            fallbacks: tables.route.as_ref().map_or_else(Box::default, |route| route.fallbacks.clone()),
            requires: requires().map(require).collect::<Result<_, EngineError>>()?,
            fits: tables
                .models
                .all()
                .iter()
                .map(|model| model.window.checked_sub(model.least_output))
                .collect(),
            own: own.collect::<Result<_, EngineError>>()?,
            statements: u32::try_from(tables.statements.all().len()).unwrap_or(u32::MAX),
        };
        Ok(Self::of(&witness, entries, Some(models)))
    }
}

impl Witness<'_> {
    fn canary(&self) -> Option<Canary> {
        let route = self.program.tables.route.as_ref()?;
        let canaries = route.canaries.as_ref()?;
        let salt = &self.program.tables.statements.at(route.statement).name;
        let draw = |slot: Slot<'_>| {
            let mut slots = vec![Slot::Missing; self.values.len()];
            if let Some(place) = slots.get_mut(canaries.fact as usize) {
                *place = slot;
            }
            match self.view(&slots).slot(canaries.fact) {
                Slot::Text(value) => canaries.draw(value, salt),
                _ => None,
            }
        };
        let of = |value: &Value| draw(value.as_slot());
        let (listed, odd) = match self.values.get(canaries.fact as usize) {
            Some(Values::Among(values)) => (values.iter().map(of).collect(), draw(Slot::Missing)),
            Some(Values::One(slot)) => (Box::default(), draw(*slot)),
            Some(Values::Numbers) | None => (Box::default(), None),
        };
        Some(Canary { fact: canaries.fact, listed, odd })
    }
}

impl Canary {
    fn draw(&self, piece: &Piece<'_>, row: usize) -> Option<u32> {
        let column = piece.columns.get(self.fact as usize)?;
        match column.marks.get(row) {
            Some(super::Mark::Missing) => return self.odd,
            Some(super::Mark::Ill) => return None,
            Some(super::Mark::Here) | None => {}
        }
        let place = match column.cells {
            Cells::None => return self.odd,
            Cells::Places(places) => *places.get(row)? as usize,
            Cells::Few(places) => usize::from(*places.get(row)?),
            Cells::Numbers(_) => return None,
        };
        self.listed.get(place).copied().flatten()
    }
}

impl Models {
    /// Decides the rows that nobody objected to.
    pub(super) fn choose(&self, piece: &Piece<'_>, scratch: &mut Scratch, answers: &mut Answers<'_>) {
        let rows = answers.outcome.len();
        let Scratch { hand, open, hits, choice } = scratch;
        choice.own.resize_with(self.own.len(), Own::default);
        for (entries, own) in self.own.iter().zip(&mut choice.own) {
            if !entries.is_empty() {
                own.open.rows_mut(rows).copy_from_slice(open.rows(rows));
                let mut answers = Answers {
                    outcome: own.outcome.rows_mut(rows),
                    by: own.by.rows_mut(rows),
                    undecided: own.undecided.rows_mut(rows),
                    model: &mut [],
                };
                super::vote(entries, hand, piece, (&mut own.open, hits), &mut answers);
            }
        }
        let whens = self.requires.iter().map(|each| &each.when).chain(self.arms.iter().map(|arm| &arm.when));
        choice.truths.resize_with(self.requires.len().saturating_add(self.arms.len()), Lane::default);
        for (when, truths) in whens.zip(&mut choice.truths) {
            hand.agree(rows);
            if let Some(steps) = when {
                hand.run(steps, piece, rows);
            }
            truths.rows_mut(rows).copy_from_slice(hand.truth(rows));
        }
        choice.sign(rows);
        for (row, is_open) in open.rows(rows).iter().enumerate() {
            if *is_open {
                self.choose_one(piece, row, choice, answers);
            }
        }
    }

    fn choose_one(&self, piece: &Piece<'_>, row: usize, choice: &mut Choice, answers: &mut Answers<'_>) {
        let Choice { own, truths, signs, kinds } = choice;
        let of = Some((signs.at(row), self.canary.as_ref().and_then(|canary| canary.draw(piece, row))));
        // Fibonacci hashing: the high bits depend on all others.
        let place = signs.at(row).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - KIND_BITS);
        let Some(alike) = kinds.get_mut(place as usize) else { return };
        let present = || truths.iter().map(|truths| truths.at(row));
        if alike.of != of || (truths.len() > FEW && !present().eq(alike.truths.iter().copied())) {
            alike.of = of;
            alike.truths.clear();
            alike.truths.extend(present());
            self.list(alike);
        }
        let input = self.input.or_else(|| Some(piece.input.get(row)?.unsigned_abs())).unwrap_or(u64::MAX);
        let set = |answers: &mut Answers<'_>, outcome, by, undecided, model| {
            put(answers.outcome, row, outcome);
            put(answers.by, row, by);
            put(answers.undecided, row, undecided);
            put(answers.model, row, model);
        };
        for &model in &alike.candidates {
            let fits = self.fits.get(model as usize).copied().flatten().is_some_and(|most| input <= most);
            if !fits {
                continue;
            }
            if let Some(own) = own.get(model as usize)
                && self.own.get(model as usize).is_some_and(|entries| !entries.is_empty())
                && own.by.at(row) >= 0
            {
                return set(answers, own.outcome.at(row), own.by.at(row), own.undecided.at(row), -1);
            }
            return set(answers, Outcome::Allow, -1, false, i32::try_from(model).unwrap_or(-1));
        }
        set(answers, Outcome::Deny, i32::try_from(alike.denier).unwrap_or(i32::MAX), false, -1);
    }

    /// The place of a reason of the engine's own, behind the statements.
    fn built_in(&self, reason: BuiltIn) -> u32 {
        let place = BUILT_IN.iter().position(|each| *each == reason).unwrap_or(0);
        self.statements.saturating_add(u32::try_from(place).unwrap_or(0))
    }

    /// What such rows have in common.
    fn list(&self, alike: &mut Alike) {
        let Alike { of, truths, candidates, denier } = alike;
        let drawn = of.and_then(|(_, drawn)| drawn);
        candidates.clear();
        for (arm, truth) in self.arms.iter().zip(truths.iter().skip(self.requires.len())) {
            if *truth == YES {
                add(candidates, arm.model);
                arm.then.into_iter().for_each(|then| add(candidates, then));
            }
        }
        if candidates.is_empty() {
            candidates.extend(self.requested);
        }
        if let Some(drawn) = drawn {
            candidates.retain(|model| *model != drawn);
            candidates.insert(0, drawn);
        }
        let mut visited = 0_usize;
        while let Some(&model) = candidates.get(visited) {
            visited = visited.saturating_add(1);
            for (_, to) in self.fallbacks.iter().filter(|(from, _)| *from == model) {
                add(candidates, *to);
            }
        }
        let is_empty = candidates.is_empty();
        let holding = self.requires.iter().zip(truths.iter()).filter(|(_, truth)| **truth == YES);
        let meets = |require: &Require, model: u32| require.meets.get(model as usize) == Some(&true);
        let bars = |(require, _): &(&Require, &u8)| !candidates.iter().all(|model| meets(require, *model));
        let barring = holding.clone().filter(bars).map(|(require, _)| require.statement).min();
        candidates.retain(|model| holding.clone().all(|(require, _)| meets(require, *model)));
        *denier = match barring {
            _ if is_empty => self.built_in(BuiltIn::NoCandidate),
            Some(statement) => statement,
            None => self.built_in(BuiltIn::NoUsableModel),
        };
    }
}

impl Choice {
    /// Puts the truths of each row side by side, and forgets the rows before.
    fn sign(&mut self, rows: usize) {
        let Self { truths, signs, kinds, .. } = self;
        kinds.iter_mut().for_each(|alike| alike.of = None);
        signs.fill(0, rows);
        for truths in truths {
            for (sign, truth) in signs.rows_mut(rows).iter_mut().zip(truths.rows(rows)) {
                *sign = sign.rotate_left(2) ^ u64::from(*truth);
            }
        }
    }
}

fn add(candidates: &mut Vec<u32>, model: u32) {
    if !candidates.contains(&model) {
        candidates.push(model);
    }
}

fn put<T>(slots: &mut [T], row: usize, value: T) {
    if let Some(slot) = slots.get_mut(row) {
        *slot = value;
    }
}
