//! What the records of one run have in common, and how each is kept.

use std::sync::Arc;

use policy_core::books::Books;
use policy_core::{Decision, ErrorKind, Program, Run, Scope, Settlement};

use crate::batch::{About, Beside, Charged, Stand};
use crate::json::Json;
use crate::log::Log;

/// Keeps the records of one run. It is used under the run's lock.
#[derive(Debug)]
pub struct Writer {
    log: Arc<Log>,
    program: Arc<Program>,
    head: Vec<u8>,
    before: Vec<Stand>,
    after: Vec<Stand>,
}

impl Writer {
    /// `head` is JSON in two lines: the run's id, and the members that say whose it is. `scope` names the
    /// scope of a limit as `user:u1`.
    #[must_use]
    pub fn new(log: Arc<Log>, program: Arc<Program>, head: &str, scope: impl Fn(Scope) -> String) -> Self {
        let mut bytes = head.as_bytes().to_vec();
        for limit in program.limits().iter().filter(|limit| limit.scope != Scope::Run) {
            bytes.push(b'\n');
            Json(&mut bytes).text(&scope(limit.scope));
        }
        let bounds = program.limits().iter().map(|limit| limit.bounds.len()).sum();
        let (before, after) = (Vec::with_capacity(bounds), Vec::with_capacity(bounds));
        Self { log, program, head: bytes, before, after }
    }

    /// The log that the records go to.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Looks at the limits before an event.
    pub fn before(&mut self, run: &Run, books: &Books) {
        self.before.clear();
        run.stand(books, &mut self.before);
    }

    /// Looks at the limits after it.
    pub fn after(&mut self, run: &Run, books: &Books) {
        self.after.clear();
        run.stand(books, &mut self.after);
    }

    /// Keeps a decision, with the error that it answers.
    pub fn decision(&self, wall: u64, subject: &str, error: Option<ErrorKind>, decision: &Decision) {
        let about = About::Decision { decision: decision.clone(), error };
        let beside = Beside { before: &self.before, ..self.beside(subject) };
        self.log.push(about, wall, &beside);
    }

    /// Keeps what the attempt of a decision was charged: `(number of the decision, attempt)`, by which usage.
    pub fn charge(
        &self,
        wall: u64,
        charged: Charged,
        (number, attempt): (u64, u64),
        usage: &'static str,
        settlement: Settlement,
    ) {
        let about = About::Charge { charged, number, attempt, usage, settlement };
        self.log.push(about, wall, &self.beside(""));
    }

    fn beside<'a>(&'a self, subject: &'a str) -> Beside<'a> {
        let (head, subject) = (self.head.as_slice(), subject.as_bytes());
        Beside { program: Some(&self.program), head, subject, before: &[], after: &self.after }
    }
}
