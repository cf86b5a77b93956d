//! Amounts as people read them: the engine's integers with their unit, exactly.

use crate::value::Dimension;

/// How many digits of nano-units and nanoseconds stand after the point.
const NANOS: u32 = 9;

/// A number of a dimension as text, such as `$0.50`, `200 tokens`, `0.2 s` or `12.5%`.
#[must_use]
pub fn amount(currency: &str, dimension: Dimension, number: i64) -> String {
    match dimension {
        Dimension::Money => money(currency, number),
        Dimension::Tokens => format!("{number} tokens"),
        Dimension::Duration => format!("{} s", decimal(number, NANOS, 0)),
        // Parts per million are ten-thousandths of a percent.
        Dimension::Percent => format!("{}%", decimal(number, 4, 0)),
        Dimension::Text | Dimension::Flag | Dimension::Count => number.to_string(),
    }
}

fn money(currency: &str, nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let gap = if currency.ends_with(|last: char| last.is_ascii_alphabetic()) { " " } else { "" };
    let digits = decimal(nanos, NANOS, 2);
    format!("{sign}{currency}{gap}{digits}")
}

/// The magnitude of `number` with its last `places` digits after the point: at least `least` of them,
/// and no zeros beyond those.
fn decimal(number: i64, places: u32, least: usize) -> String {
    let whole = 10u64.saturating_pow(places);
    let magnitude = number.unsigned_abs();
    let (units, rest) = (magnitude.checked_div(whole), magnitude.checked_rem(whole));
    let digits = format!("{:0width$}", rest.unwrap_or_default(), width = places as usize);
    let kept = digits.trim_end_matches('0').len().max(least);
    let units = units.unwrap_or_default();
    match digits.get(..kept) {
        Some(fraction) if !fraction.is_empty() => format!("{units}.{fraction}"),
        _ => units.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Dimension, amount};

    #[test]
    fn amounts_are_exact_and_carry_their_unit() {
        let cases = [
            (Dimension::Money, 500_000_000, "$0.50"),
            (Dimension::Money, 3_000_000_000, "$3.00"),
            (Dimension::Money, 100_000, "$0.0001"),
            (Dimension::Money, -1_000_000_000, "-$1.00"),
            (Dimension::Tokens, 200, "200 tokens"),
            (Dimension::Duration, 200_000_000, "0.2 s"),
            (Dimension::Duration, 3_000_000_000, "3 s"),
            (Dimension::Percent, 850_000, "85%"),
            (Dimension::Percent, 125_000, "12.5%"),
            (Dimension::Count, -7, "-7"),
        ];
        for (dimension, number, text) in cases {
            assert_eq!(amount("$", dimension, number), text);
        }
        assert_eq!(amount("EUR", Dimension::Money, 500_000_000), "EUR 0.50");
    }
}
