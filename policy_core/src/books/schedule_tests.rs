//! The schedule against a look at every account at every poll: whatever happens, both say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

use std::sync::Arc;

use proptest::prelude::*;

use super::link::{MILLISECOND, SECOND};
use super::schedule::Plan;
use super::{AccountId, Authority, Books, Failure, Period, Room, Terms, Window, WindowKind, Zone};
use crate::event::Now;
use crate::store::{AccountKey, Answer, Item, Refusal, Reply, Request};

const MAX: u64 = 1_000;
const ACCOUNTS: usize = 5;
/// An hour ends 10 s after this.
const BEGIN: u64 = 3_590 * SECOND;

#[derive(Clone, Copy, Debug)]
enum Step {
    Call(usize, u64),
    Settle(usize, u64),
    Refund(usize, u64),
    Raise(usize),
    Leave(usize),
    Come(usize),
    Wait(u64),
    /// A poll, and what became of it: nothing, or a share of what was asked for.
    Send(u8, u64),
    Close,
    Fork,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..ACCOUNTS, 0_u64..60).prop_map(|(account, amount)| Step::Call(account, amount)),
        6 => (any::<usize>(), 0_u64..=120).prop_map(|(call, percent)| Step::Settle(call, percent)),
        2 => (any::<usize>(), 0_u64..60).prop_map(|(call, amount)| Step::Refund(call, amount)),
        1 => (0..ACCOUNTS).prop_map(Step::Raise),
        1 => (0..ACCOUNTS).prop_map(Step::Leave),
        1 => (0..ACCOUNTS).prop_map(Step::Come),
        6 => prop_oneof![0_u64..30, 0_u64..400, 900_u64..1_100, 0_u64..30_000].prop_map(Step::Wait),
        1 => Just(Step::Wait(700_000)),
        12 => (0_u8..12, 0_u64..=100).prop_map(|(fate, share)| Step::Send(fate, share)),
        1 => (0_u8..20).prop_map(|chance| if chance == 0 { Step::Close } else { Step::Wait(1) }),
        1 => (0_u8..8).prop_map(|chance| if chance == 0 { Step::Fork } else { Step::Wait(1) }),
    ]
}

struct World {
    books: Books,
    ids: Vec<Option<AccountId>>,
    calls: Vec<(AccountId, Window, u64)>,
    past: Vec<(AccountId, Window)>,
    mono: u64,
    forks: u128,
}

impl World {
    fn new() -> Self {
        let now = Now { mono: BEGIN, wall: BEGIN };
        let mut world = Self {
            books: Books::leased(1, now),
            ids: vec![None; ACCOUNTS],
            calls: Vec::new(),
            past: Vec::new(),
            mono: BEGIN,
            forks: 0,
        };
        (0..ACCOUNTS).for_each(|account| world.come(account));
        world
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, wall: self.mono }
    }

    fn come(&mut self, account: usize) {
        let window = match account % 3 {
            0 => WindowKind::Forever,
            1 => WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) },
            _ => WindowKind::Rolling { ns: 30 * SECOND },
        };
        let failure = if account < 3 { Failure::Spend } else { Failure::Allow };
        let key = AccountKey::new("user", &account.to_string(), "limit", "cost", "").unwrap();
        if self.ids[account].is_none() {
            let terms = Terms { max: MAX, window, failure };
            self.ids[account] = Some(self.books.open(&key, &terms, true, self.now()));
        }
    }

    fn call(&mut self, account: usize, amount: u64) {
        let (Some(id), now) = (self.ids[account], self.now()) else { return };
        if self.books.room(id, amount, 0, now) == Room::Fits {
            let window = self.books.take(id, amount, now);
            self.calls.push((id, window, amount));
        } else {
            self.books.need(id, amount);
        }
    }

    fn settle(&mut self, call: usize, percent: u64) {
        if self.calls.is_empty() {
            return;
        }
        let (id, window, held) = self.calls.swap_remove(call % self.calls.len());
        self.books.settle(id, window, held, held * percent / 100, self.now());
        self.past.push((id, window));
    }

    fn answer(&self, request: &Request, share: u64) -> Reply {
        let answer = |item: &Item| {
            let granted = item.want.max(item.need) * share / 100;
            Answer { granted, max: item.max, spent: share, leased: MAX / 2, ..Answer::default() }
        };
        let claimed = request.claims.iter().map(|_| Answer { max: MAX, ..Answer::default() });
        let items = request.items.iter().map(answer).chain(claimed).collect();
        Reply::Done { seq: request.seq, nonce: request.seq, epoch: 1, now: self.wall(), items }
    }

    /// What the store's clock must show so that it is taken for what ours shows: the books think that an
    /// answer was on its way for half the time.
    fn wall(&self) -> u64 {
        let sent = self.books.link.as_ref().unwrap().flight.as_ref().map_or(self.mono, |flight| flight.sent);
        self.mono - (self.mono - sent) / 2
    }

    fn send(&mut self, fate: u8, share: u64) {
        let now = self.now();
        let mut copy = self.books.clone();
        let request = self.books.poll(now);
        if is_asked(&copy, now) {
            let mut said = request.as_ref().map(|request| request.items.clone()).unwrap_or_default();
            said.sort_by_key(|item| format!("{item:?}"));
            assert_eq!(said, scan(&mut copy, now));
        }
        let Some(request) = request else { return };
        let seq = request.seq;
        match fate {
            0 => self.books.lost(now),
            1 => {}
            2 => self.books.reply(now, &Reply::Clock { seq, now: self.wall() }),
            3 if request.claims.is_empty() => {
                self.books.reply(now, &Reply::Reassert { seq, epoch: 2 });
            }
            4 => self.books.reply(now, &Reply::NoLedger),
            5 if share == 0 => self.books.reply(now, &Reply::Stale { seq }),
            fate => {
                let mut reply = self.answer(&request, share);
                if let (6, Reply::Done { items, .. }) = (fate, &mut reply) {
                    items.iter_mut().for_each(|answer| *answer = refused());
                }
                self.books.reply(now, &reply);
            }
        }
    }

    fn run(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Call(account, amount) => self.call(account, amount),
            Step::Settle(call, percent) => self.settle(call, percent),
            Step::Refund(call, amount) if !self.past.is_empty() => {
                let (id, window) = self.past[call % self.past.len()];
                self.books.refund(id, window, amount, now);
            }
            Step::Refund(..) => {}
            Step::Raise(account) => {
                self.ids[account].map(|id| self.books.grant(id, 10, 3, now));
            }
            Step::Leave(account) => {
                self.ids[account].take().into_iter().for_each(|id| self.books.close(id));
            }
            Step::Come(account) => self.come(account),
            Step::Wait(ms) => self.mono += ms * MILLISECOND,
            Step::Send(fate, share) => self.send(fate, share),
            Step::Close => self.books.close_all(now),
            Step::Fork => {
                self.forks += 1;
                self.books.forked(1 + self.forks, now);
            }
        }
    }
}

/// The account's row is damaged.
fn refused() -> Answer {
    Answer { refused: Some(Refusal::Damaged), ..Answer::default() }
}

/// Whether a poll looks at accounts at all.
fn is_asked(books: &Books, now: Now) -> bool {
    books.link.as_ref().is_some_and(|link| {
        link.flight.is_none()
            && !link.is_closed
            && link.retelling.is_none()
            && now.mono >= link.not_before
            && now.mono < link.asks_again()
    })
}

/// What all accounts that the store knows of have to say, as a look at each of them finds it.
fn scan(books: &mut Books, now: Now) -> Vec<Item> {
    let moment = books.link.as_ref().unwrap().moment(now);
    let mut items = Vec::new();
    for number in (0..=u32::MAX).take(books.places.len()) {
        let Some(place) = books.places.get_mut(number) else { continue };
        let Some(account) = place.account.as_mut() else { continue };
        if let (Authority::Leased(leased), Some(key)) = (&mut account.authority, &account.key) {
            if !leased.is_active {
                continue;
            }
            leased.roll(&moment);
            items.extend(leased.send(key, place.users.into(), Request::MOST_ITEMS, &moment));
        }
    }
    items.sort_by_key(|item| format!("{item:?}"));
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_schedule_says_what_a_look_at_every_account_would_say(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.run(*step);
        }
        // In the end nothing is left that nobody looks at.
        for _ in 0..40 {
            world.mono += 350 * MILLISECOND;
            world.send(9, 100);
        }
    }
}

/// So many accounts, of which each has something to report.
fn crowd(count: u64) -> (World, Vec<AccountId>) {
    let mut world = World::new();
    let mut ids = Vec::new();
    for number in 0..count {
        let key = AccountKey::new("org", &number.to_string(), "limit", "cost", "").unwrap();
        let terms = Terms { max: MAX, window: WindowKind::Forever, failure: Failure::Allow };
        let id = world.books.open(&key, &terms, true, world.now());
        world.books.charge(id, Window::default(), 1, world.now());
        ids.push(id);
    }
    (world, ids)
}

#[test]
fn a_request_takes_what_is_oldest_and_what_calls_wait_for_first() {
    let (mut world, ids) = crowd(200);
    world.books.need(ids[150], 5);
    let mut said = Vec::new();
    for _ in 0..4 {
        let request = world.books.poll(world.now()).unwrap();
        assert!(request.items.len() <= Request::MOST_ITEMS);
        said.extend(request.items.iter().map(|item| item.account.parts()[1].to_owned()));
        let reply = world.answer(&request, 0);
        world.books.reply(world.now(), &reply);
    }
    let mut expected: Vec<String> = (0..200).filter(|number| *number != 150).map(|n| n.to_string()).collect();
    expected.insert(0, "150".to_owned());
    assert_eq!(said, expected);
    assert_eq!(world.books.poll(world.now()), None);
}

#[test]
fn what_nobody_needs_is_let_go_a_few_at_a_time() {
    let (mut world, ids) = crowd(3_000);
    world.mono += SECOND;
    // Refunded before it was reported: nothing is left to say of any of them.
    ids.iter().for_each(|id| world.books.refund(*id, Window::default(), 1, world.now()));
    ids.iter().for_each(|id| world.books.close(*id));
    let open = |world: &World| world.books.places.iter().filter(|place| place.account.is_some()).count();
    let mut before = open(&world);
    while world.books.due(world.now()).is_some_and(|due| due <= world.mono) {
        assert_eq!(world.books.poll(world.now()), None);
        assert!(open(&world) < before && open(&world) + 1_024 >= before);
        before = open(&world);
    }
    assert_eq!((open(&world), world.books.link.as_ref().unwrap().active), (ACCOUNTS, 0));
}

impl World {
    /// Says what is to be said now; so much of what is asked for is granted, in percent.
    fn talk(&mut self, share: u64) {
        while let Some(request) = self.books.poll(self.now()) {
            let reply = self.answer(&request, share);
            self.books.reply(self.now(), &reply);
        }
    }

    /// A call that waits for a lease first.
    fn lease(&mut self, account: usize, amount: u64, share: u64) {
        self.books.need(self.ids[account].unwrap(), amount);
        self.talk(share);
        self.call(account, amount);
    }
}

#[test]
fn more_is_leased_as_soon_as_the_rate_has_fallen_to_what_the_store_can_miss() {
    let mut world = World::new();
    world.mono = BEGIN + 100 * MILLISECOND;
    world.lease(0, 300, 100);
    world.settle(0, 100);
    world.mono = BEGIN + 1_500 * MILLISECOND;
    world.lease(0, 60, 20);
    world.settle(0, 100);
    world.mono = BEGIN + 1_700 * MILLISECOND;
    world.talk(0);
    let next = world.now().mono + 300 * MILLISECOND;
    assert_eq!(world.books.due(world.now()), Some(next));
    world.mono = next - 1;
    assert_eq!(world.books.poll(world.now()), None);
    world.mono = next;
    assert_eq!(world.books.poll(world.now()).unwrap().items[0].want, 60);
}

#[test]
fn an_account_of_which_nothing_is_left_is_let_go_at_the_next_look() {
    let mut world = World::new();
    let id = world.ids[4].unwrap();
    world.books.charge(id, Window::default(), 0, world.now());
    assert_eq!((world.books.link.as_ref().unwrap().active, world.books.due(world.now())), (1, Some(0)));
    world.talk(0);
    assert_eq!((world.books.link.as_ref().unwrap().active, world.books.due(world.now())), (0, None));
}

#[test]
fn a_read_sees_the_window_that_a_call_would_go_to_before_anybody_looked() {
    let mut world = World::new();
    world.lease(1, 20, 100);
    let (id, window, _) = world.calls[0];
    // The next hour begins, and is in use when the first call ends.
    world.mono += 11 * SECOND;
    world.lease(1, 30, 100);
    world.books.settle(id, window, 20, 0, world.now());
    // The store's clock was wrong by minutes.
    world.books.need(world.ids[0].unwrap(), 5);
    let request = world.books.poll(world.now()).unwrap();
    let before = BEGIN - 600 * SECOND;
    world.books.reply(world.now(), &Reply::Clock { seq: request.seq, now: before });
    assert_eq!(world.books.room(id, 20, 0, world.now()), Room::Fits);
    assert_eq!(world.books.take(id, 20, world.now()), window);
    assert_eq!(world.books.health(world.now()).degraded, 0);
}

#[test]
fn what_is_not_urgent_has_its_turn_however_much_is() {
    let (mut world, ids) = crowd(65);
    for _ in 0..3 {
        world.talk(0);
        world.mono += SECOND;
    }
    let (last, urgent) = ids.split_last().unwrap();
    world.books.charge(*last, Window::default(), 7, world.now());
    let is_report = |item: &Item| item.account.parts()[1] == "64" && !item.reported.is_empty();
    for _ in 0..20 {
        world.mono += 20 * MILLISECOND;
        urgent.iter().for_each(|id| world.books.need(*id, 5));
        let Some(request) = world.books.poll(world.now()) else { continue };
        assert_eq!(request.items.len(), Request::MOST_ITEMS, "and leaves no room unused");
        if request.items.iter().any(is_report) {
            return;
        }
        let reply = world.answer(&request, 100);
        world.books.reply(world.now(), &reply);
    }
    unreachable!("nobody hears of a report while so many calls wait");
}

#[test]
fn a_look_at_an_account_that_is_not_there_stops_no_other() {
    let (mut world, _) = crowd(1);
    let link = world.books.link.as_mut().unwrap();
    link.schedule.plan(9_999, &mut Plan::NEVER.clone(), Plan { urgent: 0, rest: 0 });
    let request = world.books.poll(world.now()).unwrap();
    assert_eq!(request.items.len(), 1);
    assert_eq!(world.books.poll(world.now()), None);
}
