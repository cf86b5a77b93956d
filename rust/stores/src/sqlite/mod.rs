//! A ledger in a file, for several processes of one machine. A network file system does not keep the locks
//! that this needs, and cannot be told from a local one: keep the file on a local disk.

mod failure;
mod file;
mod mark;

use std::path::{Path, PathBuf};

use policy_core::store::{RowKey, Rows};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::record::{Record, Stored};
use crate::store::{Change, Scanned, Store};
use failure::failure;
use file::{File, Inode, read_tally, share};

/// A ledger in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    file: Option<File>,
    inode: Inode,
    has_made: bool,
}

impl SqliteStore {
    /// Opens the ledger at `path`. If `make`, it is made if nothing is there.
    pub fn open(path: &Path, make: bool) -> Result<Self, StoreError> {
        let file = File::open(path, make, None)?;
        let (path, inode, was_made) = (file.path().to_owned(), file.inode(), file.was_made());
        let mut store = Self { path, inode, file: Some(file), has_made: false };
        // A file without any row was made just now, here or by another process; the ledger in it is made
        // once, by whoever comes first.
        if make && store.read(read_tally)? == (0, 0) {
            if was_made {
                return Err(mark::lost(&store.path));
            }
            store.has_made = store.create()?;
        }
        if make && !was_made {
            mark::set(&store.path)?;
        }
        Ok(store)
    }

    /// Reads without a lock.
    fn read<T>(&mut self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.with(|connection| act(connection))
    }

    /// Runs `act` in a transaction that nobody else can come between.
    fn within<T>(
        &mut self,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// After an error that may leave the file in doubt, it is opened and checked anew, and never made anew.
    fn with<T>(&mut self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path, false, Some(self.inode))?,
        };
        let done =
            file.connection().and_then(|connection| act(connection).map_err(|e| failure(&self.path, &e)));
        if done.as_ref().err().is_none_or(|error| matches!(error.kind, ErrorKind::Locked | ErrorKind::Full)) {
            self.file = Some(file);
        }
        done
    }
}

impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn has_made(&self) -> bool {
        self.has_made
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn transact(&mut self, keys: Vec<RowKey>, change: Change<'_>) -> Result<(), StoreError> {
        self.within(|transaction| {
            let mut rows = Rows::new();
            let mut read = transaction.prepare_cached("SELECT value FROM rows WHERE key = ?1")?;
            for key in keys {
                let value = read.query_row([key.as_str()], |row| row.get(0)).optional()?;
                rows.load(key, value);
            }
            let before = rows.clone();
            change(clock::wall(), &mut rows);
            write(transaction, &before, &rows)
        })
    }

    fn scan(&mut self, prefix: &str) -> Result<Scanned, StoreError> {
        let found = self.read(|connection| {
            // Texts are compared byte by byte, and no name has this character.
            let mut statement = connection
                .prepare_cached("SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key")?;
            let rows = statement.query_map(params![prefix, format!("{prefix}\u{10ffff}")], |row| {
                Ok((RowKey::parse(&row.get::<_, String>(0)?), row.get(1)?))
            })?;
            rows.collect()
        });
        Ok((clock::wall(), found?))
    }

    fn append(&mut self, origin: u128, records: &[(u64, Record)]) -> Result<(), StoreError> {
        self.within(|transaction| {
            let mut insert = transaction
                .prepare_cached("INSERT OR IGNORE INTO records(origin, number, value) VALUES (?1, ?2, ?3)")?;
            let mut bytes = Vec::with_capacity(256);
            for (number, record) in records {
                bytes.clear();
                record.encode(&mut bytes);
                let check = share(&key_of(origin, *number), &bytes);
                bytes.extend_from_slice(&check.to_le_bytes());
                insert.execute(params![origin.to_be_bytes(), number.cast_signed(), bytes])?;
            }
            Ok(())
        })
    }

    fn export(&mut self, visit: &mut dyn FnMut(Stored) -> bool) -> Result<(), StoreError> {
        let place = self.place();
        let mut wrong = None;
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT origin, number, value FROM records ORDER BY origin, number")?;
            let mut cursor = statement.query([])?;
            while let Some(row) = cursor.next()? {
                let origin = u128::from_be_bytes(row.get(0)?);
                let number = row.get::<_, i64>(1)?.cast_unsigned();
                match checked(origin, number, row.get_ref(2)?.as_blob().unwrap_or_default()) {
                    Ok(record) => {
                        if !visit(Stored { origin, number, record }) {
                            break;
                        }
                    }
                    Err(error) => {
                        wrong = Some(error);
                        break;
                    }
                }
            }
            Ok(())
        })?;
        wrong.map_or(Ok(()), |error: StoreError| {
            Err(StoreError::new(error.kind, format!("{place}: {}; restore it from a backup", error.message)))
        })
    }
}

/// Writes what changed, and the tally of all rows with it.
fn write(transaction: &Transaction<'_>, before: &Rows, rows: &Rows) -> rusqlite::Result<()> {
    let (mut count, mut mix) = read_tally(transaction)?;
    let tally = (count, mix);
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO rows(key, value) VALUES (?1, ?2)")?;
    let mut remove = transaction.prepare_cached("DELETE FROM rows WHERE key = ?1")?;
    for (key, value) in rows.changes() {
        if let Some(old) = before.get(key) {
            count = count.saturating_sub(1);
            mix ^= share(key.as_str(), old);
        }
        if let Some(new) = value {
            count = count.saturating_add(1);
            mix ^= share(key.as_str(), new);
            put.execute(params![key.as_str(), new])?;
        } else {
            remove.execute([key.as_str()])?;
        }
    }
    if tally != (count, mix) {
        let mut update = transaction.prepare_cached("UPDATE tally SET rows = ?1, mix = ?2 WHERE id = 1")?;
        update.execute([count, mix])?;
    }
    Ok(())
}

fn key_of(origin: u128, number: u64) -> String {
    format!("{origin:032x}/{number}")
}

fn checked(origin: u128, number: u64, bytes: &[u8]) -> Result<Record, StoreError> {
    let damaged = || StoreError::new(ErrorKind::Damaged, "a record of the ledger was changed");
    let (record, check) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
    if share(&key_of(origin, number), record).to_le_bytes() != *check {
        return Err(damaged());
    }
    Record::decode(record)
}
