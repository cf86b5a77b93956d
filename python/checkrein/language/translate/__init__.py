"""Lark's tree to the typed tree of `tree/`. The modules imported here register a builder for every rule."""

from __future__ import annotations

from checkrein.language.translate import (  # noqa: F401 - for what they register
    breakers,
    claims,
    enforced,
    limits,
    observe,
    texts,
    trials,
    values,
    vocabulary,
)
from checkrein.language.translate.walk import HANDLERS, Builder

__all__ = ["HANDLERS", "Builder"]
