"""Limits, retries, breakers, orders, loops and truths: which belong together, and where a change matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.analysis.courses import selects_tool
from checkrein.difference import terms
from checkrein.difference.cases import same_truth
from checkrein.difference.outcomes import asks, effect, makes_up
from checkrein.difference.shapes import shape
from checkrein.difference.verdict import (
    LOOSER,
    MODELS,
    STRICTER,
    UNSURE,
    Change,
    Lean,
    Point,
    Spans,
    Sure,
    joined,
    turned,
)
from checkrein.language.names import KIND_WORDS
from checkrein.language.tree import Breaker, Limit, Loop, Order, Retry, Route, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.difference.sides import Side, Sides
    from checkrein.language.meaning.search import Budget
    from checkrein.language.tree import Selector

Where = frozenset[Point]
Said = tuple[Where, Lean, str]
OF_TOOLS = frozenset({"tool_calls"})
OF_MODELS = frozenset({"cost", "tokens", "input_tokens", "output_tokens", "steps", "model_calls"})
KINDS = (Limit, Retry, Breaker, Order, Loop, Truth)


def statement_changes(sides: Sides, budget: Budget) -> Iterator[Change]:
    """What these statements decide in another way."""
    for kind in KINDS:
        old, new = sides.old.of(kind), sides.new.of(kind)
        pairs = _pairs(old, new)
        yield from _renamed(sides, pairs)
        for before, after in pairs:
            for where, lean, says in _parts(sides, before, after, budget):
                yield _change(after, where, lean, says, (before.span, after.span))
        kept = [{id(pair[at]) for pair in pairs} for at in (0, 1)]
        for each in (each for each in old if id(each) not in kept[0]):
            yield from _alone(sides, each, new, budget, is_new=False)
        for each in (each for each in new if id(each) not in kept[1]):
            yield from _alone(sides.turned(), each, old, budget, is_new=True)


def _change(statement: Any, where: Where, lean: Lean, says: str, spans: Spans) -> Change:
    return Change(KIND_WORDS[type(statement)], statement.name.text, tuple(sorted(where)), lean, says, spans)


def _pairs(old: list[Any], new: list[Any]) -> list[tuple[Any, Any]]:
    """Those of one name; of the others, those that say the same by another name."""
    names = {each.name.text: each for each in new}
    pairs = [(each, names[each.name.text]) for each in old if each.name.text in names]
    left = [
        [e for e in side if id(e) not in {id(p[at]) for p in pairs}] for at, side in enumerate((old, new))
    ]
    for each in left[0]:
        twin = next((e for e in left[1] if shape(e, "name") == shape(each, "name")), None)
        if twin is not None:
            left[1] = [e for e in left[1] if e is not twin]
            pairs.append((each, twin))
    return pairs


def _renamed(sides: Sides, pairs: list[tuple[Any, Any]]) -> Iterator[Change]:
    """Of equal outcomes the first name decides or asks, so a new name may let another one do that."""
    for before, after in pairs:
        outcome = getattr(after, "otherwise", None)
        if before.name.text == after.name.text or outcome is None:
            continue
        if _others(sides, outcome) or (outcome.kind == "escalate" and sides.several_ask):
            says = f"`{before.name.text}` was its name; of equal outcomes the first name decides"
            spans = (before.span, after.span)
            yield _change(after, _everywhere(sides), UNSURE, says, spans)


def _others(sides: Sides, outcome: Any) -> bool:
    """Whether another statement has the same kind of outcome with another target."""
    for side in (sides.old, sides.new):
        for statement in side.statements:
            found = getattr(statement, "otherwise", None) or getattr(statement, "outcome", None)
            if found is not None and found.kind == outcome.kind and effect(found) != effect(outcome):
                return True
    return False


def _alone(sides: Sides, mine: Any, others: list[Any], budget: Budget, *, is_new: bool) -> Iterator[Change]:
    """A statement that the other side lacks. `sides.old` is the side that has it."""
    spans = (None, mine.span) if is_new else (mine.span, None)
    where = _where(sides, mine)
    lean = STRICTER if is_new else LOOSER
    says = "added" if is_new else "removed"
    if isinstance(mine, Loop) and mine.built_in:
        says = "the built-in loop is " + says
    cover = None if asks_anybody(mine) else _cover(sides, mine, others, budget)
    if cover is not None:
        if effect(cover.otherwise) == effect(mine.otherwise) and not _others(sides, mine.otherwise):
            return
        lean = Lean(Sure.MAYBE, Sure.NO) if not is_new else Lean(Sure.NO, Sure.MAYBE)
        says += f"; {KIND_WORDS[type(cover)]} `{cover.name.text}` says as much"
    elif isinstance(mine, Retry):
        lean = UNSURE if _meddles(sides, mine) else turned(lean)
    yield _change(mine, where, lean, says, spans)
    if isinstance(mine, Order) and mine.again_after and _reuses(sides):
        yield _change(mine, _everywhere(sides), UNSURE, "which known results are handed back changed", spans)
    if isinstance(mine, Limit) and any(each.advice == "prefer lower tier" for each in mine.thresholds):
        yield _change(mine, _everywhere(sides), UNSURE, "when it prefers lower tiers changed", spans)


def _meddles(sides: Sides, retry: Retry) -> bool:
    """Whether a retry does more than to let a call be made again, where without it an error is passed on.

    It has a deadline, another one has a say on the same calls, or its `else` leads to another model.
    """
    where = _where(sides, retry)
    others = [each for each in sides.old.of(Retry) if each is not retry]
    found = any(_overlap(where, _where(sides, each)) for each in others)
    found |= any(_overlap(where, _where(sides.turned(), each)) for each in sides.new.of(Retry))
    return found or retry.within is not None or _leads_on(sides, retry)


def _overlap(one: Where, other: Where) -> bool:
    """Whether some call is at a point of both: what holds of every model holds of each."""
    wide = [
        MODELS in where and any(p.kind == "model" for p in far) for where, far in ((one, other), (other, one))
    ]
    return bool(one & other) or any(wide)


def _leads_on(sides: Sides, retry: Retry) -> bool:
    has_route = sides.old.of(Route) or sides.new.of(Route)
    return bool(has_route) and retry.selector.point == "model"


def asks_anybody(statement: Any) -> bool:
    """Whether its outcome is an approval, which is asked for by the statement's own name."""
    outcome = getattr(statement, "otherwise", None)
    return outcome is not None and asks(outcome)


def _cover(sides: Sides, mine: Any, others: list[Any], budget: Budget) -> Any | None:
    """A statement of the other side that votes at least as much whenever this one does."""
    if isinstance(mine, Retry | Breaker):
        return None
    for each in others:
        if not makes_up(each.otherwise, mine.otherwise) or asks_anybody(each):
            continue
        if not _where(sides, mine) <= _where(sides.turned(), each):
            continue
        if joined(lean for _, lean, _ in _parts(sides, mine, each, budget)).looser is Sure.NO:
            return each
    return None


def _parts(sides: Sides, old: Any, new: Any, budget: Budget) -> Iterator[Said]:
    """What differs between two statements of one kind, and where."""
    both = _where(sides, old) & _where(sides.turned(), new)
    match old:
        case Limit():
            for bound, lean, says in terms.limit_parts(sides, old, new):
                where = _where(sides, old) | _where(sides.turned(), new)
                if bound is not None:
                    where = _of_bound(sides, sides.old, bound) | _of_bound(sides, sides.new, bound)
                yield where & _everywhere(sides), lean, says
            yield from _members(sides, old, new)
            return
        case Retry():
            parts = terms.retry_parts(old, new)
            if old.otherwise.kind != new.otherwise.kind and _leads_on(sides, old):
                parts.append((UNSURE, "when another model is tried changed"))
            yield from _when(sides, old, new, both, budget)
        case Breaker():
            parts = terms.breaker_parts(old, new)
            if shape(old.selector) != shape(new.selector) or _moves(sides, old.selector, new.selector):
                parts.append((UNSURE, "what it watches changed"))
        case Order():
            names = (_tools(sides.old, old.before), _tools(sides.new, new.before))
            parts = terms.order_parts(old, new, names)
            if shape(old.again_after) != shape(new.again_after) and _reuses(sides):
                yield _everywhere(sides), UNSURE, "which known results are handed back changed"
        case Loop():
            parts = terms.loop_parts(old, new)
        case _:
            parts = terms.truth_parts(old, new)
    for lean, says in parts:
        yield both, lean, says
    yield from _moved(sides, old, new)


def _members(sides: Sides, old: Limit, new: Limit) -> Iterator[Said]:
    """Tools whose class changed, so that their calls count in a bound where they did not, or no longer."""
    kept = {shape(each.selector): each for each in old.bounds if each.selector is not None}
    for bound in new.bounds:
        if bound.selector is not None and shape(bound.selector) in kept and bound.selector.point == "tool":
            sets = [_tools(side, bound.selector) & set(sides.tools) for side in (sides.old, sides.new)]
            if sets[0] != sets[1]:
                lean = STRICTER if sets[0] < sets[1] else LOOSER if sets[1] < sets[0] else UNSURE
                where = frozenset(Point("tool", name) for name in sets[0] | sets[1])
                yield where, lean, f"`{sides.new.text(bound)}` is about other tools"


def _moves(sides: Sides, old: Selector, new: Selector) -> bool:
    if "tool" not in (old.point, new.point):
        return False
    shared = set(sides.tools)
    return _tools(sides.old, old) & shared != _tools(sides.new, new) & shared


def _moved(sides: Sides, old: Any, new: Any) -> Iterator[Said]:
    """Calls that only one of the two statements looks at."""
    if isinstance(old, Breaker):
        return
    places = (_where(sides, old), _where(sides.turned(), new))
    shared = _shared(sides)
    for lean, where in ((LOOSER, places[0] - places[1]), (STRICTER, places[1] - places[0])):
        if where & shared:
            own = UNSURE if isinstance(old, Retry) else lean
            says = "no longer looks at these calls" if lean == LOOSER else "looks at these calls too"
            yield where & shared, own, says


def _when(sides: Sides, old: Retry, new: Retry, both: Where, budget: Budget) -> Iterator[Said]:
    """Which errors a retry is about. Where it alone decides, to be about fewer is stricter."""
    if shape(old.when) == shape(new.when) and not old.when:
        return
    unlike: set[Point] = set()
    for point in both:
        before, after = sides.old.condition(old.when), sides.new.condition(new.when)
        if (
            before is None
            or after is None
            or sides.doubt(before, point)
            or sides.doubt(after, point)
            or not same_truth(sides, point, before, after, budget)
        ):
            unlike.add(point)
    if unlike:
        yield frozenset(unlike), UNSURE, "which errors it is about changed"


# -- where -------------------------------------------------------------------------------------------


def _where(sides: Sides, statement: Any) -> Where:
    """The decision points that a statement of the old side is about."""
    side = sides.old
    match statement:
        case Limit():
            found: Where = frozenset()
            for bound in statement.bounds:
                found |= _of_bound(sides, side, bound)
            return found
        case Retry():
            return _selected(sides, side, statement.selector)
        case Breaker():
            if statement.selector.point == "provider":
                return frozenset(point for point in sides.points if point.kind != "tool")
            return _selected(sides, side, statement.selector)
        case Order():
            return _selected(sides, side, statement.after)
        case Loop():
            tools = statement.compares_calls or statement.same_error is not None
            found = frozenset(point for point in sides.points if point.kind == "tool" and tools)
            return found | ({MODELS} & set(sides.points) if statement.finds_at_models else frozenset())
    return frozenset({MODELS} & set(sides.points))


def _of_bound(sides: Sides, side: Side, bound: Any) -> Where:
    if bound.selector is not None:
        return _selected(sides, side, bound.selector)
    return frozenset(
        point
        for point in sides.points
        if (point.kind == "tool" and bound.dimension not in OF_MODELS)
        or (point == MODELS and bound.dimension not in OF_TOOLS)
    )


def _selected(sides: Sides, side: Side, selector: Selector) -> Where:
    if selector.point == "tool":
        return frozenset(Point("tool", name) for name in _tools(side, selector))
    if selector.name is not None:
        return frozenset({Point("model", selector.name.text)})
    return frozenset({MODELS} & set(sides.points))


def _tools(side: Side, selector: Selector) -> set[str]:
    return {name for name, tool in side.names.tools.items() if selects_tool(selector, tool)}


def _everywhere(sides: Sides) -> Where:
    return frozenset(sides.points)


def _shared(sides: Sides) -> Where:
    """The points that both policies have: of the others something else is told."""
    found = {Point("tool", name) for name in sides.tools} | {Point("model", name) for name in sides.models}
    return frozenset(found | ({MODELS} & set(sides.points)))


def _reuses(sides: Sides) -> bool:
    for side in (sides.old, sides.new):
        for statement in side.statements:
            outcome = getattr(statement, "outcome", None) or getattr(statement, "otherwise", None)
            if outcome is not None and outcome.kind == "reuse":
                return True
    return False
