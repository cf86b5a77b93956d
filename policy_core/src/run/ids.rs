//! Whom a run is for, as far as the policy reads it.

use std::sync::Arc;

use crate::event::Scopes;
use crate::fingerprint::xxh3_64;
use crate::program::{Program, Scope};

/// The ids that facts read, one for each of the program's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids(Box<[(Scope, Option<Arc<str>>)]>);

impl Ids {
    /// What the host says; of a child, all but its own id are its parent's.
    pub(super) fn of(program: &Program, scopes: &Scopes<'_>, parent: Option<&Self>) -> Self {
        let id = |scope: &Scope| {
            let said = match scope {
                Scope::Run => scopes.run,
                _ if parent.is_some() => parent.and_then(|parent| parent.of_scope(*scope)),
                Scope::Session => scopes.session,
                Scope::User => scopes.user,
                Scope::Team => scopes.team,
                Scope::Org => scopes.org,
                Scope::Key(_) => None,
            };
            (*scope, said.map(Arc::from))
        };
        Self(program.ids().iter().map(id).collect())
    }

    /// The id of a scope; none if the host gave none, or nothing reads it.
    pub(crate) fn of_scope(&self, scope: Scope) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == scope)?.1.as_deref()
    }

    /// The ids as a number.
    pub(super) fn fingerprint(&self, seed: u64) -> u64 {
        self.0.iter().fold(seed, |sum, (_, id)| match id {
            Some(id) => xxh3_64(id.as_bytes(), sum),
            None => sum,
        })
    }
}
