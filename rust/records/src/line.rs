//! Records as lines of JSON.

use policy_core::{Settlement, Stand};

use crate::batch::{About, Batch, Charged, Record};
use crate::decided::decided;
use crate::json::Json;
use crate::members::{List, amounts, counted, named};
use crate::page::Page;

/// What stands in the columns of a batch for one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    head: Head<'a>,
    subject: &'a str,
    before: &'a [Stand],
    after: &'a [Stand],
}

/// Whose record it is, as JSON: the run's id, all names of the run, and the scope of each wider limit.
#[derive(Clone, Copy, Debug)]
struct Head<'a> {
    id: &'a str,
    whose: &'a str,
    scopes: &'a str,
}

/// Goes through a batch from its first record.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    batch: &'a Batch,
    next: usize,
    text: &'a [u8],
    stands: &'a [Stand],
}

impl<'a> Rows<'a> {
    pub(crate) fn of(batch: &'a Batch) -> Self {
        Self { batch, next: 0, text: &batch.text, stands: &batch.stands }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = (&'a Record, Row<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.batch.records.get(self.next)?;
        self.next = self.next.saturating_add(1);
        let [head, subject] = [record.head, record.subject].map(|length| {
            let (taken, rest) = self.text.split_at_checked(length).unwrap_or_default();
            self.text = rest;
            // Only texts are put in; if one was not, nothing of it is written.
            std::str::from_utf8(taken).unwrap_or_default()
        });
        let [before, after] = [record.before, record.after].map(|length| {
            let (taken, rest) = self.stands.split_at_checked(length).unwrap_or_default();
            self.stands = rest;
            taken
        });
        let (id, rest) = head.split_once('\n').unwrap_or_default();
        let (whose, scopes) = rest.split_once('\n').unwrap_or((rest, ""));
        Some((record, Row { head: Head { id, whose, scopes }, subject, before, after }))
    }
}

/// Writes the line of a record; `page` is that of its program.
pub(crate) fn write(bytes: &mut Vec<u8>, record: &Record, row: &Row<'_>, page: Option<&Page>) {
    match (&record.about, page) {
        (About::Decision { decision, error }, Some(page)) => {
            let mut json = Json(bytes);
            json.raw("{\"kind\":\"decision\",\"id\":");
            begin(&mut json, record, row, decision.number);
            decided(&mut json, decision, *error, row.subject, &page.program);
            limits(&mut json, "limits_before", row.before, &row.head, page);
            limits(&mut json, "limits_after", row.after, &row.head, page);
            json.raw(&page.end);
        }
        (About::Charge { charged, number, attempt, usage, settlement }, Some(page)) => {
            let mut json = Json(bytes);
            json.raw(match charged {
                Charged::Settlement => "{\"kind\":\"settlement\",\"decision\":",
                Charged::Adjustment => "{\"kind\":\"adjustment\",\"decision\":",
            });
            begin(&mut json, record, row, *number);
            charge(&mut json, *attempt, usage, settlement);
            limits(&mut json, "limits_after", row.after, &row.head, page);
            json.raw(&page.end);
        }
        (About::Line, _) => {
            bytes.extend_from_slice(row.subject.as_bytes());
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

/// The id of the decision, the time, and whose run it is; of a charge the run's id is enough.
fn begin(json: &mut Json<'_>, record: &Record, row: &Row<'_>, number: u64) {
    let id = row.head.id;
    json.raw(id.strip_suffix('"').unwrap_or(id));
    json.raw(".");
    json.number(number);
    json.raw("\",\"time\":");
    json.time(record.wall);
    if matches!(record.about, About::Decision { .. }) {
        json.raw(",");
        json.raw(row.head.whose);
    } else {
        json.raw(",\"run\":");
        json.raw(id);
    }
}

fn charge(json: &mut Json<'_>, attempt: u64, usage: &str, settlement: &Settlement) {
    counted(json, "attempt", Some(attempt));
    named(json, "usage", usage);
    amounts(json, "reserved", settlement.reserved_tokens, settlement.reserved_cost);
    amounts(json, "settled", settlement.tokens, settlement.cost);
}

/// `name.dimension` to [limit, spent, held], and [leased, whose] of a limit wider than a run.
fn limits(json: &mut Json<'_>, name: &str, stands: &[Stand], head: &Head<'_>, page: &Page) {
    json.raw(",\"");
    json.raw(name);
    json.raw("\":");
    let mut list = List::begin(json, "{");
    let (mut stands, mut scopes) = (stands.iter(), head.scopes.split('\n'));
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
