//! One lock around one run. A panic inside must neither poison the lock nor leave the run half-changed.
//!
//! INVARIANT (no Python): nothing that is called under the lock touches a Python object, so that no
//! thread waits for the interpreter while it holds the lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The engine failed inside an earlier event or in this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// A value that several threads use in turn.
#[derive(Debug)]
pub(crate) struct Guarded<R> {
    state: Mutex<State<R>>,
}

#[derive(Debug)]
struct State<R> {
    run: R,
    broken: bool,
}

impl<R> Guarded<R> {
    pub(crate) fn new(run: R) -> Self {
        Self { state: Mutex::new(State { run, broken: false }) }
    }

    /// Runs `event`, also on what took a broken run's place.
    ///
    /// If `event` panics, what it may have left half-changed is replaced by what `ended` gives of
    /// it: a run that denies everything.
    pub(crate) fn ask<T>(
        &self,
        ended: impl FnOnce(&mut R) -> R,
        event: impl FnOnce(&mut R) -> T,
    ) -> Result<T, Broken> {
        Self::attempt(&mut self.lock(), ended, event)
    }

    /// Runs `event`, unless the run is broken: what is left of it knows nothing to tell or to be told.
    pub(crate) fn tell<T>(
        &self,
        ended: impl FnOnce(&mut R) -> R,
        event: impl FnOnce(&mut R) -> T,
    ) -> Result<T, Broken> {
        let mut state = self.lock();
        if state.broken { Err(Broken) } else { Self::attempt(&mut state, ended, event) }
    }

    /// What is inside, for the last owner.
    pub(crate) fn last(&mut self) -> &mut R {
        &mut self.state.get_mut().unwrap_or_else(PoisonError::into_inner).run
    }

    fn attempt<T>(
        state: &mut State<R>,
        ended: impl FnOnce(&mut R) -> R,
        event: impl FnOnce(&mut R) -> T,
    ) -> Result<T, Broken> {
        catch_unwind(AssertUnwindSafe(|| event(&mut state.run))).map_err(|_| {
            state.run = ended(&mut state.run);
            state.broken = true;
            Broken
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Guarded};

    #[test]
    fn a_panic_ends_the_run_and_leaves_the_lock_usable() {
        let guarded = Guarded::new(vec![1]);
        assert_eq!(guarded.ask(|_| Vec::new(), |run| run.len()), Ok(1));
        let failed: Result<(), Broken> = guarded.tell(
            |_| Vec::new(),
            |run| {
                run.push(2);
                panic!("a bug of the engine");
            },
        );
        assert_eq!(failed, Err(Broken));
        assert_eq!(guarded.tell(|_| Vec::new(), |run| run.len()), Err(Broken), "nothing more is told");
        assert_eq!(guarded.ask(|_| Vec::new(), |run| run.len()), Ok(0), "asking meets the replacement");
    }
}
