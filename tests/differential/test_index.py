"""The index decides nothing: many rules decide as they do without it, and as the reference does."""

from collections import Counter
from random import Random

from checkrein import _core
from checkrein.language import compile_source, parse
from tests.both import Compiled, Walked

from .facts import Fact
from .generate import Made, Maker
from .minimise import Scene
from .party import Party
from .run import EVENTS_MAX

SEED, POLICIES = 47, 25
RULES = 60


class Crowded(Maker):
    """Makes policies with many rules on the same calls and facts; most are observed, so that calls go on."""

    crowd: list[str] | None = None

    def policy(self) -> Made:
        made = super().policy()
        self.crowd = [self._one(["tool any", "model any"])]
        before = len(made.statements)
        for number in range(RULES):
            self._rule(f"one of many {number}")
        for place in range(before, len(made.statements)):
            text = made.statements[place]
            if not text.startswith("observe") and self.chance.random() < 0.9:
                made.statements[place] = f"observe until 2026-12-31 {text}"
        return made

    def _selector(self, kinds: list[str] | None = None) -> tuple[str, list[Fact]]:
        selector, facts = super()._selector(self.crowd or kinds)
        return selector, facts[:3] if self.crowd else facts


def test_many_rules_decide_the_same_with_the_index_and_without() -> None:
    seen: Counter[str] = Counter()
    for number in range(POLICIES):
        chance = Random(f"{SEED} crowd {number}")
        made = Crowded(chance).policy()
        policy, _ = parse(made.source, "case.rein")
        artifact = compile_source(made.source, "case.rein")
        indexed, scanning = _core.Program.load(artifact), _core.Program.load_scanning(artifact)
        seen["found"] += sum(row["why"] is None for row in indexed.found())
        party = Party(chance, made, 0)
        scene = Scene(party.runs, chance.getrandbits(64), 0, party.wall)
        hosts = [scene.play(Compiled, indexed), scene.play(Compiled, scanning), scene.play(Walked, policy)]
        for _ in range(EVENTS_MAX):
            run, event = party.next()
            answer, without, walked = (host.do(run, event) for host in hosts)
            assert answer == without, (number, event)
            assert answer == walked, (number, event)
            seen["events"] += 1
            seen["would"] += isinstance(answer, dict) and len(answer.get("would", ())) > 1
            party.hosts[run].saw(event, answer)
            if party.is_over:
                break
    assert seen["would"] > seen["events"] / 10
    assert seen["found"] > POLICIES * RULES / 4
