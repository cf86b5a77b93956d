"""Rules and requirements: what they say at each decision point, compared for all facts that there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.difference.cases import APPLIES, Case, Gap, uncovered
from checkrein.difference.outcomes import STRENGTH, asks, effect, makes_up, words
from checkrein.difference.shapes import shape
from checkrein.difference.verdict import (
    LOOSER,
    MODELS,
    OTHER,
    STRICTER,
    UNSURE,
    Change,
    Lean,
    Point,
    Sure,
    turned,
)
from checkrein.language.meaning.needs import meets
from checkrein.language.meaning.search import TRUE, UNKNOWN, leaves_of
from checkrein.language.tree import Require, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.difference.sides import Side, Sides
    from checkrein.language.meaning.search import Budget

OF_A_CANDIDATE = frozenset({"call.model", "call.attempt"})
"""Facts that differ between a call of any model and the candidate that a rule on one model sees."""
Loss = tuple[Change, Gap]


def rule_changes(sides: Sides, point: Point, budget: Budget) -> Iterator[Loss]:
    """What rules decide in another way at a point that both policies have."""
    back = sides.turned()
    found = 0
    for way, lean in ((sides, LOOSER), (back, STRICTER)):
        for change, gap in _losses(way, point, budget, lean):
            found += 1
            yield change, gap
    if not found and _may_reorder(sides, point):
        says = "which of several equal outcomes decides may differ"
        yield Change("rule", "", (point,), UNSURE, says), Gap(Case("", 0, None), None, doubt=says)


def _losses(sides: Sides, point: Point, budget: Budget, lean: Lean) -> Iterator[Loss]:
    """Each rule of the first side that the second one does not make up for."""
    theirs = sides.new.rules_at(point)
    wide = _wide(sides.new) if point.kind == "model" else []
    here = {id(rule) for rule in theirs}
    for rule in sides.old.rules_at(point):
        mine = _case(sides, sides.old, point, rule)
        if mine.doubt is None and _is_kept(sides, rule, here):
            continue
        harder = [each for each in wide if _is_harder(each, rule) and _is_of_all(sides, rule, each)]
        peers = [each for each in theirs if _makes_up(sides, each, rule)]
        gap = uncovered(sides, point, mine, _cases(sides, point, [*peers, *harder]), budget)
        if gap is None:
            continue
        as_hard = [each for each in theirs if makes_up(each.outcome, rule.outcome)]
        others = _cases(sides, point, [*as_hard, *harder])
        whole = uncovered(sides, point, mine, others, budget) if len(as_hard) > len(peers) else gap
        yield _change(sides, point, rule, whole or gap, lean, is_as_hard=whole is None), whole or gap


def _is_kept(sides: Sides, rule: Rule, theirs: set[int]) -> bool:
    """Whether the same rule is there, with the same outcome: as most rules are."""
    other = sides.counterparts.get(rule.name.text)
    if other is None or effect(other.outcome) != effect(rule.outcome):
        return False
    return id(other) in theirs and sides.old.says(rule.when) == sides.new.says(other.when)


def _wide(side: Side) -> list[Rule]:
    return side.rules_of_models(None)


def _is_of_all(sides: Sides, rule: Rule, wide: Rule) -> bool:
    """Whether a rule on one model and one on all see the same facts."""
    conditions = [sides.old.condition(rule.when), sides.new.condition(wide.when)]
    read = {leaf.fact.text for each in conditions if each is not None for leaf in leaves_of(each)}
    return not read & OF_A_CANDIDATE


def _is_harder(other: Rule, rule: Rule) -> bool:
    is_more = STRENGTH[other.outcome.kind] > STRENGTH[rule.outcome.kind]
    return is_more and makes_up(other.outcome, rule.outcome)


def _makes_up(sides: Sides, other: Rule, rule: Rule) -> bool:
    """Whether where the other one applies nothing less comes out than by the rule.

    Each escalation asks by its own name: two are two approvals, unless one of them was renamed only.
    """
    if _is_harder(other, rule):
        return True
    if effect(other.outcome) != effect(rule.outcome):
        return False
    return not asks(rule.outcome) or sides.counterparts.get(rule.name.text) is other


def _cases(sides: Sides, point: Point, rules: list[Rule]) -> list[Case]:
    """Rules of the second side."""
    return [_case(sides, sides.new, point, each) for each in rules]


def _case(sides: Sides, side: Side, point: Point, rule: Rule) -> Case:
    condition = side.condition(rule.when)
    doubt = sides.doubt(condition, point)
    return Case(rule.name.text, STRENGTH[rule.outcome.kind], condition, APPLIES, doubt)


def _change(
    sides: Sides, point: Point, rule: Rule, gap: Gap, lean: Lean, *, is_as_hard: bool
) -> Change:  # fmt: skip
    other = sides.counterparts.get(rule.name.text)
    if gap.doubt:
        found = Lean(*(Sure.MAYBE if each else Sure.NO for each in lean))
        says = gap.doubt
    elif is_as_hard:
        is_moved = other is not None and effect(other.outcome) != effect(rule.outcome)
        found, says = OTHER, f"`{words(rule.outcome)}` is another outcome there"
        if asks(rule.outcome) and not is_moved:
            found = Lean(*(Sure.MAYBE if each else Sure.NO for each in lean))
            says = "a person is asked by another rule, so maybe by fewer"
    else:
        found, says = lean, _says(rule, other, is_new=lean == STRICTER)
    spans = (rule.span, other.span if other else None)
    return Change("rule", rule.name.text, (point,), found, says, spans if lean == LOOSER else spans[::-1])


def _says(rule: Rule, other: Rule | None, *, is_new: bool) -> str:
    """What became of a rule; `is_new` where it is the new policy's, and the other one the old."""
    if other is None:
        return "added" if is_new else "removed"
    before, after = (other, rule) if is_new else (rule, other)
    parts = []
    if effect(before.outcome) != effect(after.outcome):
        parts.append(f"`{words(before.outcome)}` is `{words(after.outcome)}`")
    if shape(before.selector) != shape(after.selector):
        parts.append("it looks at other calls")
    if shape(before.when) != shape(after.when):
        parts.append("its condition changed")
    return ", ".join(parts) or "what it reads changed"


def _may_reorder(sides: Sides, point: Point) -> bool:
    """Whether names or contents differ among rules whose outcomes are equal in kind and not in target."""
    kept = [
        [(rule.name.text, side.says(rule.when), effect(rule.outcome)) for rule in side.rules_at(point)]
        for side in (sides.old, sides.new)
    ]  # fmt: skip
    if kept[0] == kept[1]:
        return False
    effects: dict[str, set[Any]] = {}
    for side in (sides.old, sides.new):
        for statement in side.statements:
            outcome = getattr(statement, "outcome", None) or getattr(statement, "otherwise", None)
            if outcome is not None:
                effects.setdefault(outcome.kind, set()).add(effect(outcome))
    kinds = {rule.outcome.kind for side in (sides.old, sides.new) for rule in side.rules_at(point)}
    asking = [[name for name, _, (kind, *_) in each if kind == "escalate"] for each in kept]
    return any(len(effects[kind]) > 1 for kind in kinds) or (asking[0] != asking[1] and sides.several_ask)


# -- requirements ------------------------------------------------------------------------------------


def require_changes(sides: Sides, point: Point, budget: Budget) -> Iterator[Loss]:
    """What requirements say of a model, or by conditions that are unknown of every model call."""
    for way, lean in ((sides, LOOSER), (sides.turned(), STRICTER)):
        theirs = [_need(way, way.new, point, each) for each in way.new.of(Require)]
        others = [case for case in theirs if case is not None]
        for require in way.old.of(Require):
            case = _need(way, way.old, point, require, is_own=True)
            if case is None:
                continue
            # Which model the host asks for is open, whichever comes to serve.
            gap = uncovered(way, MODELS, case, others, budget)
            if gap is not None:
                yield _need_change(way, point, require, gap, lean), gap


def _need(sides: Sides, side: Side, point: Point, require: Require, *, is_own: bool = False) -> Case | None:
    """A requirement as somebody who keeps a model from serving, or (unknown) denies the whole call."""
    condition = side.condition(require.when)
    name, doubt = require.name.text, sides.doubt(condition, point)
    if point == MODELS:
        return None if condition is None else Case(name, 1, condition, UNKNOWN, doubt)
    if not meets(side.names.models[point.name], require):
        return Case(name, 1, condition, TRUE if is_own else APPLIES, doubt)
    return None if condition is None or is_own else Case(name, 1, condition, UNKNOWN, doubt)


def _need_change(sides: Sides, point: Point, require: Require, gap: Gap, lean: Lean) -> Change:
    same = [each for each in sides.new.of(Require) if each.name.text == require.name.text]
    words = "added" if lean == STRICTER else "removed"
    if same:
        words = "its condition changed" if shape(same[0].need) == shape(require.need) else "its need changed"
    if gap.doubt:
        lean, words = Lean(*(Sure.MAYBE if each else Sure.NO for each in lean)), gap.doubt
    spans = (require.span, same[0].span if same else None)
    is_back = turned(lean).looser is not Sure.NO
    return Change("require", require.name.text, (point,), lean, words, spans[::-1] if is_back else spans)
