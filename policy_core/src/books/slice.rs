//! What this process has leased of one window of an account.
//!
//! INVARIANT (slice): `free + lapsed + held + pending + sent + reported = granted + short + short in
//! flight`, where `granted` is what the store leased and was not given back. What is given back leaves the
//! slice before it is sent; what is granted enters it once, with the answer to the request that asked for
//! it.

use std::collections::VecDeque;

use super::flaw::Flaw;
use super::link::{Moment, SECOND};
use crate::store::{AccountKey, Answer, Claim, Item, Kind};
use crate::value::MAX_QUANTITY;

/// A slice of a rolling window is used so long after the store's last word. The store waits twice as long
/// before it counts as spent what is leased to a node that says nothing any more.
pub(super) const LAPSE: u64 = 10 * SECOND;
/// As many reports of a rolling window as are kept apart.
const MOST_REPORTS: usize = 64;

/// The store's last word about a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) max: u64,
    pub(super) spent: u64,
    /// Leased to others.
    pub(super) elsewhere: u64,
    /// The part of that whose holders may be gone.
    pub(super) silent: u64,
    pub(super) raised: u64,
    /// When the question was sent, by the clock that never goes back.
    pub(super) asked: u64,
    /// When the answer came.
    pub(super) heard: u64,
}

/// The slice of one window.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) id: i64,
    pub(super) kind: Kind,
    pub(super) free: u64,
    pub(super) held: u64,
    /// Settled and not reported yet.
    pub(super) pending: u64,
    /// How much of `held` and `pending` is beyond what was granted.
    pub(super) short: u64,
    /// Reported by the request in flight.
    pub(super) sent: u64,
    /// Reported and answered.
    reported: u64,
    /// Reported, and not spent after all.
    refund: u64,
    /// When what is pending was settled, of a rolling window: (the latest instant, amount).
    ages: VecDeque<(u64, u64)>,
    /// How people raised the bound and the store does not know yet.
    pub(super) grants: VecDeque<(u64, u64)>,
    pub(super) known: Option<Known>,
    /// When it was last used.
    pub(super) used_at: u64,
    /// When the last request about it was sent that was answered.
    pub(super) word: u64,
    /// Free once and never used again: the store may have counted it as spent.
    lapsed: u64,
    /// How much of what is held will lapse rather than be free.
    lapsing: u64,
    /// The request in flight is about it: the answer may grant something.
    is_in_flight: bool,
}

impl Slice {
    pub(super) const fn new(id: i64, kind: Kind, used_at: u64) -> Self {
        Self {
            id,
            kind,
            free: 0,
            held: 0,
            pending: 0,
            short: 0,
            sent: 0,
            reported: 0,
            refund: 0,
            ages: VecDeque::new(),
            grants: VecDeque::new(),
            known: None,
            used_at,
            word: 0,
            lapsed: 0,
            lapsing: 0,
            is_in_flight: false,
        }
    }

    /// The store has leased nothing of it, and nothing is to be said of it.
    pub(super) fn is_blank(&self) -> bool {
        self.is_quiet() && !self.is_in_flight && self.reported == 0 && self.grants.is_empty()
    }

    /// There is nothing in it but what was reported.
    pub(super) const fn is_quiet(&self) -> bool {
        self.free == 0 && self.lapsed == 0 && self.held == 0 && self.pending == 0 && self.refund == 0
    }

    /// Whether the next item can say all: what came back must have been reported with an earlier one, and
    /// what is pending must be an amount that can be sent.
    pub(super) const fn can_close(&self) -> bool {
        self.refund <= self.reported && self.pending <= MAX_QUANTITY
    }

    /// Whether there is something to report.
    pub(super) const fn has_news(&self) -> bool {
        self.pending > 0 || self.lapsed > 0 || (self.refund > 0 && self.reported > 0)
    }

    /// Leased to this process and not reported.
    pub(super) const fn own(&self) -> u64 {
        let all =
            self.free.saturating_add(self.lapsed).saturating_add(self.held).saturating_add(self.pending);
        all.saturating_sub(self.short)
    }

    /// Spent by this process since the store's last word.
    pub(super) const fn unknown(&self) -> u64 {
        self.pending.saturating_add(self.sent)
    }

    /// Whether the store's last word about a rolling window is too old to use the slice.
    pub(super) fn has_lapsed(&self, mono: u64, moment: &Moment) -> bool {
        matches!(self.kind, Kind::Rolling { .. })
            && mono.saturating_sub(self.word) >= LAPSE
            && !moment.has(Flaw::SpendLapsed)
    }

    /// What is free is not used any more, nor what will be free of the holds.
    fn lapse(&mut self) {
        self.lapsed = self.lapsed.saturating_add(std::mem::take(&mut self.free));
        self.lapsing = self.held;
    }

    /// More has lapsed; what is short is covered first, since it was never granted.
    fn lapse_more(&mut self, amount: u64) {
        let covered = amount.min(self.short);
        self.short = self.short.saturating_sub(covered);
        self.lapsed = self.lapsed.saturating_add(amount.saturating_sub(covered));
    }

    /// The part of its window in which an amount counts, of a rolling window.
    pub(super) fn part(&self, mono: u64) -> Option<u64> {
        match self.kind {
            Kind::Rolling { ns } => mono.checked_div(ns.div_ceil(super::buckets::PARTS)),
            Kind::Forever | Kind::Calendar { .. } => None,
        }
    }

    /// More is free; what is short is covered first.
    fn free_up(&mut self, amount: u64) {
        let covered = amount.min(self.short);
        self.short = self.short.saturating_sub(covered);
        self.free = self.free.saturating_add(amount.saturating_sub(covered));
    }

    /// Takes from what is free; the rest is short, and is returned.
    fn draw(&mut self, amount: u64) -> u64 {
        let covered = amount.min(self.free);
        let rest = amount.saturating_sub(covered);
        self.free = self.free.saturating_sub(covered);
        self.short = self.short.saturating_add(rest);
        rest
    }

    /// Holds an amount; the answer is what was beyond the slice.
    pub(super) fn take(&mut self, amount: u64, moment: &Moment) -> u64 {
        self.used_at = moment.mono;
        if self.has_lapsed(moment.mono, moment) {
            self.lapse();
        }
        if moment.has(Flaw::PartialTake) {
            self.free = self.free.saturating_sub(amount);
            self.held = self.held.saturating_add(amount);
            return 0;
        }
        self.held = self.held.saturating_add(amount);
        self.draw(amount)
    }

    /// Ends a hold.
    pub(super) fn settle(&mut self, held: u64, used: u64, moment: &Moment) {
        self.used_at = moment.mono;
        if held == 0 && moment.has(Flaw::DropExcess) {
            return;
        }
        let held = held.min(self.held);
        self.held = self.held.saturating_sub(held);
        let unused = held.saturating_sub(used);
        let lapsed = unused.min(self.lapsing);
        self.lapsing = self.lapsing.saturating_sub(held);
        self.lapse_more(lapsed);
        self.free_up(unused.saturating_sub(lapsed));
        let beyond = used.saturating_sub(held);
        if moment.has(Flaw::ForgiveDebt) && beyond > self.free {
            let known = used.saturating_sub(beyond).saturating_add(self.free);
            self.free = 0;
            return self.spend(known, moment);
        }
        self.draw(beyond);
        self.spend(used, moment);
    }

    fn spend(&mut self, amount: u64, moment: &Moment) {
        self.pending = self.pending.saturating_add(amount);
        let Some(part) = self.part(moment.mono).filter(|_| amount > 0) else { return };
        let last = self.ages.back().and_then(|(at, _)| self.part(*at));
        match self.ages.back_mut() {
            Some((at, known)) if last.is_some_and(|last| part <= last) => {
                // Later is longer.
                *known = known.saturating_add(amount);
                *at = moment.mono.max(*at);
            }
            _ => self.ages.push_back((moment.mono, amount)),
        }
        self.trim();
    }

    /// The oldest reports become one, as old as its youngest part.
    fn trim(&mut self) {
        while self.ages.len() > MOST_REPORTS {
            let oldest = self.ages.pop_front().map_or(0, |(_, amount)| amount);
            if let Some((_, known)) = self.ages.front_mut() {
                *known = known.saturating_add(oldest);
            }
        }
    }

    /// What was spent turns out not to be. What was reported already is said so to the store. Of a rolling
    /// window only what is still here, and of the same part, comes back; the rest ages out.
    pub(super) fn refund(&mut self, part: i64, amount: u64, mono: u64) {
        self.used_at = mono;
        if matches!(self.kind, Kind::Rolling { .. }) {
            let part = u64::try_from(part).ok();
            let Some(place) = self.ages.iter().position(|(at, _)| self.part(*at) == part) else { return };
            let Some((_, known)) = self.ages.get_mut(place) else { return };
            let here = amount.min(*known);
            *known = known.saturating_sub(here);
            self.ages.retain(|(_, amount)| *amount > 0);
            self.pending = self.pending.saturating_sub(here);
            return self.free_up(here);
        }
        let here = amount.min(self.pending);
        self.pending = self.pending.saturating_sub(here);
        self.free_up(here);
        let there = self.reported.saturating_add(self.sent).saturating_sub(self.refund);
        self.refund = self.refund.saturating_add(amount.saturating_sub(here).min(there));
    }

    /// Nobody will settle what is held any more: it is spent.
    pub(super) fn charge_holds(&mut self, moment: &Moment) {
        let held = self.held;
        let used = if moment.has(Flaw::UnknownIsFree) { 0 } else { held };
        self.settle(held, used, moment);
    }

    /// Moves what is to be said into an item: each amount as far as it can be sent, the rest comes with the
    /// next item. `keep` of what is free stays here.
    pub(super) fn send(&mut self, item: &mut Item, keep: u64, moment: &Moment) {
        self.sent = self.pending.min(MAX_QUANTITY);
        self.pending = self.pending.saturating_sub(self.sent);
        if self.sent > 0 {
            item.reported = match self.kind {
                Kind::Rolling { .. } => self.aged(self.sent, moment.mono),
                Kind::Forever | Kind::Calendar { .. } => vec![(0, self.sent)],
            };
        }
        if self.has_lapsed(moment.mono, moment) {
            self.lapse();
        }
        self.is_in_flight = true;
        item.debt = self.short.min(self.sent);
        let lapsed = self.lapsed.min(MAX_QUANTITY);
        let free = self.free.saturating_sub(keep).min(MAX_QUANTITY.saturating_sub(lapsed));
        item.give_back = free.saturating_add(lapsed);
        self.lapsed = self.lapsed.saturating_sub(lapsed);
        item.refund = self.refund.min(self.reported).min(MAX_QUANTITY);
        let most = |(amount, times): &(u64, u64)| ((*amount).min(MAX_QUANTITY), (*times).min(MAX_QUANTITY));
        item.grant = self.grants.front().map(most);
        self.short = self.short.saturating_sub(item.debt);
        self.refund = self.refund.saturating_sub(item.refund);
        self.reported = self.reported.saturating_sub(item.refund);
        if !moment.has(Flaw::GiveBackLate) {
            self.free = self.free.saturating_sub(free);
        }
        if moment.has(Flaw::ChargeBeforeGrant) {
            self.free_up(item.need);
        }
    }

    /// The oldest so much of what is pending, with its age.
    fn aged(&mut self, mut amount: u64, mono: u64) -> Vec<(u64, u64)> {
        let mut aged = Vec::new();
        while let Some((at, known)) = self.ages.front_mut().filter(|_| amount > 0) {
            let part = amount.min(*known);
            aged.push((mono.saturating_sub(*at), part));
            (amount, *known) = (amount.saturating_sub(part), known.saturating_sub(part));
            if *known == 0 {
                self.ages.pop_front();
            }
        }
        aged
    }

    /// The store has not done what an item said, and never will.
    pub(super) fn unsend(&mut self, item: &Item, built: u64, moment: &Moment) {
        self.is_in_flight = false;
        self.sent = 0;
        self.pending = self.pending.saturating_add(total(item));
        if matches!(self.kind, Kind::Rolling { .. }) {
            for (age, amount) in item.reported.iter().rev() {
                self.ages.push_front((built.saturating_sub(*age), *amount));
            }
            self.trim();
        }
        self.short = self.short.saturating_add(item.debt);
        self.refund = self.refund.saturating_add(item.refund);
        self.reported = self.reported.saturating_add(item.refund);
        if matches!(self.kind, Kind::Rolling { .. }) {
            self.lapse_more(item.give_back);
        } else if !moment.has(Flaw::GiveBackLate) {
            self.free_up(item.give_back);
        }
        // What was freed meanwhile covers what is short again.
        let free = std::mem::take(&mut self.free);
        self.free_up(free);
    }

    /// The store has done what an item said.
    pub(super) fn done(&mut self, item: &Item, answer: &Answer, asked: u64, moment: &Moment) {
        self.reported = self.reported.saturating_add(self.sent);
        if moment.has(Flaw::ReportTwice) {
            self.pending = self.pending.saturating_add(self.sent);
        }
        self.is_in_flight = false;
        self.sent = 0;
        if item.closing {
            self.reported = 0;
        }
        if item.grant.is_some() {
            self.grants.pop_front();
        }
        if moment.has(Flaw::GiveBackLate) {
            self.free = self.free.saturating_sub(item.give_back);
        }
        if self.has_lapsed(asked, moment) {
            self.lapse();
        }
        self.word = asked;
        if answer.granted > 0 {
            self.used_at = moment.mono;
        }
        let early = if moment.has(Flaw::ChargeBeforeGrant) { item.need } else { 0 };
        self.free_up(answer.granted.saturating_sub(early));
        self.known = Some(Known {
            max: answer.max,
            spent: answer.spent,
            elsewhere: answer.leased.saturating_sub(self.own()),
            silent: answer.silent,
            raised: answer.grants_used,
            asked,
            heard: moment.mono,
        });
    }

    /// All that this process has had of the window; `None` if that is nothing.
    pub(super) fn claim(&self, account: &AccountKey) -> Option<Claim> {
        let (granted, reported) = (self.own().saturating_add(self.reported), self.reported);
        (granted > 0).then(|| Claim { account: account.clone(), kind: self.kind, granted, reported })
    }
}

/// What an item reports.
pub(super) fn total(item: &Item) -> u64 {
    item.reported.iter().fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
}
