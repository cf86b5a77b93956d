//! The logical calls of a run that are not over.

use super::call::{Call, Point};

/// As many calls that are over are kept for those to come, which then need no new memory.
const SPARE: usize = 2;

/// The calls, by their ids. A new one has a higher id than all before it, so that they stand in order.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    #[expect(clippy::vec_box, reason = "a call is large, and moves between the two lists")]
    spare: Vec<Box<Call>>,
    open: Vec<(u64, Box<Call>)>,
}

impl Calls {
    #[inline]
    fn place(&self, id: u64) -> Option<usize> {
        // Most often it is the latest.
        match self.open.last() {
            Some((last, _)) if *last == id => self.open.len().checked_sub(1),
            _ => self.search(id),
        }
    }

    #[cold]
    fn search(&self, id: u64) -> Option<usize> {
        self.open.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<&Call> {
        self.open.get(self.place(id)?).map(|(_, call)| &**call)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Call> {
        let place = self.place(id)?;
        self.open.get_mut(place).map(|(_, call)| &mut **call)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &Call)> {
        self.open.iter().map(|(id, call)| (*id, &**call))
    }

    /// A call that begins. Whoever has it gives it back to [`Calls::keep`] or to [`Calls::spare`].
    #[inline]
    pub(crate) fn begin(&mut self, point: Point, now: u64, proposed: Option<u64>) -> Box<Call> {
        match self.spare.pop() {
            Some(mut call) => {
                call.renew(point, now, proposed);
                call
            }
            None => Box::new(Call::new(point, now, proposed)),
        }
    }

    /// A call stays open, or is open again.
    #[inline(always)]
    pub(crate) fn keep(&mut self, id: u64, call: Box<Call>) {
        match self.open.last() {
            Some((last, _)) if *last > id => self.keep_among(id, call),
            _ => self.open.push((id, call)),
        }
    }

    #[cold]
    fn keep_among(&mut self, id: u64, call: Box<Call>) {
        let place = self.open.partition_point(|(known, _)| *known < id);
        self.open.insert(place, (id, call));
    }

    /// A call goes on that was written; false if its id is none that could come now.
    pub(super) fn go_on(&mut self, id: u64, call: Call) -> bool {
        let is_next = self.open.last().is_none_or(|(last, _)| *last < id);
        if is_next {
            self.open.push((id, Box::new(call)));
        }
        is_next
    }

    /// Gives a call to whoever decides about it. It comes back to [`Calls::keep`], or is over and goes to
    /// [`Calls::spare`].
    #[inline]
    pub(super) fn lend(&mut self, id: u64) -> Option<Box<Call>> {
        let place = self.place(id)?;
        if place.saturating_add(1) == self.open.len() {
            return self.open.pop().map(|(_, call)| call);
        }
        Some(self.open.remove(place).1)
    }

    /// Keeps the memory of a call that is over.
    #[inline]
    pub(super) fn spare(&mut self, call: Box<Call>) {
        if self.spare.len() < SPARE {
            self.spare.push(call);
        }
    }

    /// A call is over, and nothing more is asked of it.
    pub(crate) fn remove(&mut self, id: u64) {
        if let Some(call) = self.lend(id) {
            self.spare(call);
        }
    }

    /// All calls are over, and none will come.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(calls: &Calls) -> Vec<u64> {
        calls.iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn calls_end_in_any_order() {
        let mut calls = Calls::default();
        for id in [2, 8, 3, 5] {
            let call = calls.begin(Point::Model, id * 10, None);
            calls.keep(id, call);
        }
        assert_eq!((calls.get(3).map(|call| call.begun), calls.get(4).is_none()), (Some(30), true));
        calls.remove(3);
        calls.remove(8);
        calls.remove(9);
        assert_eq!(ids(&calls), [2, 5]);
        assert_eq!(calls.get_mut(5).map(|call| call.begun), Some(50));
        assert!(calls.get(3).is_none() && calls.get(8).is_none());
    }

    #[test]
    fn nothing_of_a_call_that_is_over_is_left_in_the_next() {
        let mut calls = Calls::default();
        let fresh = format!("{:?}", Call::new(Point::Model, 7, Some(1)));
        let mut call = calls.begin(Point::Tool { tool: 3, fingerprint: 9 }, 0, None);
        call.tries.add(3);
        (call.in_flight, call.has_next, call.has_changed, call.steps) = (true, true, true, [true; 3]);
        (call.waiting, call.cascade, call.climbed, call.requested) = (Some(1), Some(1), Some(1), Some(1));
        (call.input_tokens, call.max_output) = (Some(1), Some(1));
        (call.failed, call.loops, call.forms) = (vec![1], vec![1], vec![1]);
        (call.looks, call.changes) = (vec![None], vec![1]);
        calls.keep(1, call);
        calls.remove(1);
        assert_eq!(format!("{:?}", calls.begin(Point::Model, 7, Some(1))), fresh);
    }

    #[test]
    fn calls_that_were_written_come_in_their_order() {
        let mut calls = Calls::default();
        let call = || Call::new(Point::Model, 0, None);
        assert!(calls.go_on(2, call()) && calls.go_on(4, call()));
        assert!(!calls.go_on(4, call()) && !calls.go_on(3, call()));
        assert_eq!(ids(&calls), [2, 4]);
    }
}
