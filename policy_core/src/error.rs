//! What can go wrong: an artifact that is refused, and a host that misuses a run. A refusal to run
//! a call is neither; that is a decision.

use std::error::Error;
use std::fmt;

/// Why an artifact was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// The first bytes are not those of an artifact.
    NotAnArtifact,
    /// Another version of the format, the language or the schema.
    Version,
    /// Bytes are missing or there are too many.
    Length,
    /// The payload is not the one that the digest was made of.
    Digest,
    /// The payload is not in canonical encoding.
    Malformed,
    /// The payload reads well, but what it says cannot be run.
    Invalid,
}

/// An artifact was refused; nothing was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Boxed: what a reader gives instead of it is mostly a number, and goes by registers then.
    told: Box<(LoadErrorKind, String)>,
}

impl LoadError {
    pub(crate) fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { told: Box::new((kind, message.into())) }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(LoadErrorKind::Invalid, message)
    }

    /// The class of the mistake.
    #[must_use]
    pub fn kind(&self) -> LoadErrorKind {
        self.told.0
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.told.1)
    }
}

impl Error for LoadError {}

/// The host misused a run. Nothing has changed but the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// No allow has opened this attempt.
    UnknownAttempt(u64),
    /// The attempt has been settled, with other usage or by another event.
    AlreadySettled(u64),
    /// The attempt is still open, so there is nothing to correct.
    NotSettled(u64),
    /// No escalation has opened this request.
    UnknownRequest(u64),
    /// The request was not answered in time; the queue's default applies.
    Expired(u64),
    /// The request has been answered otherwise.
    AlreadyAnswered(u64),
    /// The run was suspended: it goes on where it is resumed.
    Suspended,
    /// The run has ended or stopped: its requests can't be answered, and what has ended can't be suspended.
    Ended,
    /// Only the run that began it can be suspended.
    Child,
    /// The bytes are no suspended run.
    BadState(&'static str),
    /// The run was suspended by another version, in another form.
    OtherForm(u64),
    /// The run was suspended under another program.
    OtherPolicy,
    /// A number is out of range, or the facts are not as many as the program's.
    BadValue(&'static str),
}

impl EngineError {
    /// A stable word for hosts.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::UnknownAttempt(_) => "unknown_attempt",
            Self::AlreadySettled(_) => "already_settled",
            Self::NotSettled(_) => "not_settled",
            Self::UnknownRequest(_) => "unknown_request",
            Self::Expired(_) => "expired",
            Self::AlreadyAnswered(_) => "already_answered",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
            Self::Child => "child",
            Self::BadState(_) => "bad_state",
            Self::OtherForm(_) => "other_form",
            Self::OtherPolicy => "other_policy",
            Self::BadValue(_) => "bad_value",
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAttempt(id) => {
                write!(formatter, "attempt `{id}` was never allowed in this run; pass the decision's attempt")
            }
            Self::AlreadySettled(id) => {
                write!(formatter, "attempt `{id}` is already settled; settle each attempt once")
            }
            Self::NotSettled(id) => {
                write!(formatter, "attempt `{id}` is still open; settle it, there is nothing to correct yet")
            }
            Self::UnknownRequest(id) => {
                write!(formatter, "request `{id}` was never opened in this run; pass the decision's request")
            }
            Self::Expired(id) => {
                write!(formatter, "request `{id}` has expired; ask the call again to get the queue's default")
            }
            Self::AlreadyAnswered(id) => {
                write!(formatter, "request `{id}` already has the other answer; an answer cannot be changed")
            }
            Self::Suspended => formatter.write_str(
                "this run is suspended and does no more in this process; go on with the resumed one",
            ),
            Self::Ended => formatter.write_str(
                "this run has ended or stopped, and its requests with it; answer or suspend it before that",
            ),
            Self::Child => {
                formatter.write_str("a child run is a part of another; suspend the run that began it")
            }
            Self::OtherForm(form) => write!(
                formatter,
                "the run was suspended in form {form}, which this version does not read; resume it with the \
                 version that suspended it"
            ),
            Self::OtherPolicy => formatter.write_str(
                "the run was suspended under a policy that means something else; resume it under the one it \
                 ran with",
            ),
            Self::BadState(what) | Self::BadValue(what) => formatter.write_str(what),
        }
    }
}

impl Error for EngineError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_was_passed() {
        assert_eq!(
            EngineError::AlreadySettled(7).to_string(),
            "attempt `7` is already settled; settle each attempt once"
        );
        assert_eq!(EngineError::BadValue("x").kind(), "bad_value");
        assert_eq!(LoadError::invalid("no").kind(), LoadErrorKind::Invalid);
    }
}
