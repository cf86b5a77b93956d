"""Test results as JUnit XML, which CI services read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.cli.test import Tested

_UNFIT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML may hold, not even escaped."""


def report(files: Iterable[Tested]) -> bytes:
    """A suite for each policy, a case for each test; a policy with mistakes is a case that could not run."""
    root = Element("testsuites", name="checkrein")
    for each in files:
        failed = sum(not result.passed for result in each.results)
        broken = int(each.error is not None)
        numbers = {"tests": len(each.results) + broken, "failures": failed, "errors": broken, "skipped": 0}
        counts = {word: str(number) for word, number in numbers.items()}
        suite = SubElement(root, "testsuite", {"name": _fit(each.file), **counts})
        if each.error is not None:
            case = SubElement(suite, "testcase", {"classname": _fit(each.file), "name": "compiles"})
            SubElement(case, "error", message="the policy has mistakes").text = _fit(each.error)
        for result in each.results:
            place = {"classname": _fit(each.file), "file": _fit(result.file), "line": str(result.line)}
            case = SubElement(suite, "testcase", {"name": _fit(result.name), **place})
            if not result.passed:
                first = result.misses[0]
                message = _fit(f"expected {first.expected}; came {first.came}")
                SubElement(case, "failure", message=message).text = _fit(str(result))
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _fit(text: str) -> str:
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
