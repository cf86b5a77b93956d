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
use policy_core::{Decision, EngineError, Meter, Now, Outcome, Program, Scopes, Slot, Usage};
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
    policy_core::Run::resume(Arc::clone(program), state, (START, 0), scopes, &mut Books::local()).map(|_| ())
}

#[test]
fn a_suspended_run_does_nothing_more() {
    let policy = vocabulary().with("l", limit(vec![(TOKENS, 500)], Else::Stop("over")));
    let mut run = policy.run();
    ask_model(&mut run, 0, None);
    let meter = run.inner.metered(1, Arc::new(Meter::new(0))).unwrap();
    let state = run.inner.suspend(START, &[1], &mut run.books.borrow_mut()).unwrap();
    assert_eq!((meter.count(1), run.inner.metered(1, meter).err()), (None, Some(EngineError::Suspended)));
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

/// What a retry reads of a call is kept for the error of an open attempt, and for nothing else.
#[test]
fn the_texts_of_calls_that_are_not_under_way_stay_here() {
    let mut policy = vocabulary();
    policy.facts = vec![FactSpec { presence: 1, ..fact("data.t", 0) }];
    let again = Enforced::Retry {
        on: Select::AnyTool,
        when: Some(vec![Op::Starts("data.t", "x")]),
        attempts: 2,
        within: None,
        backoff: None,
        share: None,
        otherwise: Else::Deny,
    };
    let policy = policy.with("again", again);
    for (is_kept, keep) in [(true, vec![1]), (false, vec![])] {
        let mut run = policy.run();
        ask_tool_with(&mut run, 0, None, "look", b"{}", &[("data.t", Slot::Text("4111-1111"))]);
        if !is_kept {
            run.error(0, &failure_of(1, Usage::Unknown)).unwrap();
            assert_eq!(run.in_flight(), 0);
        }
        let state = run.inner.suspend(START, &keep, &mut run.books.borrow_mut()).unwrap();
        assert_eq!(state.windows(9).any(|bytes| bytes == b"4111-1111"), is_kept);
        assert_eq!(resume(run.program(), &state, &Scopes::default()), Ok(()));
    }
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

/// The busy policy, with windows; without limits that are wider than a run, with none on active time, which
/// stands still while a run is away, and without what a process knows of tools, models and results, which
/// stays there.
fn alone() -> Policy {
    let mut policy = busy();
    for (_, statement) in &mut policy.statements {
        if let Enforced::Limit(limit) = statement {
            let bounds = limit.bounds.iter_mut().filter(|bound| matches!(bound.0, Measured::Simple(10)));
            bounds.for_each(|bound| bound.0 = WALL_TIME);
        }
        if let Enforced::Retry { share, .. } = statement {
            *share = None;
        }
    }
    let stays = ["user", "burst", "tenant", "served", "target", "used", "known"];
    policy.statements.retain(|(name, _)| !stays.contains(name));
    let rolling = LimitSpec { window: Windowed::Rolling(30 * SECOND), ..LimitSpec::new(vec![], Else::Deny) };
    let hourly = LimitSpec { window: Windowed::Each(0, "East"), ..rolling.clone() };
    let calls = vec![(COST, 900, 0), (Measured::CallsOf(Select::AnyTool), 6, 0)];
    policy
        .with("rolling", Enforced::Limit(LimitSpec { bounds: calls.clone(), basis: 1, ..rolling }))
        .with("hourly", Enforced::Limit(LimitSpec { bounds: calls, ..hourly }))
}

/// When to move, for how long, and what the next clock shows.
fn moves(most: usize) -> impl Strategy<Value = Vec<(bool, (u64, u64))>> {
    let clock = prop_oneof![Just(0), 0..100 * SECOND, Just(1 << 62)];
    let away = prop_oneof![Just(0), 0..20 * SECOND];
    prop::collection::vec((prop::bool::weighted(0.1), (away, clock)), most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A run that moves from process to process decides as one that stays.
    #[test]
    fn a_run_that_moves_decides_as_one_that_stays(
        steps in steps(120),
        moves in moves(120),
        begun in 0..9_u64,
    ) {
        let policy = alone();
        let (mut stays, mut goes) = (policy.run(), policy.run());
        let (mut first, mut second) = (Player::default(), Player::default());
        // Just before an hour ends.
        (stays.ahead, goes.ahead) = ((3600 - begun * 10) * SECOND, (3600 - begun * 10) * SECOND);
        let mut may_move = true;
        for (step, (moves, away)) in steps.into_iter().zip(moves) {
            let answer = first.play(&mut stays, step);
            prop_assert_eq!(&second.play(&mut goes, step), &answer);
            if !answer.contains("BadValue") {
                // Else nothing has happened, and readings are as of the latest event.
                prop_assert_eq!(goes.limits(), stays.limits());
            }
            prop_assert_eq!(goes.in_flight(), stays.in_flight());
            prop_assert_eq!(goes.latched().is_some(), stays.latched().is_some());
            // How long a call waits for holds is counted anew after a move.
            may_move &= !answer.contains("BuiltIn(Holds)") && answer != "end";
            if moves && may_move {
                let open: Vec<u64> = goes.inner.open().collect();
                goes.moved(second.now, &open, &Scopes::default(), away);
                first.now += away.0;
                second.now += away.0;
                // No time has passed for the one that stays.
                let held = |run: &Run, attempt| {
                    Decision { timeout_ns: None, ..run.inner.held(attempt).unwrap() }
                };
                for attempt in open {
                    prop_assert_eq!(held(&goes, attempt), held(&stays, attempt));
                }
            }
        }
    }

    /// What a run spends and holds is in the accounts that it shares, wherever it goes on: there may be more,
    /// but never less. And nothing is admitted beyond a bound.
    #[test]
    fn shared_accounts_never_forget(
        steps in steps(120),
        moves in moves(120),
        kept in prop::collection::vec(any::<bool>(), 8),
    ) {
        let scopes = Scopes { session: Some("s"), ..SCOPES };
        let all = limit_on(SESSION, vec![(COST, 4000), (TOKENS, 9000)], Else::Deny);
        let policy = alone().with("all", all);
        let mut run = policy.run_in(&books(), &scopes);
        let program = Arc::clone(run.program());
        let statement = |limit: u32| program.limits()[limit as usize].statement as usize;
        let name = |limit: u32| &*program.statements()[statement(limit)].name;
        let (mut player, mut beyond, mut has_ended) = (Player::default(), [0_u64; 2], false);
        for (step, (moves, away)) in steps.into_iter().zip(moves) {
            has_ended |= player.play(&mut run, step) == "end";
            if moves && !has_ended {
                let keep: Vec<u64> = run.inner.open().zip(&kept).filter(|it| *it.1).map(|it| it.0).collect();
                // One process has one clock, and so has what it shares.
                let next = player.now + away.0;
                run.moved(player.now, &keep, &scopes, (away.0, next));
                player.now = next;
                // Nobody there could tell whose hold it is.
                prop_assert!(run.limits().iter().filter(|it| name(it.limit) == "all").all(|it| it.held == 0));
            }
            let read = |name_of: &str| {
                let readings = run.limits().into_iter().filter(|it| name(it.limit) == name_of);
                readings.map(|it| (it.spent + it.held, it.max)).take(2).collect::<Vec<_>>()
            };
            let (shared, own) = (read("all"), read("cap"));
            beyond = [0, 1].map(|place| {
                let sum = |(_, settled): (Usage, policy_core::Settlement)| match place {
                    0 => settled.cost.saturating_sub(settled.reserved_cost),
                    _ => settled.tokens.saturating_sub(settled.reserved_tokens),
                };
                let attempts = 1..=player.reserved.len() as u64;
                let settled = attempts.filter_map(|attempt| run.inner.settled(attempt));
                settled.map(sum).sum::<u64>().max(beyond[place])
            });
            for place in 0..2 {
                prop_assert!(shared[place].0 >= own[place].0, "{shared:?} {own:?}");
                prop_assert!(shared[place].0 <= shared[place].1 + beyond[place], "{shared:?} {beyond:?}");
            }
        }
    }
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
