"""The handwritten stub says what the compiled module holds, and the module embeds the grammar."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from checkrein import _core

ROOT = Path(__file__).parents[2]
STUB = ast.parse((ROOT / "python/checkrein/_core.pyi").read_text())
# What the stub imports from these is the rest of it, each file being as long as a file may be.
FILES = ("_decisions", "_doors", "_logs", "_runs", "_stores")
PARTS = [ast.parse((ROOT / f"python/checkrein/{part}.pyi").read_text()) for part in FILES]
CLASSES = {
    node.name: node
    for part in (STUB, *PARTS)
    for node in part.body
    if isinstance(node, ast.ClassDef) and node.name[0] != "_"
}
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CONSTANTS = {
    node.target.id
    for node in STUB.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_"
}


def public(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def parameters(node: ast.FunctionDef) -> list[tuple[str, object]]:
    """Give the name and default of every parameter of a stub's function, but self and cls."""
    positional = node.args.args
    defaults = [inspect.Parameter.empty] * (len(positional) - len(node.args.defaults))
    defaults += [ast.literal_eval(default) for default in node.args.defaults]
    named = [
        (arg.arg, inspect.Parameter.empty if default is None else ast.literal_eval(default))
        for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    ]
    return [
        (arg.arg, default)
        for arg, default in zip(positional, defaults, strict=True)
        if arg.arg not in ("self", "cls")
    ] + named


def runtime_parameters(item: object) -> list[tuple[str, object]]:
    found = inspect.signature(item).parameters.values()  # type: ignore[arg-type]
    return [(each.name, each.default) for each in found if each.name not in ("self", "cls")]


def test_the_module_has_the_names_of_the_stub() -> None:
    assert public(dir(_core)) == {*CLASSES, *FUNCTIONS, *CONSTANTS}
    exported = next(n for n in STUB.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__")
    assert set(ast.literal_eval(exported.value)) == public(dir(_core))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_members_of_the_stub(name: str) -> None:
    members = [node for node in CLASSES[name].body if isinstance(node, ast.FunctionDef)]
    runtime = getattr(_core, name)
    assert public(dir(runtime)) == public([member.name for member in members])
    for member in members:
        decorators = [ast.unparse(decorator) for decorator in member.decorator_list]
        if "property" in decorators:
            assert inspect.isgetsetdescriptor(getattr(runtime, member.name))
        elif member.name == "__new__":
            assert parameters(member) == runtime_parameters(runtime)
        else:
            assert parameters(member) == runtime_parameters(getattr(runtime, member.name)), member.name


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_has_the_parameters_of_the_stub(name: str) -> None:
    assert parameters(FUNCTIONS[name]) == runtime_parameters(getattr(_core, name))


def test_everything_public_in_the_stub_is_documented() -> None:
    documented = [*CLASSES.values(), *FUNCTIONS.values()]
    documented += [m for c in CLASSES.values() for m in c.body if isinstance(m, ast.FunctionDef)]
    assert [node.name for node in documented if not ast.get_docstring(node) and node.name != "__new__"] == []


def test_the_embedded_grammar_is_the_file() -> None:
    assert (ROOT / "grammar/rein.lark").read_text() == _core.GRAMMAR, "stale build: run maturin develop"


def test_importing_checkrein_loads_no_parser_and_no_framework() -> None:
    code = "import sys, checkrein, checkrein._core; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "lark",
        "numpy",
        "langchain",
        "langchain_core",
        "openai",
        "httpx",
        "rich",
        "click",
        "onnxruntime_genai",
    }
    assert heavy.isdisjoint(loaded)
