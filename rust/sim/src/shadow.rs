//! The ledger written a second time, as plainly as can be, to judge the rows of the first by: who was granted
//! and has reported what, and what is therefore still open.

use std::collections::BTreeMap;

use policy_core::store::{AccountKey, Answer, Claim, Item, Kind, Request, RowKey, Shown, describe_row};

use crate::scenario::SECOND;

/// One window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    kind: Kind,
    /// Node: granted in all, reported in all.
    pub(crate) shares: BTreeMap<u128, (u64, u64)>,
    /// Node: what of that counts as leased.
    out: BTreeMap<u128, u64>,
    /// When it counts from, how much.
    reports: Vec<(u64, u64)>,
    refunded: u64,
    adjusted: i64,
    base: u64,
    pub(crate) extra: u64,
    raises: u64,
}

impl Window {
    fn new(kind: Kind, base: u64) -> Self {
        let (shares, out, reports) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { kind, shares, out, reports, refunded: 0, adjusted: 0, base, extra: 0, raises: 0 }
    }

    pub(crate) fn open(&self) -> u64 {
        self.out.values().sum()
    }

    /// In a rolling window, what nodes that fell silent have counts as spent then.
    fn expire(&mut self, heard: &BTreeMap<u128, u64>, awake: u64, now: u64) {
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
        let all = self.reports.iter().map(|(_, amount)| amount).sum();
        (!matches!(self.kind, Kind::Rolling { .. })).then_some((all, self.refunded))
    }

    fn report(&mut self, now: u64, parts: impl Iterator<Item = (u64, u64)>) {
        for part in parts {
            self.reports.push(part);
            if let Kind::Rolling { ns } = self.kind {
                self.reports.retain(|(at, _)| is_live(ns, now, *at));
            }
        }
    }

    fn spent(&self, now: u64) -> u64 {
        let reports = self.reports.iter();
        match self.kind {
            Kind::Rolling { ns } => {
                let live = reports.filter(|(at, _)| is_live(ns, now, *at));
                live.map(|(_, amount)| amount).sum()
            }
            _ => reports.map(|(_, amount)| amount).sum::<u64>().saturating_sub(self.refunded),
        }
    }
}

fn is_live(ns: u64, now: u64, at: u64) -> bool {
    let width = ns.div_ceil(60);
    now / width <= at / width + 60
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) pinned: Option<u64>,
    pub(crate) windows: BTreeMap<i64, Window>,
    pub(crate) heard: BTreeMap<u128, u64>,
}

/// The ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadow {
    pub(crate) accounts: BTreeMap<AccountKey, Account>,
    seen: u64,
    awake: u64,
}

pub(crate) const fn number(kind: Kind) -> i64 {
    if let Kind::Calendar { id, .. } = kind { id } else { 0 }
}

/// A part of the bound that a grant was made under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) window: i64,
    pub(crate) amount: u64,
    pub(crate) most: u64,
}

impl Account {
    fn hear(&mut self, node: u128, awake: u64, now: u64) {
        self.heard.insert(node, now);
        for window in self.windows.values_mut() {
            window.expire(&self.heard, awake, now);
        }
    }

    fn carried(&self, number: i64) -> u64 {
        let Some((earlier, window)) = self.windows.range(..number).next_back() else { return 0 };
        let spent = i128::from(window.spent(0)) + i128::from(self.carried(*earlier));
        let spent = (spent + i128::from(window.adjusted)).max(0);
        let paid = u128::from(window.extra) + u128::from(window.base) * (number - earlier) as u128;
        (spent - paid as i128).max(0) as u64
    }

    /// Spent in all, and that with what may still be.
    pub(crate) fn stands(&self, number: i64, now: u64) -> (u64, u64) {
        let window = &self.windows[&number];
        let carried = if matches!(window.kind, Kind::Calendar { .. }) { self.carried(number) } else { 0 };
        let spent = i128::from(window.spent(now) + carried) + i128::from(window.adjusted);
        (spent.max(0) as u64, (spent + i128::from(window.open())).max(0) as u64)
    }

    /// The latest window that has begun, to five minutes.
    pub(crate) fn latest(&self, now: u64) -> Option<i64> {
        let begun = |kind| !matches!(kind, Kind::Calendar { start, .. } if start > now + 300 * SECOND);
        self.windows.iter().rev().find(|(_, window)| begun(window.kind)).map(|(id, _)| *id)
    }

    fn window(&mut self, kind: Kind, max: u64) -> &mut Window {
        self.windows.entry(number(kind)).or_insert_with(|| Window::new(kind, max))
    }
}

impl Shadow {
    pub(crate) fn new(now: u64) -> Self {
        Self { seen: now, awake: now, ..Self::default() }
    }

    /// What an item does, and what it was given for it.
    fn item(&mut self, node: u128, now: u64, item: &Item, answer: &Answer) -> Result<Granted, String> {
        let account = self.accounts.entry(item.account.clone()).or_default();
        account.hear(node, self.awake, now);
        let max = account.pinned.map_or(item.max, |pinned| pinned.min(item.max));
        let place = number(item.kind);
        let latest = account.latest(now).is_none_or(|latest| latest <= place);
        let window = account.window(item.kind, max);
        if latest {
            window.base = max;
        }
        let (granted, reported) = window.shares.entry(node).or_default();
        let told: u64 = item.reported.iter().map(|(_, amount)| amount).sum();
        if told - item.debt + item.give_back > *granted - *reported {
            return Err(format!("{}: {told} reported of {granted} - {reported}", item.account));
        }
        *granted = *granted + item.debt - item.give_back;
        *reported += told;
        let back = item.refund.min(*reported);
        *granted = *granted - back + answer.granted;
        *reported -= back;
        let share = (*granted, *reported);
        window.out.insert(node, share.0 - share.1);
        window.refunded += back;
        let parts = item.reported.iter();
        window.report(now, parts.map(|(age, amount)| (now.saturating_sub(*age), *amount)));
        if let Some((amount, times)) = item.grant
            && window.raises < times
        {
            window.extra += amount;
            window.raises += 1;
        }
        if item.closing && share.0 == share.1 {
            window.shares.remove(&node);
        }
        let most = window.base + window.extra;
        let (spent, used) = account.stands(place, now);
        if answer.granted > 0 && used > most {
            let granted = answer.granted;
            return Err(format!("{}: {granted} granted up to {used} of {most}", item.account));
        }
        if (answer.spent, answer.spent + answer.leased) != (spent, used) {
            let (own, leased) = (answer.spent, answer.leased);
            return Err(format!("{}: told {own} spent, {leased} leased; not {spent}, {used}", item.account));
        }
        Ok(Granted { window: place, amount: answer.granted, most })
    }

    fn claim(&mut self, node: u128, now: u64, claim: &Claim) {
        let account = self.accounts.entry(claim.account.clone()).or_default();
        account.hear(node, self.awake, now);
        let base = account.windows.last_key_value().map_or(u64::MAX >> 11, |(_, window)| window.base);
        let window = account.window(claim.kind, base);
        let before = window.shares.insert(node, (claim.granted, claim.reported)).unwrap_or_default();
        window.out.insert(node, claim.granted - claim.reported);
        window.report(now, std::iter::once((now, claim.reported.saturating_sub(before.1))));
    }

    /// The store's clock, whenever something is written down. Nobody is silent while the store hears nobody.
    pub(crate) const fn tick(&mut self, now: u64) {
        let passed = now.saturating_sub(self.seen);
        if passed > 10 * SECOND {
            self.awake = now;
        }
        if passed >= SECOND / 10 {
            self.seen = now;
        }
    }

    /// A request that was done.
    pub(crate) fn done(
        &mut self,
        request: &Request,
        now: u64,
        answers: &[Answer],
    ) -> Result<Vec<Granted>, String> {
        for claim in &request.claims {
            self.claim(request.node, now, claim);
        }
        let pairs = request.items.iter().zip(answers);
        pairs.map(|(item, answer)| self.item(request.node, now, item, answer)).collect()
    }

    pub(crate) fn adjust(&mut self, key: &AccountKey, now: u64, delta: i64) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        let Some(latest) = account.latest(now) else { return };
        let spent = account.stands(latest, now).0;
        if let Some(window) = account.windows.get_mut(&latest) {
            match (window.kind, u64::try_from(delta)) {
                (Kind::Rolling { .. }, Ok(more)) => window.report(now, std::iter::once((now, more))),
                // Nothing that was not spent is given back.
                _ => window.adjusted += delta.max(-spent.cast_signed()),
            }
        }
    }

    /// Whether the rows of a request's accounts say the same.
    pub(crate) fn compare<'a>(
        &self,
        keys: impl Iterator<Item = &'a AccountKey>,
        rows: &BTreeMap<RowKey, Vec<u8>>,
        now: u64,
    ) -> Result<(), String> {
        for key in keys {
            let row = RowKey::account(key);
            let shown = rows.get(&row).map(|bytes| describe_row(&row, bytes, now));
            let (windows, pinned) = match shown {
                None => (Vec::new(), None),
                Some(Some(Shown::Account { windows, pinned, .. })) => (windows, pinned),
                Some(_) => return Err(format!("{key}: its row cannot be read")),
            };
            let blank = Account::default();
            let account = self.accounts.get(key).unwrap_or(&blank);
            let theirs: Vec<_> = windows
                .iter()
                .map(|shown| (shown.id, shown.spent, shown.spent + shown.leased, shown.extra))
                .collect();
            let ours: Vec<_> = account
                .windows
                .iter()
                .map(|(id, window)| {
                    let (spent, used) = account.stands(*id, now);
                    (*id, spent, used, window.extra)
                })
                .collect();
            if theirs != ours || pinned != account.pinned {
                return Err(format!("{key}: the row says {theirs:?} {pinned:?}, what happened is {ours:?}"));
            }
        }
        Ok(())
    }
}

/// Grants rest for so long after a loss.
pub(crate) const QUARANTINE: u64 = 20 * SECOND;
