//! A run as a host has it: behind its lock, in the process that began it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use checkrein_records::Subject;
use checkrein_stores::{Ledger, StoreError};
use policy_core::books::Books;
use policy_core::{Decision, EngineError, Now, Program, Run};

use crate::guarded::{Broken, Guarded};
use crate::live::{Live, Shared, locked};
use crate::recorder::Recorder;

/// Why an event was refused. A refusal to run a call is none; that is a decision.
#[derive(Debug)]
pub enum Refused {
    /// The host misused the run.
    Misuse(EngineError),
    /// What the call would use can't be written down.
    Unready(StoreError),
    /// The run is a copy in another process.
    Forked,
    /// The ledger is one in another process.
    ForkedLedger,
    /// Another program than the parent's.
    OtherProgram,
    /// The engine failed inside the run.
    Broken,
}

impl Refused {
    /// A stable word for hosts.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Misuse(error) => error.kind(),
            Self::Unready(error) => error.kind.as_str(),
            Self::Forked | Self::ForkedLedger => "forked",
            Self::OtherProgram => "bad_value",
            Self::Broken => "internal",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(error) => error.fmt(formatter),
            Self::Unready(error) => error.fmt(formatter),
            Self::Forked => {
                formatter.write_str("this run is of another process: nobody adds up what a fork spends")
            }
            Self::ForkedLedger => formatter.write_str(
                "this process was forked without Python's `os.fork`, so its ledger is the parent's; load the \
                 policy again in the child",
            ),
            Self::OtherProgram => {
                formatter.write_str("a run and its parent have the same program; pass the parent's")
            }
            Self::Broken => formatter.write_str(
                "the engine failed inside this run, which now denies every call; report it as a bug",
            ),
        }
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Misuse(error)
    }
}

/// One run, which several threads may use in turn.
#[derive(Debug)]
pub struct Hosted {
    run: Guarded<Live>,
    program: Arc<Program>,
    ledger: Option<Arc<Ledger>>,
}

impl Hosted {
    /// A run that is no part of another: what `begin` makes, with the books of the ledger.
    ///
    /// # Errors
    /// [`Refused`] for a ledger of another process, and what `begin` finds wrong.
    pub fn alone(
        program: &Arc<Program>,
        ledger: Option<&Arc<Ledger>>,
        (now, id): (Now, &str),
        begin: impl FnOnce(Arc<Program>, &mut Books) -> Result<Run, EngineError>,
    ) -> Result<Self, Refused> {
        if ledger.is_some_and(|ledger| ledger.is_forked()) {
            return Err(Refused::ForkedLedger);
        }
        let own = || Arc::new(Mutex::new(Books::local()));
        let books = shared(ledger, program).map_or_else(own, |ledger| ledger.books());
        let mut run = begin(Arc::clone(program), &mut locked(&books))?;
        if let Some(ledger) = ledger {
            run = run.watching(&ledger.watched());
        }
        Ok(Self::new(program, (run, books), ledger.cloned(), (now, id)))
    }

    /// A part of this run: what `begin` makes.
    ///
    /// # Errors
    /// [`Refused`] for another program, and for a run that is broken or of another process.
    pub fn below(
        &self,
        program: &Arc<Program>,
        (now, id): (Now, &str),
        begin: impl FnOnce(Arc<Program>, &Run, &mut Books) -> Result<Run, EngineError>,
    ) -> Result<Self, Refused> {
        if !Arc::ptr_eq(&self.program, program) {
            return Err(Refused::OtherProgram);
        }
        let begin = |run: &mut Run, books: &mut Books| begin(Arc::clone(program), run, books);
        let begun = self.tell(|live| Ok((live.event(begin)?, live.books())))?;
        Ok(Self::new(program, begun, self.ledger.clone(), (now, id)))
    }

    fn new(
        program: &Arc<Program>,
        (run, books): (Run, Shared),
        ledger: Option<Arc<Ledger>>,
        (now, id): (Now, &str),
    ) -> Self {
        let recorder =
            |ledger: &Arc<Ledger>| Recorder::new(Arc::clone(ledger), Arc::clone(program), id.to_owned());
        let store = shared(ledger.as_ref(), program).map(|ledger| (Arc::clone(ledger), recorder(ledger)));
        let run = Guarded::new(Live::new(run, books, store, now));
        Self { run, program: Arc::clone(program), ledger }
    }

    /// The program that governs the run.
    #[must_use]
    pub const fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// An event that a broken run answers too.
    ///
    /// # Errors
    /// [`Refused`], as the event says or since it is no business of this process.
    pub fn ask<T>(&self, event: impl FnOnce(&mut Live) -> Result<T, EngineError>) -> Result<T, Refused> {
        self.run.ask(Live::ended, |live| own(live, event)).unwrap_or_else(broken)
    }

    /// An event that needs what the run knows.
    ///
    /// # Errors
    /// [`Refused`], as for `ask`, and for a broken run.
    pub fn tell<T>(&self, event: impl FnOnce(&mut Live) -> Result<T, EngineError>) -> Result<T, Refused> {
        self.run.tell(Live::ended, |live| own(live, event)).unwrap_or_else(broken)
    }

    /// An admission: what the call would use has to have its place in a journal, if there is one. It is
    /// decided in the place that the caller lends: a decision is large, and each layer that took it would
    /// copy it.
    ///
    /// # Errors
    /// [`Refused`], as for `ask`, and for a journal that is full.
    pub fn admit(
        &self,
        now: Now,
        subject: Subject<'_>,
        decision: &mut Decision,
        event: impl FnOnce(&mut Run, &mut Books, &mut Decision) -> Result<(), EngineError>,
    ) -> Result<(), Refused> {
        let admit = |live: &mut Live| {
            live.ready().map_err(Refused::Unready)?;
            own(live, |live| live.admit(now, subject, decision, event))
        };
        self.run.ask(Live::ended, admit).unwrap_or_else(broken)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // There is nobody to tell of a bug of the engine, and unwinding out of here would end the process.
        let _bug = catch_unwind(AssertUnwindSafe(|| self.run.last().release()));
    }
}

/// The ledger whose books the runs of a program take from, if others take from them too: a run has books of
/// its own, and so a lock, where neither a store nor another run has to know.
fn shared<'a>(ledger: Option<&'a Arc<Ledger>>, program: &Program) -> Option<&'a Arc<Ledger>> {
    ledger.filter(|ledger| ledger.has_store() || program.is_wide())
}

fn own<T>(live: &mut Live, event: impl FnOnce(&mut Live) -> Result<T, EngineError>) -> Result<T, Refused> {
    if live.is_forked() { Err(Refused::Forked) } else { event(live).map_err(Refused::Misuse) }
}

fn broken<T>(_: Broken) -> Result<T, Refused> {
    Err(Refused::Broken)
}
