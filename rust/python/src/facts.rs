//! Facts and arguments of one event: looked up by the names the program declares, never by the dict's.

use policy_core::{Arg, BuiltInFact, MoneyUnit, Program, Slot, Source};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::Shape;
use crate::errors;
use crate::keys::Keys;
use crate::members::Named;
use crate::names::nearest;
use crate::sent::{Column, Sent, Slots};
use crate::walk::seen;

/// The first words of the fact names that belong to the engine.
const RESERVED: [&str; 10] =
    ["run", "session", "user", "team", "org", "call", "step", "error", "result", "now"];

/// What the host may send with any call, whether or not the policy reads it.
const ALWAYS: [&str; 2] = ["step.kind", "step.confidence"];

/// What the host may send with any result.
const OF_RESULT: &str = "result.confidence";

/// As many declared names as an error message lists.
const LISTED: usize = 20;

/// Where what a host sends goes to: the slots, and what has still to be read.
pub(crate) type Read<'r, 's, 'a, 'py> = (&'r mut Sent<'a, 'py>, &'r mut [Slot<'s>]);

/// Where a program's facts are found in what the host sends. Made once, when the program is loaded.
#[derive(Debug)]
pub(crate) struct Columns {
    host: Vec<Column>,
    /// What comes with a result only; nothing, if the policy does not read it.
    of_result: Option<Column>,
    /// One entry for each tool of the program, in its order: its arguments, and the fields of its results.
    tools: Vec<Vec<Column>>,
    results: Vec<Vec<Column>>,
    /// What every known key is for, in the order of the keys' bytes.
    uses: Vec<(Box<str>, Use)>,
    /// The numbers of these, by the address of a key.
    keys: Keys,
    width: usize,
}

/// What a key of the host's dict is for.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// The fact of a column in `host`.
    Fact(u32),
    /// What only results have.
    OfResult,
    /// Nobody reads it.
    Ignored,
}

impl Columns {
    pub(crate) fn of(py: Python<'_>, program: &Program) -> Self {
        let column = |key: &str, fact: usize, shape, most| {
            let (name, key) = (key.into(), PyString::intern(py, key).unbind());
            Column { name, key, fact, shape, most }
        };
        let facts = program.facts();
        let host: Vec<Column> = (0..)
            .zip(facts)
            .filter(|(_, fact)| comes_from_host(fact.source))
            .map(|(index, fact)| column(&fact.name, index, Shape::of(fact.dimension), fact.most))
            .collect();
        let mut uses: Vec<(Box<str>, Use)> = ALWAYS.map(|name| (name.into(), Use::Ignored)).into();
        uses.push((OF_RESULT.into(), Use::OfResult));
        let read = facts.iter().filter(|fact| comes_from_host(fact.source));
        uses.extend((0..).zip(read).map(|(index, fact)| (fact.name.as_ref().into(), Use::Fact(index))));
        // Of two uses of one key the later, which is the policy's.
        uses.sort_by(|(one, _), (other, _)| one.cmp(other));
        uses.reverse();
        uses.dedup_by(|(one, _), (other, _)| one == other);
        uses.reverse();
        let filled = |arg: &Arg| {
            let index = usize::try_from(arg.fact).ok()?;
            let shape = match arg.unit {
                Some(MoneyUnit::Cents) => Shape::cents(),
                Some(MoneyUnit::Units) | None => Shape::of(facts.get(index)?.dimension),
            };
            Some(column(&arg.name, index, shape, arg.most))
        };
        let tools = program.tools().iter().map(|tool| tool.args.iter().filter_map(filled).collect());
        let results = program.tools().iter().map(|tool| tool.results.iter().filter_map(filled).collect());
        let confidence = (0..).zip(facts).find(|(_, fact)| &*fact.name == OF_RESULT);
        let of_result =
            confidence.map(|(index, fact)| column(OF_RESULT, index, Shape::of(fact.dimension), fact.most));
        let keys = Keys::of(uses.len());
        let (tools, results) = (tools.collect(), results.collect());
        Self { host, of_result, tools, results, uses, keys, width: facts.len() }
    }

    /// A slot for each fact, with nothing in it.
    #[inline]
    pub(crate) fn slots<'s>(&self) -> Slots<'s> {
        Slots::new(self.width)
    }

    /// The facts of a call.
    ///
    /// # Errors
    /// `UnknownFact` for a key that is no declared host fact.
    pub(crate) fn facts<'a, 'py>(
        &'a self,
        py: Python<'py>,
        program: &Program,
        facts: Option<&Bound<'py, PyDict>>,
        into: Read<'_, '_, 'a, 'py>,
    ) -> PyResult<()> {
        self.read(py, program, (facts, false), into)
    }

    /// The facts that come with a result: those of calls, what only a result has, and the fields of what a
    /// tool gave.
    ///
    /// # Errors
    /// As `facts`.
    pub(crate) fn of_result<'a, 'py>(
        &'a self,
        py: Python<'py>,
        program: &Program,
        facts: Option<&Bound<'py, PyDict>>,
        given: Option<(&str, &Bound<'py, PyDict>)>,
        (sent, slots): Read<'_, '_, 'a, 'py>,
    ) -> PyResult<()> {
        self.read(py, program, (facts, true), (sent, slots))?;
        if let Some((tool, fields)) = given {
            look_up(py, of_tool(&self.results, program, tool), fields, (sent, slots))?;
        }
        Ok(())
    }

    fn read<'a, 'py>(
        &'a self,
        py: Python<'py>,
        program: &Program,
        (facts, is_result): (Option<&Bound<'py, PyDict>>, bool),
        (sent, slots): Read<'_, '_, 'a, 'py>,
    ) -> PyResult<()> {
        let Some(facts) = facts.filter(|facts| !facts.is_empty()) else {
            return Ok(());
        };
        let find = |key: &str| {
            let place = self.uses.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
            self.uses.get(place).map(|(_, known)| self.number(*known))
        };
        let is_read = self.keys.each(facts, find, |number, value| {
            if let Some(column) = self.host.get(number) {
                sent.add(column, value, slots);
            } else if number == self.number(Use::OfResult) {
                if let Some(column) = &self.of_result {
                    sent.add(column, value, slots);
                }
                return is_result;
            }
            true
        });
        // A key that is no plain text may still equal one, and one that is unknown has to be named.
        if is_read { Ok(()) } else { self.look_up_all(py, program, (facts, is_result), (sent, slots)) }
    }

    /// A use as one number: of a fact the place of its column, of anything else one behind them all.
    const fn number(&self, known: Use) -> usize {
        match known {
            Use::Fact(column) => column as usize,
            Use::OfResult => self.host.len(),
            Use::Ignored => self.host.len().saturating_add(1),
        }
    }

    /// The same for keys of any kind: by what equals the names of facts.
    fn look_up_all<'a, 'py>(
        &'a self,
        py: Python<'py>,
        program: &Program,
        (facts, is_result): (&Bound<'py, PyDict>, bool),
        (sent, slots): Read<'_, '_, 'a, 'py>,
    ) -> PyResult<()> {
        *sent = Sent::new();
        slots.fill(Slot::Missing);
        let mut found = look_up(py, &self.host, facts, (sent, slots))?;
        if is_result {
            look_up(py, self.of_result.as_slice(), facts, (sent, slots))?;
            found = found.saturating_add(usize::from(facts.contains(OF_RESULT)?));
        }
        for (name, _) in self.uses.iter().filter(|(_, known)| matches!(known, Use::Ignored)) {
            found = found.saturating_add(usize::from(facts.contains(&**name)?));
        }
        // Only a dict that holds more than was found is walked, to name what is wrong with it.
        if found == facts.len() { Ok(()) } else { self.check(py, program, facts, is_result) }
    }

    /// The same, and the arguments of a tool call, of which `named` are the members, if they were taken. An
    /// undeclared tool has none that anybody reads.
    pub(crate) fn call<'s, 'a, 'py>(
        &'a self,
        program: &Program,
        tool: &str,
        (args, named): (&Bound<'py, PyDict>, Option<&Named<'s, 'py>>),
        facts: Option<&Bound<'py, PyDict>>,
        (sent, slots): Read<'_, 's, 'a, 'py>,
    ) -> PyResult<()> {
        self.facts(args.py(), program, facts, (sent, slots))?;
        let columns = of_tool(&self.tools, program, tool);
        let Some(named) = named else { return look_up(args.py(), columns, args, (sent, slots)).map(drop) };
        for column in columns {
            if let Some(value) = named.get(&column.name) {
                sent.lend(column, value, slots);
            }
        }
        Ok(())
    }

    fn check(
        &self,
        py: Python<'_>,
        program: &Program,
        facts: &Bound<'_, PyDict>,
        is_result: bool,
    ) -> PyResult<()> {
        for key in facts.keys() {
            let name = key.str()?;
            let name = name.to_string_lossy();
            let known = |column: &Column| *column.name == *name;
            let is_known =
                ALWAYS.contains(&&*name) || (is_result && name == OF_RESULT) || self.host.iter().any(known);
            if !key.is_instance_of::<PyString>() || !is_known {
                return Err(errors::unknown_fact(py, unknown(program, &name)));
            }
        }
        Ok(())
    }
}

/// A tool's columns; an undeclared one has none.
fn of_tool<'a>(columns: &'a [Vec<Column>], program: &Program, tool: &str) -> &'a [Column] {
    let index = program.tool_index(tool);
    index.and_then(|index| columns.get(index as usize)).map_or(&[], Vec::as_slice)
}

/// Takes what a dict has of these; gives how many of them it has.
fn look_up<'a, 'py>(
    py: Python<'py>,
    columns: &'a [Column],
    dict: &Bound<'py, PyDict>,
    (sent, slots): Read<'_, '_, 'a, 'py>,
) -> PyResult<usize> {
    let mut found = 0_usize;
    for column in columns {
        if let Some(value) = dict.get_item(column.key.bind(py))? {
            sent.add(column, seen(value.as_borrowed()), slots);
            found = found.saturating_add(1);
        }
    }
    Ok(found)
}

fn comes_from_host(source: Source) -> bool {
    match source {
        Source::Host => true,
        Source::BuiltIn(fact) => BuiltInFact::from_host(fact),
        Source::Arg | Source::Result => false,
    }
}

fn unknown(program: &Program, name: &str) -> String {
    let reserved = name.split_once('.').is_some_and(|(first, _)| RESERVED.contains(&first));
    if reserved && nearest(name, ALWAYS.into_iter()).is_none() {
        return format!("fact `{name}` is set by the engine; leave it out");
    }
    let declared =
        || program.facts().iter().filter(|fact| fact.source == Source::Host).map(|fact| &*fact.name);
    let hint = nearest(name, declared().chain(ALWAYS))
        .map_or_else(|| "declare it or leave it out".to_owned(), |near| format!("did you mean `{near}`?"));
    let mut listed: Vec<_> = declared().take(LISTED).map(|known| format!("`{known}`")).collect();
    if declared().count() > LISTED {
        listed.push("...".to_owned());
    }
    let listed = if listed.is_empty() { "no facts".to_owned() } else { listed.join(", ") };
    let file = program.file();
    format!("fact `{name}` is not declared in `{file}`; {hint} (the policy declares {listed})")
}
