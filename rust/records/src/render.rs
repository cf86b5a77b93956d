//! Values as the text that explanations show. Texts that the policy does not hold are shown as their hash:
//! they are the user's.

use policy_core::{Dimension, ErrorKind, Program, Shown, Value, amount, xxh3_64};

/// As many elements of a list as are shown.
const SHOWN: usize = 8;

/// The text of a fact's value.
#[must_use]
pub fn value(program: &Program, dimension: Dimension, value: &Value) -> String {
    match value {
        Value::Missing => "missing".to_owned(),
        Value::Ill => "ill-typed".to_owned(),
        Value::Flag(flag) => flag.to_string(),
        Value::Text(text) if is_no_secret(program, text) => text.to_string(),
        Value::Text(text) => format!("text xxh3:{:016x}", xxh3_64(text.as_bytes(), 0)),
        Value::Int(number) => amount(program.currency(), dimension, *number),
        Value::List(values) => list(program, dimension, values),
    }
}

/// A list by its first elements.
fn list(program: &Program, dimension: Dimension, values: &[Value]) -> String {
    let mut shown: Vec<_> =
        values.iter().take(SHOWN).map(|element| value(program, dimension, element)).collect();
    if let Some(more @ 1..) = values.len().checked_sub(SHOWN) {
        shown.push(format!("and {more} more"));
    }
    format!("[{}]", shown.join(", "))
}

/// Nobody's secret: nothing, what the policy says itself, and the engine's own words.
fn is_no_secret(program: &Program, text: &str) -> bool {
    text.is_empty() || program.has_text(text) || ErrorKind::parse(text).is_some() || Shown::is_weekday(text)
}
