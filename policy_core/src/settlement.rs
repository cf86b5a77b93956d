//! What attempts were charged, and where limits stand.

use crate::program::Measure;
use crate::store::Refusal;

/// What an attempt was charged in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Tokens that were sent, as reported; 0 if nothing was reported.
    pub input_tokens: u64,
    /// Tokens that came back, as reported, at least those counted where a lower bound was reported.
    pub output_tokens: u64,
    /// Of the tokens that were sent, those read from the provider's cache, as reported.
    pub cache_read_tokens: u64,
    /// Of the tokens that were sent, those written to it, as reported.
    pub cache_write_tokens: u64,
    /// Of the tokens that came back, reasoning, as reported.
    pub reasoning_tokens: u64,
    /// Tokens charged.
    pub tokens: u64,
    /// Nano-units of the currency charged.
    pub cost: u64,
    /// Tokens that were held.
    pub reserved_tokens: u64,
    /// Nano-units of the currency that were held.
    pub reserved_cost: u64,
}

/// Where one bound of one limit stands. `spent + held + free + leased = max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The limit, an index into [`crate::Program::limits`].
    pub limit: u32,
    /// What is bounded.
    pub measure: Measure,
    /// The bound, with what people have added to it.
    pub max: u64,
    /// Spent so far in this window; for time, what has elapsed as of the last event.
    pub spent: u64,
    /// Held by attempts in flight.
    pub held: u64,
    /// What is left; negative in debt.
    pub free: i64,
    /// Leased to other processes.
    pub leased: u64,
    /// The part of that whose holders have been silent for so long that they may be gone.
    pub silent: u64,
    /// Why the store refuses the account, if it does; then nothing can be taken.
    pub refused: Option<Refusal>,
    /// The calendar's window: its number, its first instant and the first one after it, in nanoseconds.
    pub window: Option<(i64, u64, u64)>,
    /// The limit lets calls through when its store does not answer.
    pub soft: bool,
    /// The run has no id for the limit's scope: nothing is known.
    pub missing: bool,
    /// How old the store's last word is, in nanoseconds; 0 without a store.
    pub age_ns: u64,
}
