//! The node's half of the protocol.
//!
//! One request is in flight at a time. It is sent again, unchanged, until it is answered; a request that
//! was refused was not done and is not sent again, its number is burnt. The nonce of the last answer, sent
//! with the next request, shows the store whether it has lost anything; then the node says again all that
//! it has.

use super::claims::Retelling;
use super::flaw::Flaw;
use super::link::{Flight, HEARTBEAT, Link, Moment, TIMEOUT};
use super::{Authority, Books, Place, index};
use crate::event::Now;
use crate::fingerprint::xxh3_64;
use crate::store::{Answer, Item, Reply, Request};

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
        let is_beat = now.mono.saturating_sub(link.last_sent) >= HEARTBEAT && !link.active.is_empty();
        if items.is_empty() && claims.is_empty() && !closing && retelling.is_none() && !is_beat {
            return None;
        }
        link.seq = link.seq.saturating_add(1);
        link.last_sent = now.mono;
        let Link { node, seq, seen, epoch, .. } = **link;
        let epoch = retelling.map_or(epoch, |retelling| retelling.epoch);
        let request = Request { node, epoch, seq, seen, wall: now.wall, closing, items, claims };
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
        let beat = if link.active.is_empty() { u64::MAX } else { link.last_sent.saturating_add(HEARTBEAT) };
        let due = link.next.min(beat).min(link.asks_again());
        (due < u64::MAX).then_some(due.max(link.not_before))
    }

    /// What all accounts have to say, the urgent first; which accounts; and whether that is the end.
    fn collect(&mut self, moment: &Moment) -> (Vec<Item>, Vec<u32>, bool) {
        let Some(link) = self.link.as_mut() else { return Default::default() };
        let active = std::mem::take(&mut link.active);
        let (mut items, mut places, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut next = u64::MAX;
        for is_urgent in [true, false] {
            for number in &active {
                let Some(account) =
                    self.places.get_mut(index(*number)).and_then(|place| place.account.as_mut())
                else {
                    continue;
                };
                let (Authority::Leased(leased), Some(key)) = (&mut account.authority, &account.key) else {
                    continue;
                };
                if is_urgent {
                    leased.roll(moment);
                }
                let is_turn = leased.is_urgent(moment.mono) == is_urgent && !places.contains(number);
                if is_turn && leased.wishes(account.users, moment) <= moment.mono {
                    let most = Request::MOST_ITEMS.saturating_sub(items.len());
                    let said = leased.send(key, account.users, most, moment);
                    places.extend(said.iter().map(|_| *number));
                    items.extend(said);
                }
                if !is_urgent {
                    if leased.is_blank() && !places.contains(number) {
                        leased.is_active = false;
                        gone.extend((account.users == 0).then_some(*number));
                        continue;
                    }
                    kept.push(*number);
                    next = next.min(leased.wishes(account.users, moment));
                }
            }
        }
        link.active = kept;
        link.next = next;
        let closing = moment.is_closing && next == u64::MAX;
        gone.into_iter().for_each(|number| self.remove(number));
        (items, places, closing)
    }

    /// The store answered the request that was sent at `sent`. What is not the answer to the request in
    /// flight is ignored.
    pub fn reply(&mut self, _sent: Now, now: Now, reply: &Reply) {
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
        link.next = link.next.min(now.mono);
        link.is_closed = flight.request.closing;
        let items = flight.request.items.iter().map(Some).chain(std::iter::repeat(None));
        for ((answer, place), item) in answers.iter().zip(flight.places).zip(items) {
            if let (Some(item), Some(Authority::Leased(leased))) = (item, authority(&mut self.places, place))
            {
                match answer.refused {
                    None => leased.done(item, answer, flight.sent, &moment),
                    Some(_) => leased.unsend(item, flight.sent, &moment),
                }
            }
            self.judged(place, answer, item.is_none(), now);
        }
    }

    /// The request in flight was not done and never will be: what it said is still to be said.
    fn refused(&mut self, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        let Some(flight) = link.flight.take() else { return };
        let wait = link.wait_longer();
        link.not_before = now.mono.saturating_add(wait);
        link.at(now.mono);
        let moment = link.moment(now);
        for (item, number) in flight.request.items.iter().zip(&flight.places) {
            if let Some(Authority::Leased(leased)) = authority(&mut self.places, *number) {
                leased.unsend(item, flight.sent, &moment);
            }
        }
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
        link.at(now.mono);
        let moment = link.moment(now);
        for number in &link.active {
            if let Some(Authority::Leased(leased)) = authority(&mut self.places, *number) {
                leased.charge_holds(&moment);
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
        for place in &mut self.places {
            if let Some(Authority::Leased(leased)) =
                place.account.as_mut().map(|account| &mut account.authority)
            {
                leased.forget(&moment);
            }
        }
    }
}

/// Whether any account may have something to say.
fn is_due(link: &Link, now: Now) -> bool {
    let is_beat = now.mono.saturating_sub(link.last_sent) >= HEARTBEAT;
    link.retelling.is_some()
        || link.is_closing
        || now.mono >= link.next.min(link.asks_again())
        || (is_beat && !link.active.is_empty())
}

pub(super) fn authority(places: &mut [Place], number: u32) -> Option<&mut Authority> {
    places.get_mut(index(number))?.account.as_mut().map(|account| &mut account.authority)
}

/// The name of a node that must begin anew: another one, and always the same.
fn successor(node: u128) -> u128 {
    let bytes = node.to_le_bytes();
    (u128::from(xxh3_64(&bytes, 1)) << 64) | u128::from(xxh3_64(&bytes, 2))
}
