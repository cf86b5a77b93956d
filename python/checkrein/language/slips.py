"""The common slips: each function knows one, and says what to write instead.

They are tried in the order of `mistakes.KNOWN`; the first that knows the mistake speaks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from checkrein.diagnostics import quote
from checkrein.language import words
from checkrein.nearest import closest

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkrein.language.mistakes import Mistake


class Slip(NamedTuple):
    """What a known slip is called and how to right it.

    `length` 0 marks the whole word; `after_previous` marks the place behind what was read last, and `start`
    something before.
    """

    code: str
    message: str
    help: str | None = None
    expected: bool = False
    length: int = 0
    after_previous: bool = False
    start: int | None = None


OPERATORS = {
    "=": "==",
    "===": "==",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
}
UNIT_WORDS = {
    "ms": ("millisecond", "milliseconds", "msec", "msecs", "millis"),
    "s": ("second", "seconds", "sec", "secs"),
    "min": ("minute", "minutes", "mins", "m"),
    "h": ("hour", "hours", "hr", "hrs"),
    "d": ("day", "days"),
    "tokens": ("token", "tok", "toks"),
}
UNIT_OF = {word: unit for unit, spelled in UNIT_WORDS.items() for word in spelled}
CURRENCIES = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
CURRENCY_WORDS = {
    "dollar": "$", "dollars": "$", "usd": "USD ",
    "euro": "EUR ", "euros": "EUR ", "eur": "EUR ", "gbp": "GBP ",
}  # fmt: skip
AFFIXES = {"startswith": "starts with", "endswith": "ends with"}
SYNONYMS = {
    "if": ("when",), "where": ("when",), "for": ("on",),
    "denied": ("deny",),
    "denies": ("deny",),
    "allowed": ("allow",),
    "stopped": ("stop",),
    "failed": ("fail",),
    "call": ("tool",),
    "write": ("act",),
    "action": ("act",),
    "read": ("retrieve",),
    "search": ("retrieve",),
    "think": ("reason",),
    "is": ("==", "in"),
    "equals": ("==",),
    "block": ("deny",),
    "reject": ("deny",),
    "refuse": ("deny",),
    "forbid": ("deny",),
    "abort": ("stop",),
    "halt": ("stop",),
    "ask": ("escalate",),
    "otherwise": ("else",),
    "in": ("within",),
    "string": ("text",),
    "str": ("text",),
    "int": ("count",),
    "integer": ("count",),
    "number": ("count",),
    "float": ("count",),
    "bool": ("flag",),
    "boolean": ("flag",),
    "time": ("duration",),
    "currency": ("money",),
    "enum": ("one",),
    "price": ("money",),
}  # fmt: skip
"""A word of other languages to the words that are meant; the first one that fits is recommended."""
QUOTES = "'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"


def header(m: Mistake) -> Slip | None:
    """No `language 1` and `policy "name"` at the top."""
    if m.accepts == {"LANGUAGE"}:
        message = "the first line must be `language 1`"
    elif m.accepts == {"POLICY"}:
        message = 'after `language 1` comes `policy "name"`'
    else:
        return None
    also = "; what it includes does not" if "LANGUAGE" in m.accepts and m.chunk in words.STATEMENTS else ""
    return Slip("R0005", message, f'a policy begins with `language 1` and `policy "name"`{also}')


def quotes(m: Mistake) -> Slip | None:
    """Single, typographic or unclosed quotes, and unknown escapes."""
    if m.chunk[:1] and m.chunk[0] in QUOTES:
        return Slip("R0012", "names and texts are written in straight double quotes", 'write `"text"`')
    if m.chunk[:1] != '"':
        return None
    if len(m.chunk) == 1 or not m.chunk.endswith('"'):
        return Slip("R0012", "the text is not closed on its line", 'close it with `"`')
    escape = re.search(r'\\[^"\\n]', m.chunk)
    if escape is None:
        return None
    return Slip(
        "R0012",
        f"{quote(escape.group())} is not an escape",
        'a text knows `\\"`, `\\\\` and `\\n`',
    )


def comment(m: Mistake) -> Slip | None:
    """Comments of other languages."""
    if m.text.startswith(("//", "/*", "--"), m.offset):
        return Slip("R0010", "a comment begins with `#`", "write `# comment`", length=2)
    return None


def operator(m: Mistake) -> Slip | None:
    """Operators of other languages."""
    right = OPERATORS.get(m.chunk) or OPERATORS.get(m.chunk[:1] if m.chunk[:1] == "!" else "")
    if right is None or right not in [m.terminals[name] for name in m.accepts]:
        return None
    return Slip("R0016", f"{quote(m.chunk)} is not an operator", f"write `{right}`")


def strict_bound(m: Mistake) -> Slip | None:
    """`cost < $1`: a bound of a limit is always `<=`; `steps <= 30 steps`: a count has no unit."""
    awaits = [m.terminals[name] for name in m.accepts]
    if awaits != ["<="] or not m.pending or m.pending[-1] not in words.DIMENSIONS:
        return None
    word = m.pending[-1]
    if m.chunk[:1] in tuple("<>=:0123456789$"):
        is_sign = m.chunk[0] in "<>=:"
        right = f"write `{word} <= ...`"
        return Slip("R0016", f"a bound on `{word}` is written with `<=`", right, after_previous=not is_sign)
    start = word.start_pos or 0
    bounded = re.search(r"(\w+)\s*<=\s*[\w.]+\s*$", m.text[max(0, start - 80) : start])
    if bounded is not None and bounded.group(1) == word:
        help = "leave it out: a count is a plain number"
        return Slip("R0013", f"{quote(word)} is not a unit", help, length=len(word), start=start)
    return None


def money(m: Mistake) -> Slip | None:
    """`0.50$`, `€5`, `USD5`, `5 dollars`."""
    before = m.number_before
    if m.chunk == "$" and before:
        return Slip("R0017", "the currency comes before the amount", f"write `${before}`")
    if m.chunk == "$":
        return Slip("R0017", "an amount of money needs its digits", "write `$0.50`")
    if m.chunk in CURRENCIES:
        amount = (re.match(r"[0-9]+(?:[.][0-9]+)?", m.text[m.offset + 1 :]) or ["0.50"])[0]
        help = f"write `{CURRENCIES[m.chunk]} {amount}`"
        return Slip("R0017", f"{quote(m.chunk)} is not a currency here", help)
    glued = re.fullmatch(r"([A-Z]{3})([0-9][0-9.]*)", m.chunk)
    if glued and "MONEY" in m.accepts:
        return Slip(
            "R0017", "the currency is separated from the amount", f"write `{glued.group(1)} {glued.group(2)}`"
        )
    named = f"{m.chunk} " if re.fullmatch(r"[A-Z]{3}", m.chunk) else CURRENCY_WORDS.get(m.chunk.lower())
    if named and before:
        return Slip("R0017", "the currency comes before the amount", f"write `{named}{before}`")
    return None


def unit(m: Mistake) -> Slip | None:
    """`30 seconds`, `5token`, `200K`."""
    if not m.after_number:
        return None
    if m.chunk == "K" and m.number_before:
        return Slip("R0013", "a thousand is a small `k`", f"write `{m.number_before}k`")
    right = UNIT_OF.get(m.chunk.lower())
    if right is None:
        return None
    return Slip("R0013", f"{quote(m.chunk)} is not a unit", f"write `{right}`")


def number(m: Mistake) -> Slip | None:
    """Numbers of other languages: negative, grouped, with an exponent."""
    if m.chunk == "-" and ("NUMBER" in m.accepts or "MONEY" in m.accepts):
        return Slip("R0010", "there are no negative values", "write an amount of 0 or more")
    if m.offset == 0 or not m.text[m.offset - 1].isdigit():
        return None
    before = re.search(r"(?:\$|\b[A-Z]{3} )?[0-9]+$", m.text[max(0, m.offset - 40) : m.offset])
    amount = before.group() if before else ""
    grouped = re.match(r"(?:[,_][0-9]{3})+(?![0-9])", m.text[m.offset :])
    if grouped and amount:
        rest = re.match(r"[.][0-9]+", m.text[m.offset + grouped.end() :])
        plain = amount + re.sub("[,_]", "", grouped.group()) + (rest.group() if rest else "")
        return Slip("R0010", "digits are not grouped", f"write `{plain}`", length=1)
    cents = re.match(r",([0-9]+)", m.text[m.offset :])
    if cents and amount:
        right = f"write `{amount}.{cents.group(1)}`"
        return Slip("R0010", "a fraction is written with a point", right, length=1)
    if "MS" not in m.accepts:
        return None
    if re.match(r"_[0-9]|[eE][0-9+-]", m.text[m.offset : m.offset + 2]):
        return Slip("R0010", "a number is written in plain digits", "write `1000000`, `1000k` or `1M`")
    return None


def punctuation(m: Mistake) -> Slip | None:
    """Commas and semicolons where nothing separates; `and` between bounds, which all hold."""
    is_and = m.chunk in ("and", "&&", "&") and "WALL_TIME" in m.accepts
    if is_and or (m.chunk in (",", ";") and "COMMA" not in m.accepts):
        return Slip("R0010", f"no {quote(m.chunk)} is needed here", "items are separated by space alone")
    return None


def selector(m: Mistake) -> Slip | None:
    """`on tool "a", "b"`: a selector names one."""
    kinds = [t.type for t in m.pending[-3:]]
    if kinds not in (["ON", "TOOL", "STRING"], ["ON", "MODEL", "STRING"]) or m.chunk not in (
        ",",
        "and",
        "or",
    ):
        return None
    one = m.pending[-2]
    right = f"`on {one} any`" if one == "model" else "`on tool class act` or `on tool any`"
    return Slip("R0010", f"a selector names one {one}", f"write a statement for each, or {right}")


def order_of_words(m: Mistake) -> Slip | None:
    """A rule whose parts stand in another order, or whose outcome lacks its `then`."""
    if "THEN" in m.accepts and m.chunk in ("deny", "stop", "fail", "escalate", "answer", "reuse"):
        return Slip("R0010", "`then` comes before the outcome", f"write `then {m.chunk} ...`")
    if ("THEN" in m.accepts and m.chunk == "because") or ("BECAUSE" in m.accepts and m.chunk == "when"):
        if "$END" in m.accepts:
            return None
        right = "write `when ... then ... because ...`, in this order"
        return Slip("R0010", f"{quote(m.chunk)} stands in the wrong place", right)
    return None


def keyword(m: Mistake) -> Slip | None:
    """A misspelt word of the language."""
    if not m.chunk[:1].isalpha() or "." in m.chunk:
        return None
    candidates = [w for w in m.accepted_words if len(w) > 1]
    if m.chunk in candidates:
        return None
    meant = closest(m.chunk, candidates, cutoff=0.7)
    if meant is None:
        return None
    return Slip("R0019", f"{quote(m.chunk)} is not a word of the language", f"did you mean `{meant}`?")


def synonym(m: Mistake) -> Slip | None:
    """A word that other languages use."""
    offered = {m.terminals[name] for name in m.accepts}
    right = next((w for w in SYNONYMS.get(m.chunk.lower(), ()) if w in offered), None)
    if right is None:
        return None
    wrong = "does not belong here" if m.chunk in m.terminals.values() else "is not a word of the language"
    return Slip("R0019", f"{quote(m.chunk)} {wrong}", f"write `{right}`")


def no_value(m: Mistake) -> Slip | None:
    """`== null`, and a comparison of two facts."""
    if not {"STRING", "MONEY", "TRUE"} <= m.accepts:
        return None
    if m.chunk.lower() in ("null", "none", "nil", "missing", "undefined"):
        return Slip("R0010", f"{quote(m.chunk)} is not a value", "write `has fact` or `not has fact`")
    if re.fullmatch(r"[a-z]\w*(\.\w+)+", m.chunk):
        return Slip("R0010", "a fact is compared with values, not with another fact", expected=True)
    return None


def affix(m: Mistake) -> Slip | None:
    """`starts_with`, `EndsWith`."""
    right = AFFIXES.get(m.chunk.lower().replace("_", ""))
    if "STARTS" not in m.accepts or right is None:
        return None
    return Slip("R0016", f"{quote(m.chunk)} is not a comparison", f"write `{right}`")


def no_comparison(m: Mistake) -> Slip | None:
    """Arithmetic, patterns and whatever else conditions do not know."""
    foreign = re.match(r"[A-Za-z_~+*/^%-]", m.chunk) and m.chunk not in m.terminals.values()
    if "STARTS" not in m.accepts or not foreign or m.begins_statement:
        return None
    wanted = "conditions know `==` `!=` `<` `<=` `>` `>=`, `in [...]`, `starts with` and `ends with`"
    return Slip("R0016", f"{quote(m.chunk)} is not a comparison", wanted)


def extra_brace(m: Mistake) -> Slip | None:
    """A brace that closes nothing."""
    if m.chunk != "}" or m.pending:
        return None
    return Slip("R0011", "this `}` closes nothing", "remove it, or look for a `}` too many above")


def allow(m: Mistake) -> Slip | None:
    """`then allow`."""
    if m.chunk in ("allow", "permit", "accept") and "DENY" in m.accepts:
        return Slip(
            "R0010",
            f"{quote(m.chunk)} is not an outcome",
            "rules only restrict; what nothing forbids is allowed",
            expected=True,
        )
    return None


def no_else(m: Mistake) -> Slip | None:
    """A limit, retry, order or loop that does not say what happens."""
    if "ELSE" not in m.accepts or len(m.accepts) > 1:
        return None
    return Slip(
        "R0014",
        f"{m.statement} does not say what happens then: `else` is missing",
        'write `else stop "state"` or another outcome after the `}`',
        after_previous=True,
    )


def no_because(m: Mistake) -> Slip | None:
    """A rule without its reason."""
    if "BECAUSE" not in m.accepts or "$END" in m.accepts:
        return None
    return Slip(
        "R0015",
        f"{m.statement} gives no reason: `because` is missing",
        'write `because "reason"`',
        after_previous=True,
    )


def no_and(m: Mistake) -> Slip | None:
    """Two conditions with nothing between them, and a `not` inside a comparison."""
    inside = re.match(r"not\s+(in|starts|ends)\b", m.text[m.offset :])
    if "STARTS" in m.accepts and inside is not None:
        before = re.search(r"[\w.]+\s*$", m.text[: m.offset])
        fact = before.group().strip() if before else "fact"
        comparison = inside.group(1) if inside.group(1) == "in" else f"{inside.group(1)} with"
        right = f"write `not {fact} {comparison} ...`"
        return Slip("R0016", "`not` comes before the whole comparison", right, length=3)
    dotted = "." in m.chunk and m.chunk[0].islower()
    if "AND" not in m.accepts or not (dotted or m.chunk in ("has", "not", "(")):
        return None
    return Slip("R0016", "two conditions stand side by side", "write `and` or `or` between them")


def bare_name(m: Mistake) -> Slip | None:
    """`tool refund`: a name without its quotes."""
    if "STRING" not in m.accepts or not re.match(r"[A-Za-z_]", m.chunk):
        return None
    if m.chunk in m.terminals.values():
        return None
    return Slip(
        "R0018", f"the name {quote(m.chunk)} is not in quotes", f'write `"{m.chunk}"`: quoted words are yours'
    )


def bare_fact(m: Mistake) -> Slip | None:
    """`amount > 5`: a fact is dotted."""
    if "FACT" not in m.accepts or not re.match(r"[A-Za-z_]", m.chunk):
        return None
    if m.chunk.split(".")[0] in words.STATEMENTS and "." not in m.chunk:
        return None
    return Slip(
        "R0010",
        f"{quote(m.chunk)} is not a fact",
        "a fact is dotted words that begin in lower case, such as `call.args.amount`",
    )


SLIPS: tuple[Callable[[Mistake], Slip | None], ...] = (
    comment, header, quotes, money, unit, number, operator, strict_bound, no_and, allow, selector,
    order_of_words, affix, synonym, keyword, no_value, no_else, no_because, extra_brace, punctuation,
    bare_name, bare_fact, no_comparison,
)  # fmt: skip
