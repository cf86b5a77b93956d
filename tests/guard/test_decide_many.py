"""Many calls at once are decided as one by one, each as the first of a new run."""

import itertools
import math
import subprocess
import sys
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from tests.both import Compiled
from tests.differential.generate import Maker, source_of
from tests.differential.values import ILL_TYPED, VALUES

import checkrein
from checkrein import _core
from checkrein.errors import EngineError, PolicyError, UnknownFact
from checkrein.guard.batch import OUTCOMES
from checkrein.language import compile_source

POLICY = """language 1
policy "refunds"
tool "refund" { class act args { "order_id" text "amount" money in cents "tags" list of text at most 2 } }
tool "look" { class retrieve }
fact risk.score percent optional
fact customer.tier one of "free", "plus" default "free"
fact data.pii flag
fact ticket.age duration default 0 s
queue "leads" { expires 30 min default deny }
state "over" tell user "Over."
rule "big" on tool "refund" when call.args.amount > $100 and customer.tier == "free"
  then escalate to "leads" because "Big."
rule "risky" on tool class act when has risk.score and risk.score >= 90% then deny because "Risky."
rule "private" on tool any when data.pii == true then deny because "Private."
rule "old" on tool "refund" when ticket.age > 30 d then stop "over" because "Old."
rule "tagged" on tool "refund" when any of call.args.tags starts with "vip" then deny because "Vip."
"""
NOW = 1_800_000_000 * 10**9


@pytest.fixture
def guard(tmp_path):
    (tmp_path / "refunds.rein").write_text(POLICY)
    clock = checkrein.VirtualClock(0, NOW)
    with_guard = checkrein.load(tmp_path / "refunds.rein", log=None, clock=clock)
    yield with_guard
    with_guard.close()


def one_by_one(program, tool, args, facts):
    """What a new run says of one call, in words."""
    run = Compiled(program, None, 1, 0, NOW)
    sent = {"now": 0, "wall": NOW, "call": None, "tool": tool, "args": args, "facts": facts}
    told = run.do(("tool_call", sent))
    return told["outcome"], told["by"], told["undecided"]


def rows_of(columns, rows):
    """What each row says of `columns`: an array's value, or what is the same for all."""
    lists = {
        key: each.tolist() if isinstance(each, np.ndarray) else [each] * rows for key, each in columns.items()
    }
    return [{key: values[row] for key, values in lists.items()} for row in range(rows)]


def compare(guard, tool, args, facts, rows):
    at_once = list(guard.decide_many(tool=tool, args=args, facts=facts))
    pairs = zip(rows_of(args, rows), rows_of(facts, rows), strict=True)
    alone = [one_by_one(guard.program, tool, *pair) for pair in pairs]
    assert at_once == alone
    return at_once


# -- as one by one ---------------------------------------------------------------------------------


def column(chance, values):
    """Values as somebody might hold them in an array."""
    is_all = {kind: all(type(value) is kind for value in values) for kind in (int, float, bool, str)}
    small = all(abs(value) < 2**63 for value in values) if is_all[int] else False
    dtype: object = object
    if is_all[int] and small:
        dtype = chance.choice([object, np.int64])
    elif is_all[float] or (small and chance.random() < 0.5):
        dtype = chance.choice([object, np.float64])
    elif is_all[bool]:
        dtype = chance.choice([object, np.bool_])
    elif is_all[str]:
        # numpy's texts end before zeros, and none of these do
        dtype = chance.choice([object, np.str_])
    array = np.empty(len(values), dtype) if dtype is object else np.array(values, dtype)
    if dtype is object:
        for row, value in enumerate(values):
            array[row] = value
    if chance.random() < 0.25:
        array = np.ma.array(array, mask=[chance.random() < 0.3 for _ in values])
    return array


def random_values(chance, fact, rows):
    """For each row one that the fact may be, mostly; sometimes nothing, or what it may not be."""
    careless = chance.choice([0, 0, 0.2])

    def one():
        if chance.random() < careless:
            return chance.choice([None, *ILL_TYPED])
        return chance.choice([text.strip('"') for text in fact.choices] or VALUES[fact.dimension])

    kinds = {type(value) for value in VALUES[fact.dimension]}
    keep = chance.choice([None, *kinds])
    values = [one() for _ in range(rows)]
    if keep is not None and not fact.choices:
        values = [value if type(value) is keep else next(v for v in VALUES[fact.dimension] if type(v) is keep)
                  for value in values]  # fmt: skip
    if fact.most:
        return [chance.choice([None, [], [value], (value, value)]) for value in values]
    return values


def random_columns(chance, facts, rows):
    """A column for some facts, one value for some, nothing for some."""
    columns = {}
    for fact in facts:
        values = random_values(chance, fact, rows)
        draw = chance.random()
        if draw < 0.7:
            columns[fact.name.removeprefix("call.args.")] = column(chance, values)
        elif draw < 0.85:
            columns[fact.name.removeprefix("call.args.")] = values[0]
    return columns


KEPT = ("model", "tool", "queue", "state", "fact", "define", "clock", "rule", "observe until 2026-12-31 rule")


def test_random_policies_and_columns_are_decided_as_one_by_one():
    chance, seen, compared = Random("decide many"), set(), 0
    for number in range(150):
        made = Maker(Random(f"many {number}")).policy()
        source = source_of([text for text in made.statements if text.startswith(KEPT)] + ["loop off"])
        try:
            program = _core.Program.load(compile_source(source, "many.rein"))
        except PolicyError:
            continue
        guard = checkrein.Guard(program, clock=checkrein.VirtualClock(0, NOW))
        for tool in made.tools:
            rows = chance.choice([1, 3, 30])
            args = random_columns(chance, made.tools[tool], rows)
            facts = random_columns(chance, made.facts, rows)
            if not any(isinstance(each, np.ndarray) for each in (args | facts).values()):
                continue
            told = compare(guard, tool, args, facts, rows)
            compared += rows
            seen.update(outcome for outcome, _, _ in told)
            seen.update(undecided for _, _, undecided in told)
    assert seen >= {"allow", "deny", "escalate", "stop", True, False}
    assert compared > 2000, "few of these policies compile"


def asked_one_by_one(program, calls, facts):
    """What a new run says of one model call, in words, and which model serves."""
    run = Compiled(program, None, 1, 0, NOW)
    sent = {"now": 0, "wall": NOW, "call": None, "facts": facts, "results": [], "messages": []}
    told = run.do(("model_call", sent | calls))
    model = told["model"] if told["outcome"] == "allow" else None
    return told["outcome"], told["by"], told["undecided"], model


def test_random_models_and_routes_are_chosen_as_one_by_one():
    chance, seen, compared = Random("models"), set(), 0
    for number in range(150):
        made = Maker(Random(f"models {number}")).policy()
        kept = (*KEPT, "require", "route", "observe until 2026-12-31 require")
        source = source_of([text for text in made.statements if text.startswith(kept)] + ["loop off"])
        try:
            program = _core.Program.load(compile_source(source, "many.rein"))
        except PolicyError:
            continue
        guard = checkrein.Guard(program, clock=checkrein.VirtualClock(0, NOW))
        for model in [*made.models, None]:
            rows = chance.choice([1, 3, 30])
            facts = random_columns(chance, made.facts, rows)
            tokens = np.array([chance.choice([0, 1, 50, 120, 399, 900, 5000]) for _ in range(rows)])
            most = chance.choice([None, 0, 60])
            decisions = guard.decide_many(model=model, input_tokens=tokens, max_tokens=most, facts=facts)
            names = [decisions.models[place] if place >= 0 else None for place in decisions.model]
            at_once = [(*row, name) for row, name in zip(decisions, names, strict=True)]
            calls = [{"model": model, "input_tokens": n, "max_output": most} for n in tokens.tolist()]
            pairs = zip(calls, rows_of(facts, rows), strict=True)
            assert at_once == [asked_one_by_one(program, *pair) for pair in pairs]
            compared += rows
            seen.update(outcome for outcome, *_ in at_once)
            seen.update(by for _, by, *_ in at_once)
    assert seen >= {"allow", "deny", "escalate", "stop", "answer", "no candidate", "no usable model"}
    assert compared > 2000, "few of these policies compile"


@pytest.mark.parametrize("arms", [3, 40], ids=["few arms", "more than are told apart by a number"])
def test_rows_of_other_routes_do_not_get_each_other_s_model(arms):
    models = "".join(f'model "m{arm}" is "edge/m{arm}" {{ place edge window 32k tokens output 2k tokens '
                     "price free }\n" for arm in range(arms))  # fmt: skip
    route = "\n".join(
        f'  to "m{arm}" when ticket.age == {arm} s or ticket.more == {arm}' for arm in range(arms)
    )
    facts = "fact ticket.age duration default 0 s\nfact ticket.more count default 0\n"
    source = f'language 1\npolicy "many"\n{models}{facts}route "r" {{\n{route}\n}}\nloop off\n'
    program = _core.Program.load(compile_source(source.encode(), "many.rein"))
    chance, rows = Random("arms"), 1000
    ages = [chance.randint(0, arms) for _ in range(rows)]
    more = [chance.choice([-1, chance.randint(0, arms)]) for _ in range(rows)]
    columns = {"ticket.age": np.array(ages), "ticket.more": np.array(more)}
    guard = checkrein.Guard(program, clock=checkrein.VirtualClock(0, NOW))
    decisions = guard.decide_many(input_tokens=5, facts=columns)
    names = [decisions.models[place] if place >= 0 else None for place in decisions.model]
    calls = {"model": None, "input_tokens": 5, "max_output": None}
    alone = [asked_one_by_one(program, calls, each) for each in rows_of(columns, rows)]
    assert [(*row, name) for row, name in zip(decisions, names, strict=True)] == alone
    assert len(set(names)) > arms  # each of them, and none


def test_every_row_of_a_long_batch_is_decided_on_every_number_of_threads(guard):
    amounts = np.arange(100_003) % 20_000
    tiers = np.array(["free", "plus"])[(np.arange(100_003) // 3) % 2]
    expected = np.where((amounts > 10_000) & (tiers == "free"), OUTCOMES.index("escalate"), 0)
    for threads in (1, 2, 5, None):
        decisions = guard.decide_many(
            tool="refund", args={"amount": amounts, "tags": ["a"]},
            facts={"customer.tier": tiers, "data.pii": False}, threads=threads,
        )  # fmt: skip
        assert np.array_equal(decisions.outcome, expected)
    big = int(expected.astype(bool).sum())
    assert decisions.count() == {("allow", None): len(expected) - big, ("escalate", "big"): big}


@pytest.mark.parametrize(
    "amounts",
    [
        [9_999, 10_000, 10_001, -1],
        [9_999.0, 10_000.00001, 10_000.1, math.nan, math.inf, 1e300, 0.1 + 0.2],
        ["100.01", "10001", "1e3", ""],
        [Decimal("10000.5"), None, "10001", 10_001.0, 10**30, True, [1]],
        [2**53, 2**53 - 1, -(2**63), 2**63 - 1],
        [True, False],
    ],
    ids=str,
)
def test_money_is_read_as_one_by_one(guard, amounts):
    array = np.array(amounts, object if any(type(a) is not type(amounts[0]) for a in amounts) else None)
    compare(guard, "refund", {"amount": array, "tags": []}, {"data.pii": False}, len(amounts))


def test_numbers_of_other_widths_are_as_their_values(guard):
    values = [0, 1, 100, 101]
    for dtype in (np.int8, np.uint8, np.uint16, np.int32, np.uint64, np.float32, np.float16, ">i4", ">f8"):
        compare(guard, "refund", {"amount": np.array(values, dtype), "tags": []}, {"data.pii": False}, 4)
    for step in (2, -1):
        amounts = np.arange(9_990, 10_020)[::step]
        compare(guard, "refund", {"amount": amounts, "tags": []}, {"data.pii": False}, len(amounts))


def test_what_is_masked_was_not_sent(guard):
    score = np.ma.array([0.95, 0.95, 0.1], mask=[False, True, False])
    pii = np.ma.array([False, False, True], mask=[False, False, True])
    told = compare(guard, "look", {}, {"risk.score": score, "data.pii": pii}, 3)
    assert told == [("allow", None, False), ("allow", None, False), ("deny", "private", True)]


@pytest.mark.parametrize(
    "given", [np.ma.masked, np.ma.array(0.95, mask=True)], ids=["masked", "no dimension"]
)
def test_what_is_masked_for_all_rows_was_not_sent(guard, given):
    pii = np.array([False, True])
    facts = {"risk.score": given, "data.pii": pii}
    told = list(guard.decide_many(tool="refund", args={"amount": 1, "tags": []}, facts=facts))
    assert told == [("allow", None, False), ("deny", "private", False)]


def test_times_and_records_of_numpy_are_none_of_python_s(guard):
    rows = {"args": {"amount": np.array([1, 1]), "tags": []}, "tool": "refund"}
    short = np.array([5, 5], "timedelta64[ns]")  # five to Python, which seconds are not
    for age in (short, short[0], short.astype("timedelta64[s]")):
        told = guard.decide_many(**rows, facts={"ticket.age": age, "data.pii": False})
        assert list(told) == [("stop", "old", True)] * 2
    tags = np.array([("vip",), ("x",)], [("tag", "U3")])
    told = guard.decide_many(
        tool="refund", args={"amount": 1, "tags": tags}, facts={"ticket.age": 0, "data.pii": False}
    )
    assert list(told) == [("deny", "tagged", True)] * 2


def test_texts_are_compared_letter_by_letter(guard):
    tiers = np.array(["free", "plus", "", "né", "\U0001f600", "free "])
    compare(guard, "refund", {"amount": 20_000, "tags": []}, {"customer.tier": tiers, "data.pii": False}, 6)


def test_many_texts_are_told_apart(guard):
    chance = Random("texts")
    known = ["free", "plus", *("".join(chance.choices("fre\x00plus", k=5)).strip("\x00") for _ in range(300))]
    tiers = np.array(chance.choices(known, k=1200))
    told = compare(
        guard, "refund", {"amount": 20_000, "tags": []}, {"customer.tier": tiers, "data.pii": False}, 1200
    )
    assert len(set(told)) > 1


def test_an_undeclared_tool_is_denied_in_every_row(guard):
    decisions = guard.decide_many(tool="ghost", facts={"data.pii": np.array([True, False])})
    assert list(decisions) == [("deny", "undeclared tool", False)] * 2


def test_an_undeclared_model_is_denied_in_every_row(guard):
    decisions = guard.decide_many(model="ghost", facts={"data.pii": np.array([True, False])})
    assert list(decisions) == [("deny", "undeclared model", False)] * 2
    assert decisions.model.tolist() == [-1, -1]


def test_tokens_are_whole_numbers(guard):
    for tokens in (np.array([1.5]), np.array(["7"]), np.ma.array([1], mask=[True])):
        with pytest.raises(EngineError, match="whole numbers"):
            guard.decide_many(input_tokens=tokens)
    for tokens in (np.array([-1]), np.array([2**53])):
        with pytest.raises(EngineError, match="a number of tokens is below 0 or above"):
            guard.decide_many(input_tokens=tokens)
    assert list(guard.decide_many(input_tokens=np.array([7]))) == [("deny", "no candidate", False)]


def test_ids_are_those_of_the_new_run(tmp_path):
    path = tmp_path / "ids.rein"
    path.write_text(
        'language 1\npolicy "ids"\ntool "look" { class retrieve }\nfact n.n count\n'
        'rule "r" on tool any when has user.id and user.id == "root" and n.n > 1 then deny because "No."\n'
    )
    guard = checkrein.load(path, log=None)
    numbers = np.array([1, 2])
    assert [row[0] for row in guard.decide_many(tool="look", facts={"n.n": numbers}, user="root")] == [
        "allow",
        "deny",
    ]
    assert [row[0] for row in guard.decide_many(tool="look", facts={"n.n": numbers}, user="u")] == [
        "allow",
        "allow",
    ]


# -- columns that are none -------------------------------------------------------------------------


def test_an_undeclared_fact_is_named(guard):
    with pytest.raises(UnknownFact, match=r"did you mean `risk\.score`"):
        guard.decide_many(tool="look", facts={"risk.scor": np.array([1.0])})


def test_columns_have_one_length_and_one_dimension(guard):
    with pytest.raises(EngineError, match=r"`facts\['data.pii'\]` has 3 rows, and `args\['amount'\]` has 2"):
        guard.decide_many(tool="refund", args={"amount": np.zeros(2)}, facts={"data.pii": np.zeros(3, bool)})
    with pytest.raises(EngineError, match="2 dimensions"):
        guard.decide_many(tool="refund", args={"amount": np.zeros((2, 2))})
    with pytest.raises(EngineError, match="pass at least one numpy array"):
        guard.decide_many(tool="refund", args={"amount": 3})


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 2**63, 10**30])
def test_cores_are_counted(guard, threads):
    with pytest.raises(EngineError, match="pass on how many cores"):
        guard.decide_many(tool="look", facts={"data.pii": np.array([True])}, threads=threads)


def test_cores_may_be_counted_by_numpy(guard):
    told = guard.decide_many(tool="look", facts={"data.pii": np.array([True])}, threads=np.int64(2))
    assert list(told) == [("deny", "private", False)]


def test_no_row_is_no_mistake(guard):
    for empty in (np.zeros(0), np.array([], "U3"), np.array([], object), np.zeros(0, bool)):
        assert len(guard.decide_many(tool="look", facts={"data.pii": empty})) == 0


def test_importing_checkrein_does_not_import_numpy():
    code = "import checkrein, checkrein.guard, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_codes_of_outcomes_are_the_engine_s(guard):
    orders = [OUTCOMES.index(outcome) for outcome in ("allow", "escalate", "deny", "stop")]
    assert orders == sorted(orders)
    sent = itertools.product([50, 20_000], [False, True], [0, 40 * 86_400])
    amounts, pii, ages = (np.array(values) for values in zip(*sent, strict=True))
    told = compare(guard, "refund", {"amount": amounts, "tags": []}, {"data.pii": pii, "ticket.age": ages}, 8)
    assert {row[0] for row in told} == {"allow", "escalate", "deny", "stop"}
