//! The crate `cel`: expressions that give the name of the first of their rules that holds.

use cel::{Context, Program, Value};

use crate::Peer;
use crate::rules::{Call, rules};

/// Rules in one expression, so that its fixed price is paid seldom.
const TOGETHER: usize = 8;

pub struct Cel {
    root: Context<'static, 'static>,
    programs: Vec<Program>,
}

impl Cel {
    pub fn new(many: usize) -> Self {
        let rules = rules(many, "", "&&");
        let programs = rules.chunks(TOGETHER).map(|group| {
            let tests: String =
                group.iter().map(|(name, test)| format!("({test}) ? \"{name}\" : ")).collect();
            Program::compile(&format!("{tests}\"\"")).expect("CEL's expressions")
        });
        Self { root: Context::default(), programs: programs.collect() }
    }
}

impl Peer for Cel {
    type Answer = Option<Value>;

    fn ask(&mut self, call: &Call) -> Option<Value> {
        let mut context = self.root.new_inner_scope();
        context.add_variable_from_value("flagged", call.flagged);
        context.add_variable_from_value("risk", call.risk);
        context.add_variable_from_value("age", call.age);
        context.add_variable_from_value("amount", call.amount);
        context.add_variable_from_value("tier", call.tier);
        context.add_variable_from_value("region", call.region.clone());
        self.programs.iter().find_map(|program| {
            let found = program.execute(&context).expect("a name");
            matches!(&found, Value::String(name) if !name.is_empty()).then_some(found)
        })
    }

    fn read(&self, answer: &Option<Value>) -> String {
        match answer {
            Some(Value::String(name)) => name.to_string(),
            _ => String::new(),
        }
    }
}
