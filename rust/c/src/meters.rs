//! Meters: what a token loop counts on, without a lock. A token costs two look-ups and one atomic addition.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use checkrein_host::Hosted;
use policy_core::{MAX_QUANTITY, Meter};

use crate::fault::{Fault, bad, closed};
use crate::handles::{handle, locked, next, parts};
use crate::pool::Pool;
use crate::types;

const KIND: u64 = 5;

/// A place has one meter for ever, which serves one attempt after the other.
#[derive(Debug)]
struct Cell {
    generation: AtomicU32,
    meter: Arc<Meter>,
}

/// Which places may serve another attempt.
#[derive(Debug)]
struct Spare {
    free: Vec<u32>,
    /// Their handles are closed, but their attempts are not over.
    serving: Vec<u32>,
    /// How many handles each place has.
    users: Vec<u32>,
}

static CELLS: Pool<Cell> = Pool::new();
static SPARE: Mutex<Spare> = Mutex::new(Spare { free: Vec::new(), serving: Vec::new(), users: Vec::new() });

impl Spare {
    /// A place whose meter serves nobody.
    fn take(&mut self) -> Option<u32> {
        let over =
            self.serving.iter().position(|index| CELLS.get(*index).is_some_and(|cell| !cell.meter.is_open()));
        if let Some(over) = over {
            self.free.push(self.serving.swap_remove(over));
        }
        self.free.pop().or_else(|| {
            let made = CELLS
                .push(|index| Cell { generation: AtomicU32::new(1), meter: Arc::new(Meter::new(index)) })?;
            self.users.push(0);
            Some(made)
        })
    }
}

/// The handle of the meter of an open attempt of a model. An attempt has one, however often it is asked for.
///
/// # Errors
/// [`Fault`] if the attempt is unknown, settled or a tool's, or as for every event of the run.
pub fn meter(run: &Hosted, attempt: u64) -> Result<u64, Fault> {
    let full = || Fault::new(types::FULL, "too many meters are open; close some");
    // Held all the while, so that the meter of an attempt that ends meanwhile serves no other one yet.
    let mut spare = locked(&SPARE);
    let taken = spare.take().ok_or_else(full)?;
    let cell = CELLS.get(taken).ok_or_else(full)?;
    let opened = run.tell(|live| live.run.metered(attempt, Arc::clone(&cell.meter)));
    let index = match &opened {
        Ok(meter) => meter.tag(),
        Err(_) => taken,
    };
    if index != taken || opened.is_err() {
        spare.free.push(taken);
    }
    opened?;
    spare.serving.retain(|serving| *serving != index);
    if let Some(users) = spare.users.get_mut(index as usize) {
        *users = users.saturating_add(1);
    }
    let generation = CELLS.get(index).ok_or_else(full)?.generation.load(Ordering::Acquire);
    Ok(handle(KIND, generation, index))
}

/// The attempt has produced this many tokens more. Gives how many it may still produce.
///
/// # Errors
/// [`Fault`] for a handle that was closed, and once the attempt is over: then they are not counted.
#[inline]
pub fn count(meter: u64, tokens: u64) -> Result<u64, Fault> {
    let cell = found(meter).ok_or_else(|| closed("meter"))?;
    if tokens > MAX_QUANTITY {
        return Err(bad("a number of tokens is above 2^53 - 1; pass what was really used"));
    }
    cell.meter.count(tokens).ok_or_else(over)
}

/// Lets go of a meter; what was counted stays. The attempt goes on, and its run knows what it has produced.
///
/// # Errors
/// [`Fault`] for a handle that was closed.
pub fn close_meter(meter: u64) -> Result<(), Fault> {
    let mut spare = locked(&SPARE);
    let cell = found(meter).ok_or_else(|| closed("meter"))?;
    let index = cell.meter.tag();
    let Some(users) = spare.users.get_mut(index as usize) else { return Err(closed("meter")) };
    *users = users.saturating_sub(1);
    if *users > 0 {
        return Ok(());
    }
    // A place that had all its generations is never used again.
    let generation = next(cell.generation.load(Ordering::Acquire));
    cell.generation.store(generation.unwrap_or(0), Ordering::Release);
    if generation.is_some() {
        spare.serving.push(index);
    }
    Ok(())
}

#[inline]
fn found(meter: u64) -> Option<&'static Cell> {
    let (generation, index) = parts(KIND, meter)?;
    let cell = CELLS.get(index)?;
    (cell.generation.load(Ordering::Acquire) == generation).then_some(cell)
}

#[cold]
fn over() -> Fault {
    Fault::new(types::ALREADY_SETTLED, "the attempt of this meter is over; stop, and ask for another one")
}
