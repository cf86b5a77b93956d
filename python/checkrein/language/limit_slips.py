"""The common slips in limits, prices, grants and in whose run a test is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language.slips import Slip
from checkrein.nearest import closest

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.language.mistakes import Mistake

PERIODS = ("hour", "day", "week", "month")
ADVERBS = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}
OTHER_PERIODS = {
    "second": "rolling 1 s", "minute": "rolling 1 min", "min": "rolling 1 min", "quarter": "rolling 90 d",
    "year": "each month", "h": "each hour", "d": "each day",
}  # fmt: skip
LONG_UNITS = {"week": 7, "weeks": 7, "month": 30, "months": 30}
SCOPES = ("run", "session", "user", "team", "org")
STORE_CHOICES = {
    "open": "allow", "permit": "allow", "ignore": "allow", "continue": "allow",
    "closed": "deny", "close": "deny", "block": "deny", "refuse": "deny", "reject": "deny", "stop": "deny",
}  # fmt: skip
BASES = {
    "success": "succeeded", "successes": "succeeded", "successful": "succeeded", "completed": "succeeded",
    "ok": "succeeded", "ran": "executed", "execution": "executed", "all": "attempted", "tries": "attempted",
    "attempts": "attempted",
}  # fmt: skip
GLUED = {
    "wrap_up": ("WRAP", "wrap up 1 call $0.02"),
    "wrapup": ("WRAP", "wrap up 1 call $0.02"),
    "calls_of": ("CALLS", 'calls of tool "name" <= 5'),
    "on_failure": ("ON", "on failure deny"),
    "cache_read": ("CACHE", "cache read $0.125"),
    "cached": ("CACHE", "cache read $0.125"),
    "cached_input": ("CACHE", "cache read $0.125"),
    "cache_write": ("CACHE", "cache write $1.25"),
    "at_time": ("AT", 'at time "2026-03-29T00:30:00Z"'),
}
"""A word to the first terminal of what is meant, and how it is written."""
INSTANT = 'at time "2026-03-29T00:30:00Z"'


def word_behind(m: Mistake) -> str:
    found = re.match(r"\s*([A-Za-z_]+)", m.text[m.offset + len(m.chunk) :])
    return found.group(1) if found else ""


def word_before(m: Mistake) -> str:
    """The terminal that was read last."""
    return m.pending[-1].type if m.pending else ""


def _period(word: str) -> str | None:
    lowered = word.lower()
    return ADVERBS.get(lowered) or next((p for p in PERIODS if lowered in (p, p + "s")), None)


def scope(m: Mistake) -> Slip | None:
    """`on users`, `on each user`, `on "user"`, `on tenant`, `limit "x" per user`."""
    if word_before(m) == "STRING" and m.accepts == {"ON"} and m.pending[0].type == "LIMIT":
        if m.chunk in ("per", "for", "of"):
            right = f"write `on {word_behind(m) or 'user'}`"
            return Slip("R0019", f"{quote(m.chunk)} is not how a limit says for whom it is kept", right)
        if m.chunk in ("each", "rolling", "{"):
            return Slip(
                "R0010", f"{m.statement} does not say for whom it is kept", "write `on run` or `on user`"
            )
        return None
    if not {"RUN", "SESSION", "FACT"} <= m.accepts:
        return None
    word = m.chunk.strip('"').lower()
    if m.chunk in ("each", "every", "per"):
        right = f"write `on {word_behind(m) or 'user'}`: a limit is always kept for each"
        return Slip("R0010", f"{quote(m.chunk)} is not needed here", right)
    if word in SCOPES and m.chunk.startswith('"'):
        return Slip("R0010", f"the scope {quote(word)} is a word of the language", f"write `on {word}`")
    if word in ("tool", "model"):
        right = f'write `calls of {word} "name" <= 5` in a limit `on run`'
        return Slip("R0010", f"a limit is not kept for a {word}", right)
    meant = closest(word, SCOPES, cutoff=0.7)
    if meant is not None and "." not in m.chunk:
        return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", f"did you mean `{meant}`?")
    if not re.fullmatch(r"[a-z_]+", word):
        return None
    right = f"write `on user`, or declare `fact {word}.id text` and write `on {word}.id`"
    return Slip("R0010", f"{quote(m.chunk)} is neither a scope nor a fact", right)


def window(m: Mistake) -> Slip | None:
    """`per day`, `daily`, `each days`, `each 24 h`, `rolling day`, `rolling 2 weeks`."""
    if {"EACH", "ROLLING"} <= m.accepts:
        period = _period(m.chunk)
        if m.chunk in ("per", "every", "a"):
            period = _period(word_behind(m)) or "day"
        if period is not None:
            return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", f"write `each {period}`")
        if m.chunk in ("for", "in", "within", "over", "last", "sliding"):
            return Slip(
                "R0019", f"{quote(m.chunk)} does not belong here", "write `rolling 1 h` or `each day`"
            )
    if "HOUR" in m.accepts and "MONTH" in m.accepts:
        return _after_each(m)
    if word_before(m) == "ROLLING" and _period(m.chunk) is not None:
        right = f"write a time such as `rolling 1 d`, or `each {_period(m.chunk)}`"
        return Slip("R0010", "`rolling` is followed by a time", right)
    days = LONG_UNITS.get(m.chunk)
    if m.after_number and days is not None and m.number_before.isdigit():
        return Slip(
            "R0013", f"{quote(m.chunk)} is not a unit", f"write it in days: `{int(m.number_before) * days} d`"
        )
    return None


def _after_each(m: Mistake) -> Slip | None:
    period = _period(m.chunk)
    if period is not None:
        return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", f"write `each {period}`")
    written = re.match(r"([0-9]+)\s*([a-z]+)", m.text[m.offset :])
    if written is not None:
        right = f"write `rolling {written.group(1)} {_unit(written.group(2))}`"
        return Slip("R0010", "`each` is followed by `hour`, `day`, `week` or `month`", right)
    other = OTHER_PERIODS.get(m.chunk.rstrip("s") or m.chunk)
    if other is not None:
        message = f"there is no calendar period {quote(m.chunk)}"
        return Slip("R0010", message, f"write `{other}`", expected=True)
    return None


def _unit(word: str) -> str:
    return {"m": "min", "minute": "min", "minutes": "min"}.get(word, "min" if word == "min" else word[0])


def zone(m: Mistake) -> Slip | None:
    """`in Europe/Rome`, `each day "Europe/Rome"`."""
    written = re.match(r"[A-Za-z][\w+-]*(?:/[\w+-]+)*", m.text[m.offset :])
    if word_before(m) == "IN" and m.accepts == {"STRING"} and written is not None:
        name = written.group()
        message = f"the time zone {quote(name)} is not in quotes"
        return Slip("R0018", message, f'write `in "{name}"`', length=len(name))
    if "IN" in m.accepts and "LBRACE" in m.accepts and m.chunk.startswith('"'):
        return Slip("R0010", "`in` comes before a time zone", f"write `in {m.chunk}`")
    return None


def item(m: Mistake) -> Slip | None:
    """Words of a limit, a price or a test that are written as one, and what follows them."""
    glued = GLUED.get(m.chunk)
    if m.chunk == "wrap" and m.text.startswith("wrap-up", m.offset):
        glued = GLUED["wrap_up"]
    if glued is not None and glued[0] in m.accepts:
        return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", f"write `{glued[1]}`")
    if word_before(m) == "WRAP" and m.chunk == "-":
        return Slip("R0010", "`wrap up` is two words", "write `wrap up 1 call $0.02`", length=1)
    if word_before(m) == "CALLS" and m.accepts == {"OF"}:
        right = 'write `model_calls <= 5`, `tool_calls <= 5` or `calls of tool "name" <= 5`'
        return Slip("R0010", "`calls` does not say of what", right)
    if word_before(m) == "OF" and m.accepts == {"MODEL", "TOOL"} and m.chunk.startswith('"'):
        return Slip("R0010", "`calls of` needs `tool` or `model`", f"write `calls of tool {m.chunk} <= 5`")
    if word_before(m) == "UP" and m.accepts == {"NUMBER"}:
        return Slip("R0010", "`wrap up` does not say for how many calls", "write `wrap up 1 call $0.02`")
    if [t.type for t in m.pending[-5:-2]] == ["WRAP", "UP", "NUMBER"] and word_before(m) == "NUMBER":
        number = m.pending[-1]
        message, right = "`wrap up` keeps back money or tokens", "write `wrap up 1 call $0.02`"
        return Slip("R0316", message, right, length=len(number), start=number.start_pos)
    if m.chunk == "fact" and "FACTS" in m.accepts:
        return Slip("R0010", "a test declares no fact, it sends some", "write `facts { ... }`")
    if m.chunk == "cache" and "PER" in m.accepts:
        right = "write `input ... output ... cache read ... cache write ... reasoning ... per 1M tokens`"
        return Slip("R0010", "the rates of a price have an order", right)
    return None


def choice(m: Mistake) -> Slip | None:
    """`on failure "deny"`, `counts success`."""
    if {"SPEND", "DENY", "ALLOW"} <= m.accepts:
        word = m.chunk.strip('"').lower()
        meant = word if word in ("spend", "deny", "allow") else STORE_CHOICES.get(word)
        if meant is not None:
            message = f"`on failure` is followed by a word of the language, not by {quote(m.chunk)}"
            return Slip("R0010", message, f"write `on failure {meant}`")
    if {"ATTEMPTED", "EXECUTED", "SUCCEEDED"} <= m.accepts:
        word = m.chunk.strip('"').lower()
        bases = ("attempted", "executed", "succeeded")
        meant = BASES.get(word) or closest(word, bases, cutoff=0.6)
        if meant is not None:
            message = f"{quote(m.chunk)} is not what a limit can count"
            return Slip("R0019", message, f"write `counts {meant}`", expected=True)
    return None


def grants(m: Mistake) -> Slip | None:
    """`grants $5`, `grants $5 2 times`, `grants $5 at most twice`."""
    if not m.pending or m.pending[0].type != "QUEUE" or "GRANTS" not in [t.type for t in m.pending]:
        return None
    if not m.accepts & {"AT", "MOST", "TIMES"} and word_before(m) != "MOST":
        return None
    return Slip(
        "R0010", "`grants` does not say how often", "write `grants $5 at most 2 times`, also for once"
    )


def store(m: Mistake) -> Slip | None:
    """`store "redis://..."`, `store local`."""
    if m.accepts != {"SHARED"}:
        return None
    right = "write `store shared`, or nothing: which store it is, the host says"
    return Slip("R0010", "`store` is followed by `shared`", right)


def rehearsal(m: Mistake) -> Slip | None:
    """`as "u1"`, `at "2026-..."`, `at time 2026-...`."""
    if {"USER", "TEAM"} <= m.accepts and word_before(m) == "AS" and m.chunk.startswith('"'):
        return Slip("R0010", "`as` needs `session`, `user`, `team` or `org`", 'write `as user "u1"`')
    if word_before(m) == "TIME" and m.accepts == {"STRING"}:
        return Slip("R0012", "the time is not in quotes", f"write `{INSTANT}`")
    if word_before(m) == "AT" and "TIME" in m.accepts and m.chunk.startswith('"'):
        return Slip("R0010", "`at` needs `time`", f"write `{INSTANT}`")
    return None


LIMIT_SLIPS: tuple[Callable[[Mistake], Slip | None], ...] = (
    scope, window, zone, item, choice, grants, store, rehearsal,
)  # fmt: skip
