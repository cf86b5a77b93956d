"""A call comes in by a fast way or by a long one, and facts are read by either: nobody can tell which."""

import collections
import decimal
import enum
import fractions
import gc
import inspect
import itertools
import sys

import numpy
import pytest

import checkrein
from checkrein import _core


class Text(str):
    """A text of the host's own kind."""


class Whole(int):
    """A number of the host's own kind."""


class Index:
    def __index__(self):
        return 7


class Failing:
    def __index__(self):
        raise OSError("no number")

    def __str__(self):
        raise OSError("no text")


class Word(Text, enum.Enum):
    PII = "pii"


class Mapping(collections.UserDict):
    """A mapping that is no dict."""


VALUES = (
    None, True, False, 0, 7, -1, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400, 0.1, -0.0, 1e300,
    float("nan"), float("inf"), "", "pii", "public", "large", "small", "12.50", "\ud800", "é", "x\0",
    b"pii", Text("pii"), Whole(7), Index(), Failing(), Word.PII, decimal.Decimal("0.5"),
    decimal.Decimal("NaN"), fractions.Fraction(1, 2), (), [], ["pii"], ["pii", 1], ("a", Text("b")), {},
    {"data.class": "pii"},
    {"data.class": 1}, {"unknown": 1}, {1: 2}, {Text("data.class"): "pii"}, Mapping({"data.class": "pii"}),
    {"amount": 20_000}, {"query": "x"}, {"query": Failing()}, object,
)  # fmt: skip
KEYWORDS = tuple(
    name
    for name in inspect.signature(_core.Door.decide).parameters
    if name not in ("self", "results", "context")
)
FACTS = """
fact of.who text default "nobody"
fact of.sure percent default 0%
fact of.paid money default $0
fact of.long duration default 0 s
fact of.many count default 0
fact of.flag flag default false
fact of.words list of text at most 3
rule "odd" on model any
  when of.who == "pii" or of.sure >= 50% or of.paid > $10 or of.long > 5 s or of.many > 6 or of.flag == true
    or any of of.words == "pii"
  then deny because "odd"
"""


def fresh(text):
    """An equal text that is another object."""
    return "".join(list(text))


def said(decide):
    """What comes of a call: the decision, or what is raised."""
    try:
        decision = decide()
    except Exception as error:  # noqa: BLE001  (what is raised is what is compared)
        return type(error), str(error), getattr(error, "kind", None)
    names = ("outcome", "by", "kind", "model", "undecided", "values", "votes", "reason", "output_cap", "call")
    return tuple(getattr(decision, name) for name in names)


@pytest.mark.parametrize("point", [{"model": "large"}, {"tool": "search", "args": {"query": "x"}}])
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_both_ways_in_decide_alike(make_guard, keyword, point):
    guard = make_guard()
    for value in VALUES:
        given = {**point, keyword: value}
        short = said(lambda given=given: guard.run(seed=1).decide(**given))
        long = {fresh(name): value for name, value in given.items()}
        assert said(lambda long=long: guard.run(seed=1).decide(**long)) == short, value


def test_what_is_no_argument_is_refused_alike(make_guard):
    run = make_guard().run()
    for wrong in ({"tools": 1}, {"tool": "search", "": 1}, {"facts": {}, "\ud800": 1}):
        with pytest.raises(TypeError):
            run.decide(**wrong)
    with pytest.raises(TypeError, match="positional"):
        run.decide("search")
    with pytest.raises(TypeError):
        _core.Door.decide()
    with pytest.raises(TypeError):
        _core.Door.decide(object(), tool="search")


@pytest.mark.parametrize("name", ["who", "sure", "paid", "long", "many", "flag", "words"])
def test_facts_are_the_same_by_whatever_key(make_guard, name):
    guard, name = make_guard(FACTS), f"of.{name}"
    for value in VALUES:
        facts = [{name: value}, {fresh(name): value}, {Text(name): value}, Mapping({name: value})]
        ways = [said(lambda sent=sent: guard.run(seed=1).decide(model="large", facts=sent)) for sent in facts]
        assert all(way == ways[0] for way in ways), value


def test_arguments_are_the_same_however_they_are_held(make_guard):
    guard = make_guard(
        """
tool "put" { class act args { "note" text "price" money in cents "tags" list of text at most 2 } }
rule "odd" on tool "put"
  when call.args.note == "pii" or call.args.price > $10 or any of call.args.tags == "pii"
  then deny because "odd"
"""
    )
    for name, value in itertools.product(("note", "price", "tags"), VALUES):
        few = {"zone": 1, name: value, "a": None}
        many = {**few, **{f"more{number}": number for number in range(8)}}
        held = [few, dict(reversed(few.items())), {fresh(key): few[key] for key in few}, many]
        held += [{Text(key): few[key] for key in few}, {**few, "\u00e9": 1}, Mapping(few)]
        ways = [said(lambda args=args: guard.run(seed=1).decide(tool="put", args=args)) for args in held]
        assert all(way == ways[0] for way in ways), (name, value)


def test_facts_of_more_texts_than_usual_are_read(make_guard):
    names = [f"of.text{number}" for number in range(40)]
    facts = "\n".join(f'fact {name} text default ""' for name in names)
    rules = "\n".join(
        f'rule "{name}" on model any when {name} == "no" then deny because "no"' for name in names
    )
    guard = make_guard(facts, rules)
    sent = dict.fromkeys(names, "yes")
    for name in names:
        decision = guard.run().decide(model="large", facts={**sent, name: "no"})
        assert (decision.outcome, decision.by) == ("deny", name)
    assert guard.run().decide(model="large", facts=sent).outcome == "allow"


class Raising(decimal.Decimal):
    """A number whose text is an error."""

    def __str__(self):
        raise self.error


class Disguised:
    """What somebody asks for the class of is an error."""

    @property
    def __class__(self):
        raise self.error


class Uncounted:
    """What it is as a number is an error."""

    def __index__(self):
        raise self.error


class Unshown:
    """What shows it is an error."""

    def __repr__(self):
        raise self.error


ERRORS = [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), OSError(), MemoryError()]


@pytest.mark.parametrize("value", [Uncounted(), Unshown()])
@pytest.mark.parametrize("error", ERRORS)
def test_only_what_ends_a_program_comes_out_of_a_number(make_guard, value, error):
    value.error, run = error, make_guard().run()
    for given in ({"input_tokens": value}, {"max_tokens": value}, {"call": value}):
        with pytest.raises(checkrein.EngineError if isinstance(error, Exception) else type(error)) as raised:
            run.decide(model="large", **given)
        assert isinstance(error, Exception) or raised.value is error
    assert run.decide(model="large").number == 1


@pytest.mark.parametrize("value", [Raising(1), Disguised()])
@pytest.mark.parametrize("error", ERRORS)
def test_only_what_ends_a_program_comes_out_of_a_fact(make_guard, value, error):
    guard = make_guard("fact of.all list of count at most 3\n" + FACTS)
    value.error, run = error, guard.run()
    ways = [
        lambda: run.decide(model="large", facts={"of.paid": value}),
        lambda: run.decide(tool="search", args={"query": "x"}, facts={fresh("of.many"): value}),
        lambda: run.decide(model="large", facts={"of.all": [1, value]}),
        lambda: guard.decide_many(input_tokens=numpy.array([1]), facts={"of.paid": value}),
        lambda: guard.decide_many(input_tokens=numpy.array([1]), facts={"of.many": numpy.array([value])}),
    ]
    for way in ways:
        if isinstance(error, Exception):
            way()
        else:
            with pytest.raises(type(error)) as raised:
                way()
            assert raised.value is error
    decided = 3 if isinstance(error, Exception) else 0
    assert run.decide(model="large").number == decided + 1, "what is raised decides nothing"


def test_a_value_whose_code_changes_the_facts_changes_nothing_that_was_read(make_guard):
    facts = {}

    class Changing(decimal.Decimal):
        def __str__(self):
            facts.clear()
            facts["of.who"] = "pii"
            return "0.1"

    guard = make_guard(FACTS)
    for first in ("of.sure", "of.who"):
        facts.clear()
        facts.update({first: None})
        facts.update({"of.who": fresh("no") + "body", "of.sure": Changing("0.1"), "of.many": 2**40})
        decision = guard.run().decide(model="large", facts=facts)
        assert (decision.outcome, decision.by) == ("deny", "odd"), "`many` is what it was"
        assert "nobody" in dict(decision.values)["of.who"]


def test_calls_that_are_refused_leave_nothing_behind(make_guard):
    run = make_guard().run()

    def refused(times):
        for _ in range(times):
            with pytest.raises(checkrein.UnknownFact):
                run.decide(model="large", facts={"unknown": 1})
        gc.collect()
        return sys.getallocatedblocks()

    few = refused(100)
    assert refused(1000) - few < 500
