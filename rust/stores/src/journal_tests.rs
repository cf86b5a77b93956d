//! A journal through laps, a full ring, damage and the death of its process.

use super::*;
use crate::record::UsageKind;
use crate::recorder::{Recorder, orphans};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("checkrein-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(attempt: u64) -> Record {
    Record {
        run: format!("run-{}", "x".repeat(usize::try_from(attempt % 50).unwrap())),
        attempt,
        wall: 1,
        digest: [1; 8],
        name: "model".into(),
        is_tool: false,
        usage: UsageKind::Exact,
        input: 1,
        output: 2,
        cache_read: 0,
        cache_write: 0,
        reasoning: 0,
        tokens: 3,
        cost: 4,
        prices: String::new(),
    }
}

/// What is left of a journal whose process died at this moment.
fn left(folder: &Folder, origin: u128) -> (Vec<u64>, u64) {
    let mut bytes = Vec::new();
    let path = folder.0.join(format!("{origin:032x}.journal"));
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    let (found, records, missing) = salvage(&bytes).unwrap();
    assert_eq!(found, origin);
    assert!(records.iter().all(|(number, record)| *record == super::tests::record(*number)));
    (records.iter().map(|(number, _)| *number).collect(), missing)
}

#[test]
fn what_was_pushed_and_not_drained_outlives_the_process_lap_after_lap() {
    let folder = Folder::new("laps");
    let recorder = Recorder::durable(5, &folder.0);
    let mut number = 0;
    for lap in 0..8_u64 {
        let drained = number;
        for _ in 0..5000 + lap * 137 {
            number += 1;
            recorder.push(record(number)).unwrap();
        }
        assert_eq!(left(&folder, 5), ((drained + 1..=number).collect(), 0));
        while let Some((last, _)) = recorder.group().last() {
            recorder.drained(*last);
        }
        assert_eq!(left(&folder, 5), (Vec::new(), 0));
    }
    recorder.end();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_full_journal_refuses_and_goes_on_when_it_is_drained() {
    let folder = Folder::new("full");
    let recorder = Recorder::durable(6, &folder.0);
    let mut number = 0;
    let mut warned_at = 0;
    let error = loop {
        if warned_at == 0 && recorder.ready().is_err() {
            warned_at = number;
        }
        match recorder.push(record(number + 1)) {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Full);
    assert!(warned_at > 0 && warned_at < number, "calls in flight could still be settled");
    assert_eq!(left(&folder, 6), ((1..=number).collect(), 0));
    recorder.drained(number / 2);
    recorder.ready().unwrap();
    recorder.push(record(number + 1)).unwrap();
    assert_eq!(left(&folder, 6), ((number / 2 + 1..=number + 1).collect(), 0));
}

#[test]
fn a_damaged_frame_costs_one_record_which_is_counted() {
    let folder = Folder::new("damaged");
    let mut journal = {
        fs::create_dir_all(&folder.0).unwrap();
        Journal::create(&folder.0, 7).unwrap()
    };
    let mut bytes = Vec::new();
    let mut ends = vec![0];
    for number in 1..=20 {
        bytes.clear();
        record(number).encode(&mut bytes);
        ends.push(journal.push(number, &bytes).unwrap());
    }
    for (number, pair) in (1_u64..).zip(ends.windows(2)) {
        let at = HEADER + pair[0] + usize::try_from(number).unwrap() % (pair[1] - pair[0] - 8);
        journal.map[at] ^= 0xff;
        let (found, missing) = left(&folder, 7);
        let expected: Vec<u64> = (1..=20).filter(|n| *n != number).collect();
        assert_eq!(found, expected, "byte {at}");
        assert_eq!(missing, u64::from(number < 20), "the last one could be a torn write");
        journal.map[at] ^= 0xff;
    }
}

#[test]
fn only_the_journals_of_the_dead_are_adopted() {
    let folder = Folder::new("dead");
    let living = Recorder::durable(8, &folder.0);
    living.push(record(1)).unwrap();
    let dead = Recorder::durable(9, &folder.0);
    dead.push(record(1)).unwrap();
    fs::write(folder.0.join("0.new"), b"died while it was made").unwrap();
    let orphans = || -> Vec<_> { orphans(&folder.0).collect() };
    assert!(orphans().is_empty(), "both live");
    assert!(!folder.0.join("0.new").exists());
    drop(dead);
    let mut found = orphans();
    let orphan = found.pop().unwrap().unwrap();
    assert!(found.is_empty());
    assert_eq!((orphan.origin, orphan.records.len(), orphan.missing), (9, 1, 0));
    orphan.remove();
    assert!(orphans().is_empty());
    fs::write(folder.0.join("1.journal"), vec![1; 9000]).unwrap();
    let wrong = orphans().pop().unwrap();
    assert_eq!(wrong.map_err(|error| error.kind).unwrap_err(), ErrorKind::Damaged);
}
