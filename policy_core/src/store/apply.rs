//! What a request does to the rows, in one transaction: all of it, or nothing.

use super::code::digest;
use super::flaw::{Bug, Flaw};
use super::items::Work;
use super::message::{Answer, Item, Kind, Reply, Request};
use super::records::{Meta, Node, QUIET, Record};
use super::rows::{RowKey, Rows};
use super::window::APART;
use crate::value::MAX_QUANTITY;

/// After a loss nothing is granted for so long: every living node is heard of in that time. It begins anew
/// with each part of what a node says again, until the last.
pub(super) const QUARANTINE: u64 = 20_000_000_000;

/// So long after the last write even who says nothing new is written down: if it took longer, all nodes would
/// seem to have been silent.
const SOON: u64 = QUIET - 2_000_000_000;
/// That a node was heard of is written down at least that often.
const SEEN: u64 = 20_000_000_000;

/// The rows that [`apply`] reads and writes.
#[must_use]
pub fn keys(request: &Request) -> Vec<RowKey> {
    let mut keys = vec![RowKey::meta(), RowKey::node(request.node)];
    let items = request.items.iter().map(|item| &item.account);
    for account in items.chain(request.claims.iter().map(|claim| &claim.account)) {
        keys.push(RowKey::account(account));
        keys.push(RowKey::lease(request.node, account));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Makes a ledger in the row [`RowKey::meta`], with a random number that tells it from others; `false` if
/// there is one already.
pub fn create(now: u64, nonce: u64, rows: &mut Rows) -> bool {
    let key = RowKey::meta();
    if rows.get(&key).is_some() {
        return false;
    }
    Meta { ledger: nonce, epoch: 1, now, quarantined_until: 0, awake: now }.save(key, rows);
    true
}

/// Does a request, at the store's wall clock. `nonce` is a random number, not 0.
pub fn apply(request: &Request, now: u64, nonce: u64, rows: &mut Rows) -> Reply {
    answer(request, now, nonce, rows, Bug::default())
}

/// The same with a bug.
#[cfg(feature = "flaws")]
pub fn apply_with(request: &Request, now: u64, nonce: u64, rows: &mut Rows, flaw: Option<Flaw>) -> Reply {
    answer(request, now, nonce, rows, Bug { flaw })
}

fn answer(request: &Request, now: u64, nonce: u64, rows: &mut Rows, bug: Bug) -> Reply {
    if bug.is(Flaw::LedgerMade) {
        create(now, nonce, rows);
    }
    let malformed = |why| Reply::Malformed { seq: request.seq, why };
    match Transaction::begin(request, now, nonce, rows, bug) {
        Err(why) => malformed(why),
        Ok(None) => Reply::NoLedger,
        Ok(Some(transaction)) => transaction.run(rows).unwrap_or_else(malformed),
    }
}

struct Transaction<'a> {
    request: &'a Request,
    now: u64,
    nonce: u64,
    bug: Bug,
    meta: Meta,
    /// When the ledger's row was written last.
    written: u64,
    /// Whether the ledger's row is to be written.
    is_changed: bool,
    node: Node,
}

impl<'a> Transaction<'a> {
    fn begin(
        request: &'a Request,
        now: u64,
        nonce: u64,
        rows: &Rows,
        bug: Bug,
    ) -> Result<Option<Self>, &'static str> {
        let Some(mut meta) = Meta::load(&RowKey::meta(), rows)? else {
            return Ok(None);
        };
        let now = now.max(meta.now);
        let written = meta.now;
        let is_changed = meta.tick(now, bug);
        let node = Node::load(&RowKey::node(request.node), rows)?.unwrap_or_else(Node::unknown);
        Ok(Some(Self { request, now, nonce, bug, meta, written, is_changed, node }))
    }

    fn run(mut self, rows: &mut Rows) -> Result<Reply, &'static str> {
        let request = self.request;
        let (repeated, late) = (request.seq == self.node.seq, request.seq < self.node.seq);
        if repeated && !self.bug.is(Flaw::RepeatDone) {
            let same = digest(request) == self.node.digest;
            return Ok(if same { self.node.reply } else { Reply::Fenced { seq: request.seq } });
        }
        if late && !self.bug.is(Flaw::StaleDone) {
            return Ok(Reply::Stale { seq: request.seq });
        }
        if self.node.closed {
            return Ok(Reply::Fenced { seq: request.seq });
        }
        check(request)?;
        if !(repeated || late)
            && let Some(reply) = self.discontinued()
        {
            return Ok(self.keep(reply, rows));
        }
        if let Some(place) = request.items.iter().position(|item| !in_time(item, self.now)) {
            if self.bug.is(Flaw::HalfDone) {
                let mut work = self.work();
                for item in request.items.iter().take(place) {
                    let _ = work.item(item, rows);
                }
                work.save(rows);
            }
            let reply = Reply::Clock { seq: request.seq, now: self.now };
            return Ok(self.keep(reply, rows));
        }
        Ok(self.done(rows))
    }

    /// Whether a node that says nothing need not be written down: nobody has to see that it was heard of.
    fn is_idle(&self) -> bool {
        let is_late = |written: u64, most: u64| self.now.saturating_sub(written) >= most;
        self.request.is_blank()
            && self.node.seq > 0
            && !is_late(self.written, SOON)
            && !is_late(self.node.heard, SEEN)
    }

    /// The node and the store do not know the same past: one of the two is told to say it again.
    fn discontinued(&mut self) -> Option<Reply> {
        let request = self.request;
        let reassert = |epoch| Some(Reply::Reassert { seq: request.seq, epoch });
        let ahead = request.epoch > self.meta.epoch;
        if request.epoch != 0 && request.epoch < self.meta.epoch {
            return reassert(self.meta.epoch);
        }
        let told = request.seen == 0 && request.seq > 1 && request.items.is_empty() && request.epoch != 0;
        let other = request.seen != self.node.nonce && !told && !self.bug.is(Flaw::NonceIgnored);
        if !(ahead || other) {
            return None;
        }
        self.meta.epoch = self.meta.epoch.max(request.epoch).saturating_add(1);
        self.meta.quarantined_until = self.now.saturating_add(QUARANTINE);
        self.is_changed = true;
        reassert(self.meta.epoch)
    }

    fn work(&self) -> Work {
        let quarantined = self.now < self.meta.quarantined_until && !self.bug.is(Flaw::NoQuarantine);
        Work::new(self.request.node, self.now, self.meta.awake, !quarantined, self.bug)
    }

    fn done(mut self, rows: &mut Rows) -> Reply {
        let request = self.request;
        let mut work = self.work();
        // What cannot be done of one account is no reason to leave the others waiting.
        let claims = request.claims.iter().map(|claim| work.claim(claim, rows)).collect::<Vec<_>>();
        let items = request.items.iter().map(|item| work.item(item, rows));
        let items = claims.into_iter().chain(items).map(|done| done.unwrap_or_else(Answer::from)).collect();
        work.save(rows);
        if request.more && self.now < self.meta.quarantined_until && !self.bug.is(Flaw::PartsUnawaited) {
            self.meta.quarantined_until = self.now.saturating_add(QUARANTINE);
            self.is_changed = true;
        }
        // A copy of a request that says nothing may be written down after another was answered without that:
        // nobody could tell which of two nonces the node has.
        if !request.is_blank() || self.node.seq == 0 {
            self.node.nonce = self.nonce;
        }
        self.node.closed = request.closing;
        let (seq, nonce, epoch, now) = (request.seq, self.node.nonce, self.meta.epoch, self.now);
        let reply = Reply::Done { seq, nonce, epoch, now, items };
        if self.is_idle() { reply } else { self.keep(reply, rows) }
    }

    /// Writes down what the node was answered.
    fn keep(mut self, reply: Reply, rows: &mut Rows) -> Reply {
        if self.is_changed {
            self.meta.save(RowKey::meta(), rows);
        }
        self.node.seq = self.node.seq.max(self.request.seq);
        self.node.digest = digest(self.request);
        self.node.heard = self.now;
        self.node.reply = reply.clone();
        self.node.save(RowKey::node(self.request.node), rows);
        reply
    }
}

/// Whether an item asks for nothing but what a window has that there is now. What was spent can be reported
/// in any.
fn in_time(item: &Item, now: u64) -> bool {
    let Kind::Calendar { start, end, .. } = item.kind else {
        return true;
    };
    let asks = item.need > 0 || item.want > 0 || item.grant.is_some();
    !asks || (start <= now.saturating_add(APART) && now < end.saturating_add(APART))
}

/// What no request may say.
fn check(request: &Request) -> Result<(), &'static str> {
    if request.seq == 0 {
        return Err("requests are numbered from 1");
    }
    if request.items.len() > Request::MOST_ITEMS {
        return Err("a request has too many items");
    }
    if request.claims.len() > Request::MOST_CLAIMS {
        return Err("a request has too many claims");
    }
    if !(request.claims.is_empty() || request.items.is_empty()) {
        return Err("a request has both items and claims");
    }
    let within = |amount: u64| amount <= MAX_QUANTITY;
    let kind = |kind: &Kind| match kind {
        Kind::Forever => true,
        Kind::Calendar { start, end, .. } => start < end,
        Kind::Rolling { ns } => *ns > 0,
    };
    let item = |item: &Item| {
        let amounts = [item.max, item.debt, item.refund, item.give_back, item.need, item.want];
        amounts.into_iter().all(within)
            && item.grant.is_none_or(|(amount, times)| within(amount) && within(times))
            && item.reported.iter().all(|(_, amount)| within(*amount))
            && kind(&item.kind)
    };
    let claims = request.claims.iter().all(|claim| claim.reported <= claim.granted && kind(&claim.kind));
    if claims && request.items.iter().all(item) { Ok(()) } else { Err("an amount cannot be") }
}
