//! Processes with real books: they start, ask for calls, settle them, and end well or badly.

use std::collections::BTreeSet;

use policy_core::Now;
use policy_core::books::{AccountId, Books, Failure, Room, Terms, Window, WindowKind};

use crate::scenario::{Broken, MILLISECOND, SECOND};
use crate::server::most_claims;
use crate::world::{Checked, Event, World};

/// `on failure deny` takes nothing on a word that is older, nor does anybody of a rolling window.
const OLDEST_WORD: u64 = 10 * SECOND;
/// A call that waited so often is denied.
const TRIES: u64 = 10;

/// One incarnation of a process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) books: Books,
    pub(crate) node: u128,
    pub(crate) alive: bool,
    pub(crate) closing: bool,
    pub(crate) wall_offset: i64,
    booted: u64,
    pub(crate) paused_until: u64,
    pub(crate) cut_until: u64,
    pub(crate) ids: Vec<AccountId>,
    pub(crate) terms: Vec<Terms>,
    pub(crate) open: BTreeSet<u64>,
    /// Charged for runs that were suspended elsewhere: account, window, how much.
    pub(crate) charged: Vec<(usize, i64, u64)>,
    /// When the last request was sent that was answered, by the clock that never goes back.
    pub(crate) word: Option<u64>,
    pub(crate) exchange: u64,
    pub(crate) answered: bool,
    wake_at: u64,
}

impl Process {
    pub(crate) const fn clock(&self, now: u64) -> Now {
        Now { mono: now - self.booted, wall: now.saturating_add_signed(self.wall_offset) }
    }
}

/// A part of a call: what it holds of one account.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) subject: usize,
    pub(crate) amount: u64,
    pub(crate) id: AccountId,
    pub(crate) window: Window,
    pub(crate) number: i64,
    /// Taken without a lease, as `on failure allow` may.
    pub(crate) loose: bool,
    pub(crate) billed: u64,
    pub(crate) used: u64,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exact,
    Unknown,
    Over,
    Unsent,
    AtOnce,
}

/// A call, from the question to the correction.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) process: usize,
    pub(crate) parts: Vec<Part>,
    pub(crate) ending: Ending,
    pub(crate) tries: u64,
    pub(crate) taken: bool,
    pub(crate) billed: bool,
    pub(crate) settled: bool,
}

impl World {
    pub(crate) fn start_process(&mut self) -> usize {
        let node = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let booted = self.now - self.random.below(1000) * SECOND;
        let wall_offset = if self.random.chance(100) {
            self.random.pick(&[-7_200, 7_200, 90_000]) * 1_000_000_000
        } else {
            0
        };
        let wall_offset = wall_offset + self.server.offset;
        let now = Now { mono: self.now - booted, wall: self.now.saturating_add_signed(wall_offset) };
        let mut books = Books::leased(node, now);
        books.set_most_claims(most_claims(node));
        if let Broken::Books(flaw) = self.broken {
            books.set_flaw(Some(flaw));
        }
        let terms: Vec<_> = self.scenario.subjects.iter().map(|subject| subject.terms.clone()).collect();
        let subjects = self.scenario.subjects.iter().zip(&terms);
        let ids = subjects.map(|(subject, terms)| books.open(&subject.key, terms, true, now)).collect();
        self.add(books, node, booted, wall_offset, ids, terms)
    }

    pub(crate) fn add(
        &mut self,
        books: Books,
        node: u128,
        booted: u64,
        wall_offset: i64,
        ids: Vec<AccountId>,
        terms: Vec<Terms>,
    ) -> usize {
        let number = self.processes.len();
        self.processes.push(Process {
            books,
            node,
            alive: true,
            closing: false,
            wall_offset,
            booted,
            paused_until: 0,
            cut_until: 0,
            ids,
            terms,
            open: BTreeSet::new(),
            charged: Vec::new(),
            word: None,
            exchange: 0,
            answered: true,
            wake_at: 0,
        });
        let first = self.random.between(1, 300) * MILLISECOND;
        self.after(first, Event::Ask(number));
        self.schedule(number);
        number
    }

    /// A child process with a copy of everything: only its books know that they are a copy.
    pub(crate) fn fork(&mut self, parent: usize) {
        let node = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let Process { books, booted, wall_offset, ids, terms, .. } = &self.processes[parent];
        let (mut books, ids, terms) = (books.clone(), ids.clone(), terms.clone());
        let (booted, wall_offset, now) = (*booted, *wall_offset, self.processes[parent].clock(self.now));
        books.forked(node, now);
        books.set_most_claims(most_claims(node));
        let child = self.add(books, node, booted, wall_offset, ids, terms);
        self.note(|| format!("process {parent} forks: process {child}"));
    }

    /// Plans the next look at the line to the store.
    pub(crate) fn schedule(&mut self, process: usize) {
        let at = self.now;
        let this = &mut self.processes[process];
        let now = this.clock(at);
        let Some(due) = this.books.due(now).filter(|_| this.alive) else { return };
        let due = (at + due.saturating_sub(now.mono)).max(this.paused_until);
        if this.wake_at <= at || due < this.wake_at {
            this.wake_at = due;
            self.at(due, Event::Wake(process));
        }
    }

    pub(crate) fn wake(&mut self, process: usize) -> Checked {
        let at = self.now;
        let this = &mut self.processes[process];
        if !this.alive || this.wake_at != at {
            return Ok(());
        }
        this.wake_at = 0;
        if this.paused_until > at {
            self.schedule(process);
            return Ok(());
        }
        let now = this.clock(at);
        let request = this.books.poll(now);
        for id in &this.ids {
            let standing = this.books.standing(*id, now);
            let known = i128::from(standing.spent) + i128::from(standing.held) + i128::from(standing.leased);
            if known + i128::from(standing.free) != i128::from(standing.max) {
                return Err(format!("process {process} does not add up: {standing:?}"));
            }
        }
        if let Some(request) = request {
            self.send(process, &request);
        }
        if self.processes[process].books.due(now).is_some_and(|due| due <= now.mono) {
            // Due, and nothing said: look again a little later.
            let this = &mut self.processes[process];
            this.wake_at = at + MILLISECOND;
            self.after(MILLISECOND, Event::Wake(process));
        } else {
            self.schedule(process);
        }
        Ok(())
    }

    /// Somebody wants to call a model.
    pub(crate) fn ask(&mut self, process: usize) -> Checked {
        let this = &self.processes[process];
        if !this.alive || this.closing || self.is_calm {
            return Ok(());
        }
        if this.paused_until > self.now {
            let until = this.paused_until;
            self.at(until, Event::Ask(process));
            return Ok(());
        }
        let next = self.random.between(self.scenario.pace / 4, self.scenario.pace * 2);
        self.after(next, Event::Ask(process));
        let ending = match self.random.below(100) {
            0..60 => Ending::Exact,
            60..72 => Ending::Unknown,
            72..82 => Ending::Over,
            82..90 => Ending::Unsent,
            _ => Ending::AtOnce,
        };
        let mut parts = Vec::new();
        let skips = if self.random.chance(100) { 0 } else { self.scenario.skips };
        for subject in 0..self.scenario.subjects.len() {
            if subject > 0 && self.random.chance(skips) {
                continue;
            }
            let this = &self.processes[process];
            let (id, max) = (this.ids[subject], this.terms[subject].max);
            let amount = self.random.between(1, max / 6 + 1);
            let (window, number) = (Window::default(), 0);
            parts.push(Part { subject, amount, id, window, number, loose: false, billed: 0, used: 0 });
        }
        let number = self.calls.len() as u64;
        let (taken, billed, settled) = (false, false, false);
        self.calls.insert(number, Call { process, parts, ending, tries: 0, taken, billed, settled });
        self.attempt(number)
    }

    /// Takes everything that a call needs, or nothing.
    pub(crate) fn attempt(&mut self, number: u64) -> Checked {
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let this = &mut self.processes[call.process];
        if !this.alive || this.closing {
            return Ok(());
        }
        if this.paused_until > self.now {
            let until = this.paused_until;
            self.at(until, Event::Again(number));
            return Ok(());
        }
        for part in &mut call.parts {
            part.id = this.ids[part.subject];
        }
        let now = this.clock(self.now);
        let rooms = call.parts.iter().map(|part| this.books.room(part.id, part.amount, 0, now));
        let worst = rooms.max().unwrap_or(Room::Fits);
        call.tries += 1;
        if worst == Room::Full || (worst != Room::Fits && call.tries > TRIES) {
            self.figures.denied += 1;
            self.note(|| format!("call {number} is denied: {worst:?}"));
            return Ok(());
        }
        if worst != Room::Fits {
            for part in &call.parts {
                if this.books.room(part.id, part.amount, 0, now) == Room::Leased {
                    this.books.need(part.id, part.amount);
                }
            }
            let (process, most) = (call.process, 30 * call.tries);
            let wait = self.random.between(5, most) * MILLISECOND;
            self.figures.waits += 1;
            self.after(wait, Event::Again(number));
            self.schedule(process);
            return Ok(());
        }
        self.take(number)
    }

    fn take(&mut self, number: u64) -> Checked {
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let this = &mut self.processes[call.process];
        let now = this.clock(self.now);
        for part in &mut call.parts {
            let loose = this.books.health(now).degraded;
            part.window = this.books.take(part.id, part.amount, now);
            part.loose = this.books.health(now).degraded > loose;
            part.number = this.books.standing(part.id, now).window.map_or(0, |(number, ..)| number);
            let failure = this.terms[part.subject].failure;
            let age = this.word.map_or(u64::MAX, |word| now.mono - word);
            if failure == Failure::Deny && age >= OLDEST_WORD {
                return Err(format!("call {number} was allowed on a word that is {age} ns old"));
            }
            let is_rolling = matches!(this.terms[part.subject].window, WindowKind::Rolling { .. });
            if is_rolling && !part.loose && age >= OLDEST_WORD {
                return Err(format!("call {number} used a lease that had lapsed, {age} ns after a word"));
            }
            if part.loose && failure != Failure::Allow {
                return Err(format!("call {number} was allowed beyond what was leased"));
            }
            if part.loose {
                self.figures.unbounded += 1;
                let name = self.scenario.subjects[part.subject].key.as_str();
                self.truth.window(name, part.number).unbounded += part.amount;
            }
        }
        call.taken = true;
        this.open.insert(number);
        let process = call.process;
        self.figures.allowed += 1;
        let (ending, parts) = (call.ending, call.parts.clone());
        self.note(|| format!("process {process} takes for call {number} ({ending:?}): {parts:?}"));
        let long = if self.random.chance(80) { 15 * SECOND } else { 1500 * MILLISECOND };
        let length = if ending == Ending::AtOnce { 0 } else { self.random.between(MILLISECOND, long) };
        let billed = self.random.between(0, length);
        if ending != Ending::Unsent {
            self.after(billed, Event::Bill(number));
        }
        self.after(length, Event::Settle(number));
        self.schedule(process);
        Ok(())
    }
}
