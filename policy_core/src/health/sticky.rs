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

/// An attempt that served.
#[derive(Debug)]
pub(crate) struct Served<'a> {
    pub(crate) model: u32,
    pub(crate) input: u64,
    /// The models that its call had given up, and the one whose result led on to this.
    pub(crate) failed: &'a [u32],
    pub(crate) climbed: Option<u32>,
}

impl Stay {
    /// Of who was not served yet.
    pub(crate) const fn new(now: u64) -> Self {
        Self { model: 0, input: 0, left: BTreeMap::new(), until: now }
    }

    /// This served.
    pub(crate) fn serve(&mut self, now: u64, served: &Served<'_>) {
        if now > self.until {
            self.left.clear();
        }
        self.until = now.saturating_add(KEPT);
        (self.model, self.input) = (served.model, served.input);
        // What an earlier call gave up is tried again when its time is over, however busy the session is.
        self.left.extend(served.failed.iter().map(|failed| (*failed, self.until)));
        let is_left = |model: u32| model != served.model && Some(model) != served.climbed;
        self.left.retain(|model, until| now <= *until && is_left(*model));
    }
}

/// What served each session last, by a number that names program and session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stays {
    sessions: BTreeMap<u64, Stay>,
    /// Each session once, by when what served it no longer mattered; it may have been served since, which is
    /// found out when it would be forgotten.
    ends: BTreeSet<(u64, u64)>,
}

impl Stays {
    /// What served a session last, if that still matters.
    pub(crate) fn of(&self, session: u64, now: u64) -> Option<&Stay> {
        self.sessions.get(&session).filter(|stay| now <= stay.until)
    }

    /// A session was served. Whether by another model than before.
    pub(crate) fn serve(&mut self, session: u64, now: u64, served: &Served<'_>) -> bool {
        if let Some(stay) = self.sessions.get_mut(&session) {
            let is_other = stay.model != served.model;
            stay.serve(now, served);
            return is_other;
        }
        let mut stay = Stay::new(now);
        stay.serve(now, served);
        self.ends.insert((stay.until, session));
        self.sessions.insert(session, stay);
        if self.sessions.len() > MOST {
            self.forget();
        }
        true
    }

    /// Forgets the session that was served longest ago.
    fn forget(&mut self) {
        while let Some((end, session)) = self.ends.pop_first() {
            match self.sessions.get(&session) {
                Some(stay) if stay.until > end => self.ends.insert((stay.until, session)),
                _ => {
                    self.sessions.remove(&session);
                    return;
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn served(model: u32) -> Served<'static> {
        Served { model, input: 1, failed: &[], climbed: None }
    }

    #[test]
    fn a_session_is_known_until_its_prompt_is_forgotten() {
        let mut stays = Stays::default();
        stays.serve(1, 10, &served(7));
        assert_eq!(stays.of(1, 10 + KEPT).map(|stay| stay.model), Some(7));
        assert_eq!((stays.of(1, 11 + KEPT), stays.of(2, 0)), (None, None));
        stays.serve(1, 20, &served(8));
        stays.serve(1, 20, &served(9));
        assert_eq!(stays.of(1, 20 + KEPT).map(|stay| stay.model), Some(9));
        assert_eq!(stays.ends.len(), 1);
    }

    #[test]
    fn what_was_given_up_is_left_alone_for_its_time() {
        let mut stay = Stay::new(0);
        stay.serve(5, &Served { failed: &[2, 3], ..served(1) });
        stay.serve(6, &served(3));
        assert_eq!(stay.left, BTreeMap::from([(2, 5 + KEPT)]));
        stay.serve(6 + KEPT, &served(3));
        assert_eq!(stay.left, BTreeMap::new());
        stay.serve(7 + KEPT, &Served { failed: &[2], climbed: Some(2), ..served(1) });
        assert_eq!((stay.left.len(), stay.model, stay.until), (0, 1, 7 + 2 * KEPT));
    }

    #[test]
    fn of_too_many_sessions_the_ones_served_longest_ago_are_forgotten() {
        let mut stays = Stays::default();
        for session in 0..200_000_u64 {
            stays.serve(session, session, &served(0));
            // One of the first is served all the time.
            stays.serve(7, session, &served(0));
        }
        assert_eq!((stays.sessions.len(), stays.ends.len()), (MOST, MOST));
        assert!(stays.of(0, 0).is_none() && stays.of(199_999, 0).is_some() && stays.of(7, 0).is_some());
    }
}
