//! The accounts of a run that leaves the process: its own go with it, what it holds in shared ones is spent.

use super::accounts::Accounts;
use super::amounts::Amounts;
use super::call::Attempt;
use super::windows::Windows;
use crate::books::{AccountId, Books, Window};
use crate::code::{Reader, Writer};
use crate::event::Now;
use crate::fingerprint::xxh3_64;
use crate::program::{Entry, Level};

impl Accounts {
    /// Which shared accounts the run draws on, as a number.
    pub(super) fn fingerprint(&self, books: &Books) -> u64 {
        let shared = self.all().filter(|(entry, _)| entry.level == Level::Wider);
        shared.fold(0, |sum, (_, account)| {
            let key = account.and_then(|account| books.key(account));
            xxh3_64(key.map_or(&[], |key| key.as_str().as_bytes()), sum)
        })
    }

    /// The place of an account's entry.
    pub(super) fn place(&self, account: AccountId) -> u64 {
        let place = self.all.iter().position(|known| *known == account);
        place.unwrap_or(usize::MAX) as u64
    }

    /// What an open attempt holds in shared accounts is spent.
    pub(super) fn spend_shared(&self, amounts: &Amounts, windows: &[Window], books: &mut Books, now: Now) {
        for (place, (entry, account)) in self.all().enumerate() {
            let amount = amounts.of(entry.measure, entry.basis);
            let (Level::Wider, Some(account)) = (entry.level, account) else { continue };
            if entry.is_held() && amount > 0 {
                let window = windows.get(place).copied().unwrap_or_default();
                books.settle(account, window, amount, amount, now);
            }
        }
    }

    /// Takes the run's own accounts out of the books. Of what is held there, that of these attempts stays so.
    pub(super) fn leave(
        &self,
        (open, windows): (&[&Attempt], &Windows),
        books: &mut Books,
        now: Now,
        writer: &mut Writer,
    ) {
        for (place, (entry, account)) in self.all().enumerate() {
            let (Level::Own, Some(account)) = (entry.level, account) else { continue };
            let held = open.iter().filter(|_| entry.is_held()).map(|attempt| {
                let window = windows.row(attempt.windows).get(place).copied().unwrap_or_default();
                (window.id(), attempt.reserved.of(entry.measure, entry.basis))
            });
            books.take_out(account, &held.collect::<Vec<_>>(), now, writer);
        }
        for account in &self.wrap_ups {
            books.take_out(*account, &[], now, writer);
        }
    }

    /// Makes the run's own new accounts what they were when they left, so much earlier.
    pub(super) fn enter(
        &self,
        reader: &mut Reader<'_>,
        books: &mut Books,
        now: Now,
        later: u64,
    ) -> Option<()> {
        let is_own = |(entry, _): &(&Entry, _)| entry.level == Level::Own;
        let own = self.all().filter(is_own).filter_map(|(_, account)| account);
        for account in own.chain(self.wrap_ups.iter().copied()) {
            books.put_in(account, reader, now, later)?;
        }
        Some(())
    }
}
