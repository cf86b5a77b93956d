//! The crate `regorus`: the set of the rules that hold, compiled once.

use regorus::{CompiledPolicy, Engine, Value};

use crate::Peer;
use crate::rules::{Call, rules};

pub struct Regorus {
    policy: CompiledPolicy,
}

impl Regorus {
    pub fn new(many: usize) -> Self {
        let mut text = "package bench\nimport rego.v1\n".to_owned();
        for (name, test) in rules(many, "input.", ";") {
            text += &format!("found contains \"{name}\" if {{ {test} }}\n");
        }
        let mut engine = Engine::new();
        engine.add_policy("bench.rego".into(), text).expect("Rego's module");
        let policy = engine.compile_with_entrypoint(&"data.bench.found".into());
        Self { policy: policy.expect("it compiles") }
    }
}

impl Peer for Regorus {
    type Answer = Value;

    fn ask(&mut self, call: &Call) -> Value {
        let mut input = Value::new_object();
        let facts = input.as_object_mut().expect("an object");
        facts.insert("flagged".into(), call.flagged.into());
        facts.insert("risk".into(), call.risk.into());
        facts.insert("age".into(), call.age.into());
        facts.insert("amount".into(), call.amount.into());
        facts.insert("tier".into(), call.tier.into());
        facts.insert("region".into(), call.region.as_str().into());
        self.policy.eval_with_input(input).expect("it evaluates")
    }

    fn read(&self, found: &Value) -> String {
        let names = found.as_set().expect("a set").iter();
        let mut names: Vec<_> = names.map(|name| name.as_string().expect("a text").to_string()).collect();
        // What denies goes before what escalates.
        names.sort_by_key(|name| name == "big");
        names.into_iter().next().unwrap_or_default()
    }
}
