"""The committed tiny model is what its script makes, byte for byte, and small."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "python" / "checkrein" / "demo" / "tiny_onnx"


def test_the_script_makes_the_committed_files():
    done = subprocess.run(
        [sys.executable, str(HERE / "make_tiny_model.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same: ") == 2


def test_it_is_below_two_megabytes():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 2_000_000
