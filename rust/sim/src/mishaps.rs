//! What goes wrong, what people do meanwhile, and the end, where everything must add up.

use policy_core::store::Operation;

use crate::process::{Ending, Part};
use crate::scenario::{Chaos, HOUR, MILLISECOND, SECOND};
use crate::world::{Checked, Event, World};

/// More processes than this are not started.
const PROCESSES: usize = 5;

impl World {
    fn living(&self) -> Vec<usize> {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| process.alive && !process.closing).map(|(number, _)| number).collect()
    }

    pub(crate) fn mishap(&mut self) -> Checked {
        if self.is_calm {
            return Ok(());
        }
        let next = self.random.between(self.scenario.calm / 4, self.scenario.calm * 2);
        self.after(next, Event::Mishap);
        if self.scenario.chaos.is_empty() {
            return Ok(());
        }
        let chaos = self.scenario.chaos.clone();
        let what = self.random.pick(&chaos);
        let living = self.living();
        let Some(process) = (!living.is_empty()).then(|| self.random.pick(&living)) else {
            self.start_process();
            return Ok(());
        };
        let subject = self.random.below(self.scenario.subjects.len() as u64) as usize;
        self.note(|| format!("mishap: {what:?} (process {process}, account {subject})"));
        match what {
            Chaos::Crash => self.crash(process),
            Chaos::Suspend => self.suspend(process)?,
            Chaos::Fork if living.len() < PROCESSES => {
                self.figures.forks += 1;
                self.fork(process);
            }
            Chaos::Fork => {}
            Chaos::Pause => {
                self.figures.pauses += 1;
                let most = self.random.pick(&[500, 3000, 12_000, 25_000]);
                let time = self.random.between(10, most) * MILLISECOND;
                self.processes[process].paused_until = self.now + time;
            }
            Chaos::Partition => {
                self.figures.partitions += 1;
                let most = self.random.pick(&[500, 3000, 14_000, 30_000, self.scenario.away]);
                let time = self.random.between(10, most) * MILLISECOND;
                self.processes[process].cut_until = self.now + time;
            }
            Chaos::PowerCut => self.power_cut()?,
            Chaos::Damage if self.server.up => self.damage(),
            Chaos::StoreDown => {
                self.server.up = false;
                let most = self.random.pick(&[1000, 6000, 18_000]);
                let time = self.random.between(50, most) * MILLISECOND;
                self.after(time, Event::StoreUp { told: None });
            }
            Chaos::Wipe => {
                self.lossy = true;
                self.server.mend()?;
                self.server.wipe(self.now);
            }
            _ => self.meanwhile(what, process, subject),
        }
        Ok(())
    }

    /// What people and clocks do.
    fn meanwhile(&mut self, what: Chaos, process: usize, subject: usize) {
        let account = self.scenario.subjects[subject].key.clone();
        match what {
            Chaos::StoreClock => {
                self.figures.clock_jumps += 1;
                let by = self.random.pick(&[-400_000, -2000, -300, 300, 2000, 400_000]);
                self.server.jump(self.now, by * 1_000_000);
            }
            Chaos::NodeClock => {
                self.figures.clock_jumps += 1;
                let by = self.random.pick(&[-7_200, -5, 5, 7_200]);
                self.processes[process].wall_offset += by * 1_000_000_000;
            }
            Chaos::NextWindow if self.figures.windows < self.scenario.hours => {
                self.figures.windows += 1;
                self.server.jump(self.now, HOUR.cast_signed());
                for process in &mut self.processes {
                    process.wall_offset += HOUR.cast_signed();
                }
            }
            Chaos::NewBound => {
                self.figures.bounds += 1;
                let max = self.scenario.subjects[subject].terms.max;
                let max = self.random.between(1, max * 2);
                self.scenario.subjects[subject].terms.max = max;
                for process in self.living() {
                    let later = self.random.below(3 * SECOND);
                    self.after(later, Event::Adopt { process, subject });
                }
            }
            Chaos::Pin => {
                self.figures.pins += 1;
                let max = self.scenario.subjects[subject].terms.max;
                let most = self.random.below(max);
                let max = self.random.chance(700).then_some(most);
                self.server.operate(self.now, Operation::Pin { account, max });
            }
            Chaos::Correct => self.adjust(subject),
            Chaos::WriteOff => self.write_off(subject),
            Chaos::Raise => {
                self.figures.raises += 1;
                let amount = self.random.between(1, self.scenario.subjects[subject].terms.max);
                let this = &mut self.processes[process];
                let now = this.clock(self.now);
                this.books.grant(this.ids[subject], amount, 2, now);
                self.schedule(process);
            }
            Chaos::Reopen if self.processes[process].open.is_empty() => {
                let this = &mut self.processes[process];
                this.books.close(this.ids[subject]);
                let later = self.random.between(0, 7000) * MILLISECOND;
                self.after(later, Event::Reopen { process, subject });
                self.schedule(process);
            }
            Chaos::Close => {
                self.after(0, Event::Quit(process));
                self.start_process();
            }
            _ => {}
        }
    }

    fn adjust(&mut self, subject: usize) {
        let account = self.scenario.subjects[subject].key.clone();
        let amount = self.random.between(1, self.scenario.subjects[subject].terms.max / 3 + 1);
        let down = self.random.chance(500);
        let Some(known) = self.server.shadow.accounts.get(&account) else { return };
        let Some(window) = known.latest(self.server.clock(self.now)) else { return };
        let amount =
            if down { amount.min(known.stands(window, self.server.clock(self.now)).0) } else { amount };
        let delta = if down { -amount.cast_signed() } else { amount.cast_signed() };
        let operation = Operation::Adjust { account: account.clone(), delta };
        if self.server.operate(self.now, operation).is_some() {
            self.figures.corrections += 1;
            if down {
                self.truth.window(account.as_str(), window).correct(self.now, amount);
            }
        }
    }

    /// An operator takes nodes for dead, whether they are or not. Of what dead ones had leased only that
    /// can be spent twice which they had used, or were using, and had not reported.
    fn write_off(&mut self, subject: usize) {
        let account = self.scenario.subjects[subject].key.clone();
        let known = self.random.below(self.processes.len() as u64) as usize;
        let node = self.random.chance(500).then_some(self.processes[known].node);
        let operation = Operation::WriteOff { account: account.clone(), node };
        for off in self.server.operate(self.now, operation).unwrap_or_default() {
            self.figures.written_off += 1;
            let unknown = self.unknown(off.node, subject, off.window).saturating_sub(off.reported);
            let window = self.truth.window(account.as_str(), off.window);
            window.written_off += off.amount;
            window.forgotten += off.amount.min(unknown);
        }
    }

    /// What a node may have spent of a window, in all, or will.
    fn unknown(&self, node: u128, subject: usize, window: i64) -> u64 {
        let Some(number) = self.processes.iter().position(|process| process.node == node) else {
            return u64::MAX;
        };
        let process = &self.processes[number];
        if process.alive {
            return u64::MAX;
        }
        let is_here = |part: &&Part| part.subject == subject && part.number == window;
        let calls = self.calls.values().filter(|call| call.process == number && call.taken);
        let used = calls.flat_map(|call| {
            let parts = call.parts.iter().filter(is_here);
            // What was corrected downwards may have been reported before that.
            let is_known = call.settled && call.ending != Ending::Unknown;
            parts.map(move |part| if is_known { part.used } else { part.amount })
        });
        let charged = process.charged.iter().filter(|(other, id, _)| (*other, *id) == (subject, window));
        used.chain(charged.map(|(.., amount)| *amount)).sum()
    }

    /// Bytes of a row change, by a fault of something else. Later its operator puts back what was there.
    fn damage(&mut self) {
        if let Some(row) = self.server.damage(&mut self.random) {
            self.figures.damaged += 1;
            self.note(|| format!("the row {row:?} is damaged"));
            let time = self.random.between(10, 20_000) * MILLISECOND;
            self.after(time, Event::Mend);
        }
    }

    fn crash(&mut self, process: usize) {
        self.figures.crashes += 1;
        self.processes[process].alive = false;
        self.start_process();
    }

    /// The store goes off and on. What a relaxed one had not written is gone.
    fn power_cut(&mut self) -> Checked {
        self.figures.power_cuts += 1;
        self.server.mend()?;
        self.server.up = false;
        let down = self.random.between(5, 2000) * MILLISECOND;
        let mut told = None;
        if self.scenario.relaxed {
            let back_to = self.now - self.random.below(SECOND);
            let loss = self.server.power_cut(self.now, back_to);
            self.figures.undone += loss.granted.len() as u64;
            self.lossy = true;
            if self.scenario.declared {
                told = Some(Box::new(loss));
            } else {
                self.forgive(loss);
            }
        }
        self.after(down, Event::StoreUp { told });
        Ok(())
    }

    /// A process reads the changed policy.
    pub(crate) fn adopt(&mut self, process: usize, subject: usize) -> Checked {
        let terms = self.scenario.subjects[subject].terms.clone();
        let key = self.scenario.subjects[subject].key.clone();
        let this = &mut self.processes[process];
        if this.alive && !this.closing {
            let now = this.clock(self.now);
            let before = this.ids[subject];
            this.ids[subject] = this.books.open(&key, &terms, true, now);
            this.books.close(before);
            this.terms[subject] = terms;
            self.schedule(process);
        }
        Ok(())
    }

    /// An account that was left is used again.
    pub(crate) fn reopen(&mut self, process: usize, subject: usize) -> Checked {
        let this = &mut self.processes[process];
        if this.alive {
            let now = this.clock(self.now);
            let (key, terms) = (&self.scenario.subjects[subject].key, &this.terms[subject]);
            this.ids[subject] = this.books.open(key, terms, true, now);
            self.schedule(process);
        }
        Ok(())
    }
}
