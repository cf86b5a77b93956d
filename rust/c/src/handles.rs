//! What handles stand for. A handle is a number that says which kind of thing, which place, and which of
//! those that had the place one after the other: a closed one is told apart from the next, and from any
//! other kind.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fault::{Fault, closed};
use crate::pool::Pool;
use crate::types;

/// In a handle: the index below, the generation above it, the kind on top.
const GENERATION: u32 = 32;
const KIND: u32 = 61;
const LAST_GENERATION: u32 = (1 << (KIND - GENERATION)) - 1;

/// A handle from its parts; none is 0, since generations begin with 1.
pub(crate) fn handle(kind: u64, generation: u32, index: u32) -> u64 {
    kind << KIND | u64::from(generation) << GENERATION | u64::from(index)
}

/// Generation and index of a handle of this kind.
#[inline]
pub(crate) fn parts(kind: u64, handle: u64) -> Option<(u32, u32)> {
    let generation = u32::try_from(handle >> GENERATION).ok()? & LAST_GENERATION;
    let index = u32::try_from(handle & u64::from(u32::MAX)).ok()?;
    (handle >> KIND == kind && generation > 0).then_some((generation, index))
}

/// The next generation of a place; nothing if it has had all of them, and stays empty.
pub(crate) fn next(generation: u32) -> Option<u32> {
    generation.checked_add(1).filter(|next| *next <= LAST_GENERATION)
}

/// Things of one kind, each behind its own lock.
#[derive(Debug)]
pub(crate) struct Handles<T> {
    kind: u64,
    what: &'static str,
    places: Pool<Mutex<Place<T>>>,
    free: Mutex<Vec<u32>>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    thing: Option<T>,
}

impl<T> Handles<T> {
    /// Of a kind from 1 to 7; `what` is its word in messages.
    pub(crate) const fn new(kind: u64, what: &'static str) -> Self {
        Self { kind, what, places: Pool::new(), free: Mutex::new(Vec::new()) }
    }

    /// Keeps one more thing.
    pub(crate) fn open(&self, thing: T) -> Result<u64, Fault> {
        let free = locked(&self.free).pop();
        let full = || Fault::new(types::FULL, format!("too many of a {} are open; close some", self.what));
        let empty = |_| Mutex::new(Place { generation: 0, thing: None });
        let index = free.or_else(|| self.places.push(empty)).ok_or_else(full)?;
        let mut place = locked(self.places.get(index).ok_or_else(full)?);
        place.generation = next(place.generation).ok_or_else(full)?;
        place.thing = Some(thing);
        Ok(handle(self.kind, place.generation, index))
    }

    /// Does something with the thing of a handle. Others wait meanwhile, who closes it too.
    pub(crate) fn with<R>(
        &self,
        handle: u64,
        act: impl FnOnce(&mut T) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let closed = || closed(self.what);
        let (generation, index) = parts(self.kind, handle).ok_or_else(closed)?;
        let mut place = locked(self.places.get(index).ok_or_else(closed)?);
        if place.generation != generation {
            return Err(closed());
        }
        act(place.thing.as_mut().ok_or_else(closed)?)
    }

    /// Takes the thing away; from now on its handle stands for nothing.
    pub(crate) fn close(&self, handle: u64) -> Result<T, Fault> {
        let closed = || closed(self.what);
        let (generation, index) = parts(self.kind, handle).ok_or_else(closed)?;
        let mut place = locked(self.places.get(index).ok_or_else(closed)?);
        if place.generation != generation {
            return Err(closed());
        }
        let thing = place.thing.take().ok_or_else(closed)?;
        if next(place.generation).is_some() {
            locked(&self.free).push(index);
        }
        Ok(thing)
    }
}

/// A lock, whatever became of the thread that had it before: what it protects is whole at any time.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_handle_stands_for_nothing_for_ever() {
        let handles = Handles::new(3, "thing");
        let other: Handles<i32> = Handles::new(4, "other");
        let first = handles.open(10).unwrap();
        assert_eq!(handles.with(first, |thing| Ok(*thing)).unwrap(), 10);
        assert!(other.with(first, |_| Ok(())).is_err(), "another kind");
        assert_eq!(handles.close(first).unwrap(), 10);
        assert_eq!(handles.close(first).unwrap_err().status, types::CLOSED);
        let second = handles.open(20).unwrap();
        assert_ne!(first, second);
        assert!(handles.with(first, |_| Ok(())).is_err(), "the place is another's now");
        assert_eq!(handles.with(second, |thing| Ok(*thing)).unwrap(), 20);
        for wrong in [0, 1, u64::MAX, handle(3, 0, 0), handle(3, 1, 9)] {
            assert!(handles.with(wrong, |_| Ok(())).is_err());
        }
    }

    #[test]
    fn a_place_that_had_all_its_generations_stays_empty() {
        let handles = Handles::new(3, "thing");
        let first = handles.open(1).unwrap();
        let (_, index) = parts(3, first).unwrap();
        locked(handles.places.get(index).unwrap()).generation = LAST_GENERATION;
        handles.close(handle(3, LAST_GENERATION, index)).unwrap();
        assert_ne!(parts(3, handles.open(2).unwrap()).unwrap().1, index);
    }
}
