//! What tokens cost: tariffs by the size of a request and the hour of the day, in 128 bits, rounded up once.
//!
//! INVARIANT (worst case): what is reserved for so many tokens is never less than what they can cost.

use crate::value::MILLION;

const MINUTE: u64 = 60_000_000_000;
/// How many minutes a day has.
pub(crate) const DAY: u64 = 1440;

/// What tokens cost at some hours in requests of some size, in nano-units of the currency per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// It is for requests with more input tokens than this; 0: for all.
    pub above: u64,
    /// The first minute of the day that it is for, in UTC.
    pub from: u64,
    /// The first minute of the day, after `from`, that it is not for.
    pub to: u64,
    /// For tokens that are sent.
    pub input: u64,
    /// For tokens that come back.
    pub output: u64,
    /// For tokens that are read from the provider's cache.
    pub cache_read: u64,
    /// For tokens that are written to it.
    pub cache_write: u64,
    /// For tokens that come back as reasoning.
    pub reasoning: u64,
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    tariffs: Box<[Tariff]>,
    /// For each: the dearest rates of it and of those before it.
    worst: Box<[Rates]>,
}

/// The tokens of one request; those of the cache are part of the input, those of reasoning of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: u64,
}

impl Tokens {
    /// All of them, in and out.
    pub(crate) const fn all(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// The dearest rates that a request may meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    input: u64,
    output: u64,
}

impl Rates {
    /// What so many tokens may cost at most.
    pub(crate) fn cost(self, input: u64, output: u64) -> u64 {
        round(product(input, self.input).saturating_add(product(output, self.output)))
    }

    /// The most output, up to `most`, that so much money pays for beside the input; `None` if not even the
    /// input.
    pub(crate) fn affordable(self, money: u64, (input, most): (u64, u64)) -> Option<u64> {
        // ceil(x / million) <= money exactly if x <= money * million.
        let money = product(money, MILLION);
        if product(input, self.input).saturating_add(product(most, self.output)) <= money {
            return Some(most);
        }
        let left = money.checked_sub(product(input, self.input))?;
        let tokens = left.checked_div(u128::from(self.output));
        Some(tokens.map_or(most, |tokens| u64::try_from(tokens).unwrap_or(u64::MAX).min(most)))
    }
}

impl Price {
    /// The loader proved that the tariffs ascend by `above` and that those of each share the day.
    pub(crate) fn new(tariffs: Box<[Tariff]>) -> Self {
        let worst = tariffs.iter().scan(Rates::default(), |worst, tariff| {
            *worst = Rates {
                input: worst.input.max(tariff.input).max(tariff.cache_read).max(tariff.cache_write),
                output: worst.output.max(tariff.output).max(tariff.reasoning),
            };
            Some(*worst)
        });
        Self { worst: worst.collect(), tariffs }
    }

    /// Ascending by `above`, then by `from`. Of those whose `above` the input exceeds, the last ones hold,
    /// for the whole request.
    #[must_use]
    pub fn tariffs(&self) -> &[Tariff] {
        &self.tariffs
    }

    /// The dearest rates of a request of at most this input, at any hour.
    pub(crate) fn worst(&self, input: u64) -> Rates {
        let last = self.tariffs.iter().rposition(|tariff| tariff.above == 0 || tariff.above < input);
        last.and_then(|place| self.worst.get(place)).copied().unwrap_or_default()
    }

    /// What a request may cost at most of whose input so many tokens are read from the cache.
    pub(crate) fn cached(&self, input: u64, cached: u64, output: u64) -> u64 {
        let rates = self.worst(input);
        let within = self.tariffs.iter().take_while(|tariff| tariff.above == 0 || tariff.above < input);
        let read = within.map(|tariff| tariff.cache_read).max().unwrap_or(0);
        let parts = [
            product(cached, read),
            product(input.saturating_sub(cached), rates.input),
            product(output, rates.output),
        ];
        round(parts.into_iter().fold(0, u128::saturating_add))
    }

    /// What a request that began at this instant cost.
    pub(crate) fn cost(&self, tokens: &Tokens, wall: u64) -> u64 {
        let minute = wall.checked_div(MINUTE).and_then(|minutes| minutes.checked_rem(DAY)).unwrap_or(0);
        let is_then = |tariff: &&Tariff| tariff.from <= minute && minute < tariff.to;
        let is_so_large = |tariff: &&Tariff| tariff.above == 0 || tariff.above < tokens.input;
        self.tariffs.iter().filter(is_then).rfind(is_so_large).map_or(0, |tariff| tariff.cost(tokens))
    }
}

impl Tariff {
    fn cost(&self, tokens: &Tokens) -> u64 {
        let cached = tokens.cache_read.saturating_add(tokens.cache_write);
        let parts = [
            (tokens.input.saturating_sub(cached), self.input),
            (tokens.cache_read, self.cache_read),
            (tokens.cache_write, self.cache_write),
            (tokens.output.saturating_sub(tokens.reasoning), self.output),
            (tokens.reasoning, self.reasoning),
        ];
        round(parts.into_iter().fold(0, |sum, (count, rate)| sum.saturating_add(product(count, rate))))
    }
}

/// Of any two numbers: twice as many bits hold all of it, so that nothing wraps.
pub(crate) const fn product(one: u64, other: u64) -> u128 {
    (one as u128).wrapping_mul(other as u128)
}

fn round(millionths: u128) -> u64 {
    // The division of long numbers is many times as slow, and hardly ever needed.
    if let Ok(millionths) = u64::try_from(millionths) {
        return millionths.div_ceil(MILLION);
    }
    u64::try_from(millionths.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(input: u64, output: u64) -> Tariff {
        Tariff {
            above: 0,
            from: 0,
            to: DAY,
            input,
            output,
            cache_read: input,
            cache_write: input,
            reasoning: output,
        }
    }

    fn tokens(input: u64, output: u64) -> Tokens {
        Tokens { input, output, ..Tokens::default() }
    }

    #[test]
    fn costs_round_up_once() {
        let price = Price::new([flat(1, 3)].into());
        assert_eq!(price.cost(&tokens(1, 0), 0), 1);
        assert_eq!(price.cost(&tokens(1_000_000, 1_000_000), 0), 4);
        assert_eq!(price.cost(&tokens(1_000_001, 0), 0), 2);
        let huge = Price::new([flat(u64::MAX, u64::MAX)].into());
        assert_eq!(huge.cost(&tokens(u64::MAX, u64::MAX), 0), u64::MAX);
    }

    #[test]
    fn a_larger_request_is_priced_anew_as_a_whole() {
        let dear = Tariff { above: 100, ..flat(2_000_000, 4_000_000) };
        let price = Price::new([flat(1_000_000, 3_000_000), dear].into());
        assert_eq!(price.cost(&tokens(100, 10), 0), 130);
        assert_eq!(price.cost(&tokens(101, 10), 0), 242);
        assert_eq!(price.worst(100).cost(100, 10), 130);
        assert_eq!(price.worst(101).cost(101, 10), 242);
    }

    #[test]
    fn the_worst_case_knows_no_hour_and_no_cache() {
        let night = Tariff { to: 60, cache_write: 5_000_000, ..flat(1_000_000, 1_000_000) };
        let day = Tariff { from: 60, reasoning: 7_000_000, ..flat(2_000_000, 3_000_000) };
        let price = Price::new([night, day].into());
        assert_eq!(price.cost(&tokens(1, 1), 59 * MINUTE), 2);
        assert_eq!(price.cost(&tokens(1, 1), 60 * MINUTE), 5);
        assert_eq!(price.cost(&tokens(1, 1), DAY * MINUTE), 2);
        assert_eq!(price.worst(1), Rates { input: 5_000_000, output: 7_000_000 });
        let cached = Tokens { input: 10, output: 4, cache_read: 3, cache_write: 2, reasoning: 1 };
        assert_eq!(price.cost(&cached, 0), 5 + 3 + 10 + 3 + 1);
    }

    #[test]
    fn what_is_read_from_the_cache_costs_its_own_rate() {
        let night = Tariff { to: 60, cache_read: 100_000, ..flat(1_000_000, 1_000_000) };
        let day = Tariff { from: 60, cache_read: 200_000, ..flat(1_000_000, 3_000_000) };
        let price = Price::new([night, day].into());
        assert_eq!(price.cached(100, 90, 2), 18 + 10 + 6);
        assert_eq!(price.cached(100, 0, 2), price.worst(100).cost(100, 2));
    }

    #[test]
    fn money_pays_for_exactly_as_much() {
        let rates = Rates { input: 1, output: 3 };
        assert_eq!(rates.affordable(1, (1, u64::MAX)), Some(333_333));
        assert_eq!(rates.cost(1, 333_333), 1);
        assert_eq!(rates.cost(1, 333_334), 2);
        assert_eq!(
            (rates.affordable(1, (1, 333_334)), rates.affordable(1, (1, 7))),
            (Some(333_333), Some(7))
        );
        assert_eq!(rates.affordable(0, (1, 9)), None);
        assert_eq!(rates.affordable(0, (0, 9)), Some(0));
        assert_eq!(Rates::default().affordable(0, (9, u64::MAX)), Some(u64::MAX));
    }
}
