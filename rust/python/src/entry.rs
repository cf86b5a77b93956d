//! How `run.decide` is entered: its keywords are known by their address, as the interpreter has them.
//!
//! What PyO3 makes of the method compares the text of each keyword with the names of all arguments. The
//! keywords in a host's code are interned, and so are ours, so that a pointer tells as much. A call with
//! anything else, or with arguments by position or of another type, goes to the method of PyO3, which alone
//! says what is wrong. What PyO3 does around each of its methods is done only where something is raised: it
//! counts that the thread is attached, since it puts off what is dropped while it does not know that. What a
//! call drops that succeeds, if anything, is let go by the next method that is called.
#![expect(unsafe_code, reason = "see the comment at each block")]

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use policy_core::MAX_QUANTITY;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::asking::Door;
use crate::convert::{Id, Tokens};
use crate::walk::whole;

/// The keywords of `decide`, those of nearly every call first.
const KEYWORDS: [&str; 11] = [
    "tool",
    "args",
    "facts",
    "model",
    "input_tokens",
    "max_tokens",
    "step",
    "confidence",
    "call",
    "results",
    "context",
];

/// The keywords as the interpreter has them, and the method that takes all calls.
static KNOWN: PyOnceLock<([Py<PyString>; 11], Py<PyAny>)> = PyOnceLock::new();

type Given<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// Puts this entry before the method that PyO3 made.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<Door>();
    let whole = class.getattr("decide")?;
    let (signature, text) = (whole.getattr("__text_signature__")?, whole.getattr("__doc__")?);
    let text = CString::new(format!("decide{signature}\n--\n\n{text}"))?;
    KNOWN.get_or_init(py, || (KEYWORDS.map(|name| PyString::intern(py, name).unbind()), whole.unbind()));
    // As long as the class, which is as long as the process.
    let method = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: c"decide".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: decide },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: CString::into_raw(text),
    }));
    // SAFETY: the class is one of the interpreter, to which this thread is attached; the method, its name and
    // its text are never freed, and the flags are those of a function with such arguments.
    let method =
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), method))? };
    class.setattr("decide", method)
}

/// `decide`, as the interpreter calls it.
///
/// # Safety
/// As for any method with such flags: attached, `this` is a `Door`, there are `count` values and as many
/// more as `names` has members, if it is no null.
unsafe extern "C" fn decide(
    this: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller is attached, and the token does not leave this function.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the caller keeps all of them until this returns, and the descriptor that calls us has found
    // `this` to be a `Door`.
    let (this, names) = unsafe {
        let names = Borrowed::from_ptr_or_opt(py, names).map(|names| names.cast_unchecked::<PyTuple>());
        (Borrowed::from_ptr(py, this).cast_unchecked::<Door>(), names)
    };
    let positional = usize::try_from(count).unwrap_or_default();
    let all = positional.saturating_add(names.map_or(0, |names| names.len()));
    let values: &[Given<'_, '_>] = if all == 0 {
        &[]
    } else {
        // SAFETY: there are so many, each is an object, and a `Borrowed` is laid out as its pointer.
        unsafe { slice::from_raw_parts(values.cast(), all) }
    };
    let decided = catch_unwind(AssertUnwindSafe(|| {
        if let (0, Some(names), Some((known, _))) = (positional, names, KNOWN.get(py))
            && let Some(call) = Call::of(known, names, values)
        {
            return call.decide(&this);
        }
        by_name(&this, values.split_at_checked(positional).unwrap_or_default(), names)
    }));
    let decided = decided.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(PanicException::new_err(text.unwrap_or("panic from Rust code").to_owned()))
    });
    decided.map_or_else(raise, Bound::into_ptr)
}

/// Raises an error. PyO3 knows meanwhile that the thread is attached, so it lets go of what was put off.
#[cold]
fn raise(error: PyErr) -> *mut ffi::PyObject {
    Python::attach(|py| error.restore(py));
    ptr::null_mut()
}

/// The arguments of a call, each of the type that it has in nearly all.
#[derive(Debug, Default)]
struct Call<'a, 'py> {
    tool: Option<Borrowed<'a, 'py, PyString>>,
    args: Option<Given<'a, 'py>>,
    facts: Option<Given<'a, 'py>>,
    model: Option<Borrowed<'a, 'py, PyString>>,
    input_tokens: u64,
    max_tokens: Option<u64>,
    step: Option<Given<'a, 'py>>,
    confidence: Option<Given<'a, 'py>>,
    call: Option<u64>,
    results: Option<Given<'a, 'py>>,
    context: Option<Given<'a, 'py>>,
}

impl<'a, 'py> Call<'a, 'py> {
    /// `None` if it has to go the long way. Nothing of the host's is run to find out.
    #[inline]
    fn of(
        known: &[Py<PyString>; 11],
        names: Borrowed<'_, 'py, PyTuple>,
        values: &[Given<'a, 'py>],
    ) -> Option<Self> {
        let mut call = Self::default();
        for (name, value) in names.iter_borrowed().zip(values) {
            let place = known.iter().position(|known| known.as_ptr() == name.as_ptr())?;
            if value.is_none() {
                // Only the tokens of the prompt are always a number.
                if place == 4 {
                    return None;
                }
                continue;
            }
            match place {
                0 => call.tool = Some(value.cast_exact().ok()?),
                1 => call.args = Some(*value),
                2 => call.facts = Some(*value),
                3 => call.model = Some(value.cast_exact().ok()?),
                4 => call.input_tokens = tokens(*value)?,
                5 => call.max_tokens = Some(tokens(*value)?),
                6 => call.step = Some(*value),
                7 => call.confidence = Some(*value),
                8 => call.call = Some(number(*value)?),
                9 => call.results = Some(*value),
                _ => call.context = Some(*value),
            }
        }
        Some(call)
    }

    #[inline]
    fn decide(&self, this: &Bound<'py, Door>) -> PyResult<Bound<'py, PyAny>> {
        Door::decide(
            this,
            self.tool.as_deref(),
            self.args.as_deref(),
            self.model.as_deref(),
            Tokens(self.input_tokens),
            self.max_tokens.map(Tokens),
            self.step.as_deref(),
            self.confidence.as_deref(),
            self.facts.as_deref(),
            self.call.map(Id),
            self.results.as_deref(),
            self.context.as_deref(),
        )
    }
}

fn number(value: Given<'_, '_>) -> Option<u64> {
    u64::try_from(whole(value)?).ok()
}

fn tokens(value: Given<'_, '_>) -> Option<u64> {
    number(value).filter(|tokens| *tokens <= MAX_QUANTITY)
}

/// Any call, by the method that PyO3 made.
#[cold]
fn by_name<'py>(
    this: &Bound<'py, Door>,
    (placed, named): (&[Given<'_, 'py>], &[Given<'_, 'py>]),
    names: Option<Borrowed<'_, 'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let (_, whole) = KNOWN.get(py).ok_or_else(|| PyRuntimeError::new_err("the module is not there yet"))?;
    let placed = [this.as_any()].into_iter().chain(placed.iter().map(|value| &**value));
    let placed = PyTuple::new(py, placed.collect::<Vec<_>>())?;
    let keywords = PyDict::new(py);
    for (name, value) in names.iter().flat_map(|names| names.iter_borrowed()).zip(named) {
        keywords.set_item(name, value)?;
    }
    whole.bind(py).call(placed, Some(&keywords))
}
