//! Staying with the model that served last, where a switch would not pay for the prompt cache that it loses.

use super::Run;
use super::amounts::Subject;
use super::call::Attempt;
use super::model::Asked;
use crate::event::Usage;
use crate::health::{Fares, Served, Stay};

impl Run {
    /// What served the session, or the run if it has none, if that still matters, and what time it is for it.
    fn stay<'a>(&'a self, session: Option<u64>, fares: &'a Fares) -> (u64, Option<&'a Stay>) {
        let now = if session.is_some() { self.latest.mono } else { self.age.now() };
        let stay = match session {
            Some(session) => fares.stays.of(session, now),
            None => self.stay.as_deref().filter(|stay| now <= stay.until),
        };
        (now, stay)
    }

    /// Whether it is plain that this model served last, or none did: then there is nothing else to stay with.
    fn is_served_by(&self, model: u32) -> bool {
        match self.ids.session() {
            Some(_) => self.served == Some((self.health.switches(), model)),
            None => self.stay.as_ref().is_none_or(|stay| stay.model == model),
        }
    }

    /// An attempt has served: the next calls may stay with its model.
    pub(super) fn serve(&mut self, place: usize, usage: Usage) {
        let (Usage::Exact { input, .. } | Usage::AtLeast { input, .. }) = usage else { return };
        let Some(&Attempt { call, ref reserved, .. }) = self.attempts.get(place) else { return };
        let (Subject::Model(model), Some(call)) = (reserved.subject, self.calls.get(call)) else { return };
        let served = Served { model, input, failed: &call.failed, climbed: call.climbed };
        match self.ids.session() {
            Some(session) => {
                let switches = self.health.serve(session, self.latest.mono, &served);
                self.served = Some((switches, model));
            }
            None => {
                let now = self.age.now();
                self.stay.get_or_insert_with(|| Box::new(Stay::new(now))).serve(now, &served);
            }
        }
    }
}

impl Asked<'_> {
    /// Whether another model than the first of these may have served last.
    #[inline]
    pub(super) fn may_stay(&self, models: &[u32]) -> bool {
        let is_served = |first: &u32| self.question.run.is_served_by(*first);
        self.program().index.sticks && models.len() > 1 && !models.first().is_some_and(is_served)
    }

    /// Puts the model that served last first, unless a switch to the first candidate pays. Whether it did.
    /// `is_chosen`: the route chose that one, not the host.
    #[inline(never)]
    pub(super) fn stay(&self, models: &mut [u32], is_chosen: bool) -> bool {
        let question = self.question;
        let session = question.run.ids.session();
        let fares = question.run.health.fares();
        let (now, stay) = question.run.stay(session, &fares);
        let (Some(stay), Some(&first)) = (stay, models.first()) else { return false };
        let Some(place) = models.iter().position(|model| *model == stay.model).filter(|place| *place > 0)
        else {
            return false;
        };
        let is_left = stay.left.get(&first).is_some_and(|until| now <= *until);
        let stays = is_left || (is_chosen && self.is_dearer(first, stay));
        if stays && let Some(before) = models.get_mut(..=place) {
            before.rotate_right(1);
        }
        stays
    }

    /// Whether a candidate costs more at worst than to stay, where the prompt so far is cached. A higher tier
    /// is worth it.
    fn is_dearer(&self, candidate: u32, stay: &Stay) -> bool {
        let models = &self.program().tables.models;
        let (next, last) = (models.at(candidate), models.at(stay.model));
        let cached = if self.input >= stay.input { stay.input } else { 0 };
        let output = self.most.unwrap_or(u64::MAX).min(next.output).min(last.output);
        let moved = next.price.as_ref().map_or(0, |price| price.worst(self.input).cost(self.input, output));
        let stayed = last.price.as_ref().map_or(0, |price| price.cached(self.input, cached, output));
        next.tier <= last.tier && moved > stayed
    }
}
