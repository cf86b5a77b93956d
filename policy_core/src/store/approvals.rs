//! Requests to people that wait in the store: a row each, written with the run that asks, answered once, and
//! taken along by whoever goes on with the run.

use super::code::{Reader, Writer};
use super::operate::Operated;
use super::records::Record;
use super::rows::{RowKey, Rows};
use super::runs::{RunRow, Whereabouts};

/// What a person says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// What a question is answered with.
    Text(String),
}

impl Word {
    /// As many bytes as an answer to a question may have.
    pub const LONGEST: usize = 16 << 10;

    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Approve => writer.number(0),
            Self::Reject => writer.number(1),
            Self::Text(text) => {
                writer.number(2);
                writer.text(text);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match reader.number()? {
            0 => Self::Approve,
            1 => Self::Reject,
            2 => Self::Text(reader.text()?.to_owned()),
            _ => return None,
        })
    }
}

/// An open request of a run that is suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its number in the run.
    pub request: u64,
    /// What an answer is for, as a digest.
    pub bound: [u8; 32],
    /// It wants a text, not a yes.
    pub is_question: bool,
    /// For how long it may still be answered, in nanoseconds.
    pub left: u64,
    /// What people see of it. Empty if that is in the store already.
    pub shown: Vec<u8>,
}

/// An answer that goes along with its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The request's number in the run.
    pub request: u64,
    /// What it is for.
    pub bound: [u8; 32],
    /// What was said.
    pub word: Word,
    /// Who said it.
    pub who: String,
    /// How long ago, in nanoseconds.
    pub ago: u64,
}

/// An answer as it stands in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What was said.
    pub word: Word,
    /// Who said it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When, by the store's clock.
    pub at: u64,
}

/// The row of a request. It goes when its run has ended or asks no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Approval {
    /// The first life's holder of the run that asks.
    pub(super) origin: u128,
    pub(super) bound: [u8; 32],
    pub(super) is_question: bool,
    pub(super) asked: u64,
    pub(super) expires: u64,
    pub(super) shown: Vec<u8>,
    pub(super) given: Option<Given>,
}

impl Approval {
    /// Writes the requests of the run `id`. One that is there already stays as it is, with its answer; one
    /// that is damaged stays too, and nobody answers it. Those of `before` that are not asked any more go.
    pub(super) fn park(
        (id, origin): (&str, u128),
        asks: &[Ask],
        before: &[u64],
        now: u64,
        rows: &mut Rows,
    ) -> Vec<u64> {
        let mut kept = Vec::new();
        for Ask { request, bound, is_question, left, shown } in asks {
            let Some(key) = RowKey::approval(id, *request) else { continue };
            let is_there = match Self::load(&key, rows) {
                Ok(known) => known.is_some_and(|row| (row.origin, row.bound) == (origin, *bound)),
                Err(_) => true,
            };
            if !is_there && shown.is_empty() {
                continue;
            }
            if !is_there {
                let (expires, shown) = (now.saturating_add(*left), shown.clone());
                let row = Self {
                    origin,
                    bound: *bound,
                    is_question: *is_question,
                    asked: now,
                    expires,
                    shown,
                    given: None,
                };
                row.save(key, rows);
            }
            kept.push(*request);
        }
        forget(id, before.iter().filter(|request| !kept.contains(request)), rows);
        kept
    }

    /// The answers to these requests of the run `id`. What is damaged is no answer.
    pub(super) fn answers(
        (id, origin): (&str, u128),
        requests: &[u64],
        now: u64,
        rows: &Rows,
    ) -> Vec<Answered> {
        let answered = |&request: &u64| {
            let row = Self::load(&RowKey::approval(id, request)?, rows).ok()??;
            let given = row.given.filter(|_| row.origin == origin)?;
            let ago = now.saturating_sub(given.at);
            Some(Answered { request, bound: row.bound, word: given.word, who: given.who, ago })
        };
        requests.iter().filter_map(answered).collect()
    }

    /// Takes a person's answer. `None`: it stands from now on.
    pub(super) fn answer(
        (id, request): (&str, u64),
        given: Given,
        rows: &mut Rows,
    ) -> Result<Option<Operated>, &'static str> {
        let (Some(run), Some(key)) = (RowKey::run(id), RowKey::approval(id, request)) else {
            return Ok(Some(Operated::NoRequest));
        };
        let is_over = |row: &RunRow| row.whereabouts == Whereabouts::Ended;
        let Some(run) = RunRow::load(&run, rows)?.filter(|row| !is_over(row)) else {
            return Ok(Some(Operated::NoRequest));
        };
        let Some(mut row) = Self::load(&key, rows)?.filter(|row| row.origin == run.life.origin) else {
            return Ok(Some(Operated::NoRequest));
        };
        if let Some(before) = row.given {
            return Ok(Some(Operated::Answered(before)));
        }
        if given.at > row.expires {
            return Ok(Some(Operated::Expired(row.expires)));
        }
        let fits = match given.word {
            Word::Approve => !row.is_question,
            Word::Reject => true,
            Word::Text(_) => row.is_question,
        };
        if !fits {
            return Ok(Some(Operated::OtherKind));
        }
        row.given = Some(given);
        row.save(key, rows);
        Ok(None)
    }
}

/// The rows of these requests go, damaged ones too.
pub(super) fn forget<'a>(id: &str, requests: impl IntoIterator<Item = &'a u64>, rows: &mut Rows) {
    for request in requests {
        if let Some(key) = RowKey::approval(id, *request) {
            rows.put(key, None);
        }
    }
}

impl Record for Approval {
    fn write(&self, writer: &mut Writer) {
        writer.fixed(&self.origin.to_le_bytes());
        writer.fixed(&self.bound);
        writer.flag(self.is_question);
        writer.number(self.asked);
        writer.number(self.expires);
        writer.bytes(&self.shown);
        writer.flag(self.given.is_some());
        if let Some(Given { word, who, why, at }) = &self.given {
            word.write(writer);
            writer.text(who);
            writer.text(why);
            writer.number(*at);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (origin, bound) = (u128::from_le_bytes(reader.fixed()?), reader.fixed()?);
        let (is_question, asked, expires) = (reader.flag()?, reader.number()?, reader.number()?);
        let shown = reader.bytes()?.to_vec();
        let given = if reader.flag()? {
            let word = Word::read(reader)?;
            let (who, why) = (reader.text()?.to_owned(), reader.text()?.to_owned());
            Some(Given { word, who, why, at: reader.number()? })
        } else {
            None
        };
        Some(Self { origin, bound, is_question, asked, expires, shown, given })
    }
}
