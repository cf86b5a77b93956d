//! What a run and the runs that it starts have in common: it is one piece of work, however many agents share
//! it, so a loop that goes round through several of them is found too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::code::{Reader, Writer};
use crate::loops::Ring;

/// The memory of a family. It is held for moments only, and no other lock is taken meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family(Arc<Mutex<Memory>>);

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Logical model calls of all of them so far.
    pub(crate) steps: u64,
    pub(crate) ring: Ring,
}

impl Memory {
    /// A logical model call begins.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// A logical tool call is asked.
    pub(super) fn note(&mut self, fingerprint: u64) {
        self.ring.push(fingerprint, self.steps);
    }
}

impl Family {
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let memory = self.memory();
        writer.number(memory.steps);
        memory.ring.write(writer);
    }

    /// What was written, of a run that has made so many steps itself.
    pub(super) fn read(reader: &mut Reader<'_>, own: u64) -> Option<Self> {
        let steps = reader.number().filter(|steps| *steps >= own)?;
        let ring = Ring::read(reader, steps)?;
        Some(Self(Arc::new(Mutex::new(Memory { steps, ring }))))
    }
}
