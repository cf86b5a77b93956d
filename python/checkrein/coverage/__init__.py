"""What the tests of a policy cover, as the engine tells it.

Votes are counted in the tests themselves. What the atoms of conditions were is asked of the engine too: the
test is run again up to the same call, under the same policy with probes (see `probes`), and the call is asked
with the probes on. Runs are the same for the same events, and it is checked that they were.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checkrein.coverage.points import Points
from checkrein.coverage.probes import AFTER_ERROR, FACT, Probes, combined
from checkrein.testing import Rehearsal, Result, Watch, chosen

if TYPE_CHECKING:
    from checkrein.coverage.points import Atom, Point, Value
    from checkrein.coverage.probes import Reading
    from checkrein.language.tree import Call, Policy, Test, Then

__all__ = ["Coverage", "measure"]

ASKS_MAX = 10_000
"""How many asks of one test are made again at most to learn about its conditions."""


@dataclass(slots=True)
class Coverage:
    """What was covered of one policy."""

    points: list[Point]
    atoms: list[Atom]
    unseen: list[str] = field(default_factory=list)
    """Tests that are too long to have their conditions looked at in all of their calls."""

    @property
    def met(self) -> int:
        """How many statements voted, arms were taken and outcomes were met."""
        return sum(point.times > 0 for point in self.points) + sum(
            len(atom.met & atom.wanted) for atom in self.atoms
        )

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.points) + sum(len(atom.wanted) for atom in self.atoms)


def measure(policy: Policy, program: Any, *, only: str | None = None) -> tuple[list[Result], Coverage]:
    """Run the tests of a checked policy, and see what they cover of it."""
    points = Points(policy)
    probes = Probes(points)
    atoms = sorted(points.atoms.values(), key=lambda atom: atom.span.start)
    coverage = Coverage(points.all, atoms)
    results = []
    for test in chosen(policy, only):
        seen = _Seen()
        results.append(Rehearsal(policy, program, test, seen).result())
        _count(points, seen)
        if not _look(points, probes, test, seen):
            coverage.unseen.append(test.name.text)
    return results, coverage


@dataclass(slots=True)
class _Ask:
    """One ask of a test, what was decided about it, and then about its end."""

    item: Call
    decisions: list[Any] = field(default_factory=list)

    def ended(self, how: str) -> bool:
        """Whether something was decided about its error, or its result."""
        return len(self.decisions) > 1 and bool(self.decisions[-1].event.endswith(how))


class _Seen(Watch):
    """Everything that was decided in a test."""

    def __init__(self) -> None:
        self.asks: list[_Ask] = []

    def asked(self, item: Call, facts: dict[str, Any]) -> dict[str, Any]:
        self.asks.append(_Ask(item))
        return facts

    def decided(self, item: Call, decision: Any) -> None:  # noqa: ARG002
        self.asks[-1].decisions.append(decision)


class _Told(Exception):
    """The decision that was wanted, with the probes in it: no error, the test ends here."""

    def __init__(self, decision: Any) -> None:
        super().__init__()
        self.decision = decision


class _Asking(_Seen):
    """The same test once more, up to one ask, which is made with the probes of a group."""

    def __init__(self, number: int, group: str, real: list[_Ask], *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.number = number
        self.group = group
        self.real = real

    def asked(self, item: Call, facts: dict[str, Any]) -> dict[str, Any]:
        super().asked(item, facts)
        return {**facts, FACT: self.group} if len(self.asks) > self.number else facts

    def decided(self, item: Call, decision: Any) -> None:
        super().decided(item, decision)
        made = self.asks[-1].decisions
        if len(self.asks) > self.number and len(made) > self.after:
            raise _Told(decision)
        real = self.real[len(self.asks) - 1].decisions[len(made) - 1]
        if _gist(decision) != _gist(real):
            raise RuntimeError(f"with probes, decision {real.number} of the test became another one")


def _gist(decision: Any) -> tuple[Any, ...]:
    d = decision
    return (d.event, d.outcome, d.by, d.kind, d.model, d.output_cap, d.wait_ns, tuple(d.votes))


def _count(points: Points, seen: _Seen) -> None:
    """What voted, and what passed a model over."""
    for decision in (decision for ask in seen.asks for decision in ask.decisions):
        voted = _voted(decision)
        for place in voted | {(kind, name) for _, kind, name in decision.passed}:
            if place in points.voters:
                points.voters[place].times += 1


def _voted(decision: Any) -> set[tuple[str, str]]:
    """The statements that voted, and those that would have."""
    voted = {(kind, name) for kind, name, *_ in decision.votes}
    return voted | {(kind, name) for _, kind, name, *_ in decision.would}


def _look(points: Points, probes: Probes, test: Test, seen: _Seen) -> bool:
    """Learn what conditions were in the asks of a test; false if it has too many to look at all of them."""
    again = _Again(points, probes, test, seen.asks)
    try:
        for number in _in_order(seen.asks):
            ask = seen.asks[number]
            for group in probes.groups(ask.item, failed=ask.ended("error")):
                decision = again.ask(number, group, after=group == AFTER_ERROR)
                if decision is not None:
                    _learn(points, ask, probes.read(group, decision))
            if ask.item.name is not None and ask.item.name.text in points.results and ask.ended("result"):
                _learn_result(points, again, number, ask)
            elif points.cascade is not None and ask.item.point == "model" and ask.ended("result"):
                _learn_doubt(points, points.cascade.then, again, number, ask)
    except _TooLong:
        return False
    return True


def _in_order(asks: list[_Ask]) -> list[int]:
    """The first ask of each call that stands in the test, then what it repeats."""
    first = {id(ask.item): number for number, ask in reversed(list(enumerate(asks)))}
    return sorted(range(len(asks)), key=lambda number: (first[id(asks[number].item)] != number, number))


class _TooLong(Exception):
    """More was asked again than `ASKS_MAX`."""


@dataclass(slots=True)
class _Again:
    """Makes asks of a test once more, with probes."""

    points: Points
    probes: Probes
    test: Test
    asks: list[_Ask]
    made: int = 0

    def ask(self, number: int, group: str, *, after: bool) -> Any:
        """What is decided about an ask with the probes of a group on, or about its end."""
        self.made += number + 1
        if self.made > ASKS_MAX:
            raise _TooLong
        watch = _Asking(number, group, self.asks, after=after)
        try:
            Rehearsal(self.points.policy, self.probes.program, self.test, watch).result()
        except _Told as told:
            return told.decision
        return None

    def takes(self, number: int, group: str) -> bool:
        """Whether the result of an ask is taken with an atom, or its contrary, for the condition."""
        decision = self.ask(number, group, after=True)
        return decision is not None and bool(decision.outcome == "allow")


def _learn_result(points: Points, again: _Again, number: int, ask: _Ask) -> None:
    """A result is taken if what its tool succeeds by is true: asked of each atom and its contrary."""
    succeeds = points.results[ask.item.name.text].succeeds if ask.item.name else None
    leaves = list(points.leaves(succeeds)) if succeeds else []
    if succeeds is None or all(points.atom(leaf).is_done for leaf in leaves):
        return

    values: dict[int, Value] = {}
    for place, leaf in enumerate(leaves):
        is_true = again.takes(number, f"{place}")
        is_false = not is_true and again.takes(number, f"not {place}")
        values[id(leaf)] = "true" if is_true else "false" if is_false else "unknown"
    if (combined(points, succeeds, values) == "true") != (ask.decisions[-1].outcome == "allow"):
        raise RuntimeError("the probes of a result contradict each other")
    for leaf in leaves:
        points.atom(leaf).met.add(values[id(leaf)])


def _learn_doubt(points: Points, then: Then | None, again: _Again, number: int, ask: _Ask) -> None:
    """A larger model is asked as well unless the condition is false: asked of each atom and its contrary."""
    leaves = list(points.leaves(then.when)) if then else []
    if then is None or all(points.atom(leaf).is_done for leaf in leaves):
        return

    values: dict[int, Value] = {}
    for place, leaf in enumerate(leaves):
        is_false, is_true = again.takes(number, f"{place}"), again.takes(number, f"not {place}")
        if is_false and is_true:  # no larger model could be asked, so the condition did not matter
            return
        values[id(leaf)] = "false" if is_false else "true" if is_true else "unknown"
    if (combined(points, then.when, values) == "false") != (ask.decisions[-1].outcome == "allow"):
        raise RuntimeError("the probes of a cascade contradict each other")
    for leaf in leaves:
        points.atom(leaf).met.add(values[id(leaf)])


def _learn(points: Points, ask: _Ask, readings: list[Reading]) -> None:
    voted = {place for decision in ask.decisions for place in _voted(decision)}
    first = ask.decisions[0]
    for reading in readings:
        use = reading.use
        if use.when is not None:
            values = {id(leaf): value for leaf, value in reading.atoms}
            says = (use.point.kind, use.point.name) in voted
            if combined(points, use.when, values) != reading.whole or (says and reading.whole == "false"):
                raise RuntimeError(f"the probes of {use.point.kind} `{use.point.name}` contradict each other")
        for leaf, value in reading.atoms:
            points.atom(leaf).met.add(value)
    if first.outcome == "allow":
        true = {id(reading.use) for reading in readings if reading.whole == "true"}
        # Of several arms to one model the first led there.
        taken = (arm for model, arm in points.arms if model == first.model and id(arm) in true)
        for arm in itertools.islice(taken, 1):
            arm.point.times += 1
