"""The stub of the engine's log, kept apart from `_core.pyi` only for its length."""

from os import PathLike
from typing import final

from checkrein._core import Program

@final
class Log:
    """A log file. Records wait in memory until a thread of ours has written them.

    Each call, and each event of a run that writes here, may give a `RuntimeWarning`, once: records are lost.
    """

    def __new__(cls, path: str | PathLike[str], *, required: bool = False) -> Log: ...
    def line(self, json: bytes, program: Program | None = None) -> None:
        """Keep a line, JSON in UTF-8 without its end; the line that describes `program` stands before it."""

    def flush(self) -> None:
        """Write what was kept before.

        Raises:
            EngineError: kind `log`, if every record is required and the file cannot be written.
        """

    def drain(self) -> None:
        """Do what `flush` does, and raise nothing."""

    def close(self) -> None:
        """Write what is kept and close the file; a later record opens it again."""

    @property
    def lost(self) -> int:
        """How many records could not be written."""
