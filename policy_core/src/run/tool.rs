//! Admission of tool calls: rules, orders, loops and limits on time vote, then one call is charged.

use std::mem;
use std::num::NonZeroU64;

use super::amounts::{Amounts, Subject};
use super::call::{Call, Point};
use super::question::{Clearance, Question, Ruling, vote_of};
use super::watched::vote_tripped;
use super::{Run, check_facts};
use crate::books::Books;
use crate::decision::{BuiltIn, Decision, Event, Outcome};
use crate::error::EngineError;
use crate::event::{Now, ToolCall};
use crate::facts::{Sent, View};
use crate::fingerprint::{Binding, fingerprint as of_form};
use crate::program::{OfTool, Program, ToolClass};

impl Run {
    /// A tool call is proposed, or asked again.
    ///
    /// `event.facts` has one slot for each of [`Program::facts`], in that order. The host fills those whose
    /// source is [`from_host`](crate::Source::from_host) and those of the tool's [`args`](crate::Tool::args);
    /// the others must be missing. What is decided is written into `decision`, whatever was in it.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if the facts or the forms are not as many as the program's; then nothing has
    /// happened.
    pub fn tool_call(
        &mut self,
        now: Now,
        event: &ToolCall<'_>,
        books: &mut Books,
        decision: &mut Decision,
    ) -> Result<(), EngineError> {
        self.under(|run, program| run.propose_tool((program, books), now, event, decision))
    }

    fn propose_tool(
        &mut self,
        (program, books): (&Program, &mut Books),
        now: Now,
        event: &ToolCall<'_>,
        decision: &mut Decision,
    ) -> Result<(), EngineError> {
        check_facts(program, event.facts)?;
        if event.forms.len() != program.ignored_args().len() {
            return Err(EngineError::BadValue(
                "the forms of the arguments are not as many as the program's; pass one for each",
            ));
        }
        self.begin_event(now);
        self.begin_decision(Event::ToolCall, event.call, decision);
        if self.is_over(decision) {
            return Ok(());
        }
        self.advise(decision, books);
        self.look_around(books);
        if let Some((id, tool, mut call)) = self.open_tool_call(program, event, decision) {
            let of_tool = program.index.of_tools.at(tool);
            let has_looks = of_tool.has_looks;
            let room = if has_looks { mem::take(&mut call.looks) } else { Vec::new() };
            let mut clearance = Clearance::new();
            let mut question = Question::new((self, books), program, id, &call, Sent::Now(event.facts));
            question.tool = Some(program.tables.tools.at(tool));
            question.args = event.is_exact.then_some(event.args);
            question.is_unsafe = event.is_unsafe;
            let ruling = question
                .rule_admitted(&mut clearance, |clearance| question.rule_tool((tool, of_tool), clearance));
            let looks = has_looks.then(|| question.looks(tool, room));
            question.finish(&mut clearance, decision);
            if let Some(looks) = looks {
                call.looks = looks;
            }
            self.apply((program, books), (id, call), ruling, &mut clearance, decision);
        }
        Ok(())
    }

    /// Finds or opens the logical call. Refuses what is not open, not the same, or not declared.
    fn open_tool_call(
        &mut self,
        program: &Program,
        event: &ToolCall<'_>,
        decision: &mut Decision,
    ) -> Option<(u64, u32, Box<Call>)> {
        let tool = program.tool_index(event.tool);
        let fingerprint = of_form(event.tool, event.args);
        let point = tool.map(|tool| Point::Tool { tool, fingerprint });
        let (id, mut call) = match event.call {
            Some(id) => (id, self.reopen(id, decision, |known| Some(known) == point)?),
            None => {
                let id = self.next_call();
                decision.call = Some(id);
                let Some(point) = point else {
                    self.note_call((program, event, None), fingerprint, (&mut Vec::new(), &mut Vec::new()));
                    decision.refuse(BuiltIn::UndeclaredTool);
                    return None;
                };
                let proposed = self.step_clock.map(NonZeroU64::get);
                let mut call = self.calls.begin(point, self.age.now(), proposed);
                let Call { forms, loops, .. } = &mut *call;
                self.note_call((program, event, tool), fingerprint, (forms, loops));
                (id, call)
            }
        };
        call.keep(&program.index, event.facts);
        if program.reuses() && event.is_exact {
            call.exact.get_or_insert_with(|| Binding::of_tool(event.tool, event.args));
        }
        Some((id, tool?, call))
    }

    /// Remembers a new call, known by its fingerprint in the form of all arguments. Notes the loops that it
    /// closes, and all that it is known by if it matters what it brings. Calls of tools that may repeat are
    /// none of any loop, but may bring something new.
    fn note_call(
        &mut self,
        (program, event, tool): (&Program, &ToolCall<'_>, Option<u32>),
        fingerprint: u64,
        (forms, closed): (&mut Vec<u64>, &mut Vec<u32>),
    ) {
        let loops = &program.index.loops;
        let may_repeat = tool.is_some_and(|tool| program.tables.tools.at(tool).may_repeat);
        let (is_compared, brings) = (!may_repeat && !loops.of_calls.is_empty(), loops.progressing() > 0);
        if brings && !may_repeat {
            self.progress.ask(self.present_step());
        }
        let own = [fingerprint];
        let mut known = &own[..];
        if brings || !event.forms.is_empty() {
            forms.push(fingerprint);
            forms.extend(event.forms.iter().map(|args| of_form(event.tool, args)));
            known = forms;
        }
        if is_compared {
            self.family.memory().note(program, known, closed);
        }
        if !brings {
            forms.clear();
        }
    }
}

impl Question<'_> {
    fn rule_tool(&self, (tool, of_tool): (u32, &OfTool), clearance: &mut Clearance) -> Ruling {
        let view = self.view(self.call.next_attempt(tool), None);
        let class = self.tool.map_or(ToolClass::None, |tool| tool.class);
        let mut votes = Vec::new();
        self.vote_rules(&of_tool.rules, &view, &mut votes);
        if of_tool.has_orders {
            self.vote_orders((tool, class), &view, &mut votes);
        }
        self.vote_loops(&mut votes);
        self.vote_time(&mut votes);
        self.vote_within(&mut votes);
        let mut again = None;
        // A known result needs no call, so it matters to nobody whether one would pass.
        if self.program.has_breakers() && votes.iter().map(|vote| vote.outcome).max() != Some(Outcome::Reuse)
        {
            let tripped = self.tripped(Subject::Tool(tool, class));
            vote_tripped(&tripped.statements, &mut votes);
            again = tripped.again;
        }
        self.rule(&view, votes).map_err(|objection| objection.again(again))?;
        self.charge_tool((tool, class), &view, clearance)
    }

    /// A tool call is one call; every bound of every limit has to hold with it.
    fn charge_tool(
        &self,
        (tool, class): (u32, ToolClass),
        view: &View<'_>,
        clearance: &mut Clearance,
    ) -> Ruling {
        let subject = Subject::Tool(tool, class);
        clearance.subject = tool;
        clearance.amounts = Amounts { subject, is_retry: self.call.tries.is_begun(), ..Amounts::REQUEST };
        let (amounts, asking) = (&clearance.amounts, self.asking(&[]));
        if !self.run.accounts.fits(amounts, &asking) {
            self.obstruct(amounts, view)?;
        }
        if self.program.index.observes {
            self.observe_limits(view, amounts, |_| false);
            for statement in self.observed_bars(subject) {
                self.cast(vote_of(statement, Outcome::Deny), &mut Vec::new());
            }
        }
        Ok(())
    }

    /// What follows from the limits that a call does not fit.
    #[cold]
    fn obstruct(&self, amounts: &Amounts, view: &View<'_>) -> Ruling {
        let mut obstacles = self.run.accounts.obstacles(amounts, &self.asking(&[]));
        self.wait(&mut obstacles)?;
        let mut votes = Vec::new();
        self.vote_limits(&obstacles.ways, &mut votes);
        self.fill_observed(view);
        self.rule_by(view, votes, obstacles.ways)
    }
}
