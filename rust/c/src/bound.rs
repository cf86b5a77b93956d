//! Calls whose names are bound once: which fact each value is, and where it stands in the canonical text of
//! the arguments. A value is given once and is both, so what is decided is what the fingerprint is of.

use std::cell::Cell;

use checkrein_host::json::{write_escaped, write_float, write_quoted};
use policy_core::{Arg, MAX_QUANTITY, Program, Slot, Source, Value as Owned};

use crate::edge::{Given, Texts, Value};
use crate::fault::{Fault, bad};
use crate::shape::Shape;
use crate::types;

/// How deep lists may be nested. Deeper ones are refused, not walked.
const MOST_LEVELS: usize = 128;

/// How many bytes the text of arguments may have.
const MOST_BYTES: usize = 64 << 20;

/// A buffer larger than this is not kept for the next call.
const MOST_KEPT: usize = 64 << 10;

/// As many facts find their slots on the stack; others take memory.
const FEW: usize = 32;

/// What the host may send with any call, and with any result.
const ALWAYS: [&str; 2] = ["step.kind", "step.confidence"];
const OF_RESULT: &str = "result.confidence";

/// The fact that a value is, if the policy reads it.
type Column = Option<(usize, Shape)>;

/// What is called, by which names.
#[derive(Debug)]
pub(crate) struct Bound {
    point: Point,
    columns: Vec<Column>,
    facts: Vec<Column>,
    width: usize,
    text: Text,
}

/// Whose event a bound call is for.
#[derive(Debug, PartialEq, Eq)]
enum Point {
    Tool(Box<str>),
    Model(Option<Box<str>>),
    Result,
}

/// Where arguments stand in the canonical text.
#[derive(Debug)]
struct Text {
    /// `"name":`, in the order of the values.
    keys: Vec<Vec<u8>>,
    /// The order of the text: by UTF-16 code units, as RFC 8785 wants it.
    whole: Vec<usize>,
    /// The same without what each of the program's loops leaves out.
    forms: Vec<Vec<usize>>,
}

/// The canonical texts of the arguments of one call.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: Vec<u8>,
    pub(crate) forms: Vec<Vec<u8>>,
    pub(crate) is_unsafe: bool,
}

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Bound {
    /// A call of a tool. One that is not declared has no arguments that anybody reads, and is denied.
    pub(crate) fn tool(program: &Program, name: &str, names: &types::Names) -> Result<Self, Fault> {
        let filled = program.tool(name).map_or(&[][..], |tool| &tool.args);
        Self::new(program, Point::Tool(name.into()), filled, names)
    }

    /// A call of a model, which has facts but no arguments.
    pub(crate) fn model(program: &Program, name: Option<&str>, names: &types::Names) -> Result<Self, Fault> {
        if !names.arguments.read()?.is_empty() {
            return Err(bad("a model call has no arguments; bind its facts only"));
        }
        Self::new(program, Point::Model(name.map(Into::into)), &[], names)
    }

    /// A result: of this tool, or of a model.
    pub(crate) fn result(program: &Program, tool: Option<&str>, names: &types::Names) -> Result<Self, Fault> {
        let filled = tool.and_then(|tool| program.tool(tool)).map_or(&[][..], |tool| &tool.results);
        Self::new(program, Point::Result, filled, names)
    }

    fn new(program: &Program, point: Point, filled: &[Arg], names: &types::Names) -> Result<Self, Fault> {
        let arguments = distinct("argument", &names.arguments)?;
        let column = |name: &&str| {
            let arg = filled.iter().find(|arg| *arg.name == **name)?;
            let index = usize::try_from(arg.fact).ok()?;
            let dimension = program.facts().get(index)?.dimension;
            Some((index, Shape::new(dimension, arg.unit, arg.most)))
        };
        let facts = distinct("fact", &names.facts)?.into_iter();
        let facts = facts.map(|name| fact(program, name, point == Point::Result));
        Ok(Self {
            columns: arguments.iter().map(column).collect(),
            facts: facts.collect::<Result<_, _>>()?,
            width: program.facts().len(),
            text: Text::new(program, &arguments),
            point,
        })
    }

    /// The tool that is called.
    pub(crate) fn of_tool(&self) -> Result<&str, Fault> {
        if let Point::Tool(name) = &self.point { Ok(name) } else { Err(other_event()) }
    }

    /// The model that is asked for, if any.
    pub(crate) fn of_model(&self) -> Result<Option<&str>, Fault> {
        if let Point::Model(name) = &self.point { Ok(name.as_deref()) } else { Err(other_event()) }
    }

    /// That this is a result.
    pub(crate) fn of_result(&self) -> Result<(), Fault> {
        if self.point == Point::Result { Ok(()) } else { Err(other_event()) }
    }

    /// Lends a slot for each of the program's facts.
    pub(crate) fn slots<R>(
        &self,
        arguments: &[Value],
        facts: &[Value],
        with: impl FnOnce(&[Slot<'_>]) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        if arguments.len() != self.columns.len() || facts.len() != self.facts.len() {
            let (wanted, known) = (self.columns.len(), self.facts.len());
            return Err(bad(format!(
                "the values are not as many as the names that were bound; pass {wanted} arguments and \
                 {known} facts"
            )));
        }
        let columns = self.columns.iter().chain(&self.facts);
        let lists = lists(columns.clone().zip(arguments.iter().chain(facts)))?;
        let mut owned = lists.iter();
        let mut few = [Slot::Missing; FEW];
        let mut many = Vec::new();
        let slots = match few.get_mut(..self.width) {
            Some(slots) => slots,
            None => {
                many.resize(self.width, Slot::Missing);
                &mut many
            }
        };
        for (column, value) in columns.zip(arguments.iter().chain(facts)) {
            let given = value.read()?;
            let Some((fact, shape)) = column else { continue };
            let Some(slot) = slots.get_mut(*fact) else { continue };
            *slot = if shape.is_list() {
                owned.next().map_or(Slot::Ill, Owned::as_slot)
            } else {
                shape.slot(given)
            };
        }
        with(slots)
    }

    /// Lends the canonical texts of the arguments.
    pub(crate) fn written<R>(
        &self,
        arguments: &[Value],
        with: impl FnOnce(&Written) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let text = BUFFER.try_with(Cell::take).unwrap_or_default();
        let mut written = Written { text, ..Written::default() };
        written.text.clear();
        let done = self.write(arguments, &mut written).and_then(|()| with(&written));
        if written.text.capacity() <= MOST_KEPT {
            let _ = BUFFER.try_with(|buffer| buffer.set(written.text));
        }
        done
    }

    fn write(&self, arguments: &[Value], written: &mut Written) -> Result<(), Fault> {
        written.is_unsafe = self.text.write(&self.text.whole, arguments, &mut written.text)?;
        for form in &self.text.forms {
            let mut text = Vec::new();
            self.text.write(form, arguments, &mut text)?;
            written.forms.push(text);
        }
        Ok(())
    }
}

impl Text {
    fn new(program: &Program, names: &[&str]) -> Self {
        let key = |name: &&str| {
            let mut key = vec![b'"'];
            write_escaped(&mut key, name);
            key.extend_from_slice(b"\":");
            key
        };
        let mut sorted: Vec<_> = names.iter().enumerate().collect();
        sorted.sort_by(|(_, one), (_, two)| one.encode_utf16().cmp(two.encode_utf16()));
        let form = |ignored: &[std::sync::Arc<str>]| {
            let kept = sorted.iter().filter(|(_, name)| !ignored.iter().any(|left| **left == ***name));
            kept.map(|(place, _)| *place).collect()
        };
        Self {
            keys: names.iter().map(key).collect(),
            whole: form(&[]),
            forms: program.ignored_args().iter().map(|ignored| form(ignored)).collect(),
        }
    }

    /// Writes these arguments. Gives whether there is an integer beyond 2^53 - 1 among them.
    fn write(&self, order: &[usize], values: &[Value], out: &mut Vec<u8>) -> Result<bool, Fault> {
        let mut is_unsafe = false;
        let mut separator = b'{';
        for place in order {
            let (Some(key), Some(value)) = (self.keys.get(*place), values.get(*place)) else { continue };
            out.push(separator);
            out.extend_from_slice(key);
            is_unsafe |= write_value(out, value, 0)?;
            separator = b',';
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(is_unsafe)
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value, level: usize) -> Result<bool, Fault> {
    if level > MOST_LEVELS || out.len() > MOST_BYTES {
        return Err(bad("the arguments are nested too deep or too long; pass smaller values"));
    }
    match value.read()? {
        Given::Missing => out.extend_from_slice(b"null"),
        Given::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Given::Integer(number) => {
            out.extend_from_slice(number.to_string().as_bytes());
            return Ok(number.unsigned_abs() > MAX_QUANTITY);
        }
        Given::Real(number) => write_float(out, number),
        Given::Text(text) => write_quoted(out, text),
        Given::List(items) => {
            let mut is_unsafe = false;
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                is_unsafe |= write_value(out, item, level.saturating_add(1))?;
            }
            out.push(b']');
            return Ok(is_unsafe);
        }
    }
    Ok(false)
}

/// What lists hold, in the order of their columns. They are read first, since slots borrow them.
fn lists<'a>(values: impl Iterator<Item = (&'a Column, &'a Value)>) -> Result<Vec<Owned>, Fault> {
    let mut lists = Vec::new();
    for (column, value) in values {
        if let Some((_, shape)) = column
            && let Some(list) = shape.list(value.read()?)?
        {
            lists.push(list);
        }
    }
    Ok(lists)
}

fn other_event() -> Fault {
    bad("this call was bound for another kind of event; bind one for this")
}

/// Names that are all different.
fn distinct<'a>(what: &str, names: &'a Texts) -> Result<Vec<&'a str>, Fault> {
    let names: Vec<_> = names.read()?.iter().map(|name| name.text()).collect::<Result<_, _>>()?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair.first() == pair.last()) {
        None => Ok(names),
        Some(pair) => {
            let name = pair.first().copied().unwrap_or_default();
            Err(bad(format!("the {what} `{name}` is bound twice; name each once")))
        }
    }
}

/// The column of a fact that the host may send.
fn fact(program: &Program, name: &str, is_result: bool) -> Result<Column, Fault> {
    let mut known = program.facts().iter().enumerate();
    let sent = |source: Source| match source {
        Source::Host => true,
        Source::BuiltIn(fact) => fact.from_host() || (is_result && name == OF_RESULT),
        Source::Arg | Source::Result => false,
    };
    if let Some((index, fact)) = known.find(|(_, fact)| *fact.name == *name && sent(fact.source)) {
        return Ok(Some((index, Shape::new(fact.dimension, None, fact.most))));
    }
    if ALWAYS.contains(&name) || (is_result && name == OF_RESULT) {
        return Ok(None);
    }
    let message = format!(
        "fact `{name}` is not declared in `{}`, or only the engine sets it; declare it or leave it out",
        program.file()
    );
    Err(Fault::new(types::UNKNOWN_NAME, message))
}
