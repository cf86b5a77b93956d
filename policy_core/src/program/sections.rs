//! The items of each section of an artifact. Checks what one item can tell by itself.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::books::Zone;
use crate::error::LoadError;
use crate::facts::BuiltInFact;
use crate::price::{DAY, Price, Tariff};
use crate::program::reader::Reader;
use crate::program::statements::{Statement, StatementKind};
use crate::program::tables::{
    Arg, Fact, Grants, Model, MoneyUnit, Place, Presence, Queue, QueueDefault, Source, State, TimeZone, Tool,
    ToolClass,
};
use crate::program::watch::Providers;
use crate::program::{Comparison, Condition, Const, Op, Predicate, Quantifier};
use crate::value::Dimension;

/// The most operations of one condition.
const MOST_OPS: usize = 4096;

/// The most elements of one list.
const MOST_ELEMENTS: u32 = 1_000;

/// The most elements that one condition may look at, all its lists together.
const MOST_LOOKS: u32 = 16_384;

pub(crate) const PLACES: [Place; 2] = [Place::Edge, Place::Cloud];

/// The most tariffs of one model.
const MOST_TARIFFS: usize = 64;

/// The furthest that a zone's time is from UTC, in seconds.
const FURTHEST: i64 = 86_400;

/// What there is, for the sections that point at others.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) strings: &'a [Arc<str>],
    pub(crate) facts: &'a [Fact],
    pub(crate) models: &'a [Model],
    /// Looked for when a breaker names one.
    pub(crate) providers: OnceCell<Providers<'a>>,
    pub(crate) tools: usize,
    pub(crate) states: usize,
    pub(crate) queues: &'a [Queue],
    pub(crate) zones: &'a [TimeZone],
    pub(crate) conditions: usize,
    pub(crate) templates: usize,
}

/// A constant, with its dimension and a key that orders the constants of one dimension.
fn constant(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<(Dimension, (i64, Const)), LoadError> {
    let dimension = reader.choice(&Dimension::ALL)?;
    let keyed = match dimension {
        Dimension::Text => {
            let (index, text) = reader.keyed_text(strings)?;
            (index.into(), Const::Text(text))
        }
        Dimension::Flag => {
            let flag = reader.flag()?;
            (flag.into(), Const::Flag(flag))
        }
        _ => {
            let number = reader.signed()?;
            if !dimension.admits(number) {
                return Err(reader.malformed("a constant is out of range"));
            }
            (number, Const::Int(number))
        }
    };
    Ok((dimension, keyed))
}

/// A constant that is compared with a fact, with its key.
fn constant_of(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    wanted: Dimension,
) -> Result<(i64, Const), LoadError> {
    let (dimension, keyed) = constant(reader, strings)?;
    if dimension == wanted { Ok(keyed) } else { Err(reader.malformed("a constant has another dimension")) }
}

pub(crate) fn facts(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<Vec<Fact>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let dimension = reader.choice(&Dimension::ALL)?;
        let most = most(reader)?;
        let built_in = BuiltInFact::parse(&name);
        let source = match (reader.byte()?, built_in) {
            (0, None) => Source::Host,
            (1, None) => Source::Arg,
            (2, Some(fact)) if fact.dimension() == dimension && most == 0 => Source::BuiltIn(fact),
            (3, None) => Source::Result,
            _ => return Err(reader.malformed("a fact is not one of the engine's, or is")),
        };
        let mut default = None;
        let presence = match reader.byte()? {
            0 => Presence::Required,
            1 => Presence::Optional,
            2 if source.from_host() && most == 0 => {
                let (key, value) = constant_of(reader, strings, dimension)?;
                default = Some(key);
                Presence::Default(value)
            }
            3 if source.from_host() && most > 0 => Presence::Empty,
            _ => return Err(reader.malformed("a code is unknown")),
        };
        let mut has_default = false;
        let choices = reader.ascending(|reader| {
            let (key, choice) = reader.keyed_text(strings)?;
            has_default |= default == Some(key.into());
            Ok((key, choice))
        })?;
        if !choices.is_empty() && (dimension != Dimension::Text || !source.from_host()) {
            return Err(reader.malformed("a number has choices, or a fact that has them at each tool"));
        }
        if !choices.is_empty() && default.is_some() && !has_default {
            return Err(reader.malformed("a default is none of the choices"));
        }
        Ok((
            (key, dimension, most > 0),
            Fact { name, dimension, most, source, presence, choices: choices.into_boxed_slice() },
        ))
    })
}

/// The most elements of a list, 0 of what is one value.
fn most(reader: &mut Reader<'_>) -> Result<u32, LoadError> {
    let most = reader.quantity()?;
    let small = u32::try_from(most).ok().filter(|&most| most <= MOST_ELEMENTS);
    small.ok_or_else(|| reader.malformed("a list has too many elements"))
}

pub(crate) fn models(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<Vec<Model>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let model = Model {
            name,
            target: reader.text(strings)?,
            tier: reader.quantity()?,
            place: reader.choice(&PLACES)?,
            region: reader.option(|reader| reader.text(strings))?,
            window: reader.quantity()?,
            output: reader.quantity()?,
            least_output: reader.quantity()?,
            price: reader.option(price)?,
        };
        if model.least_output > model.output || model.output > model.window {
            return Err(reader.malformed("a model's window, output and least output do not fit each other"));
        }
        Ok((key, model))
    })
}

/// Tariffs by size and hour: those of each size share the day, and the first are for requests of any size.
fn price(reader: &mut Reader<'_>) -> Result<Price, LoadError> {
    let (mut above, mut reached) = (0, 0);
    let tariffs = reader.list(|reader| {
        let tariff = Tariff {
            above: reader.quantity()?,
            from: reader.quantity()?,
            to: reader.quantity()?,
            input: reader.quantity()?,
            output: reader.quantity()?,
            cache_read: reader.quantity()?,
            cache_write: reader.quantity()?,
            reasoning: reader.quantity()?,
        };
        if reached == DAY && tariff.above > above {
            (above, reached) = (tariff.above, 0);
        }
        if tariff.above != above || tariff.from != reached || tariff.to <= reached || tariff.to > DAY {
            return Err(reader.malformed("the tariffs of a price do not share the day"));
        }
        reached = tariff.to;
        Ok(tariff)
    })?;
    if reached != DAY || tariffs.len() > MOST_TARIFFS {
        return Err(reader.malformed("the tariffs of a price do not share the day, or are too many"));
    }
    Ok(Price::new(tariffs.into_boxed_slice()))
}

pub(crate) fn tools(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    facts: &[Fact],
) -> Result<Vec<Tool>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let class = reader.choice(&ToolClass::ALL)?;
        let (once, may_repeat) = (reader.flag()?, reader.flag()?);
        if once && may_repeat {
            return Err(reader.malformed("a tool may run once, and may repeat"));
        }
        let timeout_ns = reader.option(Reader::quantity)?;
        let filled = |reader: &mut Reader<'_>, source| {
            reader.ascending(|reader| arg(reader, strings, facts, source)).map(Vec::into_boxed_slice)
        };
        let (args, results) = (filled(reader, Source::Arg)?, filled(reader, Source::Result)?);
        // That there is such a condition is checked with its use.
        let succeeds = reader.option(|reader| reader.index(u32::MAX as usize))?;
        Ok((key, Tool { name, class, once, may_repeat, timeout_ns, args, results, succeeds }))
    })
}

fn arg(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    facts: &[Fact],
    source: Source,
) -> Result<(u32, Arg), LoadError> {
    let (key, name) = reader.keyed_text(strings)?;
    let fact = reader.index(facts.len())?;
    let unit = match reader.byte()? {
        0 => None,
        1 => Some(MoneyUnit::Units),
        2 => Some(MoneyUnit::Cents),
        _ => return Err(reader.malformed("a code is unknown")),
    };
    let most = most(reader)?;
    let choices = reader.ascending(|reader| reader.keyed_text(strings))?;
    match facts.get(fact as usize) {
        Some(filled)
            if filled.source == source
                && unit.is_some() == (filled.dimension == Dimension::Money)
                && most <= filled.most
                && (most > 0) == (filled.most > 0)
                && (choices.is_empty() || filled.dimension == Dimension::Text) =>
        {
            Ok((key, Arg { name, fact, unit, most, choices: choices.into_boxed_slice() }))
        }
        _ => Err(reader.malformed("an argument fills a fact of another sort")),
    }
}

pub(crate) fn states(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<Vec<State>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let tell_agent = reader.option(|reader| reader.text(strings))?;
        let tell_user = reader.option(|reader| reader.text(strings))?;
        Ok((key, State { name, tell_agent, tell_user }))
    })
}

pub(crate) fn queues(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    states: usize,
) -> Result<Vec<Queue>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let expires_ns = reader.quantity()?;
        let default = match reader.byte()? {
            0 => QueueDefault::Deny,
            1 => QueueDefault::Stop(reader.index(states)?),
            _ => return Err(reader.malformed("a code is unknown")),
        };
        let grants = reader.option(grants)?;
        let binds = reader.ascending(|reader| reader.keyed_text(strings))?.into();
        Ok((key, Queue { name, expires_ns, default, grants, binds }))
    })
}

fn grants(reader: &mut Reader<'_>) -> Result<Grants, LoadError> {
    let dimension = reader.choice(&Dimension::ALL)?;
    let grants = Grants { dimension, amount: reader.quantity()?, times: reader.quantity()? };
    let is_grantable = matches!(dimension, Dimension::Count | Dimension::Money | Dimension::Tokens);
    if is_grantable && grants.amount > 0 && grants.times > 0 {
        Ok(grants)
    } else {
        Err(reader.malformed("a queue grants nothing, or what no limit bounds"))
    }
}

pub(crate) fn zones(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<Vec<TimeZone>, LoadError> {
    reader.ascending(|reader| {
        let (key, name) = reader.keyed_text(strings)?;
        let version = reader.text(strings)?;
        let before = offset(reader)?;
        let transitions = reader.ascending(|reader| {
            let second = reader.quantity()?;
            Ok((second, (second, offset(reader)?)))
        })?;
        Ok((key, TimeZone { zone: Arc::new(Zone { name, before, transitions }), version }))
    })
}

fn offset(reader: &mut Reader<'_>) -> Result<i64, LoadError> {
    let offset = reader.signed()?;
    let is_civil = (-FURTHEST..=FURTHEST).contains(&offset);
    if is_civil { Ok(offset) } else { Err(reader.malformed("a zone is further than a day from UTC")) }
}

pub(crate) fn condition(
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    facts: &[Fact],
) -> Result<Condition, LoadError> {
    let ops = reader.list(|reader| op(reader, strings, facts))?;
    if ops.len() > MOST_OPS {
        return Err(reader.malformed("a condition is too long"));
    }
    let looks = ops.iter().map(|op| match op {
        Op::AskEach { fact, .. } => facts.get(*fact as usize).map_or(0, |fact| fact.most),
        _ => 0,
    });
    if looks.fold(0, u32::saturating_add) > MOST_LOOKS {
        return Err(reader.malformed("a condition looks at too many elements"));
    }
    Ok(Condition::new(ops))
}

fn op(reader: &mut Reader<'_>, strings: &[Arc<str>], facts: &[Fact]) -> Result<Op, LoadError> {
    let code = reader.byte()?;
    match code {
        0 | 1 | 3 | 4 => {
            let (fact, predicate) = asked(code, reader, strings, facts, false)?;
            Ok(Op::Ask { fact, predicate })
        }
        2 => Ok(Op::Has { fact: reader.index(facts.len())? }),
        5 => Ok(Op::Not),
        6 => Ok(Op::And),
        7 => Ok(Op::Or),
        8 => Ok(Op::JumpIfFalse { skip: reader.index(MOST_OPS)? }),
        9 => Ok(Op::JumpIfTrue { skip: reader.index(MOST_OPS)? }),
        10 => {
            let quantifier = reader.choice(&Quantifier::ALL)?;
            let code = reader.byte()?;
            let (fact, predicate) = asked(code, reader, strings, facts, true)?;
            Ok(Op::AskEach { fact, quantifier, predicate })
        }
        _ => Err(reader.malformed("a code is unknown")),
    }
}

/// What is asked of which fact, a list or one value.
fn asked(
    code: u8,
    reader: &mut Reader<'_>,
    strings: &[Arc<str>],
    facts: &[Fact],
    is_list: bool,
) -> Result<(u32, Predicate), LoadError> {
    let index = reader.index(facts.len())?;
    let dimension = match facts.get(index as usize) {
        Some(fact) if (fact.most > 0) == is_list => fact.dimension,
        _ => return Err(reader.malformed("a list is read as one value, or one value as a list")),
    };
    let predicate = match code {
        0 => {
            let comparison = reader.choice(&Comparison::ALL)?;
            if comparison.needs_order() && !dimension.is_number() {
                return Err(reader.malformed("a text or a flag is put in order"));
            }
            let (_, value) = constant_of(reader, strings, dimension)?;
            Predicate::Compare { comparison, value }
        }
        1 => {
            let values = reader.ascending(|reader| constant_of(reader, strings, dimension))?;
            Predicate::Member { values: values.into_boxed_slice() }
        }
        3 | 4 if dimension != Dimension::Text => return Err(reader.malformed("only a text starts or ends")),
        3 => Predicate::Starts { text: reader.text(strings)? },
        4 => Predicate::Ends { text: reader.text(strings)? },
        _ => return Err(reader.malformed("a code is unknown")),
    };
    Ok((index, predicate))
}

pub(crate) fn statements(reader: &mut Reader<'_>, strings: &[Arc<str>]) -> Result<Vec<Statement>, LoadError> {
    reader.ascending(|reader| {
        let kind = reader.choice(&StatementKind::ALL)?;
        let (key, name) = reader.keyed_text(strings)?;
        let is_observed = reader.flag()?;
        if is_observed && kind == StatementKind::Route {
            return Err(reader.malformed("a route is observed"));
        }
        let (file, line, column, source) = reader.unsaid(|reader| {
            Ok((reader.text(strings)?, reader.quantity()?, reader.quantity()?, reader.text(strings)?))
        })?;
        let statement = Statement { kind, name, file, line, column, source, is_observed, reason: None };
        Ok(((key, kind), statement))
    })
}
