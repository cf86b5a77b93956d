"""The conditions of a policy, each with the place where it stands, and how they are searched together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.diagnostics import quote
from checkrein.frozen import Frozen
from checkrein.language.facts import CASCADE, Context, context_of, result_of
from checkrein.language.meaning.cells import domain_of
from checkrein.language.meaning.search import Search, expanded, leaves_of
from checkrein.language.tree import Require, Retry, Route, Rule, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.meaning.cells import Domain
    from checkrein.language.meaning.search import Budget
    from checkrein.language.names import Names
    from checkrein.language.tree import Condition, Selector


class Place(Frozen):
    """One condition, as it is written; `model` is the one that its statement is about, if it names one."""

    owner: str
    """How a message calls whose condition it is."""
    written: Condition
    condition: Condition
    """The same with its defines written out."""
    context: Context
    model: str | None = None
    is_retry: bool = False


def place_of(
    names: Names, owner: str, written: Condition, context: Context, selector: Selector | None = None
) -> Place:
    """A condition in its place."""
    is_named = selector is not None and selector.point == "model" and selector.name is not None
    model = selector.name.text if is_named and selector is not None and selector.name is not None else None
    return Place(owner, written, expanded(written, names.defines), context, model, context.error)


def places_of(names: Names) -> Iterator[Place]:
    """Every condition of a sound policy, in source order."""
    route = Context("model", "a route")
    for statement in names.policy.statements:
        match statement:
            case Rule(name, selector, when) if when is not None:
                context = context_of(names, selector, "rule")
                yield place_of(names, f"rule {quote(name.text)}", when, context, selector)
            case Retry(name, selector, when) if when is not None:
                context = context_of(names, selector, "retry", error=True)
                yield place_of(names, f"retry {quote(name.text)}", when, context, selector)
            case Require(name, _, when) if when is not None:
                context = Context("model", "a requirement")
                yield place_of(names, f"requirement {quote(name.text)}", when, context)
            case Route():
                for arm in statement.arms:
                    owner = f"the arm to {quote(arm.model.text)}"
                    if arm.when is not None:
                        yield place_of(names, owner, arm.when, route)
                    if arm.then is not None:
                        yield place_of(names, owner, arm.then.when, CASCADE)
            case Tool(name) if statement.succeeds is not None:
                yield place_of(names, f"tool {quote(name.text)}", statement.succeeds, result_of(statement))
            case _:
                pass


def domains(names: Names, *places: Place) -> dict[str, Domain]:
    """What each fact can be that these conditions read, of one call; the first place that knows it tells."""
    found: dict[str, Domain] = {}
    for place in places:
        for leaf in leaves_of(place.condition):
            name = leaf.fact.text
            if name in found:
                continue
            known = (domain_of(names, name, each.context, each.model) for each in places)
            found[name] = next(domain for domain in known if domain is not None)
    return found


def search(names: Names, budget: Budget, *places: Place) -> Search:
    """A search over the conditions of these places, of one call."""
    return Search([place.condition for place in places], domains(names, *places), budget)
