//! What the steps of a run bring: how many in a row asked for tools and had nothing that is new.

use crate::code::{Reader, Writer};
use crate::fingerprint::xxh3_64;

/// The steps of a run, as far as loops look at what they bring.
#[derive(Debug)]
pub(crate) struct Progress {
    /// In the present step a tool was asked for that may not repeat.
    has_asked: bool,
    /// For each form of arguments that the program compares.
    forms: Vec<Form>,
}

/// What is new where calls are compared in one form.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    /// Steps in a row, before the present one, that asked and brought nothing new.
    idle: u64,
    /// Something new has come in the present step.
    is_new: bool,
}

impl Progress {
    pub(super) fn new(forms: usize) -> Self {
        Self { has_asked: false, forms: vec![Form::default(); forms] }
    }

    /// A tool is asked for that may not repeat.
    pub(super) const fn ask(&mut self) {
        self.has_asked = true;
    }

    /// A result came, which is new or not in each form.
    pub(super) fn bring(&mut self, news: impl Iterator<Item = bool>) {
        for (form, is_new) in self.forms.iter_mut().zip(news) {
            if is_new {
                *form = Form { idle: 0, is_new: true };
            }
        }
    }

    /// A step is over, and the next one begins. One that asked for nothing is no step of these.
    pub(super) fn step(&mut self) {
        for form in &mut self.forms {
            let is_idle = self.has_asked && !form.is_new;
            *form = Form { idle: form.idle.saturating_add(u64::from(is_idle)), is_new: false };
        }
        self.has_asked = false;
    }

    /// Somebody who saw that nothing came lets the run go on: it is counted from here.
    pub(super) fn go_on(&mut self) {
        self.forms.iter_mut().for_each(|form| form.idle = 0);
    }

    /// How many steps in a row brought nothing new.
    pub(super) fn idle(&self, form: usize) -> u64 {
        self.forms.get(form).map_or(0, |form| form.idle)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.flag(self.has_asked);
        for form in &self.forms {
            writer.number(form.idle);
            writer.flag(form.is_new);
        }
    }

    /// What was written, for so many forms.
    pub(super) fn read(reader: &mut Reader<'_>, forms: usize) -> Option<Self> {
        let has_asked = reader.flag()?;
        let form = |_| Some(Form { idle: reader.number()?, is_new: reader.flag()? });
        Some(Self { has_asked, forms: (0..forms).map(form).collect::<Option<_>>()? })
    }
}

/// A call with what it gave. A result that nobody has a fingerprint of is the same each time.
pub(super) fn pair(call: u64, result: Option<u64>) -> u64 {
    let mut writer = Writer::default();
    writer.number(call);
    writer.optional(result);
    xxh3_64(&writer.bytes, 0)
}
