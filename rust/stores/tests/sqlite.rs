//! The ledger's file: what it must be, and what happens when something else was done to it.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use checkrein_stores::{ErrorKind, SqliteStore, Store, StoreError, open_store};
use common::{Folder, exported, item, open, record, request};
use policy_core::store::{Reply, Request, Rows};

fn kind<T>(result: Result<T, StoreError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

#[test]
fn a_new_ledger_is_for_its_owner_alone() {
    let folder = Folder::new("new");
    let path = folder.file("a/b/ledger.db");
    let mut store = open(&path.display().to_string());
    assert!(store.has_ledger().expect("it can be read"));
    assert!(!store.create().expect("there is one already"));
    store.append(1, &[(1, record("run", 1))]).expect("it is written");
    let files = common::files_of(&path);
    assert!(files.len() >= 2, "the file and its log: {files:?}");
    for file in files {
        assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(fs::metadata(path.parent().expect("b")).expect("it is there").mode() & 0o777, 0o700);
}

#[test]
fn something_else_is_refused_and_left_alone() {
    let folder = Folder::new("other");
    let at = |name: &str| folder.file(name);
    fs::write(at("text"), "this is a text and no ledger ".repeat(99)).expect("written");
    fs::create_dir(at("folder")).expect("made");
    drop(open(&folder.url("good")));
    symlink(at("good"), at("link")).expect("linked");
    let other = rusqlite::Connection::open(at("other")).expect("a database");
    other.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)").expect("a table");
    drop(other);
    fs::copy(at("good"), at("newer")).expect("copied");
    let newer = rusqlite::Connection::open(at("newer")).expect("a database");
    newer.execute_batch("PRAGMA user_version = 2").expect("changed");
    drop(newer);
    fs::write(at("gone-wal"), "what is left of a ledger").expect("written");
    let cases = [
        ("text", ErrorKind::NotALedger),
        ("folder", ErrorKind::NotALedger),
        ("link", ErrorKind::NotALedger),
        ("other", ErrorKind::NotALedger),
        ("newer", ErrorKind::Version),
        ("gone", ErrorKind::Damaged),
    ];
    for (name, expected) in cases {
        let before = fs::read(at(name)).ok();
        assert_eq!(kind(open_store(&folder.url(name), true)), Some(expected), "{name}");
        assert_eq!(fs::read(at(name)).ok(), before, "{name} is as it was");
    }
    assert_eq!(kind(open_store(&folder.url("missing"), false)), Some(ErrorKind::NoLedger));
    assert!(!at("missing").exists());
    let error = open_store(&folder.url("other"), true).expect_err("it is none");
    assert!(error.message.contains("other") && error.message.contains("give another path"), "{error}");
}

#[test]
fn a_ledger_that_was_made_here_and_is_gone_is_not_made_again_in_silence() {
    let folder = Folder::new("gone");
    let (path, mark) = (folder.file("ledger.db"), folder.file("ledger.db-made"));
    filled(&path);
    let whole = fs::read(&path).expect("it can be read");
    let empty = rusqlite::Connection::open(folder.file("empty.db")).expect("a database");
    empty.execute_batch("PRAGMA user_version = 0; VACUUM").expect("a page");
    drop(empty);
    let blank = fs::read(folder.file("empty.db")).expect("it can be read");
    for left in [None, Some(Vec::new()), Some(blank)] {
        fs::remove_file(&path).expect("removed");
        if let Some(bytes) = &left {
            fs::write(&path, bytes).expect("written");
        }
        for make in [true, false] {
            let error = open_store(&folder.url("ledger.db"), make).expect_err("what was spent is lost");
            assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
            assert!(error.message.contains("restore it from a backup") && error.message.contains("-made"));
            assert_eq!(fs::read(&path).ok(), left, "it is as it was");
        }
        fs::write(&path, &whole).expect("restored");
        drop(open(&folder.url("ledger.db")));
    }
    // Who means it removes the mark as well. An older ledger gets one when it is opened.
    fs::remove_file(&path).expect("removed");
    fs::remove_file(&mark).expect("removed");
    let made = SqliteStore::open(&path, true).expect("a new one");
    assert!(made.has_made() && mark.exists());
    drop(made);
    fs::remove_file(&mark).expect("removed");
    assert!(!SqliteStore::open(&path, true).expect("it is there").has_made() && mark.exists());
}

#[test]
fn a_file_that_somebody_is_about_to_fill_is_filled() {
    let folder = Folder::new("begun");
    fs::write(folder.file("ledger.db"), "").expect("made by a process that was killed then");
    assert!(open(&folder.url("ledger.db")).has_ledger().expect("it is made"));
}

#[test]
fn a_ledger_that_is_moved_or_replaced_while_it_is_open_is_not_written() {
    let folder = Folder::new("moved");
    let mut store = open(&folder.url("ledger.db"));
    let ask = request(1, vec![item("a", 100, 1, 10)]);
    assert!(matches!(store.apply(&ask), Ok(Reply::Done { .. })));
    fs::rename(folder.file("ledger.db"), folder.file("away.db")).expect("moved");
    assert_eq!(kind(store.apply(&ask)), Some(ErrorKind::NoLedger));
    let mut other = open(&folder.url("other.db"));
    drop(other.scan("").expect("it can be read"));
    drop(other);
    fs::rename(folder.file("other.db"), folder.file("ledger.db")).expect("replaced");
    for _ in 0..2 {
        assert_eq!(kind(store.apply(&ask)), Some(ErrorKind::NoLedger), "another file is another ledger");
    }
    fs::rename(folder.file("away.db"), folder.file("ledger.db")).expect("put back");
    let again = store.apply(&ask);
    assert!(matches!(again, Ok(Reply::Done { seq: 1, .. })), "{again:?}");
}

/// A ledger with accounts of several nodes, and records; its file, closed.
fn filled(path: &Path) -> Request {
    let mut store = open(&path.display().to_string());
    let mut last = request(1, Vec::new());
    for node in 1..=3_u128 {
        let items = (0..20).map(|user| item(&format!("{user}"), 1000, 1, 100)).collect();
        last = request(node, items);
        assert!(matches!(store.apply(&last), Ok(Reply::Done { .. })));
        let records: Vec<_> = (1..=40).map(|number| (number, record("run", number))).collect();
        store.append(node, &records).expect("they are written");
    }
    drop(store);
    assert_eq!(common::files_of(path).len(), 2, "the ledger and its mark; the log is gone");
    last
}

/// What a store says: its rows, its records, and its answer to a repeated and to a new request.
fn said(path: &Path, last: &Request) -> Result<String, StoreError> {
    let mut store = SqliteStore::open(path, false)?;
    let rows = store.scan("")?.1;
    let mut records = Vec::new();
    store.export(&mut |stored| {
        records.push(stored);
        true
    })?;
    let repeated = store.apply(last)?;
    let Reply::Done { items, .. } = store.apply(&request(9, vec![item("0", 1000, 300, 300)]))? else {
        return Err(store.apply(last).expect_err("a ledger answers"));
    };
    Ok(format!("{rows:?} {records:?} {repeated:?} {items:?}"))
}

#[test]
fn a_flipped_byte_is_an_error_or_changes_nothing() {
    let folder = Folder::new("flip");
    let (path, copy) = (folder.file("ledger.db"), folder.file("copy.db"));
    let last = filled(&path);
    let good = fs::read(&path).expect("it can be read");
    let put = |bytes: &[u8]| {
        for file in common::files_of(&copy) {
            fs::remove_file(file).expect("removed");
        }
        fs::write(&copy, bytes).expect("written");
        said(&copy, &last)
    };
    let mut expected = put(&good).expect("a copy is as good");
    let (mut refused, mut harmless) = (0, 0);
    // Every byte of each page's header, and every 97th of the rest.
    for at in (0..good.len()).filter(|at| at % 4096 < 16 || at % 97 == 0) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        match put(&bad) {
            Ok(same) => {
                // It may be the time: one node after another is silent for long, and has nothing leased then.
                let is_harmless = same == expected
                    || (0..=3).any(|_| {
                        expected = put(&good).expect("a copy is as good");
                        put(&bad).is_ok_and(|same| same == expected)
                    });
                assert!(is_harmless, "byte {at} changed what the ledger says");
                harmless += 1;
            }
            Err(error) => {
                assert_ne!(error.kind, ErrorKind::Away, "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "{refused} refused, {harmless} harmless");
    println!("{} pages: {refused} flips refused, {harmless} in unused bytes", good.len() / 4096);
}

#[test]
fn a_ledger_that_was_cut_is_an_error() {
    let folder = Folder::new("cut");
    let (path, copy) = (folder.file("ledger.db"), folder.file("copy.db"));
    let last = filled(&path);
    let good = fs::read(&path).expect("it can be read");
    for cut in [good.len() / 2, good.len() - 4096, good.len() - 1, 4096, 100] {
        fs::write(&copy, &good[..cut]).expect("written");
        let error = said(&copy, &last).expect_err("it is cut");
        assert!(matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotALedger), "{cut}: {error}");
        for file in common::files_of(&copy) {
            fs::remove_file(file).expect("removed");
        }
    }
}

#[test]
fn an_error_in_the_middle_leaves_nothing_behind() {
    let folder = Folder::new("half");
    let mut store = open(&folder.url("ledger.db"));
    let before = store.scan("").expect("rows").1;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.transact(vec![], &mut |_, _: &mut Rows| panic!("in the middle"))
    }));
    assert!(panicked.is_err());
    assert_eq!(store.scan("").expect("rows").1, before);
    assert!(matches!(store.apply(&request(1, vec![item("a", 9, 1, 9)])), Ok(Reply::Done { .. })));
}

/// Runs one ignored test of this program in another process, set up by a shell.
fn child(test: &str, folder: &Folder, setup: &str, user: Option<u32>) -> String {
    let mut program = std::env::current_exe().expect("this program");
    let mut command = Command::new("sh");
    if let Some(user) = user {
        // The checkout may lie where nobody else may go, such as in a home folder.
        let copy = folder.0.join("program");
        fs::copy(&program, &copy).expect("copied with its permissions");
        program = copy;
        command.uid(user).gid(user).current_dir(&folder.0);
    }
    command.arg("-c").arg(format!("{setup} exec \"$0\" --ignored --exact --nocapture {test}")).arg(program);
    command.env("CHECKREIN_TEST_FOLDER", &folder.0);
    let output = command.output().expect("the child runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn given() -> String {
    let folder = std::env::var_os("CHECKREIN_TEST_FOLDER").expect("the parent gives it");
    Path::new(&folder).join("ledger.db").display().to_string()
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let folder = Folder::new("full");
    drop(open(&folder.url("ledger.db")));
    // No file may be longer than 600 KiB there.
    let text = child("child_fills_the_disk", &folder, "trap '' XFSZ; ulimit -f 1200;", None);
    let kept: usize = text.lines().find_map(|l| l.strip_prefix("kept ")?.parse().ok()).expect("a figure");
    assert!(kept > 100, "{kept}");
    assert_eq!(
        exported(open(&folder.url("ledger.db")).as_mut()).len(),
        kept,
        "what was acknowledged is there"
    );
}

#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_fills_the_disk() {
    let mut store = open(&given());
    let mut kept = 0;
    let error = loop {
        let records: Vec<_> = (kept + 1..=kept + 100).map(|number| (number, record("run", number))).collect();
        match store.append(1, &records) {
            Ok(()) => kept += 100,
            Err(error) => break error,
        }
        assert!(kept < 1_000_000, "the disk is never full");
    };
    assert_eq!(error.kind, ErrorKind::Full, "{error}");
    assert!(store.scan("").is_ok(), "reading still works");
    println!("kept {kept}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("readonly");
    drop(open(&folder.url("ledger.db")));
    let set = |mode| fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).expect("set");
    // The administrator may write everywhere: then somebody else tries.
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    fs::set_permissions(folder.file("ledger.db"), fs::Permissions::from_mode(0o444)).expect("set");
    set(0o555);
    child("child_may_not_write", &folder, "", root.then_some(65534));
    set(0o755);
}

#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_may_not_write() {
    let error = open_store(&given(), true).expect_err("it cannot be written");
    assert_eq!(error.kind, ErrorKind::ReadOnly, "{error}");
    let other = given().replace("ledger.db", "new.db");
    let error = open_store(&other, true).expect_err("it cannot be made");
    assert_eq!(error.kind, ErrorKind::ReadOnly, "{error}");
}

#[test]
fn several_threads_and_connections_grant_no_more_than_there_is() {
    let folder = Folder::new("many");
    let url = folder.url("ledger.db");
    let granted: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6_u128)
            .map(|node| {
                let url = &url;
                scope.spawn(move || {
                    let mut store = open(url);
                    let (mut granted, mut seen, mut epoch) = (0, 0, 0);
                    for seq in 1..=20 {
                        let mut ask = request(node + 1, vec![item("a", 10_000, 7, 120)]);
                        (ask.seq, ask.seen, ask.epoch) = (seq, seen, epoch);
                        // Where so many write, one may wait for too long: it asks the same again.
                        let answer = loop {
                            let answer = store.apply(&ask);
                            if !matches!(&answer, Err(error) if error.kind == ErrorKind::Locked) {
                                break answer.expect("it answers");
                            }
                        };
                        match answer {
                            Reply::Done { items, nonce, epoch: now, .. } => {
                                granted += items[0].granted;
                                (seen, epoch) = (nonce, now);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    granted
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(granted <= 10_000 && granted > 9_000, "{granted}");
}

#[test]
fn several_that_begin_at_once_make_one_ledger() {
    for round in 0..150 {
        let folder = Folder::new(&format!("begin-{round}"));
        let (url, ready) = (folder.url("ledger.db"), std::sync::Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    ready.wait();
                    drop(open(&url));
                });
            }
        });
    }
}

#[test]
fn a_file_with_two_names_is_refused() {
    let folder = Folder::new("names");
    drop(open(&folder.url("ledger.db")));
    std::fs::hard_link(folder.file("ledger.db"), folder.file("other.db")).expect("a second name");
    for name in ["ledger.db", "other.db"] {
        let error = open_store(&folder.url(name), true).expect_err("it has two logs");
        assert_eq!(error.kind, ErrorKind::NotALedger, "{error}");
    }
    std::fs::remove_file(folder.file("other.db")).expect("it goes");
    drop(open(&folder.url("ledger.db")));
}
