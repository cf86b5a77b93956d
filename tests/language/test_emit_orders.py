"""The bytes of orders: written by hand, section by section."""

from checkrein.language import compile_source

from .test_emit_limits import artifact, strings, u


def test_the_bytes_of_what_an_order_matches_and_comes_again_after():
    lines = [
        'order "a" { "s" before "t" within run } else deny',
        'order "b" { "s" before class act matching "z", "y" within run again after "u", "t" } else deny',
    ]
    source = (
        'language 1 policy "p" tool "s" { args { "z" money in cents "y" text } } '
        'tool "t" { class act args { "y" text optional "z" money } } tool "u" { } loop off\n'
        + "\n".join(lines)
    )
    names = "call.args.y", "call.args.z"
    table, at = strings("p", "f", "$", "", *names, *"abstuyz", *lines)
    read = [
        u(2) + at["y"] + u(0) + b"\x00" + u(0) + u(0) + at["z"] + u(1) + unit + u(0) + u(0)
        for unit in (b"\x02", b"\x01")
    ]
    tools = [
        at["s"] + b"\x00\x00\x00\x00" + read[0] + u(0) + b"\x00",
        at["t"] + b"\x03\x00\x00\x00" + read[1] + u(0) + b"\x00",
        at["u"] + b"\x00\x00\x00\x00" + u(0) + u(0) + b"\x00",
    ]
    places = [
        b"\x05" + at[name] + b"\x00" + at["f"] + u(line) + u(1) + at[lines[line - 2]]
        for name, line in (("a", 2), ("b", 3))
    ]
    expected = artifact(
        table,
        at["p"] + at["f"] + at["$"] + at[""] + b"\x00",
        u(2) + at[names[0]] + b"\x00\x00\x01\x01" + u(0) + at[names[1]] + b"\x03\x00\x01\x00" + u(0),
        u(0),  # models
        u(3) + b"".join(tools),
        u(0) * 6,  # states, queues, zones, clock, conditions, templates
        u(2) + b"".join(places),
        u(0) * 6,  # rules, limits, retries, breakers, requires, route
        u(2) + u(0) + b"\x03" + u(0) + b"\x03" + u(1) + u(0) + u(0) + b"\x02\x00",
        u(1) + b"\x03" + u(0) + b"\x04\x03" + u(2) + u(0) + u(1) + u(2) + u(1) + u(2) + b"\x02\x00",
        u(0) * 2,  # loops, truth
    )
    assert compile_source(source, "f") == expected
