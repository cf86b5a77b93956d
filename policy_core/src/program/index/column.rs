//! What attempts of one kind draw on, laid out for those who go through it at every call.

use super::draws::Entry;
use crate::program::limits::{Basis, Measure};
use crate::program::statements::Selector;

/// What an attempt is on, or that a person is asked: most accounts have nothing to do with most of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Tool,
    Person,
}

/// Where an account finds its amount among those of an attempt, and whose attempts have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) place: u8,
    kinds: [bool; 3],
}

impl Column {
    /// As many columns as there are.
    pub(crate) const COUNT: usize = 11;
    /// No column: what calls of some model or tool are on has to be looked at.
    pub(crate) const NONE: u8 = u8::MAX;

    pub(crate) const fn of(measure: Measure, basis: Basis) -> Self {
        const MODELS: [bool; 3] = [true, false, false];
        const TOOLS: [bool; 3] = [false, true, false];
        const EITHER: [bool; 3] = [true, true, false];
        let (step, one) = match basis {
            Basis::Attempted => (4, 7),
            Basis::Executed => (5, 8),
            Basis::Succeeded => (6, 9),
        };
        let (place, kinds) = match measure {
            Measure::Cost => (0, MODELS),
            Measure::Tokens => (1, MODELS),
            Measure::InputTokens => (2, MODELS),
            Measure::OutputTokens => (3, MODELS),
            Measure::Steps => (step, MODELS),
            Measure::ModelCalls | Measure::CallsOf(Selector::AnyModel) => (one, MODELS),
            Measure::ToolCalls | Measure::CallsOf(Selector::AnyTool) => (one, TOOLS),
            Measure::Attempts => (one, EITHER),
            Measure::Escalations => (one, [false, false, true]),
            Measure::Retries => (10, EITHER),
            Measure::CallsOf(Selector::Model(_)) => (Self::NONE, MODELS),
            Measure::CallsOf(_) => (Self::NONE, TOOLS),
            Measure::ActiveTime | Measure::WallTime => (Self::NONE, [false; 3]),
        };
        Self { place, kinds }
    }

    /// Whether it is of a measure of which only the end of an attempt tells how much it is.
    #[inline]
    pub(crate) const fn is_amount(self) -> bool {
        self.place < 4
    }

    /// Whether an attempt of this kind may have any amount of it.
    pub(crate) fn concerns(self, kind: Kind) -> bool {
        self.kinds.get(kind as usize).copied().unwrap_or(false)
    }
}

/// What each attempt of one kind looks at of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    pub(crate) place: u32,
    /// Which of the bounds of all limits it is about, unless it is not the run's own business.
    pub(crate) bound: u32,
    /// The column of its amount.
    pub(crate) column: u8,
    /// What is kept for wrapping up.
    pub(crate) withheld: u64,
    /// Below this, no threshold is reached that only the run's own attempts lead to.
    pub(crate) calm: u64,
}

/// The entries that attempts of one kind concern: first those that are held until the attempt ends.
#[derive(Debug, Default)]
pub(crate) struct Concerned {
    all: Box<[Drawn]>,
    held: usize,
}

impl Concerned {
    /// Of these entries, with their places.
    pub(super) fn of<'a>(
        kind: Kind,
        entries: impl Iterator<Item = (u32, &'a Entry)> + Clone,
        bound: impl Fn(&Entry) -> u32,
        calm: impl Fn(u32) -> u64,
    ) -> Self {
        let drawn = |(place, entry): (u32, &Entry)| Drawn {
            place,
            bound: bound(entry),
            column: entry.column.place,
            withheld: entry.withheld,
            calm: calm(place),
        };
        let concerned = entries.filter(|(_, entry)| entry.column.concerns(kind));
        let held = concerned.clone().filter(|(_, entry)| entry.is_held());
        let spent = concerned.filter(|(_, entry)| !entry.is_held());
        let held: Vec<Drawn> = held.map(drawn).collect();
        let count = held.len();
        Self { all: held.into_iter().chain(spent.map(drawn)).collect(), held: count }
    }

    #[inline]
    pub(crate) fn all(&self) -> &[Drawn] {
        &self.all
    }

    /// Those that are held until the attempt ends, and those that are spent at once.
    #[inline]
    pub(crate) fn parts(&self) -> (&[Drawn], &[Drawn]) {
        self.all.split_at_checked(self.held).unwrap_or_default()
    }
}
