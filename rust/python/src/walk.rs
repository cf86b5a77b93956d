//! What a dict holds, one member after the other. The one place of this binding that calls Python's C
//! functions by itself: a walk through the safe ones takes twice as long, and every call walks twice.
#![expect(unsafe_code, reason = "see the comment at each block")]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::PyDict;

/// Passes on each key with its value until one is not taken; whether all were.
///
/// What `take` does may change the dict: then some members come twice, or not at all.
#[inline]
pub(crate) fn walk<'py>(
    dict: &Bound<'py, PyDict>,
    mut take: impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>) -> bool,
) -> bool {
    with_critical_section(dict, || {
        let (mut place, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: `dict` is a dict, the interpreter is attached (`'py` says so), and the three places are
        // ours. The function looks at the dict as it is now, so one that was changed is no matter.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut place, &raw mut key, &raw mut value) } != 0 {
            // SAFETY: both are objects that the dict keeps, and nothing was run since it gave them. From here
            // on they are kept by us, whatever `take` does to the dict.
            let (key, value) = unsafe {
                (Bound::from_borrowed_ptr(dict.py(), key), Bound::from_borrowed_ptr(dict.py(), value))
            };
            if !take(key, value) {
                return false;
            }
        }
        true
    })
}
