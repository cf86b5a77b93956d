"""Builds the price snapshot of the package from the installed genai-prices, without any network.

    python scripts/prices.py            # writes python/checkrein/prices/snapshot.json
    python scripts/prices.py --check    # exits 1 if the file is not what this would write

Only models that are priced by tokens of text get tariffs. Any other stays in the file with the reason,
so that a looser match cannot give it another model's price. What this does not know is an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types as genai
from genai_prices.data import providers
from genai_prices.data_units import unit_data

from checkrein.prices.snapshot import DAY, FORMAT, Tariff, implausible, uncovered

OUT = Path(__file__).resolve().parent.parent / "python" / "checkrein" / "prices" / "snapshot.json"

AS_OF = date(2026, 11, 21)
"""The day whose prices are taken, of those with a first day. Set it anew with every new version."""

NANO = 10**9

# What a tariff has. Without a rate of its own a kind of tokens costs what the kind around it does.
TOKENS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "output_reasoning_mtok")
AROUND = {
    "cache_read_mtok": "input_mtok",
    "cache_write_mtok": "input_mtok",
    "output_reasoning_mtok": "output_mtok",
}
# Not in a tariff, and not needed: readers of usage report tokens of these kinds as a lower bound.
APART = {"cache_write_1h_mtok", "input_audio_mtok", "cache_audio_read_mtok"}
# Tools that the provider runs; the guard does not take such calls uncounted.
TOOLS = {"web_searches_kcount", "storage_searches_kcount", "social_searches_kcount", "code_executions_kcount"}
# With any of these, tokens of text are not what a call costs.
OTHERWISE = {unit["price_key"] for unit in unit_data.values()} - {*TOKENS} - APART - TOOLS
# Every field of a model, and how many units there were, when the sets above were drawn up.
FIELDS_KNOWN = {
    "id", "match", "name", "description", "context_window", "price_comments", "deprecated", "prices",
    "price_variants",
}  # fmt: skip
UNITS_KNOWN = 59


def main() -> int:
    """Write the snapshot, or compare it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is another")
    asked = parser.parse_args()
    text, counts = build()
    if asked.check:
        same = OUT.exists() and OUT.read_text(encoding="utf-8") == text
        print(f"{OUT.name} is {'what this would write' if same else 'not what this would write'}")
        return 0 if same else 1
    OUT.write_text(text, encoding="utf-8", newline="\n")
    print(f"{OUT.name}: {len(text):,} bytes, {counts.pop('priced'):,} models with a price; without one:")
    for reason, number in sorted(counts.items()):
        print(f"{number:6,}  {reason}")
    return 0


def build() -> tuple[str, Counter[str]]:
    """The text of the file, and how many models have a price or a reason for none."""
    if len(unit_data) != UNITS_KNOWN:
        raise SystemExit(
            f"genai-prices has {len(unit_data)} units, not {UNITS_KNOWN}: see which are new, and place them"
        )
    new = {field.name for field in dataclasses.fields(genai.ModelInfo)} ^ FIELDS_KNOWN
    if new:
        raise SystemExit(
            f"genai-prices has other fields in a model: {sorted(new)}: see what they mean for a price"
        )
    counts: Counter[str] = Counter()
    places = []
    for provider in providers:
        place: dict[str, Any] = {"id": provider.id}
        if provider.provider_match is not None:
            place["match"] = matcher(provider.provider_match)
        if provider.fallback_model_providers:
            place["serves"] = list(provider.fallback_model_providers)
        place["models"] = [model_entry(model) for model in provider.models]
        counts.update(entry.get("reason", "priced").partition(":")[0] for entry in place["models"])
        places.append(place)
    return written(places), counts


def written(places: list[dict[str, Any]]) -> str:
    """One line a model, so that a new version reads well as a change."""
    head = {"format": FORMAT, "source": f"genai-prices {version('genai-prices')}", "as_of": AS_OF.isoformat()}
    lines = [compact(head)[:-1] + ',"providers":[']
    for number, place in enumerate(places, 1):
        models = place.pop("models")
        lines.append(compact(place)[:-1] + ',"models":[')
        lines.append(",\n".join(compact(entry) for entry in models))
        lines.append("]}" + ("," if number < len(places) else ""))
    return "\n".join(lines) + "\n]}\n"


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


# -- prices ------------------------------------------------------------------------------------------


def model_entry(model: genai.ModelInfo) -> dict[str, Any]:
    """A model of the file: how it is found, and its tariffs or the reason for none."""
    entry: dict[str, Any] = {"id": model.id, "match": matcher(model.match)}
    hours = day_of(model)
    for _start, _end, rates in hours:
        unknown = set(rates) - {*TOKENS} - APART - TOOLS - OTHERWISE
        if unknown:
            raise SystemExit(f"`{model.id}` has prices per {sorted(unknown)}, which this does not know")
    reason = next((why for *_, rates in hours if (why := unpriced(rates))), None)
    tariffs = () if reason else tuple(sorted(t for hour in hours for t in tariffs_in(*hour)))
    found = (implausible(tariff) for tariff in tariffs)
    if why := next(filter(None, found), None) or (tariffs and uncovered(tariffs)):
        reason = f"implausible: {why}"
    if reason:
        return {**entry, "reason": reason}
    entry["tariffs"] = [list(tariff) for tariff in tariffs]
    if any("input_audio_mtok" in rates for *_, rates in hours):
        entry["audio"] = True
    later = [day for day in first_days(model) if day > AS_OF]
    return {**entry, "until": min(later).isoformat()} if later else entry


def unpriced(rates: dict[str, Any]) -> str | None:
    """Why `rates` do not say what a call with text costs, or None."""
    if not rates:
        return "it has no price"
    other = sorted(set(rates) & OTHERWISE)
    if other:
        return f"it is not priced by tokens of text alone: {other[0]}"
    if "input_mtok" not in rates or "output_mtok" not in rates:
        return "it has no price of output tokens"
    if not any(level for key in ("input_mtok", "output_mtok") for level in levels(rates[key])):
        return "it is listed at zero, which may mean free or unknown"
    return None


def first_days(model: genai.ModelInfo) -> list[date]:
    """The days on which prices of `model` begin."""
    return [c.start_date for c in constraints(model) if isinstance(c, genai.StartDateConstraint)]


def constraints(model: genai.ModelInfo) -> list[Any]:
    prices = model.prices if isinstance(model.prices, list) else []
    found = [price.constraint for price in prices if price.constraint is not None]
    known = (genai.StartDateConstraint, genai.TimeOfDateConstraint)
    if not all(type(constraint) in known for constraint in found):
        raise SystemExit(f"`{model.id}` has a condition on its price that this does not know")
    return found


def day_of(model: genai.ModelInfo) -> list[tuple[int, int, dict[str, Any]]]:
    """The prices of `model` on the day of the snapshot: from minute, until minute, rates by key."""
    marks = {0, DAY}
    for constraint in constraints(model):
        if isinstance(constraint, genai.TimeOfDateConstraint):
            marks |= {minute_of(constraint.start_time), minute_of(constraint.end_time)}
    hours: list[tuple[int, int, dict[str, Any]]] = []
    ordered = sorted(marks)
    for start, end in itertools.pairwise(ordered):
        at = datetime.combine(AS_OF, time(start // 60, start % 60), UTC)
        rates = {key: value for key, value in model.get_prices(at).__dict__.items() if value is not None}
        if hours and hours[-1][2] == rates:
            hours[-1] = (hours[-1][0], end, rates)
        else:
            hours.append((start, end, rates))
    return hours


def minute_of(when: time) -> int:
    """The minute of the UTC day."""
    utc = when if when.tzinfo is None else datetime.combine(date(1970, 1, 1), when).astimezone(UTC).timetz()
    if utc.second or utc.microsecond:
        raise SystemExit(f"a price changes at {when}, which is no full minute")
    return utc.hour * 60 + utc.minute


def tariffs_in(start: int, end: int, rates: dict[str, Any]) -> list[Tariff]:
    """The tariffs from `start` until `end`: one for each number of input tokens where a rate changes."""
    steps = {0} | {tier.start for key in TOKENS for tier in tiers(rates.get(key))}
    found = []
    for above in sorted(steps):
        got = {key: rate_above(rates, key, above) for key in TOKENS}
        rate = [got["input_mtok"], got["output_mtok"], got["cache_read_mtok"], got["cache_write_mtok"]]
        found.append(Tariff(above, start, end, *rate, got["output_reasoning_mtok"]))
    return found


def rate_above(rates: dict[str, Any], key: str, above: int) -> int:
    """The rate of `key` for a call with one token more than `above`; the whole call has it."""
    if key not in rates:
        return rate_above(rates, AROUND[key], above)
    price = rates[key]
    level = price if isinstance(price, Decimal) else price.base
    for tier in tiers(price):
        if above + 1 > tier.start:
            level = tier.price
    return nano(level)


def tiers(price: Any) -> list[Any]:
    return list(price.tiers) if isinstance(price, genai.TieredPrices) else []


def levels(price: Any) -> list[Decimal]:
    """What `price` can be, over all its tiers."""
    return [getattr(price, "base", price), *(tier.price for tier in tiers(price))]


def nano(dollars: Decimal) -> int:
    """Billionths, rounded up; a millionth of one is a float's noise."""
    return int((dollars * NANO).quantize(Decimal("0.000001")).to_integral_value(ROUND_CEILING))


# -- matchers ----------------------------------------------------------------------------------------


def matcher(clause: Any) -> Any:
    """The matcher of `checkrein.prices.match` for one of theirs."""
    match clause:
        case genai.ClauseEquals(equals=text):
            return literal("=", text)
        case genai.ClauseStartsWith(starts_with=text):
            return literal("^", text)
        case genai.ClauseEndsWith(ends_with=text):
            return literal("$", text)
        case genai.ClauseContains(contains=text):
            return literal("*", text)
        case genai.ClauseOr(or_=parts):
            found: list[Any] = []
            for part in parts:
                inner = matcher(part)
                found += inner if isinstance(inner, list) else [inner]
            return found
        case genai.ClauseAnd(and_=parts):
            return {"and": [matcher(part) for part in parts]}
        case genai.ClauseRegex(regex=pattern):
            return from_regex(pattern)
    raise SystemExit(f"a matcher of an unknown kind: {clause!r}")


def literal(kind: str, text: str) -> str:
    return kind + text.lower()


def from_regex(pattern: str) -> Any:
    """A matcher for the few shapes of expressions that the data has."""
    if pattern.startswith("^(?!.*") and pattern.endswith(")"):
        return {"not": [anchored(text, "*", "$") for text in spellings(pattern[6:-1], pattern)]}
    if not pattern.startswith("^"):
        raise SystemExit(f"`{pattern}` cannot be written as a matcher")
    found = sorted(
        anchored(text, "%" if "#" in text else "^", "#") for text in spellings(pattern[1:], pattern)
    )
    return found[0] if len(found) == 1 else found


def anchored(text: str, loose: str, whole: str) -> str:
    """The matcher of one spelling, whose last `$` says that nothing follows."""
    if not text.endswith("$"):
        return loose + text
    return ("=" if whole == "#" and "#" not in text else whole) + text[:-1]


def spellings(pattern: str, whole: str) -> list[str]:
    """Every text that `pattern` takes, in lower case; a `#` is a digit, a last `$` the end."""
    texts, at = [""], 0
    while at < len(pattern):
        choices, at = unit_of(pattern, at, whole)
        texts = sorted({text + choice for text in texts for choice in choices})
    return texts


def unit_of(pattern: str, at: int, whole: str) -> tuple[list[str], int]:
    """The texts of the unit at `at`, and where the next begins."""
    rest = pattern[at:]
    if rest.startswith("\\d"):
        choices, at = ["#"], at + 2
    elif rest[0] == "\\":
        choices, at = [rest[1].lower()], at + 2
    elif rest[0] == "[":
        end = pattern.index("]", at)
        choices, at = sorted({character.lower() for character in pattern[at + 1 : end]}), end + 1
    elif rest[0] == "(":
        end = pattern.index(")", at)
        inner = pattern[at + 1 : end].removeprefix("?:")
        choices, at = [text for part in inner.split("|") for text in spellings(part, whole)], end + 1
    elif rest[0] in "^*+?.{}|)]#":
        raise SystemExit(f"`{whole}` cannot be written as a matcher")
    else:
        choices, at = [rest[0].lower()], at + 1
    if pattern[at : at + 1] == "{":
        end = pattern.index("}", at)
        return [choices[0] * int(pattern[at + 1 : end])], end + 1
    if pattern[at : at + 1] == "?":
        return ["", *choices], at + 1
    return choices, at


if __name__ == "__main__":
    sys.exit(main())
