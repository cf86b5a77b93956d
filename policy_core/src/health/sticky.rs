//! Which model serves a session. A switch loses what the provider has cached of the conversation, so it has
//! to pay for that; and a model that was given up is not tried again at every call.

use std::collections::{BTreeMap, BTreeSet};

/// How long a provider is taken to keep a prompt, in nanoseconds; after it nothing is lost by a switch.
pub(crate) const KEPT: u64 = 300_000_000_000;
/// How many sessions are known at once; those that were served longest ago are forgotten first.
const MOST: usize = 65_536;

/// What served last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) model: u32,
    /// The tokens of its latest prompt.
    pub(crate) input: u64,
    /// The models that were given up, and until when each is left alone.
    pub(crate) left: BTreeMap<u32, u64>,
    /// Until when: of a session by the monotonic clock, of a run by its own.
    pub(crate) until: u64,
}

/// What served each session last, by a number that names program and session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stays {
    sessions: BTreeMap<u64, Stay>,
    ends: BTreeSet<(u64, u64)>,
}

impl Stays {
    /// What served a session last, if that still matters.
    pub(crate) fn of(&self, session: u64, now: u64) -> Option<&Stay> {
        self.sessions.get(&session).filter(|stay| now <= stay.until)
    }

    /// A session was served.
    pub(crate) fn serve(&mut self, session: u64, stay: Stay) {
        self.ends.insert((stay.until, session));
        if let Some(old) = self.sessions.insert(session, stay) {
            let is_same = self.sessions.get(&session).is_some_and(|stay| stay.until == old.until);
            if !is_same {
                self.ends.remove(&(old.until, session));
            }
        }
        if self.sessions.len() > MOST
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.sessions.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(model: u32, until: u64) -> Stay {
        Stay { model, input: 1, left: BTreeMap::new(), until }
    }

    #[test]
    fn a_session_is_known_until_its_prompt_is_forgotten() {
        let mut stays = Stays::default();
        stays.serve(1, stay(7, 10));
        assert_eq!(stays.of(1, 10).map(|stay| stay.model), Some(7));
        assert_eq!((stays.of(1, 11), stays.of(2, 0)), (None, None));
        stays.serve(1, stay(8, 20));
        stays.serve(1, stay(9, 20));
        assert_eq!(stays.of(1, 20).map(|stay| stay.model), Some(9));
        assert_eq!(stays.ends.len(), 1);
    }

    #[test]
    fn of_too_many_sessions_the_ones_served_longest_ago_are_forgotten() {
        let mut stays = Stays::default();
        (0..200_000_u64).for_each(|session| stays.serve(session, stay(0, session.saturating_add(KEPT))));
        assert_eq!((stays.sessions.len(), stays.ends.len()), (MOST, MOST));
        assert!(stays.of(0, 0).is_none() && stays.of(199_999, 0).is_some());
    }
}
