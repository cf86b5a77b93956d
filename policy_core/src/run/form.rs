//! Calls and attempts as bytes, for a run that is suspended. What is read is checked against the program:
//! every index is one of its tables', and every open attempt is a call's.

use std::sync::Arc;

use super::Run;
use super::accounts::Accounts;
use super::amounts::{Amounts, Charge, Subject};
use super::call::{Attempt, Call, Latch, Point, Tries};
use super::meter::Produced;
use super::windows::Windows;
use crate::books::Window;
use crate::code::{Reader, Writer};
use crate::event::Usage;
use crate::fingerprint::Binding;
use crate::health::Stay;
use crate::order::Values;
use crate::program::Program;
use crate::value::Value;

/// An index of a table, if there is any.
fn write_index(index: Option<u32>, writer: &mut Writer) {
    writer.optional(index.map(u64::from));
}

#[expect(clippy::option_option, reason = "an optional index that may be damaged")]
fn read_index(reader: &mut Reader<'_>, rows: usize) -> Option<Option<u32>> {
    if reader.flag()? { reader.index(rows).map(Some) } else { Some(None) }
}

#[expect(clippy::option_option, reason = "optional values that may be damaged")]
fn read_values(reader: &mut Reader<'_>) -> Option<Option<Values>> {
    if reader.flag()? { reader.fixed().map(Some) } else { Some(None) }
}

fn read_flags<const N: usize>(reader: &mut Reader<'_>) -> Option<[bool; N]> {
    let mut flags = [false; N];
    for flag in &mut flags {
        *flag = reader.flag()?;
    }
    Some(flags)
}

impl Latch {
    pub(super) fn write(&self, writer: &mut Writer) {
        write_index(self.state, writer);
        writer.number(u64::from(self.statement));
    }

    pub(super) fn read(reader: &mut Reader<'_>, program: &Program) -> Option<Self> {
        let state = read_index(reader, program.states().len())?;
        Some(Self { state, statement: reader.index(program.statements().len())? })
    }
}

impl Tries {
    fn write(&self, writer: &mut Writer) {
        let all: Vec<_> = self.latest.iter().chain(&self.earlier).copied().collect();
        writer.list(&all, |writer, (subject, made)| {
            writer.number(u64::from(*subject));
            writer.number(*made);
        });
    }

    fn read(reader: &mut Reader<'_>, subjects: usize) -> Option<Self> {
        let mut all = reader.list(|reader| Some((reader.index(subjects)?, reader.number()?)))?.into_iter();
        Some(Self { latest: all.next(), earlier: all.collect() })
    }
}

impl Value {
    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Missing => writer.number(0),
            Self::Ill => writer.number(1),
            Self::Int(number) => {
                writer.number(2);
                writer.signed(*number);
            }
            Self::Text(text) => {
                writer.number(3);
                writer.text(text);
            }
            Self::Flag(flag) => {
                writer.number(4);
                writer.flag(*flag);
            }
            Self::List(values) => {
                writer.number(5);
                // No list holds lists; what is in one is ill-typed.
                writer.list(values, |writer, value| match value {
                    Self::List(_) => Self::Ill.write(writer),
                    value => value.write(writer),
                });
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.number()? {
            5 => Some(Self::List(reader.list(|reader| Self::single(reader.number()?, reader))?.into())),
            kind => Self::single(kind, reader),
        }
    }

    /// A value that is no list.
    fn single(kind: u64, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match kind {
            0 => Self::Missing,
            1 => Self::Ill,
            2 => Self::Int(reader.signed()?),
            3 => Self::Text(reader.text()?.into()),
            4 => Self::Flag(reader.flag()?),
            _ => return None,
        })
    }
}

impl Call {
    pub(super) fn write(&self, writer: &mut Writer) {
        match self.point {
            Point::Model => writer.flag(false),
            Point::Tool { tool, fingerprint } => {
                writer.flag(true);
                writer.number(u64::from(tool));
                writer.number(fingerprint);
            }
        }
        writer.number(self.begun);
        writer.optional(self.proposed);
        self.steps.iter().for_each(|is_counted| writer.flag(*is_counted));
        self.tries.write(writer);
        writer.list(&self.failed, |writer, model| writer.number(u64::from(*model)));
        writer.flag(self.has_next);
        write_index(self.cascade, writer);
        write_index(self.climbed, writer);
        writer.list(&self.loops, |writer, index| writer.number(u64::from(*index)));
        self.forms.iter().for_each(|form| writer.number(*form));
        writer.list(&self.grants, |writer, (statement, binding)| {
            writer.number(u64::from(*statement));
            binding.write(writer);
        });
        write_index(self.requested, writer);
        writer.optional(self.input_tokens);
        writer.optional(self.max_output);
        writer.list(&self.looks, |writer, values| {
            writer.flag(values.is_some());
            writer.fixed(values.as_ref().map_or(&[], |values| values.as_slice()));
        });
        writer.list(&self.changes, |writer, made| writer.number(*made));
        writer.flag(self.has_changed);
        // Only the error of an open attempt reads them, and each ask brings its own: of others no content is
        // kept.
        let kept = if self.in_flight { &*self.kept } else { &[] };
        writer.list(kept, |writer, value| value.write(writer));
    }

    pub(super) fn read(reader: &mut Reader<'_>, program: &Program) -> Option<Self> {
        let (models, tools) = (program.models().len(), program.tools().len());
        let (point, subjects, forms) = if reader.flag()? {
            let point = Point::Tool { tool: reader.index(tools)?, fingerprint: reader.number()? };
            (point, tools, program.index.loops.progressing())
        } else {
            (Point::Model, models, 0)
        };
        let (loops, statements) = (program.tables.loops.all().len(), program.statements().len());
        let arms = program.tables.route.as_ref().map_or(0, |route| route.arms.len());
        let call = Self {
            point,
            begun: reader.number()?,
            // Another process has other holds in its way, and leases anew.
            waiting: None,
            proposed: reader.optional()?,
            in_flight: false,
            steps: read_flags(reader)?,
            tries: Tries::read(reader, subjects)?,
            failed: reader.list(|reader| reader.index(models))?,
            has_next: reader.flag()?,
            cascade: read_index(reader, arms)?,
            climbed: read_index(reader, models)?,
            loops: reader.list(|reader| reader.index(loops))?,
            forms: (0..forms).map(|_| reader.number()).collect::<Option<_>>()?,
            exact: None,
            grants: reader.list(|reader| Some((reader.index(statements)?, Binding::read(reader)?)))?,
            requested: read_index(reader, models)?,
            input_tokens: reader.optional()?,
            max_output: reader.optional()?,
            looks: reader.list(read_values)?,
            changes: reader.list(Reader::number)?,
            has_changed: reader.flag()?,
            kept: reader.list(Value::read)?,
        };
        let (kept, orders) = (program.index.kept_facts.len(), program.tables.orders.all().len());
        // A call without an open attempt has none.
        let is_whole = call.kept.len() == kept || call.kept.is_empty();
        let has_noted = call.changes.len() == orders || call.changes.is_empty();
        (is_whole && has_noted && call.looks.len() <= orders).then_some(call)
    }
}

impl Stay {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(u64::from(self.model));
        writer.number(self.input);
        let left: Vec<(&u32, &u64)> = self.left.iter().collect();
        writer.list(&left, |writer, (model, until)| {
            writer.number(u64::from(**model));
            writer.number(**until);
        });
        writer.number(self.until);
    }

    pub(super) fn read(reader: &mut Reader<'_>, models: usize) -> Option<Self> {
        Some(Self {
            model: reader.index(models)?,
            input: reader.number()?,
            left: reader
                .list(|reader| Some((reader.index(models)?, reader.number()?)))?
                .into_iter()
                .collect(),
            until: reader.number()?,
        })
    }
}

impl Usage {
    fn write(self, writer: &mut Writer) {
        let (code, parts) = match self {
            Self::Exact { input, output, cache_read, cache_write, reasoning } => {
                (1, Some([input, output, cache_read, cache_write, reasoning]))
            }
            Self::AtLeast { input, output, cache_read, cache_write, reasoning } => {
                (2, Some([input, output, cache_read, cache_write, reasoning]))
            }
            Self::Unknown => (3, None),
            Self::Unsent => (4, None),
        };
        writer.number(code);
        parts.into_iter().flatten().for_each(|part| writer.number(part));
    }

    /// Outer `None`: damaged.
    #[expect(clippy::option_option, reason = "an open attempt has none")]
    fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let code = reader.number()?;
        Some(match code {
            0 => None,
            1 | 2 => {
                let (input, output) = (reader.number()?, reader.number()?);
                let (cache_read, cache_write) = (reader.number()?, reader.number()?);
                let reasoning = reader.number()?;
                Some(if code == 1 {
                    Self::Exact { input, output, cache_read, cache_write, reasoning }
                } else {
                    Self::AtLeast { input, output, cache_read, cache_write, reasoning }
                })
            }
            3 => Some(Self::Unknown),
            4 => Some(Self::Unsent),
            _ => return None,
        })
    }
}

impl Amounts {
    fn write(&self, writer: &mut Writer) {
        let (is_tool, subject) = match self.subject {
            Subject::Tool(tool, _) => (true, tool),
            Subject::Model(model) => (false, model),
            // No attempt runs on a person.
            Subject::Person => (false, u32::MAX),
        };
        writer.flag(is_tool);
        writer.number(u64::from(subject));
        for number in [self.charge.cost, self.charge.tokens, self.charge.input, self.charge.output] {
            writer.number(number);
        }
        self.steps.iter().for_each(|is_counted| writer.flag(*is_counted));
        writer.flag(self.is_retry);
    }

    fn read(reader: &mut Reader<'_>, program: &Program) -> Option<Self> {
        let subject = if reader.flag()? {
            let tool = reader.index(program.tools().len())?;
            Subject::Tool(tool, program.tables.tools.at(tool).class)
        } else {
            Subject::Model(reader.index(program.models().len())?)
        };
        let (cost, tokens) = (reader.number()?, reader.number()?);
        let charge = Charge { cost, tokens, input: reader.number()?, output: reader.number()? };
        Some(Self { subject, charge, steps: read_flags(reader)?, is_retry: reader.flag()? })
    }
}

impl Attempt {
    /// Whether nothing can change what it was charged any more.
    const fn is_final(&self) -> bool {
        matches!(self.settled, Some(Usage::Exact { .. } | Usage::Unsent))
    }

    pub(super) fn write(&self, (accounts, windows): (&Accounts, &Windows), writer: &mut Writer) {
        writer.number(self.call);
        writer.number(self.number);
        self.reserved.write(writer);
        writer.number(self.began);
        writer.number(self.cap);
        writer.number(self.produced.tokens());
        match self.settled {
            Some(usage) => usage.write(writer),
            None => writer.number(0),
        }
        if self.is_final() {
            return;
        }
        writer.list(&windows.whole(self.windows), |writer, window| writer.signed(window.id()));
        writer.list(self.wrap_ups(), |writer, (account, window)| {
            let place = accounts.wrap_ups.iter().position(|known| known == account);
            writer.number(place.unwrap_or(usize::MAX) as u64);
            writer.signed(window.id());
        });
    }

    pub(super) fn read(
        reader: &mut Reader<'_>,
        program: &Program,
        accounts: &Accounts,
        windows: &mut Windows,
    ) -> Option<Self> {
        let mut attempt = Self {
            call: reader.number()?,
            number: reader.number()?,
            reserved: Amounts::read(reader, program)?,
            windows: 0,
            rare: None,
            began: reader.number()?,
            cap: reader.number()?,
            produced: Produced::new(reader.number()?),
            settled: Usage::read(reader)?,
        };
        if attempt.is_final() {
            return Some(attempt);
        }
        let window = |reader: &mut Reader<'_>| Some(Window::of(reader.signed()?));
        attempt.windows = windows.read(&reader.list(window)?)?;
        let wrap_ups = reader.list(|reader| {
            let place = reader.index(accounts.wrap_ups.len())?;
            Some((*accounts.wrap_ups.get(place as usize)?, window(reader)?))
        })?;
        if !wrap_ups.is_empty() {
            attempt.rare.get_or_insert_default().wrap_ups = wrap_ups.into_boxed_slice();
        }
        Some(attempt)
    }
}

impl Run {
    /// Ties open attempts to their calls; each call has at most one.
    pub(super) fn tie(&mut self) -> Option<()> {
        let open = self.attempts.iter().filter(|attempt| attempt.settled.is_none());
        for attempt in open {
            let call = self.calls.get_mut(attempt.call)?;
            let is_its = match (call.point, attempt.reserved.subject) {
                (Point::Model, Subject::Model(_)) => true,
                (Point::Tool { tool, .. }, Subject::Tool(known, _)) => tool == known,
                _ => false,
            };
            if call.in_flight || !is_its {
                return None;
            }
            call.in_flight = true;
        }
        let under_way = self.changes_under_way(&Arc::clone(&self.program));
        self.family.memory().changes.go_on(&under_way);
        let open = u64::try_from(self.attempts.iter().filter(|attempt| attempt.settled.is_none()).count());
        self.take_off(open.ok()?);
        let is_known = |call: u64| (1..=self.call_count).contains(&call);
        let open = self.calls.iter().map(|(id, _)| id);
        let mut calls = open.chain(self.attempts.iter().map(|attempt| attempt.call));
        calls.all(is_known).then_some(())
    }
}
