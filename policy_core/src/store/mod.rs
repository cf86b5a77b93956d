//! The store's half of the ledger, pure: what a request does to the rows, and what is answered.

mod message;

pub use message::{AccountKey, Answer, Claim, Item, Kind, Reply, Request};
