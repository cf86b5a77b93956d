"""Nothing follows from what is observed: a policy decides the same with it and without."""

from random import Random

from tests.both import Compiled, load

from .minimise import Scene
from .party import Party
from .run import EVENTS_MAX, policy_of

SEED, POLICIES = 31, 150
# What a value is shown as depends on the texts that the policy names; `would` is what is observed.
OF_TEXTS = ("values", "would")


def decisive(answer, names):
    """An answer without what is observed."""
    if isinstance(answer, list):
        return [row for row in answer if row["name"] not in names]
    if isinstance(answer, dict):
        return {field: value for field, value in answer.items() if field not in OF_TEXTS}
    return answer


def test_a_policy_decides_the_same_without_what_it_observes():
    said = 0
    for number in range(POLICIES):
        made = policy_of(SEED, number)
        with_observed = made.source
        # A line stays a line, so that statements stand where they stood.
        left = ["#" if text.startswith("observe ") else text for text in made.statements]
        without = "\n".join(['language 1\npolicy "random"', *left]) + "\n"
        if with_observed == without:
            continue
        policy, program = load(with_observed)
        names = {s.name.text for s in policy.statements if getattr(s, "observed", None)}
        kept = {
            s.name.text for s in policy.statements if not getattr(s, "observed", None) and hasattr(s, "name")
        }
        chance = Random(f"{SEED} observed {number}")
        party, begun = Party(chance, made, 0), 0
        scene = Scene(party.runs, chance.getrandbits(64), begun, party.wall)
        one, other = scene.play(Compiled, program), scene.play(Compiled, load(without)[1])
        for _ in range(EVENTS_MAX):
            run, event = party.next()
            answer = one.do(run, event)
            assert decisive(answer, names - kept) == decisive(other.do(run, event), ()), (number, event)
            said += isinstance(answer, dict) and bool(answer.get("would"))
            party.hosts[run].saw(event, answer)
            if party.is_over:
                break
    assert said > 300
