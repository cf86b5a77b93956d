//! The events that tell: what an attempt used, what a person said, the end of a run; and tokens.

use checkrein_records::Ended;
use policy_core::{Reply, Usage};

use crate::edge::{In, Out, place, there};
use crate::fault::{Fault, answer, bad, number};
use crate::meters;
use crate::setup::RUNS;
use crate::types;

/// What an attempt used, as C says it.
pub(crate) fn used(usage: &types::Usage) -> Result<Usage, Fault> {
    zeroed(usage.reserved)?;
    let types::Usage { input, output, cache_read, cache_write, reasoning, .. } = *usage;
    match usage.kind {
        types::EXACT => Ok(Usage::Exact { input, output, cache_read, cache_write, reasoning }),
        types::AT_LEAST => Ok(Usage::AtLeast { input, output, cache_read, cache_write, reasoning }),
        types::UNKNOWN => Ok(Usage::Unknown),
        types::UNSENT => Ok(Usage::Unsent),
        kind => Err(bad(format!("there is no kind of usage {kind}"))),
    }
}

/// What is kept for later versions is 0: a structure that was never written to shows it here.
pub(crate) fn zeroed(reserved: u32) -> Result<(), Fault> {
    if reserved == 0 {
        Ok(())
    } else {
        Err(bad("what is reserved is not 0; set the structure to zeros first"))
    }
}

fn charged(settlement: &policy_core::Settlement) -> types::Settlement {
    types::Settlement {
        input_tokens: settlement.input_tokens,
        output_tokens: settlement.output_tokens,
        tokens: settlement.tokens,
        cost: settlement.cost,
        reserved_tokens: settlement.reserved_tokens,
        reserved_cost: settlement.reserved_cost,
    }
}

pub(crate) extern "C" fn settle(
    run: types::Run,
    now: types::Now,
    attempt: u64,
    usage: In<'_, types::Usage>,
    out: Out<'_, types::Settlement>,
) -> i32 {
    answer(|| {
        let (out, usage, now) = (place(out)?, used(there(usage)?)?, now.into());
        let ended = Ended { attempt, number: None };
        let settled =
            RUNS.with(run.id, |begun| Ok(begun.hosted.tell(|live| live.settle(now, ended, usage))?))?;
        out.write(charged(&settled));
        Ok(())
    })
}

pub(crate) extern "C" fn adjust(
    run: types::Run,
    now: types::Now,
    attempt: u64,
    usage: In<'_, types::Usage>,
    out: Out<'_, types::Settlement>,
) -> i32 {
    answer(|| {
        let (out, usage, now) = (place(out)?, used(there(usage)?)?, now.into());
        let ended = Ended { attempt, number: None };
        let adjusted =
            RUNS.with(run.id, |begun| Ok(begun.hosted.tell(|live| live.adjust(now, ended, usage))?))?;
        out.write(charged(&adjusted));
        Ok(())
    })
}

pub(crate) extern "C" fn answer_request(run: types::Run, now: types::Now, request: u64, approve: u32) -> i32 {
    answer(|| {
        let approve = match approve {
            0 => false,
            1 => true,
            _ => return Err(bad("the answer is neither 0 (no) nor 1 (yes)")),
        };
        let reply = Reply { request, approve, ago: 0, bound: None };
        RUNS.with(run.id, |begun| Ok(begun.hosted.tell(|live| live.answer(now.into(), &reply))?))
    })
}

pub(crate) extern "C" fn end(run: types::Run, now: types::Now) -> i32 {
    answer(|| {
        RUNS.with(run.id, |begun| {
            Ok(begun.hosted.ask(|live| {
                live.end(now.into());
                Ok(())
            })?)
        })
    })
}

pub(crate) extern "C" fn meter(run: types::Run, attempt: u64, out: Out<'_, types::Meter>) -> i32 {
    answer(|| {
        let out = place(out)?;
        let id = RUNS.with(run.id, |begun| meters::meter(&begun.hosted, attempt))?;
        out.write(types::Meter { id });
        Ok(())
    })
}

pub(crate) extern "C" fn count(meter: types::Meter, tokens: u64) -> i64 {
    number(|| Ok(i64::try_from(meters::count(meter.id, tokens)?).unwrap_or(i64::MAX)))
}

pub(crate) extern "C" fn close_meter(meter: types::Meter) -> i32 {
    answer(|| meters::close_meter(meter.id))
}
