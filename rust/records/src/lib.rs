//! The decision log: one record a decision, kept in memory as it is taken, written as JSON lines by a thread.
//!
//! A [`Writer`] puts the records of one run into the [`Log`] that it shares with others: by copying, without
//! a name looked up, a text made or memory asked for. The log's thread makes lines of them and appends these
//! to the file; whoever has to know that they are there calls [`Log::flush`].

#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")
)]

mod batch;
mod decided;
mod file;
mod forks;
mod head;
mod inner;
mod json;
mod line;
mod log;
mod members;
mod page;
mod plain;
mod readings;
mod render;
mod told;
mod writer;

pub use batch::Charged;
pub use forks::{forked, forks};
pub use log::{Audit, Log, Trouble};
pub use plain::Plain;
pub use render::value;
pub use writer::{Ended, Subject, Writer};
