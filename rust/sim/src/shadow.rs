//! The ledger written a second time, as plainly as can be, to judge the rows of the first by: who was granted
//! and has reported what, and what is therefore still open.

use std::collections::BTreeMap;

use policy_core::store::{AccountKey, Answer, Claim, Item, Kind, Request, RowKey, Shown, describe_row};

use crate::scenario::SECOND;
use crate::window::{Window, has_begun, number};

/// As many windows are kept.
const KEPT: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) pinned: Option<u64>,
    /// All that ever were. The rows keep those from `first` on.
    windows: BTreeMap<i64, Window>,
    first: i64,
    heard: BTreeMap<u128, u64>,
}

impl Default for Account {
    fn default() -> Self {
        Self { pinned: None, windows: BTreeMap::new(), first: i64::MIN, heard: BTreeMap::new() }
    }
}

/// What an operator wrote off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenOff {
    pub(crate) node: u128,
    pub(crate) window: i64,
    pub(crate) amount: u64,
    /// What the node had reported there before.
    pub(crate) reported: u64,
}

/// What was, of some accounts.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    accounts: BTreeMap<AccountKey, Option<Account>>,
    seen: u64,
    awake: u64,
}

/// The ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadow {
    pub(crate) accounts: BTreeMap<AccountKey, Account>,
    seen: u64,
    awake: u64,
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

    /// The windows that the rows keep.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&i64, &Window)> {
        self.windows.range(self.first..)
    }

    fn kept_at(&self, kind: Kind) -> Option<&Window> {
        self.windows.get(&number(kind)).filter(|_| number(kind) >= self.first)
    }

    /// Whether a window is not kept and will not be made: eight are, all later; or eight that have not begun.
    fn is_full_for(&self, kind: Kind, now: u64) -> bool {
        let place = number(kind);
        if self.kept_at(kind).is_some() {
            return false;
        }
        let begun = has_begun(kind, now);
        let alike = self.kept().filter(|(_, window)| has_begun(window.kind, now) == begun).count();
        alike >= KEPT && (!begun || self.kept().all(|(id, _)| *id > place))
    }

    /// Of the windows that have begun the eight latest are kept. Nothing of an earlier one is open any more.
    fn forget(&mut self, now: u64) {
        let begun = self.kept().filter(|(_, window)| has_begun(window.kind, now));
        let begun: Vec<_> = begun.map(|(id, _)| *id).collect();
        if begun.len() > KEPT {
            self.first = begun[begun.len() - KEPT];
            for window in self.windows.range_mut(..self.first).map(|(_, window)| window) {
                window.out.clear();
                window.shares.clear();
            }
        }
    }

    /// What is said of a window that is not kept: its debt is of the oldest that is. Nothing is granted.
    fn late(&mut self, item: &Item, max: u64, now: u64, answer: &Answer) -> Result<Granted, String> {
        let place = number(item.kind);
        let oldest = self.windows.range_mut(self.first..).next().filter(|(id, _)| **id > place);
        if let Some((_, oldest)) = oldest {
            oldest.late += item.debt;
            self.forget(now);
        }
        if *answer != (Answer { max, ..Answer::default() }) {
            return Err(format!("{}: {answer:?} of a window that is not kept", item.account));
        }
        Ok(Granted { window: place, amount: 0, most: 0 })
    }

    /// Debt of all earlier windows.
    fn carried(&self, number: i64) -> u64 {
        let late = self.windows[&number].late;
        let earlier = self.windows.range(..number).next_back();
        late + earlier.map_or(0, |(earlier, _)| self.debt(*earlier, number))
    }

    /// What a window leaves to a later one.
    fn debt(&self, number: i64, later: i64) -> u64 {
        let window = &self.windows[&number];
        let spent = i128::from(window.spent(0)) + i128::from(self.carried(number));
        let spent = (spent + i128::from(window.adjusted)).max(0);
        let paid = u128::from(window.extra) + u128::from(window.base) * (later - number) as u128;
        (spent - paid as i128).max(0) as u64
    }

    /// An operator changes what is spent of the latest window.
    fn adjust(&mut self, now: u64, delta: i64) {
        let Some(latest) = self.latest(now) else { return };
        let spent = self.stands(latest, now).0;
        if let Some(window) = self.windows.get_mut(&latest) {
            match (window.kind, u64::try_from(delta)) {
                (Kind::Rolling { .. }, Ok(more)) => window.report(now, std::iter::once((now, more))),
                (Kind::Rolling { .. }, Err(_)) => window.take_out(now, delta.unsigned_abs()),
                // Nothing that was not spent is given back.
                _ => window.adjusted += delta.max(-spent.cast_signed()),
            }
        }
        self.forget(now);
    }

    /// Spent in all, and that with what may still be.
    pub(crate) fn stands(&self, number: i64, now: u64) -> (u64, u64) {
        let window = &self.windows[&number];
        let carried = if matches!(window.kind, Kind::Calendar { .. }) { self.carried(number) } else { 0 };
        let spent = i128::from(window.spent(now) + carried) + i128::from(window.adjusted);
        (spent.max(0) as u64, (spent + i128::from(window.open())).max(0) as u64)
    }

    /// What others have leased who were not heard of for half a minute.
    fn silent(&self, node: u128, number: i64, now: u64) -> u64 {
        let heard = |one: &u128| self.heard.get(one).copied().unwrap_or(0) + 30 * SECOND;
        let others = self.windows[&number].out.iter().filter(|(one, _)| **one != node && heard(one) < now);
        others.map(|(_, amount)| amount).sum()
    }

    /// The latest window that has begun, to five minutes.
    pub(crate) fn latest(&self, now: u64) -> Option<i64> {
        self.windows.iter().rev().find(|(_, window)| has_begun(window.kind, now)).map(|(id, _)| *id)
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
        let pinned = account.pinned.unwrap_or(u64::MAX);
        let (place, max) = (number(item.kind), item.max.min(pinned));
        if account.is_full_for(item.kind, now) {
            return account.late(item, max, now, answer);
        }
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
        window.lease(node, share.0 - share.1);
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
        // What is pinned is the most, whatever people raise.
        let most = (window.base + window.extra).min(pinned);
        account.forget(now);
        let (spent, used) = account.stands(place, now);
        if answer.granted > 0 && used > most {
            let granted = answer.granted;
            return Err(format!("{}: {granted} granted up to {used} of {most}", item.account));
        }
        if (answer.spent, answer.spent + answer.leased) != (spent, used) {
            let (own, leased) = (answer.spent, answer.leased);
            return Err(format!("{}: told {own} spent, {leased} leased; not {spent}, {used}", item.account));
        }
        let silent = account.silent(node, place, now);
        if answer.silent != silent {
            return Err(format!("{}: {} silent, not {silent}", item.account, answer.silent));
        }
        if answer.max != most {
            return Err(format!("{}: told a bound of {}, not {most}", item.account, answer.max));
        }
        Ok(Granted { window: place, amount: answer.granted, most })
    }

    fn claim(&mut self, node: u128, now: u64, claim: &Claim) {
        let known = self.accounts.get(&claim.account).and_then(|account| account.kept_at(claim.kind));
        let has = known.and_then(|window| window.shares.get(&node)).is_some_and(|(granted, _)| *granted > 0);
        if claim.granted == 0 && !has {
            // It only asks whether the account can be read.
            return;
        }
        let account = self.accounts.entry(claim.account.clone()).or_default();
        account.hear(node, self.awake, now);
        if account.is_full_for(claim.kind, now) {
            return;
        }
        let base = account.windows.last_key_value().map_or(u64::MAX >> 11, |(_, window)| window.base);
        let window = account.window(claim.kind, base);
        let before = window.shares.insert(node, (claim.granted, claim.reported)).unwrap_or_default();
        window.lease(node, claim.granted - claim.reported);
        window.report(now, std::iter::once((now, claim.reported.saturating_sub(before.1))));
        account.forget(now);
    }

    /// The store's clock, whenever something is written down. Nobody is silent while the store hears nobody,
    /// nor can anybody say then what it holds.
    pub(crate) const fn tick(&mut self, now: u64, quiet_until: &mut u64) {
        let passed = now.saturating_sub(self.seen);
        if passed > 10 * SECOND {
            self.awake = now;
            if *quiet_until > self.seen {
                *quiet_until = now + QUARANTINE;
            }
        }
        if passed >= SECOND / 10 {
            self.seen = now;
        }
    }

    /// A request that was done, but for what was refused of it. The answer is what was granted.
    pub(crate) fn done(
        &mut self,
        request: &Request,
        now: u64,
        answers: &[Answer],
    ) -> Result<Vec<(String, Granted)>, String> {
        for (claim, answer) in request.claims.iter().zip(answers) {
            if answer.refused.is_none() {
                self.claim(request.node, now, claim);
            }
        }
        let pairs = request.items.iter().zip(answers).filter(|(_, answer)| answer.refused.is_none());
        let granted = pairs.map(|(item, answer)| {
            let granted = self.item(request.node, now, item, answer)?;
            Ok((item.account.as_str().to_owned(), granted))
        });
        granted.collect()
    }

    pub(crate) fn adjust(&mut self, key: &AccountKey, now: u64, delta: i64) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.adjust(now, delta);
        }
    }

    /// Whether a correction would change nothing: all that counts of a window that has ended is its debt.
    pub(crate) fn is_vain(&self, key: &AccountKey, now: u64, delta: i64) -> bool {
        let Some(mut account) = self.accounts.get(key).cloned() else { return false };
        let Some(latest) = account.latest(now) else { return false };
        let has_ended = matches!(account.windows[&latest].kind, Kind::Calendar { end, .. } if end <= now);
        let before = account.debt(latest, latest + 1);
        account.adjust(now, delta);
        has_ended && account.debt(latest, latest + 1) == before
    }

    /// What nodes have leased that were not heard of for a minute does not count, until they are.
    pub(crate) fn write_off(&mut self, key: &AccountKey, node: Option<u128>, now: u64) -> Vec<WrittenOff> {
        let mut written = Vec::new();
        let Some(account) = self.accounts.get_mut(key) else { return written };
        let heard = &account.heard;
        let is_gone = |one: &u128| heard.get(one).is_none_or(|heard| heard + 60 * SECOND < now);
        for (id, window) in &mut account.windows {
            let gone = window.out.keys().filter(|one| node.is_none_or(|node| node == **one) && is_gone(one));
            for node in gone.copied().collect::<Vec<_>>() {
                let amount = window.out.remove(&node).unwrap_or(0);
                let reported = window.shares.get(&node).map_or(0, |(_, reported)| *reported);
                written.push(WrittenOff { node, window: *id, amount, reported });
            }
        }
        written
    }

    /// What is to be put back if what is about these accounts is lost.
    pub(crate) fn before<'a>(&self, keys: impl Iterator<Item = &'a AccountKey>) -> Before {
        let accounts = keys.map(|key| (key.clone(), self.accounts.get(key).cloned())).collect();
        Before { accounts, seen: self.seen, awake: self.awake }
    }

    pub(crate) fn put_back(&mut self, before: Before) {
        (self.seen, self.awake) = (before.seen, before.awake);
        for (key, account) in before.accounts {
            match account {
                Some(account) => self.accounts.insert(key, account),
                None => self.accounts.remove(&key),
            };
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
            let theirs = || {
                let windows = windows.iter();
                windows.map(|it| (it.id, it.spent, it.spent + it.leased, it.asked, it.extra, it.grants_used))
            };
            let ours = || {
                account.kept().map(|(id, window)| {
                    let (spent, used) = account.stands(*id, now);
                    (*id, spent, used, window.base + window.extra, window.extra, window.raises)
                })
            };
            if !theirs().eq(ours()) || pinned != account.pinned {
                let (row, what) = (theirs().collect::<Vec<_>>(), ours().collect::<Vec<_>>());
                return Err(format!("{key}: the row says {row:?} {pinned:?}, what happened is {what:?}"));
            }
        }
        Ok(())
    }
}

/// Grants rest for so long after a loss.
pub(crate) const QUARANTINE: u64 = 20 * SECOND;
