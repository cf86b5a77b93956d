"""Requirements that can be met; routes whose arms are reached, whose fallbacks end and whose shares fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import Context, Unknown, find
from checkrein.language.meaning.needs import meets
from checkrein.language.translate.walk import ARTICLE
from checkrein.language.tree import Limit, NamesNeed, TierNeed

if TYPE_CHECKING:
    from collections.abc import Collection

    from checkrein.diagnostics import Report
    from checkrein.language.check.targets import Targets
    from checkrein.language.names import Names
    from checkrein.language.tree import Model, Name, Require, Route, Span

WHOLE_PPM = 1_000_000


def check_tiers(names: Names, report: Report) -> None:
    """Report models without a tier, where a limit prefers lower ones."""
    limits = names.policy.of(Limit)
    lowering = [t for limit in limits for t in limit.thresholds if t.advice == "prefer lower tier"]
    for model in names.models.values() if lowering else ():
        if not model.tier:
            report.add(
                "R0417",
                model.name.span,
                f"model {quote(model.name.text)} gives no tier, and a limit prefers lower tiers",
                related=(Related("preferred here", lowering[0].span),),
                help="write `tier 1` for the cheapest, and a higher one for each that is dearer",
            )


class RouteChecker:
    """Checks the statements that choose models."""

    def __init__(self, targets: Targets) -> None:
        self.names = targets.names
        self.report = targets.report
        self._route: Route | None = None

    # -- requirements -------------------------------------------------------------------------

    def require(self, require: Require) -> None:
        """Report a requirement that no model can meet."""
        models = self.names.models.values()
        match require.need:
            case TierNeed(operator, tier, span):
                if not any(meets(model, require) for model in models):
                    self._unmet(
                        span, f"no model has a tier `{operator} {tier}`", "say what models can do: `tier 1`"
                    )
            case NamesNeed("model", names):
                for name in names:
                    self.names.resolve(self.report, "model", name, self.names.models)
            case NamesNeed(_, names):
                for name in names:
                    self._region(name, models)
            case _:
                pass

    def _region(self, name: Name, models: Collection[Model]) -> None:
        regions = sorted({model.region.text for model in models if model.region})
        if name.text not in regions:
            help = self.names.did_you_mean(name.text, regions)
            what = f"no model is in the region {quote(name.text)}"
            self._unmet(name.span, what, help or f'say where models run: `region "{name.text}"`')

    def _unmet(self, span: Span, message: str, help: str) -> None:
        if not self.names.broken:
            self.report.add("R0414", span, message, help=help)

    # -- routes -------------------------------------------------------------------------------

    def route(self, route: Route) -> None:
        """Report a second route, one that leads nowhere, and what is wrong with its arms."""
        if self._route is not None:
            self.report.add(
                "R0404",
                route.name.span,
                f"route {quote(route.name.text)} is a second route",
                related=(Related("the first route", self._route.name.span),),
                help="two routes would choose for the same call; make them one",
            )
        self._route = self._route or route
        if not (route.arms or route.fallbacks or route.canaries or self.names.broken):
            self.report.add(
                "R0410",
                route.name.span,
                f"route {quote(route.name.text)} leads nowhere",
                help='write `to "model" when ...` or `fallback "model" -> "other"`',
            )
        catch_all = None
        for arm in route.arms:
            self.names.resolve(self.report, "model", arm.model, self.names.models)
            if arm.then is not None:
                self._then(arm.model, arm.then.model)
            if catch_all is not None:
                self.report.add(
                    "R0407",
                    arm.span,
                    f"the arm to {quote(arm.model.text)} comes after an arm that is always true",
                    related=(Related("always true", catch_all.span),),
                    help="put it first, or write it as a `fallback` if it is meant as the reserve",
                )
            elif arm.when is None:
                catch_all = arm
        self._fallbacks(route)
        self._canaries(route)

    def _fallbacks(self, route: Route) -> None:
        edges: dict[str, list[str]] = {}
        seen: set[tuple[str, str]] = set()
        for start, end in route.fallbacks:
            known = [self.names.resolve(self.report, "model", n, self.names.models) for n in (start, end)]
            edge = (start.text, end.text)
            if edge in seen:
                message = f"fallback {quote(start.text)} -> {quote(end.text)} is given twice"
                self.report.add("R0406", end.span, message, help="keep one of the two")
            elif all(known) and (start.text == end.text or _reaches(edges, end.text, start.text)):
                own = start.text == end.text
                message = "a model cannot fall back to itself" if own else "the fallbacks go in a circle"
                self.report.add(
                    "R0405",
                    end.span,
                    f"{message}: {quote(start.text)} -> {quote(end.text)}",
                    help="remove one of the fallbacks",
                )
            else:
                edges.setdefault(start.text, []).append(end.text)
            seen.add(edge)

    def _then(self, first: Name, then: Name) -> None:
        known = self.names.resolve(self.report, "model", then, self.names.models)
        if known and then.text == first.text:
            message = f"a cascade from {quote(first.text)} to itself"
            self.report.add("R0418", then.span, message, help="name a larger model after `then`")

    def _canaries(self, route: Route) -> None:
        total = 0
        for canary in route.canaries:
            self.names.resolve(self.report, "model", canary.model, self.names.models)
            total += int(canary.percent.value)
            first = route.canaries[0].fact
            if self._is_drawn_by(canary.fact) and canary.fact.text != first.text:
                self.report.add(
                    "R0416",
                    canary.fact.span,
                    "two canaries of one route go by different facts",
                    related=(Related("the first", first.span),),
                    help="their shares lie side by side, so all go by one fact",
                )
        if total > WHOLE_PPM:
            message = f"the canaries of route {quote(route.name.text)} are more than 100% together"
            self.report.add("R0416", route.canaries[-1].percent.span, message, help="make them smaller")

    def _is_drawn_by(self, fact: Name) -> bool:
        known = find(self.names, fact.text, Context("model", "a route"))
        if isinstance(known, Unknown):
            if not self.names.broken:
                self.report.add(known.code, fact.span, known.message, help=known.help)
            return False
        why = None
        if known.is_list:
            why = f"a canary goes by one text, {quote(fact.text)} is a list"
        elif known.dimension != "text":
            why = f"a canary goes by a text, {quote(fact.text)} is {ARTICLE[known.dimension]}"
        elif known.source == "builtin" and not fact.text.endswith(".id"):
            why = f"a canary goes by whom a run is for, not by {quote(fact.text)}"
        if why is not None:
            self.report.add("R0415", fact.span, why, help="write `by session.id` or `by user.id`")
        return why is None


def _reaches(edges: dict[str, list[str]], start: str, goal: str) -> bool:
    seen, todo = set(), [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            todo += edges.get(here, [])
    return False
