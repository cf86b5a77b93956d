//! Deliberate bugs of the node's half, one for each rule, which the simulator must catch. They exist only
//! in a build with the feature `flaws`.

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "flaws"),
    allow(dead_code, unreachable_pub, reason = "named in the code, built only with the feature")
)]
pub enum Flaw {
    /// What is asked for is used before it is granted.
    ChargeBeforeGrant,
    /// A request that was not answered is sent again under a new number.
    NewSeqOnResend,
    /// The own slice is lowered only when the store has taken it back.
    GiveBackLate,
    /// A forked process goes on with its parent's slices.
    KeepSlicesAfterFork,
    /// What is held when the process closes is given back, though nobody knows what it used.
    UnknownIsFree,
    /// A take that does not fit takes what there is.
    PartialTake,
    /// A settlement goes to the window of its own time, not to that of the hold.
    WindowOfSettle,
    /// What was used beyond the slice is not reported.
    ForgiveDebt,
    /// What was reported is reported again.
    ReportTwice,
    /// `on failure deny` spends the slice, however old the store's last word.
    SpendWhenDenied,
    /// A slice of a rolling window is used however old the store's last word.
    SpendLapsed,
    /// A late answer to another request is taken for the answer to this one.
    AnyAnswer,
    /// After the store has lost something, it is not told again what is held.
    ClaimNothing,
    /// Only the first part of what is held is said again.
    ClaimPart,
    /// The first request of a process that ends says that it is the last.
    LeaveEarly,
    /// What is charged without a hold is not reported.
    DropExcess,
}

impl Flaw {
    /// Every flaw.
    #[cfg(feature = "flaws")]
    pub const ALL: [Self; 16] = [
        Self::ChargeBeforeGrant,
        Self::NewSeqOnResend,
        Self::GiveBackLate,
        Self::KeepSlicesAfterFork,
        Self::UnknownIsFree,
        Self::PartialTake,
        Self::WindowOfSettle,
        Self::ForgiveDebt,
        Self::ReportTwice,
        Self::SpendWhenDenied,
        Self::SpendLapsed,
        Self::AnyAnswer,
        Self::ClaimNothing,
        Self::ClaimPart,
        Self::LeaveEarly,
        Self::DropExcess,
    ];
}
