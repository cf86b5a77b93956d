//! Which statements look at the calls of a batch, in the order in which they would win.

use std::cmp::Reverse;
use std::sync::Arc;

use super::lanes::{self, Lane, OPEN, YES};
use super::leaves::Witness;
use super::models::Models;
use super::steps::{Hand, Steps};
use super::{Answers, Cells, Column, Piece, Values};
use crate::books::Books;
use crate::decision::Outcome;
use crate::error::EngineError;
use crate::event::{Now, Scopes};
use crate::facts::CallFacts;
use crate::program::{Program, Rule, Selector, Verdict};
use crate::run::Run;
use crate::value::{Dimension, MAX_NUMBER};

/// What is asked of each row: the first of the entries that hits decides.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) entries: Box<[Entry]>,
    /// The facts that are read, ascending, how each comes, and the numbers that each admits.
    pub(super) reads: Box<[u32]>,
    pub(super) kinds: Box<[Kind]>,
    pub(super) ranges: Box<[(i64, i64)]>,
    /// A person may be asked, which is not done about arguments that not everybody reads alike.
    pub(super) asks: bool,
    /// What chooses a model, for model calls.
    pub(super) models: Option<Models>,
}

/// How the values of a fact come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    One,
    Numbers,
    Among,
}

impl Kind {
    pub(super) fn length(self, column: &Column<'_>) -> Option<usize> {
        match (self, column.cells) {
            (Self::Numbers, Cells::Numbers(numbers)) => Some(numbers.len()),
            (Self::Among, Cells::Places(places)) => Some(places.len()),
            (Self::Among, Cells::Few(places)) => Some(places.len()),
            _ => None,
        }
    }
}

/// A way in which a statement may vote.
#[derive(Debug)]
pub(super) struct Entry {
    statement: u32,
    outcome: Outcome,
    when: Option<Steps>,
    gate: Gate,
}

/// For which rows it is the way. The other way of the statement denies, undecided.
#[derive(Debug)]
enum Gate {
    Always,
    /// What it says can be told.
    Told(Steps),
    Untold(Steps),
    /// Everybody reads the arguments alike.
    Safe,
    Unsafe,
    /// Its condition is unknown.
    Open,
}

impl Gate {
    /// Whether a row that comes this way cannot be decided, whatever its condition.
    const fn is_undecided(&self) -> bool {
        matches!(self, Self::Untold(_) | Self::Unsafe)
    }
}

impl Plan {
    pub(super) fn of_tool(
        program: &Arc<Program>,
        new: (Now, &Scopes<'_>),
        tool: u32,
        values: &[Values<'_>],
    ) -> Result<Self, EngineError> {
        let class = program.tables.tools.at(tool).class;
        let concerns = |selector| match selector {
            Selector::AnyTool => true,
            Selector::Tool(named) => named == tool,
            Selector::Class(of) => of == class,
            Selector::AnyModel | Selector::Model(_) => false,
        };
        let rules = voting(program, concerns);
        let reads = read_by(program, &rules, []);
        let (mut books, call) =
            (Books::local(), CallFacts { tool: Some(program.tables.tools.at(tool)), ..CallFacts::FIRST });
        let run = Run::fresh(program, new, false, &mut books);
        let (run, books, reads) = (&run, &books, &*reads);
        let witness = Witness { program, run, books, call, values, reads, model: None, varies: false };
        let entries = witness.ranked(&rules, Vec::new())?;
        Ok(Self::of(&witness, entries, None))
    }

    pub(super) fn of(witness: &Witness<'_>, entries: Box<[Entry]>, models: Option<Models>) -> Self {
        let kind = |fact: &u32| match witness.values.get(*fact as usize) {
            Some(Values::Numbers) => Kind::Numbers,
            Some(Values::Among(_)) => Kind::Among,
            Some(Values::One(_)) | None => Kind::One,
        };
        let range = |fact: &u32| range(witness.program.tables.facts.at(*fact).dimension);
        Self {
            kinds: witness.reads.iter().map(kind).collect(),
            ranges: witness.reads.iter().map(range).collect(),
            asks: entries.iter().any(|entry| matches!(entry.gate, Gate::Unsafe)),
            reads: witness.reads.into(),
            entries,
            models,
        }
    }
}

/// The rules that may vote on these calls: a new run knows no results.
pub(super) fn voting(program: &Program, concerns: impl Fn(Selector) -> bool) -> Vec<&Rule> {
    let votes = |rule: &&Rule| rule.verdict != Verdict::Reuse && !program.is_observed(rule.statement);
    program.tables.rules.all().iter().filter(|rule| concerns(rule.selector)).filter(votes).collect()
}

/// The facts that rules and other conditions read, ascending.
pub(super) fn read_by<const N: usize>(
    program: &Program,
    rules: &[&Rule],
    others: [Vec<u32>; N],
) -> Box<[u32]> {
    let tables = &program.tables;
    let conditions = rules.iter().filter_map(|rule| rule.when).chain(others.into_iter().flatten());
    let tested = conditions.flat_map(|when| tables.conditions.at(when).facts.iter().copied());
    let templates = rules.iter().filter_map(|rule| Some(tables.templates.at(rule.verdict.template()?)));
    let mut reads: Vec<u32> = tested.chain(templates.flat_map(|template| template.facts())).collect();
    reads.sort_unstable();
    reads.dedup();
    reads.into()
}

/// The least and the most that a dimension admits.
const fn range(dimension: Dimension) -> (i64, i64) {
    match dimension {
        Dimension::Count | Dimension::Money => (-MAX_NUMBER, MAX_NUMBER),
        Dimension::Percent => (0, 1_000_000),
        Dimension::Tokens | Dimension::Duration | Dimension::Text | Dimension::Flag => (0, MAX_NUMBER),
    }
}

impl Witness<'_> {
    /// The ways of these rules, and others, in the order in which they win.
    pub(super) fn ranked(
        &self,
        rules: &[&Rule],
        mut entries: Vec<Entry>,
    ) -> Result<Box<[Entry]>, EngineError> {
        for rule in rules {
            self.enter(rule, &mut entries)?;
        }
        entries.sort_by_key(|entry: &Entry| (Reverse(entry.outcome), entry.statement));
        Ok(entries.into())
    }

    pub(super) fn steps(&self, when: Option<u32>) -> Result<Option<Steps>, EngineError> {
        when.map(|when| Steps::of(self.program.tables.conditions.at(when), self)).transpose()
    }

    /// The ways of a rule.
    fn enter(&self, rule: &Rule, entries: &mut Vec<Entry>) -> Result<(), EngineError> {
        let mut enter = |outcome, gate| -> Result<(), EngineError> {
            let when = self.steps(rule.when)?;
            entries.push(Entry { statement: rule.statement, outcome, when, gate });
            Ok(())
        };
        match rule.verdict {
            Verdict::Answer(template) => {
                let facts: Vec<u32> = self.program.tables.templates.at(template).facts().collect();
                if facts.is_empty() {
                    return enter(Outcome::Answer, Gate::Always);
                }
                enter(Outcome::Deny, Gate::Untold(Steps::told(&facts, self)?))?;
                enter(Outcome::Answer, Gate::Told(Steps::told(&facts, self)?))
            }
            Verdict::Escalate(..) if self.call.tool.is_some() => {
                enter(Outcome::Deny, Gate::Unsafe)?;
                enter(Outcome::Escalate, Gate::Safe)
            }
            verdict => enter(verdict.outcome(), Gate::Always),
        }
    }

    /// A requirement that cannot be decided denies.
    pub(super) fn open_requirement(&self, statement: u32, when: u32) -> Result<Entry, EngineError> {
        let when = self.steps(Some(when))?;
        Ok(Entry { statement, outcome: Outcome::Deny, when, gate: Gate::Open })
    }
}

impl Entry {
    /// The open rows that it decides, as `hits`; gives how many they are.
    pub(super) fn find(
        &self,
        hand: &mut Hand,
        piece: &Piece<'_>,
        (open, hits): (&Lane<bool>, &mut Lane<bool>),
        rows: usize,
    ) -> usize {
        let hits = hits.rows_mut(rows);
        match &self.gate {
            Gate::Always | Gate::Open => hits.fill(true),
            Gate::Told(steps) | Gate::Untold(steps) => {
                hand.run(steps, piece, rows);
                let is_told = matches!(self.gate, Gate::Told(_));
                lanes::each_is(hand.truth(rows), hits, |truth| (truth == YES) == is_told);
            }
            Gate::Safe | Gate::Unsafe => {
                let wanted = matches!(self.gate, Gate::Unsafe);
                if piece.is_unsafe.is_empty() {
                    if wanted {
                        return 0;
                    }
                    hits.fill(true);
                } else {
                    lanes::each_is(piece.is_unsafe, hits, |is_unsafe| is_unsafe == wanted);
                }
            }
        }
        match &self.when {
            Some(steps) => hand.run(steps, piece, rows),
            None => hand.agree(rows),
        }
        let is_open = matches!(self.gate, Gate::Open);
        let least = if is_open { [OPEN, OPEN] } else { [OPEN, YES] };
        lanes::keep(hits, hand.truth(rows), open.rows(rows), least)
    }

    /// Writes what it decides about the rows that hit.
    pub(super) fn say(&self, hits: &[bool], truths: &[u8], answers: &mut Answers<'_>) {
        let by = i32::try_from(self.statement).unwrap_or(i32::MAX);
        lanes::put(answers.outcome, hits, self.outcome);
        lanes::put(answers.by, hits, by);
        let always = self.gate.is_undecided();
        for ((undecided, hit), truth) in answers.undecided.iter_mut().zip(hits).zip(truths) {
            *undecided |= *hit && (always || *truth == OPEN);
        }
    }
}
