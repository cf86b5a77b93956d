//! Suspended runs in the store: exactly one claim is granted, whatever is lost, late or said twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

#[path = "common/shelf.rs"]
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use policy_core::store::{
    Claimed, Life, Luggage, Operated, Operation, Order, Parked, RowKey, Shown, Whereabouts, claim,
    describe_row, finish, give_back, operate, operation_keys, park, run_keys,
};
use proptest::prelude::*;
use shelf::Store;

const MEANING: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];

impl Store {
    fn park(&mut self, id: &str, meaning: [u8; 32], life: Life, luggage: &Luggage) -> Parked {
        let keys = run_keys(id, &[]).unwrap_or_default();
        self.transact(keys, |now, rows| park((id, life), meaning, luggage, &[], now, rows))
    }

    fn claim(&mut self, id: &str, meaning: [u8; 32], holder: u128) -> Claimed {
        let keys = run_keys(id, &[]).unwrap_or_default();
        self.transact(keys, |now, rows| claim(id, meaning, holder, now, rows))
    }

    fn finish(&mut self, id: &str, life: Life) {
        self.transact(run_keys(id, &[]).unwrap(), |now, rows| finish(id, life, now, rows)).unwrap();
    }

    fn give_back(&mut self, id: &str, holder: u128) {
        self.transact(run_keys(id, &[]).unwrap(), |now, rows| give_back(id, holder, now, rows)).unwrap();
    }

    fn drop_run(&mut self, order: &str, id: &str) -> Operated {
        let operation = Operation::DropRun { run: id.to_owned() };
        let order = Order { id: order.to_owned(), who: "ann".into(), why: "a test".into(), operation };
        self.transact(operation_keys(&order), |now, rows| operate(&order, now, rows))
    }

    fn whereabouts(&self, id: &str) -> Option<(Whereabouts, u64, u64)> {
        let key = RowKey::run(id).unwrap();
        match describe_row(&key, self.rows.get(&key)?, self.now) {
            Some(Shown::Run { whereabouts, resumed, since, meaning, .. }) => {
                assert_eq!(meaning, MEANING);
                Some((whereabouts, resumed, since))
            }
            other => panic!("{other:?}"),
        }
    }
}

fn first(holder: u128) -> Life {
    Life { origin: holder, holder, number: 0 }
}

fn luggage(text: &str) -> Luggage {
    Luggage { state: text.into(), host: b"host".to_vec() }
}

#[test]
fn a_run_waits_goes_on_once_and_ends() {
    let mut store = Store::new();
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Unknown);
    assert_eq!(store.park("r", MEANING, first(1), &luggage("a")), Parked::Done);
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Waiting, 0, 1_000)));
    store.now = 2_000;
    let life = Life { origin: 1, holder: 5, number: 1 };
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Yours(life, luggage("a"), 1_000, vec![]));
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Resumed, 1, 2_000)));
    assert_eq!(store.claim("r", MEANING, 6), Claimed::Others(2_000));
    assert_eq!(store.park("r", MEANING, life, &luggage("b")), Parked::Done);
    let life = Life { origin: 1, holder: 6, number: 2 };
    assert_eq!(store.claim("r", MEANING, 6), Claimed::Yours(life, luggage("b"), 0, vec![]));
    store.finish("r", life);
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Ended, 2, 2_000)));
    assert_eq!(store.claim("r", MEANING, 7), Claimed::Ended(2_000));
    let row = &store.rows[&RowKey::run("r").unwrap()];
    assert!(row.len() < 100, "what an ended run had is not kept: {}", row.len());
}

#[test]
fn what_is_said_twice_is_answered_as_before() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    let rows = store.rows.clone();
    store.now = 2_000;
    assert_eq!(store.park("r", MEANING, first(1), &luggage("a")), Parked::Done);
    assert_eq!(store.rows, rows);
    assert_eq!(store.park("r", MEANING, first(1), &luggage("b")), Parked::Over, "another state");
    let answer = store.claim("r", MEANING, 5);
    let rows = store.rows.clone();
    store.now = 3_000;
    // Again the same, but for the time that has gone by.
    let Claimed::Yours(life, luggage_of, 1_000, _) = answer else { panic!("{answer:?}") };
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Yours(life, luggage_of, 2_000, vec![]));
    assert_eq!(store.park("r", MEANING, first(1), &luggage("a")), Parked::Done, "it went on since");
    assert_eq!(store.rows, rows);
    store.finish("r", life);
    let rows = store.rows.clone();
    store.finish("r", life);
    assert_eq!(store.park("r", MEANING, first(1), &luggage("a")), Parked::Done, "it has ended since");
    assert_eq!(store.park("r", MEANING, life, &luggage("c")), Parked::Over, "its last life is over");
    assert_eq!(store.rows, rows, "nothing brings it back");
}

#[test]
fn another_run_or_program_is_told_apart() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    let rows = store.rows.clone();
    assert_eq!(store.park("r", MEANING, first(2), &luggage("b")), Parked::Taken);
    assert_eq!(store.claim("r", OTHER, 5), Claimed::OtherProgram(MEANING));
    let later = Life { origin: 9, holder: 3, number: 2 };
    assert_eq!(store.park("new", MEANING, later, &luggage("b")), Parked::Over, "the store forgot it");
    assert_eq!(store.rows, rows);
    for id in ["", "a\nb", &"x".repeat(513)] {
        assert!(matches!(store.park(id, MEANING, first(1), &luggage("a")), Parked::Malformed(_)));
        assert!(matches!(store.claim(id, MEANING, 1), Claimed::Malformed(_)));
    }
    let large = Luggage { state: vec![0; Luggage::LONGEST], host: vec![0] };
    assert!(matches!(store.park("x", MEANING, first(1), &large), Parked::Malformed(_)));
    store.rows.remove(&RowKey::meta());
    assert_eq!(store.park("r", MEANING, first(1), &luggage("a")), Parked::NoLedger);
    assert_eq!(store.claim("r", MEANING, 5), Claimed::NoLedger);
}

/// Machines' clocks may differ, and a run may go to and fro between them: only the store's counts.
#[test]
fn the_time_that_a_run_waits_is_the_stores_and_never_goes_back() {
    let mut store = Store::new();
    let minute = 60_000_000_000;
    let mut waited = Vec::new();
    let mut life = first(1);
    // The store's own clock jumps to and fro.
    for (holder, parked, claimed) in [(5, 1, 3), (6, 2, 3), (7, 1, 4)] {
        store.now = parked * minute;
        assert_eq!(store.park("r", MEANING, life, &luggage("a")), Parked::Done);
        store.now = claimed * minute;
        let Claimed::Yours(next, _, later, _) = store.claim("r", MEANING, holder) else { panic!("it waits") };
        (life, waited) = (next, [waited, vec![later / minute]].concat());
    }
    assert_eq!(waited, [2, 0, 1]);
}

#[test]
fn a_late_claim_does_not_take_what_its_holder_gave_back() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    let Claimed::Yours(life, ..) = store.claim("r", MEANING, 5) else { panic!("it is mine") };
    store.park("r", MEANING, life, &luggage("b"));
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Others(1_000));
    assert_eq!(
        store.claim("r", MEANING, 1),
        Claimed::Yours(Life { origin: 1, holder: 1, number: 2 }, luggage("b"), 0, vec![])
    );
}

#[test]
fn a_store_that_forgot_a_claim_believes_the_later_one() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    let before = store.clone();
    let Claimed::Yours(forgotten, ..) = store.claim("r", MEANING, 5) else { panic!("it is mine") };
    store = before;
    let Claimed::Yours(life, ..) = store.claim("r", MEANING, 6) else { panic!("it is mine") };
    let rows = store.rows.clone();
    assert_eq!(store.park("r", MEANING, forgotten, &luggage("b")), Parked::Over);
    store.finish("r", forgotten);
    assert_eq!(store.rows, rows);
    assert_eq!(store.park("r", MEANING, life, &luggage("c")), Parked::Done);
}

#[test]
fn an_operator_drops_a_run_for_good() {
    let mut store = Store::new();
    assert_eq!(store.drop_run("a", "r"), Operated::NoRun);
    store.park("r", MEANING, first(1), &luggage("a"));
    let Claimed::Yours(life, ..) = store.claim("r", MEANING, 5) else { panic!("it is mine") };
    assert_eq!(store.drop_run("b", "r"), Operated::Done);
    assert_eq!(store.drop_run("b", "r"), Operated::Before);
    assert_eq!(store.drop_run("c", "r"), Operated::NoRun);
    assert_eq!(store.park("r", MEANING, life, &luggage("b")), Parked::Over);
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Ended(1_000));
    let key = RowKey::audit("b");
    let Some(Shown::Audit { order, .. }) = describe_row(&key, &store.rows[&key], 0) else { panic!("it is") };
    assert_eq!(order.operation, Operation::DropRun { run: "r".to_owned() });
}

#[test]
fn an_operator_drops_a_run_whose_row_is_damaged() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    let Claimed::Yours(life, ..) = store.claim("r", MEANING, 5) else { panic!("it is mine") };
    store.rows.get_mut(&RowKey::run("r").unwrap()).unwrap()[9] ^= 1;
    assert!(matches!(store.claim("r", MEANING, 5), Claimed::Malformed(_)));
    assert_eq!(store.drop_run("b", "r"), Operated::Done);
    assert_eq!(store.drop_run("c", "r"), Operated::NoRun);
    assert!(store.rows.contains_key(&RowKey::audit("b")));
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Ended(1_000));
    for life in [life, first(1), first(2)] {
        assert_eq!(store.park("r", MEANING, life, &luggage("b")), Parked::Taken, "nobody brings it back");
    }
}

proptest! {
    #[test]
    fn a_row_that_was_damaged_is_not_read(
        state in proptest::collection::vec(any::<u8>(), 0..64),
        host in proptest::collection::vec(any::<u8>(), 0..64),
        (origin, holder) in (any::<u128>(), any::<u128>()),
        (place, bit) in (any::<prop::sample::Index>(), 0..8_u8),
    ) {
        let mut store = Store::new();
        let luggage = Luggage { state, host };
        store.park("r", MEANING, first(origin), &luggage);
        let key = RowKey::run("r").unwrap();
        let good = store.rows[&key].clone();
        let answer = store.claim("r", MEANING, holder);
        if holder != origin {
            let life = Life { origin, holder, number: 1 };
            prop_assert_eq!(answer, Claimed::Yours(life, luggage, 0, vec![]));
        }
        let mut bad = good.clone();
        bad[place.index(good.len())] ^= 1 << bit;
        for bytes in [bad, good[..place.index(good.len())].to_vec()] {
            store.rows.insert(key.clone(), bytes);
            let rows = store.rows.clone();
            prop_assert!(matches!(store.claim("r", MEANING, holder), Claimed::Malformed(_)));
            prop_assert_eq!(describe_row(&key, &store.rows[&key], 0), None);
            prop_assert_eq!(&store.rows, &rows);
        }
    }
}

// -- every order of events ------------------------------------------------------------------------------

/// What a process says to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Park(Life),
    Claim(u128),
    Finish(Life),
    Drop,
}

/// What a process does. One that says something does not know yet whether it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Running(Life),
    Saying(Said, u8),
}

#[derive(Clone, Debug)]
struct World {
    store: Store,
    /// The process that began the run, two that want to go on with it, and an operator.
    processes: [(Doing, u8); 4],
    /// Requests that are still under way though nobody waits for their answers.
    late: Vec<Said>,
    /// Which lives somebody has led, by number.
    lives: BTreeMap<u64, usize>,
}

const TRIES: u8 = 2;
const CLAIMS: u8 = 2;
const LATE: usize = 1;

impl World {
    fn begin() -> Self {
        let nothing = (Doing::Nothing, 0);
        let began = (Doing::Running(first(100)), CLAIMS);
        let processes = [began, nothing.clone(), nothing, (Doing::Saying(Said::Drop, 1), 0)];
        Self { store: Store::new(), processes, late: Vec::new(), lives: BTreeMap::from([(0, 0)]) }
    }

    /// The store hears something. What a process gets to lead by it.
    fn heard(&mut self, said: &Said) -> Option<Life> {
        match said {
            Said::Park(life) => {
                let text = format!("after {}", life.number);
                self.store.park("r", MEANING, *life, &luggage(&text));
            }
            Said::Finish(life) => self.store.finish("r", *life),
            Said::Drop => drop(self.store.drop_run("d", "r")),
            Said::Claim(holder) => {
                if let Claimed::Yours(life, taken, ..) = self.store.claim("r", MEANING, *holder) {
                    assert_eq!(life.holder, *holder);
                    assert_eq!(taken, luggage(&format!("after {}", life.number - 1)), "what was parked last");
                    return Some(life);
                }
            }
        }
        None
    }

    /// A process gets the answer to what it said.
    fn answered(&mut self, place: usize, led: Option<Life>) {
        self.processes[place].0 = led.map_or(Doing::Nothing, Doing::Running);
        if let Some(life) = led {
            let before = self.lives.insert(life.number, place);
            assert_eq!(before, None, "life {} was led twice", life.number);
        }
        let running = self.processes.iter().filter(|(doing, _)| matches!(doing, Doing::Running(_)));
        assert!(running.count() <= 1, "the run goes on twice: {self:?}");
    }

    /// Everything that can happen next.
    fn next(&self) -> Vec<Self> {
        let mut worlds = Vec::new();
        let mut may = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            worlds.push(world);
        };
        for place in 0..self.late.len() {
            may(&|world| {
                let said = world.late.remove(place);
                world.heard(&said);
            });
        }
        for (place, (doing, claims)) in self.processes.iter().enumerate() {
            let then = |doing: Doing| move |world: &mut Self| world.processes[place].0 = doing.clone();
            match doing {
                Doing::Nothing if *claims < CLAIMS && place < 3 => may(&|world| {
                    let holder = place as u128 * 10 + u128::from(*claims);
                    world.processes[place] = (Doing::Saying(Said::Claim(holder), 0), claims + 1);
                }),
                Doing::Nothing => {}
                Doing::Running(life) => {
                    may(&then(Doing::Nothing)); // it is killed
                    may(&then(Doing::Saying(Said::Park(*life), 0)));
                    may(&then(Doing::Saying(Said::Finish(*life), 0)));
                }
                Doing::Saying(said, tries) => {
                    may(&|world| {
                        let led = world.heard(said);
                        world.answered(place, led);
                    });
                    let again = match tries + 1 < TRIES {
                        true => Doing::Saying(said.clone(), tries + 1),
                        false => Doing::Nothing,
                    };
                    may(&|world| {
                        world.heard(said);
                        then(again.clone())(world);
                    });
                    if self.late.len() < LATE {
                        may(&|world| {
                            world.late.push(said.clone());
                            then(again.clone())(world);
                        });
                    }
                }
            }
        }
        worlds
    }
}

#[test]
fn in_every_order_of_events_a_run_goes_on_at_most_once() {
    let (mut seen, mut open) = (BTreeSet::new(), vec![World::begin()]);
    let mut led = BTreeSet::new();
    while let Some(world) = open.pop() {
        for next in world.next() {
            led.extend(next.lives.iter().map(|(number, place)| (*number, *place)));
            let said = format!("{:?} {:?} {:?}", next.processes, next.late, next.lives);
            if seen.insert((next.store.rows.clone(), said)) {
                open.push(next);
            }
        }
    }
    for (number, place) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 2)] {
        assert!(led.contains(&(number, place)), "nobody tried process {place} in life {number}: {led:?}");
    }
    assert!(seen.len() > 10_000, "only {} worlds", seen.len());
}

#[test]
fn what_is_given_back_waits_as_before() {
    let mut store = Store::new();
    store.park("r", MEANING, first(1), &luggage("a"));
    store.give_back("r", 1);
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Waiting, 0, 1_000)), "nobody had it");
    store.claim("r", MEANING, 5);
    store.give_back("r", 6);
    assert_eq!(store.claim("r", MEANING, 6), Claimed::Others(1_000), "another's wish changes nothing");
    store.give_back("r", 5);
    assert_eq!(store.claim("r", MEANING, 5), Claimed::Others(1_000), "a late claim of who gave it back");
    store.now = 3_000;
    let life = Life { origin: 1, holder: 6, number: 2 };
    assert_eq!(
        store.claim("r", MEANING, 6),
        Claimed::Yours(life, luggage("a"), 2_000, vec![]),
        "since it was suspended"
    );
    store.give_back("r", 5);
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Resumed, 2, 3_000)), "said twice");
    store.finish("r", life);
    store.give_back("r", 6);
    assert_eq!(store.whereabouts("r"), Some((Whereabouts::Ended, 2, 3_000)), "it does not come back");
}
