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

/// A text between its quotes.
pub fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
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
