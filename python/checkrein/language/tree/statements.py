"""The statements: the vocabulary first, then what is enforced."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal as Choice

from checkrein.frozen import Frozen

if TYPE_CHECKING:
    from checkrein.language.tree.basis import Literal, Name, Observed, Span, Type, Value
    from checkrein.language.tree.conditions import Condition, Outcome, Selector


class Price(Frozen):
    """Nano-units of the currency for a million tokens; None where the file gives no rate of its own."""

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Model(Frozen):
    """`price` is None when the file gives none: then it is looked up in the price snapshot."""

    name: Name
    target: Name
    span: Span
    tier: int | None
    place: str | None
    window: int | None
    output: int | None
    least_output: int
    price: Choice["free"] | Price | None
    currency: str | None = None
    region: Name | None = None


class Arg(Frozen):
    """One declared argument of a tool."""

    name: Name
    type: Type
    optional: bool


class Tool(Frozen):
    """`timeout` in nanoseconds; `results` are the fields of what it gives, `succeeds` its `succeeds when`."""

    name: Name
    span: Span
    tool_class: str | None
    once: bool
    may_repeat: bool
    timeout: int | None
    args: tuple[Arg, ...]
    results: tuple[Arg, ...] = ()
    succeeds: Condition | None = None


class Grants(Frozen):
    """`grants Q at most N times`: what an approval adds to the limit that asked."""

    amount: Literal
    times: int
    span: Span


class Queue(Frozen):
    """`expires` in nanoseconds; `default_stop` None means the default is to deny. An answer is for calls in
    which the arguments in `binds` are equal; all of them, if it names none."""

    name: Name
    span: Span
    expires: int | None
    default_stop: Name | None
    grants: Grants | None = None
    binds: tuple[Name, ...] = ()


class State(Frozen):
    """A declared failure state and what is told to whom."""

    name: Name
    span: Span
    tell_agent: str | None
    tell_user: str | None


class Fact(Frozen):
    """A fact that the host supplies."""

    name: Name
    type: Type
    optional: bool
    default: Value | None
    span: Span


class Define(Frozen):
    """A named condition."""

    name: Name
    condition: Condition
    span: Span


class Store(Frozen):
    """`store shared`: a ledger that only one machine sees will not do."""

    span: Span


class Calendar(Frozen):
    """`each day in "Zone/City"`; `zone` None is UTC."""

    period: Choice["hour", "day", "week", "month"]
    zone: Name | None
    span: Span


class Rolling(Frozen):
    """`rolling 1 h`, in nanoseconds."""

    duration: int
    span: Span


class Bound(Frozen):
    """`dimension <= literal` inside a limit; of `calls of SELECTOR <= N` the dimension is `calls of`."""

    dimension: str
    literal: Literal
    span: Span
    selector: Selector | None = None


class Threshold(Frozen):
    """`at N% tell agent "..."`, `at N% warn "..."` or `at N% prefer lower tier`, which has no text."""

    percent: Literal
    advice: Choice["tell agent", "warn", "prefer lower tier"]
    text: str
    span: Span


class WrapUp(Frozen):
    """`wrap up N call Q`: calls and an amount that are kept back for the end."""

    calls: int
    amount: Literal
    span: Span


class Limit(Frozen):
    """`scope` is `run`, `session`, `user`, `team`, `org` or a declared fact; `window` None is for ever.

    `basis` is `attempted`, `executed` or `succeeded`, and `failure` is `spend`, `deny` or `allow`;
    None where the file says nothing, which is `attempted` and `spend`.
    """

    name: Name
    scope: Name
    window: Calendar | Rolling | None
    bounds: tuple[Bound, ...]
    thresholds: tuple[Threshold, ...]
    basis: Name | None
    failure: Name | None
    wrap_up: WrapUp | None
    otherwise: Outcome
    span: Span
    observed: Observed | None = None


class Share(Frozen):
    """`share P of calls in D, at least N`; `most` in parts per million, `window` in nanoseconds."""

    most: int
    window: int
    least: int
    span: Span


class Retry(Frozen):
    """`attempts` is the most attempts on one model or tool; times in nanoseconds."""

    name: Name
    selector: Selector
    when: Condition | None
    attempts: int | None
    within: int | None
    backoff: tuple[int, int] | None
    share: Share | None
    otherwise: Outcome
    span: Span
    observed: Observed | None = None


class Opens(Frozen):
    """`opens when failures >= P of N in D`; `failures` in parts per million, `window` in nanoseconds."""

    failures: int
    calls: int
    window: int
    span: Span


class Probes(Frozen):
    """`probes K after D`, in nanoseconds."""

    count: int
    after: int
    span: Span


class Breaker(Frozen):
    """No calls for a while to what fails; then counted probes."""

    name: Name
    selector: Selector
    opens: Opens | None
    probes: Probes | None
    span: Span
    observed: Observed | None = None


class TierNeed(Frozen):
    """`tier >= N`."""

    operator: str
    tier: int
    span: Span


class NamesNeed(Frozen):
    """`model in [...]`, or `region "..."` and `region in [...]`."""

    kind: Choice["model", "region"]
    names: tuple[Name, ...]
    span: Span


class Require(Frozen):
    """`require "x" NEED when C`; a need that is a text is the place."""

    name: Name
    need: str | TierNeed | NamesNeed
    when: Condition | None
    span: Span
    observed: Observed | None = None


class Then(Frozen):
    """`then "model" when C`: asked as well, if the result is so."""

    model: Name
    when: Condition


class Arm(Frozen):
    """`to "model" when C`, or a cascade, which has no `when` of its own."""

    model: Name
    when: Condition | None
    span: Span
    then: Then | None = None


class Canary(Frozen):
    """`canary P% by FACT to "model"`."""

    percent: Literal
    fact: Name
    model: Name
    span: Span


class Route(Frozen):
    """Arms from the top, then the fallback edges; canaries lie side by side in the order of the file."""

    name: Name
    arms: tuple[Arm, ...]
    fallbacks: tuple[tuple[Name, Name], ...]
    canaries: tuple[Canary, ...]
    span: Span


class Order(Frozen):
    """`{ before before after matching ... within run again after ... }`.

    Each side is a tool selector by name or class; `matching` names arguments, `again_after` tools.
    """

    name: Name
    before: Selector
    after: Selector
    matching: tuple[Name, ...]
    again_after: tuple[Name, ...]
    otherwise: Outcome
    span: Span
    observed: Observed | None = None


class Truth(Frozen):
    """`truth { tool results }`: what a conversation says that tools gave, they gave."""

    name: Name
    otherwise: Outcome
    span: Span
    observed: Observed | None = None


class Loop(Frozen):
    """`same_call` and `same_error` are (count, steps); `cycle` is (longest period, repetitions).

    `no_progress` is how many steps in a row brought nothing new, `repeated_context` which part
    of a prompt was paid for before, in parts per million. `ignoring` are facts `call.args.X`: calls
    are compared without these arguments. `built_in` is the text of the one that stands in no file.
    """

    name: Name
    ignoring: tuple[Name, ...]
    same_call: tuple[int, int] | None
    same_error: tuple[int, int] | None
    cycle: tuple[int, int] | None
    no_progress: int | None
    repeated_context: int | None
    otherwise: Outcome
    span: Span
    built_in: str | None = None

    @property
    def compares_calls(self) -> bool:
        """Whether it looks at calls one by one, with their arguments."""
        return self.same_call is not None or self.cycle is not None

    @property
    def finds_at_models(self) -> bool:
        """Whether it may be found when a model is to be called."""
        return self.no_progress is not None or self.repeated_context is not None

    observed: Observed | None = None


class LoopOff(Frozen):
    """`loop off`: without the built-in loop. No policy has it after it was read."""

    span: Span


class Rule(Frozen):
    """`rule ... on ... when ... then ... because`; the reason is in the outcome."""

    name: Name
    selector: Selector
    when: Condition | None
    outcome: Outcome
    span: Span
    observed: Observed | None = None
