//! The texts of answers: literals and facts, filled in exactly or not at all.

use std::fmt::Write;
use std::sync::Arc;

use crate::amount::amount;
use crate::error::LoadError;
use crate::facts::View;
use crate::program::reader::Reader;
use crate::program::{Fact, Program};
use crate::value::Slot;

/// A text with facts in it.
#[derive(Debug)]
pub struct Template {
    /// Its parts in order: no two literals side by side, and none of them empty.
    parts: Box<[Part]>,
}

/// A part of a template.
#[derive(Debug)]
enum Part {
    /// As it stands.
    Literal(Arc<str>),
    /// The value of a fact, an index into [`Program::facts`].
    Fact(u32),
}

impl Template {
    /// As a policy writes it: with the names of facts in braces, and its own braces doubled.
    #[must_use]
    pub fn source(&self, program: &Program) -> String {
        let mut source = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => source.push_str(&text.replace('{', "{{").replace('}', "}}")),
                Part::Fact(fact) => {
                    let name = program.facts().get(*fact as usize).map_or("", |fact| &fact.name);
                    source.push('{');
                    source.push_str(name);
                    source.push('}');
                }
            }
        }
        source
    }

    /// The facts in it.
    pub(crate) fn facts(&self) -> impl Iterator<Item = u32> {
        self.parts.iter().filter_map(|part| if let Part::Fact(fact) = part { Some(*fact) } else { None })
    }

    /// The text, unless a fact in it is missing or ill-typed.
    pub(crate) fn text(&self, view: &View<'_>) -> Option<Box<str>> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Fact(fact) => match view.slot(*fact) {
                    Slot::Missing | Slot::Ill | Slot::List(_) => return None,
                    Slot::Text(value) => text.push_str(value),
                    // Writing to a text does not fail.
                    Slot::Flag(flag) => write!(text, "{flag}").ok()?,
                    Slot::Int(number) => {
                        let dimension = view.program.tables.facts.at(*fact).dimension;
                        text.push_str(&amount(view.program.currency(), dimension, number));
                    }
                },
            }
        }
        Some(text.into())
    }
}

pub(crate) fn template(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    facts: &[Fact],
) -> Result<Template, LoadError> {
    let mut was_literal = false;
    let parts = reader.list(|reader| match reader.byte()? {
        0 => {
            let literal = reader.text(strings)?;
            if literal.is_empty() || std::mem::replace(&mut was_literal, true) {
                return Err(reader.malformed("a literal of a text is empty, or two stand side by side"));
            }
            Ok(Part::Literal(literal))
        }
        1 => {
            was_literal = false;
            let index = reader.index(facts.len())?;
            match facts.get(index as usize) {
                Some(fact) if fact.most == 0 => Ok(Part::Fact(index)),
                _ => Err(reader.malformed("a text holds a list")),
            }
        }
        _ => Err(reader.malformed("a code is unknown")),
    })?;
    if parts.is_empty() {
        Err(reader.malformed("a text is empty"))
    } else {
        Ok(Template { parts: parts.into_boxed_slice() })
    }
}
