//! Logical calls and their attempts, as a run remembers them.

use super::amounts::Amounts;
use super::meter::Produced;
use crate::books::{AccountId, Window};
use crate::event::Usage;
use crate::fingerprint::Binding;
use crate::health::Ticket;
use crate::order::Values;
use crate::program::{Basis, Index};
use crate::value::{Slot, Value};

/// Which decision point a logical call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Model,
    Tool { tool: u32, fingerprint: u64 },
}

/// A logical call that is not over: open (waiting, escalated or to be retried) or in flight.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) point: Point,
    /// When its first attempt began; before that, when it was asked.
    pub(crate) begun: u64,
    /// Since when it has been waiting for holds or for the store, if it is.
    pub(crate) waiting: Option<u64>,
    /// The event clock of the latest model call before a tool call's first ask.
    pub(crate) proposed: Option<u64>,
    pub(crate) in_flight: bool,
    /// For each basis: an attempt has counted as the step, or is about to.
    pub(crate) steps: [bool; Basis::ALL.len()],
    pub(crate) tries: Tries,
    /// Models given up for a fallback.
    pub(crate) failed: Vec<u32>,
    /// The last ask had another candidate after the allowed one.
    pub(crate) has_next: bool,
    /// The cascade that the result of its attempt is asked about, by its place among the route's arms.
    pub(crate) cascade: Option<u32>,
    /// The model whose result led on to a larger one.
    pub(crate) climbed: Option<u32>,
    /// Loops that were found at the first ask; they stand until a person has answered.
    pub(crate) loops: Vec<u32>,
    /// What a tool's call is known by in each form of arguments, where it matters what it brings.
    pub(crate) forms: Vec<u64>,
    /// The tool with its exact arguments, if results are handed back. It is not suspended: nothing is known
    /// after that.
    pub(crate) exact: Option<Binding>,
    /// Approvals that this call has used up, by statement; they let its retries pass.
    pub(crate) grants: Vec<(u32, Binding)>,
    /// The last ask, for the conditions of retries.
    pub(crate) requested: Option<u32>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) max_output: Option<u64>,
    /// What its success is about, for each order that it comes first in; none of what cannot be told.
    pub(crate) looks: Vec<Option<Values>>,
    /// How many changes there had been when its latest attempt began, for each order; and whether that
    /// attempt has ended and may have changed something.
    pub(crate) changes: Vec<u64>,
    pub(crate) has_changed: bool,
    pub(crate) kept: Vec<Value>,
}

impl Call {
    pub(crate) fn new(point: Point, now: u64, proposed: Option<u64>) -> Self {
        Self {
            point,
            begun: now,
            waiting: None,
            proposed,
            in_flight: false,
            steps: [false; Basis::ALL.len()],
            tries: Tries::default(),
            failed: Vec::new(),
            has_next: false,
            cascade: None,
            climbed: None,
            loops: Vec::new(),
            forms: Vec::new(),
            exact: None,
            grants: Vec::new(),
            requested: None,
            input_tokens: None,
            max_output: None,
            looks: Vec::new(),
            changes: Vec::new(),
            has_changed: false,
            kept: Vec::new(),
        }
    }

    /// Becomes another call. What it kept stays, for the next ask overwrites it: equal texts need no new
    /// memory.
    pub(super) fn renew(&mut self, point: Point, now: u64, proposed: Option<u64>) {
        // Field by field, and all by name, so that none that comes later is forgotten: a whole one would be
        // written twice.
        let Self {
            point: own_point,
            begun,
            waiting,
            proposed: own_proposed,
            in_flight,
            steps,
            tries: Tries { latest, earlier },
            failed,
            has_next,
            cascade,
            climbed,
            loops,
            forms,
            exact,
            grants,
            requested,
            input_tokens,
            max_output,
            looks,
            changes,
            has_changed,
            kept: _,
        } = self;
        (*own_point, *begun, *own_proposed) = (point, now, proposed);
        (*waiting, *latest, *cascade, *climbed, *exact) = (None, None, None, None, None);
        (*requested, *input_tokens, *max_output) = (None, None, None);
        (*in_flight, *has_next, *has_changed, *steps) = (false, false, false, [false; Basis::ALL.len()]);
        earlier.clear();
        failed.clear();
        loops.clear();
        forms.clear();
        grants.clear();
        looks.clear();
        changes.clear();
    }

    /// Keeps the values of its latest ask for its errors: those that some retry reads.
    #[inline]
    pub(super) fn keep(&mut self, index: &Index, slots: &[Slot<'_>]) {
        if !index.kept_facts.is_empty() {
            self.keep_all(index, slots);
        }
    }

    #[inline(never)]
    fn keep_all(&mut self, index: &Index, slots: &[Slot<'_>]) {
        self.kept.resize(index.kept_facts.len(), Value::Missing);
        for (fact, value) in index.kept_facts.iter().zip(&mut self.kept) {
            let sent = slots.get(*fact as usize).copied().unwrap_or_default();
            if value.as_slot() != sent {
                *value = sent.into();
            }
        }
    }

    /// The number of the next attempt on this model or tool.
    pub(crate) fn next_attempt(&self, subject: u32) -> u64 {
        self.tries.made(subject).saturating_add(1)
    }

    /// The number of the next attempt before a candidate is chosen: on the model of the last attempt, unless
    /// that was given up.
    pub(crate) fn next_attempt_anywhere(&self) -> u64 {
        match self.tries.latest {
            Some((model, made)) if !self.failed.contains(&model) => made.saturating_add(1),
            _ => 1,
        }
    }
}

/// How many attempts one logical call has made on each model or tool.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// The one tried last; most calls know no other.
    pub(super) latest: Option<(u32, u64)>,
    pub(super) earlier: Vec<(u32, u64)>,
}

impl Tries {
    #[inline]
    pub(crate) fn made(&self, subject: u32) -> u64 {
        if self.is_begun() { self.made_so_far(subject) } else { 0 }
    }

    #[inline(never)]
    fn made_so_far(&self, subject: u32) -> u64 {
        let mut all = self.latest.iter().chain(&self.earlier);
        all.find(|(tried, _)| *tried == subject).map_or(0, |(_, made)| *made)
    }

    /// Whether there was any.
    pub(crate) const fn is_begun(&self) -> bool {
        self.latest.is_some()
    }

    /// Counts one more attempt and returns its number.
    pub(crate) fn add(&mut self, subject: u32) -> u64 {
        let number = self.made(subject).saturating_add(1);
        if let Some(latest) = self.latest
            && latest.0 != subject
        {
            self.earlier.push(latest);
            self.earlier.retain(|(tried, _)| *tried != subject);
        }
        self.latest = Some((subject, number));
        number
    }
}

/// One dispatch that was allowed.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) call: u64,
    pub(crate) number: u64,
    /// What it runs on and what was taken for it.
    pub(crate) reserved: Amounts,
    /// From which windows, a row of the run's.
    pub(crate) windows: u32,
    /// What few attempts have.
    pub(crate) rare: Option<Box<Rare>>,
    /// When it began, by the wall clock.
    pub(crate) began: u64,
    pub(crate) cap: u64,
    /// Output tokens counted so far.
    pub(crate) produced: Produced,
    /// What it used, as it was reported; none while it is open.
    pub(crate) settled: Option<Usage>,
}

/// What few attempts have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// The wrapping up that it counts as.
    pub(crate) wrap_ups: Box<[(AccountId, Window)]>,
    /// The circuits of breakers that it passed in this process, until it ends.
    pub(crate) tickets: Vec<Ticket>,
}

impl Attempt {
    /// The wrapping up that it counts as.
    pub(crate) fn wrap_ups(&self) -> &[(AccountId, Window)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.wrap_ups)
    }
}

/// How the run stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    pub(crate) state: Option<u32>,
    /// The statement that stopped it.
    pub(crate) statement: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_for_each_model() {
        let mut tries = Tries::default();
        assert_eq!((tries.add(3), tries.add(3), tries.add(5), tries.add(3), tries.add(5)), (1, 2, 1, 3, 2));
        assert_eq!((tries.made(3), tries.made(5), tries.made(9)), (3, 2, 0));
    }

    #[test]
    fn attempts_are_counted_anew_after_a_fallback() {
        let mut call = Call::new(Point::Model, 0, None);
        assert_eq!(call.next_attempt_anywhere(), 1);
        call.tries.add(3);
        assert_eq!(call.next_attempt_anywhere(), 2);
        call.failed.push(3);
        assert_eq!(call.next_attempt_anywhere(), 1);
        assert_eq!(call.next_attempt(3), 2);
    }
}
