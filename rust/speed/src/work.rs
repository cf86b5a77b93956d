//! The work that is measured: the calls of the benchmark's policy, as its Python half makes them.

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex};

use checkrein_records::{Ended, Subject};
use policy_core::books::Books;
use policy_core::{Decision, ModelCall, Now, Outcome, Program, Run, Scopes, Slot, ToolCall, Usage};

use crate::door::Door;

/// What is asked of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Tool,
    /// One after the other.
    Both,
}

/// The facts that a host of the benchmark's policy sends.
const FACTS: [(&str, Slot<'static>); 10] = [
    ("customer.region", Slot::Text("eu")),
    ("customer.tier", Slot::Text("plus")),
    ("data.class", Slot::Text("public")),
    ("risk.flagged", Slot::Flag(false)),
    ("risk.score", Slot::Int(100_000)),
    ("step.confidence", Slot::Int(900_000)),
    ("step.kind", Slot::Text("answer")),
    ("ticket.age", Slot::Int(86_400_000_000_000)),
    ("ticket.language", Slot::Text("en")),
    ("ticket.reopened", Slot::Int(1)),
];

/// The arguments of each call of a tool, in dollar cents and in the engine's unit.
const AMOUNT: Slot<'static> = Slot::Int(50_000_000_000);

/// One run with its host: it makes calls and settles them, one after the other.
#[derive(Debug)]
pub(crate) struct Work {
    door: Door,
    facts: Vec<Slot<'static>>,
    args: Vec<u8>,
    number: u64,
    /// Where each is decided, as a host keeps a place for it.
    decision: Decision,
}

/// What a decision has opened, and what is said of it when it is settled.
pub(crate) struct Opened(Now, Ended, Usage);

impl Work {
    /// A run of these books, ready to act: what has to come first has come.
    pub(crate) fn new(program: &Arc<Program>, books: &Arc<Mutex<Books>>, whose: (&str, &str)) -> Self {
        Self::begun(program, books, whose, None).looked()
    }

    /// The same of books of its own, with a log at `path`.
    pub(crate) fn logged(program: &Arc<Program>, path: &Path) -> Self {
        Self::begun(program, &Arc::default(), ("acme", "one"), Some(path)).looked()
    }

    /// A run that has just begun, for this organisation, and for a session, user and team of its own.
    pub(crate) fn begun(
        program: &Arc<Program>,
        books: &Arc<Mutex<Books>>,
        (org, own): (&str, &str),
        log: Option<&Path>,
    ) -> Self {
        let scopes = Scopes {
            run: Some(own),
            session: Some(own),
            user: Some(own),
            team: Some(own),
            org: Some(org),
            keys: &[],
        };
        let door = Door::new(program, books, (at(0), &scopes), log);
        let of = |name: &str| match name {
            "call.args.amount" => AMOUNT,
            _ => FACTS.iter().find(|(known, _)| *known == name).map_or(Slot::Missing, |(_, slot)| *slot),
        };
        let facts = program.facts().iter().map(|fact| of(&fact.name)).collect();
        let args = br#"{"amount":5000,"order_id":"o00000000"}"#.to_vec();
        Self { door, facts, args, number: 0, decision: Decision::new() }
    }

    /// What has to come before the other calls.
    pub(crate) fn looked(mut self) -> Self {
        self.propose();
        let opened = self.tool("search_kb");
        self.settle(opened);
        self
    }

    /// Makes a call of this kind and settles it.
    pub(crate) fn call(&mut self, kind: Kind) {
        self.propose();
        let opened = self.decide(kind);
        self.settle(opened);
    }

    /// The agent has another call in mind. Its arguments are others each time: the same call again would be a
    /// loop.
    pub(crate) fn propose(&mut self) {
        self.number += 1;
        let mut number = self.number;
        for digit in self.args.iter_mut().rev().skip(2).take(8) {
            *digit = b"0123456789"[(number % 10) as usize];
            number /= 10;
        }
    }

    /// The decision about it, as a call of this kind.
    #[inline(never)]
    pub(crate) fn decide(&mut self, kind: Kind) -> Opened {
        let is_tool = kind == Kind::Tool || (kind == Kind::Both && self.number.is_multiple_of(2));
        if is_tool { self.tool("refund") } else { self.model() }
    }

    /// Its settlement.
    #[inline(never)]
    pub(crate) fn settle(&mut self, Opened(now, ended, usage): Opened) {
        black_box(self.door.settle(now, ended, usage));
    }

    /// Writes what the log has kept, if there is one.
    pub(crate) fn empty(&self) {
        self.door.empty();
    }

    /// The bytes that the host, not the run, has asked for.
    pub(crate) const fn held(&self) -> u64 {
        (self.facts.capacity() * size_of::<Slot<'_>>() + self.args.capacity()) as u64
    }

    fn model(&mut self) -> Opened {
        let now = at(self.number);
        let call = ModelCall {
            call: None,
            model: Some("large"),
            input_tokens: 900,
            max_output: Some(300),
            facts: &self.facts,
            ..ModelCall::default()
        };
        let subject = Subject::Call("model", Some("large"));
        let event = |run: &mut Run, books: &mut Books, decision: &mut Decision| {
            run.model_call(now, &call, books, decision)
        };
        self.door.decide(now, subject, &mut self.decision, event);
        opened(now, black_box(&self.decision), Usage::exact(800, 120))
    }

    fn tool(&mut self, tool: &str) -> Opened {
        let now = at(self.number);
        let (args, facts) = (&*self.args, &*self.facts);
        let call = ToolCall { call: None, tool, args, forms: &[], is_exact: true, is_unsafe: false, facts };
        let subject = Subject::Call("tool", Some(tool));
        let event = |run: &mut Run, books: &mut Books, decision: &mut Decision| {
            run.tool_call(now, &call, books, decision)
        };
        self.door.decide(now, subject, &mut self.decision, event);
        opened(now, black_box(&self.decision), Usage::exact(0, 0))
    }
}

fn opened(now: Now, decision: &Decision, usage: Usage) -> Opened {
    assert!(decision.outcome == Outcome::Allow, "{decision:?}");
    let attempt = decision.attempt.expect("an allow opens one");
    Opened(now, Ended { attempt, number: Some(decision.number) }, usage)
}

/// The instant of a call: a microsecond after the one before, in the summer of 2026.
const fn at(number: u64) -> Now {
    let passed = number * 1_000;
    Now { mono: 1_000_000_000 + passed, wall: 1_782_000_000_000_000_000 + passed }
}
