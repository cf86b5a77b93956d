//! Python objects as canonical JSON (RFC 8785), the bytes that call fingerprints are made of.
//!
//! Beyond RFC 8785, so that every argument has exactly one text: integers are written in full,
//! NaN and the infinities as strings, lone surrogates as `\udxxx` escapes, and values that JSON
//! does not know by their `str()` or, failing that, by their type alone. Such a text is not exact: other
//! arguments have it too.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::mem;
use std::sync::Arc;

use checkrein_host::json::{write_escaped, write_float, write_integer as write_small, write_quoted};
use policy_core::MAX_QUANTITY;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple, PyType};

use crate::convert::told;
use crate::errors;
use crate::members::{Members, Named};
use crate::walk::{Seen, seen, utf8, walk};

/// How deep lists and objects may be nested. Deeper (or endless) arguments are refused, not walked.
const MOST_LEVELS: usize = 128;

/// How many bytes the text may have. A few lists that hold each other many times would fill the memory.
const MOST_BYTES: usize = 64 << 20;

/// A buffer of so many bytes is kept for the next text.
const MOST_SPARE: usize = 1 << 14;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The canonical JSON of a value.
#[derive(Debug)]
pub(crate) struct Canonical {
    pub(crate) text: Vec<u8>,
    /// It leaves nothing out: no value is written by its type alone, no two members have one name.
    pub(crate) is_exact: bool,
    /// It holds an integer beyond 2^53 - 1, which not every reader takes for the same number.
    pub(crate) is_unsafe: bool,
}

impl Canonical {
    const fn new(text: Vec<u8>) -> Self {
        Self { text, is_exact: true, is_unsafe: false }
    }

    pub(crate) fn into_text(mut self) -> Vec<u8> {
        mem::take(&mut self.text)
    }
}

/// The canonical JSON of `value`.
///
/// # Errors
/// `EngineError` of kind `bad_value` for more than 128 levels of nesting, more than 64 MiB of text or an
/// integer too long for the interpreter to print; whatever a host object's own `str()` raises.
pub(crate) fn canonical(value: &Bound<'_, PyAny>) -> PyResult<Canonical> {
    let mut out = Canonical::new(SPARE.take());
    write(&mut out, &seen(value.as_borrowed()), 0)?;
    Ok(out)
}

/// The same of a call's arguments, of which these are the members, if they were taken.
///
/// # Errors
/// As [`canonical`].
pub(crate) fn arguments(args: &Bound<'_, PyDict>, named: Option<&Named<'_, '_>>) -> PyResult<Canonical> {
    let mut out = Canonical::new(SPARE.take());
    match named {
        Some(named) => write_named(&mut out, named, 0)?,
        None => write_any_object(&mut out, args, 0)?,
    }
    Ok(out)
}

impl Drop for Canonical {
    fn drop(&mut self) {
        if (1..=MOST_SPARE).contains(&self.text.capacity()) {
            self.text.clear();
            SPARE.set(mem::take(&mut self.text));
        }
    }
}

/// The canonical JSON of a call's arguments without those of each of these sets.
///
/// # Errors
/// As [`canonical`].
pub(crate) fn forms(args: &Bound<'_, PyDict>, ignored: &[Box<[Arc<str>]>]) -> PyResult<Vec<Vec<u8>>> {
    let form = |names: &[Arc<str>]| {
        let left = args.copy()?;
        for name in names {
            if left.contains(&**name)? {
                left.del_item(&**name)?;
            }
        }
        Ok(canonical(left.as_any())?.into_text())
    };
    ignored.iter().map(|names| form(names)).collect()
}

fn write(written: &mut Canonical, value: &Seen<'_>, level: usize) -> PyResult<()> {
    let out = &mut written.text;
    if level > MOST_LEVELS || out.len() > MOST_BYTES {
        return Err(too_much(level));
    }
    match value {
        Seen::Text(text) => match utf8(text) {
            Some(plain) => write_quoted(out, plain),
            None => write_text(out, &Text::units(text)?),
        },
        Seen::Int(number) => {
            write_small(out, *number);
            written.is_unsafe |= number.unsigned_abs() > MAX_QUANTITY;
        }
        Seen::Float(number) => write_float(out, *number),
        Seen::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Seen::Nothing => out.extend_from_slice(b"null"),
        Seen::Other(value) => return write_other(written, value, level),
    }
    Ok(())
}

#[cold]
fn too_much(level: usize) -> PyErr {
    let message = if level > MOST_LEVELS {
        format!("an argument is nested more than {MOST_LEVELS} levels deep; pass a flatter value")
    } else {
        format!("the arguments are longer than {} MiB as JSON; pass a smaller value", MOST_BYTES >> 20)
    };
    Python::attach(|py| errors::engine_error(py, "bad_value", message))
}

/// Lists and objects, large numbers, and what the host makes of all these, tuples and sets.
fn write_other(written: &mut Canonical, value: &Bound<'_, PyAny>, level: usize) -> PyResult<()> {
    // Exact types first: they are nearly every value, and the test costs a pointer comparison.
    if let Ok(object) = value.cast_exact::<PyDict>() {
        write_object(written, object, level)
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        write_integer(written, number)
    } else if let Ok(items) = value.cast_exact::<PyList>() {
        write_array(written, items.iter(), level)
    } else if let Some(text) = worded(value)? {
        write_text(&mut written.text, &Text::of(&text)?);
        Ok(())
    } else {
        write_made(written, value, level)
    }
}

/// Subclasses of the JSON types, tuples and sets; anything else leaves only its type.
fn write_made(written: &mut Canonical, value: &Bound<'_, PyAny>, level: usize) -> PyResult<()> {
    if let Ok(number) = value.cast::<PyInt>() {
        write_integer(written, number)
    } else if let Ok(number) = value.cast::<PyFloat>() {
        write_float(&mut written.text, number.value());
        Ok(())
    } else if let Ok(object) = value.cast::<PyDict>() {
        write_object(written, object, level)
    } else if let Ok(items) = value.cast::<PyList>() {
        write_array(written, items.iter(), level)
    } else if let Ok(items) = value.cast::<PyTuple>() {
        write_array(written, items.iter(), level)
    } else if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        write_set(written, value, level)
    } else {
        write_type(written, value)
    }
}

/// The text of a value that is written as a string though it is not exactly a `str`. Printable
/// classes come before `str` itself: an enum member that is also a `str` is written by its `str()`.
fn worded<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    if value.is_instance(printable(value.py())?)? {
        value.str().map(Some)
    } else if value.is_instance_of::<PyBytes>() {
        // `repr` is what `str` gives for bytes, without the warning of `python -b`.
        value.repr().map(Some)
    } else {
        Ok(value.cast::<PyString>().ok().cloned())
    }
}

/// The classes written by their `str()`, imported when first needed.
fn printable(py: Python<'_>) -> PyResult<&Bound<'_, PyTuple>> {
    static CLASSES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    const NAMES: [(&str, &str); 7] = [
        ("decimal", "Decimal"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("uuid", "UUID"),
        ("enum", "Enum"),
        ("pathlib", "PurePath"),
    ];
    let classes = CLASSES.get_or_try_init(py, || {
        let classes = NAMES
            .iter()
            .map(|(module, name)| py.import(*module)?.getattr(*name))
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, classes).map(Bound::unbind)
    })?;
    Ok(classes.bind(py))
}

fn write_array<'py>(
    out: &mut Canonical,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    level: usize,
) -> PyResult<()> {
    out.text.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.text.push(b',');
        }
        write(out, &seen(item.as_borrowed()), level.saturating_add(1))?;
    }
    out.text.push(b']');
    Ok(())
}

/// Sets have no order of their own: they are written in the order of their items' canonical text.
fn write_set(out: &mut Canonical, set: &Bound<'_, PyAny>, level: usize) -> PyResult<()> {
    let mut texts = Vec::new();
    // The items are taken first: writing one may run host code, which may change the set.
    for item in set.try_iter()?.collect::<PyResult<Vec<_>>>()? {
        let mut inner = Canonical::new(Vec::new());
        write(&mut inner, &seen(item.as_borrowed()), level.saturating_add(1))?;
        out.is_exact &= inner.is_exact;
        out.is_unsafe |= inner.is_unsafe;
        texts.push(inner.into_text());
    }
    texts.sort_unstable();
    out.text.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.text.push(b',');
        }
        out.text.extend_from_slice(text);
    }
    out.text.push(b']');
    Ok(())
}

fn write_object(out: &mut Canonical, object: &Bound<'_, PyDict>, level: usize) -> PyResult<()> {
    match Members::new().of(object) {
        Some(named) => write_named(out, &named, level),
        None => write_any_object(out, object, level),
    }
}

fn write_named(out: &mut Canonical, named: &Named<'_, '_>, level: usize) -> PyResult<()> {
    out.text.push(b'{');
    for (index, (name, value)) in named.all().iter().enumerate() {
        out.text.extend_from_slice(if index > 0 { &b",\""[..] } else { b"\"" });
        out.text.extend_from_slice(name.as_bytes());
        out.text.extend_from_slice(b"\":");
        write(out, value, level.saturating_add(1))?;
    }
    out.text.push(b'}');
    Ok(())
}

/// An object of any size, with keys of any kind.
fn write_any_object(out: &mut Canonical, object: &Bound<'_, PyDict>, level: usize) -> PyResult<()> {
    // The members are taken in one go: writing a value may run host code, which may change the dict.
    let mut members = Vec::with_capacity(object.len());
    walk(object, |key, value| {
        members.push((key, value));
        true
    });
    let mut keys = Vec::with_capacity(members.len());
    for (key, _) in &members {
        keys.push(member_name(out, key, level)?);
    }
    let mut sorted: Vec<_> = keys.iter().zip(members.iter().map(|(_, value)| value)).collect();
    sorted.sort_by(|(one, _), (other, _)| one.order(other));
    // A key that is no text may be written like one that is: `1` and `"1"`.
    out.is_exact &= sorted.is_sorted_by(|(one, _), (other, _)| one.order(other).is_lt());
    out.text.push(b'{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.text.push(b',');
        }
        write_text(&mut out.text, key);
        out.text.push(b':');
        write(out, value, level.saturating_add(1))?;
    }
    out.text.push(b'}');
    Ok(())
}

/// The name of a member of `object`: text as it is, any other key as its canonical JSON.
fn member_name<'a>(object: &mut Canonical, key: &'a Bound<'_, PyAny>, level: usize) -> PyResult<Text<'a>> {
    if let Ok(text) = key.cast_exact::<PyString>() {
        return Text::of(text);
    }
    if let Some(text) = worded(key)? {
        return Ok(Text::of(&text)?.into_owned());
    }
    let mut name = Canonical::new(Vec::new());
    write(&mut name, &seen(key.as_borrowed()), level.saturating_add(1))?;
    object.is_exact &= name.is_exact;
    object.is_unsafe |= name.is_unsafe;
    Ok(Text::Utf8(String::from_utf8_lossy(&name.text).into_owned().into()))
}

fn write_integer(written: &mut Canonical, number: &Bound<'_, PyInt>) -> PyResult<()> {
    let out = &mut written.text;
    if let Ok(small) = number.extract::<i64>() {
        write_small(out, small);
        written.is_unsafe |= small.unsigned_abs() > MAX_QUANTITY;
        return Ok(());
    }
    written.is_unsafe = true;
    // The base class's own text: a subclass may print itself in another way.
    let py = number.py();
    let digits = py.get_type::<PyInt>().call_method1(intern!(py, "__repr__"), (number,));
    let digits = told(number, digits)?.ok_or_else(|| {
        let message = "an argument holds an integer too long to be printed; pass it as text";
        errors::engine_error(py, "bad_value", message.to_owned())
    })?;
    out.extend_from_slice(digits.cast::<PyString>()?.to_str()?.as_bytes());
    Ok(())
}

/// All that is known of a foreign object. Its `str()` may hold an address, which differs in each run.
fn write_type(written: &mut Canonical, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let class: Bound<'_, PyType> = value.get_type();
    let out = &mut written.text;
    written.is_exact = false;
    out.extend_from_slice(b"{\"$type\":");
    let name = format!("{}.{}", class.module()?.to_string_lossy(), class.qualname()?.to_string_lossy());
    write_text(out, &Text::Utf8(name.into()));
    out.push(b'}');
    Ok(())
}

/// The text of a Python `str`, which may hold lone surrogates and then has no UTF-8.
enum Text<'a> {
    Utf8(Cow<'a, str>),
    Units(Vec<u16>),
}

impl<'a> Text<'a> {
    #[inline]
    fn of(text: &'a Bound<'_, PyString>) -> PyResult<Self> {
        utf8(text).map_or_else(|| Self::units(text), |plain| Ok(Self::Utf8(plain.into())))
    }

    #[cold]
    fn units(text: &Bound<'_, PyString>) -> PyResult<Self> {
        let encoded = text.call_method1(intern!(text.py(), "encode"), ("utf-16-le", "surrogatepass"))?;
        let (pairs, _) = encoded.cast::<PyBytes>()?.as_bytes().as_chunks::<2>();
        Ok(Self::Units(pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()))
    }

    fn into_owned(self) -> Text<'static> {
        match self {
            Self::Utf8(text) => Text::Utf8(text.into_owned().into()),
            Self::Units(units) => Text::Units(units),
        }
    }

    /// The order of RFC 8785: by UTF-16 code units, which differs from that of UTF-8 above U+FFFF.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Utf8(one), Self::Utf8(two)) if one.is_ascii() || two.is_ascii() => one.cmp(two),
            (Self::Utf8(one), Self::Utf8(two)) => one.encode_utf16().cmp(two.encode_utf16()),
            (Self::Utf8(one), Self::Units(two)) => one.encode_utf16().cmp(two.iter().copied()),
            (Self::Units(one), Self::Utf8(two)) => one.iter().copied().cmp(two.encode_utf16()),
            (Self::Units(one), Self::Units(two)) => one.cmp(two),
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &Text<'_>) {
    match text {
        Text::Utf8(plain) => write_quoted(out, plain),
        Text::Units(units) => {
            out.push(b'"');
            for unit in char::decode_utf16(units.iter().copied()) {
                match unit {
                    Ok(character) => write_escaped(out, character.encode_utf8(&mut [0; 4])),
                    Err(lone) => {
                        out.extend_from_slice(format!("\\u{:04x}", lone.unpaired_surrogate()).as_bytes())
                    }
                }
            }
            out.push(b'"');
        }
    }
}
