"""Two policies side by side: what both know, and which facts need not be the same in the same run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from checkrein.analysis.courses import selects_tool
from checkrein.difference.outcomes import facts_told
from checkrein.difference.shapes import seen, shape, strange_leaves
from checkrein.difference.verdict import MODELS, Point
from checkrein.frozen import replace
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, CLOCK_PREFIX, Context, Unknown, find
from checkrein.language.meaning.cells import Domain, Odd, domain_of
from checkrein.language.meaning.search import expanded, leaves_of
from checkrein.language.names import Names
from checkrein.language.prices import tariffs_of
from checkrein.language.tree import Limit, Model, Rule, WallClock

if TYPE_CHECKING:
    from checkrein.language.tree import Condition, Policy, Tool, Value

_KNOWN = frozenset(
    "run.id session.id user.id team.id org.id call.attempt call.cost call.model call.tool call.input_tokens"
    " step.index step.kind step.confidence result.confidence error.kind error.status error.retry_after"
    " error.billed now.hour now.time now.weekday now.day now.month".split()
)
"""What the engine knows of a call; besides, there are the counters of limits."""


S = TypeVar("S")


@dataclass(frozen=True)
class Side:
    """One of the policies."""

    policy: Policy

    @cached_property
    def names(self) -> Names:
        """Its tables of names."""
        return Names(self.policy)

    @cached_property
    def statements(self) -> list[Any]:
        """What it enforces and declares, without what is only observed."""
        return [each for each in self.policy.statements if getattr(each, "observed", None) is None]

    def of(self, kind: type[S]) -> list[S]:
        """Those of one class."""
        return [each for each in self.statements if isinstance(each, kind)]

    def text(self, node: Any) -> str:
        """What stands in the file, on one line."""
        return " ".join(self.policy.source[node.span.start : node.span.end].split())

    @cached_property
    def _defaults(self) -> dict[str, Value]:
        facts = self.names.facts.values()
        return {fact.name.text: fact.default for fact in facts if fact.default is not None}

    @cached_property
    def _seen(self) -> dict[int, Condition]:
        return {}

    def condition(self, written: Condition | None) -> Condition | None:
        """A condition about what the host sends: defines and defaults are written out."""
        if written is None:
            return None
        if id(written) not in self._seen:
            self._seen[id(written)] = seen(expanded(written, self.names.defines), self._defaults)
        return self._seen[id(written)]

    @cached_property
    def _shapes(self) -> dict[int, Any]:
        return {}

    def says(self, written: Condition | None) -> Any:
        """What a condition says of what the host sends, as values that are equal if it says the same."""
        if id(written) not in self._shapes:
            self._shapes[id(written)] = shape(self.condition(written))
        return self._shapes[id(written)]

    def rules_at(self, point: Point) -> list[Rule]:
        """The rules that look at the calls of a point."""
        if point.kind == "tool":
            return self.rules_of_tool(self.names.tools[point.name])
        return self.rules_of_models(point.name or None)

    def rules_of_tool(self, tool: Tool) -> list[Rule]:
        """The rules that look at a tool, by name."""
        found = [rule for rule in self.of(Rule) if selects_tool(rule.selector, tool)]
        return sorted(found, key=lambda rule: rule.name.text)

    def rules_of_models(self, model: str | None) -> list[Rule]:
        """The rules on one model by its name; those on any model, if that is None."""
        on_models = [rule for rule in self.of(Rule) if rule.selector.point == "model"]
        named = [rule.selector.name.text if rule.selector.name else None for rule in on_models]
        found = [rule for rule, name in zip(on_models, named, strict=True) if name == model]
        return sorted(found, key=lambda rule: rule.name.text)

    @cached_property
    def tariffs(self) -> dict[str, Any]:
        """What each model costs."""
        currency = currency_of(self.policy)
        return {model.name.text: tariffs_of(model, currency) for model in self.of(Model)}


@dataclass(frozen=True)
class Sides:
    """The old policy and the new one."""

    old: Side
    new: Side
    doubts: dict[str, str] = field(default_factory=dict)
    """Facts that may differ in the same run, with why."""

    def __post_init__(self) -> None:
        self.doubts.update(_doubts(self))

    @cached_property
    def told(self) -> set[str]:
        """The facts that stand in texts of answers."""
        statements = [*self.old.statements, *self.new.statements]
        found = (getattr(each, "outcome", None) or getattr(each, "otherwise", None) for each in statements)
        return {name for outcome in found if outcome is not None for name in facts_told(outcome)}

    @cached_property
    def several_ask(self) -> bool:
        """Whether several statements of a policy ask people: for one call the first name asks first."""
        return any(sum(map(_escalates, side.statements)) > 1 for side in (self.old, self.new))

    @cached_property
    def counterparts(self) -> dict[str, Rule]:
        """For the names of old rules the new ones: of that name, else of that content by another name."""
        old, new = ({rule.name.text: rule for rule in side.of(Rule)} for side in (self.old, self.new))
        found = {name: new[name] for name in old if name in new}
        contents: dict[Any, tuple[list[Rule], list[Rule]]] = {}
        for at, (mine, its) in enumerate(((old, new), (new, old))):
            for rule in (mine[name] for name in mine if name not in its):
                contents.setdefault(shape(rule, "name"), ([], []))[at].append(rule)
        for before, after in contents.values():
            if len(before) == len(after) == 1:
                found[before[0].name.text] = after[0]
        return found

    def turned(self) -> Sides:
        """The same, the other way round."""
        return self._back

    @cached_property
    def _back(self) -> Sides:
        back = Sides(self.new, self.old)
        back.__dict__["_back"] = self
        return back

    @cached_property
    def tools(self) -> list[str]:
        """The tools that both declare."""
        return sorted(self.old.names.tools.keys() & self.new.names.tools.keys())

    @cached_property
    def models(self) -> list[str]:
        """The models that both declare."""
        return sorted(self.old.names.models.keys() & self.new.names.models.keys())

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every decision point of either policy."""
        tools = sorted(self.old.names.tools.keys() | self.new.names.tools.keys())
        models = sorted(self.old.names.models.keys() | self.new.names.models.keys())
        found = [Point("tool", name) for name in tools]
        if models:
            found += [MODELS, *(Point("model", name) for name in models)]
        return tuple(found)

    def context(self, side: Side, point: Point, *, error: bool = False) -> Context:
        """What a condition can read at a point."""
        if point.kind == "tool":
            return Context("tool", "a tool call", (side.names.tools[point.name],), error=error)
        return Context("model", "a model call", named_model=point.kind == "model", error=error)

    def doubt(self, condition: Condition | None, point: Point) -> str | None:
        """Why what a condition says can't be compared; None if it can."""
        if condition is None:
            return None
        for kind in strange_leaves(condition):
            return f"what conditions say by `{kind}` is not compared"
        for name in sorted({leaf.fact.text for leaf in leaves_of(condition)}):
            if name in self.doubts:
                return self.doubts[name]
            if name.startswith(ARG_PREFIX) and point.kind == "tool":
                args = [_arg(side.names.tools[point.name], name) for side in (self.old, self.new)]
                if args[0] != args[1]:
                    return f"`{name}` is of another type"
        return None

    def domain(self, name: str, point: Point, *, error: bool = False) -> Domain:
        """All that a fact can be at a point, under either policy; what has a default may be missing too."""
        contexts = [self.context(side, point, error=error) for side in (self.old, self.new)]
        if name == "call.model" and point.kind != "model":
            models = self.old.names.models.keys() | self.new.names.models.keys()
            return Domain("text", tuple(sorted(models)), (Odd.MISSING,))
        model = point.name if point.kind == "model" else None
        found = domain_of(self.old.names, name, contexts[0], model)
        if found is None:
            # An argument that this tool does not declare: whatever is sent, it is missing.
            return Domain("flag", (), (Odd.MISSING,))
        if name in self.old.names.facts:
            return replace(found, odd=(Odd.MISSING, Odd.ILL_TYPED))
        return found


def _escalates(statement: Any) -> bool:
    outcome = getattr(statement, "outcome", None) or getattr(statement, "otherwise", None)
    return outcome is not None and outcome.kind == "escalate"


def _arg(tool: Tool, name: str) -> Any:
    wanted = name.removeprefix(ARG_PREFIX)
    return next((shape(arg.type) for arg in tool.args if arg.name.text == wanted), None)


def _doubts(sides: Sides) -> dict[str, str]:
    """Of facts of the engine and the host: which may differ although the runs are the same so far."""
    old, new = sides.old, sides.new
    found: dict[str, str] = {}
    for name, fact in BUILT_IN.items():
        if fact.counts is None and name not in _KNOWN:
            found[name] = f"what `{name}` is under two policies is not compared"
        is_own = fact.counts is not None and not fact.is_shared and not name.endswith(".left")
        if fact.counts is not None and not is_own and _own(old, *fact.counts) != _own(new, *fact.counts):
            found[name] = f"the limits that `{name}` is about differ"
    zones = [[clock.zone.text for clock in side.of(WallClock)] for side in (old, new)]
    if zones[0] != zones[1]:
        found |= {name: "their clocks are in two zones" for name in BUILT_IN if name.startswith(CLOCK_PREFIX)}
    if any(old.tariffs[name] != new.tariffs[name] for name in sides.models):
        found |= {name: "prices differ" for name in BUILT_IN if ".cost." in name}
    if any(_of_a_call(old, name) != _of_a_call(new, name) for name in sides.models):
        found["call.cost"] = "what a call may cost differs"
    for name in old.names.facts.keys() & new.names.facts.keys():
        if shape(old.names.facts[name].type) != shape(new.names.facts[name].type):
            found[name] = f"the fact `{name}` is of another type"
    for name in _read(old) | _read(new):
        known = [find(side.names, name, Context("any", "anywhere")) for side in (old, new)]
        is_declared = not name.startswith((ARG_PREFIX, "result.")) and name not in BUILT_IN
        if is_declared and any(isinstance(each, Unknown) for each in known):
            found.setdefault(name, f"only one of the policies knows the fact `{name}`")
    return found


def _of_a_call(side: Side, model: str) -> Any:
    """What tells the most that a call of a model may cost."""
    declared = side.names.models[model]
    return side.tariffs[model], declared.window, declared.output


def _own(side: Side, scope: str, measure: str) -> list[Any]:
    """The limits of a scope that bound a measure, with the queues that may raise them."""
    limits = [each for each in side.of(Limit) if each.scope.text == scope]
    found = [each for each in limits if any(bound.dimension == measure for bound in each.bounds)]
    queues = [each.otherwise.target for each in found if each.otherwise.kind == "escalate"]
    granted = [side.names.queues[queue.text] for queue in queues if queue is not None]
    return [sorted(repr(shape(each, "name", "thresholds")) for each in some) for some in (found, granted)]


def _read(side: Side) -> set[str]:
    """The facts that rules, retries, requirements and routes read."""
    from checkrein.language.meaning.places import places_of

    return {
        leaf.fact.text
        for place in places_of(side.names)
        if not list(strange_leaves(place.condition))
        for leaf in leaves_of(place.condition)
    }
