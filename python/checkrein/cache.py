"""What is kept of policies from one process to the next, for as long as all is the same that made it.

An entry's name is the digest of the source, its name, the compiler and the prices. What the compiler read
besides, such as time zones, is noted in the entry and compared. An entry that is stale, damaged or not ours
alone is never used. Nothing here can fail what asks for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.policy_files import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CHECKREIN_CACHE"
"""Set it to a folder, or to `off`."""
FORMAT = 2
ENTRIES_MAX = 512
BYTES_MAX = 32 * 1024 * 1024
ENTRY_BYTES_MAX = 8 * 1024 * 1024
SUFFIX = ".entry"
OURS = re.compile(r"[0-9a-f]{64}\.(entry|[0-9]+\.[0-9a-f]{8})")
"""Names of entries and of their drafts: the folder may hold what is not ours to drop."""
PACKAGE = Path(__file__).parent
COMPILER = (".", "analysis", "language", "prices")
"""The folders of the package that an entry depends on, beside the engine; of the first one only its files."""


def recall(kind: str, source: bytes, file: str, path: str | None = None) -> bytes | None:
    """What was kept of this kind for a policy; None if there is nothing that may be used."""
    folder = cache_folder()
    return None if folder is None else _read(folder / _name(kind, source, file, path))


def keep(
    kind: str, source: bytes, file: str, body: bytes, read: dict[str, str | None], path: str | None = None
) -> None:
    """Keep what came of a policy, with the files that were read for it and their SHA-256."""
    folder = cache_folder()
    if folder is not None:
        _write(folder / _name(kind, source, file, path), json.dumps(read).encode() + b"\n" + body)


def cache_folder() -> Path | None:
    """Where artifacts are kept: as the variable says, else the user's folder for caches; None is nowhere."""
    told = os.environ.get(VARIABLE)
    if told is not None:
        return None if told in ("", "off") else Path(told)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "checkrein"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local or home / "AppData" / "Local") / "checkrein" / "Cache"
    told = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored, says the standard.
    return (Path(told) if told.startswith("/") else home / ".cache") / "checkrein"


def _name(kind: str, source: bytes, file: str, path: str | None = None) -> str:
    """The digest of all that is known before compiling; `path` is where the policy is, if it is a file."""
    zones = os.environ.get("PYTHONTZPATH")
    # Files of one name may include others, each from its own folder.
    where = None if path is None else os.path.realpath(path)
    known = json.dumps([FORMAT, kind, sys.implementation.cache_tag, zones, file, where, list(_compiler())])
    return hashlib.sha256(known.encode() + b"\0" + source).hexdigest() + SUFFIX


def _compiler() -> Iterator[tuple[str, int, int]]:
    """Each file of the compiler, its size and its time: reading them all would take too long."""
    files = [Path(_core.__file__)]
    for room in COMPILER:
        for folder, folders, names in os.walk(PACKAGE / room):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and room != ".")
            files += [Path(folder, name) for name in sorted(names)]
    for path in files:
        found = path.stat()
        yield str(path), found.st_size, found.st_mtime_ns


# -- entries ---------------------------------------------------------------------------------------


def _read(entry: Path) -> bytes | None:
    try:
        if not _ours(os.lstat(entry.parent), stat.S_ISDIR):
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(entry, flags), "rb") as file:
            if not _ours(os.fstat(file.fileno()), stat.S_ISREG):
                return None
            head, _, body = file.read(ENTRY_BYTES_MAX + 1).partition(b"\n")
        read: dict[str, Any] = json.loads(head)
        if any(file_digest(Path(path)) != digest for path, digest in read.items()):
            return None
        os.utime(entry)  # the one that was used longest ago goes first
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return body


def _write(entry: Path, content: bytes) -> None:
    """Write all or nothing; a folder that cannot be written, or is not ours alone, keeps nothing."""
    draft = entry.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}")
    try:
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(os.lstat(entry.parent), stat.S_ISDIR):
            return
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            draft.replace(entry)
        except OSError:
            draft.unlink(missing_ok=True)
        _bound(entry.parent)
    except OSError:
        return


def _bound(folder: Path) -> None:
    """Drop what was used longest ago, until what is left is few and small."""
    found = [(path.lstat(), path) for path in folder.iterdir() if OURS.fullmatch(path.name)]
    found.sort(key=lambda each: each[0].st_mtime_ns, reverse=True)
    size = 0
    for number, (status, path) in enumerate(found):
        size += status.st_size
        if number >= ENTRIES_MAX or size > BYTES_MAX:
            path.unlink(missing_ok=True)


def _ours(status: os.stat_result, is_kind: Any) -> bool:
    """Of the right kind, and nobody else can have written it."""
    if not is_kind(status.st_mode):
        return False
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)
