//! The pieces of canonical JSON (RFC 8785) that do not depend on whose values are written.

/// A number; NaN and the infinities, which JSON has not, as texts.
pub fn write_float(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes());
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number.is_sign_positive() {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}

/// The number of an integer.
pub fn write_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let (mut left, mut first) = (number.unsigned_abs(), digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // The last digit of a number is less than ten.
        *digit = b'0' | u8::try_from(left % 10).unwrap_or_default();
        (left, first) = (left / 10, at);
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Whether a byte stands for itself inside a text.
const fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..0x20 | b'"' | b'\\')
}

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight bytes at once: of each below `n` (of at most 128) the highest bit, and others of no meaning.
const fn below(eight: u64, n: u64) -> u64 {
    // Such a byte borrows, and so gets its highest bit; one that had it is above.
    eight.wrapping_sub(ONES.wrapping_mul(n)) & !eight
}

/// The same of each that is this byte.
const fn equal(eight: u64, byte: u8) -> u64 {
    below(eight ^ ONES.wrapping_mul(byte as u64), 1)
}

/// The same of each that is not plain.
const fn special(eight: u64) -> u64 {
    below(eight, 0x20) | equal(eight, b'"') | equal(eight, b'\\')
}

/// Whether a text is of ASCII alone and written as it is.
#[inline]
#[must_use]
pub fn is_written_as_it_is(text: &str) -> bool {
    are_all(text.as_bytes(), |eight| (special(eight) | eight) & HIGH == 0)
}

/// Whether a text is of printable ASCII alone, blanks among it.
#[inline]
#[must_use]
pub fn is_printable(text: &str) -> bool {
    are_all(text.as_bytes(), |eight| (below(eight, 0x20) | equal(eight, 0x7f) | eight) & HIGH == 0)
}

/// Whether all bytes are plain.
#[inline]
fn has_nothing_special(bytes: &[u8]) -> bool {
    are_all(bytes, |eight| special(eight) & HIGH == 0)
}

/// Whether something holds for all bytes that holds for them eight by eight. A short text is put into eight,
/// some of it twice, or with blanks.
#[inline(always)]
fn are_all(bytes: &[u8], holds: impl Fn(u64) -> bool) -> bool {
    let eight = |bytes: &[u8; 8]| holds(u64::from_le_bytes(*bytes));
    let (eights, rest) = bytes.as_chunks::<8>();
    if let Some(last) = bytes.last_chunk::<8>() {
        return (rest.is_empty() || eight(last)) && eights.iter().all(eight);
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some([a, b, c, d]), Some([e, f, g, h]), _) => eight(&[*a, *b, *c, *d, *e, *f, *g, *h]),
        (.., [a, b, c]) => eight(&[*a, *b, *c, b' ', b' ', b' ', b' ', b' ']),
        (.., [a, b]) => eight(&[*a, *b, b' ', b' ', b' ', b' ', b' ', b' ']),
        (.., [a]) => eight(&[*a, b' ', b' ', b' ', b' ', b' ', b' ', b' ']),
        _ => true,
    }
}

/// A text with its quotes.
pub fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// A text between its quotes.
#[inline]
pub fn write_escaped(out: &mut Vec<u8>, text: &str) {
    if has_nothing_special(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_special(out, text);
    }
}

#[cold]
fn write_special(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let (special, after) = after.split_at(1);
        match special {
            "\"" => out.extend_from_slice(b"\\\""),
            "\\" => out.extend_from_slice(b"\\\\"),
            "\u{8}" => out.extend_from_slice(b"\\b"),
            "\t" => out.extend_from_slice(b"\\t"),
            "\n" => out.extend_from_slice(b"\\n"),
            "\u{c}" => out.extend_from_slice(b"\\f"),
            "\r" => out.extend_from_slice(b"\\r"),
            control => {
                let code = control.bytes().next().unwrap_or_default();
                out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_rust_writes_them() {
        let mut some = vec![0, 9, 10, 1_234_567_890, i64::MAX, i64::MIN];
        some.extend((0..63).flat_map(|bit| [1_i64 << bit, -(1_i64 << bit), (1_i64 << bit) - 1]));
        for number in some {
            let mut out = Vec::new();
            write_integer(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn every_byte_is_plain_or_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for other in [b' ', b'a', 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']'] {
                    let mut eight = [other; 8];
                    eight[at] = byte;
                    assert_eq!(has_nothing_special(&eight), is_plain(byte), "{byte} at {at} among {other}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_written_as_it_is_if_it_is_of_plain_ascii() {
        for length in 1..20 {
            for (at, letter) in (0..length).flat_map(|at| ('\0'..='\u{100}').map(move |letter| (at, letter)))
            {
                let name: String = (0..length).map(|place| if place == at { letter } else { 'x' }).collect();
                let is_plain = letter.is_ascii() && is_plain(letter as u8);
                assert_eq!(is_written_as_it_is(&name), is_plain, "{letter:?} at {at} of {length}");
                assert_eq!(
                    is_printable(&name),
                    matches!(letter, ' '..='~'),
                    "{letter:?} at {at} of {length}"
                );
            }
        }
        assert!(is_written_as_it_is(""));
    }

    #[test]
    fn what_is_special_is_escaped_at_any_place_of_any_length() {
        for length in 0..20 {
            for at in 0..length {
                let text: String = (0..length).map(|place| if place == at { '"' } else { 'x' }).collect();
                let mut out = Vec::new();
                write_escaped(&mut out, &text);
                assert_eq!(String::from_utf8_lossy(&out), text.replace('"', "\\\""));
            }
        }
    }
}
