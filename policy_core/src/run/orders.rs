//! Orders: whether what has to come first has come, and what a tool call is for them.

use super::Run;
use super::amounts::Subject;
use super::call::Call;
use super::question::Question;
use crate::code::Writer;
use crate::decision::Vote;
use crate::facts::View;
use crate::fingerprint::sha256;
use crate::order::{Changes, SAME, Values};
use crate::program::{Order, Program, ToolClass};
use crate::value::{Slot, Truth, Value};

impl Question<'_> {
    /// The votes of the orders that a call of this tool comes last in.
    pub(crate) fn vote_orders(
        &self,
        (tool, class): (u32, ToolClass),
        view: &View<'_>,
        votes: &mut Vec<Vote>,
    ) {
        for list in &self.program.index.orders.lists_of_tool(tool, class) {
            for &index in *list {
                let order = self.program.tables.orders.at(index);
                let is_kept = self.keeps((index, order), tool, view);
                if is_kept != Truth::True {
                    self.vote(order.statement, order.verdict, is_kept == Truth::Unknown, votes);
                }
            }
        }
    }

    /// Whether a call keeps an order. What it is about may be unknown.
    fn keeps(&self, (index, order): (u32, &Order), tool: u32, view: &View<'_>) -> Truth {
        let values = if order.matching.is_empty() { None } else { matched(order, view) };
        if values.is_none() && !order.matching.is_empty() {
            return Truth::Unknown;
        }
        let changes = if order.again_after.is_empty() {
            Some(0)
        } else {
            self.run.family.look().changes.settled(index)
        };
        let Some(changes) = changes else { return Truth::False };
        let is_retried = self.call.tries.is_begun() && {
            // A change that is tried again is one change, as long as there was no other.
            let own = u64::from(self.call.has_changed && order.again_after.binary_search(&tool).is_ok());
            let then = self.call.changes.get(index as usize).copied().unwrap_or(0);
            then.saturating_add(own) == changes
        };
        let (successes, proposed) = (&self.run.successes, self.call.proposed);
        let precede = || match &values {
            Some(values) => successes.precede(index, changes, values, proposed),
            None => successes.precede_any(index, changes, proposed),
        };
        Truth::from(is_retried || precede())
    }

    /// What a success of this call is about, for each order that it comes first in; in room that was used.
    pub(crate) fn looks(&self, tool: u32, mut looks: Vec<Option<Values>>) -> Vec<Option<Values>> {
        let (index, tables) = (&self.program.index, &self.program.tables);
        let orders = index.looks.of_tool(tool, tables.tools.at(tool).class);
        looks.clear();
        orders.for_each(|order| {
            let view = self.view(self.call.next_attempt(tool), None);
            looks.push(matched(tables.orders.at(order), &view));
        });
        looks
    }

    /// What an order compared.
    pub(crate) fn compared(&self, view: &View<'_>, statement: u32) -> Vec<(u32, Value)> {
        let orders = self.program.tables.orders.all();
        let found = orders.binary_search_by_key(&statement, |order| order.statement);
        let order = found.ok().and_then(|place| orders.get(place));
        let facts = order.map_or(&[][..], |order| &order.matching);
        facts.iter().map(|&fact| (fact, view.slot(fact).into())).collect()
    }
}

/// The values of the arguments that an order matches; none if one of them is missing or ill-typed.
fn matched(order: &Order, view: &View<'_>) -> Option<Values> {
    if order.matching.is_empty() {
        return Some(SAME);
    }
    let mut writer = Writer::default();
    for &fact in &order.matching {
        match view.slot(fact) {
            Slot::Missing | Slot::Ill => return None,
            slot => Value::from(slot).write(&mut writer),
        }
    }
    Some(sha256(&[&writer.bytes]))
}

impl Run {
    /// An attempt at this call begins.
    pub(super) fn begin_change(&mut self, call: &mut Call, subject: Subject) {
        let Subject::Tool(tool, class) = subject else { return };
        if !self.program.index.has_changes {
            return;
        }
        let mut memory = self.family.memory();
        call.changes.clear();
        call.changes.extend(memory.changes.made());
        call.has_changed = false;
        memory.changes.begin(self.program.index.changes.of_tool(tool, class));
    }

    /// It has ended, and provably never left or not.
    pub(super) fn end_change(&mut self, id: u64, subject: Subject, is_sent: bool) {
        let Subject::Tool(tool, class) = subject else { return };
        if !self.program.index.has_changes {
            return;
        }
        self.family.memory().changes.end(self.program.index.changes.of_tool(tool, class), is_sent);
        if let Some(call) = self.calls.get_mut(id) {
            call.has_changed = is_sent;
        }
    }

    /// A call has succeeded: that counts for the orders in which it comes first, unless something changed
    /// meanwhile.
    pub(super) fn succeed(&mut self, program: &Program, call: &Call, tool: u32, class: ToolClass) {
        let orders = program.index.looks.of_tool(tool, class);
        for (index, values) in orders.zip(&call.looks) {
            let made =
                if program.index.has_changes { self.family.memory().changes.made_for(index) } else { 0 };
            let then = call.changes.get(index as usize).copied().unwrap_or(0);
            if let (Some(values), true) = (*values, made == then) {
                self.successes.record(index, made, values, self.clock);
            }
        }
    }

    /// The open attempts of the run as changes that are under way.
    pub(super) fn changes_under_way(&self, program: &Program) -> Changes {
        let mut changes = Changes::new(program.tables.orders.all().len());
        for attempt in self.attempts.iter().filter(|attempt| attempt.settled.is_none()) {
            if let Subject::Tool(tool, class) = attempt.reserved.subject {
                changes.begin(program.index.changes.of_tool(tool, class));
            }
        }
        changes
    }
}
