"""Executes the examples of the README and of docs/: what a reader copies is what has been run.

    ```rein             a whole policy: checks without a finding, and its tests pass
    ```rein fragment    statements that check without a finding after those of base.rein
    ```python           runs; all blocks of a page share one namespace and one directory
    ```text output      what the Python block before it printed
    ```console          `$ command`, then the lines that it prints

A block that begins with `# file: NAME` is saved in the page's directory under that name, and not run. In an
expected output, a line `...` stands for any lines, and `...` at the end of a line for any text. Blocks of
another kind are only for reading.
"""

import contextlib
import gc
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkrein import testing
from checkrein.diagnostics import render_all
from checkrein.language import check, parse

from .pages import PAGES, ROOT, blocks, commands, same

BASE = Path(__file__).with_name("base.rein")
POLICIES = [block for page in PAGES for block in blocks(page) if block.language == "rein"]


def findings(source, file, path):
    """Every error and warning about a policy."""
    policy, found = parse(source, file, path=path)
    return found + check(policy) if policy is not None else found


def after(finding, base):
    return finding.span is None or finding.span.start >= len(base)


@pytest.mark.parametrize("block", POLICIES, ids=lambda block: block.place)
def test_policy(block, tmp_path):
    for beside in blocks(block.page):  # what it may include
        if beside.file:
            (tmp_path / beside.file).write_text(beside.text)
    path = str(tmp_path / "page.rein")
    if "fragment" in block.tags:
        base = BASE.read_text()
        source = base + block.text
        # The base declares more than any one fragment uses, so only the fragment may have warnings.
        found = [d for d in findings(source, block.place, path) if d.severity == "error" or after(d, base)]
        assert not found, "\n" + render_all(found, source)
    else:
        found = findings(block.text, block.place, path)
        assert not found, "\n" + render_all(found, block.text)
        missed = [str(r) for r in testing.run_source(block.text, block.place, path=path) if not r.passed]
        assert not missed, "\n" + "\n".join(missed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "example"}
    try:
        run_page(page, namespace, tmp_path)
    finally:
        # Examples leave clients and logs open, as a reader would: they are closed here, not in a later test.
        namespace.clear()
        gc.collect()


def run_page(page, namespace, folder):
    """Everything on the page, in its order."""
    printed = ""
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language == "python":
            printed = run_python(block, namespace)
        elif block.language == "text" and "output" in block.tags:
            compare(block.place, block.text.splitlines(), printed)
        elif block.language == "console":
            for command, expected in commands(block):
                compare(f"{block.place}: {command}", expected, run_command(command, folder))


def run_python(block, namespace):
    """What the block printed. Its lines keep their numbers of the page, so that a traceback points there."""
    code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, namespace)
    return out.getvalue()


def run_command(command, directory):
    """What the command printed, both streams in one."""
    path = [ROOT / ".venv" / "bin", Path(sys.executable).parent, os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(map(str, path)), "NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=directory, env=environment, timeout=60, check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def compare(place, expected, printed):
    lines = [line.rstrip() for line in printed.rstrip().splitlines()]
    while expected and not expected[-1]:
        expected = expected[:-1]
    assert same(expected, lines), "\n".join([place, "-- expected", *expected, "-- printed", *lines])


@pytest.mark.parametrize(
    ("expected", "printed", "equal"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b"], True),
        (["...", "b"], ["a", "b"], True),
        (["a", "...", "c"], ["a", "c"], True),
        (["a", "...", "c"], ["b", "c"], False),
        (["at ...", "b"], ["at noon", "b"], True),
        (["at ..."], ["on time"], False),
    ],
)
def test_dots_stand_for_any_lines(expected, printed, equal):
    assert same(expected, printed) is equal


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The anchors of a page's headings, as they are made where the pages are read."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken
