//! Keys of the host's dicts, known by their address once they were known by their text.
//!
//! A host builds its facts from the same literals again and again, so the very same objects come as keys.
//! Where one lies says what it is for, with no look-up by hash and no comparison of texts.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::walk::walk;

/// As many places as one key may be in.
const PROBES: usize = 4;

/// At most so many places: other keys are looked up by their text.
const MOST: usize = 4096;

/// What text keys are for, by their address. An object that it knows is kept, so that no other gets that.
#[derive(Debug)]
pub(crate) struct Keys<T> {
    /// As many as a power of two. Never waited for: who finds it locked goes by the texts.
    seats: Mutex<Box<[Seat<T>]>>,
}

type Seat<T> = Option<(Py<PyString>, T)>;

impl<T: Copy> Keys<T> {
    /// A table for so many keys.
    pub(crate) fn of(keys: usize) -> Self {
        let seats = keys.saturating_mul(PROBES).next_power_of_two().min(MOST);
        Self { seats: Mutex::new((0..seats).map(|_| None).collect()) }
    }

    /// Passes on each value of `dict` with what its key is for, which `find` tells by the text.
    ///
    /// `false` if a key is for nothing known, or no plain text, or if `take` does not want it.
    pub(crate) fn each<'py>(
        &self,
        dict: &Bound<'py, PyDict>,
        find: impl Fn(&str) -> Option<T>,
        mut take: impl FnMut(T, Bound<'py, PyAny>) -> bool,
    ) -> bool {
        let mut seats = self.seats.try_lock().ok();
        walk(dict, |key, value| {
            let Ok(key) = key.cast_exact::<PyString>() else { return false };
            let known = match &mut seats {
                Some(seats) => known(seats, key, &find),
                None => key.to_str().ok().and_then(&find),
            };
            known.is_some_and(|known| take(known, value))
        })
    }
}

/// What `key` is for; the table knows it from now on.
#[inline]
fn known<T: Copy>(
    seats: &mut [Seat<T>],
    key: &Bound<'_, PyString>,
    find: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    // Nearly every key is in the first place that it may be in.
    match seats.get(place(key, 0, seats.len())) {
        Some(Some((seated, known))) if seated.as_ptr() == key.as_ptr() => Some(*known),
        _ => seated(seats, key, find),
    }
}

/// The same of a key that is elsewhere, or not there yet.
#[cold]
fn seated<T: Copy>(
    seats: &mut [Seat<T>],
    key: &Bound<'_, PyString>,
    find: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let mut free = None;
    for probe in 0..PROBES {
        let place = place(key, probe, seats.len());
        match seats.get(place) {
            Some(Some((seated, known))) if seated.as_ptr() == key.as_ptr() => return Some(*known),
            Some(None) => free = free.or(Some(place)),
            _ => {}
        }
    }
    let found = find(key.to_str().ok()?)?;
    // If there is no free place, the newest guest has the first.
    if let Some(seat) = seats.get_mut(free.unwrap_or_else(|| place(key, 0, seats.len()))) {
        *seat = Some((key.clone().unbind(), found));
    }
    Some(found)
}

/// Where `key` may sit among so many places, a power of two. Objects lie on multiples of 16.
fn place(key: &Bound<'_, PyString>, probe: usize, seats: usize) -> usize {
    let address = key.as_ptr().addr() >> 4;
    let spread = address ^ (address >> 8) ^ (address >> 16);
    spread.wrapping_add(probe) & seats.saturating_sub(1)
}
