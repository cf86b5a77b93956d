//! What every store can do. A store reads some rows, lets the core's pure functions change them, and writes
//! them back, all or nothing; what a request means is not its business.

use std::fmt;

use policy_core::store::{
    Ask, Claimed, Life, Luggage, Operated, Operation, Order, PRUNED, Parked, Reply, Request, RowKey, Rows,
    Shown, apply, claim, create, describe_row, finish, give_back, keys, operate, operation_keys, park, prune,
    prune_keys, requests_of, run_keys,
};

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::place::Place;
use crate::record::{Record, Stored};

/// What is done to the rows of one transaction, at the store's wall clock. It may run again if somebody else
/// was faster.
pub type Change<'a> = &'a mut dyn FnMut(u64, &mut Rows);

/// The store's clock, and rows.
pub type Scanned = (u64, Vec<(RowKey, Vec<u8>)>);

/// The store's clock, and what rows say, by their names; none for one that is damaged.
pub type Described = (u64, Vec<(RowKey, Option<Shown>)>);

/// As many rows as are looked at in one transaction: others must not wait for long.
const PRUNED_AT_ONCE: usize = 64;

/// Where accounts live.
pub trait Store: Send + fmt::Debug {
    /// `memory`, `sqlite` or `redis`.
    fn kind(&self) -> &'static str;

    /// Whether the ledger was made when the store was opened here: nothing was spent before.
    fn has_made(&self) -> bool {
        false
    }

    /// Where it is, for people.
    fn place(&self) -> String;

    /// Reads the rows, changes them and writes what changed: all of it, or nothing. What is written is kept
    /// when this returns.
    fn transact(&mut self, keys: Vec<RowKey>, change: Change<'_>) -> Result<(), StoreError>;

    /// All rows whose names begin with `prefix`, ascending.
    fn scan(&mut self, prefix: &str) -> Result<Scanned, StoreError>;

    /// Keeps records of an origin, ascending by number; what is there already stays as it is.
    fn append(&mut self, origin: u128, records: &[(u64, Record)]) -> Result<(), StoreError>;

    /// Visits all records until `visit` says `false`: those of one origin ascending.
    fn export(&mut self, visit: &mut dyn FnMut(Stored) -> bool) -> Result<(), StoreError>;

    /// Answers a request of a node.
    fn apply(&mut self, request: &Request) -> Result<Reply, StoreError> {
        let nonce = clock::random_u64()?;
        let mut reply = Reply::NoLedger;
        self.transact(keys(request), &mut |now, rows| reply = apply(request, now, nonce, rows))?;
        Ok(reply)
    }

    /// Makes a ledger; `false` if there is one already.
    fn create(&mut self) -> Result<bool, StoreError> {
        let nonce = clock::random_u64()?;
        let mut made = false;
        self.transact(vec![RowKey::meta()], &mut |now, rows| made = create(now, nonce, rows))?;
        Ok(made)
    }

    /// Does what an operator orders.
    fn operate(&mut self, order: &Order) -> Result<Operated, StoreError> {
        let mut operated = Operated::NoLedger;
        let mut act = |now, rows: &mut Rows| operated = operate(order, now, rows);
        let keys = operation_keys(order);
        if let Operation::DropRun { run } = &order.operation {
            self.transact_run(run, &[], keys, &mut act)?;
        } else {
            self.transact(keys, &mut act)?;
        }
        Ok(operated)
    }

    /// Changes the rows of a run and of its requests, these among them. Which others it has is told by the
    /// run's row, so whoever is too late to know of one looks again.
    fn transact_run(
        &mut self,
        id: &str,
        requests: &[u64],
        more: Vec<RowKey>,
        change: Change<'_>,
    ) -> Result<(), StoreError> {
        let mut known = requests.to_vec();
        loop {
            let mut keys = run_keys(id, &known).unwrap_or_default();
            keys.extend(more.iter().cloned());
            keys.sort_unstable();
            keys.dedup();
            let mut missing = Vec::new();
            self.transact(keys, &mut |now, rows| {
                missing = requests_of(id, rows);
                missing.retain(|request| !known.contains(request));
                if missing.is_empty() {
                    change(now, rows);
                }
            })?;
            if missing.is_empty() {
                return Ok(());
            }
            known.append(&mut missing);
        }
    }

    /// Suspends a run: what it takes along waits here until somebody claims it, and people see what it asks.
    fn park(
        &mut self,
        id: &str,
        meaning: [u8; 32],
        life: Life,
        luggage: &Luggage,
        asks: &[Ask],
    ) -> Result<Parked, StoreError> {
        let mut parked = Parked::NoLedger;
        let requests: Vec<u64> = asks.iter().map(|ask| ask.request).collect();
        let mut act = |now, rows: &mut Rows| parked = park((id, life), meaning, luggage, asks, now, rows);
        self.transact_run(id, &requests, Vec::new(), &mut act)?;
        Ok(parked)
    }

    /// Goes on with a suspended run, if nobody else does.
    fn claim(&mut self, id: &str, meaning: [u8; 32], holder: u128) -> Result<Claimed, StoreError> {
        let mut claimed = Claimed::NoLedger;
        let mut act = |now, rows: &mut Rows| claimed = claim(id, meaning, holder, now, rows);
        self.transact_run(id, &[], Vec::new(), &mut act)?;
        Ok(claimed)
    }

    /// A resumed run has ended.
    fn finish(&mut self, id: &str, life: Life) -> Result<(), StoreError> {
        let mut finished = Ok(());
        let mut act = |now, rows: &mut Rows| finished = finish(id, life, now, rows);
        self.transact_run(id, &[], Vec::new(), &mut act)?;
        finished.map_err(|what| StoreError::new(ErrorKind::Damaged, format!("{}: {what}", self.place())))
    }

    /// Who claimed a run has done nothing with it, and does not go on.
    fn give_back(&mut self, id: &str, holder: u128) -> Result<(), StoreError> {
        let mut given = Ok(());
        let keys = run_keys(id, &[]).unwrap_or_default();
        self.transact(keys, &mut |now, rows| given = give_back(id, holder, now, rows))?;
        given.map_err(|what| StoreError::new(ErrorKind::Damaged, format!("{}: {what}", self.place())))
    }

    /// What the rows say whose names begin with `prefix`, by their names; none for one that is damaged.
    fn described(&mut self, prefix: &str) -> Result<Described, StoreError> {
        let (now, rows) = self.scan(prefix)?;
        let described = rows.into_iter().map(|(key, value)| {
            let shown = describe_row(&key, &value, now);
            (key, shown)
        });
        Ok((now, described.collect()))
    }

    /// Does an order to forget what is old, and tells how many rows went. Once it is noted it may be done
    /// again: what was left goes then.
    fn prune(&mut self, order: &Order) -> Result<(Operated, u64), StoreError> {
        let operated = self.operate(order)?;
        let mut gone = 0_u64;
        if let (Operation::Prune { before }, Operated::Done | Operated::Before) =
            (&order.operation, &operated)
        {
            for kind in PRUNED {
                let keys: Vec<RowKey> = self.scan(kind)?.1.into_iter().map(|(key, _)| key).collect();
                for group in keys.chunks(PRUNED_AT_ONCE) {
                    let mut count = 0;
                    let mut change = |now, rows: &mut Rows| count = prune(kind, *before, now, rows);
                    self.transact(prune_keys(kind, group.to_vec()), &mut change)?;
                    gone = gone.saturating_add(count);
                }
            }
        }
        Ok((operated, gone))
    }

    /// What the rows say whose names begin with `prefix`: one of the names of [`RowKey`], or nothing for all.
    fn show(&mut self, prefix: &str) -> Result<Vec<Shown>, StoreError> {
        let (_, rows) = self.described(prefix)?;
        let damaged = |key: &RowKey| {
            let text =
                format!("{}: the row `{key}` was changed; restore the ledger from a backup", self.place());
            StoreError::new(ErrorKind::Damaged, text)
        };
        rows.into_iter().map(|(key, shown)| shown.ok_or_else(|| damaged(&key))).collect()
    }

    /// Is there a ledger?
    fn has_ledger(&mut self) -> Result<bool, StoreError> {
        let mut has = false;
        self.transact(vec![RowKey::meta()], &mut |_, rows| has = rows.get(&RowKey::meta()).is_some())?;
        Ok(has)
    }
}

/// Opens a store for an operator. If `make`, the file of an SQLite store is made if there is none, with a
/// ledger; a server gets its ledger from [`Store::create`] alone. A file that is open as a ledger in this
/// process is fine: both use one copy of SQLite.
pub fn open_store(url: &str, make: bool) -> Result<Box<dyn Store>, StoreError> {
    open_place(&Place::parse(url)?, make)
}

/// Opens the store at a place that was read.
pub(crate) fn open_place(place: &Place, make: bool) -> Result<Box<dyn Store>, StoreError> {
    match place {
        Place::Memory => {
            let mut store = crate::memory::MemoryStore::new();
            store.create()?;
            Ok(Box::new(store))
        }
        #[cfg(feature = "sqlite")]
        Place::Sqlite(path) => Ok(Box::new(crate::sqlite::SqliteStore::open(path, make)?)),
        #[cfg(feature = "redis")]
        Place::Redis(place) => Ok(Box::new(crate::redis::RedisStore::open(place)?)),
        #[cfg(not(all(feature = "sqlite", feature = "redis")))]
        other => {
            let _ = make;
            let text = format!("{}: this build was made without this kind of store", other.shown());
            Err(StoreError::new(ErrorKind::Unsupported, text))
        }
    }
}
