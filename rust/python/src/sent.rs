//! The values that a host sent for one event, as slots of the program's facts.

use std::ops::{Deref, DerefMut};

use policy_core::{Slot, Value};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::Shape;
use crate::walk::{Seen, utf8};

/// As many slots as stand on the stack; more have their place on the heap.
const FEW: usize = 24;

/// As many texts as are kept without memory of their own.
const FEW_TEXTS: usize = 12;

/// One fact that the host may send.
#[derive(Debug)]
pub(crate) struct Column {
    /// The key of the host's dict.
    pub(crate) name: Box<str>,
    /// The same, interned: finding it costs one look-up of a known hash.
    pub(crate) key: Py<PyString>,
    /// The fact's index in the program.
    pub(crate) fact: usize,
    pub(crate) shape: Shape,
    /// The most elements of a list; 0 of one value.
    pub(crate) most: u32,
}

/// What a host sent for an event and has still to be read. It keeps alive what the slots borrow.
#[derive(Debug)]
pub(crate) struct Sent<'a, 'py> {
    texts: [Option<(usize, Bound<'py, PyString>)>; FEW_TEXTS],
    /// As many of them as there are.
    count: usize,
    /// What only its own code may tell the value of, and what there was no place for.
    others: Vec<(&'a Column, Bound<'py, PyAny>)>,
    /// What the lists among them held when they were read.
    lists: Vec<(usize, Value)>,
}

impl<'a, 'py> Sent<'a, 'py> {
    /// Nothing yet.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { texts: [const { None }; FEW_TEXTS], count: 0, others: Vec::new(), lists: Vec::new() }
    }

    /// Takes the value of one fact: into its slot, or to be read there by [`Sent::fill`].
    #[inline(always)]
    pub(crate) fn add(&mut self, column: &'a Column, value: Seen<'py>, slots: &mut [Slot<'_>]) {
        let slot = match value {
            Seen::Text(text) => return self.keep(column, text),
            Seen::Other(value) => return self.others.push((column, value)),
            Seen::Nothing => Slot::Missing,
            _ if column.most > 0 => Slot::Ill,
            Seen::Flag(flag) => column.shape.flag(flag),
            Seen::Int(number) => column.shape.int(number),
            Seen::Float(number) => column.shape.float(number),
        };
        set(slots, column.fact, slot);
    }

    /// The same of a value that is lent: a text need not be kept alive.
    #[inline]
    pub(crate) fn lend<'s>(&mut self, column: &'a Column, value: &'s Seen<'py>, slots: &mut [Slot<'s>]) {
        match value {
            Seen::Text(text) if column.most == 0 && column.shape.is_text() => {
                set(slots, column.fact, utf8(text).map_or(Slot::Ill, Slot::Text));
            }
            value => self.add(column, value.clone(), slots),
        }
    }

    #[inline(always)]
    fn keep(&mut self, column: &'a Column, text: Bound<'py, PyString>) {
        let is_text = column.most == 0 && column.shape.is_text();
        match self.texts.get_mut(self.count).filter(|_| is_text) {
            Some(place) => *place = Some((column.fact, text)),
            None => return self.others.push((column, text.into_any())),
        }
        self.count = self.count.saturating_add(1);
    }

    /// Fills in the slots of what was not read yet. That may run host code, so no lock may be held.
    ///
    /// # Errors
    /// What ends a program, raised by that code.
    #[inline]
    pub(crate) fn fill<'s>(&'s mut self, slots: &mut [Slot<'s>]) -> PyResult<()> {
        if !self.others.is_empty() {
            self.read_lists()?;
        }
        for (fact, text) in self.texts.iter().map_while(Option::as_ref) {
            // Text that has no UTF-8 (lone surrogates) equals nothing that a policy can write.
            set(slots, *fact, utf8(text).map_or(Slot::Ill, Slot::Text));
        }
        if self.others.is_empty() { Ok(()) } else { self.fill_others(slots) }
    }

    #[cold]
    fn read_lists(&mut self) -> PyResult<()> {
        for (column, value) in self.others.iter().filter(|(column, _)| column.most > 0) {
            self.lists.push((column.fact, column.shape.list(value, column.most)?));
        }
        Ok(())
    }

    #[cold]
    fn fill_others<'s>(&'s self, slots: &mut [Slot<'s>]) -> PyResult<()> {
        for (column, value) in self.others.iter().filter(|(column, _)| column.most == 0) {
            set(slots, column.fact, column.shape.slot(value)?);
        }
        for (fact, list) in &self.lists {
            set(slots, *fact, list.as_slot());
        }
        Ok(())
    }
}

/// One slot for each fact of a program.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    few: [Slot<'a>; FEW],
    many: Vec<Slot<'a>>,
    width: usize,
}

impl<'a> Slots<'a> {
    /// Nothing yet, for a program with so many facts.
    #[inline]
    pub(crate) fn new(width: usize) -> Self {
        let many = if width > FEW { vec![Slot::Missing; width] } else { Vec::new() };
        Self { few: [Slot::Missing; FEW], many, width }
    }
}

#[inline(always)]
fn set<'a>(slots: &mut [Slot<'a>], fact: usize, slot: Slot<'a>) {
    if let Some(place) = slots.get_mut(fact) {
        *place = slot;
    }
}

impl<'a> Deref for Slots<'a> {
    type Target = [Slot<'a>];

    fn deref(&self) -> &[Slot<'a>] {
        if self.many.is_empty() { self.few.get(..self.width).unwrap_or_default() } else { &self.many }
    }
}

impl DerefMut for Slots<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        if self.many.is_empty() { self.few.get_mut(..self.width).unwrap_or_default() } else { &mut self.many }
    }
}
