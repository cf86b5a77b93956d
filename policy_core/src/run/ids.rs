//! Whom a run is for, as far as the policy reads it.

use std::sync::Arc;

use crate::event::Scopes;
use crate::fingerprint::xxh3_64;
use crate::program::{Program, Scope};

/// Whom it is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The ids that facts read, one for each of the program's.
    read: Box<[(Scope, Option<Arc<str>>)]>,
    /// What names the session under this program, if the run has one and it matters which model served it.
    session: Option<u64>,
}

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
        let mut ids = Self { read: program.ids().iter().map(id).collect(), session: None };
        let session = ids.of_scope(Scope::Session).filter(|_| program.index.sticks);
        ids.session = session.map(|id| xxh3_64(id.as_bytes(), xxh3_64(program.meaning(), 0)));
        ids
    }

    /// What the models that serve the session are known by.
    pub(super) const fn session(&self) -> Option<u64> {
        self.session
    }

    /// The id of a scope; none if the host gave none, or nothing reads it.
    pub(crate) fn of_scope(&self, scope: Scope) -> Option<&str> {
        self.read.iter().find(|(known, _)| *known == scope)?.1.as_deref()
    }

    /// The ids as a number.
    pub(super) fn fingerprint(&self, seed: u64) -> u64 {
        self.read.iter().fold(seed, |sum, (_, id)| match id {
            Some(id) => xxh3_64(id.as_bytes(), sum),
            None => sum,
        })
    }
}
