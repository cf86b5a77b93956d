//! The short way to accounts that this process decides about alone. Most are so, and a call goes it for all
//! that it draws on at once; what is not found on it is asked of the books, an account at a time.

use super::local::Local;
use super::places::Place;
use super::{Account, AccountId, Authority, Books};
use crate::event::Now;

/// All accounts, to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a>(&'a [Place]);

/// All accounts, to be changed.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    places: &'a mut [Place],
    /// How often accounts may have changed, with this time.
    pub(crate) changes: u64,
}

impl Books {
    #[inline]
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen(self.places.all())
    }

    #[inline]
    pub(crate) fn opened(&mut self) -> Open<'_> {
        let (places, changes) = self.places.all_mut();
        Open { places, changes }
    }
}

impl<'a> Seen<'a> {
    /// An account that this process decides about alone.
    #[inline]
    pub(crate) fn local(self, id: AccountId) -> Option<&'a Local> {
        let place = self.0.get(id.place as usize).filter(|place| place.generation == id.generation)?;
        match &place.account {
            Some(Account { authority: Authority::Local(local), .. }) => Some(local),
            _ => None,
        }
    }

    /// One of which all that is asked stands in its figures at this instant.
    #[inline]
    pub(crate) fn told(self, id: AccountId, now: Now) -> Option<&'a Local> {
        self.local(id).filter(|local| local.is_told(now))
    }
}

impl Open<'_> {
    /// The same, to be changed.
    #[inline]
    pub(crate) fn local(&mut self, id: AccountId) -> Option<&mut Local> {
        let place =
            self.places.get_mut(id.place as usize).filter(|place| place.generation == id.generation)?;
        match &mut place.account {
            Some(Account { authority: Authority::Local(local), .. }) => Some(local),
            _ => None,
        }
    }
}
