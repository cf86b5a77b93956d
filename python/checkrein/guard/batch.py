"""Many calls decided at once: columns as the engine reads them, and what comes back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.errors import EngineError
from checkrein.guard.scopes import WORDS, text_of

if TYPE_CHECKING:
    from checkrein.guard.guard import Guard

OUTCOMES = ("allow", "reuse", "answer", "wait", "escalate", "deny", "fail", "stop")
"""What a code in `Decisions.outcome` means."""

BUILT_IN = ("undeclared tool", "undeclared model", "no candidate", "no usable model")
"""What the engine itself may say of a row; in `Decisions.names` behind the statements."""

UNNATURAL = "mMV"
"""Kinds of numpy's that are something else to Python: a time in nanoseconds becomes a bare number, of which
nobody knows the unit, and a record a tuple."""


class Decisions:
    """What is decided of each row: arrays of one length.

    `outcome` holds codes (a place in `outcomes`), `by` the deciding statement (a place in `names`, -1 where
    nobody objected), `undecided` whether that statement could not decide its condition. Of model calls,
    `model` is the one that would serve (a place in `models`, -1 where none would); of tool calls it is empty.
    """

    outcomes = OUTCOMES

    def __init__(
        self,
        outcome: Any,
        by: Any,
        undecided: Any,
        model: Any,
        names: tuple[str, ...],
        models: tuple[str, ...],
    ) -> None:
        self.outcome = outcome
        self.by = by
        self.undecided = undecided
        self.model = model
        self.names = names
        self.models = models

    def __len__(self) -> int:
        return len(self.outcome)

    def __iter__(self) -> Iterator[tuple[str, str | None, bool]]:
        """Each row in words: the outcome, the deciding statement, and whether it was undecided."""
        rows = zip(self.outcome.tolist(), self.by.tolist(), self.undecided.tolist(), strict=True)
        for code, by, undecided in rows:
            yield OUTCOMES[code], self.names[by] if by >= 0 else None, undecided

    def count(self) -> dict[tuple[str, str | None], int]:
        """How many rows came to which outcome by which statement, the most frequent first."""
        import numpy

        pairs = self.by.astype(numpy.int64) * len(OUTCOMES) + self.outcome
        found, counts = numpy.unique(pairs, return_counts=True)
        rows = sorted(zip(counts.tolist(), found.tolist(), strict=True), key=lambda row: (-row[0], row[1]))
        told = ((divmod(pair, len(OUTCOMES)), count) for count, pair in rows)
        return {(OUTCOMES[code], self.names[by] if by >= 0 else None): count for (by, code), count in told}

    def __repr__(self) -> str:
        return f"<Decisions of {len(self)} calls>"


def decide_many(
    guard: Guard,
    tool: tuple[str, Mapping[str, Any] | None] | None,
    model: tuple[str | None, Any, int | None],
    facts: Mapping[str, Any] | None,
    whose: Mapping[str, Any],
    threads: int | None,
) -> Decisions:
    """What `Guard.decide_many` does: calls of `tool`, else of `model` with its tokens."""
    numpy, program = _numpy(), guard.program
    columns = Columns(numpy)
    name, args = tool or ("", None)
    given_args = {key: columns.read(f"args[{key!r}]", value) for key, value in (args or {}).items()}
    given_facts = {key: columns.read(f"facts[{key!r}]", value) for key, value in (facts or {}).items()}
    tokens, inputs = (0, None) if tool else columns.tokens(model[1])
    if columns.rows is None:
        raise EngineError(
            "none of these columns is an array, so nobody knows how many calls to decide; pass at least one "
            "numpy array",
            "bad_value",
        )
    is_whole = numpy.issubdtype(type(threads), numpy.integer)
    if threads is not None and not (is_whole and 0 < threads <= sys.maxsize):
        raise EngineError(
            f"`threads` is {threads!r}; pass on how many cores to decide, or leave it out for all",
            "bad_value",
        )
    ids = [None if whose[word] is None else text_of(f"the id of `{word}`", whose[word]) for word in WORDS]
    outcome, by = numpy.empty(columns.rows, numpy.uint8), numpy.empty(columns.rows, numpy.int32)
    undecided = numpy.empty(columns.rows, numpy.bool_)
    serves = numpy.empty(0 if tool else columns.rows, numpy.int32)
    now, wall, cores = guard.clock.now(), guard.clock.wall(), threads or os.cpu_count() or 1
    answers = (outcome, by, undecided, serves)
    if tool:
        is_declared = _core.decide_tool_calls(
            program, name, given_args, given_facts, now, wall, ids, answers, cores
        )
    else:
        is_declared = _core.decide_model_calls(
            program, model[0], tokens, inputs, model[2], given_facts, now, wall, ids, answers, cores
        )
    statements = tuple(statement["name"] for statement in program.statements)
    if not is_declared:
        outcome.fill(OUTCOMES.index("deny"))
        by.fill(len(statements) + BUILT_IN.index("undeclared tool" if tool else "undeclared model"))
        undecided.fill(False)
        serves.fill(-1)
    models = tuple(each["name"] for each in program.models)
    return Decisions(outcome, by, undecided, serves, (*statements, *BUILT_IN), models)


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise EngineError(
            "many calls are decided over numpy arrays, and numpy is not installed; run "
            "`pip install 'checkrein[numpy]'`",
            "no_numpy",
        ) from error
    return numpy


class Columns:
    """Reads what the host gives for a fact or an argument; all arrays have to be of one length."""

    def __init__(self, numpy: Any) -> None:
        self.numpy = numpy
        self.rows: int | None = None
        self.first = ""

    def read(self, where: str, given: Any) -> tuple[Any, ...]:
        """`(True, data, mask)` for an array, `(False, value)` for one value of all rows."""
        numpy = self.numpy
        if not hasattr(given, "__array__"):
            return False, given
        if isinstance(given, numpy.generic):
            return False, self._item(given)
        mask = None
        if isinstance(given, numpy.ma.MaskedArray):
            mask = numpy.ascontiguousarray(numpy.ma.getmaskarray(given)).view(numpy.uint8)
            given = given.data
        array = numpy.asarray(given)
        if array.ndim == 0:
            return False, None if mask is not None and mask.all() else self._item(array)
        self._count(where, array)
        return True, self._data(array), mask

    def tokens(self, given: Any) -> tuple[int, Any]:
        """How many tokens all requests have, or each of them has."""
        read = self.read("input_tokens", given)
        if not read[0]:
            return read[1], None
        _, data, mask = read
        if mask is not None or getattr(data, "dtype", None) != self.numpy.int64:
            raise EngineError("`input_tokens` has to be whole numbers, and one for each row", "bad_value")
        return 0, data

    def _count(self, where: str, array: Any) -> None:
        if array.ndim != 1:
            raise EngineError(f"`{where}` has {array.ndim} dimensions; pass one value a row", "bad_value")
        if self.rows is None:
            self.rows, self.first = len(array), where
        elif self.rows != len(array):
            raise EngineError(
                f"`{where}` has {len(array)} rows, and `{self.first}` has {self.rows}; pass columns of one "
                "length",
                "bad_value",
            )

    def _item(self, one: Any) -> Any:
        """The value of a numpy scalar; where Python's would be another one, itself, which is ill-typed."""
        return one[()] if one.dtype.kind in UNNATURAL else one.item()

    def _data(self, array: Any) -> Any:
        """Numbers, flags and texts as they lie in memory if that is natural; else each value for itself."""
        numpy = self.numpy
        kind, size = array.dtype.kind, array.dtype.itemsize
        if kind == "b":
            return numpy.ascontiguousarray(array).view(numpy.uint8)
        if kind == "i" or (kind == "u" and size < 8):
            return numpy.ascontiguousarray(array, numpy.int64)
        if kind == "f" and size <= 8:
            return numpy.ascontiguousarray(array, numpy.float64)
        if kind == "U" and size and len(array):
            letters = numpy.ascontiguousarray(array, array.dtype.newbyteorder("="))
            return letters.view(numpy.uint32).reshape(len(letters), -1)
        return list(array) if kind in UNNATURAL else array.tolist()
