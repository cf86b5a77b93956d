//! Exact scaling of decimal text to integers. No float arithmetic happens here.

/// The largest magnitude that a host may supply: 2^53 - 1, exact in every JSON reader.
const LARGEST: u64 = (1 << 53) - 1;

/// As many decimal digits as `LARGEST` has; anything longer is out of range.
const MOST_DIGITS: i64 = 16;

/// Gives the number that `text` writes, times 10 to the power of `scale`.
///
/// Accepts an optional sign, digits with an optional point, and an optional exponent. `None` if the
/// text is no number, the result is no integer, or it exceeds 2^53 - 1 in magnitude.
pub fn scaled(text: &str, scale: u32) -> Option<i64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at..)?.get(1..)?.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = i64::try_from(fraction.len()).ok()?;
    let shift = exponent.checked_add(i64::from(scale))?.checked_sub(places)?;
    let value = shifted(&digits, shift)?;
    Some(if negative { value.checked_neg()? } else { value })
}

/// Whether `text` is a plain decimal, `-?digits[.digits]`: the only text that money may be given in.
pub fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && fraction.is_none_or(digits)
}

/// The integer of `digits` followed by `shift` zeros (or with `-shift` zeros taken off its end).
fn shifted(digits: &[u8], shift: i64) -> Option<i64> {
    let Some(last) = digits.iter().rposition(|digit| *digit != b'0') else {
        return Some(0);
    };
    let first = digits.iter().position(|digit| *digit != b'0')?;
    let dropped = i64::try_from(digits.len().checked_sub(last)?.checked_sub(1)?).ok()?;
    let significant = digits.get(first..=last)?;
    let zeros = shift.checked_add(dropped)?;
    let length = i64::try_from(significant.len()).ok()?.checked_add(zeros)?;
    if zeros < 0 || length > MOST_DIGITS {
        return None;
    }
    let mut value: u64 = 0;
    for digit in significant {
        value = value.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0')?))?;
    }
    let value = value.checked_mul(10u64.checked_pow(u32::try_from(zeros).ok()?)?)?;
    (value <= LARGEST).then(|| i64::try_from(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{is_plain, scaled};

    #[test]
    fn exact_integers_at_the_scale_are_kept() {
        assert_eq!(scaled("0.85", 6), Some(850_000));
        assert_eq!(scaled("-12.5", 7), Some(-125_000_000));
        assert_eq!(scaled("1e-9", 9), Some(1));
        assert_eq!(scaled("1.50E+2", 0), Some(150));
        assert_eq!(scaled("100e-2", 0), Some(1));
        assert_eq!(scaled("0e999999999999999999", 9), Some(0));
        assert_eq!(scaled("9007199254740991", 0), Some(9_007_199_254_740_991));
        assert_eq!(scaled("-9007199254740991", 0), Some(-9_007_199_254_740_991));
    }

    #[test]
    fn what_is_no_integer_in_range_is_refused() {
        for text in
            ["", "-", ".", "e5", "1e", "0x1", "1_0", "NaN", "inf", "Infinity", " 1", "1 ", "--1", "1.2.3"]
        {
            assert_eq!(scaled(text, 9), None, "{text}");
        }
        assert_eq!(scaled("0.0000000001", 9), None);
        assert_eq!(scaled("9007199254740992", 0), None);
        assert_eq!(scaled("1e999999999999999999", 0), None);
        assert_eq!(scaled("1e-999999999999999999", 0), None);
    }

    #[test]
    fn plain_decimals_have_no_exponent_plus_or_bare_point() {
        for text in ["0", "-1", "12.50", "007"] {
            assert!(is_plain(text), "{text}");
        }
        for text in ["", "-", "+1", "1.", ".5", "1e3", "1,5", "$1", "1.2.3", "\u{0661}"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
