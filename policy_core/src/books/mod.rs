//! What a process knows of every account: what it holds, has spent, and has leased from a store.
//!
//! An account is one bound of one limit for one scope id. INVARIANT (books): what is taken was there, or
//! was leased before it was used; a hold ends in spent or is given back, never both, and an unknown outcome
//! is spent.

mod asking;
mod buckets;
mod calendar;
mod claims;
mod flaw;
mod leased;
mod link;
mod local;
mod own;
mod protocol;
mod rate;
mod schedule;
#[cfg(test)]
mod schedule_tests;
mod slice;
mod terms;

use std::collections::BTreeMap;

pub use calendar::{Period, Zone};
#[cfg(feature = "flaws")]
pub use flaw::Flaw;
pub use terms::{AccountId, Failure, Health, Room, Standing, Terms, Window, WindowKind};

use crate::event::Now;
use crate::store::AccountKey;
use leased::Leased;
use link::{Link, Moment};
use local::Local;
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
    key: Option<AccountKey>,
    users: u64,
    authority: Authority,
}

/// A place in the table; its generation tells old ids from new ones.
#[derive(Clone, Debug, Default)]
struct Place {
    generation: u32,
    account: Option<Account>,
}

/// All accounts that a process knows.
#[derive(Debug, Default)]
#[cfg_attr(any(test, feature = "flaws"), derive(Clone))]
pub struct Books {
    places: Vec<Place>,
    vacant: Vec<u32>,
    names: BTreeMap<AccountKey, u32>,
    /// Where the search for accounts that nobody needs goes on.
    sweep: usize,
    /// The first generation: ids of other books are not taken for these books' own.
    first: u32,
    /// The line to the store, if there is one.
    link: Option<Box<Link>>,
}

impl Books {
    /// Books without a store: this process decides about every account alone.
    #[must_use]
    pub fn local() -> Self {
        Self::default()
    }

    /// Books whose shared accounts are leased from a store. `node` names this incarnation of the process;
    /// no other ever has the same.
    #[must_use]
    pub fn leased(node: u128, now: Now) -> Self {
        let first = u32::try_from(node & u128::from(u32::MAX)).unwrap_or_default();
        Self { first, link: Some(Box::new(Link::new(node, now))), ..Self::default() }
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
            && let Some(place) = self.places.get_mut(index(number))
            && let Some(account) = &mut place.account
        {
            account.users = account.users.saturating_add(1);
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
        let id = self.insert(Account { key: Some(key.clone()), users: 1, authority });
        self.names.insert(key.clone(), id.place);
        id
    }

    /// Opens an account that nobody else can name: a run's own.
    pub fn open_own(&mut self, terms: &Terms, now: Now) -> AccountId {
        self.insert(Account { key: None, users: 1, authority: Authority::Local(Local::new(terms, now)) })
    }

    /// Counts one more user of an open account.
    pub fn retain(&mut self, id: AccountId) {
        if let Some(account) = self.get_mut(id) {
            account.users = account.users.saturating_add(1);
        }
    }

    fn insert(&mut self, account: Account) -> AccountId {
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: self.first, account: None });
            u32::try_from(self.places.len()).unwrap_or(u32::MAX).saturating_sub(1)
        });
        let mut id = AccountId { place: number, generation: 0 };
        if let Some(place) = self.places.get_mut(index(number)) {
            place.generation = place.generation.wrapping_add(1);
            place.account = Some(account);
            id.generation = place.generation;
        }
        id
    }

    /// One user less. A run's own account goes with its last user, any other once nothing would be
    /// forgotten with it.
    pub fn close(&mut self, id: AccountId) {
        let Some(account) = self.get_mut(id) else { return };
        account.users = account.users.saturating_sub(1);
        if account.users > 0 {
            return;
        }
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
        let Some(place) = self.places.get_mut(index(number)) else { return };
        if let Some(account) = place.account.take() {
            if let Some(key) = &account.key {
                self.names.remove(key);
            }
            self.vacant.push(number);
        }
    }

    /// Looks at the next few accounts and drops those that nobody uses and nothing is known of.
    fn sweep(&mut self, now: Now) {
        for _ in 0..2 {
            let number = self.sweep;
            self.sweep = if number >= self.places.len() { 0 } else { number.saturating_add(1) };
            let account = self.places.get(number).and_then(|place| place.account.as_ref());
            let is_idle = account.is_some_and(|account| match &account.authority {
                Authority::Local(local) => account.users == 0 && local.is_blank(now),
                Authority::Leased(_) => false,
            });
            if is_idle {
                self.remove(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
    }

    fn get(&self, id: AccountId) -> Option<&Authority> {
        let place = self.places.get(index(id.place)).filter(|place| place.generation == id.generation)?;
        place.account.as_ref().map(|account| &account.authority)
    }

    fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        let place = self.places.get_mut(index(id.place))?;
        if place.generation == id.generation { place.account.as_mut() } else { None }
    }

    fn moment(&self, now: Now) -> Moment {
        self.link.as_ref().map_or_else(|| Link::default().moment(now), |link| link.moment(now))
    }

    /// Does something to a leased account, and looks at it no later than it wishes then.
    fn with_leased<T>(
        &mut self,
        id: AccountId,
        now: Now,
        how: impl FnOnce(&mut Leased, &mut Link, &Moment) -> T,
    ) -> Option<T> {
        let link = self.link.as_mut()?;
        let place = self.places.get_mut(index(id.place)).filter(|place| place.generation == id.generation)?;
        let account = place.account.as_mut()?;
        let Authority::Leased(leased) = &mut account.authority else { return None };
        let moment = link.moment(now);
        let done = how(leased, link, &moment);
        // Nothing that is said by itself is said sooner; a set is changed once a report, not once a call.
        if leased.planned.rest > leased.soon() {
            let wishes = leased.wishes(account.users, &moment);
            link.hasten(id.place, leased, wishes);
        }
        Some(done)
    }

    /// Plans a leased account as somebody wishes who waits for it.
    fn hasten(&mut self, id: AccountId, wishes: impl FnOnce(&mut Leased) -> Plan) {
        let Some(link) = self.link.as_mut() else { return };
        let place = self.places.get_mut(index(id.place)).filter(|place| place.generation == id.generation);
        if let Some(Account { authority: Authority::Leased(leased), .. }) =
            place.and_then(|place| place.account.as_mut())
        {
            let wishes = wishes(leased);
            link.hasten(id.place, leased, wishes);
        }
    }

    /// The most that a take could get, if the store agrees.
    #[must_use]
    pub fn most(&self, id: AccountId, now: Now) -> u64 {
        match self.get(id) {
            Some(Authority::Local(local)) => local.most(now),
            Some(Authority::Leased(leased)) => leased.most(&self.moment(now)),
            None => 0,
        }
    }

    /// Whether there is room for an amount if so much of the bound is withheld. Nothing always fits.
    #[must_use]
    pub fn room(&self, id: AccountId, amount: u64, withheld: u64, now: Now) -> Room {
        match self.get(id) {
            Some(Authority::Local(local)) => local.room(amount, withheld, now),
            Some(Authority::Leased(leased)) => leased.room(amount, withheld, &self.moment(now)),
            None => Room::Full,
        }
    }

    /// Remembers that an amount is missing, for the next request.
    pub fn need(&mut self, id: AccountId, amount: u64) {
        if amount > 0 {
            self.hasten(id, |leased| {
                leased.need(amount);
                Plan { urgent: leased.ask_at, ..Plan::NEVER }
            });
        }
    }

    /// Holds an amount that [`Books::room`] said fits. It belongs to the window that is returned.
    pub fn take(&mut self, id: AccountId, amount: u64, now: Now) -> Window {
        if let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) {
            return Window { id: local.take(amount, now), life: 0 };
        }
        let taken = self.with_leased(id, now, |leased, link, moment| {
            let (id, beyond) = leased.take(amount, moment);
            link.degraded = link.degraded.saturating_add(u64::from(beyond > 0));
            Window { id, life: link.life }
        });
        taken.unwrap_or_default()
    }

    /// Ends a hold; what was used is spent, be it less or more.
    pub fn settle(&mut self, id: AccountId, window: Window, held: u64, used: u64, now: Now) {
        if let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) {
            return local.settle(window.id, held, used, now);
        }
        self.with_leased(id, now, |leased, link, moment| {
            if link.is_closing {
                // The hold was spent in full when everything was given back.
                leased.settle(window.id, 0, used.saturating_sub(held), moment);
            } else if link.life == window.life {
                leased.settle(window.id, held, used, moment);
            } else {
                // Nothing stands behind a hold of an earlier life.
                leased.settle(window.id, 0, used, moment);
            }
        });
    }

    /// What was spent turns out not to be.
    pub fn refund(&mut self, id: AccountId, window: Window, amount: u64, now: Now) {
        if let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) {
            return local.refund(window.id, amount);
        }
        self.with_leased(id, now, |leased, link, moment| {
            if link.life == window.life {
                leased.refund(window.id, amount, moment);
            }
        });
    }

    /// More was spent than was settled.
    pub fn charge(&mut self, id: AccountId, window: Window, amount: u64, now: Now) {
        self.settle(id, window, 0, amount, now);
    }

    /// How often the bound may still be raised, of so many times in one window.
    #[must_use]
    pub fn grants_left(&self, id: AccountId, times: u64, now: Now) -> u64 {
        match self.get(id) {
            Some(Authority::Local(local)) => times.saturating_sub(local.raised(now)),
            Some(Authority::Leased(leased)) => times.saturating_sub(leased.raised(&self.moment(now))),
            None => 0,
        }
    }

    /// A person raises the bound of the current window. `false` if that was done too often already.
    pub fn grant(&mut self, id: AccountId, amount: u64, times: u64, now: Now) -> bool {
        if self.grants_left(id, times, now) == 0 {
            return false;
        }
        if let Some(Account { authority: Authority::Local(local), .. }) = self.get_mut(id) {
            local.raise(amount, now);
            return true;
        }
        let raised = self.with_leased(id, now, |leased, _, moment| leased.raise(amount, times, moment));
        self.hasten(id, |_| Plan { urgent: 0, ..Plan::NEVER });
        raised.is_some()
    }

    /// How an account stands.
    #[must_use]
    pub fn standing(&self, id: AccountId, now: Now) -> Standing {
        match self.get(id) {
            Some(Authority::Local(local)) => local.standing(now),
            Some(Authority::Leased(leased)) => leased.standing(&self.moment(now)),
            None => Standing::default(),
        }
    }

    /// How the books stand with their store.
    #[must_use]
    pub fn health(&self, now: Now) -> Health {
        let Some(link) = &self.link else { return Health::default() };
        Health { refused: self.refused_account(), ..link.health(now) }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
