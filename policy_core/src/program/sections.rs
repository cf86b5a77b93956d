//! The items of each section of an artifact. Checks what one item can tell by itself.

use crate::error::LoadError;
use crate::facts::BuiltInFact;
use crate::program::reader::Reader;
use crate::program::statements::{Statement, StatementKind};
use crate::program::tables::{
    Arg, Fact, Model, MoneyUnit, Place, Presence, Price, Queue, QueueDefault, Source, State, Tool, ToolClass,
};
use crate::program::{Comparison, Condition, Const, Op};
use crate::value::Dimension;

/// The most operations of one condition.
const MOST_OPS: usize = 4096;

pub(crate) const PLACES: [Place; 2] = [Place::Edge, Place::Cloud];
pub(crate) const CLASSES: [ToolClass; 4] =
    [ToolClass::None, ToolClass::Retrieve, ToolClass::Reason, ToolClass::Act];

/// How many of what there is, for the sections that point at others.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) strings: &'a [Box<str>],
    pub(crate) models: usize,
    pub(crate) tools: usize,
    pub(crate) states: usize,
    pub(crate) queues: usize,
    pub(crate) conditions: usize,
}

/// Fails unless the items strictly ascend by their key.
pub(crate) fn ascending<T, K: Ord>(
    reader: &Reader<'_>,
    items: &[T],
    key: impl Fn(&T) -> K,
) -> Result<(), LoadError> {
    let ordered = items.is_sorted_by(|left, right| key(left) < key(right));
    if ordered { Ok(()) } else { Err(reader.malformed("a list is not in order")) }
}

fn constant(reader: &mut Reader<'_>, strings: &[Box<str>]) -> Result<(Dimension, Const), LoadError> {
    let dimension = reader.choice(&Dimension::ALL)?;
    let value = match dimension {
        Dimension::Text => Const::Text(reader.text(strings)?),
        Dimension::Flag => Const::Flag(reader.flag()?),
        _ => {
            let number = reader.signed()?;
            if !dimension.admits(number) {
                return Err(reader.malformed("a constant is out of range"));
            }
            Const::Int(number)
        }
    };
    Ok((dimension, value))
}

/// A constant that is compared with a fact.
fn constant_of(reader: &mut Reader<'_>, strings: &[Box<str>], wanted: Dimension) -> Result<Const, LoadError> {
    let (dimension, value) = constant(reader, strings)?;
    if dimension == wanted { Ok(value) } else { Err(reader.malformed("a constant has another dimension")) }
}

pub(crate) fn facts(reader: &mut Reader<'_>, strings: &[Box<str>]) -> Result<Vec<Fact>, LoadError> {
    let facts = reader.list(|reader| {
        let name = reader.text(strings)?;
        let dimension = reader.choice(&Dimension::ALL)?;
        let built_in = BuiltInFact::parse(&name);
        let source = match (reader.byte()?, built_in) {
            (0, None) => Source::Host,
            (1, None) => Source::Arg,
            (2, Some(fact)) if fact.dimension() == dimension => Source::BuiltIn(fact),
            _ => return Err(reader.malformed("a fact is not one of the engine's, or is")),
        };
        let presence = match reader.byte()? {
            0 => Presence::Required,
            1 => Presence::Optional,
            2 if source.from_host() => Presence::Default(constant_of(reader, strings, dimension)?),
            _ => return Err(reader.malformed("a code is unknown")),
        };
        let choices = reader.list(|reader| reader.text(strings))?;
        ascending(reader, &choices, |choice| choice.as_bytes().to_vec())?;
        if !choices.is_empty() && dimension != Dimension::Text {
            return Err(reader.malformed("a number has choices"));
        }
        if let Presence::Default(Const::Text(text)) = &presence
            && !choices.is_empty()
            && !choices.contains(text)
        {
            return Err(reader.malformed("a default is none of the choices"));
        }
        Ok(Fact { name, dimension, source, presence, choices: choices.into_boxed_slice() })
    })?;
    ascending(reader, &facts, |fact| (fact.name.as_bytes().to_vec(), fact.dimension))?;
    Ok(facts)
}

pub(crate) fn models(reader: &mut Reader<'_>, strings: &[Box<str>]) -> Result<Vec<Model>, LoadError> {
    let models = reader.list(|reader| {
        let model = Model {
            name: reader.text(strings)?,
            target: reader.text(strings)?,
            tier: reader.quantity()?,
            place: reader.choice(&PLACES)?,
            window: reader.quantity()?,
            output: reader.quantity()?,
            least_output: reader.quantity()?,
            price: reader
                .option(|reader| Ok(Price { input: reader.quantity()?, output: reader.quantity()? }))?,
        };
        if model.least_output > model.output || model.output > model.window {
            return Err(reader.malformed("a model's window, output and least output do not fit each other"));
        }
        Ok(model)
    })?;
    ascending(reader, &models, |model| model.name.as_bytes().to_vec())?;
    Ok(models)
}

pub(crate) fn tools(
    reader: &mut Reader<'_>,
    strings: &[Box<str>],
    facts: &[Fact],
) -> Result<Vec<Tool>, LoadError> {
    let tools = reader.list(|reader| {
        let name = reader.text(strings)?;
        let class = reader.choice(&CLASSES)?;
        let once = reader.flag()?;
        let timeout_ns = reader.option(Reader::quantity)?;
        let args = reader.list(|reader| arg(reader, strings, facts))?;
        ascending(reader, &args, |arg| arg.name.as_bytes().to_vec())?;
        Ok(Tool { name, class, once, timeout_ns, args: args.into_boxed_slice() })
    })?;
    ascending(reader, &tools, |tool| tool.name.as_bytes().to_vec())?;
    Ok(tools)
}

fn arg(reader: &mut Reader<'_>, strings: &[Box<str>], facts: &[Fact]) -> Result<Arg, LoadError> {
    let name = reader.text(strings)?;
    let fact = reader.index(facts.len())?;
    let unit = match reader.byte()? {
        0 => None,
        1 => Some(MoneyUnit::Units),
        2 => Some(MoneyUnit::Cents),
        _ => return Err(reader.malformed("a code is unknown")),
    };
    match facts.get(fact as usize) {
        Some(filled)
            if filled.source == Source::Arg && unit.is_some() == (filled.dimension == Dimension::Money) =>
        {
            Ok(Arg { name, fact, unit })
        }
        _ => Err(reader.malformed("an argument fills a fact of another sort")),
    }
}

pub(crate) fn states(reader: &mut Reader<'_>, strings: &[Box<str>]) -> Result<Vec<State>, LoadError> {
    let states = reader.list(|reader| {
        Ok(State {
            name: reader.text(strings)?,
            tell_agent: reader.option(|reader| reader.text(strings))?,
            tell_user: reader.option(|reader| reader.text(strings))?,
        })
    })?;
    ascending(reader, &states, |state| state.name.as_bytes().to_vec())?;
    Ok(states)
}

pub(crate) fn queues(
    reader: &mut Reader<'_>,
    strings: &[Box<str>],
    states: usize,
) -> Result<Vec<Queue>, LoadError> {
    let queues = reader.list(|reader| {
        let name = reader.text(strings)?;
        let expires_ns = reader.quantity()?;
        let default = match reader.byte()? {
            0 => QueueDefault::Deny,
            1 => QueueDefault::Stop(reader.index(states)?),
            _ => return Err(reader.malformed("a code is unknown")),
        };
        Ok(Queue { name, expires_ns, default })
    })?;
    ascending(reader, &queues, |queue| queue.name.as_bytes().to_vec())?;
    Ok(queues)
}

pub(crate) fn condition(
    reader: &mut Reader<'_>,
    strings: &[Box<str>],
    facts: &[Fact],
) -> Result<Condition, LoadError> {
    let ops = reader.list(|reader| op(reader, strings, facts))?;
    if ops.len() > MOST_OPS {
        return Err(reader.malformed("a condition is too long"));
    }
    Ok(Condition::new(ops))
}

fn op(reader: &mut Reader<'_>, strings: &[Box<str>], facts: &[Fact]) -> Result<Op, LoadError> {
    let code = reader.byte()?;
    match code {
        0..=4 => reading(code, reader, strings, facts),
        5 => Ok(Op::Not),
        6 => Ok(Op::And),
        7 => Ok(Op::Or),
        8 => Ok(Op::JumpIfFalse { skip: reader.index(MOST_OPS)? }),
        9 => Ok(Op::JumpIfTrue { skip: reader.index(MOST_OPS)? }),
        _ => Err(reader.malformed("a code is unknown")),
    }
}

fn reading(code: u8, reader: &mut Reader<'_>, strings: &[Box<str>], facts: &[Fact]) -> Result<Op, LoadError> {
    let fact = reader.index(facts.len())?;
    let Some(dimension) = facts.get(fact as usize).map(|fact| fact.dimension) else {
        return Err(reader.malformed("an index is out of range"));
    };
    match code {
        0 => {
            let comparison = reader.choice(&Comparison::ALL)?;
            if comparison.needs_order() && !dimension.is_number() {
                return Err(reader.malformed("a text or a flag is put in order"));
            }
            Ok(Op::Compare { fact, comparison, value: constant_of(reader, strings, dimension)? })
        }
        1 => {
            let values = reader.list(|reader| constant_of(reader, strings, dimension))?;
            ascending(reader, &values, Const::clone)?;
            Ok(Op::Member { fact, values: values.into_boxed_slice() })
        }
        2 => Ok(Op::Has { fact }),
        _ if dimension != Dimension::Text => Err(reader.malformed("only a text starts or ends")),
        3 => Ok(Op::Starts { fact, text: reader.text(strings)? }),
        _ => Ok(Op::Ends { fact, text: reader.text(strings)? }),
    }
}

pub(crate) fn statements(reader: &mut Reader<'_>, strings: &[Box<str>]) -> Result<Vec<Statement>, LoadError> {
    let statements = reader.list(|reader| {
        Ok(Statement {
            kind: reader.choice(&StatementKind::ALL)?,
            name: reader.text(strings)?,
            line: reader.quantity()?,
            column: reader.quantity()?,
            source: reader.text(strings)?,
            reason: None,
        })
    })?;
    ascending(reader, &statements, |statement| (statement.name.as_bytes().to_vec(), statement.kind))?;
    Ok(statements)
}
