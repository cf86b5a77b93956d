"""The seed of random tests: the same for the same sources, wherever they are, and another for others."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent


def script():
    spec = importlib.util.spec_from_file_location("scripts_seed", ROOT / "scripts" / "seed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_other_sources_begin_elsewhere_and_the_same_ones_at_the_same_place(tmp_path):
    seed = script().seed
    first = tmp_path / "first"
    for name in ("policy_core/src/lib.rs", "python/checkrein/a.py", "rust/host/b.rs"):
        path = first / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    known = seed(first)
    shutil.copytree(first, tmp_path / "copy")
    assert seed(tmp_path / "copy") == known < 2**32
    (first / "python/checkrein/a.so").write_text("what was built")
    assert seed(first) == known
    (first / "rust/host/b.rs").rename(first / "rust/host/c.rs")
    moved = seed(first)
    (first / "rust/host/c.rs").write_text("changed")
    assert len({known, moved, seed(first)}) == 3


def test_the_command_says_the_seed_of_this_project_and_tests_take_it():
    command = [sys.executable, ROOT / "scripts" / "seed.py"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(said) == script().seed(ROOT)
    code = "from tests.seed import SEED; print(SEED)"
    environment = {**os.environ, "CHECKREIN_SEED": said.strip()}
    taken = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert taken.stdout == said


@given(st.integers())
def test_it_draws(number):
    """Read by the next one: its examples are printed."""
    print("drawn", number)


def test_examples_of_hypothesis_begin_there_too_in_ci_as_elsewhere():
    def drawn(seed):
        command = [sys.executable, "-m", "pytest", "-q", "-s", f"{__file__}::test_it_draws"]
        environment = {**os.environ, "CI": "true", "CHECKREIN_SEED": seed}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return [line for line in ran.stdout.splitlines() if "drawn" in line]

    first = drawn("1")
    assert len(first) > 10
    assert first == drawn("1") != drawn("2")
