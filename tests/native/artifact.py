"""A hand-held artifact writer, so that the binding is tested without the compiler.

It writes what it is told, in canonical order, and knows nothing of the language: a test names the
facts, limits and rules it needs. The compiler's own bytes are tested with the compiler.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DIMENSIONS = ("text", "flag", "count", "money", "tokens", "duration", "percent")
MEASURES = (
    "cost", "tokens", "input_tokens", "output_tokens", "steps", "model_calls", "tool_calls", "attempts",
    "retries", "escalations", "active_time", "wall_time",
)  # fmt: skip
SCOPES = ("run", "session", "user", "team", "org")
KINDS = ("limit", "retry", "breaker", "require", "route", "order", "loop", "truth", "rule")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
UNITS = {None: 0, "units": 1, "cents": 2}


@dataclass
class Rule:
    """`rule name on selector when condition then outcome`; selector ("model", None) is model any."""

    name: str
    selector: tuple[str, str | None]
    outcome: tuple[str, str | None] = ("deny", None)
    when: list[tuple] | None = None
    reason: str = "because"


@dataclass
class Artifact:
    """What a program holds. Names are text; `bytes()` turns them into indices."""

    facts: list[tuple[str, str, str, str, object, tuple[str, ...]]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    tools: dict[str, list[tuple[str, str, str | None]]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    queues: list[tuple[str, int]] = field(default_factory=list)
    limits: dict[str, tuple[dict[str, int], str]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    scopes: dict[str, str] = field(default_factory=dict)
    """The scope of a limit that is not a run's: a word, or the name of a fact."""
    shared: bool = False

    def host(self, name: str, dimension: str, *choices: str, optional: bool = True) -> str:
        """Declare a host fact."""
        presence = "optional" if optional else "required"
        self.facts.append((name, dimension, "host", presence, None, tuple(sorted(choices))))
        return name

    def __bytes__(self) -> bytes:
        return Writer(self).artifact()


def u(value: int) -> bytes:
    """Write an unsigned number as minimal LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def several(items: Iterable[bytes]) -> bytes:
    """Write a list: how many, then each."""
    items = list(items)
    return u(len(items)) + b"".join(items)


def seal(payload: bytes) -> bytes:
    """Put the header before a payload."""
    head = b"REIN" + struct.pack("<HH", 1, 1) + b"slice006" + hashlib.sha256(payload).digest()
    return head + struct.pack("<I", len(payload)) + payload


class Writer:
    """One pass that collects the strings, and a second that writes their indices."""

    def __init__(self, artifact: Artifact) -> None:
        self.a = artifact
        self.strings: list[bytes] = []
        self.seen: set[bytes] = set()

    def artifact(self) -> bytes:
        self.sections()
        self.strings = sorted(self.seen, key=bytes)
        texts = several(u(len(text)) + text for text in self.strings)
        return seal(texts + self.sections())

    def s(self, text: str) -> bytes:
        raw = text.encode()
        self.seen.add(raw)
        return u(self.strings.index(raw)) if self.strings else u(0)

    def optional(self, value: object, write: Callable[[object], bytes]) -> bytes:
        return b"\0" if value is None else b"\1" + write(value)

    def constant(self, dimension: str, value: object) -> bytes:
        code = bytes([DIMENSIONS.index(dimension)])
        if isinstance(value, str):
            return code + self.s(value)
        if isinstance(value, bool):
            return code + bytes([value])
        return code + u((value << 1) ^ (value >> 63))

    def sections(self) -> bytes:
        self.facts = sorted(self.a.facts, key=lambda f: (f[0].encode(), DIMENSIONS.index(f[1])))
        self.rules = sorted(self.a.rules, key=lambda r: r.name)
        self.statements = sorted(
            [(name, "limit") for name in self.a.limits] + [(rule.name, "rule") for rule in self.rules]
        )
        conditions = [rule.when for rule in self.rules if rule.when is not None]
        self.condition = iter(range(len(conditions)))
        return b"".join(
            [
                self.s("test") + self.s("test.rein") + self.s("$") + self.s("") + bytes([self.a.shared]),
                several(map(self.fact, self.facts)),
                several(map(self.model, sorted(self.a.models))),
                several(self.tool(name, args) for name, args in sorted(self.a.tools.items())),
                several(
                    self.s(name) + b"\0" + self.optional("told", self.s) for name in sorted(self.a.states)
                ),
                several(self.s(name) + u(expires) + b"\0\0\0" for name, expires in sorted(self.a.queues)),
                several([]),
                self.optional(None, u),  # clock
                several(several(map(self.op, condition)) for condition in conditions),
                several([]),  # templates
                several(map(self.statement, self.statements)),
                several(map(self.rule, self.rules)),
                several(self.limit(name, *limit) for name, limit in sorted(self.a.limits.items())),
                *[several([])] * 7,
            ]
        )

    def fact(self, fact: tuple) -> bytes:
        name, dimension, source, presence, default, choices = fact
        sources, presences = ("host", "arg", "builtin"), ("required", "optional", "default")
        # One value, no list.
        codes = bytes([DIMENSIONS.index(dimension), 0, sources.index(source), presences.index(presence)])
        written = self.constant(dimension, default) if presence == "default" else b""
        return self.s(name) + codes + written + several(map(self.s, choices))

    def model(self, name: str) -> bytes:
        # Tier 1, in the cloud, of no region, a window of 1000 tokens, 100 tokens out, $1 and $2 a million;
        # from a cache a tenth, into it five quarters.
        numbers = u(1) + b"\1\0" + u(1000) + u(100) + u(1)
        rates = (10**9, 2 * 10**9, 10**8, 125 * 10**7, 2 * 10**9)
        tariff = u(0) + u(0) + u(1440) + b"".join(map(u, rates))
        return self.s(name) + self.s(f"test/{name}") + numbers + b"\1" + several([tariff])

    def tool(self, name: str, args: list[tuple[str, str, str | None]]) -> bytes:
        keys = [(fact[0], fact[1]) for fact in self.facts]
        written = several(
            self.s(arg)
            + u(keys.index((f"call.args.{arg}", dimension)))
            + bytes([UNITS[unit], 0])
            + several([])
            for arg, dimension, unit in sorted(args)
        )
        return self.s(name) + b"\0\0\0\0" + written + several([]) + b"\0"  # no result that anybody reads

    def op(self, op: tuple) -> bytes:
        code, *rest = op
        fact = next(i for i, known in enumerate(self.facts) if known[0] == rest[0])
        if code == "has":
            return b"\2" + u(fact)
        operator, value = rest[1:]
        compared = bytes([OPERATORS.index(operator)]) + self.constant(self.facts[fact][1], value)
        return b"\0" + u(fact) + compared

    def statement(self, statement: tuple[str, str]) -> bytes:
        name, kind = statement
        line = self.statements.index(statement) + 1
        return (
            bytes([KINDS.index(kind)])
            + self.s(name)
            + b"\0"
            + self.s("test.rein")
            + u(line)
            + u(1)
            + self.s(f'{kind} "{name}"')
        )

    def outcome(self, outcome: tuple[str, str | None]) -> bytes:
        kind, target = outcome
        code = bytes([("stop", "fail", "deny", "escalate").index(kind)])
        if target is None:
            return code
        names = (
            sorted(self.a.states) if kind in ("stop", "fail") else [name for name, _ in sorted(self.a.queues)]
        )
        return code + u(names.index(target))

    def rule(self, rule: Rule) -> bytes:
        point, name = rule.selector
        names = sorted(self.a.models) if point == "model" else sorted(self.a.tools)
        code = {"model": 0, "tool": 2}[point] + (name is not None)
        selector = bytes([code]) + (b"" if name is None else u(names.index(name)))
        condition = self.optional(rule.when, lambda _: u(next(self.condition)))
        stmt = u(self.statements.index((rule.name, "rule")))
        return stmt + selector + condition + self.outcome(rule.outcome) + self.s(rule.reason)

    def limit(self, name: str, bounds: dict[str, int], state: str) -> bytes:
        ordered = sorted((MEASURES.index(bound), most) for bound, most in bounds.items())
        written = several(bytes([bound]) + u(most) + u(0) for bound, most in ordered)
        stmt = u(self.statements.index((name, "limit")))
        scope = self.a.scopes.get(name, "run")
        if scope in SCOPES:
            whose = bytes([SCOPES.index(scope)])
        else:
            whose = b"\5" + u(next(i for i, fact in enumerate(self.facts) if fact[0] == scope))
        # For ever; attempts are counted; without the store what is leased is spent; no wrapping up.
        kept = b"\0" + written + b"\0" + b"\0" + u(0)
        return stmt + whose + kept + several([]) + self.outcome(("stop", state)) + b"\0"
