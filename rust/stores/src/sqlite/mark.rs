//! The mark beside a ledger's file: there was a ledger here. Without it a ledger that is gone would be made
//! anew with nothing spent, and nobody would notice.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::file::beside;
use crate::error::{ErrorKind, StoreError};

const SUFFIX: &str = "-made";
const TEXT: &str =
    "Checkrein made a ledger here. If it is gone, restore it from a backup. Who removes this file as well
begins anew, with nothing spent.
";

/// Whether a ledger was made at a path at some time.
pub(super) fn exists(ledger: &Path) -> bool {
    beside(ledger, SUFFIX).exists()
}

/// There is a ledger now.
pub(super) fn set(ledger: &Path) -> Result<(), StoreError> {
    let mark = beside(ledger, SUFFIX);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&mark);
    let written = file.and_then(|mut file| {
        file.write_all(TEXT.as_bytes())?;
        file.sync_all()
    });
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::file(&mark, &error)),
        _ => Ok(()),
    }
}

/// There was a ledger, and nobody knows what was spent.
pub(super) fn lost(ledger: &Path) -> StoreError {
    let text = format!(
        "{}: the ledger that was made here is gone, and with it what was spent; restore it from a backup, or \
         remove {} as well to begin anew with nothing spent",
        ledger.display(),
        beside(ledger, SUFFIX).display()
    );
    StoreError::new(ErrorKind::Damaged, text)
}
