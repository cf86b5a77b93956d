//! Admission of tool calls: rules, orders, loops and limits on time vote, then one call is charged.

use std::mem;
use std::sync::Arc;

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
use crate::fingerprint::{Binding, fingerprint};
use crate::program::{Program, ToolClass};

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
        let program = Arc::clone(&self.program);
        check_facts(&program, event.facts)?;
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
        if let Some((id, tool, mut call)) = self.open_tool_call(&program, event, decision) {
            let mut looks = mem::take(&mut call.looks);
            let mut clearance = Clearance::new();
            let mut question = Question::new((self, books), &program, id, &call, Sent::Now(event.facts));
            question.tool = Some(program.tables.tools.at(tool));
            question.args = event.is_exact.then_some(event.args);
            question.is_unsafe = event.is_unsafe;
            let ruling =
                question.rule_admitted(&mut clearance, |clearance| question.rule_tool(tool, clearance));
            question.note_looks(tool, &mut looks);
            clearance.bindings = question.bindings();
            decision.would = question.observed();
            call.looks = looks;
            self.apply((&program, books), (id, call), ruling, &mut clearance, decision);
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
        let tool = program.tables.tool_index(event.tool);
        let fingerprint = fingerprint(event.tool, event.args);
        let point = tool.map(|tool| Point::Tool { tool, fingerprint });
        let (id, mut call) = match event.call {
            Some(id) => (id, self.reopen(id, decision, |known| Some(known) == point)?),
            None => {
                let id = self.next_call();
                decision.call = Some(id);
                let Some(point) = point else {
                    self.note_call(program, event, None, &mut (vec![fingerprint], Vec::new()));
                    decision.refuse(BuiltIn::UndeclaredTool);
                    return None;
                };
                let mut call = self.calls.begin(point, self.age.now(), self.step_clock);
                let mut noted = call.take_notes();
                noted.0.push(fingerprint);
                self.note_call(program, event, tool, &mut noted);
                (call.forms, call.loops) = noted;
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
        program: &Program,
        event: &ToolCall<'_>,
        tool: Option<u32>,
        (forms, closed): &mut (Vec<u64>, Vec<u32>),
    ) {
        let loops = &program.index.loops;
        let may_repeat = tool.is_some_and(|tool| program.tables.tools.at(tool).may_repeat);
        let (is_compared, brings) = (!may_repeat && !loops.of_calls.is_empty(), loops.progressing() > 0);
        if (is_compared || brings) && !may_repeat {
            self.progress.ask(self.present_step());
        }
        forms.extend(event.forms.iter().map(|args| fingerprint(event.tool, args)));
        if is_compared {
            self.family.memory().note(program, forms, closed);
        }
        if !brings {
            forms.clear();
        }
    }
}

impl Question<'_> {
    fn rule_tool(&self, tool: u32, clearance: &mut Clearance) -> Ruling {
        let view = self.view(self.call.next_attempt(tool), None);
        let tables = &self.program.tables;
        let mut votes = Vec::new();
        let (index, class) = (&self.program.index, tables.tools.at(tool).class);
        self.vote_rules(index.of_tools.get(tool as usize).map_or(&[], |roots| &**roots), &view, &mut votes);
        self.vote_orders((tool, class), &view, &mut votes);
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
        match self.rule(&view, votes, Vec::new()) {
            Some(ruling) => ruling.again(again),
            None => self.charge_tool((tool, class), &view, clearance),
        }
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
            let mut obstacles = self.run.accounts.obstacles(amounts, &asking);
            if let Some(waits) = self.wait(&mut obstacles) {
                return waits;
            }
            let mut votes = Vec::new();
            self.vote_limits(&obstacles.ways, &mut votes);
            if let Some(ruling) = self.rule(view, votes, obstacles.ways) {
                return ruling;
            }
        }
        if self.program.index.observes {
            self.observe_limits(view, amounts, |_| false);
            for statement in self.observed_bars(subject) {
                self.cast(vote_of(statement, Outcome::Deny), &mut Vec::new());
            }
        }
        Ruling::Clear
    }
}
