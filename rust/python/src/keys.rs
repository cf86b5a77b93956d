//! Keys of the host's dicts, known by their address once they were known by their text.
//!
//! A host builds its facts from the same literals again and again, so the very same objects come as keys.
//! Where one lies says what it is for, with no look-up by hash, no comparison of texts and no lock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::walk::{Seen, glance};

/// As many places as one key may be in.
const PROBES: usize = 4;

/// So many places for each key, so that nearly every one is in the first that it may be in.
const ROOM: usize = 16;

/// At most so many places: other keys are looked up by their text.
const MOST: usize = 4096;

/// An odd number of no pattern: two to the 64th by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A seat has in these bits what its key is for, and above them where the key lies, in sixteens. One word
/// says both, so that nobody sees the one of an older guest with the other of a newer.
const USE_BITS: u32 = 20;

/// What text keys are for, by their address.
#[derive(Debug)]
pub(crate) struct Keys {
    /// As many as a power of two; 0 in one that is free.
    seats: Box<[AtomicU64]>,
    /// The keys on the seats. They are kept, so that no other object gets their address; a seat is given to
    /// another key before the one on it is let go.
    guests: Mutex<Box<[Option<Py<PyString>>]>>,
}

impl Keys {
    /// A table for so many keys.
    pub(crate) fn of(keys: usize) -> Self {
        let seats = keys.saturating_mul(ROOM).next_power_of_two().min(MOST);
        Self {
            seats: (0..seats).map(|_| AtomicU64::new(0)).collect(),
            guests: Mutex::new((0..seats).map(|_| None).collect()),
        }
    }

    /// Passes on each value of `dict` with what its key is for, which `find` tells by the text: a number.
    ///
    /// `false` if a key is for nothing known, or no plain text, or if `take` does not want it.
    pub(crate) fn each<'py>(
        &self,
        dict: &Bound<'py, PyDict>,
        find: impl Fn(&str) -> Option<usize>,
        take: impl FnMut(usize, Seen<'py>) -> bool,
    ) -> bool {
        glance(dict, self, |key| self.learn(&key, &find), take)
    }

    /// What the key at an address is for, if it sits there. Compares numbers, and runs nothing else.
    #[inline]
    pub(crate) fn at(&self, address: usize) -> Option<usize> {
        self.seated(address, self.place(address, 0))
    }

    #[inline]
    fn seated(&self, address: usize, place: usize) -> Option<usize> {
        let seat = self.seats.get(place)?.load(Ordering::Relaxed);
        let is_there = seat >> USE_BITS == sixteens(address);
        if is_there { usize::try_from(seat & !(u64::MAX << USE_BITS)).ok() } else { None }
    }

    /// The same of a key that is elsewhere, or not there yet; it is known from now on.
    #[cold]
    fn learn(&self, key: &Bound<'_, PyAny>, find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        let key = key.cast_exact::<PyString>().ok()?;
        let address = key.as_ptr().addr();
        let mut places = (0..PROBES).map(|probe| self.place(address, probe));
        if let Some(known) = places.find_map(|place| self.seated(address, place)) {
            return Some(known);
        }
        let found = find(key.to_str().ok()?)?;
        let seat = u64::try_from(found).ok().filter(|known| known >> USE_BITS == 0);
        let seat = seat.filter(|_| sixteens(address) >> (u64::BITS - USE_BITS) == 0);
        // Never waited for: who finds the guests taken leaves the key unseated.
        if let (Some(seat), Ok(mut guests)) = (seat, self.guests.try_lock()) {
            let mut places = (0..PROBES).map(|probe| self.place(address, probe));
            let is_free = |place: &usize| matches!(guests.get(*place), Some(None));
            // If there is no free place, the newest guest has the first.
            let place = places.find(is_free).unwrap_or_else(|| self.place(address, 0));
            if let (Some(free), Some(guest)) = (self.seats.get(place), guests.get_mut(place)) {
                free.store((sixteens(address) << USE_BITS) | seat, Ordering::Relaxed);
                *guest = Some(key.clone().unbind());
            }
        }
        Some(found)
    }

    /// Where a key may sit.
    #[inline]
    fn place(&self, address: usize, probe: usize) -> usize {
        // The upper half of a product: every bit of the address has a say in each of its lower bits.
        let spread = sixteens(address).wrapping_mul(SPREAD) >> 32;
        (spread as usize).wrapping_add(probe) & self.seats.len().wrapping_sub(1)
    }
}

/// Objects lie on multiples of 16.
#[inline]
const fn sixteens(address: usize) -> u64 {
    (address >> 4) as u64
}
