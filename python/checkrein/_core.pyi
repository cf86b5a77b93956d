"""The engine of Checkrein, compiled from Rust: it loads compiled policies and decides.

Nothing here reads a clock, a file, the network or the environment, but for `Ledger` and `Operator`, which
talk to a store, `Log`, which writes a file, and `Door`, which has a clock. Else time is passed in: `now` is
a monotonic instant in nanoseconds, and an earlier one than a run has already seen counts as that one;
`wall` is the time since the Unix epoch in nanoseconds, which the windows of the calendar are read from.
Money is in nano-units of the policy's currency, durations and instants are in nanoseconds.
"""

from typing import Any, Final, final

from checkrein._decisions import Decision as Decision
from checkrein._decisions import Settlement as Settlement
from checkrein._doors import Door as Door
from checkrein._logs import Log as Log
from checkrein._rows import (
    Fact as _Fact,
)
from checkrein._rows import (
    Model as _Model,
)
from checkrein._rows import (
    Statement as _Statement,
)
from checkrein._rows import (
    Tool as _Tool,
)
from checkrein._runs import Run as Run
from checkrein._stores import Ledger as Ledger
from checkrein._stores import Operator as Operator

__all__ = [
    "FORMAT",
    "GRAMMAR",
    "Decision",
    "Door",
    "Ledger",
    "Log",
    "Meter",
    "Operator",
    "Program",
    "Run",
    "Settlement",
    "canonical",
    "decide_model_calls",
    "decide_tool_calls",
    "fingerprint",
    "forked",
    "now",
    "xxh3_64",
]

GRAMMAR: Final[str]
"""The Lark grammar of the language, `grammar/rein.lark`, as it was when the engine was compiled."""

FORMAT: Final[int]
"""The version of the artifact format that this engine reads."""

def canonical(args: object) -> bytes:
    """Give `args` as canonical JSON (RFC 8785): one text for every value, whatever its key order.

    Integers are written in full, NaN and the infinities as strings; bytes, Decimal, dates and times,
    UUID, Enum and Path as the string of their `str()`; tuples and sets as arrays (sets sorted);
    any other object as `{"$type":"module.Qualname"}`.

    Raises:
        EngineError: kind `bad_value`, for more than 128 levels of nesting, more than 64 MiB of text, or
            an integer of more digits than the interpreter prints.
    """

def decide_tool_calls(
    program: Program,
    tool: str,
    args: dict[str, tuple[Any, ...]],
    facts: dict[str, tuple[Any, ...]],
    now: int,
    wall: int,
    whose: list[str | None],
    answers: tuple[Any, Any, Any, Any],
    threads: int,
) -> bool:
    """Decide a call of `tool` for each row, as the first of a new run that begins `now`.

    A column is `(False, value)`, the same for all rows, or `(True, data, mask)`: one-dimensional numpy arrays
    of `int64`, of `float64`, of flags as `uint8`, of texts as two-dimensional `uint32`, or a list of values;
    the mask is None or `uint8`, not zero where nothing was sent. `whose` are the ids of the session, user,
    team and org. The answers are written into arrays of `uint8` (a place among the outcomes, from the least
    to the most restrictive), `int32` (an index of the program's statements, or -1), `bool`, and an empty one.

    False if the program does not declare the tool; then nothing is written.

    Raises:
        UnknownFact: for a fact that the program does not declare.
        EngineError: kind `bad_value`, if a column is not of the answers' length.
    """

def decide_model_calls(
    program: Program,
    model: str | None,
    input_tokens: int,
    inputs: Any,
    max_output: int | None,
    facts: dict[str, tuple[Any, ...]],
    now: int,
    wall: int,
    whose: list[str | None],
    answers: tuple[Any, Any, Any, Any],
    threads: int,
) -> bool:
    """Decide a model call for each row, as `decide_tool_calls` does for a tool.

    `inputs` are the tokens of each request as `int64`, or None if all have `input_tokens`. The last answer is
    an array of `int32`: the model that would serve, an index of the program's models, or -1. What the engine
    itself says comes behind the statements: 1 for an undeclared model, 2 for no candidate, 3 for no usable
    model.

    False if the program does not declare `model`; then nothing is written.

    Raises:
        UnknownFact: for a fact that the program does not declare.
        EngineError: kind `bad_value`, for a column of another length, or a number of tokens that is none.
    """

def fingerprint(tool: str, args: object) -> int:
    """Give the 64-bit xxh3 of the tool's name, a zero byte and the canonical JSON of `args`.

    Equal calls have equal fingerprints in every process. It is no cryptographic hash.

    Raises:
        EngineError: kind `bad_value`, as for `canonical`.
    """

def forked() -> None:
    """Say, in the child, that this process was forked: the runs that it has are copies, and refuse."""

def now() -> int:
    """Give this process's monotonic clock in nanoseconds, from some instant on."""

def xxh3_64(data: bytes, seed: int = 0) -> int:
    """Give the 64-bit xxh3 of `data`. `seed` is an unsigned 64-bit number."""

@final
class Program:
    """A compiled policy, verified: nothing in it can fail later. Never changes; share it freely."""

    @staticmethod
    def load(data: bytes) -> Program:
        """Verify the bytes of a `.reinc` artifact.

        Raises:
            LoadError: the bytes are damaged, cut short, of another version, or not canonical.
        """

    @staticmethod
    def load_scanning(data: bytes) -> Program:
        """The same without an index over rules, for tests that hold the two against each other.

        Raises:
            LoadError: as above.
        """

    @property
    def digest(self) -> str:
        """The SHA-256 of the artifact's payload, in hex."""
    @property
    def meaning(self) -> str:
        """The SHA-256 of all that decides: not of the file's place, of comments and of lines. In hex."""
    @property
    def policy(self) -> str:
        """The policy's name."""
    @property
    def file(self) -> str:
        """The source file's name, as it was given to the compiler."""
    @property
    def currency(self) -> str:
        """What amounts of money are in: `$`, or a code such as `EUR`."""
    @property
    def language(self) -> int:
        """The version of the language that the policy is written in."""
    @property
    def prices(self) -> str:
        """The price snapshot that prices were taken from; empty if the policy states all of them."""
    @property
    def scopes(self) -> list[str]:
        """What a run has to say for the policy's limits: `user`, or the name of a fact."""
    @property
    def ids(self) -> list[str]:
        """Of whom the policy reads the id, besides its limits: `run`, `session`, `user`, `team`, `org`."""
    @property
    def wide(self) -> bool:
        """Whether a limit is wider than a run."""
    @property
    def watches(self) -> bool:
        """Whether a statement goes by how models and tools fare: a breaker, or the share of a retry."""
    @property
    def shared(self) -> bool:
        """Whether the policy asks for a store that other machines see too."""
    @property
    def wraps_up(self) -> bool:
        """Whether a limit keeps something for the calls that close the work."""
    @property
    def reuses(self) -> bool:
        """Whether a statement hands known results back, so that the host has to keep them."""
    @property
    def checks_truth(self) -> bool:
        """Whether a model call has to come with the tool results of its conversation."""
    @property
    def compares_context(self) -> bool:
        """Whether a model call has to come with the messages of its prompt."""
    @property
    def judges(self) -> bool:
        """Whether results are decided about, so that `Run.result` says more than `Run.settle`."""
    @property
    def models(self) -> list[_Model]:
        """The declared models, by name."""
    @property
    def tools(self) -> list[_Tool]:
        """The declared tools, by name."""
    @property
    def statements(self) -> list[_Statement]:
        """What is enforced, by name, with its place and text in the source."""
    @property
    def facts(self) -> list[_Fact]:
        """The facts that the policy reads or declares, by name."""
    def found(self) -> list[dict[str, Any]]:
        """What the index finds each rule by, in the order of statements.

        `statement` and each `fact` are indexes. Of each list in `by` one entry has to hold; `values` are
        `("any",)`, `("numbers", from, to)`, `("text", it)` or `("beginning", it)`, and none where the fact
        must be missing. `why` is `unconditional`, `open` or `few` if a rule is found by nothing, else None.
        """
    def read(self, tool: str, args: dict[str, Any], facts: dict[str, Any] | None) -> int:
        """How many of the policy's facts a tool call of the host would bring, well-typed.

        It decides nothing: for checking what a host sends, and for measuring what reading costs.

        Raises:
            UnknownFact: a key of `facts` that the policy does not declare.
        """

_C_API: Final[object]
"""A capsule with the table of functions that `checkrein.h` declares; `checkrein/_core.pxd` reads it."""

@final
class Meter:
    """Counts the tokens of one attempt of a model without the run's lock; C may count on its `handle`.

    Whoever makes another one for the attempt counts on the same. It lets go of the attempt when nobody has it
    any more; what was counted stays. Making one raises `EngineError` of kind `unknown_attempt`,
    `already_settled`, `suspended`, `bad_value` (a tool's attempt) or `full` (millions of meters).
    """

    def __new__(cls, run: Run, attempt: int) -> Meter: ...
    def count(self, n: int = 1) -> int:
        """Count tokens that the attempt has produced; gives how many it may still produce. 0 means stop.

        Raises:
            EngineError: kind `already_settled` once the attempt is over, whoever ended it.
        """

    @property
    def handle(self) -> int:
        """The `id` of its `checkrein_meter`, for as long as this object lives."""
