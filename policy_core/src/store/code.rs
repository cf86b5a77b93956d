//! Rows as bytes, with a checksum over the row's name and content. A row that was damaged, cut short or
//! stored under another name is not read.

use super::message::{AccountKey, Answer, Kind, Refusal, Reply, Request};
use super::rows::RowKey;
pub(super) use crate::code::{Reader, Writer};
use crate::fingerprint::xxh3_64;

/// The form of the rows. A row of another form is not read.
const FORM: u64 = 1;

fn seed(key: &RowKey) -> u64 {
    xxh3_64(key.as_str().as_bytes(), 0)
}

impl Writer {
    pub(super) fn row() -> Self {
        let mut writer = Self::default();
        writer.number(FORM);
        writer
    }

    pub(super) fn seal(self, key: &RowKey) -> Vec<u8> {
        self.sealed(seed(key))
    }

    pub(super) fn kind(&mut self, kind: Kind) {
        match kind {
            Kind::Forever => self.number(0),
            Kind::Calendar { id, start, end } => {
                self.number(1);
                self.signed(id);
                self.number(start);
                self.number(end);
            }
            Kind::Rolling { ns } => {
                self.number(2);
                self.number(ns);
            }
        }
    }

    /// A reply that is kept; the others never are.
    pub(super) fn reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Done { seq, nonce, epoch, now, items } => {
                self.number(4);
                for number in [*seq, *nonce, *epoch, *now] {
                    self.number(number);
                }
                self.list(items, |writer, answer| {
                    let Answer { granted, max, spent, leased, grants_used, silent, refused } = *answer;
                    for number in [granted, max, spent, leased, grants_used, silent] {
                        writer.number(number);
                    }
                    let place = |why| Refusal::ALL.iter().position(|each| *each == why);
                    writer.optional(refused.and_then(place).map(|place| place as u64));
                });
            }
            Reply::Reassert { seq, epoch } => {
                self.number(1);
                self.number(*seq);
                self.number(*epoch);
            }
            Reply::Clock { seq, now } => {
                self.number(2);
                self.number(*seq);
                self.number(*now);
            }
            _ => self.number(3),
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn row(key: &RowKey, bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Self::sealed(bytes, seed(key))?;
        (reader.number()? == FORM).then_some(reader)
    }

    pub(super) fn account(&mut self) -> Option<AccountKey> {
        AccountKey::parse(self.text()?)
    }

    pub(super) fn kind(&mut self) -> Option<Kind> {
        match self.number()? {
            0 => Some(Kind::Forever),
            1 => Some(Kind::Calendar { id: self.signed()?, start: self.number()?, end: self.number()? }),
            2 => Some(Kind::Rolling { ns: self.number()? }),
            _ => None,
        }
    }

    /// Outer `None`: damaged.
    #[expect(clippy::option_option, reason = "an optional refusal that may be damaged")]
    fn refusal(&mut self) -> Option<Option<Refusal>> {
        let Some(place) = self.optional()? else { return Some(None) };
        Refusal::ALL.get(usize::try_from(place).ok()?).copied().map(Some)
    }

    pub(super) fn reply(&mut self) -> Option<Reply> {
        Some(match self.number()? {
            // 0 is an answer from before anything was said of the silent, or refused.
            form @ (0 | 4) => {
                let (seq, nonce) = (self.number()?, self.number()?);
                let (epoch, now) = (self.number()?, self.number()?);
                let items = self.list(|reader| {
                    Some(Answer {
                        granted: reader.number()?,
                        max: reader.number()?,
                        spent: reader.number()?,
                        leased: reader.number()?,
                        grants_used: reader.number()?,
                        silent: if form == 0 { 0 } else { reader.number()? },
                        refused: if form == 0 { None } else { reader.refusal()? },
                    })
                })?;
                Reply::Done { seq, nonce, epoch, now, items }
            }
            1 => Reply::Reassert { seq: self.number()?, epoch: self.number()? },
            2 => Reply::Clock { seq: self.number()?, now: self.number()? },
            _ => Reply::NoLedger,
        })
    }
}

/// Tells two requests of the same number apart.
pub(super) fn digest(request: &Request) -> u64 {
    let mut writer = Writer::default();
    writer.number(request.epoch);
    writer.number(request.seen);
    writer.number(request.wall);
    writer.flag(request.closing);
    writer.flag(request.more);
    writer.list(&request.items, |writer, item| {
        writer.text(item.account.as_str());
        writer.number(item.max);
        writer.kind(item.kind);
        writer.list(&item.reported, |writer, (age, amount)| {
            writer.number(*age);
            writer.number(*amount);
        });
        for number in [item.debt, item.refund, item.give_back, item.need, item.want] {
            writer.number(number);
        }
        writer.optional(item.grant.map(|(amount, _)| amount));
        writer.optional(item.grant.map(|(_, times)| times));
        writer.flag(item.closing);
    });
    writer.list(&request.claims, |writer, claim| {
        writer.text(claim.account.as_str());
        writer.kind(claim.kind);
        writer.number(claim.granted);
        writer.number(claim.reported);
    });
    xxh3_64(&writer.bytes, request.seq)
}
