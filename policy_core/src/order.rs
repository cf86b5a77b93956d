//! What must have succeeded before what. The success has to be known before the model call that proposed
//! the act, so that siblings which run in parallel do not count for each other.

use crate::program::{Order, Table, Tool};

/// For each tool, the event clock of its first success; the first serves every later act.
#[derive(Debug, Default)]
pub(crate) struct Successes {
    first: Vec<Option<u64>>,
}

impl Successes {
    pub(crate) fn new(tools: usize) -> Self {
        Self { first: vec![None; tools] }
    }

    pub(crate) fn record(&mut self, tool: u32, clock: u64) {
        if let Some(first) = self.first.get_mut(tool as usize) {
            first.get_or_insert(clock);
        }
    }

    /// Whether a tool of the order's first side has succeeded before `proposed`, the clock of the latest
    /// model call that came before the act; ever, if there was none.
    pub(crate) fn satisfy(&self, order: &Order, tools: &Table<Tool>, proposed: Option<u64>) -> bool {
        let selected = tools.numbered().filter(|(index, tool)| order.before.takes_tool(*index, tool.class));
        let mut clocks = selected.filter_map(|(index, _)| self.first.get(index as usize).copied().flatten());
        clocks.any(|clock| proposed.is_none_or(|proposed| clock < proposed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Selector, ToolClass, Verdict};

    fn tool(name: &str, class: ToolClass) -> Tool {
        Tool { name: name.into(), class, once: false, timeout_ns: None, args: Box::default() }
    }

    #[test]
    fn a_success_counts_from_the_next_model_call_on() {
        let tools = Table::new(vec![tool("look", ToolClass::Retrieve), tool("pay", ToolClass::Act)]);
        let order = Order {
            statement: 0,
            before: Selector::Class(ToolClass::Retrieve),
            after: Selector::Tool(1),
            verdict: Verdict::Deny,
        };
        let mut successes = Successes::new(2);
        assert!(!successes.satisfy(&order, &tools, None));
        successes.record(1, 1);
        assert!(!successes.satisfy(&order, &tools, None));
        successes.record(0, 5);
        successes.record(0, 9);
        assert!(successes.satisfy(&order, &tools, None));
        assert!(!successes.satisfy(&order, &tools, Some(4)));
        assert!(successes.satisfy(&order, &tools, Some(6)));
    }
}
