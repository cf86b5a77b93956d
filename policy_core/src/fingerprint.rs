//! What makes two calls the same: xxh3 for loops and for a call asked again, where a collision made on
//! purpose lets nothing through that is not decided again; SHA-256 for approvals, where it would.

use crate::code::{Reader, Writer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// As many bytes of a call are put together to be hashed at once.
const SHORT: usize = 240;

/// The fingerprint of a tool call: xxh3 of the tool's name, a zero byte and the canonical arguments.
#[must_use]
pub fn fingerprint(tool: &str, canonical_args: &[u8]) -> u64 {
    // Most calls are short enough to be put together, which is many times as fast as piece by piece.
    let mut whole = [0; SHORT];
    let length = tool.len().saturating_add(1);
    let end = length.saturating_add(canonical_args.len());
    if let Some((named, args)) = whole.get_mut(..end).and_then(|whole| whole.split_at_mut_checked(length))
        && let Some(name) = named.get_mut(..tool.len())
    {
        name.copy_from_slice(tool.as_bytes());
        args.copy_from_slice(canonical_args);
        return xxh3_64(whole.get(..end).unwrap_or_default(), 0);
    }
    let mut hasher = Xxh3::new();
    hasher.update(tool.as_bytes());
    hasher.update(&[0]);
    hasher.update(canonical_args);
    hasher.digest()
}

/// xxh3 with a seed, as the engine computes it everywhere.
#[must_use]
pub fn xxh3_64(data: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(data, seed)
}

/// The SHA-256 of some parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Bytes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an approval is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binding {
    /// One logical call: of a model, or of a tool whose arguments are not exact.
    Call(u64),
    /// A tool with these very arguments, by their SHA-256.
    Args([u8; 32]),
}

impl Binding {
    pub(crate) fn of_tool(tool: &str, canonical_args: &[u8]) -> Self {
        Self::Args(sha256(&[tool.as_bytes(), &[0], canonical_args]))
    }

    /// A tool with these of its arguments, whatever the others are. `None`: the arguments are no object.
    pub(crate) fn of_some(tool: &str, canonical_args: &[u8], names: &[Arc<str>]) -> Option<Self> {
        let members = members(canonical_args)?;
        let mut writer = Writer::default();
        writer.text(tool);
        for name in names {
            let member = members.iter().find(|(key, _)| *key == quoted(name).as_bytes());
            writer.text(name);
            writer.flag(member.is_some());
            writer.bytes(member.map_or(&[], |(_, value)| *value));
        }
        Some(Self::Args(sha256(&[b"some", &[0], &writer.bytes])))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Call(call) => {
                writer.number(0);
                writer.number(*call);
            }
            Self::Args(hash) => {
                writer.number(1);
                writer.fixed(hash);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.number()? {
            0 => Some(Self::Call(reader.number()?)),
            1 => Some(Self::Args(reader.fixed()?)),
            _ => None,
        }
    }
}

/// A name as canonical JSON has it.
fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// The members of an object in canonical JSON: names and values as they are written.
fn members(object: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let inside = object.strip_prefix(b"{")?.strip_suffix(b"}")?;
    if inside.is_empty() {
        return Some(Vec::new());
    }
    parts(inside, b',')
        .into_iter()
        .map(|member| {
            let mut halves = parts(member, b':').into_iter();
            Some((halves.next()?, halves.next()?)).filter(|_| halves.next().is_none())
        })
        .collect()
}

/// What stands between separators that are neither in a text nor in a list or object.
fn parts(json: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut depth, mut in_text, mut is_escaped) = (0_u64, false, false);
    let split = json.split(|byte| {
        match (in_text, is_escaped, byte) {
            (true, true, _) => is_escaped = false,
            (true, false, b'\\') => is_escaped = true,
            (_, false, b'"') => in_text = !in_text,
            (false, _, b'{' | b'[') => depth = depth.saturating_add(1),
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        !in_text && depth == 0 && *byte == separator
    });
    split.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh3_is_the_published_one() {
        assert_eq!(xxh3_64(b"abc", 0), 8_696_274_497_037_089_104);
        assert_eq!(fingerprint("a", b"{}"), xxh3_64(b"a\0{}", 0));
        for length in [0, 1, 100, SHORT - 6, SHORT - 5, SHORT - 4, SHORT, 5000] {
            let long = vec![7; length];
            let mut bytes = b"tool\0".to_vec();
            bytes.extend_from_slice(&long);
            assert_eq!(fingerprint("tool", &long), xxh3_64(&bytes, 0));
        }
    }

    #[test]
    fn a_binding_may_be_about_some_arguments() {
        let names: Vec<Arc<str>> = vec!["amount".into(), "a\"b".into()];
        let of = |args: &str| Binding::of_some("t", args.as_bytes(), &names).expect("an object");
        let args = r#"{"a\"b":[1,"],}",{"c":":"}],"amount":5,"note":"x,y:\\"}"#;
        assert_eq!(of(args), of(&args.replace("x,y", "another")));
        assert_eq!(of(args), of(r#"{"a\"b":[1,"],}",{"c":":"}],"amount":5}"#));
        assert_ne!(of(args), of(&args.replace(":5", ":6")));
        assert_ne!(of(args), of(&args.replace(r#""c""#, r#""d""#)));
        assert_ne!(of(args), of(r#"{"amount":5}"#), "one that is missing is another");
        assert_ne!(of(r#"{"a\"b":null}"#), of("{}"));
        assert_ne!(Some(of("{}")), Binding::of_some("u", b"{}", &names));
        assert_eq!(Binding::of_some("t", b"[]", &names), None);
    }

    #[test]
    fn a_binding_tells_tools_and_arguments_apart() {
        assert_eq!(Binding::of_tool("a", b"{}"), Binding::of_tool("a", b"{}"));
        assert_ne!(Binding::of_tool("a", b"{}"), Binding::of_tool("b", b"{}"));
        assert_ne!(Binding::of_tool("a", b"{}"), Binding::of_tool("a", b"{ }"));
    }
}
