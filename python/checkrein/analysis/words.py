"""A worst case as text for people and as plain values: every figure with the limits that it comes from."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from checkrein.amounts import amount, money
from checkrein.language.check.vocabulary import currency_of
from checkrein.language.prices import snapshot_id
from checkrein.language.tree import Model, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from checkrein.analysis.bound import Bounds, Figure, Step, Term
    from checkrein.analysis.courses import Course
    from checkrein.analysis.rows import Held, Loose
    from checkrein.language.tree import Policy, Retry

TOKENS = frozenset({"tokens", "input_tokens", "output_tokens"})
MILLION = 1_000_000


def as_text(bounds: Bounds) -> str:
    """The whole answer of `checkrein bound`, without findings."""
    policy, currency = bounds.policy, currency_of(bounds.policy)
    rows = [_figure_row(bounds, figure, currency) for figure in bounds.figures]
    rows.append(_time_row(bounds))
    parts = [_head(policy), "", "worst case of a run, with the runs that it starts", *_table(rows)]
    if bounds.steps:
        parts += ["", "worst case of one step, whatever the limits say"]
        parts += _table([_step_row(step, currency) for step in bounds.steps])
    if bounds.tools:
        parts += ["", "attempts of one tool call, whatever the limits say", *_table(_tool_rows(bounds.tools))]
    parts += ["", "operations of conditions in one decision, at most", *_table(_operation_rows(bounds))]
    if bounds.loose:
        parts += ["", "what bounds no run"]
        parts += [f"  {_where(policy, each)}: {each.why}" for each in bounds.loose]
    return "\n".join(parts)


def as_values(bounds: Bounds) -> dict[str, Any]:
    """The same for programs. Money and times are in billionths; what is null has no bound."""
    policy = bounds.policy
    return {
        "file": policy.file,
        "policy": policy.name.text,
        "currency": currency_of(policy),
        "prices": _snapshot(policy),
        "run": {figure.measure: _figure_values(policy, figure) for figure in bounds.figures}
        | {"active_time": _time_values(policy, bounds.time)},
        "step": {step.measure: _step_values(step) for step in bounds.steps},
        "tools": {course.name: _course_values(course) for course in bounds.tools},
        "operations": asdict(bounds.operations),
        "loose": [{**_bound_values(policy, each), "why": each.why} for each in bounds.loose],
    }


# -- text ------------------------------------------------------------------------------------------


def _head(policy: Policy) -> str:
    snapshot = _snapshot(policy)
    prices = f"prices of the snapshot {snapshot}" if snapshot else "prices as the file gives them"
    return f"policy `{policy.name.text}` ({policy.file}), {prices}"


def _figure_row(bounds: Bounds, figure: Figure, currency: str) -> tuple[str, str, list[str]]:
    word = figure.measure.replace("_", " ")
    if figure.most is None:
        return word, "no bound", []
    said = [_term(bounds.policy, term, figure.measure, currency) for term in figure.terms]
    if len(figure.terms) == 1 and figure.is_alone:
        without = "no bound" if figure.without is None else amount(figure.measure, figure.without, currency)
        said[0] += f"; without it {without}"
    return word, amount(figure.measure, figure.most, currency), said


def _term(policy: Policy, term: Term, measure: str, currency: str) -> str:
    return f"{_where(policy, term.held)}{_more(term.held, currency)}{_each(term, measure, currency)}"


def _where(policy: Policy, each: Held | Loose) -> str:
    bound = policy.source[each.bound.span.start : each.bound.span.end]
    place = each.bound.span
    where = f"{place.file.name}:{place.line}" if place.file.name else f"line {place.line}"
    return f"limit `{each.limit.name.text}` ({where}), `{' '.join(bound.split())}`"


def _more(held: Held, currency: str) -> str:
    raised = amount(held.bound.dimension, held.raised, currency)
    words = f", raised by people by {raised} at most" if held.raised else ""
    return words + (f", in each of {held.windows:,} windows" if held.windows > 1 else "")


def _each(term: Term, measure: str, currency: str) -> str:
    """What one unit of the bound brings: a whole number, else rounded up."""
    dimension = term.held.bound.dimension
    if term.each == 1 and (measure == dimension or "cost" not in (measure, dimension)):
        return ""
    if dimension == "cost":
        return f", at {_price(1 / term.each, currency)}"
    if measure == "cost" and dimension in TOKENS:
        return f", at {_price(term.each, currency)}"
    return f", {amount(measure, -int(-term.each // 1), currency)} for each"


def _price(of_a_token: Fraction, currency: str) -> str:
    return f"{money(-int(-of_a_token * MILLION // 1), currency)} per 1M tokens"


def _time_row(bounds: Bounds) -> tuple[str, str, list[str]]:
    if bounds.time is None:
        return "active time", "no bound", []
    most = amount("active_time", bounds.time.most)
    return "active time", most, [f"{_where(bounds.policy, bounds.time)}: no call begins later"]


def _step_row(step: Step, currency: str) -> tuple[str, str, list[str]]:
    said = []
    for course, corner, times in step.attempts:
        tokens = f": {corner.input:,} tokens in, {corner.output:,} out"
        words = f"{times} of `{course.name}`{tokens if step.measure != 'model_calls' else ''}"
        said.append(words + (_because(course) if step.measure == "model_calls" else ""))
    return step.measure.replace("_", " "), amount(step.measure, step.most, currency), said


def _tool_rows(tools: Iterable[Course]) -> list[tuple[str, str, list[str]]]:
    return [(f"`{tool.name}`", str(tool.attempts), [_because(tool).strip(" ()")]) for tool in tools]


def _operation_rows(bounds: Bounds) -> list[tuple[str, str, list[str]]]:
    """Calls, errors and results of models; of tools the one that takes most."""
    rows = []
    for field, found in asdict(bounds.operations).items():
        most = max(found.values(), default=0) if isinstance(found, dict) else found
        names = [name for name, each in found.items() if each == most] if isinstance(found, dict) else []
        if most or field.endswith("call"):
            rows.append((field.replace("_", " "), f"{most:,}", [f"`{names[0]}`"] if names and most else []))
    return rows


def _because(course: Course) -> str:
    said = ", ".join(f"{_kind(each)} `{each.name.text}`" for each in course.because)
    return f" ({said})" if said else ""


def _kind(statement: Retry | Route) -> str:
    return "route" if isinstance(statement, Route) else "retry"


def _table(rows: list[tuple[str, str, list[str]]]) -> list[str]:
    """Words, figures flush right, and what they come from, one line each."""
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = []
    for word, figure, said in rows:
        for place, words in enumerate(said or [""]):
            cells = (word, figure) if place == 0 else ("", "")
            sign = "+ " if place else ""
            lines.append(f"  {cells[0]:{first}}  {cells[1]:>{second}}  {sign}{words}".rstrip())
    return lines


# -- values ----------------------------------------------------------------------------------------


def _snapshot(policy: Policy) -> str | None:
    return snapshot_id() if any(model.price is None for model in policy.of(Model)) else None


def _figure_values(policy: Policy, figure: Figure) -> dict[str, Any]:
    terms = [{**_held_values(policy, term.held), "each": str(term.each)} for term in figure.terms]
    is_alone = figure.most is not None and len(figure.terms) == 1
    return {"most": figure.most, "terms": terms} | ({"without": figure.without} if is_alone else {})


def _bound_values(policy: Policy, each: Held | Loose) -> dict[str, Any]:
    bound = policy.source[each.bound.span.start : each.bound.span.end]
    place = {"file": policy.file_of(each.bound.span), "line": each.bound.span.line}
    return {"limit": each.limit.name.text, **place, "bound": " ".join(bound.split())}


def _held_values(policy: Policy, held: Held) -> dict[str, Any]:
    return {
        **_bound_values(policy, held),
        "most": held.most,
        "raised": held.raised,
        "windows": held.windows,
    }


def _time_values(policy: Policy, time: Held | None) -> dict[str, Any]:
    if time is None:
        return {"most": None, "terms": []}
    return {"most": time.most, "terms": [{**_held_values(policy, time), "each": "1"}]}


def _step_values(step: Step) -> dict[str, Any]:
    attempts = [
        {"model": course.name, "times": times, "input": corner.input, "output": corner.output}
        for course, corner, times in step.attempts
    ]
    return {"most": step.most, "attempts": attempts}


def _course_values(course: Course) -> dict[str, Any]:
    because = [
        {"kind": _kind(each), "name": each.name.text, "line": each.span.line} for each in course.because
    ]
    return {"attempts": course.attempts, "because": because}
