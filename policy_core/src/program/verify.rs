//! What no single item can tell: that conditions balance and are each used once, and that fallbacks end.

use crate::error::LoadError;
use crate::facts::BuiltInFact;
use crate::program::tables::{Fact, Source, Tables};
use crate::program::{Condition, Limit, Op, Scope, Verdict};

/// The deepest stack that a condition may need; the machine has no more.
pub(crate) const DEEPEST: usize = 64;

/// Checks everything that the decoder could not.
pub(crate) fn tables(tables: &Tables) -> Result<(), LoadError> {
    let mut landings = Vec::new();
    for (index, condition) in tables.conditions.numbered() {
        balances(condition, &mut landings)
            .map_err(|what| LoadError::invalid(format!("condition {index} of the artifact {what}")))?;
    }
    used_once(tables)?;
    clocked(tables)?;
    counted(tables)?;
    answered_once(tables)?;
    observed(tables)?;
    acyclic(tables)
}

/// Every operation finds what it pops, every jump lands on the same depth, and one value is left.
///
/// `landings` is room to work in: for each place, the last of them the end, the depth that a jump brings
/// there.
fn balances(condition: &Condition, landings: &mut Vec<Option<usize>>) -> Result<(), &'static str> {
    let mut depth = 0_usize;
    landings.clear();
    landings.resize(condition.ops.len().saturating_add(1), None);
    for (place, op) in condition.ops.iter().enumerate() {
        if landings.get(place).copied().flatten().is_some_and(|brought| brought != depth) {
            return Err("jumps between different depths");
        }
        let needed = match op {
            Op::And | Op::Or => 2,
            Op::Not | Op::JumpIfFalse { .. } | Op::JumpIfTrue { .. } => 1,
            _ => 0,
        };
        if depth < needed {
            return Err("takes more values than there are");
        }
        match op {
            Op::And | Op::Or => depth = depth.saturating_sub(1),
            Op::Not => {}
            Op::JumpIfFalse { skip } | Op::JumpIfTrue { skip } => {
                let target = place.saturating_add(1).saturating_add(*skip as usize);
                let landing = landings.get_mut(target).ok_or("jumps out of itself")?;
                if *landing.get_or_insert(depth) != depth {
                    return Err("jumps between different depths");
                }
            }
            _ => depth = depth.saturating_add(1),
        }
        if depth > DEEPEST {
            return Err("is too deep");
        }
    }
    let brought = landings.last().copied().flatten().unwrap_or(1);
    if depth == 1 && brought == 1 { Ok(()) } else { Err("does not end with one value") }
}

/// Conditions are numbered by their use: rules, retries, requirements, the route's arms, what tools
/// succeed by.
fn used_once(tables: &Tables) -> Result<(), LoadError> {
    let rules = tables.rules.all().iter().map(|rule| rule.when);
    let retries = tables.retries.all().iter().map(|retry| retry.when);
    let requires = tables.requires.all().iter().map(|require| require.when);
    let arms = tables.route.iter().flat_map(|route| &route.arms);
    let arms = arms.flat_map(|arm| [arm.when, arm.then.map(|(_, when)| when)]);
    let succeeds = tables.tools.all().iter().map(|tool| tool.succeeds);
    let used: Vec<u32> = rules.chain(retries).chain(requires).chain(arms).chain(succeeds).flatten().collect();
    let numbered = (0..=u32::MAX).zip(&used).all(|(expected, &index)| expected == index);
    if numbered && used.len() == tables.conditions.all().len() {
        Ok(())
    } else {
        Err(LoadError::invalid("the artifact does not use each condition once, in order"))
    }
}

/// There is a clock if facts are read from it, and only then.
fn clocked(tables: &Tables) -> Result<(), LoadError> {
    let is_read = |fact: &Fact| matches!(fact.source, Source::BuiltIn(BuiltInFact::Now(_)));
    if tables.facts.all().iter().any(is_read) == tables.clock.is_some() {
        Ok(())
    } else {
        Err(LoadError::invalid("the artifact's clock is missing, or nothing is read from it"))
    }
}

/// What is read of limits wider than a run is bounded by one; what counts for one of them, by one alone.
fn counted(tables: &Tables) -> Result<(), LoadError> {
    for fact in tables.facts.all() {
        let Source::BuiltIn(built_in) = fact.source else { continue };
        let Some((scope, measure)) = built_in.counted() else { continue };
        let limits = tables.limits.all().iter();
        let limits = limits.filter(|limit| limit.scope == scope && !tables.is_observed(limit.statement));
        let bounds = limits.flat_map(|limit| &limit.bounds).filter(|bound| bound.measure == measure).count();
        let is_of_one = matches!(built_in, BuiltInFact::Spent(..) | BuiltInFact::Held(..));
        if bounds == 0 || (is_of_one && bounds > 1) {
            return Err(LoadError::invalid("a fact is of a limit that is not there, or of several"));
        }
    }
    Ok(())
}

/// Templates are numbered by their use: rules, limits, retries.
fn answered_once(tables: &Tables) -> Result<(), LoadError> {
    let rules = tables.rules.all().iter().map(|rule| rule.verdict);
    let limits = tables.limits.all().iter().map(|limit| limit.verdict);
    let retries = tables.retries.all().iter().map(|retry| retry.verdict);
    let used: Vec<u32> = rules.chain(limits).chain(retries).filter_map(Verdict::template).collect();
    let numbered = (0..=u32::MAX).zip(&used).all(|(expected, &index)| expected == index);
    if numbered && used.len() == tables.templates.all().len() {
        Ok(())
    } else {
        Err(LoadError::invalid("the artifact does not use each text of an answer once, in order"))
    }
}

/// An observed limit keeps nothing back and tells nobody anything, and no store counts for it.
fn observed(tables: &Tables) -> Result<(), LoadError> {
    let is_wrong = |limit: &Limit| {
        let is_counted_elsewhere = tables.is_shared && limit.scope != Scope::Run;
        let is_held_back = limit.wrap_up > 0 || limit.bounds.iter().any(|bound| bound.withheld > 0);
        tables.is_observed(limit.statement)
            && (is_counted_elsewhere || is_held_back || !limit.thresholds.is_empty())
    };
    if tables.limits.all().iter().any(is_wrong) {
        return Err(LoadError::invalid("the artifact observes a limit that does more than count"));
    }
    Ok(())
}

/// Follows fallbacks from the models that none leads to, again and again; an edge never followed is in a
/// cycle.
fn acyclic(tables: &Tables) -> Result<(), LoadError> {
    let Some(route) = &tables.route else { return Ok(()) };
    let mut edges: Vec<(u32, u32)> = route.fallbacks.to_vec();
    edges.sort_unstable();
    let mut incoming = vec![0_usize; tables.models.all().len()];
    for &(_, to) in &edges {
        if let Some(count) = incoming.get_mut(to as usize) {
            *count = count.saturating_add(1);
        }
    }
    let mut free: Vec<u32> =
        (0..=u32::MAX).zip(&incoming).filter(|(_, count)| **count == 0).map(|(model, _)| model).collect();
    let mut followed = 0_usize;
    while let Some(model) = free.pop() {
        let first = edges.partition_point(|(from, _)| *from < model);
        for &(_, to) in edges.iter().skip(first).take_while(|(from, _)| *from == model) {
            followed = followed.saturating_add(1);
            let Some(count) = incoming.get_mut(to as usize) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                free.push(to);
            }
        }
    }
    if followed == edges.len() && edges.is_sorted_by(|left, right| left < right) {
        Ok(())
    } else {
        Err(LoadError::invalid("the artifact's fallbacks go round in a circle, or one is there twice"))
    }
}

/// The same of a condition alone.
#[cfg(test)]
pub(super) fn balanced(condition: &Condition) -> Result<(), &'static str> {
    balances(condition, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ops: Vec<Op>) -> Result<(), &'static str> {
        balanced(&Condition::new(ops))
    }

    const HAS: Op = Op::Has { fact: 0 };

    #[test]
    fn balanced_conditions_pass() {
        assert_eq!(check(vec![HAS]), Ok(()));
        assert_eq!(check(vec![HAS, Op::JumpIfFalse { skip: 2 }, HAS, Op::And]), Ok(()));
        assert_eq!(check(vec![HAS, Op::Not]), Ok(()));
    }

    #[test]
    fn unbalanced_conditions_do_not() {
        assert!(check(vec![]).is_err());
        assert!(check(vec![Op::Not]).is_err());
        assert!(check(vec![HAS, Op::And]).is_err());
        assert!(check(vec![HAS, HAS]).is_err());
        assert!(check(vec![HAS, Op::JumpIfTrue { skip: 1 }, HAS, Op::Or]).is_err());
        assert!(check(vec![HAS, Op::JumpIfTrue { skip: 3 }, HAS, Op::Or]).is_err());
        assert!(check((0..65).map(|_| HAS).chain((0..64).map(|_| Op::And)).collect()).is_err());
        assert!(check((0..64).map(|_| HAS).chain((0..63).map(|_| Op::And)).collect()).is_ok());
    }
}
