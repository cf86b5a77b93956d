//! A call that is asked about, read from what the host gives and decided under the run's lock.

use policy_core::{ModelCall, Now, ToolCall};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::canonical::{Canonical, arguments, forms};
use crate::convert::{Fingerprint, Id, Tokens, marks, weighed};
use crate::decision::Decision;
use crate::members::Members;
use crate::run::Run;
use crate::sent::Sent;
use crate::walk::lossy;

/// A question of the host's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a, 'py> {
    pub(crate) now: Now,
    /// The logical call, when it is asked about again.
    pub(crate) call: Option<Id>,
    pub(crate) facts: Option<&'a Bound<'py, PyDict>>,
}

/// The model that the host wants, the tokens of the prompt, and the most tokens of the answer.
pub(crate) type Wanted<'a, 'py> = (Option<&'a Bound<'py, PyString>>, Tokens, Option<Tokens>);

/// The tool results in the conversation, and the messages of the prompt.
pub(crate) type Prompt = (Option<Vec<[Fingerprint; 2]>>, Option<Vec<(Fingerprint, Tokens)>>);

impl Run {
    /// Decides about a model call.
    pub(crate) fn ask_model<'py>(
        &self,
        py: Python<'py>,
        asked: &Asked<'_, 'py>,
        (model, input_tokens, max_output): Wanted<'_, 'py>,
        (results, messages): Prompt,
    ) -> PyResult<Bound<'py, Decision>> {
        let (results, messages) = (results.map(marks), messages.map(weighed));
        // A name without UTF-8 becomes one that no policy declares: the call is denied, not dropped.
        let name = model.map(lossy);
        let mut sent = Sent::new();
        let mut slots = self.columns.slots();
        self.columns.facts(py, &self.program, asked.facts, (&mut sent, &mut slots))?;
        sent.fill(&mut slots)?;
        let event = ModelCall {
            call: asked.call.map(|id| id.0),
            model: name.as_deref(),
            input_tokens: input_tokens.0,
            max_output: max_output.map(|tokens| tokens.0),
            facts: &slots,
            results: results.as_deref(),
            messages: messages.as_deref(),
        };
        let called = self.called("model", model, name.as_deref())?;
        self.admit(py, asked.now, called.subject(), |run, books, decision| {
            run.model_call(asked.now, &event, books, decision)
        })
    }

    /// Decides about a tool call.
    pub(crate) fn ask_tool<'py>(
        &self,
        asked: &Asked<'_, 'py>,
        tool: &Bound<'py, PyString>,
        args: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Decision>> {
        let name = lossy(tool);
        let mut members = Members::new();
        let named = members.of(args);
        let written = arguments(args, named.as_ref())?;
        let Canonical { ref text, is_exact, is_unsafe } = written;
        let mut sent = Sent::new();
        let mut slots = self.columns.slots();
        self.columns.call(
            &self.program,
            &name,
            (args, named.as_ref()),
            asked.facts,
            (&mut sent, &mut slots),
        )?;
        sent.fill(&mut slots)?;
        let forms = forms(args, self.program.ignored_args())?;
        let event = ToolCall {
            call: asked.call.map(|id| id.0),
            tool: &name,
            args: text,
            forms: &forms,
            is_exact,
            is_unsafe,
            facts: &slots,
        };
        let called = self.called("tool", Some(tool), Some(&name))?;
        self.admit(args.py(), asked.now, called.subject(), |run, books, decision| {
            run.tool_call(asked.now, &event, books, decision)
        })
    }
}
