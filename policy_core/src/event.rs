//! What the engine is told: the inputs of one event, borrowed from the host.

use crate::value::Slot;

/// When an event happens, by two clocks of the host, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// A clock that never goes back: what delays, deadlines and rolling windows are measured with.
    pub mono: u64,
    /// Since the Unix epoch, UTC: what calendar windows are read from.
    pub wall: u64,
}

/// A model call that the host wants to make.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelCall<'a> {
    /// The logical call asked again, or `None` for a new one.
    pub call: Option<u64>,
    /// The model the host asks for, by its name in the policy.
    pub model: Option<&'a str>,
    /// An upper bound of the tokens that are sent.
    pub input_tokens: u64,
    /// The most tokens that the host wants back.
    pub max_output: Option<u64>,
    /// One slot for each fact of the program; see [`crate::Run::model_call`].
    pub facts: &'a [Slot<'a>],
    /// The tool results in the conversation, if the host says which there are: each by two fingerprints, of
    /// what a tool gave and of what the agent was told in place of that. A known one is enough.
    pub results: Option<&'a [[u64; 2]]>,
    /// The messages of the prompt, if the host says which there are: a fingerprint and the tokens of each.
    pub messages: Option<&'a [(u64, u64)]>,
}

/// A tool call that the agent proposes.
#[derive(Clone, Copy, Debug)]
pub struct ToolCall<'a> {
    /// The logical call asked again, or `None` for a new one.
    pub call: Option<u64>,
    /// The tool's name.
    pub tool: &'a str,
    /// The arguments in canonical form (RFC 8785); the engine only hashes them.
    pub args: &'a [u8],
    /// The same without those of each of [`crate::Program::ignored_args`], in that order.
    pub forms: &'a [Vec<u8>],
    /// Other arguments have another form. If not (it leaves something out), then what a person answers is for
    /// this logical call alone.
    pub is_exact: bool,
    /// They hold an integer beyond 2^53 - 1, which not every reader of JSON takes for the same number: nobody
    /// is asked about them, and what would ask denies.
    pub is_unsafe: bool,
    /// One slot for each fact of the program; see [`crate::Run::tool_call`].
    pub facts: &'a [Slot<'a>],
}

/// What an attempt used. Tools have no tokens: only [`Usage::Unsent`] matters for them.
///
/// `input` is everything that was sent, with what was read from a cache or written to one; `output` is
/// everything that came back, with reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The provider said so.
    Exact {
        /// Tokens that were sent.
        input: u64,
        /// Tokens that came back.
        output: u64,
        /// Of the input, read from the provider's cache.
        cache_read: u64,
        /// Of the input, written to it.
        cache_write: u64,
        /// Of the output, reasoning.
        reasoning: u64,
    },
    /// This much was seen; there may be more. Charged is the greater of this and the hold.
    AtLeast {
        /// Tokens that were sent.
        input: u64,
        /// Tokens that came back.
        output: u64,
        /// Of the input, read from the provider's cache.
        cache_read: u64,
        /// Of the input, written to it.
        cache_write: u64,
        /// Of the output, reasoning.
        reasoning: u64,
    },
    /// Nothing is known. The whole hold is charged, and tokens counted beyond the cap.
    Unknown,
    /// The request provably never left. Everything is given back, unless tokens were counted: then it did
    /// leave, and this is [`Usage::Unknown`].
    Unsent,
}

impl Usage {
    /// What the provider said, without cache and reasoning.
    #[must_use]
    pub const fn exact(input: u64, output: u64) -> Self {
        Self::Exact { input, output, cache_read: 0, cache_write: 0, reasoning: 0 }
    }

    /// The same as a lower bound.
    #[must_use]
    pub const fn at_least(input: u64, output: u64) -> Self {
        Self::AtLeast { input, output, cache_read: 0, cache_write: 0, reasoning: 0 }
    }
}

/// Whom a run is for. A limit on what is not told here cannot be kept, so it votes its else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scopes<'a> {
    /// The run's own id, which only conditions and canaries read.
    pub run: Option<&'a str>,
    /// The session's id.
    pub session: Option<&'a str>,
    /// The user's id.
    pub user: Option<&'a str>,
    /// The team's id.
    pub team: Option<&'a str>,
    /// The organisation's id.
    pub org: Option<&'a str>,
    /// The values of [`crate::Program::key_facts`], in that order.
    pub keys: &'a [Option<&'a str>],
}

/// Why an attempt failed, in the engine's closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No answer in time.
    Timeout,
    /// Too many requests.
    RateLimited,
    /// The service is down.
    Unavailable,
    /// A quota of the provider is used up.
    QuotaExhausted,
    /// The provider wants to be paid.
    Billing,
    /// The key is missing or refused.
    Auth,
    /// The provider does not understand the request.
    InvalidRequest,
    /// The provider refuses the content.
    ContentPolicy,
    /// The request does not fit the model's window.
    ContextTooLong,
    /// The tool itself failed.
    ToolFailure,
    /// The host gave the attempt up.
    Cancelled,
    /// A call further inside was refused by a policy.
    Denied,
    /// Anything else.
    Unknown,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Timeout,
        Self::RateLimited,
        Self::Unavailable,
        Self::QuotaExhausted,
        Self::Billing,
        Self::Auth,
        Self::InvalidRequest,
        Self::ContentPolicy,
        Self::ContextTooLong,
        Self::ToolFailure,
        Self::Cancelled,
        Self::Denied,
        Self::Unknown,
    ];

    /// The text that policies compare `error.kind` with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Billing => "billing",
            Self::Auth => "auth",
            Self::InvalidRequest => "invalid_request",
            Self::ContentPolicy => "content_policy",
            Self::ContextTooLong => "context_too_long",
            Self::ToolFailure => "tool_failure",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether no policy can have it tried again: somebody decided against it.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Denied)
    }

    /// Whether the same call may well succeed when it is made again: what a retry without a condition takes.
    pub(crate) const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::RateLimited | Self::Unavailable | Self::Unknown | Self::ToolFailure
        )
    }

    /// Whether another model may well succeed where this one failed: it is away, or its account is used up.
    pub(crate) const fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::RateLimited | Self::Unavailable | Self::QuotaExhausted | Self::Billing
        )
    }

    /// Whether something may have run all the same.
    pub(crate) const fn may_have_run(self) -> bool {
        !matches!(
            self,
            Self::RateLimited
                | Self::QuotaExhausted
                | Self::Billing
                | Self::Auth
                | Self::InvalidRequest
                | Self::ContextTooLong
        )
    }

    /// Whether it may have ended well, for all that anybody knows.
    pub(crate) const fn may_have_succeeded(self) -> bool {
        matches!(self, Self::Timeout | Self::Cancelled | Self::Unknown)
    }
}

/// An attempt that came back with a result.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// The attempt, as the allowing decision named it.
    pub attempt: u64,
    /// What it used. It was sent, so this is not [`Usage::Unsent`].
    pub usage: Usage,
    /// One slot for each fact of the program: of the result, and others that are known by now. What is
    /// missing here is as it was when the call was asked.
    pub facts: &'a [Slot<'a>],
    /// The fingerprint of what came back, as the host compares results.
    pub fingerprint: Option<u64>,
    /// Something of it has been passed on already, such as the first token of a stream.
    pub committed: bool,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The attempt, as the allowing decision named it.
    pub attempt: u64,
    /// What it used all the same.
    pub usage: Usage,
    /// Why it failed.
    pub kind: ErrorKind,
    /// The protocol's status number, a count.
    pub status: Slot<'a>,
    /// How long the provider asks to wait, in nanoseconds. Anything but a number counts as nothing asked.
    pub retry_after: Slot<'a>,
    /// Whether the provider bills the failed request.
    pub billed: Slot<'a>,
    /// The caller brought it about, with less patience than the policy has: a timeout that says nothing about
    /// whom it called.
    pub own: bool,
    /// Of the error's message: errors of a tool with other ones are other errors.
    pub fingerprint: Option<u64>,
    /// Something of what came back has been passed on already, so it is not made again.
    pub committed: bool,
}

impl Failure<'_> {
    /// Whether the host knows what the attempt did: nothing, or what it says.
    pub(crate) const fn is_accounted_for(&self) -> bool {
        matches!(self.usage, Usage::Exact { .. } | Usage::Unsent)
    }
}
