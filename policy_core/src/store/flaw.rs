//! Deliberate bugs of the store's half, one for each rule, which the simulator must catch. They exist only in
//! a build with the feature `flaws`.

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "flaws"),
    allow(dead_code, unreachable_pub, reason = "named in the code, built only with the feature")
)]
pub enum Flaw {
    /// A request that is repeated is done again.
    RepeatDone,
    /// A request older than the last one is done.
    StaleDone,
    /// A ledger that is missing is made.
    LedgerMade,
    /// A grant does not look at the bound.
    BoundIgnored,
    /// A pin does not bind.
    PinIgnored,
    /// All of a report is as old as its oldest part.
    OldestAge,
    /// Nonces are not compared: a store that went back is not noticed.
    NonceIgnored,
    /// Debt ends with its window.
    DebtForgotten,
    /// A refused request leaves half of itself.
    HalfDone,
    /// After a loss, grants go on at once.
    NoQuarantine,
    /// A quarantine ends although a node has not said yet all that it holds.
    PartsUnawaited,
    /// However often people raise a bound, it counts as never.
    RaisesUncounted,
    /// What people raise goes above a pin.
    PinRaised,
    /// A correction downwards of a rolling window takes from what was spent last.
    NewestFirst,
    /// A write-off takes what living nodes have.
    WriteOffHeard,
    /// A node that is heard of again after its lease was written off, or had lapsed, is not counted again.
    ReturnIgnored,
    /// A debt that is reported for a window that is not kept any more is dropped.
    LateDebtLost,
    /// A quarantine goes on while nobody can be heard of.
    QuarantineRuns,
    /// A damaged row of an account counts as none.
    DamagedIsBlank,
}

impl Flaw {
    /// Every flaw.
    #[cfg(feature = "flaws")]
    pub const ALL: [Self; 19] = [
        Self::RepeatDone,
        Self::StaleDone,
        Self::LedgerMade,
        Self::BoundIgnored,
        Self::PinIgnored,
        Self::OldestAge,
        Self::NonceIgnored,
        Self::DebtForgotten,
        Self::HalfDone,
        Self::NoQuarantine,
        Self::PartsUnawaited,
        Self::RaisesUncounted,
        Self::PinRaised,
        Self::NewestFirst,
        Self::WriteOffHeard,
        Self::ReturnIgnored,
        Self::LateDebtLost,
        Self::QuarantineRuns,
        Self::DamagedIsBlank,
    ];
}

/// The bug that is built in, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bug {
    #[cfg(feature = "flaws")]
    pub(super) flaw: Option<Flaw>,
}

impl Bug {
    #[cfg(feature = "flaws")]
    pub(super) fn is(self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    #[cfg(not(feature = "flaws"))]
    #[expect(clippy::unused_self, reason = "there is a bug only in a build with the feature")]
    pub(super) const fn is(self, _: Flaw) -> bool {
        false
    }
}
