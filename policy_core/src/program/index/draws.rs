//! Which accounts a run draws on, as far as that is the same for all runs of a program: found once, when the
//! program is loaded, and for runs below others when the first of these begins.

use std::sync::{Arc, OnceLock};

use crate::books::WindowKind;
use crate::price::product;
use crate::program::limits::{Basis, Limit, Measure, Scope};
use crate::program::statements::Selector;
use crate::program::tables::Tables;
use crate::value::{MAX_QUANTITY, MILLION};

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Own,
    Ancestor,
    Wider,
}

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
    pub(crate) const fn of(measure: Measure, basis: Basis) -> Self {
        const MODELS: [bool; 3] = [true, false, false];
        const TOOLS: [bool; 3] = [false, true, false];
        const EITHER: [bool; 3] = [true, true, false];
        let (place, kinds) = match measure {
            Measure::Cost => (1, MODELS),
            Measure::Tokens => (2, MODELS),
            Measure::InputTokens => (3, MODELS),
            Measure::OutputTokens => (4, MODELS),
            Measure::Steps => match basis {
                Basis::Attempted => (5, MODELS),
                Basis::Executed => (6, MODELS),
                Basis::Succeeded => (7, MODELS),
            },
            Measure::ModelCalls | Measure::CallsOf(Selector::AnyModel) => (8, MODELS),
            Measure::ToolCalls | Measure::CallsOf(Selector::AnyTool) => (8, TOOLS),
            Measure::Attempts => (8, EITHER),
            Measure::Escalations => (8, [false, false, true]),
            Measure::Retries => (9, EITHER),
            Measure::CallsOf(Selector::Model(_)) => (0, MODELS),
            Measure::CallsOf(_) => (0, TOOLS),
            Measure::ActiveTime | Measure::WallTime => (0, [false; 3]),
        };
        Self { place, kinds }
    }

    /// Whether it is of a measure of which only the end of an attempt tells how much it is.
    #[inline]
    pub(crate) const fn is_amount(self) -> bool {
        matches!(self.place, 1..=4)
    }

    /// Whether an attempt of this kind may have any amount of it.
    pub(crate) fn concerns(self, kind: Kind) -> bool {
        self.kinds.get(kind as usize).copied().unwrap_or(false)
    }
}

/// One account that every attempt is checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The limit, an index; none if only conditions read it.
    pub(crate) limit: Option<u32>,
    pub(crate) measure: Measure,
    pub(crate) column: Column,
    pub(crate) basis: Basis,
    pub(crate) level: Level,
    /// What is kept for wrapping up, and the account that counts how often that may be, by its place.
    pub(crate) withheld: u64,
    pub(crate) wrap_up: Option<u32>,
    /// The bound of a limit that is only observed: its account counts without one, so that nothing is owed.
    pub(crate) observed: Option<u64>,
    /// Its place among the entries of the run above, whose account it is.
    pub(crate) above: Option<u32>,
}

impl Entry {
    /// Whether it can be in the way of anything.
    #[inline]
    pub(crate) const fn is_enforced(&self) -> bool {
        self.limit.is_some() && self.observed.is_none()
    }

    /// Whether it is held until the attempt ends, instead of spent at once.
    #[inline]
    pub(crate) const fn is_held(&self) -> bool {
        self.column.is_amount() || !matches!(self.basis, Basis::Attempted)
    }
}

/// The entries that attempts of one kind concern, with their places: all, those that can be in the way, those
/// that are held until the attempt ends, and those that are spent at once.
#[derive(Debug, Default)]
pub(crate) struct Concerned {
    pub(crate) all: Box<[(u32, Entry)]>,
    pub(crate) enforced: Box<[(u32, Entry)]>,
    pub(crate) held: Box<[(u32, Entry)]>,
    pub(crate) spent: Box<[(u32, Entry)]>,
}

/// A soft threshold, with what it is reached by.
#[derive(Debug)]
pub(crate) struct Soft {
    pub(crate) limit: u32,
    /// Its place among the limit's own.
    pub(crate) threshold: u32,
    /// Reached at this many parts per million of a bound.
    ppm: u64,
    /// For each bound of an account: where that is, and what is enough while nobody has moved the bound.
    pub(crate) fills: Box<[Fill]>,
    /// For each bound of time: what is enough.
    pub(crate) times: Box<[(Measure, u64)]>,
}

/// How full a bound of an account is when a threshold is reached.
#[derive(Debug)]
pub(crate) struct Fill {
    pub(crate) place: u32,
    pub(crate) withheld: u64,
    pub(crate) max: u64,
    pub(crate) enough: u64,
}

impl Soft {
    /// How much of a bound reaches it, of which something may be kept to wrap up.
    pub(crate) fn enough(&self, max: u64, withheld: u64) -> u64 {
        let parts = product(max.saturating_sub(withheld), self.ppm).div_ceil(u128::from(MILLION));
        u64::try_from(parts).unwrap_or(u64::MAX)
    }
}

/// All accounts that runs at one depth draw on.
#[derive(Debug, Default)]
pub(crate) struct Draws {
    /// Ascending by limit, then from the run's own outwards; meters last.
    pub(crate) entries: Box<[Entry]>,
    /// By kind.
    concerned: [Concerned; 3],
    /// The limits of the run's own whose calls of wrapping up are counted; the accounts that count those of
    /// the runs above stand after theirs.
    pub(crate) own_wrap_ups: Box<[u32]>,
    /// The places of the entries that count for each of the index's meters.
    pub(crate) meters: Box<[u32]>,
    /// The thresholds of all limits, in their order.
    pub(crate) soft: Box<[Soft]>,
    /// Whether holds may belong to different windows.
    pub(crate) has_windows: bool,
    /// Whether some limit is only observed.
    pub(crate) observes: bool,
    /// Those of the runs below.
    below: OnceLock<Arc<Self>>,
}

impl Draws {
    /// Those of runs that are below no other.
    pub(crate) fn new(tables: &Tables, meters: &[Measure]) -> Self {
        Self::of(tables, meters, None)
    }

    /// Those of the runs that runs with these begin. They take from what the run above has too.
    pub(crate) fn below(&self, tables: &Tables, meters: &[Measure]) -> &Arc<Self> {
        self.below.get_or_init(|| Arc::new(Self::of(tables, meters, Some(self))))
    }

    #[inline]
    pub(crate) fn concerned(&self, kind: Kind) -> &Concerned {
        let [models, tools, people] = &self.concerned;
        match kind {
            Kind::Model => models,
            Kind::Tool => tools,
            Kind::Person => people,
        }
    }

    /// The entries of a limit that are about the run itself, or about what it shares with others, with their
    /// places; not those of the runs above.
    pub(crate) fn of_limit(&self, limit: u32) -> impl Iterator<Item = (u32, &Entry)> {
        let first = self.entries.partition_point(|entry| entry.limit.is_some_and(|index| index < limit));
        let entries = (0..).zip(&self.entries).skip(first);
        let entries = entries.take_while(move |(_, entry)| entry.limit == Some(limit));
        entries.filter(|(_, entry)| entry.level != Level::Ancestor)
    }

    fn of(tables: &Tables, meters: &[Measure], above: Option<&Self>) -> Self {
        let mut draws = Self::default();
        let mut entries = Vec::new();
        let (mut wrap_ups, mut has_windows) = (Vec::new(), above.is_some_and(|above| above.has_windows));
        for (index, limit) in tables.limits.numbered() {
            let is_own = limit.scope == Scope::Run;
            if !is_own && above.is_some() {
                continue;
            }
            has_windows |= !is_own || limit.window != WindowKind::Forever;
            let place = number(wrap_ups.len());
            let wrap_up = (is_own && limit.wrap_up > 0).then_some(place);
            wrap_ups.extend(wrap_up.map(|_| index));
            entries.extend(drawn(tables, (index, limit), wrap_up));
        }
        let own = number(wrap_ups.len());
        draws.own_wrap_ups = wrap_ups.into();
        for &measure in meters {
            if !entries.iter().any(|entry| counts_all(tables, entry, measure)) {
                entries.push(metered(measure));
            }
        }
        for (place, entry) in (0..).zip(above.iter().flat_map(|above| &above.entries)) {
            let level = if entry.level == Level::Wider { Level::Wider } else { Level::Ancestor };
            let wrap_up = entry.wrap_up.map(|wrap_up| wrap_up.saturating_add(own));
            entries.push(Entry { level, wrap_up, above: Some(place), ..*entry });
        }
        entries.sort_by_key(|entry| entry.limit.unwrap_or(u32::MAX));
        draws.entries = entries.into();
        draws.has_windows = has_windows;
        draws.observes = draws.entries.iter().any(|entry| entry.observed.is_some());
        let counting = |measure: &Measure| {
            let place = draws.entries.iter().position(|entry| counts_all(tables, entry, *measure));
            place.map_or(u32::MAX, number)
        };
        draws.meters = meters.iter().map(counting).collect();
        draws.concerned = [Kind::Model, Kind::Tool, Kind::Person].map(|kind| {
            let numbered = (0..).zip(draws.entries.iter().copied());
            let all: Box<[_]> = numbered.filter(|(_, entry)| entry.column.concerns(kind)).collect();
            let only = |is: fn(&Entry) -> bool| all.iter().filter(|(_, entry)| is(entry)).copied().collect();
            let (held, spent) = (only(Entry::is_held), only(|entry| !entry.is_held()));
            Concerned { enforced: only(Entry::is_enforced), held, spent, all }
        });
        draws.soft = draws.thresholds(tables);
        draws
    }

    fn thresholds(&self, tables: &Tables) -> Box<[Soft]> {
        let mut all = Vec::new();
        for (limit, table) in tables.limits.numbered() {
            for (threshold, each) in (0..).zip(&table.thresholds) {
                let mut soft =
                    Soft { limit, threshold, ppm: each.ppm, fills: Box::default(), times: Box::default() };
                let fill = |(place, entry): (u32, &Entry)| {
                    let bound = table.bounds.iter().find(|bound| bound.measure == entry.measure)?;
                    let (max, withheld) = (bounded(entry, bound.max), entry.withheld);
                    Some(Fill { place, withheld, max, enough: soft.enough(max, withheld) })
                };
                let fills = self.of_limit(limit).filter_map(fill).collect();
                let times = table.bounds.iter().filter(|bound| bound.measure.is_time());
                let times = times.map(|bound| (bound.measure, soft.enough(bound.max, 0))).collect();
                (soft.fills, soft.times) = (fills, times);
                all.push(soft);
            }
        }
        all.into()
    }
}

/// The bound that an entry's account has.
pub(crate) fn bounded(entry: &Entry, max: u64) -> u64 {
    if entry.observed.is_some() { MAX_QUANTITY } else { max }
}

/// The entries of a limit: of each bound that an account counts for.
fn drawn(
    tables: &Tables,
    (index, limit): (u32, &Limit),
    wrap_up: Option<u32>,
) -> impl Iterator<Item = Entry> {
    let is_observed = tables.is_observed(limit.statement);
    let level = if limit.scope == Scope::Run { Level::Own } else { Level::Wider };
    // Only limits on a run bound time, which no account counts.
    let bounds = limit.bounds.iter().filter(move |bound| level == Level::Wider || !bound.measure.is_time());
    bounds.map(move |bound| {
        let (measure, basis) = (bound.measure, limit.basis_of(bound.measure));
        Entry {
            limit: Some(index),
            measure,
            column: Column::of(measure, basis),
            basis,
            level,
            withheld: bound.withheld,
            wrap_up,
            observed: is_observed.then_some(bound.max),
            above: None,
        }
    })
}

/// Whether an entry counts all of a measure in the run: conditions can read it there.
fn counts_all(tables: &Tables, entry: &Entry, measure: Measure) -> bool {
    let window = entry.limit.map(|limit| &tables.limits.at(limit).window);
    entry.level == Level::Own
        && entry.measure == measure
        && (measure.is_amount() || entry.basis == Basis::Attempted)
        && window.is_none_or(|window| *window == WindowKind::Forever)
}

/// What only conditions read.
fn metered(measure: Measure) -> Entry {
    Entry {
        limit: None,
        measure,
        column: Column::of(measure, Basis::Attempted),
        basis: Basis::Attempted,
        level: Level::Own,
        withheld: 0,
        wrap_up: None,
        observed: None,
        above: None,
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..100, 0..=MAX_QUANTITY, Just(MAX_QUANTITY)]
    }

    proptest! {
        #[test]
        fn what_is_enough_is_the_least_that_reaches(
            (max, withheld, used) in (number(), number(), number()),
            ppm in prop_oneof![1..=MILLION, Just(MILLION), Just(1)],
        ) {
            let soft = Soft { limit: 0, threshold: 0, ppm, fills: Box::default(), times: Box::default() };
            let enough = soft.enough(max, withheld);
            let reaches = |used| product(used, MILLION) >= product(max.saturating_sub(withheld), ppm);
            prop_assert_eq!(used >= enough, reaches(used));
            prop_assert!(reaches(enough) && (enough == 0 || !reaches(enough.saturating_sub(1))));
        }
    }
}
