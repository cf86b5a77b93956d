"""What `import checkrein` loads: nothing heavy, and nothing from the network."""

import subprocess
import sys

FORBIDDEN = [
    "lark",
    "numpy",
    "xxhash",
    "rich",
    "click",
    "langchain",
    "langchain_core",
    "openai",
    "httpx",
    "onnxruntime_genai",
    "asyncio",
]


def test_importing_loads_neither_the_parser_nor_a_framework():
    code = f"import sys, checkrein; print([m for m in {FORBIDDEN!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_sorted_and_exist():
    import checkrein

    assert checkrein.__all__ == sorted(checkrein.__all__)
    assert all(hasattr(checkrein, name) for name in checkrein.__all__)
    assert checkrein.__version__


def test_the_compiler_is_loaded_without_the_guard():
    code = (
        "import sys, checkrein.language; print([m for m in sys.modules if m.startswith('checkrein.guard')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
