//! Places that are made when they are needed and stay where they are, for ever: so they are found without a
//! lock, and a handle from long ago leads to a place that can say so.

use std::sync::{Mutex, OnceLock, PoisonError};

/// The first chunk has so many places, each next one twice as many.
const FIRST: usize = 64;
const CHUNKS: usize = 16;

/// A growing list of places that are filled once.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; CHUNKS],
    length: Mutex<u32>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], length: Mutex::new(0) }
    }

    /// What was put there.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, place) = split(index)?;
        self.chunks.get(chunk)?.get()?.get(place)?.get()
    }

    /// Puts one more there, made for its index; nothing if there are too many.
    pub(crate) fn push(&self, make: impl FnOnce(u32) -> T) -> Option<u32> {
        let mut length = self.length.lock().unwrap_or_else(PoisonError::into_inner);
        let index = *length;
        let (chunk, place) = split(index)?;
        let size = FIRST.checked_shl(u32::try_from(chunk).ok()?)?;
        let places = self.chunks.get(chunk)?.get_or_init(|| (0..size).map(|_| OnceLock::new()).collect());
        places.get(place)?.set(make(index)).ok()?;
        *length = index.checked_add(1)?;
        Some(index)
    }
}

/// The chunk of an index, and its place there.
#[inline]
fn split(index: u32) -> Option<(usize, usize)> {
    let shifted = (index as usize).checked_add(FIRST)?;
    let chunk = shifted.ilog2().checked_sub(FIRST.ilog2())?;
    Some((chunk as usize, shifted ^ FIRST.checked_shl(chunk)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_somewhere_stays_there() {
        let pool = Pool::new();
        assert_eq!((pool.get(0), pool.get(u32::MAX)), (None, None));
        for index in 0..1000 {
            assert_eq!(pool.push(|made| made * 2), Some(index));
        }
        assert!((0..1000).all(|index| pool.get(index) == Some(&(index * 2))));
        assert_eq!(pool.get(1000), None);
    }

    #[test]
    fn chunks_lie_side_by_side() {
        assert_eq!((split(0), split(63), split(64)), (Some((0, 0)), Some((0, 63)), Some((1, 0))));
        assert_eq!((split(191), split(192)), (Some((1, 127)), Some((2, 0))));
    }
}
