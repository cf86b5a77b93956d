//! The rows about the ledger, its nodes and their leases. (Accounts have a file of their own.)

use super::apply::QUARANTINE;
use super::code::{Reader, Writer};
use super::flaw::{Bug, Flaw};
use super::message::Reply;
use super::rows::{RowKey, Rows};

/// Why nothing is done about a row that cannot be read.
pub const DAMAGED: &str = "a stored row is damaged";

/// Something that is stored in one row.
pub(super) trait Record: Sized {
    fn write(&self, writer: &mut Writer);
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// What a row's bytes say; `None` if they are damaged.
    fn decode(key: &RowKey, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::row(key, bytes)?;
        let record = Self::read(&mut reader)?;
        reader.end()?;
        Some(record)
    }

    /// The row, if there is one.
    fn load(key: &RowKey, rows: &Rows) -> Result<Option<Self>, &'static str> {
        match rows.get(key) {
            None => Ok(None),
            Some(bytes) => Self::decode(key, bytes).map(Some).ok_or(DAMAGED),
        }
    }

    fn save(&self, key: RowKey, rows: &mut Rows) {
        let mut writer = Writer::row();
        self.write(&mut writer);
        let bytes = writer.seal(&key);
        rows.put(key, Some(bytes));
    }
}

/// The ledger as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// A random number: which ledger this is.
    pub(super) ledger: u64,
    /// Goes up whenever the store is found to have lost something.
    pub(super) epoch: u64,
    /// The latest time seen.
    pub(super) now: u64,
    /// Nothing is granted before this time.
    pub(super) quarantined_until: u64,
    /// Before this time nobody was heard of for a while: the store was away, or its clock jumped.
    pub(super) awake: u64,
}

/// Nodes that have something are heard of every other second. If nobody is for so long, that says nothing of
/// any.
pub(super) const QUIET: u64 = 10_000_000_000;
/// The store's time is written down once in so long, lest every request writes the same row.
const GRAIN: u64 = 100_000_000;

impl Meta {
    /// Time goes on, never back. Whether that is to be written down. While the store was away, or its clock
    /// jumped, nobody could say again what it holds: a quarantine that was under way begins anew.
    pub(super) fn tick(&mut self, now: u64, bug: Bug) -> bool {
        let passed = now.saturating_sub(self.now);
        if passed > QUIET {
            self.awake = now;
            if self.quarantined_until > self.now && !bug.is(Flaw::QuarantineRuns) {
                self.quarantined_until = now.saturating_add(QUARANTINE);
            }
        }
        if passed >= GRAIN {
            self.now = now;
        }
        passed >= GRAIN
    }
}

impl Record for Meta {
    fn write(&self, writer: &mut Writer) {
        for number in [self.ledger, self.epoch, self.now, self.quarantined_until, self.awake] {
            writer.number(number);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            ledger: reader.number()?,
            epoch: reader.number()?,
            now: reader.number()?,
            quarantined_until: reader.number()?,
            awake: reader.number()?,
        })
    }
}

/// What is kept of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The number of its last request.
    pub(super) seq: u64,
    /// What that request said, as a digest.
    pub(super) digest: u64,
    /// The nonce of its last `Done`.
    pub(super) nonce: u64,
    /// When it was heard of last.
    pub(super) heard: u64,
    /// It has ended.
    pub(super) closed: bool,
    /// What it was answered.
    pub(super) reply: Reply,
}

impl Node {
    /// A node that was never heard of.
    pub(super) const fn unknown() -> Self {
        Self { seq: 0, digest: 0, nonce: 0, heard: 0, closed: false, reply: Reply::NoLedger }
    }
}

impl Record for Node {
    fn write(&self, writer: &mut Writer) {
        for number in [self.seq, self.digest, self.nonce, self.heard] {
            writer.number(number);
        }
        writer.flag(self.closed);
        writer.reply(&self.reply);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            seq: reader.number()?,
            digest: reader.number()?,
            nonce: reader.number()?,
            heard: reader.number()?,
            closed: reader.flag()?,
            reply: reader.reply()?,
        })
    }
}

/// What a node has leased of one window of an account. What is open may be spent at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) window: i64,
    /// In all, with debt, less what was given back or refunded.
    pub(super) granted: u64,
    /// In all, less what was refunded; at most `granted`.
    pub(super) reported: u64,
}

impl Share {
    pub(super) const fn open(&self) -> u64 {
        self.granted.saturating_sub(self.reported)
    }
}

/// What a node has leased of an account, by window, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) shares: Vec<Share>,
}

impl Lease {
    pub(super) fn share(&self, window: i64) -> Share {
        let found = self.shares.iter().find(|share| share.window == window);
        found.copied().unwrap_or(Share { window, ..Share::default() })
    }

    pub(super) fn set(&mut self, share: Share) {
        self.forget(share.window);
        let place = self.shares.partition_point(|other| other.window < share.window);
        self.shares.insert(place, share);
    }

    pub(super) fn forget(&mut self, window: i64) {
        self.shares.retain(|share| share.window != window);
    }
}

impl Record for Lease {
    fn write(&self, writer: &mut Writer) {
        writer.list(&self.shares, |writer, share| {
            writer.signed(share.window);
            writer.number(share.granted);
            writer.number(share.reported);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let shares = reader.list(|reader| {
            Some(Share { window: reader.signed()?, granted: reader.number()?, reported: reader.number()? })
        })?;
        Some(Self { shares })
    }
}
