"""The second opinion: a slow, plain interpreter of a policy tree, to hold the Rust engine against.

It walks `checkrein.language.tree` directly, with Python integers and fractions, and shares no code
with the compiler's lowering or with the engine. `Run` has the event methods of `checkrein._core.Run`
and answers with plain dicts of the same fields.
"""

from .accounts import World
from .run import Run
from .suspend import resume
from .values import canonical

__all__ = ["Run", "World", "canonical", "resume"]
