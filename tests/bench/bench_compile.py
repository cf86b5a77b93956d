"""How long a policy takes to be checked, compiled and loaded: in a process, and from the shell.

From the shell means a new process of `checkrein check`, first without its cache and then with it. The least
of some rounds is printed, since everything else a machine does makes a round longer and never shorter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

import checkrein
from checkrein.language import check, compile_source, parse

HERE = Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("ROUNDS", "7"))
RULES = 1_000


def large() -> bytes:
    """A policy with 1,000 rules, each with a condition of three parts."""
    tools = "".join(f'tool "t{i}" {{ class act args {{ "amount" money "who" text }} }}\n' for i in range(50))
    rules = "".join(
        f'rule "r{i}" on tool "t{i % 50}"\n'
        f'  when call.args.amount > ${i}.50 and call.attempt == 1 and call.args.who == "u{i}"\n'
        f'  then deny\n  because "reason {i}"\n'
        for i in range(RULES)
    )
    return f'language 1\npolicy "large"\n{tools}{rules}'.encode()


def least(work: Callable[[], object]) -> float:
    """The seconds of the shortest round, without those that it takes to drop what was made."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        made = work()
        took.append(time.perf_counter() - begun)
        del made
    return min(took)


def shell(policy: Path, cache: str) -> Callable[[], object]:
    """A new process that checks the policy; its modules are compiled, as those of an installed package."""
    code = "from checkrein.cli.main import main; import sys; sys.argv[0] = 'checkrein'; main()"
    command = [sys.executable, "-c", code, "check", str(policy)]
    variables = os.environ | {"CHECKREIN_CACHE": cache, "PYTHONPYCACHEPREFIX": str(policy.parent / "modules")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return lambda: subprocess.run(command, env=variables, capture_output=True, check=False)


def main() -> None:
    """Print the table."""
    fifty = (HERE / "policy.rein").read_bytes()
    lines = len(fifty.splitlines())
    many = large()
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "policy.rein")
        policy.write_bytes(fifty)
        os.environ["CHECKREIN_CACHE"] = f"{folder}/cache"
        rows = {
            f"{RULES:,} rules: check": least(lambda: _checked(many)),
            f"{RULES:,} rules: compile": least(lambda: compile_source(many, "large.rein")),
            f"{lines} lines: compile, warm": least(lambda: compile_source(fifty, "policy.rein")),
            f"{lines} lines: load, kept": least(lambda: checkrein.load(policy, log=None, store="memory:")),
            f"{lines} lines: check from the shell": least(shell(policy, "off")),
            f"{lines} lines: the same, kept": least(shell(policy, f"{folder}/kept")),
            "python and nothing else": least(lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
        }
    table = Table("a policy", "milliseconds")
    table.columns[1].justify = "right"
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds * 1000:,.1f}")
    Console().print(table)


def _checked(source: bytes) -> object:
    policy, found = parse(source, "large.rein")
    assert policy is not None
    assert not found
    return check(policy)


if __name__ == "__main__":
    main()
