//! Where a store is: the text that people write, read once.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{ErrorKind, StoreError};

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In this process alone.
    Memory,
    /// In a file.
    Sqlite(PathBuf),
    /// On a server.
    Redis(RedisPlace),
}

/// A ledger on a Redis server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RedisPlace {
    /// What the client is given, without our own words.
    pub(crate) url: String,
    /// For messages: no user, no password.
    pub(crate) shown: String,
    /// The ledger's name there: several may live on one server.
    pub(crate) namespace: String,
    /// The operator accepts that a crash of the server forgets what it acknowledged last.
    pub(crate) relaxed: bool,
}

impl std::fmt::Debug for RedisPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

const FORMS: &str = "write a path, sqlite:PATH, redis://HOST:PORT/DB or memory:";

impl Place {
    /// For messages: without user and password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Memory => "memory:".to_owned(),
            Self::Sqlite(path) => path.display().to_string(),
            Self::Redis(place) => place.shown.clone(),
        }
    }

    /// The same place with all symbolic links of its folder followed, and whatever the process's folder is.
    pub(crate) fn real(self) -> Result<Self, StoreError> {
        match self {
            Self::Sqlite(path) => real_path(&path, false).map(Self::Sqlite),
            other => Ok(other),
        }
    }

    /// Where the journals of this place's records are, on this machine.
    pub(crate) fn folder(&self) -> Result<PathBuf, StoreError> {
        match self {
            Self::Memory => Ok(PathBuf::new()),
            Self::Sqlite(path) => {
                let mut name = real_path(path, false)?.into_os_string();
                name.push("-records");
                Ok(PathBuf::from(name))
            }
            Self::Redis(place) => {
                let name = xxh3_64(format!("{}/{}", place.shown, place.namespace).as_bytes());
                Ok(PathBuf::from(format!(".checkrein/records-{name:016x}")))
            }
        }
    }

    /// Reads what people write.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let bad = |what: &str| StoreError::new(ErrorKind::BadUrl, format!("{what}; {FORMS}"));
        if url.contains('\0') {
            return Err(bad("the place of the store has a NUL in it"));
        }
        if url == "memory:" {
            return Ok(Self::Memory);
        }
        if url.starts_with("rediss://") {
            let text =
                "rediss://: this build has no TLS; use redis:// through a tunnel or on a private network";
            return Err(StoreError::new(ErrorKind::Unsupported, text));
        }
        if let Some(rest) = url.strip_prefix("redis://") {
            return redis_place(rest).map(Self::Redis);
        }
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        if path.contains("://") || path.starts_with("memory:") || path.starts_with("redis:") {
            return Err(bad("no store is known by this scheme"));
        }
        // An empty name or `:memory:` would be a private database of SQLite's own.
        if path.is_empty() || path.starts_with(':') || path.ends_with('/') {
            return Err(bad("the path of the ledger's file is missing"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

fn redis_place(rest: &str) -> Result<RedisPlace, StoreError> {
    let bad = |what: String| StoreError::new(ErrorKind::BadUrl, format!("redis://...: {what}"));
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let shown = format!("redis://{}", address.rsplit_once('@').map_or(address, |(_, host)| host));
    let (mut namespace, mut relaxed, mut kept) = ("default".to_owned(), false, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("namespace", name) => name.clone_into(&mut namespace),
            ("durability", "relaxed") => relaxed = true,
            ("durability", "full") => relaxed = false,
            ("durability", other) => {
                return Err(bad(format!("durability is `full` or `relaxed`, not `{other}`")));
            }
            ("protocol", _) => kept.push(pair),
            (other, _) => return Err(bad(format!("nothing is known of `{other}` behind the `?`"))),
        }
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if namespace.is_empty() || namespace.len() > 64 || !namespace.chars().all(is_plain) {
        return Err(bad("a namespace is 1 to 64 letters, digits, `-`, `_` and `.`".to_owned()));
    }
    let kept = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok(RedisPlace { url: format!("redis://{address}{kept}"), shown, namespace, relaxed })
}

/// The name of the ledger with all symbolic links of its folder followed; the folder is made if `make`.
pub(crate) fn real_path(path: &Path, make: bool) -> Result<PathBuf, StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if make {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| StoreError::file(folder, &error))?;
    }
    let name = path.file_name().ok_or_else(|| {
        StoreError::new(ErrorKind::BadUrl, format!("{}: not the path of a file", path.display()))
    })?;
    let folder = folder.canonicalize().map_err(|error| StoreError::file(folder, &error))?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!(Place::parse("memory:"), Ok(Place::Memory));
        for url in ["a/b.db", "sqlite:a/b.db"] {
            assert_eq!(Place::parse(url), Ok(Place::Sqlite("a/b.db".into())));
        }
        let Ok(Place::Redis(place)) = Place::parse("redis://u:p%40w@h:1/2?namespace=a-b&durability=relaxed")
        else {
            panic!("it is a place")
        };
        assert_eq!(place.url, "redis://u:p%40w@h:1/2");
        assert_eq!((place.shown.as_str(), place.namespace.as_str()), ("redis://h:1/2", "a-b"));
        assert!(place.relaxed);
        assert!(!format!("{place:?}").contains("p%40w"));
    }

    #[test]
    fn wrong_places_are_refused() {
        let wrong =
            ["", "sqlite:", ":memory:", "http://x", "postgres://x", "dir/", "redis:6379", "memory:x", "a\0"];
        let redis =
            ["redis://h?x=1", "redis://h?durability=no", "redis://h?namespace=", "redis://h?namespace=a}"];
        for url in wrong.into_iter().chain(redis) {
            assert_eq!(Place::parse(url).map_err(|e| e.kind), Err(ErrorKind::BadUrl), "{url}");
        }
        assert_eq!(Place::parse("rediss://h").map_err(|e| e.kind), Err(ErrorKind::Unsupported));
    }
}
