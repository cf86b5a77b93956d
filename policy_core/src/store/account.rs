//! The row of an account: its latest windows, what is spent and leased in them, and what operators decided.
//!
//! What is leased counts as spent from the moment it is granted, and goes on counting until its holder
//! reports or returns it; no time takes it back. Only in a rolling window, where everything leaves in time,
//! what a silent node has leased counts as spent when it fell silent. If it is heard of again, it counts
//! again.

use super::code::{Reader, Writer};
use super::message::Kind;
use super::records::Record;

/// As far as the clocks of a node and the store may be apart.
pub(crate) const APART: u64 = 300_000_000_000;
/// As many windows as are kept.
const WINDOWS: usize = 8;
/// The parts of a rolling window.
const BUCKETS: u64 = 60;
/// A node counts as one of an account's for so long after it was heard of.
const HEARD_FOR: u64 = 10_000_000_000;
/// In a rolling window nobody uses a lease so long after the store's last word; what is out is spent by then.
const SILENT: u64 = 20_000_000_000;
/// As many nodes as are told apart, of those that have something; more, if they were all heard of lately.
const HOLDERS: usize = 256;
const HOLDERS_MOST: usize = 4096;
/// Who was silent for so long may be merged with others; back again it counts twice: strict, not lax.
const GONE: u64 = 600_000_000_000;

const OTHER_KIND: &str = "the account has windows of another kind";

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
pub(super) const fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Calendar { id, .. } => id,
        Kind::Forever | Kind::Rolling { .. } => 0,
    }
}

/// Whether a window begins later than any clock that is about right can say.
const fn is_future(kind: Kind, now: u64) -> bool {
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
    const fn new(kind: Kind, max: u64) -> Self {
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
    pub(super) fn adjust(&mut self, now: u64, delta: i64) {
        let Kind::Rolling { ns } = self.kind else {
            let most = i64::try_from(self.spent(now)).unwrap_or(i64::MAX);
            self.adjusted = self.adjusted.saturating_add(delta.max(most.saturating_neg()));
            return;
        };
        if let Ok(more) = u64::try_from(delta) {
            return self.settle(now, 0, more);
        }
        let (now, mut left) = (bucket(ns, now), delta.unsigned_abs());
        for (_, amount) in self.buckets.iter_mut().filter(|(number, _)| live(now, *number)) {
            let part = left.min(*amount);
            (*amount, left) = (amount.saturating_sub(part), left.saturating_sub(part));
        }
        self.buckets.retain(|(number, amount)| *amount > 0 && live(now, *number));
    }

    /// The debt that is left for the window of a later number.
    fn debt_for(&self, later: i64) -> u64 {
        let between = u64::try_from(later.saturating_sub(number(self.kind)).saturating_sub(1)).unwrap_or(0);
        let paid = self.most().saturating_add(self.max.saturating_mul(between));
        self.spent(0).saturating_sub(paid)
    }
}

/// A node that has leased something, or was heard of lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holder {
    /// 0: several that are not told apart any more.
    node: u128,
    heard: u64,
    /// Window, leased and not reported.
    out: Vec<(i64, u64)>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// The most that an operator allows.
    pub(super) pinned: Option<u64>,
    /// Ascending by when they were heard of.
    holders: Vec<Holder>,
    /// Ascending by number.
    pub(super) windows: Vec<Window>,
}

impl Account {
    /// The window of a kind, made if need be. `None`: it is older than all that is remembered, or one too
    /// many of the future.
    pub(super) fn window(
        &mut self,
        kind: Kind,
        max: u64,
        now: u64,
    ) -> Result<Option<&mut Window>, &'static str> {
        let same = |other: &Kind| match (kind, other) {
            (Kind::Rolling { ns }, Kind::Rolling { ns: other }) => ns == *other,
            _ => std::mem::discriminant(&kind) == std::mem::discriminant(other),
        };
        if !self.windows.iter().all(|window| same(&window.kind)) {
            return Err(OTHER_KIND);
        }
        let place = self.windows.partition_point(|window| number(window.kind) < number(kind));
        let known = self.windows.get(place).is_some_and(|window| number(window.kind) == number(kind));
        if !known {
            let (past, future) = self.counts(now);
            let is_full =
                if is_future(kind, now) { future >= WINDOWS } else { place == 0 && past >= WINDOWS };
            if is_full {
                return Ok(None);
            }
            self.windows.insert(place, Window::new(kind, max));
        }
        Ok(self.windows.get_mut(place))
    }

    /// How many windows have begun, and how many have not.
    fn counts(&self, now: u64) -> (usize, usize) {
        let past = self.windows.partition_point(|window| !is_future(window.kind, now));
        (past, self.windows.len().saturating_sub(past))
    }

    /// The latest window that has begun. (A process whose clock is wrong may report in one that has not.)
    pub(super) fn latest(&mut self, now: u64) -> Option<&mut Window> {
        self.windows.iter_mut().rfind(|window| !is_future(window.kind, now))
    }

    /// The window of a number, if it is remembered.
    pub(super) fn known(&mut self, window: i64) -> Option<&mut Window> {
        self.windows.iter_mut().find(|other| number(other.kind) == window)
    }

    /// Carries debt from each window to the next one, and forgets the oldest windows. The debt of a forgotten
    /// window stays in the next one.
    pub(super) fn carry(&mut self, now: u64) {
        let mut earlier: Option<&Window> = None;
        for window in &mut self.windows {
            if let Some(earlier) = earlier {
                window.carried = earlier.debt_for(number(window.kind));
            }
            earlier = Some(window);
        }
        let surplus = self.counts(now).0.saturating_sub(WINDOWS);
        self.windows.drain(..surplus);
        if surplus > 0 {
            let first = self.windows.first().map_or(0, |window| number(window.kind));
            for holder in &mut self.holders {
                holder.out.retain(|(number, _)| *number >= first);
            }
        }
    }

    /// A node is heard of; tells how many were lately.
    pub(super) fn hear(&mut self, node: u128, now: u64) -> u64 {
        let place = self.holders.iter().position(|holder| holder.node == node);
        let out = place.map(|place| self.holders.remove(place).out).unwrap_or_default();
        let lately = |holder: &Holder| now.saturating_sub(holder.heard) <= HEARD_FOR;
        self.holders.retain(|holder| lately(holder) || !holder.out.is_empty());
        let is_gone = |holder: &Holder| now.saturating_sub(holder.heard) > GONE;
        let is_crowded = self.holders.len() >= HOLDERS && self.holders.get(1).is_some_and(is_gone);
        if is_crowded || self.holders.len() >= HOLDERS_MOST {
            self.merge();
        }
        self.holders.push(Holder { node, heard: now, out });
        self.holders.iter().filter(|holder| lately(holder)).count() as u64
    }

    /// The two that were heard of longest ago are not told apart any more.
    fn merge(&mut self) {
        let first = self.holders.remove(0);
        if let Some(second) = self.holders.first_mut() {
            second.node = 0;
            for (window, amount) in first.out {
                let held = second.out(window);
                second.set(window, held.saturating_add(amount));
            }
        }
    }

    /// What of a node's lease in a window counts as leased; it may be less than the node has, if it was
    /// silent.
    pub(super) fn out(&self, node: u128, window: i64) -> u64 {
        self.holders.iter().rfind(|holder| holder.node == node).map_or(0, |holder| holder.out(window))
    }

    /// So much of a node's lease in a window counts as leased from now on.
    pub(super) fn set_out(&mut self, node: u128, window: i64, amount: u64) {
        let before = self.out(node, window);
        if let Some(known) = self.known(window) {
            known.leased = known.leased.saturating_sub(before).saturating_add(amount);
        }
        if let Some(holder) = self.holders.iter_mut().rfind(|holder| holder.node == node) {
            holder.set(window, amount);
        }
    }

    /// What silent nodes have leased of a rolling window counts as spent when they fell silent. Nobody could
    /// be heard of before the store was `awake`.
    pub(super) fn expire(&mut self, awake: u64, now: u64) {
        let Some(window) = self.windows.first_mut().filter(|w| matches!(w.kind, Kind::Rolling { .. })) else {
            return;
        };
        for holder in &mut self.holders {
            let silent = holder.heard.max(awake).saturating_add(SILENT);
            if silent < now {
                for (_, amount) in std::mem::take(&mut holder.out) {
                    window.leased = window.leased.saturating_sub(amount);
                    window.settle(now, now.saturating_sub(silent), amount);
                }
            }
        }
    }

    /// Takes back what nodes have leased that were not heard of since an instant: all of them, or one.
    pub(super) fn write_off(&mut self, node: Option<u128>, since: u64) {
        for holder in &mut self.holders {
            if holder.heard < since && node.is_none_or(|node| node == holder.node) {
                for (number_of, amount) in std::mem::take(&mut holder.out) {
                    let mut windows = self.windows.iter_mut();
                    if let Some(window) = windows.find(|window| number(window.kind) == number_of) {
                        window.leased = window.leased.saturating_sub(amount);
                    }
                }
            }
        }
    }

    /// A node leaves.
    pub(super) fn leave(&mut self, node: u128) {
        self.holders.retain(|holder| holder.node != node || !holder.out.is_empty());
    }
}

impl Holder {
    fn out(&self, window: i64) -> u64 {
        self.out.iter().find(|(number, _)| *number == window).map_or(0, |(_, amount)| *amount)
    }

    fn set(&mut self, window: i64, amount: u64) {
        self.out.retain(|(number, _)| *number != window);
        if amount > 0 {
            self.out.push((window, amount));
            self.out.sort_unstable();
        }
    }
}

impl Record for Account {
    fn write(&self, writer: &mut Writer) {
        writer.optional(self.pinned);
        let pair = |writer: &mut Writer, (first, second): &(u64, u64)| {
            writer.number(*first);
            writer.number(*second);
        };
        writer.list(&self.holders, |writer, holder| {
            writer.number(holder.node.wrapping_shr(64) as u64);
            writer.number(holder.node as u64);
            writer.number(holder.heard);
            writer.list(&holder.out, |writer, (window, amount)| {
                writer.signed(*window);
                writer.number(*amount);
            });
        });
        writer.list(&self.windows, |writer, window| {
            writer.kind(window.kind);
            for number in [window.max, window.spent, window.leased] {
                writer.number(number);
            }
            writer.signed(window.adjusted);
            for number in [window.carried, window.extra, window.grants_used] {
                writer.number(number);
            }
            writer.list(&window.buckets, pair);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let pair = |reader: &mut Reader<'_>| Some((reader.number()?, reader.number()?));
        let pinned = reader.optional()?;
        let holders = reader.list(|reader| {
            let node = u128::from(reader.number()?).wrapping_shl(64) | u128::from(reader.number()?);
            let heard = reader.number()?;
            let out = reader.list(|reader| Some((reader.signed()?, reader.number()?)))?;
            Some(Holder { node, heard, out })
        })?;
        let windows = reader.list(|reader| {
            Some(Window {
                kind: reader.kind()?,
                max: reader.number()?,
                spent: reader.number()?,
                leased: reader.number()?,
                adjusted: reader.signed()?,
                carried: reader.number()?,
                extra: reader.number()?,
                grants_used: reader.number()?,
                buckets: reader.list(pair)?,
            })
        })?;
        Some(Self { pinned, holders, windows })
    }
}
