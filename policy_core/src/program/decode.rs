//! From the bytes of an artifact to tables, section by section, in canonical encoding only.

use std::cell::OnceCell;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::{LoadError, LoadErrorKind};
use crate::program::reader::Reader;
use crate::program::sections;
use crate::program::statements::{Statement, StatementKind};
use crate::program::tables::{Table, Tables};
use crate::program::template;
use crate::program::{Condition, FORMAT};

const MAGIC: &[u8] = b"REIN";
const LANGUAGE: u16 = 1;
const SCHEMA: &[u8] = b"slice006";
const HEADER: usize = 52;

/// An artifact whose header holds.
#[derive(Debug)]
pub(crate) struct Artifact<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) language: u16,
    pub(crate) payload: &'a [u8],
}

/// Checks the header and the digest.
pub(crate) fn header(bytes: &[u8]) -> Result<Artifact<'_>, LoadError> {
    let refuse = |kind, message: &str| Err(LoadError::new(kind, message));
    if !bytes.starts_with(MAGIC) {
        return refuse(LoadErrorKind::NotAnArtifact, "these bytes are not a compiled policy");
    }
    let Some((header, payload)) = bytes.split_at_checked(HEADER) else {
        return refuse(LoadErrorKind::Length, "the artifact is cut short; compile the policy again");
    };
    let mut reader = Reader::new(header);
    reader.bytes(MAGIC.len())?;
    let format = u16::from_le_bytes(array(&mut reader)?);
    if format != FORMAT {
        let message =
            format!("the artifact has format {format}, this engine loads {FORMAT}; compile the policy again");
        return Err(LoadError::new(LoadErrorKind::Version, message));
    }
    let language = u16::from_le_bytes(array(&mut reader)?);
    if language != LANGUAGE {
        let message = format!("the policy is written in language {language}, this engine knows {LANGUAGE}");
        return Err(LoadError::new(LoadErrorKind::Version, message));
    }
    if reader.bytes(SCHEMA.len())? != SCHEMA {
        let message = "the artifact was made by another version of the compiler; compile the policy again";
        return refuse(LoadErrorKind::Version, message);
    }
    let digest: [u8; 32] = array(&mut reader)?;
    let length = u32::from_le_bytes(array(&mut reader)?);
    if usize::try_from(length).ok() != Some(payload.len()) {
        let message = format!(
            "the artifact's payload should have {length} bytes and has {}; compile the policy again",
            payload.len()
        );
        return Err(LoadError::new(LoadErrorKind::Length, message));
    }
    if <[u8; 32]>::from(Sha256::digest(payload)) != digest {
        return refuse(
            LoadErrorKind::Digest,
            "the artifact is damaged: its digest differs; compile the policy again",
        );
    }
    Ok(Artifact { digest, language, payload })
}

fn array<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], LoadError> {
    let mut array = [0; N];
    array.copy_from_slice(reader.bytes(N)?);
    Ok(array)
}

/// Decodes the payload, and gives the digest of what it means. What needs more than one section at once is
/// left to `verify`.
pub(crate) fn payload(bytes: &[u8]) -> Result<([u8; 32], Tables), LoadError> {
    let reader = &mut Reader::new(bytes);
    let strings = reader.unsaid(Reader::strings)?;
    let policy = reader.text(&strings)?;
    let file = reader.unsaid(|reader| reader.text(&strings))?;
    let currency = reader.text(&strings)?;
    let prices = reader.text(&strings)?;
    let is_shared = reader.flag()?;
    let facts = sections::facts(reader, &strings)?;
    let models = sections::models(reader, &strings)?;
    let tools = sections::tools(reader, &strings, &facts)?;
    let states = sections::states(reader, &strings)?;
    let queues = sections::queues(reader, &strings, states.len())?;
    let zones = sections::zones(reader, &strings)?;
    let clock = reader.option(|reader| reader.index(zones.len()))?;
    let conditions: Vec<Condition> = reader.list(|reader| sections::condition(reader, &strings, &facts))?;
    let templates = reader.list(|reader| template::template(reader, &strings, &facts))?;
    let mut statements = sections::statements(reader, &strings)?;

    let known = sections::Known {
        strings: &strings,
        facts: &facts,
        models: &models,
        providers: OnceCell::new(),
        tools: tools.len(),
        states: states.len(),
        queues: &queues,
        zones: &zones,
        conditions: conditions.len(),
        templates: templates.len(),
    };
    let rules = section(reader, &mut statements, StatementKind::Rule, |reader| known.rule(reader))?;
    let limits = section(reader, &mut statements, StatementKind::Limit, |reader| known.limit(reader))?;
    let retries = section(reader, &mut statements, StatementKind::Retry, |reader| known.retry(reader))?;
    let breakers = section(reader, &mut statements, StatementKind::Breaker, |reader| known.breaker(reader))?;
    let requires = section(reader, &mut statements, StatementKind::Require, |reader| known.require(reader))?;
    let mut routes = section(reader, &mut statements, StatementKind::Route, |reader| known.route(reader))?;
    let orders = section(reader, &mut statements, StatementKind::Order, |reader| known.order(reader))?;
    let loops = section(reader, &mut statements, StatementKind::Loop, |reader| known.repetition(reader))?;
    let mut truths = section(reader, &mut statements, StatementKind::Truth, |reader| known.truth(reader))?;
    reader.finish()?;
    let (route, truth) = (routes.pop(), truths.pop());
    if !routes.is_empty() || !truths.is_empty() {
        let message = "the artifact has more than one route, or one truth; compile the policy again";
        return Err(LoadError::invalid(message));
    }
    let tables = Tables {
        policy,
        file,
        currency,
        prices,
        is_shared,
        facts: Table::new(facts),
        models: Table::new(models),
        tools: Table::new(tools),
        states: Table::new(states),
        queues: Table::new(queues),
        zones: Table::new(zones),
        clock,
        conditions: Table::new(conditions),
        templates: Table::new(templates),
        statements: Table::new(statements),
        rules: Table::new(rules),
        limits: Table::new(limits),
        retries: Table::new(retries),
        breakers: Table::new(breakers),
        requires: Table::new(requires),
        route,
        orders: Table::new(orders),
        loops: Table::new(loops),
        truth,
        strings,
    };
    Ok((reader.meaning(), tables))
}

/// One of the sections of enforced statements: ascending by statement, all of one kind. The item's reader
/// is given by the statement's index and gives its reason.
fn section<T>(
    reader: &mut Reader<'_>,
    statements: &mut [Statement],
    kind: StatementKind,
    item: impl Fn(&mut Reader<'_>) -> Result<(u32, T, Option<Arc<str>>), LoadError>,
) -> Result<Vec<T>, LoadError> {
    let items = reader.ascending(|reader| {
        let (index, item, reason) = item(reader)?;
        match statements.get_mut(index as usize) {
            Some(statement) if statement.kind == kind => statement.reason = reason,
            _ => return Err(reader.malformed("a statement is of another kind than its section")),
        }
        Ok((index, item))
    })?;
    // Ascending and all of this kind, so as many as there are means each of them once.
    if items.len() != statements.iter().filter(|statement| statement.kind == kind).count() {
        return Err(reader.malformed("a statement has nothing to enforce"));
    }
    Ok(items)
}
