//! A run that nothing has happened to yet: what calls see that are decided as the first of a new run.

use std::sync::Arc;

use super::Run;
use crate::books::Books;
use crate::event::{Now, Scopes};
use crate::program::Program;

impl Run {
    /// A new run as its first call sees it.
    pub(crate) fn fresh(
        program: &Arc<Program>,
        (now, scopes): (Now, &Scopes<'_>),
        is_model_call: bool,
        books: &mut Books,
    ) -> Self {
        let mut run = Self::new(Arc::clone(program), 0, now, scopes, None, books);
        run.begin_event(now);
        run.look_around(books);
        run.steps = u64::from(is_model_call);
        run
    }
}
