"""Host values: every row of the conversion table, as a condition sees it."""

from __future__ import annotations

import enum
from decimal import Decimal
from fractions import Fraction

import numpy
import pytest
import xxhash
from tests.native.artifact import Artifact, Rule

from checkrein import _core

MOST = 2**53 - 1
ILL = "ill-typed"


class Kind(enum.StrEnum):
    CHAT = "chat"


class Level(enum.IntEnum):
    TWO = 2


def seen(decision: _core.Decision) -> str:
    """Tell what the probing rule saw: `has` is false for missing, unknown for ill-typed, else true."""
    if decision.outcome == "allow":
        return "missing"
    assert decision.undecided == (decision.values[0][1] == ILL)
    return decision.values[0][1]


def as_fact(dimension: str, value: object) -> str:
    """Send `value` as a host fact."""
    artifact = Artifact(models=["m"])
    fact = artifact.host("x.value", dimension)
    artifact.rules = [Rule("probe", ("model", None), when=[("has", fact)])]
    run = _core.Run(_core.Program.load(bytes(artifact)), seed=0, now=0)
    return seen(run.model_call(0, 0, None, "m", 1, None, {fact: value}))


def as_argument(dimension: str, value: object, unit: str | None) -> str:
    """Send `value` as a tool's argument."""
    artifact = Artifact(tools={"t": [("x", dimension, unit)]})
    artifact.facts.append(("call.args.x", dimension, "arg", "optional", None, ()))
    artifact.rules = [Rule("probe", ("tool", "t"), when=[("has", "call.args.x")])]
    run = _core.Run(_core.Program.load(bytes(artifact)), seed=0, now=0)
    return seen(run.tool_call(0, 0, None, "t", {"x": value}))


def digest(text: str) -> str:
    return f"text xxh3:{xxhash.xxh3_64_hexdigest(text.encode())}"


TABLE = [
    ("text", "chat", digest("chat")),
    ("text", "", ""),
    ("text", "x.value", "x.value"),
    ("text", Kind.CHAT, digest("chat")),
    ("text", "a\ud800", ILL),
    ("text", 1, ILL),
    ("text", 1.5, ILL),
    ("text", True, ILL),
    ("text", b"chat", ILL),
    ("flag", True, "true"),
    ("flag", False, "false"),
    ("flag", 1, ILL),
    ("flag", 0.0, ILL),
    ("flag", "true", ILL),
    ("count", 3, "3"),
    ("count", -3, "-3"),
    ("count", 3.0, "3"),
    ("count", -0.0, "0"),
    ("count", Decimal("3.00"), "3"),
    ("count", Decimal("3E+2"), "300"),
    ("count", numpy.float64(3.0), "3"),
    ("count", Level.TWO, "2"),
    ("count", MOST, str(MOST)),
    ("count", -MOST, str(-MOST)),
    ("count", MOST + 1, ILL),
    ("count", -MOST - 1, ILL),
    ("count", 2**64, ILL),
    ("count", 2.0**53, ILL),
    ("count", 3.5, ILL),
    ("count", True, ILL),
    ("count", "3", ILL),
    ("count", float("nan"), ILL),
    ("count", float("inf"), ILL),
    ("count", Decimal("NaN"), ILL),
    ("count", Decimal("sNaN"), ILL),
    ("count", Decimal("-Infinity"), ILL),
    ("count", Decimal("1E+999999"), ILL),
    ("count", Fraction(3), ILL),
    ("count", 3 + 0j, ILL),
    ("count", [3], ILL),
    ("tokens", 200, "200 tokens"),
    ("tokens", 200.0, "200 tokens"),
    ("tokens", 0, "0 tokens"),
    ("tokens", -1, ILL),
    ("tokens", "200", ILL),
    ("tokens", True, ILL),
    ("tokens", 0.5, ILL),
    ("money", 3, "$3.00"),
    ("money", -3, "-$3.00"),
    ("money", 0.1, "$0.10"),
    ("money", 1e-9, "$0.000000001"),
    ("money", 1e-10, ILL),
    ("money", 0.1 + 0.2, ILL),
    ("money", "12.50", "$12.50"),
    ("money", "-0.5", "-$0.50"),
    ("money", "007", "$7.00"),
    ("money", Decimal("12.345678901"), "$12.345678901"),
    ("money", Decimal("0.0000000001"), ILL),
    ("money", Decimal("1E+2"), "$100.00"),
    ("money", 9_007_199, "$9007199.00"),
    ("money", 9_007_200, ILL),
    ("money", 2**70, ILL),
    ("money", "1e3", ILL),
    ("money", "+1", ILL),
    ("money", ".5", ILL),
    ("money", "1.", ILL),
    ("money", " 1", ILL),
    ("money", "$1", ILL),
    ("money", "1,000", ILL),
    ("money", "\u0661", ILL),
    ("money", "", ILL),
    ("money", False, ILL),
    ("percent", 0.85, "85%"),
    ("percent", 0.125, "12.5%"),
    ("percent", 0, "0%"),
    ("percent", 1, "100%"),
    ("percent", 1.0, "100%"),
    ("percent", Decimal("0.000001"), "0.0001%"),
    ("percent", 0.0000001, ILL),
    ("percent", 1.000001, ILL),
    ("percent", 85, ILL),
    ("percent", -0.1, ILL),
    ("percent", "0.85", ILL),
    ("percent", True, ILL),
    ("duration", 0.2, "0.2 s"),
    ("duration", 3, "3 s"),
    ("duration", Decimal("1.5"), "1.5 s"),
    ("duration", 1e-9, "0.000000001 s"),
    ("duration", 1e-10, ILL),
    ("duration", -1, ILL),
    ("duration", 9_007_200, ILL),
    ("duration", "3", ILL),
    ("duration", True, ILL),
    *[(dimension, None, "missing") for dimension in ("text", "flag", "count", "money", "tokens", "percent")],
]


@pytest.mark.parametrize(("dimension", "value", "text"), TABLE, ids=repr)
def test_a_fact_is_read_exactly_or_is_ill_typed(dimension: str, value: object, text: str) -> None:
    assert as_fact(dimension, value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4000, "cents", "$40.00"),
        (12.5, "cents", "$0.125"),
        ("12.5", "cents", "$0.125"),
        (Decimal("0.0000001"), "cents", "$0.000000001"),
        (0.00000001, "cents", ILL),
        (900_719_925, "cents", "$9007199.25"),
        (900_719_926, "cents", ILL),
        (40, "units", "$40.00"),
        (None, "cents", "missing"),
        (True, "cents", ILL),
    ],
    ids=repr,
)
def test_money_of_an_argument_is_in_its_declared_unit(value: object, unit: str, text: str) -> None:
    assert as_argument("money", value, unit) == text


def test_arguments_of_other_dimensions_are_read_like_facts() -> None:
    assert as_argument("count", 7, None) == "7"
    assert as_argument("count", "7", None) == ILL
    assert as_argument("text", 7, None) == ILL


def test_a_value_outside_the_choices_is_ill_typed() -> None:
    artifact = Artifact(models=["m"])
    fact = artifact.host("x.kind", "text", "a", "b")
    artifact.rules = [Rule("probe", ("model", None), when=[("has", fact)])]
    program = _core.Program.load(bytes(artifact))
    for value, text in [("a", "a"), ("c", ILL), (None, "missing")]:
        run = _core.Run(program, seed=0, now=0)
        assert seen(run.model_call(0, 0, None, "m", 1, None, {fact: value})) == text
