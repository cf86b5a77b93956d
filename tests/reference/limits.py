"""Limits: the accounts that a run takes from, whether a call fits, and what it takes and gives back."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from checkrein.language import tree

from .accounts import FITS, FULL, HELD, Account
from .state import AMOUNTS, DIMENSIONS, TIMES, Attempt, Call, Line, Taken
from .values import LARGEST

if TYPE_CHECKING:
    from .run import Run

SELECTORS = [("model", False), ("model", True), ("tool", False), ("tool", True)]
CLASSES = [None, "retrieve", "reason", "act"]
ALWAYS_ATTEMPTED = ("retries", "escalations")
NOTHING_RAN = "rate_limited quota_exhausted billing auth invalid_request context_too_long".split()
MAYBE_DONE = "timeout cancelled unknown".split()


def open_lines(run: Run, scopes: dict[str, str | None], keys: dict[str, str]) -> list[Line]:
    """Every bound of every limit with this run's account, in the order of readings."""
    lines = []
    for limit in run.of["limit"]:
        for bound in sorted(limit.bounds, key=lambda each: order(run, each)):
            who = limit.scope.text
            most = LARGEST if limit.observed else bound.literal.value
            whose = scopes[who] if who in scopes else keys.get(who)
            whose = whose if is_id(run, who, whose) else None
            account: Account | None = None
            if bound.dimension in TIMES or who == "run":
                account = Account(most, limit.window, run.at)
            elif whose is not None:
                key = (
                    who,
                    whose,
                    bool(limit.observed),
                    limit.name.text,
                    measure(run, bound),
                    str(limit.window),
                )
                account = run.world.open(key, most, limit.window, run.at)
            lines.append(Line(run, limit, bound, account))
    return lines


def is_id(run: Run, who: str, whose: str | None) -> bool:
    """Whether an account can be kept under this id."""
    fact = run.vocabulary.declared.get(who)
    if not whose or (fact and fact.type.choices and whose not in fact.type.choices):
        return False
    return len(whose.encode()) <= 512 and all(unicodedata.category(each) != "Cc" for each in whose)


def order(run: Run, bound: tree.Bound) -> tuple:
    """Where a bound stands among those of its limit."""
    if bound.selector is None:
        return (DIMENSIONS.index(bound.dimension),)
    point, name, kind = bound.selector.point, bound.selector.name, bound.selector.tool_class
    code = 4 if kind else SELECTORS.index((point, name is not None))
    return len(DIMENSIONS), code, name.text.encode() if name else b"", CLASSES.index(kind)


def measure(run: Run, bound: tree.Bound) -> str:
    """What a bound counts, in the words of the policy."""
    if bound.selector is None:
        return bound.dimension
    point, name, kind = bound.selector.point, bound.selector.name, bound.selector.tool_class
    what = f'"{name.text}"' if name else f"class {kind}" if kind else "any"
    return f"calls of {point} {what}"


def withheld(limit: tree.Limit, bound: tree.Bound) -> int:
    """How much of a bound is kept back for the wrap-up calls."""
    if limit.wrap_up is None:
        return 0
    most, amount = bound.literal.value, limit.wrap_up.amount.value
    own = {"money": "cost", "tokens": "tokens"}[limit.wrap_up.amount.dimension]
    if bound.dimension == own:
        return amount
    if bound.dimension in AMOUNTS:
        whole = next(each.literal.value for each in limit.bounds if each.dimension == own)
        return -(-most * amount // whole)
    is_call = bound.dimension in ("steps", "model_calls", "attempts")
    if is_call or (bound.selector and bound.selector.point == "model"):
        return min(limit.wrap_up.calls, most)
    return 0


# -- what a call takes ----------------------------------------------------------------------------


def wants(run: Run, call: Call, target: str, amounts: dict[str, int]) -> list[tuple[Line, int]]:
    """How much an attempt on this model or tool takes of each account; the accounts it concerns only."""
    found = []
    is_model = call.point == "model"
    counts = {"attempts": 1, "retries": int(bool(call.made)), f"{call.point}_calls": 1}
    for line in run.every_line():
        dimension = line.bound.dimension
        if dimension in AMOUNTS and is_model:
            found.append((line, amounts[dimension]))
        elif dimension == "steps" and is_model:
            found.append((line, int(line not in call.stepped)))
        elif dimension == "calls of":
            found.append((line, int(takes(run, line.bound.selector, call.point, target))))
        elif dimension in counts:
            found.append((line, counts[dimension]))
    return found


def takes(run: Run, selector: tree.Selector, point: str, target: str) -> bool:
    """Whether calls of this model or tool are counted."""
    if selector.point != point:
        return False
    if selector.name is not None:
        return selector.name.text == target
    return selector.tool_class is None or run.tools[target].tool_class == selector.tool_class


def room(run: Run, line: Line, amount: int, relaxed: set) -> int:
    """How an amount fits, what is kept back for wrapping up left alone unless the limit is relaxed."""
    if line.limit.observed:
        return FITS
    if line.account is None:
        return FITS if amount == 0 else FULL
    kept = 0 if line.wrapping in relaxed else withheld(line.limit, line.bound)
    return line.account.room(amount, kept, run.at)


def in_the_way(run: Run, wanted: list[tuple[Line, int]], relaxed: set) -> tuple[list[Line], int]:
    """The accounts without room, and how bad it is."""
    rooms = [(line, room(run, line, amount, relaxed)) for line, amount in wanted]
    worst = max((each for _, each in rooms), default=FITS)
    return [line for line, each in rooms if each != FITS], worst


def overrun(run: Run, wanted: list[tuple[Line, int]]) -> list[tuple[Line, int]]:
    """The accounts of observed limits that amounts do not fit, with what is held or without."""
    found = []
    for line, amount in wanted:
        if not line.limit.observed or amount == 0:
            continue
        used = line.account.standing(run.at) if line.account else None
        left = line.bound.literal.value - used["spent"] - amount if used else -1
        if left < 0 or left < used["held"]:
            found.append((line, FULL if left < 0 else HELD))
    return found


def take(run: Run, attempt: Attempt, wanted: list[tuple[Line, int]]) -> None:
    """Hold what an attempt may use; what counts when it is attempted is spent at once."""
    for line, amount in wanted:
        if line.bound.dimension == "steps" and amount:
            attempt.steps.append(line)
            attempt.call.stepped.add(line)
        if line.account is None or (amount == 0 and line.bound.dimension not in AMOUNTS):
            continue
        window = line.account.take(amount, run.at)
        attempt.taken.append(Taken(line, amount, window))
        if basis(line) == "attempted":
            line.account.settle(window, amount, amount, run.at)


def basis(line: Line) -> str:
    """When a bound counts; an amount is not counted but used."""
    if line.bound.dimension in AMOUNTS:
        return "used"
    named = line.limit.basis is not None and line.bound.dimension not in ALWAYS_ATTEMPTED
    return line.limit.basis.text if named else "attempted"


def give_back(run: Run, attempt: Attempt, used: dict[str, int], is_sent: bool, error: str | None) -> None:
    """End what an attempt holds: amounts as used, counts by what the limit counts."""
    counts = {
        "attempted": is_sent,
        "executed": is_sent and error not in NOTHING_RAN,
        "succeeded": is_sent and (error is None or error in MAYBE_DONE),
    }
    attempt.call.stepped -= {line for line in attempt.steps if not counts[basis(line)]}
    for taken in attempt.taken:
        line, account = taken.line, taken.line.account
        kind = basis(line)
        if attempt.is_earlier and not line.is_own:
            # All that was held was spent when the run left.
            charge(run, taken, used[line.bound.dimension] - taken.amount if kind == "used" else 0)
        elif kind == "used":
            account.settle(taken.window, taken.amount, used[line.bound.dimension], run.at)
        elif kind == "attempted" and not is_sent:
            account.refund(taken.window, taken.amount)
        elif kind != "attempted":
            account.settle(taken.window, taken.amount, taken.amount * counts[kind], run.at)
    if not is_sent:
        for line in attempt.wrapped:
            line.owner.wrap_ups[line.limit.name.text] -= 1


def correct(run: Run, attempt: Attempt, used: dict[str, int]) -> None:
    """Move accounts by what an attempt used otherwise than it was charged."""
    for taken in attempt.taken:
        dimension, account = taken.line.bound.dimension, taken.line.account
        more = used[dimension] - attempt.used[dimension] if dimension in AMOUNTS else 0
        charge(run, taken, more)
        if more < 0 and (taken.line.is_own or not attempt.is_earlier):
            account.refund(taken.window, -more)


def charge(run: Run, taken: Taken, more: int) -> None:
    """So much more was spent than was held or charged."""
    if more > 0:
        taken.line.account.settle(taken.window, 0, more, run.at)


# -- wrapping up ----------------------------------------------------------------------------------


def wrapping(blocking: list[Line]) -> list[Line]:
    """One line for each limit in the way that has wrap-up calls left."""
    found = {}
    for line in blocking:
        used = line.owner.wrap_ups.get(line.limit.name.text, 0)
        if line.limit.wrap_up and used < line.limit.wrap_up.calls:
            found[line.wrapping] = line
    return list(found.values())


# -- readings -------------------------------------------------------------------------------------


def reading(run: Run, line: Line) -> dict[str, Any]:
    """How a bound stands."""
    row = {"name": line.limit.name.text, "dimension": measure(run, line.bound)}
    most = line.bound.literal.value
    if line.bound.dimension in TIMES:
        spent = run.spent(line.bound.dimension)
        row |= {"limit": most, "spent": spent, "held": 0, "free": most - spent}
    elif line.account is None:
        row |= {"limit": most, "spent": 0, "held": 0, "free": most}
    else:
        row |= line.account.standing(run.at)
        if line.limit.observed:
            row |= {"limit": most, "free": most - row["spent"] - row["held"]}
    soft = line.limit.failure is not None and line.limit.failure.text == "allow"
    window = line.account.period(run.at) if line.account else None
    return row | {"leased": 0, "window": window, "soft": soft}


def left(run: Run, dimension: str) -> int:
    """The least that is left of a dimension over the limits of this run."""
    enforced = [each for each in run.lines if not each.limit.observed]
    own = [each for each in enforced if each.bound.dimension == dimension and each.limit.scope.text == "run"]
    return max(0, min(reading(run, line)["free"] for line in own))


def shared(run: Run, scope: str, dimension: str, which: str) -> int | None:
    """The same of the limits of a wider scope; None if the run has no such id. There is no store here."""
    enforced = [each for each in run.lines if not each.limit.observed]
    lines = [
        each for each in enforced if each.bound.dimension == dimension and each.limit.scope.text == scope
    ]
    if any(line.account is None for line in lines):
        return None
    least = min((reading(run, line) for line in lines), key=lambda row: max(0, row["free"]))
    return 0 if which == "age" else max(0, least["free"]) if which == "left" else least[which]
