//! One run with the books that its money is in: what the run's lock protects.
//!
//! Lock order: a run, then its parent never, then the books; inside the engine, for moments, what a family
//! remembers and how what it calls fares. Nothing here waits for a store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use checkrein_records::{Charged, Ended, Subject, Writer, forks};
use checkrein_stores::{Ledger, StoreError};
use policy_core::books::Books;
use policy_core::{Decision, EngineError, Failure, Now, Outcome, Reply, Returned, Run, Settlement, Usage};

use crate::recorder::Recorder;

/// Books that the runs of a process share.
pub(crate) type Shared = Arc<Mutex<Books>>;

/// A run, its books, and the ledger that the books belong to, if there is a store.
#[derive(Debug)]
pub struct Live {
    /// The run; what touches money goes by [`Live::event`].
    pub run: Run,
    books: Shared,
    store: Option<Store>,
    records: Option<Writer>,
    /// When the latest event was.
    latest: Now,
}

#[derive(Debug)]
struct Store {
    ledger: Arc<Ledger>,
    /// Of a ledger that outlives this process: others keep nothing of an attempt.
    recorder: Option<Recorder>,
    /// How often the process had been forked: a fork has another copy of the books, which it may not touch.
    forks: u64,
}

impl Live {
    /// A run whose money is in `books`.
    pub(crate) fn new(run: Run, books: Shared, ledger: Option<(Arc<Ledger>, Recorder)>, now: Now) -> Self {
        let store = ledger.map(|(ledger, recorder)| {
            let recorder = ledger.has_store().then_some(recorder);
            Store { ledger, recorder, forks: forks() }
        });
        Self { run, books, store, records: None, latest: now }
    }

    /// A run that denies everything, with books of its own: what takes the place of this one, which is
    /// broken. Its decisions are recorded and counted as those before.
    pub(crate) fn ended(&mut self) -> Self {
        let mut books = Books::local();
        let now = Now::default();
        let mut run = self.run.ended(now, &mut books);
        let records = self.records.take().map(|writer| writer.of(&mut run));
        Self { run, books: Arc::new(Mutex::new(books)), store: None, records, latest: now }
    }

    pub(crate) fn books(&self) -> Shared {
        Arc::clone(&self.books)
    }

    /// Whether this is a copy of the run in another process, which its money is no business of.
    pub(crate) fn is_forked(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.forks != forks())
    }

    /// Whether what a next call would use can be written down.
    #[inline]
    pub(crate) fn ready(&self) -> Result<(), StoreError> {
        let kept = self.store.as_ref().filter(|store| store.recorder.is_some());
        kept.map_or(Ok(()), |store| store.ledger.ready())
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.store.as_ref()?.recorder.as_ref()
    }

    /// One event that may touch money.
    pub fn event<T>(&mut self, event: impl FnOnce(&mut Run, &mut Books) -> T) -> T {
        event(&mut self.run, &mut locked(&self.books))
    }

    /// From now on the run's events are written down.
    pub fn record(&mut self, writer: impl FnOnce(&mut Run) -> Writer) {
        self.records = Some(writer(&mut self.run));
    }

    /// An event whose record shows the limits after it.
    fn shown<T>(
        &mut self,
        event: impl FnOnce(&mut Run, &mut Books, &mut Option<Writer>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let Self { run, books, records, .. } = self;
        let books = &mut *locked(books);
        let answer = event(run, books, records)?;
        if let Some(writer) = records {
            writer.after(run, books);
        }
        Ok(answer)
    }

    /// A decision, whose record shows the limits before it too.
    fn decided<T>(
        &mut self,
        event: impl FnOnce(&mut Run, &mut Books) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.shown(|run, books, records| {
            if let Some(writer) = records {
                writer.before(run, books);
            }
            event(run, books)
        })
    }

    /// One admission, of what the records name `subject`, decided in the place that the caller lends.
    pub fn admit(
        &mut self,
        now: Now,
        subject: Subject<'_>,
        decision: &mut Decision,
        event: impl FnOnce(&mut Run, &mut Books, &mut Decision) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        self.latest = now;
        self.decided(|run, books| event(run, books, decision))?;
        if let Some(writer) = &mut self.records {
            writer.decision(&self.run, now.wall, subject, None, decision);
        }
        if let Some(store) = self.store.as_ref().filter(|_| decision.outcome == Outcome::Wait) {
            store.ledger.wake();
        }
        Ok(())
    }

    /// The end of an attempt that went well.
    pub fn settle(&mut self, now: Now, ended: Ended, usage: Usage) -> Result<Settlement, EngineError> {
        let event = |run: &mut Run, books: &mut Books| run.settle(now, ended.attempt, usage, books);
        self.charge((now, Charged::Settlement), ended, usage, event)
    }

    /// What an attempt really used, learnt later.
    pub fn adjust(&mut self, now: Now, ended: Ended, usage: Usage) -> Result<Settlement, EngineError> {
        let event = |run: &mut Run, books: &mut Books| run.adjust(now, ended.attempt, usage, books);
        self.charge((now, Charged::Adjustment), ended, usage, event)
    }

    /// An attempt came back: it is settled, and its result decided about.
    pub fn result(
        &mut self,
        now: Now,
        ended: Ended,
        returned: &Returned<'_>,
        subject: Subject<'_>,
    ) -> Result<Decision, EngineError> {
        let event = |run: &mut Run, books: &mut Books| run.result(now, returned, books);
        self.conclude(now, ended.attempt, event, |writer, run, decision| {
            if let Some((_, settlement)) = run.settled(ended.attempt) {
                writer.charge(run, now.wall, Charged::Settlement, ended, (returned.usage, settlement));
            }
            writer.decision(run, now.wall, subject, None, decision);
        })
    }

    /// An attempt failed.
    pub fn error(
        &mut self,
        now: Now,
        failure: &Failure<'_>,
        subject: Subject<'_>,
    ) -> Result<Decision, EngineError> {
        let event = |run: &mut Run, books: &mut Books| run.error(now, failure, books);
        self.conclude(now, failure.attempt, event, |writer, run, decision| {
            writer.decision(run, now.wall, subject, Some(failure.kind), decision);
        })
    }

    /// What an attempt is charged.
    fn charge(
        &mut self,
        (now, charged): (Now, Charged),
        ended: Ended,
        usage: Usage,
        event: impl FnOnce(&mut Run, &mut Books) -> Result<Settlement, EngineError>,
    ) -> Result<Settlement, EngineError> {
        self.latest = now;
        let settlement = self.shown(|run, books, _| event(run, books))?;
        if let Some(writer) = &mut self.records {
            writer.charge(&self.run, now.wall, charged, ended, (usage, settlement));
        }
        self.keep(now, ended.attempt);
        Ok(settlement)
    }

    /// A decision about an attempt that is over; `record` keeps what came of it.
    fn conclude(
        &mut self,
        now: Now,
        attempt: u64,
        event: impl FnOnce(&mut Run, &mut Books) -> Result<Decision, EngineError>,
        record: impl FnOnce(&mut Writer, &Run, &Decision),
    ) -> Result<Decision, EngineError> {
        self.latest = now;
        let decision = self.decided(event)?;
        if let Some(writer) = &mut self.records {
            record(writer, &self.run, &decision);
        }
        self.keep(now, attempt);
        Ok(decision)
    }

    /// An attempt was settled, or corrected: the store keeps it.
    fn keep(&self, now: Now, attempt: u64) {
        if let Some(recorder) = self.recorder() {
            recorder.settled(&self.run, attempt, now.wall);
        }
    }

    /// A person's answer, which may raise a bound.
    pub fn answer(&mut self, now: Now, reply: &Reply) -> Result<(), EngineError> {
        let answered = self.event(|run, books| run.answer(now, reply, books));
        if let Some(store) = &self.store {
            store.ledger.wake();
        }
        answered
    }

    /// The end of the run: what is open is spent.
    pub fn end(&mut self, now: Now) {
        self.close(now, |run, books| run.end(now, books));
    }

    /// The run leaves this process: what is open and not kept is spent.
    pub fn suspend(&mut self, now: Now, keep: &[u64]) -> Result<Vec<u8>, EngineError> {
        self.latest = now;
        self.close(now, |run, books| run.suspend(now, keep, books))
    }

    /// An event that may settle any open attempt.
    fn close<T>(&mut self, now: Now, event: impl FnOnce(&mut Run, &mut Books) -> T) -> T {
        let open: Vec<u64> = self.run.open().collect();
        let answer = self.event(event);
        open.into_iter().for_each(|attempt| self.keep(now, attempt));
        answer
    }

    /// Nobody has the run any more: what is open is spent, and its accounts are left.
    pub(crate) fn release(&mut self) {
        let is_alone = self.store.is_none() && Arc::strong_count(&self.books) == 1;
        if self.is_forked() || (is_alone && !self.run.program().watches()) {
            return;
        }
        self.end(self.latest);
        self.event(Run::release);
    }
}

/// The books, whatever became of the thread that had them before.
pub(crate) fn locked(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}
