//! What is asked of one account: room, holds and their ends, raised bounds, how it stands.

use super::leased::Leased;
use super::link::{Link, Moment};
use super::local::Local;
use super::schedule::Plan;
use super::{Account, AccountId, Authority, Books, Room, Standing, Window};
use crate::event::Now;

impl Books {
    /// An account that this process decides about alone. The way there is short, and what is leased is apart:
    /// most accounts are a run's own.
    #[inline]
    fn alone(&mut self, id: AccountId) -> Option<&mut Local> {
        match &mut self.get_mut(id)?.authority {
            Authority::Local(local) => Some(local),
            Authority::Leased(_) => None,
        }
    }

    /// What the line lets a leased account say.
    #[inline]
    fn read<T>(&self, now: Now, what: impl FnOnce(&Moment) -> T) -> Option<T> {
        self.link.as_ref().map(|link| what(&link.moment(now)))
    }

    /// Does something to a leased account, and looks at it no later than it wishes then.
    #[inline]
    fn with_leased<T>(
        &mut self,
        id: AccountId,
        now: Now,
        how: impl FnOnce(&mut Leased, &mut Link, &Moment) -> T,
    ) -> Option<T> {
        let (leased, users, link) = self.leased_at(id)?;
        let moment = link.moment(now);
        let done = how(leased, link, &moment);
        // Nothing that is said by itself is said sooner; a set is changed once a report, not once a call.
        if leased.planned.rest > leased.soon() {
            let wishes = leased.wishes(users, &moment);
            link.hasten(id.place, leased, wishes);
        }
        Some(done)
    }

    /// A leased account, how many use it, and the line.
    #[inline]
    fn leased_at(&mut self, id: AccountId) -> Option<(&mut Leased, u64, &mut Link)> {
        let link = self.link.as_mut()?;
        let place = self.places.of(id)?;
        match &mut place.account {
            Some(Account { authority: Authority::Leased(leased), .. }) => {
                Some((leased, place.users.into(), link))
            }
            _ => None,
        }
    }

    /// Plans a leased account as somebody wishes who waits for it.
    pub(super) fn hasten(&mut self, id: AccountId, wishes: impl FnOnce(&mut Leased) -> Plan) {
        if let Some((leased, _, link)) = self.leased_at(id) {
            let wishes = wishes(leased);
            link.hasten(id.place, leased, wishes);
        }
    }

    /// The most that a take could get, if the store agrees.
    #[must_use]
    #[inline]
    pub fn most(&self, id: AccountId, now: Now) -> u64 {
        match self.get(id) {
            Some(Authority::Local(local)) => local.most(now),
            Some(Authority::Leased(leased)) => {
                self.read(now, |moment| leased.most(moment)).unwrap_or_default()
            }
            None => 0,
        }
    }

    /// Whether there is room for an amount if so much of the bound is withheld. Nothing always fits.
    #[must_use]
    pub fn room(&self, id: AccountId, amount: u64, withheld: u64, now: Now) -> Room {
        match self.get(id) {
            Some(Authority::Local(local)) => local.room(amount, withheld, now),
            Some(Authority::Leased(leased)) => self.leased_room(leased, amount, withheld, now),
            None => Room::Full,
        }
    }

    #[inline(never)]
    fn leased_room(&self, leased: &Leased, amount: u64, withheld: u64, now: Now) -> Room {
        self.read(now, |moment| leased.room(amount, withheld, moment)).unwrap_or(Room::Full)
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
    #[inline]
    pub fn take(&mut self, id: AccountId, amount: u64, now: Now) -> Window {
        match self.alone(id) {
            Some(local) => Window { id: local.take(amount, now), life: 0 },
            None => self.take_leased(id, amount, now),
        }
    }

    #[inline(never)]
    fn take_leased(&mut self, id: AccountId, amount: u64, now: Now) -> Window {
        let taken = self.with_leased(id, now, |leased, link, moment| {
            let (id, beyond) = leased.take(amount, moment);
            link.degraded = link.degraded.saturating_add(u64::from(beyond > 0));
            Window { id, life: link.life }
        });
        taken.unwrap_or_default()
    }

    /// Ends a hold; what was used is spent, be it less or more.
    #[inline]
    pub fn settle(&mut self, id: AccountId, window: Window, held: u64, used: u64, now: Now) {
        match self.alone(id) {
            Some(local) => local.settle(window.id, held, used, now),
            None => self.settle_leased(id, window, (held, used), now),
        }
    }

    #[inline(never)]
    fn settle_leased(&mut self, id: AccountId, window: Window, (held, used): (u64, u64), now: Now) {
        self.with_leased(id, now, |leased, link, moment| {
            let (held, used) = if link.is_closing {
                // The hold was spent in full when everything was given back.
                (0, used.saturating_sub(held))
            } else if link.life == window.life {
                (held, used)
            } else {
                // Nothing stands behind a hold of an earlier life.
                (0, used)
            };
            leased.settle(window.id, held, used, moment);
        });
    }

    /// What was spent turns out not to be.
    pub fn refund(&mut self, id: AccountId, window: Window, amount: u64, now: Now) {
        if let Some(local) = self.alone(id) {
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
            Some(Authority::Leased(leased)) => {
                self.read(now, |moment| times.saturating_sub(leased.raised(moment))).unwrap_or_default()
            }
            None => 0,
        }
    }

    /// A person raises the bound of the current window. `false` if that was done too often already.
    pub fn grant(&mut self, id: AccountId, amount: u64, times: u64, now: Now) -> bool {
        if self.grants_left(id, times, now) == 0 {
            return false;
        }
        if let Some(local) = self.alone(id) {
            local.raise(amount, now);
            return true;
        }
        let raised = self.with_leased(id, now, |leased, _, moment| leased.raise(amount, times, moment));
        self.hasten(id, |_| Plan { urgent: 0, ..Plan::NEVER });
        raised.is_some()
    }

    /// Whether it is known here how an account stands: the store has spoken of its present window, or there
    /// is none.
    #[must_use]
    pub fn is_told(&self, id: AccountId, now: Now) -> bool {
        match self.get(id) {
            Some(Authority::Local(_)) => true,
            Some(Authority::Leased(leased)) => {
                self.read(now, |moment| leased.is_told(moment)).unwrap_or(false)
            }
            None => false,
        }
    }

    /// Whether the store has said nothing of it for so long that it is worth waiting until it does.
    #[must_use]
    pub fn lacks_word(&self, id: AccountId, now: Now) -> bool {
        match self.get(id) {
            Some(Authority::Leased(leased)) => {
                self.read(now, |moment| leased.lacks_word(moment)).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// The bound of an account, and how much of it is spent and held: a part of how it stands.
    #[must_use]
    pub(crate) fn used(&self, id: AccountId, now: Now) -> (u64, u64) {
        let standing = self.standing(id, now);
        (standing.max, standing.spent.saturating_add(standing.held))
    }

    /// Spends an amount that [`Books::room`] said fits. It belongs to the window that is returned.
    #[inline]
    pub(crate) fn spend(&mut self, id: AccountId, amount: u64, now: Now) -> Window {
        if let Some(local) = self.alone(id) {
            return Window { id: local.use_up(amount, now), life: 0 };
        }
        let window = self.take_leased(id, amount, now);
        self.settle_leased(id, window, (amount, amount), now);
        window
    }

    /// What a record shows of an account: its bound, what is spent, held, and leased elsewhere.
    pub(crate) fn stand(&self, id: AccountId, now: Now) -> [u64; 4] {
        let standing = self.standing(id, now);
        [standing.max, standing.spent, standing.held, standing.leased]
    }

    /// While this is the same number, and the instant, all accounts stand as they stood; none of books whose
    /// accounts go by the word of a store.
    pub(crate) fn changes(&self) -> Option<u64> {
        self.link.is_none().then(|| self.places.changes())
    }

    /// How an account stands.
    #[must_use]
    pub fn standing(&self, id: AccountId, now: Now) -> Standing {
        match self.get(id) {
            Some(Authority::Local(local)) => local.standing(now),
            Some(Authority::Leased(leased)) => {
                self.read(now, |moment| leased.standing(moment)).unwrap_or_default()
            }
            None => Standing::default(),
        }
    }
}
