"""The values of a fact, cut into cells: within one, no comparison of the policy tells two values apart.

One *representative* of each cell makes a search over all values exact and finite. What a fact can hold is
never taken too narrow: a value too many may keep a finding back, one too few would make a wrong one.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from typing import TYPE_CHECKING

from checkrein.frozen import Frozen, replace
from checkrein.language.facts import ARG_PREFIX, BUILT_IN, RESULT_PREFIX, Unknown, find
from checkrein.language.tree import Affix, Compare, Has, Member, Quantified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from checkrein.language.facts import Context, Known
    from checkrein.language.names import Names

INTEGER_MAX = 2**53 - 1
CENT = 10_000_000
WHOLE = {"money": 1_000_000_000, "duration": 1_000_000_000, "percent": 10_000, "count": 1, "tokens": 1}
"""What people count in: whole dollars, seconds and percent, as the engine's integers."""
FILLERS = "xyzwvuqkjXYZ0123456789"


class Odd(enum.Enum):
    """What a fact may hold besides a value."""

    MISSING = "missing"
    ILL_TYPED = "ill-typed"


Single = str | bool | int | Odd
Value = Single | tuple[Single, ...]
"""A list is a tuple of what its elements are."""
Element = Compare | Member | Affix
Leaf = Element | Has | Quantified
Truth = bool | None
LISTS_MAX = 1_000
"""Lists of one fact that no two comparisons tell apart; a search that needs more is not made."""


class Undecided(Exception):
    """The search ended before it knew."""


class Domain(Frozen):
    """All that a fact can be: `choices` if they are few, else every text or every integer of a grid.

    With `most`: every list of at most so many of these, and of what is ill-typed.
    """

    dimension: str
    choices: tuple[str, ...] = ()
    odd: tuple[Odd, ...] = ()
    low: int = -INTEGER_MAX
    high: int = INTEGER_MAX
    grid: int = 1
    most: int = 0


def domain_of(names: Names, name: str, context: Context, model: str | None = None) -> Domain | None:
    """What a fact can be where a condition stands; None if it is not known there.

    `model` is the one that the statement is about, if it names one.
    """
    if name == "call.model" and model is not None:
        return Domain("text", (model,))
    known = find(names, name, context)
    if isinstance(known, Unknown):
        return None
    if name == "call.model":
        return Domain("text", tuple(sorted(names.models)), (Odd.MISSING,))
    if name == "call.tool":
        return Domain("text", tuple(tool.name.text for tool in context.tools))
    low, high = _range(known)
    odd, grid = _odd(names, known), _grid(names, known, context)
    return Domain(known.dimension, known.choices, odd, low, high, grid, known.most)


def _odd(names: Names, known: Known) -> tuple[Odd, ...]:
    """A required fact may be missing too: the host can forget it."""
    if known.source == "builtin":
        fact = BUILT_IN[known.name]
        missing = (Odd.MISSING,) if fact.optional or fact.is_shared else ()
        from_host = known.name in ("step.kind", "step.confidence", "result.confidence")
        return (*missing, Odd.ILL_TYPED) if from_host else missing
    has_default = known.source == "host" and names.facts[known.name].default is not None
    return (Odd.ILL_TYPED,) if has_default else (Odd.MISSING, Odd.ILL_TYPED)


def _range(known: Known) -> tuple[int, int]:
    if known.dimension == "percent":
        return 0, 1_000_000
    if known.name == "call.attempt":
        return 1, INTEGER_MAX
    fact = BUILT_IN.get(known.name) if known.source == "builtin" else None
    if fact is not None and fact.most is not None:
        return fact.least, fact.most
    counted = known.source == "builtin" and not known.name.startswith("error.")
    if counted or known.dimension in ("tokens", "duration"):
        return 0, INTEGER_MAX
    return -INTEGER_MAX, INTEGER_MAX


def _grid(names: Names, known: Known, context: Context) -> int:
    """An amount in cents lies on whole cents."""
    if known.source == "host":
        types = [names.facts[known.name].type]
    else:
        prefix = ARG_PREFIX if known.source == "arg" else RESULT_PREFIX
        declared = [(t.args if known.source == "arg" else t.results) for t in context.tools]
        types = [f.type for fields in declared for f in fields if prefix + f.name.text == known.name]
    is_cents = known.dimension == "money" and types and all(t.unit == "cents" for t in types)
    return CENT if is_cents else 1


# -- representatives -------------------------------------------------------------------------------


def representatives(domain: Domain, leaves: Sequence[Leaf], edges: Sequence[int] = ()) -> tuple[Value, ...]:
    """One value of every cell that these comparisons and edges cut; those that people can read come first."""
    if domain.most:
        return (*_lists(domain, leaves), *domain.odd)
    found: Iterable[str | bool | int]
    if domain.choices:
        found = domain.choices
    elif domain.dimension == "flag":
        found = (True, False)
    elif domain.dimension == "text":
        found = _texts(leaves)
    else:
        found = _numbers(domain, leaves, edges)
    once: list[Single] = list(dict.fromkeys(found))
    return (*once, *domain.odd)


def _lists(domain: Domain, leaves: Sequence[Leaf]) -> Iterator[tuple[Single, ...]]:
    """The shortest list for each way in which the comparisons can come out together.

    What they say of a longer list follows from what they say of it without its last element and of that
    alone, so growing one list for each such way misses none.
    """
    asked = [leaf.element for leaf in leaves if isinstance(leaf, Quantified)]
    single = replace(domain, odd=(Odd.ILL_TYPED,), most=0)
    elements = [value for value in representatives(single, asked) if not isinstance(value, tuple)]
    met = {tuple(truth(leaf, ()) for leaf in leaves)}
    grown: deque[tuple[Single, ...]] = deque([()])
    while grown:
        shorter = grown.popleft()
        yield shorter
        for element in elements if len(shorter) < domain.most else ():
            longer = (*shorter, element)
            told = tuple(truth(leaf, longer) for leaf in leaves)
            if told in met:
                continue
            if len(met) == LISTS_MAX:
                raise Undecided
            met.add(told)
            grown.append(longer)


def _texts(leaves: Sequence[Leaf]) -> Iterator[str]:
    """Each constant; and for each beginning with each ending a text that has these and no longer ones.

    What stands between is of a letter that no constant has, so nothing else can match by accident.
    """
    equal = [str(value) for leaf in leaves for value in _constants(leaf)]
    ends: dict[str, list[str]] = {"starts": [""], "ends": [""]}
    for leaf in leaves:
        if isinstance(leaf, Affix):
            ends[leaf.end].append(str(leaf.literal.value))
    used = set("".join([*equal, *ends["starts"], *ends["ends"]]))
    filler = next(c for c in itertools.chain(FILLERS, map(chr, range(0x10000, 0x110000))) if c not in used)
    yield from equal
    for first in ends["starts"]:
        for last in ends["ends"]:
            yield first + filler + last


def _numbers(domain: Domain, leaves: Sequence[Leaf], more: Sequence[int]) -> Iterator[int]:
    """Each constant on the grid, and a number between each two neighbours, below all and above all."""
    constants = sorted({*more, *(int(value) for leaf in leaves for value in _constants(leaf))})
    edges = [domain.low - 1, *(c for c in constants if domain.low <= c <= domain.high), domain.high + 1]
    for below, above in itertools.pairwise(edges):
        between = _between(below, above, domain)
        if between is not None:
            yield between
        if above <= domain.high and above % domain.grid == 0:
            yield above


def _between(below: int, above: int, domain: Domain) -> int | None:
    """A number strictly between, as round as there is one: 0, else nearest to the lower edge."""
    if below < 0 < above:
        return 0
    unit = max(WHOLE[domain.dimension], domain.grid)
    while unit >= domain.grid:
        number = (below // unit + 1) * unit if below >= 0 else ((above - 1) // unit) * unit
        if below < number < above:
            return number
        if unit == domain.grid:
            return None
        unit = max(unit // 10, domain.grid)
    return None


def _constants(leaf: Element | Leaf) -> Iterator[str | bool | int]:
    match leaf:
        case Compare():
            yield leaf.literal.value
        case Member():
            yield from (literal.value for literal in leaf.literals)
        case _:
            pass


# -- one comparison --------------------------------------------------------------------------------


def truth(leaf: Leaf, value: Value) -> Truth:
    """What a comparison says of a value; None is unknown."""
    if isinstance(leaf, Has):
        return None if value is Odd.ILL_TYPED else value is not Odd.MISSING
    if isinstance(value, Odd):
        return None
    if isinstance(leaf, Quantified) or isinstance(value, tuple):
        return _joined(leaf, value)
    match leaf:
        case Member():
            return any(value == literal.value for literal in leaf.literals)
        case Affix():
            text, part = str(value), str(leaf.literal.value)
            return text.startswith(part) if leaf.end == "starts" else text.endswith(part)
    if leaf.operator in ("==", "!="):
        return (value == leaf.literal.value) == (leaf.operator == "==")
    number, constant = int(value), int(leaf.literal.value)
    if leaf.operator == "<":
        return number < constant
    if leaf.operator == "<=":
        return number <= constant
    return number > constant if leaf.operator == ">" else number >= constant


def _joined(leaf: Element | Quantified, value: Value) -> Truth:
    """`any of` is `or` over the elements of a list, `all of` is `and`."""
    if not isinstance(leaf, Quantified) or not isinstance(value, tuple):
        return None
    truths = {truth(leaf.element, element) for element in value}
    decisive = leaf.quantifier == "any"
    return decisive if decisive in truths else None if None in truths else not decisive
