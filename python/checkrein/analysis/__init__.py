"""What a policy says before it runs: how much a run can cost at worst, and why.

It reads checked trees and runs nothing. What it cannot know: a host that breaks its word, such as a prompt
with more tokens than were told, or a provider that bills more than what was reserved.
"""

from __future__ import annotations

from checkrein.analysis.bound import Bounds, bound
from checkrein.analysis.unbounded import unbounded

__all__ = ["Bounds", "bound", "unbounded"]
