//! Keys of the host's dicts, known by their address once they were known by their text.
//!
//! A host builds its facts from the same literals again and again, so the very same objects come as keys.
//! Where one lies says what it is for, with no look-up by hash and no comparison of texts.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::walk::{Seen, glance};

/// As many places as one key may be in.
const PROBES: usize = 4;

/// At most so many places: other keys are looked up by their text.
const MOST: usize = 4096;

/// What text keys are for.
#[derive(Debug)]
pub(crate) struct Keys<T> {
    /// Never waited for: who finds them taken goes by the texts.
    seats: Mutex<Seats<T>>,
}

/// What text keys are for, by their address. An object that it knows is kept, so that no other gets that. As
/// many seats as a power of two, or none at all.
#[derive(Debug)]
pub(crate) struct Seats<T>(Box<[Seat<T>]>);

type Seat<T> = Option<(Py<PyString>, T)>;

impl<T: Copy> Keys<T> {
    /// A table for so many keys.
    pub(crate) fn of(keys: usize) -> Self {
        let seats = keys.saturating_mul(PROBES).next_power_of_two().min(MOST);
        Self { seats: Mutex::new(Seats((0..seats).map(|_| None).collect())) }
    }

    /// Passes on each value of `dict` with what its key is for, which `find` tells by the text.
    ///
    /// `false` if a key is for nothing known, or no plain text, or if `take` does not want it.
    pub(crate) fn each<'py>(
        &self,
        dict: &Bound<'py, PyDict>,
        find: impl Fn(&str) -> Option<T>,
        take: impl FnMut(T, Seen<'py>) -> bool,
    ) -> bool {
        let mut none = Seats(Box::default());
        let mut seats = self.seats.try_lock();
        let seats = seats.as_deref_mut().unwrap_or(&mut none);
        glance(dict, seats, |seats, key| seats.learn(&key, &find), take)
    }
}

impl<T: Copy> Seats<T> {
    /// What the key at an address is for, if it sits there. Compares numbers, and runs nothing else.
    #[inline]
    pub(crate) fn at(&self, address: usize) -> Option<T> {
        // Nearly every key is in the first place that it may be in.
        match self.0.get(self.place(address, 0)) {
            Some(Some((seated, known))) if seated.as_ptr().addr() == address => Some(*known),
            _ => None,
        }
    }

    /// The same of a key that is elsewhere, or not there yet; it is known from now on.
    #[cold]
    fn learn(&mut self, key: &Bound<'_, PyAny>, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let key = key.cast_exact::<PyString>().ok()?;
        let (address, mut free) = (key.as_ptr().addr(), None);
        for probe in 0..PROBES {
            let place = self.place(address, probe);
            match self.0.get(place) {
                Some(Some((seated, known))) if seated.as_ptr().addr() == address => return Some(*known),
                Some(None) => free = free.or(Some(place)),
                _ => {}
            }
        }
        let found = find(key.to_str().ok()?)?;
        // If there is no free place, the newest guest has the first.
        let place = free.unwrap_or_else(|| self.place(address, 0));
        if let Some(seat) = self.0.get_mut(place) {
            *seat = Some((key.clone().unbind(), found));
        }
        Some(found)
    }

    /// Where a key may sit. Objects lie on multiples of 16.
    #[inline]
    fn place(&self, address: usize, probe: usize) -> usize {
        let address = address >> 4;
        let spread = address ^ (address >> 8) ^ (address >> 16);
        spread.wrapping_add(probe) & self.0.len().wrapping_sub(1)
    }
}
