"""The sentences that a decision becomes: one for the developer, one for the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein import amounts
from checkrein.errors import Answered, Denied, Escalated, Failed, HandedOver, Refusal, Stopped
from checkrein.nearest import closest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A time to ask again is said to the tenth of a second, rather later than sooner.
_TENTH = 100_000_000
# As long as a declared name may be.
_NAME_MAX = 128
# Most names among which one that was meant is looked for: a denial must not take long.
_CANDIDATES_MAX = 2_000

WRAP_UP = "This is the last call that the limit leaves: close now."
"""What the agent is told with a call that uses what a limit keeps for closing the work."""

_CLASSES: dict[str, type[Refusal]] = {
    "stop": Stopped,
    "fail": Failed,
    "deny": Denied,
    "escalate": Escalated,
    "answer": Answered,
    "reuse": Denied,
}

_BUILT_IN = {
    "undeclared tool": "no tool of this name may be called",
    "undeclared model": "no model of this name may be called",
    "no candidate": "no model is meant for it",
    "no usable model": "no model may take it, or none is large enough",
    "closed call": "the same call is over, or still under way",
    "changed call": "it is not the call any more that was decided about",
    "run ended": "the run is over",
}
"""What the agent is told of a denial that no statement of the policy made."""

_WAITS = {
    "lease": "has to wait until the store has answered for a shared limit",
    "holds": "has to wait for calls under way, which hold what is left of a limit",
}


def subject(point: str, name: str | None) -> str:
    """A model or tool as it is named in messages and records. A model may make up any name for a tool."""
    name = name or "any"
    return f"{point} `{printable(name[:_NAME_MAX])}{'...' if len(name) > _NAME_MAX else ''}`"


def printable(text: str) -> str:
    """`text` on one line, with escapes for what would move a terminal's cursor or cannot be encoded."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def for_developer(decision: Any, subject: str) -> str:
    """One line: what was decided about what, by which statement, where, and why."""
    verdict = {
        "stop": f"stopped in state `{decision.state}`" if decision.state else "taken over by a person",
        "fail": f"given up in state `{decision.state}`",
        "deny": "denied",
        "escalate": f"waits for a person in queue `{decision.queue}`",
        "wait": _WAITS.get(decision.by, "has to wait") if decision.kind == "built-in" else "has to wait",
        "answer": "answered without a call",
        "reuse": "given the known result of the same call",
        "allow": "allowed",
    }[decision.outcome]
    by = f"{decision.kind} `{decision.by}`" if decision.by else "no statement"
    where = f" at {decision.file}:{decision.line}" if decision.line else ""
    reason = reason_of(decision)
    why = f": {reason}" if reason else ""
    is_limit = decision.kind == "limit"
    doubt = "the run does not say whose it is, or what it answers" if is_limit else "it could not be decided"
    undecided = f" ({doubt}, so it voted its own outcome)" if decision.undecided else ""
    return f"{subject} {verdict} by {by}{where}{why}{undecided}"


def for_agent(decision: Any, reason: str | None = None) -> str:
    """What the agent is told instead of a result: the truth, and not to make one up.

    `reason` is given instead of the decision's own.
    """
    if decision.outcome == "answer":
        return "A person has answered this." if decision.text is None else str(decision.text)
    if decision.tell_agent:
        return str(decision.tell_agent)
    if decision.outcome == "stop" and decision.state is None:
        return "A person has taken this task over. Do not call anything else."
    if decision.outcome == "stop":
        return decision.tell_user or "This run was stopped by its policy. Do not call anything else."
    if decision.outcome == "fail":
        return "This call failed and will not be tried again. Do not make its result up."
    if decision.by == "incomplete result":
        return "This call ran, but gave no complete result, which is not passed on. Do not make it up."
    reason = (
        reason or reason_of(decision) or (_BUILT_IN.get(decision.by) if decision.kind == "built-in" else None)
    )
    reason = _sentence(reason or f"not allowed by `{decision.by}`")
    if decision.outcome == "escalate":
        return f"A person has to decide this first. {reason} Do not assume the answer."
    return f"This call was not run. {reason}"


def reason_of(decision: Any) -> str | None:
    """Why it was decided so: the author's words, or of a breaker that it is open, and for how long."""
    if decision.kind == "breaker" and decision.outcome == "deny":
        again = amounts.duration(-(-(decision.wait_ns or 0) // _TENTH) * _TENTH)
        if decision.may_be_sooner:
            return f"too many calls have failed, and others are trying it; ask again in {again}, or sooner"
        return f"too many calls have failed; ask again in {again}, not sooner"
    return decision.reason  # type: ignore[no-any-return]


def _sentence(words: str) -> str:
    """`words` with a capital and a full stop, as an agent and a customer read them."""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?" else ".")


def standing(
    decision: Any, limits: Sequence[Mapping[str, Any]], currency: str, trouble: str | None = None
) -> str:
    """Where the limit stands that decided: what is spent of it and, apart from that, what is only held.

    Of several bounds the fullest is named; `limits` are those of the run. `trouble` is what is wrong with
    the store, if the limit is kept in one.
    """
    own = [row for row in limits if row["name"] == decision.by]
    away = f"its store does not answer: {trouble}" if trouble and own and own[0]["scope"] != "run" else ""
    refused = next((row for row in own if row["refused"]), None)
    if refused is not None:
        account = f"{refused['dimension']} by {refused['scope']}"
        return f"{account}: {refused['refused']}; nothing can be taken until it is restored from a backup"
    rows = [row for row in own if row["limit"] > row["free"]]
    if not rows:
        return away
    row = min(rows, key=lambda row: row["free"] / row["limit"] if row["limit"] else 0)
    dimension = row["dimension"]

    def shown(value: int) -> str:
        if dimension in amounts.TIMES:
            value = round(value, -6)
        return amounts.amount(dimension, value, currency)

    text = f"{dimension}: {shown(row['spent'])} of {shown(row['limit'])} is spent"
    text += f", {shown(row['held'])} more held" if row["held"] else ""
    text += f", {shown(row['leased'])} lent to other processes" if row["leased"] else ""
    if row["silent"]:
        key = f'"{row["scope"]} {row["name"]} {dimension}"'
        text += f", {shown(row['silent'])} of it to some not heard of any more"
        text += f" (`checkrein ledger adjust {key} --write-off` gives it back)"
    text += f", a debt of {shown(row['spent'] - row['limit'])}" if row["spent"] > row["limit"] else ""
    text += "" if row["scope"] == "run" else f", by {row['scope']}"
    return text + (f"; {away}" if away else "")


def refusal(
    decision: Any, subject: str, id: str, declared: Mapping[str, str] | None = None, standing: str = ""
) -> Refusal:
    """The exception that carries `decision` to the host.

    `declared` is which name is declared for each word that may be written for it, if the decision is about
    one that is not; `standing` says where the limit stands that decided.
    """
    is_handover = decision.outcome == "stop" and decision.state is None
    kind = HandedOver if is_handover else _CLASSES[decision.outcome]
    hint = _meant(subject, declared or {}) or _lacking(decision)
    stands = f" ({standing})" if standing else ""
    stands += ", which this process does not have" if decision.outcome == "reuse" else ""
    return kind(f"{for_developer(decision, subject)}{stands}{hint} [{id}]", decision, id)


def passed_over(kind: str, name: str) -> str:
    """Why a model that was a candidate may not serve."""
    return "the input and its least output exceed its window" if kind == "window" else f"{kind} `{name}`"


def _lacking(decision: Any) -> str:
    """What a model call needs that no statement of the policy speaks of; nothing if it is not about that."""
    if decision.kind != "built-in":
        return ""
    if decision.by == "no candidate":
        return "; no route gives a model, and the call names none: pass `model=`"
    return "".join(f"; `{model}`: {passed_over(kind, name)}" for model, kind, name in decision.passed)


def _meant(subject: str, declared: Mapping[str, str]) -> str:
    """Which declared name the subject may have meant; nothing if none is like it."""
    name = subject.partition("`")[2].removesuffix("`")
    found = closest(name, declared) if len(declared) <= _CANDIDATES_MAX else None
    return f"; did you mean `{declared[found]}`?" if found else ""
