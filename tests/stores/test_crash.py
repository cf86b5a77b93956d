"""Processes that spend from one ledger are killed again and again: no overspending, no record is lost."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = 20_000


@pytest.mark.parametrize(("store", "tools"), [("sqlite", ["cargo"]), ("redis", ["cargo", "redis-server"])])
def test_killed_processes_never_overspend(store, tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        pytest.skip(f"there is no {missing[0]} on this machine")
    command = [sys.executable, str(ROOT / "scripts" / "crash.py"), store, str(CALLS), "debug"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"(calls|overspent|killed|lost) (\d+)", done.stdout)
    assert store == "sqlite" or not re.search(r" 0 servers", done.stdout), done.stdout
    figures = {name: int(number) for name, number in found}
    assert figures["calls"] >= CALLS * 9 // 10
    assert figures["killed"] >= 4
    assert (figures["overspent"], figures["lost"]) == (0, 0)
