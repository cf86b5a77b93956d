//! The values that a host sent for one event, as slots of the program's facts.

use std::ops::Deref;

use policy_core::{Slot, Value};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::Shape;

/// As many values and slots as stand on the stack; more have their place on the heap.
const FEW: usize = 24;

/// One fact that the host may send.
#[derive(Debug)]
pub(crate) struct Column {
    /// The key of the host's dict, interned: finding it costs one look-up of a known hash.
    pub(crate) key: Py<PyString>,
    /// The fact's index in the program.
    pub(crate) fact: usize,
    pub(crate) shape: Shape,
    /// The most elements of a list; 0 of one value.
    pub(crate) most: u32,
}

/// What a host sent for one fact.
#[derive(Debug)]
struct Content<'a, 'py> {
    column: &'a Column,
    value: Bound<'py, PyAny>,
}

/// The values that the host sent for an event. It keeps alive what the slots borrow.
#[derive(Debug)]
pub(crate) struct Sent<'a, 'py> {
    few: [Option<Content<'a, 'py>>; FEW],
    more: Vec<Content<'a, 'py>>,
    count: usize,
    has_lists: bool,
    /// What the lists among them held when they were read.
    lists: Vec<(usize, Value)>,
}

impl<'a, 'py> Sent<'a, 'py> {
    /// Nothing yet.
    #[inline]
    pub(crate) fn new() -> Self {
        let few = [const { None }; FEW];
        Self { few, more: Vec::new(), count: 0, has_lists: false, lists: Vec::new() }
    }

    #[inline]
    pub(crate) fn add(&mut self, column: &'a Column, value: Bound<'py, PyAny>) {
        let content = Content { column, value };
        self.has_lists |= column.most > 0;
        match self.few.get_mut(self.count) {
            Some(place) => *place = Some(content),
            None => self.more.push(content),
        }
        self.count = self.count.saturating_add(1);
    }

    /// How many values there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    fn contents(&self) -> impl Iterator<Item = &Content<'a, 'py>> {
        self.few.iter().map_while(Option::as_ref).chain(&self.more)
    }

    /// Fills in the slots of what was sent. Reading a value may run host code, so no lock may be held.
    #[inline]
    pub(crate) fn fill<'s>(&'s mut self, slots: &mut Slots<'s>) {
        if self.has_lists {
            let lists = self.contents().filter(|content| content.column.most > 0);
            let read = |Content { column, value }: &Content<'_, '_>| {
                (column.fact, column.shape.list(value, column.most))
            };
            self.lists = lists.map(read).collect();
        }
        let slots = if slots.many.is_empty() { &mut slots.few[..] } else { &mut slots.many[..] };
        let mut set = |fact: usize, slot| {
            if let Some(place) = slots.get_mut(fact) {
                *place = slot;
            }
        };
        for Content { column, value } in self.contents() {
            if column.most == 0 {
                set(column.fact, column.shape.slot(value));
            }
        }
        for (fact, list) in &self.lists {
            set(*fact, list.as_slot());
        }
    }
}

/// One slot for each fact of a program.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    few: [Slot<'a>; FEW],
    many: Vec<Slot<'a>>,
    width: usize,
}

impl Slots<'_> {
    /// Nothing yet, for a program with so many facts.
    #[inline]
    pub(crate) fn new(width: usize) -> Self {
        let many = if width > FEW { vec![Slot::Missing; width] } else { Vec::new() };
        Self { few: [Slot::Missing; FEW], many, width }
    }
}

impl<'a> Deref for Slots<'a> {
    type Target = [Slot<'a>];

    fn deref(&self) -> &[Slot<'a>] {
        if self.many.is_empty() { self.few.get(..self.width).unwrap_or(&self.few) } else { &self.many }
    }
}
