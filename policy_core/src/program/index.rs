//! What the loader derives from the tables, so that an event only looks at what can concern it. It is never
//! read from the artifact: a wrong index could hide a denial.

use crate::facts::BuiltInFact;
use crate::program::statements::{BoundKind, Selector};
use crate::program::tables::{Source, Tables};

/// Which statements concern which calls. Lists hold indexes of their tables, ascending.
#[derive(Debug)]
pub(crate) struct Index {
    /// Rules on any model.
    pub(crate) model_rules: Box<[u32]>,
    /// For each model: the rules on it by name.
    pub(crate) rules_of_model: Box<[Box<[u32]>]>,
    /// For each model: its retries.
    pub(crate) retries_of_model: Box<[Box<[u32]>]>,
    /// For each tool: the rules on it by name, class or any.
    pub(crate) rules_of_tool: Box<[Box<[u32]>]>,
    /// For each tool: its retries.
    pub(crate) retries_of_tool: Box<[Box<[u32]>]>,
    /// For each tool: the orders that it comes after.
    pub(crate) orders_of_tool: Box<[Box<[u32]>]>,
    /// For each statement: its condition.
    pub(crate) condition_of: Box<[Option<u32>]>,
    /// The tightest bound of each kind over all limits.
    tightest: [Option<u64>; BoundKind::ALL.len()],
    /// Facts of the host that retries read: they are kept from the last ask to the error.
    pub(crate) kept_facts: Box<[u32]>,
    /// How many thresholds all limits have together.
    pub(crate) thresholds: usize,
}

impl Index {
    pub(crate) fn new(tables: &Tables) -> Self {
        let of_models = |select: &dyn Fn(u32) -> Box<[u32]>| -> Box<[Box<[u32]>]> {
            tables.models.numbered().map(|(model, _)| select(model)).collect()
        };
        let of_tools = |select: &dyn Fn(u32) -> Box<[u32]>| -> Box<[Box<[u32]>]> {
            tables.tools.numbered().map(|(tool, _)| select(tool)).collect()
        };
        let rules = |takes: &dyn Fn(Selector) -> bool| -> Box<[u32]> {
            tables.rules.numbered().filter(|(_, rule)| takes(rule.selector)).map(|(index, _)| index).collect()
        };
        let retries = |takes: &dyn Fn(Selector) -> bool| -> Box<[u32]> {
            let all = tables.retries.numbered();
            all.filter(|(_, retry)| takes(retry.selector)).map(|(index, _)| index).collect()
        };
        let orders = |tool: u32| -> Box<[u32]> {
            let class = tables.tools.at(tool).class;
            let all = tables.orders.numbered();
            all.filter(|(_, order)| order.after.takes_tool(tool, class)).map(|(index, _)| index).collect()
        };
        let class = |tool: u32| tables.tools.at(tool).class;
        Self {
            model_rules: rules(&|selector| selector == Selector::AnyModel),
            rules_of_model: of_models(&|model| rules(&|selector| selector == Selector::Model(model))),
            retries_of_model: of_models(&|model| retries(&|selector| selector.takes_model(model))),
            rules_of_tool: of_tools(&|tool| rules(&|selector| selector.takes_tool(tool, class(tool)))),
            retries_of_tool: of_tools(&|tool| retries(&|selector| selector.takes_tool(tool, class(tool)))),
            orders_of_tool: of_tools(&orders),
            condition_of: conditions(tables),
            tightest: BoundKind::ALL.map(|kind| tightest(tables, kind)),
            kept_facts: kept_facts(tables),
            thresholds: tables.limits.all().iter().map(|limit| limit.thresholds.len()).sum(),
        }
    }

    /// The tightest bound of that kind over all limits.
    pub(crate) fn tightest(&self, kind: BoundKind) -> Option<u64> {
        self.tightest.get(kind as usize).copied().flatten()
    }

    /// The list of one model or tool.
    pub(crate) fn of(lists: &[Box<[u32]>], index: u32) -> &[u32] {
        lists.get(index as usize).map_or(&[], AsRef::as_ref)
    }
}

fn tightest(tables: &Tables, kind: BoundKind) -> Option<u64> {
    let bounds = tables.limits.all().iter().flat_map(|limit| limit.bounds.iter());
    bounds.filter(|bound| bound.kind == kind).map(|bound| bound.max).min()
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

fn kept_facts(tables: &Tables) -> Box<[u32]> {
    let conditions = tables.retries.all().iter().filter_map(|retry| retry.when);
    let read = conditions.flat_map(|when| tables.conditions.at(when).facts.iter().copied());
    let sent = |fact: &u32| match tables.facts.at(*fact).source {
        Source::Host | Source::Arg => true,
        Source::BuiltIn(fact) => BuiltInFact::from_host(fact),
    };
    let mut facts: Vec<u32> = read.filter(sent).collect();
    facts.sort_unstable();
    facts.dedup();
    facts.into_boxed_slice()
}
