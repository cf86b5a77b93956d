"""Two policies compared: where the new one is stricter, looser, or something else than the old one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkrein.difference.examples import Engines
from checkrein.difference.rules import require_changes, rule_changes
from checkrein.difference.shapes import shape, strange
from checkrein.difference.sides import Side, Sides
from checkrein.difference.statements import statement_changes
from checkrein.difference.verdict import LOOSER, MODELS, STRICTER, UNSURE, Change, Difference, Point, turned
from checkrein.difference.vocabulary import route_changes, skipped_rules, vocabulary_changes
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.meaning.search import Budget
from checkrein.language.names import KIND_WORDS
from checkrein.language.tree import UNNAMED, Fact, Limit, Queue, State, Store, Test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein._core import Program
    from checkrein.language.tree import Policy

COURSES = ("limit", "order", "loop")
"""Kinds of statements that the same call, again and again, comes to."""
LOOKS = 5_000_000
"""What all questions about conditions may cost together: some seconds."""


def difference(old: Policy, new: Policy, programs: tuple[Program, Program]) -> Difference:
    """What the new policy decides in another way. Both are sound; the programs are what they compile to."""
    sides = Sides(Side(old), Side(new))
    if programs[0].meaning == programs[1].meaning:
        return Difference(sides.points, (), ())
    budget = Budget(LOOKS)
    engines = Engines(sides, programs)
    changes = [*_unknown(sides), *_store(sides), *vocabulary_changes(sides)]
    changes += statement_changes(sides, budget)
    changes += route_changes(sides)
    for point in sides.points:
        if point == MODELS or point.name in (sides.tools if point.kind == "tool" else sides.models):
            for change, gap in rule_changes(sides, point, budget):
                example = engines.example(point, gap) if gap.witness is not None else None
                changes.append(replace(change, example=example))
            if point.kind != "tool":
                changes += [change for change, _ in require_changes(sides, point, budget)]
    changes += skipped_rules(sides, changes)
    shared = {Point("tool", name) for name in sides.tools} | {Point("model", name) for name in sides.models}
    merged = [_with_course(each, engines, {*shared, MODELS}, budget) for each in _merged(changes)]
    return Difference(sides.points, tuple(merged), tuple(_notes(sides)))


def _with_course(change: Change, engines: Engines, shared: set[Point], budget: Budget) -> Change:
    """A change with a run that shows it, if there is a simple one."""
    if change.example is not None or change.kind not in COURSES or change.lean not in (STRICTER, LOOSER):
        return change
    found = engines.course(change, [point for point in change.points if point in shared], budget)
    return change if found is None else replace(change, example=found)


def _unknown(sides: Sides) -> Iterator[Change]:
    """Parts of a policy that this comparison does not know: nothing is equivalent then."""
    if currency_of(sides.old.policy) != currency_of(sides.new.policy):
        yield Change("policy", "", sides.points, UNSURE, "the currencies differ")
    for name in sorted(sides.told & _undecided_facts(sides)):
        yield Change("fact", name, sides.points, UNSURE, "it stands in the text of an answer, and differs")
    told: set[str] = set()
    for at, side in enumerate((sides.old, sides.new)):
        for statement in side.statements:
            for what in strange(statement):
                name = getattr(getattr(statement, "name", None), "text", "")
                kind = KIND_WORDS.get(type(statement), type(statement).__name__.lower())
                if f"{kind} {name} {what}" in told:
                    continue
                told.add(f"{kind} {name} {what}")
                span = statement.span
                spans = (span, None) if at == 0 else (None, span)
                yield Change(kind, name, sides.points, UNSURE, f"`{what}` is not compared", spans)


def _store(sides: Sides) -> Iterator[Change]:
    """Without `store shared` it starts where each machine counts by itself, so that each can spend it all."""
    stores = [side.of(Store) for side in (sides.old, sides.new)]
    limits = [limit for side in (sides.old, sides.new) for limit in side.of(Limit)]
    if bool(stores[0]) == bool(stores[1]) or all(limit.scope.text == "run" for limit in limits):
        return
    spans = (stores[0][0].span if stores[0] else None, stores[1][0].span if stores[1] else None)
    if stores[0]:
        yield Change("store", "", sides.points, LOOSER, "removed: each machine may count by itself", spans)
    else:
        yield Change("store", "", sides.points, STRICTER, "added: all machines count together", spans)


def _undecided_facts(sides: Sides) -> set[str]:
    """Facts that may be there under one policy and not under the other."""
    facts = (sides.old.names.facts, sides.new.names.facts)
    shared = facts[0].keys() & facts[1].keys()
    return {*sides.doubts, *(n for n in shared if shape(facts[0][n].default) != shape(facts[1][n].default))}


def _merged(changes: list[Change]) -> Iterator[Change]:
    """Changes that are the same but for where, as one."""
    found: dict[Any, Change] = {}
    for each in changes:
        if not each.points:
            continue
        key = (each.kind, each.name, each.lean, each.says)
        first = found.get(key)
        if first is None:
            found[key] = each
        else:
            points = dict.fromkeys([*first.points, *each.points])
            example = first.example or each.example
            found[key] = replace(first, points=tuple(points), example=example)
    yield from sorted(found.values(), key=lambda each: (_urgency(each), each.kind, each.name, each.says))


def _urgency(change: Change) -> int:
    """What may be looser stands first."""
    return -int(turned(change.lean).stricter)


def _notes(sides: Sides) -> Iterator[str]:
    """What differs and decides nothing."""
    old, new = sides.old.policy, sides.new.policy
    if old.name.text != new.name.text:
        yield f"the policy was called `{old.name.text}` and is called `{new.name.text}`"
    yield from _observed(sides)
    words = [dict(_words(policy)) for policy in (old, new)]
    changed = [name for name in words[0].keys() & words[1].keys() if words[0][name] != words[1][name]]
    for name in sorted(changed):
        yield f"the words of {name} changed"


def _observed(sides: Sides) -> Iterator[str]:
    """Statements that only say what they would decide."""
    tables = [
        {_title(each): shape(each) for each in side.policy.statements if getattr(each, "observed", None)}
        for side in (sides.old, sides.new)
    ]
    for title in sorted(tables[0].keys() | tables[1].keys()):
        if tables[0].get(title) != tables[1].get(title):
            came = "is no longer observed" if title not in tables[1] else "is observed only"
            yield f"{title} {came}" + (", and changed" if title in tables[0] and title in tables[1] else "")


def _title(statement: Any) -> str:
    return f"{KIND_WORDS.get(type(statement), 'statement')} `{statement.name.text}`"


def _words(policy: Policy) -> Iterator[tuple[str, Any]]:
    """What statements say to people and agents."""
    for statement in policy.statements:
        if isinstance(statement, (*UNNAMED, Test, Fact, Queue)) or getattr(statement, "observed", None):
            continue
        name = _title(statement)
        outcome = getattr(statement, "otherwise", None) or getattr(statement, "outcome", None)
        thresholds = getattr(statement, "thresholds", ())
        if isinstance(statement, State):
            yield name, (statement.tell_agent, statement.tell_user)
        elif outcome is not None:
            yield name, (outcome.reason, shape(outcome.text), shape(thresholds))


def points_of(change: Change, every: tuple[Point, ...]) -> str:
    """Where a change matters, in words."""
    for kind, word in (("tool", "every tool"), ("model", "every model")):
        all_of = [point for point in every if point.kind == kind]
        if len(all_of) > 1 and list(change.points) == all_of:
            return word
    if set(change.points) == set(every):
        return "every call"
    return ", ".join(map(str, change.points))
