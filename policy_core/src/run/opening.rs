//! Which accounts a run draws on: found when it begins, by its limits, its parent and whom it is for.

use std::sync::Arc;

use super::accounts::Accounts;
use crate::books::{AccountId, Books, Failure, Terms, WindowKind};
use crate::event::{Now, Scopes};
use crate::program::{Entry, Index, Level, Program, Scope, bounded};
use crate::store::AccountKey;
use crate::typed::is_among;
use crate::value::MAX_QUANTITY;

impl Accounts {
    /// Opens every account that attempts of the run are checked against. A child takes from what its parent
    /// has too.
    pub(crate) fn open(
        program: &Program,
        scopes: &Scopes<'_>,
        parent: Option<&Self>,
        books: &mut Books,
        now: Now,
    ) -> Self {
        let Index { draws, meters, .. } = &program.index;
        let below = |above: &Self| Arc::clone(above.draws.below(&program.tables, meters));
        let draws = parent.map_or_else(|| Arc::clone(draws), below);
        let count = |limit: &u32| books.open_own(&whole(program.tables.limits.at(*limit).wrap_up), now);
        let mut wrap_ups: Vec<AccountId> = draws.own_wrap_ups.iter().map(count).collect();
        let mut open = |(place, entry): (u32, &Entry)| match draws.above(place) {
            Some(place) => parent.and_then(|parent| parent.account(place)),
            None => open(entry, program, scopes, books, now),
        };
        let open = |drawn| open(drawn).unwrap_or(AccountId::NOBODY);
        let all: Box<[_]> = (0..).zip(draws.entries()).map(open).collect();
        if let Some(parent) = parent {
            wrap_ups.extend(&parent.wrap_ups);
            parent.each().for_each(|account| books.retain(account));
        }
        Self { draws, all, wrap_ups: wrap_ups.into() }
    }

    fn each(&self) -> impl Iterator<Item = AccountId> {
        self.all.iter().copied().chain(self.wrap_ups.iter().copied())
    }

    /// Gives every account back.
    pub(crate) fn close(&mut self, books: &mut Books) {
        self.each().for_each(|account| books.close(account));
        *self = Self::default();
    }
}

/// Opens the account of an entry; none if the run has no id for the limit's scope.
fn open(
    entry: &Entry,
    program: &Program,
    scopes: &Scopes<'_>,
    books: &mut Books,
    now: Now,
) -> Option<AccountId> {
    let Some(limit) = entry.limit.map(|limit| program.tables.limits.at(limit)) else {
        return Some(books.open_own(&whole(MAX_QUANTITY), now));
    };
    let bound = limit.bounds.iter().find(|bound| bound.measure == entry.measure)?;
    let max = bounded(entry, bound.max);
    let terms = Terms { max, window: limit.window.clone(), failure: limit.failure };
    if entry.level == Level::Own {
        return Some(books.open_own(&terms, now));
    }
    // What is observed is counted apart, in this process: an account of a store has a bound. What tells the
    // two apart is no part of the name, which may be any text.
    let is_observed = entry.observed.is_some();
    let counted = if is_observed { "observed " } else { "" };
    let measure = format!("{counted}{}", program.measure_text(bound.measure));
    let (scope, window) = (program.scope_name(limit.scope), program.window_text(limit));
    let statement = program.tables.statements.at(limit.statement);
    let id = id_of(program, limit.scope, scopes)?;
    let key = AccountKey::new(scope, id, &statement.name, &measure, &window)?;
    Some(books.open(&key, &terms, !is_observed, now))
}

/// A bound for all of a run.
const fn whole(max: u64) -> Terms {
    Terms { max, window: WindowKind::Forever, failure: Failure::Spend }
}

/// The id that a limit's scope has in this run, if it can be one.
fn id_of<'a>(program: &Program, scope: Scope, scopes: &Scopes<'a>) -> Option<&'a str> {
    let id = match scope {
        Scope::Run => None,
        Scope::Session => scopes.session,
        Scope::User => scopes.user,
        Scope::Team => scopes.team,
        Scope::Org => scopes.org,
        Scope::Key(fact) => {
            let place = program.key_facts().binary_search(&fact).ok()?;
            let choices = &program.tables.facts.at(fact).choices;
            scopes.keys.get(place).copied().flatten().filter(|id| is_among(choices, id))
        }
    };
    id.filter(|id| !id.is_empty() && id.len() <= AccountKey::LONGEST_ID && !id.chars().any(char::is_control))
}
