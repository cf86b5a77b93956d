//! What a run has spent and what it holds, one cell for each kind of bound.
//!
//! INVARIANT (ledger): for every bound, `spent + held <= max`, but for what settled attempts used beyond
//! their hold. Reserving is all or nothing; a hold ends in `spent` or is given back, never both.

use crate::program::{BoundKind, Index, Limit, Price};
use crate::value::MILLION;

/// One kind of bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) spent: u64,
    pub(crate) held: u64,
}

impl Cell {
    /// What is spent or may still be.
    pub(crate) const fn used(self) -> u64 {
        self.spent.saturating_add(self.held)
    }
}

/// What one attempt asks for, of every kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) cost: u64,
    pub(crate) tokens: u64,
    pub(crate) steps: u64,
    pub(crate) model_calls: u64,
    pub(crate) tool_calls: u64,
}

impl Amounts {
    const fn of(&self, kind: BoundKind) -> u64 {
        match kind {
            BoundKind::Cost => self.cost,
            BoundKind::Tokens => self.tokens,
            BoundKind::Steps => self.steps,
            BoundKind::ModelCalls => self.model_calls,
            BoundKind::ToolCalls => self.tool_calls,
            BoundKind::ActiveTime => 0,
        }
    }
}

/// The kinds that are counted here; active time is read from the clock.
const COUNTED: [BoundKind; 5] =
    [BoundKind::Cost, BoundKind::Tokens, BoundKind::Steps, BoundKind::ModelCalls, BoundKind::ToolCalls];

/// All cells of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    cost: Cell,
    tokens: Cell,
    steps: Cell,
    model_calls: Cell,
    tool_calls: Cell,
}

impl Ledger {
    /// The cell of a kind; active time has none and reads as empty.
    pub(crate) const fn cell(&self, kind: BoundKind) -> Cell {
        match kind {
            BoundKind::Cost => self.cost,
            BoundKind::Tokens => self.tokens,
            BoundKind::Steps => self.steps,
            BoundKind::ModelCalls => self.model_calls,
            BoundKind::ToolCalls => self.tool_calls,
            BoundKind::ActiveTime => Cell { spent: 0, held: 0 },
        }
    }

    /// Whether every bound of every limit holds with these amounts added.
    pub(crate) fn fits(&self, index: &Index, amounts: &Amounts) -> bool {
        COUNTED.into_iter().all(|kind| {
            let total = self.cell(kind).used().saturating_add(amounts.of(kind));
            index.tightest(kind).is_none_or(|max| total <= max)
        })
    }

    /// Whether they would fit if nothing were held.
    pub(crate) fn fits_without_holds(&self, index: &Index, amounts: &Amounts) -> bool {
        COUNTED.into_iter().all(|kind| {
            let total = self.cell(kind).spent.saturating_add(amounts.of(kind));
            index.tightest(kind).is_none_or(|max| total <= max)
        })
    }

    /// Whether this limit is in the way of these amounts.
    pub(crate) fn blocks(&self, limit: &Limit, amounts: &Amounts) -> bool {
        limit
            .bounds
            .iter()
            .filter(|bound| bound.kind != BoundKind::ActiveTime)
            .any(|bound| self.cell(bound.kind).used().saturating_add(amounts.of(bound.kind)) > bound.max)
    }

    /// The most output tokens, up to `cap`, for which tokens and cost fit. Other kinds are not looked at.
    pub(crate) fn most_output(
        &self,
        index: &Index,
        price: Option<Price>,
        input: u64,
        cap: u64,
    ) -> Option<u64> {
        let mut most = cap;
        if let Some(room) = self.room(index, BoundKind::Tokens)? {
            most = most.min(room.checked_sub(input)?);
        }
        if let Some(room) = self.room(index, BoundKind::Cost)?
            && let Some(price) = price
        {
            // ceil(x / million) <= room exactly if x <= room * million.
            let room = u128::from(room).saturating_mul(u128::from(MILLION));
            let left = room.checked_sub(product(input, price.input))?;
            if let Some(affordable) = left.checked_div(u128::from(price.output)) {
                most = most.min(u64::try_from(affordable).unwrap_or(u64::MAX));
            }
        }
        Some(most)
    }

    /// What the tightest bound leaves: `None` in debt, `Some(None)` if there is no bound.
    fn room(&self, index: &Index, kind: BoundKind) -> Option<Option<u64>> {
        let Some(max) = index.tightest(kind) else { return Some(None) };
        max.checked_sub(self.cell(kind).used()).map(Some)
    }

    /// Tokens and cost are held, calls and steps are spent at once.
    pub(crate) const fn reserve(&mut self, amounts: &Amounts) {
        self.cost.held = self.cost.held.saturating_add(amounts.cost);
        self.tokens.held = self.tokens.held.saturating_add(amounts.tokens);
        self.steps.spent = self.steps.spent.saturating_add(amounts.steps);
        self.model_calls.spent = self.model_calls.spent.saturating_add(amounts.model_calls);
        self.tool_calls.spent = self.tool_calls.spent.saturating_add(amounts.tool_calls);
    }

    /// Ends a hold: it is released and what was really used is spent, be it less or more.
    pub(crate) const fn settle(&mut self, reserved: &Amounts, cost: u64, tokens: u64) {
        self.cost.held = self.cost.held.saturating_sub(reserved.cost);
        self.tokens.held = self.tokens.held.saturating_sub(reserved.tokens);
        self.cost.spent = self.cost.spent.saturating_add(cost);
        self.tokens.spent = self.tokens.spent.saturating_add(tokens);
    }

    /// Takes a reservation back as if it had never been made.
    pub(crate) const fn release(&mut self, reserved: &Amounts) {
        self.settle(reserved, 0, 0);
        self.steps.spent = self.steps.spent.saturating_sub(reserved.steps);
        self.model_calls.spent = self.model_calls.spent.saturating_sub(reserved.model_calls);
        self.tool_calls.spent = self.tool_calls.spent.saturating_sub(reserved.tool_calls);
    }
}

/// What tokens cost, rounded up once a call. A free model costs nothing.
pub(crate) fn cost(price: Option<Price>, input: u64, output: u64) -> u64 {
    let Some(price) = price else { return 0 };
    let exact = product(input, price.input).saturating_add(product(output, price.output));
    u64::try_from(exact.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
}

fn product(tokens: u64, price: u64) -> u128 {
    u128::from(tokens).saturating_mul(u128::from(price))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_round_up_once() {
        let price = Some(Price { input: 1, output: 3 });
        assert_eq!(cost(price, 1, 0), 1);
        assert_eq!(cost(price, 1_000_000, 1_000_000), 4);
        assert_eq!(cost(price, 1_000_001, 0), 2);
        assert_eq!(cost(None, 5, 5), 0);
        assert_eq!(cost(Some(Price { input: u64::MAX, output: u64::MAX }), u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn settling_ends_the_hold_and_may_leave_a_debt() {
        let mut ledger = Ledger::default();
        let amounts = Amounts { cost: 10, tokens: 100, steps: 1, model_calls: 1, tool_calls: 0 };
        ledger.reserve(&amounts);
        assert_eq!(ledger.cell(BoundKind::Cost), Cell { spent: 0, held: 10 });
        assert_eq!(ledger.cell(BoundKind::Steps), Cell { spent: 1, held: 0 });
        ledger.settle(&amounts, 15, 120);
        assert_eq!(ledger.cell(BoundKind::Cost), Cell { spent: 15, held: 0 });
        assert_eq!(ledger.cell(BoundKind::Tokens), Cell { spent: 120, held: 0 });
    }

    #[test]
    fn a_release_leaves_no_trace() {
        let mut ledger = Ledger::default();
        let amounts = Amounts { cost: 10, tokens: 100, steps: 1, model_calls: 1, tool_calls: 1 };
        ledger.reserve(&amounts);
        ledger.release(&amounts);
        for kind in BoundKind::ALL {
            assert_eq!(ledger.cell(kind), Cell::default());
        }
    }
}
