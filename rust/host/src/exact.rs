//! Floats to integers at a scale: as the shortest decimal that reads back as the float, exact or not at all.
//!
//! Every other number is read through its text. For a float of fewer than 16 digits that says no more than
//! this: `c / 10^scale`, rounded once as floats are, has to give the float back. Two decimals of at most 15
//! digits are never the same float, and the shortest text has no more digits than `c`; so `c` is what that
//! text says. The product below is off by less than a quarter, so that `c` is the only number to try.

use crate::decimal::scaled;

/// Below this a number has at most 15 digits.
const FEW_DIGITS: f64 = 1e15;

/// One and a half times 2^52: a float near it has no fraction, so that adding it rounds to a whole number,
/// whose bits then lie behind those of this one.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// Ten to the power of a scale.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// What a float is times ten to the power of a scale, as far as it has few digits.
#[derive(Clone, Copy, Debug)]
struct Tried {
    number: i64,
    is_exact: bool,
    /// Too many digits, or no number: this tells nothing.
    is_wide: bool,
}

#[inline]
#[expect(
    clippy::float_arithmetic,
    reason = "exact, as the top of this file shows; a test compares it with texts"
)]
fn tried(value: f64, power: f64) -> Tried {
    let product = value * power;
    let shifted = product + WHOLE;
    let rounded = shifted - WHOLE;
    Tried {
        number: shifted.to_bits().cast_signed().wrapping_sub(WHOLE.to_bits().cast_signed()),
        is_exact: rounded / power == value,
        is_wide: product.is_nan() || product.abs() >= FEW_DIGITS,
    }
}

/// What `value` is times 10 to the power of `scale`, as [`scaled`] reads its shortest text. `None`
/// if it is no integer, or exceeds 2^53 - 1 in magnitude.
#[must_use]
pub fn exact(value: f64, scale: u32) -> Option<i64> {
    let power = POWERS.get(scale as usize).copied();
    match power.map(|power| tried(value, power)) {
        Some(Tried { number, is_exact, is_wide: false }) => is_exact.then_some(number),
        _ if value.is_finite() => scaled(&format!("{value:e}"), scale),
        _ => None,
    }
}

/// The same of many: `numbers` gets those that there are, and `are_exact` says which these are.
pub fn exact_each(values: &[f64], scale: u32, numbers: &mut [i64], are_exact: &mut [bool]) {
    let power = POWERS.get(scale as usize).copied();
    let mut has_wide = power.is_none();
    if let Some(power) = power {
        for ((value, number), is_exact) in values.iter().zip(&mut *numbers).zip(&mut *are_exact) {
            let tried = tried(*value, power);
            *number = tried.number;
            *is_exact = tried.is_exact;
            has_wide |= tried.is_wide;
        }
    }
    if !has_wide {
        return;
    }
    for ((value, number), is_exact) in values.iter().zip(numbers).zip(are_exact) {
        let found = exact(*value, scale);
        *is_exact = found.is_some();
        *number = found.unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{exact, exact_each};
    use crate::decimal::scaled;

    fn by_text(value: f64, scale: u32) -> Option<i64> {
        scaled(&format!("{value:e}"), scale)
    }

    fn floats() -> impl Strategy<Value = f64> {
        let near = |(whole, places, steps): (i64, u32, i64)| {
            let value: f64 = format!("{whole}e-{places}").parse().unwrap();
            f64::from_bits(value.to_bits().wrapping_add_signed(steps))
        };
        let whole = prop_oneof![
            -2000_i64..2000,
            -(1_i64 << 54)..1_i64 << 54,
            999_999_999_999_000..1_000_000_000_001_000_i64
        ];
        prop_oneof![
            (whole, 0_u32..12, prop_oneof![Just(0_i64), -2_i64..3]).prop_map(near),
            any::<u64>().prop_map(f64::from_bits),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_float_is_what_its_shortest_text_says(value in floats(), scale in 0_u32..12) {
            prop_assert_eq!(exact(value, scale), by_text(value, scale), "{:e}", value);
        }

        #[test]
        fn many_are_as_one(values in proptest::collection::vec(floats(), 0..20), scale in 0_u32..12) {
            let (mut numbers, mut are_exact) = (vec![9; values.len()], vec![true; values.len()]);
            exact_each(&values, scale, &mut numbers, &mut are_exact);
            for ((value, number), is_exact) in values.iter().zip(numbers).zip(are_exact) {
                prop_assert_eq!(is_exact.then_some(number), by_text(*value, scale), "{:e}", value);
            }
        }
    }

    #[test]
    fn odd_floats_are_told() {
        for value in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, 1e300]
        {
            for scale in [0, 6, 7, 9] {
                assert_eq!(exact(value, scale), by_text(value, scale), "{value:e} at {scale}");
            }
        }
        assert_eq!((exact(0.85, 6), exact(0.1 + 0.2, 9)), (Some(850_000), None));
        assert_eq!(exact(9_007_199_254_740_991.0, 0), Some(9_007_199_254_740_991));
        assert_eq!(exact(9_007_199_254_740_992.0, 0), None);
    }
}
