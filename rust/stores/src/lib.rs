//! Where shared accounts live: SQLite, Redis or the memory of a process; the thread that leases from them;
//! and the records of what was settled.
//!
//! A [`Ledger`] is what a host holds: the [`Books`](policy_core::books::Books) that its runs take from, and a
//! thread that keeps them supplied. A [`Store`] is what an operator opens.

#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")
)]

mod clock;
mod errand;
mod error;
mod health;
mod journal;
mod keeper;
mod ledger;
mod memory;
mod place;
mod record;
mod recorder;
#[cfg(feature = "redis")]
mod redis;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use clock::now;
pub use error::{ErrorKind, StoreError};
pub use health::Health;
pub use ledger::{Ledger, Options};
pub use memory::MemoryStore;
pub use record::{Record, Stored, UsageKind};
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{Change, Described, Scanned, Store, open_store};
