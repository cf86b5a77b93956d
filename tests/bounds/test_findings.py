"""What `check` says never happens does not happen, whatever a host does under random policies."""

from collections import Counter

from checkrein import _core
from checkrein.language import check, compile_source, parse

from .adversary import Adversary, Memory
from .run import policy_of

POLICIES = 60
RUNS = 8


class Witness(Adversary):
    """An adversary that remembers what decided, and what was let through."""

    def __init__(self, *given):
        super().__init__(*given)
        self.deciders, self.served, self.ran = set(), set(), set()

    def heed(self, call, decision):
        self.deciders.add(decision.by)
        if decision.outcome == "allow":
            (self.served if call.kind == "model" else self.ran).add(decision.model or call.ask.get("tool"))
        super().heed(call, decision)


def never(policy):
    """Rules that never decide, models that never serve and tools that are never run, by the findings."""
    names = Counter(each.name.text for each in policy.statements if hasattr(each, "name"))
    rules, models, tools = set(), set(), set()
    for finding in check(policy, deep=True):
        said = policy.source[finding.span.start : finding.span.end].strip('"')
        match finding.code:
            case "R0623" if names[said] == 1:
                rules.add(said)
            case "R0637":
                models.add(said)
            case "R0640":
                tools |= {part for part in finding.message.split("can never")[0].split("`") if part in names}
    return rules, models, tools


def test_what_is_said_never_to_happen_never_happens():
    said, happened = Counter(), Counter()
    for number in range(POLICIES):
        made = policy_of(99, number)
        policy, _ = parse(made.source, "random.rein")
        rules, models, tools = never(policy)
        if not (rules or models or tools):
            continue
        said.update({"rules": len(rules), "models": len(models), "tools": len(tools)})
        program, memory = _core.Program.load(compile_source(made.source, "random.rein")), Memory()
        for place in range(RUNS):
            seen = Witness(policy, program, made, memory, f"{number} {place}")
            seen.spend()
            happened["served"] += len(seen.served)
            assert not seen.deciders & rules, made.source
            assert not seen.served & models, made.source
            assert not seen.ran & tools, made.source
    assert said["models"] > 5
    assert said["tools"] > 1
    assert happened["served"] > 20
