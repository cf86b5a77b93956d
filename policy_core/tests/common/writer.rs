//! Writes artifacts from the specifications of `common`.

use sha2::{Digest, Sha256};

use super::bytes::Writer;
use super::{Else, Enforced, LimitSpec, Measured, Name, Op, Part, Policy, Scoped, Select, When, Windowed};

/// A policy with everything in the order that artifacts want.
struct Plan<'a> {
    policy: &'a Policy,
    statements: Vec<&'a (Name, Enforced)>,
    conditions: Vec<&'a Vec<Op>>,
    facts: Vec<Name>,
    models: Vec<Name>,
    tools: Vec<Name>,
    states: Vec<Name>,
    queues: Vec<Name>,
    zones: Vec<Name>,
}

fn sorted(names: impl Iterator<Item = Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names.collect();
    names.sort_unstable();
    names
}

fn at(names: &[Name], name: Name) -> u64 {
    names.iter().position(|known| *known == name).unwrap_or_else(|| panic!("no {name}")) as u64
}

fn conditions_of(statement: &Enforced) -> Vec<&When> {
    match statement {
        Enforced::Rule { when, .. } | Enforced::Retry { when, .. } | Enforced::Require { when, .. } => {
            vec![when]
        }
        Enforced::Route { arms, .. } => arms.iter().map(|(_, when)| when).collect(),
        Enforced::Cascade { arms, last, .. } => arms.iter().map(|(_, when)| when).chain([&last.2]).collect(),
        _ => vec![],
    }
}

impl<'a> Plan<'a> {
    fn new(policy: &'a Policy) -> Self {
        let mut statements: Vec<&(Name, Enforced)> = policy.statements.iter().collect();
        statements.sort_by_key(|(name, statement)| (*name, statement.kind()));
        let mut conditions = vec![];
        for kind in [8, 1, 3, 4] {
            for (_, statement) in statements.iter().filter(|(_, statement)| statement.kind() == kind) {
                conditions.extend(conditions_of(statement).into_iter().flatten());
            }
        }
        let tools = sorted(policy.tools.iter().map(|tool| tool.name));
        for name in &tools {
            let tool = policy.tools.iter().find(|tool| tool.name == *name).unwrap();
            conditions.extend(&tool.succeeds);
        }
        Self {
            policy,
            statements,
            conditions,
            facts: sorted(policy.facts.iter().map(|fact| fact.name)),
            models: sorted(policy.models.iter().map(|model| model.name)),
            tools,
            states: sorted(policy.states.iter().copied()),
            queues: sorted(policy.queues.iter().map(|(name, ..)| *name)),
            zones: sorted(policy.zones.iter().map(|(name, ..)| *name)),
        }
    }

    fn write(&self, w: &mut Writer) {
        for text in ["test", "test.rein", "$", "snapshot"] {
            w.text(text);
        }
        w.byte(0);
        self.vocabulary(w);
        self.queues(w);
        w.list(&self.conditions, |w, ops| w.list(ops, |w, op| self.op(w, op)));
        w.list(&self.policy.templates, |w, parts| {
            w.list(parts, |w, part| match *part {
                Part::Literal(text) => {
                    w.byte(0);
                    w.text(text);
                }
                Part::Fact(fact) => {
                    w.byte(1);
                    w.number(at(&self.facts, fact));
                }
            });
        });
        w.list(&self.statements, |w, (name, statement)| {
            w.byte(statement.kind());
            w.text(name);
            w.byte(0);
            w.text("test.rein");
            w.number(3);
            w.number(1);
            w.text("source");
        });
        let mut used = 0;
        for kind in [8, 0, 1, 2, 3, 4, 5, 6, 7] {
            let numbered = self.statements.iter().enumerate();
            let of_kind: Vec<_> = numbered.filter(|(_, (_, statement))| statement.kind() == kind).collect();
            w.list(&of_kind, |w, (index, (_, statement))| {
                w.number(*index as u64);
                self.enforced(w, statement, &mut used);
            });
        }
    }

    fn vocabulary(&self, w: &mut Writer) {
        let policy = self.policy;
        w.list(&self.facts, |w, name| {
            let fact = policy.facts.iter().find(|fact| fact.name == *name).unwrap();
            w.text(name);
            w.byte(fact.dimension);
            w.number(fact.most);
            w.byte(fact.source);
            w.byte(fact.presence);
            if let Some(default) = fact.default {
                w.lit(default);
            }
            w.list(&sorted(fact.choices.iter().copied()), |w, choice| w.text(choice));
        });
        w.list(&self.models, |w, name| {
            let model = policy.models.iter().find(|model| model.name == *name).unwrap();
            w.text(name);
            w.text("target");
            w.number(1);
            w.byte(model.place);
            w.option(model.region, Writer::text);
            for number in [model.window, model.output, model.least] {
                w.number(number);
            }
            w.option(model.price.as_ref(), |w, tariffs| {
                w.list(tariffs, |w, it| {
                    let rates = [it.input, it.output, it.cache_read, it.cache_write, it.reasoning];
                    [it.above, it.from, it.to].into_iter().chain(rates).for_each(|number| w.number(number));
                });
            });
        });
        w.list(&self.tools, |w, name| {
            let tool = policy.tools.iter().find(|tool| tool.name == *name).unwrap();
            w.text(name);
            w.byte(tool.class);
            w.byte(u8::from(tool.once));
            w.byte(u8::from(tool.may_repeat));
            w.option(tool.timeout, Writer::number);
            for filled in [&tool.args, &tool.results] {
                w.list(filled, |w, (arg, fact, unit)| {
                    w.text(arg);
                    w.number(at(&self.facts, fact));
                    w.byte(*unit);
                    w.number(policy.facts.iter().find(|known| known.name == *fact).unwrap().most);
                    w.number(0);
                });
            }
            w.option(tool.succeeds.as_ref().map(|_| self.place_of(name)), Writer::number);
        });
        w.list(&self.states, |w, name| {
            w.text(name);
            w.option(Some("told"), Writer::text);
            w.option(None, Writer::text);
        });
    }

    /// The index of a tool's condition: after those of statements, by the names of tools.
    fn place_of(&self, name: Name) -> u64 {
        let tools = self.policy.tools.iter().filter(|tool| tool.succeeds.is_some());
        let (before, all) = (tools.clone().filter(|tool| tool.name < name).count(), tools.count());
        (self.conditions.len() - all + before) as u64
    }

    fn queues(&self, w: &mut Writer) {
        w.list(&self.queues, |w, name| {
            let (_, expires, stop) = self.policy.queues.iter().find(|(known, ..)| known == name).unwrap();
            w.text(name);
            w.number(*expires);
            w.option(*stop, |w, state| w.number(at(&self.states, state)));
            let grants = self.policy.grants.iter().find(|(queue, ..)| queue == name);
            w.option(grants, |w, (_, dimension, amount, times)| {
                w.byte(*dimension);
                w.number(*amount);
                w.number(*times);
            });
            w.number(0);
        });
        w.list(&self.zones, |w, name| {
            let (_, before, transitions) =
                self.policy.zones.iter().find(|(known, ..)| known == name).unwrap();
            w.text(name);
            w.text("2025b");
            w.signed(*before);
            w.list(transitions, |w, (second, offset)| {
                w.number(*second);
                w.signed(*offset);
            });
        });
        w.option(self.policy.clock, |w, zone| w.number(at(&self.zones, zone)));
    }

    fn op(&self, w: &mut Writer, op: &Op) {
        let mut reading = |code: u8, fact: Name| {
            w.byte(code);
            w.number(at(&self.facts, fact));
        };
        match op {
            Op::Compare(fact, comparison, lit) => {
                reading(0, fact);
                w.byte(*comparison);
                w.lit(*lit);
            }
            Op::Member(fact, lits) => {
                reading(1, fact);
                w.list(lits, |w, lit| w.lit(*lit));
            }
            Op::Has(fact) => reading(2, fact),
            Op::Starts(fact, text) => {
                reading(3, fact);
                w.text(text);
            }
            Op::Ends(fact, text) => {
                reading(4, fact);
                w.text(text);
            }
            Op::Each(quantifier, op) => {
                w.byte(10);
                w.byte(*quantifier);
                self.op(w, op);
            }
            Op::Not => w.byte(5),
            Op::And => w.byte(6),
            Op::Or => w.byte(7),
            Op::JumpIfFalse(skip) => {
                w.byte(8);
                w.number(*skip);
            }
            Op::JumpIfTrue(skip) => {
                w.byte(9);
                w.number(*skip);
            }
        }
    }

    fn select(&self, w: &mut Writer, select: Select) {
        match select {
            Select::AnyModel => w.byte(0),
            Select::Model(name) => {
                w.byte(1);
                w.number(at(&self.models, name));
            }
            Select::AnyTool => w.byte(2),
            Select::Tool(name) => {
                w.byte(3);
                w.number(at(&self.tools, name));
            }
            Select::Class(class) => {
                w.byte(4);
                w.byte(class);
            }
            Select::AnyProvider | Select::Provider(_) => panic!("only breakers watch providers"),
        }
    }

    fn outcome(&self, w: &mut Writer, outcome: Else) {
        match outcome {
            Else::Stop(state) => {
                w.byte(0);
                w.number(at(&self.states, state));
            }
            Else::Fail(state) => {
                w.byte(1);
                w.number(at(&self.states, state));
            }
            Else::Deny => w.byte(2),
            Else::Escalate(queue) => {
                w.byte(3);
                w.number(at(&self.queues, queue));
            }
            Else::Answer(template) => {
                w.byte(4);
                w.number(template);
            }
            Else::Reuse => w.byte(5),
        }
    }

    fn limit(&self, w: &mut Writer, limit: &LimitSpec) {
        match limit.scope {
            Scoped::Word(code) => w.byte(code),
            Scoped::Key(fact) => {
                w.byte(5);
                w.number(at(&self.facts, fact));
            }
        }
        match limit.window {
            Windowed::Forever => w.byte(0),
            Windowed::Each(period, zone) => {
                w.byte(1);
                w.byte(period);
                w.number(at(&self.zones, zone));
            }
            Windowed::Rolling(ns) => {
                w.byte(2);
                w.number(ns);
            }
        }
        w.list(&limit.bounds, |w, (measure, max, withheld)| {
            match *measure {
                Measured::Simple(code) => w.byte(code),
                Measured::CallsOf(select) => {
                    w.byte(12);
                    self.select(w, select);
                }
            }
            w.number(*max);
            w.number(*withheld);
        });
        w.byte(limit.basis);
        w.byte(limit.failure);
        w.number(limit.wrap_up);
        w.list(&limit.at, |w, (ppm, text)| {
            w.number(*ppm);
            w.byte(0);
            w.text(text);
        });
        self.outcome(w, limit.otherwise);
        w.option(None, Writer::text);
    }

    fn enforced(&self, w: &mut Writer, statement: &Enforced, used: &mut u64) {
        let mut condition = |w: &mut Writer, when: &When| {
            w.option(when.as_ref().map(|_| *used), Writer::number);
            *used += u64::from(when.is_some());
        };
        let pair = |w: &mut Writer, pair: (u64, u64)| {
            w.number(pair.0);
            w.number(pair.1);
        };
        match statement {
            Enforced::Rule { on, when, then } => {
                self.select(w, *on);
                condition(w, when);
                self.outcome(w, *then);
                w.text("because");
            }
            Enforced::Limit(limit) => self.limit(w, limit),
            Enforced::Retry { on, when, attempts, within, backoff, share, otherwise } => {
                self.select(w, *on);
                condition(w, when);
                w.number(*attempts);
                w.option(*within, Writer::number);
                w.option(*backoff, pair);
                w.option(*share, |w, share| share.into_iter().for_each(|number| w.number(number)));
                self.outcome(w, *otherwise);
                w.option(Some("gave up"), Writer::text);
            }
            Enforced::Breaker { on, terms } => {
                match *on {
                    Select::AnyProvider => {
                        w.byte(0);
                        w.byte(0);
                    }
                    Select::Provider(name) => {
                        w.byte(0);
                        w.byte(1);
                        w.text(name);
                    }
                    on => {
                        w.byte(1);
                        self.select(w, on);
                    }
                }
                terms.iter().for_each(|number| w.number(*number));
            }
            Enforced::Require { place, when } => {
                w.byte(0);
                w.byte(*place);
                condition(w, when);
            }
            Enforced::Route { arms, fallbacks } => {
                w.list(arms, |w, (model, when)| {
                    w.number(at(&self.models, model));
                    condition(w, when);
                    w.byte(0);
                });
                w.list(fallbacks, |w, (from, to)| pair(w, (at(&self.models, from), at(&self.models, to))));
                w.byte(0);
            }
            Enforced::Cascade { arms, last: (first, then, _), fallbacks } => {
                w.number(arms.len() as u64 + 1);
                for (model, when) in arms {
                    w.number(at(&self.models, model));
                    condition(w, when);
                    w.byte(0);
                }
                w.number(at(&self.models, first));
                condition(w, &None);
                w.byte(1);
                w.number(at(&self.models, then));
                w.number(*used);
                *used += 1;
                w.list(fallbacks, |w, (from, to)| pair(w, (at(&self.models, from), at(&self.models, to))));
                w.byte(0);
            }
            Enforced::Order(order) => {
                self.select(w, order.before);
                self.select(w, order.after);
                w.list(&order.matching, |w, fact| w.number(at(&self.facts, fact)));
                w.list(&order.again_after, |w, tool| w.number(at(&self.tools, tool)));
                self.outcome(w, order.otherwise);
                w.option(Some("look first"), Writer::text);
            }
            Enforced::Truth { otherwise } => {
                self.outcome(w, *otherwise);
                w.option(None, Writer::text);
            }
            Enforced::Loop(each) => {
                w.list(&each.ignoring, |w, name| w.text(name));
                w.option(each.same_call, pair);
                w.option(each.same_error, pair);
                w.option(each.cycle, pair);
                w.option(each.no_progress, Writer::number);
                w.option(each.repeated_context, Writer::number);
                self.outcome(w, each.otherwise);
                w.option(None, Writer::text);
            }
        }
    }
}

/// The payload of a policy's artifact.
pub fn payload(policy: &Policy) -> Vec<u8> {
    let plan = Plan::new(policy);
    let mut learning = Writer::default();
    plan.write(&mut learning);
    let mut writer = Writer { sorted: learning.strings.into_iter().collect(), ..Writer::default() };
    let strings = writer.sorted.clone();
    writer.list(&strings, |writer, text| {
        writer.number(text.len() as u64);
        writer.out.extend_from_slice(text.as_bytes());
    });
    plan.write(&mut writer);
    writer.out
}

/// A payload with a header that fits it.
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"REIN\x01\x00\x01\x00slice006".to_vec();
    bytes.extend_from_slice(&Sha256::digest(payload));
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A policy's artifact.
pub fn artifact(policy: &Policy) -> Vec<u8> {
    seal(&payload(policy))
}
