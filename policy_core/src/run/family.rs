//! What a run and the runs that it starts have in common: it is one piece of work, however many agents share
//! it, so a loop that goes round through several of them is found too.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::context::Context;
use super::progress::{Progress, pair};
use crate::code::{Reader, Writer};
use crate::latest::Latest;
use crate::loops::{Mistake, Mistakes, Ring};
use crate::order::Changes;
use crate::program::Program;

/// The memory of a family. It is held for moments only, and no other lock is taken meanwhile.
#[derive(Debug)]
pub(crate) struct Family {
    /// That of a run which has started no other.
    alone: Mutex<Memory>,
    common: OnceLock<Arc<Mutex<Memory>>>,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Logical model calls of all of them so far.
    pub(crate) steps: u64,
    ring: Ring,
    mistakes: Mistakes,
    /// What tools gave, and what agents were told in place of that.
    pub(crate) given: Latest,
    /// For each form of arguments where it matters: calls with what they gave.
    brought: Box<[Latest]>,
    pub(crate) changes: Changes,
    pub(crate) context: Context,
}

impl Memory {
    /// A logical model call begins.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// A logical tool call is asked, known by this fingerprint in each form. Notes the loops that it closes.
    #[inline]
    pub(super) fn note(&mut self, program: &Program, fingerprints: &[u64], found: &mut Vec<u32>) {
        self.ring.push(fingerprints, self.steps);
        if self.ring.is_repeated() || program.index.loops.of_one {
            self.find(program, found);
        }
    }

    #[inline(never)]
    fn find(&self, program: &Program, found: &mut Vec<u32>) {
        let (loops, tables) = (&program.index.loops, &program.tables.loops);
        for &index in &loops.of_calls {
            if self.ring.repeats(tables.at(index), loops.form(index)) {
                found.push(index);
            }
        }
    }

    /// A call, known by this fingerprint in each form, had this result, which may be progress in this step.
    pub(super) fn bring(
        &mut self,
        forms: &[u64],
        result: Option<u64>,
        (progress, step): (&mut Progress, u64),
    ) {
        let news = self.brought.iter_mut().zip(forms);
        progress.bring(step, news.map(|(brought, call)| brought.add(pair(*call, result))));
    }

    /// An error of a tool was given up. Gives the loops that it closes.
    pub(super) fn mistake(&mut self, program: &Program, mistake: Mistake) -> Vec<u32> {
        self.mistakes.push(mistake, self.steps);
        let repeated = |index: &u32| {
            let bound = program.tables.loops.at(*index).same_error;
            bound.is_some_and(|bound| self.mistakes.repeat(bound))
        };
        program.index.loops.of_errors.iter().copied().filter(repeated).collect()
    }
}

/// A memory that may be changed.
pub(crate) enum Held<'a> {
    Alone(&'a mut Memory),
    Common(MutexGuard<'a, Memory>),
}

impl Deref for Held<'_> {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Self::Alone(memory) => memory,
            Self::Common(memory) => memory,
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Memory {
        match self {
            Self::Alone(memory) => memory,
            Self::Common(memory) => memory,
        }
    }
}

fn locked(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Family {
    /// That of a run which begins.
    pub(super) fn new(program: &Program) -> Self {
        let ring = Ring::new(program.index.loops.count());
        let brought = (0..program.index.loops.progressing()).map(|_| Latest::default()).collect();
        let (mistakes, given) = (Mistakes::default(), Latest::default());
        let (changes, context) = (Changes::new(program.tables.orders.all().len()), Context::default());
        Self::of(Memory { steps: 0, ring, mistakes, given, brought, changes, context })
    }

    fn of(memory: Memory) -> Self {
        Self { alone: Mutex::new(memory), common: OnceLock::new() }
    }

    /// That of a run which another one starts: from here on both have one memory.
    pub(super) fn below(&self) -> Self {
        let common = self.common.get_or_init(|| Arc::new(Mutex::new(mem::take(&mut *locked(&self.alone)))));
        Self { alone: Mutex::default(), common: OnceLock::from(Arc::clone(common)) }
    }

    /// For a look, or from where the run is being looked at.
    pub(crate) fn look(&self) -> MutexGuard<'_, Memory> {
        locked(self.common.get().map_or(&self.alone, |common| common))
    }

    /// For a change. The memory of a run that is alone needs no lock for that.
    pub(crate) fn memory(&mut self) -> Held<'_> {
        match self.common.get() {
            Some(common) => Held::Common(locked(common)),
            None => Held::Alone(self.alone.get_mut().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Of the changes that are under way, `kept` go on with the run.
    pub(super) fn write(&self, kept: &Changes, writer: &mut Writer) {
        let memory = self.look();
        writer.number(memory.steps);
        memory.ring.write(writer);
        memory.mistakes.write(writer);
        memory.given.write(writer);
        memory.brought.iter().for_each(|brought| brought.write(writer));
        memory.changes.write(kept, writer);
        memory.context.write(writer);
    }

    /// What was written, of a run that has made so many steps itself.
    pub(super) fn read(reader: &mut Reader<'_>, program: &Program, own: u64) -> Option<Self> {
        let steps = reader.number().filter(|steps| *steps >= own)?;
        let ring = Ring::read(reader, program.index.loops.count(), steps)?;
        let mistakes = Mistakes::read(reader, program.tools().len(), steps)?;
        let given = Latest::read(reader)?;
        let forms = 0..program.index.loops.progressing();
        let brought = forms.map(|_| Latest::read(reader)).collect::<Option<_>>()?;
        let changes = Changes::read(reader, program.tables.orders.all().len())?;
        let context = Context::read(reader)?;
        Some(Self::of(Memory { steps, ring, mistakes, given, brought, changes, context }))
    }
}
