//! Which statements look at the calls of a batch, in the order in which they would win.

use std::sync::Arc;

use super::lanes::{self, Lane, NO, OPEN, YES};
use super::leaves::Witness;
use super::steps::{Hand, Steps};
use super::{Answers, Cells, Column, Piece, Values};
use crate::books::Books;
use crate::decision::Outcome;
use crate::error::EngineError;
use crate::event::{Now, Scopes};
use crate::facts::CallFacts;
use crate::program::{Condition, Program, Rule, Selector, Verdict};
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
        (now, scopes): (Now, &Scopes<'_>),
        (name, tool): (&str, u32),
        values: &[Values<'_>],
    ) -> Result<Self, EngineError> {
        let tables = &program.tables;
        let class = tables.tools.at(tool).class;
        let concerns = |rule: &&Rule| match rule.selector {
            Selector::AnyTool => true,
            Selector::Tool(named) => named == tool,
            Selector::Class(of) => of == class,
            Selector::AnyModel | Selector::Model(_) => false,
        };
        // A new run knows no results.
        let votes = |rule: &&Rule| rule.verdict != Verdict::Reuse && !program.is_observed(rule.statement);
        let rules: Vec<&Rule> = tables.rules.all().iter().filter(concerns).filter(votes).collect();
        let conditions = rules.iter().filter_map(|rule| Some(tables.conditions.at(rule.when?)));
        let tested = conditions.flat_map(|condition| condition.facts.iter().copied());
        let templates = rules.iter().filter_map(|rule| Some(tables.templates.at(rule.verdict.template()?)));
        let mut reads: Vec<u32> = tested.chain(templates.flat_map(|template| template.facts())).collect();
        reads.sort_unstable();
        reads.dedup();
        let mut books = Books::local();
        let run = Run::fresh(program, now, scopes, &mut books);
        let call = CallFacts {
            attempt: 1,
            model: None,
            named: None,
            tool: Some(name),
            input_tokens: None,
            most_output: None,
        };
        let witness = Witness { program, run: &run, books: &books, call, values, reads: &reads };
        let mut entries = Vec::with_capacity(rules.len());
        for rule in rules {
            witness.enter(rule, &mut entries)?;
        }
        entries.sort_by_key(|entry: &Entry| (std::cmp::Reverse(entry.outcome), entry.statement));
        let asks = entries.iter().any(|entry| matches!(entry.gate, Gate::Unsafe));
        let kind = |fact: &u32| match values.get(*fact as usize) {
            Some(Values::Numbers) => Kind::Numbers,
            Some(Values::Among(_)) => Kind::Among,
            Some(Values::One(_)) | None => Kind::One,
        };
        let range = |fact: &u32| range(tables.facts.at(*fact).dimension);
        Ok(Self {
            entries: entries.into(),
            kinds: reads.iter().map(kind).collect(),
            ranges: reads.iter().map(range).collect(),
            asks,
            reads: reads.into(),
        })
    }
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
    /// The ways of a rule about a tool.
    fn enter(&self, rule: &Rule, entries: &mut Vec<Entry>) -> Result<(), EngineError> {
        let tables = &self.program.tables;
        let mut enter = |outcome, gate| -> Result<(), EngineError> {
            let condition: Option<&Condition> = rule.when.map(|when| tables.conditions.at(when));
            let when = condition.map(|condition| Steps::of(condition, self)).transpose()?;
            entries.push(Entry { statement: rule.statement, outcome, when, gate });
            Ok(())
        };
        match rule.verdict {
            Verdict::Answer(template) => {
                let facts = || tables.templates.at(template).facts();
                if facts().next().is_none() {
                    return enter(Outcome::Deny, Gate::Always);
                }
                enter(Outcome::Deny, Gate::Untold(Steps::told(facts(), self)?))?;
                enter(Outcome::Deny, Gate::Told(Steps::told(facts(), self)?))
            }
            Verdict::Escalate(..) => {
                enter(Outcome::Deny, Gate::Unsafe)?;
                enter(Outcome::Escalate, Gate::Safe)
            }
            verdict => enter(verdict.outcome(), Gate::Always),
        }
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
            Gate::Always => hits.fill(true),
            Gate::Told(steps) | Gate::Untold(steps) => {
                hand.run(steps, piece.columns, rows);
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
            Some(steps) => hand.run(steps, piece.columns, rows),
            None => hand.agree(rows),
        }
        lanes::keep(hits, hand.truth(rows), open.rows(rows), |truth| truth != NO)
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
