//! What each rule is found by, for people: worked out anew from the tables, since a walk needs none of it.

use std::sync::Arc;

use super::clauses::Clause;
use super::forest::Forest;
use super::mark::{Mark, Values};
use super::plant::Planted;
use super::plant_rules;
use crate::program::Selector;
use crate::program::tables::Tables;

/// How the index finds a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule's statement, an index.
    pub statement: u32,
    /// The calls that it looks at.
    pub selector: Selector,
    /// What it is found by: of each of these, one has to hold. If there are none, it runs at every call.
    pub by: Vec<Vec<Sought>>,
    /// Why it is found by nothing, if so.
    pub why: Option<Plain>,
}

/// Why a rule runs at every call that its selector takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// It has no condition.
    Unconditional,
    /// Its condition may hold whatever the value of any one fact is.
    Open,
    /// It is one of few rules, or its condition rules little out.
    Few,
}

/// Values of one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The fact, an index.
    pub fact: u32,
    /// The values; none if the fact must be missing.
    pub values: Vec<Range>,
}

/// One or several values of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// Every one, if the fact is there.
    Any,
    /// Numbers from here to there, both included; a flag is 0 or 1.
    Numbers(i64, i64),
    /// One text.
    Text(Arc<str>),
    /// The texts that begin so.
    Beginning(Arc<str>),
}

impl From<&Mark> for Sought {
    fn from(mark: &Mark) -> Self {
        let values = match &mark.values {
            Values::None => Vec::new(),
            Values::All => vec![Range::Any],
            Values::Numbers(pieces) => pieces.iter().map(|(from, to)| Range::Numbers(*from, *to)).collect(),
            Values::Texts(pieces) => {
                let range =
                    if pieces.iter().any(|piece| piece.is_prefix) { Range::Beginning } else { Range::Text };
                pieces.iter().map(|piece| range(Arc::clone(&piece.text))).collect()
            }
        };
        Self { fact: mark.fact, values }
    }
}

/// Every rule, in the order of statements.
pub(crate) fn found(tables: &Tables) -> Vec<Found> {
    let mut found = Vec::new();
    let told = |planted: &Planted, clauses: &[Clause]| {
        let rule = tables.rules.at(planted.rule);
        let by: Vec<Vec<Sought>> =
            planted.path(clauses).map(|clause| clause.iter().map(Sought::from).collect()).collect();
        let why = match rule.when {
            _ if !by.is_empty() => None,
            None => Some(Plain::Unconditional),
            Some(_) if planted.is_open() => Some(Plain::Open),
            Some(_) => Some(Plain::Few),
        };
        found.push(Found { statement: rule.statement, selector: rule.selector, by, why });
    };
    plant_rules(tables, &mut Forest::default(), true, told);
    found.sort_by_key(|each| each.statement);
    found
}
