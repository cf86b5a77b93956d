//! The values on the wire. `checkrein.h` declares the same, in this order; a test compares them.

use std::mem::offset_of;

use crate::edge::{Span, Texts};

/// The version of everything in this file and of the table.
pub(crate) const ABI: u32 = 1;

pub(crate) const OK: i32 = 0;
pub(crate) const INTERNAL: i32 = -1;
pub(crate) const BAD_VALUE: i32 = -2;
pub(crate) const CLOSED: i32 = -3;
pub(crate) const LOAD: i32 = -4;
pub(crate) const STORE: i32 = -5;
pub(crate) const FORKED: i32 = -6;
pub(crate) const FULL: i32 = -7;
pub(crate) const UNKNOWN_NAME: i32 = -8;
pub(crate) const UNKNOWN_ATTEMPT: i32 = -9;
pub(crate) const ALREADY_SETTLED: i32 = -10;
pub(crate) const NOT_SETTLED: i32 = -11;
pub(crate) const UNKNOWN_REQUEST: i32 = -12;
pub(crate) const EXPIRED: i32 = -13;
pub(crate) const ALREADY_ANSWERED: i32 = -14;
pub(crate) const SUSPENDED: i32 = -15;
pub(crate) const ENDED: i32 = -16;
pub(crate) const GONE: i32 = -17;

/// For numbers that are not there.
pub(crate) const NONE: u64 = u64::MAX;

/// A handle: which thing, and which of those that had its place one after the other.
macro_rules! handles {
    ($($name:ident)*) => {$(
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name {
            pub(crate) id: u64,
        }
    )*};
}

handles! { Program Call Ledger Run Meter }

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) mono: u64,
    pub(crate) wall: u64,
}

impl From<Now> for policy_core::Now {
    fn from(now: Now) -> Self {
        Self { mono: now.mono, wall: now.wall }
    }
}

pub(crate) const MISSING: u32 = 0;
pub(crate) const FLAG: u32 = 1;
pub(crate) const INTEGER: u32 = 2;
pub(crate) const REAL: u32 = 3;
pub(crate) const TEXT: u32 = 4;
pub(crate) const LIST: u32 = 5;

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Span<u8>,
    pub(crate) id: Span<u8>,
}

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Scopes {
    pub(crate) run: Span<u8>,
    pub(crate) session: Span<u8>,
    pub(crate) user: Span<u8>,
    pub(crate) team: Span<u8>,
    pub(crate) org: Span<u8>,
    pub(crate) keys: Span<Key>,
}

/// Names that are bound once.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) arguments: Texts,
    pub(crate) facts: Texts,
}

pub(crate) const EXACT: u32 = 0;
pub(crate) const AT_LEAST: u32 = 1;
pub(crate) const UNKNOWN: u32 = 2;
pub(crate) const UNSENT: u32 = 3;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: u64,
    pub(crate) kind: u32,
    pub(crate) reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prompt {
    pub(crate) input_tokens: u64,
    pub(crate) max_output: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Returned {
    pub(crate) attempt: u64,
    pub(crate) fingerprint: u64,
    pub(crate) flags: u32,
    pub(crate) reserved: u32,
}

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Span<u8>,
    pub(crate) status: u64,
    pub(crate) retry_after: u64,
    pub(crate) fingerprint: u64,
    pub(crate) billed: u32,
    pub(crate) flags: u32,
}

pub(crate) const OWN: u32 = 1;
pub(crate) const COMMITTED: u32 = 2;

pub(crate) const BILLED_UNKNOWN: u32 = 0;
pub(crate) const BILLED_NO: u32 = 1;
pub(crate) const BILLED_YES: u32 = 2;

pub(crate) const ALLOW: u32 = 0;
pub(crate) const REUSE: u32 = 1;
pub(crate) const ANSWER: u32 = 2;
pub(crate) const WAIT: u32 = 3;
pub(crate) const ESCALATE: u32 = 4;
pub(crate) const DENY: u32 = 5;
pub(crate) const FAIL: u32 = 6;
pub(crate) const STOP: u32 = 7;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) number: u64,
    pub(crate) call: u64,
    pub(crate) attempt: u64,
    pub(crate) attempt_number: u64,
    pub(crate) output_cap: u64,
    pub(crate) timeout_ns: u64,
    pub(crate) wait_ns: u64,
    pub(crate) request: u64,
    pub(crate) expires_at: u64,
    pub(crate) answered: u64,
    pub(crate) reused: u64,
    pub(crate) reserved_tokens: u64,
    pub(crate) reserved_cost: u64,
    pub(crate) outcome: u32,
    pub(crate) flags: u32,
}

pub(crate) const UNDECIDED: u32 = 1;
pub(crate) const LATCHED: u32 = 2;
pub(crate) const REJECTED: u32 = 4;
pub(crate) const WRAP_UP: u32 = 8;
pub(crate) const STAYED: u32 = 16;
pub(crate) const MAY_BE_SOONER: u32 = 32;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settlement {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
    pub(crate) reserved_tokens: u64,
    pub(crate) reserved_cost: u64,
}

pub(crate) const BY: u32 = 0;
pub(crate) const REASON: u32 = 1;
pub(crate) const ANSWER_TEXT: u32 = 2;
pub(crate) const MODEL: u32 = 3;
pub(crate) const STATE: u32 = 4;
pub(crate) const TELL_AGENT: u32 = 5;
pub(crate) const TELL_USER: u32 = 6;
pub(crate) const QUEUE: u32 = 7;
pub(crate) const WANTS: u32 = 8;

// What `checkrein.h` asserts as well.
const _: () = assert!(size_of::<Decision>() == 112 && offset_of!(Decision, outcome) == 104);
const _: () = assert!(size_of::<Usage>() == 48 && size_of::<Settlement>() == 48);
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Scopes>() == 96 && size_of::<Failure>() == 48 && size_of::<Names>() == 32);
