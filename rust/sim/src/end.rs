//! The end of a run: everything works again, everybody leaves, and everything must add up.

use crate::process::Process;
use crate::scenario::SECOND;
use crate::truth::Bills;
use crate::window::Window;
use crate::world::{Checked, Event, World};

/// After the last call everything can settle for so long before the processes quit: an account that was
/// refused is asked about again every 10 s.
const SETTLING: (u64, u64) = (3 * SECOND, 14 * SECOND);
/// Nothing can take longer to be given back: a store that lost something grants nothing for 20 s.
const CLOSING: u64 = 40 * SECOND;

impl World {
    /// Everything works again and nobody asks for anything more.
    pub(crate) fn calm(&mut self) -> Checked {
        self.is_calm = true;
        self.server.mend()?;
        self.note(|| "calm".to_owned());
        self.server.up = true;
        for process in &mut self.processes {
            process.paused_until = process.paused_until.min(self.now);
            process.cut_until = 0;
        }
        let settling = if self.figures.damaged > 0 { SETTLING.1 } else { SETTLING.0 };
        for process in 0..self.processes.len() {
            self.schedule(process);
            self.after(settling, Event::Quit(process));
        }
        self.after(settling + CLOSING, Event::Finish);
        Ok(())
    }

    /// A process ends in good order. What is still open is charged as held.
    pub(crate) fn quit(&mut self, process: usize) -> Checked {
        if !self.processes[process].alive || self.processes[process].closing {
            return Ok(());
        }
        self.figures.closed += 1;
        let health = self.processes[process].books.health(self.processes[process].clock(self.now));
        if self.is_calm && !self.server.wiped && health.refused.is_some() {
            return Err(format!("process {process} is still refused an account: {health:?}"));
        }
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
        // What a process settled that could not say so any more.
        let is_mute = |process: &Process| {
            !process.alive || process.books.health(process.clock(self.now)).refused.is_some()
        };
        let mute: Vec<_> = self.processes.iter().filter(|process| is_mute(process)).collect();
        for (key, account) in &self.server.shadow.accounts {
            for (number, window) in account.kept() {
                let open = |(_, (granted, reported)): &(&u128, &(u64, u64))| granted > reported;
                let mut left = window.shares.iter().filter(open).map(|(node, _)| *node);
                if left.any(|node| mute.iter().all(|process| process.node != node)) {
                    return Err(format!("{key}, window {number}: a lease was left by a process that closed"));
                }
                let truth = self.truth.window(key.as_str(), *number);
                adds_up(window, truth, !mute.is_empty())
                    .map_err(|told| format!("{key}, window {number}: {told}; in truth {truth:?}"))?;
            }
        }
        Ok(())
    }
}

/// What was settled is reported, or open at those who cannot say so, or was written off there.
fn adds_up(window: &Window, truth: &Bills, is_mute: bool) -> Checked {
    let Some((reported, refunded)) = window.reported() else { return Ok(()) };
    let debt = if is_mute { truth.beyond + truth.unbounded + truth.written_off } else { 0 };
    let open = i128::from(window.open());
    let (told, kept) = (i128::from(reported), i128::from(truth.refunded) - i128::from(refunded));
    if truth.settled > told + kept + open + i128::from(debt) || told > truth.settled || kept < 0 {
        return Err(format!("{reported} reported, {refunded} refunded, {open} open"));
    }
    Ok(())
}
