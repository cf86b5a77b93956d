//! What SQLite's errors mean for a ledger.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::error::{ErrorKind, StoreError};

/// What went wrong with the file at `path`.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (kind, advice) = match error {
        rusqlite::Error::SqliteFailure(code, _) => meaning(*code),
        // What we wrote ourselves has these types and rows.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => DAMAGED,
        _ => AWAY,
    };
    StoreError::new(kind, format!("the ledger {}: {error}; {advice}", path.display()))
}

const DAMAGED: (ErrorKind, &str) =
    (ErrorKind::Damaged, "stop everything that uses it, and restore it from a backup");
const AWAY: (ErrorKind, &str) = (ErrorKind::Away, "look at the disk");
const FULL: (ErrorKind, &str) = (ErrorKind::Full, "the disk takes no more: make room");

fn meaning(error: ffi::Error) -> (ErrorKind, &'static str) {
    match error.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::Locked, "another process holds it for too long")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied if error.extended_code == READONLY_DBMOVED => MOVED,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (ErrorKind::ReadOnly, "let this user write the file and its folder")
        }
        ErrorCode::DiskFull => FULL,
        ErrorCode::DatabaseCorrupt | ErrorCode::TypeMismatch => DAMAGED,
        ErrorCode::NotADatabase => {
            (ErrorKind::NotALedger, "give the path of a ledger, or one where no file is yet")
        }
        ErrorCode::CannotOpen => {
            (ErrorKind::ReadOnly, "can this user read and write the file and its folder?")
        }
        ErrorCode::SystemIoFailure => match error.extended_code {
            ffi::SQLITE_IOERR_WRITE => FULL,
            ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS => DAMAGED,
            _ => AWAY,
        },
        // A table is not there: something else was made of the file.
        ErrorCode::Unknown | ErrorCode::SchemaChanged => DAMAGED,
        _ => AWAY,
    }
}

const READONLY_DBMOVED: i32 = ffi::SQLITE_READONLY | (4 << 8);
const MOVED: (ErrorKind, &str) =
    (ErrorKind::NoLedger, "it was moved or removed while it was open; put it back, or start again");
