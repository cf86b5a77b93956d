//! What a store keeps of every attempt once it is settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use checkrein_stores::{Ledger, Record, UsageKind};
use policy_core::{Decision, Program, Settlement, Usage};

/// The attempts of one run, written down when they are settled.
#[derive(Debug)]
pub(crate) struct Recorder {
    ledger: Arc<Ledger>,
    program: Arc<Program>,
    run: String,
    open: BTreeMap<u64, Named>,
    settled: BTreeMap<u64, Named>,
}

/// Which model or tool an attempt is of.
#[derive(Clone, Debug)]
enum Named {
    Model(u32),
    Tool(String),
}

impl Recorder {
    pub(crate) fn new(ledger: Arc<Ledger>, program: Arc<Program>, run: String) -> Self {
        Self { ledger, program, run, open: BTreeMap::new(), settled: BTreeMap::new() }
    }

    /// An attempt was opened, of this tool if it is one's.
    pub(crate) fn opened(&mut self, decision: &Decision, tool: Option<&str>) {
        let named = match (decision.model, tool) {
            (_, Some(tool)) => Named::Tool(tool.to_owned()),
            (Some(model), None) => Named::Model(model),
            (None, None) => return,
        };
        if let Some(attempt) = decision.attempt {
            self.open.insert(attempt, named);
        }
    }

    /// An attempt was settled or adjusted: what the engine says of it now. A journal that cannot take it
    /// refuses the next call, see [`Ledger::ready`].
    pub(crate) fn settled(&mut self, attempt: u64, wall: u64, settled: Option<(Usage, Settlement)>) {
        let Some((usage, figures)) = settled else { return };
        if let Some(named) = self.open.remove(&attempt) {
            self.settled.insert(attempt, named);
        }
        let Some(named) = self.settled.get(&attempt) else { return };
        let (name, is_tool) = match named {
            Named::Tool(name) => (name.as_str(), true),
            Named::Model(index) => {
                let model = usize::try_from(*index).ok().and_then(|index| self.program.models().get(index));
                (model.map_or("", |model| &*model.name), false)
            }
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

    /// The attempts that are not settled yet.
    pub(crate) fn open(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
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
