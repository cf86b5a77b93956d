"""The guard: the middleware between a host's model and tool calls and the engine's decisions."""

from checkrein.guard.approval import Approval
from checkrein.guard.clock import Clock, SystemClock, VirtualClock
from checkrein.guard.context import current_run
from checkrein.guard.guard import Guard, load
from checkrein.guard.run import Outcome, Run

__all__ = [
    "Approval",
    "Clock",
    "Guard",
    "Outcome",
    "Run",
    "SystemClock",
    "VirtualClock",
    "current_run",
    "load",
]
