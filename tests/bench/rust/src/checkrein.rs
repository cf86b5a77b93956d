//! Checkrein: the benchmark's whole policy, so limits on four levels, an order, a loop check, a route.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use checkrein_records::{Ended, Subject};
use policy_core::{
    By, Decision, ModelCall, Now, Outcome, Program, Reply, Run, Scopes, Slot, ToolCall, Usage,
};

use crate::Peer;
use crate::door::Door;
use crate::rules::Call;

/// After so many calls a run ends and another one begins, as in `rust/speed`.
const LONGEST: u64 = 2_000;

pub struct Checkrein {
    program: Arc<Program>,
    log: Option<PathBuf>,
    door: Door,
    /// Where a fact of the rules is among those of the policy.
    places: Vec<Option<Of>>,
    args: Vec<u8>,
    number: u64,
    /// Where each is decided, as a host keeps a place for it.
    decision: Decision,
}

/// What a host reads of a decision.
#[derive(Clone, Copy)]
pub struct Said {
    outcome: Outcome,
    by: By,
    ended: Option<Ended>,
    request: Option<u64>,
}

impl Said {
    fn of(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome,
            by: decision.by,
            ended: decision.attempt.map(|attempt| Ended { attempt, number: Some(decision.number) }),
            request: decision.asked.map(|asked| asked.request),
        }
    }
}

/// What a fact of the policy is of a call.
#[derive(Clone, Copy)]
enum Of {
    Flagged,
    Risk,
    Age,
    Amount,
    Tier,
    Region,
}

const NAMES: [(&str, Of); 6] = [
    ("risk.flagged", Of::Flagged),
    ("risk.score", Of::Risk),
    ("ticket.age", Of::Age),
    ("call.args.amount", Of::Amount),
    ("customer.tier", Of::Tier),
    ("customer.region", Of::Region),
];

impl Checkrein {
    /// A run of the compiled policy, with a log if it has a path.
    pub fn new(policy: &Path, log: Option<&Path>) -> Self {
        let bytes = std::fs::read(policy).expect("a compiled policy");
        let program = Arc::new(Program::load(&bytes).expect("it loads"));
        let door = begin(&program, log);
        let place = |name: &str| NAMES.iter().find(|(known, _)| *known == name).map(|(_, of)| *of);
        let places = program.facts().iter().map(|fact| place(&fact.name)).collect();
        let args = br#"{"amount":5000,"order_id":"o00000000"}"#.to_vec();
        let log = log.map(Path::to_owned);
        let mut begun = Self { program, log, door, places, args, number: 0, decision: Decision::new() };
        begun.look();
        begun
    }

    /// Goes on with a new run, and a new log: those of millions of calls would have grown beyond what agents
    /// do, and what a disk has room for.
    fn renew(&mut self) {
        if let Some(log) = &self.log {
            std::fs::remove_file(log).expect("the log of the run before");
        }
        self.door = begin(&self.program, self.log.as_deref());
        self.look();
    }

    /// What has to come before the other calls.
    fn look(&mut self) {
        let unknown = self.unknown();
        let looked = self.tool("search_kb", &unknown);
        self.after(looked);
    }

    fn tool(&mut self, tool: &str, facts: &[Slot<'_>]) -> Said {
        let (now, mut number) = (at(self.number), self.number);
        // Other arguments each time: the same call again would be a loop.
        for digit in self.args.iter_mut().rev().skip(2).take(8) {
            *digit = b"0123456789"[(number % 10) as usize];
            number /= 10;
        }
        let args = &*self.args;
        let call = ToolCall { call: None, tool, args, forms: &[], is_exact: true, is_unsafe: false, facts };
        let subject = Subject::Call("tool", Some(tool));
        let event =
            |run: &mut Run, books: &mut _, decision: &mut _| run.tool_call(now, &call, books, decision);
        self.door.decide(now, subject, &mut self.decision, event);
        Said::of(&self.decision)
    }

    /// No fact is known.
    fn unknown(&self) -> Vec<Slot<'static>> {
        vec![Slot::Missing; self.places.len()]
    }

    /// A step of the model, so that calls of a tool are not all there is.
    fn step(&mut self) {
        let now = at(self.number);
        let facts = self.unknown();
        let call = ModelCall {
            model: Some("large"),
            input_tokens: 900,
            max_output: Some(300),
            facts: &facts,
            ..ModelCall::default()
        };
        let subject = Subject::Call("model", Some("large"));
        let event =
            |run: &mut Run, books: &mut _, decision: &mut _| run.model_call(now, &call, books, decision);
        self.door.decide(now, subject, &mut self.decision, event);
        let ended = Said::of(&self.decision).ended.expect("an allow");
        self.door.settle(now, ended, Usage::exact(800, 120));
    }
}

fn begin(program: &Arc<Program>, log: Option<&Path>) -> Door {
    let scopes =
        Scopes { run: Some("r"), session: Some("s"), user: Some("u"), org: Some("o"), ..Scopes::default() };
    Door::new(program, &Arc::default(), (at(0), &scopes), log)
}

const fn at(number: u64) -> Now {
    let passed = number * 1_000;
    Now { mono: 1_000_000_000 + passed, wall: 1_782_000_000_000_000_000 + passed }
}

impl Peer for Checkrein {
    type Answer = Said;

    fn ask(&mut self, call: &Call) -> Said {
        self.number += 1;
        let slot = |of: &Option<Of>| match of {
            None => Slot::Missing,
            Some(Of::Flagged) => Slot::Flag(call.flagged),
            Some(Of::Risk) => Slot::Int(call.risk * 10_000),
            Some(Of::Age) => Slot::Int(call.age * 1_000_000_000),
            Some(Of::Amount) => Slot::Int(call.amount * 10_000_000),
            Some(Of::Tier) => Slot::Text(call.tier),
            Some(Of::Region) => Slot::Text(&call.region),
        };
        let mut facts = [Slot::Missing; 32];
        facts.iter_mut().zip(&self.places).for_each(|(fact, of)| *fact = slot(of));
        let count = self.places.len();
        self.tool("refund", &facts[..count])
    }

    fn read(&self, said: &Said) -> String {
        match said.by {
            By::Statement(number) => self.program.statements()[number as usize].name.to_string(),
            by => format!("{by:?}").replace("Nobody", ""),
        }
    }

    /// An attempt ends, a person says no, a step passes.
    fn after(&mut self, said: Said) {
        let now = at(self.number);
        if let Some(ended) = said.ended {
            self.door.settle(now, ended, Usage::exact(0, 0));
        } else if said.outcome == Outcome::Escalate {
            let request = said.request.expect("an escalation asks");
            let reply = Reply { request, approve: false, ago: 0, bound: None };
            let answered = match &mut self.door {
                Door::Engine(run, books) => {
                    run.answer(now, &reply, &mut books.lock().expect("no panic")).is_ok()
                }
                Door::Host(hosted, _) => hosted.tell(|live| live.answer(now, &reply)).is_ok(),
            };
            assert!(answered, "the request is open");
        }
        self.step();
    }

    /// Each decision alone, so the clock's own time is in it.
    fn time<'a>(&mut self, count: u64, turn: &mut impl Iterator<Item = &'a Call>) -> Duration {
        let mut took = Duration::ZERO;
        for (number, call) in (0..count).zip(turn) {
            if number > 0 && number % LONGEST == 0 {
                self.renew();
            }
            let begun = Instant::now();
            let answer = black_box(self.ask(black_box(call)));
            took += begun.elapsed();
            self.after(answer);
            if number % 100 == 0 {
                self.door.empty();
            }
        }
        took
    }
}
