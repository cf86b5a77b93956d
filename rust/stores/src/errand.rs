//! What a host has done in the store and waits for: suspending a run, and going on with one. The keeper does
//! it, so that a process has one connection, and what is asked first is done first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_core::store::{Ask, Claimed, Life, Luggage, Parked};

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::ledger::Ledger;
use crate::session::is_over;
use crate::store::Store;

/// Does it, or learns why the store cannot be had. An error: it is not done yet, and tried again.
pub(crate) type Errand = Box<dyn FnMut(Result<&mut Any, StoreError>) -> Result<(), StoreError> + Send>;

/// Any store.
type Any = dyn Store + 'static;

/// Errands in the order in which they were given; nothing after the end.
pub(crate) struct Errands {
    waiting: Mutex<Option<VecDeque<Errand>>>,
}

impl Default for Errands {
    fn default() -> Self {
        Self { waiting: Mutex::new(Some(VecDeque::new())) }
    }
}

impl fmt::Debug for Errands {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lock().as_ref().map(VecDeque::len);
        formatter.debug_struct("Errands").field("waiting", &count).finish()
    }
}

impl Errands {
    /// Gives one more. After the end it is dropped, which whoever waits for it sees.
    fn push(&self, errand: Errand) {
        if let Some(waiting) = &mut *self.lock() {
            waiting.push_back(errand);
        }
    }

    /// The next one.
    pub(crate) fn take(&self) -> Option<Errand> {
        self.lock().as_mut().and_then(VecDeque::pop_front)
    }

    /// One that is not done yet stays the next.
    pub(crate) fn put_back(&self, errand: Errand) {
        if let Some(waiting) = &mut *self.lock() {
            waiting.push_front(errand);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().as_ref().is_none_or(VecDeque::is_empty)
    }

    /// Nobody does errands any more.
    pub(crate) fn end(&self) {
        drop(self.lock().take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<Errand>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Suspends a run: what it takes along waits in the store. Asked again with the same, it gets the same
    /// answer, which is what to do after an error.
    pub fn park(
        &self,
        id: &str,
        meaning: [u8; 32],
        life: Life,
        (luggage, asks): (Luggage, Vec<Ask>),
        timeout: Duration,
    ) -> Result<Parked, StoreError> {
        let id = id.to_owned();
        self.have_done(timeout, move |store| store.park(&id, meaning, life, &luggage, &asks))
    }

    /// Goes on with a suspended run, if nobody else does. After an error ask again with the same `holder`.
    pub fn claim(
        &self,
        id: &str,
        meaning: [u8; 32],
        holder: u128,
        timeout: Duration,
    ) -> Result<Claimed, StoreError> {
        let id = id.to_owned();
        self.have_done(timeout, move |store| store.claim(&id, meaning, holder))
    }

    /// Has something asked of the store, and waits for the answer. It may be asked more than once.
    pub fn ask<T: Send + 'static>(
        &self,
        timeout: Duration,
        ask: impl FnMut(&mut Any) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.have_done(timeout, ask)
    }

    /// A resumed run has ended. Nobody waits until the store knows it.
    pub fn finish(&self, id: &str, life: Life) {
        let id = id.to_owned();
        self.leave(move |store| store.finish(&id, life));
    }

    /// Who claimed a run has done nothing with it, and does not go on. Nobody waits until the store knows it;
    /// a claim that was asked for before it is not done after it.
    pub fn give_back(&self, id: &str, holder: u128) {
        let id = id.to_owned();
        self.leave(move |store| store.give_back(&id, holder));
    }

    /// Has something done when the store can do it.
    fn leave(&self, mut act: impl FnMut(&mut Any) -> Result<(), StoreError> + Send + 'static) {
        if let Some(mut store) = self.own_store() {
            let _ = act(&mut **store);
            return;
        }
        let session = self.session();
        session.errands.push(Box::new(move |store| {
            // What cannot be written down leaves a run that nobody goes on with, which is the safe side.
            store.and_then(&mut act).or_else(unless_passing)
        }));
        session.wake();
    }

    /// Has something done in the store, and waits for it at most so long. While the store is away or locked,
    /// it is tried again.
    fn have_done<T: Send + 'static>(
        &self,
        timeout: Duration,
        mut act: impl FnMut(&mut Any) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(mut store) = self.own_store() {
            return act(&mut **store);
        }
        let until = clock::instant().checked_add(timeout);
        let (tell, told) = channel();
        let session = self.session();
        session.errands.push(Box::new(move |store| {
            // Nobody waits for it any more: what was not begun is not done behind the host's back.
            if is_over(until) {
                let _ = tell.send(Err(late()));
                return Ok(());
            }
            let done = store.and_then(&mut act);
            if let Err(error) = &done {
                unless_passing(error.clone())?;
            }
            let _ = tell.send(done);
            Ok(())
        }));
        session.wake();
        match told.recv_timeout(timeout) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(session.error().unwrap_or_else(late)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(StoreError::new(ErrorKind::Away, "the ledger was closed; open it again"))
            }
        }
    }
}

/// An error after which the store may answer the next time.
fn unless_passing(error: StoreError) -> Result<(), StoreError> {
    if matches!(error.kind, ErrorKind::Away | ErrorKind::Locked) { Err(error) } else { Ok(()) }
}

fn late() -> StoreError {
    StoreError::new(ErrorKind::Away, "the store has not answered in time; look at it and try again")
}
