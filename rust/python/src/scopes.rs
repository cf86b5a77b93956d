//! Whose run it is: the ids under which limits wider than a run add up what is spent.

use policy_core::store::AccountKey;
use policy_core::{Program, Scope};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors;

/// The ids of one run, as owned texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The run's own.
    pub(crate) run: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) org: Option<String>,
    /// One for each of the program's key facts.
    pub(crate) keys: Vec<Option<String>>,
}

impl Ids {
    /// The ids that the host gives; the keys are read by the names of facts.
    ///
    /// # Errors
    /// `EngineError` for an id that can name no account.
    pub(crate) fn read(
        program: &Program,
        run: &str,
        words: [Option<&Bound<'_, PyString>>; 4],
        keys: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let [session, user, team, org] = words;
        let read = |scope: &str, id: Option<&Bound<'_, PyString>>| id.map(|id| text(scope, id)).transpose();
        let mut ids = Self {
            run: given(run),
            session: read("session", session)?,
            user: read("user", user)?,
            team: read("team", team)?,
            org: read("org", org)?,
            keys: Vec::new(),
        };
        for fact in program.key_facts() {
            let name = program.scope_name(Scope::Key(*fact));
            let found = keys.map(|keys| keys.get_item(name)).transpose()?.flatten();
            ids.keys.push(read(name, found.as_ref().map(|id| id.cast::<PyString>()).transpose()?)?);
        }
        Ok(ids)
    }

    /// The ids as the engine takes them, while `with` runs.
    pub(crate) fn lend<T>(&self, with: impl FnOnce(&policy_core::Scopes<'_>) -> T) -> T {
        let keys: Vec<_> = self.keys.iter().map(Option::as_deref).collect();
        with(&policy_core::Scopes {
            run: self.run.as_deref(),
            session: self.session.as_deref(),
            user: self.user.as_deref(),
            team: self.team.as_deref(),
            org: self.org.as_deref(),
            keys: &keys,
        })
    }

    /// Those of a child with this id.
    pub(crate) fn of_child(&self, run: &str) -> Self {
        Self { run: given(run), ..self.clone() }
    }

    /// `user:u1`; the scope's name alone if there is no id, or no need of one.
    pub(crate) fn named(&self, program: &Program, scope: Scope) -> String {
        let id = match scope {
            Scope::Run => None,
            Scope::Session => self.session.as_deref(),
            Scope::User => self.user.as_deref(),
            Scope::Team => self.team.as_deref(),
            Scope::Org => self.org.as_deref(),
            Scope::Key(fact) => {
                let place = program.key_facts().binary_search(&fact).ok();
                place.and_then(|place| self.keys.get(place)).and_then(Option::as_deref)
            }
        };
        let name = program.scope_name(scope);
        id.map_or_else(|| name.to_owned(), |id| format!("{name}:{id}"))
    }
}

fn given(run: &str) -> Option<String> {
    (!run.is_empty()).then(|| run.to_owned())
}

fn text(scope: &str, id: &Bound<'_, PyString>) -> PyResult<String> {
    let names = |id: &&str| {
        !id.is_empty()
            && id.len() <= AccountKey::LONGEST_ID
            && AccountKey::new(scope, id, "", "", "").is_some()
    };
    let text = id.to_str().ok().filter(names);
    text.map(str::to_owned).ok_or_else(|| {
        let longest = AccountKey::LONGEST_ID;
        let message = format!(
            "the id of `{scope}` names no account: it is empty, longer than {longest} bytes, or has \
             characters that cannot be printed"
        );
        errors::engine_error(id.py(), "bad_value", message)
    })
}
