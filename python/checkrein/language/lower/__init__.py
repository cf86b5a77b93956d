"""Checked tree to plain tables: names become indices, conditions become postfix operations.

It expects a policy that `check` found no error in, and reports nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import CLOCK_PREFIX
from checkrein.language.lower.conditions import Conditions, declared_entry, key_of
from checkrein.language.lower.rows import zone_name
from checkrein.language.lower.tables import Tables
from checkrein.language.names import ENFORCED, Names
from checkrein.language.prices import snapshot_id, tariffs_of
from checkrein.language.tree import Calendar, Limit, WallClock
from checkrein.language.zones import UTC_NAME, zone

if TYPE_CHECKING:
    from checkrein.language.tree import Policy
    from checkrein.language.zones import Zone

__all__ = ["Tables", "lower"]


def lower(policy: Policy) -> Tables:
    """The tables of a checked policy."""
    names = Names(policy)
    currency = currency_of(policy)
    tariffs = {name: tariffs_of(model, currency) or () for name, model in names.models.items()}
    looked_up = any(model.price is None for model in names.models.values())
    tables = Tables(policy, names, currency, tariffs, snapshot_id() if looked_up else "")
    for name, fact in names.facts.items():
        tables.facts[key_of(name, fact.type)] = declared_entry(fact)
    enforced = [(ENFORCED.index(type(s)), s) for s in policy.statements if isinstance(s, ENFORCED)]
    tables.statements = sorted(enforced, key=lambda s: (s[1].name.text.encode(), s[0]))
    conditions = Conditions(tables)
    conditions.lower_all()
    conditions.lower_orders()
    conditions.lower_texts()
    if any(name.startswith(CLOCK_PREFIX) for name, *_ in tables.facts):
        tables.clock = clock_zone(policy)
    tables.zones = zones_of(policy, tables.clock)
    return tables


def clock_zone(policy: Policy) -> str:
    """The zone of the clock that facts are read from."""
    return next((clock.zone.text for clock in policy.of(WallClock)), UTC_NAME)


def zones_of(policy: Policy, clock: str | None) -> list[Zone]:
    """The zones that the windows of a policy name, and the one of its clock, ascending."""
    windows = (limit.window for limit in policy.of(Limit))
    used = {zone_name(window) for window in windows if isinstance(window, Calendar)}
    used |= {clock} if clock is not None else set()
    found = [zone(name) for name in sorted(used, key=lambda name: name.encode())]
    return [each for each in found if each is not None]
