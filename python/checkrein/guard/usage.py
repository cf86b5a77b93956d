"""What a model call used, read from the response of whatever client made it.

A usage is exact, a lower bound, or unknown. Unknown is never zero: the whole hold is kept as spent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from checkrein.guard.dialects import COUNT_MAX, Part, read_counts


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt; `kind` says how far they can be trusted.

    Input has the tokens read from and written to a cache in it, output those of reasoning. `part` is for
    `merge_usage` alone: which part of a stream's report this is.
    """

    kind: Literal["exact", "at_least", "unknown", "unsent"]
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = field(default=0, kw_only=True)
    cache_write_tokens: int = field(default=0, kw_only=True)
    reasoning_tokens: int = field(default=0, kw_only=True)
    part: Part = field(default="", kw_only=True, repr=False, compare=False)

    @property
    def figures(self) -> tuple[int, int, int, int, int]:
        """Its numbers in the engine's order."""
        return (
            self.input_tokens, self.output_tokens,
            self.cache_read_tokens, self.cache_write_tokens, self.reasoning_tokens,
        )  # fmt: skip


UNKNOWN = Usage("unknown")
UNSENT = Usage("unsent")
NOTHING = Usage("exact")


def read_usage(response: Any) -> Usage | None:
    """The usage that `response` reports, or None if it reports none.

    Takes responses and stream events of the providers in docs/prices.md, as objects or mappings. An
    explicit zero is a report; one that contradicts itself is a lower bound.
    """
    if isinstance(response, Usage):
        return response
    counts = read_counts(response)
    if counts is None:
        return None
    return Usage(
        "exact" if counts.exact else "at_least",
        counts.input,
        counts.output,
        cache_read_tokens=counts.cache_read,
        cache_write_tokens=counts.cache_write,
        reasoning_tokens=counts.reasoning,
        part=counts.part,
    )


def lower_bound(usage: Usage | None) -> Usage:
    """`usage` of a call that was cut off: at least that much, or unknown."""
    if usage is None or usage.kind in ("unknown", "unsent"):
        return UNKNOWN
    return replace(usage, kind="at_least")


def merge_usage(seen: Usage | None, new: Usage | None) -> Usage | None:
    """What a stream reports so far: `seen` from its earlier events, and `new` from the next one.

    Counts are running totals, so the last report holds; one that takes something back is not believed.
    Anthropic's first event has the input and its last the output; LangChain's chunks add up.
    """
    if seen is None or new is None:
        return new or seen
    if seen.part == "delta" and new.part == "delta":
        return replace(add_usage([seen, new]), part="delta")
    if "unknown" in (seen.kind, new.kind) or "unsent" in (seen.kind, new.kind):
        known = new if seen.kind in ("unknown", "unsent") else seen
        return lower_bound(known)
    most = _most(seen, new)
    if new.part == "output":
        complete = seen.part == "input" or seen.kind == "exact"
        return replace(most, kind="exact" if complete else "at_least", part="")
    if new.kind == "exact" and _within(seen, new):
        return new
    return replace(most, kind="at_least", part=new.part if seen.part == new.part else "")


def add_usage(usages: Iterable[Usage]) -> Usage:
    """What several answers of one call used together; exact only if every one is."""
    usages = list(usages)
    kinds = {usage.kind for usage in usages}
    total = Usage(
        "exact" if kinds <= {"exact"} else "at_least",
        sum(usage.input_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        cache_read_tokens=sum(usage.cache_read_tokens for usage in usages),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )
    # More than the engine counts, or nothing known at all, is no report.
    nothing = kinds and kinds <= {"unknown", "unsent"}
    return UNKNOWN if nothing or max(total.input_tokens, total.output_tokens) > COUNT_MAX else total


def _within(less: Usage, more: Usage) -> bool:
    return less.input_tokens <= more.input_tokens and less.output_tokens <= more.output_tokens


def _most(one: Usage, other: Usage) -> Usage:
    """The more of each count; the parts of the one with more in the whole, since parts may be cheaper."""
    into = one if one.input_tokens > other.input_tokens else other
    out = one if one.output_tokens > other.output_tokens else other
    if one.input_tokens == other.input_tokens and one.part == "input":
        into = one
    return Usage(
        "at_least",
        into.input_tokens,
        out.output_tokens,
        cache_read_tokens=into.cache_read_tokens,
        cache_write_tokens=into.cache_write_tokens,
        reasoning_tokens=out.reasoning_tokens,
    )
