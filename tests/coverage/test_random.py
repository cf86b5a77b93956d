"""Random policies with random tests: what is measured never contradicts itself, and changes no result."""

from random import Random

import pytest

from checkrein import _core
from checkrein.coverage import measure
from checkrein.frozen import replace
from checkrein.language import compile_source, sound, tree
from checkrein.testing import run_tests
from tests.differential import generate

FAILURES = ("timeout", "unavailable", "auth", "rate_limited")


def value(chance, type):
    """A literal of a declared type; of a list, one of as many elements as it may have at most."""
    if type.is_list:
        each = replace(type, most=0)
        return f"[{', '.join(value(chance, each) for _ in range(chance.randint(0, type.most)))}]"
    if type.choices:
        return f'"{chance.choice(type.choices)}"'
    return {
        "text": chance.choice(['"a"', '"b"', '""']),
        "flag": chance.choice(["true", "false"]),
        "count": str(chance.randint(0, 20)),
        "money": f"${chance.randint(0, 200)}",
        "tokens": f"{chance.randint(0, 5000)} tokens",
        "duration": f"{chance.randint(0, 100)} s",
        "percent": f"{chance.randint(0, 100)}%",
    }[type.dimension]


def item(chance, policy):
    """A call, with some of its arguments and facts, that may fail, or a person's answer."""
    if chance.random() < 0.15:
        return chance.choice(["approve", "reject", "wait 10 s"])
    facts = " ".join(
        f"{f.name.text} {value(chance, f.type)}" for f in policy.of(tree.Fact) if chance.random() < 0.6
    )

    def some(fields):
        return " ".join(f'"{f.name.text}" {value(chance, f.type)}' for f in fields if chance.random() < 0.7)

    fails = f' fails "{chance.choice(FAILURES)}" 1 times' if chance.random() < 0.35 else ""
    if policy.of(tree.Model) and chance.random() < 0.5:
        model = chance.choice(policy.of(tree.Model)).name.text
        return f'model "{model}" {{ {facts} input {chance.randint(0, 3000)} output 100 }}{fails}'
    tool = chance.choice(policy.of(tree.Tool))
    if tool.results and not fails:
        fails = f" gives {{ {some(tool.results)} }}"
    return f'tool "{tool.name.text}" {{ {some(tool.args)} {facts} }}{fails}'


@pytest.mark.parametrize("seed", range(20))
def test_random_policies_are_measured(seed):
    chance = Random(seed)
    source = generate.source_of(generate.Maker(chance).policy().statements)
    items = " ".join(item(chance, sound(source, "r")) for _ in range(chance.randint(2, 9)))
    whose = 'as session "s" user "u" team "t" org "o" facts { acct.id "a" acct.tier "free" }'
    source += f'\ntest "random" {{ {whose} {items} expect allow }}\n'
    policy, program = sound(source, "r"), _core.Program.load(compile_source(source, "r"))
    results, coverage = measure(policy, program)
    assert coverage.met <= coverage.total
    assert [str(each) for each in results] == [str(each) for each in run_tests(policy, program)]
