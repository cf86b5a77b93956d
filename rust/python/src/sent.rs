//! The values that a host sent for one event, as slots of the program's facts.

use std::ops::Deref;

use policy_core::{Slot, Value};
use pyo3::prelude::*;

use crate::convert::Shape;

/// As many values and slots as stand on the stack; more have their place on the heap.
const FEW: usize = 24;

/// What a host sent for one fact, and how it is read.
#[derive(Debug)]
pub(crate) struct Content<'py> {
    pub(crate) fact: usize,
    pub(crate) shape: Shape,
    /// The most elements of a list; 0 of one value.
    pub(crate) most: u32,
    pub(crate) value: Bound<'py, PyAny>,
}

/// The values that the host sent for an event. It keeps alive what the slots borrow.
#[derive(Debug)]
pub(crate) struct Sent<'py> {
    few: [Option<Content<'py>>; FEW],
    more: Vec<Content<'py>>,
    count: usize,
    /// What the lists among them held when they were read.
    lists: Vec<(usize, Value)>,
    width: usize,
}

impl<'py> Sent<'py> {
    /// Nothing yet, for a program with so many facts.
    pub(crate) fn new(width: usize) -> Self {
        Self { few: [const { None }; FEW], more: Vec::new(), count: 0, lists: Vec::new(), width }
    }

    pub(crate) fn add(&mut self, content: Content<'py>) {
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

    fn contents(&self) -> impl Iterator<Item = &Content<'py>> {
        self.few.iter().take(self.count).flatten().chain(&self.more)
    }

    /// One slot for each fact of the program. Reading a value may run host code, so no lock may be held.
    pub(crate) fn slots(&mut self) -> Slots<'_> {
        let lists = self.contents().filter(|content| content.most > 0);
        self.lists = lists.map(|each| (each.fact, each.shape.list(&each.value, each.most))).collect();
        let mut slots = Slots::new(self.width);
        for Content { fact, shape, most, value } in self.contents() {
            if *most == 0 {
                slots.set(*fact, shape.slot(value));
            }
        }
        for (fact, list) in &self.lists {
            slots.set(*fact, list.as_slot());
        }
        slots
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
    fn new(width: usize) -> Self {
        let many = if width > FEW { vec![Slot::Missing; width] } else { Vec::new() };
        Self { few: [Slot::Missing; FEW], many, width }
    }

    fn set(&mut self, fact: usize, slot: Slot<'a>) {
        let slots = if self.many.is_empty() { &mut self.few[..] } else { &mut self.many[..] };
        if let Some(place) = slots.get_mut(fact) {
            *place = slot;
        }
    }
}

impl<'a> Deref for Slots<'a> {
    type Target = [Slot<'a>];

    fn deref(&self) -> &[Slot<'a>] {
        if self.many.is_empty() { self.few.get(..self.width).unwrap_or(&self.few) } else { &self.many }
    }
}
