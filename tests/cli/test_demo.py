"""`checkrein demo`: what someone sees who lacks a package for it."""

import sys

import pytest


@pytest.fixture
def without_langchain(monkeypatch):
    """As in an environment where only the core is installed."""
    for name in [m for m in sys.modules if m.partition(".")[0] == "checkrein" and ".demo" in m]:
        monkeypatch.delitem(sys.modules, name)

    class Missing:
        def find_spec(self, name, *_):
            if name.partition(".")[0] == "langchain":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [m for m in sys.modules if m.partition(".")[0] == "langchain"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])


@pytest.mark.usefixtures("without_langchain")
def test_a_missing_package_names_the_extra(command):
    printed = command("demo")
    assert printed.exit_code == 2
    assert "the demo needs the package `langchain`, which is not installed" in printed.stderr
    assert "pip install 'checkrein[demo]'" in printed.stderr
