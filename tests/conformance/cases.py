"""Reads the hand-written cases of `grammar/conformance` and holds answers against what they expect."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "grammar" / "conformance"
UNITS = {"ns": 1, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
FIRST_WALL = "2026-01-01T00:00:00Z"
PLAIN = (
    "number event outcome call attempt model state tell_agent tell_user by kind file line column reason"
    " undecided latched text template reused request queue reserved_tokens skipped attempt_number stayed"
    " may_be_sooner"
).split()
ERROR = ("kind", "status", "retry_after", "billed", "fingerprint")
RENAMED = {"cap": "output_cap", "timeout": "timeout_ns", "wait": "wait_ns", "expires_at": "expires_at"}


@dataclass(frozen=True)
class Case:
    """One case: a policy, files that it may include, a seed, and events with what each must answer."""

    name: str
    file: str
    policy: str
    files: tuple[tuple[str, str], ...]
    seed: int
    wall: int
    runs: dict[str, dict[str, Any]]
    events: list[dict[str, Any]]


def all_cases() -> list[Case]:
    """Every case of the corpus, in file order."""
    return [case for path in sorted(FOLDER.glob("*.toml")) for case in cases_of(path, path.stem)]


def cases_of(path: Path, file: str, policy: str | None = None) -> list[Case]:
    """The cases of one file under the policies that it has, or under this one."""
    document = tomllib.loads(path.read_text("utf-8"))
    found = []
    for case in document["case"]:
        files = tuple(case.get("files", document.get("files", {})).items())
        events = [line for line in case["events"] for _ in range(line.get("times", 1))]
        wall = nanoseconds_since_1970(case.get("wall", document.get("wall", FIRST_WALL)))
        runs = case.get("runs", document.get("runs", {"run": {}}))
        text = policy or case.get("policy", document.get("policy"))
        found.append(Case(case["name"], file, text, files, case.get("seed", 0), wall, runs, events))
    return found


def steps(case: Case) -> Iterator[tuple[int, dict[str, Any], str, tuple[str, dict[str, Any]]]]:
    """The lines of a case with their numbers, the runs that they are about, and the events that they are."""
    now, first = 0, next(iter(case.runs))
    # How far the monotonic clock of the process that a run is in is ahead of the case's time.
    ahead = dict.fromkeys(case.runs, 0)
    # When it was suspended last, by a clock that all processes see.
    left = dict.fromkeys(case.runs, 0)
    for place, line in enumerate(case.events, start=1):
        now = nanoseconds(line["at"]) if "at" in line else now
        wall = nanoseconds_since_1970(line["wall"]) if "wall" in line else case.wall + now
        run = line.get("run", first)
        if "clock" in line:
            ahead[run] = nanoseconds(line["clock"]) - now
        event = event_of(line, now + ahead[run], wall, now - left[run])
        if line["do"] == "suspend":
            left[run] = now
        yield place, line, run, event


def event_of(line: dict[str, Any], now: int, wall: int, later: int = 0) -> tuple[str, dict[str, Any]]:
    """A line of a case as a method of `Run` and its arguments."""
    do = line["do"]
    if do == "limits":
        return do, {}
    at = {"now": now, "wall": wall}
    facts = line.get("facts", {})
    tokens = {"input_tokens": line.get("input", 0), "output_tokens": line.get("output", 0)}
    tokens |= {part: line.get(part, 0) for part in ("cache_read", "cache_write", "reasoning")}
    if do == "model":
        asked = {"model": line.get("model"), "input_tokens": line["input"], "max_output": line.get("max")}
        asked["messages"] = line.get("messages") and [tuple(each) for each in line["messages"]]
        said = line.get("results")
        asked["results"] = said and [each if isinstance(each, list) else [each, each] for each in said]
        return "model_call", {**at, "call": line.get("call"), "facts": facts, **asked}
    if do == "tool":
        asked = {"tool": line["tool"], "args": line.get("args", {}), "facts": facts}
        return "tool_call", {**at, "call": line.get("call"), **asked}
    if do == "settle":
        return do, {**at, "attempt": line["attempt"], "usage": line["usage"], **tokens}
    if do == "result":
        said = {"fingerprint": line.get("fingerprint"), "committed": line.get("committed", False)}
        usage = line.get("usage", "exact")
        return do, {
            **at,
            "attempt": line["attempt"],
            "usage": usage,
            **tokens,
            "facts": facts,
            "fields": line.get("fields", {}),
            **said,
        }
    if do == "adjust":
        return do, {**at, "attempt": line["attempt"], **tokens}
    if do == "error":
        error = {
            field: line.get(field) for field in ("kind", "status", "retry_after", "billed", "fingerprint")
        }
        error["own"] = line.get("own", False)
        return do, {**at, "attempt": line["attempt"], "usage": line["usage"], **tokens, **error}
    if do == "answer":
        ago = nanoseconds(line.get("ago", "0 s"))
        return do, {**at, "request": line["request"], "approve": line["approve"], "ago": ago}
    if do == "count":
        return do, {**at, "attempt": line["attempt"], "n": line["n"]}
    if do == "suspend":
        return do, {**at, "keep": line.get("keep", [])}
    if do == "told":
        return "tell_agent", {"fingerprint": line["fingerprint"]}
    if do == "held":
        return do, {"attempt": line["attempt"]}
    if do == "resume":
        return do, {**at, "later": later}
    if do == "end":
        return do, at
    raise ValueError(f"there is no event `{do}`")


def differences(line: dict[str, Any], answer: Any) -> list[str]:
    """What an answer has otherwise than a line expects, or has and must not; empty when it is as expected."""
    expected = line.get("expect", {})
    found = answer if isinstance(answer, dict) else {"answer": answer}
    if expected == {"none": True}:
        return [] if answer is None else [f"{answer} instead of nothing"]
    if "error" in found or "error" in expected:
        return [] if found.get("error") == expected.get("error") else [f"error {found.get('error')}"]
    if line["do"] == "limits":
        return limit_differences(expected, answer)
    if line["do"] == "count":
        found = {"remaining": answer}
    wrong = []
    for field, wanted in expected.items():
        seen, wanted = comparable(field, wanted, found)
        if seen != wanted:
            wrong.append(f"{field}: expected {wanted!r}, found {seen!r}")
    for field, unwanted in line.get("avoid", {}).items():
        seen, unwanted = comparable(field, unwanted, found)
        if seen == unwanted:
            wrong.append(f"{field}: found {seen!r}")
    return wrong


def comparable(field: str, wanted: Any, found: dict[str, Any]) -> tuple[Any, Any]:
    """What an answer says about an expected field, and the expectation in the same terms."""
    if field == "none":
        return {name: found[RENAMED.get(name, name)] for name in wanted}, dict.fromkeys(wanted)
    if field in ("timeout", "wait", "expires_at"):
        return found[RENAMED[field]], nanoseconds(wanted)
    if field == "wait_at_least":
        return found["wait_ns"] >= nanoseconds(wanted), True
    if field == "wait_at_most":
        return found["wait_ns"] <= nanoseconds(wanted), True
    if field in ("cost", "reserved_cost"):
        return found[field], money(wanted)
    if field in ("input", "output", "cache_read", "cache_write", "reasoning"):
        return found[f"{field}_tokens"], wanted
    if field == "advice":
        return [text for _, text, _ in found["advice"]], wanted
    if field == "votes":
        return [name for _, name, _, _ in found["votes"]], wanted
    if field == "would":
        said = [(outcome, name, "undecided" * undecided) for outcome, _, name, _, undecided in found["would"]]
        return [" ".join(filter(None, each)) for each in said], wanted
    if field == "passed":
        return [" ".join(filter(None, each)) for each in found["passed"]], wanted
    if field == "values":
        seen = dict(found["values"])
        return ({name: seen.get(name) for name in wanted} if wanted else seen), wanted
    return found[RENAMED.get(field, field)], wanted


def limit_differences(expected: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """As `differences`, for names like `per run.cost.spent`."""
    seen = {
        f"{row['name']}.{row['dimension']}.{each}": row[each]
        for row in rows
        for each in ("limit", "spent", "held", "free", "leased", "soft")
    }
    wrong = []
    for name, wanted in expected.items():
        if isinstance(wanted, str):
            wanted = money(wanted) if "$" in wanted else nanoseconds(wanted)
        if seen.get(name) != wanted:
            wrong.append(f"{name}: expected {wanted!r}, found {seen.get(name)!r}")
    return wrong


def nanoseconds(text: str) -> int:
    """`1.5 s` and the like."""
    number, unit = re.fullmatch(r"([0-9.]+) ([a-z]+)", text).groups()
    return int(Decimal(number) * UNITS[unit])


def money(text: str) -> int:
    """`$0.05` or `-$0.05` in nano-units."""
    return int(Decimal(text.replace("$", "")) * 10**9)


def nanoseconds_since_1970(text: str) -> int:
    """An instant such as `2026-03-29T01:00:00Z`."""
    since = datetime.fromisoformat(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9
