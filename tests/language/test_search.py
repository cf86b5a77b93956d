"""The search over cells is exact: it finds what a search over many more values finds, and nothing else."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkrein.language import parse
from checkrein.language.facts import Context, context_of
from checkrein.language.meaning.cells import Domain, Odd, domain_of, representatives
from checkrein.language.meaning.search import (
    ANY,
    FALSE,
    TRUE,
    UNKNOWN,
    Search,
    Undecided,
    expanded,
    leaves_of,
)
from checkrein.language.names import Names
from checkrein.language.tree import Rule
from tests.reference import values as slots
from tests.reference.conditions import truth as truth_of

FACTS = """language 1 policy "p" tool "t" { args { "a" money in cents } }
fact x.n count
fact x.d count default 0
fact x.t text optional
fact x.c one of "a", "b", "c"
fact x.f flag
fact x.l list of count at most 2
fact x.w list of one of "a", "b" at most 3 default []
"""
NUMBERS = [*range(-3, 9)]
TEXTS = ["".join(w) for size in range(5) for w in itertools.product("abz", repeat=size)]


def lists_of(values, most):
    return [each for size in range(most + 1) for each in itertools.product(values, repeat=size)]


# Much more than one value of each cell: whatever the conditions below can tell apart is among them.
WIDE = {
    "x.n": [*NUMBERS, slots.MISSING, slots.ILL],
    "x.d": [*NUMBERS, slots.ILL],
    "x.t": [*TEXTS, slots.MISSING, slots.ILL],
    "x.c": ["a", "b", "c", slots.MISSING, slots.ILL],
    "x.f": [True, False, slots.MISSING, slots.ILL],
    "x.l": [*lists_of([-1, 0, 1, 2, 3, 4, 5, 6, slots.ILL], 2), slots.MISSING, slots.ILL],
    "x.w": [*lists_of(["a", "b", slots.ILL], 3), slots.ILL],
}
ODD = {Odd.MISSING: slots.MISSING, Odd.ILL_TYPED: slots.ILL}

words = st.text("ab", max_size=2)
numbers = st.integers(0, 5)
leaves = st.one_of(
    st.builds("x.{} {} {}".format, st.sampled_from("nd"),
              st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), numbers),
    st.builds("x.n in [{}, {}]".format, numbers, numbers),
    st.builds('x.t {} "{}"'.format, st.sampled_from(["==", "!=", "starts with", "ends with"]), words),
    st.builds('x.c in ["{}", "{}"]'.format, st.sampled_from("abc"), st.sampled_from("abc")),
    st.builds("x.f == {}".format, st.sampled_from(["true", "false"])),
    st.builds("has x.{}".format, st.sampled_from("ntdcflw")),
    st.builds("{} of x.l {} {}".format, st.sampled_from(["any", "all"]),
              st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), numbers),
    st.builds("{} of x.l in [{}, {}]".format, st.sampled_from(["any", "all"]), numbers, numbers),
    st.builds('{} of x.w {} with "{}"'.format, st.sampled_from(["any", "all"]),
              st.sampled_from(["starts", "ends"]), words),
)  # fmt: skip
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


def read(*texts, facts=FACTS):
    """The expanded conditions, the domains of their facts, and the names."""
    rules = [f'rule "r{i}" on tool "t" when {t} then deny because "x"' for i, t in enumerate(texts)]
    policy, findings = parse(facts + "\n".join(rules), "p.rein")
    assert policy is not None
    assert not findings
    names = Names(policy)
    found = [expanded(rule.when, names.defines) for rule in policy.of(Rule)]
    context = context_of(names, policy.of(Rule)[0].selector, "rule")
    read = {leaf.fact.text for each in found for leaf in leaves_of(each)}
    return found, {name: domain_of(names, name, context) for name in read}


def as_slot(value):
    return tuple(map(as_slot, value)) if isinstance(value, tuple) else ODD.get(value, value)


def as_set(truth):
    return {True: TRUE, False: FALSE, None: UNKNOWN}[truth]


@settings(max_examples=120)
@given(conditions, conditions)
def test_it_finds_what_brute_force_finds(first, second):
    pair, domains = read(first, second)
    facts = sorted(domains)
    if math.prod(len(WIDE[name]) for name in facts) > 30_000:
        return  # more than brute force can do in time
    seen = set()
    for values in itertools.product(*(WIDE[name] for name in facts)):
        look = dict(zip(facts, values, strict=True)).__getitem__
        seen.add(tuple(as_set(truth_of(each, look, {})) for each in pair))
    search = Search(pair, domains)
    for goals in itertools.product((FALSE, UNKNOWN, TRUE), repeat=2):
        witness = search.find(*goals)
        assert (witness is not None) == (goals in seen)
        if witness is not None:
            full = {name: witness.get(name, Odd.ILL_TYPED) for name in facts}
            look = {name: as_slot(value) for name, value in full.items()}.__getitem__
            assert tuple(as_set(truth_of(each, look, {})) for each in pair) == goals


NEVER = [
    "x.n > 5 and x.n < 5", "x.n > 5 and x.n < 6", 'x.t starts with "ab" and x.t starts with "b"',
    'x.t == "ab" and not x.t ends with "b"', 'x.c != "a" and x.c != "b" and x.c != "c"',
    "x.f == true and x.f == false", "not has x.d", "x.n == 1 and not has x.n",
    # An amount in cents is never between two cents.
    "call.args.a > $1 and call.args.a < $1.01",
    # Three values of a list of two; each and one of a list; choices.
    "any of x.l == 1 and any of x.l == 2 and any of x.l == 3", "all of x.l > 5 and any of x.l < 5",
    'all of x.w != "a" and any of x.w != "b"', "has x.l and not has x.l",
]  # fmt: skip


@pytest.mark.parametrize("text", NEVER)
def test_what_is_never_true_is_found(text):
    found, domains = read(text)
    assert Search(found, domains).find(TRUE) is None
    assert Search(found, domains).find(ANY) is not None


CAN_BE = [
    "x.n > 5 and x.n < 7", 'x.t starts with "ab" and x.t starts with "a"', "call.args.a < $0",
    'x.t starts with "ab" and x.t ends with "ba" and x.t != "aba"', "x.n < 0", "has x.n",
    "call.args.a > $1 and call.args.a < $1.02",
    "any of x.l == 1 and any of x.l == 2", "all of x.l > 5 and all of x.l < 5",
    "any of x.l > 5 and any of x.l < 5",
    'any of x.w == "a" and any of x.w == "b" and not all of x.w in ["a"]',
]  # fmt: skip


@pytest.mark.parametrize("text", CAN_BE)
def test_what_can_be_true_is_found(text):
    found, domains = read(text)
    assert Search(found, domains).find(TRUE) is not None


def test_a_representative_is_as_round_as_its_cell_allows():
    found, domains = read("call.args.a > $100 and call.args.a < $100.02")
    assert representatives(domains["call.args.a"], list(leaves_of(found[0])))[:5] == (
        0, 100_000_000_000, 100_010_000_000, 100_020_000_000, 101_000_000_000
    )  # fmt: skip


def test_a_fact_that_is_not_known_there_has_no_domain():
    policy, _ = parse(FACTS, "p.rein")
    assert domain_of(Names(policy), "error.kind", Context("model", "a route")) is None
    assert domain_of(Names(policy), "call.model", Context("model", "a rule"), "m") == Domain("text", ("m",))


def test_beyond_its_budget_it_does_not_know():
    """Eight pigeons in seven holes: nothing short of trying them all tells that two share one."""
    facts = "".join(
        f"fact p.n{i} one of {', '.join(chr(34) + c + chr(34) for c in 'abcdefg')}\n" for i in range(8)
    )
    different = " and ".join(
        f'not (p.n{i} == "{c}" and p.n{j} == "{c}")'
        for i, j in itertools.combinations(range(8), 2)
        for c in "abcdefg"
    )
    known = " and ".join(f"has p.n{i}" for i in range(8))
    found, domains = read(f"{known} and {different}", facts=FACTS + facts)
    with pytest.raises(Undecided):
        Search(found, domains).find(TRUE)


def test_a_policy_that_uses_every_readable_letter_leaves_one_for_what_is_none_of_them():
    letters = (
        "".join(map(chr, [*range(0x20, 0x7F), *range(0x4E00, 0xA000)])).replace('"', "").replace("\\", "")
    )
    source = f'{FACTS}rule "r" on tool "t" when x.t starts with "{letters}" then deny because "x"'
    policy, _ = parse(source, "p.rein")
    names = Names(policy)
    (leaf,) = leaves_of(policy.of(Rule)[0].when)
    domain = domain_of(names, "x.t", Context("tool", "a rule"))
    assert any(
        isinstance(value, str) and value[0] not in letters for value in representatives(domain, [leaf])
    )


# -- what a clock shows at once --------------------------------------------------------------------------

HALF = 1_800 * 10**9
TIMES = [*range(0, 10 * HALF, HALF // 2), 48 * HALF - 1]
DATES = [
    (month, day)
    for month, longest in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1)
    for day in range(27, longest + 1)
]
CLOCKS = [
    {"now.hour": time // (2 * HALF), "now.time": time, "now.month": month, "now.day": day}
    for time in TIMES
    for month, day in DATES
]

signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
shown = st.one_of(
    st.builds("now.hour {} {}".format, signs, st.integers(0, 4)),
    st.builds("now.time {} {} min".format, signs, st.integers(0, 9).map(lambda halves: 30 * halves)),
    st.builds("now.month {} {}".format, signs, st.integers(1, 4)),
    st.builds("now.day {} {}".format, signs, st.integers(28, 31)),
)


@settings(max_examples=60)
@given(st.lists(shown, min_size=2, max_size=4).map(" and ".join))
def test_of_a_clock_it_finds_what_a_clock_can_show_and_nothing_else(text):
    found, domains = read(text)
    can_be = any(truth_of(found[0], clock.get, {}) for clock in CLOCKS)
    witness = Search(found, domains).find(TRUE)
    assert (witness is not None) == can_be
    if witness is not None:
        assert any(all(clock[name] == value for name, value in witness.items()) for clock in shows(witness))


def shows(witness):
    """The clocks that could show this, whatever they show besides."""
    times = [witness["now.time"]] if "now.time" in witness else [hour * 2 * HALF for hour in range(24)]
    dates = [
        (month, day) for month in range(1, 13) for day in range(1, 32) if (month, day) in DATES or day < 27
    ]
    for time in times:
        for month, day in dates:
            yield {"now.hour": time // (2 * HALF), "now.time": time, "now.month": month, "now.day": day}
