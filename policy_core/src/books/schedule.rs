//! When each leased account is looked at next.
//!
//! INVARIANT (schedule): an account of which the store knows, or must hear, is planned no later than it has
//! something to say, and looked at when it is its turn; a look too early only plans the next one. So what a
//! request costs does not depend on how many accounts there are.

use std::collections::BTreeSet;

/// No look is planned.
pub(super) const NEVER: u64 = u64::MAX;

/// When an account has something to say, by the clock that never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What a call waits for.
    pub(super) urgent: u64,
    pub(super) rest: u64,
}

impl Plan {
    pub(super) const NEVER: Self = Self { urgent: NEVER, rest: NEVER };
}

/// The accounts' places by when they are due.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    urgent: BTreeSet<(u64, u32)>,
    rest: BTreeSet<(u64, u32)>,
}

impl Schedule {
    /// Plans an account anew, which remembers what is planned.
    pub(super) fn plan(&mut self, place: u32, planned: &mut Plan, wishes: Plan) {
        change(&mut self.urgent, place, planned.urgent, wishes.urgent);
        change(&mut self.rest, place, planned.rest, wishes.rest);
        *planned = wishes;
    }

    /// Plans an account no later than it wishes.
    pub(super) fn hasten(&mut self, place: u32, planned: &mut Plan, wishes: Plan) {
        let (urgent, rest) = (planned.urgent.min(wishes.urgent), planned.rest.min(wishes.rest));
        self.plan(place, planned, Plan { urgent, rest });
    }

    /// The next account that is due, the urgent or the rest first.
    pub(super) fn due(&self, mono: u64, urgent_first: bool) -> Option<u32> {
        let first = |set: &BTreeSet<(u64, u32)>| set.first().copied().filter(|(at, _)| *at <= mono);
        let [one, other] = if urgent_first { [&self.urgent, &self.rest] } else { [&self.rest, &self.urgent] };
        first(one).or_else(|| first(other)).map(|(_, place)| place)
    }

    /// When the first of all is due.
    pub(super) fn next(&self) -> u64 {
        let first = |set: &BTreeSet<(u64, u32)>| set.first().map_or(NEVER, |(at, _)| *at);
        first(&self.urgent).min(first(&self.rest))
    }

    /// No look is planned at an account that is not there.
    pub(super) fn forget(&mut self, place: u32) {
        self.urgent.retain(|(_, other)| *other != place);
        self.rest.retain(|(_, other)| *other != place);
    }

    pub(super) fn clear(&mut self) {
        self.urgent.clear();
        self.rest.clear();
    }
}

fn change(set: &mut BTreeSet<(u64, u32)>, place: u32, from: u64, to: u64) {
    if from == to {
        return;
    }
    if from != NEVER {
        set.remove(&(from, place));
    }
    if to != NEVER {
        set.insert((to, place));
    }
}
