"""Which files a policy may include, where they are, and what is in them.

A name is a path from the folder of the file that says it, with `/`. What it leads to, all links followed, has
to be in the folder of the policy's own file or below: what a policy means is never up to files elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import quote
from checkrein.nearest import closest
from checkrein.policy_files import SOURCE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".rein"
FILES_MAX = 64
"""Most files of one policy, its own among them; so there is an end to how deep they include each other."""
CHARACTERS_MAX = 1024 * 1024
"""Most characters of all files of a policy."""
ELSEWHERE = re.compile(r"/|~|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://")
INSIDE = "include files from the policy's own folder and below it"


class Refused(NamedTuple):
    """Why a name leads to nothing that is read."""

    code: str
    message: str
    help: str | None


class Folder:
    """What a policy may include."""

    def __init__(self, path: str, file: str, held: Mapping[str, str]) -> None:
        self.own = Path(os.path.realpath(path))
        """The policy's own file, all links followed."""
        self._shown = Path(file).parent
        self._held = held

    def find(self, name: str, by: Path) -> Path | Refused:
        """Where the file is that the file `by` names, all links followed."""
        if not name.endswith(SUFFIX) or "\\" in name or "\n" in name:
            help = f"write the path from the file that includes it, with `/`, such as `common{SUFFIX}`"
            return Refused("R0581", f"{quote(name)} is not the path of a `{SUFFIX}` file", help)
        if ELSEWHERE.match(name):
            return Refused("R0581", f"{quote(name)} is not a path from the file that includes it", INSIDE)
        path = Path(os.path.realpath(by.parent / name))
        if not path.is_relative_to(self.own.parent):
            return Refused("R0581", f"{quote(name)} leads out of the policy's folder", INSIDE)
        return path

    def name_of(self, path: Path) -> str:
        """A file as findings name it: from where the name of the policy's own begins."""
        return str(self._shown / path.relative_to(self.own.parent))

    def read(self, name: str, path: Path) -> bytes | Refused:
        """What is in a file that was found; of one that is too large, a byte too many."""
        if str(path) in self._held:
            return self._held[str(path)].encode("utf-8", "surrogatepass")
        try:
            if path.is_dir():
                return Refused("R0580", f"{quote(name)} is a folder", f"name one `{SUFFIX}` file in it")
            if path.exists() and not path.is_file():  # a pipe would be waited for
                return Refused("R0580", f"{quote(name)} is no regular file", INSIDE)
            with path.open("rb") as file:
                return file.read(SOURCE_BYTES_MAX + 1)
        except FileNotFoundError:
            return Refused("R0580", f"there is no file {quote(name)}", _meant(name, path))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Refused("R0580", f"cannot read {quote(name)}: {why}", "make it readable, or name another")


def digest_of(content: bytes) -> str:
    """What names the content of a file, as `policy_files.file_digest` does."""
    return hashlib.sha256(content).hexdigest()


def _meant(name: str, path: Path) -> str:
    """The file beside it whose name is most like it."""
    try:
        beside = [each.name for each in path.parent.iterdir() if each.suffix == SUFFIX]
    except OSError:
        beside = []
    meant = closest(Path(name).name, beside)
    before = name[: len(name) - len(Path(name).name)]
    return f"did you mean {quote(before + meant)}?" if meant else f"write it, or {INSIDE}"
