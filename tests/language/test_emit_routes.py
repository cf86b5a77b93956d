"""The bytes of what chooses models: written by hand, section by section."""

from checkrein.language import compile_source

from .test_emit_limits import artifact, strings, u


def test_the_bytes_of_requirements_and_of_a_route():
    lines = [
        'require "a" tier >= 2',
        'require "b" model in ["n", "m", "n"]',
        'require "c" region in ["us", "eu"]',
        'require "d" place edge',
        'route "r" { to "n" fallback "m" -> "n" canary 5% by session.id to "n" '
        'canary 1% by session.id to "m" }',
    ]
    source = (
        'language 1 policy "p" model "m" is "x/m" { tier 2 place edge region "eu" window 9 tokens '
        'output 2 tokens price free } model "n" is "x/n" { place cloud region "us" window 9 tokens '
        "output 2 tokens price free } loop off\n" + "\n".join(lines)
    )
    table, at = strings("p", "f", "$", "", "m", "x/m", "eu", "n", "x/n", "us", "session.id", *"abcdr", *lines)
    kinds = [b"\x03"] * 4 + [b"\x04"]
    places = [
        kind + at[name] + b"\x00" + at["f"] + u(line) + u(1) + at[text]
        for kind, name, line, text in zip(kinds, "abcdr", range(2, 7), lines, strict=True)
    ]
    share = u(1) + u(50_000) + u(0) + u(10_000)
    expected = artifact(
        table,
        at["p"] + at["f"] + at["$"] + at[""] + b"\x00",
        u(1) + at["session.id"] + b"\x00\x00\x02\x01" + u(0),
        u(2) + at["m"] + at["x/m"] + u(2) + b"\x00\x01" + at["eu"] + u(9) + u(2) + u(1) + b"\x00",
        at["n"] + at["x/n"] + u(0) + b"\x01\x01" + at["us"] + u(9) + u(2) + u(1) + b"\x00",
        u(0) * 7,  # tools, states, queues, zones, clock, conditions, templates
        u(5) + b"".join(places),
        u(0) * 4,  # rules, limits, retries, breakers
        u(4) + u(0) + b"\x01\x05" + u(2) + b"\x00" + u(1) + b"\x02" + u(2) + u(0) + u(1) + b"\x00",
        u(2) + b"\x03" + u(2) + at["eu"] + at["us"] + b"\x00" + u(3) + b"\x00\x00\x00",
        u(1) + u(4) + u(1) + u(1) + b"\x00\x00" + u(1) + u(0) + u(1) + b"\x01" + u(0) + u(2) + share,
        u(0) * 3,  # orders, loops, truth
    )
    assert compile_source(source, "f") == expected
