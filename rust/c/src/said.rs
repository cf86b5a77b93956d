//! Decisions as C sees them: numbers at once, texts when they are asked for.

use policy_core::{By, Outcome, Program};

use crate::edge::{Buffer, Out, Span, place};
use crate::fault::{Fault, answer, bad, latest};
use crate::setup::{Begun, RUNS};
use crate::types;

/// The numbers of a decision.
pub(crate) fn shown(decision: &policy_core::Decision) -> types::Decision {
    let flags = [
        (decision.undecided, types::UNDECIDED),
        (decision.latched, types::LATCHED),
        (decision.rejected, types::REJECTED),
        (decision.wrap_up, types::WRAP_UP),
        (decision.stayed, types::STAYED),
        (decision.may_be_sooner, types::MAY_BE_SOONER),
    ];
    types::Decision {
        number: decision.number,
        call: decision.call.unwrap_or(0),
        attempt: decision.attempt.unwrap_or(0),
        attempt_number: decision.attempt_number.unwrap_or(0),
        output_cap: decision.output_cap.unwrap_or(types::NONE),
        timeout_ns: decision.timeout_ns.unwrap_or(types::NONE),
        wait_ns: decision.wait_ns.unwrap_or(types::NONE),
        request: decision.asked.map_or(0, |asked| asked.request),
        expires_at: decision.asked.map_or(types::NONE, |asked| asked.expires_at),
        answered: decision.answered.unwrap_or(0),
        reused: decision.reused.unwrap_or(0),
        reserved_tokens: decision.reserved_tokens,
        reserved_cost: decision.reserved_cost,
        outcome: match decision.outcome {
            Outcome::Allow => types::ALLOW,
            Outcome::Reuse => types::REUSE,
            Outcome::Answer => types::ANSWER,
            Outcome::Wait => types::WAIT,
            Outcome::Escalate => types::ESCALATE,
            Outcome::Deny => types::DENY,
            Outcome::Fail => types::FAIL,
            Outcome::Stop => types::STOP,
        },
        flags: flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag),
    }
}

/// One text of the run's latest decision, which has to be this one.
pub(crate) extern "C" fn text(
    run: types::Run,
    number: u64,
    which: u32,
    buffer: Buffer,
    out: Out<'_, usize>,
) -> i32 {
    answer(|| {
        let out = place(out)?;
        RUNS.with(run.id, |Begun { loaded, latest, .. }| {
            let gone = "the texts of this decision are gone: the run has made another one since, or none";
            let latest = latest.as_ref().filter(|latest| latest.number == number);
            let decision = latest.ok_or_else(|| Fault::new(types::GONE, gone))?;
            out.write(buffer.fill(found(decision, &loaded.program, which)?));
            Ok(())
        })
    })
}

/// The text, which is empty if the decision has none.
fn found<'a>(
    decision: &'a policy_core::Decision,
    program: &'a Program,
    which: u32,
) -> Result<&'a str, Fault> {
    let state = || row(program.states(), decision.state);
    let text = match which {
        types::BY => match decision.by {
            By::Nobody => None,
            By::BuiltIn(reason) => Some(reason.name()),
            By::Statement(index) => row(program.statements(), Some(index)).map(|by| &*by.name),
        },
        types::REASON => decision.reason(program),
        types::ANSWER_TEXT => decision.text.as_deref(),
        types::MODEL => row(program.models(), decision.model).map(|model| &*model.name),
        types::STATE => state().map(|state| &*state.name),
        types::TELL_AGENT => state().and_then(|state| state.tell_agent.as_deref()),
        types::TELL_USER => state().and_then(|state| state.tell_user.as_deref()),
        types::QUEUE => {
            row(program.queues(), decision.asked.map(|asked| asked.queue)).map(|queue| &*queue.name)
        }
        types::WANTS => decision.asked.map(|asked| asked.wants.name()),
        which => return Err(bad(format!("there is no text {which} of a decision"))),
    };
    Ok(text.unwrap_or_default())
}

fn row<T>(table: &[T], index: Option<u32>) -> Option<&T> {
    table.get(usize::try_from(index?).ok()?)
}

/// What went wrong in this thread last.
pub(crate) extern "C" fn message(buffer: Buffer) -> usize {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| buffer.fill(&latest())));
    caught.unwrap_or(0)
}

/// The version of this library, for people.
pub(crate) extern "C" fn version() -> Span<u8> {
    Span::lasting(env!("CARGO_PKG_VERSION"))
}

/// Both clocks of the machine, for hosts without a clock of their own.
pub(crate) extern "C" fn now() -> types::Now {
    let caught = std::panic::catch_unwind(checkrein_stores::now);
    let now = caught.unwrap_or_default();
    types::Now { mono: now.mono, wall: now.wall }
}
