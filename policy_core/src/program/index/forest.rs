//! The rules of each selector as a tree: at every node the rules part by what their conditions need of a
//! fact. A walk with the facts of a call meets each rule whose condition may be other than false, once;
//! what it does not meet is certainly false.

use std::sync::Arc;

use super::mark::Mark;
use super::plant::length;
use super::screen::Screened;
use super::split::Split;
use crate::value::Slot;

/// A stretch of one of the forest's lists.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Stretch {
    const fn is_empty(self) -> bool {
        self.from == self.to
    }

    fn of<T>(self, items: &[T]) -> &[T] {
        items.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// Rules that stand together, and how the others part.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Rules that are looked at whenever the node is, ascending.
    pub(super) rules: Stretch,
    pub(super) shared: Stretch,
    pub(super) splits: Stretch,
}

/// A rule that stands in several branches, since one mark of several has to admit.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) rule: u32,
    /// The marks of all its branches, and which of them is that of this branch.
    pub(super) marks: Arc<[Mark]>,
    pub(super) own: usize,
}

/// All trees. As large as the conditions that it was made from, but for a constant factor.
#[derive(Debug, Default)]
pub(crate) struct Forest {
    pub(super) nodes: Vec<Node>,
    pub(super) rules: Vec<Screened>,
    pub(super) shared: Vec<Shared>,
    pub(super) splits: Vec<Split>,
}

impl Forest {
    /// A new node, with nothing at it.
    pub(super) fn grow(&mut self) -> u32 {
        let node = length(&self.nodes);
        self.nodes.push(Node::default());
        node
    }

    pub(super) fn change(&mut self, node: u32, change: impl FnOnce(&mut Node)) {
        self.nodes.get_mut(node as usize).map(change);
    }

    /// Gives the rules under a node that may concern a call with these facts, of which the host has sent
    /// some; no allocation.
    #[inline(always)]
    pub(crate) fn walk<'a>(
        &self,
        node: u32,
        (sent, slot): (&[Slot<'_>], &impl Fn(u32) -> Slot<'a>),
        visit: &mut impl FnMut(u32),
    ) {
        let Some(node) = self.nodes.get(node as usize) else { return };
        for screened in node.rules.of(&self.rules) {
            if !screened.screen.rules_out(sent) {
                visit(screened.index);
            }
        }
        if !(node.shared.is_empty() && node.splits.is_empty()) {
            self.walk_on(node, (sent, slot), visit);
        }
    }

    /// What stands in several branches, and the branches.
    #[inline(never)]
    fn walk_on<'a>(
        &self,
        node: &Node,
        (sent, slot): (&[Slot<'_>], &impl Fn(u32) -> Slot<'a>),
        visit: &mut impl FnMut(u32),
    ) {
        for shared in node.shared.of(&self.shared) {
            // Of the branches that lead to a rule the first one counts.
            if shared.marks.iter().position(|mark| mark.admits(slot(mark.fact))) == Some(shared.own) {
                visit(shared.rule);
            }
        }
        for split in node.splits.of(&self.splits) {
            split.find(slot(split.fact), &mut |branch| {
                self.walk(split.first.saturating_add(branch), (sent, slot), visit);
            });
        }
    }
}
