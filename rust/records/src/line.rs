//! Records as lines of JSON.

use std::ops::Range;

use policy_core::{Decision, Stand};

use crate::batch::{About, Amounts, Batch, Charged, Kept, Record};
use crate::decided::decided;
use crate::head::Head;
use crate::json::Json;
use crate::members::{List, amounts, counted, named};
use crate::page::Page;

/// A record with what stands beside it.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    record: &'a Record,
    decisions: &'a [Decision],
    pub(crate) head: Option<&'a Head>,
    text: &'a str,
    before: &'a [Stand],
    after: &'a [Stand],
}

impl<'a> Row<'a> {
    pub(crate) fn of(record: &'a Record, batch: &'a Batch) -> Self {
        let stands = |range: &Range<usize>| batch.stands.get(range.clone()).unwrap_or_default();
        let text = batch.text.get(record.text.clone()).unwrap_or_default();
        Self {
            record,
            decisions: &batch.decisions,
            head: record.head.and_then(|head| batch.heads.get(head)).map(|head| &**head),
            // Only texts are put in; if one was not, nothing of it is written.
            text: std::str::from_utf8(text).unwrap_or_default(),
            before: stands(&record.before),
            after: stands(&record.after),
        }
    }
}

/// Writes the line of a record; `page` is that of its program.
pub(crate) fn write(bytes: &mut Vec<u8>, row: &Row<'_>, page: Option<&Page>) {
    let record = row.record;
    match (&record.about, page.zip(row.head)) {
        (About::Decision { kept, point, error }, Some((page, head))) => {
            let whole;
            let decision = match kept {
                Kept::Plain(plain) => {
                    whole = plain.whole();
                    &whole
                }
                Kept::Whole(place) => {
                    let Some(decision) = row.decisions.get(*place) else { return };
                    decision
                }
            };
            let mut json = Json(bytes);
            json.raw("{\"kind\":\"decision\",\"id\":");
            begin(&mut json, record, head, decision.number);
            json.raw(",");
            json.raw(&head.whose);
            decided(&mut json, decision, *error, (*point, row.text), &page.program);
            limits(&mut json, "limits_before", row.before, head, page);
            limits(&mut json, "limits_after", row.after, head, page);
            json.raw(&page.end);
        }
        (About::Charge { charged, number, attempt, usage, amounts }, Some((page, head))) => {
            let mut json = Json(bytes);
            json.raw(match charged {
                Charged::Settlement => "{\"kind\":\"settlement\",\"decision\":",
                Charged::Adjustment => "{\"kind\":\"adjustment\",\"decision\":",
            });
            begin(&mut json, record, head, *number);
            json.raw(",\"run\":");
            json.raw(&head.id);
            json.raw("\"");
            charge(&mut json, *attempt, usage, amounts);
            limits(&mut json, "limits_after", row.after, head, page);
            json.raw(&page.end);
        }
        (About::Line, _) => {
            bytes.extend_from_slice(row.text.as_bytes());
            bytes.push(b'\n');
        }
        (About::Gap(lost), _) => {
            let mut json = Json(bytes);
            json.raw("{\"kind\":\"gap\",\"time\":");
            json.time(record.wall);
            counted(&mut json, "lost", Some(*lost));
            json.raw("}\n");
        }
        (About::Decision { .. } | About::Charge { .. }, None) => {}
    }
}

/// The id of the decision, and the time.
fn begin(json: &mut Json<'_>, record: &Record, head: &Head, number: u64) {
    json.raw(&head.id);
    json.raw(".");
    json.number(number);
    json.raw("\",\"time\":");
    json.time(record.wall);
}

fn charge(json: &mut Json<'_>, attempt: u64, usage: &str, charged: &Amounts) {
    counted(json, "attempt", Some(attempt));
    named(json, "usage", usage);
    amounts(json, "reserved", charged.reserved_tokens, charged.reserved_cost);
    amounts(json, "settled", charged.tokens, charged.cost);
}

/// `name.dimension` to [limit, spent, held], and [leased, whose] of a limit wider than a run.
fn limits(json: &mut Json<'_>, name: &str, stands: &[Stand], head: &Head, page: &Page) {
    json.raw(",\"");
    json.raw(name);
    json.raw("\":");
    let mut list = List::begin(json, "{");
    let (mut stands, mut scopes) = (stands.iter(), head.scopes.iter());
    for (is_of_run, bounds) in &page.limits {
        let scope = if *is_of_run { None } else { scopes.next() };
        for (begin, [most, spent, held, leased]) in bounds.iter().zip(stands.by_ref()) {
            let json = list.next();
            json.raw(begin);
            json.number(*most);
            let more = [Some(spent), Some(held), scope.map(|_| leased)];
            for figure in more.into_iter().flatten() {
                json.raw(",");
                json.number(*figure);
            }
            if let Some(scope) = scope {
                json.raw(",");
                json.raw(scope);
            }
            json.raw("]");
        }
    }
    list.end("}");
}
