"""Named conditions: no cycles, and none too deep or too large once it is put in where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import quote
from checkrein.language.translate.walk import DEPTH_MAX
from checkrein.language.tree import And, Defined, Not, Or, Quantified

if TYPE_CHECKING:
    from checkrein.diagnostics import Report
    from checkrein.language.names import Names
    from checkrein.language.tree import Condition, Define, Span

OPS_MAX = 4096
LOOKS_MAX = 16_384
"""Most operations of one lowered condition, and most elements that it looks at; the loader's limits."""


class Size(NamedTuple):
    """Of a condition with its defines put in: nesting, operations when lowered, elements of its lists."""

    depth: int
    operations: int
    looks: int = 0


class Defines:
    """The defines of a policy, each measured once."""

    def __init__(self, names: Names, report: Report) -> None:
        self.names = names
        self.report = report
        self._sizes: dict[str, Size | None] = {}
        for define in names.defines.values():
            self._measure_all(define)

    @property
    def sound(self) -> frozenset[str]:
        """The names of the defines that may be put in."""
        return frozenset(name for name, size in self._sizes.items() if size is not None)

    def check_size(self, condition: Condition | None, span: Span) -> bool:
        """Report a condition that is too deep or too large with its defines put in."""
        if condition is None:
            return True
        size = self._size(condition)
        return size is not None and self._fits(size, span, "the condition")

    def _measure_all(self, root: Define) -> None:
        """Measure a define after all those it names; the loop is iterative, a chain may be long."""
        trail: dict[str, None] = {}
        todo = [(root, False)]
        while todo:
            define, ready = todo.pop()
            name = define.name.text
            if ready:
                trail.pop(name)
                if name not in self._sizes:
                    size = self._size(define.condition)
                    fits = size is not None and self._fits(size, define.name.span, f"`{name}`")
                    self._sizes[name] = size if fits else None
                continue
            if name in self._sizes:
                continue
            trail[name] = None
            todo.append((define, True))
            for inner in _names_in(define.condition):
                if inner in trail:
                    self._report_cycle([*list(trail)[list(trail).index(inner) :], inner])
                    for each in list(trail)[list(trail).index(inner) :]:
                        self._sizes[each] = None
                elif inner in self.names.defines:
                    todo.append((self.names.defines[inner], False))

    def _report_cycle(self, cycle: list[str]) -> None:
        define = self.names.defines[cycle[0]]
        self.report.add(
            "R0107",
            define.name.span,
            f"{quote(cycle[0])} is defined by itself",
            help=" -> ".join(cycle[:8]) + (" -> ..." if len(cycle) > 8 else ""),
        )

    def _fits(self, size: Size, span: Span, what: str) -> bool:
        if size.depth > DEPTH_MAX:
            self.report.add(
                "R0020", span, f"{what} is nested deeper than {DEPTH_MAX} with its defines put in"
            )
            return False
        if size.operations > OPS_MAX:
            self.report.add(
                "R0207",
                span,
                f"{what} needs {size.operations:,} operations, more than {OPS_MAX:,}",
                help="split the statement",
            )
            return False
        if size.looks > LOOKS_MAX:
            message = f"{what} looks at {size.looks:,} elements of lists, more than {LOOKS_MAX:,}"
            help = "declare smaller maxima, or split the statement"
            self.report.add("R0207", span, message, help=help)
            return False
        return True

    def _size(self, condition: Condition) -> Size | None:
        """The size, or None if a define in it has none."""
        match condition:
            case Not():
                inner = self._size(condition.operand)
                return inner and inner._replace(depth=inner.depth + 1, operations=inner.operations + 1)
            case And() | Or():
                sizes = [self._size(o) for o in condition.operands]
                known = [s for s in sizes if s is not None]
                if len(known) < len(sizes):
                    return None
                joints = 2 * (len(known) - 1)
                looks = sum(s.looks for s in known)
                return Size(max(s.depth for s in known) + 1, sum(s.operations for s in known) + joints, looks)
            case Defined():
                return self._sizes.get(condition.name.text, Size(1, 1))
            case Quantified():
                return Size(1, 1, self.names.longest(condition.fact.text))
            case _:
                return Size(1, 1)


def _names_in(condition: Condition) -> list[str]:
    match condition:
        case Not():
            return _names_in(condition.operand)
        case And() | Or():
            return [name for operand in condition.operands for name in _names_in(operand)]
        case Defined():
            return [condition.name.text]
        case _:
            return []
