//! What a node says again: all that it holds, after the store has lost something, and what it holds of an
//! account that the store has refused.
//!
//! All that it holds may be more than one request can say. It is said in parts, in the order of the names;
//! each but the first carries the nonce of the one before, so that a part that was lost is found out, and
//! everything is said from the beginning. Before the last part is acknowledged nothing else is said:
//! nothing is granted to a node of which the store does not know all.

use std::ops::Bound;

use super::flaw::Flaw;
use super::leased::Leased;
use super::link::{Link, Moment, SECOND};
use super::protocol::leased;
use super::schedule::NEVER;
use super::{Account, Authority, Books};
use crate::event::Now;
use crate::store::{AccountKey, Answer, Claim, Refusal, Request, number};

/// How often the store is asked whether it takes an account again that it has refused.
const MUTED: u64 = 10 * SECOND;

/// All that is held is being said again.
#[derive(Clone, Debug)]
pub(super) struct Retelling {
    pub(super) epoch: u64,
    /// The account and the window up to which the store has acknowledged it.
    pub(super) told: Option<(AccountKey, i64)>,
}

impl Link {
    /// A request was done, in an epoch. If that was a part of what is said again, and not the last one, the
    /// next part follows; before the last one the node does not belong to the epoch.
    pub(super) fn is_told(&mut self, epoch: u64, moment: &Moment) {
        let part = self.flight.as_ref().map(|flight| &flight.request);
        let part = part.filter(|part| part.more && !moment.has(Flaw::ClaimPart));
        match (&mut self.retelling, part) {
            (Some(retelling), Some(part)) => {
                retelling.told = part.claims.last().map(|claim| (claim.account.clone(), number(claim.kind)));
            }
            _ => (self.epoch, self.retelling) = (epoch, None),
        }
    }

    /// As many claims as one request has.
    pub(super) fn most_claims(&self) -> usize {
        #[cfg(feature = "flaws")]
        if self.part > 0 {
            return self.part;
        }
        Request::MOST_CLAIMS
    }

    /// When to ask about accounts that the store has refused. Who leaves does not ask any more: what it has
    /// of them stays spent.
    pub(super) fn asks_again(&self) -> u64 {
        let asks = self.muted.values().min().copied();
        asks.filter(|_| !self.is_closing).unwrap_or(NEVER)
    }
}

impl Leased {
    /// What is held of every window, ascending. Of an account that the store refuses something is always
    /// said.
    fn claims(&self, key: &AccountKey) -> Vec<Claim> {
        let mut claims: Vec<_> = self.slices().filter_map(|slice| slice.claim(key)).collect();
        if claims.is_empty() && self.muted.is_some() {
            claims.push(Claim { account: key.clone(), kind: self.current.kind, granted: 0, reported: 0 });
        }
        claims.sort_by_key(|claim| number(claim.kind));
        claims
    }

    /// The store refuses this account alone, or takes it again.
    const fn mute(&mut self, why: Option<Refusal>) {
        self.muted = why;
        if why.is_some() {
            self.need = (0, 0);
        }
    }
}

impl Books {
    /// The next part of all that is held, and whose it is.
    pub(super) fn retell(&self, told: Option<&(AccountKey, i64)>, moment: &Moment) -> (Vec<Claim>, Vec<u32>) {
        let Some(link) = self.link.as_ref().filter(|_| !moment.has(Flaw::ClaimNothing)) else {
            return Default::default();
        };
        let from = told.map_or(Bound::Unbounded, |(key, _)| Bound::Included(key));
        let names = self.names.range((from, Bound::Unbounded));
        let said = |claim: &Claim| {
            told.is_some_and(|(key, window)| claim.account == *key && number(claim.kind) <= *window)
        };
        let claims = names.flat_map(|(_, place)| {
            let claims = self.claims_at(*place).into_iter();
            claims.map(|claim| (claim, *place))
        });
        claims.filter(|(claim, _)| !said(claim)).take(link.most_claims()).unzip()
    }

    /// What is held of the accounts that the store has refused some time ago, and whose it is.
    pub(super) fn ask_again(&mut self, now: Now) -> (Vec<Claim>, Vec<u32>) {
        let (mut claims, mut places) = (Vec::new(), Vec::new());
        let Some(link) = &self.link else { return Default::default() };
        let most = link.most_claims();
        let due = link.muted.iter().filter(|(_, at)| **at <= now.mono).map(|(place, _)| *place);
        for place in due.collect::<Vec<_>>() {
            let said = self.claims_at(place);
            if said.is_empty() {
                // Nobody uses it any more.
                self.link.as_mut().and_then(|link| link.muted.remove(&place));
            } else if claims.is_empty() || claims.len().saturating_add(said.len()) <= most {
                places.extend(said.iter().map(|_| place));
                claims.extend(said);
            }
        }
        (claims, places)
    }

    fn claims_at(&self, place: u32) -> Vec<Claim> {
        let account = self.places.get(place).and_then(|place| place.account.as_ref());
        match account {
            Some(Account { key: Some(key), authority: Authority::Leased(leased), .. }) => leased.claims(key),
            _ => Vec::new(),
        }
    }

    /// The store has done an item or a claim of an account, or has refused it. A claim that is taken of an
    /// account that was refused shows that it is in order again.
    pub(super) fn judged(&mut self, place: u32, answer: &Answer, is_claim: bool, now: Now) {
        let Some(link) = self.link.as_mut() else { return };
        let Some((leased, ..)) = leased(&mut self.places, place) else { return };
        if answer.refused.is_some() {
            leased.mute(answer.refused);
            link.muted.insert(place, now.mono.saturating_add(MUTED));
        } else if is_claim && link.muted.get(&place).is_some_and(|at| *at <= now.mono) {
            leased.mute(None);
            link.muted.remove(&place);
        }
    }

    /// The first account that the store refuses.
    pub(super) fn refused_account(&self) -> Option<(AccountKey, Refusal)> {
        self.link.as_ref()?.muted.keys().find_map(|place| {
            let account = self.places.get(*place)?.account.as_ref()?;
            let Authority::Leased(leased) = &account.authority else { return None };
            account.key.as_deref().cloned().zip(leased.muted)
        })
    }
}
