//! Members of objects and elements of lists.

use crate::json::Json;

/// Elements with commas between them.
#[derive(Debug)]
pub(crate) struct List<'a, 'b> {
    pub(crate) json: &'a mut Json<'b>,
    is_begun: bool,
}

impl<'a, 'b> List<'a, 'b> {
    pub(crate) fn begin(json: &'a mut Json<'b>, bracket: &str) -> Self {
        json.raw(bracket);
        Self { json, is_begun: false }
    }

    pub(crate) fn next(&mut self) -> &mut Json<'b> {
        if std::mem::replace(&mut self.is_begun, true) {
            self.json.raw(",");
        }
        self.json
    }

    pub(crate) fn end(self, bracket: &str) {
        self.json.raw(bracket);
    }
}

pub(crate) fn key(json: &mut Json<'_>, name: &str) {
    json.raw(",\"");
    json.raw(name);
    json.raw("\":");
}

pub(crate) fn named(json: &mut Json<'_>, name: &str, text: &str) {
    key(json, name);
    json.text(text);
}

pub(crate) fn said(json: &mut Json<'_>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        named(json, name, text);
    }
}

pub(crate) fn counted(json: &mut Json<'_>, name: &str, number: Option<u64>) {
    key(json, name);
    match number {
        Some(number) => json.number(number),
        None => json.raw("null"),
    }
}

pub(crate) fn known(json: &mut Json<'_>, name: &str, number: Option<u64>) {
    if number.is_some() {
        counted(json, name, number);
    }
}

pub(crate) fn marked(json: &mut Json<'_>, name: &str, is_so: bool) {
    if is_so {
        key(json, name);
        json.flag(true);
    }
}

pub(crate) fn amounts(json: &mut Json<'_>, name: &str, tokens: u64, cost: u64) {
    key(json, name);
    json.raw("{\"tokens\":");
    json.number(tokens);
    counted(json, "cost", Some(cost));
    json.raw("}");
}

pub(crate) fn texts(json: &mut Json<'_>, texts: [&str; 3]) {
    for (comma, text) in ["", ",", ","].into_iter().zip(texts) {
        json.raw(comma);
        json.text(text);
    }
}
