"""Tools, models, queues and the route: what a change of them lets through, and what it keeps back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.analysis.courses import selects_tool
from checkrein.difference.shapes import shape
from checkrein.difference.terms import Part, lower
from checkrein.difference.verdict import (
    ALIKE,
    LOOSER,
    MODELS,
    OTHER,
    STRICTER,
    UNSURE,
    Change,
    Lean,
    Point,
)
from checkrein.language.tree import Limit, Loop, Order, Queue, Route, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.difference.sides import Side, Sides
    from checkrein.language.tree import Model, Tool
    from checkrein.prices import Tariff

RATES = ("input", "output", "cache_read", "cache_write", "reasoning")
AGAIN = ("retrieve", "reason")
"""Classes of tools that do no harm when they are run twice."""


def vocabulary_changes(sides: Sides) -> Iterator[Change]:
    """What the declarations change."""
    yield from _come_and_gone(sides)
    for name in sides.tools:
        old, new = sides.old.names.tools[name], sides.new.names.tools[name]
        for where, lean, says in _tool_parts(sides, old, new):
            yield Change("tool", name, where, lean, says, (old.span, new.span))
    for name in sides.models:
        before, after = sides.old.names.models[name], sides.new.names.models[name]
        for where, lean, says in _model_parts(sides, before, after):
            yield Change("model", name, where, lean, says, (before.span, after.span))
    for name in sorted(sides.old.names.queues.keys() & sides.new.names.queues.keys()):
        mine, its = sides.old.names.queues[name], sides.new.names.queues[name]
        for lean, says in _queue_parts(mine, its):
            yield Change("queue", name, _asking(sides, name), lean, says, (mine.span, its.span))


def _come_and_gone(sides: Sides) -> Iterator[Change]:
    """A call of what is not declared is denied."""
    for kind, tables in (
        ("tool", (sides.old.names.tools, sides.new.names.tools)),
        ("model", (sides.old.names.models, sides.new.names.models)),
    ):
        for name in sorted(tables[0].keys() ^ tables[1].keys()):
            is_new = name in tables[1]
            span = tables[is_new][name].span
            point = Point("tool", name) if kind == "tool" else Point("model", name)
            lean, says = (LOOSER, "declared") if is_new else (STRICTER, "no longer declared")
            yield Change(kind, name, (point,), lean, says, (None, span) if is_new else (span, None))


# -- tools -------------------------------------------------------------------------------------------

Told = tuple[tuple[Point, ...], Lean, str]


def _tool_parts(sides: Sides, old: Tool, new: Tool) -> Iterator[Told]:
    here = (Point("tool", old.name.text),)
    for lean, says in lower(old.timeout, new.timeout, "timeout"):
        yield here, lean, "`timeout` changed" if "added" not in says and "removed" not in says else says
    if old.once != new.once:
        yield here, STRICTER if new.once else LOOSER, f"`once` is {'added' if new.once else 'removed'}"
    again = [each.may_repeat or each.tool_class in AGAIN for each in (old, new)]
    if again[0] != again[1]:
        lean = LOOSER if again[1] else STRICTER
        yield here, lean, "whether it runs again where nobody knows if it ran changed"
    loops = sides.old.of(Loop) or sides.new.of(Loop)
    if old.may_repeat != new.may_repeat and loops:
        yield sides.points, UNSURE, "which calls loops leave out changed"
    conditions = [side.condition(each.succeeds) for side, each in ((sides.old, old), (sides.new, new))]
    fields = old.succeeds is not None and shape(old.results) != shape(new.results)
    doubt = any(sides.doubt(each, here[0]) for each in conditions)
    if shape(conditions[0]) != shape(conditions[1]) or fields or doubt:
        yield sides.points, UNSURE, "what it succeeds by changed"
    for name in sorted(_retyped(old, new) & _matched(sides)):
        yield sides.points, UNSURE, f"the argument `{name}`, which an order matches, is of another type"


def _retyped(old: Tool, new: Tool) -> set[str]:
    types = [{arg.name.text: shape(arg.type) for arg in tool.args} for tool in (old, new)]
    return {name for name in types[0].keys() | types[1].keys() if types[0].get(name) != types[1].get(name)}


def _matched(sides: Sides) -> set[str]:
    orders = [*sides.old.of(Order), *sides.new.of(Order)]
    return {name.text for order in orders for name in order.matching}


# -- models ------------------------------------------------------------------------------------------


def _model_parts(sides: Sides, old: Model, new: Model) -> Iterator[Told]:
    here = (Point("model", old.name.text),)
    if old.target.text != new.target.text:
        yield here, OTHER, f"it stands for `{new.target.text}`, no longer for `{old.target.text}`"
    for what, pair in (("window", (old.window, new.window)), ("output", (old.output, new.output))):
        for lean, says in lower(*pair, what):
            yield here, lean, says
    if old.least_output != new.least_output:
        lean = STRICTER if new.least_output > old.least_output else LOOSER
        yield here, lean, f"`least output {old.least_output}` is `least output {new.least_output}`"
    if old.tier != new.tier and (_route(sides.old) or _route(sides.new) or _prefers(sides)):
        yield (MODELS, *here), UNSURE, "its `tier` changed, which candidates are ordered by"
    lean = _price(sides.old.tariffs[old.name.text], sides.new.tariffs[new.name.text])
    if lean != ALIKE and _costs(sides):
        says = {STRICTER: "it costs more", LOOSER: "it costs less"}.get(lean, "its price changed")
        yield (MODELS, *here), lean, says
    elif lean != ALIKE and (_route(sides.old) or _route(sides.new)):
        yield (MODELS, *here), UNSURE, "its price changed, by which a session stays with a model"


def _price(old: tuple[Tariff, ...] | None, new: tuple[Tariff, ...] | None) -> Lean:
    """Dearer is stricter: less fits a limit on cost."""
    if old == new:
        return ALIKE
    if not old or not new:
        return STRICTER if new else LOOSER
    parts = [[(each.above, each.start, each.end) for each in side] for side in (old, new)]
    if parts[0] != parts[1]:
        return UNSURE
    pairs = [(getattr(a, rate), getattr(b, rate)) for a, b in zip(old, new, strict=True) for rate in RATES]
    if all(a <= b for a, b in pairs):
        return STRICTER
    return LOOSER if all(a >= b for a, b in pairs) else UNSURE


def _costs(sides: Sides) -> bool:
    limits = [*sides.old.of(Limit), *sides.new.of(Limit)]
    return any(bound.dimension == "cost" for limit in limits for bound in limit.bounds)


def _prefers(sides: Sides) -> bool:
    limits = [*sides.old.of(Limit), *sides.new.of(Limit)]
    return any(each.advice == "prefer lower tier" for limit in limits for each in limit.thresholds)


# -- queues ------------------------------------------------------------------------------------------


def _queue_parts(old: Queue, new: Queue) -> Iterator[Part]:
    for lean, _ in lower(old.expires, new.expires, "expires"):
        yield lean, "`expires` changed"
    defaults = [each.default_stop.text if each.default_stop else None for each in (old, new)]
    if defaults[0] != defaults[1]:
        lean = OTHER if all(defaults) else STRICTER if defaults[1] else LOOSER
        yield lean, "its `default` changed"
    if shape(old.binds) != shape(new.binds):
        yield UNSURE, "which arguments an answer is for changed"
    if shape(old.grants) != shape(new.grants):
        yield _grants(old, new), "what it `grants` changed"


def _grants(old: Queue, new: Queue) -> Lean:
    if old.grants is None or new.grants is None or old.grants.amount.dimension != new.grants.amount.dimension:
        return UNSURE
    pairs = [(each.grants.amount.value, each.grants.times) for each in (old, new) if each.grants]
    (amount, times), (more, oftener) = pairs
    if int(more) <= int(amount) and oftener <= times:
        return STRICTER
    return LOOSER if int(more) >= int(amount) and oftener >= times else UNSURE


def _asking(sides: Sides, queue: str) -> tuple[Point, ...]:
    """Where somebody may be asked in a queue."""
    found: set[Point] = set()
    for side in (sides.old, sides.new):
        for statement in side.statements:
            outcome = getattr(statement, "outcome", None) or getattr(statement, "otherwise", None)
            if outcome is None or outcome.kind != "escalate" or outcome.target.text != queue:
                continue
            if isinstance(statement, Rule) and statement.selector.point == "tool":
                tools = side.names.tools.values()
                found |= {Point("tool", t.name.text) for t in tools if selects_tool(statement.selector, t)}
            else:
                found |= set(sides.points)
    return tuple(sorted(found))


# -- the route ---------------------------------------------------------------------------------------


def _route(side: Side) -> Route | None:
    return next(iter(side.of(Route)), None)


def route_changes(sides: Sides) -> Iterator[Change]:
    """Which models are tried, and in which order."""
    old, new = _route(sides.old), _route(sides.new)
    route = new or old
    if route is None:
        return
    spans = (old.span if old else None, new.span if new else None)
    shapes = [_arms(side, each) for side, each in ((sides.old, old), (sides.new, new))]
    doubt = next((each for each in _route_doubts(sides, old, new) if each), None)
    edges = [{(a.text, b.text) for a, b in each.fallbacks} if each else set() for each in (old, new)]
    found: tuple[Lean, str] | None = None
    if doubt:
        found = UNSURE, doubt
    elif shapes[0] != shapes[1] or (_named(sides) and edges[0] != edges[1]):
        found = UNSURE, "other models may serve"
    elif edges[0] < edges[1]:
        found = LOOSER, "more fallbacks"
    elif edges[1] < edges[0]:
        found = STRICTER, "fewer fallbacks"
    elif edges[0] != edges[1]:
        found = UNSURE, "other fallbacks"
    elif old and new and shape(old.fallbacks) != shape(new.fallbacks):
        found = UNSURE, "the order of the fallbacks changed"
    if found is not None:
        points = tuple(point for point in sides.points if point.kind != "tool")
        yield Change("route", route.name.text, points, *found, spans)


def _arms(side: Side, route: Route | None) -> Any:
    """All of a route but its fallbacks, by what its conditions say."""
    if route is None:
        return None
    arms = [
        (arm.model.text, side.says(arm.when),
         arm.then and (arm.then.model.text, side.says(arm.then.when)))
        for arm in route.arms
    ]  # fmt: skip
    facts = {each.fact.text for each in route.canaries} & side.names.facts.keys()
    declared = [shape(side.names.facts[name]) for name in sorted(facts)]
    return arms, shape(route.canaries), route.canaries and route.name.text, declared


def _route_doubts(sides: Sides, *routes: Route | None) -> Iterator[str | None]:
    for side, route in zip((sides.old, sides.new), routes, strict=True):
        for arm in route.arms if route else ():
            yield sides.doubt(side.condition(arm.when), MODELS)
            if arm.then is not None:
                yield sides.doubt(side.condition(arm.then.when), MODELS)


def _named(sides: Sides) -> list[str]:
    """The models that rules name: such a rule decides the whole call, where its model is not passed over."""
    rules = [*sides.old.of(Rule), *sides.new.of(Rule)]
    return sorted({r.selector.name.text for r in rules if r.selector.point == "model" and r.selector.name})


def skipped_rules(sides: Sides, changes: list[Change]) -> Iterator[Change]:
    """Where a model is passed over in other cases, so are the rules on it, which decide the whole call."""
    filters = [each for each in changes if _passes_over(each)]
    models = {point.name for each in filters for point in each.points if point.kind == "model"}
    wide = any(MODELS in each.points for each in filters)
    named = [name for name in _named(sides) if wide or name in models]
    if named and (_route(sides.old) or _route(sides.new)):
        says = (
            f"rules on model `{named[0]}` decide the whole call; where it is passed over the next one serves"
        )
        yield Change("route", "", (MODELS,), UNSURE, says)


def _passes_over(change: Change) -> bool:
    """Whether a change is about when a candidate is passed over before its rules are asked."""
    return change.kind in ("require", "breaker") or (change.kind == "model" and change.lean != OTHER)
