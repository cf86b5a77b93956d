"""Whether a call may run: thresholds, votes and the reservation, in the language's order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkrein.language import tree

from . import context, deadlines, health, limits, observed, orders, progress
from .accounts import FITS, FULL
from .facts import explained, holds, seen_by, source_of, written
from .family import closed_by_call
from .state import AMOUNTS, TIMES, Ask, Attempt, Call, Line, Request, Vote
from .values import call_bytes, is_exact

if TYPE_CHECKING:
    from .run import Run

WAIT = 50_000_000
LONGEST_WAIT = 60_000_000_000
NO = tree.Outcome("deny", tree.Span(1, 1, 0, 0))


def advice(run: Run) -> list[tuple[str, str, str]]:
    """What thresholds that were crossed since the last decision have to say, each once."""
    found = []
    for limit in run.of["limit"]:
        lines = [line for line in run.lines if line.limit is limit and line.account]
        used = [filled(run, line) for line in lines]
        for place, threshold in enumerate(limit.thresholds):
            reached = any(amount * 10**6 >= threshold.percent.value * most for amount, most in used)
            if reached and (limit.name.text, place) not in run.given:
                run.given.add((limit.name.text, place))
                found.append((threshold.advice, threshold.text, limit.name.text))
    return found


def filled(run: Run, line: Line) -> tuple[int, int]:
    """How much of a bound is used, and how much there is before what is kept back."""
    row = limits.reading(run, line)
    return row["spent"] + row["held"], row["limit"] - limits.withheld(line.limit, line.bound)


def objections(run: Run, call: Call, advice: list, new: bool) -> dict | None:
    """What is decided about a logical call before any room is looked for; None if nothing objects."""
    ask, event = call.ask, f"{call.point} call"
    wanted = ask.tool if ask.point == "tool" else ask.model
    if wanted is not None and wanted not in (run.tools if ask.point == "tool" else run.models):
        call.state = "closed"
        return run.built_in(event, f"undeclared {ask.point}", call=call.number, advice=advice)
    named = ask.tool if ask.point == "tool" else call.last_model
    ask.attempt = 1 if named in call.failed else 1 + call.made.get(named, 0)
    votes = tool_votes(run, call, new) if ask.point == "tool" else model_votes(run, call)
    times = [*run.time_left(), *run.time_left(observed=True)]
    votes += limit_votes(run, [line for line, left in times if left <= 0], call)
    late = [(each, seen_by(each, ask)) for each in deadlines.over(run, call)]
    votes += [
        vote(run, each, each.otherwise, call, values=explained(run, each.when, seen), ask=seen)
        for each, seen in late
    ]
    votes = observed.enforced(run, votes)
    # A known result needs no call, so it matters to nobody whether one would pass.
    if ask.point == "tool" and not (votes and min(votes, key=Vote.rank).outcome == "reuse"):
        votes += broken([health.bars(run, "tool", ask.tool)])
    return run.conclude(event, call, votes, advice=advice) if votes else None


# -- votes ----------------------------------------------------------------------------------------


def tool_votes(run: Run, call: Call, new: bool) -> list[Vote | None]:
    """What rules, orders and loops say about a tool call."""
    rules = [rule for rule in run.of["rule"] if names_tool(run, rule.selector, call.ask.tool)]
    votes = [by_condition(run, rule, rule.outcome, call, call.ask) for rule in rules]
    votes += order_votes(run, call)
    if new:
        # What a loop found stays with the call: without this, asking again would pass it.
        call.loops = closed_by_call(run, call.ask.tool)
    return votes + [vote(run, loop, loop.otherwise, call) for loop in call.loops]


def order_votes(run: Run, call: Call) -> list[Vote | None]:
    """What orders say that are not kept, or of which that cannot be told."""
    votes = []
    for order in run.of["order"]:
        is_kept = not names_tool(run, order.after, call.ask.tool) or orders.kept(run, order, call, names_tool)
        if not is_kept:
            compared = orders.explained(run, order, call)
            votes.append(vote(run, order, order.otherwise, call, is_kept is None, compared))
    return votes


def broken(bars: list[list[tuple[tree.Breaker, int, int]]]) -> list[Vote]:
    """The denials of open breakers, with when the first of the calls may pass all of its own."""
    again = min((max(wait for _, wait, _ in each) for each in bars if each), default=None)
    sure = min((max(wait for _, _, wait in each) for each in bars if each), default=None)
    statements = {id(breaker): breaker for each in bars for breaker, _, _ in each}
    return [Vote(breaker, "deny", wait=again, sooner=sure != again) for breaker in statements.values()]


def model_votes(run: Run, call: Call, name: str | None = None) -> list[Vote | None]:
    """What rules say about a model call: those on any model, or those on the named candidate."""
    ask = replace(call.ask, model=name, attempt=1 + call.made.get(name, 0)) if name else call.ask
    on_models = [rule for rule in run.of["rule"] if rule.selector.point == "model"]
    rules = [rule for rule in on_models if (rule.selector.name.text if rule.selector.name else None) == name]
    votes = [by_condition(run, rule, rule.outcome, call, ask) for rule in rules]
    found = context.votes(run, call) if name is None else []
    votes += [vote(run, loop, loop.otherwise, call, is_unknown) for loop, is_unknown in found]
    for truth in run.of["truth"] if name is None else []:
        told = call.ask.results
        if told is None or not all(set(either) & set(run.family.given) for either in told):
            votes.append(vote(run, truth, truth.otherwise, call, told is None))
    requires = run.of["require"] if name is None else []
    undecided = [require for require in requires if holds(run, require.when, ask) is None]
    return votes + [by_condition(run, require, NO, call, ask) for require in undecided]


def by_condition(run: Run, statement: Any, outcome: tree.Outcome, call: Call, ask: Ask) -> Vote | None:
    """A vote for the outcome, if the statement's condition holds or cannot be decided."""
    held = holds(run, statement.when, ask)
    if held is False:
        return None
    return vote(run, statement, outcome, call, held is None, explained(run, statement.when, ask), ask)


def vote(run: Run, statement: Any, outcome: tree.Outcome, call: Call, undecided=False, values=(), ask=None):
    """An outcome as a vote; an escalation turns into what became of its request."""
    name = outcome.target.text if outcome.target else None
    cast = Vote(statement, outcome.kind, undecided, reason=outcome.reason, values=list(values))
    if outcome.kind == "reuse" and orders.fresh(run, call, names_tool) is None:
        cast.outcome = "deny"
        return None if isinstance(statement, tree.Rule) else cast
    if outcome.kind != "escalate":
        cast.state = name
        return answer(run, cast, outcome, ask or call.ask)
    binds = [each.text for each in run.queues[name].binds]
    cast.binding = bound(call, binds)
    request = run.requests.get((*cast.key, cast.binding))
    if (*cast.key, cast.binding) in call.approvals:
        return None
    if call.point == "tool" and has_large(call.ask.args):
        cast.outcome, cast.undecided = "deny", True
        return cast
    if request and is_approved(run, request):
        if outcome.wants == "approval":
            return None
        cast.outcome = "answer" if outcome.wants == "question" else "stop"
        cast.answered = request
        return cast
    cast.wants = outcome.wants
    if request and request.answer is True:
        request = None  # its approval is too old
    cast.queue, cast.request = name, request
    return answered(run, cast)


def bound(call: Call, names: list[str]) -> Any:
    """What an answer is for: the call's own binding, or only these of its arguments."""
    if not names or call.point == "model" or not is_exact(call.ask.args):
        return call.binding
    some = {name: call.ask.args[name] for name in names if name in call.ask.args}
    return "some", call_bytes(call.ask.tool, some)


def has_large(value: Any) -> bool:
    """Whether there is an integer that not every reader of JSON takes for the same number."""
    if isinstance(value, dict):
        return any(has_large(each) for each in (*value.keys(), *value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(has_large, value))
    return isinstance(value, int) and abs(value) >= 2**53


def is_approved(run: Run, request: Request) -> bool:
    """Whether a person said yes, and the call has come in time."""
    return request.answer is True and run.now <= request.expires


def answer(run: Run, cast: Vote, outcome: tree.Outcome, ask: Ask) -> Vote:
    """The vote with the text of its answer: a denial at a tool, and where the text cannot be told."""
    if not outcome.text:
        return cast
    said = written(run, outcome.text, ask)
    if said is None:
        return replace(cast, outcome="deny", undecided=True)
    cast.text, cast.template = said, source_of(outcome.text)
    if ask.point == "tool":
        cast.outcome, cast.reason = "deny", said
    return cast


def answered(run: Run, cast: Vote, helps: bool = True) -> Vote:
    """A vote to ask a person, turned by a rejection, by the end of the time to answer, or if it is no use."""
    request = cast.request
    if request and request.answer is False:
        cast.outcome, cast.reason = "deny", "a person said no"
    elif not helps or (request and run.now > request.expires):
        state = run.queues[cast.queue].default_stop
        cast.outcome, cast.state = ("stop", state.text) if state else ("deny", None)
    return cast


def limit_votes(run: Run, blocking: list[Line], call: Call, may_ask: bool = True) -> list[Vote]:
    """The `else` of every limit that is in the way."""
    named = dict.fromkeys(line.limit.name.text for line in blocking)
    return [
        limit_vote(run, [line for line in blocking if line.limit.name.text == name], call, may_ask)
        for name in named
    ]


def limit_vote(run: Run, blocking: list[Line], call: Call, may_ask: bool) -> Vote:
    """What a limit says whose bounds are in the way."""
    limit = blocking[0].limit
    outcome, is_missing = limit.otherwise, any(line.account is None for line in blocking)
    cast = Vote(limit, outcome.kind, is_missing, reason=outcome.reason)
    if outcome.kind != "escalate":
        cast.state = outcome.target.text if outcome.target else None
        return answer(run, cast, outcome, call.ask)
    if is_missing:
        cast.outcome = "deny"
        return cast
    cast.queue = outcome.target.text
    cast.request = run.requests.get((*cast.key, call.number))
    grants = run.queues[cast.queue].grants
    cast.accounts = [line.account for line in blocking]
    helps = may_ask and all(
        is_granted(line.bound, grants) and line.account.grants_left(grants.times, run.at) > 0
        for line in blocking
    )
    return answered(run, cast, helps)


def is_granted(bound: tree.Bound, grants: tree.Grants) -> bool:
    """Whether an approval raises this bound."""
    own = {"money": "cost", "tokens": "tokens"}.get(grants.amount.dimension)
    return bound.dimension == own if own else bound.dimension not in (*AMOUNTS, *TIMES)


def grant(run: Run, request: Request) -> None:
    """An approval of what a limit asked raises the accounts that were in the way, and is used up."""
    if request.accounts:
        grants = run.queues[request.queue].grants
        for account in request.accounts:
            account.grant(grants.amount.value, grants.times, run.at)
        run.requests = {key: each for key, each in run.requests.items() if each is not request}


def too_many_questions(run: Run, call: Call) -> list[Vote]:
    """The votes of limits on escalations that have no room for one more request."""
    lines = [line for line in run.every_line() if line.bound.dimension == "escalations"]
    blocking = [line for line in lines if limits.room(run, line, 1, set()) != FITS]
    if not blocking:
        observed.limits_of(run, call, [(line, 1) for line in lines])
    return limit_votes(run, blocking, call, may_ask=False)


def count_question(run: Run) -> None:
    """A new request counts at once."""
    run.total({"escalations": 1})
    for line in run.every_line():
        # The limit that a run has no id for is only observed, or nothing would have been asked.
        if line.bound.dimension == "escalations" and line.account:
            line.account.settle(line.account.take(1, run.at), 1, 1, run.at)


def names_tool(run: Run, selector: tree.Selector, tool: str) -> bool:
    """Whether a selector matches a declared tool."""
    if selector.point != "tool" or selector.name is not None:
        return selector.point == "tool" and selector.name.text == tool
    return selector.tool_class in (None, run.tools[tool].tool_class)


# -- rooms ----------------------------------------------------------------------------------------


def may_wait(run: Run, call: Call) -> bool:
    """Whether the call may wait once more for what others hold."""
    since = run.now if call.waiting is None else call.waiting
    return run.now - since + WAIT <= LONGEST_WAIT and run.fits_time(WAIT)


def wait(run: Run, call: Call, **fields: Any) -> dict:
    """Ask again later: only holds are in the way."""
    call.waiting = run.now if call.waiting is None else call.waiting
    return run.built_in(f"{call.point} call", "holds", "wait", wait_ns=WAIT, call=call.number, **fields)


def attempts_of(call: Call) -> dict[str, int]:
    return {"attempts": 1, "retries": int(bool(call.made))}


def admit_tool(run: Run, call: Call, advice: list) -> dict:
    """Charge one tool call, if every limit has room for it."""
    wants = limits.wants(run, call, call.ask.tool, {})
    blocking, worst_room = limits.in_the_way(run, wants, set())
    if blocking and worst_room < FULL and may_wait(run, call):
        return wait(run, call, advice=advice)
    if blocking:
        return run.conclude("tool call", call, limit_votes(run, blocking, call), advice=advice)
    observed.tool(run, call, wants)
    charged = {"tool_calls": 1} | attempts_of(call)
    attempt = Attempt(call, call.ask.tool, dict.fromkeys(AMOUNTS, 0), charged, run.at)
    limits.take(run, attempt, wants)
    return open_attempt(run, attempt, run.tools[call.ask.tool].timeout, advice=advice)


def open_attempt(run: Run, attempt: Attempt, timeout: int | None, **fields) -> dict:
    """Allow: what is charged at once is charged, and approvals of this binding are used up."""
    call = attempt.call
    run.total(attempt.charged, attempt.held)
    fields |= {f"reserved_{each}": attempt.held[each] for each in ("tokens", "cost")}
    for kind, name, binding in [key for key, request in run.requests.items() if is_approved(run, request)]:
        narrow = [bound(call, [each.text for each in queue.binds]) for queue in run.queues.values()]
        if binding in (call.binding, *narrow) and (kind, name, binding) not in call.approvals:
            call.approvals.add((kind, name, binding))
            del run.requests[kind, name, binding]
    call.state, call.waiting = "in flight", None
    progress.goes_on(run, call)
    context.sends(run, call)
    call.begun = call.begun if call.made else run.now
    call.made[attempt.target] = attempt.number = call.made.get(attempt.target, 0) + 1
    number = len(run.attempts) + 1
    run.attempts[number] = attempt
    if call.point == "tool":
        run.family.begin(run.number, number, attempt.target)
    health.begins(run, attempt)
    times = [left for _, left in [*run.time_left(), *deadlines.time_left(run, attempt)]]
    fields["timeout_ns"] = min([*times, *([] if timeout is None else [timeout])], default=None)
    fields |= {"call": call.number, "attempt": number, "attempt_number": attempt.number}
    return run.decide(f"{call.point} call", "allow", **fields)
