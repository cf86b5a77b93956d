//! A run that is suspended goes on as if nothing had happened, and from nothing but what it left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::drive::{Player, SCOPES, busy, steps};
use common::*;
use policy_core::books::Books;
use policy_core::{EngineError, Now, Outcome, Program, Scopes, Usage};
use proptest::prelude::*;
use std::sync::Arc;

const START: Now = Now { mono: 100 * SECOND, wall: 1000 * SECOND };

/// The bytes of a run that has done many things.
fn state(steps: &[drive::Step]) -> (Run, Vec<u8>) {
    let mut run = busy().run_in(&books(), &SCOPES);
    let mut player = Player::default();
    for &step in steps {
        player.play(&mut run, step);
    }
    let open: Vec<u64> = run.inner.open().collect();
    let at = Now { mono: player.now, wall: player.now };
    let state = run.inner.suspend(at, &open, &mut run.books.borrow_mut()).unwrap_or_default();
    (run, state)
}

fn resume(program: &Arc<Program>, state: &[u8], scopes: &Scopes<'_>) -> Result<(), EngineError> {
    policy_core::Run::resume(Arc::clone(program), state, START, scopes, &mut Books::local()).map(|_| ())
}

#[test]
fn a_suspended_run_does_nothing_more() {
    let policy = vocabulary().with("l", limit(vec![(TOKENS, 500)], Else::Stop("over")));
    let mut run = policy.run();
    ask_model(&mut run, 0, None);
    let state = run.inner.suspend(START, &[1], &mut run.books.borrow_mut()).unwrap();
    assert_eq!(run.inner.suspend(START, &[], &mut run.books.borrow_mut()), Ok(state));
    let denied = ask_model(&mut run, 0, None);
    assert_eq!((denied.outcome, by(&denied, &run).as_str()), (Outcome::Deny, "run ended"));
    let usage = Usage::exact(1, 1);
    assert_eq!(run.settle(0, 1, usage), Err(EngineError::Suspended));
    assert_eq!(run.adjust(0, 1, usage), Err(EngineError::Suspended));
    assert_eq!(run.count(0, 1, 1), Err(EngineError::Suspended));
    assert_eq!(run.answer(0, 1, true), Err(EngineError::Suspended));
    assert_eq!(run.error(0, &failure_of(1, usage)), Err(EngineError::Suspended));
    assert_eq!((run.limits().len(), run.in_flight(), run.inner.held(1)), (0, 0, None));
    let mut child = run.child(0);
    assert_eq!(ask_model(&mut child, 0, None).outcome, Outcome::Deny);
}

#[test]
fn only_a_run_that_goes_on_is_suspended() {
    let policy = vocabulary();
    let mut run = policy.run();
    let mut child = run.child(0);
    let suspend =
        |run: &mut Run, keep: &[u64]| run.inner.suspend(START, keep, &mut run.books.borrow_mut()).map(|_| ());
    assert_eq!(suspend(&mut child, &[]), Err(EngineError::Child));
    assert_eq!(suspend(&mut run, &[1]), Err(EngineError::UnknownAttempt(1)));
    ask_tool(&mut run, 0, None, "look");
    run.settle(0, 1, Usage::Unknown).unwrap();
    assert_eq!(suspend(&mut run, &[1]), Err(EngineError::AlreadySettled(1)));
    run.end(0);
    assert_eq!(suspend(&mut run, &[]), Err(EngineError::Ended));
}

#[test]
fn a_run_goes_on_under_its_own_policy_and_for_its_own_people() {
    let (run, state) = state(&[]);
    assert_eq!(resume(run.program(), &state, &SCOPES), Ok(()));
    let other = Scopes { user: Some("v"), ..SCOPES };
    assert!(matches!(resume(run.program(), &state, &other), Err(EngineError::BadValue(_))));
    assert_eq!(resume(&vocabulary().program(), &state, &SCOPES), Err(EngineError::OtherPolicy));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Nothing but what a run left is taken for it.
    #[test]
    fn what_was_changed_is_refused(steps in steps(80), flip in 1_u8..=255) {
        let (run, state) = state(&steps);
        let program = run.program();
        if state.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(resume(program, &state, &SCOPES), Ok(()));
        for place in 0..state.len() {
            let mut bytes = state.clone();
            bytes[place] ^= flip;
            prop_assert!(matches!(resume(program, &bytes, &SCOPES), Err(EngineError::BadState(_))));
            prop_assert!(matches!(resume(program, &state[..place], &SCOPES), Err(EngineError::BadState(_))));
        }
    }
}
