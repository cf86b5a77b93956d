"""The facts that conditions read: the host's, the tool's arguments, and what the run itself counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkrein.frozen import Frozen, fields
from checkrein.language import tree

from . import limits, prices, windows
from .conditions import leaves, truth
from .state import ERROR_KINDS, Ask, Misuse
from .values import ILL, MISSING, convert, shown

if TYPE_CHECKING:
    from .run import Run

NOWHERE = tree.Span(1, 1, 0, 0)
BESIDE_A_CALL = {"step.kind": "text", "step.confidence": "percent"}
OF_RESULT = {"result.confidence": "percent"}
OF_ERROR = {"kind": "text", "status": "count", "retry_after": "duration", "billed": "flag"}
OF_RUN = {"cost": "money", "active_time": "duration", "wall_time": "duration"}
OF_RUN |= dict.fromkeys(("tokens", "input_tokens", "output_tokens"), "tokens")
OF_CALL = {"attempt": "count", "model": "text", "tool": "text", "input_tokens": "tokens"}


LATEST: list[tuple] = []


class Vocabulary:
    """The facts that a policy knows, its currency and its constants."""

    def __init__(self, policy: tree.Policy) -> None:
        self.declared = {each.name.text: each for each in policy.of(tree.Fact)}
        defines = {each.name.text: each for each in policy.of(tree.Define)}
        compiled = [each for each in policy.statements if not isinstance(each, (tree.Define, tree.Test))]
        texts = {node for node in below(compiled, defines) if isinstance(node, str)}
        # The empty text is nobody's secret.
        self.constants = texts | set(ERROR_KINDS) | set(windows.WEEKDAYS) | {""}
        clocks = [each.zone.text for each in policy.of(tree.WallClock)]
        self.clock = clocks[0] if clocks else "UTC"
        literals = [node for node in below(policy.statements, {}) if getattr(node, "currency", None)]
        currency = literals[0].currency if literals else "$"
        self.currency = currency + " " if currency.isalpha() else currency

    @classmethod
    def of(cls, policy: tree.Policy) -> Vocabulary:
        """That of a policy; runs of one policy mostly follow each other."""
        if not LATEST or LATEST[0][0] is not policy:
            LATEST[:] = [(policy, cls(policy))]
        return LATEST[0][1]

    def accept(self, facts: dict[str, Any], is_result: bool = False) -> None:
        """Refuse facts that a host may not send."""
        known = {*self.declared, *BESIDE_A_CALL, *(OF_RESULT if is_result else ())}
        if any(name not in known for name in facts):
            raise Misuse("unknown_fact")


def below(node: Any, defines: dict[str, tree.Define]) -> Iterator[Any]:
    """A node and all that is below it, used defines included."""
    yield node
    if isinstance(node, (list, tuple)):
        parts = list(node)
    elif isinstance(node, tree.Defined):
        parts = [defines[node.name.text].condition] if defines else []
    else:
        parts = [getattr(node, field) for field in fields(node)] if isinstance(node, Frozen) else []
    for part in parts:
        yield from below(part, defines)


def look(run: Run, name: str, ask: Ask) -> tuple[str, Any]:
    """A fact's dimension and value, as `ask` sees it."""
    group, _, rest = name.partition(".")
    if name in run.vocabulary.declared:
        fact = run.vocabulary.declared[name]
        slot = convert(fact.type, ask.facts.get(name))
        absent = slot is MISSING and fact.default is not None
        if absent:
            slot = () if fact.type.most else fact.default.value
        return fact.type.dimension, slot
    if name in BESIDE_A_CALL:
        kind, slot = host(BESIDE_A_CALL[name], ask.facts.get(name))
        return kind, "" if slot is MISSING and name == "step.kind" else slot
    if name in OF_RESULT:
        return host(OF_RESULT[name], ask.facts.get(name))
    if group == "result":
        return filled(run.tools[ask.tool].results, rest, ask.result or {})
    if rest == "id":
        id = run.id if group == "run" else run.scopes[group]
        return "text", MISSING if id is None else id
    if group == "now":
        return windows.shown(run.vocabulary.clock, run.at.wall)[rest]
    if group == "error":
        return host(OF_ERROR[rest], (ask.error or {}).get(rest))
    if name == "step.index":
        return "count", run.step_index
    if rest.startswith("args."):
        return filled(run.tools[ask.tool].args, rest.removeprefix("args."), ask.args)
    if name == "call.cost":
        return "money", worst_cost(run, ask)
    if group == "call":
        value = getattr(ask, rest)
        return OF_CALL[rest], MISSING if value is None else value
    dimension, _, which = rest.partition(".")
    if group != "run":
        slot = limits.shared(run, group, dimension, which)
        return "duration" if which == "age" else OF_RUN.get(
            dimension, "count"
        ), MISSING if slot is None else slot
    return OF_RUN.get(dimension, "count"), counted(run, dimension, which)


def worst_cost(run: Run, ask: Ask) -> int:
    """The most that the call may cost on the model that the statement names."""
    model = run.models[ask.model]
    output = min(model.output, model.window - ask.input_tokens)
    output = output if ask.max_output is None else min(output, ask.max_output)
    return prices.worst(run.tariffs[ask.model], ask.input_tokens, max(0, output))


def filled(fields: tuple[tree.Arg, ...], name: str, values: dict[str, Any]) -> tuple[str, Any]:
    """An argument or a field of a result, as its tool declares it."""
    declared = [field for field in fields if field.name.text == name]
    if not declared:
        return "text", MISSING
    kind = declared[0].type
    return kind.dimension, convert(kind, values.get(name))


def host(dimension: str, value: Any) -> tuple[str, Any]:
    """A built-in fact that the host supplies."""
    return dimension, convert(tree.Type(dimension, NOWHERE), value)


def counted(run: Run, dimension: str, which: str) -> int:
    """What the run has spent, holds, or has left under its tightest limit."""
    if which == "left":
        return limits.left(run, dimension)
    return run.spent(dimension) if which == "spent" else run.holding[dimension]


def holds(run: Run, condition: tree.Condition | None, ask: Ask) -> bool | None:
    return truth(condition, lambda name: look(run, name, ask)[1], run.defines)


def seen_by(retry: tree.Retry, ask: Ask) -> Ask:
    """What a retry reads: one on a model that it names sees that model."""
    name = retry.selector.name
    return replace(ask, model=name.text) if retry.selector.point == "model" and name else ask


def explained(run: Run, condition: tree.Condition | None, ask: Ask) -> list[tuple[str, str]]:
    """The facts that a condition names, with the values it saw."""
    names = dict.fromkeys(leaf.fact.text for leaf in leaves(condition, run.defines))
    known = run.vocabulary
    return [(name, shown(*look(run, name, ask), known.currency, known.constants)) for name in names]


def written(run: Run, parts: tuple[str | tree.Name, ...], ask: Ask) -> str | None:
    """The text of an answer with the values of its facts; None if one cannot be told."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        dimension, slot = look(run, part.text, ask)
        if slot is MISSING or slot is ILL:
            return None
        text += slot if dimension == "text" else shown(dimension, slot, run.vocabulary.currency, set())
    return text


def source_of(parts: tuple[str | tree.Name, ...]) -> str:
    """The text of an answer as a policy writes it."""
    return "".join(
        part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else f"{{{part.text}}}"
        for part in parts
    )
