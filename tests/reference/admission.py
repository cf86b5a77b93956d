"""Whether a call may run: thresholds, votes, candidates and the reservation, in the language's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language import tree

from .facts import explained, holds
from .state import CLASSES, Ask, Attempt, Call, Vote, worst_case

if TYPE_CHECKING:
    from .run import Run

WAIT = 50_000_000
LONGEST_WAIT = 60_000_000_000
NO = tree.Outcome("deny", tree.Span(1, 1, 0, 0))


def advice(run: Run) -> list[tuple[str, str, str]]:
    """What thresholds that were crossed since the last decision have to say, each once."""
    found = []
    for limit in run.statements[tree.Limit]:
        for place, threshold in enumerate(limit.thresholds):
            if (limit.name.text, place) in run.given:
                continue
            if any(reached(run, bound, threshold.percent.value) for bound in limit.bounds):
                run.given.add((limit.name.text, place))
                found.append((threshold.advice, threshold.text, limit.name.text))
    return found


def reached(run: Run, bound: tree.Bound, ppm: int) -> bool:
    """Whether that share of a bound is spent or held."""
    if bound.dimension == "active_time":
        used = run.elapsed()
    else:
        used = run.ledger.spent[bound.dimension] + run.ledger.held[bound.dimension]
    return used * 10**6 >= ppm * bound.literal.value


def admit(run: Run, call: Call, advice: list, new: bool) -> dict:
    """Decide a logical call that may be asked now."""
    ask = call.ask
    event = f"{ask.point} call"
    known = run.tools if ask.point == "tool" else run.models
    wanted = ask.tool if ask.point == "tool" else ask.model
    if wanted not in known and not (ask.point == "model" and wanted is None):
        call.state = "closed"
        return run.refuse(event, f"undeclared {ask.point}", call=call.number, advice=advice)
    named = ask.tool if ask.point == "tool" else call.last_model
    ask.attempt = 1 if named in call.failed else 1 + call.made.get(named, 0)
    votes = first_votes(run, call, new)
    if votes:
        return run.conclude(event, call, votes, advice=advice)
    if ask.point == "tool":
        return admit_tool(run, call, advice)
    return admit_model(run, call, advice)


# -- votes ----------------------------------------------------------------------------------------


def first_votes(run: Run, call: Call, new: bool) -> list[Vote]:
    """Everything that is said before a model is chosen or a reservation tried."""
    ask = call.ask
    votes = []
    for rule in run.statements[tree.Rule]:
        if selects(run, rule.selector, ask) and rule.selector.point == ask.point:
            if ask.point == "tool" or rule.selector.name is None:
                votes.append(by_condition(run, rule, rule.outcome, call, ask))
    if ask.point == "tool":
        for order in run.statements[tree.Order]:
            if selects(run, order.after, ask) and not preceded(run, order, call):
                votes.append(vote(run, order, order.otherwise, call))
        if new:
            stuck = [loop for loop in run.statements[tree.Loop] if is_stuck(run, loop)]
            votes += [vote(run, loop, loop.otherwise, call) for loop in stuck]
            # The question of a loop stays with the call: without this, asking again would pass it.
            call.loops = [loop for loop in stuck if loop.otherwise.kind == "escalate"]
        else:
            votes += [vote(run, loop, loop.otherwise, call) for loop in call.loops]
    for limit in run.statements[tree.Limit]:
        bounds = [each.literal.value for each in limit.bounds if each.dimension == "active_time"]
        if any(run.elapsed() >= most for most in bounds):
            votes.append(vote(run, limit, limit.otherwise, call))
    if ask.point == "model":
        for require in run.statements[tree.Require]:
            if holds(run, require.when, ask) is None:
                values = explained(run, require.when, ask)
                votes.append(vote(run, require, NO, call, undecided=True, values=values))
    return [each for each in votes if each is not None]


def by_condition(run: Run, rule: tree.Rule, outcome: tree.Outcome, call: Call, ask: Ask) -> Vote | None:
    """A rule's vote: its outcome if its condition holds or cannot be decided."""
    held = holds(run, rule.when, ask)
    if held is False:
        return None
    values = explained(run, rule.when, ask)
    return vote(run, rule, outcome, call, undecided=held is None, values=values)


def vote(run: Run, statement, outcome: tree.Outcome, call: Call, undecided=False, values=()) -> Vote | None:
    """An outcome as a vote; an escalation turns into what became of its request."""
    kind = CLASSES[type(statement)]
    name = outcome.target.text if outcome.target else None
    cast = Vote(kind, statement, outcome.kind, undecided, reason=outcome.reason, values=list(values))
    if outcome.kind in ("stop", "fail"):
        cast.state = name
    if outcome.kind != "escalate":
        return cast
    key = (kind, statement.name.text)
    if key in call.approvals:
        return None
    cast.queue = name
    request = run.requests.get((*key, call.binding))
    if request is None:
        return cast
    if request.answer is True:
        return None
    if request.answer is False:
        cast.outcome, cast.reason = "deny", "a person said no"
    elif run.now > request.expires:
        stop = run.queues[name].default_stop
        cast.outcome = "stop" if stop else "deny"
        cast.state = stop.text if stop else None
    else:
        cast.request = request
    return cast


def selects(run: Run, selector: tree.Selector, ask: Ask) -> bool:
    """Whether a selector matches the tool of an ask; for models only the point is looked at."""
    if selector.point != ask.point or ask.point == "model":
        return selector.point == ask.point
    return names_tool(run, selector, ask.tool)


def names_tool(run: Run, selector: tree.Selector, tool: str) -> bool:
    """Whether a tool selector matches a declared tool."""
    if selector.name is not None:
        return selector.name.text == tool
    return selector.tool_class is None or run.tools[tool].tool_class == selector.tool_class


def preceded(run: Run, order: tree.Order, call: Call) -> bool:
    """Whether a success was recorded before the model call that proposed this tool call."""
    before = call.last_step_clock
    return any(
        names_tool(run, order.before, tool) and (before is None or clock < before)
        for tool, clock in run.successes
    )


def is_stuck(run: Run, loop: tree.Loop) -> bool:
    """Whether the newest tool call makes a loop with those before it."""
    ring = run.ring
    if loop.same_call:
        count, steps = loop.same_call
        alike = [step for mark, step in ring if mark == ring[-1][0] and step > run.step_index - steps]
        if len(alike) >= count:
            return True
    if loop.cycle:
        longest, times = loop.cycle
        marks = [mark for mark, _ in ring]
        for period in range(1, longest + 1):
            tail = marks[-period * times :]
            if len(tail) == period * times and tail == tail[:period] * times:
                return True
    return False


# -- models ---------------------------------------------------------------------------------------


def candidates(run: Run, call: Call) -> tuple[list[str], list[str]]:
    """The models to try, in order, and the arms passed over because they could not be decided."""
    ask = call.ask
    found, skipped, edges = [], [], []
    for route in run.routes:
        truths = [(arm.model.text, holds(run, arm.when, ask)) for arm in route.arms]
        found = [model for model, held in truths if held]
        skipped = [model for model, held in truths if held is None]
        edges = [(before.text, after.text) for before, after in route.fallbacks]
    if not found and ask.model is not None:
        found = [ask.model]
    found = list(dict.fromkeys(found))
    for model in found:  # The list grows while it is walked: that is breadth first.
        found += [after for before, after in edges if before == model and after not in found]
    return [model for model in found if model not in call.failed], skipped


def admit_model(run: Run, call: Call, advice: list) -> dict:
    """Find the first candidate that may run and fits, with the most output that fits."""
    ask = call.ask
    names, skipped = candidates(run, call)
    extra = {"advice": advice, "skipped": skipped}
    if not names:
        call.state = "closed"
        return run.refuse("model call", "no candidate", call=call.number, **extra)
    required = [each for each in run.statements[tree.Require] if holds(run, each.when, ask)]
    filtered: dict[str, tree.Require] = {}
    blocked: dict[str, tree.Limit] = {}
    only_holds = False
    for name in names:
        model = run.models[name]
        misplaced = [each for each in required if each.place != model.place]
        filtered |= {each.name.text: each for each in misplaced}
        if misplaced or ask.input_tokens + model.least_output > model.window:
            continue
        votes = votes_on_model(run, call, name)
        if votes:
            return run.conclude("model call", call, votes, **extra)
        asked = model.output if ask.max_output is None else ask.max_output
        cap = min(asked, model.output, model.window - ask.input_tokens)
        least = min(model.least_output, cap)
        output = most_output(run, call, model, least, cap)
        if output is not None:
            call.candidates = names
            return allow_model(run, call, model, output, extra)
        amounts = amounts_of(call, model, least)
        blocked |= {each.name.text: each for each in run.ledger.blockers(amounts)}
        only_holds |= not run.ledger.blockers(amounts, with_held=False)
    if blocked:
        if only_holds and run.now - call.first_asked + WAIT <= LONGEST_WAIT and run.fits_time(WAIT):
            fields = {"by": "holds", "kind": "built-in", "wait_ns": WAIT, "call": call.number}
            return run.decide("model call", "wait", **fields, **extra)
        votes = [vote(run, limit, limit.otherwise, call) for limit in blocked.values()]
        return run.conclude("model call", call, votes, **extra)
    if filtered:
        votes = [
            vote(run, each, NO, call, values=explained(run, each.when, ask)) for each in filtered.values()
        ]
        return run.conclude("model call", call, votes, **extra)
    call.state = "closed"
    return run.refuse("model call", "no usable model", call=call.number, **extra)


def votes_on_model(run: Run, call: Call, name: str) -> list[Vote]:
    """The votes of the rules on one named model."""
    ask = Ask(**{**vars(call.ask), "model": name, "attempt": 1 + call.made.get(name, 0)})
    rules = [
        rule
        for rule in run.statements[tree.Rule]
        if rule.selector.point == "model" and rule.selector.name and rule.selector.name.text == name
    ]
    votes = [by_condition(run, rule, rule.outcome, call, ask) for rule in rules]
    return [each for each in votes if each is not None]


def amounts_of(call: Call, model: tree.Model, output: int) -> dict[str, int]:
    """What a call may use at most with so many tokens out."""
    used_in = call.ask.input_tokens
    return {
        "cost": worst_case(model, used_in, output),
        "tokens": used_in + output,
        "steps": 0 if call.step_charged else 1,
        "model_calls": 1,
    }


def most_output(run: Run, call: Call, model: tree.Model, least: int, cap: int) -> int | None:
    """The largest output between `least` and `cap` that no limit refuses: more never fits better."""
    if run.ledger.blockers(amounts_of(call, model, least)):
        return None
    low, high = least, cap
    while low < high:
        middle = (low + high + 1) // 2
        if run.ledger.blockers(amounts_of(call, model, middle)):
            high = middle - 1
        else:
            low = middle
    return low


def allow_model(run: Run, call: Call, model: tree.Model, output: int, extra: dict) -> dict:
    """Reserve the worst case and open an attempt."""
    amounts = amounts_of(call, model, output)
    name = model.name.text
    call.last_model = name
    call.step_charged = True
    attempt = Attempt(call, name, 0, tokens=amounts["tokens"], cost=amounts["cost"], cap=output)
    attempt.charged = {each: amounts[each] for each in ("steps", "model_calls")}
    run.ledger.held["tokens"] += attempt.tokens
    run.ledger.held["cost"] += attempt.cost
    reserved = {"reserved_tokens": attempt.tokens, "reserved_cost": attempt.cost}
    fields = {"model": name, "output_cap": output, "timeout_ns": time_left(run)}
    return open_attempt(run, call, attempt, **fields, **reserved, **extra)


def admit_tool(run: Run, call: Call, advice: list) -> dict:
    """Charge one tool call, if every limit has room for it."""
    amounts = {"tool_calls": 1}
    blocking = run.ledger.blockers(amounts)
    if blocking:
        votes = [vote(run, limit, limit.otherwise, call) for limit in blocking]
        return run.conclude("tool call", call, votes, advice=advice)
    times = [time_left(run), run.tools[call.ask.tool].timeout]
    timeout = min((each for each in times if each is not None), default=None)
    attempt = Attempt(call, call.ask.tool, 0, charged=amounts)
    return open_attempt(run, call, attempt, timeout_ns=timeout, advice=advice)


def time_left(run: Run) -> int | None:
    """The active time left under the tightest limit, if any bounds it."""
    return min((most - run.elapsed() for most in run.ledger.bounds_on("active_time")), default=None)


def open_attempt(run: Run, call: Call, attempt: Attempt, **fields) -> dict:
    """Allow: what is charged at once is charged, and approvals of this binding are used up."""
    for dimension, amount in attempt.charged.items():
        run.ledger.spent[dimension] += amount
    for key, request in list(run.requests.items()):
        if key[2] == call.binding and request.answer is True:
            call.approvals.add(key[:2])
            del run.requests[key]
    call.state = "in flight"
    call.made[attempt.target] = attempt.number = call.made.get(attempt.target, 0) + 1
    number = len(run.attempts) + 1
    run.attempts[number] = attempt
    fields |= {"call": call.number, "attempt": number, "attempt_number": attempt.number}
    return run.decide(f"{call.point} call", "allow", **fields)
