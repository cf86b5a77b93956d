//! Runs that nothing has happened to: what calls see that are decided as the first of a new run, and what
//! takes the place of a broken one.

use std::sync::Arc;

use super::Run;
use crate::books::Books;
use crate::event::{Now, Scopes};
use crate::program::Program;

impl Run {
    /// A run that is over and denies everything, in the place of this one, of which nothing is sure but how
    /// many decisions it gave.
    #[must_use]
    pub fn ended(&self, now: Now, books: &mut Books) -> Self {
        let program = Arc::clone(self.program());
        let mut run = Self::new(program, 0, now, &Scopes::default(), None, books);
        run.decisions = self.decisions;
        run.end(now, books);
        run
    }

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
