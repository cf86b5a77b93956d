//! The models that may serve a call: which ones, in which order, and why one is passed over.

use super::amounts::Subject;
use super::model::{Asked, Found};
use super::watched::vote_tripped;
use crate::decision::{Vote, Why};
use crate::facts::View;
use crate::health::Barred;
use crate::program::{Route, Screened, Verdict};
use crate::value::{Slot, Truth};

/// The candidates of one model call and what is required of them. Its room is kept between events.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Those that the route or the host names, before their fallbacks.
    chosen: Vec<u32>,
    /// In the order in which they are tried.
    models: Vec<u32>,
    /// The model that these are the line of: it and its fallbacks, and nothing was changed since.
    line_of: Option<u32>,
    /// The requirements that hold, indexes.
    required: Vec<u32>,
    /// Those that came by the arm of a cascade, with its place in the route.
    cascades: Vec<(u32, u32)>,
}

impl Candidates {
    /// In the order in which they are tried.
    pub(super) fn models(&self) -> &[u32] {
        &self.models
    }

    /// The same, for a change that this call alone needs.
    fn changed(&mut self) -> &mut Vec<u32> {
        self.line_of = None;
        &mut self.models
    }

    /// The cascade by whose arm a model became a candidate.
    pub(super) fn cascade(&self, model: u32) -> Option<u32> {
        self.cascades.iter().find(|(known, _)| *known == model).map(|(_, arm)| *arm)
    }

    /// The model of one more arm, unless it was chosen.
    #[inline(always)]
    fn choose(&mut self, model: u32) -> bool {
        let is_new = self.chosen.iter().all(|known| *known != model);
        if is_new {
            self.chosen.push(model);
        }
        is_new
    }

    /// Lists what was chosen, then its fallbacks, breadth first. Most calls choose one model, the same as the
    /// call before.
    #[inline]
    fn line_up(&mut self, fallbacks: &[(u32, u32)]) {
        let one = if let [one] = *self.chosen { Some(one) } else { None };
        if one.is_none() || one != self.line_of {
            self.line_up_anew(one, fallbacks);
        }
    }

    #[inline(never)]
    fn line_up_anew(&mut self, one: Option<u32>, fallbacks: &[(u32, u32)]) {
        let Self { chosen, models, .. } = self;
        models.clone_from(chosen);
        let mut visited = 0_usize;
        while let Some(&model) = models.get(visited) {
            visited = visited.saturating_add(1);
            for &(from, to) in fallbacks {
                if from == model && !models.contains(&to) {
                    models.push(to);
                }
            }
        }
        self.line_of = one;
    }

    /// The model that a canary drew comes first, and by no arm.
    #[cold]
    fn put_first(&mut self, canary: u32) {
        self.chosen.retain(|model| *model != canary);
        self.chosen.insert(0, canary);
        self.cascades.retain(|(model, _)| *model != canary);
    }
}

impl Found {
    /// A reason to pass a model over, told once.
    pub(super) fn pass_over(&mut self, model: u32, why: Why) {
        if !self.passed.contains(&(model, why)) {
            self.passed.push((model, why));
        }
    }
}

impl Asked<'_> {
    /// Requirements that cannot be decided deny; the true ones are asked of every candidate.
    pub(super) fn ask_requirements(
        &self,
        view: &View<'_>,
        candidates: &mut Candidates,
        votes: &mut Vec<Vote>,
    ) {
        candidates.required.clear();
        let (program, sent) = (self.program(), view.sent.now());
        for &Screened { index, ref screen } in &program.index.requires {
            if screen.rules_out(sent) {
                continue;
            }
            let require = program.tables.requires.at(index);
            match self.question.truth(require.when, view) {
                Truth::False => {}
                Truth::Unknown => self.question.vote(require.statement, Verdict::Deny, true, votes),
                Truth::True if program.is_observed(require.statement) => {}
                Truth::True => candidates.required.push(index),
            }
        }
    }

    /// The candidates in order: the canary that is drawn; arms that hold, or else the model asked for; then
    /// fallbacks, breadth first; without the models that this call has given up. Lower tiers first, once a
    /// limit prefers them; else first the model that served last, where a switch does not pay. Whether that.
    pub(super) fn list(&self, view: &View<'_>, candidates: &mut Candidates, skipped: &mut Vec<u32>) -> bool {
        candidates.chosen.clear();
        candidates.cascades.clear();
        skipped.clear();
        let route = self.program().tables.route.as_ref();
        let canary = route.and_then(|route| self.draw(route, view, skipped));
        if let Some(route) = route {
            self.follow(route, view, candidates, skipped);
        }
        let is_chosen = canary.is_some() || !candidates.chosen.is_empty();
        if candidates.chosen.is_empty() {
            candidates.chosen.extend(self.question.call.requested);
        }
        if let Some(canary) = canary {
            candidates.put_first(canary);
        }
        candidates.line_up(route.map_or(&[][..], |route| &route.fallbacks));
        let failed = &self.question.call.failed;
        if !failed.is_empty() {
            candidates.changed().retain(|model| !failed.contains(model));
        }
        if self.question.run.prefers_lower() {
            candidates.changed().sort_by_key(|model| self.program().tables.models.at(*model).tier);
            return false;
        }
        self.may_stay(candidates.models()) && self.stay(candidates.changed(), is_chosen)
    }

    /// The models of the arms that hold.
    fn follow(&self, route: &Route, view: &View<'_>, candidates: &mut Candidates, skipped: &mut Vec<u32>) {
        let sent = view.sent.now();
        for &Screened { index, ref screen } in &self.program().index.arms {
            if screen.rules_out(sent) {
                continue;
            }
            let Some(arm) = route.arms.get(index as usize) else { return };
            match self.question.truth(arm.when, view) {
                Truth::False => {}
                Truth::Unknown => skipped.push(arm.model),
                Truth::True => {
                    let is_new = candidates.choose(arm.model);
                    if let Some((then, _)) = arm.then {
                        if is_new {
                            candidates.cascades.push((arm.model, index));
                        }
                        candidates.choose(then);
                    }
                }
            }
        }
    }

    /// The canary's model; if the fact cannot be told, none, and those that might have been are named.
    fn draw(&self, route: &Route, view: &View<'_>, skipped: &mut Vec<u32>) -> Option<u32> {
        let canaries = route.canaries.as_ref()?;
        let Slot::Text(value) = view.slot(canaries.fact) else {
            skipped.extend(canaries.shares.iter().map(|(model, _)| *model));
            return None;
        };
        canaries.draw(value, &self.program().tables.statements.at(route.statement).name)
    }

    /// Whether a candidate meets what is required, the input with its least output fits its window, and no
    /// breaker is in its way.
    #[inline(always)]
    pub(super) fn is_usable(&self, candidate: u32, candidates: &Candidates, found: &mut Found) -> bool {
        let model = self.program().tables.models.at(candidate);
        let known = found.passed.len();
        for require in candidates.required.iter().map(|index| self.program().tables.requires.at(*index)) {
            if !require.need.is_met(candidate, model) {
                found.pass_over(candidate, Why::Statement(require.statement));
            }
        }
        if self.input.saturating_add(model.least_output) > model.window {
            found.pass_over(candidate, Why::Window);
        }
        found.passed.len() == known && (!self.program().has_breakers() || self.is_up(candidate, found))
    }

    /// Whether no breaker is in its way.
    #[inline(never)]
    fn is_up(&self, candidate: u32, found: &mut Found) -> bool {
        let tripped = self.question.tripped(Subject::Model(candidate));
        for statement in &tripped.statements {
            found.pass_over(candidate, Why::Statement(*statement));
        }
        found.again = [found.again, tripped.again].into_iter().flatten().reduce(Barred::or);
        tripped.again.is_none()
    }

    /// The denials of the breakers that ruled some candidate out.
    pub(super) fn vote_tripped(&self, found: &Found, votes: &mut Vec<Vote>) {
        let statements = found.passed.iter().filter_map(|(_, why)| match why {
            Why::Statement(statement) => Some(*statement),
            Why::Window => None,
        });
        let mut tripped: Vec<u32> = statements.filter(|each| self.program().is_breaker(*each)).collect();
        tripped.sort_unstable();
        tripped.dedup();
        vote_tripped(&tripped, votes);
    }

    /// The votes of the requirements that ruled some candidate out.
    pub(super) fn vote_required(&self, found: &Found, votes: &mut Vec<Vote>) {
        for require in self.program().tables.requires.all() {
            if found.passed.iter().any(|(_, why)| *why == Why::Statement(require.statement)) {
                self.question.vote(require.statement, Verdict::Deny, false, votes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_the_same_whatever_was_lined_up_before(
            calls in prop::collection::vec((prop::collection::vec(0_u32..5, 1..3), 0_u8..3), 1..9),
            fallbacks in prop::collection::vec((0_u32..4, 1_u32..3), 0..6),
        ) {
            let fallbacks: Vec<_> = fallbacks.into_iter().map(|(from, more)| (from, from + more)).collect();
            let mut used = Candidates::default();
            for (chosen, change) in calls {
                let mut fresh = Candidates::default();
                used.chosen.clear();
                for model in chosen {
                    prop_assert_eq!(used.choose(model), fresh.choose(model));
                }
                used.line_up(&fallbacks);
                fresh.line_up(&fallbacks);
                prop_assert_eq!(used.models(), fresh.models());
                match change {
                    0 => {}
                    1 => used.changed().reverse(),
                    _ => used.changed().clear(),
                }
            }
        }
    }
}
