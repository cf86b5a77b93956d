"""What one attempt of a model can be at most: the corners of all that its window, output and price allow.

Any attempt is a mixture of corners, and costs no more than the same mixture of their costs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkrein.language.tree import Model
    from checkrein.prices import Tariff

Rates = tuple[int, int]
"""Of input and output, in billionths for a million tokens."""
MILLION = 1_000_000
NONE = Fraction(0)
ROUNDING = Fraction(MILLION - 1, MILLION)
"""Less than this is added when a cost is rounded up to a whole billionth, once for each attempt."""


class Corner(NamedTuple):
    """So much input and output, at a cost in billionths of the currency."""

    input: int
    output: int
    cost: Fraction


def corners(model: Model, tariffs: Sequence[Tariff]) -> list[Corner]:
    """The corners of a model's attempts, each at its dearest and cheapest; one of them uses nothing."""
    found = {Corner(0, 0, NONE)}
    for least, most, dearest, cheapest in _parts(model, tariffs):
        places = set(_places(model, least, most))
        if least == 0 and not _is_whole(dearest):
            # Next to the corner that uses nothing and is not rounded up.
            places |= {(min(1, most), 0), (0, 1)}
        for place in places:
            if any(place):
                found |= {Corner(*place, _cost(place, dearest)), Corner(*place, _exact(place, cheapest))}
    return sorted(found)


def _parts(model: Model, tariffs: Sequence[Tariff]) -> Iterator[tuple[int, int, Rates, Rates]]:
    """The inputs that are priced alike: from, to, and the dearest and the cheapest rates.

    The worst case of a prompt is reserved at the dearest of all tariffs up to its size, at any hour; what it
    is charged may be as little as the cheapest kind of tokens costs, at the best hour.
    """
    last = int(model.window or 0) - model.least_output
    if not tariffs:
        yield 0, last, (0, 0), (0, 0)
        return
    steps = sorted({tariff.above for tariff in tariffs})
    for above, until in zip(steps, [*steps[1:], last], strict=True):
        least, most = (above + 1 if above else 0), min(until, last)
        if least <= most:
            dearest = [tariff for tariff in tariffs if tariff.above <= above]
            yield least, most, _most(dearest), _least([t for t in dearest if t.above == above])


def _most(tariffs: Sequence[Tariff]) -> Rates:
    inputs = (max(each.input, each.cache_read, each.cache_write) for each in tariffs)
    return max(inputs), max(max(each.output, each.reasoning) for each in tariffs)


def _least(tariffs: Sequence[Tariff]) -> Rates:
    inputs = (min(each.input, each.cache_read, each.cache_write) for each in tariffs)
    return min(inputs), min(min(each.output, each.reasoning) for each in tariffs)


def _places(model: Model, least: int, most: int) -> Iterator[tuple[int, int]]:
    """The corners of a part: where its input ends, and where the window begins to cut the output."""
    window, output = int(model.window or 0), int(model.output or 0)
    inputs = {least, most, min(max(window - output, least), most)}
    for tokens in sorted(inputs):
        yield tokens, 0
        yield tokens, min(output, window - tokens)


def _exact(place: tuple[int, int], rates: Rates) -> Fraction:
    return sum((Fraction(tokens * rate, MILLION) for tokens, rate in zip(place, rates, strict=True)), NONE)


def _cost(place: tuple[int, int], rates: Rates) -> Fraction:
    return _exact(place, rates) + (0 if _is_whole(rates) else ROUNDING)


def _is_whole(rates: Rates) -> bool:
    """Whether each token costs a whole number of billionths, so that nothing is ever rounded."""
    return all(rate % MILLION == 0 for rate in rates)
