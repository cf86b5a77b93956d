//! The store's half of the ledger, pure: what a request does to the rows, and what is answered.

mod account;
mod apply;
mod approvals;
mod code;
mod flaw;
mod items;
mod message;
mod operate;
mod prune;
mod records;
mod rows;
mod runs;
mod shown;
mod window;

#[cfg(feature = "flaws")]
pub use apply::apply_with;
pub use apply::{apply, create, keys};
pub use approvals::{Answered, Ask, Given, Word};
#[cfg(feature = "flaws")]
pub use flaw::Flaw;
pub use message::{AccountKey, Answer, Claim, Item, Kind, Refusal, Reply, Request};
#[cfg(feature = "flaws")]
pub use operate::operate_with;
pub use operate::{Operated, Operation, Order, operate, operation_keys};
pub use prune::{PRUNED, prune, prune_keys};
pub use records::DAMAGED;
pub use rows::{RowKey, Rows};
pub use runs::{
    Claimed, Life, Luggage, Parked, Whereabouts, claim, finish, give_back, park, requests_of, run_keys,
};
pub use shown::{Shown, ShownWindow, describe_row};
pub(crate) use window::{APART, number};
