//! How a ledger stands, for its host.

use policy_core::books;

use crate::error::{ErrorKind, StoreError};
use crate::place::Place;

/// How a ledger stands.
#[derive(Clone, Debug)]
pub struct Health {
    /// `memory`, `sqlite` or `redis`.
    pub kind: &'static str,
    /// The ledger was made when this process opened it: nothing was spent before.
    pub made: bool,
    /// This incarnation of the process; 0 without a store.
    pub node: u128,
    /// What the books say.
    pub books: books::Health,
    /// What went wrong with the store last; nothing, if it answers.
    pub error: Option<StoreError>,
    /// An account that the store refuses, while it does everything else; there may be more.
    pub refused: Option<StoreError>,
    /// How often the store was asked.
    pub round_trips: u64,
    /// Records that are not in the store yet.
    pub records_waiting: u64,
    /// Records that never will be.
    pub records_lost: u64,
}

/// The account that the store refuses, for people.
pub(crate) fn refused(books: &books::Health, place: &Place) -> Option<StoreError> {
    let (account, why) = books.refused.as_ref()?;
    let (place, why) = (place.shown(), why.why());
    let text = format!(
        "{place}: {account}: {why}; nothing can be taken from this account until its rows are restored from \
         a backup"
    );
    Some(StoreError::new(ErrorKind::Damaged, text))
}
