//! What one request does to accounts and leases, in memory; nothing is written unless all of it can be.

use std::collections::BTreeMap;

use super::account::{Account, Window, number};
use super::flaw::{Bug, Flaw};
use super::message::{AccountKey, Answer, Claim, Item};
use super::records::{DAMAGED, Lease, Record, Share};
use super::rows::{RowKey, Rows};
use crate::value::MAX_QUANTITY;

const NOT_LEASED: &str = "more is reported or given back than was leased";
const NO_ACCOUNT: &str = "the row of an account is missing, though something of it is leased";

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

    fn pair(&mut self, account: &AccountKey, rows: &Rows) -> Result<&mut Pair, &'static str> {
        if !self.pairs.contains_key(account) {
            let stored = Account::load(&RowKey::account(account), rows)?;
            let lease = Lease::load(&RowKey::lease(self.node, account), rows)?.unwrap_or_default();
            if stored.is_none() && lease.shares.iter().any(|share| share.open() > 0) {
                return Err(NO_ACCOUNT);
            }
            let pair = Pair { account: stored.unwrap_or_default(), lease };
            self.pairs.insert(account.clone(), pair);
        }
        self.pairs.get_mut(account).ok_or(DAMAGED)
    }

    /// The node says what it holds. It knows better than a store that has lost something.
    pub(super) fn claim(&mut self, claim: &Claim, rows: &Rows) -> Result<(), &'static str> {
        let (node, now, awake) = (self.node, self.now, self.awake);
        let Pair { account, lease } = self.pair(&claim.account, rows)?;
        account.hear(node, now);
        account.expire(awake, now);
        let max = account.windows.last().map_or(MAX_QUANTITY, |window| window.max);
        let Some(window) = account.window(claim.kind, max, now)? else {
            return Ok(());
        };
        let before = lease.share(number(claim.kind));
        window.settle(now, 0, claim.reported.saturating_sub(before.reported));
        let share = Share { window: before.window, granted: claim.granted, reported: claim.reported };
        account.set_out(node, share.window, share.open());
        lease.set(share);
        account.carry(now);
        Ok(())
    }

    /// Does one item.
    pub(super) fn item(&mut self, item: &Item, rows: &Rows) -> Result<Answer, &'static str> {
        let (node, now, awake, granting, bug) = (self.node, self.now, self.awake, self.granting, self.bug);
        let Pair { account, lease } = self.pair(&item.account, rows)?;
        let nodes = account.hear(node, now);
        account.expire(awake, now);
        // What an operator pinned is the most, whatever a policy says and people raised.
        let pinned = account.pinned.filter(|_| !bug.is(Flaw::PinIgnored)).unwrap_or(MAX_QUANTITY);
        let max = item.max.min(pinned);
        let place = number(item.kind);
        let latest = account.latest(now).is_none_or(|window| number(window.kind) <= place);
        let Some(window) = account.window(item.kind, max, now)? else {
            // A window too old to be remembered: the oldest that is pays what was overspent in it.
            if let Some(oldest) = account.windows.first_mut().filter(|oldest| number(oldest.kind) > place) {
                oldest.carried = oldest.carried.saturating_add(item.debt);
                account.carry(now);
            }
            lease.forget(place);
            return Ok(Answer { max, ..Answer::default() });
        };
        if latest {
            window.max = max;
        }
        let mut share = lease.share(place);
        report(item, window, &mut share, now, bug)?;
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
        let window = account.known(place).ok_or(DAMAGED)?;
        let room = match bug.is(Flaw::BoundIgnored) {
            true => MAX_QUANTITY,
            false => window.most().min(pinned).saturating_sub(window.used(now)),
        };
        let granted = if granting { grant(item, room, nodes) } else { 0 };
        share.granted = share.granted.saturating_add(granted);
        account.set_out(node, place, share.open());
        let window = account.known(place).ok_or(DAMAGED)?;
        let spent = window.spent(now);
        let leased = window.used(now).saturating_sub(spent);
        let max = window.most().min(pinned);
        let answer = Answer { granted, max, spent, leased, grants_used: window.grants_used };
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

/// Moves what was used and given back from the node's share to where it belongs.
fn report(
    item: &Item,
    window: &mut Window,
    share: &mut Share,
    now: u64,
    bug: Bug,
) -> Result<(), &'static str> {
    let reported = item.reported.iter().try_fold(0_u64, |total, (_, amount)| total.checked_add(*amount));
    let reported = reported.ok_or(NOT_LEASED)?;
    let own = reported.checked_sub(item.debt).ok_or(NOT_LEASED)?;
    let gone = own.saturating_add(item.give_back);
    if gone > share.open() {
        return Err(NOT_LEASED);
    }
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
    Ok(())
}

/// How much is leased: what is needed if there is that much, and of what is wanted beyond it a fair part.
fn grant(item: &Item, room: u64, nodes: u64) -> u64 {
    let Some(left) = room.checked_sub(item.need) else {
        return 0;
    };
    let fair = left.checked_div(nodes.saturating_mul(2)).unwrap_or(0);
    item.need.saturating_add(item.want.saturating_sub(item.need).min(fair))
}
