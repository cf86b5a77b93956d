//! What must have succeeded before what. The success has to be known before the model call that proposed
//! the act, so that siblings which run in parallel do not count for each other.

use crate::code::{Reader, Writer};
use crate::program::{Selector, ToolClass};

/// The event clock of the first success of each tool, of each class and of any: the first serves every later
/// act.
#[derive(Debug, Default)]
pub(crate) struct Successes {
    of_any: Option<u64>,
    of_class: [Option<u64>; ToolClass::ALL.len()],
    of_tool: Vec<Option<u64>>,
}

impl Successes {
    pub(crate) fn new(tools: usize) -> Self {
        Self { of_tool: vec![None; tools], ..Self::default() }
    }

    pub(crate) fn record(&mut self, tool: u32, class: ToolClass, clock: u64) {
        let (of_class, of_tool) =
            (self.of_class.get_mut(class as usize), self.of_tool.get_mut(tool as usize));
        for first in [Some(&mut self.of_any), of_class, of_tool].into_iter().flatten() {
            first.get_or_insert(clock);
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        for first in &self.of_tool {
            writer.optional(*first);
        }
    }

    /// What was written, with these tools' classes.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        classes: impl ExactSizeIterator<Item = ToolClass>,
    ) -> Option<Self> {
        let mut successes = Self::new(classes.len());
        let mut known = Vec::new();
        for (tool, class) in (0..=u32::MAX).zip(classes) {
            known.extend(reader.optional()?.map(|clock| (clock, tool, class)));
        }
        // The first of a class is the first of its tools.
        known.sort_unstable();
        known.into_iter().for_each(|(clock, tool, class)| successes.record(tool, class, clock));
        Some(successes)
    }

    /// Whether a selected tool has succeeded before `proposed`, the clock of the latest model call that came
    /// before the act; ever, if there was none.
    pub(crate) fn precede(&self, selector: Selector, proposed: Option<u64>) -> bool {
        let first = match selector {
            Selector::AnyTool => self.of_any,
            Selector::Class(class) => self.of_class.get(class as usize).copied().flatten(),
            Selector::Tool(tool) => self.of_tool.get(tool as usize).copied().flatten(),
            Selector::AnyModel | Selector::Model(_) => None,
        };
        first.is_some_and(|first| proposed.is_none_or(|proposed| first < proposed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_counts_from_the_next_model_call_on() {
        let look = Selector::Tool(0);
        let mut successes = Successes::new(2);
        assert!(!successes.precede(look, None));
        successes.record(1, ToolClass::Act, 1);
        assert!(!successes.precede(look, None));
        successes.record(0, ToolClass::Retrieve, 5);
        successes.record(0, ToolClass::Retrieve, 9);
        assert!(successes.precede(look, None));
        assert!(!successes.precede(look, Some(5)));
        assert!(successes.precede(look, Some(6)));
    }

    #[test]
    fn the_first_of_a_class_is_the_first_of_its_tools() {
        let classes = [ToolClass::Retrieve, ToolClass::Retrieve, ToolClass::Act];
        let mut successes = Successes::new(3);
        successes.record(1, ToolClass::Retrieve, 4);
        successes.record(0, ToolClass::Retrieve, 9);
        let mut writer = Writer::default();
        successes.write(&mut writer);
        let bytes = writer.sealed(0);
        let mut reader = Reader::sealed(&bytes, 0).unwrap_or_else(|| unreachable!());
        let read = Successes::read(&mut reader, classes.into_iter()).unwrap_or_default();
        for selector in [Selector::AnyTool, Selector::Class(ToolClass::Retrieve), Selector::Tool(1)] {
            assert!(read.precede(selector, Some(5)), "{selector:?}");
        }
        assert!(!read.precede(Selector::Tool(0), Some(9)) && !read.precede(Selector::Tool(2), None));
    }

    #[test]
    fn any_tool_of_a_selector_will_do() {
        let mut successes = Successes::new(2);
        successes.record(1, ToolClass::Retrieve, 4);
        assert!(successes.precede(Selector::Class(ToolClass::Retrieve), Some(5)));
        assert!(!successes.precede(Selector::Class(ToolClass::Act), Some(5)));
        assert!(successes.precede(Selector::AnyTool, Some(5)));
        assert!(!successes.precede(Selector::AnyTool, Some(4)));
    }
}
