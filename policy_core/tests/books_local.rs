//! Accounts that a process decides about alone, against a slow model that remembers everything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

use std::sync::Arc;

use policy_core::Now;
use policy_core::books::{
    AccountId, Books, Failure, Period, Room, Standing, Terms, Window, WindowKind, Zone,
};
use policy_core::store::AccountKey;
use proptest::prelude::*;

const HOUR: u64 = 3_600_000_000_000;

fn key(scope: &str, id: &str) -> AccountKey {
    AccountKey::new(scope, id, "per user", "cost", "some window").unwrap()
}

fn terms(max: u64, window: WindowKind) -> Terms {
    Terms { max, window, failure: Failure::Spend }
}

fn hourly() -> WindowKind {
    WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) }
}

fn wall(hours: u64) -> Now {
    Now { mono: hours * HOUR, wall: hours * HOUR }
}

fn open(window: WindowKind, max: u64) -> (Books, AccountId) {
    let mut books = Books::local();
    let id = books.open(&key("user", "u1"), &terms(max, window), true, wall(0));
    (books, id)
}

#[track_caller]
fn stands(books: &Books, id: AccountId, now: Now, spent: u64, held: u64) {
    let standing = books.standing(id, now);
    assert_eq!((standing.spent, standing.held), (spent, held));
    balanced(&standing);
}

#[track_caller]
fn balanced(standing: &Standing) {
    let sum = i128::from(standing.spent) + i128::from(standing.held) + i128::from(standing.leased);
    assert_eq!(sum + i128::from(standing.free), i128::from(standing.max), "{standing:?}");
}

#[test]
fn failure_11_a_limit_is_spent_and_held_and_free_and_nothing_else() {
    let (mut books, id) = open(WindowKind::Forever, 10);
    let now = wall(0);
    assert_eq!(books.room(id, 10, 0, now), Room::Fits);
    assert_eq!(books.room(id, 10, 1, now), Room::Full, "one is withheld");
    assert_eq!(books.room(id, 11, 0, now), Room::Full);
    let first = books.take(id, 6, now);
    assert_eq!((books.most(id, now), books.room(id, 5, 0, now)), (4, Room::Held));
    stands(&books, id, now, 0, 6);
    let second = books.take(id, 4, now);
    books.settle(id, first, 6, 2, now);
    stands(&books, id, now, 2, 4);
    books.settle(id, second, 4, 13, now);
    stands(&books, id, now, 15, 0);
    assert_eq!((books.most(id, now), books.standing(id, now).free), (0, -5));
    assert_eq!(books.room(id, 1, 0, now), Room::Full);
    assert_eq!(books.room(id, 0, 5, now), Room::Fits, "what costs nothing passes in debt");
    books.refund(id, second, 9, now);
    assert_eq!(books.most(id, now), 4);
    books.charge(id, second, 1, now);
    stands(&books, id, now, 7, 0);
}

#[test]
fn a_hold_belongs_to_its_window_and_debt_is_worked_off_in_the_next() {
    let (mut books, id) = open(hourly(), 10);
    let early = books.take(id, 10, wall(0));
    assert_eq!(books.most(id, wall(1)), 10, "the hold is not of this hour");
    let late = books.take(id, 4, wall(1));
    stands(&books, id, wall(1), 0, 4);
    books.settle(id, early, 10, 27, wall(1));
    stands(&books, id, wall(1), 17, 4);
    assert_eq!(books.room(id, 1, 0, wall(1)), Room::Full);
    books.settle(id, late, 4, 1, wall(1));
    stands(&books, id, wall(1), 18, 0);
    stands(&books, id, wall(2), 8, 0);
    assert_eq!(books.most(id, wall(2)), 2);
    // An hour in which nothing happens works off as much as one in which something does.
    stands(&books, id, wall(3), 0, 0);
    // The correction of a window of long ago moves what it left.
    books.refund(id, early, 20, wall(2));
    stands(&books, id, wall(2), 0, 0);
    books.charge(id, early, 13, wall(2));
    stands(&books, id, wall(2), 1, 0);
}

#[test]
fn a_clock_that_is_set_back_opens_no_window_again() {
    let (mut books, id) = open(hourly(), 10);
    books.take(id, 10, wall(5));
    assert_eq!(books.most(id, wall(4)), 0);
    let standing = books.standing(id, wall(4));
    assert_eq!(standing.window, Some((5, 5 * HOUR, 6 * HOUR)));
}

#[test]
fn grants_raise_one_window_and_so_often() {
    let (mut books, id) = open(hourly(), 10);
    let window = books.take(id, 10, wall(0));
    assert_eq!(books.grants_left(id, 2, wall(0)), 2);
    assert!(books.grant(id, 5, 2, wall(0)) && books.grant(id, 5, 2, wall(0)));
    assert!(!books.grant(id, 5, 2, wall(0)), "twice is all");
    assert_eq!((books.most(id, wall(0)), books.standing(id, wall(0)).max), (10, 20));
    books.settle(id, window, 10, 20, wall(0));
    stands(&books, id, wall(1), 0, 0);
    assert_eq!((books.standing(id, wall(1)).max, books.grants_left(id, 2, wall(1))), (10, 2));
    let (mut books, id) = open(WindowKind::Forever, 10);
    assert!(books.grant(id, 5, 1, wall(0)));
    assert_eq!((books.grants_left(id, 1, wall(900)), books.most(id, wall(900))), (0, 15));
}

#[test]
fn a_rolling_window_counts_through_the_sixtieth_bucket_after() {
    let minute = 60_000_000_000;
    let (mut books, id) = open(WindowKind::Rolling { ns: minute }, 3);
    let at = |second: u64| Now { mono: second * 1_000_000_000, wall: 0 };
    for second in [0, 10, 20] {
        let window = books.take(id, 1, at(second));
        books.settle(id, window, 1, 1, at(second));
    }
    assert_eq!(books.room(id, 1, 0, at(60)), Room::Full);
    assert_eq!(books.room(id, 1, 0, at(61)), Room::Fits);
    assert_eq!(books.most(id, at(70)), 1);
    assert_eq!(books.most(id, at(71)), 2);
    let held = books.take(id, 2, at(71));
    assert_eq!(books.room(id, 1, 0, at(500)), Room::Fits, "two are held, all that was spent has left");
    assert_eq!(books.room(id, 2, 0, at(500)), Room::Held);
    books.settle(id, held, 2, 2, at(500));
    assert_eq!(books.most(id, at(560)), 1, "it counts from when it was settled");
    assert_eq!(books.most(id, at(561)), 3);
    let window = books.take(id, 1, at(600));
    books.settle(id, window, 1, 1, at(600));
    books.refund(id, window, 1, at(600));
    assert_eq!(books.most(id, at(600)), 3);
}

#[test]
fn what_no_longer_counts_in_a_rolling_window_takes_nothing_from_what_does() {
    let (mut books, id) = open(WindowKind::Rolling { ns: 60_000_000_000 }, 1);
    let at = |second: u64| Now { mono: second * 1_000_000_000, wall: 0 };
    let first = books.take(id, 1, at(0));
    books.settle(id, first, 1, 1, at(0));
    let second = books.take(id, 1, at(65));
    books.settle(id, second, 1, 1, at(65));
    books.refund(id, first, 1, at(66));
    assert_eq!(books.room(id, 1, 0, at(67)), Room::Full);
    books.refund(id, second, 1, at(67));
    assert_eq!(books.room(id, 1, 0, at(67)), Room::Fits);
}

#[test]
fn accounts_have_users_and_go_when_nothing_would_be_forgotten() {
    let mut books = Books::local();
    let user = key("user", "u1");
    let forever = terms(10, WindowKind::Forever);
    let id = books.open_own(&forever, wall(0));
    books.retain(id);
    books.take(id, 4, wall(0));
    books.close(id);
    assert_eq!(books.most(id, wall(0)), 6);
    books.close(id);
    assert_eq!((books.most(id, wall(0)), books.room(id, 1, 0, wall(0))), (0, Room::Full), "it is no more");
    let again = books.open_own(&forever, wall(0));
    assert_ne!(again, id, "an old id is not taken for a new account");
    assert_eq!(books.most(again, wall(0)), 10);
    let id = books.open(&user, &forever, false, wall(0));
    let window = books.take(id, 4, wall(0));
    books.settle(id, window, 4, 4, wall(0));
    books.close(id);
    for number in 0..50 {
        let other = books.open(&key("user", &format!("other {number}")), &forever, false, wall(0));
        books.close(other);
    }
    let id = books.open(&user, &forever, false, wall(0));
    assert_eq!(books.most(id, wall(0)), 6, "what a user spent outlives the run");
}

#[test]
fn the_books_of_one_process_do_not_know_the_ids_of_another() {
    let now = wall(0);
    let mut parent = Books::leased(7, now);
    let id = parent.open(&key("run", "r"), &terms(10, WindowKind::Forever), false, now);
    let mut child = Books::leased(8, now);
    let own = child.open(&key("run", "r"), &terms(10, WindowKind::Forever), false, now);
    assert_eq!((child.room(own, 1, 0, now), child.room(id, 1, 0, now)), (Room::Fits, Room::Full));
}

#[derive(Clone, Debug)]
enum Step {
    Take(u64),
    Settle(usize, u64),
    Refund(usize, u64),
    Charge(usize, u64),
    Wait(u64),
    Grant(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..12).prop_map(Step::Take),
        4 => (any::<usize>(), 0_u64..30).prop_map(|(place, used)| Step::Settle(place, used)),
        1 => (any::<usize>(), 0_u64..30).prop_map(|(place, amount)| Step::Refund(place, amount)),
        1 => (any::<usize>(), 0_u64..30).prop_map(|(place, amount)| Step::Charge(place, amount)),
        3 => (0_u64..150).prop_map(Step::Wait),
        1 => (0_u64..9).prop_map(Step::Grant),
    ]
}

/// Remembers every hold and what became of it, and counts all of it again at every question.
#[derive(Default)]
struct Slow {
    holds: Vec<(Window, u64, u64, Option<u64>)>,
    grants: Vec<(u64, u64)>,
}

impl Slow {
    fn of(&self, hour: u64) -> (u64, u64) {
        let of = self.holds.iter().filter(|hold| hold.2 == hour);
        of.fold((0, 0), |(spent, held), hold| match hold.3 {
            Some(used) => (spent + used, held),
            None => (spent, held + hold.1),
        })
    }

    fn max(&self, hour: u64, max: u64) -> u64 {
        max + self.grants.iter().filter(|grant| grant.0 == hour).map(|grant| grant.1).sum::<u64>()
    }

    /// Hour by hour from the first one.
    fn carried(&self, hour: u64, max: u64) -> u64 {
        (0..hour).fold(0, |debt, hour| (debt + self.of(hour).0).saturating_sub(self.max(hour, max)))
    }
}

/// The books and the slow model, side by side.
struct Pair {
    books: Books,
    id: AccountId,
    slow: Slow,
    minute: u64,
    max: u64,
}

impl Pair {
    fn now(&self) -> Now {
        Now { mono: self.minute, wall: self.minute * 60_000_000_000 }
    }

    fn hour(&self) -> u64 {
        self.minute / 60
    }

    fn take(&mut self, amount: u64) {
        let (hour, now) = (self.hour(), self.now());
        let (spent, held) = self.slow.of(hour);
        let (spent, top) =
            (spent + self.slow.carried(hour, self.max) + amount, self.slow.max(hour, self.max));
        let room = match amount {
            0 => Room::Fits,
            _ if spent + held <= top => Room::Fits,
            _ if spent <= top => Room::Held,
            _ => Room::Full,
        };
        assert_eq!(self.books.room(self.id, amount, 0, now), room);
        if room == Room::Fits {
            self.slow.holds.push((self.books.take(self.id, amount, now), amount, hour, None));
        }
    }

    /// A hold that is settled, or one that is not.
    fn pick(&mut self, place: usize, is_settled: bool) -> Option<usize> {
        let holds = &self.slow.holds;
        let of: Vec<usize> = (0..holds.len()).filter(|at| holds[*at].3.is_some() == is_settled).collect();
        of.get(place % of.len().max(1)).copied()
    }

    fn settle(&mut self, place: usize, used: u64) {
        let Some(place) = self.pick(place, false) else { return };
        let (window, amount, ..) = self.slow.holds[place];
        self.books.settle(self.id, window, amount, used, self.now());
        self.slow.holds[place].3 = Some(used);
    }

    fn correct(&mut self, place: usize, amount: u64, is_more: bool) {
        let Some(place) = self.pick(place, true) else { return };
        let (window, _, _, used) = self.slow.holds[place];
        let used = used.unwrap();
        self.slow.holds[place].3 = Some(if is_more {
            self.books.charge(self.id, window, amount, self.now());
            used + amount
        } else {
            self.books.refund(self.id, window, amount.min(used), self.now());
            used - amount.min(used)
        });
    }

    fn grant(&mut self, amount: u64) {
        let hour = self.hour();
        let used = self.slow.grants.iter().filter(|grant| grant.0 == hour).count();
        let left = 2_u64.saturating_sub(u64::try_from(used).unwrap());
        assert_eq!(self.books.grants_left(self.id, 2, self.now()), left);
        assert_eq!(self.books.grant(self.id, amount, 2, self.now()), left > 0);
        if left > 0 {
            self.slow.grants.push((hour, amount));
        }
    }

    fn compare(&self) {
        let (hour, now) = (self.hour(), self.now());
        let standing = self.books.standing(self.id, now);
        balanced(&standing);
        let (spent, held) = self.slow.of(hour);
        let spent = spent + self.slow.carried(hour, self.max);
        assert_eq!((standing.spent, standing.held), (spent, held));
        assert_eq!(standing.max, self.slow.max(hour, self.max));
        assert_eq!(self.books.most(self.id, now), standing.max.saturating_sub(spent).saturating_sub(held));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn calendar_accounts_are_what_a_slow_model_counts(
        steps in proptest::collection::vec(step(), 0..80),
        max in 0_u64..25,
    ) {
        let (books, id) = open(hourly(), max);
        let mut pair = Pair { books, id, slow: Slow::default(), minute: 0, max };
        for step in steps {
            match step {
                Step::Take(amount) => pair.take(amount),
                Step::Settle(place, used) => pair.settle(place, used),
                Step::Refund(place, amount) => pair.correct(place, amount, false),
                Step::Charge(place, amount) => pair.correct(place, amount, true),
                Step::Wait(minutes) => pair.minute += minutes,
                Step::Grant(amount) => pair.grant(amount),
            }
            pair.compare();
        }
    }

    /// In no interval as long as the window is more settled than the bound; nothing counts for much longer.
    #[test]
    fn rolling_accounts_are_never_over(
        steps in proptest::collection::vec((0_u64..5, 0_u64..2_000), 1..200),
        max in 1_u64..12,
    ) {
        let window = 7_001;
        let (mut books, id) = open(WindowKind::Rolling { ns: window }, max);
        let (mut mono, mut settled) = (0, Vec::<(u64, u64)>::new());
        let width = window.div_ceil(60);
        for (amount, wait) in steps {
            mono += wait;
            let now = Now { mono, wall: 0 };
            let counted = settled.iter().filter(|(at, _)| mono / width - at / width <= 60);
            let spent: u64 = counted.map(|(_, amount)| amount).sum();
            prop_assert_eq!(books.standing(id, now).spent, spent);
            if books.room(id, amount, 0, now) == Room::Fits {
                let hold = books.take(id, amount, now);
                books.settle(id, hold, amount, amount, now);
                settled.push((mono, amount));
            } else {
                prop_assert!(spent + amount > max);
            }
            let last = settled.iter().filter(|(at, _)| mono - at <= window);
            prop_assert!(last.map(|(_, amount)| amount).sum::<u64>() <= max);
        }
    }
}
