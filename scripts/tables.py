"""Writes the parser's tables from the grammar: python scripts/tables.py

They are committed, so that a checkout and a wheel have them. Run it after a change of the grammar, when the
engine is built; a test says when they are not those of the grammar.
"""

from __future__ import annotations

from checkrein._core import GRAMMAR
from checkrein.language.parser import STORED, stored_of

if __name__ == "__main__":
    STORED.write_bytes(stored_of(GRAMMAR))
    print(f"{STORED}: {STORED.stat().st_size:,} bytes")
