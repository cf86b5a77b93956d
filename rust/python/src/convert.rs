//! Host values to slots: the only reader of the values that facts and arguments hold.
//!
//! Exact or ill-typed, never rounded: a number crosses as an integer or as its shortest decimal text says.

use std::time::Duration;

use checkrein_host::{exact, is_plain, scaled};
use policy_core::{Dimension, MAX_QUANTITY, Slot, Value};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use crate::decision::Decision;
use crate::errors;
use crate::walk::whole;

/// How the host writes values of one fact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    dimension: Dimension,
    /// How many decimal places the integer inside has.
    scale: u32,
    /// Ten to the power of that.
    factor: i64,
}

impl Shape {
    /// Whole currency units, seconds, fractions of one, or plain numbers.
    pub(crate) fn of(dimension: Dimension) -> Self {
        let scale = match dimension {
            Dimension::Money | Dimension::Duration => 9,
            Dimension::Percent => 6,
            Dimension::Text | Dimension::Flag | Dimension::Count | Dimension::Tokens => 0,
        };
        Self::at(dimension, scale)
    }

    /// Money that the host counts in hundredths of the currency unit.
    pub(crate) fn cents() -> Self {
        Self::at(Dimension::Money, 7)
    }

    const fn at(dimension: Dimension, scale: u32) -> Self {
        Self { dimension, scale, factor: 10i64.pow(scale) }
    }

    /// How many decimal places the integer inside has.
    pub(crate) const fn scale(self) -> u32 {
        self.scale
    }

    /// The slot of a host value. It borrows the text of `value`.
    ///
    /// # Errors
    /// What ends a program, raised by code of the host's that tells the value.
    #[inline]
    pub(crate) fn slot<'a>(self, value: &'a Bound<'_, PyAny>) -> PyResult<Slot<'a>> {
        if value.is_none() {
            return Ok(Slot::Missing);
        }
        let read = match self.dimension {
            // Text that has no UTF-8 (lone surrogates) equals nothing that a policy can write.
            Dimension::Text => text(value).map(Slot::Text),
            Dimension::Flag => value.cast::<PyBool>().ok().map(|flag| Slot::Flag(flag.is_true())),
            _ => return Ok(self.amount(self.number(value)?)),
        };
        Ok(read.unwrap_or(Slot::Ill))
    }

    /// The elements of a list or a tuple of at most so many; a set, a generator or a text is no list.
    ///
    /// # Errors
    /// As [`Shape::slot`].
    pub(crate) fn list(self, value: &Bound<'_, PyAny>, most: u32) -> PyResult<Value> {
        if value.is_none() {
            return Ok(Value::Missing);
        }
        let element = |value: Bound<'_, PyAny>| self.slot(&value).map(Value::from);
        // One more than fits tells that it is too long, however long it is.
        let looked_at = (most as usize).saturating_add(1);
        if let Ok(list) = value.cast::<PyList>() {
            list.iter().take(looked_at).map(element).collect::<PyResult<_>>().map(Value::List)
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            tuple.iter().take(looked_at).map(element).collect::<PyResult<_>>().map(Value::List)
        } else {
            Ok(Value::Ill)
        }
    }

    /// Whether its values are texts.
    #[inline]
    pub(crate) const fn is_text(self) -> bool {
        matches!(self.dimension, Dimension::Text)
    }

    /// The slot of a flag.
    #[inline]
    pub(crate) const fn flag(self, flag: bool) -> Slot<'static> {
        if matches!(self.dimension, Dimension::Flag) { Slot::Flag(flag) } else { Slot::Ill }
    }

    /// The slot of an integer.
    #[inline]
    pub(crate) fn int(self, number: i64) -> Slot<'static> {
        self.amount(number.checked_mul(self.factor))
    }

    /// The slot of a float.
    #[inline]
    pub(crate) fn float(self, number: f64) -> Slot<'static> {
        self.amount(exact(number, self.scale))
    }

    #[inline]
    fn amount(self, number: Option<i64>) -> Slot<'static> {
        number.filter(|number| self.dimension.admits(*number)).map_or(Slot::Ill, Slot::Int)
    }

    /// Numbers, but for what is none to Python or to JSON.
    fn number(self, value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
        Ok(if value.is_instance_of::<PyBool>() {
            None
        } else if value.is_instance_of::<PyInt>() {
            value.extract::<i64>().ok().and_then(|number| number.checked_mul(self.factor))
        } else if let Ok(number) = value.cast::<PyFloat>() {
            exact(number.value(), self.scale)
        } else if let Ok(text) = value.cast::<PyString>() {
            let text = text.to_str().ok().filter(|text| self.dimension == Dimension::Money && is_plain(text));
            text.and_then(|text| scaled(text, self.scale))
        } else if told(value, is_decimal(value))?.unwrap_or(false) {
            let text = told(value, value.str())?;
            text.and_then(|text| scaled(text.to_str().ok()?, self.scale))
        } else {
            None
        })
    }
}

/// A text that has UTF-8.
fn text<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    match value.cast_exact::<PyString>() {
        Ok(text) => text.to_str().ok(),
        Err(_) => value.cast::<PyString>().ok()?.to_str().ok(),
    }
}

fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    value.is_instance(DECIMAL.import(value.py(), "decimal", "Decimal")?)
}

/// What code of the host's told of a value: nothing, if it failed. What is no `Exception` ends the program,
/// and so is not about the value.
pub(crate) fn told<T>(value: &Bound<'_, PyAny>, told: PyResult<T>) -> PyResult<Option<T>> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) if error.is_instance_of::<PyException>(value.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A number that is not negative. A flag is an integer to Python, but where a number is meant a mistake.
#[inline]
fn positive(value: Borrowed<'_, '_, PyAny>) -> PyResult<Option<u64>> {
    match whole(value) {
        Some(number) => Ok(u64::try_from(number).ok()),
        None => Ok(told(&value, value.extract())?.filter(|_| !value.is_instance_of::<PyBool>())),
    }
}

/// A number of the host's: an instant, an id or an amount, named so that a wrong one can be told apart.
macro_rules! numbers {
    ($($name:ident: $what:literal, $most:expr, $written:literal;)*) => {$(
        #[doc = $what]
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name(pub(crate) u64);

        impl<'a, 'py> FromPyObject<'a, 'py> for $name {
            type Error = PyErr;

            fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
                match positive(value)? {
                    Some(number) if number <= $most => Ok(Self(number)),
                    _ => Err(no_such_number(&value, $what, $written)),
                }
            }
        }
    )*};
}

numbers! {
    Instant: "the instant `now`", u64::MAX, "2^64 - 1";
    Seed: "the seed", u64::MAX, "2^64 - 1";
    Id: "the id of a call, attempt or request", u64::MAX, "2^64 - 1";
    Fingerprint: "the fingerprint", u64::MAX, "2^64 - 1";
    Tokens: "the number of tokens", MAX_QUANTITY, "2^53 - 1";
}

/// An attempt: the decision that opened it, or its number alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended(pub(crate) checkrein_records::Ended);

impl<'a, 'py> FromPyObject<'a, 'py> for Ended {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let py = value.py();
        if let Ok(decision) = value.cast::<Decision>() {
            let (attempt, number) = decision.get().opened();
            let attempt = attempt.map_or_else(|| py.None().extract::<Id>(py).map(|id| id.0), Ok)?;
            return Ok(Self(checkrein_records::Ended { attempt, number: Some(number) }));
        }
        if value.is_instance_of::<PyInt>() {
            return Ok(Self(checkrein_records::Ended { attempt: value.extract::<Id>()?.0, number: None }));
        }
        let read = |name: &Bound<'py, PyString>| value.getattr(name)?.extract::<Id>();
        let (attempt, number) = (read(intern!(py, "attempt"))?.0, read(intern!(py, "number"))?.0);
        Ok(Self(checkrein_records::Ended { attempt, number: Some(number) }))
    }
}

/// Fingerprints, two by two.
pub(crate) fn marks(pairs: Vec<[Fingerprint; 2]>) -> Vec<[u64; 2]> {
    pairs.into_iter().map(|pair| pair.map(|mark| mark.0)).collect()
}

/// A wall clock, which may be wrong by any amount without stopping a run: what is out of range counts as the
/// nearest that is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall(pub(crate) u64);

impl<'a, 'py> FromPyObject<'a, 'py> for Wall {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<u64>() {
            Ok(wall) => Ok(Self(wall)),
            Err(_) if value.is_instance_of::<PyInt>() => Ok(Self(if value.lt(0)? { 0 } else { u64::MAX })),
            Err(error) => {
                told::<()>(&value, Err(error))?;
                Err(no_such_number(&value, "the wall clock", "2^64 - 1"))
            }
        }
    }
}

/// How long to wait for a store, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(pub(crate) Duration);

impl<'a, 'py> FromPyObject<'a, 'py> for Patience {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let seconds = value.extract::<f64>()?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| {
            let message = format!("the timeout is `{seconds}`; pass a number of seconds, 0 or more");
            errors::engine_error(value.py(), "bad_value", message)
        })
    }
}

fn no_such_number(value: &Bound<'_, PyAny>, what: &str, most: &str) -> PyErr {
    let given = match told(value, value.repr()) {
        Ok(text) => text.map_or_else(|| "too long to print".to_owned(), |text| text.to_string()),
        Err(error) => return error,
    };
    let message = format!("{what} is `{given}`; pass a whole number from 0 to {most}");
    errors::engine_error(value.py(), "bad_value", message)
}

/// Messages with their tokens.
pub(crate) fn weighed(messages: Vec<(Fingerprint, Tokens)>) -> Vec<(u64, u64)> {
    messages.into_iter().map(|(mark, tokens)| (mark.0, tokens.0)).collect()
}
