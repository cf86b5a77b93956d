//! What the loader derives from the tables, so that an event only looks at what can concern it. It is never
//! read from the artifact: a wrong index could hide a denial.

mod clauses;
mod column;
mod draws;
mod few;
mod forest;
mod found;
mod mark;
mod plant;
mod repetitions;
mod screen;
mod seen;
mod split;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::clauses::Clause;
pub(crate) use self::column::{Column, Drawn, Kind};
pub(crate) use self::draws::{Draws, Entry, Fill, Level, Soft, bounded};
use self::forest::Forest;
pub(crate) use self::found::found;
pub use self::found::{Found, Plain, Range, Sought};
use self::plant::{Planted, Planter};
use self::repetitions::Repetitions;
use self::screen::Screen;
pub(crate) use self::screen::Screened;
use crate::facts::BuiltInFact;
use crate::program::limits::{Limit, Measure, Scope, ThresholdKind};
use crate::program::statements::{Selector, Verdict};
use crate::program::tables::{Source, Table, Tables, Tool, ToolClass};
use crate::program::watch::Watched;
use crate::text::Heads;

/// What concerns which calls. Lists hold indexes of their tables.
#[derive(Debug)]
pub(crate) struct Index {
    /// The names of models and of tools.
    pub(crate) models: Heads,
    pub(crate) tools: Heads,
    /// The roots of the rules' trees in the forest.
    pub(crate) rules: Selected,
    /// For each tool.
    pub(crate) of_tools: Table<OfTool>,
    pub(crate) forest: Forest,
    pub(crate) retries: Selected,
    pub(crate) breakers: Watched,
    /// The orders, by what comes after.
    pub(crate) orders: Selected,
    /// The same by what comes first, and by the tools that they come again after, if there are any.
    pub(crate) looks: Selected,
    pub(crate) changes: Selected,
    pub(crate) has_changes: bool,
    pub(crate) loops: Repetitions,
    /// All requirements, and all arms.
    pub(crate) requires: Box<[Screened]>,
    pub(crate) arms: Box<[Screened]>,
    /// For each statement: its condition.
    pub(crate) condition_of: Box<[Option<u32>]>,
    /// The tightest bounds of active time and of wall time.
    pub(crate) active_time: Option<u64>,
    pub(crate) wall_time: Option<u64>,
    /// Whether an observed limit bounds time.
    pub(crate) observes_time: bool,
    /// The measures of which conditions read what is spent or held, ascending, without those of time.
    pub(crate) meters: Box<[Measure]>,
    /// What facts read of limits wider than a run, ascending.
    pub(crate) shared: Box<[(Scope, Measure)]>,
    /// The facts that limits are on, ascending.
    pub(crate) key_facts: Box<[u32]>,
    /// Facts of the host that retries, their answers and results read: they are kept from the last ask to the
    /// end.
    pub(crate) kept_facts: Box<[u32]>,
    /// The scopes whose ids are read, ascending.
    pub(crate) ids: Box<[Scope]>,
    /// The thresholds, counted over all limits, that prefer a lower tier.
    pub(crate) lowering: Box<[usize]>,
    /// Whether it can matter which model served last.
    pub(crate) sticks: bool,
    /// Whether a breaker, or a share of retries, goes by how calls end.
    pub(crate) counts_health: bool,
    /// Whether some statement is only observed.
    pub(crate) observes: bool,
    /// Which accounts runs draw on.
    pub(crate) draws: Arc<Draws>,
    /// Whether a statement hands known results back.
    pub(crate) reuses: bool,
}

impl Index {
    pub(crate) fn new(tables: &Tables) -> Self {
        Self::built(tables, true)
    }

    /// The same with all rules of a selector in one list and no screens, so that tests can hold both against
    /// it.
    pub(crate) fn scanning(tables: &Tables) -> Self {
        Self::built(tables, false)
    }

    fn built(tables: &Tables, is_parted: bool) -> Self {
        let mut forest = Forest::default();
        let meters = meters(tables);
        let rules = plant_rules(tables, &mut forest, is_parted, |_, _| {});
        let retries = tables.retries.all().iter().map(|retry| retry.selector);
        let orders = || tables.orders.all().iter();
        let changes = tables.orders.numbered().flat_map(|(index, order)| {
            order.again_after.iter().map(move |tool| (index, Selector::Tool(*tool)))
        });
        let orders = Selected::new(tables, orders().map(|order| order.after));
        let looks = Selected::new(tables, tables.orders.all().iter().map(|order| order.before));
        let of_tool = |(index, tool): (u32, &Tool)| OfTool {
            rules: rules.of_tool(index, tool.class).collect(),
            has_orders: orders.of_tool(index, tool.class).next().is_some(),
            has_looks: looks.of_tool(index, tool.class).next().is_some(),
        };
        let requires = tables.requires.all().iter().map(|require| require.when);
        let arms = tables.route.iter().flat_map(|route| &route.arms).map(|arm| arm.when);
        for screened in forest.rules.iter_mut().filter(|_| is_parted) {
            screened.screen = screen(tables, tables.rules.at(screened.index).when);
        }
        Self {
            models: Heads::new(tables.models.all().iter().map(|model| &*model.name)),
            tools: Heads::new(tables.tools.all().iter().map(|tool| &*tool.name)),
            of_tools: Table::new(tables.tools.numbered().map(of_tool).collect()),
            rules,
            forest,
            retries: Selected::new(tables, retries),
            breakers: Watched::new(tables),
            orders,
            looks,
            changes: Selected::of(tables, changes),
            has_changes: tables.orders.all().iter().any(|order| !order.again_after.is_empty()),
            loops: Repetitions::new(tables),
            requires: screened(tables, is_parted, requires),
            arms: screened(tables, is_parted, arms),
            condition_of: conditions(tables),
            active_time: tightest(tables, Measure::ActiveTime),
            wall_time: tightest(tables, Measure::WallTime),
            observes_time: observed_limits(tables)
                .any(|limit| limit.bounds.iter().any(|bound| bound.measure.is_time())),
            shared: shared(tables),
            key_facts: key_facts(tables),
            kept_facts: kept_facts(tables),
            ids: ids(tables),
            sticks: sticks(tables),
            counts_health: !tables.breakers.all().is_empty()
                || tables.retries.all().iter().any(|retry| retry.share.is_some()),
            observes: tables.statements.all().iter().any(|statement| statement.is_observed),
            lowering: lowering(tables),
            draws: Arc::new(Draws::new(tables, &meters)),
            meters,
            reuses: reuses(tables),
        }
    }
}

/// What concerns the calls of one tool: the roots of the trees of rules, and whether it comes in orders.
#[derive(Debug)]
pub(crate) struct OfTool {
    pub(crate) rules: Box<[u32]>,
    pub(crate) has_orders: bool,
    pub(crate) has_looks: bool,
}

/// Statements of one kind by what their selectors say. Each stands here once, however many calls it concerns:
/// a list for each model and tool would grow with statements times tools.
#[derive(Debug)]
pub(crate) struct Selected {
    any_model: Vec<u32>,
    models: Box<[Vec<u32>]>,
    any_tool: Vec<u32>,
    classes: [Vec<u32>; ToolClass::ALL.len()],
    tools: Box<[Vec<u32>]>,
}

impl Selected {
    fn new(tables: &Tables, selectors: impl Iterator<Item = Selector>) -> Self {
        Self::of(tables, (0..=u32::MAX).zip(selectors))
    }

    /// Those with these numbers.
    pub(crate) fn of(tables: &Tables, selectors: impl Iterator<Item = (u32, Selector)>) -> Self {
        let mut selected = Self {
            any_model: Vec::new(),
            models: vec![Vec::new(); tables.models.all().len()].into_boxed_slice(),
            any_tool: Vec::new(),
            classes: ToolClass::ALL.map(|_| Vec::new()),
            tools: vec![Vec::new(); tables.tools.all().len()].into_boxed_slice(),
        };
        for (index, selector) in selectors {
            let list = match selector {
                Selector::AnyModel => Some(&mut selected.any_model),
                Selector::Model(model) => selected.models.get_mut(model as usize),
                Selector::AnyTool => Some(&mut selected.any_tool),
                Selector::Tool(tool) => selected.tools.get_mut(tool as usize),
                Selector::Class(class) => selected.classes.get_mut(class as usize),
            };
            if let Some(list) = list {
                list.push(index);
            }
        }
        selected
    }

    fn lists(&mut self) -> impl Iterator<Item = &mut Vec<u32>> {
        let named = self.models.iter_mut().chain(&mut self.tools).chain(&mut self.classes);
        [&mut self.any_model, &mut self.any_tool].into_iter().chain(named)
    }

    /// Those on any model.
    pub(crate) fn on_any_model(&self) -> &[u32] {
        &self.any_model
    }

    /// Those on this model by name.
    pub(crate) fn on_model(&self, model: u32) -> &[u32] {
        self.models.get(model as usize).map_or(&[], Vec::as_slice)
    }

    /// Those that take calls of this model.
    pub(crate) fn of_model(&self, model: u32) -> impl Iterator<Item = u32> {
        self.on_any_model().iter().chain(self.on_model(model)).copied()
    }

    /// Those that take calls of this tool.
    pub(crate) fn of_tool(&self, tool: u32, class: ToolClass) -> impl Iterator<Item = u32> {
        let [any, class, named] = self.lists_of_tool(tool, class);
        any.iter().chain(class).chain(named).copied()
    }

    /// The same as they are listed.
    #[inline]
    pub(crate) fn lists_of_tool(&self, tool: u32, class: ToolClass) -> [&[u32]; 3] {
        let named = self.tools.get(tool as usize).map_or(&[][..], Vec::as_slice);
        let class = self.classes.get(class as usize).map_or(&[][..], Vec::as_slice);
        [&self.any_tool, class, named]
    }
}

/// Plants the rules of each selector, parted by what their conditions need or all side by side. Gives the
/// roots.
fn plant_rules(
    tables: &Tables,
    forest: &mut Forest,
    is_parted: bool,
    told: impl FnMut(&Planted, &[Clause]),
) -> Selected {
    let mut rules = Selected::new(tables, tables.rules.all().iter().map(|rule| rule.selector));
    let mut planter = Planter::new(forest, told);
    for list in rules.lists().filter(|list| !list.is_empty()) {
        for rule in list.drain(..) {
            let when = tables.rules.at(rule).when.filter(|_| is_parted);
            planter.add(rule, when.map(|when| tables.conditions.at(when)));
        }
        list.push(planter.plant());
    }
    rules
}

/// What tells of each of the statements with these conditions that it does not apply; of a program that only
/// scans nothing does.
fn screened(tables: &Tables, is_parted: bool, whens: impl Iterator<Item = Option<u32>>) -> Box<[Screened]> {
    let of = |(index, when): (u32, Option<u32>)| Screened {
        index,
        screen: screen(tables, when.filter(|_| is_parted)),
    };
    (0..=u32::MAX).zip(whens).map(of).collect()
}

fn screen(tables: &Tables, when: Option<u32>) -> Screen {
    when.map(|when| Screen::of(tables.conditions.at(when), tables)).unwrap_or_default()
}

/// The tightest bound of a measure of time; only limits on a run have any.
fn tightest(tables: &Tables, time: Measure) -> Option<u64> {
    let limits = tables.limits.all().iter().filter(|limit| !tables.is_observed(limit.statement));
    let bounds = limits.flat_map(|limit| limit.bounds.iter());
    bounds.filter(|bound| bound.measure == time).map(|bound| bound.max).min()
}

fn observed_limits(tables: &Tables) -> impl Iterator<Item = &Limit> {
    tables.limits.all().iter().filter(|limit| tables.is_observed(limit.statement))
}

fn meters(tables: &Tables) -> Box<[Measure]> {
    let read = tables.facts.all().iter().filter_map(|fact| match fact.source {
        Source::BuiltIn(BuiltInFact::Spent(Scope::Run, measure) | BuiltInFact::Held(Scope::Run, measure)) => {
            Some(measure)
        }
        _ => None,
    });
    sorted(read.filter(|measure| !measure.is_time()))
}

fn shared(tables: &Tables) -> Box<[(Scope, Measure)]> {
    sorted(tables.facts.all().iter().filter_map(|fact| match fact.source {
        Source::BuiltIn(built_in) => built_in.counted(),
        _ => None,
    }))
}

fn ids(tables: &Tables) -> Box<[Scope]> {
    let read = tables.facts.all().iter().filter_map(|fact| match fact.source {
        Source::BuiltIn(BuiltInFact::Id(scope)) => Some(scope),
        _ => None,
    });
    let observed = observed_limits(tables).map(|limit| limit.scope).filter(|scope| *scope != Scope::Run);
    sorted(read.chain(sticks(tables).then_some(Scope::Session)).chain(observed))
}

/// Only a route brings more than one candidate.
fn sticks(tables: &Tables) -> bool {
    tables.route.is_some() && tables.models.all().len() > 1
}

fn lowering(tables: &Tables) -> Box<[usize]> {
    let thresholds = tables.limits.all().iter().flat_map(|limit| limit.thresholds.iter());
    let lowering = thresholds.enumerate().filter(|(_, each)| each.kind == ThresholdKind::PreferLower);
    lowering.map(|(place, _)| place).collect()
}

fn key_facts(tables: &Tables) -> Box<[u32]> {
    sorted(tables.limits.all().iter().filter_map(|limit| match limit.scope {
        Scope::Key(fact) => Some(fact),
        _ => None,
    }))
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Box<[T]> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.dedup();
    items.into_boxed_slice()
}

fn conditions(tables: &Tables) -> Box<[Option<u32>]> {
    let mut conditions = vec![None; tables.statements.all().len()];
    let rules = tables.rules.all().iter().map(|rule| (rule.statement, rule.when));
    let retries = tables.retries.all().iter().map(|retry| (retry.statement, retry.when));
    let requires = tables.requires.all().iter().map(|require| (require.statement, require.when));
    for (statement, when) in rules.chain(retries).chain(requires) {
        if let Some(slot) = conditions.get_mut(statement as usize) {
            *slot = when;
        }
    }
    conditions.into_boxed_slice()
}

fn reuses(tables: &Tables) -> bool {
    let rules = tables.rules.all().iter().map(|rule| rule.verdict);
    let loops = tables.loops.all().iter().map(|statement| statement.verdict);
    rules.chain(loops).any(|verdict| verdict == Verdict::Reuse)
}

/// Where there is a cascade: the conditions that admit a model, since a result asks whether another one may
/// run.
fn rehearsed(tables: &Tables) -> Vec<u32> {
    let arms = || tables.route.iter().flat_map(|route| &route.arms);
    if arms().all(|arm| arm.then.is_none()) {
        return Vec::new();
    }
    let arms = arms().flat_map(|arm| [arm.when, arm.then.map(|(_, when)| when)]);
    let rules = tables.rules.all().iter().filter(|rule| rule.selector.takes_models());
    let requires = tables.requires.all().iter().map(|require| require.when);
    arms.chain(rules.map(|rule| rule.when)).chain(requires).flatten().collect()
}

/// Where there is a cascade: the fact that canaries are drawn by, for the same reason.
fn drawn(tables: &Tables) -> Option<u32> {
    let route = tables.route.as_ref().filter(|route| route.arms.iter().any(|arm| arm.then.is_some()))?;
    route.canaries.as_ref().map(|canaries| canaries.fact)
}

fn kept_facts(tables: &Tables) -> Box<[u32]> {
    let retries = || tables.retries.all().iter();
    let succeeds = tables.tools.all().iter().filter_map(|tool| tool.succeeds);
    let conditions = retries().filter_map(|retry| retry.when).chain(succeeds).chain(rehearsed(tables));
    let tested = conditions.flat_map(|when| tables.conditions.at(when).facts.iter().copied());
    let answers = retries().filter_map(|retry| retry.verdict.template());
    let told = answers.flat_map(|template| tables.templates.at(template).facts());
    let read = tested.chain(told).chain(drawn(tables));
    let sent = |fact: &u32| match tables.facts.at(*fact).source {
        Source::Host | Source::Arg => true,
        Source::Result => false,
        Source::BuiltIn(fact) => BuiltInFact::from_host(fact),
    };
    sorted(read.filter(sent))
}
