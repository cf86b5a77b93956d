//! Engines of policies in Rust, each given the same rules.

#[cfg(feature = "peers")]
pub mod cedar;
#[cfg(feature = "peers")]
pub mod cel;
pub mod checkrein;
#[cfg(feature = "peers")]
pub mod regorus;
pub mod rules;

#[path = "../../../../rust/speed/src/door.rs"]
mod door;

use std::hint::black_box;
use std::time::{Duration, Instant};

use rules::Call;

/// An engine with its policy.
pub trait Peer {
    /// What it answers.
    type Answer;

    /// One decision; what the engine takes as its input is made of the call.
    fn ask(&mut self, call: &Call) -> Self::Answer;

    /// The name of the rule that decided; empty, if the call is allowed.
    fn read(&self, answer: &Self::Answer) -> String;

    /// What follows the answer and is not timed.
    fn after(&mut self, _answer: Self::Answer) {}

    /// So many decisions of these calls in turn: how long they took.
    fn time<'a>(&mut self, count: u64, turn: &mut impl Iterator<Item = &'a Call>) -> Duration {
        let begun = Instant::now();
        for call in turn.take(usize::try_from(count).expect("few")) {
            let answer = black_box(self.ask(black_box(call)));
            self.after(answer);
        }
        begun.elapsed()
    }
}
