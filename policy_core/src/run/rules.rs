//! How rules vote on a call: those that the index finds for it.

use super::question::Question;
use crate::decision::Vote;
use crate::facts::View;
use crate::program::Verdict;
use crate::value::Truth;

impl Question<'_> {
    /// The votes of the rules in the trees of these roots. One that cannot be decided votes too: an error
    /// never loosens.
    #[inline(never)]
    pub(crate) fn vote_rules(&self, roots: &[u32], view: &View<'_>, votes: &mut Vec<Vote>) {
        let (forest, sent) = (&self.program.index.forest, view.sent.now());
        let (slot, mut visit) = (|fact| view.slot(fact), |index| self.vote_rule(index, view, votes));
        for &root in roots {
            forest.walk(root, (sent, &slot), &mut visit);
        }
    }

    #[inline(never)]
    fn vote_rule(&self, index: u32, view: &View<'_>, votes: &mut Vec<Vote>) {
        let rule = self.program.tables.rules.at(index);
        let truth = self.truth(rule.when, view);
        let gives = || rule.verdict != Verdict::Reuse || self.known().is_some();
        if truth != Truth::False && gives() {
            self.vote(rule.statement, rule.verdict, truth == Truth::Unknown, votes);
        }
    }
}
