//! One window of the ledger that is written a second time.

use std::collections::BTreeMap;

use policy_core::store::Kind;

use crate::scenario::SECOND;

pub(crate) const fn number(kind: Kind) -> i64 {
    if let Kind::Calendar { id, .. } = kind { id } else { 0 }
}

/// Whether a window has begun, to five minutes.
pub(crate) const fn has_begun(kind: Kind, now: u64) -> bool {
    !matches!(kind, Kind::Calendar { start, .. } if start > now + 300 * SECOND)
}

/// One window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) kind: Kind,
    /// Node: granted in all, reported in all.
    pub(crate) shares: BTreeMap<u128, (u64, u64)>,
    /// Node: what of that counts as leased; who has nothing is not in it.
    pub(crate) out: BTreeMap<u128, u64>,
    /// Reported in a rolling window: when it counts from, how much.
    reports: Vec<(u64, u64)>,
    /// Reported in any other, in all.
    reported: u64,
    pub(crate) refunded: u64,
    pub(crate) adjusted: i64,
    pub(crate) base: u64,
    pub(crate) extra: u64,
    pub(crate) raises: u64,
    /// Debt of earlier windows that was reported when they were not kept any more.
    pub(crate) late: u64,
}

impl Window {
    pub(crate) fn new(kind: Kind, base: u64) -> Self {
        let (shares, out, reports) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (reported, refunded, adjusted, extra, raises, late) = (0, 0, 0, 0, 0, 0);
        Self { kind, shares, out, reports, reported, refunded, adjusted, base, extra, raises, late }
    }

    pub(crate) fn open(&self) -> u64 {
        self.out.values().sum()
    }

    /// So much of what a node has counts as leased from now on.
    pub(crate) fn lease(&mut self, node: u128, amount: u64) {
        self.out.insert(node, amount);
        self.out.retain(|_, amount| *amount > 0);
    }

    /// In a rolling window, what nodes that fell silent have counts as spent then.
    pub(crate) fn expire(&mut self, heard: &BTreeMap<u128, u64>, awake: u64, now: u64) {
        if !matches!(self.kind, Kind::Rolling { .. }) {
            return;
        }
        for (node, amount) in self.out.clone() {
            let silent = heard.get(&node).copied().unwrap_or(0).max(awake) + 20 * SECOND;
            if silent < now {
                self.out.remove(&node);
                self.report(now, std::iter::once((silent, amount)));
            }
        }
    }

    /// Reported in all and refunded, if it is not a rolling window.
    pub(crate) fn reported(&self) -> Option<(u64, u64)> {
        (!matches!(self.kind, Kind::Rolling { .. })).then_some((self.reported, self.refunded))
    }

    pub(crate) fn report(&mut self, now: u64, parts: impl Iterator<Item = (u64, u64)>) {
        if let Kind::Rolling { ns } = self.kind {
            let before = self.reports.len();
            self.reports.extend(parts);
            // What has left is gone when something comes, although a clock may still go back a little.
            if self.reports.len() > before {
                self.reports.retain(|(at, _)| is_live(ns, now, *at));
            }
        } else {
            self.reported += parts.map(|(_, amount)| amount).sum::<u64>();
        }
    }

    /// An operator takes so much out of a rolling window: what leaves it first goes first.
    pub(crate) fn take_out(&mut self, now: u64, mut amount: u64) {
        self.report(now, std::iter::once((now, 0)));
        self.reports.sort_unstable();
        for (_, part) in &mut self.reports {
            let taken = amount.min(*part);
            *part -= taken;
            amount -= taken;
        }
    }

    pub(crate) fn spent(&self, now: u64) -> u64 {
        match self.kind {
            Kind::Rolling { ns } => {
                let live = self.reports.iter().filter(|(at, _)| is_live(ns, now, *at));
                live.map(|(_, amount)| amount).sum()
            }
            _ => self.reported.saturating_sub(self.refunded),
        }
    }
}

fn is_live(ns: u64, now: u64, at: u64) -> bool {
    let width = ns.div_ceil(60);
    now / width <= at / width + 60
}
