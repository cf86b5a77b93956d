"""Random policies, by seed: typed, valid, and with every statement of the language now and then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from . import limits, orders, results, routes
from .facts import CHOICES, KINDS, LITERALS, RUN_FACTS, Fact, dimension_of, type_text

NAMES = ["north", "south", "East", "west wind", "up", "down", "né", "z-9"]
MODELS = ["small", "large", "tiny", "vast"]
TOOLS = ["search", "read", "write", "pay", "list"]
OBSERVABLE = "retry breaker require order loop truth rule".split()
CLASSES = ["retrieve", "reason", "act"]


@dataclass
class Made:
    """A policy as statement texts, and what a host needs to know of it."""

    statements: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    tiers: list[str] = field(default_factory=list)
    regions: set[str] = field(default_factory=set)
    tools: dict[str, list[Fact]] = field(default_factory=dict)
    results: dict[str, list[Fact]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    bounded: set[str] = field(default_factory=set)
    shared: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many limits bound a measure for each scope that is wider than a run."""
    defines: list[str] = field(default_factory=list)
    orders: list[tuple[list[str], list[str]]] = field(default_factory=list)
    """What comes first, and what after it."""
    kinds: set[str] = field(default_factory=set)

    @property
    def source(self) -> str:
        """The whole text."""
        return source_of(self.statements)


def source_of(statements: list[str]) -> str:
    """A policy file of these statements."""
    return "\n".join(['language 1\npolicy "random"', *statements]) + "\n"


class Maker:
    """Makes one policy from one source of chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.made = Made()
        self.binds = chance.random() < 0.4

    def policy(self) -> Made:
        """A new policy; the statements stand in any order."""
        self._vocabulary()
        self._many(lambda name: limits.limit(self, name), [8, 30, 32, 20, 10])
        self._store()
        if self.chance.random() < 0.4:
            self.add(f'clock in "{self._one(limits.ZONES)}"')
        self._many(self._define, [60, 30, 10])
        self._many(self._retry, [8, 22, 42, 28])
        self._many(lambda name: routes.require(self, name), [55, 35, 10])
        self._many(lambda name: routes.route(self, name), [35, 65])
        self._many(self._breaker, [55, 30, 15])
        self._many(lambda name: orders.order(self, name), [45, 38, 17])
        self._many(self._loop, [50, 40, 10])
        if "loop" not in self.made.kinds and self.chance.random() < 0.4:
            self.add("loop off")
        self._many(self._truth, [87, 13])
        self._many(self._rule, [4, 20, 26, 26, 14, 10])
        self._many(self._test, [85, 15])
        self.made.statements = [self._told_apart(text) for text in self.made.statements]
        self.chance.shuffle(self.made.statements)
        return self.made

    def _told_apart(self, text: str) -> str:
        """A limit's answer was written before a later limit made what it tells of a scope ambiguous."""
        for (scope, measure), many in self.made.shared.items():
            for part in ("spent", "held") if many > 1 else ():
                text = text.replace(f"{{{scope}.{measure}.{part}}}", f"{{{scope}.{measure}.left}}")
        return text

    # -- choosing ---------------------------------------------------------------------------------

    def _many(self, make, weights: list[int]) -> None:
        names = self.chance.sample(NAMES, len(NAMES))
        for name in names[: self.chance.choices(range(len(weights)), weights)[0]]:
            make(name)

    def _maybe(self, share: float, text: str) -> str:
        return text if self.chance.random() < share else ""

    def _one(self, options):
        return self.chance.choice(list(options))

    def add(self, text: str, is_observed: bool = False) -> None:
        kind = text.split(maxsplit=1)[0]
        self.made.kinds.add(kind)
        may_be = kind in OBSERVABLE and text != "loop off"
        if is_observed or (may_be and self.chance.random() < 0.2):
            self.made.kinds.add("observe")
            text = f"observe until 2026-12-31 {text}"
        self.made.statements.append(text)

    # -- the vocabulary ---------------------------------------------------------------------------

    def _vocabulary(self) -> None:
        for name in self.chance.sample(MODELS, self._one([1, 2, 3, 3, 4])):
            routes.model(self, name)
        for name in self.chance.sample(TOOLS, self.chance.randint(2, 5)):
            self._tool(name)
        for name in ("over", "gone", "halt"):
            tells = self._one(
                ['tell user "Sorry."', 'tell agent "No."', 'tell agent "No." tell user "Sorry."']
            )
            self.add(f'state "{name}" {tells}')
        for name in ("boss", "desk"):
            default = self._one(["", "default deny", 'default stop "halt"', "default deny"])
            expires = self._one(["20 s", "2 min", "1 h"])
            self.add(f'queue "{name}" {{ expires {expires} {default} }}')
        if self.binds:
            self.add('queue "narrow" { expires 2 min binds "path" }')
        limits.queues(self)
        for number in range(self.chance.randint(1, 5)):
            self._fact(f"f{number}.value")
        self._keys()

    def _keys(self) -> None:
        self.add("fact acct.id text")
        self.add('fact acct.tier one of "free", "paid"')
        self.made.facts += [Fact("acct.id", "text"), Fact("acct.tier", "text", False, ("free", "paid"))]

    def _store(self) -> None:
        is_wide = any(f"on {each}" in self.made.kinds for each in limits.SCOPES + limits.KEYS)
        is_here = "counted in one process" in self.made.kinds
        if is_wide and not is_here and self.chance.random() < 0.5:
            self.add("store shared")

    def _tool(self, name: str) -> None:
        kind = self._one([*CLASSES, None])
        args = []
        names = self.chance.sample(["size", "amount", "kind", "path"], self.chance.randint(0, 3))
        for arg in names if "path" in names or not self.binds else [*names, "path"]:
            dimension = {"size": "count", "amount": "money", "path": "text"}.get(
                arg, self._one(["text", "text", "count"])
            )
            optional = self.chance.random() < 0.4
            unit = self._maybe(0.5, " in cents") if dimension == "money" else ""
            choices = tuple(CHOICES[: self._one([2, 3])]) if arg == "kind" and dimension == "text" else ()
            # What orders match and queues bind stays one value.
            most = self._one([0, 0, 1, 3]) if arg != "path" else 0
            args.append((Fact(f"call.args.{arg}", dimension, optional, choices, most), unit))
        texts = [f'"{f.name[10:]}" {type_text(f, unit)}{" optional" * f.optional}' for f, unit in args]
        self.made.tools[name] = [fact for fact, _ in args]
        self.made.classes[name] = kind or ""
        again = self._one(["", "", "", "", "once", "may repeat"])
        items = [f"class {kind}" if kind else "", again]
        items += [self._maybe(0.4, f"timeout {self._one(['500 ms', '3 s', '2 min'])}")]
        items += [f"args {{ {' '.join(texts)} }}" if texts else ""]
        items += results.succeeds(self, name, [fact for fact, _ in args])
        self.add(f'tool "{name}" {{ {" ".join(items)} }}')

    def _fact(self, name: str) -> None:
        dimension = self._one([*LITERALS, "text"])
        choices = tuple(CHOICES) if dimension == "text" and self.chance.random() < 0.5 else ()
        presence = self._one(["", "", " optional", " optional", "default", "default"])
        fact = Fact(name, dimension, presence == " optional", choices, self._one([0, 0, 0, 2, 3]))
        if presence == "default":
            presence = f" default {'[]' if fact.most else self._literal(fact)}"
        self.made.facts.append(fact)
        self.add(f"fact {name} {type_text(fact)}{presence}")

    def _define(self, name: str) -> None:
        defined = f"is.d{len(self.made.defines)}"
        condition = self.condition(self._host_facts(), 2)
        self.made.defines.append(defined)
        self.add(f"define {defined} = {condition}")

    # -- conditions -------------------------------------------------------------------------------

    def _host_facts(self) -> list[Fact]:
        steps = [Fact("step.kind", "text"), Fact("step.confidence", "percent", True)]
        return [*self.made.facts, *self.made.facts, *steps]

    def _clock_facts(self) -> list[Fact]:
        shown = {"hour": "count", "time": "duration", "day": "count", "month": "count"}
        weekday = Fact("now.weekday", "text", False, ("monday", "friday", "sunday"))
        return [weekday, *(Fact(f"now.{name}", dimension) for name, dimension in shown.items())]

    def _shared_facts(self) -> list[Fact]:
        """One of the facts about a limit that runs share, if there is one on a scope with a word."""
        named = [(key, many) for key, many in self.made.shared.items() if key[0] in limits.SCOPES]
        if not named:
            return []
        (scope, measure), many = self._one(sorted(named))
        parts = ["left", "left", "age", *(["spent", "spent"] if many == 1 else [])]
        parts += ["held"] * (many == 1 and measure in limits.AMOUNTS)
        part = self._one(parts)
        self.made.kinds.add("facts of a scope")
        return [Fact(f"{scope}.{measure}.{part}", "duration" if part == "age" else dimension_of(measure))]

    def _run_facts(self) -> list[Fact]:
        left = [Fact(f"run.{each}.left", dimension_of(each)) for each in sorted(self.made.bounded)]
        counters = [Fact(name, dimension) for name, dimension in RUN_FACTS.items()]
        whose = Fact("session.id", "text", True, ("session1", "session2"))
        clock = self.chance.sample(self._clock_facts(), 1)
        clock += self._shared_facts() * 2
        return [*self.chance.sample(counters, 2), *left[:1], *clock, whose, Fact("call.attempt", "count")]

    def limit_facts(self) -> list[Fact]:
        """What the answer of a limit may tell."""
        return [*self.made.facts, *self._run_facts()]

    def model_facts(self, named: bool = False) -> list[Fact]:
        """What a condition about a model call may read."""
        model = Fact("call.model", "text", not named, tuple(MODELS))
        models = [model] * (3 if named else 1)
        models += [Fact("call.cost", "money")] * (2 if named else 0)
        return [*self._host_facts(), *self._run_facts(), *models, Fact("call.input_tokens", "tokens")]

    def _tool_facts(self, selected: list[str]) -> list[Fact]:
        facts = [*self._host_facts(), *self._run_facts(), Fact("call.tool", "text", False, tuple(TOOLS))]
        declared: dict[str, list[Fact]] = {}
        for tool in selected:
            for fact in self.made.tools[tool]:
                declared.setdefault(fact.name, []).append(fact)
        for name, each in declared.items():
            if len({(fact.dimension, fact.most > 0) for fact in each}) == 1:
                optional = len(each) < len(selected) or any(fact.optional for fact in each)
                choices = min((fact.choices for fact in each), key=len)
                facts += [Fact(name, each[0].dimension, optional, choices, each[0].most)] * 3
        return facts

    def _error_facts(self) -> list[Fact]:
        optional = [("error.status", "count"), ("error.retry_after", "duration"), ("error.billed", "flag")]
        return [Fact("error.kind", "text", False, tuple(KINDS))] * 4 + [Fact(n, d, True) for n, d in optional]

    def condition(self, facts: list[Fact], depth: int) -> str:
        """A condition over these facts."""
        shape = self.chance.random()
        if depth == 0 or shape < 0.45:
            return self._atom(self._one(facts))
        if shape < 0.55:
            return f"not {self._inner(facts, depth)}"
        if shape < 0.62 and self.made.defines:
            return self._one(self.made.defines)
        word = " and " if shape < 0.88 else " or "
        return word.join(self._inner(facts, depth) for _ in range(self._one([2, 2, 3])))

    def _inner(self, facts: list[Fact], depth: int) -> str:
        return f"({self.condition(facts, depth - 1)})"

    def _atom(self, fact: Fact) -> str:
        if self.chance.random() < (0.15 if fact.optional else 0.03):
            return f"has {fact.name}"
        if not fact.optional:
            return self._comparison(fact)
        if self.chance.random() < 0.15:
            return f"(not has {fact.name} or {self._comparison(fact)})"
        return f"(has {fact.name} and {self._comparison(fact)})"

    def _comparison(self, fact: Fact) -> str:
        return f"{self._one(['all', 'any'])} of " * (fact.most > 0) + self._of_one(fact)

    def _of_one(self, fact: Fact) -> str:
        if self.chance.random() < 0.25:
            members = {self._literal(fact) for _ in range(3)}
            return f"{fact.name} in [{', '.join(sorted(members))}]"
        if fact.dimension == "text" and not fact.choices and self.chance.random() < 0.3:
            return f'{fact.name} {self._one(["starts", "ends"])} with "{self._one(["r", "n", "é", "een"])}"'
        equal = ["==", "==", "!="]
        signs = equal if fact.dimension in ("text", "flag") else [*equal, "<", "<=", ">", ">="]
        return f"{fact.name} {self._one(signs)} {self._literal(fact)}"

    def _literal(self, fact: Fact) -> str:
        return f'"{self._one(fact.choices)}"' if fact.choices else self._one(LITERALS[fact.dimension])

    # -- what is enforced -------------------------------------------------------------------------

    def _outcome(self, weights: dict[str, int], facts: Sequence[Fact] = (), narrows: bool = True) -> str:
        kind = self.chance.choices(list(weights), list(weights.values()))[0]
        if kind == "answer":
            return self.answer(facts)
        if kind == "reuse":
            return kind
        if kind == "escalate":
            queues = ["boss", "desk", *["narrow"] * (self.binds and narrows and "answer" not in weights)]
            wants = self._one(["", "", "", " as question", " as handover"])
            return f'escalate to "{self._one(queues)}"{wants}'
        return kind if kind == "deny" else f'{kind} "{self._one(["over", "gone", "halt"])}"'

    def answer(self, facts: Sequence[Fact]) -> str:
        """A text with some of these facts in it."""
        known = [fact.name for fact in facts if not fact.optional and not fact.most]
        parts = [
            self._one(["Yes. ", "{{", "é", "}}\\n", *(f"{{{name}}}" for name in known)]) for _ in range(3)
        ]
        return f'answer "{"".join(parts)}."'

    def otherwise(
        self, escalates: bool = False, gift: str = "", facts: Sequence[Fact] = (), narrows: bool = True
    ) -> str:
        """What a statement says in the end; `gift` is `answer` or `reuse` where it may.

        `narrows`: it may ask the queue that binds arguments.
        """
        weights = {"stop": 5, "fail": 4, "deny": 4} | ({"escalate": 6} if escalates else {})
        weights |= {gift: 4} if gift else {}
        return f"else {self._outcome(weights, facts, narrows)}" + self._maybe(0.3, ' because "So it is."')

    def _retry(self, name: str) -> None:
        selector, facts = self._selector(
            self._one([["model any"], ["model any"], ["tool any"], ["tool any"], None])
        )
        parts = [f"attempts <= {self._one('135888')}"]
        when = self.chance.random()
        if when < 0.55:
            parts.append('when error.kind in ["timeout", "rate_limited", "unavailable", "unknown"]')
        elif when < 0.85:
            parts.append(f"when {self.condition([*facts, *self._error_facts(), *self._error_facts()], 2)}")
        parts.append(self._maybe(0.5, f"within {self._one(['3 s', '30 s', '5 min'])}"))
        parts.append(
            self._maybe(0.6, f"backoff {self._one(['100 ms .. 2 s', '1 s .. 1 s', '500 ms .. 8 s'])}")
        )
        share = f"share {self._one(['10%', '50%', '100%'])} of calls in {self._one(['5 s', '2 min'])}"
        parts.append(self._maybe(0.3, f"{share}, at least {self._one('0124')}"))
        on_models = selector.startswith("model")
        ends = self.otherwise(gift="answer" if on_models else "", facts=[*facts, *self._error_facts()])
        self.add(f'retry "{name}" on {selector} {{ {" ".join(parts)} }} {ends}')

    def _breaker(self, name: str) -> None:
        kinds = ["model any", "model", "tool any", "tool any", "tool", "provider any", 'provider "x"']
        kind = self._one(kinds)
        watched = kind if kind.startswith("provider") else self._selector([kind])[0]
        if watched == 'provider "x"' and not any(' is "x/' in each for each in self.made.statements):
            watched = "provider any"
        share, calls = self._one(["1%", "1%", "50%", "100%"]), self._one("11125")
        opens = f"opens when failures >= {share} of {calls} in {self._one(['2 s', '30 s', '10 min'])}"
        probes = f"probes {self._one('1123')} after {self._one(['1 s', '5 s', '40 s'])}"
        self.add(f'breaker "{name}" on {watched} {{ {opens} {probes} }}')

    def _selector(self, kinds: list[str] | None = None) -> tuple[str, list[Fact]]:
        classes = sorted(set(self.made.classes.values()) - {""})
        kind = self._one(kinds or ["model any", "model", "tool any", "tool", *(["class"] if classes else [])])
        if kind == "model any":
            return kind, self.model_facts()
        if kind == "model":
            return f'model "{self._one(self.made.models)}"', self.model_facts(named=True)
        if kind == "tool":
            tool = self._one(self.made.tools)
            return f'tool "{tool}"', self._tool_facts([tool])
        if kind == "class":
            chosen = self._one(classes)
            members = [tool for tool in self.made.tools if self.made.classes[tool] == chosen]
            return f"tool class {chosen}", self._tool_facts(members)
        return kind, self._tool_facts(list(self.made.tools))

    def when(self, share: float, facts: list[Fact]) -> str:
        """A condition, mostly."""
        return f"when {self.condition(facts, 2)}" if self.chance.random() < share else ""

    def _loop(self, name: str) -> None:
        same = f"same call >= {self._one('2345')} within {self._one(['1', '3', '10'])} steps"
        cycle = f"cycle <= {self._one('123')} calls repeated >= {self._one('23')}"
        error = f"same error >= {self._one('234')} within {self._one(['1', '3', '10'])} steps"
        idle = f"no progress >= {self._one('2234')} steps"
        again = f"repeated_context >= {self._one(['10%', '50%', '90%', '100%'])}"
        if self.chance.random() < 0.3:
            idle = self._one([again, f"{again} {idle}"])
        items = self._one([same, cycle, f"{same} {cycle}", error, f"{same} {error}", idle, f"{idle} {same}"])
        known = sorted({fact.name for facts in self.made.tools.values() for fact in facts})
        compares = any(each in items for each in (same, cycle, "no progress"))
        if compares and known and self.chance.random() < 0.4:
            ignored = self.chance.sample(known, min(len(known), self._one([1, 1, 2])))
            items += "".join(f" ignoring {fact}" for fact in ignored)
        is_early = error not in items
        on_models = idle in items
        gift = "reuse" if is_early and not on_models else ""
        otherwise = self.otherwise(escalates=is_early, gift=gift, narrows=not on_models)
        self.add(f'loop "{name}" on run {{ {items} }} {otherwise}')

    def _truth(self, _name: str) -> None:
        self.add(f"truth {{ tool results }} {self.otherwise(escalates=True)}")

    def _rule(self, name: str) -> None:
        selector, facts = self._selector()
        gift = {"answer": 6} if selector.startswith("model") else {"reuse": 12}
        outcome = self._outcome({"stop": 2, "fail": 5, "deny": 4, "escalate": 11, **gift}, facts)
        when = self.when(0.4 if outcome == "reuse" else 0.93, facts)
        self.add(f'rule "{name}" on {selector} {when} then {outcome} because "Because."')

    def _test(self, name: str) -> None:
        scopes = [f'{each} "x"' for each in limits.SCOPES if f"on {each}" in self.made.kinds]
        keys = [f'{each} "free"' for each in limits.KEYS if f"on {each}" in self.made.kinds]
        whose = f"as {' '.join(scopes)}" if scopes else ""
        whose += f" facts {{ {' '.join(keys)} }}" if keys else ""
        self.add(f'test "{name}" {{ {whose} tool "{self._one(self.made.tools)}" {{ }} expect allow }}')
