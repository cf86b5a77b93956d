//! A ledger on a Redis server, for several machines. One request reads its rows, lets the core change them,
//! and writes them if nobody else changed them in between.

mod connect;

use std::time::{Duration, Instant};

use policy_core::store::{Operation, Order, RowKey, Rows};
use redis::{Cmd, Connection, RedisResult};

use crate::clock;
use crate::error::{ErrorKind, StoreError};
use crate::place::RedisPlace;
use crate::record::{Record, Stored};
use crate::store::{Change, Scanned, Store};
use connect::{Durability, PATIENCE, Server, connect, look, told};

const EXCHANGE: &str = include_str!("exchange.lua");
const APPEND: &str = include_str!("append.lua");
/// As often as somebody else may be faster, one time after the other.
const TRIES: u32 = 64;
/// As long as a look at the server's settings is believed.
const BELIEVED: Duration = Duration::from_secs(10);
/// As many records as are sent, or read, at once.
const GROUP: usize = 512;
/// As long as a disk may take: with `appendfsync everysec` a second is no sign of trouble.
const DISK: Duration = Duration::from_secs(3);

/// A ledger on a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    place: RedisPlace,
    link: Option<Link>,
    run_id: Option<String>,
}

struct Link {
    connection: Connection,
    server: Server,
    looked: Instant,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(formatter)
    }
}

impl RedisStore {
    /// Connects to a server and looks at its settings. There need not be a ledger yet.
    pub(crate) fn open(place: &RedisPlace) -> Result<Self, StoreError> {
        let mut store = Self { place: place.clone(), link: None, run_id: None };
        store.ready()?;
        Ok(store)
    }

    fn key(&self, kind: &str, name: &str) -> String {
        // All keys of a ledger are in one slot of a cluster.
        format!("{{checkrein:{}}}:{kind}{name}", self.place.namespace)
    }

    fn row(&self, key: &RowKey) -> String {
        self.key("row:", key.as_str())
    }

    /// Connects if there is no connection, and looks at the server from time to time.
    fn ready(&mut self) -> Result<(), StoreError> {
        if self.link.as_ref().is_some_and(|link| link.looked.elapsed() < BELIEVED) {
            return Ok(());
        }
        let mut connection = match self.link.take() {
            Some(link) => link.connection,
            None => connect(&self.place)?,
        };
        let server = look(&self.place, &mut connection)?;
        let is_other = self.run_id.as_ref().is_some_and(|known| *known != server.run_id);
        // A restart forgets if the server is relaxed, and a failover if the replica lagged behind.
        let forgets = is_other && (server.durability == Durability::Relaxed || server.was_replica);
        let run_id = server.run_id.clone();
        self.link = Some(Link { connection, server, looked: clock::instant() });
        // Until it is declared, the new server is not believed.
        if forgets {
            self.declare_restarted(&run_id).inspect_err(|_| self.link = None)?;
        }
        self.run_id = Some(run_id);
        Ok(())
    }

    /// Another server answers than before: nothing is granted until all nodes have said what they hold.
    fn declare_restarted(&mut self, run_id: &str) -> Result<(), StoreError> {
        let order = Order {
            id: format!("restart-{}", run_id.get(..run_id.len().min(48)).unwrap_or_default()),
            who: "checkrein".to_owned(),
            why: "the server was started again, or another one took its place".to_owned(),
            operation: Operation::Restarted,
        };
        self.operate(&order).map(|_| ())
    }

    /// Talks to the server; after an error the connection is made anew.
    fn talk<T>(&mut self, act: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Result<T, StoreError> {
        let Some(link) = &mut self.link else {
            return Err(StoreError::new(ErrorKind::Away, format!("{}: not connected", self.place.shown)));
        };
        act(&mut link.connection).map_err(|error| {
            self.link = None;
            told(&self.place, &error)
        })
    }

    /// Waits for the server's disk if its settings do not. What an earlier connection wrote is waited for as
    /// well, since what is written here comes after it.
    fn settle(&mut self) -> Result<(), StoreError> {
        if !self.link.as_ref().is_some_and(|link| link.server.durability == Durability::Wait) {
            return Ok(());
        }
        let touch = self.key("touch", "");
        let (kept, _): (i64, i64) = self.talk(|connection| {
            redis::cmd("SET").arg(touch).arg(1).exec(connection)?;
            // The answer comes when the disk has it, and not before.
            connection.set_read_timeout(Some(PATIENCE.saturating_add(DISK)))?;
            let millis = u64::try_from(DISK.as_millis()).unwrap_or(u64::MAX);
            let kept = redis::cmd("WAITAOF").arg(1).arg(0).arg(millis).query(connection)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            Ok(kept)
        })?;
        if kept > 0 {
            return Ok(());
        }
        let text = format!("{}: the server's disk is too slow to keep what it was told", self.place.shown);
        Err(StoreError::new(ErrorKind::Away, text))
    }

    /// Reads rows, and the server's clock.
    fn read(&mut self, keys: &[RowKey]) -> Result<(u64, Rows), StoreError> {
        let names: Vec<String> = keys.iter().map(|key| self.row(key)).collect();
        let ((seconds, micros), values): ((u64, u64), Vec<Option<Vec<u8>>>) =
            self.talk(|connection| redis::pipe().cmd("TIME").cmd("MGET").arg(names).query(connection))?;
        let mut rows = Rows::new();
        for (key, value) in keys.iter().zip(values) {
            rows.load(key.clone(), value);
        }
        let now = seconds.saturating_mul(1_000_000_000).saturating_add(micros.saturating_mul(1000));
        Ok((now, rows))
    }

    /// Writes what changed if nothing else did.
    fn write(&mut self, keys: &[RowKey], before: &Rows, rows: &Rows) -> Result<bool, StoreError> {
        let changes: Vec<_> = rows.changes().collect();
        if changes.is_empty() {
            return Ok(true);
        }
        let mut command = redis::cmd("EVAL");
        command.arg(EXCHANGE).arg(keys.len().saturating_add(changes.len()));
        for key in keys.iter().chain(changes.iter().map(|(key, _)| *key)) {
            command.arg(self.row(key));
        }
        command.arg(keys.len());
        for key in keys {
            push(&mut command, before.get(key));
        }
        for (_, value) in changes {
            push(&mut command, value);
        }
        self.talk(|connection| command.query(connection))
    }
}

/// `0` for no row, else `1` and the value.
fn push(command: &mut Cmd, value: Option<&[u8]>) {
    match value {
        None => command.arg("0"),
        Some(value) => command.arg([b"1", value].concat()),
    };
}

impl Store for RedisStore {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn place(&self) -> String {
        format!("{}, namespace {}", self.place.shown, self.place.namespace)
    }

    fn transact(&mut self, keys: Vec<RowKey>, change: Change<'_>) -> Result<(), StoreError> {
        self.ready()?;
        for tried in 0..TRIES {
            let (now, before) = self.read(&keys)?;
            let mut rows = before.clone();
            change(now, &mut rows);
            if self.write(&keys, &before, &rows)? {
                return self.settle();
            }
            clock::pause(clock::jitter(Duration::from_micros(500).saturating_mul(1 << tried.min(5))));
        }
        let text =
            format!("{}: others wrote the ledger {TRIES} times in between; try again", self.place.shown);
        Err(StoreError::new(ErrorKind::Locked, text))
    }

    fn scan(&mut self, prefix: &str) -> Result<Scanned, StoreError> {
        self.ready()?;
        let (stem, pattern) = (self.key("row:", ""), glob(&self.key("row:", prefix)));
        let (mut names, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let (next, found): (u64, Vec<String>) = self.talk(|connection| {
                let mut command = redis::cmd("SCAN");
                command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000).query(connection)
            })?;
            names.extend(found.iter().filter_map(|name| name.strip_prefix(&stem)).map(RowKey::parse));
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        names.sort_unstable();
        names.dedup();
        let (mut now, mut found) = (self.read(&[RowKey::meta()])?.0, Vec::with_capacity(names.len()));
        for group in names.chunks(GROUP) {
            let (time, rows) = self.read(group)?;
            now = time;
            found.extend(rows.iter().map(|(key, value)| (key.clone(), value.to_vec())));
        }
        Ok((now, found))
    }

    fn append(&mut self, origin: u128, records: &[(u64, Record)]) -> Result<(), StoreError> {
        self.ready()?;
        let keys = [self.row(&RowKey::meta()), self.key("records", ""), self.key("marks", "")];
        for group in records.chunks(GROUP) {
            let mut command = redis::cmd("EVAL");
            command.arg(APPEND).arg(3).arg(&keys).arg(format!("{origin:032x}"));
            for (number, record) in group {
                let mut bytes = Vec::with_capacity(256);
                record.encode(&mut bytes);
                command.arg(*number).arg(bytes);
            }
            if !self.talk(|connection| command.query::<bool>(connection))? {
                let text =
                    format!("{}: there is no ledger any more; restore it from a backup", self.place.shown);
                return Err(StoreError::new(ErrorKind::NoLedger, text));
            }
        }
        self.settle()
    }

    fn export(&mut self, visit: &mut dyn FnMut(Stored) -> bool) -> Result<(), StoreError> {
        type Entry = (String, (String, String, String, u64, String, Vec<u8>));
        self.ready()?;
        let (key, mut after) = (self.key("records", ""), "-".to_owned());
        loop {
            let group: Vec<Entry> = self.talk(|connection| {
                redis::cmd("XRANGE").arg(&key).arg(&after).arg("+").arg("COUNT").arg(GROUP).query(connection)
            })?;
            let Some((last, _)) = group.last() else { return Ok(()) };
            after = format!("({last}");
            for (_, (_, origin, _, number, _, bytes)) in group {
                let origin = u128::from_str_radix(&origin, 16).unwrap_or_default();
                let record = Record::decode(&bytes).map_err(|error| {
                    StoreError::new(error.kind, format!("{}: {}", self.place.shown, error.message))
                })?;
                if !visit(Stored { origin, number, record }) {
                    return Ok(());
                }
            }
        }
    }
}

/// A pattern for everything that begins with `prefix`.
fn glob(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len().saturating_add(8));
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}
