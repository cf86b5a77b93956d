"""What the decision log says about a run, in a sentence for each thing that the policy did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein import amounts

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]


def statements(decisions: list[Record], declared: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """The statements that bounded a run, in the order in which they first did.

    An allowed call names none: where it went elsewhere the route did it, and else the model's cap.
    """
    found = [f"{record['by_kind']} `{record['by']}`" for record in decisions if "by" in record]
    if any(map(_is_rerouted, decisions)):
        found += [f"route `{statement['name']}`" for statement in declared if statement["kind"] == "route"]
    if not found:
        found += [f"output of `{record['model']}`" for record in decisions if "output_cap" in record]
    return tuple(dict.fromkeys(found))


def sentences(decisions: list[Record]) -> list[str]:
    """What was decided other than a plain allow: each thing once, and how often."""
    told = Counter(sentence for record in decisions for sentence in _sentences(record))
    return [text if count == 1 else f"{text} ({count} times)" for text, count in told.items()]


def first_question(records: list[Record]) -> str:
    """The id of an escalation to explain: several come at the same time, so not by their order."""
    asked = [record for record in records if record.get("outcome") == "escalate"]
    return str(min(asked, key=lambda record: str(record["values"]))["id"])


def _is_rerouted(record: Record) -> bool:
    return "model" in record and record["subject"] != f"model `{record['model']}`"


def _sentences(record: Record) -> list[str]:
    found = [f'{kind} (limit `{by}`): "{text}"' for kind, text, by in record["advice"]]
    if _is_rerouted(record) and record["event"] == "model call":
        found.append(f"{record['subject']} is asked for, the route chooses `{record['model']}`")
    if "by" in record and "latched" not in record:
        where = f" ({Path(record['at']).name})" if "at" in record else ""
        why = f": {record['reason']}" if "reason" in record else ""
        found.append(f"{record['by_kind']} `{record['by']}`{where} {_deed(record)}{why}")
    return found


def _deed(record: Record) -> str:
    subject = record["subject"]
    match record["outcome"]:
        case "stop":
            return f"stops the run in state `{record['state']}`, before {subject}{_fullness(record)}"
        case "fail":
            return f"gives {subject} up in state `{record['state']}`"
        case "deny":
            return f"denies {subject}"
        case "escalate":
            return f"sends {subject} to a person, queue `{record['queue']}`"
        case "wait" if record["event"] == "model result":
            return "finds the answer unsure and asks the next model as well"
        case "wait" if record["by_kind"] == "route":
            return "goes on to the next model"
        case "wait":
            return f"tries {subject} again"
        case outcome:
            return f"decides {outcome} for {subject}"


def _fullness(record: Record) -> str:
    """For a limit: where it stands. Money may be left, but not enough for the dearest next call."""
    parts = []
    for name, (bound, spent, _held) in record["limits_after"].items():
        limit, _, dimension = name.rpartition(".")
        if limit == record["by"] and (dimension == "cost" or spent >= bound):
            stand = f"{amounts.amount(dimension, spent)} of {amounts.amount(dimension, bound)}"
            rest = "" if spent >= bound else ", too near for a call at its dearest"
            parts.append(f"; {dimension} {stand}{rest}")
    return "".join(parts)
