//! The members of a small object with plain names, taken in one go: what is written of a call's arguments is
//! what conditions read of them.

use checkrein_host::json::is_written_as_it_is;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::walk::{Seen, utf8, walk};

/// As many members are taken without memory of their own.
const FEW: usize = 8;

/// What was taken of an object.
#[derive(Debug)]
pub(crate) struct Members<'py> {
    taken: [Option<(Bound<'py, PyAny>, Seen<'py>)>; FEW],
    count: usize,
}

/// The same in the order of names, each of ASCII alone with nothing to escape: such names are in the same
/// order as bytes and as UTF-16.
#[derive(Debug)]
pub(crate) struct Named<'a, 'py> {
    sorted: [(&'a str, &'a Seen<'py>); FEW],
    count: usize,
}

impl<'py> Members<'py> {
    /// Nothing yet.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { taken: [const { None }; FEW], count: 0 }
    }

    /// The members of `object`, if they are few and have plain names.
    ///
    /// They are taken first, since writing a value may run host code, which may change the dict.
    #[inline]
    pub(crate) fn of(&mut self, object: &Bound<'py, PyDict>) -> Option<Named<'_, 'py>> {
        let all = walk(object, |key, value| {
            let place = self.taken.get_mut(self.count);
            self.count = self.count.saturating_add(1);
            place.map(|place| *place = Some((key, value))).is_some()
        });
        if all { self.named() } else { None }
    }

    #[inline(always)]
    fn named(&self) -> Option<Named<'_, 'py>> {
        let (mut sorted, mut count) = ([("", &Seen::Nothing); FEW], 0_usize);
        for (key, value) in self.taken.iter().map_while(Option::as_ref) {
            let name = utf8(key.cast_exact().ok()?)?;
            *sorted.get_mut(count)? = (is_written_as_it_is(name).then_some(name)?, value);
            count = count.saturating_add(1);
            // To its place among those before it.
            let mut rest = sorted.get_mut(..count)?;
            while let [.., one, other] = &mut *rest
                && one.0 > other.0
            {
                std::mem::swap(one, other);
                rest = rest.split_last_mut()?.1;
            }
        }
        Some(Named { sorted, count })
    }
}

impl<'a, 'py> Named<'a, 'py> {
    /// Each name with its value.
    #[inline]
    pub(crate) fn all(&self) -> &[(&'a str, &'a Seen<'py>)] {
        self.sorted.get(..self.count).unwrap_or_default()
    }

    /// The value of this name.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<&'a Seen<'py>> {
        self.all().iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}
