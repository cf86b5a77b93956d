"""Writes the parser's tables from the grammar: python scripts/tables.py

They are committed, so that a checkout and a wheel have them. Run it after a change of the grammar, when the
engine is built; a test says when they are not those of the grammar.
"""

from __future__ import annotations

import json

from checkrein._core import GRAMMAR
from checkrein.language.parser import STORED, stored_of

if __name__ == "__main__":
    STORED.write_text(json.dumps(stored_of(GRAMMAR), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{STORED}: {STORED.stat().st_size:,} bytes")
