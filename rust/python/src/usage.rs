//! What the host says about the end of an attempt: what it used, and how it failed.

use policy_core::{Dimension, ErrorKind, Slot, Usage};
use pyo3::prelude::*;

use crate::convert::{Shape, Tokens};
use crate::errors;

/// What an attempt used, as the host says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) input: Tokens,
    pub(crate) output: Tokens,
    pub(crate) cache_read: Tokens,
    pub(crate) cache_write: Tokens,
    pub(crate) reasoning: Tokens,
}

impl Figures {
    pub(crate) const NOTHING: Self = Self {
        input: Tokens(0),
        output: Tokens(0),
        cache_read: Tokens(0),
        cache_write: Tokens(0),
        reasoning: Tokens(0),
    };

    pub(crate) const fn exact(self) -> Usage {
        Usage::Exact {
            input: self.input.0,
            output: self.output.0,
            cache_read: self.cache_read.0,
            cache_write: self.cache_write.0,
            reasoning: self.reasoning.0,
        }
    }

    const fn at_least(self) -> Usage {
        Usage::AtLeast {
            input: self.input.0,
            output: self.output.0,
            cache_read: self.cache_read.0,
            cache_write: self.cache_write.0,
            reasoning: self.reasoning.0,
        }
    }
}

/// The usage that `word` names.
///
/// # Errors
/// `EngineError` for any other word.
pub(crate) fn used(py: Python<'_>, word: &str, figures: Figures) -> PyResult<Usage> {
    match word {
        "exact" => Ok(figures.exact()),
        "at_least" => Ok(figures.at_least()),
        "unknown" => Ok(Usage::Unknown),
        "unsent" => Ok(Usage::Unsent),
        _ => {
            let message = format!("the usage is `{word}`; pass `exact`, `at_least`, `unknown` or `unsent`");
            Err(errors::engine_error(py, "bad_value", message))
        }
    }
}

/// The error kind that `word` names.
///
/// # Errors
/// `EngineError` for any other word.
pub(crate) fn error_kind(py: Python<'_>, word: &str) -> PyResult<ErrorKind> {
    ErrorKind::parse(word).ok_or_else(|| {
        let known = ErrorKind::ALL.map(|kind| format!("`{}`", kind.name())).join(", ");
        errors::engine_error(py, "bad_value", format!("the error kind is `{word}`; pass one of {known}"))
    })
}

/// The slot of an optional host value.
///
/// # Errors
/// As [`Shape::slot`].
pub(crate) fn slot<'a>(value: Option<&'a Bound<'_, PyAny>>, dimension: Dimension) -> PyResult<Slot<'a>> {
    value.map_or(Ok(Slot::Missing), |value| Shape::of(dimension).slot(value))
}
