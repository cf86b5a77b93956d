"""The house rules that a machine can check: sizes, directions of imports, what the engine never touches."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("python", "policy_core", "rust", "grammar", "tests", "scripts", "docs", ".ci")
PACKAGE = ROOT / "python" / "checkrein"
CORE = ROOT / "policy_core" / "src"

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 110

# A test that really sleeps says here why no virtual clock would do.
SLEEPERS = {
    "tests/test_house.py": "names the call that it looks for",
}

SOURCES = {".c", ".h", ".py", ".pxd", ".pyi", ".pyx", ".rs", ".lark", ".sh", ".rein"}
COMMENTED = {".py": ('"""', "#"), ".pyi": ('"""', "#"), ".rs": ("//",), ".lark": ("//",), ".rein": ("#",)} | {
    ".c": ("/*",), ".h": ("/*",), ".pxd": ("#",), ".pyx": ("#",), ".sh": ("#",),
    ".toml": ("#", "about = "), ".md": ("#",), ".in": ("#",),
}  # fmt: skip


def files(*suffixes, rooms=ROOMS):
    """Every file of the rooms with one of the suffixes; what was built or cached is none of ours."""
    found = [p for room in rooms for p in (ROOT / room).rglob("*") if p.is_file() and p.suffix in suffixes]
    return sorted(p for p in found if not {"__pycache__", "target", ".venv"} & set(p.parts))


def name(path):
    return path.relative_to(ROOT).as_posix()


def is_test(path):
    return {"tests", "benches"} & set(path.relative_to(ROOT).parts)


def report(findings):
    assert not findings, "\n" + "\n".join(findings)


# -- sizes -----------------------------------------------------------------------------------------


def test_no_source_file_is_too_long():
    lengths = {p: len(p.read_text().splitlines()) for p in files(*SOURCES) if not is_test(p)}
    report([f"{name(p)}: {n} lines" for p, n in lengths.items() if n > FILE_LINES_MAX])


def test_no_python_function_is_too_long():
    found = []
    for path in files(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found.append(f"{name(path)}:{node.lineno}: `{node.name}` has {lines} lines")
    report(found)


def test_no_line_is_too_wide():
    found = []
    for path in files(*SOURCES):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                found.append(f"{name(path)}:{number}: {len(line)} columns")
    report(found)


# -- words -----------------------------------------------------------------------------------------


def test_no_marker_of_unfinished_work_is_left():
    markers = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
    found = []
    for path in [*files(*COMMENTED), *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if markers.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()}")
    report(found)


def test_every_file_begins_by_saying_its_purpose():
    found = []
    crates = {p for p in files(".toml") if p.name == "Cargo.toml"}  # say it in their `description`
    others = [ROOT / "Makefile", ROOT / ".ci" / "run", ROOT / "pyproject.toml"]
    for path in [*(p for p in files(*COMMENTED) if p not in crates), *others]:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#!")]
        first = next((line.strip() for line in lines if line.strip()), None)
        if first and not first.startswith(COMMENTED.get(path.suffix, ("#",))):
            found.append(f"{name(path)}: begins with `{first[:60]}`")
    report(found)


def test_exported_names_are_sorted():
    def order(text):
        return (0 if text.isupper() else 1 if text[0].isupper() else 2, text)

    found = []
    for path in files(".py", ".pyi", rooms=("python",)):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                exported = ast.literal_eval(node.value)
                if exported != sorted(set(exported), key=order):
                    found.append(f"{name(path)}: __all__ is not sorted: constants, classes, then functions")
    report(found)


def test_the_version_is_in_one_place():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]
    for crate in (ROOT / "policy_core", ROOT / "rust" / "python"):
        assert tomllib.loads((crate / "Cargo.toml").read_text())["package"]["version"] == {"workspace": True}
    quoted = re.compile(rf"""["']{re.escape(version)}["']""")
    report([name(p) for p in files(".py", ".pyi", ".rs") if quoted.search(p.read_text())])


# -- directions ------------------------------------------------------------------------------------


def imports(path):
    """(module, line, enclosing function or None) of every import that runs."""
    found = []

    def walk(node, function):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, child.lineno, function) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{name(path)}:{child.lineno}: a relative import"
                names = [child.module, *(f"{child.module}.{alias.name}" for alias in child.names)]
                found.extend((module, child.lineno, function) for module in names)
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            walk(child, child.name if is_function else function)

    walk(ast.parse(path.read_text()), None)
    return found


def within(module, *packages):
    return any(module == f"checkrein.{p}" or module.startswith(f"checkrein.{p}.") for p in packages)


# Room: what it never imports. `None` stands for the modules that lie in the package itself.
NEVER = {
    "language": ("lsp", "guard", "adapters", "cli", "demo", "record", "replay", "testing", "explain"),
    "analysis": ("lsp", "guard", "adapters", "cli", "demo", "record", "replay", "testing", "explain"),
    "difference": ("lsp", "guard", "adapters", "cli", "demo", "record", "replay", "testing", "explain"),
    "coverage": ("lsp", "guard", "adapters", "analysis", "cli", "demo", "record", "replay", "explain"),
    "guard": (
        "coverage",
        "lsp",
        "adapters",
        "cli",
        "demo",
        "replay",
        "testing",
        "explain",
        "language",
        "analysis",
    ),
    "adapters": ("lsp", "cli", "demo", "language", "analysis", "replay", "testing", "explain"),
    "prices": (
        "lsp",
        "guard",
        "adapters",
        "analysis",
        "cli",
        "demo",
        "language",
        "record",
        "replay",
        "testing",
        "explain",
    ),
    "lsp": ("guard", "adapters", "demo", "record", "replay", "explain"),
    None: ("adapters", "cli", "demo", "lsp"),
}


@pytest.mark.parametrize("room", NEVER, ids=str)
def test_imports_go_downwards_only(room):
    found = []
    # The package as a command stands above all rooms, though its place is the hall.
    hall = set(PACKAGE.glob("*.py")) - {PACKAGE / "__main__.py"}
    for path in hall if room is None else (PACKAGE / room).rglob("*.py"):
        for module, line, _function in imports(path):
            if any(within(module, other) for other in NEVER[room]):
                found.append(f"{name(path)}:{line}: imports {module}")
    report(found)


FRAMEWORKS = {
    "httpx", "langchain", "langchain_core", "langchain_openai", "langgraph", "lark", "lsprotocol", "numpy",
    "onnxruntime_genai", "openai", "pygls",
}  # fmt: skip
# The compiler is built on Lark, the language server on pygls; an adapter on its framework, but what several
# adapters share is not.
FREE = ("language", "demo", "adapters", "lsp")
SHARED = ("adapters/__init__.py", "adapters/names.py")


def test_no_framework_is_imported_where_it_is_not_asked_for():
    found = []
    for path in PACKAGE.rglob("*.py"):
        short = path.relative_to(PACKAGE)
        if short.parts[0] in FREE and short.as_posix() not in SHARED:
            continue
        for module, line, function in imports(path):
            if function is None and module.split(".")[0] in FRAMEWORKS:
                found.append(f"{name(path)}:{line}: imports {module} at its top")
    report(found)


# -- the engine ------------------------------------------------------------------------------------

UNTOUCHED = {
    r"\bunsafe\b": "no unsafe code",
    r"\bf(32|64)\b": "no floats",
    r"\bstd\s*::\s*(time|fs|env|net|process|thread|io)\b": "no clock, file, environment, network or thread",
    r"\bHash(Map|Set)\b": "no order that differs from process to process",
    r"\b(e?print(ln)?|dbg)!": "no output",
    r"\bpyo3\b": "no Python",
}


def code_of(path):
    """A Rust file without its comments and texts, line by line."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', path.read_text(), flags=re.S)
    return [re.sub(r"//.*", "", line) for line in text.splitlines()]


def test_the_engine_touches_nothing_outside():
    assert "#![forbid(unsafe_code)]" in (CORE / "lib.rs").read_text()
    found = []
    for path in sorted(CORE.rglob("*.rs")):
        for number, line in enumerate(code_of(path), 1):
            for pattern, rule in UNTOUCHED.items():
                if re.search(pattern, line) and "forbid(unsafe_code)" not in line:
                    found.append(f"{name(path)}:{number}: {rule}: {line.strip()}")
    report(found)


def test_the_engine_depends_on_two_hashes_only():
    cargo = tomllib.loads((ROOT / "policy_core" / "Cargo.toml").read_text())
    assert set(cargo["dependencies"]) == {"sha2", "xxhash-rust"}


# Who has `unsafe` code, and why. Each block says why it is sound.
UNSAFE = {
    "rust/c/src/edge.rs": "follows the pointers that C hands over",
    "rust/c/src/lib.rs": "exports the one symbol of a library",
    "rust/python/src/entry.rs": "takes the arguments of `decide` as the interpreter hands them over",
    "rust/python/src/walk.rs": "walks a dict as the interpreter does",
    "rust/speed/src/counting.rs": "counts allocations",
    "rust/stores/examples/speed/main.rs": "counts allocations",
    "rust/stores/src/journal.rs": "maps a file that outlives its process",
    "rust/stores/tests/fork.rs": "forks",
}


def test_unsafe_code_stands_where_it_has_to():
    marked = re.compile(r"\bunsafe\b(?!_)")
    found = {name(path) for path in files(".rs") if any(marked.search(line) for line in code_of(path))}
    assert found == set(UNSAFE)


# -- tests -----------------------------------------------------------------------------------------


def test_no_test_sleeps():
    found = []
    for path in files(".py", rooms=("tests",)):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\btime\.sleep\b", line) and name(path) not in SLEEPERS:
                found.append(f"{name(path)}:{number}: sleeps; pass a clock, or give the reason in SLEEPERS")
    report(found)


# -- documentation -----------------------------------------------------------------------------------


def test_pages_that_sources_name_exist():
    found = []
    for path in [*files(*COMMENTED), ROOT / "Makefile"]:
        pages = set(re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text()))
        pages -= {"docs/evidence.md"}  # `make evidence` writes it
        found.extend(f"{name(path)}: {page}" for page in pages if not (ROOT / page).exists())
    report(found)
