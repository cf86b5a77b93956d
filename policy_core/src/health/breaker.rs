//! One circuit: calls pass until too many of them have failed, then none, then a counted few that try it.
//!
//! INVARIANT (epochs): a circuit has a new epoch each time it opens, is tried or closes, and the end of an
//! attempt counts only in the epoch in which the attempt was admitted. So nothing stale opens or closes it.

use super::{Barred, Ending};
use crate::books::Buckets;
use crate::value::MILLION;

/// When a breaker opens, and how it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BreakerTerms {
    /// The share of failures that opens it, in parts per million.
    pub(crate) failures: u64,
    /// How many calls have to have ended in the window.
    pub(crate) calls: u64,
    pub(crate) window_ns: u64,
    /// How many calls try it, and how long after it opened.
    pub(crate) probes: u64,
    pub(crate) after_ns: u64,
}

#[derive(Clone, Debug)]
enum State {
    Closed {
        ended: Buckets,
        failed: Buckets,
    },
    Open,
    /// Probes that have not ended, and those that ended well.
    Tried {
        in_flight: u64,
        succeeded: u64,
    },
}

/// What a breaker knows of one model, provider or tool.
#[derive(Clone, Debug)]
pub(super) struct Circuit {
    epoch: u64,
    /// Until when it is open, or its latest probe has a place that no other call takes.
    until: u64,
    state: State,
}

impl Circuit {
    pub(super) fn new(terms: &BreakerTerms, epoch: u64) -> Self {
        Self { epoch, until: 0, state: closed(terms) }
    }

    /// For how long no call may pass; nothing if one may. A probe that does not end (it hangs, or who made it
    /// is gone) keeps its place for as long as a failed one would shut the circuit: then one more may try.
    pub(super) const fn barred(&self, terms: &BreakerTerms, now: u64) -> Option<Barred> {
        let most = self.until.saturating_sub(now);
        let least = match self.state {
            State::Open => most,
            State::Tried { in_flight, succeeded } if in_flight.saturating_add(succeeded) >= terms.probes => 0,
            State::Closed { .. } | State::Tried { .. } => return None,
        };
        if most > 0 { Some(Barred { least, most }) } else { None }
    }

    /// A call passes that is not barred. The answer is the epoch that it belongs to; `next` is one that
    /// nobody has yet.
    pub(super) fn admit(&mut self, terms: &BreakerTerms, now: u64, next: u64) -> u64 {
        match &mut self.state {
            State::Closed { .. } => return self.epoch,
            State::Open => {
                self.epoch = next;
                self.state = State::Tried { in_flight: 1, succeeded: 0 };
            }
            State::Tried { in_flight, .. } => *in_flight = in_flight.saturating_add(1),
        }
        self.until = self.until.max(now.saturating_add(terms.after_ns));
        self.epoch
    }

    /// An attempt of this epoch has ended.
    pub(super) fn conclude(&mut self, terms: &BreakerTerms, at: (u64, u64), ending: Ending, next: u64) {
        let (epoch, now) = at;
        if epoch != self.epoch {
            return;
        }
        match &mut self.state {
            State::Open => {}
            State::Closed { ended, failed } => {
                if ending == Ending::Untold {
                    return;
                }
                ended.add(now, 1);
                failed.add(now, u64::from(ending == Ending::Failed));
                let (ended, failed) = (ended.sum(now), failed.sum(now));
                let is_enough = failed.saturating_mul(MILLION) >= ended.saturating_mul(terms.failures);
                if ended >= terms.calls && is_enough {
                    self.open(terms, now, next);
                }
            }
            State::Tried { in_flight, succeeded } => {
                *in_flight = in_flight.saturating_sub(1);
                *succeeded = succeeded.saturating_add(u64::from(ending == Ending::Succeeded));
                let is_well = *succeeded >= terms.probes;
                if ending == Ending::Failed {
                    self.open(terms, now, next);
                } else if is_well {
                    self.epoch = next;
                    self.state = closed(terms);
                }
            }
        }
    }

    /// Never for a shorter time than it was open already.
    fn open(&mut self, terms: &BreakerTerms, now: u64, next: u64) {
        self.epoch = next;
        self.until = self.until.max(now.saturating_add(terms.after_ns));
        self.state = State::Open;
    }
}

fn closed(terms: &BreakerTerms) -> State {
    State::Closed { ended: Buckets::new(terms.window_ns), failed: Buckets::new(terms.window_ns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: BreakerTerms =
        BreakerTerms { failures: 500_000, calls: 4, window_ns: 600, probes: 2, after_ns: 100 };

    /// A circuit with epochs from 1.
    struct Bench(Circuit, u64);

    impl Bench {
        fn new() -> Self {
            Self(Circuit::new(&TERMS, 1), 1)
        }

        fn admit(&mut self, now: u64) -> u64 {
            self.1 += 1;
            self.0.admit(&TERMS, now, self.1)
        }

        fn end(&mut self, epoch: u64, now: u64, ending: Ending) {
            self.1 += 1;
            self.0.conclude(&TERMS, (epoch, now), ending, self.1);
        }

        fn calls(&mut self, now: u64, endings: &[Ending]) {
            for ending in endings {
                let epoch = self.admit(now);
                self.end(epoch, now, *ending);
            }
        }

        fn barred(&self, now: u64) -> Option<u64> {
            self.0.barred(&TERMS, now).map(|barred| barred.most)
        }

        fn may_be_sooner(&self, now: u64) -> bool {
            self.0.barred(&TERMS, now).is_some_and(|barred| barred.may_be_sooner())
        }
    }

    use Ending::{Failed, Succeeded, Untold};

    #[test]
    fn it_opens_at_the_share_of_enough_calls() {
        let mut bench = Bench::new();
        bench.calls(0, &[Failed, Failed, Failed]);
        assert_eq!(bench.barred(0), None, "three calls are not enough");
        bench.calls(5, &[Succeeded]);
        assert_eq!(bench.barred(5), Some(100), "three of four are more than half");

        let mut bench = Bench::new();
        bench.calls(0, &[Succeeded, Succeeded, Succeeded, Failed, Failed, Untold, Untold]);
        assert_eq!(bench.barred(0), None, "what nobody knows is no call that ended");
        bench.calls(0, &[Failed]);
        assert_eq!(bench.barred(0), Some(100), "exactly half is enough");
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut bench = Bench::new();
        bench.calls(0, &[Failed, Failed, Failed]);
        bench.calls(611, &[Failed]);
        assert_eq!(bench.barred(611), None);
    }

    #[test]
    fn exactly_so_many_probes_pass_and_all_of_them_close_it() {
        let mut bench = Bench::new();
        bench.calls(0, &[Failed; 4]);
        assert_eq!((bench.barred(99), bench.barred(100)), (Some(1), None));
        assert!(!bench.may_be_sooner(99), "nobody tries it before its time");
        let (first, second) = (bench.admit(100), bench.admit(100));
        assert_eq!((first == second, bench.barred(100)), (true, Some(100)));
        assert!(bench.may_be_sooner(100), "both may end at any moment");
        bench.end(first, 110, Succeeded);
        assert_eq!(bench.barred(110), Some(90), "no third call passes while the second has not ended");
        bench.end(second, 120, Succeeded);
        assert_eq!(bench.barred(120), None);
        bench.calls(120, &[Failed; 3]);
        assert_eq!(bench.barred(120), None, "it counts from the beginning");
    }

    #[test]
    fn one_failed_probe_opens_it_again_and_for_no_shorter_time() {
        let mut bench = Bench::new();
        bench.calls(1_000, &[Failed; 4]);
        let (first, second) = (bench.admit(1_100), bench.admit(1_100));
        bench.end(first, 900, Failed);
        assert_eq!(bench.barred(1_100), Some(100), "a clock that is behind does not shorten it");
        bench.end(second, 1_150, Succeeded);
        assert_eq!(bench.barred(1_150), Some(50), "the other probe is of an earlier time");
    }

    #[test]
    fn a_probe_of_which_nobody_knows_makes_room_for_another() {
        let mut bench = Bench::new();
        bench.calls(0, &[Failed; 4]);
        let (first, second) = (bench.admit(100), bench.admit(100));
        bench.end(first, 150, Untold);
        assert_eq!(bench.barred(150), None);
        let third = bench.admit(150);
        bench.end(second, 150, Succeeded);
        assert_eq!(bench.barred(150), Some(100));
        bench.end(third, 150, Succeeded);
        assert_eq!(bench.barred(150), None);
    }

    #[test]
    fn probes_that_never_end_leave_room_for_one_more_at_a_time() {
        let mut bench = Bench::new();
        bench.calls(0, &[Failed; 4]);
        let hung = [bench.admit(100), bench.admit(110)];
        assert_eq!((bench.barred(209), bench.barred(210)), (Some(1), None));
        let third = bench.admit(250);
        assert_eq!(bench.barred(250), Some(100), "one more, and not two");
        bench.end(third, 260, Succeeded);
        assert_eq!((bench.barred(260), bench.barred(350)), (Some(90), None));
        let fourth = bench.admit(400);
        bench.end(fourth, 410, Succeeded);
        assert_eq!(bench.barred(410), None, "two have succeeded");
        bench.calls(410, &[Failed; 3]);
        hung.iter().for_each(|epoch| bench.end(*epoch, 410, Failed));
        assert_eq!(bench.barred(410), None, "what hung is of an earlier time");
    }

    #[test]
    fn what_began_before_it_opened_neither_closes_nor_opens_it() {
        let mut bench = Bench::new();
        let stale = [bench.admit(0), bench.admit(0), bench.admit(0)];
        bench.calls(0, &[Failed; 4]);
        let probe = bench.admit(100);
        stale.iter().take(2).for_each(|epoch| bench.end(*epoch, 100, Succeeded));
        assert_eq!(bench.barred(100), None, "one probe of two is out");
        let other = bench.admit(100);
        assert_eq!(bench.barred(100), Some(100), "and now both are");
        bench.end(stale[2], 100, Failed);
        [probe, other].iter().for_each(|epoch| bench.end(*epoch, 100, Succeeded));
        assert_eq!(bench.barred(100), None);
    }
}
