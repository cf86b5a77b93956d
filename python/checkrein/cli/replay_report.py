"""What `checkrein replay` prints: a line a run, then which statements decided, then the totals."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from checkrein import amounts
from checkrein.cli.output import count, table
from checkrein.record import REFUSED
from checkrein.replay import BYTES_PER_TOKEN
from checkrein.sentences import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkrein.replay import Replayed
    from checkrein.trace import Problem

    _Runs = Sequence[Replayed]

_OUTCOMES = ("stop", "fail", "deny", "escalate", "answer", "reuse")


def as_json(program: Any, runs: _Runs, problems: Sequence[Problem]) -> dict[str, Any]:
    """The whole replay as plain values. Money is in nano-units of `currency`."""
    return {
        "policy": program.policy,
        "file": program.file,
        "digest": program.digest,
        "currency": program.currency,
        "runs": [
            {
                "line": r.line, "task_id": r.task, "trial": r.trial, "reward": r.reward,
                "model_calls": r.model_calls, "tool_calls": r.tool_calls, "retries": r.retries,
                "tokens": r.tokens, "cost": r.cost, "estimated": r.estimated,
                "outcome": r.outcome, "stopped": r.stop is not None,
                "verdicts": [asdict(v) for v in r.verdicts],
                "remarks": [asdict(remark) for remark in r.remarks],
            }
            for r in runs
        ],
        "statements": [
            {"kind": kind, "name": name, "at": at, "runs": {o: len(lines) for o, lines in by_outcome.items()}}
            for (kind, name, at), by_outcome in _by_statement(runs).items()
        ],
        "observed": [
            {"kind": kind, "name": name, "would": would} for (kind, name), would in _observed(runs).items()
        ],
        "rewards": [
            {"reward": reward, "runs": len(group), "stopped": sum(r.stop is not None for r in group)}
            for reward, group in _by_reward(runs)
        ],
        "problems": [asdict(p) for p in problems],
    }  # fmt: skip


def as_text(program: Any, runs: _Runs, problems: Sequence[Problem]) -> Iterator[str]:
    """The same, for people."""
    if runs:
        yield from _run_table(runs)
        yield ""
        yield from _statement_table(runs)
        yield from _observed_table(runs)
        yield from _reward_table(runs)
    yield from _totals(program, runs, problems)


def _run_table(runs: _Runs) -> list[str]:
    head = ("line", "task", "trial", "reward", "model", "tool", "outcome", "decided by")
    rows = [
        (
            str(r.line), printable(r.task) or "-", printable(r.trial) or "-", _number(r.reward),
            str(r.model_calls), str(r.tool_calls), r.outcome, _deciders(r),
        )
        for r in runs
    ]  # fmt: skip
    return table([head, *rows], right=frozenset({0, 3, 4, 5}))


def _deciders(run: Replayed) -> str:
    """Every verdict once, with how often it came: the stop first, as it is what matters."""
    times: dict[tuple[str, str, str], int] = {}
    for v in sorted(run.verdicts, key=lambda v: _OUTCOMES.index(v.outcome)):
        key = (v.outcome, f"{v.kind} `{v.by}`", "" if not v.undecided else " (undecided)")
        times[key] = times.get(key, 0) + 1
    return ", ".join(
        f"{outcome}{f' {n} times' if n > 1 else ''} by {by}{undecided}"
        for (outcome, by, undecided), n in times.items()
    )


def _statement_table(runs: _Runs) -> Iterator[str]:
    by_statement = _by_statement(runs)
    if not by_statement:
        yield "no statement kept a call from running"
        yield ""
        return
    # What refuses nothing has a column where there is one to show.
    shown = [o for o in _OUTCOMES if o in REFUSED or any(o in met for met in by_statement.values())]
    rows = [
        (f"{kind} `{name}`", at or "-", *(str(len(by_outcome.get(o, ())) or "-") for o in shown))
        for (kind, name, at), by_outcome in by_statement.items()
    ]
    head = ("runs that met", "at", *shown)
    yield from table([head, *rows], right=frozenset(range(2, 2 + len(shown))))
    yield ""


def _observed_table(runs: _Runs) -> Iterator[str]:
    rows = [
        (f"{kind} `{name}`", f"would {outcome}", *(str(times[of]) for of in ("runs", "calls")))
        for (kind, name), would in _observed(runs).items()
        for outcome, times in would.items()
    ]
    if rows:
        yield from table([("observed", "", "in runs", "in calls"), *rows], right=frozenset({2, 3}))
        yield ""


def _reward_table(runs: _Runs) -> Iterator[str]:
    groups = _by_reward(runs)
    if [reward for reward, _group in groups] == [None]:
        return
    rows = []
    for reward, group in groups:
        refused = sum(any(v.outcome in {"deny", "fail"} for v in r.verdicts) for r in group)
        asked = sum(any(v.outcome == "escalate" for v in r.verdicts) for r in group)
        stopped = sum(r.stop is not None for r in group)
        cells = (len(group), len(group) - stopped, stopped, refused, asked)
        rows.append((_number(reward), *map(str, cells)))
    head = ("reward", "runs", "completed", "stopped", "with a refused call", "with a person asked")
    yield from table([head, *rows], right=frozenset(range(len(head))))
    yield ""


def _totals(program: Any, runs: _Runs, problems: Sequence[Problem]) -> Iterator[str]:
    stopped = sum(r.stop is not None for r in runs)
    skipped = f"; {count(len(problems), 'line')} skipped" if problems else ""
    yield f"{count(len(runs), 'run')}: {len(runs) - stopped} completed, {stopped} stopped{skipped}"
    if not runs:
        return
    calls = sum(r.model_calls for r in runs), sum(r.tool_calls for r in runs)
    about = "about " if any(r.estimated for r in runs) else ""
    tokens, cost = sum(r.tokens for r in runs), sum(r.cost for r in runs)
    spent = f"{about}{tokens:,} tokens, {amounts.money(cost, program.currency)}"
    yield f"{count(calls[0], 'model call')}, {count(calls[1], 'tool call')}, {spent}"
    if about:
        yield f"tokens are an estimate, one for every {BYTES_PER_TOKEN} bytes of the recorded text"


def _by_statement(runs: _Runs) -> dict[tuple[str, str, str | None], dict[str, set[int]]]:
    """Per statement (or built-in) and outcome, the lines of the runs in which it decided so."""
    found: dict[tuple[str, str, str | None], dict[str, set[int]]] = {}
    for run in runs:
        for v in run.verdicts:
            found.setdefault((v.kind, v.by, v.at), {}).setdefault(v.outcome, set()).add(run.line)
    return dict(sorted(found.items(), key=lambda item: (item[0][1], item[0][0])))


def _observed(runs: _Runs) -> dict[tuple[str, str], dict[str, dict[str, int]]]:
    """Per observed statement and outcome: in how many runs and calls it would have decided so."""
    found: dict[tuple[str, str], dict[str, set[tuple[int, int | None]]]] = {}
    for run in runs:
        for remark in run.remarks:
            by_outcome = found.setdefault((remark.kind, remark.by), {})
            by_outcome.setdefault(remark.outcome, set()).add((run.line, remark.call))
    return {
        key: {
            outcome: {"runs": len({line for line, _ in calls}), "calls": len(calls)}
            for outcome, calls in sorted(by_outcome.items())
        }
        for key, by_outcome in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    }


def _by_reward(runs: _Runs) -> list[tuple[float | None, list[Replayed]]]:
    rewards = sorted({r.reward for r in runs}, key=lambda reward: (reward is None, -(reward or 0)))
    return [(reward, [r for r in runs if r.reward == reward]) for reward in rewards]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
