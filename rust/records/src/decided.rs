//! What a record says of a decision, by the names of its program.

use std::sync::Arc;

use policy_core::{AskFor, By, Decision, ErrorKind, Outcome, Program, Vote, Why};

use crate::json::Json;
use crate::members::{List, amounts, counted, key, known, marked, named, said, texts};
use crate::{render, told};

/// The members from the event to what the agent was told.
pub(crate) fn decided(
    json: &mut Json<'_>,
    decision: &Decision,
    error: Option<ErrorKind>,
    (point, subject): (Option<&str>, &str),
    program: &Program,
) {
    let name = |table: Option<&Arc<str>>| table.map(|name| name.to_string());
    named(json, "event", decision.event.name());
    match point {
        Some(point) => {
            key(json, "subject");
            json.raw("\"");
            json.raw(point);
            json.raw(" `");
            json.inside(subject);
            json.raw("`\"");
        }
        None => named(json, "subject", subject),
    }
    counted(json, "call", decision.call);
    known(json, "attempt", decision.attempt);
    counted(json, "attempt_number", decision.attempt_number);
    said(json, "error", error.map(ErrorKind::name));
    named(json, "outcome", decision.outcome.name());
    said(json, "state", told::state(decision, program).map(|state| &*state.name));
    let model = decision.model.and_then(|model| program.models().get(model as usize));
    said(json, "model", model.map(|model| &*model.name));
    let queue = decision.asked.and_then(|asked| program.queues().get(asked.queue as usize));
    said(json, "queue", name(queue.map(|queue| &queue.name)).as_deref());
    known(json, "request", decision.asked.map(|asked| asked.request));
    known(json, "output_cap", decision.output_cap);
    known(json, "wait", decision.wait_ns.filter(|wait| *wait != 0));
    said(json, "reason", told::reason(decision, program).as_deref());
    said(json, "answer", told::template(decision, program).as_deref());
    known(json, "reused", decision.reused);
    if let Some((kind, by)) = told::by(decision, program).filter(|(_, by)| !by.is_empty()) {
        named(json, "by", by);
        named(json, "by_kind", kind);
    }
    if let By::Statement(index) = decision.by
        && let Some(statement) = program.statements().get(index as usize).filter(|by| by.line != 0)
    {
        named(json, "at", &format!("{}:{}", statement.file, statement.line));
    }
    let wants = decision.asked.map(|asked| asked.wants).filter(|wants| *wants != AskFor::Approval);
    marked(json, "undecided", decision.undecided);
    marked(json, "latched", decision.latched);
    said(json, "wants", wants.map(AskFor::name));
    known(json, "answered", decision.answered);
    marked(json, "wrap_up", decision.wrap_up);
    marked(json, "stayed", decision.stayed);
    amounts(json, "reserved", decision.reserved_tokens, decision.reserved_cost);
    values(json, decision, program);
    votes(json, decision, program);
    told_and_passed(json, decision, program);
    if matches!(decision.outcome, Outcome::Stop | Outcome::Fail | Outcome::Deny | Outcome::Escalate) {
        named(json, "told", &told::for_agent(decision, program));
    }
}

/// What the deciding condition read. A name that two facts have stands once, with the value read last.
fn values(json: &mut Json<'_>, decision: &Decision, program: &Program) {
    json.raw(",\"values\":");
    let mut list = List::begin(json, "{");
    let fact = |index: u32| program.facts().get(index as usize);
    let name = |index: u32| fact(index).map(|fact| &*fact.name);
    let mut rest = decision.values.as_slice();
    let mut written: Vec<&str> = Vec::new();
    while let Some(((index, value), after)) = rest.split_first() {
        rest = after;
        let Some(found) = fact(*index).filter(|found| !written.contains(&&*found.name)) else { continue };
        let later = after.iter().rev().find(|(index, _)| name(*index) == Some(&*found.name));
        let (dimension, value) = match later.and_then(|(index, value)| Some((fact(*index)?, value))) {
            Some((later, value)) => (later.dimension, value),
            None => (found.dimension, value),
        };
        written.push(&found.name);
        let json = list.next();
        json.text(&found.name);
        json.raw(":");
        json.text(&render::value(program, dimension, value));
    }
    list.end("}");
}

fn votes(json: &mut Json<'_>, decision: &Decision, program: &Program) {
    let statement = |vote: &Vote| program.statements().get(vote.statement as usize);
    json.raw(",\"votes\":");
    let mut list = List::begin(json, "[");
    for (vote, by) in decision.votes.iter().filter_map(|vote| Some((vote, statement(vote)?))) {
        list.next().raw("[");
        texts(list.json, [by.kind.name(), &by.name, vote.outcome.name()]);
        list.json.raw(",");
        list.json.flag(vote.undecided);
        list.json.raw("]");
    }
    list.end("]");
    if decision.would.is_empty() {
        return;
    }
    json.raw(",\"would\":");
    let mut list = List::begin(json, "[");
    for (vote, by) in decision.would.iter().filter_map(|vote| Some((vote, statement(vote)?))) {
        list.next().raw("[");
        texts(list.json, [&format!("would_{}", vote.outcome.name()), by.kind.name(), &by.name]);
        list.json.raw(",");
        list.json.flag(vote.undecided);
        list.json.raw("]");
    }
    list.end("]");
}

/// What the agent was told of limits, and which models were passed over.
fn told_and_passed(json: &mut Json<'_>, decision: &Decision, program: &Program) {
    json.raw(",\"advice\":");
    let mut list = List::begin(json, "[");
    for advice in &decision.advice {
        let limit = program.limits().get(advice.limit as usize);
        let threshold = limit.and_then(|limit| limit.thresholds.get(advice.threshold as usize));
        let by = limit.and_then(|limit| program.statements().get(limit.statement as usize));
        if let Some((threshold, by)) = threshold.zip(by) {
            list.next().raw("[");
            texts(list.json, [threshold.kind.name(), &threshold.text, &by.name]);
            list.json.raw("]");
        }
    }
    list.end("]");
    if decision.passed.is_empty() {
        return;
    }
    json.raw(",\"passed\":");
    let mut list = List::begin(json, "[");
    for (model, why) in &decision.passed {
        let Some(model) = program.models().get(*model as usize) else { continue };
        let (kind, name) = match why {
            Why::Window => ("window", ""),
            Why::Statement(index) => {
                let Some(by) = program.statements().get(*index as usize) else { continue };
                (by.kind.name(), &*by.name)
            }
        };
        list.next().raw("[");
        texts(list.json, [&model.name, kind, name]);
        list.json.raw("]");
    }
    list.end("]");
}
