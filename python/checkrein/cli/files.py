"""The policy files that a command is given: files, folders to search, or `-` for stdin; and writing files."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkrein.errors import CheckreinError
from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from checkrein.cli.settings import Settings

SUFFIX = ".rein"
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*+)*+language\b")
"""How a policy begins. A file that others include has no header."""
COMPILED_SUFFIX = ".reinc"
STDIN = "-"
STDIN_NAME = "<stdin>"


class SourceFile(Frozen):
    """A policy's bytes and the name that its findings are given with."""

    name: str
    data: bytes

    @property
    def path(self) -> str | None:
        """Where it is, if it is a file: from there it may include others."""
        return None if self.name == STDIN_NAME else self.name

    @property
    def text(self) -> str:
        """The text to show findings in; bytes that are no UTF-8 are replaced."""
        return self.data.decode("utf-8", "replace")


def sources(paths: Sequence[str], project: Settings) -> Iterator[SourceFile]:
    """The policies behind `paths`, or else behind those of the project, each once.

    Folders are searched for `*.rein`; hidden folders and what the project excludes are left out.
    Raises `CheckreinError` for a path that is not there, a folder without policies and a compiled file.
    """
    seen: set[str] = set()
    if not paths and not project.paths:
        raise click.UsageError("Missing argument 'FILE...': the project names no `paths` either.")
    for path in paths or project.policies:
        for name in _names(path, project):
            if name not in seen:
                seen.add(name)
                yield read_source(name)


def policies(found: Iterable[SourceFile], included: set[str]) -> Iterator[SourceFile]:
    """The policies first; then files without a header, unless one of these includes them.

    Whoever takes them adds to `included` what a policy includes, by paths with all links followed.
    """
    parts = []
    for source in found:
        if HEADER.match(source.data):
            yield source
        else:
            parts.append(source)
    yield from (part for part in parts if os.path.realpath(part.name) not in included)


def read_source(name: str) -> SourceFile:
    """One policy's source; `-` is stdin."""
    if name.endswith(COMPILED_SUFFIX):
        raise CheckreinError(f"`{name}` is compiled; give its source, a `{SUFFIX}` file")
    if name == STDIN and sys.stdin is None:
        raise CheckreinError("there is no stdin to read: it is closed")
    from checkrein.policy_files import SOURCE_BYTES_MAX

    try:
        with click.open_file(name, "rb") as file:
            # A byte too many is enough for the compiler to refuse it: not all files have an end.
            return SourceFile(STDIN_NAME if name == STDIN else name, file.read(SOURCE_BYTES_MAX + 1))
    except OSError as error:
        raise CheckreinError(f"cannot read `{name}`: {(error.strerror or str(error)).lower()}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write all or nothing: a crash leaves the old file, never half of a new one.

    A file that is there keeps its mode, and a link goes on leading to it. What is no file is not replaced,
    nor is what nobody may write.
    """
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            _write_into(path, data)
            return
        mode = _mode(path, target) if target.exists() else None
        with draft.open("xb") as file:
            if mode is not None:
                draft.chmod(mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CheckreinError(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}") from error


def _mode(path: Path, target: Path) -> int:
    """The mode of a file that is replaced. A folder lets its owner replace what the file's mode protects."""
    mode = stat.S_IMODE(target.stat().st_mode)
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise CheckreinError(f"`{path}` is read-only, so it is left as it is\n  help: make it writable first")
    return mode


def _write_into(path: Path, data: bytes) -> None:
    """Write to a pipe, or to a device such as `/dev/null`. A pipe that nobody reads is an error, no wait."""
    unless_read = getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, os.O_WRONLY | unless_read), "wb") as file:
        if unless_read:
            os.set_blocking(file.fileno(), True)
        file.write(data)


def _names(path: str, project: Settings) -> list[str]:
    if path == STDIN or not Path(path).is_dir():
        return [path]
    found: list[str] = []
    for folder, folders, files in os.walk(path):
        visible = (f for f in folders if not f.startswith("."))
        folders[:] = sorted(f for f in visible if not project.excludes(str(Path(folder, f))))
        # Emacs marks a file that is being edited by a broken link of this name beside it.
        policies = [Path(folder, f) for f in sorted(files) if f.endswith(SUFFIX) and not f.startswith(".#")]
        policies = [policy for policy in policies if not project.excludes(str(policy))]
        # What is there and no file (a pipe, a device) would wait for ever; a broken link is an error.
        found += [str(policy) for policy in policies if policy.is_file() or not policy.exists()]
    if not found:
        raise CheckreinError(f"no `*{SUFFIX}` file in the folder `{path}`")
    return found
