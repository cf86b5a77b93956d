//! A log under everything that can happen to its file, and to the threads that use it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may fail loudly"
)]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use checkrein_records::{Audit, Log};

fn place(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("checkrein-records-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn put(log: &Log, line: &str) -> Option<String> {
    log.line(line, None);
    if log.wants_attention() { log.attend().map(|trouble| trouble.0) } else { None }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn each_thread_finds_its_lines_in_their_order() {
    let path = place("order").join("new/log");
    let log = Arc::new(Log::new(&path, Audit::BestEffort));
    let write = |who: usize| {
        let log = Arc::clone(&log);
        move || (0..20_000).for_each(|n| assert_eq!(put(&log, &format!("{who} {n}")), None))
    };
    let threads: Vec<_> = (0..4).map(|who| thread::spawn(write(who))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    log.flush().unwrap();
    assert_eq!((log.lost(), lines(&path).len()), (0, 80_000));
    for who in 0..4 {
        let own: Vec<_> =
            lines(&path).into_iter().filter(|line| line.starts_with(&format!("{who} "))).collect();
        assert_eq!(own, (0..20_000).map(|n| format!("{who} {n}")).collect::<Vec<_>>());
    }
}

#[test]
fn the_first_line_is_written_at_once_and_the_others_by_a_thread() {
    let path = place("thread").join("log");
    let log = Log::new(&path, Audit::BestEffort);
    put(&log, "1");
    assert_eq!(lines(&path), ["1"]);
    for round in 2..5 {
        put(&log, &round.to_string());
        // The thread may be asleep, or about to be: whichever, it comes.
        let is_there = (0..50_000_000_u64).any(|_| {
            thread::yield_now();
            fs::metadata(&path).unwrap().len() == 2 * round
        });
        assert!(is_there, "line {round} is not in the file");
    }
}

#[test]
fn a_log_that_is_closed_opens_again() {
    let path = place("close").join("log");
    let log = Log::new(&path, Audit::BestEffort);
    for line in ["1", "2", "3"] {
        put(&log, line);
        put(&log, line);
        log.close();
    }
    assert_eq!(lines(&path), ["1", "1", "2", "2", "3", "3"]);
    put(&log, "4");
    drop(log);
    assert_eq!(lines(&path).last().unwrap(), "4");
}

#[test]
fn a_full_disk_is_said_once_and_counted() {
    let log = Log::new(Path::new("/dev/full"), Audit::BestEffort);
    let said = put(&log, "1").unwrap();
    assert!(said.starts_with("decisions are not logged to /dev/full: "), "{said}");
    assert_eq!(put(&log, "2"), None);
    assert_eq!((log.lost(), put(&log, "3"), log.lost()), (2, None, 3));
    assert_eq!(log.ready(None), Ok(()), "calls go on");
}

#[test]
fn what_is_required_waits_until_it_can_be_written() {
    let folder = place("required");
    let path = folder.join("there/log");
    fs::write(folder.join("there"), "a file in the way").unwrap();
    let log = Log::new(&path, Audit::Required);
    let refused = log.ready(None).unwrap_err().0;
    assert!(refused.contains("no call is let through"), "the first call: {refused}");
    assert_eq!(log.flush().map_err(|trouble| trouble.0.contains("not logged")), Err(true));
    assert!(log.ready(None).is_err(), "it is not forgotten");
    assert!(put(&log, "1").is_some());
    assert_eq!(put(&log, "2"), None, "it is said once");
    let refused = log.ready(None).unwrap_err().0;
    assert!(refused.contains("no call is let through"), "{refused}");
    assert!(log.flush().is_err());
    fs::remove_file(folder.join("there")).unwrap();
    assert_eq!((log.ready(None), log.flush(), log.lost()), (Ok(()), Ok(()), 0));
    assert_eq!(lines(&path), ["1", "2"]);
}

#[test]
fn what_is_required_is_tried_again_though_nothing_comes() {
    let path = place("again").join("log");
    let log = Log::new(&path, Audit::Required);
    put(&log, "1");
    put(&log, "2");
    log.flush().unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    put(&log, "3");
    while !log.is_blocked() {
        thread::yield_now();
    }
    fs::remove_dir(&path).unwrap();
    let is_there = (0..5_000_000).any(|_| {
        thread::yield_now();
        path.exists() && lines(&path) == ["3"]
    });
    assert!(is_there, "nobody tries again");
}

#[test]
fn a_file_that_takes_nothing_for_long_leaves_a_gap_that_the_log_tells_of() {
    let path = place("gap").join("log");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let log = Arc::new(Log::new(&path, Audit::BestEffort));
    let long = "x".repeat(1 << 20); // more than a pipe takes
    log.line(&long, None);
    let first = Arc::clone(&log);
    let writer = thread::spawn(move || first.attend());
    // Whoever opens the other end of the pipe writes, and is stuck there until somebody reads.
    let mut pipe = File::open(&path).unwrap();
    let mut said = Vec::new();
    let mut put_in = 0;
    while said.is_empty() {
        said.extend(put(&log, "more"));
        put_in += 1;
    }
    assert!(said[0].contains("records are missing"), "{said:?}");
    let reader = thread::spawn(move || {
        let mut all = String::new();
        pipe.read_to_string(&mut all).unwrap();
        all
    });
    writer.join().unwrap();
    log.flush().unwrap();
    put(&log, "last");
    assert_eq!(log.lost(), 1);
    drop(log);
    let all = reader.join().unwrap();
    let all: Vec<_> = all.lines().collect();
    assert_eq!(all.iter().filter(|line| **line == "more").count(), put_in - 1);
    assert_eq!(&all[all.len() - 2..], [gap(1, SLOW).as_str(), "last"]);
}

const SLOW: &str = "the file takes none for so long that there is no room for more";

fn gap(lost: u64, why: &str) -> String {
    format!(r#"{{"kind":"gap","time":"1970-01-01T00:00:00.000000+00:00","lost":{lost},"why":"{why}"}}"#)
}

#[test]
fn a_long_line_is_kept_behind_others_and_before_others() {
    let path = place("long").join("log");
    let log = Log::new(&path, Audit::BestEffort);
    let long = "x".repeat((256 << 10) + 1); // more than the memory that was asked for
    let all = ["1", &long, "2", &long, &long, "3"];
    all.iter().for_each(|line| log.line(line, None)); // nobody writes meanwhile
    assert_eq!((log.attend(), log.lost()), (None, 0));
    assert!(lines(&path) == all, "some are missing, or not in their order");
}

#[test]
fn only_so_much_waits_and_one_more_line_of_any_length() {
    let path = place("bound").join("log");
    let log = Log::new(&path, Audit::BestEffort);
    let (long, longer) = ("x".repeat((16 << 20) - 1), "y".repeat(17 << 20));
    let all = [&long, &longer, "not kept", "nor this"];
    all.iter().for_each(|line| log.line(line, None));
    let said = log.attend().unwrap().0;
    assert!(said.starts_with("records are missing in ") && said.ends_with(SLOW), "{said}");
    put(&log, "kept again");
    assert_eq!(log.lost(), 2);
    assert!(lines(&path) == [&long, &longer, &*gap(2, SLOW), "kept again"], "others are kept");
}

#[test]
fn what_a_file_did_not_take_is_told_of_once_it_takes_lines_again() {
    let folder = place("missing");
    let path = folder.join("there/log");
    let block = || fs::write(folder.join("there"), "a file in the way").unwrap();
    let clear = || fs::remove_file(folder.join("there")).unwrap();
    block();
    let log = Log::new(&path, Audit::BestEffort);
    let said = put(&log, "lost").unwrap();
    let (_, why) = said.split_once("/log: ").unwrap();
    log.line("lost", None);
    log.flush().unwrap();
    log.line("lost", None);
    log.flush().unwrap();
    clear();
    log.line("kept", None);
    assert_eq!(log.lost(), 3);
    assert_eq!(lines(&path), [gap(3, why), "kept".to_owned()]);
    fs::remove_dir_all(folder.join("there")).unwrap();
    block();
    log.line("lost", None);
    log.flush().unwrap();
    clear();
    drop(log);
    assert_eq!(lines(&path), [gap(1, why)], "nothing has to come behind it");
}
