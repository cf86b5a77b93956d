//! An account that many processes share: this one decides about what it has leased of each window.
//!
//! INVARIANT (leased): only what is free here is taken, but for `on failure allow` while the store is away;
//! that is short, is reported as debt and counts against everybody.

use std::sync::Arc;

use super::calendar::{Period, Zone, is_over};
use super::flaw::Flaw;
use super::link::{Moment, SECOND};
use super::local::signed;
use super::rate::Rate;
use super::schedule::{NEVER, Plan};
use super::slice::{Known, Slice};
use super::terms::{Failure, Room, Standing, Terms, WindowKind};
use crate::store::{APART, Kind, Refusal};

/// A word of the store about what is free is true for so long; then it is asked again.
const FRESH: u64 = SECOND;
/// So old may the store's last word be under `on failure deny`.
const OLDEST_WORD: u64 = 10 * SECOND;
/// So long a call waits for a store that is away; after that there is no room.
const PATIENCE: u64 = 5 * SECOND;

#[derive(Clone, Debug)]
enum Spans {
    Forever,
    Calendar(Period, Arc<Zone>),
    Rolling(u64),
}

/// The account.
#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) max: u64,
    failure: Failure,
    spans: Spans,
    pub(super) current: Slice,
    /// Ascending, without the current one. Later than that is only one that a wrong clock made.
    pub(super) older: Vec<Slice>,
    pub(super) rate: Rate,
    /// The most that one call misses, and all of them together.
    pub(super) need: (u64, u64),
    pub(super) ask_at: u64,
    pub(super) ask_wait: u64,
    /// The need that was not met; less may be.
    pub(super) refused: u64,
    pub(super) reported_at: u64,
    /// Whether the store knows of it, or will.
    pub(super) is_active: bool,
    /// The store cannot do anything with it: nothing is taken or said, and what is here stays here, until the
    /// store takes a claim of it.
    pub(super) muted: Option<Refusal>,
    /// When it is looked at next.
    pub(super) planned: Plan,
}

impl Leased {
    pub(super) fn new(terms: &Terms, moment: &Moment) -> Self {
        let spans = match &terms.window {
            WindowKind::Forever => Spans::Forever,
            WindowKind::Calendar { period, zone } => Spans::Calendar(*period, Arc::clone(zone)),
            WindowKind::Rolling { ns } => Spans::Rolling(*ns),
        };
        let current = window_at(&spans, moment);
        Self {
            max: terms.max,
            failure: terms.failure,
            spans,
            current,
            older: Vec::new(),
            rate: Rate::default(),
            need: (0, 0),
            ask_at: 0,
            ask_wait: 0,
            refused: 0,
            reported_at: 0,
            is_active: false,
            muted: None,
            planned: Plan::NEVER,
        }
    }

    pub(super) fn set_terms(&mut self, terms: &Terms) {
        if self.max != terms.max {
            self.current.known = None;
        }
        (self.max, self.failure) = (terms.max, terms.failure);
    }

    /// Whether it is another window's turn. It goes back only from one that nothing is known of, or that
    /// begins so much later by the store's clock that the store would refuse it.
    fn is_past(&self, moment: &Moment) -> bool {
        let Kind::Calendar { start, end, .. } = self.current.kind else { return false };
        let is_early = moment.wall < start && self.current.is_blank();
        is_over(end, moment.wall) || is_early || moment.wall.saturating_add(APART) < start
    }

    /// The slice of this instant's window, rolled or not; `None` if it has none.
    fn view(&self, moment: &Moment) -> Option<&Slice> {
        if !self.is_past(moment) {
            return Some(&self.current);
        }
        let id = window_at(&self.spans, moment).id;
        self.older.iter().find(|slice| slice.id == id)
    }

    /// When the current window ends, if it leaves something behind.
    pub(super) fn turn(&self, moment: &Moment) -> u64 {
        match self.current.kind {
            Kind::Calendar { end, .. } if !self.current.is_blank() => {
                moment.mono.saturating_add(end.saturating_sub(moment.wall))
            }
            _ => NEVER,
        }
    }

    /// Goes on to the window of this instant.
    pub(super) fn roll(&mut self, moment: &Moment) {
        if self.is_past(moment) {
            let next = window_at(&self.spans, moment);
            let known = self.older.iter().position(|slice| slice.id == next.id);
            let next = known.map_or(next, |place| self.older.remove(place));
            let mut past = std::mem::replace(&mut self.current, next);
            past.grants.clear();
            if !past.is_blank() {
                let place = self.older.partition_point(|slice| slice.id < past.id);
                self.older.insert(place, past);
            }
        }
    }

    /// The store's last word, if it is young enough to refuse by.
    fn fresh<'a>(&self, slice: &'a Slice, moment: &Moment) -> Option<&'a Known> {
        let known = slice.known.as_ref().filter(|_| slice.grants.is_empty())?;
        (moment.mono.saturating_sub(known.heard) < FRESH).then_some(known)
    }

    fn is_unbounded(&self, moment: &Moment) -> bool {
        self.failure == Failure::Allow && moment.away.is_some()
    }

    /// `on failure deny`, and the store was not heard of for too long.
    fn is_denied(&self, moment: &Moment) -> bool {
        self.failure == Failure::Deny
            && moment.word.is_none_or(|word| moment.mono.saturating_sub(word) >= OLDEST_WORD)
            && !moment.has(Flaw::SpendWhenDenied)
    }

    /// The store has spoken of the present window.
    pub(super) fn is_told(&self, moment: &Moment) -> bool {
        self.view(moment).is_some_and(|slice| slice.known.is_some())
    }

    /// Its word about the present window is missing or old, and it can be asked.
    pub(super) fn lacks_word(&self, moment: &Moment) -> bool {
        let known = self.view(moment).and_then(|slice| slice.known);
        let is_old = known.is_none_or(|known| moment.mono.saturating_sub(known.heard) >= OLDEST_WORD);
        is_old && !moment.is_closing && self.muted.is_none() && !Self::is_gone(moment)
    }

    /// The store has been away for longer than calls wait for it.
    fn is_gone(moment: &Moment) -> bool {
        moment.away.is_some_and(|away| moment.mono.saturating_sub(away) >= PATIENCE)
    }

    pub(super) fn most(&self, moment: &Moment) -> u64 {
        if self.muted.is_some() {
            return 0;
        }
        if self.is_unbounded(moment) {
            return u64::MAX;
        }
        let Some(slice) = self.view(moment) else { return self.max };
        let max = slice.known.map_or(self.max, |known| known.max);
        let (spent, elsewhere) =
            self.fresh(slice, moment).map_or((0, 0), |known| (known.spent, known.elsewhere));
        let own = slice.held.saturating_add(slice.unknown());
        max.saturating_sub(spent).saturating_sub(elsewhere).saturating_sub(own)
    }

    pub(super) fn room(&self, amount: u64, withheld: u64, moment: &Moment) -> Room {
        let is_shut = moment.is_closing || self.muted.is_some();
        if amount == 0 || (self.is_unbounded(moment) && !is_shut) {
            return Room::Fits;
        }
        if is_shut {
            return Room::Full;
        }
        let is_gone = Self::is_gone(moment);
        let Some(slice) = self.view(moment) else { return if is_gone { Room::Full } else { Room::Leased } };
        if self.is_denied(moment) || (slice.free > 0 && slice.has_lapsed(moment.mono, moment)) {
            return if is_gone { Room::Full } else { Room::Leased };
        }
        let max = slice.known.map_or(self.max, |known| known.max).saturating_sub(withheld);
        let is_kept =
            withheld == 0 || slice.known.is_some_and(|known| Self::used(slice, known.spent, amount) <= max);
        if is_kept && (slice.free >= amount || (moment.has(Flaw::PartialTake) && slice.free > 0)) {
            return Room::Fits;
        }
        if is_gone {
            let is_held = slice.free.saturating_add(slice.held) >= amount;
            return if is_held { Room::Held } else { Room::Full };
        }
        let Some(known) = self.fresh(slice, moment) else { return Room::Leased };
        let used = Self::used(slice, known.spent, amount);
        let unheld = used.saturating_sub(slice.held);
        if unheld.saturating_add(known.silent) > max {
            // Not even if everybody who is there gave everything back.
            Room::Full
        } else if used.saturating_add(known.elsewhere) > max && unheld.saturating_add(known.elsewhere) <= max
        {
            Room::Held
        } else {
            // The store has it, or others hold it.
            Room::Leased
        }
    }

    /// What would be spent and held with this.
    fn used(slice: &Slice, spent: u64, amount: u64) -> u64 {
        spent.saturating_add(slice.unknown()).saturating_add(slice.held).saturating_add(amount)
    }

    /// Remembers what is missing.
    pub(super) fn need(&mut self, amount: u64) {
        let all = self.need.1.saturating_add(amount).min(amount.saturating_mul(8).max(self.need.1));
        self.need = (self.need.0.max(amount), all);
        if amount < self.refused {
            self.ask_at = 0;
        }
    }

    /// Holds an amount: its window, and how much was beyond the slice.
    pub(super) fn take(&mut self, amount: u64, moment: &Moment) -> (i64, u64) {
        self.roll(moment);
        self.rate.add(amount, moment.mono);
        let part = self.current.part(moment.mono).map_or(self.current.id, signed);
        (part, self.current.take(amount, moment))
    }

    /// The slice of a window. One that was left stands as the one after it, so that nothing is lost.
    fn slice(&mut self, id: i64) -> &mut Slice {
        let place = self.older.partition_point(|slice| slice.id < id);
        let is_other = |slice: &Slice| slice.id == id || slice.id < self.current.id;
        match self.older.get(place) {
            Some(slice) if id != self.current.id && is_other(slice) => {
                self.older.get_mut(place).unwrap_or(&mut self.current)
            }
            _ => &mut self.current,
        }
    }

    pub(super) fn settle(&mut self, id: i64, held: u64, used: u64, moment: &Moment) {
        self.roll(moment);
        let id = if moment.has(Flaw::WindowOfSettle) { self.current.id } else { id };
        self.slice(id).settle(held, used, moment);
    }

    pub(super) fn refund(&mut self, id: i64, amount: u64, moment: &Moment) {
        self.roll(moment);
        self.slice(id).refund(id, amount, moment.mono);
    }

    /// How often people raised the current window's bound, with what the store does not know yet.
    pub(super) fn raised(&self, moment: &Moment) -> u64 {
        let Some(slice) = self.view(moment) else { return 0 };
        let queued = u64::try_from(slice.grants.len()).unwrap_or(u64::MAX);
        slice.known.map_or(0, |known| known.raised).saturating_add(queued)
    }

    pub(super) fn raise(&mut self, amount: u64, times: u64, moment: &Moment) {
        self.roll(moment);
        self.current.grants.push_back((amount, times));
    }

    pub(super) fn standing(&self, moment: &Moment) -> Standing {
        let blank;
        let slice = if let Some(slice) = self.view(moment) {
            slice
        } else {
            blank = window_at(&self.spans, moment);
            &blank
        };
        let max = slice.known.map_or(self.max, |known| known.max);
        let spent = slice.known.map_or(0, |known| known.spent).saturating_add(slice.unknown());
        let leased = slice.known.map_or(0, |known| known.elsewhere);
        let used = signed(spent).saturating_add(signed(slice.held)).saturating_add(signed(leased));
        Standing {
            max,
            spent,
            held: slice.held,
            free: signed(max).saturating_sub(used),
            leased,
            silent: slice.known.map_or(0, |known| known.silent),
            refused: self.muted,
            age_ns: slice.known.map_or(0, |known| moment.mono.saturating_sub(known.asked)),
            window: match slice.kind {
                Kind::Calendar { id, start, end } => Some((id, start, end)),
                Kind::Forever | Kind::Rolling { .. } => None,
            },
        }
    }

    /// Starts with nothing, as another node.
    pub(super) fn forget(&mut self, moment: &Moment) {
        self.current = window_at(&self.spans, moment);
        self.older.clear();
        (self.need, self.ask_at, self.ask_wait, self.refused) = ((0, 0), 0, 0, 0);
        (self.is_active, self.planned, self.muted) = (false, Plan::NEVER, None);
    }

    /// The process ends: what is held is spent.
    pub(super) fn charge_holds(&mut self, moment: &Moment) {
        self.need = (0, 0);
        for slice in self.older.iter_mut().chain(std::iter::once(&mut self.current)) {
            slice.grants.clear();
            slice.charge_holds(moment);
        }
    }
}

fn window_at(spans: &Spans, moment: &Moment) -> Slice {
    let (id, kind) = match spans {
        Spans::Forever => (0, Kind::Forever),
        Spans::Calendar(period, zone) => {
            let (id, start, end) = period.window(zone, moment.wall);
            (id, Kind::Calendar { id, start, end })
        }
        Spans::Rolling(ns) => (0, Kind::Rolling { ns: *ns }),
    };
    Slice::new(id, kind, moment.mono)
}
