//! The row of an account: its latest windows, what is spent and leased in them, and what operators decided.
//!
//! What is leased counts as spent from the moment it is granted, and goes on counting until its holder
//! reports or returns it; no time takes it back. Only in a rolling window, where everything leaves in time,
//! what a silent node has leased counts as spent when it fell silent. If it is heard of again, it counts
//! again.

use super::code::{Reader, Writer};
use super::message::Kind;
use super::records::Record;
use super::window::{Window, is_future, number};

/// As many windows as are kept.
const WINDOWS: usize = 8;
/// A node counts as one of an account's for so long after it was heard of.
const HEARD_FOR: u64 = 10_000_000_000;
/// In a rolling window nobody uses a lease so long after the store's last word; what is out is spent by then.
const SILENT: u64 = 20_000_000_000;
/// As many nodes as are told apart, of those that have something; more, if they were all heard of lately.
const HOLDERS: usize = 256;
const HOLDERS_MOST: usize = 4096;
/// Who was silent for so long may be merged with others; back again it counts twice: strict, not lax.
const GONE: u64 = 600_000_000_000;
/// A node that has something says so every 20 seconds. Who was silent for so long may be gone.
const MAYBE_GONE: u64 = 30_000_000_000;

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
    /// Whether a window of this kind can be one of its windows.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        let same = |other: &Kind| match (kind, other) {
            (Kind::Rolling { ns }, Kind::Rolling { ns: other }) => ns == *other,
            _ => std::mem::discriminant(&kind) == std::mem::discriminant(other),
        };
        self.windows.iter().all(|window| same(&window.kind))
    }

    /// Whether it has a window or may make it: none that is older than all that is remembered, and none too
    /// many of the future.
    pub(super) fn reaches(&self, kind: Kind, now: u64) -> bool {
        let (past, future) = self.counts(now);
        let is_known = self.windows.iter().any(|window| number(window.kind) == number(kind));
        let is_first = self.windows.first().is_none_or(|window| number(window.kind) > number(kind));
        let is_full = if is_future(kind, now) { future >= WINDOWS } else { is_first && past >= WINDOWS };
        is_known || !is_full
    }

    /// The window of a kind that it takes, made if need be. `None`: it does not reach it.
    pub(super) fn window(&mut self, kind: Kind, max: u64, now: u64) -> Option<&mut Window> {
        if !self.reaches(kind, now) {
            return None;
        }
        let place = self.windows.partition_point(|window| number(window.kind) < number(kind));
        if self.windows.get(place).is_none_or(|window| number(window.kind) != number(kind)) {
            self.windows.insert(place, Window::new(kind, max));
        }
        self.windows.get_mut(place)
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

    /// So much of a node's lease in a window counts as leased from now on, if the window is remembered.
    pub(super) fn set_out(&mut self, node: u128, window: i64, amount: u64) {
        let before = self.out(node, window);
        let Some(known) = self.known(window) else { return };
        known.leased = known.leased.saturating_sub(before).saturating_add(amount);
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

    /// Whether nothing in it counts any more, and nobody was heard of since an instant.
    pub(super) fn is_over(&self, before: u64, now: u64) -> bool {
        let is_gone = |holder: &Holder| holder.heard < before && holder.out.is_empty();
        let is_over = |window: &Window| window.leased == 0 && window.is_over(before, now);
        self.pinned.is_none() && self.holders.iter().all(is_gone) && self.windows.iter().all(is_over)
    }

    /// What others than a node have leased of a window who may be gone.
    pub(super) fn silent(&self, node: u128, window: i64, now: u64) -> u64 {
        let is_silent =
            |holder: &&Holder| holder.node != node && now.saturating_sub(holder.heard) > MAYBE_GONE;
        let silent = self.holders.iter().filter(is_silent);
        silent.fold(0, |sum, holder| sum.saturating_add(holder.out(window)))
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
        writer.list(&self.holders, |writer, holder| {
            writer.number(holder.node.wrapping_shr(64) as u64);
            writer.number(holder.node as u64);
            writer.number(holder.heard);
            writer.list(&holder.out, |writer, (window, amount)| {
                writer.signed(*window);
                writer.number(*amount);
            });
        });
        writer.list(&self.windows, |writer, window| window.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let pinned = reader.optional()?;
        let holders = reader.list(|reader| {
            let node = u128::from(reader.number()?).wrapping_shl(64) | u128::from(reader.number()?);
            let heard = reader.number()?;
            let out = reader.list(|reader| Some((reader.signed()?, reader.number()?)))?;
            Some(Holder { node, heard, out })
        })?;
        let windows = reader.list(Window::read)?;
        Some(Self { pinned, holders, windows })
    }
}
