//! A store in memory and nodes that speak to it, for the tests of the store's half.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part of this")]

use policy_core::store::{
    AccountKey, Answer, Claim, Item, Kind, Operated, Operation, Order, Reply, Request, RowKey, Rows, Shown,
    ShownWindow, apply, create, describe_row, keys, operate, operation_keys,
};
use std::collections::BTreeMap;

pub const SECOND: u64 = 1_000_000_000;
pub const START: u64 = 1_800_000_000 * SECOND;

/// A store whose clock stands still unless it is moved.
#[derive(Clone, Debug)]
pub struct Store {
    pub rows: BTreeMap<RowKey, Vec<u8>>,
    pub now: u64,
    pub nonce: u64,
}

impl Store {
    pub fn new() -> Self {
        let mut store = Self { rows: BTreeMap::new(), now: START, nonce: 0 };
        store.transact(vec![RowKey::meta()], |_, rows| assert!(create(START, 7, rows)));
        store
    }

    /// Loads the rows that are asked for and no others, and writes back what has changed.
    fn transact<T>(&mut self, keys: Vec<RowKey>, act: impl FnOnce(&Self, &mut Rows) -> T) -> T {
        let mut rows = Rows::new();
        let asked = keys.clone();
        for key in keys {
            let value = self.rows.get(&key).cloned();
            rows.load(key, value);
        }
        let result = act(self, &mut rows);
        for (key, value) in rows.changes() {
            assert!(asked.contains(key), "a row that was not asked for has changed: {key}");
            match value {
                Some(value) => self.rows.insert(key.clone(), value.to_vec()),
                None => self.rows.remove(key),
            };
        }
        result
    }

    pub fn apply(&mut self, request: &Request) -> Reply {
        self.nonce += 1;
        self.transact(keys(request), |store, rows| apply(request, store.now, 1000 + store.nonce, rows))
    }

    pub fn operate(&mut self, id: &str, operation: Operation) -> Operated {
        let (who, why) = ("ann".to_owned(), "a test".to_owned());
        let order = Order { id: id.to_owned(), who, why, operation };
        self.transact(operation_keys(&order), |store, rows| operate(&order, store.now, rows))
    }

    pub fn shown(&self) -> Vec<Shown> {
        self.rows.iter().map(|(key, row)| describe_row(key, row, self.now).unwrap()).collect()
    }

    pub fn windows(&self, account: &AccountKey) -> Vec<ShownWindow> {
        let row = &self.rows[&RowKey::account(account)];
        match describe_row(&RowKey::account(account), row, self.now) {
            Some(Shown::Account { windows, .. }) => windows,
            other => panic!("{other:?}"),
        }
    }

    /// The epoch, and until when nothing is granted.
    pub fn epoch(&self) -> (u64, u64) {
        match describe_row(&RowKey::meta(), &self.rows[&RowKey::meta()], self.now) {
            Some(Shown::Ledger { epoch, quarantined_until, .. }) => (epoch, quarantined_until),
            other => panic!("{other:?}"),
        }
    }
}

pub fn account(id: &str) -> AccountKey {
    AccountKey::new("user", id, "per user", "cost", "").unwrap()
}

pub fn item(id: &str, max: u64) -> Item {
    Item {
        account: account(id),
        max,
        kind: Kind::Forever,
        reported: Vec::new(),
        debt: 0,
        refund: 0,
        give_back: 0,
        need: 0,
        want: 0,
        grant: None,
        closing: false,
    }
}

/// Asks for an amount, all or nothing.
pub fn ask(id: &str, max: u64, need: u64) -> Item {
    Item { need, want: need, ..item(id, max) }
}

pub fn day(id: i64) -> Kind {
    let start = START.checked_add_signed(id * 86_400 * 1_000_000_000).unwrap();
    Kind::Calendar { id, start, end: start + 86_400 * SECOND }
}

/// A node as simple as can be: it remembers what it has to send back.
#[derive(Clone, Debug)]
pub struct Node {
    pub node: u128,
    pub seq: u64,
    pub seen: u64,
    pub epoch: u64,
}

impl Node {
    pub const fn new(node: u128) -> Self {
        Self { node, seq: 0, seen: 0, epoch: 0 }
    }

    /// The next request.
    pub fn request(&mut self, items: Vec<Item>) -> Request {
        self.seq += 1;
        let Self { node, seq, seen, epoch } = *self;
        Request {
            node,
            epoch,
            seq,
            seen,
            wall: START,
            closing: false,
            items,
            claims: Vec::new(),
            more: false,
        }
    }

    /// The next request, saying again what the node holds.
    pub fn claims(&mut self, epoch: u64, claims: Vec<Claim>) -> Request {
        self.epoch = epoch;
        self.seen = 0;
        Request { claims, ..self.request(Vec::new()) }
    }

    /// Takes in an answer.
    pub fn answers(&mut self, reply: Reply) -> Vec<Answer> {
        match reply {
            Reply::Done { seq, nonce, epoch, items, .. } => {
                assert_eq!(seq, self.seq);
                (self.seen, self.epoch) = (nonce, epoch);
                items
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn done(&mut self, store: &mut Store, items: Vec<Item>) -> Vec<Answer> {
        let request = self.request(items);
        let reply = store.apply(&request);
        self.answers(reply)
    }

    pub fn one(&mut self, store: &mut Store, item: Item) -> Answer {
        self.done(store, vec![item])[0]
    }
}
