"""`[tool.checkrein]` in a project's `pyproject.toml`: which policies there are, which warnings are wanted."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein.errors import CheckreinError
from checkrein.frozen import Frozen
from checkrein.nearest import closest

if TYPE_CHECKING:
    from checkrein.diagnostics import Diagnostic

FILE = "pyproject.toml"
SECTION = "[tool.checkrein]"
FAIL_UNDER = "fail-under"


class Settings(Frozen):
    """What a project says; every list may be empty. Paths and patterns begin in `home`."""

    home: Path
    paths: tuple[str, ...] = ()
    """Files and folders of policies, for commands that are given none."""
    exclude: tuple[str, ...] = ()
    """Patterns of files and folders that are left out when folders are searched."""
    select: tuple[str, ...] = ()
    """Beginnings of the codes of warnings that are reported; all if it is empty."""
    ignore: tuple[str, ...] = ()
    """Beginnings of the codes of warnings that are not."""
    fail_under: float | None = None
    """Of how many percent covered by tests on `checkrein test --cov` is content."""

    @property
    def policies(self) -> tuple[str, ...]:
        """The paths, as they are written from the current folder."""
        return tuple(os.path.relpath(self.home / path) for path in self.paths)

    def excludes(self, path: str) -> bool:
        """Whether a file or folder is left out."""
        inside = Path(os.path.relpath(path, self.home)).as_posix()
        return any(fnmatchcase(inside, pattern.rstrip("/")) for pattern in self.exclude)

    def wants(self, found: Diagnostic) -> bool:
        """Whether a finding is reported. An error always is: it keeps the policy from being compiled."""
        if found.severity == "error":
            return True
        return found.code.startswith(self.select or ("",)) and not found.code.startswith(
            self.ignore or ("-",)
        )


def settings(folder: Path | None = None) -> Settings:
    """What the nearest project above a folder says, the current one if left out; nothing if there is none.

    Raises `CheckreinError` for a file that can't be read, and for a setting that is unknown or means nothing.
    """
    here = folder or Path.cwd()
    for folder in (here, *here.parents):
        path = folder / FILE
        section = _section(path) if path.is_file() else None
        if section is not None:
            return _settings(folder, section, os.path.relpath(path))
    return Settings(here)


def _section(path: Path) -> Any:
    import tomllib

    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckreinError(f"cannot read `{os.path.relpath(path)}`: {error}") from error
    tool = project.get("tool")
    return tool.get("checkrein") if isinstance(tool, dict) else None


def _settings(home: Path, section: Any, file: str) -> Settings:
    lists = ["paths", "exclude", "select", "ignore"]
    known = [*lists, FAIL_UNDER]
    if not isinstance(section, dict):
        raise CheckreinError(f"`tool.checkrein` in `{file}` is not a table\n  help: write `{SECTION}`")
    for name, value in section.items():
        if name not in known:
            meant = closest(name, known)
            help = f"did you mean `{meant}`?" if meant else f"settings are {', '.join(known)}"
            raise CheckreinError(f"unknown setting `{name}` under `{SECTION}` in `{file}`\n  help: {help}")
        if name == FAIL_UNDER:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
                raise CheckreinError(f"`{name}` under `{SECTION}` in `{file}` is not a number from 0 to 100")
        elif not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
            raise CheckreinError(f"`{name}` under `{SECTION}` in `{file}` is not a list of texts")
    from checkrein.cli.rule import pages

    for code in (*section.get("select", ()), *section.get("ignore", ())):
        if not any(page.startswith(code) for page in pages()):
            raise CheckreinError(
                f"there is no code `{code}`, which `{file}` names\n  help: `checkrein rule` lists them all"
            )
    given = {name: tuple(section.get(name, ())) for name in lists}
    return Settings(home, **given, fail_under=section.get(FAIL_UNDER))
