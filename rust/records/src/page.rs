//! What every record of a program has in it, and the line that describes the program.

use std::sync::Arc;

use policy_core::{Program, Scope};

use crate::head::quoted;
use crate::json::Json;
use crate::members::{List, counted, named};

/// What every record of a program has in it, made once.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) program: Arc<Program>,
    /// Of each limit: whether it is one of runs, and how the JSON of each bound begins.
    pub(crate) limits: Vec<(bool, Vec<String>)>,
    /// How a record ends.
    pub(crate) end: String,
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Page {
    pub(crate) fn of(program: &Arc<Program>) -> Self {
        let limits = program.limits().iter().map(|limit| {
            let statement = program.statements().get(limit.statement as usize);
            let name = statement.map_or("", |statement| &*statement.name);
            let begin = |measure| quoted(&format!("{name}.{}", program.measure_text(measure))) + ":[";
            let bounds = limit.bounds.iter().map(|bound| begin(bound.measure));
            (limit.scope == Scope::Run, bounds.collect())
        });
        let prices = match program.prices() {
            "" => String::new(),
            prices => format!(",\"prices\":{}", quoted(prices)),
        };
        let (limits, digest) = (limits.collect(), hex(program.digest()));
        Self { program: Arc::clone(program), limits, end: format!("{prices},\"digest\":\"{digest}\"}}\n") }
    }

    /// The line that says what the program is, so that its decisions can be explained without its source.
    pub(crate) fn write_program(&self, bytes: &mut Vec<u8>) {
        let (mut json, program) = (Json(bytes), &self.program);
        json.raw("{\"kind\":\"program\",\"digest\":");
        json.text(&hex(program.digest()));
        for (name, text) in
            [("policy", program.policy()), ("file", program.file()), ("currency", program.currency())]
        {
            named(&mut json, name, text);
        }
        if !program.prices().is_empty() {
            named(&mut json, "prices", program.prices());
        }
        json.raw(",\"statements\":");
        let mut list = List::begin(&mut json, "[");
        for statement in program.statements() {
            let json = list.next();
            json.raw("{\"kind\":");
            json.text(statement.kind.name());
            named(json, "name", &statement.name);
            named(json, "file", &statement.file);
            counted(json, "line", Some(statement.line));
            counted(json, "column", Some(statement.column));
            named(json, "source", &statement.source);
            json.raw("}");
        }
        list.end("]");
        json.raw("}\n");
    }
}
