//! What a record says in words: why it was decided so, and what the agent was told.

use policy_core::{BuiltIn, By, Decision, Dimension, Outcome, Program, State, StatementKind, amount};

/// A time to ask again is said to the tenth of a second, rather later than sooner.
const TENTH: u64 = 100_000_000;

/// Who decided, as records name it.
pub(crate) fn by<'a>(decision: &Decision, program: &'a Program) -> Option<(&'static str, &'a str)> {
    match decision.by {
        By::Nobody => None,
        By::BuiltIn(reason) => Some(("built-in", reason.name())),
        By::Statement(index) => {
            let statement = program.statements().get(index as usize)?;
            Some((statement.kind.name(), &*statement.name))
        }
    }
}

/// The state that a stop or a failure ends in.
pub(crate) fn state<'a>(decision: &Decision, program: &'a Program) -> Option<&'a State> {
    program.states().get(decision.state? as usize)
}

/// What the text of an answer, or of a reason, was made from.
pub(crate) fn template(decision: &Decision, program: &Program) -> Option<String> {
    Some(program.templates().get(decision.template? as usize)?.source(program))
}

/// Why, in the policy's own words: what a template was filled with is content.
pub(crate) fn reason(decision: &Decision, program: &Program) -> Option<String> {
    let reason = full_reason(decision, program)?;
    if decision.text.as_deref() == Some(reason.as_str()) {
        return template(decision, program);
    }
    Some(reason)
}

/// Why: the author's words, or of a breaker that it is open, and for how long.
fn full_reason(decision: &Decision, program: &Program) -> Option<String> {
    if decision.outcome == Outcome::Deny && is_breaker(decision, program) {
        let wait = decision.wait_ns.unwrap_or(0).div_ceil(TENTH).saturating_mul(TENTH);
        let again = amount("", Dimension::Duration, i64::try_from(wait).unwrap_or(i64::MAX));
        return Some(if decision.may_be_sooner {
            format!("too many calls have failed, and others are trying it; ask again in {again}, or sooner")
        } else {
            format!("too many calls have failed; ask again in {again}, not sooner")
        });
    }
    decision.reason(program).map(str::to_owned)
}

fn is_breaker(decision: &Decision, program: &Program) -> bool {
    let By::Statement(index) = decision.by else { return false };
    program.statements().get(index as usize).is_some_and(|by| by.kind == StatementKind::Breaker)
}

/// What the agent was told instead of a result, with a template in place of what it was filled with.
pub(crate) fn for_agent(decision: &Decision, program: &Program) -> String {
    let state = state(decision, program);
    if let Some(told) = state.and_then(|state| state.tell_agent.as_deref()).filter(|told| !told.is_empty()) {
        return told.to_owned();
    }
    let (_, by) = by(decision, program).unwrap_or(("", "None"));
    match decision.outcome {
        Outcome::Stop if state.is_none() => {
            return "A person has taken this task over. Do not call anything else.".to_owned();
        }
        Outcome::Stop => {
            let told = state.and_then(|state| state.tell_user.as_deref()).filter(|told| !told.is_empty());
            return told
                .unwrap_or("This run was stopped by its policy. Do not call anything else.")
                .to_owned();
        }
        Outcome::Fail => {
            return "This call failed and will not be tried again. Do not make its result up.".to_owned();
        }
        _ if by == BuiltIn::IncompleteResult.name() => {
            return "This call ran, but gave no complete result, which is not passed on. Do not make it up."
                .to_owned();
        }
        _ => {}
    }
    let said = |reason: &String| !reason.is_empty();
    let reason = template(decision, program).filter(said);
    let reason = reason.or_else(|| full_reason(decision, program).filter(said));
    let reason = reason.or_else(|| built_in(decision.by).map(str::to_owned));
    let reason = sentence(&reason.unwrap_or_else(|| format!("not allowed by `{by}`")));
    if decision.outcome == Outcome::Escalate {
        return format!("A person has to decide this first. {reason} Do not assume the answer.");
    }
    format!("This call was not run. {reason}")
}

/// What the agent is told of a denial that no statement of the policy made.
const fn built_in(by: By) -> Option<&'static str> {
    let By::BuiltIn(reason) = by else { return None };
    match reason {
        BuiltIn::UndeclaredTool => Some("no tool of this name may be called"),
        BuiltIn::UndeclaredModel => Some("no model of this name may be called"),
        BuiltIn::NoCandidate => Some("no model is meant for it"),
        BuiltIn::NoUsableModel => Some("no model may take it, or none is large enough"),
        BuiltIn::ClosedCall => Some("the same call is over, or still under way"),
        BuiltIn::ChangedCall => Some("it is not the call any more that was decided about"),
        BuiltIn::RunEnded => Some("the run is over"),
        BuiltIn::Holds | BuiltIn::Lease | BuiltIn::NotRetried | BuiltIn::IncompleteResult => None,
    }
}

/// `words` with a capital and a full stop, as an agent and a customer read them.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
}
