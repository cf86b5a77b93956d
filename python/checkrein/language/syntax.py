"""Text to tree, by Lark, with recovery: several mistakes are reported in one run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lark.exceptions import UnexpectedInput
from lark.utils import TextSlice

from checkrein.diagnostics import Edit, Report, quote
from checkrein.frozen import replace
from checkrein.language import words
from checkrein.language.defaults import with_loop
from checkrein.language.includes import CHARACTERS_MAX, FILES_MAX, Folder, Refused, digest_of
from checkrein.language.parser import load_parser
from checkrein.language.parser.grouping import group
from checkrein.language.recovery import statement_starts
from checkrein.language.source import Source, decoded, is_sound, is_too_large, read
from checkrein.language.translate import Builder
from checkrein.language.tree import File, Include, Name, Policy, Span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lark import Lark, Token, Tree

    from checkrein.diagnostics import Diagnostic

LANGUAGE = 1
SYNTAX_ERRORS_MAX = 20
STATEMENTS_MAX = 10_000
GAP = r"(?:\s|#[^\n]*\n)*"
VERSION = re.compile(rf"{GAP}language{GAP}([0-9]+(?:\.[0-9]+)?[kM]?)")
HEADER = re.compile(rf"{GAP}(language\b(?:{GAP}[0-9]+{GAP}policy{GAP}\"[^\"\n]*\")?)")
FIRST_WORD = re.compile(r"(?:\s|#[^\n]*+)*+(\w+|\Z)")
WORD_BEFORE = re.compile(r"\w*\Z", re.ASCII)


def parse(
    source: str | bytes, file: str, *, path: str | None = None, held: Mapping[str, str] | None = None
) -> tuple[Policy | None, list[Diagnostic]]:
    """Read a policy with what it includes: the tree, and what is wrong with its texts.

    `file` names it, `path` is where it is: from there it includes. Without one it is a text that includes
    nothing. `held` are texts that are taken instead of files, by their paths with all links followed.

    The tree is there even after mistakes, without the statements that could not be read and marked
    `broken`; it is None if the policy's own file is unreadable or written in another language version.
    Never raises for any input.
    """
    report = Report(file)
    text = read(source, report)
    if text is None or not _known_version(text, report):
        return None, report.diagnostics
    reading = _Reading(text, report, None if path is None else Folder(path, file, held or {}))
    reading.read(0, "start")
    statements = reading.statements
    if len(statements) > STATEMENTS_MAX:
        report.add("R0021", statements[STATEMENTS_MAX].span, f"more than {STATEMENTS_MAX:,} statements")
        statements, reading.broken = [], True
    version, name = reading.header or (LANGUAGE, Name("", Span(1, 1, 0, 0)))
    broken = reading.broken or reading.builder.broken or reading.header is None
    statements = with_loop(statements, report)
    files, includes = tuple(text.files), tuple(reading.includes)
    policy = Policy(name, version, file, text.text, tuple(statements), broken, files, includes)
    return policy, report.diagnostics


def parse_alone(source: str | bytes, file: str) -> tuple[Policy | None, list[Diagnostic]]:
    """Read one file by itself, a policy's own or one that is included, and nothing that it includes.

    The tree is `broken`, since others may declare what it uses.
    """
    report = Report(file)
    text = read(source, report)
    if text is None or not _known_version(text, report):
        return None, report.diagnostics
    reading = _Reading(text, report, None)
    reading.read_alone(0, "rest" if is_part(text.text) else "start")
    nameless = Name("", Span(1, 1, 0, 0))
    statements = tuple(with_loop(reading.statements, Report(file)))
    return Policy(nameless, LANGUAGE, file, text.text, statements, broken=True), report.diagnostics


def is_part(text: str) -> bool:
    """Whether a text begins as a file that is included does: with a statement, or with nothing."""
    found = FIRST_WORD.match(text)
    return found is not None and found.group(1) in ("", *words.STATEMENTS)


def _known_version(source: Source, report: Report) -> bool:
    found = VERSION.match(source.text)
    if found is None or found.group(1) == str(LANGUAGE):
        return True
    report.add(
        "R0006",
        source.span(found.start(1), found.end(1)),
        f"the language {quote(found.group(1))} is not known to this version",
        help=f"this version of checkrein reads `language {LANGUAGE}`",
    )
    return False


class _Reading:
    """The files of a policy, read one after the other, each by itself."""

    def __init__(self, source: Source, report: Report, folder: Folder | None) -> None:
        self.source = source
        self.report = report
        self.folder = folder
        self.builder = Builder(source, report)
        self.header: Any = None
        self.statements: list[Any] = []
        self.includes: list[Include] = []
        self.broken = False
        self._is_full = False
        self._known: dict[Path, File] = {}
        self._open: list[Path] = [folder.own] if folder else []
        """The file that is read, after those that include it."""

    def read(self, position: int, rule: str) -> None:
        """Read the last file of the source from a place on, and then what it includes."""
        for each in self.read_alone(position, rule):
            found = self._include(each)
            self.broken = self.broken or found is None
            self.includes.append(replace(each, file=found))

    def read_alone(self, position: int, rule: str) -> list[Include]:
        """Read the last file from a place on; what it would include."""
        included: list[Include] = []
        for tree in self._trees(position, rule):
            for part in self.builder.build(tree):
                if isinstance(part, tuple):
                    self.header = part
                elif isinstance(part, Include):
                    included.append(part)
                else:
                    self.statements.append(part)
        return included

    # -- what is included ------------------------------------------------------------------------------

    def _include(self, include: Include) -> File | None:
        """The file that is named, which is read if it was not yet; None after reporting why it cannot be."""
        found = self._found(include.name.text)
        if isinstance(found, Refused):
            self.report.add(found.code, include.name.span, found.message, help=found.help)
            return None
        return found

    def _found(self, name: str) -> File | Refused | None:
        if self.folder is None:
            help = "save it, and name the file: then it includes what is in its folder"
            return Refused("R0580", "this policy is no file, so it includes none", help)
        path = self.folder.find(name, self._open[-1])
        if isinstance(path, Refused):
            return path
        if path in self._open:
            return _circle([self.folder.name_of(each) for each in self._open[self._open.index(path) :]])
        if path in self._known or self._is_full:
            return self._known.get(path)
        content = self.folder.read(name, path)
        if isinstance(content, Refused):
            return content
        are_many = len(self.source.files) == FILES_MAX
        self._is_full = are_many or len(self.source.text) + len(content) > CHARACTERS_MAX
        if self._is_full:
            what = f"{FILES_MAX} files" if are_many else "1 MiB of text"
            return Refused("R0584", f"with {quote(name)} the policy has more than {what}", "include less")
        file = File(self.folder.name_of(path), self.source.next_start, str(path), digest_of(content))
        self._known[path] = file
        self._open.append(path)
        self._read_included(file, content)
        self._open.pop()
        return file

    def _read_included(self, file: File, content: bytes) -> None:
        source, report = self.source, self.report
        if is_too_large(content):
            source.add(file, "")
            help = "move statements to another file"
            report.add(
                "R0001", source.span(file.start, file.start), "the file is larger than 256 KiB", help=help
            )
            self.broken = True
            return
        text, bad = decoded(content)
        source.add(file, text)
        if not is_sound(source, file, bad, report):
            self.broken = True
            return
        header = HEADER.match(source.text, file.start)
        if header is None:
            self.read(file.start, "rest")
            return
        start, end = header.span(1)
        is_whole = source.text[end - 1] == '"'
        report.add(
            "R0583",
            source.span(start, end),
            "an included file has no header",
            help="remove `language` and `policy`: the policy that includes it has them",
            fix=Edit(start, end, "") if is_whole else None,
        )
        starts = statement_starts(source.text, file.start)
        self.broken = self.broken or not is_whole
        self.read(end if is_whole else next(iter(starts), len(source.text)), "rest")

    # -- one file --------------------------------------------------------------------------------------

    def _trees(self, position: int, rule: str) -> list[Tree[Token]]:
        """The trees of all stretches of the last file that can be read; sets `broken` if some cannot."""
        lark, text, begins = load_parser(), self.source.text, position
        trees: list[Tree[Token]] = []
        starts: list[int] | None = None
        for number in range(SYNTAX_ERRORS_MAX):
            try:
                trees.append(_parse(lark, text, position, len(text), rule))
            except UnexpectedInput as error:
                from checkrein.language.mistakes import explain  # not loaded while nothing is wrong

                starts = statement_starts(text, begins) if starts is None else starts
                told = _by_whole_words(error, text, position, rule)
                broken_from, skip_to = explain(told, self.source, starts, words.table(lark), self.report)
                if broken_from > position:
                    trees += _readable(lark, text, position, broken_from, rule)
                position, rule = skip_to, "rest"
                continue
            self.broken = self.broken or number > 0
            return trees
        rest = self.source.span(position, position + 1)
        self.report.add("R0022", rest, f"more than {SYNTAX_ERRORS_MAX} mistakes, what follows was not read")
        self.broken = True
        return trees


def _circle(files: list[str]) -> Refused:
    """That a file includes itself, by way of the files after it."""
    files = [quote(name) for name in files]
    over = " and ".join([", ".join(files[1:-1]), files[-1]] if files[2:] else files[1:])
    message = f"{files[0]} includes itself" + (f", by way of {over}" if over else "")
    return Refused("R0582", message, "move what both need to a file that includes neither")


def _by_whole_words(error: UnexpectedInput, text: str, start: int, rule: str) -> UnexpectedInput:
    """The mistake as its author sees it, where the parser took a part of a word, as in `30 seconds`."""
    offset: Any = error.pos_in_stream
    before = WORD_BEFORE.search(text, max(start, offset - 256), offset)
    try:
        _parse(load_parser(words=True), text, start, len(text), rule)
    except UnexpectedInput as whole:
        at: Any = whole.pos_in_stream
        if before is not None and before.start() <= at <= offset:
            return whole
    return error


def _readable(lark: Lark, text: str, start: int, end: int, rule: str) -> list[Tree[Token]]:
    """The statements before a broken one; none if the header itself is what is broken."""
    try:
        return [_parse(lark, text, start, end, rule)]
    except UnexpectedInput:
        return []


def _parse(lark: Lark, text: str, start: int, end: int, rule: str) -> Tree[Token]:
    return group(lark.parse(TextSlice(text, start, end), start=rule))
