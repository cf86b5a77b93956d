"""A decision from the log, explained: what was decided, by which statement, on which values.

The log carries the statements of each program it mentions, so the policy's file is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkrein import amounts, sentences
from checkrein.errors import CheckreinError
from checkrein.sentences import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHOWN_IDS_MAX = 8
"""How many ids an ambiguous prefix is answered with."""

_UNDECIDED = {
    "limit": "the run does not say whose limit it is, or what it answers, so the limit voted its own outcome",
    "rule": "it could not be decided, so the statement voted its own outcome",
}
_WAITS = {
    "lease": "the limit is shared: more of it was asked of the store",
    "holds": "calls under way hold what is left of the limit",
}


_SAID = {"approve": "approved", "reject": "rejected", "answer": "answered"}
_NO_PROGRAM: dict[str, Any] = {"policy": "?", "file": "?", "currency": "$", "statements": []}


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision's record, with its program's, with its (latest) settlement's once its attempt has ended,
    and with the answer to its request once a person gave one.

    `str()` is the page about it; it raises `CheckreinError` if the record is not one that we wrote.
    """

    decision: dict[str, Any]
    program: dict[str, Any]
    settlement: dict[str, Any] | None
    answer: dict[str, Any] | None = None

    def __str__(self) -> str:
        try:
            return "\n".join(map(printable, _lines(self))).rstrip() + "\n"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CheckreinError(
                f"the log's record of decision `{self.decision.get('id')}` is damaged"
            ) from error


def find(records: Iterable[dict[str, Any]], wanted: str) -> Explained:
    """The decision that `wanted` names: its id, the beginning of one, or `last`.

    Raises `CheckreinError` if no decision, or more than one, is meant.
    """
    programs: dict[str, dict[str, Any]] = {}
    found: dict[str, dict[str, Any]] = {}
    settled: dict[str, dict[str, Any]] = {}
    answers: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        kind = record.get("kind")
        if kind == "program":
            programs[str(record.get("digest"))] = record
        elif kind in ("settlement", "adjustment") and str(record.get("decision")) in found:
            settled[str(record["decision"])] = record
        elif kind == "answer":
            answers[_request(record)] = record
        elif kind == "decision":
            id = str(record.get("id"))
            if wanted == "last":
                found = {id: record}
            elif id.startswith(wanted):
                found[id] = record
            # Only what follows a decision is its own: ids may come again in one log.
            settled.pop(id, None)
            if record.get("outcome") == "escalate":
                answers.pop(_request(record), None)
    decision = found.get(wanted) or _only(found, wanted)
    program = programs.get(str(decision.get("digest")), _NO_PROGRAM)
    asked = decision.get("outcome") == "escalate"
    answer = answers.get(_request(decision)) if asked else None
    return Explained(decision, program, settled.get(str(decision.get("id"))), answer)


def _request(record: dict[str, Any]) -> tuple[str, str]:
    return str(record.get("run")), str(record.get("request"))


def _only(found: dict[str, dict[str, Any]], wanted: str) -> dict[str, Any]:
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        none = (
            "the log holds no decision"
            if wanted == "last"
            else f"no decision in the log begins with `{wanted}`"
        )
        raise CheckreinError(none)
    ids = ", ".join(list(found)[:SHOWN_IDS_MAX]) + (", ..." if len(found) > SHOWN_IDS_MAX else "")
    raise CheckreinError(f"`{wanted}` begins {len(found)} decisions; give more of the id: {ids}")


# -- the page -----------------------------------------------------------------------------------------


def _lines(explained: Explained) -> Iterator[str]:
    record, program = explained.decision, explained.program
    currency = str(program.get("currency", "$"))
    yield f"decision {record['id']}, {record.get('time', 'at an unknown time')}"
    yield f"  {_occasion(record)}"
    yield from _verdict(record)
    yield from _source(record, program)
    yield from _section("values that decided", _values(record))
    yield from _section("votes", _votes(record))
    yield from _section("observed, not enforced", _observed(record))
    yield from _section("models passed over", _passed(record))
    yield from _section("limits", _limits(record, program["statements"], currency))
    yield from _section("reserved", _tokens_and_money(record.get("reserved"), currency))
    yield from _section("the agent was told", _told(record))
    yield from _section("a person", _answered(explained.answer))
    yield from _section("settled", _settled(explained.settlement, currency))
    yield f"policy `{program['policy']}` ({program['file']}), program {str(record.get('digest'))[:16]}"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = [f"  {line}" for line in lines]
    if body:
        yield title
        yield from body
        yield ""


def _occasion(record: dict[str, Any]) -> str:
    parts = [f"{record.get('event')}: {record.get('subject')}"]
    if record.get("call") is not None:
        parts.append(f"call {record['call']}")
    if record.get("attempt_number") is not None:
        parts.append(f"attempt {record['attempt_number']}")
    if "error" in record:
        parts.append(f"error `{record['error']}`")
    parts.append(f"run {record.get('run')}")
    parts += [f"{who} {record[who]}" for who in ("session", "user", "team", "org") if who in record]
    parts += [f"{fact} {id}" for fact, id in (record.get("scopes") or {}).items()]
    parts += [f"part of run {record['parent']}"] if "parent" in record else []
    return ", ".join(parts)


def _verdict(record: dict[str, Any]) -> Iterator[str]:
    outcome = str(record.get("outcome"))
    detail = {
        "stop": f" in state `{record.get('state')}`",
        "fail": f" in state `{record.get('state')}`",
        "escalate": f" to queue `{record.get('queue')}`, request {record.get('request')}",
        "reuse": f": the result of attempt {record.get('reused')}, for nothing",
        "answer": ": the call ends with a text, and nothing is sent",
        "wait": f" {amounts.duration(record.get('wait') or 0)}",
    }.get(outcome, "")
    if outcome == "allow" and "model" in record and "output_cap" in record:
        detail = f" on `{record['model']}`, at most {record['output_cap']} output tokens"
    if outcome == "allow" and str(record.get("event")).endswith("error"):
        detail = ": the error is passed on, the call is not made again"
    yield ""
    yield f"{outcome}{detail}"
    if "by" in record:
        where = f" at {record['at']}" if "at" in record else ""
        yield f"  by {record.get('by_kind')} `{record['by']}`{where}"
    if "reason" in record:
        yield f"  because: {record['reason']}"
    if "answer" in record:
        yield f"  in these words: {record['answer']}"
    if record.get("undecided"):
        yield f"  {_UNDECIDED.get(str(record.get('by_kind')), _UNDECIDED['rule'])}"
    if record.get("latched"):
        yield "  the run had been stopped before; every later call is stopped as well"
    if outcome == "wait" and record.get("by") in _WAITS:
        yield f"  {_WAITS[str(record['by'])]}"
    if record.get("wrap_up"):
        yield "  with what the limit keeps for closing the work"
    if record.get("stayed"):
        yield "  with the model that served before: a switch would not pay, or the route's first had failed"
    yield ""


def _source(record: dict[str, Any], program: dict[str, Any]) -> Iterator[str]:
    for statement in program["statements"]:
        if (statement["kind"], statement["name"]) == (record.get("by_kind"), record.get("by")):
            lines = statement["source"].splitlines()
            if not statement["line"]:
                yield from (f"built in | {line}" for line in lines)
                yield ""
                continue
            width = len(str(statement["line"] + len(lines) - 1))
            for number, line in enumerate(lines, start=statement["line"]):
                yield f"{number:>{width}} | {line}".rstrip()
            yield ""


def _values(record: dict[str, Any]) -> list[str]:
    values = record.get("values") or {}
    width = max(map(len, values), default=0)
    return [f"{name:<{width}}  {value}" for name, value in values.items()]


def _votes(record: dict[str, Any]) -> list[str]:
    votes = record.get("votes") or []
    if len(votes) < 2:
        return []  # the deciding one, named above
    return [
        f"{outcome:<8}  {kind} `{name}`{' (undecided)' if undecided else ''}"
        for kind, name, outcome, undecided in votes
    ]


def _observed(record: dict[str, Any]) -> list[str]:
    return [
        f"{_would(outcome)}  {kind} `{name}`{' (undecided)' if undecided else ''}"
        for outcome, kind, name, undecided in record.get("would") or []
    ]


def _would(outcome: str) -> str:
    """`would deny`; of a requirement that another model meets, that this one would not have served."""
    said = outcome.replace("_", " ", 1)
    return f"{'would take another model' if outcome == 'would_allow' else said:<14}"


def _passed(record: dict[str, Any]) -> list[str]:
    passed = record.get("passed") or []
    width = max((len(f"`{model}`") for model, _, _ in passed), default=0)
    return [f"{f'`{model}`':<{width}}  {sentences.passed_over(kind, name)}" for model, kind, name in passed]


def _limits(record: dict[str, Any], statements: list[dict[str, Any]], currency: str) -> list[str]:
    before, after = record.get("limits_before") or {}, record.get("limits_after") or {}
    observed = {each["name"] for each in statements if each["source"].startswith("observe")}
    width = max(map(len, after), default=0)
    lines = []
    for name, (limit, *used) in after.items():
        dimension = name.rpartition(".")[2]

        def amount(value: int, dimension: str = dimension) -> str:
            return amounts.amount(dimension, _to_the_millisecond(dimension, value), currency)

        def shown(
            spent: int, held: int, leased: int = 0, _whose: str = "", amount: Callable[[int], str] = amount
        ) -> str:
            text = f"{amount(spent)} + {amount(held)} held" if held else amount(spent)
            return f"{text} + {amount(leased)} elsewhere" if leased else text

        now, then = shown(*used), shown(*before[name][1:]) if name in before else "?"
        change = now if now == then else f"{then} -> {now}"
        what = "observed, over it by" if name.rpartition(".")[0] in observed else "a debt of"
        debt = f", {what} {amount(used[0] - limit)}" if used[0] > limit else ""
        whose = f" ({used[3]})" if len(used) > 3 else ""
        lines.append(f"{name:<{width}}  {change} of {amount(limit)}{debt}{whose}")
    return lines


def _tokens_and_money(held: dict[str, int] | None, currency: str) -> list[str]:
    if not held or not any(held.values()):
        return []
    return [f"{held['tokens']:,} tokens, {amounts.money(held['cost'], currency)}"]


def _told(record: dict[str, Any]) -> list[str]:
    told = [str(record["told"])] if "told" in record else []
    return told + [
        f"{text} (limit `{by}`)" for kind, text, by in record.get("advice") or [] if kind == "tell agent"
    ]


def _answered(answer: dict[str, Any] | None) -> list[str]:
    if answer is None:
        return []
    who = f" by {answer['who']}" if "who" in answer else ""
    return [f"{_SAID[answer['said']]}{who}, {answer['time']}"]


def _settled(settlement: dict[str, Any] | None, currency: str) -> list[str]:
    if settlement is None:
        return []
    used = settlement["settled"]
    text = f"{used['tokens']:,} tokens, {amounts.money(used['cost'], currency)}"
    how = "adjusted to" if settlement.get("kind") == "adjustment" else "usage"
    prices = f", prices {settlement['prices']}" if settlement.get("prices") else ""
    return [f"{text} ({how} {settlement['usage'].replace('_', ' ')}{prices}), {settlement['time']}"]


def _to_the_millisecond(dimension: str, amount: int) -> int:
    """A time that was measured, without the digits that mean nothing; anything else as it is."""
    return round(amount, -6) if dimension in amounts.TIMES else amount
