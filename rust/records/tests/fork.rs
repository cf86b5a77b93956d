//! A log in a process that was forked off. (Alone, since the whole process is told of it.)
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::fs;

use checkrein_records::{Audit, Log, forked};

#[test]
fn a_child_writes_its_own_records_and_none_of_its_parents() {
    let path = std::env::temp_dir().join(format!("checkrein-forked-{}", std::process::id()));
    let log = Log::new(&path, Audit::BestEffort);
    log.line("of the parent, which writes it", None);
    forked();
    log.line("of the child", None);
    log.flush().unwrap();
    forked();
    log.line("of its child", None);
    drop(log);
    assert_eq!(fs::read_to_string(&path).unwrap(), "of the child\nof its child\n");
    fs::remove_file(&path).unwrap();
}
