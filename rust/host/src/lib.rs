//! What every face of the engine shares, whichever language it speaks: a run with its lock and its books,
//! what a store keeps of its attempts, and the exact texts that arguments and amounts are read from.
//!
//! A face translates, this crate serialises the events of a run, and the engine decides.

mod decimal;
mod exact;
mod guarded;
mod hosted;
pub mod json;
mod live;
mod recorder;

pub use checkrein_records::forked;
pub use decimal::{is_plain, scaled};
pub use exact::{exact, exact_each};
pub use hosted::{Hosted, Refused};
pub use live::Live;
