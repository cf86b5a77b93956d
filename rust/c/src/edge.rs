//! What C hands over, read: the only file with `unsafe` code.
//!
//! What can be checked is: null, sizes, alignment, kinds, UTF-8. The rest is the header's contract, which
//! every `SAFETY` below rests on: a pointer with a size says where so many readable elements are, until the
//! function returns.

#![expect(unsafe_code, reason = "pointers of C have to be followed somewhere")]

use std::mem::MaybeUninit;
use std::str;

use crate::fault::{Fault, bad};
use crate::types::{FLAG, INTEGER, LIST, MISSING, REAL, TEXT};

/// So many elements from here on; none may be a null pointer. Only C makes one.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Span<T> {
    data: *const T,
    size: usize,
}

/// A list of names.
pub(crate) type Texts = Span<Span<u8>>;

impl<T> Span<T> {
    /// The elements.
    pub(crate) fn read(&self) -> Result<&[T], Fault> {
        if self.size == 0 {
            return Ok(&[]);
        }
        let bytes = self.size.checked_mul(size_of::<T>()).filter(|bytes| isize::try_from(*bytes).is_ok());
        if self.data.is_null() || !self.data.is_aligned() || bytes.is_none() {
            return Err(bad("a pointer is null or not aligned, or its size is too large"));
        }
        // SAFETY: not null, aligned and no larger than memory; so many elements are readable by the contract,
        // and all elements that there are (bytes, and structures of numbers and pointers) may hold any bits.
        Ok(unsafe { std::slice::from_raw_parts(self.data, self.size) })
    }
}

impl Span<u8> {
    /// A text that lasts, for C.
    pub(crate) const fn lasting(text: &'static str) -> Self {
        Self { data: text.as_ptr(), size: text.len() }
    }

    /// The same bytes as a text.
    pub(crate) fn text(&self) -> Result<&str, Fault> {
        str::from_utf8(self.read()?).map_err(|_| bad("a text is not UTF-8"))
    }

    /// The text, or nothing for one without bytes.
    pub(crate) fn given(&self) -> Result<Option<&str>, Fault> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }
}

/// A value of a host; which member of it counts is said by its kind.
#[repr(C)]
pub(crate) struct Value {
    kind: u32,
    reserved: u32,
    of: Of,
    size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
union Of {
    integer: i64,
    real: f64,
    text: *const u8,
    items: *const Value,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Value").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A value that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    Missing,
    Flag(bool),
    Integer(i64),
    Real(f64),
    Text(&'a str),
    List(&'a [Value]),
}

impl Value {
    /// What it holds.
    pub(crate) fn read(&self) -> Result<Given<'_>, Fault> {
        // SAFETY: numbers may hold any bits, so these members may be read whichever was written. Pointers are
        // read where the kind says so only, and then checked as all are.
        let (integer, real) = unsafe { (self.of.integer, self.of.real) };
        match self.kind {
            MISSING => Ok(Given::Missing),
            FLAG if integer == 0 || integer == 1 => Ok(Given::Flag(integer == 1)),
            FLAG => Err(bad("a flag is neither 0 nor 1")),
            INTEGER => Ok(Given::Integer(integer)),
            REAL => Ok(Given::Real(real)),
            TEXT => {
                // SAFETY: as above; the kind says that a pointer to bytes was written.
                let data = unsafe { self.of.text };
                let bytes = read(data, self.size)?;
                str::from_utf8(bytes).map(Given::Text).map_err(|_| bad("a text is not UTF-8"))
            }
            LIST => {
                // SAFETY: as above; the kind says that a pointer to values was written.
                let data = unsafe { self.of.items };
                read(data, self.size).map(Given::List)
            }
            kind => Err(bad(format!("there is no kind of value {kind}"))),
        }
    }
}

/// The elements of a span that lives as long as the value that it was read from.
fn read<'a, T>(data: *const T, size: usize) -> Result<&'a [T], Fault> {
    let span = Span { data, size };
    let elements: *const [T] = span.read()?;
    // SAFETY: `Span::read` has checked it, and what it points to lives until the function of the door
    // returns, as the value does that this was read from.
    Ok(unsafe { &*elements })
}

/// A place of C's where something is written to: a pointer that may be null.
pub(crate) type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// A structure of C's: a pointer that may be null.
pub(crate) type In<'a, T> = Option<&'a T>;

/// Writes what a function gives; that there is a place for it was asked before anything happened.
pub(crate) fn place<T>(out: Out<'_, T>) -> Result<&mut MaybeUninit<T>, Fault> {
    out.ok_or_else(|| bad("there is no place for what the function gives: its pointer is null"))
}

/// A structure that has to be there.
pub(crate) fn there<'a, T>(input: In<'a, T>) -> Result<&'a T, Fault> {
    input.ok_or_else(|| bad("a structure is not there: its pointer is null"))
}

/// Has the children of this process told that they are forks: a program in C has no other hook, and that of
/// Python tells those alone that Python makes itself.
pub(crate) fn watch_forks() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    extern "C" fn child() {
        checkrein_host::forked();
    }
    ONCE.call_once(|| {
        // SAFETY: the hook only adds to an atomic number, which is sound in a child of any process. It is in
        // this library, which takes its hooks along when it is unloaded.
        let _no_memory = unsafe { libc::pthread_atfork(None, None, Some(child)) };
    });
}

/// Bytes of C's that a text is copied to.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Buffer {
    data: *mut u8,
    size: usize,
}

impl Buffer {
    /// As much of the text as fits, with a zero behind it. Gives the length of the whole text.
    pub(crate) fn fill(&self, text: &str) -> usize {
        let room = self.size.saturating_sub(1);
        let fits = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if !self.data.is_null() && self.size > 0 {
            // SAFETY: `size` bytes are writable by the contract, and `fits` and one more are no more than
            // that. No text of ours lies in a buffer of C's.
            unsafe {
                std::ptr::copy_nonoverlapping(text.as_ptr(), self.data, fits);
                self.data.add(fits).write(0);
            }
        }
        text.len()
    }
}
