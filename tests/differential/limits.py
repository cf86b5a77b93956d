"""Random limits: of every scope, window, measure and basis, with all that a limit may say besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .generate import Maker

SIZES = {
    "cost": ["$0.0005", "$0.002", "$0.01", "$0"],
    "tokens": ["600 tokens", "1.5k tokens", "5k tokens"],
    "input_tokens": ["400 tokens", "1k tokens", "4k tokens"],
    "output_tokens": ["200 tokens", "400 tokens", "2k tokens"],
    "steps": ["3", "8", "15"],
    "model_calls": ["4", "10", "20"],
    "tool_calls": ["3", "8", "15", "0"],
    "attempts": ["5", "12", "30"],
    "retries": ["2", "6", "10", "0"],
    "escalations": ["2", "5", "9", "0"],
    "active_time": ["5 s", "30 s", "3 min"],
    "wall_time": ["10 s", "1 min", "5 min"],
}
TIMES = ("active_time", "wall_time")
AMOUNTS = ("cost", "tokens", "input_tokens", "output_tokens")
COUNTED = ("steps", "model_calls", "tool_calls", "attempts")
ZONES = ["Europe/Rome", "America/St_Johns", "Asia/Kolkata", "Pacific/Auckland", "UTC"]
SCOPES = ["session", "user", "team", "org"]
KEYS = ["acct.id", "acct.tier"]
FEATURES = (
    [f"on {scope}" for scope in [*SCOPES, *KEYS]]
    + ["window of the calendar", "window that rolls", "wrap up", "grants", "on failure", "calls of", "counts"]
    + [f"bound {measure}" for measure in SIZES]
    + ["require tier", "require model", "require region", "canary", "cascade", "prefer lower tier"]
    + ["price of parts", "price of the snapshot", "store", "facts of a scope"]
)


def limit(maker: Maker, name: str) -> None:
    """One more limit of the policy."""
    chance = maker.chance
    is_observed = chance.random() < 0.2
    scope = chance.choices(["run", *SCOPES, *KEYS], [52, 8, 12, 8, 8, 6, 6])[0]
    window = window_of(maker) if chance.random() < (0.2 if scope == "run" else 0.6) else ""
    timeless = [each for each in SIZES if each not in TIMES]
    measures = sorted(SIZES) if scope == "run" and not window else timeless
    bounds = chance.sample(measures, chance.choice([1, 1, 2, 3]))
    amounts = {each: size_of(maker, each) for each in bounds}
    if scope == "run" and not is_observed:
        maker.made.bounded |= set(bounds)
    elif not is_observed:
        maker.made.shared.update((scope, each) for each in bounds)
    items = [f"{bound} <= {size}" for bound, size in amounts.items()]
    items += calls_of(maker, 0.3)
    shares = chance.sample(["1%", "25%", "50.5%", "100%"], chance.choice([0, 0, 1, 2]))
    advice = [f'{kind} "At some of {name}."' for kind in ("tell agent", "warn")]
    advice += ["prefer lower tier"] * all(maker.made.tiers)
    items += [f"at {share} {chance.choice(advice)}" for share in ([] if is_observed else shares)]
    maker.made.kinds |= {"prefer lower tier" for item in items if item.endswith("tier")}
    if any(item.split()[0] in (*COUNTED, "calls") for item in items) and chance.random() < 0.5:
        items.append(f"counts {chance.choice(['attempted', 'executed', 'succeeded', 'succeeded'])}")
        maker.made.kinds.add("counts")
    if scope != "run":
        maker.made.kinds.add(f"on {scope}")
        if is_observed:
            maker.made.kinds.add("counted in one process")
        if chance.random() < 0.3:
            items.append(f"on failure {chance.choice(['spend', 'deny', 'allow'])}")
            maker.made.kinds.add("on failure")
    elif not window and not is_observed:
        items += wrap_up(maker, amounts)
    maker.made.kinds |= {f"bound {bound}" for bound in bounds}
    otherwise = asking(maker, [item.split()[0] for item in items]) or maker.otherwise(
        gift="answer", facts=maker.limit_facts()
    )
    text = f'limit "{name}" on {scope} {window} {{ {" ".join(items)} }} {otherwise}'
    maker.add(text, is_observed=is_observed)


def size_of(maker: Maker, measure: str) -> str:
    """A bound, most often one that is met now and then."""
    sizes = SIZES[measure]
    return maker.chance.choices(sizes, [1, 4, 4, 1][: len(sizes)])[0]


def window_of(maker: Maker) -> str:
    """Which part of time counts."""
    chance = maker.chance
    if chance.random() < 0.35:
        maker.made.kinds.add("window that rolls")
        return f"rolling {chance.choice(['1 s', '7 s', '1 min', '1 h', '100 d'])}"
    maker.made.kinds.add("window of the calendar")
    zone = chance.choice(["", *(f'in "{zone}"' for zone in ZONES)])
    return f"each {chance.choice(['hour', 'day', 'week', 'month'])} {zone}"


def calls_of(maker: Maker, share: float) -> list[str]:
    """Bounds on the calls of some models or tools."""
    chance = maker.chance
    if chance.random() >= share:
        return []
    maker.made.kinds.add("calls of")
    classes = sorted(set(maker.made.classes.values()) - {""})
    selectors = ["model any", "tool any", f'model "{chance.choice(maker.made.models)}"']
    selectors += [
        f'tool "{chance.choice(sorted(maker.made.tools))}"',
        *(f"tool class {each}" for each in classes),
    ]
    chosen = chance.sample(selectors, chance.choice([1, 1, 2]))
    return [f"calls of {each} <= {chance.choice([0, 2, 4, 8, 8])}" for each in chosen]


def wrap_up(maker: Maker, amounts: dict[str, str]) -> list[str]:
    """What is kept back for the end, if the limit bounds money or tokens."""
    chance = maker.chance
    kept = {"cost": ["$0.0001", "$0.0003"], "tokens": ["100 tokens", "300 tokens"]}
    own = [each for each in kept if amounts.get(each, "$0") != "$0"]
    if not own or chance.random() < 0.5:
        return []
    maker.made.kinds.add("wrap up")
    calls = chance.choice(["1 call", "2 calls"])
    return [f"wrap up {calls} {chance.choice(kept[chance.choice(own)])}"]


def asking(maker: Maker, words: list[str]) -> str:
    """An `else` that asks a person for more, if some queue grants what the limit bounds."""
    counts = [each for each in words if each == "calls" or (each in SIZES and each not in (*AMOUNTS, *TIMES))]
    fits = {"fund": "cost" in words, "tap": "tokens" in words, "more": len(counts) == 1}
    queues = [name for name, does in fits.items() if does]
    if not queues or maker.chance.random() < 0.6:
        return ""
    maker.made.kinds.add("grants")
    return f'else escalate to "{maker.chance.choice(queues)}"'


def queues(maker: Maker) -> None:
    """The queues that grant, which only limits use."""
    chance = maker.chance
    granted = {"fund": ["$0.0005", "$0.003"], "tap": ["300 tokens", "2k tokens"], "more": ["1", "4"]}
    for name, amounts in granted.items():
        default = chance.choice(["", "default deny", 'default stop "halt"'])
        grants = f"grants {chance.choice(amounts)} at most {chance.choice('123')} times"
        maker.add(
            f'queue "{name}" {{ expires {chance.choice(["20 s", "2 min", "1 h"])} {default} {grants} }}'
        )


def price(maker: Maker) -> str:
    """A price, or what a policy says instead of one."""
    chance = maker.chance
    rates = chance.choice(["input $1 output $4", "input $0.0005 output $3", "input $1 output $4"])
    parts = [chance.choice(["", f"cache read ${chance.choice(['0.1', '2'])}"])]
    parts += [chance.choice(["", f"cache write ${chance.choice(['1.25', '0.3333'])}"])]
    parts += [chance.choice(["", f"reasoning ${chance.choice(['1', '6.5'])}"])]
    draw = chance.random()
    if draw < 0.3:
        return "price free"
    if draw < 0.65:
        return f"price {rates} per 1M tokens"
    maker.made.kinds.add("price of parts" if any(parts) else "price")
    return f"price {rates} {' '.join(parts)} per 1M tokens"
