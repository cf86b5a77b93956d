//! Which accounts a run draws on, as far as that is the same for all runs of a program: found once, when the
//! program is loaded, and for runs below others when the first of these begins.

use std::sync::{Arc, OnceLock};

use super::column::{Column, Concerned, Kind};
use crate::books::WindowKind;
use crate::price::product;
use crate::program::limits::{Basis, Limit, Measure, Scope};
use crate::program::tables::Tables;
use crate::value::{MAX_QUANTITY, MILLION};

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Own,
    Ancestor,
    Wider,
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
    /// What is kept for wrapping up, and the account that counts how often that may be, by its place among
    /// those of its run.
    pub(crate) withheld: u64,
    wrap_up: Option<u32>,
    /// The bound of a limit that is only observed: its account counts without one, so that nothing is owed.
    pub(crate) observed: Option<u64>,
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

/// Where an entry stands among those of a run.
#[derive(Clone, Copy, Debug)]
struct Stood {
    /// In the table.
    entry: u32,
    /// Among those of the run above, whose account it is.
    above: Option<u32>,
    /// The account that counts its wrapping up, if it has one.
    wrap_up: u32,
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
    /// It is of a run's own accounts and for all of time: only attempts of the run, and of those below it,
    /// lead to it.
    pub(crate) is_own: bool,
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
    /// Every entry that there can be: those of a run that is below no other, then the same as those below it
    /// have them. Runs at any depth have nothing but places of these.
    table: Arc<[Entry]>,
    /// Ascending by limit, then from the run's own outwards; meters last.
    stood: Box<[Stood]>,
    /// By kind.
    concerned: [Concerned; 3],
    /// The limits of the run's own whose calls of wrapping up are counted; the accounts that count those of
    /// the runs above stand after theirs.
    pub(crate) own_wrap_ups: Box<[u32]>,
    /// The places of the entries that count for each of the index's meters.
    pub(crate) meters: Box<[u32]>,
    /// The thresholds of all limits, in their order; and whether they are all of the run's own.
    pub(crate) soft: Box<[Soft]>,
    pub(crate) has_own_soft_alone: bool,
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
        let (mut entries, mut wrap_ups) = (Vec::new(), Vec::new());
        for (index, limit) in tables.limits.numbered() {
            let place = number(wrap_ups.len());
            let wrap_up = (limit.scope == Scope::Run && limit.wrap_up > 0).then_some(place);
            wrap_ups.extend(wrap_up.map(|_| index));
            entries.extend(drawn(tables, (index, limit), wrap_up));
        }
        for &measure in meters {
            if !entries.iter().any(|entry| counts_all(tables, entry, measure)) {
                entries.push(metered(measure));
            }
        }
        let above = |entry: &Entry| match entry.level {
            Level::Own => Entry { level: Level::Ancestor, ..*entry },
            Level::Ancestor | Level::Wider => *entry,
        };
        let table = entries.iter().copied().chain(entries.iter().map(above)).collect();
        let stood = (0..).zip(&entries).map(|(entry, _)| Stood { entry, above: None, wrap_up: 0 });
        let stood = stood.collect();
        let has_windows =
            |(_, limit): (u32, &Limit)| limit.scope != Scope::Run || limit.window != WindowKind::Forever;
        let draws = Self {
            table,
            stood,
            own_wrap_ups: wrap_ups.into(),
            has_windows: tables.limits.numbered().any(has_windows),
            observes: entries.iter().any(|entry| entry.observed.is_some()),
            ..Self::default()
        };
        draws.found(tables, meters)
    }

    /// Those of the runs that runs with these begin. They take from what the run above has too.
    pub(crate) fn below(&self, tables: &Tables, meters: &[Measure]) -> &Arc<Self> {
        self.below.get_or_init(|| Arc::new(self.deeper(tables, meters)))
    }

    fn deeper(&self, tables: &Tables, meters: &[Measure]) -> Self {
        let first = number(self.table.len() / 2);
        let own = (0..first).zip(&*self.table).filter(|(_, entry)| entry.level == Level::Own);
        let own = own.map(|(entry, _)| Stood { entry, above: None, wrap_up: 0 });
        let count = number(self.own_wrap_ups.len());
        let above = (0..).zip(&self.stood).map(|(place, stood)| Stood {
            entry: if stood.entry < first { stood.entry.saturating_add(first) } else { stood.entry },
            above: Some(place),
            wrap_up: stood.wrap_up.saturating_add(count),
        });
        let mut stood: Box<[Stood]> = own.chain(above).collect();
        stood.sort_by_key(|stood| self.at(stood).and_then(|entry| entry.limit).unwrap_or(u32::MAX));
        let draws = Self {
            table: Arc::clone(&self.table),
            stood,
            own_wrap_ups: self.own_wrap_ups.clone(),
            has_windows: self.has_windows,
            observes: self.observes,
            ..Self::default()
        };
        draws.found(tables, meters)
    }

    /// The same with all that is found by its entries.
    fn found(mut self, tables: &Tables, meters: &[Measure]) -> Self {
        let counting = |measure: &Measure| {
            let place = self.entries().position(|entry| counts_all(tables, entry, *measure));
            place.map_or(u32::MAX, number)
        };
        self.meters = meters.iter().map(counting).collect();
        self.soft = self.thresholds(tables);
        self.has_own_soft_alone = self.soft.iter().all(|soft| soft.is_own);
        let own = self.soft.iter().filter(|soft| soft.is_own).flat_map(|soft| &soft.fills);
        let calm = |place| {
            let fills = own.clone().filter(|fill| fill.place == place);
            fills.map(|fill| fill.enough).min().unwrap_or(u64::MAX)
        };
        let limits = || tables.limits.numbered();
        let bounds = limits().flat_map(|(index, limit)| limit.bounds.iter().map(move |bound| (index, bound)));
        let bounds: Vec<(u32, Measure)> = bounds.map(|(index, bound)| (index, bound.measure)).collect();
        let bound = |entry: &Entry| {
            let of =
                entry.limit.filter(|_| entry.level != Level::Ancestor).map(|limit| (limit, entry.measure));
            of.and_then(|of| bounds.binary_search(&of).ok()).map_or(u32::MAX, number)
        };
        let concerned = |kind| Concerned::of(kind, (0..).zip(self.entries()), bound, calm);
        self.concerned = [Kind::Model, Kind::Tool, Kind::Person].map(concerned);
        self
    }

    fn at(&self, stood: &Stood) -> Option<&Entry> {
        self.table.get(stood.entry as usize)
    }

    /// All entries, each at its place.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        self.stood.iter().filter_map(|stood| self.at(stood))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.at(self.stood.get(place as usize)?)
    }

    /// The place, among the entries of the run above, of the entry whose account it is.
    pub(crate) fn above(&self, place: u32) -> Option<u32> {
        self.stood.get(place as usize)?.above
    }

    /// The place of the account that counts an entry's wrapping up.
    pub(crate) fn wrap_up(&self, place: u32) -> Option<u32> {
        let stood = self.stood.get(place as usize)?;
        Some(self.at(stood)?.wrap_up?.saturating_add(stood.wrap_up))
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
        let is_before =
            |stood: &Stood| self.at(stood).and_then(|entry| entry.limit).is_some_and(|of| of < limit);
        let first = self.stood.partition_point(is_before);
        let entries = (0..).zip(self.entries()).skip(first);
        let entries = entries.take_while(move |(_, entry)| entry.limit == Some(limit));
        entries.filter(|(_, entry)| entry.level != Level::Ancestor)
    }

    fn thresholds(&self, tables: &Tables) -> Box<[Soft]> {
        let mut all = Vec::new();
        for (limit, table) in tables.limits.numbered() {
            for (threshold, each) in (0..).zip(&table.thresholds) {
                let is_own = table.scope == Scope::Run
                    && table.window == WindowKind::Forever
                    && !table.bounds.iter().any(|bound| bound.measure.is_time());
                let (fills, times) = (Box::default(), Box::default());
                let mut soft = Soft { limit, threshold, ppm: each.ppm, fills, times, is_own };
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
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::column::Drawn;
    use super::*;

    /// A run at a depth has as many entries as there are runs above it, which is felt in chains of hundreds.
    #[test]
    fn an_entry_of_a_run_below_others_is_small() {
        assert!(size_of::<Stood>() <= 16 && size_of::<Drawn>() <= 32);
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..100, 0..=MAX_QUANTITY, Just(MAX_QUANTITY)]
    }

    proptest! {
        #[test]
        fn what_is_enough_is_the_least_that_reaches(
            (max, withheld, used) in (number(), number(), number()),
            ppm in prop_oneof![1..=MILLION, Just(MILLION), Just(1)],
        ) {
            let (fills, times) = (Box::default(), Box::default());
            let soft = Soft { limit: 0, threshold: 0, ppm, fills, times, is_own: true };
            let enough = soft.enough(max, withheld);
            let reaches = |used| product(used, MILLION) >= product(max.saturating_sub(withheld), ppm);
            prop_assert_eq!(used >= enough, reaches(used));
            prop_assert!(reaches(enough) && (enough == 0 || !reaches(enough.saturating_sub(1))));
        }
    }
}
