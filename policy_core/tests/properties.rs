//! What holds for every sequence of events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::drive::{Player, busy, play, steps};
use common::{Enforced, Policy, artifact, payload, seal};
use policy_core::{BoundKind, Program, Reading, Run, Usage};
use proptest::prelude::*;
use std::sync::Arc;

/// The same policy, but escalations and stops do not end the fun.
fn lenient() -> Policy {
    let mut policy = busy();
    for (_, statement) in &mut policy.statements {
        if let Enforced::Limit { otherwise, .. } = statement {
            *otherwise = common::Else::Deny;
        }
    }
    policy
}

fn reading(run: &Run, kind: BoundKind) -> Reading {
    run.limits().into_iter().find(|reading| reading.kind == kind).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Nothing is admitted beyond a limit: used may exceed it only by what settled attempts used beyond
    /// their hold.
    #[test]
    fn the_ledger_never_overspends(steps in steps(120)) {
        let mut run = lenient().run();
        let mut player = Player::default();
        let mut debt = [0_u64; 2];
        for (what, who, amount, later) in steps {
            if what == 6 {
                let usage = Usage::Exact { input: amount, output: amount / 2 };
                if let Ok(settled) = run.settle(player.now, who, usage) {
                    debt[0] += settled.cost.saturating_sub(settled.reserved_cost);
                    debt[1] += settled.tokens.saturating_sub(settled.reserved_tokens);
                }
                continue;
            }
            // Errors with exact usage and counting beyond the cap would make debt too; leave those to the
            // other properties.
            if what == 11 && who < 11 {
                continue;
            }
            let amount = if matches!(what, 7 | 8) { amount / 4 * 4 + 2 } else { amount };
            player.play(&mut run, (what, who, amount, later));
            for reading in run.limits() {
                let used = reading.spent + reading.held;
                match reading.kind {
                    BoundKind::Cost => prop_assert!(used <= reading.max + debt[0]),
                    BoundKind::Tokens => prop_assert!(used <= reading.max + debt[1]),
                    BoundKind::ActiveTime => {}
                    _ => prop_assert!(used <= reading.max),
                }
            }
        }
        run.end(player.now);
        prop_assert_eq!(run.in_flight(), 0);
        prop_assert_eq!(reading(&run, BoundKind::Cost).held, 0);
        prop_assert_eq!(reading(&run, BoundKind::Tokens).held, 0);
    }

    /// The same events give the same decisions, whatever is compiled around them.
    #[test]
    fn the_engine_is_deterministic(steps in steps(120), seed in any::<u64>()) {
        for policy in [busy(), lenient()] {
            let program = policy.program();
            let mut first = Run::new(Arc::clone(&program), seed, 5);
            let mut second = Run::new(policy.program(), seed, 5);
            prop_assert_eq!(play(&mut first, &steps), play(&mut second, &steps));
        }
    }

    /// Settling again with the same usage changes nothing.
    #[test]
    fn settling_is_idempotent(steps in steps(60), amount in 0_u64..500) {
        let mut run = lenient().run();
        play(&mut run, &steps);
        let now = u64::MAX / 2;
        for attempt in 1..10 {
            for usage in [Usage::Exact { input: amount, output: 3 }, Usage::Unknown] {
                let first = run.settle(now, attempt, usage);
                let limits = run.limits();
                prop_assert_eq!(run.settle(now, attempt, usage), first);
                prop_assert_eq!(run.limits(), limits);
            }
        }
    }

    /// A payload that was tampered with, under a digest that fits it, is refused or runs without a panic.
    #[test]
    fn a_forged_artifact_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..4),
        steps in steps(40),
    ) {
        let mut bytes = payload(&busy());
        for (place, byte, how) in changes {
            let place = place.index(bytes.len());
            match how {
                0 => bytes[place] = byte,
                1 => bytes[place] = bytes[place].wrapping_add(1),
                2 => bytes.insert(place, byte),
                _ => {
                    bytes.remove(place);
                }
            }
        }
        if let Ok(program) = Program::load(&seal(&bytes)) {
            play(&mut Run::new(Arc::new(program), 1, 0), &steps);
        }
    }

    /// Bytes that are nothing at all are refused.
    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Program::load(&noise).is_err());
        prop_assert!(Program::load(&seal(&noise)).is_err());
    }
}

#[test]
fn the_busy_policy_loads() {
    assert!(Program::load(&artifact(&busy())).is_ok());
}
