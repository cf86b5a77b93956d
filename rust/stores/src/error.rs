//! What can go wrong with a store: a kind for programs and a sentence for people. A password never gets into
//! the sentence.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// There is something else where the ledger should be.
    NotALedger,
    /// What is stored was changed or cut by something else.
    Damaged,
    /// The ledger was written by another version.
    Version,
    /// The ledger cannot be written.
    ReadOnly,
    /// There is no room for more.
    Full,
    /// Somebody else holds the ledger for too long.
    Locked,
    /// The store does not answer.
    Away,
    /// The store throws away what it holds when memory runs out.
    Evicting,
    /// The store may forget what it has acknowledged.
    NotDurable,
    /// The store is well and has no ledger.
    NoLedger,
    /// The store refuses the user or the password.
    Auth,
    /// The place of the store cannot be read.
    BadUrl,
    /// This build cannot do that.
    Unsupported,
    /// The process was forked while the ledger was open.
    Forked,
    /// Its clock and ours differ too much.
    Clock,
    /// The store takes this process for another one.
    Fenced,
}

impl ErrorKind {
    /// As programs and records name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotALedger => "not_a_ledger",
            Self::Damaged => "damaged",
            Self::Version => "version",
            Self::ReadOnly => "read_only",
            Self::Full => "full",
            Self::Locked => "locked",
            Self::Away => "away",
            Self::Evicting => "evicting",
            Self::NotDurable => "not_durable",
            Self::NoLedger => "no_ledger",
            Self::Auth => "auth",
            Self::BadUrl => "bad_url",
            Self::Unsupported => "unsupported",
            Self::Forked => "forked",
            Self::Clock => "clock",
            Self::Fenced => "fenced",
        }
    }
}

/// Why a store could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// For programs.
    pub kind: ErrorKind,
    /// For people: what happened, where, what to do next.
    pub message: String,
}

impl StoreError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A file that could not be opened, read or written.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        let (kind, advice) = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::ReadOnly, "let this user write there, or choose another path")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                (ErrorKind::Full, "make room on the disk")
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                (ErrorKind::NoLedger, "was its folder moved or removed?")
            }
            io::ErrorKind::IsADirectory => (ErrorKind::NotALedger, "give the path of a file"),
            _ => (ErrorKind::Away, "look at the disk"),
        };
        Self::new(kind, format!("{}: {error}; {advice}", path.display()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for StoreError {}
