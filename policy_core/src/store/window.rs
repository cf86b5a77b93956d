//! One window of an account: what is spent and leased in it, and what may be.

use super::code::{Reader, Writer};
use super::flaw::{Bug, Flaw};
use super::message::Kind;

/// As far as the clocks of a node and the store may be apart.
pub(crate) const APART: u64 = 300_000_000_000;
/// The parts of a rolling window.
const BUCKETS: u64 = 60;

/// One window of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kind: Kind,
    /// The bound, as it was asked for last, or pinned.
    pub(super) max: u64,
    /// Reported. Not of a rolling window: that is in the buckets.
    spent: u64,
    /// Leased and not reported.
    pub(super) leased: u64,
    /// What operators corrected.
    pub(super) adjusted: i64,
    /// Debt of earlier windows.
    pub(super) carried: u64,
    /// By how much people raised the bound, and how often.
    pub(super) extra: u64,
    pub(super) grants_used: u64,
    /// Reported in a rolling window: number of the bucket, amount; ascending.
    buckets: Vec<(u64, u64)>,
}

/// The number of a window; 0 without a calendar.
pub(crate) const fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Calendar { id, .. } => id,
        Kind::Forever | Kind::Rolling { .. } => 0,
    }
}

/// Whether a window begins later than any clock that is about right can say.
pub(super) const fn is_future(kind: Kind, now: u64) -> bool {
    matches!(kind, Kind::Calendar { start, .. } if start > now.saturating_add(APART))
}

fn bucket(ns: u64, time: u64) -> u64 {
    time.checked_div(ns.div_ceil(BUCKETS)).unwrap_or(0)
}

fn live(now: u64, number: u64) -> bool {
    now.saturating_sub(number) <= BUCKETS
}

fn sum(parts: &[i128]) -> u64 {
    let total = parts.iter().fold(0_i128, |total, part| total.saturating_add(*part));
    u64::try_from(total.max(0)).unwrap_or(u64::MAX)
}

impl Window {
    pub(super) const fn new(kind: Kind, max: u64) -> Self {
        let buckets = Vec::new();
        let (spent, leased, adjusted, carried, extra, grants_used) = (0, 0, 0, 0, 0, 0);
        Self { kind, max, spent, leased, adjusted, carried, extra, grants_used, buckets }
    }

    /// Reported, and still in the window.
    fn reported(&self, now: u64) -> u64 {
        match self.kind {
            Kind::Rolling { ns } => {
                let now = bucket(ns, now);
                let live = self.buckets.iter().filter(|(number, _)| live(now, *number));
                live.fold(0, |total, (_, amount)| total.saturating_add(*amount))
            }
            Kind::Forever | Kind::Calendar { .. } => self.spent,
        }
    }

    /// Spent by everybody, with what was carried and corrected.
    pub(super) fn spent(&self, now: u64) -> u64 {
        sum(&[self.reported(now).into(), self.carried.into(), self.adjusted.into()])
    }

    /// Spent, and what may still be spent by those who hold a lease.
    pub(super) fn used(&self, now: u64) -> u64 {
        let leased = self.leased.into();
        sum(&[self.reported(now).into(), self.carried.into(), self.adjusted.into(), leased])
    }

    /// The bound with what people added.
    pub(super) const fn most(&self) -> u64 {
        self.max.saturating_add(self.extra)
    }

    /// Settled some time ago. In a rolling window an amount that came later than it could count is of the
    /// past.
    pub(super) fn settle(&mut self, now: u64, age: u64, amount: u64) {
        let Kind::Rolling { ns } = self.kind else {
            self.spent = self.spent.saturating_add(amount);
            return;
        };
        let (current, number) = (bucket(ns, now), bucket(ns, now.saturating_sub(age)));
        self.buckets.retain(|(number, _)| live(current, *number));
        if !live(current, number) || amount == 0 {
            return;
        }
        let place = self.buckets.partition_point(|(other, _)| *other < number);
        match self.buckets.get_mut(place) {
            Some((other, total)) if *other == number => *total = total.saturating_add(amount),
            _ => self.buckets.insert(place, (number, amount)),
        }
    }

    /// Was reported, and is not spent after all. In a rolling window it stays until it leaves by itself: when
    /// it was reported is not known any more, and taking it from what others reported would let too much
    /// pass.
    pub(super) const fn refund(&mut self, amount: u64) {
        self.spent = self.spent.saturating_sub(amount);
    }

    /// An operator corrects what is spent, downwards by at most what is there: more would be new room.
    /// In a rolling window more counts from now on, less comes out of the oldest: both leave in time.
    pub(super) fn adjust(&mut self, now: u64, delta: i64, bug: Bug) {
        let Kind::Rolling { ns } = self.kind else {
            let most = i64::try_from(self.spent(now)).unwrap_or(i64::MAX);
            self.adjusted = self.adjusted.saturating_add(delta.max(most.saturating_neg()));
            return;
        };
        if let Ok(more) = u64::try_from(delta) {
            return self.settle(now, 0, more);
        }
        let (now, mut left) = (bucket(ns, now), delta.unsigned_abs());
        if bug.is(Flaw::NewestFirst) {
            self.buckets.reverse();
        }
        for (_, amount) in self.buckets.iter_mut().filter(|(number, _)| live(now, *number)) {
            let part = left.min(*amount);
            (*amount, left) = (amount.saturating_sub(part), left.saturating_sub(part));
        }
        self.buckets.retain(|(number, amount)| *amount > 0 && live(now, *number));
        if bug.is(Flaw::NewestFirst) {
            self.buckets.reverse();
        }
    }

    /// Whether nothing that happens now counts in it any more.
    pub(super) const fn has_ended(&self, now: u64) -> bool {
        matches!(self.kind, Kind::Calendar { end, .. } if end <= now)
    }

    /// Whether a window that was never used would be the same for all that happens now.
    pub(super) fn is_over(&self, before: u64, now: u64) -> bool {
        match self.kind {
            Kind::Forever => false,
            Kind::Calendar { end, .. } => end < before && self.debt() == 0,
            Kind::Rolling { .. } => self.spent(now) == 0 && (self.adjusted, self.extra) == (0, 0),
        }
    }

    /// The debt that it leaves to the next one.
    pub(super) fn debt(&self) -> u64 {
        self.debt_for(number(self.kind).saturating_add(1))
    }

    /// The debt that is left for the window of a later number.
    pub(super) fn debt_for(&self, later: i64) -> u64 {
        let between = u64::try_from(later.saturating_sub(number(self.kind)).saturating_sub(1)).unwrap_or(0);
        let paid = self.most().saturating_add(self.max.saturating_mul(between));
        self.spent(0).saturating_sub(paid)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.kind(self.kind);
        for number in [self.max, self.spent, self.leased] {
            writer.number(number);
        }
        writer.signed(self.adjusted);
        for number in [self.carried, self.extra, self.grants_used] {
            writer.number(number);
        }
        writer.list(&self.buckets, |writer, (number, amount)| {
            writer.number(*number);
            writer.number(*amount);
        });
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            kind: reader.kind()?,
            max: reader.number()?,
            spent: reader.number()?,
            leased: reader.number()?,
            adjusted: reader.signed()?,
            carried: reader.number()?,
            extra: reader.number()?,
            grants_used: reader.number()?,
            buckets: reader.list(|reader| Some((reader.number()?, reader.number()?)))?,
        })
    }
}
