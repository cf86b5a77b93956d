//! What all records of a run have in them, rendered once.

use std::sync::Arc;

use policy_core::{Program, Scope};

use crate::json::Json;

/// Whose records they are, as JSON.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) program: Arc<Program>,
    /// The run's id, without the quote at its end.
    pub(crate) id: Box<str>,
    /// The members that say whose the run is.
    pub(crate) whose: Box<str>,
    /// The scope of each limit that is wider than a run.
    pub(crate) scopes: Box<[Box<str>]>,
}

impl Head {
    /// That of lines that were made elsewhere.
    pub(crate) fn of(program: Arc<Program>) -> Self {
        Self { program, id: Box::default(), whose: Box::default(), scopes: Box::default() }
    }

    /// `head` is JSON in two lines: the run's id, and the members that say whose it is. `scope` names the
    /// scope of a limit as `user:u1`.
    pub(crate) fn new(program: &Arc<Program>, head: &str, scope: impl Fn(Scope) -> String) -> Self {
        let (id, whose) = head.split_once('\n').unwrap_or_default();
        let wide = program.limits().iter().filter(|limit| limit.scope != Scope::Run);
        let scopes = wide.map(|limit| quoted(&scope(limit.scope)).into());
        Self {
            program: Arc::clone(program),
            id: id.strip_suffix('"').unwrap_or(id).into(),
            whose: whose.into(),
            scopes: scopes.collect(),
        }
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut bytes = Vec::new();
    Json(&mut bytes).text(text);
    String::from_utf8(bytes).unwrap_or_default()
}
