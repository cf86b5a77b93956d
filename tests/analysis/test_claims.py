"""Claims that are proved, whatever they stand beside; those that are not are among the rejects."""

import pytest

from checkrein.analysis import bound
from checkrein.errors import PolicyError
from checkrein.language import compile_source, sound
from tests.bounds.run import policy_of

LOOK = 'tool "look" { class retrieve } tool "read" { class retrieve } tool "pay" { class act }'
ORDER = 'order "o" { "look" before class act within run } else deny'
CLAIM = 'assert never tool class act unless "look" succeeded'


def codes(*statements):
    try:
        sound('language 1 policy "p"\n' + "\n".join(statements), "p.rein")
    except PolicyError as error:
        return [each.code for each in error.diagnostics]
    return []


@pytest.mark.parametrize(
    "statements",
    [
        [ORDER],
        [ORDER.replace("else deny", 'else stop "s"'), 'state "s" tell user "No."'],
        [ORDER.replace("class act", '"pay"')],
        [ORDER.replace("within run", 'within run again after "read"')],
        # Who is asked a question gives an answer to the agent, and the tool is not run.
        [ORDER.replace("else deny", 'else escalate to "q" as question'), 'queue "q" { expires 1 h }'],
        ['rule "no" on tool "pay" then deny because "Never."'],
    ],
    ids=str,
)
def test_an_order_proves_it(statements):
    assert codes(LOOK, *statements, CLAIM) == []


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [ORDER.replace("else deny", 'else escalate to "q"'), 'queue "q" { expires 1 h }'],
        # Another retrieving tool would do.
        [ORDER.replace('"look" before', "class retrieve before")],
        [ORDER.replace('"look" before', '"read" before')],
        ['rule "no" on tool "pay" when step.kind == "x" then deny because "Never."'],
    ],
    ids=str,
)
def test_nothing_else_does(statements):
    assert codes(LOOK, *statements, CLAIM) == ["R0562"]


def test_a_claim_is_proved_up_to_the_bound_and_changes_nothing():
    proved = 0
    for number in range(0, 24, 2):
        source = policy_of(5, number).source
        most = bound(sound(source, "p.rein")).of("cost").most
        if most is None:
            continue
        claim = f"assert cost per run <= ${most // 10**9}.{most % 10**9:09}"
        assert compile_source(source + claim, "p.rein") == compile_source(source, "p.rein")
        if most > 0:
            proved += 1
            less = f"assert cost per run <= ${(most - 1) // 10**9}.{(most - 1) % 10**9:09}"
            with pytest.raises(PolicyError, match="R0561"):
                compile_source(source + less, "p.rein")
    assert proved > 2
