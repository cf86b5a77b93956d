"""Writes the parser's tables from the grammar: python scripts/tables.py

They are committed, so that a checkout and a wheel have them. Run it after a change of the grammar, when the
engine is built; a test says when they are not those of the grammar.
"""

from __future__ import annotations

import json
from typing import Any

from checkrein._core import GRAMMAR
from checkrein.language.parser.generate import generate
from checkrein.language.parser.tables import STORED


def written(tables: dict[str, Any]) -> str:
    """One line for each entry of a list, so that a difference can be read."""
    parts = []
    for name, value in tables.items():
        text = json.dumps(value, separators=(",", ":"))
        if isinstance(value, list) and value:
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            text = f"[\n{rows}\n]"
        parts.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    STORED.write_text(written(generate(GRAMMAR)), encoding="utf-8")
    print(f"{STORED}: {STORED.stat().st_size:,} bytes")
