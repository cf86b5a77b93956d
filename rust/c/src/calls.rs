//! The events that ask: a tool call, a model call, a result, an error.

use checkrein_host::Refused;
use checkrein_records::{Ended, Subject};
use policy_core::{Decision, ErrorKind, Failure, ModelCall, Returned, Slot, ToolCall};

use crate::edge::{In, Out, Span, Value, place, there};
use crate::ends::{used, zeroed};
use crate::fault::{Fault, answer, bad};
use crate::said::shown;
use crate::setup::{Begun, RUNS};
use crate::types;

/// The values of a bound call, in the order of its names.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Values {
    arguments: Span<Value>,
    facts: Span<Value>,
}

/// Decides, and tells C.
fn decided(
    run: types::Run,
    out: Out<'_, types::Decision>,
    decide: impl FnOnce(&mut Begun) -> Result<Decision, Fault>,
) -> i32 {
    answer(|| {
        let out = place(out)?;
        RUNS.with(run.id, |begun| {
            let decision = decide(begun)?;
            out.write(shown(&decision));
            begun.latest = Some(decision);
            Ok(())
        })
    })
}

/// What an admission writes into the place that it is lent.
fn admitted(admit: impl FnOnce(&mut Decision) -> Result<(), Refused>) -> Result<Decision, Fault> {
    let mut decision = Decision::new();
    admit(&mut decision)?;
    Ok(decision)
}

/// The logical call asked again; 0 is a new one.
fn again(call: u64) -> Option<u64> {
    (call > 0).then_some(call)
}

pub(crate) extern "C" fn tool_call(
    run: types::Run,
    now: types::Now,
    call: types::Call,
    asked: u64,
    values: In<'_, Values>,
    out: Out<'_, types::Decision>,
) -> i32 {
    decided(run, out, |Begun { hosted, loaded, .. }| {
        let (bound, values, now) = (loaded.call(call)?, there(values)?, now.into());
        let tool = bound.of_tool()?;
        let (arguments, facts) = (values.arguments.read()?, values.facts.read()?);
        bound.written(arguments, |written| {
            bound.slots(arguments, facts, |facts| {
                let event = ToolCall {
                    call: again(asked),
                    tool,
                    args: &written.text,
                    forms: &written.forms,
                    is_exact: true,
                    is_unsafe: written.is_unsafe,
                    facts,
                };
                let subject = Subject::Call("tool", Some(tool));
                admitted(|decision| {
                    hosted.admit(now, subject, decision, |run, books, decision| {
                        run.tool_call(now, &event, books, decision)
                    })
                })
            })
        })
    })
}

pub(crate) extern "C" fn model_call(
    run: types::Run,
    now: types::Now,
    call: types::Call,
    asked: u64,
    prompt: In<'_, types::Prompt>,
    values: In<'_, Values>,
    out: Out<'_, types::Decision>,
) -> i32 {
    decided(run, out, |Begun { hosted, loaded, .. }| {
        let (bound, values, now) = (loaded.call(call)?, there(values)?, now.into());
        let (model, prompt) = (bound.of_model()?, there(prompt)?);
        bound.slots(&[], values.facts.read()?, |facts| {
            let event = ModelCall {
                call: again(asked),
                model,
                input_tokens: prompt.input_tokens,
                max_output: some(prompt.max_output),
                facts,
                results: None,
                messages: None,
            };
            let subject = Subject::Call("model", model);
            admitted(|decision| {
                hosted.admit(now, subject, decision, |run, books, decision| {
                    run.model_call(now, &event, books, decision)
                })
            })
        })
    })
}

pub(crate) extern "C" fn result(
    run: types::Run,
    now: types::Now,
    returned: In<'_, types::Returned>,
    usage: In<'_, types::Usage>,
    call: types::Call,
    values: In<'_, Values>,
    out: Out<'_, types::Decision>,
) -> i32 {
    decided(run, out, |Begun { hosted, loaded, .. }| {
        let (returned, usage, now) = (there(returned)?, used(there(usage)?)?, now.into());
        zeroed(returned.reserved)?;
        let come = |facts: &[Slot<'_>]| {
            let returned = Returned {
                attempt: returned.attempt,
                usage,
                facts,
                fingerprint: some(returned.fingerprint),
                committed: returned.flags & types::COMMITTED != 0,
            };
            let ended = Ended { attempt: returned.attempt, number: None };
            Ok(hosted.tell(|live| live.result(now, ended, &returned, Subject::Said("call")))?)
        };
        if call.id == 0 {
            return come(&vec![Slot::Missing; loaded.program.facts().len()]);
        }
        let (bound, values) = (loaded.call(call)?, there(values)?);
        bound.of_result()?;
        bound.slots(values.arguments.read()?, values.facts.read()?, come)
    })
}

pub(crate) extern "C" fn fail(
    run: types::Run,
    now: types::Now,
    attempt: u64,
    usage: In<'_, types::Usage>,
    failure: In<'_, types::Failure>,
    out: Out<'_, types::Decision>,
) -> i32 {
    decided(run, out, |Begun { hosted, .. }| {
        let (usage, failure, now) = (used(there(usage)?)?, there(failure)?, now.into());
        let word = failure.kind.text()?;
        let failure = Failure {
            attempt,
            usage,
            kind: ErrorKind::parse(word).ok_or_else(|| unknown_kind(word))?,
            status: quantity(failure.status),
            retry_after: quantity(failure.retry_after),
            billed: match failure.billed {
                types::BILLED_UNKNOWN => Slot::Missing,
                types::BILLED_NO => Slot::Flag(false),
                types::BILLED_YES => Slot::Flag(true),
                _ => Slot::Ill,
            },
            own: failure.flags & types::OWN != 0,
            fingerprint: some(failure.fingerprint),
            committed: failure.flags & types::COMMITTED != 0,
        };
        Ok(hosted.tell(|live| live.error(now, &failure, Subject::Said("call")))?)
    })
}

fn unknown_kind(word: &str) -> Fault {
    let known = ErrorKind::ALL.map(ErrorKind::name).join("`, `");
    bad(format!("the error kind is `{word}`; pass one of `{known}`"))
}

/// A number that may not be there.
fn some(number: u64) -> Option<u64> {
    (number != types::NONE).then_some(number)
}

fn quantity<'a>(number: u64) -> Slot<'a> {
    some(number).map_or(Slot::Missing, |number| i64::try_from(number).map_or(Slot::Ill, Slot::Int))
}
