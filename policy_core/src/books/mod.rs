//! What a process knows of every account: what it holds, has spent, and has leased from a store.
//!
//! An account is one bound of one limit for one scope id. INVARIANT (books): what is taken was there, or
//! was leased before it was used; a hold ends in spent or is given back, never both, and an unknown outcome
//! is spent.

mod alone;
mod asking;
mod buckets;
pub(crate) mod calendar;
mod cell;
mod claims;
mod flaw;
mod leased;
mod link;
mod local;
#[cfg(test)]
mod local_tests;
mod own;
mod places;
mod protocol;
mod rate;
mod schedule;
#[cfg(test)]
mod schedule_tests;
mod slice;
mod terms;
mod using;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

pub(crate) use alone::Open;
pub(crate) use buckets::Buckets;
pub use calendar::{Period, Zone};
#[cfg(feature = "flaws")]
pub use flaw::Flaw;
pub use terms::{AccountId, Failure, Health, Room, Standing, Terms, Window, WindowKind};

use crate::event::Now;
use crate::store::AccountKey;
use leased::Leased;
use link::Link;
pub(crate) use local::Local;
use places::Places;
use schedule::Plan;

/// Who decides about an account.
#[derive(Clone, Debug)]
enum Authority {
    Local(Local),
    Leased(Box<Leased>),
}

#[derive(Clone, Debug)]
struct Account {
    /// `None`: a run's own, which is found by its id alone.
    key: Option<Box<AccountKey>>,
    authority: Authority,
}

/// All accounts that a process knows.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "flaws"), derive(Clone))]
pub struct Books {
    places: Places,
    vacant: Vec<u32>,
    names: BTreeMap<AccountKey, u32>,
    /// Where the search for accounts that nobody needs goes on.
    sweep: u32,
    /// The first generation: ids of other books are not taken for these books' own.
    first: NonZeroU32,
    /// The line to the store, if there is one.
    link: Option<Box<Link>>,
}

impl Default for Books {
    fn default() -> Self {
        Self::local()
    }
}

impl Books {
    /// Books without a store: this process decides about every account alone.
    #[must_use]
    pub fn local() -> Self {
        Self {
            places: Places::default(),
            vacant: Vec::new(),
            names: BTreeMap::new(),
            sweep: 0,
            first: NonZeroU32::MIN,
            link: None,
        }
    }

    /// Books whose shared accounts are leased from a store. `node` names this incarnation of the process;
    /// no other ever has the same.
    #[must_use]
    pub fn leased(node: u128, now: Now) -> Self {
        let first = NonZeroU32::new(u32::try_from(node & u128::from(u32::MAX)).unwrap_or_default());
        let first = first.unwrap_or(NonZeroU32::MIN);
        Self { first, link: Some(Box::new(Link::new(node, now))), ..Self::local() }
    }

    /// Makes these books do one thing wrong.
    #[cfg(feature = "flaws")]
    pub fn set_flaw(&mut self, flaw: Option<Flaw>) {
        if let Some(link) = &mut self.link {
            link.flaw = flaw;
        }
    }

    /// Makes these books say at most so many claims in one request, so that few accounts are many.
    #[cfg(feature = "flaws")]
    pub fn set_most_claims(&mut self, part: usize) {
        if let Some(link) = &mut self.link {
            link.part = part;
        }
    }

    /// Opens an account, or counts one more user of it. The latest terms hold.
    pub fn open(&mut self, key: &AccountKey, terms: &Terms, shared: bool, now: Now) -> AccountId {
        self.sweep(now);
        if let Some(number) = self.names.get(key).copied()
            && let Some(place) = self.places.get_mut(number)
            && let Some(account) = &mut place.account
        {
            place.users = place.users.saturating_add(1);
            match &mut account.authority {
                Authority::Local(local) => local.set_max(terms.max),
                Authority::Leased(leased) => leased.set_terms(terms),
            }
            return AccountId { place: number, generation: place.generation };
        }
        let authority = match &self.link {
            Some(link) if shared => Authority::Leased(Box::new(Leased::new(terms, &link.moment(now)))),
            _ => Authority::Local(Local::new(terms, now)),
        };
        let id = self.insert(Account { key: Some(Box::new(key.clone())), authority });
        self.names.insert(key.clone(), id.place);
        id
    }

    /// Opens an account that nobody else can name: a run's own.
    pub fn open_own(&mut self, terms: &Terms, now: Now) -> AccountId {
        self.insert(Account { key: None, authority: Authority::Local(Local::new(terms, now)) })
    }

    /// Counts one more user of an open account.
    pub fn retain(&mut self, id: AccountId) {
        if let Some(place) = self.places.of(id) {
            place.users = place.users.saturating_add(1);
        }
    }

    fn insert(&mut self, account: Account) -> AccountId {
        let number = self.vacant.pop().unwrap_or_else(|| self.places.add(self.first));
        self.places.put(number, account)
    }

    /// One user less. A run's own account goes with its last user, any other once nothing would be
    /// forgotten with it.
    pub fn close(&mut self, id: AccountId) {
        let Some(place) = self.places.of(id) else { return };
        place.users = place.users.saturating_sub(1);
        let Some(account) = place.account.as_ref().filter(|_| place.users == 0) else { return };
        match &account.authority {
            Authority::Local(_) if account.key.is_some() => {}
            Authority::Local(_) => self.remove(id.place),
            Authority::Leased(leased) if !leased.is_active => self.remove(id.place),
            Authority::Leased(_) => {
                // The next poll, which knows the time, finds what that changes.
                self.hasten(id, |_| Plan { rest: 0, ..Plan::NEVER });
            }
        }
    }

    fn remove(&mut self, number: u32) {
        let Some(place) = self.places.get_mut(number) else { return };
        if let Some(account) = place.account.take() {
            if let Some(key) = &account.key {
                self.names.remove(&**key);
            }
            self.vacant.push(number);
            if let Some(link) = &mut self.link {
                link.muted.remove(&number);
            }
        }
    }

    /// Looks at the next few accounts and drops those that nobody uses and nothing is known of.
    fn sweep(&mut self, now: Now) {
        for _ in 0..2 {
            let number = self.sweep;
            self.sweep = if self.places.get(number).is_none() { 0 } else { number.saturating_add(1) };
            let unused = self.places.get(number).filter(|place| place.users == 0);
            let account = unused.and_then(|place| place.account.as_ref());
            let is_idle = account.is_some_and(|account| match &account.authority {
                Authority::Local(local) => local.is_blank(now),
                Authority::Leased(_) => false,
            });
            if is_idle {
                self.remove(number);
            }
        }
    }

    #[inline]
    fn get(&self, id: AccountId) -> Option<&Authority> {
        let place = self.places.get(id.place).filter(|place| place.generation == id.generation)?;
        place.account.as_ref().map(|account| &account.authority)
    }

    #[inline]
    fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.places.of(id)?.account.as_mut()
    }

    /// How the books stand with their store.
    #[must_use]
    pub fn health(&self, now: Now) -> Health {
        let Some(link) = &self.link else { return Health::default() };
        Health { refused: self.refused_account(), ..link.health(now) }
    }
}
