//! What a dict holds, one member after the other, by Python's C functions: a walk through the safe ones takes
//! twice as long, and every call walks twice.
#![expect(unsafe_code, reason = "see the comment at each block")]

use std::borrow::Cow;
use std::{ptr, slice, str};

use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use pyo3::{PyTypeInfo, ffi};

use crate::keys::Keys;

/// A value, read as far as no code of the host's can run: what is of Python's own types itself.
#[derive(Clone, Debug)]
pub(crate) enum Seen<'py> {
    Nothing,
    Flag(bool),
    Int(i64),
    Float(f64),
    Text(Bound<'py, PyString>),
    /// Of another type, or a larger number.
    Other(Bound<'py, PyAny>),
}

/// Passes on each key with its value until one is not taken; whether all were.
///
/// What `take` does may change the dict: then some members come twice, or not at all.
#[inline]
pub(crate) fn walk<'py>(
    dict: &Bound<'py, PyDict>,
    mut take: impl FnMut(Bound<'py, PyAny>, Seen<'py>) -> bool,
) -> bool {
    with_critical_section(dict, || {
        let (mut place, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: `dict` is a dict, the interpreter is attached (`'py` says so), and the three places are
        // ours. The function looks at the dict as it is now, so one that was changed is no matter.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut place, &raw mut key, &raw mut value) } != 0 {
            // SAFETY: both are objects that the dict keeps, and nothing was run since it gave them: `seen`
            // runs nothing that could change it. From here on what is needed of them is kept by us.
            let (key, value) = unsafe {
                (Bound::from_borrowed_ptr(dict.py(), key), seen(Borrowed::from_ptr(dict.py(), value)))
            };
            if !take(key, value) {
                return false;
            }
        }
        true
    })
}

/// The same with what each key is for, by its address; `learn` tells of one that is not known by that.
///
/// Keys are not kept meanwhile, nor are the values of which nothing is needed once they are read.
#[inline]
pub(crate) fn glance<'py>(
    dict: &Bound<'py, PyDict>,
    keys: &Keys,
    mut learn: impl FnMut(Bound<'py, PyAny>) -> Option<usize>,
    mut take: impl FnMut(usize, Seen<'py>) -> bool,
) -> bool {
    with_critical_section(dict, || {
        let (mut place, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: as above.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut place, &raw mut key, &raw mut value) } != 0 {
            // SAFETY: the dict keeps the value, and nothing was run since it gave it. `seen` runs nothing
            // that could change the dict, and what it gives is kept by us.
            let value = unsafe { seen(Borrowed::from_ptr(dict.py(), value)) };
            let known = match keys.at(key.addr()) {
                Some(known) => known,
                None => {
                    // SAFETY: the dict still keeps the key, as `seen` and `at` have run no code of anybody's.
                    let key = unsafe { Bound::from_borrowed_ptr(dict.py(), key) };
                    let Some(known) = learn(key) else { return false };
                    known
                }
            };
            if !take(known, value) {
                return false;
            }
        }
        true
    })
}

/// What a value is. Nothing is allocated here, and no exception made: either may collect garbage, whose end
/// may be code of the host's.
#[inline(always)]
pub(crate) fn seen<'py>(value: Borrowed<'_, 'py, PyAny>) -> Seen<'py> {
    if let Some(text) = exact::<PyString>(value) {
        return Seen::Text(text.to_owned());
    }
    if let Some(number) = exact::<PyFloat>(value) {
        return Seen::Float(number.value());
    }
    if let Some(number) = whole(value) {
        return Seen::Int(number);
    }
    if let Some(flag) = exact::<PyBool>(value) {
        return Seen::Flag(flag.is_true());
    }
    if value.is_none() {
        return Seen::Nothing;
    }
    Seen::Other(value.to_owned())
}

/// The number of an `int` itself, if it is no larger than ours.
#[inline(always)]
pub(crate) fn whole(value: Borrowed<'_, '_, PyAny>) -> Option<i64> {
    let number = exact::<PyInt>(value)?;
    let mut beyond = 0;
    // SAFETY: it is an `int`, so that its value is read and no method of it asked for; the place is ours.
    let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut beyond) };
    (beyond == 0).then_some(number)
}

/// A text as UTF-8; none of one with lone surrogates.
#[inline(always)]
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    let mut length = 0;
    // SAFETY: it is a `str`, and the place is ours.
    let bytes = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut length) };
    if bytes.is_null() {
        drop(PyErr::take(text.py()));
        return None;
    }
    // SAFETY: so many bytes of UTF-8, which the text keeps and never changes.
    unsafe {
        let bytes = slice::from_raw_parts(bytes.cast::<u8>(), length.cast_unsigned());
        Some(str::from_utf8_unchecked(bytes))
    }
}

/// A text as UTF-8; what has none becomes a sign of that.
#[inline]
pub(crate) fn lossy<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    utf8(text).map_or_else(|| text.to_string_lossy(), Cow::Borrowed)
}

/// A value of this very type. A cast that fails would make an error first, which counts who has the type.
#[inline(always)]
fn exact<'a, 'py, T: PyTypeInfo>(value: Borrowed<'a, 'py, PyAny>) -> Option<Borrowed<'a, 'py, T>> {
    if value.is_exact_instance_of::<T>() { value.cast_exact().ok() } else { None }
}
