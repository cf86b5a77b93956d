"""Reads the pages of the documentation: their fenced blocks, and what each block asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is the first line of its text, counted from 1."""

    page: Path
    line: int
    language: str
    tags: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """Where it stands, as editors print it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name that a first line `# file: NAME` gives it."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("# file:").strip() if first.startswith("# file:") else None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order. A block that is never closed is an error."""
    found: list[Block] = []
    opened: tuple[int, list[str]] | None = None
    body: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is None and line.startswith("```"):
            opened, body = (number + 1, line[3:].split()), []
        elif opened is not None and line == "```":
            start, words = opened
            language = words[0] if words else ""
            found.append(Block(page, start, language, tuple(words[1:]), "\n".join(body) + "\n"))
            opened = None
        else:
            body.append(line)
    if opened is not None:
        raise ValueError(f"{page}:{opened[0]}: this block is never closed")
    return found


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it must print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block.place}: a console block begins with a `$ command`")
    return found


def same(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are equal; `...` at a line's end stands for any text, alone for any lines."""
    if not expected:
        return not printed
    first, rest = expected[0], expected[1:]
    if first == "...":
        return any(same(rest, printed[skip:]) for skip in range(len(printed) + 1))
    if not printed or not _same_line(first, printed[0]):
        return False
    return same(rest, printed[1:])


def _same_line(expected: str, printed: str) -> bool:
    return printed.startswith(expected[:-3]) if expected.endswith("...") else printed == expected
