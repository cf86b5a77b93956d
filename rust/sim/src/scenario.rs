//! What one seed is about: how many processes and accounts, how bad the network is, what may go wrong.

use std::sync::Arc;

use policy_core::books::{Failure, Period, Terms, WindowKind, Zone};
use policy_core::store::AccountKey;

use crate::random::Random;

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLISECOND;
pub(crate) const HOUR: u64 = 3_600 * SECOND;
/// A midnight, UTC.
pub(crate) const MIDNIGHT: u64 = 20_834 * 24 * HOUR;

/// The deliberate bug of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    Store(policy_core::store::Flaw),
    Books(policy_core::books::Flaw),
}

/// One account that everybody shares.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) key: AccountKey,
    pub(crate) terms: Terms,
}

/// What can happen, as parts of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chaos {
    Crash,
    Fork,
    Pause,
    Partition,
    PowerCut,
    StoreDown,
    StoreClock,
    NodeClock,
    NextWindow,
    NewBound,
    Pin,
    Correct,
    Raise,
    Reopen,
    Close,
    WriteOff,
    Damage,
    Suspend,
    Wipe,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) processes: usize,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) chaos: Vec<Chaos>,
    /// The mean time from one mishap to the next.
    pub(crate) calm: u64,
    /// The mean time from one call of a process to the next.
    pub(crate) pace: u64,
    /// In a thousand accounts, those that a call does not draw on.
    pub(crate) skips: u64,
    /// As many hours may pass at once.
    pub(crate) hours: u64,
    /// The longest partition, in milliseconds.
    pub(crate) away: u64,
    /// In a thousand messages.
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) late: u64,
    /// A power cut takes up to a second of what was acknowledged.
    pub(crate) relaxed: bool,
    /// The store's operator, or its driver, says that it restarted.
    pub(crate) declared: bool,
}

fn subject(random: &mut Random, number: usize, zone: &Arc<Zone>) -> Subject {
    let max = random.pick(&[10, 30, 100, 400, 1000, 5000]);
    let (text, window) = match random.below(10) {
        0..=3 => (String::new(), WindowKind::Forever),
        4..=5 => {
            ("hour UTC".to_owned(), WindowKind::Calendar { period: Period::Hour, zone: Arc::clone(zone) })
        }
        6 => ("day UTC".to_owned(), WindowKind::Calendar { period: Period::Day, zone: Arc::clone(zone) }),
        _ => {
            let ns = random.pick(&[1, 3, 10, 20]) * SECOND;
            (format!("rolling {ns}"), WindowKind::Rolling { ns })
        }
    };
    let failure = random.pick(&[Failure::Spend, Failure::Spend, Failure::Deny, Failure::Allow]);
    let measure = random.pick(&["cost", "tokens", "model_calls"]);
    let key = AccountKey::new("user", &format!("u{number}"), "per user", measure, &text);
    Subject { key: key.unwrap_or_else(|| unreachable!()), terms: Terms { max, window, failure } }
}

/// What a run is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Any,
    /// Hour after hour passes.
    Hours,
    /// Nodes are silent for more than a minute, and operators look for dead ones.
    Silence,
    /// More accounts than fit into a request.
    Accounts,
}

const ALL: [Chaos; 18] = [
    Chaos::Crash,
    Chaos::Fork,
    Chaos::Pause,
    Chaos::Partition,
    Chaos::PowerCut,
    Chaos::StoreDown,
    Chaos::StoreClock,
    Chaos::NodeClock,
    Chaos::NextWindow,
    Chaos::NewBound,
    Chaos::Pin,
    Chaos::Correct,
    Chaos::Raise,
    Chaos::Reopen,
    Chaos::Close,
    Chaos::WriteOff,
    Chaos::Damage,
    Chaos::Suspend,
];

fn chaos(random: &mut Random, theme: Theme) -> Vec<Chaos> {
    let likely = random.pick(&[100, 300, 600]);
    let mut chaos: Vec<_> = ALL.into_iter().filter(|_| random.chance(likely)).collect();
    match theme {
        Theme::Hours => chaos.extend([Chaos::NextWindow; 12]),
        Theme::Silence => chaos.extend([Chaos::Crash, Chaos::Partition, Chaos::WriteOff, Chaos::WriteOff]),
        Theme::Any | Theme::Accounts => {}
    }
    if random.chance(30) {
        chaos.push(Chaos::Wipe);
    }
    chaos
}

impl Scenario {
    pub(crate) fn new(random: &mut Random) -> Self {
        let zone = Arc::new(Zone::utc());
        let theme = match random.below(200) {
            0..12 => Theme::Hours,
            12..30 => Theme::Silence,
            30 => Theme::Accounts,
            _ => Theme::Any,
        };
        let count = match theme {
            Theme::Accounts => random.between(66, 80) as usize,
            _ => random.pick(&[1, 1, 2, 2, 3]),
        };
        let subjects = (0..count).map(|number| subject(random, number, &zone)).collect();
        let chaos = chaos(random, theme);
        let is_bad = random.chance(500);
        let mut bad = |most| if is_bad { random.below(most) } else { 0 };
        let (lost, repeated, late) = (bad(200), bad(200), bad(150));
        let (length, calm, pace) = match theme {
            Theme::Any => ((8, 40), (500, 6000), (150, 900)),
            Theme::Hours => ((15, 40), (300, 1200), (150, 600)),
            Theme::Silence => ((70, 140), (3000, 9000), (600, 2500)),
            Theme::Accounts => ((4, 10), (500, 3000), (800, 2000)),
        };
        Self {
            start: MIDNIGHT - random.between(1, 20) * SECOND,
            length: random.between(length.0, length.1) * SECOND,
            processes: random.between(1, if theme == Theme::Accounts { 2 } else { 4 }) as usize,
            subjects,
            chaos,
            calm: random.between(calm.0, calm.1) * MILLISECOND,
            pace: random.between(pace.0, pace.1) * MILLISECOND,
            skips: if theme == Theme::Accounts { 900 } else { 300 },
            hours: if theme == Theme::Hours { 16 } else { 5 },
            away: if theme == Theme::Silence { 100_000 } else { 30_000 },
            lost,
            repeated,
            late,
            relaxed: random.chance(350),
            declared: random.chance(500),
        }
    }
}
