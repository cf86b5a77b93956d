"""A policy's source to its program, compiled once for as long as nothing changes that was read for it.

An artifact is kept under the digest of all that makes it: the source, its name, the compiler and the prices.
What the compiler read besides, such as time zones, is noted with it and compared. An entry that is stale,
damaged or not ours alone is never used; the engine verifies it as it does any other artifact. Nothing here
can fail a load.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein import _core
from checkrein.digests import file_digest
from checkrein.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CHECKREIN_CACHE"
"""Set it to a folder, or to `off`."""
FORMAT = 1
ENTRIES_MAX = 256
BYTES_MAX = 32 * 1024 * 1024
ENTRY_BYTES_MAX = 8 * 1024 * 1024
SUFFIX = ".entry"
PACKAGE = Path(__file__).parent
COMPILER = ("language", "prices")
"""The folders of the package that an artifact depends on, beside the engine."""


def program_of(source: bytes, file: str) -> Any:
    """The verified program of a policy's source; `file` is what its decisions name. Raises `PolicyError`."""
    folder = cache_folder()
    if folder is None:
        return _core.Program.load(_compile(source, file)[0])
    entry = folder / (_key(source, file) + SUFFIX)
    program = _kept(entry)
    if program is None:
        artifact, read = _compile(source, file)
        program = _core.Program.load(artifact)
        _keep(entry, artifact, read)
    return program


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


def _compile(source: bytes, file: str) -> tuple[bytes, dict[str, str | None]]:
    from checkrein.language import compile_reading

    return compile_reading(source, file)


def _key(source: bytes, file: str) -> str:
    """The digest of all that is known before compiling."""
    zones = os.environ.get("PYTHONTZPATH")
    known = json.dumps([FORMAT, sys.implementation.cache_tag, zones, file, list(_compiler())])
    return hashlib.sha256(known.encode() + b"\0" + source).hexdigest()


def _compiler() -> Iterator[tuple[str, int, int]]:
    """Each file of the compiler, its size and its time: reading them all would take too long."""
    files = [Path(_core.__file__)]
    for room in COMPILER:
        for folder, folders, names in os.walk(PACKAGE / room):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            files += [Path(folder, name) for name in sorted(names)]
    for path in files:
        found = path.stat()
        yield str(path), found.st_size, found.st_mtime_ns


# -- entries ---------------------------------------------------------------------------------------


def _kept(entry: Path) -> Any:
    """The program of an entry; None if there is none that may be used."""
    try:
        if not _ours(os.lstat(entry.parent), stat.S_ISDIR):
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(entry, flags), "rb") as file:
            if not _ours(os.fstat(file.fileno()), stat.S_ISREG):
                return None
            head, _, artifact = file.read(ENTRY_BYTES_MAX + 1).partition(b"\n")
        read: dict[str, Any] = json.loads(head)
        if any(file_digest(Path(path)) != digest for path, digest in read.items()):
            return None
        program = _core.Program.load(artifact)
        os.utime(entry)  # the one that was used longest ago goes first
    except (OSError, ValueError, AttributeError, RecursionError, LoadError):
        return None
    return program


def _keep(entry: Path, artifact: bytes, read: dict[str, str | None]) -> None:
    """Write all or nothing; a folder that cannot be written, or is not ours alone, keeps nothing."""
    head = json.dumps(read).encode()
    draft = entry.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}")
    try:
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(os.lstat(entry.parent), stat.S_ISDIR):
            return
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(head + b"\n" + artifact)
            draft.replace(entry)
        except OSError:
            draft.unlink(missing_ok=True)
        _bound(entry.parent)
    except OSError:
        return


def _bound(folder: Path) -> None:
    """Drop what was used longest ago, until what is left is few and small."""
    found = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
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
