//! The loops, by where they are found, and what they compare.

use std::sync::Arc;

use super::sorted;
use crate::program::statements::Loop;
use crate::program::tables::Tables;

/// The loops, by where they are found, and the forms of arguments that they compare.
#[derive(Debug)]
pub(crate) struct Repetitions {
    /// The sets of arguments that some loop leaves out, ascending, each once; every other loop compares all.
    pub(crate) forms: Box<[Box<[Arc<str>]>]>,
    /// For each loop: the form that it compares, 0 for all arguments, else one more than the place of a set.
    form_of: Box<[usize]>,
    /// Those found at a tool call, at a tool's error, and at a model call.
    pub(crate) of_calls: Box<[u32]>,
    pub(crate) of_errors: Box<[u32]>,
    pub(crate) of_models: Box<[u32]>,
    /// Some of those found at a tool call are found at the first of its kind.
    pub(crate) of_one: bool,
    /// Some loop looks at what steps bring, or at what prompts repeat.
    progresses: bool,
    pub(crate) compares_context: bool,
}

impl Repetitions {
    pub(super) fn new(tables: &Tables) -> Self {
        let loops = tables.loops.all();
        let forms = sorted(loops.iter().map(|each| each.ignoring.clone()).filter(|each| !each.is_empty()));
        let form_of = |each: &Loop| match forms.binary_search(&each.ignoring) {
            Ok(place) => place.saturating_add(1),
            Err(_) => 0,
        };
        let found = |is_found: &dyn Fn(&Loop) -> bool| {
            tables.loops.numbered().filter(|(_, each)| is_found(each)).map(|(index, _)| index).collect()
        };
        Self {
            form_of: loops.iter().map(form_of).collect(),
            of_calls: found(&|each| each.same_call.is_some() || each.cycle.is_some()),
            of_one: loops.iter().any(|each| {
                let counts = [each.same_call.map(|(count, _)| count), each.cycle.map(|(_, times)| times)];
                counts.into_iter().flatten().any(|count| count <= 1)
            }),
            of_errors: found(&|each| each.same_error.is_some()),
            of_models: found(&Loop::is_of_models),
            progresses: loops.iter().any(|each| each.no_progress.is_some()),
            compares_context: loops.iter().any(|each| each.repeated_context.is_some()),
            forms,
        }
    }

    /// Which form of arguments a loop compares.
    pub(crate) fn form(&self, index: u32) -> usize {
        self.form_of.get(index as usize).copied().unwrap_or(0)
    }

    /// How many forms there are, with that of all arguments.
    pub(crate) fn count(&self) -> usize {
        self.forms.len().saturating_add(1)
    }

    /// The same where it is looked at what steps bring; else there is nothing to remember of that.
    pub(crate) fn progressing(&self) -> usize {
        if self.progresses { self.count() } else { 0 }
    }
}
