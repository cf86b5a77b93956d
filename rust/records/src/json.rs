//! JSON as the log writes it: no spaces, UTF-8 as it is.

/// A line under way.
#[derive(Debug)]
pub(crate) struct Json<'a>(pub(crate) &'a mut Vec<u8>);

impl Json<'_> {
    /// Bytes that are JSON already.
    #[inline]
    pub(crate) fn raw(&mut self, json: &str) {
        self.bytes(json.as_bytes());
    }

    /// The same, as bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    /// A text in quotes.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.push(b'"');
        self.inside(text);
        self.0.push(b'"');
    }

    /// A text without its quotes.
    pub(crate) fn inside(&mut self, text: &str) {
        let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        let mut rest = text.as_bytes();
        while let Some(place) = rest.iter().position(is_special) {
            let (plain, after) = rest.split_at_checked(place).unwrap_or_default();
            self.0.extend_from_slice(plain);
            let Some((special, after)) = after.split_first() else { break };
            self.escape(*special);
            rest = after;
        }
        self.0.extend_from_slice(rest);
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            b'"' | b'\\' => byte,
            _ => {
                let digit = |part: u32| char::from_digit(part, 16).unwrap_or('0');
                self.raw("\\u00");
                for part in [u32::from(byte >> 4), u32::from(byte & 15)] {
                    self.0.extend_from_slice(digit(part).encode_utf8(&mut [0; 4]).as_bytes());
                }
                return;
            }
        };
        self.0.extend_from_slice(&[b'\\', short]);
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, flag: bool) {
        self.raw(if flag { "true" } else { "false" });
    }

    /// A number of at least so many digits.
    fn padded(&mut self, number: u64, width: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number);
        (digits.len()..width).for_each(|_| self.0.push(b'0'));
        self.raw(digits);
    }

    /// A day and the time of it, to its second: `2026-03-29T00:30:00`.
    fn second(&mut self, seconds: u64) {
        let (year, month, day) = date(seconds / 86_400);
        let of_day = seconds % 86_400;
        let parts = [
            (year, 4, "-"),
            (month, 2, "-"),
            (day, 2, "T"),
            (of_day / 3_600, 2, ":"),
            (of_day / 60 % 60, 2, ":"),
            (of_day % 60, 2, ""),
        ];
        for (number, width, end) in parts {
            self.padded(number, width);
            self.raw(end);
        }
    }
}

/// Writes instants, and remembers the second of the latest.
#[derive(Debug, Default)]
pub(crate) struct Instant {
    second: Option<u64>,
    text: Vec<u8>,
}

impl Instant {
    /// An instant in nanoseconds since the Unix epoch: `"2026-03-29T00:30:00.000000+00:00"`.
    ///
    /// A clock that went wrong, and shows more than fits, is written as it is.
    pub(crate) fn write(&mut self, json: &mut Json<'_>, wall: u64) {
        if wall == u64::MAX {
            json.raw("\"");
            json.number(wall);
            return json.raw(" ns\"");
        }
        let second = wall / 1_000_000_000;
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            Json(&mut self.text).second(second);
        }
        json.raw("\"");
        json.bytes(&self.text);
        json.raw(".");
        json.padded(wall / 1_000 % 1_000_000, 6);
        json.raw("+00:00\"");
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar, by eras of 400 years that begin
/// in March, so that leap days come last.
#[expect(clippy::arithmetic_side_effects, reason = "a day of 64 bits of nanoseconds is below 2^18")]
const fn date(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::{Instant, Json};

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Json(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn texts_are_escaped_as_python_does() {
        let cases = [
            ("", r#""""#),
            ("é \u{7f}", "\"é \u{7f}\""),
            ("a\"b\\c\n", r#""a\"b\\c\n""#),
            ("\r\t\u{8}\u{c}\u{0}\u{1f}", r#""\r\t\b\f\u0000\u001f""#),
        ];
        for (text, json) in cases {
            assert_eq!(written(|to| to.text(text)), json);
        }
    }

    #[test]
    fn instants_are_dates() {
        const DAY: u64 = 86_400_000_000_000;
        let cases = [
            (0, "1970-01-01T00:00:00.000000"),
            (1_999, "1970-01-01T00:00:00.000001"),
            (58 * DAY, "1970-02-28T00:00:00.000000"),
            (59 * DAY - 1, "1970-02-28T23:59:59.999999"),
            (1_709_164_800 * 1_000_000_000, "2024-02-29T00:00:00.000000"),
            (4_107_542_400 * 1_000_000_000, "2100-03-01T00:00:00.000000"),
            (u64::MAX - 1, "2554-07-21T23:34:33.709551"),
        ];
        let mut instant = Instant::default();
        for (wall, shown) in cases.into_iter().chain(cases) {
            assert_eq!(written(|to| instant.write(to, wall)), format!("\"{shown}+00:00\""));
        }
        assert_eq!(written(|to| instant.write(to, u64::MAX)), "\"18446744073709551615 ns\"");
    }
}
