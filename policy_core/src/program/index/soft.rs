//! The soft thresholds of all limits, as they are looked at before each call.

use crate::program::tables::Tables;

/// One threshold of a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Soft {
    pub(crate) limit: u32,
    /// Its place among the limit's own.
    pub(crate) threshold: u32,
    /// Reached at this many parts per million.
    pub(crate) ppm: u64,
    /// Whether the limit bounds time too.
    pub(crate) bounds_time: bool,
}

/// Those of all limits, in their order.
pub(super) fn of(tables: &Tables) -> Box<[Soft]> {
    let mut soft = Vec::new();
    for (limit, table) in tables.limits.numbered() {
        let bounds_time = table.bounds.iter().any(|bound| bound.measure.is_time());
        let places = (0..=u32::MAX).zip(&table.thresholds);
        soft.extend(places.map(|(threshold, each)| Soft { limit, threshold, ppm: each.ppm, bounds_time }));
    }
    soft.into_boxed_slice()
}
