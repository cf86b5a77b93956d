//! Drives a run with any numbers at all: whatever they are, they mean some event.

use policy_core::{
    Decision, EngineError, ErrorKind, Failure, ModelCall, Program, Returned, Scopes, Slot, Source, Tariff,
    ToolCall, Usage,
};
use proptest::prelude::*;

use super::{
    ACTIVE_TIME, ATTEMPTS, COST, ESCALATIONS, Else, Enforced, FactSpec, INPUT, LimitSpec, Lit, LoopSpec,
    MODEL_CALLS, Measured, OUTPUT, Op, OrderSpec, Policy, RETRIES, Run, SECOND, STEPS, Scoped, Select,
    TOKENS, TOOL_CALLS, USER, When, Windowed, fact, flat, limit, vocabulary,
};

/// One event: what, who, how much, and how much later.
pub type Step = (u8, u64, u64, u64);

pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0_u8..14, 0_u64..12, 0_u64..400, 0_u64..3_000_000_000), 0..most)
}

/// One policy that uses every statement, under which most things can happen.
pub fn busy() -> Policy {
    let mut policy = vocabulary();
    policy.facts = vec![
        fact("data.n", 2),
        FactSpec { source: 2, ..fact("error.kind", 0) },
        FactSpec { source: 2, ..fact("run.cost.spent", 3) },
        fact("tenant.id", 0),
        FactSpec { source: 3, ..fact("result.rows", 2) },
    ];
    policy.tools[0].results = vec![("rows", "result.rows", 0)];
    policy.tools[0].succeeds = Some(vec![Op::Compare("result.rows", 5, Lit::Number(2, 3))]);
    for model in &mut policy.models {
        // What is cached is cheaper, so that it may pay to stay.
        model.price = Some(vec![Tariff { cache_read: 200_000, ..flat(1_000_000, 1_000_000) }]);
    }
    policy.queues.push(("more", 20 * SECOND, Some("over")));
    policy.grants = vec![("more", 3, 700, 2)];
    policy.zones = vec![("East", 3600, vec![(2000, 7200), (9000, 3600)])];
    wider(patterns(retries(models(policy))))
}

/// Whom the runs of the busy policy are for.
pub const SCOPES: Scopes<'static> =
    Scopes { run: None, session: None, user: Some("u"), team: None, org: Some("o"), keys: &[Some("acme")] };

fn wider(policy: Policy) -> Policy {
    let wide = |scope, bounds| LimitSpec { scope, ..LimitSpec::new(bounds, Else::Deny) };
    let user = LimitSpec {
        window: Windowed::Each(0, "East"),
        basis: 2,
        otherwise: Else::Escalate("more"),
        at: vec![(700_000, "much")],
        ..wide(USER, vec![(COST, 2500), (ATTEMPTS, 45)])
    };
    let calls = vec![(INPUT, 4000), (RETRIES, 9), (Measured::CallsOf(Select::AnyModel), 8)];
    let window = Windowed::Rolling(60 * SECOND);
    let burst = LimitSpec { window, basis: 1, failure: 2, ..wide(Scoped::Word(4), calls) };
    let tenant = wide(Scoped::Key("tenant.id"), vec![(OUTPUT, 5000), (ESCALATIONS, 6)]);
    let bounds = vec![(COST, 4000, 500), (STEPS, 30, 2)];
    let last = LimitSpec { bounds, wrap_up: 2, ..LimitSpec::new(vec![], Else::Deny) };
    policy
        .with("user", Enforced::Limit(user))
        .with("burst", Enforced::Limit(burst))
        .with("tenant", Enforced::Limit(tenant))
        .with("last", Enforced::Limit(last))
}

fn data(comparison: u8, number: i64) -> When {
    Some(vec![Op::Compare("data.n", comparison, Lit::Number(2, number))])
}

fn models(policy: Policy) -> Policy {
    let bounds = vec![
        (COST, 5000),
        (TOKENS, 6000),
        (STEPS, 40),
        (MODEL_CALLS, 60),
        (TOOL_CALLS, 30),
        (ACTIVE_TIME, 150 * SECOND),
    ];
    let at = vec![(500_000, "half"), (900_000, "nearly")];
    let cap = Enforced::Limit(LimitSpec { at, ..LimitSpec::new(bounds, Else::Stop("over")) });
    let cheap = limit(vec![(COST, 4500)], Else::Deny);
    let tiers = Enforced::Cascade {
        arms: vec![("small", data(2, 3)), ("large", data(4, 6))],
        last: ("small", "large", data(4, 4)),
        fallbacks: vec![("large", "small")],
    };
    policy
        .with("cap", cap)
        .with("cheap", cheap)
        .with("edge", Enforced::Require { place: 1, when: data(0, 11) })
        .with("tiers", tiers)
}

fn retries(policy: Policy) -> Policy {
    let kinds = vec![Lit::Text("rate_limited"), Lit::Text("timeout")];
    let flaky = Enforced::Retry {
        on: Select::AnyModel,
        when: Some(vec![Op::Member("error.kind", kinds)]),
        attempts: 2,
        within: Some(20 * SECOND),
        backoff: Some((SECOND / 5, 5 * SECOND)),
        share: None,
        otherwise: Else::Fail("broken"),
    };
    let tools = Enforced::Retry {
        on: Select::AnyTool,
        when: None,
        attempts: 3,
        within: None,
        backoff: None,
        share: Some([200_000, 60 * SECOND, 3]),
        otherwise: Else::Fail("broken"),
    };
    let terms = [500_000, 2, 60 * SECOND, 1, 3 * SECOND];
    let breaker = |on| Enforced::Breaker { on, terms };
    let policy = policy.with("flaky", flaky).with("tools", tools);
    policy
        .with("served", breaker(Select::AnyProvider))
        .with("target", breaker(Select::Provider("target")))
        .with("used", breaker(Select::AnyTool))
}

fn patterns(mut policy: Policy) -> Policy {
    for tool in policy.tools.iter_mut().filter(|tool| tool.name != "pay") {
        tool.may_repeat = false;
    }
    policy.facts.push(fact("call.args.order", 2));
    policy.facts.last_mut().unwrap().source = 1;
    for tool in policy.tools.iter_mut().filter(|tool| tool.name != "think") {
        tool.args = vec![("order", "call.args.order", 0)];
    }
    let look_first = OrderSpec {
        matching: vec!["call.args.order"],
        again_after: vec!["think"],
        ..OrderSpec::new(Select::Tool("look"), Select::Tool("pay"), Else::Deny)
    };
    let look_again = OrderSpec {
        again_after: vec!["think"],
        ..OrderSpec::new(Select::Tool("look"), Select::Class(2), Else::Escalate("leads"))
    };
    let stuck =
        LoopSpec { same_call: Some((4, 3)), cycle: Some((3, 4)), ..LoopSpec::new(Else::Escalate("leads")) };
    let again = LoopSpec { repeated_context: Some(500_000), ..LoopSpec::new(Else::Escalate("leads")) };
    let idle = LoopSpec { no_progress: Some(2), ..LoopSpec::new(Else::Escalate("leads")) };
    let wrong = LoopSpec {
        ignoring: vec!["amount"],
        same_call: Some((6, 3)),
        same_error: Some((3, 4)),
        ..LoopSpec::new(Else::Deny)
    };
    let big = Enforced::Rule { on: Select::Class(3), when: data(5, 6), then: Else::Escalate("strict") };
    let spent = vec![Op::Compare("run.cost.spent", 4, Lit::Number(3, 4000))];
    let odd = Enforced::Rule { on: Select::Model("small"), when: Some(spent), then: Else::Deny };
    let policy = policy.with("tool results", Enforced::Truth { otherwise: Else::Fail("broken") });
    let policy = policy.with("stuck", Enforced::Loop(stuck)).with("wrong", Enforced::Loop(wrong));
    let policy = policy.with("idle", Enforced::Loop(idle)).with("context", Enforced::Loop(again));
    let policy = policy.with("first", Enforced::Order(look_first)).with("again", Enforced::Order(look_again));
    let known = Enforced::Rule { on: Select::Tool("look"), when: data(4, 7), then: Else::Reuse };
    policy.with("known", known).with("big", big).with("odd", odd)
}

fn usage(code: u64, amount: u64) -> Usage {
    match code % 4 {
        0 => Usage::exact(amount, amount / 2),
        1 => Usage::at_least(amount / 4, amount / 4),
        2 => Usage::Unknown,
        _ => Usage::Unsent,
    }
}

const TOOLS: [&str; 4] = ["look", "pay", "think", "ghost"];

/// Plays events, mostly ones that mean something: it remembers what was opened.
#[derive(Default)]
pub struct Player {
    pub now: u64,
    /// For each logical call, the tool and argument, or a model.
    calls: Vec<Option<(usize, u8)>>,
    attempts: u64,
    requests: u64,
    /// What each attempt held: cost and tokens.
    pub reserved: Vec<(u64, u64)>,
}

impl Player {
    /// Plays one event and returns what the engine said.
    pub fn play(&mut self, run: &mut Run, (what, who, amount, later): Step) -> String {
        self.now = self.now.saturating_add(later);
        match what {
            0..2 => self.model(run, None, who, amount),
            2..4 => self.tool(run, None, ((amount % 9) as usize % 4, (who % 3) as u8), who),
            4 | 5 => self.again(run, who, amount),
            6 => {
                format!("{:?}", run.settle(self.now, self.recent(self.attempts, who), usage(amount, amount)))
            }
            7 | 8 => self.fail(run, who, amount),
            9 | 10 => {
                let request = self.recent(self.requests, who / 4);
                format!("{:?}", run.answer(self.now, request, amount % 3 > 0))
            }
            12 => {
                let usage = Usage::exact(amount, amount / 3);
                format!("{:?}", run.adjust(self.now, self.recent(self.attempts, who), usage))
            }
            13 => {
                let facts = facts(run.program(), who);
                let returned = Returned {
                    attempt: self.recent(self.attempts, who / 2),
                    usage: usage(amount, amount),
                    facts: &facts,
                    fingerprint: (!who.is_multiple_of(3)).then_some(amount % 5),
                    committed: amount.is_multiple_of(7),
                };
                format!("{:?}", run.result(self.now, &returned))
            }
            _ if who == 11 && amount < 10 => {
                run.end(self.now);
                "end".to_owned()
            }
            _ => format!("{:?}", run.count(self.now, self.recent(self.attempts, who), amount)),
        }
    }

    /// One of the latest of so many, or now and then one that is not there.
    fn recent(&self, count: u64, who: u64) -> u64 {
        if who == 11 { 99 } else { count.saturating_sub(who % 4) }
    }

    fn again(&mut self, run: &mut Run, who: u64, amount: u64) -> String {
        let call = self.recent(self.calls.len() as u64, who);
        match call.checked_sub(1).and_then(|place| self.calls.get(place as usize)).copied() {
            Some(Some(asked)) => self.tool(run, Some(call), asked, who),
            Some(None) => self.model(run, Some(call), who, amount),
            None => self.tool(run, Some(call), (0, 0), who),
        }
    }

    fn model(&mut self, run: &mut Run, call: Option<u64>, who: u64, amount: u64) -> String {
        let program = run.program().clone();
        let model = [None, Some("ghost"), Some("small"), Some("large")].get(who as usize % 8).copied();
        let messages = [(amount % 3, amount), (who % 3, 40), (7, 1)];
        let event = ModelCall {
            call,
            model: model.unwrap_or(Some("large")),
            input_tokens: amount,
            max_output: (amount.is_multiple_of(3)).then_some(amount / 10),
            facts: &facts(&program, who),
            messages: (who != 6).then_some(&messages),
            results: (who != 5).then_some(if amount.is_multiple_of(11) { &[[0, 1], [1, 1]] } else { &[] }),
        };
        let decision = run.model_call(self.now, &event);
        self.remember(decision, None)
    }

    fn tool(&mut self, run: &mut Run, call: Option<u64>, asked: (usize, u8), who: u64) -> String {
        let program = run.program().clone();
        let args = [asked.1];
        let order = [Slot::Missing, Slot::Int(1), Slot::Int(2)][usize::from(asked.1)];
        let mut facts = facts(&program, who);
        let sent = facts.iter_mut().zip(program.facts()).filter(|(_, fact)| fact.source == Source::Arg);
        sent.for_each(|(slot, _)| *slot = order);
        let event = ToolCall {
            call,
            tool: TOOLS[asked.0],
            args: &args,
            forms: &[vec![asked.1 / 2]],
            is_exact: !who.is_multiple_of(4),
            is_unsafe: false,
            facts: &facts,
        };
        let decision = run.tool_call(self.now, &event);
        self.remember(decision, Some(asked))
    }

    fn fail(&mut self, run: &mut Run, who: u64, amount: u64) -> String {
        let asked = Slot::Int(amount as i64 * 10_000_000);
        let failure = Failure {
            attempt: self.recent(self.attempts, who),
            usage: usage(amount, amount),
            kind: ErrorKind::ALL[(amount % 17) as usize % 12],
            status: Slot::Int(500),
            retry_after: if amount.is_multiple_of(5) { asked } else { Slot::Missing },
            billed: Slot::Ill,
            own: amount.is_multiple_of(7),
            fingerprint: amount.is_multiple_of(3).then_some(amount % 2),
            committed: amount.is_multiple_of(11),
        };
        format!("{:?}", run.error(self.now, &failure))
    }

    fn remember(&mut self, decision: Result<Decision, EngineError>, asked: Option<(usize, u8)>) -> String {
        if let Ok(decision) = &decision {
            if decision.call == Some(self.calls.len() as u64 + 1) {
                self.calls.push(asked);
            }
            if let Some(attempt) = decision.attempt {
                self.attempts = attempt;
                self.reserved.push((decision.reserved_cost, decision.reserved_tokens));
            }
            self.requests = self.requests.max(decision.asked.map_or(0, |asked| asked.request));
        }
        format!("{decision:?}")
    }
}

/// Mostly numbers, now and then nothing or nonsense.
fn facts(program: &Program, who: u64) -> Vec<Slot<'static>> {
    let slot = match who {
        0 => Slot::Missing,
        1 => Slot::Ill,
        2 => Slot::Text("x"),
        _ => Slot::Int(who as i64),
    };
    vec![slot; program.facts().len()]
}

/// Plays all events and returns what the engine said to each.
pub fn play(run: &mut Run, steps: &[Step]) -> Vec<String> {
    let mut player = Player::default();
    steps.iter().map(|&step| player.play(run, step)).collect()
}
