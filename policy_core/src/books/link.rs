//! The node's end of the line to the store: who it is, what is in flight, when it last heard something.

use std::collections::BTreeMap;

use super::claims::Retelling;
use super::flaw::Flaw;
use super::leased::Leased;
use super::schedule::{NEVER, Plan, Schedule};
use super::terms::Health;
use crate::event::Now;
use crate::store::Request;

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;
/// No answer for so long: the store is away, and is asked again.
pub(super) const TIMEOUT: u64 = SECOND;
/// How often the store hears of a node that has something.
pub(super) const HEARTBEAT: u64 = 2 * SECOND;
/// Who has nothing is heard of that often: a store that was told to forget who was not heard of for a day
/// would take the next request for a sign that it has lost something.
const SIGN_OF_LIFE: u64 = 3_600 * SECOND;
/// The first and the longest wait after a lost request.
const BACK_OFF: (u64, u64) = (10 * MILLISECOND, SECOND);

/// What an account must know of the line to judge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// By the clock that never goes back.
    pub(super) mono: u64,
    /// The store's wall clock, as far as it is known.
    pub(super) wall: u64,
    /// When the request was sent that the store answered last.
    pub(super) word: Option<u64>,
    /// Since when the store does not answer.
    pub(super) away: Option<u64>,
    /// The process gives everything back.
    pub(super) is_closing: bool,
    #[cfg(feature = "flaws")]
    flaw: Option<Flaw>,
}

impl Moment {
    /// Whether the simulator wants this bug.
    #[cfg(feature = "flaws")]
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Whether the simulator wants this bug: never.
    #[cfg(not(feature = "flaws"))]
    #[expect(clippy::unused_self, reason = "only the build for the simulator looks")]
    pub(super) const fn has(&self, _flaw: Flaw) -> bool {
        false
    }
}

/// A request that was not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) request: Request,
    /// Which account each item is about.
    pub(super) places: Vec<u32>,
    /// When it was first sent.
    pub(super) sent: u64,
    pub(super) sends: u64,
    /// When to send it again.
    pub(super) again: u64,
}

/// The line.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) node: u128,
    /// Goes up when all slices are lost: holds of earlier lives have nothing behind them.
    pub(super) life: u32,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) seen: u64,
    /// The store's wall clock at an instant of ours.
    pub(super) anchor: Option<(u64, u64)>,
    pub(super) flight: Option<Flight>,
    /// What is held is to be said again, part after part.
    pub(super) retelling: Option<Retelling>,
    /// Accounts that the store refuses, and when to ask again whether it takes them.
    pub(super) muted: BTreeMap<u32, u64>,
    pub(super) away_since: Option<u64>,
    pub(super) word: Option<u64>,
    pub(super) last_reply: Option<u64>,
    pub(super) last_sent: u64,
    pub(super) error: Option<&'static str>,
    pub(super) degraded: u64,
    pub(super) is_closing: bool,
    pub(super) is_closed: bool,
    /// How many accounts the store knows of, or will.
    pub(super) active: u64,
    /// When each of them has something to say.
    pub(super) schedule: Schedule,
    /// No new request before this.
    pub(super) not_before: u64,
    pub(super) back_off: u64,
    #[cfg(feature = "flaws")]
    pub(super) flaw: Option<Flaw>,
    /// As many claims as one request has, if not the usual number.
    #[cfg(feature = "flaws")]
    pub(super) part: usize,
}

impl Link {
    pub(super) fn new(node: u128, now: Now) -> Self {
        Self { node, last_sent: now.mono, ..Self::default() }
    }

    pub(super) fn moment(&self, now: Now) -> Moment {
        let away = self.flight.as_ref().filter(|flight| now.mono.saturating_sub(flight.sent) >= TIMEOUT);
        Moment {
            mono: now.mono,
            wall: self.anchor.map_or(now.wall, |(at, wall)| wall.saturating_add(now.mono.saturating_sub(at))),
            word: self.word,
            away: self.away_since.or(away.map(|flight| flight.sent)),
            is_closing: self.is_closing,
            #[cfg(feature = "flaws")]
            flaw: self.flaw,
        }
    }

    /// The store said that its clock showed `wall` between the request and now.
    pub(super) fn hear(&mut self, wall: u64, now: Now) {
        let Some(flight) = &self.flight else { return };
        // The answer to a request that was sent twice may be an old one.
        if flight.sends == 1 || self.anchor.is_none() {
            let age = now.mono.saturating_sub(flight.sent) / 2;
            self.anchor = Some((now.mono, wall.saturating_add(age)));
        }
    }

    /// It answers, whatever it says.
    pub(super) const fn is_back(&mut self, now: Now) {
        self.away_since = None;
        self.last_reply = Some(now.mono);
        self.error = None;
    }

    /// How long to wait, longer each time.
    pub(super) fn wait_longer(&mut self) -> u64 {
        let wait = self.back_off.clamp(BACK_OFF.0, BACK_OFF.1);
        self.back_off = wait.saturating_mul(2);
        wait
    }

    /// No answer will come to the request in flight.
    pub(super) fn is_lost(&mut self, now: Now) {
        let wait = self.wait_longer();
        if let Some(flight) = &mut self.flight {
            flight.again = now.mono.saturating_add(wait);
            self.away_since.get_or_insert(flight.sent);
        }
    }

    /// When the store is to hear of this node although there is nothing to say.
    pub(super) const fn beat(&self) -> u64 {
        let after = match (self.active, self.seq) {
            (0, 0) => return NEVER,
            (0, _) => SIGN_OF_LIFE,
            _ => HEARTBEAT,
        };
        self.last_sent.saturating_add(after)
    }

    /// Plans an account no later than it wishes: the store knows of it from now on, or will.
    pub(super) fn hasten(&mut self, place: u32, leased: &mut Leased, wishes: Plan) {
        if !leased.is_active {
            leased.is_active = true;
            self.active = self.active.saturating_add(1);
        }
        self.schedule.hasten(place, &mut leased.planned, wishes);
    }

    /// Nothing is known of an account any more, and nothing is to be said.
    pub(super) fn let_go(&mut self, place: u32, leased: &mut Leased) {
        leased.is_active = false;
        self.active = self.active.saturating_sub(1);
        self.schedule.plan(place, &mut leased.planned, Plan::NEVER);
    }

    /// Begins anew as another node with nothing.
    pub(super) fn restart(&mut self, node: u128) {
        self.node = node;
        self.life = self.life.wrapping_add(1);
        (self.epoch, self.seq, self.seen) = (0, 0, 0);
        (self.flight, self.retelling, self.word, self.away_since) = (None, None, None, None);
        (self.active, self.not_before, self.back_off) = (0, 0, 0);
        self.schedule.clear();
        self.muted.clear();
    }

    pub(super) fn health(&self, now: Now) -> Health {
        Health {
            is_leased: true,
            away_since: self.moment(now).away,
            last_reply: self.last_reply,
            degraded: self.degraded,
            restarts: u64::from(self.life),
            error: self.error,
            refused: None,
            is_closed: self.is_closed,
        }
    }
}
