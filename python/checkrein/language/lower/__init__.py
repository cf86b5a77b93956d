"""Checked tree to plain tables: names become indices, conditions become postfix operations.

It expects a policy that `check` found no error in, and reports nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkrein.language.check.vocabulary import currency_of
from checkrein.language.facts import CLOCK_PREFIX
from checkrein.language.lower.conditions import Conditions, declared_entry, key_of
from checkrein.language.lower.tables import Tables
from checkrein.language.names import ENFORCED, Names
from checkrein.language.prices import snapshot_id, tariffs_of
from checkrein.language.zones import clock_zone, zones_of

if TYPE_CHECKING:
    from checkrein.language.tree import Policy

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
