"""What the compiled engine answers: for type checkers, there is no such module."""

from typing import Literal, final

from checkrein._rows import Outcome as _Outcome

@final
class Decision:
    """What the engine decided about one event, and why."""

    @property
    def number(self) -> int:
        """1, 2, 3... within the run."""
    @property
    def event(
        self,
    ) -> Literal["model call", "tool call", "model result", "tool result", "model error", "tool error"]:
        """What was decided about."""
    @property
    def outcome(self) -> _Outcome:
        """What to do. `allow` of a result means: take it; of an error: pass it on."""
    @property
    def is_plain(self) -> bool:
        """Whether it lets the call run and says nothing else: no advice, no wrapping up."""
    @property
    def call(self) -> int | None:
        """The logical call; pass it when the same call is asked again. `None` if none was opened: the run
        is over."""
    @property
    def attempt(self) -> int | None:
        """The attempt that an allowed call opened: settle it exactly once."""
    @property
    def attempt_number(self) -> int | None:
        """Which attempt of this call on this model or tool was opened, or failed, from 1."""
    @property
    def model(self) -> str | None:
        """The model that an allowed call goes to, or that failed."""
    @property
    def output_cap(self) -> int | None:
        """The most output tokens that an allowed model call may produce."""
    @property
    def timeout_ns(self) -> int | None:
        """How long an allowed call may take."""
    @property
    def wait_ns(self) -> int | None:
        """How long to wait before asking again."""
    @property
    def may_be_sooner(self) -> bool:
        """Whether a breaker may let the call pass before that: others are trying it."""
    @property
    def state(self) -> str | None:
        """The failure state of a stop or fail."""
    @property
    def tell_agent(self) -> str | None:
        """What the state tells the agent."""
    @property
    def tell_user(self) -> str | None:
        """What the state tells the user."""
    @property
    def by(self) -> str | None:
        """The deciding statement's name, or the engine's own word, such as `undeclared tool`."""
    @property
    def kind(self) -> str | None:
        """The deciding statement's kind, such as `limit`, or `built-in`."""
    @property
    def file(self) -> str | None:
        """The file that the deciding statement is in: the policy's own, or one that this includes."""
    @property
    def line(self) -> int | None:
        """The deciding statement's line in the source."""
    @property
    def column(self) -> int | None:
        """The deciding statement's column in the source."""
    @property
    def reason(self) -> str | None:
        """The policy's `because`; of a denial that gives an answer as its reason, that `text`."""
    @property
    def text(self) -> str | None:
        """What an answer says."""
    @property
    def template(self) -> str | None:
        """The text that it was made from, with the names of facts in braces."""
    @property
    def reused(self) -> int | None:
        """The attempt whose result a reuse gives."""
    @property
    def undecided(self) -> bool:
        """Whether the statement decided because its condition could not be told."""
    @property
    def latched(self) -> bool:
        """Whether this is an earlier stop, met again."""
    @property
    def wrap_up(self) -> bool:
        """Whether the call is made with what a limit keeps for closing the work."""
    @property
    def stayed(self) -> bool:
        """The model is the one that served before, not the route's first: a switch would not pay for the
        prompt cache that it loses, or the first had failed then."""
    @property
    def request(self) -> int | None:
        """The request that a person has to answer."""
    @property
    def queue(self) -> str | None:
        """The queue that the request is in."""
    @property
    def wants(self) -> Literal["approval", "question", "handover"] | None:
        """What a person is asked for."""
    @property
    def answered(self) -> int | None:
        """The request whose text ends the call, or whose person takes the task over (a stop without a
        state)."""
    @property
    def expires_at(self) -> int | None:
        """When the request expires."""
    @property
    def reserved_tokens(self) -> int:
        """The worst case held for an allowed call."""
    @property
    def reserved_cost(self) -> int:
        """The worst case held for an allowed call."""
    @property
    def votes(self) -> list[tuple[str, str, _Outcome, bool]]:
        """Every vote, the most restrictive first: kind, name, outcome, undecided."""
    @property
    def would(self) -> list[tuple[_Outcome, str, str, str | None, bool]]:
        """What observed statements would have said, the most restrictive first: outcome, kind, name, reason,
        undecided. `allow` is said of a requirement: another model would have served."""
    @property
    def advice(self) -> list[tuple[Literal["tell agent", "warn"], str, str]]:
        """Thresholds passed for the first time: kind, text, the limit's name."""
    @property
    def values(self) -> list[tuple[str, str]]:
        """What the deciding condition read: the fact's name, its value as text."""
    @property
    def skipped(self) -> list[str]:
        """Route arms passed over since their condition could not be told."""
    @property
    def passed(self) -> list[tuple[str, str, str]]:
        """The candidates that could not run, with each reason: the model, `window` or the kind of the
        statement in its way, and that statement's name."""

@final
class Settlement:
    """What an attempt used, and what had been held for it."""

    @property
    def input_tokens(self) -> int:
        """The input tokens charged."""
    @property
    def output_tokens(self) -> int:
        """The output tokens charged."""
    @property
    def cache_read_tokens(self) -> int:
        """Those of the input that were read from a cache."""
    @property
    def cache_write_tokens(self) -> int:
        """Those of the input that were written to a cache."""
    @property
    def reasoning_tokens(self) -> int:
        """Those of the output that were reasoned."""
    @property
    def tokens(self) -> int:
        """The tokens charged in all."""
    @property
    def cost(self) -> int:
        """The money charged."""
    @property
    def reserved_tokens(self) -> int:
        """The tokens that had been held."""
    @property
    def reserved_cost(self) -> int:
        """The money that had been held."""
