"""Fingerprints: the xxh3 of Rust equals that of the PyPI package."""

from __future__ import annotations

import random
import string

import pytest
import rfc8785
import xxhash

from checkrein import _core
from checkrein.errors import EngineError

VALUES = 10_000


def anything(rng: random.Random, depth: int = 0) -> object:
    """Make a random JSON value, at most four levels deep."""
    if depth < 4 and rng.random() < 0.4:
        if rng.random() < 0.5:
            return [anything(rng, depth + 1) for _ in range(rng.randrange(5))]
        return {text(rng): anything(rng, depth + 1) for _ in range(rng.randrange(5))}
    return rng.choice(
        [
            None,
            True,
            False,
            rng.randrange(-(2**53) + 1, 2**53),
            rng.randrange(-9, 10),
            rng.uniform(-1, 1) * 10 ** rng.randrange(-300, 300),
            float(rng.randrange(-9, 10)),
            text(rng),
        ]
    )


def text(rng: random.Random) -> str:
    """Make a random text of every plane, without surrogates."""
    letters = [
        *rng.choices(string.printable, k=rng.randrange(12)),
        *(
            chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))
            for _ in range(rng.randrange(3))
        ),
    ]
    rng.shuffle(letters)
    return "".join(letters)


def test_fingerprints_equal_those_of_the_pypi_package() -> None:
    rng = random.Random(8785)
    for _ in range(VALUES):
        tool, args = text(rng), {text(rng): anything(rng) for _ in range(rng.randrange(5))}
        oracle = xxhash.xxh3_64_intdigest(tool.encode() + b"\0" + rfc8785.dumps(args))
        assert _core.fingerprint(tool, args) == oracle, (tool, args)


def test_hashes_equal_those_of_the_pypi_package_at_every_length() -> None:
    rng = random.Random(3)
    for length in [*range(600), 4096, 100_000]:
        data, seed = rng.randbytes(length), rng.randrange(2**64)
        assert _core.xxh3_64(data, seed) == xxhash.xxh3_64_intdigest(data, seed)
        assert _core.xxh3_64(data) == xxhash.xxh3_64_intdigest(data)


def test_the_order_of_keys_does_not_matter_and_the_tool_does() -> None:
    assert _core.fingerprint("a", {"x": 1, "y": 2}) == _core.fingerprint("a", {"y": 2, "x": 1})
    assert _core.fingerprint("a", {"x": 1}) != _core.fingerprint("b", {"x": 1})


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_is_an_unsigned_64_bit_number(seed: int) -> None:
    with pytest.raises(EngineError) as raised:
        _core.xxh3_64(b"", seed)
    assert raised.value.kind == "bad_value"
