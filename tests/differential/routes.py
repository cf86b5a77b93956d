"""Random models, and what chooses between them: requirements, and a route with all that it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits

if TYPE_CHECKING:
    from .generate import Maker

SNAPSHOT = ["deepseek/deepseek-reasoner", "openrouter/qwen/qwen3-coder-flash", "openai/gpt-5"]
REGIONS = ["eu", "us"]


def model(maker: Maker, name: str) -> None:
    """One more model."""
    chance = maker.chance
    window = chance.choice(["400 tokens", "1k tokens", "8k tokens"])
    output = chance.choice(["50 tokens", "120 tokens", "300 tokens"])
    least = f"least output {chance.choice(['1', '20', '50'])} tokens" if chance.random() < 0.4 else ""
    target, price = f"x/{name}", limits.price(maker)
    if chance.random() < 0.12:
        target, price = chance.choice(SNAPSHOT), ""
        maker.made.kinds.add("price of the snapshot")
    tier, region = chance.choice(["1", "2", "3", "3", ""]), chance.choice([*REGIONS, ""])
    items = [f"tier {tier}" if tier else "", f"place {chance.choice(['edge', 'cloud'])}"]
    items += [f'region "{region}"' if region else "", f"window {window} output {output} {least} {price}"]
    maker.made.models.append(name)
    maker.made.tiers.append(tier)
    maker.made.regions |= {region} - {""}
    maker.add(f'model "{name}" is "{target}" {{ {" ".join(items)} }}')


def require(maker: Maker, name: str) -> None:
    """One more requirement, which some model meets."""
    made, chance = maker.made, maker.chance
    some = chance.sample(made.models, chance.randint(1, len(made.models)))
    needs = [f"place {chance.choice(['edge', 'cloud'])}", f"model in [{listed(some)}]"]
    needs += [f"tier {chance.choice(['==', '<=', '>='])} {tier}" for tier in made.tiers if tier]
    needs += [f'region "{region}"' for region in sorted(made.regions)]
    needs += [f"region in [{listed(sorted(made.regions))}]"] * bool(made.regions)
    maker.made.kinds.add("require " + (need := chance.choice(needs)).split()[0])
    when = maker.when(0.95, maker.model_facts())
    maker.add(f'require "{name}" {need} {when}')


def listed(names: list[str]) -> str:
    """Names as they are written between brackets."""
    return ", ".join(f'"{name}"' for name in names)


def route(maker: Maker, name: str) -> None:
    """The route, with arms, fallbacks and canaries."""
    models, chance = maker.made.models, maker.chance
    items = [
        f'to "{chance.choice(models)}" {maker.when(1, maker.model_facts())}'
        for _ in range(chance.choice([0, 1, 2]))
    ]
    last = chance.random()
    if last < 0.2:
        items.append(f'to "{chance.choice(models)}"')
    elif last < 0.7 and len(models) > 1:
        items.append(cascade(maker))
    pairs = [(a, b) for place, a in enumerate(models) for b in models[place + 1 :]]
    chosen = chance.sample(pairs, min(len(pairs), chance.choice([1, 2, 3])))
    items += [f'fallback "{before}" -> "{after}"' for before, after in chosen]
    items += canaries(maker)
    if items:
        maker.add(f'route "{name}" {{ {" ".join(items)} }}')


def cascade(maker: Maker) -> str:
    """An arm that asks a second model, if the first one's result is so."""
    first, second = maker.chance.sample(maker.made.models, 2)
    conditions = ["result.confidence < 50%", "result.confidence < 100%", "has result.confidence"]
    sure = maker.chance.choice(conditions)
    if maker.chance.random() < 0.4:
        sure = f"({sure}) or ({maker.condition(maker.model_facts(), 1)})"
    maker.made.kinds.add("cascade")
    return f'to "{first}" then "{second}" when {sure}'


def canaries(maker: Maker) -> list[str]:
    """Shares of one text, for models."""
    shares = maker.chance.choice([[], [], ["30%"], ["50%", "50%"], ["0.5%", "60%"], ["100%"], ["0%"]])
    texts = [fact.name for fact in maker.made.facts if fact.dimension == "text" and not fact.most]
    by = maker.chance.choice([*(f"{scope}.id" for scope in ("run", *limits.SCOPES)), *texts])
    if shares:
        maker.made.kinds.add("canary")
    return [f'canary {share} by {by} to "{maker.chance.choice(maker.made.models)}"' for share in shares]
