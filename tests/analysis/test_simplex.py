"""Linear programs: the optimum is reached by something that fits, and its prices prove it."""

from fractions import Fraction
from itertools import product
from random import Random

import pytest

from checkrein.analysis.simplex import Optimum, is_proved, maximise


def comes_to(levels, coefficients):
    return sum(Fraction(of) * levels.get(each, 0) for each, of in coefficients.items())


def random_program(chance):
    size, count = chance.randint(1, 5), chance.randint(1, 6)
    rows = [
        ({each: chance.randint(-3, 5) for each in range(size) if chance.random() < 0.8}, chance.randint(0, 9))
        for _ in range(count)
    ]
    return {each: chance.randint(-2, 6) for each in range(size)}, rows, size


@pytest.mark.parametrize("seed", range(200))
def test_the_optimum_is_reached_and_proved(seed):
    objective, rows, size = random_program(Random(seed))
    optimum = maximise(objective, rows)
    if optimum is None:
        # Boxes of growing size have solutions worth more and more.
        boxes = [maximise(objective, [*rows, *(({each: 1}, 10**n) for each in range(size))]) for n in (3, 6)]
        assert boxes[1].value > boxes[0].value * 100
        return
    assert all(level >= 0 for level in optimum.levels.values())
    assert all(comes_to(optimum.levels, row) <= most for row, most in rows)
    assert comes_to(optimum.levels, objective) == optimum.value
    assert is_proved(optimum, objective, rows)
    for point in product(range(3), repeat=size):
        levels = dict(enumerate(point))
        if all(comes_to(levels, row) <= most for row, most in rows):
            assert comes_to(levels, objective) <= optimum.value


def test_a_wrong_proof_is_none():
    rows = [({0: 1}, 5)]
    optimum = maximise({0: 2}, rows)
    assert (optimum.value, is_proved(optimum, {0: 2}, rows)) == (10, True)
    assert not is_proved(optimum, {0: 3}, rows)
    assert not is_proved(Optimum(Fraction(9), {}, optimum.prices), {0: 2}, rows)
    assert not is_proved(Optimum(Fraction(-5), {}, (Fraction(-1),)), {0: -1}, rows)


def test_a_program_that_goes_in_circles_under_the_usual_rule_ends():
    # Beale's example, in whole numbers: with the greatest worth alone it never ends.
    rows = [({0: 25, 1: -6000, 2: -4, 3: 900}, 0), ({0: 50, 1: -9000, 2: -2, 3: 300}, 0), ({2: 1}, 1)]
    optimum = maximise({0: 75, 1: -15000, 2: 2, 3: -600}, rows)
    assert optimum.value == 5
    assert is_proved(optimum, {0: 75, 1: -15000, 2: 2, 3: -600}, rows)
