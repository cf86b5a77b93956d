"""What can be put right without asking: slips that mean one thing only, and its right spelling.

A guess is no fix: `did you mean` stays a question. What follows a fix is checked like any other text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from checkrein.diagnostics import Edit
from checkrein.language import condition_slips, limit_slips, slips, statement_slips

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.language.mistakes import Mistake
    from checkrein.language.slips import Slip

SAID = re.compile(r"write `([^`]+)`")
CLOSING = {"'": "'", "`": "`", "\u2018": "\u2019", "\u201a": "\u2018", "\u201c": "\u201d", "\u201e": "\u201c"}
SPELLINGS = frozenset(
    ["if", "where", "equals", "otherwise", "string", "str", "int", "integer", "bool", "boolean"]
)  # fmt: skip
"""The synonyms that can stand for one word only."""
FILLERS = frozenset([":", "=", ":=", "to", "times", "the", "a", "an"])
"""What may be left out without a change of what is said; a `not` could not."""
UNSURE_UNITS = frozenset(["m"])
"""Minutes, or metres, months, millions."""


def fix_of(slip: Callable[[Mistake], Slip | None], m: Mistake, said: Slip) -> Edit | None:
    """What to write instead of a mistake that `slip` knows; None if that is not sure."""
    known = FIXES.get(slip)
    return known(m, said) if known is not None else None


def _edit(m: Mistake, text: str, start: int | None = None, end: int | None = None) -> Edit:
    """The marked chunk as `text`, which never grows together with the words beside it."""
    start = m.offset if start is None else start
    end = m.offset + len(m.chunk) if end is None else end
    if text[:1].isalnum() and re.match(r"[^\s(\[{]", m.text[start - 1 : start]):
        text = f" {text}"
    if text[-1:].isalnum() and re.match(r"[^\s)\]},]", m.text[end : end + 1]):
        text = f"{text} "
    return Edit(start, end, text)


def _as_said(m: Mistake, said: Slip) -> Edit | None:
    found = SAID.match(said.help or "")
    return _edit(m, found.group(1)) if found else None


def _with_number(m: Mistake, said: Slip) -> Edit | None:
    """As it was said, also in place of the number before."""
    found = SAID.match(said.help or "")
    start = len(m.text[: m.offset].rstrip()) - len(m.number_before)
    return _edit(m, found.group(1), start) if found and m.number_before else None


def _operator(m: Mistake, said: Slip) -> Edit | None:
    return _as_said(m, said) if m.chunk in slips.OPERATORS else None


def _quotes(m: Mistake, _said: Slip) -> Edit | None:
    closing = CLOSING.get(m.chunk[:1])
    end = m.text.find(closing, m.offset + 1) if closing else -1
    inside = m.text[m.offset + 1 : end]
    if end < 0 or re.search(r'["\\\n]', inside) or re.match(r"\w", m.text[end + 1 : end + 2]):
        return None
    return _edit(m, f'"{inside}"', end=end + 1)


def _comment(m: Mistake, _said: Slip) -> Edit | None:
    is_apart = not m.text[m.offset - 1 : m.offset].strip()
    found = re.match(r"//|--(?=\s)", m.text[m.offset :])
    return Edit(m.offset, m.offset + 2, "#") if is_apart and found else None


def _money(m: Mistake, said: Slip) -> Edit | None:
    if m.chunk in slips.CURRENCIES:
        is_amount = re.match(r"[0-9]", m.text[m.offset + 1 :])
        return _edit(m, f"{slips.CURRENCIES[m.chunk]} ") if is_amount else None
    return _as_said(m, said) if m.chunk[-1:].isdigit() else _with_number(m, said)


def _unit(m: Mistake, said: Slip) -> Edit | None:
    if m.chunk == "K":
        return _with_number(m, said)
    return None if m.chunk.lower() in UNSURE_UNITS else _as_said(m, said)


def _bound(m: Mistake, said: Slip) -> Edit | None:
    """`<=` in place of a sign that does not say less; nothing in place of a unit behind a count."""
    if said.start is None:
        apart = "" if m.text[m.offset - 1].isspace() else " "
        return _edit(m, f"{apart}<=") if m.chunk in ("=", "==", ":", "=<") else None
    start = len(m.text[: said.start].rstrip(" \t"))
    return Edit(start, said.start + said.length, "")


def _surplus(m: Mistake, _said: Slip) -> Edit | None:
    """Nothing, in place of a comma, a semicolon or an `and` between bounds."""
    end = m.offset + len(m.chunk)
    is_apart = not m.text[end : end + 1].strip()
    start = len(m.text[: m.offset].rstrip(" \t")) if is_apart else m.offset
    return Edit(start, end, "" if is_apart else " ")


def _needless(m: Mistake, said: Slip) -> Edit | None:
    return _surplus(m, said) if m.chunk in FILLERS else None


def _brackets(m: Mistake, said: Slip) -> Edit | None:
    """A list without the comma at its end; nothing else about lists is sure."""
    end = m.previous_end
    return Edit(end - 1, end, "") if "end in a comma" in said.message else None


def _default(m: Mistake, said: Slip) -> Edit | None:
    return _edit(m, "default") if "give a default" in said.message and m.chunk == "=" else None


def _synonym(m: Mistake, said: Slip) -> Edit | None:
    return _as_said(m, said) if m.chunk.lower() in SPELLINGS else None


def _keyword(m: Mistake, _said: Slip) -> Edit | None:
    is_known = m.chunk.lower() in m.accepted_words and m.chunk != m.chunk.lower()
    return _edit(m, m.chunk.lower()) if is_known else None


def _then(m: Mistake, said: Slip) -> Edit | None:
    return Edit(m.offset, m.offset, "then ") if "before the outcome" in said.message else None


def _name(m: Mistake, _said: Slip) -> Edit | None:
    # Before a name in quotes it is no name itself, but a word too many.
    is_before_name = m.text[m.offset + len(m.chunk) :].lstrip()[:1] == '"'
    return _edit(m, f'"{m.chunk}"') if m.accepts == {"STRING"} and not is_before_name else None


def _zone(m: Mistake, said: Slip) -> Edit | None:
    written = m.text[m.offset : m.offset + said.length]
    return _edit(m, f'"{written}"', end=m.offset + said.length) if said.length else None


def _item(m: Mistake, _said: Slip) -> Edit | None:
    apart = m.chunk.replace("_", " ")
    glued = limit_slips.GLUED.get(m.chunk)
    return _edit(m, apart) if glued is not None and glued[1].startswith(f"{apart} ") else None


def _double_operator(m: Mistake, said: Slip) -> Edit | None:
    """The half before it was read as an operator."""
    found = SAID.match(said.help or "")
    start = m.offset
    while start > 0 and m.text[start - 1] in condition_slips.SIGNS:
        start -= 1
    return _edit(m, found.group(1), start) if found else None


def _several_units(m: Mistake, said: Slip) -> Edit | None:
    found = SAID.match(said.help or "")
    before = re.search(condition_slips.DURATION + r"\s*$", m.text[max(0, m.offset - 40) : m.offset])
    after = re.match(condition_slips.DURATION, m.text[m.offset :])
    if found is None or before is None or after is None:
        return None
    if re.match(r"\s*\.\.", m.text[m.offset + after.end() :]):
        return None  # it may begin a range, such as that of a forgotten `backoff`
    return _edit(m, found.group(1), m.offset - len(before.group()), m.offset + after.end())


def _percent(m: Mistake, said: Slip) -> Edit | None:
    found = SAID.match(said.help or "")
    if said.length:
        return _edit(m, found.group(1), end=m.offset + said.length) if found else None
    return _with_number(m, said)


def _space(m: Mistake, _said: Slip) -> Edit | None:
    return Edit(m.offset, m.offset + 1, " ")


def _unquoted(m: Mistake, _said: Slip) -> Edit | None:
    return _edit(m, m.chunk[1:-1])


FIXES: dict[Callable[[Mistake], Slip | None], Callable[[Mistake, Slip], Edit | None]] = {
    slips.operator: _operator,
    slips.quotes: _quotes,
    slips.comment: _comment,
    slips.money: _money,
    slips.unit: _unit,
    slips.strict_bound: _bound,
    slips.punctuation: _surplus,
    slips.affix: _as_said,
    slips.synonym: _synonym,
    slips.keyword: _keyword,
    slips.order_of_words: _then,
    slips.bare_name: _name,
    limit_slips.zone: _zone,
    limit_slips.item: _item,
    condition_slips.operator: _double_operator,
    condition_slips.several_units: _several_units,
    condition_slips.percent: _percent,
    condition_slips.odd_space: _space,
    condition_slips.brackets: _brackets,
    statement_slips.needless_quotes: _unquoted,
    statement_slips.needless: _needless,
    statement_slips.vocabulary: _default,
}
