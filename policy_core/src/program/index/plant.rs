//! Makes the trees of rules: at each node every rule goes by the clause that tells most beside the others.

use std::sync::Arc;

use super::clauses::Clause;
use super::forest::{Forest, Node, Shared, Stretch};
use super::mark::Mark;
use super::seen::{MOST_SHARE, Seen};
use super::split::Split;

/// Fewer rules than that are looked at one by one: to find the one among them takes as long.
pub(crate) const FEWEST: usize = 4;

/// A rule on its way into a tree: what its condition still needs, and what the branches that it went by
/// asked.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) rule: u32,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) path: Vec<Clause>,
}

impl Planted {
    /// The marks that it was last parted from others by.
    fn last(&self) -> &[Mark] {
        self.path.last().map_or(&[], Vec::as_slice)
    }
}

/// Plants trees, and tells of each rule where it came to stand.
#[derive(Debug)]
pub(super) struct Planter<'a, T: FnMut(&Planted)> {
    pub(super) forest: &'a mut Forest,
    pub(super) told: T,
}

impl<T: FnMut(&Planted)> Planter<'_, T> {
    /// The root of a tree of these rules.
    pub(super) fn plant(&mut self, rules: Vec<Planted>) -> u32 {
        let root = self.node();
        let mut open = vec![(root, rules)];
        while let Some((node, rules)) = open.pop() {
            let (stay, go) = part(rules);
            self.stay(node, &stay);
            self.split(node, go, &mut open);
        }
        root
    }

    fn node(&mut self) -> u32 {
        self.forest.nodes.push(Node::default());
        length(&self.forest.nodes).saturating_sub(1)
    }

    fn change(&mut self, node: u32, change: impl FnOnce(&mut Node)) {
        self.forest.nodes.get_mut(node as usize).map(change);
    }

    fn stay(&mut self, node: u32, rules: &[Planted]) {
        let from = length(&self.forest.rules);
        for planted in rules {
            (self.told)(planted);
            self.forest.rules.push(planted.rule);
        }
        let rules = Stretch { from, to: length(&self.forest.rules) };
        self.change(node, |node| node.rules = rules);
    }

    /// Parts rules by the last clause of their paths.
    fn split(&mut self, node: u32, rules: Vec<Planted>, open: &mut Vec<(u32, Vec<Planted>)>) {
        let mut marked: Vec<(&Mark, usize, usize)> = Vec::with_capacity(rules.len());
        for (place, planted) in rules.iter().enumerate() {
            marked.extend(planted.last().iter().enumerate().map(|(own, mark)| (mark, place, own)));
        }
        marked.sort_unstable();
        let alternatives =
            rules.iter().map(|planted| (planted.last().len() > 1).then(|| planted.last().into()));
        let alternatives: Vec<Option<Arc<[Mark]>>> = alternatives.collect();
        let mut homes: Vec<Option<u32>> = vec![None; rules.len()];
        let from = length(&self.forest.splits);
        for of_fact in marked.chunk_by(|(left, ..), (right, ..)| left.fact == right.fact) {
            let branches = || of_fact.chunk_by(|(left, ..), (right, ..)| left == right);
            let marks: Vec<&Mark> = branches().filter_map(<[_]>::first).map(|(mark, ..)| *mark).collect();
            self.forest.splits.push(Split::new(length(&self.forest.nodes), &marks));
            for branch in branches() {
                let node = self.node();
                let from = length(&self.forest.shared);
                for &(_, place, own) in branch {
                    if let (Some(Some(marks)), Some(planted)) = (alternatives.get(place), rules.get(place)) {
                        let marks = Arc::clone(marks);
                        self.forest.shared.push(Shared { rule: planted.rule, marks, own });
                    } else if let Some(home) = homes.get_mut(place) {
                        *home = Some(node);
                    }
                }
                let shared = Stretch { from, to: length(&self.forest.shared) };
                self.change(node, |node| node.shared = shared);
            }
        }
        let splits = Stretch { from, to: length(&self.forest.splits) };
        self.change(node, |node| node.splits = splits);
        self.settle(rules, homes, open);
    }

    /// Leaves rules to the nodes where they are at home. One that stands in several branches stays in them.
    fn settle(&mut self, rules: Vec<Planted>, homes: Vec<Option<u32>>, open: &mut Vec<(u32, Vec<Planted>)>) {
        let mut settled: Vec<(u32, Planted)> = Vec::with_capacity(rules.len());
        for (planted, home) in rules.into_iter().zip(homes) {
            match home {
                Some(home) => settled.push((home, planted)),
                None => (self.told)(&planted),
            }
        }
        settled.sort_by_key(|(home, _)| *home);
        let mut settled = settled.into_iter().peekable();
        while let Some((home, first)) = settled.next() {
            let mut together = vec![first];
            while let Some((_, next)) = settled.next_if(|(other, _)| *other == home) {
                together.push(next);
            }
            open.push((home, together));
        }
    }
}

/// Those that stay at a node, and those that go on by a clause: the one that lets the least through.
fn part(rules: Vec<Planted>) -> (Vec<Planted>, Vec<Planted>) {
    if rules.len() < FEWEST {
        return (rules, Vec::new());
    }
    let seen = Seen::new(rules.iter().flat_map(|planted| &planted.clauses).flatten());
    let choose = |planted: &Planted| {
        let shares = planted.clauses.iter().map(|clause| seen.share(clause)).zip(0..);
        shares.min().filter(|(share, _)| *share <= MOST_SHARE).map(|(_, place)| place)
    };
    let chosen: Vec<Option<usize>> = rules.iter().map(choose).collect();
    let clause = |(planted, place): (&Planted, &Option<usize>)| planted.clauses.get((*place)?).cloned();
    let mut facts: Vec<u32> =
        rules.iter().zip(&chosen).filter_map(clause).flatten().map(|mark| mark.fact).collect();
    facts.sort_unstable();
    let is_few = |mark: &Mark| {
        let from = facts.partition_point(|fact| *fact < mark.fact);
        facts.iter().skip(from).take_while(|fact| **fact == mark.fact).take(FEWEST).count() < FEWEST
    };
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for (mut planted, place) in rules.into_iter().zip(chosen) {
        match place {
            Some(place) if !planted.clauses.get(place).into_iter().flatten().any(is_few) => {
                let clause = planted.clauses.remove(place);
                planted.path.push(clause);
                go.push(planted);
            }
            _ => stay.push(planted),
        }
    }
    (stay, go)
}

/// No list is longer than an artifact, whose length is a `u32`.
fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
