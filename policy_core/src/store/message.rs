//! What a node and a store say to each other. One request is in flight at a time; it is sent again,
//! unchanged, until it is answered.

use std::fmt;
use std::sync::Arc;

/// The name of an account: `scope:id`, limit, measure and window, a line each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountKey(Arc<str>);

impl AccountKey {
    /// As many bytes as a name may have.
    pub const LONGEST: usize = 1024;
    /// As many bytes as the id in a name may have.
    pub const LONGEST_ID: usize = 512;

    /// The name of the account of one bound of a limit. `None` if a part has a control character or all is
    /// too long.
    #[must_use]
    pub fn new(scope: &str, id: &str, limit: &str, measure: &str, window: &str) -> Option<Self> {
        let parts = [scope, id, limit, measure, window];
        if parts.iter().any(|part| part.chars().any(char::is_control)) {
            return None;
        }
        let text = format!("{scope}:{id}\n{limit}\n{measure}\n{window}");
        (text.len() <= Self::LONGEST).then(|| Self(text.into()))
    }

    /// The name as stored; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (first, limit, measure, window) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let (scope, id) = first.split_once(':')?;
        if lines.next().is_some() { None } else { Self::new(scope, id, limit, measure, window) }
    }

    /// The name as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scope, id, limit, measure and window.
    #[must_use]
    pub fn parts(&self) -> [&str; 5] {
        let mut lines = self.0.split('\n');
        let (scope, id) = lines.next().and_then(|first| first.split_once(':')).unwrap_or_default();
        let mut next = || lines.next().unwrap_or_default();
        [scope, id, next(), next(), next()]
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [scope, id, limit, measure, window] = self.parts();
        write!(formatter, "{scope} `{id}`, limit `{limit}`, {measure}, {window}")
    }
}

/// Which window of an account an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The only one.
    Forever,
    /// A period of the calendar.
    Calendar {
        /// Its number; the next period has the next greater one.
        id: i64,
        /// Its first instant, in nanoseconds since the Unix epoch.
        start: u64,
        /// The first instant after it.
        end: u64,
    },
    /// Whatever was spent in the last `ns` nanoseconds.
    Rolling {
        /// How long.
        ns: u64,
    },
}

/// What a node has to say about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The account.
    pub account: AccountKey,
    /// Its bound, as the node's policy has it.
    pub max: u64,
    /// The window that the rest is about.
    pub kind: Kind,
    /// Settled since the last report: (age in nanoseconds, amount).
    pub reported: Vec<(u64, u64)>,
    /// How much of what is reported is beyond all that was granted. It counts as granted by this report.
    pub debt: u64,
    /// Reported before in this window and not spent after all; it leaves the node's slice.
    pub refund: u64,
    /// Given back unspent; the node has lowered its own slice before.
    pub give_back: u64,
    /// Less than this is of no use.
    pub need: u64,
    /// At most this is asked for.
    pub want: u64,
    /// A person raised the bound: by how much, and how often that may be done in one window.
    pub grant: Option<(u64, u64)>,
    /// The node leaves this window of the account, and would count from 0 if it came back.
    pub closing: bool,
}

/// What a node holds of one window, in all; sent after the store has lost something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The account.
    pub account: AccountKey,
    /// The window.
    pub kind: Kind,
    /// Granted in all, with the debt reported, and without what was given back or refunded.
    pub granted: u64,
    /// Reported in all, with what a refused request said and without what was refunded; at most `granted`.
    pub reported: u64,
}

/// What a node asks of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The incarnation of a process.
    pub node: u128,
    /// The ledger's epoch as the node knows it; 0 if it knows none.
    pub epoch: u64,
    /// Ascends with every new request of this node, from 1.
    pub seq: u64,
    /// The nonce of the last `Done`; 0 if there was none, or to reassert.
    pub seen: u64,
    /// The node's wall clock.
    pub wall: u64,
    /// The node ends after this.
    pub closing: bool,
    /// At most [`Request::MOST_ITEMS`].
    pub items: Vec<Item>,
    /// A part of what the node holds, if it was asked to say so again; then there are no items. At most
    /// [`Request::MOST_CLAIMS`].
    pub claims: Vec<Claim>,
    /// Another part follows: the node has not said yet all that it holds.
    pub more: bool,
}

impl Request {
    /// As many items as one request may have.
    pub const MOST_ITEMS: usize = 64;
    /// As many claims as one request may have.
    pub const MOST_CLAIMS: usize = 512;

    /// Whether it says nothing, and only asks whether the store still knows the node.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.items.is_empty() && self.claims.is_empty() && !(self.closing || self.more)
    }
}

/// Why an item or a claim was not done, although the others of its request were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A row of the account was changed by something else.
    Damaged,
    /// The account's row is missing, though something of it is leased.
    Missing,
    /// More is reported or given back than was leased.
    NotLeased,
    /// The account has windows of another kind.
    OtherKind,
}

impl Refusal {
    /// Every one, in the order of its number.
    pub(super) const ALL: [Self; 4] = [Self::Damaged, Self::Missing, Self::NotLeased, Self::OtherKind];

    /// What is wrong, for people.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Damaged => "a stored row of it is damaged",
            Self::Missing => "its stored row is missing, though something of it is leased",
            Self::NotLeased => "its stored rows say that this process leased less than it did",
            Self::OtherKind => "its stored row has windows of another kind",
        }
    }
}

/// What the store knows of an item's account after the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Leased to the node by this answer.
    pub granted: u64,
    /// The bound that holds: the least of what was asked and what an operator pinned, with grants.
    pub max: u64,
    /// Spent in the window by everybody, as reported, with the debt of earlier windows.
    pub spent: u64,
    /// Leased to everybody, this node included, and not reported yet.
    pub leased: u64,
    /// How often the bound was raised in this window.
    pub grants_used: u64,
    /// The part of `leased` that others hold who have been silent for so long that they may be gone.
    pub silent: u64,
    /// Nothing was done of it, and all else is 0.
    pub refused: Option<Refusal>,
}

impl From<Refusal> for Answer {
    fn from(why: Refusal) -> Self {
        Self { refused: Some(why), ..Self::default() }
    }
}

/// What the store answers. `Done`, `Reassert` and `Clock` are kept, and given again to the same request; the
/// others change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, now or before.
    Done {
        /// The request's number.
        seq: u64,
        /// To be sent back with the next request; the same as before if the request said nothing.
        nonce: u64,
        /// The ledger's epoch.
        epoch: u64,
        /// The store's wall clock.
        now: u64,
        /// One for each item, or each claim.
        items: Vec<Answer>,
    },
    /// A later request was answered already.
    Stale {
        /// The request's number.
        seq: u64,
    },
    /// This node has ended, or there are two of it: it must begin anew, as another node with nothing.
    Fenced {
        /// The request's number.
        seq: u64,
    },
    /// The store has lost something: say again what you hold. Nothing of the request was done.
    Reassert {
        /// The request's number.
        seq: u64,
        /// The epoch to say it in.
        epoch: u64,
    },
    /// There is no ledger here, or no longer.
    NoLedger,
    /// The clocks of node and store differ too much to agree on a window. Nothing of the request was done.
    Clock {
        /// The request's number.
        seq: u64,
        /// The store's wall clock.
        now: u64,
    },
    /// The request or a stored row cannot be read; nothing has changed.
    Malformed {
        /// The request's number.
        seq: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl Reply {
    /// The number of the request that is answered, if the answer is about one.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Done { seq, .. }
            | Self::Stale { seq }
            | Self::Fenced { seq }
            | Self::Reassert { seq, .. }
            | Self::Clock { seq, .. }
            | Self::Malformed { seq, .. } => Some(*seq),
            Self::NoLedger => None,
        }
    }
}
