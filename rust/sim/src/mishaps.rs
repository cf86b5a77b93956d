//! What goes wrong, what people do meanwhile, and the end, where everything must add up.

use policy_core::books::WindowKind;
use policy_core::store::Operation;

use crate::scenario::{Chaos, HOUR, MILLISECOND, SECOND};
use crate::world::{Checked, Event, World};

/// More processes than this are not started.
const PROCESSES: usize = 5;
/// After the last call everything can settle for so long before the processes quit.
const SETTLING: u64 = 3 * SECOND;
/// Nothing can take longer to be given back: a store that lost something grants nothing for 20 s.
const CLOSING: u64 = 40 * SECOND;

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
                let most = self.random.pick(&[500, 3000, 14_000, 30_000]);
                let time = self.random.between(10, most) * MILLISECOND;
                self.processes[process].cut_until = self.now + time;
            }
            Chaos::PowerCut => self.power_cut(),
            Chaos::StoreDown => {
                self.server.up = false;
                let most = self.random.pick(&[1000, 6000, 18_000]);
                let time = self.random.between(50, most) * MILLISECOND;
                self.after(time, Event::StoreUp { told: None });
            }
            Chaos::Wipe => {
                self.lossy = true;
                self.server.wipe();
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
            Chaos::NextWindow if self.figures.windows < 5 => {
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
        let rolling = matches!(self.scenario.subjects[subject].terms.window, WindowKind::Rolling { .. });
        let amount = self.random.between(1, self.scenario.subjects[subject].terms.max / 3 + 1);
        let down = !rolling && self.random.chance(500);
        let Some(known) = self.server.shadow.accounts.get(&account) else { return };
        let Some(window) = known.latest(self.server.clock(self.now)) else { return };
        let amount =
            if down { amount.min(known.stands(window, self.server.clock(self.now)).0) } else { amount };
        if down {
            self.truth.window(account.as_str(), window).forgotten += amount;
        }
        let delta = if down { -amount.cast_signed() } else { amount.cast_signed() };
        self.server.operate(self.now, Operation::Adjust { account, delta });
    }

    fn crash(&mut self, process: usize) {
        self.figures.crashes += 1;
        self.processes[process].alive = false;
        self.start_process();
    }

    /// The store goes off and on. What a relaxed one had not written is gone.
    fn power_cut(&mut self) {
        self.figures.power_cuts += 1;
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

    // -- the end -----------------------------------------------------------------------------------

    /// Everything works again and nobody asks for anything more.
    pub(crate) fn calm(&mut self) -> Checked {
        self.is_calm = true;
        self.note(|| "calm".to_owned());
        self.server.up = true;
        for process in &mut self.processes {
            process.paused_until = process.paused_until.min(self.now);
            process.cut_until = 0;
        }
        for process in 0..self.processes.len() {
            self.schedule(process);
            self.after(SETTLING, Event::Quit(process));
        }
        self.after(SETTLING + CLOSING, Event::Finish);
        Ok(())
    }

    /// A process ends in good order. What is still open is charged as held.
    pub(crate) fn quit(&mut self, process: usize) -> Checked {
        if !self.processes[process].alive || self.processes[process].closing {
            return Ok(());
        }
        self.figures.closed += 1;
        for call in self.processes[process].open.clone() {
            self.charge(call)?;
        }
        self.note(|| format!("process {process} quits"));
        let this = &mut self.processes[process];
        this.closing = true;
        this.open.clear();
        let now = this.clock(self.now);
        this.books.close_all(now);
        self.schedule(process);
        Ok(())
    }

    pub(crate) fn judge(&mut self) -> Checked {
        if self.server.wiped {
            return Ok(());
        }
        for (number, process) in self.processes.iter().enumerate() {
            let health = process.books.health(process.clock(self.now));
            if process.alive && !health.is_closed {
                return Err(format!("process {number} could not give everything back: {health:?}"));
            }
        }
        if self.lossy {
            return Ok(());
        }
        let crashed = self.processes.iter().any(|process| !process.alive);
        for (key, account) in &self.server.shadow.accounts {
            for (number, window) in &account.windows {
                for (node, (granted, reported)) in &window.shares {
                    let gone = self.processes.iter().find(|process| process.node == *node);
                    if granted > reported && gone.is_none_or(|process| process.alive) {
                        return Err(format!(
                            "{key}, window {number}: a lease was left by a process that closed"
                        ));
                    }
                }
                let truth = self.truth.window(key.as_str(), *number);
                if let Some((reported, refunded)) = window.reported() {
                    let (reported, open) = (i128::from(reported), i128::from(window.open()));
                    let unreported = i128::from(truth.beyond + truth.unbounded);
                    let debt = if crashed { unreported } else { 0 };
                    let refunds = i128::from(truth.refunded) - i128::from(refunded);
                    let settled = truth.settled;
                    if settled - i128::from(truth.refunded) > reported - i128::from(refunded) + open + debt
                        || reported > settled
                        || refunds < 0
                    {
                        let told = format!("{reported} reported, {refunded} refunded, {open} open");
                        return Err(format!("{key}, window {number}: {told}; in truth {truth:?}"));
                    }
                }
            }
        }
        Ok(())
    }
}
