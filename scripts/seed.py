"""Prints where random tests begin: a number that the sources of the engine and the compiler make.

Other sources try other runs, so that what is rare is found in time. The same sources try the same ones:
whoever tests them again, here or in CI, under whatever commit, sees the same green or the same red.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("policy_core", "python", "rust")
SOURCES = {".py", ".rs"}


def seed(root: Path) -> int:
    """A number of 32 bits, of the sources below `root`."""
    paths = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SOURCES)
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in paths):
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return int.from_bytes(digest.digest()[:4])


if __name__ == "__main__":
    print(seed(ROOT))
