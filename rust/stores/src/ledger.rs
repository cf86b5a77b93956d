//! What a host holds: books, a keeper and the way to the store. The same place opened twice in one process is
//! one ledger.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use policy_core::Now;
use policy_core::books::Books;

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::health::{Health, refused};
use crate::keeper::{Keeper, Pace};
use crate::memory::MemoryStore;
use crate::place::Place;
use crate::record::Record;
use crate::session::{Session, Wish};
use crate::store::{Store, open_place};

/// How a ledger is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Records survive the death of the process, in a journal beside the ledger.
    pub durable: bool,
    /// The host's clocks, now: the keeper's go on from them, so that the books see one clock.
    pub now: Now,
}

/// Books and what keeps them supplied. Closing is the host's duty; a ledger that is dropped tries to close in
/// the background.
#[derive(Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
    is_closed: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    place: Place,
    made: bool,
    durable: bool,
    folder: PathBuf,
    /// For suspended runs, if no other process sees them.
    own: Option<Mutex<Box<dyn Store>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    session: Arc<Session>,
    thread: Option<JoinHandle<()>>,
    users: usize,
    /// The keeper was ended for a fork, and is to go on after it.
    is_halted: bool,
    /// Another one after a fork.
    process: u32,
}

/// As long as a keeper tries to end well if nobody waits for it.
const ENDING: Duration = Duration::from_secs(5);

/// The ledgers that are open in this process.
static OPEN: Mutex<BTreeMap<Identity, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// All that was asked for: what one caller accepts (durability, a user) must not be taken for another's wish.
type Identity = (Place, bool);

impl Ledger {
    /// Opens the ledger at a path, `sqlite:PATH`, `redis://HOST:PORT/DB` or `memory:`. A file is made if it
    /// is not there; a server must have a ledger already ([`Store::create`]).
    pub fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        let place = Place::parse(url)?;
        if place == Place::Memory {
            return Ok(Self::memory());
        }
        let store = open_place(&place, true)?;
        // The process may change its folder later.
        let place = place.real()?;
        let identity = (place.clone(), options.durable);
        if let Some(ledger) = Self::find(&mut open_ledgers(), &identity) {
            return Ok(ledger);
        }
        // Nobody waits for the store of another while this one answers.
        let shared = Arc::new(Shared::start(place, store, options)?);
        let started = Self { shared, is_closed: AtomicBool::new(false) };
        let mut open = open_ledgers();
        let faster = Self::find(&mut open, &identity);
        if faster.is_none() {
            open.insert(identity, Arc::downgrade(&started.shared));
        }
        drop(open);
        // If another thread was faster, ours has nothing yet, and ends by itself.
        Ok(faster.unwrap_or(started))
    }

    /// One more handle of a ledger that is open.
    fn find(open: &mut BTreeMap<Identity, Weak<Shared>>, identity: &Identity) -> Option<Self> {
        open.retain(|_, shared| shared.strong_count() > 0);
        let shared = open.get(identity).and_then(Weak::upgrade)?;
        let mut state = shared.state();
        if state.users == 0 {
            return None;
        }
        state.users = state.users.saturating_add(1);
        drop(state);
        Some(Self { shared, is_closed: AtomicBool::new(false) })
    }

    /// Books without a store; records go nowhere.
    #[must_use]
    pub fn memory() -> Self {
        let state = State {
            session: Arc::new(Session::local()),
            thread: None,
            users: 1,
            is_halted: false,
            process: std::process::id(),
        };
        let shared = Shared {
            place: Place::Memory,
            made: true,
            durable: false,
            folder: PathBuf::new(),
            own: Some(Mutex::new(MemoryStore::boxed())),
            state: Mutex::new(state),
        };
        Self { shared: Arc::new(shared), is_closed: AtomicBool::new(false) }
    }

    /// Where its store is, for messages and commands: without user and password.
    #[must_use]
    pub fn place(&self) -> String {
        self.shared.place.shown()
    }

    /// The books that runs take from. They are others after a fork in the child.
    #[must_use]
    pub fn books(&self) -> Arc<Mutex<Books>> {
        Arc::clone(&self.session().books)
    }

    /// What the runs of this process know of how models and tools fare.
    #[must_use]
    pub fn watched(&self) -> policy_core::Health {
        self.session().watched.clone()
    }

    /// Tells the keeper that the books need something now.
    pub fn wake(&self) {
        self.session().wake();
    }

    /// May a call begin whose record must be kept? Never an error if the ledger is not durable.
    pub fn ready(&self) -> Result<(), StoreError> {
        self.session().recorder.ready()
    }

    /// Keeps a record. A durable one outlives this process when this returns; others may be lost with it, or
    /// be counted as lost when too many wait.
    pub fn record(&self, record: Record) -> Result<(), StoreError> {
        if !self.has_store() {
            return Ok(());
        }
        let session = self.session();
        if session.recorder.push(record)? {
            session.wake();
        }
        Ok(())
    }

    /// Waits until all records so far are in the store; `false`: not in time.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> bool {
        let session = self.session();
        session.wake();
        session.await_records(timeout)
    }

    /// Gives everything back and ends the keeper, if nobody else in this process uses the ledger. `false`:
    /// the store has not taken everything in time.
    #[must_use]
    pub fn close(&self, timeout: Duration) -> bool {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return true;
        }
        let mut state = self.shared.state();
        state.users = state.users.saturating_sub(1);
        let session = Arc::clone(&state.session);
        if state.users == 0 && state.is_halted {
            // Another thread forks just now: what is owed is given back when it has forked.
            return false;
        }
        if state.users > 0 || state.thread.is_none() {
            drop(state);
            return !self.has_store() || session.await_records(timeout);
        }
        let thread = state.thread.take();
        drop(state);
        session.wish(Wish::Close(clock::instant().checked_add(timeout.max(ENDING))));
        match session.await_end(timeout) {
            Some(well) => {
                let joined = thread.is_none_or(|thread| thread.join().is_ok());
                well && joined
            }
            None => false,
        }
    }

    /// Before a fork: ends the keeper and closes the connection, which no child may inherit. Every call must
    /// be followed by [`Ledger::after_fork`], in the parent and in the child.
    pub fn before_fork(&self) {
        let (session, thread) = {
            let mut state = self.shared.state();
            state.is_halted |= state.thread.is_some();
            (Arc::clone(&state.session), state.thread.take())
        };
        if let Some(thread) = thread {
            session.wish(Wish::Halt);
            let _ = thread.join();
        }
    }

    /// After a fork: the parent goes on, the child begins as another node that has nothing.
    pub fn after_fork(&self, child: bool, now: Now) -> Result<(), StoreError> {
        if let Some(mut store) = self.own_store() {
            if child {
                // The runs that are suspended here are the parent's, and go on once.
                *store = MemoryStore::boxed();
                self.watched().forget();
            }
            return Ok(());
        }
        let mut state = self.shared.state();
        let process = std::process::id();
        if child && state.process != process {
            if state.users == 0 {
                // What was closed is not opened again, and what it holds is the parent's.
                return Ok(());
            }
            // The threads of the parent are not here: what they hold is never let go.
            state.session.recorder.abandon();
            std::mem::forget(state.thread.take());
            state.session = Arc::new(self.shared.session(now)?);
            state.process = process;
            // Until it has a keeper.
            state.is_halted = true;
        } else if state.is_halted {
            state.session.again();
        } else {
            // Another handle of the same ledger was faster, or it was closed long ago.
            return Ok(());
        }
        let thread = self.shared.keep(&state.session, None)?;
        state.thread = Some(thread);
        state.is_halted = false;
        if state.users == 0 {
            // It was closed in between: everything is given back now.
            state.session.wish(Wish::Close(clock::instant().checked_add(ENDING)));
        }
        Ok(())
    }

    /// Is this process a fork that the ledger was not told of? Its slices are its parent's.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.has_store() && self.shared.state().process != std::process::id()
    }

    /// How the ledger stands.
    #[must_use]
    pub fn health(&self) -> Health {
        let session = self.session();
        let (records_waiting, records_lost, _) = session.recorder.figures();
        let books = session.books().health(session.clock.now());
        Health {
            refused: refused(&books, &self.shared.place),
            kind: self.kind(),
            made: self.shared.made,
            node: session.node,
            books,
            error: session.error().or_else(|| session.recorder.ready().err()),
            round_trips: session.round_trips.load(Ordering::Relaxed),
            records_waiting,
            records_lost,
        }
    }

    /// Do other machines see this ledger?
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.shared.place, Place::Redis(_))
    }

    /// Does anything outlive this process?
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.shared.place != Place::Memory
    }

    /// `memory`, `sqlite` or `redis`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.shared.place {
            Place::Memory => "memory",
            Place::Sqlite(_) => "sqlite",
            Place::Redis(_) => "redis",
        }
    }

    pub(crate) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.shared.state().session)
    }

    /// The store, if it is one in this process.
    pub(crate) fn own_store(&self) -> Option<MutexGuard<'_, Box<dyn Store>>> {
        self.shared.own.as_ref().map(|store| store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.close(Duration::ZERO);
    }
}

fn open_ledgers() -> MutexGuard<'static, BTreeMap<Identity, Weak<Shared>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn start(place: Place, mut store: Box<dyn Store>, options: Options) -> Result<Self, StoreError> {
        if !store.has_ledger()? {
            let text = format!(
                "{}: there is no ledger here; make one with `checkrein ledger init`, or restore it from a \
                 backup",
                store.place()
            );
            return Err(StoreError::new(ErrorKind::NoLedger, text));
        }
        let folder = place.folder()?;
        // The process may change its folder later.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let journals = options.durable.then_some(folder.as_path());
        let session = Arc::new(Session::leased(options.now, journals)?);
        // What is wrong with the journal now is no reason to begin.
        session.recorder.ready()?;
        let state = State {
            session: Arc::clone(&session),
            thread: None,
            users: 1,
            is_halted: false,
            process: std::process::id(),
        };
        let (made, durable) = (store.has_made(), options.durable);
        let shared = Self { place, made, durable, folder, own: None, state: Mutex::new(state) };
        let thread = shared.keep(&session, Some(store))?;
        shared.state().thread = Some(thread);
        Ok(shared)
    }

    fn session(&self, now: Now) -> Result<Session, StoreError> {
        Session::leased(now, self.durable.then_some(self.folder.as_path()))
    }

    fn keep(
        &self,
        session: &Arc<Session>,
        store: Option<Box<dyn Store>>,
    ) -> Result<JoinHandle<()>, StoreError> {
        let keeper = Keeper {
            session: Arc::clone(session),
            place: self.place.clone(),
            folder: self.folder.clone(),
            store,
            records: Pace::default(),
            errands: None,
        };
        let spawned = thread::Builder::new().name("checkrein-ledger".to_owned()).spawn(|| keeper.run());
        spawned.map_err(|error| {
            let text =
                format!("the ledger's thread could not be started: {error}; raise the limit of threads");
            StoreError::new(ErrorKind::Unsupported, text)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
