"""Which models meet a requirement, and what an outcome lets pass after all."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from checkrein.language.tree import NamesNeed, TierNeed

if TYPE_CHECKING:
    from checkrein.language.tree import Model, Outcome, Require

COMPARED = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def meets(model: Model, require: Require) -> bool:
    """Whether a model is what a requirement wants; one without a tier or a region meets none of these."""
    match require.need:
        case TierNeed(sign, tier):
            return bool(model.tier and COMPARED[sign](model.tier, tier))
        case NamesNeed("model", wanted):
            return model.name.text in {each.text for each in wanted}
        case NamesNeed(_, wanted):
            return model.region is not None and model.region.text in {each.text for each in wanted}
        case place:
            return model.place == place


def may_pass(outcome: Outcome) -> bool:
    """Whether a call may go on although a statement votes so: a person approves, or nothing is known."""
    return outcome.kind == "reuse" or (outcome.kind == "escalate" and outcome.wants == "approval")
