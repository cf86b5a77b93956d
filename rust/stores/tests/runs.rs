//! A run is suspended and resumed through a ledger: away, slow, closed, and many who want it at once.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests: what goes wrong here fails one"
)]

mod common;

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use checkrein_stores::{ErrorKind, Ledger, Options, open_store};
#[cfg(feature = "redis")]
use common::Server;
use common::{Folder, now, open, until};
use policy_core::store::{Claimed, Life, Luggage, Parked, RowKey, Shown, Whereabouts};

const SECONDS: Duration = Duration::from_secs(10);
const DIGEST: [u8; 32] = [7; 32];
const FIRST: Life = Life { origin: 1, holder: 1, number: 0 };

fn ledger(url: &str) -> Ledger {
    Ledger::open(url, Options { durable: false, now: now() }).expect("it opens")
}

fn luggage() -> Luggage {
    Luggage { state: b"state".to_vec(), host: b"host".to_vec() }
}

fn park(ledger: &Ledger, timeout: Duration) -> Result<Parked, ErrorKind> {
    ledger.park("r", DIGEST, FIRST, (luggage(), Vec::new()), timeout).map_err(|error| error.kind)
}

/// Where the run is; nothing while the store does not answer.
fn whereabouts(url: &str) -> Option<Whereabouts> {
    let rows = open_store(url, false).and_then(|mut store| store.show(RowKey::RUNS)).ok()?;
    match rows.first() {
        Some(Shown::Run { whereabouts, .. }) => Some(*whereabouts),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_process_suspends_another_goes_on_with() {
    let folder = Folder::new("runs");
    let url = folder.url("ledger.db");
    let ledger = ledger(&url);
    assert_eq!(park(&ledger, SECONDS), Ok(Parked::Done));
    let claimed = open(&url).claim("r", DIGEST, 5).expect("an answer");
    let Claimed::Yours(life, taken, waited, _) = claimed else { panic!("it is free") };
    assert_eq!((life, taken), (Life { origin: 1, holder: 5, number: 1 }, luggage()));
    assert!((1..60_000_000_000).contains(&waited), "{waited}");
    assert!(matches!(ledger.claim("r", DIGEST, 6, SECONDS), Ok(Claimed::Others(_))));
    assert_eq!(whereabouts(&url), Some(Whereabouts::Resumed));
}

#[test]
fn the_end_of_a_run_is_known_when_the_ledger_is_closed() {
    let folder = Folder::new("runs");
    let url = folder.url("ledger.db");
    let ledger = ledger(&url);
    park(&ledger, SECONDS).expect("it is parked");
    let Ok(Claimed::Yours(life, ..)) = ledger.claim("r", DIGEST, 5, SECONDS) else { panic!("it is free") };
    ledger.finish("r", life);
    assert!(ledger.close(SECONDS));
    assert_eq!(whereabouts(&url), Some(Whereabouts::Ended));
    assert_eq!(park(&ledger, SECONDS), Err(ErrorKind::Away), "nobody is there to do it");
}

#[test]
fn memory_keeps_runs_for_its_own_process() {
    let ledger = Ledger::memory();
    assert_eq!(park(&ledger, Duration::ZERO), Ok(Parked::Done));
    let Ok(Claimed::Yours(life, ..)) = ledger.claim("r", DIGEST, 5, SECONDS) else { panic!("it is free") };
    ledger.finish("r", life);
    assert!(matches!(ledger.claim("r", DIGEST, 6, SECONDS), Ok(Claimed::Ended(_))));
}

#[test]
fn of_many_at_once_one_goes_on() {
    let folder = Folder::new("runs");
    let mut urls = vec![folder.url("ledger.db")];
    #[cfg(feature = "redis")]
    let server = Server::durable();
    #[cfg(feature = "redis")]
    if let Some(server) = &server {
        open(&server.url()).create().expect("a ledger");
        urls.push(server.url());
    }
    for url in urls {
        assert_eq!(park(&ledger(&url), SECONDS), Ok(Parked::Done));
        let start = Barrier::new(8);
        let mut winners = 0;
        thread::scope(|scope| {
            let claim = |holder| {
                let mut store = open(&url);
                start.wait();
                store.claim("r", DIGEST, holder).expect("an answer")
            };
            let threads: Vec<_> = (10..18).map(|holder| scope.spawn(move || claim(holder))).collect();
            for thread in threads {
                match thread.join().expect("no panic") {
                    Claimed::Yours(..) => winners += 1,
                    Claimed::Others(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(winners, 1, "{url}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn while_the_store_is_away_it_is_tried_again_and_told_in_time() {
    let Some(mut server) = Server::durable() else { return };
    open(&server.url()).create().expect("a ledger");
    let ledger = ledger(&server.url());
    server.kill();
    assert_eq!(park(&ledger, Duration::from_millis(200)), Err(ErrorKind::Away));
    thread::scope(|scope| {
        let parked = scope.spawn(|| park(&ledger, SECONDS));
        until("it is being tried", || ledger.health().error.is_some());
        server.again();
        assert_eq!(parked.join().expect("no panic"), Ok(Parked::Done));
    });
    assert_eq!(park(&ledger, SECONDS), Ok(Parked::Done), "the same again");
    let Ok(Claimed::Yours(life, ..)) = ledger.claim("r", DIGEST, 5, SECONDS) else { panic!("it is free") };
    server.kill();
    ledger.finish("r", life);
    server.again();
    until("its end is known", || whereabouts(&server.url()) == Some(Whereabouts::Ended));
}
