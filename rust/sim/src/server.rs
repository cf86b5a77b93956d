//! The store: its rows, its clock, and what a power cut takes from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use policy_core::store::{
    AccountKey, Answer, Operated, Operation, Order, Refusal, Reply, Request, RowKey, Rows, Shown, apply_with,
    create, describe_row, keys, operate_with, operation_keys,
};

use crate::random::Random;
use crate::scenario::{Broken, SECOND};
use crate::shadow::{Before, Granted, QUARANTINE, Shadow, WrittenOff};

/// What one transaction changed, to be taken back by a power cut.
#[derive(Clone, Debug)]
struct Undo {
    at: u64,
    rows: Vec<(RowKey, Option<Vec<u8>>)>,
    shadow: Before,
    quiet_until: u64,
    wiped: bool,
    node: u128,
    seq: u64,
    nonce: u64,
    granted: Vec<(String, Granted)>,
}

/// What a power cut took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loss {
    pub(crate) granted: Vec<(u128, String, Granted)>,
}

/// As many claims as a node says at a time: so few that it has more.
pub(crate) fn most_claims(node: u128) -> usize {
    [1, 2, Request::MOST_CLAIMS][(node % 3) as usize]
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) rows: BTreeMap<RowKey, Vec<u8>>,
    pub(crate) shadow: Shadow,
    pub(crate) offset: i64,
    /// (since, offset)
    offsets: Vec<(u64, i64)>,
    pub(crate) up: bool,
    relaxed: bool,
    broken: Broken,
    undo: VecDeque<Undo>,
    /// Nonces of answers that a power cut took.
    forgotten: BTreeSet<u64>,
    /// Nothing may be granted before this, by the store's clock.
    pub(crate) quiet_until: u64,
    /// Nodes that have said again what they hold since the last loss.
    pub(crate) told: BTreeSet<u128>,
    /// Answers given: node, number of the request.
    given: BTreeMap<(u128, u64), Reply>,
    pub(crate) wiped: bool,
    orders: u64,
    /// Rows that something else has changed: as they were, and as they are.
    damaged: BTreeMap<RowKey, (Vec<u8>, Vec<u8>)>,
    /// What an operator was answered that must not be.
    wrong: Option<String>,
}

impl Server {
    pub(crate) fn new(now: u64, relaxed: bool, broken: Broken) -> Self {
        let mut rows = Rows::new();
        create(now, 1, &mut rows);
        let rows = rows.iter().map(|(key, bytes)| (key.clone(), bytes.to_vec())).collect();
        Self {
            rows,
            shadow: Shadow::new(now),
            offset: 0,
            offsets: vec![(now, 0)],
            up: true,
            relaxed,
            broken,
            undo: VecDeque::new(),
            forgotten: BTreeSet::new(),
            quiet_until: 0,
            told: BTreeSet::new(),
            given: BTreeMap::new(),
            wiped: false,
            orders: 0,
            damaged: BTreeMap::new(),
            wrong: None,
        }
    }

    pub(crate) fn jump(&mut self, now: u64, by: i64) {
        self.offset += by;
        self.offsets.push((now, self.offset));
    }

    /// How far the clock's deviations since an instant are apart.
    pub(crate) fn spread(&self, since: u64) -> u64 {
        let first = self.offsets.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        let offsets = self.offsets[first..].iter().map(|(_, offset)| *offset);
        let (low, high) = offsets.fold((i64::MAX, i64::MIN), |(low, high), o| (low.min(o), high.max(o)));
        high.abs_diff(low)
    }

    /// The clock as the store uses it: never before what it has written down, also if that row is damaged
    /// just now.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        let meta = RowKey::meta();
        let good = self.damaged.get(&meta).map(|(good, _)| good);
        let bytes = good.or_else(|| self.rows.get(&meta));
        let shown = bytes.and_then(|bytes| describe_row(&meta, bytes, 0));
        let written = if let Some(Shown::Ledger { now, .. }) = shown { now } else { 0 };
        now.saturating_add_signed(self.offset).max(written)
    }

    fn load(&self, keys: Vec<RowKey>) -> Rows {
        let mut rows = Rows::new();
        for key in keys {
            let value = self.rows.get(&key).cloned();
            rows.load(key, value);
        }
        rows
    }

    fn commit(&mut self, rows: &Rows) -> Vec<(RowKey, Option<Vec<u8>>)> {
        let mut before = Vec::new();
        for (key, value) in rows.changes() {
            let old = match value {
                Some(value) => self.rows.insert(key.clone(), value.to_vec()),
                None => self.rows.remove(key),
            };
            before.push((key.clone(), old));
        }
        before
    }

    /// Does a request, and judges what was done. Grants that were made are returned with the reply.
    pub(crate) fn apply(
        &mut self,
        request: &Request,
        now: u64,
        nonce: u64,
    ) -> Result<(Reply, Vec<(String, Granted)>), String> {
        let flaw = if let Broken::Store(flaw) = self.broken { Some(flaw) } else { None };
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let mut rows = self.load(keys(request));
        let clock = self.clock(now);
        let reply = apply_with(request, now.saturating_add_signed(self.offset), nonce, &mut rows, flaw);
        let shadow = self.relaxed.then(|| self.shadow.before(accounts(request)));
        let (quiet_until, wiped) = (self.quiet_until, self.wiped);
        let before = self.commit(&rows);
        let known = self.given.get(&(request.node, request.seq));
        let repeated = known.is_some_and(|known| *known == reply);
        let mut granted = Vec::new();
        if !before.is_empty() {
            self.shadow.tick(clock, &mut self.quiet_until);
        }
        match &reply {
            Reply::Done { items, .. } if !repeated => {
                if known.is_some() && !request.is_blank() {
                    return Err("a request was done twice".to_owned());
                }
                if self.forgotten.contains(&request.seen) {
                    return Err("a loss was not noticed".to_owned());
                }
                self.check_refusals(request, items)?;
                let grants = self.shadow.done(request, clock, items)?;
                granted.extend(grants.into_iter().filter(|(_, granted)| granted.amount > 0));
                if !granted.is_empty() && clock < self.quiet_until {
                    return Err("a grant too soon after a loss".to_owned());
                }
                if request.more && clock < self.quiet_until {
                    self.quiet_until = clock + QUARANTINE;
                } else if !request.more && request.epoch > 0 {
                    self.told.insert(request.node);
                }
            }
            Reply::Reassert { .. } if !repeated => self.note_epoch(&before, clock),
            Reply::Malformed { why, .. } if !(before.is_empty() && self.cannot_read(request)) => {
                return Err(format!("a good request was refused: {why}"));
            }
            _ => {}
        }
        if matches!(reply, Reply::Done { .. } | Reply::Reassert { .. } | Reply::Clock { .. }) {
            self.given.insert((request.node, request.seq), reply.clone());
        }
        if !self.wiped {
            let accounts = request.items.iter().map(|item| &item.account);
            let whole = accounts.filter(|account| !self.damaged.contains_key(&RowKey::account(account)));
            self.shadow.compare(whole, &self.rows, clock)?;
        }
        if let Some(shadow) = shadow
            && !before.is_empty()
        {
            let (node, seq, granted) = (request.node, request.seq, granted.clone());
            let nonce = if matches!(reply, Reply::Done { .. }) { nonce } else { 0 };
            self.remember(
                Undo { at: now, rows: before, shadow, quiet_until, wiped, node, seq, nonce, granted },
                now,
            );
        }
        Ok((reply, granted))
    }

    fn note_epoch(&mut self, before: &[(RowKey, Option<Vec<u8>>)], clock: u64) {
        let meta = RowKey::meta();
        let epoch = |bytes: &[u8]| match describe_row(&meta, bytes, 0) {
            Some(Shown::Ledger { epoch, .. }) => epoch,
            _ => 0,
        };
        let old = before.iter().find(|(key, _)| *key == meta).and_then(|(_, old)| old.as_deref());
        if let (Some(old), Some(new)) = (old, self.rows.get(&meta))
            && epoch(old) < epoch(new)
        {
            self.quiet_until = clock + QUARANTINE;
        }
    }

    fn remember(&mut self, undo: Undo, now: u64) {
        self.undo.push_back(undo);
        while self.undo.front().is_some_and(|first| first.at + SECOND < now) {
            self.undo.pop_front();
        }
    }

    /// An operator acts; that is always written through. The answer is what was written off, if it was done.
    pub(crate) fn operate(&mut self, now: u64, operation: Operation) -> Option<Vec<WrittenOff>> {
        self.orders += 1;
        let id = format!("order-{}", self.orders);
        let order = Order { id, who: "sim".to_owned(), why: "chaos".to_owned(), operation };
        let mut rows = self.load(operation_keys(&order));
        let clock = self.clock(now);
        let flaw = if let Broken::Store(flaw) = self.broken { Some(flaw) } else { None };
        let done = operate_with(&order, now.saturating_add_signed(self.offset), &mut rows, flaw);
        self.commit(&rows);
        if let (Operation::Adjust { account, delta }, Operated::Done | Operated::Ended) =
            (&order.operation, &done)
            && (done == Operated::Ended) != self.shadow.is_vain(account, clock, *delta)
        {
            self.wrong = Some(format!("{account}: a correction by {delta} is {done:?}"));
        }
        if done != Operated::Done {
            return None;
        }
        self.undo.clear();
        self.shadow.tick(clock, &mut self.quiet_until);
        match &order.operation {
            Operation::Adjust { account, delta } => self.shadow.adjust(account, clock, *delta),
            Operation::Pin { account, max } => {
                self.shadow.accounts.entry(account.clone()).or_default().pinned = *max;
            }
            Operation::WriteOff { account, node } => {
                return Some(self.shadow.write_off(account, *node, clock));
            }
            Operation::DropRun { .. } | Operation::Answer { .. } | Operation::Prune { .. } => {}
            Operation::Restarted => self.quiet_until = clock + QUARANTINE,
        }
        Some(Vec::new())
    }

    // -- rows that something else changes ----------------------------------------------------------

    /// Changes bytes of one row; which one.
    pub(crate) fn damage(&mut self, random: &mut Random) -> Option<RowKey> {
        let rows = self.rows.keys().filter(|key| !key.as_str().starts_with(RowKey::AUDITS));
        let rows: Vec<_> = rows.filter(|key| !self.damaged.contains_key(key)).cloned().collect();
        let key = (!rows.is_empty()).then(|| rows[random.below(rows.len() as u64) as usize].clone())?;
        let good = self.rows.get(&key)?.clone();
        let mut bad = good.clone();
        let place = random.below(bad.len() as u64) as usize;
        bad[place] ^= 1 << random.below(8);
        if random.chance(200) {
            bad.truncate(place);
        }
        self.rows.insert(key.clone(), bad.clone());
        self.damaged.insert(key.clone(), (good, bad));
        Some(key)
    }

    /// Puts back what was there: nothing else was written to these rows.
    pub(crate) fn mend(&mut self) -> Result<(), String> {
        for (key, (good, bad)) in std::mem::take(&mut self.damaged) {
            if self.rows.insert(key.clone(), good) != Some(bad) {
                return Err(format!("the damaged row {key:?} was overwritten"));
            }
        }
        Ok(())
    }

    /// Whether no request of this node can be done.
    fn cannot_read(&self, request: &Request) -> bool {
        let rows = [RowKey::meta(), RowKey::node(request.node)];
        rows.iter().any(|row| self.damaged.contains_key(row))
    }

    /// What is about a damaged row is refused, and nothing else.
    fn check_refusals(&self, request: &Request, answers: &[Answer]) -> Result<(), String> {
        for (account, answer) in accounts(request).zip(answers) {
            let rows = [RowKey::account(account), RowKey::lease(request.node, account)];
            let is_damaged = rows.iter().any(|row| self.damaged.contains_key(row));
            if answer.refused != is_damaged.then_some(Refusal::Damaged) {
                return Err(format!("{account}: damaged {is_damaged}, and the answer is {answer:?}"));
            }
        }
        Ok(())
    }

    /// The power goes: a relaxed store loses up to a second of what it acknowledged.
    pub(crate) fn power_cut(&mut self, now: u64, back_to: u64) -> Loss {
        let mut loss = Loss::default();
        while self.undo.back().is_some_and(|last| last.at >= back_to && last.at + SECOND >= now) {
            let Some(undo) = self.undo.pop_back() else { break };
            for (key, old) in undo.rows.into_iter().rev() {
                match old {
                    Some(old) => self.rows.insert(key, old),
                    None => self.rows.remove(&key),
                };
            }
            self.shadow.put_back(undo.shadow);
            (self.quiet_until, self.wiped) = (undo.quiet_until, undo.wiped);
            self.given.remove(&(undo.node, undo.seq));
            if undo.nonce != 0 {
                self.forgotten.insert(undo.nonce);
            }
            let grants = undo.granted.into_iter();
            loss.granted.extend(grants.map(|(account, granted)| (undo.node, account, granted)));
            self.told.clear();
        }
        self.undo.clear();
        loss
    }

    /// Everything is removed. A power cut may take that back, as anything that a relaxed store has done.
    pub(crate) fn wipe(&mut self, now: u64) {
        let rows = std::mem::take(&mut self.rows).into_iter().map(|(key, bytes)| (key, Some(bytes)));
        let (rows, shadow) = (rows.collect(), self.shadow.before(std::iter::empty()));
        let (quiet_until, wiped) = (self.quiet_until, self.wiped);
        if self.relaxed {
            let (node, seq, nonce, granted) = (0, 0, 0, Vec::new());
            self.remember(Undo { at: now, rows, shadow, quiet_until, wiped, node, seq, nonce, granted }, now);
        }
        self.wiped = true;
    }
}

/// The accounts of a request's items and claims.
fn accounts(request: &Request) -> impl Iterator<Item = &AccountKey> {
    let items = request.items.iter().map(|item| &item.account);
    items.chain(request.claims.iter().map(|claim| &claim.account))
}
