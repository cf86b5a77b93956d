//! How calls end: billed by the provider, settled by the process, corrected later, or charged at the
//! process's end.

use policy_core::books::WindowKind;

use crate::process::Ending;
use crate::scenario::MILLISECOND;
use crate::world::{Checked, Event, World};

impl World {
    /// The provider bills a call. It does not care whether the process is still there.
    pub(crate) fn bill(&mut self, number: u64) -> Checked {
        let Some(mut call) = self.calls.remove(&number) else { return Ok(()) };
        let mut result = Ok(());
        if !call.billed && call.taken {
            call.billed = true;
            for part in &mut call.parts {
                let most = part.amount;
                part.billed = match call.ending {
                    Ending::Over => most + self.random.between(1, most + 1),
                    Ending::AtOnce => most,
                    _ => self.random.between(0, most),
                };
                result = result.and(self.count(part.subject, part.number, part.billed, part.amount));
            }
            self.note(|| format!("call {number} is billed: {:?}", call.parts));
        }
        self.calls.insert(number, call);
        result
    }

    /// Counts a bill against what was held for it.
    fn count(&mut self, subject: usize, number: i64, billed: u64, held: u64) -> Checked {
        let now = self.now;
        let name = self.scenario.subjects[subject].key.as_str();
        let since = match self.scenario.subjects[subject].terms.window {
            WindowKind::Rolling { ns } => {
                let exact = ns.saturating_sub(self.server.spread(now - ns));
                Some(now - exact)
            }
            _ => None,
        };
        let window = self.truth.window(name, number);
        window.bill(now, billed);
        window.exceed(now, billed.saturating_sub(held));
        let over = window.over(since);
        if over > 0 {
            return Err(format!("overspent: {name:?}, window {number}, by {over}: {window:?}"));
        }
        Ok(())
    }

    /// The process learns how a call ended.
    pub(crate) fn settle(&mut self, number: u64) -> Checked {
        let Some(call) = self.calls.get(&number) else { return Ok(()) };
        let (process, ending) = (call.process, call.ending);
        let this = &self.processes[process];
        if call.settled || !this.alive {
            return Ok(());
        }
        if this.paused_until > self.now {
            let until = this.paused_until;
            self.at(until, Event::Settle(number));
            return Ok(());
        }
        if ending != Ending::Unsent {
            self.bill(number)?;
        }
        let Some(mut call) = self.calls.remove(&number) else { return Ok(()) };
        call.settled = true;
        self.figures.settled += 1;
        self.figures.debts += u64::from(ending == Ending::Over);
        let this = &mut self.processes[process];
        this.open.remove(&number);
        let now = this.clock(self.now);
        for part in &mut call.parts {
            part.used = if ending == Ending::Unknown { part.amount } else { part.billed };
            this.books.settle(part.id, part.window, part.amount, part.used, now);
            let name = self.scenario.subjects[part.subject].key.as_str();
            self.truth.window(name, part.number).settled += i128::from(part.used);
        }
        self.calls.insert(number, call);
        let corrected = if ending == Ending::Unknown { 600 } else { 30 };
        if self.random.chance(corrected) {
            let later = self.random.between(1, 4000) * MILLISECOND;
            self.after(later, Event::Correct(number));
        }
        self.schedule(process);
        Ok(())
    }

    /// What a call really used becomes known later: less than was charged, or more.
    pub(crate) fn correct(&mut self, number: u64) -> Checked {
        let Some(call) = self.calls.get(&number).cloned() else { return Ok(()) };
        let this = &self.processes[call.process];
        if !this.alive || this.closing || this.paused_until > self.now {
            return Ok(());
        }
        let more = call.ending != Ending::Unknown;
        for (place, part) in call.parts.into_iter().enumerate() {
            let amount = if more { 1 + part.amount / 4 } else { part.used - part.billed };
            let name = self.scenario.subjects[part.subject].key.as_str().to_owned();
            let this = &mut self.processes[call.process];
            let now = this.clock(self.now);
            // A run has its accounts open until its last word, also those that no other run here uses.
            let key = &self.scenario.subjects[part.subject].key;
            let id = this.books.open(key, &this.terms[part.subject], true, now);
            let current = this.books.standing(id, now).window.map_or(0, |(number, ..)| number);
            let is_there = current == part.number;
            match more {
                true if is_there => this.books.charge(id, part.window, amount, now),
                false if is_there => this.books.refund(id, part.window, amount, now),
                _ => {}
            }
            this.books.close(id);
            if !is_there {
                continue;
            }
            let change = i128::from(amount);
            if more {
                self.truth.window(&name, part.number).settled += change;
                self.correct_part(number, place, change);
                self.count(part.subject, part.number, amount, 0)?;
            } else {
                self.truth.window(&name, part.number).refund(amount);
                self.correct_part(number, place, -change);
            }
        }
        self.schedule(call.process);
        Ok(())
    }

    fn correct_part(&mut self, number: u64, place: usize, change: i128) {
        if let Some(call) = self.calls.get_mut(&number) {
            let used = &mut call.parts[place].used;
            *used = (i128::from(*used) + change) as u64;
        }
    }

    /// The process ends before it knows how a call ended: the provider has billed it, and the hold is
    /// charged.
    pub(crate) fn charge(&mut self, number: u64) -> Checked {
        let unsent = self.calls.get(&number).is_none_or(|call| call.ending == Ending::Unsent);
        if !unsent {
            self.bill(number)?;
        }
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        call.settled = true;
        for part in &mut call.parts {
            part.used = part.amount;
            let name = self.scenario.subjects[part.subject].key.as_str();
            self.truth.window(name, part.number).settled += i128::from(part.amount);
        }
        Ok(())
    }

    /// The runs of a process are suspended: what their calls hold is spent here. They go on elsewhere.
    pub(crate) fn suspend(&mut self, process: usize) -> Checked {
        for number in self.processes[process].open.clone() {
            self.charge(number)?;
            self.figures.suspended += 1;
            let this = &mut self.processes[process];
            let now = this.clock(self.now);
            for part in &self.calls[&number].parts {
                this.books.settle(part.id, part.window, part.amount, part.amount, now);
            }
            this.open.remove(&number);
            let later = self.random.between(1, 8000) * MILLISECOND;
            self.after(later, Event::Resume(number));
        }
        self.schedule(process);
        Ok(())
    }

    /// A run goes on in another process. There it turns out what its call used: what is beyond the hold is
    /// charged there.
    pub(crate) fn resume(&mut self, number: u64) -> Checked {
        let Some(call) = self.calls.get(&number).cloned() else { return Ok(()) };
        let is_new = !self.is_calm && self.random.chance(300);
        let process = if is_new {
            self.start_process()
        } else {
            self.random.below(self.processes.len() as u64) as usize
        };
        let this = &mut self.processes[process];
        if !this.alive || this.closing || this.paused_until > self.now {
            return Ok(());
        }
        let now = this.clock(self.now);
        for part in &call.parts {
            let excess = part.billed.saturating_sub(part.amount);
            let key = &self.scenario.subjects[part.subject].key;
            let id = this.books.open(key, &this.terms[part.subject], true, now);
            let before = this.books.standing(id, now).window.map_or(0, |(number, ..)| number);
            // In a process that has older windows it is not seen which one is charged.
            if excess > 0 && (is_new || before == part.number) {
                this.books.charge(id, part.window, excess, now);
                let window = this.books.standing(id, now).window.map_or(0, |(number, ..)| number);
                this.charged.push((part.subject, window, excess));
                let truth = self.truth.window(key.as_str(), window);
                truth.settled += i128::from(excess);
                if window != part.number {
                    truth.exceed(self.now, excess);
                }
                self.figures.resumed += 1;
            }
            this.books.close(id);
        }
        self.schedule(process);
        Ok(())
    }
}
