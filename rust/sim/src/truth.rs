//! What was really billed, and whether it is within what was allowed.

use std::collections::BTreeMap;

/// One window of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bills {
    /// When, how much.
    bills: Vec<(u64, u64)>,
    /// Of that, what nobody could have known: (when, how much).
    excess: Vec<(u64, u64)>,
    pub(crate) billed: u64,
    pub(crate) beyond: u64,
    /// What nodes settled, and what of it they took back later.
    pub(crate) settled: i128,
    pub(crate) refunded: u64,
    /// The greatest bound that anything was granted under.
    pub(crate) allowed: u64,
    /// Taken without a lease, as `on failure allow` may. Whatever comes of it, so much more may be billed.
    pub(crate) unbounded: u64,
    /// Grants that the store forgot and nobody could tell it again, or that an operator wrote off although
    /// they may have been spent.
    pub(crate) forgotten: u64,
    /// What operators wrote off.
    pub(crate) written_off: u64,
    /// What operators took out of what was spent: (when, how much).
    corrected: Vec<(u64, u64)>,
}

/// All bills: account (its name), window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) windows: BTreeMap<(String, i64), Bills>,
}

impl Truth {
    pub(crate) fn window(&mut self, account: &str, window: i64) -> &mut Bills {
        self.windows.entry((account.to_owned(), window)).or_default()
    }
}

impl Bills {
    pub(crate) fn bill(&mut self, now: u64, amount: u64) {
        self.bills.push((now, amount));
        self.billed += amount;
    }

    pub(crate) fn correct(&mut self, now: u64, amount: u64) {
        self.corrected.push((now, amount));
    }

    pub(crate) fn refund(&mut self, amount: u64) {
        self.refunded += amount;
    }

    pub(crate) fn exceed(&mut self, now: u64, amount: u64) {
        self.excess.push((now, amount));
        self.beyond += amount;
    }

    /// By how much a window is over; `since`: the first instant that still counts, of a rolling one.
    pub(crate) fn over(&self, since: Option<u64>) -> u64 {
        let later = |parts: &[(u64, u64)], since: u64| -> u64 {
            parts.iter().filter(|(at, _)| *at > since).map(|(_, amount)| amount).sum()
        };
        let within = |parts: &[(u64, u64)], all: u64| since.map_or(all, |since| later(parts, since));
        let billed = within(&self.bills, self.billed);
        let beyond = within(&self.excess, self.beyond) + later(&self.corrected, since.unwrap_or(0));
        let most = self.allowed + self.forgotten + self.unbounded + beyond;
        billed.saturating_sub(most)
    }
}
