"""A policy's source to its program, compiled once for as long as nothing changes that was read for it."""

from __future__ import annotations

from typing import Any

from checkrein import _core
from checkrein.cache import keep, recall
from checkrein.errors import LoadError

KIND = "artifact"


def program_of(source: bytes, file: str, path: str | None = None) -> Any:
    """The verified program of a policy's source; `file` is what its decisions name. Raises `PolicyError`.

    `path` is where the policy is, if it is a file: from there it includes others.
    The engine verifies an artifact that was kept as it does any other; a damaged one is compiled anew.
    """
    kept = recall(KIND, source, file, path)
    if kept is not None:
        try:
            return _core.Program.load(kept)
        except LoadError:
            pass
    artifact, read = _compile(source, file, path)
    program = _core.Program.load(artifact)
    keep(KIND, source, file, artifact, read, path)
    return program


def _compile(source: bytes, file: str, path: str | None) -> tuple[bytes, dict[str, str | None]]:
    from checkrein.language import compile_reading

    return compile_reading(source, file, path=path)
