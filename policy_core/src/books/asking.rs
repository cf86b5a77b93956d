//! What a leased account says to the store, and when: what it misses, what was spent, what it gives back.
//!
//! A slice is as large as a second of use. What was not used for a second goes back, so that a process
//! which does nothing keeps nothing from others.

use super::leased::Leased;
use super::link::{HEARTBEAT, MILLISECOND, Moment, SECOND};
use super::schedule::{NEVER, Plan};
use super::slice::Slice;
use crate::store::{AccountKey, Answer, Item, Kind};
use crate::value::MAX_QUANTITY;

/// What is free and was not used for so long goes back.
const IDLE: u64 = SECOND;
/// What was spent is reported that often at most.
const REPORT: u64 = 100 * MILLISECOND;
/// What the store did not grant is asked for again after this, then after twice as long.
const ASK_AGAIN: (u64, u64) = (20 * MILLISECOND, 320 * MILLISECOND);
/// The store hears of whatever is leased at least that often; after a minute of silence it may be written
/// off.
const PRESENCE: u64 = 20 * SECOND;
/// A window that nobody used for so long is left.
const LINGER: u64 = 600 * SECOND;

impl Leased {
    /// All windows, the oldest first.
    pub(super) fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.older.iter().chain(std::iter::once(&self.current))
    }

    /// When the store must be asked so that a call can go on.
    fn urges(&self, moment: &Moment) -> u64 {
        if moment.is_closing {
            NEVER
        } else if !self.current.grants.is_empty() {
            0
        } else if self.need.0 > 0 {
            self.ask_at
        } else {
            NEVER
        }
    }

    /// How much is worth having here.
    fn target(&self, mono: u64) -> u64 {
        self.rate.get(mono).max(self.need.1)
    }

    /// Less is left than is taken in a quarter of a second, and the store has so much that nobody will miss
    /// it.
    fn is_low(&self, mono: u64) -> bool {
        let (slice, rate) = (&self.current, self.rate.get(mono));
        let has_more = slice.known.is_some_and(|known| {
            let used = known.spent.saturating_add(known.elsewhere).saturating_add(slice.own());
            known.max.saturating_sub(used.saturating_add(slice.sent)) / 4 >= rate
        });
        has_more && slice.free < rate / 4
    }

    /// When that is so if nothing happens: the store's rest may be enough for the rate to which it falls.
    fn low_at(&self, mono: u64) -> u64 {
        let next = (mono / SECOND).saturating_add(1).saturating_mul(SECOND);
        let at = |at: u64| self.is_low(at).then_some(at);
        at(mono).or_else(|| at(next)).unwrap_or(NEVER)
    }

    /// When what was spent may be reported: nothing that is not urgent is said sooner.
    pub(super) const fn soon(&self) -> u64 {
        self.reported_at.saturating_add(REPORT)
    }

    /// When a window has something to say that is not urgent.
    fn wish(&self, slice: &Slice, users: u64, moment: &Moment) -> u64 {
        let is_current = slice.id == self.current.id;
        if moment.is_closing {
            return if slice.is_blank() { NEVER } else { 0 };
        }
        let mut wish = NEVER;
        if slice.has_news() || (!is_current && slice.free > 0) {
            wish = self.soon();
        }
        if is_current {
            wish = wish.min(self.low_at(moment.mono).max(self.soon()));
        }
        if slice.free > 0 {
            wish = wish.min(slice.used_at.saturating_add(IDLE));
        }
        if slice.own() > 0 {
            // Who is not heard of counts as dead: what it has of a rolling window lapses, and anything else
            // an operator may write off, although a call may take its time.
            let is_rolling = matches!(slice.kind, Kind::Rolling { .. });
            wish = wish.min(slice.word.saturating_add(if is_rolling { HEARTBEAT } else { PRESENCE }));
        }
        if slice.is_quiet() && !slice.is_blank() && (users == 0 || !is_current) {
            wish = wish.min(slice.used_at.saturating_add(LINGER));
        }
        wish
    }

    /// When to look at it: when it has something to say, is on another window, or can be forgotten.
    pub(super) fn wishes(&self, users: u64, moment: &Moment) -> Plan {
        if self.muted.is_some() {
            return Plan::NEVER;
        }
        let said = self.slices().map(|slice| self.wish(slice, users, moment)).min().unwrap_or(NEVER);
        let rest = if self.is_blank() { 0 } else { said.min(self.turn(moment)) };
        Plan { urgent: self.urges(moment), rest }
    }

    /// Whether nothing is known of it.
    pub(super) fn is_blank(&self) -> bool {
        self.older.is_empty() && self.current.is_blank() && self.need.0 == 0
    }

    /// Moves what is to be said into items, at most so many.
    pub(super) fn send(&mut self, key: &AccountKey, users: u64, most: usize, moment: &Moment) -> Vec<Item> {
        self.older.retain(|slice| !slice.is_blank());
        if self.muted.is_some() {
            return Vec::new();
        }
        let is_urgent = self.urges(moment) <= moment.mono;
        let is_due = |slice: &Slice| {
            (is_urgent && slice.id == self.current.id) || self.wish(slice, users, moment) <= moment.mono
        };
        let due: Vec<bool> = self.slices().map(is_due).collect();
        let (target, is_low) = (self.target(moment.mono), self.is_low(moment.mono));
        let (max, need) = (self.max, self.need);
        let is_asking = need.0 > 0 && self.ask_at <= moment.mono && !moment.is_closing;
        let current = self.current.id;
        let mut items = Vec::new();
        let slices = self.older.iter_mut().chain(std::iter::once(&mut self.current));
        for (slice, _) in slices.zip(due).filter(|(_, is_due)| *is_due).take(most) {
            let is_current = slice.id == current;
            let mut item = blank_item(key, max, slice.kind);
            let idle = moment.mono.saturating_sub(slice.used_at);
            let stays = is_current && !moment.is_closing && (idle < IDLE || is_asking);
            if is_current && is_asking {
                item.need = need.0.saturating_add(slice.short).saturating_sub(slice.free).min(MAX_QUANTITY);
            }
            if stays && (is_low || item.need > 0) {
                let want = target.saturating_add(slice.short).saturating_sub(slice.free);
                item.want = want.max(item.need).min(MAX_QUANTITY);
            }
            // More than twice what is worth having is of more use to others.
            let keep = if slice.free / 2 > target && item.want == 0 { target } else { slice.free };
            let is_left = slice.is_quiet() && idle >= LINGER && (users == 0 || !is_current);
            item.closing = slice.can_close() && (moment.is_closing || is_left);
            slice.send(&mut item, if stays { keep } else { 0 }, moment);
            items.push(item);
        }
        if is_asking && items.last().is_some_and(|item| item.kind == self.current.kind) {
            self.need = (0, 0);
        }
        if !items.is_empty() {
            self.reported_at = moment.mono;
        }
        items
    }

    /// The window that an item is about.
    pub(super) fn find(&mut self, kind: Kind) -> Option<&mut Slice> {
        self.older.iter_mut().chain(std::iter::once(&mut self.current)).find(|slice| slice.kind == kind)
    }

    /// If the store could not grant what an item needs, it is asked again a bit later.
    fn asked(&mut self, need: u64, granted: u64, mono: u64) {
        let is_granted = granted >= need;
        self.refused = if is_granted { 0 } else { need };
        self.ask_wait = if is_granted { 0 } else { self.ask_wait.clamp(ASK_AGAIN.0, ASK_AGAIN.1) };
        self.ask_at = mono.saturating_add(self.ask_wait);
        self.ask_wait = self.ask_wait.saturating_mul(2);
    }

    /// The store has not done what an item said, and never will.
    pub(super) fn unsend(&mut self, item: &Item, built: u64, moment: &Moment) {
        let is_current = self.current.kind == item.kind;
        if let Some(slice) = self.find(item.kind) {
            slice.unsend(item, built, moment);
        }
        if is_current && item.need > 0 {
            self.need(item.need);
        }
    }

    /// The store has done what an item said.
    pub(super) fn done(&mut self, item: &Item, answer: &Answer, asked: u64, moment: &Moment) {
        if self.current.kind == item.kind && item.need > 0 {
            self.asked(item.need, answer.granted, moment.mono);
        }
        if let Some(slice) = self.find(item.kind) {
            slice.done(item, answer, asked, moment);
        }
    }
}

fn blank_item(key: &AccountKey, max: u64, kind: Kind) -> Item {
    Item {
        account: key.clone(),
        max: max.min(MAX_QUANTITY),
        kind,
        reported: Vec::new(),
        debt: 0,
        refund: 0,
        give_back: 0,
        need: 0,
        want: 0,
        grant: None,
        closing: false,
    }
}
