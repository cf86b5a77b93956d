"""Arms that choose nothing, values that no arm is for, and requirements that leave no model."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from checkrein.diagnostics import Related, quote
from checkrein.language.facts import Context
from checkrein.language.meaning.examples import example_of
from checkrein.language.meaning.needs import meets
from checkrein.language.meaning.places import place_of, search
from checkrein.language.meaning.search import FALSE, TRUE, UNKNOWN, Budget, Undecided, leaves_of
from checkrein.language.tree import OWN, Require, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from checkrein.diagnostics import Example, Report
    from checkrein.language.meaning.places import Place
    from checkrein.language.meaning.search import Witness
    from checkrein.language.names import Names
    from checkrein.language.tree import Arm, Condition, Model, Name

TOGETHER_MAX = 3
"""Of how many requirements it is asked whether a model meets them together."""
REQUIRES_MAX = 40
"""How many requirements are combined at all."""
LOOKS = 300_000
NOT_TRUE = FALSE | UNKNOWN


def report_routes(names: Names, budget: Budget, report: Report) -> None:
    """Add what is found about the route and the requirements; all are warnings."""
    Routes(names, budget, report).look()


def report_overlaps(names: Names, report: Report) -> None:
    """Add the requirements that can apply to one call and leave it no model: that may well be meant."""
    routes = Routes(names, Budget(LOOKS), report)
    routes.ask(lambda: routes.unmet(always=False))


class Routes:
    """What a policy says of which model serves a call, and questions about it."""

    def __init__(self, names: Names, budget: Budget, report: Report) -> None:
        self.names = names
        self.budget = budget
        self.report = report
        self.route = next(iter(names.policy.of(Route)), None)
        self.arms = self.route.arms if self.route else ()
        self.requires = names.policy.enforced(Require)

    def look(self) -> None:
        """Each question by itself: one that is too hard leaves the others alone."""
        for place, arm in enumerate(self.arms):
            self.ask(self._idle_arm, arm, self.arms[:place])
        if self.route is not None:
            self.ask(self._gap, self.route)
            self.ask(self._nowhere, self.route)
            for word, name, when in self._leads(self.route):
                self.ask(self._ruled_out, word, name, when)
        self.ask(lambda: self.unmet(always=True))

    def ask(self, question: Callable[..., None], *given: Any) -> None:
        try:
            question(*given)
        except Undecided:
            return

    def _find(self, *goals: tuple[Condition | None, int]) -> Witness | None:
        """Facts for which each condition has a truth of its goal; one that is left out is true."""
        if any(when is None and not goal & TRUE for when, goal in goals):
            return None
        asked = [(self._place(when), goal) for when, goal in goals if when is not None]
        if not asked:
            return {}
        places, wanted = zip(*asked, strict=True)
        return search(self.names, self.budget, *places).find(*wanted)

    def _place(self, when: Condition) -> Place:
        return place_of(self.names, "", when, Context("model", "a route"))

    def _example(self, witness: Witness | None, shows: str, *read: Condition | None) -> Example | None:
        places = [self._place(when) for when in read if when is not None]
        return None if witness is None else example_of(self.names, witness, shows, *places)

    # -- arms ---------------------------------------------------------------------------------

    def _idle_arm(self, arm: Arm, before: Sequence[Arm]) -> None:
        """An arm that adds nothing to those above it, or is never the one that comes first."""
        if arm.when is None or self._find((arm.when, TRUE)) is None:
            return
        mine = quote(arm.model.text)
        same = [each for each in before if each.model.text == arm.model.text]
        others = self._fewest(arm, same) or self._last_arm(arm)
        if others:
            message = f"the arm to {mine} adds nothing: the model is a candidate without it"
            help = "remove it, or write the model that was meant"
            self._tell("R0633", arm, others, message, help, "both arms lead there")
            return
        others = self._fewest(arm, before)
        if others and not self._is_reserve(arm):
            first = " or ".join(quote(each.model.text) for each in others)
            message = f"the arm to {mine} never comes first: whenever it is true one further up is"
            help = "put it further up, or write it as a `fallback` if it is meant as the reserve"
            self._tell("R0632", arm, others, message, help, f"the arm to {first} comes first")

    def _is_reserve(self, arm: Arm) -> bool:
        """Whether it comes before an arm to another model that is always true, which a fallback would not."""
        below = self.arms[self.arms.index(arm) + 1 :]
        return any(each.when is None and each.model.text != arm.model.text for each in below)

    def _fewest(self, arm: Arm, before: Sequence[Arm]) -> list[Arm]:
        """As few of these arms as it takes for one to be true whenever the arm is; none if there are none."""
        some = [each for each in before if each.when is not None]
        if not some or not self._are_true_with(arm, some):
            return []
        for each in tuple(some):
            fewer = [other for other in some if other is not each]
            if fewer and self._are_true_with(arm, fewer):
                some = fewer
        return some

    def _are_true_with(self, arm: Arm, others: Sequence[Arm]) -> bool:
        return self._find((arm.when, TRUE), *((each.when, NOT_TRUE) for each in others)) is None

    def _last_arm(self, arm: Arm) -> list[Arm]:
        """The last arm, if it is always true and all from here on lead where it does."""
        rest = self.arms[self.arms.index(arm) :]
        last = rest[-1]
        is_same = all(each.model.text == arm.model.text and each.then is None for each in rest)
        return [last] if is_same and last.when is None and last is not arm else []

    def _tell(self, code: str, arm: Arm, others: list[Arm], message: str, help: str, shows: str) -> None:
        found = self._find((arm.when, TRUE), (others[0].when, TRUE))
        example = self._example(found, shows, arm.when, others[0].when)
        related = tuple(Related(f"the arm to {quote(o.model.text)} is here", o.model.span) for o in others)
        self.report.add(
            code, arm.model.span, message, help=help, related=related, example=example, severity="warning"
        )

    # -- what the route has no answer for -----------------------------------------------------

    def _gap(self, route: Route) -> None:
        """Choices of facts for which no arm is true, where all arms go by such facts alone."""
        conditions = [arm.when for arm in self.arms if arm.when is not None]
        if len(conditions) < max(2, len(self.arms)) or route.fallbacks:
            return
        read = {leaf.fact.text for when in conditions for leaf in leaves_of(self._place(when).condition)}
        declared = [self.names.facts.get(name) for name in read]
        if not all(fact is not None and fact.type.choices for fact in declared):
            return
        found = self._find(*((when, FALSE) for when in conditions))
        if found is None:
            return
        example = self._example(found, "no arm is true", *conditions)
        message = f"route {quote(route.name.text)} has no arm for some values of what its arms go by"
        help = 'write a last arm without `when`; without one the host has to name the model: `to "model"`'
        self.report.add("R0634", route.name.span, message, help=help, example=example, severity="warning")

    def _nowhere(self, route: Route) -> None:
        """Models that no call comes to, since the last arm is always true."""
        if not any(arm.when is None for arm in self.arms):
            return
        led = {name.text for _, name, _ in self._leads(route)}
        for model in self.names.models.values():
            # A model of an included file may be for another policy.
            if model.name.text not in led and model.span.file == OWN:
                message = f"model {quote(model.name.text)} is never used: the route leads elsewhere"
                help = "write an arm or a fallback to it, or remove it"
                related = (Related("this arm is always true", self.arms[-1].span),)
                self.report.add(
                    "R0637", model.name.span, message, help=help, related=related, severity="warning"
                )

    def _leads(self, route: Route) -> Iterator[tuple[str, Name, Condition | None]]:
        """Every model that the route names, with the condition under which it leads there."""
        for canary in route.canaries:
            yield "canary", canary.model, None
        for arm in route.arms:
            yield "arm", arm.model, arm.when
            if arm.then is not None:
                yield "cascade", arm.then.model, None
        for _, name in route.fallbacks:
            yield "fallback", name, None

    # -- requirements -------------------------------------------------------------------------

    def _ruled_out(self, word: str, name: Name, when: Condition | None) -> None:
        """A model that some requirement filters whenever the route leads to it."""
        model = self.names.models[name.text]
        unmet = [each for each in self.requires if not meets(model, each)]
        if not unmet or (when is not None and self._find((when, TRUE)) is None):
            return
        if self._find((when, TRUE), *((each.when, FALSE) for each in unmet)) is not None:
            return
        by = next((e for e in unmet if self._find((when, TRUE), (e.when, FALSE)) is None), unmet[0])
        found = self._find((when, TRUE), (by.when, TRUE))
        example = self._example(found, f"{quote(by.name.text)} rules it out", when, by.when)
        whenever = " whenever it is true" if when is not None else ""
        message = f"the {word} to {quote(name.text)} leads nowhere: requirements rule it out{whenever}"
        help = f"name a model that meets {quote(by.name.text)}"
        related = (Related("required here", by.name.span),)
        self.report.add(
            "R0636", name.span, message, help=help, related=related, example=example, severity="warning"
        )

    def unmet(self, *, always: bool) -> None:
        """Requirements that apply to one call, and that no model meets together.

        `always` asks for those of which one never applies without the others: where it does no model is left.
        """
        models = list(self.names.models.values())
        some = [each for each in self.requires if any(meets(model, each) for model in models)]
        told: list[set[str]] = []
        for size in range(2, TOGETHER_MAX + 1):
            for group in itertools.combinations(some[:REQUIRES_MAX], size):
                wanted = {each.name.text for each in group}
                if any(less <= wanted for less in told) or _any_meets(models, group):
                    continue
                found = self._find(*((each.when, TRUE) for each in group))
                if found is not None and always == self._is_always(group):
                    told.append(wanted)
                    self._tell_unmet(group, found, always=always)

    def _is_always(self, group: Sequence[Require]) -> bool:
        """Whether one of them applies only where all do."""
        return any(
            all(self._find((one.when, TRUE), (other.when, NOT_TRUE)) is None for other in group)
            for one in group
        )

    def _tell_unmet(self, group: Sequence[Require], found: Witness, *, always: bool) -> None:
        *others, last = group
        listed = f"{', '.join(quote(each.name.text) for each in others)} and {quote(last.name.text)}"
        all_of = "both" if len(group) == 2 else "all"
        example = self._example(
            found, f"{all_of} apply, and the call is denied", *(each.when for each in group)
        )
        help = "declare a model that meets them, or say in one of them when it is not meant"
        related = tuple(Related(f"{quote(each.name.text)} is here", each.name.span) for each in others)
        code, message = "R0635", f"no model meets {listed}, and one never applies without the rest"
        if not always:
            code, message = "R0641", f"no model meets {listed} where {all_of} apply"
        self.report.add(
            code, last.name.span, message, help=help, related=related, example=example, severity="warning"
        )


def _any_meets(models: Iterable[Model], group: Iterable[Require]) -> bool:
    group = list(group)
    return any(all(meets(model, each) for each in group) for model in models)
