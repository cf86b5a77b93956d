//! How events get into a run: straight into the engine, or as a host sends them, through the run's lock and
//! with a log.

use std::path::Path;
use std::sync::{Arc, Mutex};

use checkrein_host::Hosted;
use checkrein_records::{Audit, Ended, Log, Subject, Writer};
use policy_core::books::Books;
use policy_core::{Decision, EngineError, Now, Program, Run, Scopes, Settlement, Usage};

/// One run, and what is around it.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a run is where its host has it, without a box around it")]
pub(crate) enum Door {
    /// Nothing but the engine, and the books that it takes from.
    Engine(Run, Arc<Mutex<Books>>),
    /// What a host has, whose every event is written to a log.
    Host(Hosted, Arc<Log>),
}

impl Door {
    /// A run that has just begun, of these scopes.
    pub(crate) fn new(
        program: &Arc<Program>,
        books: &Arc<Mutex<Books>>,
        (now, scopes): (Now, &Scopes<'_>),
        log: Option<&Path>,
    ) -> Self {
        let begin = |program, books: &mut Books| Run::new(program, 1, now, scopes, None, books);
        let Some(path) = log else {
            let run = begin(Arc::clone(program), &mut books.lock().expect("no panic"));
            return Self::Engine(run, Arc::clone(books));
        };
        let log = Arc::new(Log::new(path, Audit::BestEffort));
        let head = "\"run-1\"\n\"run\":\"run-1\",\"session\":\"one\",\"user\":\"one\",\"org\":\"acme\"";
        let hosted = Hosted::alone(program, None, (now, "run-1"), |program, books| Ok(begin(program, books)));
        let hosted = hosted.expect("a run");
        let recorded = hosted.tell(|live| {
            live.record(|run| Writer::new(Arc::clone(&log), run, head, |_| "user:one".to_owned()));
            Ok(())
        });
        recorded.expect("a run that is whole");
        Self::Host(hosted, log)
    }

    /// One decision, about what the log calls `subject`, in the place that is lent for it.
    pub(crate) fn decide(
        &mut self,
        now: Now,
        subject: Subject<'_>,
        decision: &mut Decision,
        event: impl FnOnce(&mut Run, &mut Books, &mut Decision) -> Result<(), EngineError>,
    ) {
        match self {
            Self::Engine(run, books) => {
                event(run, &mut books.lock().expect("no panic"), decision).expect("a decision");
            }
            Self::Host(hosted, log) => {
                hosted.admit(now, subject, decision, event).expect("a decision");
                attend(log);
            }
        }
    }

    /// The settlement of an attempt that a decision has opened.
    pub(crate) fn settle(&mut self, now: Now, ended: Ended, usage: Usage) -> Settlement {
        match self {
            Self::Engine(run, books) => {
                let books = &mut books.lock().expect("no panic");
                run.settle(now, ended.attempt, usage, books).expect("it is settled")
            }
            Self::Host(hosted, log) => {
                let settlement = hosted.tell(|live| live.settle(now, ended, usage)).expect("it is settled");
                attend(log);
                settlement
            }
        }
    }

    /// Writes what the log has kept, so that it has room.
    pub(crate) fn empty(&self) {
        if let Self::Host(_, log) = self {
            log.flush().expect("a file that can be written");
        }
    }
}

/// What a host owes the log after each event.
fn attend(log: &Log) {
    if log.wants_attention() {
        assert_eq!(log.attend(), None, "every record is kept");
    }
}
