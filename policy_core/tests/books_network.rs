//! Several nodes, one store and a bad network between them: what really was spent and held never exceeds
//! the bound, and what everybody says of it adds up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

mod books_common;

use std::collections::BTreeMap;
use std::sync::Arc;

use books_common::{Ledger, MS, account, balanced, key, talk};
use policy_core::Now;
use policy_core::books::{AccountId, Books, Failure, Period, Room, Terms, Window, WindowKind, Zone};
use policy_core::store::{Reply, Request};
use proptest::prelude::*;

const MAX: u64 = 100;

#[derive(Clone, Debug)]
enum Step {
    Call(usize, u64),
    Settle(usize, u64),
    Correct(usize, u64),
    Wait(u64),
    Send(usize, u8),
    Late(usize, usize, bool),
    Crash(usize),
    Fork(usize),
}

fn step(crashes: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..3, 1_u64..40).prop_map(|(node, amount)| Step::Call(node, amount)),
        6 => (any::<usize>(), 0_u64..=100).prop_map(|(place, percent)| Step::Settle(place, percent)),
        1 => (any::<usize>(), 0_u64..=100).prop_map(|(place, percent)| Step::Correct(place, percent)),
        6 => (0_u64..700).prop_map(Step::Wait),
        12 => (0_usize..3, 0_u8..8).prop_map(|(node, fate)| Step::Send(node, fate)),
        2 => (0_usize..3, any::<usize>(), any::<bool>())
            .prop_map(|(node, which, back)| Step::Late(node, which, back)),
        crashes => (0_usize..3).prop_map(Step::Crash),
        crashes => (0_usize..3).prop_map(Step::Fork),
    ]
}

struct Node {
    books: Books,
    id: AccountId,
    /// How far its clock that never goes back is from the store's.
    shift: u64,
    sent: Vec<Request>,
    heard: Vec<Reply>,
}

/// One call, as it really was.
struct Call {
    /// `None`: nobody is left to settle it.
    node: Option<usize>,
    window: Window,
    /// The window by its number.
    hour: i64,
    amount: u64,
    taken: u64,
    settled: Option<(u64, u64)>,
}

struct World {
    ledger: Ledger,
    nodes: Vec<Node>,
    calls: Vec<Call>,
    terms: Terms,
    ms: u64,
    names: u128,
}

impl World {
    fn new(window: WindowKind) -> Self {
        let terms = Terms { max: MAX, window, failure: Failure::Spend };
        let mut world = Self {
            ledger: Ledger::new(),
            nodes: Vec::new(),
            calls: Vec::new(),
            terms,
            ms: 3_590_000,
            names: 0,
        };
        for _ in 0..3 {
            let node = world.birth();
            world.nodes.push(node);
        }
        world
    }

    fn birth(&mut self) -> Node {
        self.names += 1;
        let shift = u64::try_from(self.names).unwrap() * 1_000_003 * MS;
        let now = Now { mono: self.ms * MS + shift, wall: self.ms * MS };
        let mut books = Books::leased(self.names, now);
        let id = books.open(&key("u1"), &self.terms, true, now);
        Node { books, id, shift, sent: Vec::new(), heard: Vec::new() }
    }

    /// Each node's clocks; the wall clocks differ by seconds.
    fn now(&self, node: usize) -> Now {
        let skew = u64::try_from(node).unwrap() * 1_500;
        Now { mono: self.ms * MS + self.nodes[node].shift, wall: (self.ms + skew) * MS }
    }

    fn stores(&self) -> Now {
        Now { mono: 0, wall: self.ms * MS }
    }

    fn call(&mut self, place: usize, amount: u64) {
        let now = self.now(place);
        let node = &mut self.nodes[place];
        if node.books.room(node.id, amount, 0, now) != Room::Fits {
            return node.books.need(node.id, amount);
        }
        let window = node.books.take(node.id, amount, now);
        let hour = node.books.standing(node.id, now).window.map_or(0, |(hour, ..)| hour);
        self.calls.push(Call { node: Some(place), window, hour, amount, taken: self.ms, settled: None });
    }

    fn settle(&mut self, place: usize, percent: u64) {
        let open: Vec<usize> = (0..self.calls.len())
            .filter(|at| self.calls[*at].settled.is_none() && self.calls[*at].node.is_some())
            .collect();
        if open.is_empty() {
            return;
        }
        let call = &self.calls[open[place % open.len()]];
        let (owner, window, amount) = (call.node.unwrap(), call.window, call.amount);
        let now = self.now(owner);
        let used = amount * percent / 100;
        let node = &mut self.nodes[owner];
        node.books.settle(node.id, window, amount, used, now);
        self.calls[open[place % open.len()]].settled = Some((self.ms, used));
    }

    /// A settled call turns out to have used less.
    fn correct(&mut self, place: usize, percent: u64) {
        let done: Vec<usize> = (0..self.calls.len())
            .filter(|at| self.calls[*at].settled.is_some() && self.calls[*at].node.is_some())
            .collect();
        if done.is_empty() {
            return;
        }
        let at = done[place % done.len()];
        let (owner, window) = (self.calls[at].node.unwrap(), self.calls[at].window);
        let (when, used) = self.calls[at].settled.unwrap();
        let now = self.now(owner);
        let node = &mut self.nodes[owner];
        let less = used * percent / 100;
        node.books.refund(node.id, window, less, now);
        self.calls[at].settled = Some((when, used - less));
    }

    fn answer(&mut self, place: usize, request: &Request) -> Reply {
        let reply = self.ledger.apply(request, self.stores());
        assert!(!matches!(reply, Reply::Malformed { .. }), "{reply:?} to {request:?}");
        self.nodes[place].heard.push(reply.clone());
        reply
    }

    fn send(&mut self, place: usize, fate: u8) {
        let now = self.now(place);
        let Some(request) = self.nodes[place].books.poll(now) else { return };
        self.nodes[place].sent.push(request.clone());
        match fate {
            0 => self.nodes[place].books.lost(now),
            1 => {}
            2 => {
                self.answer(place, &request);
                self.nodes[place].books.lost(now);
            }
            3 => {
                self.answer(place, &request);
                let reply = self.answer(place, &request);
                self.nodes[place].books.reply(now, &reply);
                self.nodes[place].books.reply(now, &reply);
            }
            _ => {
                let reply = self.answer(place, &request);
                self.nodes[place].books.reply(now, &reply);
            }
        }
    }

    /// An old request or answer arrives once more.
    fn late(&mut self, place: usize, which: usize, back: bool) {
        let now = self.now(place);
        let node = &self.nodes[place];
        if back && !node.heard.is_empty() {
            let reply = node.heard[which % node.heard.len()].clone();
            self.nodes[place].books.reply(now, &reply);
        } else if !node.sent.is_empty() {
            let request = node.sent[which % node.sent.len()].clone();
            self.answer(place, &request);
        }
    }

    fn crash(&mut self, place: usize) {
        self.nodes[place] = self.birth();
        for call in self.calls.iter_mut().filter(|call| call.node == Some(place)) {
            call.node = None;
        }
    }

    /// The node goes on as a copy of itself; the parent is gone, and so are its answers.
    fn fork(&mut self, place: usize) {
        self.names += 1;
        let (name, now) = (self.names, self.now(place));
        let node = &mut self.nodes[place];
        node.books.forked(name, now);
        (node.sent, node.heard) = (Vec::new(), Vec::new());
        for call in self.calls.iter_mut().filter(|call| call.node == Some(place)) {
            call.node = None;
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Call(node, amount) => self.call(*node, *amount),
            Step::Settle(place, percent) => self.settle(*place, *percent),
            Step::Correct(place, percent) => self.correct(*place, *percent),
            Step::Wait(ms) => self.ms += ms,
            Step::Send(node, fate) => self.send(*node, *fate),
            Step::Late(node, which, back) => self.late(*node, *which, *back),
            Step::Crash(node) => self.crash(*node),
            Step::Fork(node) => self.fork(*node),
        }
    }

    /// What was spent and may still be, by window. What nobody is left to settle was spent in full.
    fn billed(&self) -> BTreeMap<i64, u64> {
        let mut hours = BTreeMap::new();
        for call in &self.calls {
            *hours.entry(call.hour).or_default() += call.settled.map_or(call.amount, |(_, used)| used);
        }
        hours
    }

    fn check(&self) {
        for place in 0..self.nodes.len() {
            let node = &self.nodes[place];
            balanced(&node.books.standing(node.id, self.now(place)));
            assert_eq!(node.books.health(self.now(place)).degraded, 0);
        }
    }

    /// Everything is settled and everybody ends in good order, with a good network again.
    fn finish(&mut self) {
        for _ in 0..self.calls.len() {
            self.settle(0, 50);
        }
        for place in 0..3 {
            for late in 1..20 {
                self.ms += late * 100;
                let (now, stores) = (self.now(place), self.stores());
                let node = &mut self.nodes[place];
                if late == 8 {
                    node.books.close_all(now);
                }
                while let Some(request) = node.books.poll(now) {
                    let reply = self.ledger.apply(&request, stores);
                    node.books.reply(now, &reply);
                }
            }
            assert!(self.nodes[place].books.health(self.now(place)).is_closed);
        }
    }
}

fn hourly() -> WindowKind {
    WindowKind::Calendar { period: Period::Hour, zone: Arc::new(Zone::utc()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_is_overspent_whatever_the_network_does(
        steps in proptest::collection::vec(step(1), 0..150),
        calendar in any::<bool>(),
    ) {
        let mut world = World::new(if calendar { hourly() } else { WindowKind::Forever });
        for step in &steps {
            world.run(step);
            world.check();
            for (hour, billed) in world.billed() {
                prop_assert!(billed <= MAX, "{} in window {} after {:?}", billed, hour, step);
            }
        }
        world.finish();
        if world.ledger.rows.keys().any(|key| key.as_str().starts_with("account/")) {
            for window in world.ledger.windows("u1") {
                let billed = world.billed().get(&window.id).copied().unwrap_or_default();
                prop_assert!(window.spent + window.leased >= billed, "{:?} but {}", window, billed);
            }
        }
    }

    #[test]
    fn without_crashes_all_is_accounted_for(
        steps in proptest::collection::vec(step(0), 0..150),
        calendar in any::<bool>(),
    ) {
        let mut world = World::new(if calendar { hourly() } else { WindowKind::Forever });
        let steps = steps.iter().filter(|step| !matches!(step, Step::Crash(_) | Step::Fork(_)));
        steps.for_each(|step| world.run(step));
        world.finish();
        if !world.ledger.rows.keys().any(|key| key.as_str().starts_with("account/")) {
            return Ok(());
        }
        for window in world.ledger.windows("u1") {
            let billed = world.billed().get(&window.id).copied().unwrap_or_default();
            prop_assert_eq!((window.spent, window.leased), (billed, 0), "window {}", window.id);
        }
    }

    #[test]
    fn in_no_interval_is_a_rolling_window_over(steps in proptest::collection::vec(step(1), 0..200)) {
        let ns = 2_000 * MS;
        let mut world = World::new(WindowKind::Rolling { ns });
        for step in &steps {
            if !matches!(step, Step::Correct(..)) {
                world.run(step);
            }
            world.check();
            let now = world.ms;
            let recent = world.calls.iter().filter_map(|call| match call.settled {
                Some((when, used)) => (now - when <= ns / MS).then_some(used),
                None => call.node.map(|_| call.amount),
            });
            prop_assert!(recent.sum::<u64>() <= MAX);
        }
    }

    /// The store counts as spent what silent nodes have leased, so they must not use it any more. A call
    /// counts from when it was allowed: one that outlives the store's patience is known to be lost to it.
    #[test]
    fn a_rolling_window_is_not_over_when_nodes_are_silent(
        steps in proptest::collection::vec(step(1), 0..200),
    ) {
        let ns = 30_000 * MS;
        let mut world = World::new(WindowKind::Rolling { ns });
        for step in &steps {
            match step {
                Step::Wait(ms) => world.ms += ms * 25,
                Step::Correct(..) => {}
                _ => world.run(step),
            }
            world.check();
            let now = world.ms;
            let recent = world.calls.iter().filter(|call| now - call.taken <= ns / MS);
            let billed = recent.map(|call| call.settled.map_or(call.amount, |(_, used)| used));
            prop_assert!(billed.sum::<u64>() <= MAX);
        }
    }
}

#[test]
fn the_helper_of_these_tests_can_fail() {
    let mut world = World::new(WindowKind::Forever);
    world.call(0, 30);
    let now = world.now(0);
    talk(&mut world.ledger, &mut world.nodes[0].books, now);
    world.call(0, 30);
    assert_eq!((world.billed()[&0], account(&world.ledger, "u1").leased), (30, 30));
}
