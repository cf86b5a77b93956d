//! How limits stood, as JSON. Most bounds of a record stand as they stood in the record before, of the same
//! run: their text is copied.

use std::mem;
use std::sync::Arc;

use policy_core::Stand;

use crate::head::Head;
use crate::json::Json;
use crate::page::{Bound, Page};

/// The readings that were written last.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// Whose they are.
    head: Option<Arc<Head>>,
    stands: Vec<Stand>,
    text: Vec<u8>,
    /// Where the text of each bound ends.
    ends: Vec<usize>,
    /// Those before them: their text is copied where it is the same, and then written over.
    earlier: (Vec<u8>, Vec<usize>),
}

impl Readings {
    /// `name.dimension` to [limit, spent, held], and [leased, whose] of a limit wider than a run.
    pub(crate) fn write(&mut self, json: &mut Json<'_>, stands: &[Stand], head: &Arc<Head>, page: &Page) {
        if !self.head.as_ref().is_some_and(|known| Arc::ptr_eq(known, head)) {
            self.head = Some(Arc::clone(head));
            self.stands.clear();
            self.text.clear();
        }
        if self.stands != stands {
            self.renew(stands, head, page);
        }
        json.raw("{");
        json.bytes(&self.text);
        json.raw("}");
    }

    fn renew(&mut self, stands: &[Stand], head: &Head, page: &Page) {
        let Self { stands: known, text, ends, earlier: (before, ends_before), .. } = self;
        mem::swap(text, before);
        mem::swap(ends, ends_before);
        text.clear();
        ends.clear();
        let mut from = 0;
        for (place, (bound, stand)) in page.bounds.iter().zip(stands).enumerate() {
            let end = ends_before.get(place).copied().unwrap_or_default();
            match before.get(from..end).filter(|_| known.get(place) == Some(stand)) {
                Some(same) => text.extend_from_slice(same),
                None => write(&mut Json(text), bound, stand, head),
            }
            from = end;
            ends.push(text.len());
        }
        known.clear();
        known.extend_from_slice(stands);
    }
}

fn write(json: &mut Json<'_>, bound: &Bound, [most, spent, held, leased]: &Stand, head: &Head) {
    json.raw(&bound.begin);
    json.number(*most);
    json.raw(",");
    json.number(*spent);
    json.raw(",");
    json.number(*held);
    if let Some(scope) = bound.scope.and_then(|scope| head.scopes.get(scope)) {
        json.raw(",");
        json.number(*leased);
        json.raw(",");
        json.raw(scope);
    }
    json.raw("]");
}
