//! What one request does to accounts and leases, in memory; nothing is written unless all of it can be.

use std::collections::BTreeMap;

use super::account::Account;
use super::flaw::{Bug, Flaw};
use super::message::{AccountKey, Answer, Claim, Item, Kind, Refusal};
use super::records::{Lease, Record, Share};
use super::rows::{RowKey, Rows};
use super::window::{Window, number};
use crate::value::MAX_QUANTITY;

/// An account and what the node has of it.
#[derive(Clone, Debug)]
struct Pair {
    account: Account,
    lease: Lease,
}

/// What a request has read and changed so far.
#[derive(Clone, Debug)]
pub(super) struct Work {
    node: u128,
    now: u64,
    /// Since when nodes could be heard of.
    awake: u64,
    granting: bool,
    bug: Bug,
    pairs: BTreeMap<AccountKey, Pair>,
}

impl Work {
    pub(super) const fn new(node: u128, now: u64, awake: u64, granting: bool, bug: Bug) -> Self {
        Self { node, now, awake, granting, bug, pairs: BTreeMap::new() }
    }

    /// The account, if an item or a claim about that window of it can be done. Whatever is refused is refused
    /// here, before anything changes.
    fn pair(&mut self, account: &AccountKey, kind: Kind, rows: &Rows) -> Result<&mut Pair, Refusal> {
        if !self.pairs.contains_key(account) {
            let damaged = |_| Refusal::Damaged;
            let stored = match Account::load(&RowKey::account(account), rows) {
                Err(_) if self.bug.is(Flaw::DamagedIsBlank) => None,
                stored => stored.map_err(damaged)?,
            };
            let lease = Lease::load(&RowKey::lease(self.node, account), rows).map_err(damaged)?;
            let lease = lease.unwrap_or_default();
            if stored.is_none() && lease.shares.iter().any(|share| share.open() > 0) {
                return Err(Refusal::Missing);
            }
            let pair = Pair { account: stored.unwrap_or_default(), lease };
            self.pairs.insert(account.clone(), pair);
        }
        let pair = self.pairs.get_mut(account).ok_or(Refusal::Damaged)?;
        if pair.account.takes(kind) { Ok(pair) } else { Err(Refusal::OtherKind) }
    }

    /// The node says what it holds. It knows better than a store that has lost something.
    pub(super) fn claim(&mut self, claim: &Claim, rows: &Rows) -> Result<Answer, Refusal> {
        let (node, now, awake) = (self.node, self.now, self.awake);
        let Pair { account, lease } = self.pair(&claim.account, claim.kind, rows)?;
        let before = lease.share(number(claim.kind));
        if (claim.granted, before.granted) == (0, 0) {
            // A node that has nothing asks whether the account can be read.
            return Ok(Answer::default());
        }
        account.hear(node, now);
        account.expire(awake, now);
        let max = account.windows.last().map_or(MAX_QUANTITY, |window| window.max);
        let Some(window) = account.window(claim.kind, max, now) else {
            return Ok(Answer::default());
        };
        window.settle(now, 0, claim.reported.saturating_sub(before.reported));
        let share = Share { window: before.window, granted: claim.granted, reported: claim.reported };
        account.set_out(node, share.window, share.open());
        lease.set(share);
        account.carry(now);
        Ok(Answer::default())
    }

    /// Does one item.
    pub(super) fn item(&mut self, item: &Item, rows: &Rows) -> Result<Answer, Refusal> {
        let (node, now, awake, granting, bug) = (self.node, self.now, self.awake, self.granting, self.bug);
        let Pair { account, lease } = self.pair(&item.account, item.kind, rows)?;
        let place = number(item.kind);
        let mut share = lease.share(place);
        let reported = reported(item, &share);
        if reported.is_none() && account.reaches(item.kind, now) {
            return Err(Refusal::NotLeased);
        }
        let nodes = account.hear(node, now);
        account.expire(awake, now);
        // What an operator pinned is the most, whatever a policy says and people raised.
        let pinned = account.pinned.filter(|_| !bug.is(Flaw::PinIgnored)).unwrap_or(MAX_QUANTITY);
        let max = item.max.min(pinned);
        let cap = if bug.is(Flaw::PinRaised) { MAX_QUANTITY } else { pinned };
        let is_back = account.out(node, place) < share.open();
        let latest = account.latest(now).is_none_or(|window| number(window.kind) <= place);
        let forgotten = Answer { max, ..Answer::default() };
        let Some(window) = account.window(item.kind, max, now) else {
            // A window too old to be remembered: the oldest that is pays what was overspent in it.
            if let Some(oldest) = account.windows.first_mut().filter(|oldest| number(oldest.kind) > place) {
                let debt = if bug.is(Flaw::LateDebtLost) { 0 } else { item.debt };
                oldest.carried = oldest.carried.saturating_add(debt);
                account.carry(now);
            }
            lease.forget(place);
            return Ok(forgotten);
        };
        if latest {
            window.max = max;
        }
        report(item, reported.unwrap_or(0), window, &mut share, now, bug);
        if let Some((amount, times)) = item.grant
            && (window.grants_used < times || bug.is(Flaw::RaisesUncounted))
        {
            window.extra = window.extra.saturating_add(amount);
            window.grants_used = window.grants_used.saturating_add(1);
        }
        if !bug.is(Flaw::DebtForgotten) {
            account.carry(now);
        }
        account.set_out(node, place, share.open());
        let Some(window) = account.known(place) else {
            // It was one too many, and the next one has its debt.
            lease.forget(place);
            return Ok(forgotten);
        };
        let room = match bug.is(Flaw::BoundIgnored) {
            true => MAX_QUANTITY,
            false => window.most().min(cap).saturating_sub(window.used(now)),
        };
        let granted = if granting { grant(item, room, nodes) } else { 0 };
        share.granted = share.granted.saturating_add(granted);
        let out = if is_back && bug.is(Flaw::ReturnIgnored) { granted } else { share.open() };
        account.set_out(node, place, out);
        let Some(window) = account.known(place) else { return Ok(forgotten) };
        let (spent, max, grants_used) = (window.spent(now), window.most().min(cap), window.grants_used);
        let leased = window.used(now).saturating_sub(spent);
        let silent = account.silent(node, place, now);
        let answer = Answer { granted, max, spent, leased, grants_used, silent, refused: None };
        let oldest = account.windows.first().map_or(place, |window| number(window.kind));
        lease.shares.retain(|share| share.window >= oldest);
        lease.set(share);
        if item.closing && share.open() == 0 {
            lease.forget(place);
            account.leave(node);
        }
        Ok(answer)
    }

    /// Writes down what has changed.
    pub(super) fn save(self, rows: &mut Rows) {
        for (key, pair) in self.pairs {
            pair.account.save(RowKey::account(&key), rows);
            let row = RowKey::lease(self.node, &key);
            if pair.lease.shares.is_empty() {
                rows.put(row, None);
            } else {
                pair.lease.save(row, rows);
            }
        }
    }
}

/// What an item reports in all; `None` if that and what it gives back is more than was leased.
fn reported(item: &Item, share: &Share) -> Option<u64> {
    let reported = item.reported.iter().try_fold(0_u64, |total, (_, amount)| total.checked_add(*amount))?;
    let own = reported.checked_sub(item.debt)?;
    (own.saturating_add(item.give_back) <= share.open()).then_some(reported)
}

/// Moves what was used and given back from the node's share to where it belongs.
fn report(item: &Item, reported: u64, window: &mut Window, share: &mut Share, now: u64, bug: Bug) {
    let oldest = item.reported.iter().map(|(age, _)| *age).max().unwrap_or(0);
    for (age, amount) in &item.reported {
        window.settle(now, if bug.is(Flaw::OldestAge) { oldest } else { *age }, *amount);
    }
    let granted = share.granted.saturating_add(item.debt).saturating_sub(item.give_back);
    share.reported = share.reported.saturating_add(reported);
    let back = item.refund.min(share.reported);
    window.refund(back);
    share.granted = granted.saturating_sub(back);
    share.reported = share.reported.saturating_sub(back);
}

/// How much is leased: what is needed if there is that much, and of what is wanted beyond it a fair part.
fn grant(item: &Item, room: u64, nodes: u64) -> u64 {
    let Some(left) = room.checked_sub(item.need) else {
        return 0;
    };
    let fair = left.checked_div(nodes.saturating_mul(2)).unwrap_or(0);
    item.need.saturating_add(item.want.saturating_sub(item.need).min(fair))
}
