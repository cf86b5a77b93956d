"""The page of failures and these tests tell the same: every failure has its test, by name, and no other."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "failures.md"
LAST = 53


def test_every_failure_of_the_page_has_its_test_and_every_test_its_row():
    rows = re.findall(r"^\| (\d+) \|.*\| `(test_failure_\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    numbers = [int(number) for number, _ in rows]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 32)) <= set(numbers)
    assert numbers[-1] <= LAST
    assert all(test.startswith(f"test_failure_{int(number):02}_") for number, test in rows)
    written = [
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_failure_")
    ]
    assert sorted(written) == sorted(test for _, test in rows)
