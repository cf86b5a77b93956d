"""The common slips in how statements are put together; the last know only what could have stood there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.language import words
from checkrein.language.limit_slips import word_before, word_behind
from checkrein.language.slips import Slip

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.language.mistakes import Mistake

FACT = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
MEASURES = {
    "time": "active_time", "duration": "active_time", "runtime": "active_time", "seconds": "active_time",
    "timeout": "active_time", "money": "cost", "spend": "cost", "usd": "cost", "dollars": "cost",
    "budget": "cost", "price": "cost", "spending": "cost", "turns": "steps", "iterations": "steps",
    "rounds": "steps", "llm_calls": "model_calls", "requests": "model_calls", "errors": "retries",
    "approvals": "escalations",
}  # fmt: skip
"""What other tools call what a limit bounds."""
OUTCOMES = ("deny", "stop", "fail", "escalate", "block", "forbid", "reject", "allow", "never", "always")


def unclosed(m: Mistake) -> Slip | None:
    """`{ steps <= 5 else deny`, and a statement inside another one."""
    if "RBRACE" not in m.accepts:
        return None
    if m.chunk == "else":
        return Slip("R0011", f"{m.statement} is not closed before `else`", "close it with `}`")
    if m.chunk in words.STATEMENTS and not (m.chunk == "tool" and word_behind(m) == "calls"):
        help = "close it with `}` first: statements do not stand inside each other"
        return Slip("R0011", f"{m.statement} is not closed before {quote(m.chunk)}", help)
    return None


def measure(m: Mistake) -> Slip | None:
    """`max steps 5`, `time <= 5 min`, `tool calls <= 5`, `warn at 80%`."""
    is_retry = bool(m.pending) and m.pending[0].type == "RETRY"
    if is_retry and "ATTEMPTS" in m.accepts and m.chunk in words.DIMENSIONS:
        right = "a retry is bounded by `attempts <=` and `within`"
        return Slip("R0409", f"`{m.chunk} <=` bounds a limit, not a retry", right)
    if not m.accepts & {"WALL_TIME", "ATTEMPTS"}:
        return None
    word, after = m.chunk.lower(), word_behind(m)
    behind = m.text[m.offset + len(m.chunk) :].lstrip()[:1]
    if word in MEASURES and behind in tuple("<>=:0123456789$"):
        right = f"write `{MEASURES[word]} <= ...`"
        return Slip("R0019", f"{quote(m.chunk)} is not what a limit bounds", right)
    if word in ("tool", "model") and after == "calls":
        return Slip("R0019", f"`{word} calls` is one word", f"write `{word}_calls <= ...`")
    if word in ("max", "maximum", "most", "upto", "limit"):
        right = f"write `{after or 'steps'} <= 5`"
        return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", right)
    if word in ("warn", "tell", "prefer") and "AT" in m.accepts:
        right = 'write `at 80% warn "text"`: first when, then what'
        return Slip("R0010", f"{quote(m.chunk)} stands in the wrong place", right)
    if is_retry and m.chunk.isdigit() and after in ("times", "attempts", "retries"):
        right = f"write `attempts <= {m.chunk}`"
        return Slip("R0010", f"`{m.chunk} {after}` is not how a bound is written", right)
    return None


def outcome(m: Mistake) -> Slip | None:
    """`else { deny }`, `then stop because`, `escalate because`, `-> deny`."""
    if m.chunk == "{" and {"DENY", "STOP"} <= m.accepts:
        return Slip("R0010", "an outcome stands without braces", "write `else deny` or another outcome")
    before = word_before(m)
    if m.accepts == {"STRING"} and before in ("STOP", "FAIL") and not m.chunk.startswith('"'):
        word = before.lower()
        if m.chunk in ("because", "}", "") or m.chunk in words.STATEMENTS:
            right = f'write `{word} "state"`, and declare the state'
            return Slip("R0010", f"`{word}` does not say in which state", right, after_previous=True)
    if m.accepts == {"TO"} and before == "ESCALATE" and not m.chunk.startswith('"'):
        right = 'write `escalate to "queue"`, and declare the queue'
        return Slip("R0010", "`escalate` does not say to whom", right, after_previous=True)
    arrow = next((sign for sign in ("->", "=>", ":") if m.text.startswith(sign, m.offset)), None)
    if arrow is not None and "THEN" in m.accepts and word_behind(m) != "then":
        return Slip("R0010", f"{quote(arrow)} does not lead to an outcome", "write `then`", length=len(arrow))
    return None


def selector(m: Mistake) -> Slip | None:
    """`on any tool`, `on tool in [...]`."""
    if m.chunk in ("any", "all", "every", "each") and {"MODEL", "TOOL"} <= m.accepts:
        kind = word_behind(m).rstrip("s")
        right = kind if kind in ("tool", "model") else "tool"
        return Slip("R0010", f"{quote(m.chunk)} stands behind what it is about", f"write `{right} any`")
    if word_before(m) in ("TOOL", "MODEL") and m.chunk in ("in", "[", "(") and "ANY" in m.accepts:
        one = word_before(m).lower()
        right = "`on model any`" if one == "model" else "`on tool class act` or `on tool any`"
        return Slip("R0010", f"a selector names one {one}", f"write a statement for each, or {right}")
    return None


def arms(m: Mistake) -> Slip | None:
    """`elif`, `default "model"` in a route."""
    if not m.pending or m.pending[0].type != "ROUTE" or "TO" not in m.accepts:
        return None
    if m.chunk.lower() in ("elif", "elseif", "elsif", "else", "case", "or_else"):
        right = 'write `to "model" when ...`: the first arm that applies is taken'
        return Slip("R0019", f"{quote(m.chunk)} does not belong here", right)
    if m.chunk in ("default", "otherwise"):
        right = 'write `to "model"` as the last arm: without `when` it applies always'
        return Slip("R0019", f"{quote(m.chunk)} does not belong here", right)
    return None


def vocabulary(m: Mistake) -> Slip | None:
    """`text?`, `money in USD`, `state "x": "text"`, `fact a.b text = "x"`, `backoff 1 s...8 s`."""
    if m.chunk == "?" and "OPTIONAL" in m.accepts:
        return Slip("R0010", "`?` says nothing here", "write `optional`")
    if m.accepts == {"CENTS", "UNITS"}:
        right = "write `money in cents` or `money in units`: the currency is that of the prices"
        return Slip("R0017", f"{quote(m.chunk)} is not a unit of money", right)
    if m.accepts == {"TELL"}:
        return Slip("R0010", f"{m.statement} tells nobody", 'write `tell user "text"` or `tell agent "text"`')
    if m.chunk in ("=", ":") and {"OPTIONAL", "DEFAULT"} <= m.accepts:
        return Slip("R0010", f"{quote(m.chunk)} does not give a default", "write `default` and the value")
    if m.text[m.offset - 2 : m.offset + 1] == "...":
        return Slip("R0010", "a range has two points", "write `1 s..8 s`")
    return None


def sentence(m: Mistake) -> Slip | None:
    """`Deny refunds above $500`, `import "x"`, where a statement begins."""
    if not m.begins_statement:
        return None
    if m.chunk.lower() in OUTCOMES:
        right = 'write `rule "name" on tool any when ... then deny because "reason"`'
        return Slip("R0010", f"a statement does not begin with {quote(m.chunk)}", right)
    if m.chunk.lower() in ("import", "use", "from", "load", "extends"):
        return Slip("R0010", f"{quote(m.chunk)} is not a word of the language", "a policy is one file")
    return None


# -- by what could have stood there ----------------------------------------------------------------


def needless_quotes(m: Mistake) -> Slip | None:
    """`class "act"`, `language "1"`, `fact "customer.tier"`: quoted words are the author's."""
    inside = m.chunk[1:-1] if len(m.chunk) > 2 and m.chunk[0] == m.chunk[-1] == '"' else ""
    is_word = inside in m.accepted_words
    is_fact = "FACT" in m.accepts and FACT.fullmatch(inside) is not None
    is_number = "NUMBER" in m.accepts and inside.isdigit()
    if "STRING" in m.accepts or not (is_word or is_fact or is_number):
        return None
    return Slip(
        "R0010", f"{quote(inside)} is written without quotes", f"write `{inside}`: quoted words are yours"
    )


def needless(m: Mistake) -> Slip | None:
    """`>= 3 times within`, `tell to user`, `language: 1`: what comes behind it could stand there."""
    behind = re.match(r'\s*([A-Za-z_]+|"|[0-9$])', m.text[m.offset + len(m.chunk) :])
    if behind is None or len(m.accepts) > 12:
        return None
    is_word = m.chunk[:1].isalpha() and behind.group(1) in m.accepted_words
    if not is_word and m.chunk not in (":", "=", ":="):
        return None
    return Slip("R0010", f"{quote(m.chunk)} is not needed here", "leave it out")


def only_choice(m: Mistake) -> Slip | None:
    """One word or sign alone could have stood there."""
    if len(m.accepts) != 1:
        return None
    (right,) = (m.terminals[name] for name in m.accepts)
    if " " in right:
        return None
    if right == "..":
        return Slip("R0010", f"{quote(m.chunk)} does not make a range", "write `1 s..8 s`")
    if m.chunk and not m.chunk[0].isalnum() and m.chunk[0] not in '"$}':
        return Slip("R0010", f"{quote(m.chunk)} does not belong here", f"write `{right}`")
    before = quote(m.chunk) if m.chunk else "the end of the file"
    return Slip("R0010", f"`{right}` is missing before {before}", f"write `{right}`")


STATEMENT_SLIPS: tuple[Callable[[Mistake], Slip | None], ...] = (
    unclosed, measure, outcome, selector, arms, vocabulary, sentence,
)  # fmt: skip
GENERAL_SLIPS: tuple[Callable[[Mistake], Slip | None], ...] = (needless_quotes, needless, only_choice)
"""Tried last, when nobody knows more."""
