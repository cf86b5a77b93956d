"""The decision log: one compact record a decision, kept as JSON lines.

The engine writes a log file (`_core.Log`); what is made here are the same records as dicts, for a sink of the
host's own.

Texts that a policy does not name itself are replaced by their fingerprint (the engine does that),
so no prompt and no result is written, and of the arguments only the numbers and flags that a
deciding condition reads. The first line about a program carries its statements,
so that a decision can be explained later without the source file.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from checkrein import _core
from checkrein.sentences import for_agent, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from checkrein.guard.classify import Failure
    from checkrein.guard.door import Door
    from checkrein.guard.usage import Usage


DEFAULT_LOG = Path(".checkrein") / "decisions.jsonl"
"""Where decisions are kept unless the host says otherwise, relative to where it was started."""

REFUSED = frozenset({"stop", "fail", "deny", "escalate"})
"""Outcomes after which the agent is told something instead of getting a result."""


class Sink(Protocol):
    """Where records go."""

    def write(self, record: dict[str, Any]) -> None:
        """Keep one record. Must not raise for a full disk: a run is not lost for its log."""
        ...


class JsonlSink:
    """Appends to a file, a line a record, created readable by its owner only.

    Records wait in memory, and a thread writes them within milliseconds, in order and whole, so that several
    processes may share a file; one that was deleted or emptied is begun again. `flush` writes what waits;
    it is also called when a run or the interpreter ends, and before a fork. When the file can't be
    written, that is said once as a warning and counted in `lost`, and a line of the file says how many
    records are missing before it, and why. With `required` nothing is lost: what can't be written waits,
    and no call of a run that is logged here is let through meanwhile.
    """

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self.path = path
        self.core = _core.Log(path, required=required)
        _OPEN.add(self)

    def write(self, record: dict[str, Any]) -> None:
        """Keep one record, which is a line of its own."""
        program = record.pop("program", None)
        self.core.line(as_json(record), program)

    def flush(self) -> None:
        """Write all that was kept before.

        Raises `EngineError` of kind `log` if every record is required and the file can't be written.
        """
        self.core.flush()

    @property
    def lost(self) -> int:
        """How many records could not be written."""
        return self.core.lost

    def close(self) -> None:
        """Write what is kept and close the file; a later record opens it again."""
        self.core.close()


# Made once: `json.dumps` with options makes an encoder for every call.
_WRITTEN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def as_json(value: Any) -> bytes:
    """`value` as a line has it.

    Half a surrogate pair, which a model may put in a name, becomes the escape that JSON has for it.
    """
    return _WRITTEN(value).encode("utf-8", "backslashreplace")


_OPEN: WeakSet[JsonlSink] = WeakSet()


def _flush_all() -> None:
    for sink in list(_OPEN):
        with suppress(Exception):  # one that fails keeps no other from being written
            sink.flush()


def _expect_multiprocessing() -> None:
    """A process of `multiprocessing` ends without `atexit`: by a list of its own, emptied as it begins."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return

    def expect(_: object) -> None:
        util.Finalize(None, _flush_all, exitpriority=-100)  # after what may still be recorded

    expect(None)
    util.register_after_fork(_flush_all, expect)


atexit.register(_flush_all)
_expect_multiprocessing()
if hasattr(os, "register_at_fork"):  # the engine is told of it in `guard/door.py`
    os.register_at_fork(before=_flush_all, after_in_child=_expect_multiprocessing)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log file; a torn line, left by a crash or a full disk, is passed over."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record


def head(run: Door) -> bytes:
    """What all records of a run have in common: its id, and whose it is, as lines of JSON."""
    return as_json(run.id) + b"\n" + as_json({"run": run.id, **_whose(run)})[1:-1]


def decision_record(
    run: Door, decision: Any, subject: str, failure: Failure | None, before: list[Any], after: list[Any]
) -> dict[str, Any]:
    """The record of one decision; money in nano-units, times in nanoseconds."""
    program = run.guard.program
    return {
        "program": program,
        "kind": "decision",
        "id": run.decision_id(decision),
        "time": _iso(run.clock.wall()),
        "run": run.id,
        **_whose(run),
        "event": decision.event,
        "subject": subject,
        "call": decision.call,
        **_known(attempt=decision.attempt),
        "attempt_number": decision.attempt_number,
        **({"error": failure.kind} if failure else {}),
        "outcome": decision.outcome,
        **_known(state=decision.state, model=decision.model, queue=decision.queue, request=decision.request),
        **_known(output_cap=decision.output_cap, wait=decision.wait_ns or None, reason=_reason(decision)),
        **_known(answer=decision.template, reused=decision.reused),
        **({"by": decision.by, "by_kind": decision.kind} if decision.by else {}),
        **({"at": f"{decision.file}:{decision.line}"} if decision.line else {}),
        **({"undecided": True} if decision.undecided else {}),
        **({"latched": True} if decision.latched else {}),
        **({"wants": decision.wants} if decision.wants not in (None, "approval") else {}),
        **_known(answered=decision.answered),
        **({"wrap_up": True} if decision.wrap_up else {}),
        **({"stayed": True} if decision.stayed else {}),
        "reserved": {"tokens": decision.reserved_tokens, "cost": decision.reserved_cost},
        "values": dict(decision.values),
        "votes": [list(vote) for vote in decision.votes],
        **({"would": [_said(each) for each in decision.would]} if decision.would else {}),
        "advice": [list(advice) for advice in decision.advice],
        **_known(passed=[list(passed) for passed in decision.passed] or None),
        **({"told": for_agent(decision, decision.template)} if decision.outcome in REFUSED else {}),
        "limits_before": _compact(before),
        "limits_after": _compact(after),
        **_known(prices=program.prices or None),
        "digest": program.digest,
    }


def settlement_record(
    run: Door, decision: Any, usage: Usage, settled: Any, after: list[Any]
) -> dict[str, Any]:
    """The record of what an attempt turned out to use."""
    return _charged("settlement", run, decision, usage, settled, after)


def adjustment_record(
    run: Door, decision: Any, usage: Usage, settled: Any, after: list[Any]
) -> dict[str, Any]:
    """The record of what an attempt really used, learnt after its settlement."""
    return _charged("adjustment", run, decision, usage, settled, after)


def answer_record(run: Door, request: int, word: str, who: str | None = None) -> dict[str, Any]:
    """The record of what a person said to a request: `approve`, `reject`, or `answer` for a text.

    `who` is known of answers that were given in the store. The text is content, and is not kept.
    """
    return {
        "program": run.guard.program,
        "kind": "answer",
        "time": _iso(run.clock.wall()),
        "run": run.id,
        **_whose(run),
        "request": request,
        "said": word,
        **_known(who=who),
        "digest": run.guard.program.digest,
    }


def movement_record(kind: str, run: Door, resumed: int) -> dict[str, Any]:
    """The record of a run that was suspended or resumed: `resumed` is how often it was by then."""
    return {
        "program": run.guard.program,
        "kind": kind,
        "time": _iso(run.clock.wall()),
        "run": run.id,
        **_whose(run),
        "resumed": resumed,
        "digest": run.guard.program.digest,
    }


def _charged(
    kind: str, run: Door, decision: Any, usage: Usage, settled: Any, after: list[Any]
) -> dict[str, Any]:
    return {
        "program": run.guard.program,
        "kind": kind,
        "decision": run.decision_id(decision),
        "time": _iso(run.clock.wall()),
        "run": run.id,
        "attempt": decision.attempt,
        "usage": usage.kind,
        "reserved": {"tokens": settled.reserved_tokens, "cost": settled.reserved_cost},
        "settled": {"tokens": settled.tokens, "cost": settled.cost},
        **_known(prices=run.guard.program.prices or None),
        "limits_after": _compact(after),
        "digest": run.guard.program.digest,
    }


def _said(would: tuple[str, str, str, str | None, bool]) -> list[Any]:
    """What an observed statement would have said: `would_deny`, its kind and name, if undecided."""
    outcome, kind, name, _reason, undecided = would
    return [f"would_{outcome}", kind, name, undecided]


def _reason(decision: Any) -> str | None:
    """Why, in the policy's own words: what an answer is filled with is content."""
    reason = reason_of(decision)
    return decision.template if decision.text is not None and reason == decision.text else reason


def _compact(limits: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """`name.dimension` -> [limit, spent, held], and [leased, whose] of a limit wider than a run."""
    compact: dict[str, list[Any]] = {}
    for row in limits:
        figures = [row["limit"], row["spent"], row["held"]]
        if row["scope"] != "run":
            figures += [row["leased"], row["scope"]]
        compact[f"{row['name']}.{row['dimension']}"] = figures
    return compact


def _whose(run: Door) -> dict[str, Any]:
    """Whose run it is: what the host says, and the ids that limits add up under."""
    return {**run.names, **_known(scopes=dict(run.keys) or None, parent=run.parent_id)}


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _iso(wall: int) -> str:
    try:
        whole = datetime.fromtimestamp(wall // 1_000_000_000, UTC)
        return whole.replace(microsecond=wall // 1_000 % 1_000_000).isoformat(timespec="microseconds")
    except (OverflowError, ValueError, OSError):  # a clock that went wrong: a record is kept all the same
        return f"{wall} ns"
