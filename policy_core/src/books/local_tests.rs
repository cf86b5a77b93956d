//! An account that keeps what is free against its twin that never does: whatever happens, both say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]
#![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]

use std::sync::Arc;

use proptest::prelude::*;

use super::calendar::HOUR;
use super::link::SECOND;
use super::local::Local;
use super::{Failure, Period, Room, Terms, WindowKind, Zone};
use crate::code::{Reader, Writer};
use crate::event::Now;
use crate::value::MAX_QUANTITY;

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u64),
    UseUp(u64),
    /// Which hold, and what was used.
    Settle(usize, u64),
    Refund(usize, u64),
    /// Spends in a window that may be over, as [`super::Books::charge`] does.
    Charge(usize, u64),
    Raise(u64),
    SetMax(u64),
    /// The account is written and read; of what is held, this is lost.
    Move(usize),
    /// The clocks move: seconds on, and the wall clock by so many quarters of an hour, also back.
    Wait(u64, i64),
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![16 => 0_u64..60, 1 => any::<u64>(), 1 => Just(u64::MAX), 1 => Just(u64::MAX - 9)]
}

/// What a policy may say.
fn bound() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..100, 1 => Just(MAX_QUANTITY)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => amount().prop_map(Step::Take),
        4 => amount().prop_map(Step::UseUp),
        6 => (any::<usize>(), amount()).prop_map(|(hold, used)| Step::Settle(hold, used)),
        3 => (any::<usize>(), amount()).prop_map(|(past, amount)| Step::Refund(past, amount)),
        2 => (any::<usize>(), amount()).prop_map(|(past, amount)| Step::Charge(past, amount)),
        2 => (0_u64..60).prop_map(Step::Raise),
        2 => bound().prop_map(Step::SetMax),
        1 => any::<usize>().prop_map(Step::Move),
        4 => (0_u64..90, -3_i64..9).prop_map(|(on, quarters)| Step::Wait(on, quarters)),
        1 => (0_u64..90, 0_i64..600).prop_map(|(on, quarters)| Step::Wait(on, quarters)),
    ]
}

/// A zone whose clock is set back by an hour at the second hour, and on again at the fourth.
fn window() -> impl Strategy<Value = WindowKind> {
    let at = |hour: u64| hour * HOUR.unsigned_abs();
    let zone =
        Arc::new(Zone { name: "Test".into(), before: HOUR, transitions: vec![(at(2), 0), (at(4), HOUR)] });
    let calendar = move |period| WindowKind::Calendar { period, zone: Arc::clone(&zone) };
    prop_oneof![
        Just(WindowKind::Forever),
        Just(calendar(Period::Hour)),
        Just(calendar(Period::Day)),
        Just(WindowKind::Rolling { ns: 60 * SECOND }),
    ]
}

struct Twins {
    terms: Terms,
    own: Local,
    /// Everything is worked out anew by it.
    plain: Local,
    now: Now,
    holds: Vec<(i64, u64)>,
    past: Vec<i64>,
}

impl Twins {
    fn new(terms: Terms) -> Self {
        let now = Now { mono: 0, wall: 90 * 60 * SECOND };
        let own = Local::new(&terms, now);
        Self { plain: own.clone(), own, terms, now, holds: Vec::new(), past: Vec::new() }
    }

    /// The same happens to both, with the same answer.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut what: impl FnMut(&mut Local) -> T) -> T {
        self.plain.knows_nothing();
        let answer = what(&mut self.own);
        assert_eq!(answer, what(&mut self.plain));
        answer
    }

    fn run(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Take(amount) => {
                let window = self.both(|local| local.take(amount, now));
                self.holds.push((window, amount));
            }
            Step::UseUp(amount) => {
                let window = self.both(|local| local.use_up(amount, now));
                self.past.push(window);
            }
            Step::Settle(hold, used) if !self.holds.is_empty() => {
                let (window, held) = self.holds.swap_remove(hold % self.holds.len());
                self.both(|local| local.settle(window, held, used, now));
                self.past.push(window);
            }
            Step::Refund(past, amount) if !self.past.is_empty() => {
                let window = self.past[past % self.past.len()];
                self.both(|local| local.refund(window, amount));
            }
            Step::Charge(past, amount) if !self.past.is_empty() => {
                let window = self.past[past % self.past.len()];
                self.both(|local| local.settle(window, 0, amount, now));
            }
            Step::Raise(amount) => self.both(|local| local.raise(amount, now)),
            Step::SetMax(max) => {
                self.terms.max = max;
                self.both(|local| local.set_max(max));
            }
            Step::Move(lost) => self.go_elsewhere(lost),
            Step::Wait(on, quarters) => {
                self.now.mono += on * SECOND;
                let by = i64::try_from(15 * 60 * SECOND).unwrap() * quarters;
                self.now.wall = now.wall.saturating_add_signed(by);
            }
            _ => {}
        }
    }

    fn go_elsewhere(&mut self, lost: usize) {
        if !self.holds.is_empty() {
            self.holds.remove(lost % self.holds.len());
        }
        let (now, terms, kept) = (self.now, self.terms.clone(), self.holds.clone());
        self.both(|local| {
            let mut writer = Writer::default();
            local.leave(&kept, now, &mut writer);
            let bytes = writer.sealed(0);
            *local = Local::new(&terms, now);
            local.read(&mut Reader::sealed(&bytes, 0).unwrap(), now, 0).unwrap();
            bytes
        });
    }

    /// Both say the same of this instant, which is what follows from the figures that they tell.
    fn agree(&mut self, now: Now, amounts: &[(u64, u64)]) {
        self.plain.knows_nothing();
        assert_eq!(self.own.standing(now), self.plain.standing(now));
        assert_eq!(self.own.most(now), self.plain.most(now));
        assert_eq!(self.own.figures(now), self.plain.figures(now));
        let own = self.own.standing(now);
        assert_eq!(self.own.figures(now), [own.max, own.spent, own.held]);
        let (most, free) = (self.own.most(now), own.max.saturating_sub(own.spent).saturating_sub(own.held));
        assert_eq!(most, free);
        for around in [most, most.saturating_add(1), most.saturating_sub(1)] {
            for (amount, withheld) in amounts.iter().copied().flat_map(|(amount, withheld)| {
                [(amount, withheld), (around, 0), (around.saturating_sub(withheld), withheld)]
            }) {
                let room = self.own.room(amount, withheld, now);
                assert_eq!(room, self.plain.room(amount, withheld, now), "{amount} {withheld} of {own:?}");
                let wanted = [amount, withheld, own.spent, own.held].map(u128::from);
                let fits = amount == 0 || wanted.iter().sum::<u128>() <= u128::from(own.max);
                assert_eq!(room == Room::Fits, fits, "{amount} {withheld} of {own:?}");
                let has = self.own.is_told(now) && self.own.has(amount, withheld);
                assert!(!has || fits, "{amount} {withheld} of {own:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_free_is_what_the_figures_leave(
        (max, window) in (bound(), window()),
        steps in proptest::collection::vec(step(), 0..120),
        amounts in proptest::collection::vec((amount(), amount()), 3),
        later in (-3_i64..9).prop_map(|quarters| quarters * 900_000_000_000),
    ) {
        let mut twins = Twins::new(Terms { max, window, failure: Failure::Spend });
        for step in &steps {
            twins.run(*step);
            twins.agree(twins.now, &amounts);
            let wall = twins.now.wall.saturating_add_signed(later);
            twins.agree(Now { wall, ..twins.now }, &amounts);
        }
    }
}

#[test]
fn what_is_spent_at_once_leaves_holds_alone_however_much_it_is() {
    let now = Now::default();
    let mut own = Local::new(&Terms { max: 0, window: WindowKind::Forever, failure: Failure::Spend }, now);
    own.knows_nothing();
    own.take(1, now);
    own.use_up(u64::MAX, now);
    assert_eq!(own.figures(now), [0, u64::MAX, 1]);
}
