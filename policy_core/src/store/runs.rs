//! Runs that were suspended: which of them wait in the store, and which somebody goes on with. A row tells
//! who wrote it last, so that a repeated request gets its first answer and exactly one claim is granted.

use super::approvals::{Answered, Approval, Ask, forget};
use super::code::{Reader, Writer};
use super::flaw::Bug;
use super::records::{DAMAGED, Meta, Record};
use super::rows::{RowKey, Rows};
use crate::value::MAX_QUANTITY;

/// What a run takes along when it is suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luggage {
    /// What the engine knows of it.
    pub state: Vec<u8>,
    /// What its host knows of it.
    pub host: Vec<u8>,
}

impl Luggage {
    /// As many bytes as one may have.
    pub const LONGEST: usize = 16 << 20;

    /// Whether it may be kept, with what people see of its requests.
    fn is_small(&self, asks: &[Ask]) -> bool {
        let sizes =
            [self.state.len(), self.host.len()].into_iter().chain(asks.iter().map(|it| it.shown.len()));
        sizes.fold(0_usize, usize::saturating_add) <= Self::LONGEST
    }
}

/// One life of a run between two suspensions. Nobody else has its `holder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The first life's holder: tells two runs of one id apart.
    pub origin: u128,
    /// A random number of the process that has the run; the origin in the first life.
    pub holder: u128,
    /// How often the run was resumed.
    pub number: u64,
}

/// What became of a suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parked {
    /// The run waits in the store, or has waited there and went on since: whoever asks twice is told so.
    Done,
    /// Another run has this id.
    Taken,
    /// The store knows of a later life, or that the run has ended: what is suspended here goes on nowhere.
    Over,
    /// There is no ledger here.
    NoLedger,
    /// The request or a stored row cannot be read; nothing has changed.
    Malformed(&'static str),
}

/// What became of the wish to go on with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is the asker's, and nobody else's. So many nanoseconds have passed since it was suspended, by the
    /// store's clock: those of two machines may differ, and a run may go to and fro between them. With it go
    /// the answers that people gave to its requests.
    Yours(Life, Luggage, u64, Vec<Answered>),
    /// Somebody has it since then.
    Others(u64),
    /// It has ended then.
    Ended(u64),
    /// It belongs to a program that means something else; nothing has changed.
    OtherProgram([u8; 32]),
    /// Nothing was suspended under this id.
    Unknown,
    /// There is no ledger here.
    NoLedger,
    /// The request or a stored row cannot be read; nothing has changed.
    Malformed(&'static str),
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the store.
    Waiting,
    /// In the process that has claimed it, if that one is alive.
    Resumed,
    /// Nowhere any more.
    Ended,
}

/// The row of a run. It stays when the run has ended: a late repetition must not bring it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunRow {
    /// What its program means, as a digest.
    pub(super) meaning: [u8; 32],
    pub(super) life: Life,
    pub(super) at: u64,
    /// When it was suspended last.
    pub(super) left: u64,
    pub(super) whereabouts: Whereabouts,
    /// A claim that is repeated gets it again. Empty at the end.
    pub(super) luggage: Luggage,
    /// Those of its requests to people that have rows.
    pub(super) requests: Vec<u64>,
}

/// The rows that messages about a run and these of its requests read and write. `None`: no run has such an
/// id.
#[must_use]
pub fn run_keys(id: &str, requests: &[u64]) -> Option<Vec<RowKey>> {
    let mut keys = vec![RowKey::meta(), RowKey::run(id)?];
    keys.extend(requests.iter().filter_map(|request| RowKey::approval(id, *request)));
    Some(keys)
}

/// The requests of a run that have rows, which messages about it read and write too.
#[must_use]
pub fn requests_of(id: &str, rows: &Rows) -> Vec<u64> {
    let row = RowKey::run(id).and_then(|key| RunRow::load(&key, rows).ok().flatten());
    row.map(|row| row.requests).unwrap_or_default()
}

/// The store's time, which never goes back; none if there is no ledger.
fn time(now: u64, rows: &mut Rows) -> Result<Option<u64>, &'static str> {
    let Some(mut meta) = Meta::load(&RowKey::meta(), rows)? else { return Ok(None) };
    let now = now.max(meta.now);
    if meta.tick(now, Bug::default()) {
        meta.save(RowKey::meta(), rows);
    }
    Ok(Some(now))
}

const BAD_ID: &str = "the id of a run is 1 to 512 bytes long, without control characters";
const TOO_LARGE: &str = "what the run takes along is larger than 16 MiB";
const TOO_MANY: &str = "the run has more than 1000 open requests";
/// As many open requests as a run may be suspended with.
const MOST_ASKS: usize = 1_000;

/// Suspends the run `id` of a program with this `meaning`: its `life` ends, what it takes along waits, and
/// people see what it asks.
pub fn park(
    (id, life): (&str, Life),
    meaning: [u8; 32],
    luggage: &Luggage,
    asks: &[Ask],
    now: u64,
    rows: &mut Rows,
) -> Parked {
    let mut parked = || -> Result<Parked, &'static str> {
        let key = RowKey::run(id).ok_or(BAD_ID)?;
        if !luggage.is_small(asks) {
            return Err(TOO_LARGE);
        }
        if asks.len() > MOST_ASKS {
            return Err(TOO_MANY);
        }
        let Some(now) = time(now, rows)? else {
            return Ok(Parked::NoLedger);
        };
        let is_first = life.number == 0 && life.holder == life.origin;
        let known = RunRow::load(&key, rows)?;
        let before = known.as_ref().map(|row| row.requests.clone()).unwrap_or_default();
        match known {
            None if !is_first => return Ok(Parked::Over),
            None => {}
            Some(row) if row.life.origin != life.origin => return Ok(Parked::Taken),
            // Only what was parked can have been claimed. (Unless the store forgot a claim: then what waited
            // here last was of the life before, and nobody can tell. Nobody goes on twice for that.)
            Some(row) if row.life.number > life.number => return Ok(Parked::Done),
            Some(row) if row.life != life => return Ok(Parked::Over),
            Some(row) => match row.whereabouts {
                Whereabouts::Resumed if row.meaning == meaning => {}
                Whereabouts::Waiting if row.luggage == *luggage => return Ok(Parked::Done),
                _ => return Ok(Parked::Over),
            },
        }
        let requests = Approval::park((id, life.origin), asks, &before, now, rows);
        let (whereabouts, luggage) = (Whereabouts::Waiting, luggage.clone());
        RunRow { meaning, life, at: now, left: now, whereabouts, luggage, requests }.save(key, rows);
        Ok(Parked::Done)
    };
    parked().unwrap_or_else(Parked::Malformed)
}

/// Goes on with the run `id` under a program with this `meaning`. `holder` is a random number that is drawn
/// for this wish and sent again when the answer was lost.
pub fn claim(id: &str, meaning: [u8; 32], holder: u128, now: u64, rows: &mut Rows) -> Claimed {
    let mut claimed = || -> Result<Claimed, &'static str> {
        let key = RowKey::run(id).ok_or(BAD_ID)?;
        let Some(now) = time(now, rows)? else {
            return Ok(Claimed::NoLedger);
        };
        let Some(mut row) = RunRow::load(&key, rows)? else {
            return Ok(Claimed::Unknown);
        };
        let is_own = row.life.holder == holder;
        let waited = now.saturating_sub(row.left);
        let answers = Approval::answers((id, row.life.origin), &row.requests, now, rows);
        match row.whereabouts {
            Whereabouts::Ended => return Ok(Claimed::Ended(row.at)),
            Whereabouts::Resumed if !is_own => return Ok(Claimed::Others(row.at)),
            // Late: this holder had it and has given it back.
            Whereabouts::Waiting if is_own => return Ok(Claimed::Others(row.at)),
            _ if row.meaning != meaning => return Ok(Claimed::OtherProgram(row.meaning)),
            Whereabouts::Resumed => return Ok(Claimed::Yours(row.life, row.luggage, waited, answers)),
            Whereabouts::Waiting => {}
        }
        row.life.number = row.life.number.checked_add(1).filter(|n| *n <= MAX_QUANTITY).ok_or(DAMAGED)?;
        row.life.holder = holder;
        row.at = now;
        row.whereabouts = Whereabouts::Resumed;
        row.save(key, rows);
        Ok(Claimed::Yours(row.life, row.luggage, waited, answers))
    };
    claimed().unwrap_or_else(Claimed::Malformed)
}

/// A resumed run has ended for good. What anybody else has done with it since stays as it is.
pub fn finish(id: &str, life: Life, now: u64, rows: &mut Rows) -> Result<(), &'static str> {
    let key = RowKey::run(id).ok_or(BAD_ID)?;
    if let Some(row) = RunRow::load(&key, rows)?
        && row.life == life
        && row.whereabouts == Whereabouts::Resumed
    {
        row.end(id, now, rows);
    }
    Ok(())
}

/// Nobody goes on with the run after all: `holder`, whether it heard of its claim or not, has done nothing
/// with it, and it waits as before.
pub fn give_back(id: &str, holder: u128, now: u64, rows: &mut Rows) -> Result<(), &'static str> {
    let key = RowKey::run(id).ok_or(BAD_ID)?;
    if let Some(row) = RunRow::load(&key, rows)?
        && row.life.holder == holder
        && row.whereabouts == Whereabouts::Resumed
    {
        RunRow { at: now, whereabouts: Whereabouts::Waiting, ..row }.save(key, rows);
    }
    Ok(())
}

impl RunRow {
    /// What stands for a row that cannot be read: nobody has such a life, so nobody brings it back.
    pub(super) fn unreadable() -> Self {
        let life = Life { origin: 0, holder: 0, number: 0 };
        let luggage = Luggage { state: Vec::new(), host: Vec::new() };
        let whereabouts = Whereabouts::Resumed;
        Self { meaning: [0; 32], life, at: 0, left: 0, whereabouts, luggage, requests: Vec::new() }
    }

    /// Nobody goes on with the run `id`, whose row it is, and nobody is asked for it any more.
    pub(super) fn end(self, id: &str, now: u64, rows: &mut Rows) {
        let Some(key) = RowKey::run(id) else { return };
        forget(id, &self.requests, rows);
        let luggage = Luggage { state: Vec::new(), host: Vec::new() };
        let whereabouts = Whereabouts::Ended;
        Self { at: now, whereabouts, luggage, requests: Vec::new(), ..self }.save(key, rows);
    }
}

impl Record for RunRow {
    fn write(&self, writer: &mut Writer) {
        writer.fixed(&self.meaning);
        for number in [self.life.origin, self.life.holder] {
            writer.fixed(&number.to_le_bytes());
        }
        writer.number(self.life.number);
        writer.number(self.at);
        writer.number(self.left);
        writer.number(match self.whereabouts {
            Whereabouts::Waiting => 3,
            Whereabouts::Resumed => 4,
            Whereabouts::Ended => 2,
        });
        writer.bytes(&self.luggage.state);
        writer.bytes(&self.luggage.host);
        if self.whereabouts != Whereabouts::Ended {
            writer.list(&self.requests, |writer, request| writer.number(*request));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let meaning = reader.fixed()?;
        let (origin, holder) = (u128::from_le_bytes(reader.fixed()?), u128::from_le_bytes(reader.fixed()?));
        let (number, at, left) = (reader.number()?, reader.number()?, reader.number()?);
        // 0 and 1 are rows from before requests had any.
        let (whereabouts, has_requests) = match reader.number()? {
            0 => (Whereabouts::Waiting, false),
            1 => (Whereabouts::Resumed, false),
            2 => (Whereabouts::Ended, false),
            3 => (Whereabouts::Waiting, true),
            4 => (Whereabouts::Resumed, true),
            _ => return None,
        };
        let luggage = Luggage { state: reader.bytes()?.to_vec(), host: reader.bytes()?.to_vec() };
        let requests = if has_requests { reader.list(Reader::number)? } else { Vec::new() };
        let life = Life { origin, holder, number };
        Some(Self { meaning, life, at, left, whereabouts, luggage, requests })
    }
}
