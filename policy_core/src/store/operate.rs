//! What people do to a ledger: correct an account, pin its bound, write off what the dead hold, declare that
//! the store lost something, answer what a run asks. Each act leaves a row that says who did what and why.

use super::account::Account;
use super::apply::QUARANTINE;
use super::approvals::{Approval, Given, Word};
use super::code::{Reader, Writer};
use super::flaw::{Bug, Flaw};
use super::message::AccountKey;
use super::prune::LEAST;
use super::records::{Meta, Record};
use super::rows::{RowKey, Rows};
use super::runs::{RunRow, Whereabouts};
use crate::fingerprint::{hex, sha256};
use crate::value::MAX_QUANTITY;

/// A node that was not heard of for so long may be gone.
const GONE: u64 = 60_000_000_000;
const LONGEST_ORDER: usize = 64;
const LONGEST_TEXT: usize = 512;

/// One act of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Changes what is spent in the account's latest window.
    Adjust {
        /// The account; it must exist.
        account: AccountKey,
        /// By how much.
        delta: i64,
    },
    /// Sets the most that an account's bound can be, whatever policies say; `None` takes the pin away.
    Pin {
        /// The account; it is made if it does not exist.
        account: AccountKey,
        /// The most.
        max: Option<u64>,
    },
    /// Takes back what nodes have leased of an account and will never use: an operator knows that they are
    /// gone. Only of nodes that were not heard of for a minute.
    WriteOff {
        /// The account; it must exist.
        account: AccountKey,
        /// One node, or all.
        node: Option<u128>,
    },
    /// Nodes, leases and accounts that were not heard of since an instant are forgotten as far as that gives
    /// nobody room. The order only notes it; [`super::prune`] does it, some rows at a time.
    Prune {
        /// The instant, at least a day ago.
        before: u64,
    },
    /// The store may have lost what it acknowledged: nobody is granted anything until every living node has
    /// said again what it holds.
    Restarted,
    /// Nobody goes on with a run that was suspended: its process is gone, or it is not wanted any more.
    DropRun {
        /// The run; it must wait or have been resumed, or its row be damaged.
        run: String,
    },
    /// Answers what a run asks a person. One answer stands.
    Answer {
        /// The run that asks; it must wait or have been resumed.
        run: String,
        /// The request's number there.
        request: u64,
        /// What is said. In the audit, of a text only its SHA-256.
        word: Word,
    },
}

/// An act with its grounds. The same id again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
    pub id: String,
    /// Who acts; at most 512 bytes, no control characters.
    pub who: String,
    /// Why; at most 512 bytes, no control characters.
    pub why: String,
    /// What is done.
    pub operation: Operation,
}

impl Order {
    /// What the audit keeps of it: a text is kept only as long as its run asks.
    fn audited(&self) -> Self {
        let mut order = self.clone();
        if let Operation::Answer { word: Word::Text(text), .. } = &mut order.operation {
            *text = hex(&sha256(&[text.as_bytes()]));
        }
        order
    }
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// Done.
    Done,
    /// The same order was done before; nothing has changed.
    Before,
    /// Another order has this id; nothing has changed.
    Taken,
    /// There is no ledger here.
    NoLedger,
    /// No such account has ever been used.
    NoAccount,
    /// No such run is suspended, and none that was resumed goes on.
    NoRun,
    /// No run asks this, or not any more.
    NoRequest,
    /// Somebody has answered it before; that stands, and nothing has changed.
    Answered(Given),
    /// It could be answered until then.
    Expired(u64),
    /// A question takes a text, anything else a yes or no; nothing has changed.
    OtherKind,
    /// The account's latest window has ended, and what it left to later ones would be the same; nothing has
    /// changed.
    Ended,
    /// The order or a stored row cannot be read; nothing has changed.
    Malformed(&'static str),
}

/// The rows that [`operate`] reads and writes; to drop a run, those of its requests too
/// ([`super::requests_of`]).
#[must_use]
pub fn operation_keys(order: &Order) -> Vec<RowKey> {
    let mut keys = vec![RowKey::meta(), RowKey::audit(&order.id)];
    if let Operation::Adjust { account, .. }
    | Operation::Pin { account, .. }
    | Operation::WriteOff { account, .. } = &order.operation
    {
        keys.push(RowKey::account(account));
    }
    if let Operation::DropRun { run } | Operation::Answer { run, .. } = &order.operation {
        keys.extend(RowKey::run(run));
    }
    if let Operation::Answer { run, request, .. } = &order.operation {
        keys.extend(RowKey::approval(run, *request));
    }
    keys
}

/// Does an order, at the store's wall clock.
pub fn operate(order: &Order, now: u64, rows: &mut Rows) -> Operated {
    attempt(order, now, rows, Bug::default()).unwrap_or_else(Operated::Malformed)
}

/// The same with a bug.
#[cfg(feature = "flaws")]
pub fn operate_with(order: &Order, now: u64, rows: &mut Rows, flaw: Option<Flaw>) -> Operated {
    attempt(order, now, rows, Bug { flaw }).unwrap_or_else(Operated::Malformed)
}

fn attempt(order: &Order, now: u64, rows: &mut Rows, bug: Bug) -> Result<Operated, &'static str> {
    check(order)?;
    let Some(mut meta) = Meta::load(&RowKey::meta(), rows)? else {
        return Ok(Operated::NoLedger);
    };
    let key = RowKey::audit(&order.id);
    if let Some(before) = Audit::load(&key, rows)? {
        return Ok(if before.order == order.audited() { Operated::Before } else { Operated::Taken });
    }
    let now = now.max(meta.now);
    meta.tick(now, bug);
    match &order.operation {
        Operation::Adjust { account: name, delta } => {
            let Some(mut account) = Account::load(&RowKey::account(name), rows)? else {
                return Ok(Operated::NoAccount);
            };
            let Some(window) = account.latest(now) else {
                return Ok(Operated::NoAccount);
            };
            let debt = window.debt();
            window.adjust(now, *delta, bug);
            if window.has_ended(now) && window.debt() == debt {
                return Ok(Operated::Ended);
            }
            account.carry(now);
            account.save(RowKey::account(name), rows);
        }
        Operation::Pin { account: name, max } => {
            let mut account = Account::load(&RowKey::account(name), rows)?.unwrap_or_default();
            account.pinned = *max;
            account.save(RowKey::account(name), rows);
        }
        Operation::WriteOff { account: name, node } => {
            let Some(mut account) = Account::load(&RowKey::account(name), rows)? else {
                return Ok(Operated::NoAccount);
            };
            let silence = if bug.is(Flaw::WriteOffHeard) { 0 } else { GONE };
            account.write_off(*node, now.saturating_sub(silence));
            account.save(RowKey::account(name), rows);
        }
        Operation::Restarted => {
            meta.epoch = meta.epoch.saturating_add(1);
            meta.quarantined_until = now.saturating_add(QUARANTINE);
        }
        Operation::Prune { before } if before.saturating_add(LEAST) > now => {
            return Err("what is younger than a day is not forgotten");
        }
        Operation::Prune { .. } => {}
        Operation::DropRun { run } => {
            let Some(key) = RowKey::run(run) else { return Ok(Operated::NoRun) };
            match RunRow::load(&key, rows) {
                Ok(Some(row)) if row.whereabouts != Whereabouts::Ended => row.end(run, now, rows),
                Err(_) => RunRow::unreadable().end(run, now, rows),
                Ok(_) => return Ok(Operated::NoRun),
            }
        }
        Operation::Answer { run, request, word } => {
            let (word, who, why) = (word.clone(), order.who.clone(), order.why.clone());
            let refused = Approval::answer((run, *request), Given { word, who, why, at: now }, rows)?;
            if let Some(refused) = refused {
                return Ok(refused);
            }
        }
    }
    meta.save(RowKey::meta(), rows);
    Audit { at: now, order: order.audited() }.save(key, rows);
    Ok(Operated::Done)
}

fn check(order: &Order) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text = |text: &str| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control);
    let amount = match &order.operation {
        Operation::Adjust { delta, .. } => delta.unsigned_abs(),
        Operation::Pin { max, .. } => max.unwrap_or(0),
        Operation::WriteOff { .. }
        | Operation::Restarted
        | Operation::DropRun { .. }
        | Operation::Answer { .. }
        | Operation::Prune { .. } => 0,
    };
    let is_answer = |text: &str| text.len() <= Word::LONGEST && !text.trim().is_empty();
    if order.id.is_empty() || order.id.len() > LONGEST_ORDER || !order.id.chars().all(plain) {
        Err("an order's id is 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`")
    } else if !(text(&order.who) && text(&order.why)) {
        Err("who and why are at most 512 bytes, without control characters")
    } else if order.why.trim().is_empty() {
        Err("an order says why; the reason is empty")
    } else if amount > MAX_QUANTITY {
        Err("an amount is at most 9007199254740991")
    } else if matches!(&order.operation, Operation::Answer { word: Word::Text(text), .. } if !is_answer(text))
    {
        Err("an answer is 1 to 16384 bytes long, and not only spaces")
    } else {
        Ok(())
    }
}

/// An order that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Audit {
    pub(super) at: u64,
    pub(super) order: Order,
}

impl Record for Audit {
    fn write(&self, writer: &mut Writer) {
        writer.number(self.at);
        for text in [&self.order.id, &self.order.who, &self.order.why] {
            writer.text(text);
        }
        match &self.order.operation {
            Operation::Adjust { account, delta } => {
                writer.number(0);
                writer.text(account.as_str());
                writer.signed(*delta);
            }
            Operation::Pin { account, max } => {
                writer.number(1);
                writer.text(account.as_str());
                writer.optional(*max);
            }
            Operation::Restarted => writer.number(2),
            Operation::WriteOff { account, node } => {
                writer.number(3);
                writer.text(account.as_str());
                writer.optional(node.map(|node| node.wrapping_shr(64) as u64));
                writer.number(node.unwrap_or(0) as u64);
            }
            Operation::DropRun { run } => {
                writer.number(4);
                writer.text(run);
            }
            Operation::Prune { before } => {
                writer.number(5);
                writer.number(*before);
            }
            Operation::Answer { run, request, word } => {
                writer.number(6);
                writer.text(run);
                writer.number(*request);
                word.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let at = reader.number()?;
        let (id, who, why) = (reader.text()?.into(), reader.text()?.into(), reader.text()?.into());
        let operation = match reader.number()? {
            0 => Operation::Adjust { account: reader.account()?, delta: reader.signed()? },
            1 => Operation::Pin { account: reader.account()?, max: reader.optional()? },
            2 => Operation::Restarted,
            3 => {
                let (account, high) = (reader.account()?, reader.optional()?);
                let low = u128::from(reader.number()?);
                Operation::WriteOff {
                    account,
                    node: high.map(|high| u128::from(high).wrapping_shl(64) | low),
                }
            }
            4 => Operation::DropRun { run: reader.text()?.into() },
            5 => Operation::Prune { before: reader.number()? },
            6 => Operation::Answer {
                run: reader.text()?.into(),
                request: reader.number()?,
                word: Word::read(reader)?,
            },
            _ => return None,
        };
        Some(Self { at, order: Order { id, who, why, operation } })
    }
}
