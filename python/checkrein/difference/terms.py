"""Statements over what a run has done, compared by their terms: a lower bound is stricter, whatever the run.

Each comparison gives what differs between two statements of one kind, as a lean and words. What it cannot
tell it says so: then neither side is the stricter one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.difference.outcomes import compared, words
from checkrein.difference.shapes import shape
from checkrein.difference.verdict import ALIKE, LOOSER, STRICTER, UNSURE, Lean

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.difference.sides import Sides
    from checkrein.language.tree import Bound, Breaker, Limit, Loop, Order, Outcome, Retry, Truth

Part = tuple[Lean, str]
Key = tuple[Any, ...]


def lower(old: int | None, new: int | None, what: str, shown: Callable[[int], str] = str) -> list[Part]:
    """Of two numbers the lower one is stricter, and none at all is the loosest."""
    if old == new:
        return []
    if old is None or new is None:
        is_new = old is None
        lean = STRICTER if is_new else LOOSER
        return [(lean, f"`{what} {shown(int((new if is_new else old) or 0))}` is {_came(is_new)}")]
    return [(STRICTER if new < old else LOOSER, f"`{what} {shown(old)}` is `{what} {shown(new)}`")]


def _came(is_new: bool) -> str:
    return "added" if is_new else "removed"


def other(old: Any, new: Any, what: str) -> list[Part]:
    """Terms of which neither is the stricter one."""
    return [] if shape(old) == shape(new) else [(UNSURE, f"{what} changed")]


def ends(old: Outcome, new: Outcome) -> list[Part]:
    """The `else` of a statement."""
    lean = compared(old, new)
    return [] if lean == ALIKE else [(lean, f"`else {words(old)}` is `else {words(new)}`")]


# -- limits ------------------------------------------------------------------------------------------


def limit_parts(sides: Sides, old: Limit, new: Limit) -> list[tuple[Bound | None, Lean, str]]:
    """What differs between two limits, each with the bound that it is about; None is the whole limit."""
    found: list[tuple[Bound | None, Lean, str]] = []
    bounds = [{_measure(each): each for each in limit.bounds} for limit in (old, new)]
    for measure in sorted(bounds[0].keys() | bounds[1].keys(), key=repr):
        before, after = bounds[0].get(measure), bounds[1].get(measure)
        if before and after:
            if before.literal.value != after.literal.value:
                lean = STRICTER if int(after.literal.value) < int(before.literal.value) else LOOSER
                says = f"`{sides.old.text(before)}` is `{sides.new.text(after)}`"
                found.append((after, lean, says))
        elif after:
            found.append((after, STRICTER, f"`{sides.new.text(after)}` is added"))
        elif before:
            found.append((before, LOOSER, f"`{sides.old.text(before)}` is removed"))
    whole = other(old.scope, new.scope, "whose it is")
    whole += other(old.window, new.window, "its window")
    whole += _basis(old, new) + other(_store(old), _store(new), "`on failure`")
    whole += other(old.wrap_up, new.wrap_up, "`wrap up`") + ends(old.otherwise, new.otherwise)
    prefers = [[shape(t) for t in each.thresholds if t.advice == "prefer lower tier"] for each in (old, new)]
    if prefers[0] != prefers[1] or (prefers[0] and (found or whole)):
        whole += [(UNSURE, "when it prefers lower tiers changed")]
    return [*found, *((None, lean, says) for lean, says in whole)]


def _measure(bound: Bound) -> Key:
    return bound.dimension, shape(bound.selector)


def _store(limit: Limit) -> str:
    return limit.failure.text if limit.failure else "spend"


BASES = ("succeeded", "executed", "attempted")


def _basis(old: Limit, new: Limit) -> list[Part]:
    """What counts: whatever succeeded was executed, and what was executed was attempted."""
    counts = [each.basis.text if each.basis else "attempted" for each in (old, new)]
    if counts[0] == counts[1]:
        return []
    by = BASES.index(counts[1]) - BASES.index(counts[0])
    return [(STRICTER if by > 0 else LOOSER, f"`counts {counts[0]}` is `counts {counts[1]}`")]


# -- the others --------------------------------------------------------------------------------------


def order_parts(old: Order, new: Order, tools: tuple[set[str], set[str]]) -> list[Part]:
    """What differs between two orders, apart from the calls that wait. `tools` are those that come before."""
    found: list[Part] = []
    if tools[0] != tools[1]:
        lean = STRICTER if tools[1] < tools[0] else LOOSER if tools[0] < tools[1] else UNSURE
        found.append((lean, "what has to come before changed"))
    for what, names in (
        ("matching", [{name.text for name in each.matching} for each in (old, new)]),
        ("again after", [{name.text for name in each.again_after} for each in (old, new)]),
    ):
        if names[0] != names[1]:
            lean = STRICTER if names[0] < names[1] else LOOSER if names[1] < names[0] else UNSURE
            found.append((lean, f"`{what}` changed"))
    return found + ends(old.otherwise, new.otherwise)


def loop_parts(old: Loop, new: Loop) -> list[Part]:
    """What differs between two loops."""
    found: list[Part] = []
    for what, pairs in (
        ("same call", (old.same_call, new.same_call)),
        ("same error", (old.same_error, new.same_error)),
        ("cycle", (_turned(old.cycle), _turned(new.cycle))),
    ):
        found += _pair(what, *pairs)
    found += _fewer("no progress", old.no_progress, new.no_progress)
    found += _fewer("repeated context", old.repeated_context, new.repeated_context)
    ignored = [{name.text for name in each.ignoring} for each in (old, new)]
    if ignored[0] != ignored[1]:
        lean = STRICTER if ignored[0] < ignored[1] else LOOSER if ignored[1] < ignored[0] else UNSURE
        found.append((lean, "`ignoring` changed"))
    return found + ends(old.otherwise, new.otherwise)


def _turned(cycle: tuple[int, int] | None) -> tuple[int, int] | None:
    return None if cycle is None else (cycle[1], cycle[0])


def _pair(what: str, old: tuple[int, int] | None, new: tuple[int, int] | None) -> list[Part]:
    """A count that is stricter the lower, over a reach that is stricter the longer."""
    if old == new:
        return []
    if old is None or new is None:
        return [(STRICTER if old is None else LOOSER, f"`{what}` is {_came(old is None)}")]
    if new[0] <= old[0] and new[1] >= old[1]:
        lean = STRICTER
    else:
        lean = LOOSER if new[0] >= old[0] and new[1] <= old[1] else UNSURE
    return [(lean, f"`{what}` changed")]


def _fewer(what: str, old: int | None, new: int | None) -> list[Part]:
    return [(lean, f"`{what}` changed") for lean, _ in lower(old, new, what)]


def retry_parts(old: Retry, new: Retry) -> list[Part]:
    """What differs between two retries, but for which errors they are about."""
    found = lower(old.attempts, new.attempts, "attempts <=")
    if (old.within is None) != (new.within is None):
        found.append((UNSURE, f"`within` is {_came(old.within is None)}"))
    else:
        found += [(lean, "`within` changed") for lean, _ in lower(old.within, new.within, "within")]
    found += other(old.backoff, new.backoff, "`backoff`")
    if shape(old.share) != shape(new.share):
        found.append((_share(old, new), "`share` changed"))
    return found + ends(old.otherwise, new.otherwise)


def _share(old: Retry, new: Retry) -> Lean:
    if old.share is None or new.share is None:
        return STRICTER if old.share is None else LOOSER
    if old.share.window != new.share.window:
        return UNSURE
    ways = [
        (a.most <= b.most and a.least <= b.least) for a, b in ((new.share, old.share), (old.share, new.share))
    ]
    return STRICTER if ways[0] else LOOSER if ways[1] else UNSURE


def breaker_parts(old: Breaker, new: Breaker) -> list[Part]:
    """What differs between two breakers: one that opens sooner may also close sooner."""
    return other(old.opens, new.opens, "when it opens") + other(old.probes, new.probes, "its probes")


def truth_parts(old: Truth, new: Truth) -> list[Part]:
    """What differs between two truths."""
    return ends(old.otherwise, new.otherwise)
