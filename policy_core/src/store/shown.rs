//! Rows as people read them: for the commands that show and export a ledger.

use super::account::Account;
use super::approvals::{Approval, Given};
use super::message::{AccountKey, Kind};
use super::operate::{Audit, Order};
use super::records::{Lease, Meta, Node, Record};
use super::rows::RowKey;
use super::runs::{RunRow, Whereabouts};
use super::window::{Window, number};

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The ledger as a whole.
    Ledger {
        /// How often the store was found to have lost something, and 1.
        epoch: u64,
        /// The latest time that the store has seen.
        now: u64,
        /// Nothing is granted before this time.
        quarantined_until: u64,
    },
    /// An account.
    Account {
        /// Its name.
        account: AccountKey,
        /// The most that an operator allows.
        pinned: Option<u64>,
        /// Its latest windows, ascending; one of number 0 if it has no calendar.
        windows: Vec<ShownWindow>,
    },
    /// A node.
    Node {
        /// The incarnation.
        node: u128,
        /// The number of its last request.
        seq: u64,
        /// When it was heard of last.
        heard: u64,
        /// Whether it ended in good order.
        closed: bool,
    },
    /// What a node has leased of an account.
    Lease {
        /// The incarnation.
        node: u128,
        /// The account.
        account: AccountKey,
        /// Window, granted in all (less what was given back), reported in all.
        windows: Vec<(i64, u64, u64)>,
    },
    /// An act of an operator.
    Audit {
        /// When.
        at: u64,
        /// What, by whom and why.
        order: Order,
    },
    /// A run that was suspended.
    Run {
        /// Its id.
        id: String,
        /// What its program means, as a digest.
        meaning: [u8; 32],
        /// How often it was resumed.
        resumed: u64,
        /// Where it is.
        whereabouts: Whereabouts,
        /// Since when.
        since: u64,
    },
    /// A request to a person.
    Approval {
        /// The run that asks.
        run: String,
        /// The request's number there.
        request: u64,
        /// It wants a text, not a yes.
        is_question: bool,
        /// Since when it is here.
        asked: u64,
        /// The last moment to answer it.
        expires: u64,
        /// What people see of it, as the host wrote it.
        shown: Vec<u8>,
        /// The answer, if there is one.
        given: Option<Given>,
    },
}

/// One window of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShownWindow {
    /// Its number.
    pub id: i64,
    /// Its first instant; 0 without a calendar.
    pub start: u64,
    /// The first instant after it; 0 without a calendar.
    pub end: u64,
    /// The bound as it was asked for last, with grants.
    pub asked: u64,
    /// The bound that holds: at most what is pinned.
    pub max: u64,
    /// Spent as reported, with carried debt and operators' corrections.
    pub spent: u64,
    /// Leased and not reported yet.
    pub leased: u64,
    /// Debt of earlier windows, a part of `spent`.
    pub carried: u64,
    /// What operators corrected.
    pub adjusted: i64,
    /// By how much people raised the bound.
    pub extra: u64,
    /// How often they did.
    pub grants_used: u64,
}

/// Reads a row at a time of the store's clock. `None`: it is damaged, or not one of a ledger.
#[must_use]
pub fn describe_row(key: &RowKey, bytes: &[u8], now: u64) -> Option<Shown> {
    let text = key.as_str();
    if text == RowKey::meta().as_str() {
        let Meta { epoch, now, quarantined_until, .. } = Meta::decode(key, bytes)?;
        return Some(Shown::Ledger { epoch, now, quarantined_until });
    }
    if let Some(name) = text.strip_prefix(RowKey::ACCOUNTS) {
        let Account { pinned, windows, .. } = Account::decode(key, bytes)?;
        let windows = windows.iter().map(|window| show(window, pinned, now)).collect();
        return Some(Shown::Account { account: AccountKey::parse(name)?, pinned, windows });
    }
    if let Some(id) = text.strip_prefix(RowKey::NODES) {
        let Node { seq, heard, closed, .. } = Node::decode(key, bytes)?;
        return Some(Shown::Node { node: u128::from_str_radix(id, 16).ok()?, seq, heard, closed });
    }
    if let Some(rest) = text.strip_prefix(RowKey::LEASES) {
        let (id, name) = rest.split_once('/')?;
        let shares = Lease::decode(key, bytes)?.shares;
        let windows = shares.iter().map(|share| (share.window, share.granted, share.reported)).collect();
        let (node, account) = (u128::from_str_radix(id, 16).ok()?, AccountKey::parse(name)?);
        return Some(Shown::Lease { node, account, windows });
    }
    if let Some(id) = text.strip_prefix(RowKey::RUNS) {
        let RunRow { meaning, life, at, whereabouts, .. } = RunRow::decode(key, bytes)?;
        let (id, resumed) = (id.to_owned(), life.number);
        return Some(Shown::Run { id, meaning, resumed, whereabouts, since: at });
    }
    if let Some(name) = text.strip_prefix(RowKey::APPROVALS) {
        let (run, request) = name.rsplit_once('/')?;
        let Approval { is_question, asked, expires, shown, given, .. } = Approval::decode(key, bytes)?;
        let (run, request) = (run.to_owned(), request.parse().ok()?);
        return Some(Shown::Approval { run, request, is_question, asked, expires, shown, given });
    }
    text.strip_prefix(RowKey::AUDITS)?;
    let Audit { at, order } = Audit::decode(key, bytes)?;
    Some(Shown::Audit { at, order })
}

fn show(window: &Window, pinned: Option<u64>, now: u64) -> ShownWindow {
    let (start, end) = match window.kind {
        Kind::Calendar { start, end, .. } => (start, end),
        Kind::Forever | Kind::Rolling { .. } => (0, 0),
    };
    let spent = window.spent(now);
    ShownWindow {
        id: number(window.kind),
        start,
        end,
        asked: window.most(),
        max: window.most().min(pinned.unwrap_or(u64::MAX)),
        spent,
        leased: window.used(now).saturating_sub(spent),
        carried: window.carried,
        adjusted: window.adjusted,
        extra: window.extra,
        grants_used: window.grants_used,
    }
}
