//! What the steps of a run bring: how many in a row asked for tools and had nothing that is new.

use std::collections::BTreeSet;

use crate::code::{Reader, Writer};
use crate::fingerprint::xxh3_64;

/// So many steps are waited for until their calls are over; of more, the oldest count as they are.
const MOST: usize = 256;

/// The steps of a run, as far as loops look at what they bring; nothing where none does. A step goes by the
/// event clock of its model call; before the first of them it is 0.
#[derive(Debug)]
pub(crate) struct Progress(Option<Box<Steps>>);

#[derive(Debug)]
struct Steps {
    /// Steps that asked for a tool that may not repeat, oldest first: the present one, and those whose calls
    /// are not over, so that nobody knows yet what they bring.
    asking: Vec<u64>,
    /// For each form of arguments that the program compares.
    forms: Box<[Form]>,
}

/// What is new where calls are compared in one form.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    /// Steps in a row that asked and brought nothing new.
    idle: u64,
    /// From this step on they count: something new has come in the one before, or somebody has looked.
    since: u64,
}

impl Progress {
    pub(super) fn new(forms: usize) -> Self {
        let steps = || Box::new(Steps { asking: Vec::new(), forms: vec![Form::default(); forms].into() });
        Self((forms > 0).then(steps))
    }

    /// In this step a tool is asked for that may not repeat.
    pub(super) fn ask(&mut self, step: u64) {
        if let Some(steps) = self.0.as_mut().filter(|steps| steps.asking.last() != Some(&step)) {
            steps.asking.push(step);
        }
    }

    /// In this step a result came, which is new or not in each form.
    pub(super) fn bring(&mut self, step: u64, news: impl Iterator<Item = bool>) {
        for (form, is_new) in self.forms().zip(news) {
            if is_new {
                *form = Form { idle: 0, since: step.saturating_add(1) };
            }
        }
    }

    /// A step is over, and the next one begins. One that asked for nothing is no step of these; one whose
    /// calls are `under_way` counts when they are over.
    pub(super) fn step(&mut self, under_way: &BTreeSet<u64>) {
        let Some(Steps { asking, forms }) = self.0.as_deref_mut() else { return };
        let mut more = asking.len();
        let (late, over): (Vec<u64>, Vec<u64>) = asking.iter().partition(|step| {
            let is_late = more <= MOST && under_way.contains(step);
            more = more.saturating_sub(1);
            is_late
        });
        for form in forms {
            let idle = over.iter().filter(|step| **step >= form.since);
            form.idle = idle.fold(form.idle, |idle, _| idle.saturating_add(1));
        }
        *asking = late;
    }

    /// Somebody who saw that nothing came lets the run go on: it is counted from this step on.
    pub(super) fn go_on(&mut self, step: u64) {
        for form in self.forms() {
            *form = Form { idle: 0, since: form.since.max(step) };
        }
    }

    fn forms(&mut self) -> impl Iterator<Item = &mut Form> {
        self.0.iter_mut().flat_map(|steps| &mut steps.forms)
    }

    /// How many steps in a row brought nothing new.
    pub(super) fn idle(&self, form: usize) -> u64 {
        self.0.as_ref().and_then(|steps| steps.forms.get(form)).map_or(0, |form| form.idle)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let (asking, forms) =
            self.0.as_ref().map_or((&[][..], &[][..]), |steps| (&*steps.asking, &*steps.forms));
        writer.list(asking, |writer, step| writer.number(*step));
        for form in forms {
            writer.number(form.idle);
            writer.number(form.since);
        }
    }

    /// What was written, for so many forms, at this event clock.
    pub(super) fn read(reader: &mut Reader<'_>, forms: usize, clock: u64) -> Option<Self> {
        let asking = reader.list(Reader::number)?;
        let is_ascending = asking.is_sorted_by(|one, next| one < next);
        if !is_ascending || asking.last().is_some_and(|step| *step > clock) {
            return None;
        }
        let form = |_| Some(Form { idle: reader.number()?, since: reader.number()? });
        let steps = Steps { asking, forms: (0..forms).map(form).collect::<Option<_>>()? };
        Some(Self((forms > 0).then(|| Box::new(steps))))
    }
}

/// A call with what it gave. A result that nobody has a fingerprint of is the same each time.
pub(super) fn pair(call: u64, result: Option<u64>) -> u64 {
    let mut writer = Writer::default();
    writer.number(call);
    writer.optional(result);
    xxh3_64(&writer.bytes, 0)
}
