//! Which accounts a run draws on: found when it begins, by its limits, its parent and whom it is for.

use super::accounts::{Accounts, Entry, Level};
use super::amounts::Column;
use crate::books::{AccountId, Books, Failure, Terms, WindowKind};
use crate::event::{Now, Scopes};
use crate::program::{Basis, Bound, Limit, Measure, Program, Scope};
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
        let mut opened = Self::default();
        for (index, limit) in program.tables.limits.numbered() {
            if limit.scope == Scope::Run {
                opened.open_own(program, index, limit, books, now);
            } else if parent.is_none() {
                opened.open_wider(program, index, limit, scopes, books, now);
            }
        }
        for &measure in &program.index.meters {
            opened.open_meter(measure, program, books, now);
        }
        if let Some(parent) = parent {
            opened.inherit(parent, books);
        }
        opened.entries.shrink_to_fit();
        opened.entries.sort_by_key(|entry| entry.limit.unwrap_or(u32::MAX));
        opened.observes = opened.entries.iter().any(|entry| entry.observed.is_some());
        opened
    }

    fn open_own(&mut self, program: &Program, index: u32, limit: &Limit, books: &mut Books, now: Now) {
        let is_observed = program.is_observed(limit.statement);
        let wrap_up = (limit.wrap_up > 0).then(|| books.open_own(&whole(limit.wrap_up), now));
        self.wrap_ups.extend(wrap_up);
        self.has_windows |= limit.window != WindowKind::Forever;
        for bound in limit.bounds.iter().filter(|bound| !bound.measure.is_time()) {
            let account = Some(books.open_own(&terms(limit, bound, is_observed), now));
            self.push((index, limit, bound), is_observed, Level::Own, wrap_up, account);
        }
    }

    fn open_wider(
        &mut self,
        program: &Program,
        index: u32,
        limit: &Limit,
        scopes: &Scopes<'_>,
        books: &mut Books,
        now: Now,
    ) {
        self.has_windows = true;
        let id = id_of(program, limit.scope, scopes);
        let statement = program.tables.statements.at(limit.statement);
        // What is observed is counted apart, in this process: an account of a store has a bound. What tells
        // the two apart is no part of the name, which may be any text.
        let is_observed = statement.is_observed;
        let counted = if is_observed { "observed " } else { "" };
        for bound in &limit.bounds {
            let key = id.and_then(|id| {
                let measure = format!("{counted}{}", program.measure_text(bound.measure));
                let window = program.window_text(limit);
                AccountKey::new(program.scope_name(limit.scope), id, &statement.name, &measure, &window)
            });
            let terms = terms(limit, bound, is_observed);
            let account = key.map(|key| books.open(&key, &terms, !is_observed, now));
            self.push((index, limit, bound), is_observed, Level::Wider, None, account);
        }
    }

    fn push(
        &mut self,
        (index, limit, bound): (u32, &Limit, &Bound),
        is_observed: bool,
        level: Level,
        wrap_up: Option<AccountId>,
        account: Option<AccountId>,
    ) {
        self.entries.push(Entry {
            limit: Some(index),
            measure: bound.measure,
            column: Column::of(bound.measure, limit.basis_of(bound.measure)),
            basis: limit.basis_of(bound.measure),
            level,
            withheld: bound.withheld,
            wrap_up,
            account,
            observed: is_observed.then_some(bound.max),
        });
    }

    /// What conditions read of a measure: an account of the run that counts all of it, or a new one.
    fn open_meter(&mut self, measure: Measure, program: &Program, books: &mut Books, now: Now) {
        let counts_all = |entry: &&Entry| {
            let window = entry.limit.map(|limit| &program.tables.limits.at(limit).window);
            entry.level == Level::Own
                && entry.measure == measure
                && (measure.is_amount() || entry.basis == Basis::Attempted)
                && window == Some(&WindowKind::Forever)
        };
        let known = self.entries.iter().find(counts_all).and_then(|entry| entry.account);
        let account = known.unwrap_or_else(|| {
            let account = books.open_own(&whole(MAX_QUANTITY), now);
            self.entries.push(Entry {
                limit: None,
                measure,
                column: Column::of(measure, Basis::Attempted),
                basis: Basis::Attempted,
                level: Level::Own,
                withheld: 0,
                wrap_up: None,
                account: Some(account),
                observed: None,
            });
            account
        });
        self.meters.push(account);
    }

    fn inherit(&mut self, parent: &Self, books: &mut Books) {
        self.has_windows |= parent.has_windows;
        for entry in &parent.entries {
            let level = if entry.level == Level::Wider { Level::Wider } else { Level::Ancestor };
            self.entries.push(Entry { level, ..*entry });
        }
        self.wrap_ups.extend(&parent.wrap_ups);
        let accounts = parent.entries.iter().filter_map(|entry| entry.account);
        accounts.chain(parent.wrap_ups.iter().copied()).for_each(|account| books.retain(account));
    }

    /// Gives every account back.
    pub(crate) fn close(&mut self, books: &mut Books) {
        let accounts = self.entries.iter().filter_map(|entry| entry.account);
        accounts.chain(self.wrap_ups.iter().copied()).for_each(|account| books.close(account));
        *self = Self::default();
    }
}

fn terms(limit: &Limit, bound: &Bound, is_observed: bool) -> Terms {
    let max = if is_observed { MAX_QUANTITY } else { bound.max };
    Terms { max, window: limit.window.clone(), failure: limit.failure }
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
