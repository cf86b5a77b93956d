//! Makes the trees of rules: at each node every rule goes by the clause that tells most beside the others.

use std::sync::Arc;

use super::clauses::{Clause, MOST_CLAUSES, Needs};
use super::forest::{Forest, Shared, Stretch};
use super::mark::Mark;
use super::screen::{Screen, Screened};
use super::seen::{MOST_SHARE, Seen};
use super::split::Split;
use crate::program::Condition;

/// Fewer rules than that are looked at one by one: to find the one among them takes as long.
pub(crate) const FEWEST: usize = 4;

/// A rule on its way into a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planted {
    pub(crate) rule: u32,
    /// What its condition needs: so many of the planter's clauses from there on.
    first: usize,
    clauses: u8,
    /// Those that the branches asked that it went by, in their order.
    path: [u8; MOST_CLAUSES],
    depth: u8,
    /// The branch that it goes on to.
    home: Option<u32>,
}

impl Planted {
    /// Whether its condition needs nothing of any fact.
    pub(super) const fn is_open(&self) -> bool {
        self.clauses == 0
    }

    fn asked(&self) -> &[u8] {
        self.path.get(..self.depth.into()).unwrap_or_default()
    }

    /// The clauses that it was found by.
    pub(super) fn path<'a>(&self, clauses: &'a [Clause]) -> impl Iterator<Item = &'a Clause> {
        self.asked().iter().filter_map(|place| clauses.get(self.first.saturating_add((*place).into())))
    }

    /// The marks that it was last parted from others by.
    fn last<'a>(&self, clauses: &'a [Clause]) -> &'a [Mark] {
        self.path(clauses).last().map_or(&[], |clause| clause)
    }

    /// The clauses that no branch has asked yet.
    fn left<'a>(&self, clauses: &'a [Clause]) -> impl Iterator<Item = (u8, &'a Clause)> {
        let all = clauses.get(self.first..).unwrap_or_default();
        (0..self.clauses).zip(all).filter(|(place, _)| !self.asked().contains(place))
    }

    fn go_by(&mut self, clause: u8) {
        if let Some(slot) = self.path.get_mut(usize::from(self.depth)) {
            *slot = clause;
            self.depth = self.depth.saturating_add(1);
        }
    }
}

/// Plants trees, and tells of each rule where it came to stand. Its rooms are used again.
#[derive(Debug)]
pub(super) struct Planter<'a, T: FnMut(&Planted, &[Clause])> {
    forest: &'a mut Forest,
    told: T,
    needs: Needs,
    seen: Seen,
    /// The rules of the next tree, and what they need.
    rules: Vec<Planted>,
    clauses: Vec<Clause>,
    /// Nodes where rules have to part yet, and these: from where to where.
    open: Vec<(u32, usize, usize)>,
    facts: Vec<u32>,
}

impl<'a, T: FnMut(&Planted, &[Clause])> Planter<'a, T> {
    pub(super) fn new(forest: &'a mut Forest, told: T) -> Self {
        Self {
            forest,
            told,
            needs: Needs::default(),
            seen: Seen::default(),
            rules: Vec::new(),
            clauses: Vec::new(),
            open: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Another rule of the next tree; without a condition it is met at every walk.
    pub(super) fn add(&mut self, rule: u32, condition: Option<&Condition>) {
        let first = self.clauses.len();
        if let Some(condition) = condition {
            self.needs.add(condition, &mut self.clauses);
        }
        let clauses = u8::try_from(self.clauses.len().saturating_sub(first)).unwrap_or_default();
        let path = [0; MOST_CLAUSES];
        self.rules.push(Planted { rule, first, clauses, path, depth: 0, home: None });
    }

    /// The root of a tree of the rules that were added.
    pub(super) fn plant(&mut self) -> u32 {
        let mut rules = std::mem::take(&mut self.rules);
        let root = self.forest.grow();
        self.go_on(root, 0, &rules);
        while let Some((node, from, to)) = self.open.pop() {
            let Some(here) = rules.get_mut(from..to) else { continue };
            let stay = self.part(here);
            let Some((stay, go)) = here.split_at_mut_checked(stay) else { continue };
            self.stay(node, stay);
            self.split(node, go);
            let mut from = from.saturating_add(stay.len());
            for together in go.chunk_by(|left, right| left.home == right.home) {
                match together.first().and_then(|planted| planted.home) {
                    Some(home) => self.go_on(home, from, together),
                    // What stands in several branches stays in them.
                    None => together.iter().for_each(|planted| (self.told)(planted, &self.clauses)),
                }
                from = from.saturating_add(together.len());
            }
        }
        rules.clear();
        self.rules = rules;
        self.clauses.clear();
        root
    }

    /// Leaves rules, which begin here, to a node.
    fn go_on(&mut self, node: u32, from: usize, rules: &[Planted]) {
        if rules.len() < FEWEST {
            self.stay(node, rules);
        } else {
            self.open.push((node, from, from.saturating_add(rules.len())));
        }
    }

    fn stay(&mut self, node: u32, rules: &[Planted]) {
        let from = length(&self.forest.rules);
        for planted in rules {
            (self.told)(planted, &self.clauses);
            self.forest.rules.push(Screened { index: planted.rule, screen: Screen::default() });
        }
        let rules = Stretch { from, to: length(&self.forest.rules) };
        self.forest.change(node, |node| node.rules = rules);
    }

    /// Puts those that stay at a node before those that go on by a clause: the one that lets the least
    /// through. Gives how many stay.
    fn part(&mut self, rules: &mut [Planted]) -> usize {
        let (seen, clauses) = (&mut self.seen, &self.clauses);
        let marks = rules.iter().flat_map(|planted| planted.left(clauses)).flat_map(|(_, clause)| &**clause);
        seen.look(marks);
        let choose = |planted: &Planted| {
            let shares = planted.left(clauses).map(|(place, clause)| (seen.share(clause), place));
            shares.min().filter(|(share, _)| *share <= MOST_SHARE).map(|(_, place)| place)
        };
        for planted in &mut *rules {
            let chosen = choose(planted);
            planted.home = None;
            if let Some(place) = chosen {
                planted.go_by(place);
                planted.home = Some(0);
            }
        }
        self.facts.clear();
        let going = || rules.iter().filter(|planted| planted.home.is_some());
        self.facts.extend(going().flat_map(|planted| planted.last(clauses)).map(|mark| mark.fact));
        let facts = &mut self.facts;
        facts.sort_unstable();
        let is_few = |mark: &Mark| {
            let from = facts.partition_point(|fact| *fact < mark.fact);
            facts.iter().skip(from).take_while(|fact| **fact == mark.fact).take(FEWEST).count() < FEWEST
        };
        for planted in &mut *rules {
            if planted.home.is_some() && planted.last(clauses).iter().any(is_few) {
                planted.depth = planted.depth.saturating_sub(1);
                planted.home = None;
            }
        }
        rules.sort_unstable_by_key(|planted| (planted.home, planted.rule));
        rules.partition_point(|planted| planted.home.is_none())
    }

    /// Parts rules by the last clause of their paths, and puts those together that are at home in one branch.
    fn split(&mut self, node: u32, rules: &mut [Planted]) {
        let (forest, clauses) = (&mut *self.forest, &self.clauses);
        let mut marked: Vec<(&Mark, usize, usize)> = Vec::with_capacity(rules.len());
        // Rules that stand in several branches, with the marks of these.
        let mut several: Vec<(usize, Arc<[Mark]>)> = Vec::new();
        for (place, planted) in rules.iter_mut().enumerate() {
            let marks = planted.last(clauses);
            planted.home = None;
            marked.extend(marks.iter().enumerate().map(|(own, mark)| (mark, place, own)));
            if marks.len() > 1 {
                several.push((place, marks.into()));
            }
        }
        marked.sort_unstable();
        let from = length(&forest.splits);
        for of_fact in marked.chunk_by(|(left, ..), (right, ..)| left.fact == right.fact) {
            let branches = || of_fact.chunk_by(|(left, ..), (right, ..)| left == right);
            let marks = branches().filter_map(<[_]>::first).map(|(mark, ..)| *mark);
            forest.splits.push(Split::new(length(&forest.nodes), marks));
            for branch in branches() {
                let node = forest.grow();
                let from = length(&forest.shared);
                for &(_, place, own) in branch {
                    let Some(planted) = rules.get_mut(place) else { continue };
                    match several.binary_search_by_key(&place, |(place, _)| *place) {
                        Ok(found) => forest.shared.extend(several.get(found).map(|(_, marks)| {
                            let marks = Arc::clone(marks);
                            Shared { rule: planted.rule, marks, own }
                        })),
                        Err(_) => planted.home = Some(node),
                    }
                }
                let shared = Stretch { from, to: length(&forest.shared) };
                forest.change(node, |node| node.shared = shared);
            }
        }
        let splits = Stretch { from, to: length(&forest.splits) };
        forest.change(node, |node| node.splits = splits);
        rules.sort_unstable_by_key(|planted| (planted.home, planted.rule));
    }
}

/// No list is longer than an artifact, whose length is a `u32`.
pub(super) fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
