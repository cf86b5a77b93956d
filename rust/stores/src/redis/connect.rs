//! A connection to a server that keeps what it is told, or an error that says which setting forbids it.

use std::time::Duration;

use redis::{Client, Connection, ErrorKind as Failure, RedisError};

use crate::error::{ErrorKind, StoreError};
use crate::place::RedisPlace;

/// As long as a server may take to accept or to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What makes a write safe on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The server writes to disk before it answers.
    Always,
    /// We wait for the disk after each write.
    Wait,
    /// The operator takes the risk.
    Relaxed,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Another one after each start.
    pub(super) run_id: String,
    /// How it keeps what it is told.
    pub(super) durability: Durability,
    /// It was a replica once, and may never have heard what its master acknowledged.
    pub(super) was_replica: bool,
}

/// Connects, without looking at the server.
pub(super) fn connect(place: &RedisPlace) -> Result<Connection, StoreError> {
    let client = Client::open(place.url.as_str()).map_err(|_| {
        let text =
            format!("{}: not the address of a server; write redis://USER:PASSWORD@HOST:PORT/DB", place.shown);
        StoreError::new(ErrorKind::BadUrl, text)
    })?;
    let connection = client.get_connection_with_timeout(PATIENCE).map_err(|error| told(place, &error))?;
    let limits = connection
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| connection.set_write_timeout(Some(PATIENCE)));
    limits.map_err(|error| told(place, &error))?;
    Ok(connection)
}

/// Looks at the server's settings: is this a place for money?
pub(super) fn look(place: &RedisPlace, connection: &mut Connection) -> Result<Server, StoreError> {
    let info: String = redis::cmd("INFO").query(connection).map_err(|error| told(place, &error))?;
    // Hosted servers forbid CONFIG; then only waiting for the disk is certain.
    let fsync = setting(place, connection, "appendfsync")?;
    let rests = setting(place, connection, "no-appendfsync-on-rewrite")?;
    judge(place, &info, fsync.as_deref(), rests.as_deref() == Some("yes"))
}

/// What a setting is; `None` if the server does not tell.
fn setting(
    place: &RedisPlace,
    connection: &mut Connection,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let answer = redis::cmd("CONFIG").arg("GET").arg(name).query::<(String, String)>(connection);
    match answer {
        Ok((_, value)) => Ok(Some(value)),
        Err(error) if error.is_io_error() || error.code() == Some("LOADING") => Err(told(place, &error)),
        Err(_) => Ok(None),
    }
}

/// Accepts or refuses a server by what it says. `rests`: it writes to disk later while it rewrites its log,
/// whatever `appendfsync` says.
pub(super) fn judge(
    place: &RedisPlace,
    info: &str,
    fsync: Option<&str>,
    rests: bool,
) -> Result<Server, StoreError> {
    let value = |name: &str| {
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim()).next().unwrap_or_default()
    };
    let refuse = |kind, what: &str| Err(StoreError::new(kind, format!("{}: {what}", place.shown)));
    if value("loading") == "1" {
        return refuse(ErrorKind::Away, "the server is still reading what it wrote before; wait for it");
    }
    if value("role") != "master" {
        return refuse(ErrorKind::ReadOnly, "the server is a replica; give the address of its master");
    }
    if value("maxmemory") != "0" && value("maxmemory_policy") != "noeviction" {
        return refuse(
            ErrorKind::Evicting,
            "the server throws data away when its memory is full, and with it what was spent; set \
             `maxmemory-policy noeviction`, or use another server",
        );
    }
    let (has_log, waits) = (value("aof_enabled") == "1", version(value("redis_version")) >= (7, 2));
    let durability = match fsync {
        _ if place.relaxed => Durability::Relaxed,
        Some("always") if has_log && rests => {
            return refuse(
                ErrorKind::NotDurable,
                "the server may forget in a crash what it has acknowledged while it rewrites its log; set \
                 `no-appendfsync-on-rewrite no`, or accept the risk with ?durability=relaxed",
            );
        }
        Some("always") if has_log => Durability::Always,
        _ if has_log && waits => Durability::Wait,
        _ => {
            return refuse(
                ErrorKind::NotDurable,
                "the server may forget in a crash what it has acknowledged; set `appendonly yes` and \
                 `appendfsync always` (from 7.2 on `appendonly yes` is enough), or accept the risk with \
                 ?durability=relaxed",
            );
        }
    };
    let was_replica = !matches!(value("second_repl_offset"), "" | "-1");
    Ok(Server { run_id: value("run_id").to_owned(), durability, was_replica })
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The client's error in our words. What a server says never has our password in it.
pub(super) fn told(place: &RedisPlace, error: &RedisError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let (kind, advice) = match (error.kind(), code) {
        (Failure::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH" | "NOPERM") => {
            (ErrorKind::Auth, "check the user and the password")
        }
        (_, "OOM") => (ErrorKind::Full, "its memory is full: give it more"),
        (_, "MISCONF") => (ErrorKind::Full, "it cannot write to its disk: make room there"),
        (_, "READONLY") => (ErrorKind::ReadOnly, "give the address of the master"),
        (_, "WRONGTYPE") => (ErrorKind::Damaged, "something else wrote the ledger's keys"),
        _ => (ErrorKind::Away, "is it running, and is the network well?"),
    };
    StoreError::new(kind, format!("{}: {error}; {advice}", place.shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    const GOOD: &str = "redis_version:7.0.15\r\nrole:master\r\nrun_id:abc\r\nmaxmemory:0\r\n\
        maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n";

    fn judged(query: &str, info: &str, fsync: Option<&str>) -> Result<Durability, ErrorKind> {
        judged_at_rest(query, info, fsync, false)
    }

    fn judged_at_rest(
        query: &str,
        info: &str,
        fsync: Option<&str>,
        rests: bool,
    ) -> Result<Durability, ErrorKind> {
        let Ok(Place::Redis(place)) = Place::parse(&format!("redis://h{query}")) else { panic!("a place") };
        judge(&place, info, fsync, rests).map(|server| server.durability).map_err(|error| error.kind)
    }

    #[test]
    fn servers_are_judged_by_what_they_say() {
        let with = |from: &str, to: &str| GOOD.replace(from, to);
        let newer = with("7.0.15", "7.2.0");
        let without_log = with("aof_enabled:1", "aof_enabled:0");
        assert_eq!(judged("", GOOD, Some("always")), Ok(Durability::Always));
        assert_eq!(judged_at_rest("", GOOD, Some("always"), true), Err(ErrorKind::NotDurable));
        let relaxed = judged_at_rest("?durability=relaxed", GOOD, Some("always"), true);
        assert_eq!(relaxed, Ok(Durability::Relaxed));
        assert_eq!(judged("", GOOD, Some("everysec")), Err(ErrorKind::NotDurable));
        assert_eq!(judged("", GOOD, None), Err(ErrorKind::NotDurable));
        assert_eq!(judged("", &newer, None), Ok(Durability::Wait));
        assert_eq!(judged("", &newer, Some("everysec")), Ok(Durability::Wait));
        assert_eq!(judged("", &without_log, Some("always")), Err(ErrorKind::NotDurable));
        assert_eq!(judged("?durability=relaxed", &without_log, None), Ok(Durability::Relaxed));
        assert_eq!(judged("", &with("role:master", "role:slave"), Some("always")), Err(ErrorKind::ReadOnly));
        let loading = format!("{GOOD}loading:1\r\n");
        assert_eq!(judged("", &loading, None), Err(ErrorKind::Away));
        let small = with("maxmemory:0", "maxmemory:100");
        assert_eq!(judged("?durability=relaxed", &small, Some("always")), Err(ErrorKind::Evicting));
        let kept = small.replace("allkeys-lru", "noeviction");
        assert_eq!(judged("", &kept, Some("always")), Ok(Durability::Always));
    }
}
