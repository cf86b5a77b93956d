//! Rows as bytes: numbers in as few bytes as can be, texts with their length, and at the end a checksum over
//! the row's name and content. A row that was damaged, cut short or stored under another name is not read.

use super::message::{AccountKey, Answer, Kind, Reply, Request};
use super::rows::RowKey;
use crate::fingerprint::xxh3_64;

/// The form of the rows. A row of another form is not read.
const FORM: u64 = 1;
const CHECKSUM: usize = 8;

fn checksum(key: &RowKey, content: &[u8]) -> [u8; CHECKSUM] {
    xxh3_64(content, xxh3_64(key.as_str().as_bytes(), 0)).to_le_bytes()
}

/// Writes a row.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn row() -> Self {
        let mut writer = Self::default();
        writer.number(FORM);
        writer
    }

    pub(super) fn seal(mut self, key: &RowKey) -> Vec<u8> {
        let sum = checksum(key, &self.bytes);
        self.bytes.extend_from_slice(&sum);
        self.bytes
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number > 0x7F {
            self.bytes.push((number & 0x7F) as u8 | 0x80);
            number = number.wrapping_shr(7);
        }
        self.bytes.push(number as u8);
    }

    /// Zigzag, so that small numbers are short on both sides of 0.
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number.wrapping_shl(1) ^ number.wrapping_shr(63)).cast_unsigned());
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn optional(&mut self, number: Option<u64>) {
        self.flag(number.is_some());
        if let Some(number) = number {
            self.number(number);
        }
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
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
                self.number(0);
                for number in [*seq, *nonce, *epoch, *now] {
                    self.number(number);
                }
                self.list(items, |writer, answer| {
                    for number in
                        [answer.granted, answer.max, answer.spent, answer.leased, answer.grants_used]
                    {
                        writer.number(number);
                    }
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

/// Reads a row; every part is there or the row is damaged.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn row(key: &RowKey, bytes: &'a [u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM>()?;
        if checksum(key, content) != *sum {
            return None;
        }
        let mut reader = Self { rest: content };
        (reader.number()? == FORM).then_some(reader)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            let placed = part.wrapping_shl(shift);
            if placed.wrapping_shr(shift) != part || (byte == 0 && shift > 0) {
                return None;
            }
            number |= placed;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        let half = number.wrapping_shr(1).cast_signed();
        Some(if number & 1 == 0 { half } else { !half })
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn account(&mut self) -> Option<AccountKey> {
        AccountKey::parse(self.text()?)
    }

    /// Outer `None`: damaged.
    #[expect(clippy::option_option, reason = "an optional number that may be damaged")]
    pub(super) fn optional(&mut self) -> Option<Option<u64>> {
        if self.flag()? { self.number().map(Some) } else { Some(None) }
    }

    pub(super) fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(each(self)?);
        }
        Some(items)
    }

    pub(super) fn kind(&mut self) -> Option<Kind> {
        match self.number()? {
            0 => Some(Kind::Forever),
            1 => Some(Kind::Calendar { id: self.signed()?, start: self.number()?, end: self.number()? }),
            2 => Some(Kind::Rolling { ns: self.number()? }),
            _ => None,
        }
    }

    pub(super) fn reply(&mut self) -> Option<Reply> {
        Some(match self.number()? {
            0 => {
                let (seq, nonce) = (self.number()?, self.number()?);
                let (epoch, now) = (self.number()?, self.number()?);
                let items = self.list(|reader| {
                    Some(Answer {
                        granted: reader.number()?,
                        max: reader.number()?,
                        spent: reader.number()?,
                        leased: reader.number()?,
                        grants_used: reader.number()?,
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
