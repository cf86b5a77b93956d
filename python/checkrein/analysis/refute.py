"""Counterexamples to claims: runs that do what no run should, tried with the policy's own engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.amounts import money
from checkrein.analysis.attempts import corners
from checkrein.analysis.courses import model_courses, selects_model, selects_tool
from checkrein.analysis.trials import Trial, given
from checkrein.diagnostics import Example
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.emit import emit
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, HOST_BUILT_IN, Context, context_of
from checkrein.language.lower import lower
from checkrein.language.meaning.cells import Odd
from checkrein.language.meaning.needs import may_pass, meets
from checkrein.language.meaning.places import place_of, search
from checkrein.language.meaning.search import FALSE, TRUE, UNKNOWN, Budget, Undecided
from checkrein.language.prices import tariffs_of
from checkrein.language.tree import Order, Require, Route, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from checkrein.analysis.attempts import Corner
    from checkrein.analysis.trials import Given
    from checkrein.language.meaning.places import Place
    from checkrein.language.meaning.search import Witness
    from checkrein.language.names import Names
    from checkrein.language.tree import Arm, Condition, Policy, Tool

CALLS_MAX = 10_000
"""Calls of one run that is tried."""
ASKS_MAX = 20_000
"""Calls that are tried against one claim about cost, half a second."""
WAYS_MAX = 40
"""Runs that are tried against one claim about an order."""
LOOKS = 200_000
NOT_TRUE = FALSE | UNKNOWN
ORDINARY: dict[str, Any] = {
    "text": "x", "flag": True, "count": 1, "money": 10**9, "tokens": 1, "duration": 10**9, "percent": 10_000
}  # fmt: skip
"""What arguments are that no condition minds."""


class Refuter:
    """Tries runs of a policy that has no error but perhaps its claims."""

    def __init__(self, policy: Policy, names: Names) -> None:
        self.policy = policy
        self.names = names
        self.currency = currency_of(policy)
        self.program = _core.Program.load(emit(lower(policy)))
        self.budget = Budget(LOOKS)
        self.asks = 0
        self.dearest = 0
        """What the dearest run has cost."""

    # -- cost ---------------------------------------------------------------------------------

    def costs_more(self, most: int) -> Example | None:
        """A run that costs more than so much, if one was found."""
        self.asks = ASKS_MAX
        for trial in self._spenders(most):
            self.dearest = max(self.dearest, trial.cost)
            if trial.cost > most:
                return _example(trial, f"costs {money(trial.cost, self.currency)}")
        return None

    def _spenders(self, most: int) -> Iterator[Trial]:
        """Runs that ask for one model again and again, with all that it takes, or letting it time out."""
        dearest = {
            each.name: max(corners(self.names.models[each.name], self._tariffs(each.name)), key=_cost)
            for each in model_courses(self.policy, self.names)
        }
        for name in sorted(dearest, key=lambda name: _cost(dearest[name]), reverse=True):
            corner = dearest[name]
            for facts in self._lead_to(name):
                for fails in (False, True):
                    if self.asks > 0 and corner.cost:
                        yield self._spend(name, facts, (corner.input, corner.output), most, fails=fails)

    def _spend(
        self, name: str, facts: list[Given], used: tuple[int, int], most: int, *, fails: bool
    ) -> Trial:
        """Ask until it cost enough; what no longer fits is asked for with half the prompt."""
        trial = Trial(self.program)
        for _ in range(min(self.asks, CALLS_MAX)):
            self.asks -= 1
            if not trial.model(name, facts, used, fails=fails):
                if used[0] == 0:
                    break
                used = (used[0] // 2, used[1])
            if trial.cost > most:
                break
        return trial

    def _tariffs(self, name: str) -> Any:
        return tariffs_of(self.names.models[name], self.currency) or ()

    def _lead_to(self, name: str) -> Iterator[list[Given]]:
        """Facts for which no rule is in the way of a model, and the route leads to it or to nothing else."""
        model = self.names.models[name]
        route = next(iter(self.policy.of(Route)), None)
        arms = route.arms if route else ()
        goals = [
            (self._place(rule.when, context_of(self.names, rule.selector, "rule")), FALSE)
            for rule in self.policy.enforced(Rule)
            if selects_model(rule.selector, name) and rule.when is not None
        ]
        for require in self.policy.enforced(Require):
            if require.when is not None:
                wanted = TRUE | FALSE if meets(model, require) else FALSE
                goals.append((self._place(require.when, Context("model", "a requirement")), wanted))
        for chosen in [arm for arm in arms if arm.model.text == name] + [None]:
            ways = self._arms_until(arms, chosen)
            found = None if ways is None else self._witness([*goals, *ways])
            if found is not None:
                yield list(self._sent(found))

    def _arms_until(self, arms: Iterable[Arm], chosen: Arm | None) -> list[tuple[Place, int]] | None:
        """What it takes for an arm to be the first that is true; for none to be, if none is chosen."""
        goals = []
        for arm in arms:
            if arm.when is not None:
                place = self._place(arm.when, Context("model", "a route"))
                goals.append((place, TRUE if arm is chosen else NOT_TRUE))
            if arm is chosen:
                return goals
            if arm.when is None:
                return None
        return goals

    # -- what comes before what ---------------------------------------------------------------

    def runs_without(self, name: str, unless: str) -> Example | None:
        """A run in which a tool is run while the other one has not been, if one was found."""
        tool = self.names.tools[name]
        ways: list[list[str]] = [[]]
        for order in self.policy.enforced(Order):
            if selects_tool(order.after, tool):
                looks = [n for n, each in self.names.tools.items() if selects_tool(order.before, each)]
                ways = [[*way, *look] for way in ways for look in ([], *([n] for n in looks if n != unless))]
        for way in sorted(ways, key=len)[:WAYS_MAX]:
            trial = Trial(self.program)
            done = [self._run(trial, each) for each in dict.fromkeys([*way, name])]
            if all(done):
                return _example(trial, "is let through")
        return None

    def asks_without(self, name: str) -> Example | None:
        """A run that begins with a call of a model, if one was found."""
        for facts in self._lead_to(name):
            trial = Trial(self.program)
            if trial.model(name, facts, (1, 1), fails=False):
                return _example(trial, "is let through")
        return None

    def _run(self, trial: Trial, name: str) -> bool:
        """Run a tool, with arguments and facts that no rule minds which nobody can lift."""
        tool = self.names.tools[name]
        rules = [rule for rule in self.policy.enforced(Rule) if selects_tool(rule.selector, tool)]
        goals = [
            (self._place(rule.when, context_of(self.names, rule.selector, "rule")), FALSE)
            for rule in rules
            if rule.when is not None and not may_pass(rule.outcome)
        ]
        found = self._witness(goals)
        return found is not None and trial.tool(name, self._args(tool, found), self._sent(found))

    def _args(self, tool: Tool, found: Witness) -> Iterator[Given]:
        """Every argument of a tool: what was found, else something ordinary."""
        for arg in tool.args:
            kind = arg.type
            ordinary = kind.choices[0] if kind.choices else ORDINARY.get(kind.dimension, Odd.MISSING)
            value = found.get(ARG_PREFIX + arg.name.text, (ordinary,) if kind.most else ordinary)
            sent = given(arg.name.text, value, kind.dimension, self.currency, kind.unit)
            if sent is not None:
                yield sent

    # -- facts --------------------------------------------------------------------------------

    def _place(self, when: Condition, context: Context) -> Place:
        return place_of(self.names, "", when, context)

    def _witness(self, goals: list[tuple[Place, int]]) -> Witness | None:
        """Facts for which these conditions are as they are wanted; None if none are found."""
        if not goals:
            return {}
        places, wanted = zip(*goals, strict=True)
        try:
            return search(self.names, self.budget, *places).find(*wanted)
        except Undecided:
            return None

    def _sent(self, found: Witness) -> Iterator[Given]:
        """Those that a host sends beside a call; the engine sets the others itself."""
        for name, value in found.items():
            if name in HOST_BUILT_IN:
                sent = given(name, value, BUILT_IN[name].dimension, self.currency)
            elif name in self.names.facts:
                sent = given(name, value, self.names.facts[name].type.dimension, self.currency)
            else:
                continue
            if sent is not None:
                yield sent


def _cost(corner: Corner) -> Fraction:
    return corner.cost


def _example(trial: Trial, shows: str) -> Example:
    return Example((), shows, trial.written())
