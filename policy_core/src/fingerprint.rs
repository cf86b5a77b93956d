//! What makes two calls the same: xxh3 for loops and for a call asked again, where a collision made on
//! purpose lets nothing through that is not decided again; SHA-256 for approvals, where it would.

use crate::code::{Reader, Writer};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// The fingerprint of a tool call: xxh3 of the tool's name, a zero byte and the canonical arguments.
#[must_use]
pub fn fingerprint(tool: &str, canonical_args: &[u8]) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh3_is_the_published_one() {
        assert_eq!(xxh3_64(b"abc", 0), 8_696_274_497_037_089_104);
        assert_eq!(fingerprint("a", b"{}"), xxh3_64(b"a\0{}", 0));
        let long = vec![7; 5000];
        let mut bytes = b"tool\0".to_vec();
        bytes.extend_from_slice(&long);
        assert_eq!(fingerprint("tool", &long), xxh3_64(&bytes, 0));
    }

    #[test]
    fn a_binding_tells_tools_and_arguments_apart() {
        assert_eq!(Binding::of_tool("a", b"{}"), Binding::of_tool("a", b"{}"));
        assert_ne!(Binding::of_tool("a", b"{}"), Binding::of_tool("b", b"{}"));
        assert_ne!(Binding::of_tool("a", b"{}"), Binding::of_tool("a", b"{ }"));
    }
}
