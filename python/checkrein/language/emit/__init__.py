"""Tables to bytes: the `.reinc` artifact. The same tables give the same bytes, always.

The layout is written down in `docs/ARCHITECTURE.md`; the loader in the core is its judge.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from checkrein.language.emit.conditions import Conditions
from checkrein.language.emit.limits import Limits
from checkrein.language.emit.statements import Statements
from checkrein.language.emit.vocabulary import Vocabulary
from checkrein.language.tree import Breaker, Limit, Loop, Order, Require, Retry, Route, Rule, Store, Truth
from checkrein.language.writer import Collector, Writer

if TYPE_CHECKING:
    from checkrein.language.lower import Tables

__all__ = ["emit"]

MAGIC = b"REIN"
FORMAT = 1
SCHEMA = b"slice006"


def emit(tables: Tables) -> bytes:
    """The artifact: a header with a digest, then the payload."""
    strings: set[str] = set()
    _write(tables, Collector(strings))
    table = sorted(strings, key=lambda s: s.encode())
    writer = Writer({text: index for index, text in enumerate(table)})
    writer.sequence(table, writer.raw_text)
    _write(tables, writer)
    payload = bytes(writer.out)
    header = MAGIC + struct.pack("<HH", FORMAT, tables.policy.language) + SCHEMA
    return header + hashlib.sha256(payload).digest() + struct.pack("<I", len(payload)) + payload


def _write(tables: Tables, w: Writer) -> None:
    w.text(tables.policy.name.text)
    w.text(tables.policy.file)
    w.text(tables.currency)
    w.text(tables.prices)
    w.byte(int(bool(tables.policy.of(Store))))
    Vocabulary(tables, w).vocabulary()
    conditions = Conditions(tables, w)
    conditions.conditions()
    conditions.templates()
    sections = Statements(tables, w)
    w.sequence(tables.statements, sections.statement)
    for kind, write in (
        (Rule, sections.rule),
        (Limit, Limits(tables, w).limit),
        (Retry, sections.retry),
        (Breaker, sections.breaker),
        (Require, sections.require),
        (Route, sections.route),
        (Order, sections.order),
        (Loop, sections.loop),
        (Truth, sections.truth),
    ):
        rows = [(i, s) for i, (_, s) in enumerate(tables.statements) if isinstance(s, kind)]
        w.sequence(rows, write)
