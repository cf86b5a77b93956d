//! How old a run is, by a clock of its own: it goes on while the run is suspended, and from one process to
//! the next, whose monotonic clocks have nothing to do with each other.

use crate::code::{Reader, Writer};
use crate::program::Measure;

/// The run's clock, and how long it did nothing but wait for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    /// An instant of this process's monotonic clock, and how old the run was then.
    since: (u64, u64),
    now: u64,
    /// For how long the active clock has stood still.
    paused: u64,
    /// The active clock stands still from now to the next event.
    pub(super) is_paused: bool,
}

impl Age {
    pub(super) const fn new(mono: u64) -> Self {
        Self { since: (mono, 0), now: 0, paused: 0, is_paused: false }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.now);
        writer.number(self.paused);
        writer.flag(self.is_paused);
    }

    /// Goes on at this instant of another clock, so much later. Nobody was active meanwhile.
    pub(super) fn read(reader: &mut Reader<'_>, mono: u64, later: u64) -> Option<Self> {
        let now = reader.number()?.saturating_add(later);
        let paused = reader.number()?.saturating_add(later);
        Some(Self { since: (mono, now), now, paused, is_paused: reader.flag()? })
    }

    /// The next event.
    pub(super) const fn advance(&mut self, mono: u64) {
        let now = mono.saturating_sub(self.since.0).saturating_add(self.since.1);
        if self.is_paused {
            self.paused = self.paused.saturating_add(now.saturating_sub(self.now));
            self.is_paused = false;
        }
        self.now = now;
    }

    /// The age at this instant, if no event comes before it.
    pub(super) fn at(mut self, mono: u64) -> Self {
        let before = self;
        self.advance(mono);
        if self.now < before.now { before } else { self }
    }

    /// How old the run is: what its instants are told by.
    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// How long it was active.
    pub(crate) const fn active(&self) -> u64 {
        self.now.saturating_sub(self.paused)
    }

    /// How long it took so far, by a measure of time.
    pub(crate) const fn time(&self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::ActiveTime => Some(self.active()),
            Measure::WallTime => Some(self.now),
            _ => None,
        }
    }

    /// An instant of the run's that is still to come, by the clock of this process.
    pub(super) const fn on_host(&self, instant: u64) -> u64 {
        self.since.0.saturating_add(instant.saturating_sub(self.since.1))
    }
}
