//! What a store keeps of every attempt once it is settled.

use std::sync::Arc;

use checkrein_stores::{Ledger, Record, UsageKind};
use policy_core::{Program, Run, Usage};

/// The attempts of one run, written down when they are settled.
#[derive(Debug)]
pub(crate) struct Recorder {
    ledger: Arc<Ledger>,
    program: Arc<Program>,
    run: String,
}

impl Recorder {
    pub(crate) fn new(ledger: Arc<Ledger>, program: Arc<Program>, run: String) -> Self {
        Self { ledger, program, run }
    }

    /// An attempt was settled or adjusted: what the engine says of it now. A journal that cannot take it
    /// refuses the next call, see [`Ledger::ready`].
    pub(crate) fn settled(&self, run: &Run, attempt: u64, wall: u64) {
        let Some(((usage, figures), (name, is_tool))) = run.settled(attempt).zip(run.target(attempt)) else {
            return;
        };
        let mut digest = [0; 8];
        digest.iter_mut().zip(self.program.digest()).for_each(|(byte, of)| *byte = *of);
        let _full = self.ledger.record(Record {
            run: self.run.clone(),
            attempt,
            wall,
            digest,
            name: name.to_owned(),
            is_tool,
            usage: kind(usage),
            input: figures.input_tokens,
            output: figures.output_tokens,
            cache_read: figures.cache_read_tokens,
            cache_write: figures.cache_write_tokens,
            reasoning: figures.reasoning_tokens,
            tokens: figures.tokens,
            cost: figures.cost,
            prices: self.program.prices().to_owned(),
        });
    }
}

const fn kind(usage: Usage) -> UsageKind {
    match usage {
        Usage::Exact { .. } => UsageKind::Exact,
        Usage::AtLeast { .. } => UsageKind::AtLeast,
        Usage::Unknown => UsageKind::Unknown,
        Usage::Unsent => UsageKind::Unsent,
    }
}
