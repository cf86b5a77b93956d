"""What statements say, apart from where it stands; and which parts of them are not known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkrein.frozen import Frozen, fields
from checkrein.language import tree
from checkrein.language.meaning.cells import truth
from checkrein.language.meaning.search import leaves_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from checkrein.language.tree import Condition

_KNOWN: dict[type, str] = {
    tree.Name: "text",
    tree.Literal: "dimension value currency",
    tree.Elements: "literals",
    tree.Type: "dimension choices unit most",
    tree.Compare: "fact operator literal",
    tree.Member: "fact literals",
    tree.Has: "fact",
    tree.Affix: "fact end literal",
    tree.Quantified: "quantifier element",
    tree.Defined: "name",
    tree.Not: "operand",
    tree.And: "operands",
    tree.Or: "operands",
    tree.Selector: "point name tool_class",
    tree.Outcome: "kind target reason text wants",
    tree.Price: "input output cache_read cache_write reasoning",
    tree.Model: "name target tier place window output least_output price currency region",
    tree.Arg: "name type optional",
    tree.Tool: "name tool_class once may_repeat timeout args results succeeds",
    tree.Grants: "amount times",
    tree.Queue: "name expires default_stop grants binds",
    tree.State: "name tell_agent tell_user",
    tree.Fact: "name type optional default",
    tree.Define: "name condition",
    tree.Store: "",
    tree.WallClock: "zone",
    tree.Calendar: "period zone",
    tree.Rolling: "duration",
    tree.Bound: "dimension literal selector",
    tree.Threshold: "percent advice text",
    tree.WrapUp: "calls amount",
    tree.Limit: "name scope window bounds thresholds basis failure wrap_up otherwise",
    tree.Share: "most window least",
    tree.Retry: "name selector when attempts within backoff share otherwise",
    tree.Opens: "failures calls window",
    tree.Probes: "count after",
    tree.Breaker: "name selector opens probes",
    tree.TierNeed: "operator tier",
    tree.NamesNeed: "kind names",
    tree.Require: "name need when",
    tree.Then: "model when",
    tree.Arm: "model when then",
    tree.Canary: "percent fact model",
    tree.Route: "name arms fallbacks canaries",
    tree.Order: "name before after matching again_after otherwise",
    tree.Truth: "name otherwise",
    tree.Loop: "name ignoring same_call same_error cycle no_progress repeated_context otherwise built_in",
    tree.Rule: "name selector when outcome",
}
"""The parts of the tree that are compared, each with its fields; spans are left out everywhere."""
_DECIDES_NOTHING = (tree.CostClaim, tree.OrderClaim, tree.Test, tree.LoopOff)
_LEAVES = (tree.Compare, tree.Member, tree.Has, tree.Affix, tree.Quantified)


def shape(node: Any, *without: str) -> Any:
    """All that a part of the tree says, as plain values that are equal where it says the same.

    Fields in `without` are left out of the part itself, not of those below it.
    """
    if isinstance(node, tree.Name):
        return node.text
    if isinstance(node, Frozen):
        names = [name for name in fields(node) if name not in ("span", *without)]
        return (type(node).__name__, *(shape(getattr(node, name)) for name in names))
    if isinstance(node, tuple):
        return tuple(shape(each) for each in node)
    return node


def strange(node: Any) -> Iterator[str]:
    """What of a part of the tree is not known here, in words: it may mean anything."""
    if isinstance(node, tuple):
        for each in node:
            yield from strange(each)
    elif isinstance(node, _DECIDES_NOTHING) or not isinstance(node, Frozen):
        return
    elif type(node) not in _KNOWN:
        yield type(node).__name__.lower()
    else:
        known = _KNOWN[type(node)].split()
        for name in fields(node):
            value = getattr(node, name)
            if name in known:
                yield from strange(value)
            elif name != "span" and value not in (None, (), False):
                yield name.replace("_", " ")


def strange_leaves(condition: Condition) -> Iterator[str]:
    """The kinds of comparisons in an expanded condition that are not known here."""
    for leaf in leaves_of(condition):
        if type(leaf) not in _LEAVES:
            yield type(leaf).__name__.lower()


def seen(condition: Condition, defaults: dict[str, tree.Value]) -> Condition:
    """An expanded condition about what the host sends, with the defaults of facts written out.

    Where a fact is missing its comparison then says what it says of the default.
    """
    match condition:
        case tree.Not(operand, span):
            return tree.Not(seen(operand, defaults), span)
        case tree.And(operands, span):
            return tree.And(tuple(seen(each, defaults) for each in operands), span)
        case tree.Or(operands, span):
            return tree.Or(tuple(seen(each, defaults) for each in operands), span)
    return _leaf_seen(condition, defaults)


def _leaf_seen(leaf: Condition, defaults: dict[str, tree.Value]) -> Condition:
    if not isinstance(leaf, _LEAVES) or leaf.fact.text not in defaults:
        return leaf

    is_there = tree.Has(leaf.fact, leaf.span)
    default = defaults[leaf.fact.text]
    # The only default of a list is the empty one.
    if truth(leaf, () if isinstance(default, tree.Elements) else default.value):
        return tree.Or((tree.Not(is_there, leaf.span), leaf), leaf.span)
    return tree.And((is_there, leaf), leaf.span)
