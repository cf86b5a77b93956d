"""Lark's tree to the typed tree of `tree.py`."""

from __future__ import annotations

from checkrein.language.build import enforced, trials, unsupported, values, vocabulary  # noqa: F401 - they register
from checkrein.language.build.walk import HANDLERS, Builder

__all__ = ["HANDLERS", "Builder"]
