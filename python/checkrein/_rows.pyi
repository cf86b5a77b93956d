"""The rows and words of the compiled engine's documentation: for type checkers, there is no such module."""

from typing import Literal, TypeAlias, TypedDict

Outcome: TypeAlias = Literal["allow", "reuse", "answer", "wait", "escalate", "deny", "fail", "stop"]
Usage: TypeAlias = Literal["exact", "at_least", "unknown", "unsent"]
Dimension: TypeAlias = Literal["text", "flag", "count", "money", "tokens", "duration", "percent"]

class Tariff(TypedDict):
    above: int  # applies to calls with more input tokens; 0 to all
    input: int  # nano-units per million tokens, like those below
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    # And `from` and `to`: the UTC minutes of the day that it applies in, from 0 to 1440.

class Model(TypedDict):
    name: str
    target: str
    tier: int
    region: str | None
    place: Literal["edge", "cloud"]
    window: int
    output: int
    least_output: int
    cascades: bool  # a larger one may be asked as well, by how sure it was
    price: list[Tariff] | None  # None is free

class Argument(TypedDict):
    name: str
    dimension: Dimension
    unit: Literal["units", "cents"] | None  # of money only

class Tool(TypedDict):
    name: str
    tool_class: Literal["retrieve", "reason", "act"] | None
    once: bool
    timeout_ns: int | None
    args: list[Argument]  # those that some condition reads
    results: list[str]  # the fields of its result that its `succeeds when` reads

class Statement(TypedDict):
    kind: Literal["limit", "retry", "require", "route", "order", "loop", "rule"]
    name: str
    file: str
    line: int
    column: int
    source: str

class Fact(TypedDict):
    name: str
    dimension: Dimension
    source: Literal["host", "argument", "engine"]
    presence: Literal["required", "optional", "default"]

class Limit(TypedDict):
    name: str
    dimension: str  # `cost`, `tokens`, ..., or `calls of tool "search"`
    limit: int  # spent + held + free + leased
    spent: int  # by everybody; of a time: what has elapsed as of the last event
    held: int  # by attempts of this process that are under way
    free: int  # negative in debt
    leased: int  # to other processes
    silent: int  # of that, to processes that have not been heard of for half a minute
    refused: str | None  # why the store refuses this account: nothing can be taken
    scope: str  # `run`, or whose it is: `user:u1`
    window: tuple[int, int, int] | None  # of the calendar: its number, its begin, its end
    soft: bool  # without its store it lets calls pass
    age: int  # of the store's last word, in nanoseconds

class Health(TypedDict):
    kind: Literal["memory", "sqlite", "redis"]
    made: bool  # the ledger was made when this process opened it: nothing was spent before
    node: str  # this incarnation of the process
    away_since: int | None  # when the store stopped answering, on the monotonic clock
    last_reply: int | None
    degraded: int  # how often something was taken that the store had not leased
    restarts: int  # how often this process began anew
    error: str | None  # what is wrong with the store, or else `refused`
    refused: str | None  # an account that the store refuses, while it does everything else
    closed: bool
    round_trips: int
    records_waiting: int
    records_lost: int

class Window(TypedDict):
    id: int
    start: int  # 0 without a calendar, as `end`
    end: int
    asked: int  # the bound of the policy that asked last, with what people granted
    most: int  # the bound that holds: `asked`, or less if an operator has pinned less
    spent: int  # with `carried` and `adjusted`
    leased: int
    carried: int  # the debt of earlier windows
    adjusted: int  # by operators
    extra: int  # what people granted
    grants_used: int

class Account(TypedDict):
    account: str  # as the other methods take it
    name: str  # as people read it
    scope: str
    id: str
    limit: str
    measure: str
    window: str
    pinned: int | None
    windows: list[Window]

class Act(TypedDict, total=False):
    time: int
    order: str  # the act's own id
    who: str
    why: str
    act: Literal["adjust", "pin", "write off", "restarted", "drop run", "prune"]
    run: str  # of `drop run`, which has no account
    before: int  # of `prune`, which has none either
    amount: int | None
    node: str | None
    account: str
    name: str
    scope: str
    id: str
    limit: str
    measure: str
    window: str

class SuspendedRun(TypedDict, total=False):
    run: str
    damaged: bool  # then nothing else is known of it
    meaning: str  # of its program
    resumed: int  # how often
    waits: bool  # else it was resumed, and has not ended
    since: int

class GivenAnswer(TypedDict):
    word: Literal["approve", "reject", "answer"]
    text: str | None
    who: str
    why: str
    at: int

class Approval(TypedDict, total=False):
    damaged: str  # the row's name, and then nothing else
    run: str
    request: int
    is_question: bool
    asked: int
    expires: int
    now: int  # by the store's clock
    shown: bytes
    answer: GivenAnswer | None

class OpenRequest(TypedDict):
    request: int
    bound: bytes
    left: int
    wants: Literal["approval", "question", "handover"]
    queue: str
    binds: list[str]
    default: tuple[Literal["deny", "stop"], str | None]
    kind: str  # of the statement
    by: str
    line: int
    source: str
    reason: str | None

class Lease(TypedDict):
    node: str
    account: str
    name: str
    scope: str
    id: str
    limit: str
    measure: str
    window: str
    windows: list[tuple[int, int, int]]  # number, granted in all, reported in all

class Node(TypedDict):
    node: str
    requests: int
    heard: int
    closed: bool
