"""An environment of its own for every peer: target/bench/NAME, from the pins of requirements/bench/NAME.txt.

python -m tests.bench.field.environments [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PINS = ROOT / "requirements" / "bench"
HOME = ROOT / "target" / "bench"
OURS = ("checkrein", "engine", "hand", "bare", "run_tool", "run_model")
"""What runs in the environment of the project."""


def python_of(name: str) -> Path:
    """The interpreter that a peer runs in."""
    name = "langchain" if name.startswith("agent") else name
    return Path(sys.executable) if name in OURS else HOME / name / "bin" / "python"


def names() -> list[str]:
    """All environments that have pins."""
    return sorted(path.stem for path in PINS.glob("*.txt"))


def make(name: str) -> None:
    """Make the environment of `name`, unless it has these very pins already."""
    pins, done = (PINS / f"{name}.txt").read_bytes(), HOME / name / "pins"
    if not (done.exists() and done.read_bytes() == pins):
        sys.stderr.write(f"installing {name} into {HOME / name}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME / name)], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-r",
            str(PINS / f"{name}.txt"),
        ]
        subprocess.run([str(python_of(name)), *install], check=True)
        done.write_bytes(pins)
    if name == "cython":
        compile_chain()


def compile_chain() -> None:
    """Compile the chain in Cython to where its environment finds it."""
    source = ROOT / "tests" / "bench" / "field" / "chain.pyx"
    python = python_of("cython")
    folder = next((HOME / "cython" / "lib").glob("python3*/site-packages"))
    code, module = folder / "chain.c", folder / f"chain{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([str(python), "-m", "cython", "-3", str(source), "-o", str(code)], check=True)
    include = sysconfig.get_path("include")
    command = ["cc", "-O3", "-shared", "-fPIC", f"-I{include}", str(code), "-o", str(module)]
    subprocess.run(command, check=True)


def main() -> None:
    """Make those that are asked for, else all."""
    for name in sys.argv[1:] or names():
        make(name)


if __name__ == "__main__":
    main()
