//! The node's half of the protocol.
//!
//! One request is in flight at a time. It is sent again, unchanged, until it is answered; a request that
//! was refused was not done and is not sent again, its number is burnt. The nonce of the last answer, sent
//! with the next request, shows the store whether it has lost anything; then the node says again all that
//! it has.

use super::claims::Retelling;
use super::flaw::Flaw;
use super::leased::Leased;
use super::link::{Flight, Link, Moment, TIMEOUT};
use super::places::Places;
use super::schedule::{NEVER, Plan};
use super::{Authority, Books};
use crate::event::Now;
use crate::fingerprint::xxh3_64;
use crate::store::{AccountKey, Answer, Item, Reply, Request};

/// As many accounts are looked at for one request: however many are due at once, the lock is held briefly.
const MOST_LOOKS: usize = 16 * Request::MOST_ITEMS;
/// So many items of a request are for what calls wait for, if that much waits. The others are for the rest:
/// it has its turn, however many calls wait.
const MOST_URGENT: usize = Request::MOST_ITEMS / 4 * 3;

impl Books {
    /// What to send to the store now. One request is in flight at a time, the same until it is answered.
    pub fn poll(&mut self, now: Now) -> Option<Request> {
        let link = self.link.as_mut()?;
        if link.is_closed {
            return None;
        }
        let moment = link.moment(now);
        if let Some(flight) = &mut link.flight {
            if now.mono < flight.again {
                return None;
            }
            if moment.has(Flaw::NewSeqOnResend) {
                link.seq = link.seq.saturating_add(1);
                flight.request.seq = link.seq;
            }
            flight.sends = flight.sends.saturating_add(1);
            flight.again = now.mono.saturating_add(TIMEOUT);
            return Some(flight.request.clone());
        }
        if now.mono < link.not_before || !is_due(link, now) {
            return None;
        }
        let retelling = link.retelling.clone();
        let (mut items, mut claims, mut places, mut closing) = (Vec::new(), Vec::new(), Vec::new(), false);
        if let Some(Retelling { told, .. }) = &retelling {
            (claims, places) = self.retell(told.as_ref(), &moment);
        } else if link.asks_again() <= now.mono {
            (claims, places) = self.ask_again(now);
        }
        // Until all is said again nothing is asked for.
        if retelling.is_none() && claims.is_empty() {
            (items, places, closing) = self.collect(&moment);
        }
        let link = self.link.as_mut()?;
        if items.is_empty() && claims.is_empty() && !closing && retelling.is_none() && now.mono < link.beat()
        {
            return None;
        }
        link.seq = link.seq.saturating_add(1);
        link.last_sent = now.mono;
        let Link { node, seq, seen, epoch, .. } = **link;
        // A full part is not the last one.
        let more = retelling.is_some() && claims.len() >= link.most_claims();
        let epoch = retelling.map_or(epoch, |retelling| retelling.epoch);
        let request = Request { node, epoch, seq, seen, wall: now.wall, closing, items, claims, more };
        let again = now.mono.saturating_add(TIMEOUT);
        link.flight = Some(Flight { request: request.clone(), places, sent: now.mono, sends: 1, again });
        Some(request)
    }

    /// When the next [`Books::poll`] may have something to say, by the clock that never goes back.
    #[must_use]
    pub fn due(&self, now: Now) -> Option<u64> {
        let link = self.link.as_ref()?;
        if link.is_closed {
            return None;
        }
        if let Some(flight) = &link.flight {
            return Some(flight.again);
        }
        if link.retelling.is_some() || link.is_closing {
            return Some(now.mono.max(link.not_before));
        }
        let due = link.schedule.next().min(link.beat()).min(link.asks_again());
        (due < NEVER).then_some(due.max(link.not_before))
    }

    /// What the accounts that are due have to say, most of it urgent; which accounts; and whether that is the
    /// end.
    fn collect(&mut self, moment: &Moment) -> (Vec<Item>, Vec<u32>, bool) {
        let (mut items, mut places, mut looked) = (Vec::new(), Vec::new(), Vec::new());
        while items.len() < Request::MOST_ITEMS && looked.len() < MOST_LOOKS {
            let Some(link) = self.link.as_mut() else { break };
            let urgent_first = items.len() < MOST_URGENT;
            let Some(number) = link.schedule.due(moment.mono, urgent_first) else { break };
            let Some((leased, key, users)) = leased(&mut self.places, number) else {
                link.schedule.forget(number);
                continue;
            };
            // It is put back when all have been looked at: no account has two turns.
            link.schedule.plan(number, &mut leased.planned, Plan::NEVER);
            leased.roll(moment);
            let most = Request::MOST_ITEMS.saturating_sub(items.len());
            let said = leased.send(key, users, most, moment);
            places.extend(said.iter().map(|_| number));
            items.extend(said);
            looked.push(number);
        }
        self.put_back(&looked, moment);
        let is_all = self.link.as_ref().is_some_and(|link| link.schedule.next() == NEVER);
        let is_end = moment.is_closing && (is_all || moment.has(Flaw::LeaveEarly));
        (items, places, is_end)
    }

    /// Plans accounts anew after something happened to them; those that nothing is known of are forgotten.
    fn put_back(&mut self, numbers: &[u32], moment: &Moment) {
        for number in numbers {
            let Some(link) = self.link.as_mut() else { return };
            let Some((leased, _, users)) = leased(&mut self.places, *number) else { continue };
            if !leased.is_blank() {
                let wishes = leased.wishes(users, moment);
                link.schedule.plan(*number, &mut leased.planned, wishes);
            } else if leased.is_active {
                link.let_go(*number, leased);
                if users == 0 {
                    self.remove(*number);
                }
            }
        }
    }

    /// The store answered. What is not the answer to the request in flight is ignored.
    pub fn reply(&mut self, now: Now, reply: &Reply) {
        let Some(link) = self.link.as_mut() else { return };
        let moment = link.moment(now);
        let Some(flight) = &link.flight else { return };
        let is_about = reply.seq().is_none_or(|seq| seq == flight.request.seq) || moment.has(Flaw::AnyAnswer);
        if !is_about {
            return;
        }
        match reply {
            Reply::Done { nonce, epoch, now: wall, items, .. }
                if items.len() == flight.request.items.len().saturating_add(flight.request.claims.len()) =>
            {
                link.is_back(now);
                link.hear(*wall, now);
                link.back_off = 0;
                link.seen = *nonce;
                link.is_told(*epoch, &moment);
                self.done(items, now);
            }
            Reply::Done { .. } => self.refused_for(now, "the store's answer does not fit the request"),
            Reply::Stale { .. } | Reply::Fenced { .. } => {
                link.is_back(now);
                let node = successor(link.node);
                self.restart(node, now);
            }
            Reply::Reassert { epoch, .. } => {
                link.is_back(now);
                // Whatever was said again before, the store may have lost that too.
                (link.retelling, link.seen) = (Some(Retelling { epoch: *epoch, told: None }), 0);
                self.refused(now);
            }
            Reply::Clock { now: wall, .. } => {
                link.is_back(now);
                link.anchor = None;
                link.hear(*wall, now);
                link.error = Some("the clock of this process and that of the store differ by minutes");
                self.refused(now);
            }
            Reply::NoLedger => self.refused_for(now, "the store has no ledger, or has lost it"),
            Reply::Malformed { why, .. } => self.refused_for(now, why),
        }
    }

    /// The request in flight stays there: it is sent again.
    fn refused_for(&mut self, now: Now, why: &'static str) {
        let Some(link) = self.link.as_mut() else { return };
        link.error = Some(why);
        link.is_lost(now);
    }

    /// The request in flight was done.
    fn done(&mut self, answers: &[Answer], now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        let Some(flight) = link.flight.take() else { return };
        let moment = link.moment(now);
        link.word = Some(flight.sent);
        link.is_closed = flight.request.closing;
        let items = flight.request.items.iter().map(Some).chain(std::iter::repeat(None));
        for ((answer, place), item) in answers.iter().zip(&flight.places).zip(items) {
            if let (Some(item), Some((leased, ..))) = (item, leased(&mut self.places, *place)) {
                match answer.refused {
                    None => leased.done(item, answer, flight.sent, &moment),
                    Some(_) => leased.unsend(item, flight.sent, &moment),
                }
            }
            self.judged(*place, answer, item.is_none(), now);
        }
        self.put_back(&flight.places, &moment);
    }

    /// The request in flight was not done and never will be: what it said is still to be said.
    fn refused(&mut self, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        let Some(flight) = link.flight.take() else { return };
        let wait = link.wait_longer();
        link.not_before = now.mono.saturating_add(wait);
        let moment = link.moment(now);
        for (item, number) in flight.request.items.iter().zip(&flight.places) {
            if let Some((leased, ..)) = leased(&mut self.places, *number) {
                leased.unsend(item, flight.sent, &moment);
            }
        }
        self.put_back(&flight.places, &moment);
    }

    /// The store did not answer.
    pub fn lost(&mut self, now: Now) {
        if let Some(link) = self.link.as_mut() {
            link.is_lost(now);
        }
    }

    /// The process ends: everything is given back with the next requests, the last of which says so. What
    /// is still held is spent, since nobody will say what it used.
    pub fn close_all(&mut self, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        if link.is_closing {
            return;
        }
        link.is_closing = true;
        let moment = link.moment(now);
        for number in (0..=u32::MAX).take(self.places.len()) {
            if let Some((leased, ..)) =
                leased(&mut self.places, number).filter(|(leased, ..)| leased.is_active)
            {
                leased.charge_holds(&moment);
                self.put_back(&[number], &moment);
            }
        }
    }

    /// This is a copy of the process that had the slices: it has none, and another name.
    pub fn forked(&mut self, node: u128, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        if link.moment(now).has(Flaw::KeepSlicesAfterFork) {
            link.node = node;
            (link.epoch, link.seq, link.seen, link.flight) = (0, 0, 0, None);
            return;
        }
        (link.is_closing, link.is_closed) = (false, false);
        self.restart(node, now);
    }

    /// Nothing is leased any more. What is settled from now on is charged in full.
    fn restart(&mut self, node: u128, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        link.restart(node);
        let moment = link.moment(now);
        for number in (0..=u32::MAX).take(self.places.len()) {
            let Some((leased, _, users)) = leased(&mut self.places, number) else { continue };
            leased.forget(&moment);
            if users == 0 {
                self.remove(number);
            }
        }
    }
}

/// Whether any account may have something to say.
fn is_due(link: &Link, now: Now) -> bool {
    link.retelling.is_some()
        || link.is_closing
        || now.mono >= link.schedule.next().min(link.beat()).min(link.asks_again())
}

/// A leased account, its name and how many use it.
pub(super) fn leased(places: &mut Places, number: u32) -> Option<(&mut Leased, &AccountKey, u64)> {
    let place = places.get_mut(number)?;
    let account = place.account.as_mut()?;
    match (&mut account.authority, &account.key) {
        (Authority::Leased(leased), Some(key)) => Some((leased, key, place.users.into())),
        _ => None,
    }
}

/// The name of a node that must begin anew: another one, and always the same.
fn successor(node: u128) -> u128 {
    let bytes = node.to_le_bytes();
    (u128::from(xxh3_64(&bytes, 1)) << 64) | u128::from(xxh3_64(&bytes, 2))
}
