//! Soft thresholds are told of at the first decision after they are reached, whatever led to them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
#![allow(clippy::arithmetic_side_effects, clippy::panic, reason = "tests may fail loudly")]

mod common;

use common::*;
use policy_core::{Scopes, Usage};
use proptest::prelude::*;

const MILLION: u128 = 1_000_000;

/// Limits with thresholds, of the run's own and wider, one of which people raise, and one on how often they
/// are asked.
fn policy(is_wide: bool) -> Policy {
    let mut policy = vocabulary();
    policy.queues.push(("more", 20 * SECOND, None));
    policy.grants = vec![("more", 3, 700, 2)];
    let at = || vec![(300_000, "some"), (800_000, "much")];
    let looks = Measured::CallsOf(Select::Tool("look"));
    let own = LimitSpec {
        at: at(),
        bounds: vec![(TOKENS, 4000, 0), (STEPS, 12, 2), (TOOL_CALLS, 9, 0), (looks, 4, 0)],
        wrap_up: 2,
        ..LimitSpec::new(vec![], Else::Deny)
    };
    let raised = LimitSpec { at: at(), ..LimitSpec::new(vec![(COST, 900)], Else::Escalate("more")) };
    let scope = if is_wide { USER } else { RUN };
    let last = LimitSpec { at: at(), basis: 2, scope, ..LimitSpec::new(vec![(ATTEMPTS, 9)], Else::Deny) };
    let asks = LimitSpec { at: at(), ..LimitSpec::new(vec![(ESCALATIONS, 5)], Else::Deny) };
    policy
        .with("asks", Enforced::Limit(asks))
        .with("own", Enforced::Limit(own))
        .with("raised", Enforced::Limit(raised))
        .with("last", Enforced::Limit(last))
}

/// The thresholds that are reached now, each by its limit and its place.
fn reached(run: &Run) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    for reading in run.limits() {
        let limit = &run.program().limits()[reading.limit as usize];
        let bound = limit.bounds.iter().find(|bound| bound.measure == reading.measure).unwrap();
        let used = u128::from(reading.spent + reading.held) * MILLION;
        let most = u128::from(reading.max.saturating_sub(bound.withheld));
        for (place, threshold) in (0..).zip(&limit.thresholds) {
            if used >= most * u128::from(threshold.ppm) {
                all.push((reading.limit, place));
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn is_open(run: &Run, attempt: u64) -> bool {
    run.inner.open().any(|open| open == attempt)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_threshold_is_told_of_once_and_at_once(
        steps in proptest::collection::vec((0_u8..14, 0_usize..3, 0_u64..300), 0..60),
        (is_wide, has_child) in any::<(bool, bool)>(),
    ) {
        let (shared, policy) = (books(), policy(is_wide));
        let scopes = Scopes { user: Some("u"), ..Scopes::default() };
        let run = || policy.run_in(&shared, &scopes);
        let first = run();
        let third = if has_child { first.child(0) } else { run() };
        let mut runs = [first, run(), third];
        let (mut given, mut last) = ([vec![], vec![], vec![]], [(0, 0); 3]);
        for (what, who, amount) in steps {
            let run = &mut runs[who];
            let ((attempt, request), due) = (last[who], reached(run));
            let decision = match what {
                0..=3 => ask_model_with(run, 0, None, amount, &[]),
                4 => ask_tool(run, 0, None, "look"),
                5 => ask_tool(run, 0, None, "pay"),
                // One that is above none and below none goes on elsewhere.
                12 if who == 1 => {
                    run.moved(0, &[attempt][..usize::from(is_open(run, attempt))], &scopes, (0, 0));
                    continue;
                }
                _ => {
                    let more = Usage::exact(amount * 3, amount);
                    // What is refused changes nothing.
                    let _refused = match what {
                        6 | 7 => run.settle(0, attempt, more).map(drop),
                        8 => run.settle(0, attempt, Usage::Unknown).map(drop),
                        9 => run.settle(0, attempt, Usage::Unsent).map(drop),
                        10 => run.adjust(0, attempt, more).map(drop),
                        _ => run.answer(0, request, true),
                    }
                    .err();
                    continue;
                }
            };
            let told = decision.advice.iter().map(|advice| (advice.limit, advice.threshold));
            let told: Vec<_> = told.collect();
            let expected = due.into_iter().filter(|each| !given[who].contains(each));
            let expected: Vec<_> = expected.collect();
            prop_assert_eq!(&told, &expected);
            given[who].extend(told);
            last[who] = (
                decision.attempt.unwrap_or(attempt),
                decision.asked.map_or(request, |asked| asked.request),
            );
        }
    }
}
