//! Where accounts are, by their numbers, and how often one of them may have changed.

use std::num::NonZeroU32;

use super::{Account, AccountId};

/// A place in the table; its generation tells old ids from new ones. An account is in one line of a
/// processor's memory.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Place {
    pub(super) generation: NonZeroU32,
    /// How many use the account.
    pub(super) users: u32,
    pub(super) account: Option<Account>,
}

/// All places.
///
/// INVARIANT (places): while `changes` is the same, so is every account. Whoever could change one is counted:
/// there is no other way to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    all: Vec<Place>,
    changes: u64,
}

impl Places {
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Place> {
        self.all.get(index(number))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Place> {
        self.changes = self.changes.wrapping_add(1);
        self.all.get_mut(index(number))
    }

    #[inline]
    pub(super) fn all(&self) -> &[Place] {
        &self.all
    }

    #[inline]
    pub(super) fn all_mut(&mut self) -> (&mut [Place], u64) {
        self.changes = self.changes.wrapping_add(1);
        (&mut self.all, self.changes)
    }

    /// The place of an account that is still the same.
    #[inline]
    pub(super) fn of(&mut self, id: AccountId) -> Option<&mut Place> {
        self.get_mut(id.place).filter(|place| place.generation == id.generation)
    }

    /// Adds an empty place: its number.
    pub(super) fn add(&mut self, generation: NonZeroU32) -> u32 {
        self.all.push(Place { generation, users: 0, account: None });
        u32::try_from(self.all.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Puts an account into an empty place.
    pub(super) fn put(&mut self, number: u32, account: Account) -> AccountId {
        let mut generation = NonZeroU32::MIN;
        if let Some(place) = self.get_mut(number) {
            place.generation = place.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
            (place.users, place.account) = (1, Some(account));
            generation = place.generation;
        }
        AccountId { place: number, generation }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.all.iter()
    }
}

#[inline]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_line() {
        assert_eq!(size_of::<Place>(), 64);
    }
}
