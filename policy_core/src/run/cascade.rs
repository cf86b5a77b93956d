//! A cascade: a model's result is taken, or a larger model is asked as well.

use super::Run;
use super::model::Asked;
use super::question::{Clearance, Question, vote_of};
use crate::books::Books;
use crate::decision::{By, Decision, Outcome, Vote};
use crate::event::Returned;
use crate::facts::Sent;
use crate::program::Program;
use crate::value::{Truth, Value};

/// What a cascade says to a result: whether it could tell, and what it read.
#[derive(Debug)]
struct Climb {
    undecided: bool,
    values: Vec<(u32, Value)>,
}

impl Run {
    /// Whether a larger model is asked as well: a cascade brought the model that came back, its condition is
    /// true or cannot be told, nothing of the result was given away yet, and the larger model may run now.
    /// Then the call goes on without the first.
    pub(super) fn climbs(
        &mut self,
        (program, books): (&Program, &Books),
        (id, model): (u64, u32),
        returned: &Returned<'_>,
        decision: &mut Decision,
    ) -> bool {
        let Some(route) = &program.tables.route else { return false };
        let Some(call) = self.calls.get_mut(id) else { return false };
        let arm = call.cascade.and_then(|place| route.arms.get(place as usize));
        let Some((then, when)) = arm.and_then(|arm| arm.then) else { return false };
        if returned.committed || self.latch.is_some() {
            return false;
        }
        call.failed.push(model);
        let Some(climb) = self.rehearse((program, books), (id, model), (then, when), returned) else {
            return false;
        };
        if let Some(call) = self.calls.get_mut(id) {
            call.climbed = Some(model);
        }
        decision.outcome = Outcome::Wait;
        decision.wait_ns = Some(0);
        decision.by = By::Statement(route.statement);
        decision.undecided = climb.undecided;
        decision.votes = vec![Vote { undecided: climb.undecided, ..vote_of(route.statement, Outcome::Wait) }];
        decision.values = climb.values;
        true
    }

    /// The larger model's admission, without doing it.
    fn rehearse(
        &mut self,
        (program, books): (&Program, &Books),
        (id, model): (u64, u32),
        (then, when): (u32, u32),
        returned: &Returned<'_>,
    ) -> Option<Climb> {
        let mut candidates = self.candidates.take().unwrap_or_default();
        let climb = self.calls.get(id).and_then(|call| {
            let sent = Sent::After { slots: returned.facts, kept: &call.kept };
            let question = Question::new((self, books), program, id, call, sent);
            let view = question.view(call.tries.made(model), None);
            let truth = question.truth(Some(when), &view);
            if truth == Truth::False {
                return None;
            }
            // The conversation was looked at when the first model was asked.
            let (input, results) = (call.input_tokens?, Some(&[][..]));
            let messages = Some(&[][..]);
            let asked = Asked { question: &question, input, most: call.max_output, results, messages };
            let mut rehearsal = Decision::new();
            let mut clearance = Clearance::new();
            match asked.rule(&mut candidates, &mut clearance, &mut rehearsal) {
                Ok(()) if clearance.subject == then => Some(Climb {
                    undecided: truth == Truth::Unknown,
                    values: view.values(program.tables.conditions.at(when)),
                }),
                _ => None,
            }
        });
        self.candidates = Some(candidates);
        climb
    }
}
