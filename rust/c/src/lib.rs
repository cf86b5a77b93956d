//! The door for C: one versioned table of functions. A program without Python gets it from a library, one
//! with Python from the capsule `checkrein._core._C_API`; `python/checkrein/include/checkrein.h` says what
//! each does.
//!
//! What a caller hands over is read in `edge`, which alone has `unsafe` code: `types` are the values on the
//! wire, `bound` makes facts of them, `pool`, `handles` and `meters` keep what handles stand for, and
//! `table`, `setup`, `calls` and `ends` are the functions. None of them unwinds into C, and none needs an
//! interpreter.

#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")
)]

mod bound;
mod calls;
mod edge;
mod ends;
mod fault;
mod handles;
mod meters;
mod pool;
mod said;
mod setup;
mod shape;
mod table;
mod types;

pub use fault::Fault;
pub use meters::{close_meter, count, meter};
pub use table::{Api, api};

/// The table, for programs that are linked with this library; nothing for a version that it does not have.
#[cfg(feature = "library")]
#[expect(unsafe_code, reason = "the one symbol that a library has to export")]
// SAFETY: no other library has a symbol of this name.
#[unsafe(no_mangle)]
pub extern "C" fn checkrein_api(abi: u32) -> Option<&'static Api> {
    (abi == types::ABI).then(api)
}
