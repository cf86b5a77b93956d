//! The ledger's file: made once, opened with care, and refused if it is not what it was.

use std::collections::BTreeMap;
use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use xxhash_rust::xxh3::Xxh3;

use super::failure::failure;
use super::mark;
use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::place::real_path;

/// Marks an SQLite file as a ledger.
const APPLICATION: i32 = 0x4352_4c44;
/// Grows with every change of the tables below.
const VERSION: i32 = 1;
const TABLES: &str = "
    CREATE TABLE rows(key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE records(origin BLOB NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (origin, number)) STRICT, WITHOUT ROWID;
    CREATE TABLE tally(id INTEGER PRIMARY KEY CHECK (id = 1), rows INTEGER NOT NULL,
        mix INTEGER NOT NULL) STRICT;
    INSERT INTO tally VALUES (1, 0, 0);
";
/// As long as another process may hold the file before that is an error.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file up to this size is checked whole when it is opened.
const SMALL: i64 = 16 << 20;

/// A file, whatever its name.
pub(super) type Inode = (u64, u64);

/// The files that are open, and the process that opened them. SQLite keeps its locks per process and file;
/// the copy of that in a forked child would be wrong, so a child must not open what its parent had open.
static OPEN: Mutex<BTreeMap<Inode, (u32, usize)>> = Mutex::new(BTreeMap::new());

/// An open ledger file.
#[derive(Debug)]
pub(super) struct File {
    connection: Option<Connection>,
    path: PathBuf,
    inode: Inode,
    log: Option<Inode>,
    process: u32,
    /// The mark of a ledger was there before the file was looked at.
    was_made: bool,
}

impl File {
    /// Opens the ledger at `path`. If `make`, its folder and the file are made if they are not there. Any
    /// other file than the one that is expected is left alone: SQLite would apply the log that lies beside
    /// it.
    pub(super) fn open(path: &Path, make: bool, expected: Option<Inode>) -> Result<Self, StoreError> {
        let path = real_path(path, make)?;
        // First the mark, then the file: another process makes them the other way round.
        let was_made = mark::exists(&path);
        let inode = prepare(&path, make && !was_made).map_err(|error| match error.kind {
            ErrorKind::NoLedger if was_made && expected.is_none() => mark::lost(&path),
            _ => error,
        })?;
        if expected.is_some_and(|expected| expected != inode) {
            return Err(replaced(&path));
        }
        enter(inode, &path)?;
        let process = std::process::id();
        let mut file = Self { connection: None, path, inode, log: None, process, was_made };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = file.told(Connection::open_with_flags(&file.path, flags))?;
        let connection = file.connection.insert(connection);
        if was_made && begins(connection).map_err(|e| e.at(&file.path))? {
            return Err(mark::lost(&file.path));
        }
        start(connection, make).map_err(|e| e.at(&file.path))?;
        file.log = fs::metadata(beside(&file.path, "-wal")).ok().as_ref().map(inode_of);
        file.is_in_place()?;
        Ok(file)
    }

    /// Which file it is; a file that was put in its place is another one.
    pub(super) fn inode(&self) -> Inode {
        self.inode
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there was a ledger before: if there is nothing in it now, it has been emptied.
    pub(super) fn was_made(&self) -> bool {
        self.was_made
    }

    /// The connection, after a look whether the file is still the one that was opened.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.is_in_place()?;
        let path = &self.path;
        self.connection.as_mut().ok_or_else(|| {
            StoreError::new(ErrorKind::Away, format!("the ledger {} is closed", path.display()))
        })
    }

    /// The same error as SQLite's, in our words.
    pub(super) fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| failure(&self.path, &error))
    }

    /// Another file under the same name would be another ledger: what is spent here would be free there.
    fn is_in_place(&self) -> Result<(), StoreError> {
        if self.process != std::process::id() {
            return Err(forked(&self.path));
        }
        let now = fs::metadata(&self.path).ok().as_ref().map(inode_of);
        let log = fs::metadata(beside(&self.path, "-wal")).ok().as_ref().map(inode_of);
        if now == Some(self.inode) && (log == self.log || self.log.is_none()) {
            return Ok(());
        }
        Err(replaced(&self.path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let connection = self.connection.take();
        if self.process == std::process::id() {
            drop(connection);
            leave(self.inode);
        } else {
            // To close the parent's connection here would break the parent's locks.
            std::mem::forget(connection);
        }
    }
}

fn enter(inode: Inode, path: &Path) -> Result<(), StoreError> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (process, users) = open.entry(inode).or_insert((std::process::id(), 0));
    if *process != std::process::id() {
        return Err(forked(path));
    }
    *users = users.saturating_add(1);
    Ok(())
}

fn leave(inode: Inode) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, users)) = open.get_mut(&inode) {
        *users = users.saturating_sub(1);
        if *users == 0 {
            open.remove(&inode);
        }
    }
}

/// There is another file now, or none.
fn replaced(path: &Path) -> StoreError {
    let text = format!(
        "the ledger {} was moved, replaced or removed while it was open; put it back and start again",
        path.display()
    );
    StoreError::new(ErrorKind::NoLedger, text)
}

fn forked(path: &Path) -> StoreError {
    let text = format!(
        "the ledger {} was open when this process was forked, which SQLite cannot bear; fork with os.fork or \
         multiprocessing, which close it before, or open it after the fork",
        path.display()
    );
    StoreError::new(ErrorKind::Forked, text)
}

/// Makes an empty file if there is none, and says which file it is.
fn prepare(path: &Path, make: bool) -> Result<Inode, StoreError> {
    let refuse = |what: &str| {
        let text = format!("{}: {what}", path.display());
        Err(StoreError::new(ErrorKind::NotALedger, text))
    };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(StoreError::file(path, &error)),
        Ok(found) => Some(found),
    };
    if let Some(found) = found {
        let is_whole = found.len() > 0 || log_is_empty(path);
        return match found {
            f if f.file_type().is_symlink() => refuse("a symbolic link; give the path of the ledger itself"),
            f if !f.is_file() => refuse("not a file; give the path of a ledger"),
            // Each name has a log of its own, and what is in one log is missing under the other name.
            f if f.nlink() > 1 => refuse("the file has another name (a hard link); remove all but one"),
            _ if !is_whole => Err(cut_off(path)),
            f => Ok(inode_of(&f)),
        };
    }
    if !log_is_empty(path) {
        return Err(cut_off(path));
    }
    if !make {
        let text = format!("{}: there is no ledger here; is the path right?", path.display());
        return Err(StoreError::new(ErrorKind::NoLedger, text));
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.metadata().map(|m| inode_of(&m)).map_err(|error| StoreError::file(path, &error)),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => prepare(path, false),
        Err(error) => Err(StoreError::file(path, &error)),
    }
}

/// Without its file, what the log says must not become part of a new ledger.
fn log_is_empty(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0).eq(&false)
}

fn cut_off(path: &Path) -> StoreError {
    let text = format!(
        "{}: the ledger is gone, but its log {}-wal is still there; restore both, or remove the log as well",
        path.display(),
        path.display()
    );
    StoreError::new(ErrorKind::Damaged, text)
}

fn inode_of(metadata: &Metadata) -> Inode {
    (metadata.dev(), metadata.ino())
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Why a file was not accepted, before its path is known.
enum Refusal {
    Sqlite(rusqlite::Error),
    Other(ErrorKind, String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Refusal {
    fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(error) => failure(path, &error),
            Self::Other(kind, what) => {
                StoreError::new(kind, format!("the ledger {}: {what}", path.display()))
            }
        }
    }
}

/// Checks what the file is, makes the tables in a new one, and sets how it is written.
fn start(connection: &mut Connection, make: bool) -> Result<(), Refusal> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    if begins(connection)? {
        if !make {
            let text = "the file is empty; is the path right?".to_owned();
            return Err(Refusal::Other(ErrorKind::NoLedger, text));
        }
        fill(connection)?;
    }
    if connection.is_readonly("main")? {
        let text = "it cannot be written; let this user write the file and its folder".to_owned();
        return Err(Refusal::Other(ErrorKind::ReadOnly, text));
    }
    into_log_mode(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", SMALL)?;
    connection.set_prepared_statement_cache_capacity(16);
    look(connection)
}

/// Is the file empty? It is looked at as of one moment: another process may be filling it.
fn begins(connection: &Connection) -> Result<bool, Refusal> {
    let reading = connection.unchecked_transaction()?;
    let is_empty = is_new(&reading)?;
    reading.finish()?;
    Ok(is_empty)
}

/// The same, inside of a transaction. Whatever else it is must be a ledger of this version.
fn is_new(connection: &Connection) -> Result<bool, Refusal> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?, tables) {
        (0, 0, 0) => Ok(true),
        (APPLICATION, VERSION, _) => Ok(false),
        (APPLICATION, version, _) => {
            let text = format!(
                "it has the form {version}, and this version of Checkrein reads {VERSION}; use the version \
                 that made it"
            );
            Err(Refusal::Other(ErrorKind::Version, text))
        }
        _ => {
            let text = "it is an SQLite database, but no ledger; give another path".to_owned();
            Err(Refusal::Other(ErrorKind::NotALedger, text))
        }
    }
}

/// Makes the tables, unless another process was faster.
fn fill(connection: &mut Connection) -> Result<(), Refusal> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_new(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// Readers and one writer at a time, all through a log. The switch needs the file for itself, once.
fn into_log_mode(connection: &Connection) -> Result<(), Refusal> {
    let deadline = clock::instant().checked_add(PATIENCE);
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let text = format!("its file system allows no write-ahead log (`{mode}`); use a local disk");
                return Err(Refusal::Other(ErrorKind::Unsupported, text));
            }
            Err(error) if deadline.is_some_and(|deadline| clock::instant() > deadline) => {
                return Err(error.into());
            }
            Err(rusqlite::Error::SqliteFailure(code, _))
                if code.code == rusqlite::ErrorCode::DatabaseBusy =>
            {
                clock::pause(clock::jitter(Duration::from_millis(10)));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Are all rows there, as they were written? One missing row would be money that may be spent twice.
fn look(connection: &mut Connection) -> Result<(), Refusal> {
    let reading = connection.transaction()?;
    let number = |name| reading.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let size = number("page_count")?.saturating_mul(number("page_size")?);
    let scope = if size <= SMALL { "" } else { "(rows)" };
    let first: String = reading.query_row(&format!("PRAGMA quick_check{scope}"), [], |row| row.get(0))?;
    let damaged = |what: &str| {
        let text = format!("{what}; stop everything that uses it, and restore it from a backup");
        Refusal::Other(ErrorKind::Damaged, text)
    };
    if first != "ok" {
        return Err(damaged(&first));
    }
    let (mut rows, mut mix) = (0_i64, 0_i64);
    {
        let mut all = reading.prepare("SELECT key, value FROM rows")?;
        let mut cursor = all.query([])?;
        while let Some(row) = cursor.next()? {
            rows = rows.saturating_add(1);
            mix ^= share(&row.get::<_, String>(0)?, row.get_ref(1)?.as_blob().unwrap_or_default());
        }
    }
    if read_tally(&reading)? != (rows, mix) {
        return Err(damaged("a row was lost or changed"));
    }
    Ok(reading.finish()?)
}

/// How many rows there are, and a mix of them all.
pub(super) fn read_tally(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let mut statement = connection.prepare_cached("SELECT rows, mix FROM tally WHERE id = 1")?;
    statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// What one row adds to the mix of all: adding it a second time takes it out.
pub(super) fn share(key: &str, value: &[u8]) -> i64 {
    let mut hash = Xxh3::new();
    hash.update(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes());
    hash.update(key.as_bytes());
    hash.update(value);
    hash.digest().cast_signed()
}
