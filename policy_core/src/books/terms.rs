//! The words that the engine and the books share: what an account is, how much room it has, how it stands.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::calendar::{Period, Zone};
use crate::store::{AccountKey, Refusal};

/// Which part of time an account counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// All of it.
    Forever,
    /// One period of the calendar after the other.
    Calendar {
        /// How long a period is.
        period: Period,
        /// Whose calendar.
        zone: Arc<Zone>,
    },
    /// Always the time just past.
    Rolling {
        /// How much of it.
        ns: u64,
    },
}

/// What happens to a leased account when its store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What is leased is spent, then no more.
    Spend,
    /// Nothing is taken once the store's last word is too old.
    Deny,
    /// Everything is taken; what is beyond the bound is a debt that is reported later.
    Allow,
}

/// What a policy says of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The bound of each window.
    pub max: u64,
    /// Which windows.
    pub window: WindowKind,
    /// What holds without the store.
    pub failure: Failure,
}

/// An open account of some [`super::Books`]. It is no longer good after its last [`super::Books::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountId {
    pub(super) place: u32,
    pub(super) generation: NonZeroU32,
}

impl AccountId {
    /// That of an account that no books have.
    pub(crate) const NOBODY: Self = Self { place: u32::MAX, generation: NonZeroU32::MAX };
}

/// The window that a hold belongs to, whenever it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub(super) id: i64,
    /// Which incarnation of the process made the hold.
    pub(super) life: u32,
}

impl Window {
    /// The window of this number, of a hold that some other process made: no incarnation of this one did.
    pub(crate) const fn of(id: i64) -> Self {
        Self { id, life: u32::MAX }
    }

    pub(crate) const fn id(self) -> i64 {
        self.id
    }
}

/// Whether an account has room for an amount, the better the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// It may be taken now.
    Fits,
    /// It would fit if this process's holds ended.
    Held,
    /// It is not here, but the store may have it: nothing is leased yet, or others hold it.
    Leased,
    /// There is none.
    Full,
}

/// How one account stands. `spent + held + free + leased = max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The bound that holds: what people granted is in it, and an operator may have lowered it.
    pub max: u64,
    /// Spent by everybody, as far as it is known here, with the debt of earlier windows.
    pub spent: u64,
    /// Held by this process.
    pub held: u64,
    /// What is left; negative in debt.
    pub free: i64,
    /// Leased to other processes.
    pub leased: u64,
    /// The part of `leased` whose holders have been silent for so long that they may be gone.
    pub silent: u64,
    /// The store refuses this account alone, and nothing can be taken: why.
    pub refused: Option<Refusal>,
    /// How old the store's last word about this window is; 0 if there is no store.
    pub age_ns: u64,
    /// The calendar's window: its number, its first instant and the first one after it, in nanoseconds.
    pub window: Option<(i64, u64, u64)>,
}

/// How the books stand with their store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether there is a store.
    pub is_leased: bool,
    /// Since when it has not answered, by the clock that never goes back.
    pub away_since: Option<u64>,
    /// When it last answered.
    pub last_reply: Option<u64>,
    /// How often something was taken that the store had not leased.
    pub degraded: u64,
    /// How often this process began anew, since the store or a fork made it.
    pub restarts: u64,
    /// What is wrong, if the store said so.
    pub error: Option<&'static str>,
    /// An account that the store refuses, and why; there may be more.
    pub refused: Option<(AccountKey, Refusal)>,
    /// Everything was given back; nothing more can be taken.
    pub is_closed: bool,
}
