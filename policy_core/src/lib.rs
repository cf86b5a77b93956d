//! The engine of Checkrein: a deterministic state machine over the events of one agent run.
//!
//! A [`Program`] is a verified policy. A [`Run`] is told what an agent wants to do and answers with a
//! [`Decision`]; it is told what attempts used and keeps the [`books`](books::Books). `now` is an input of
//! every event, and so is the seed of every delay: the same events give the same decisions.
//!
//! The engine reads no clock, file, network, environment or random source, computes with integers only,
//! and does not fail once a program is loaded: a decision is a value, never an error.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")
)]

// The writer of artifacts that the tests outside have is one for those inside too.
#[cfg(test)]
extern crate self as policy_core;

mod amount;
pub mod batch;
pub mod books;
mod clock;
mod code;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
mod decision;
mod error;
mod event;
mod facts;
mod fingerprint;
mod health;
mod latest;
mod loops;
mod order;
mod price;
mod program;
mod run;
mod settlement;
pub mod store;
mod text;
mod typed;
mod value;
mod vm;

pub use amount::amount;
pub use clock::Shown;
pub use decision::{Advice, Asked, BuiltIn, By, Decision, Event, Outcome, Vote, Why};
pub use error::{EngineError, LoadError, LoadErrorKind};
pub use event::{ErrorKind, Failure, ModelCall, Now, Returned, Scopes, ToolCall, Usage};
pub use facts::BuiltInFact;
pub use fingerprint::{fingerprint, xxh3_64};
pub use health::Health;
pub use price::{Price, Tariff};
pub use program::{
    Arg, AskFor, Basis, Bound, Const, FORMAT, Fact, Found, Grants, Limit, Measure, Model, MoneyUnit, Place,
    Plain, Presence, Program, Queue, QueueDefault, Range, Scope, Selector, Sought, Source, State, Statement,
    StatementKind, Template, Threshold, ThresholdKind, TimeZone, Tool, ToolClass,
};
pub use run::{Meter, OpenRequest, Reply, Run, Stand};
pub use settlement::{Reading, Settlement};
pub use value::{Dimension, MAX_NUMBER, MAX_QUANTITY, MILLION, Slot, Truth, Value};
