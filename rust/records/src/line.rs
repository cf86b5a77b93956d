//! Records as lines of JSON.

use std::sync::Arc;

use policy_core::{Decision, Stand};

use crate::batch::{About, Amounts, Batch, Charged, Kept, Record};
use crate::decided::decided;
use crate::head::Head;
use crate::json::{Instant, Json};
use crate::members::{amounts, counted, named};
use crate::page::Page;
use crate::readings::Readings;

/// A record with what stands beside it.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    record: &'a Record,
    decisions: &'a [Decision],
    pub(crate) head: Option<&'a Arc<Head>>,
    text: &'a str,
    before: &'a [Stand],
    after: &'a [Stand],
}

impl<'a> Row<'a> {
    pub(crate) fn of(record: &'a Record, batch: &'a Batch) -> Self {
        Self {
            record,
            decisions: &batch.decisions,
            head: record.head.and_then(|head| batch.heads.get(head as usize)),
            // Only texts are put in; if one was not, nothing of it is written.
            text: std::str::from_utf8(record.text.within(&batch.text)).unwrap_or_default(),
            before: record.before.within(&batch.stands),
            after: record.after.within(&batch.stands),
        }
    }
}

/// What writes lines: it remembers what many of them have in common.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    readings: Readings,
    instant: Instant,
}

impl Lines {
    /// Writes the line of a record; `page` is that of its program.
    pub(crate) fn write(&mut self, bytes: &mut Vec<u8>, row: &Row<'_>, page: Option<&Page>) {
        let (record, mut json) = (row.record, Json(bytes));
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
                json.raw("{\"kind\":\"decision\",\"id\":");
                self.begin(&mut json, record, head, decision.number);
                json.raw(",");
                json.raw(&head.whose);
                decided(&mut json, decision, *error, (*point, row.text), &page.program);
                json.raw(",\"limits_before\":");
                self.readings.write(&mut json, row.before, head, page);
                self.end(&mut json, row, head, page);
            }
            (About::Charge { charged, number, attempt, usage, amounts }, Some((page, head))) => {
                json.raw(match charged {
                    Charged::Settlement => "{\"kind\":\"settlement\",\"decision\":",
                    Charged::Adjustment => "{\"kind\":\"adjustment\",\"decision\":",
                });
                self.begin(&mut json, record, head, *number);
                json.raw(",\"run\":");
                json.raw(&head.id);
                json.raw("\"");
                charge(&mut json, *attempt, usage, amounts);
                self.end(&mut json, row, head, page);
            }
            (About::Line, _) => {
                json.raw(row.text);
                json.raw("\n");
            }
            (About::Gap { lost, why }, _) => self.gap(bytes, record.wall, *lost, why),
            (About::Decision { .. } | About::Charge { .. }, None) => {}
        }
    }

    /// Writes the line about records that are missing, the latest of that time.
    pub(crate) fn gap(&mut self, bytes: &mut Vec<u8>, wall: u64, lost: u64, why: &str) {
        let mut json = Json(bytes);
        json.raw("{\"kind\":\"gap\",\"time\":");
        self.instant.write(&mut json, wall);
        counted(&mut json, "lost", Some(lost));
        named(&mut json, "why", why);
        json.raw("}\n");
    }

    /// The id of the decision, and the time.
    fn begin(&mut self, json: &mut Json<'_>, record: &Record, head: &Head, number: u64) {
        json.raw(&head.id);
        json.raw(".");
        json.number(number);
        json.raw("\",\"time\":");
        self.instant.write(json, record.wall);
    }

    fn end(&mut self, json: &mut Json<'_>, row: &Row<'_>, head: &Arc<Head>, page: &Page) {
        json.raw(",\"limits_after\":");
        self.readings.write(json, row.after, head, page);
        json.raw(&page.end);
    }
}

fn charge(json: &mut Json<'_>, attempt: u64, usage: &str, charged: &Amounts) {
    counted(json, "attempt", Some(attempt));
    named(json, "usage", usage);
    amounts(json, "reserved", charged.reserved_tokens, charged.reserved_cost);
    amounts(json, "settled", charged.tokens, charged.cost);
}
