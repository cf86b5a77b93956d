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
    pub(crate) bounds: Vec<Bound>,
    /// How a record ends.
    pub(crate) end: String,
}

/// A bound of a limit.
#[derive(Debug)]
pub(crate) struct Bound {
    /// How its JSON begins, behind that of the bound before it.
    pub(crate) begin: String,
    /// The place of its limit's scope among those of a head; none of a limit of runs.
    pub(crate) scope: Option<usize>,
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Page {
    pub(crate) fn of(program: &Arc<Program>) -> Self {
        let (mut bounds, mut scopes) = (Vec::new(), 0..);
        for limit in program.limits() {
            let scope = if limit.scope == Scope::Run { None } else { scopes.next() };
            let statement = program.statements().get(limit.statement as usize);
            let name = statement.map_or("", |statement| &*statement.name);
            for bound in &limit.bounds {
                let comma = if bounds.is_empty() { "" } else { "," };
                let name = quoted(&format!("{name}.{}", program.measure_text(bound.measure)));
                bounds.push(Bound { begin: format!("{comma}{name}:["), scope });
            }
        }
        let prices = match program.prices() {
            "" => String::new(),
            prices => format!(",\"prices\":{}", quoted(prices)),
        };
        let digest = hex(program.digest());
        Self { program: Arc::clone(program), bounds, end: format!("{prices},\"digest\":\"{digest}\"}}\n") }
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
