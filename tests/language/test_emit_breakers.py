"""The bytes of breakers and of a retry's share: written by hand."""

from checkrein.language import compile_source

from .test_emit_limits import artifact, strings, u

SECOND = 10**9


def test_the_bytes_of_breakers_and_of_a_share():
    terms = "{ opens when failures >= 12.5% of 20 in 30 s probes 3 after 15 s }"
    lines = [
        f'breaker "a" on tool class act {terms}',
        f'breaker "b" on provider any {terms}',
        f'breaker "c" on provider "x" {terms}',
        'retry "d" on tool "t" { attempts <= 3 share 20% of calls in 1 min, at least 4 } else deny',
    ]
    source = (
        'language 1 policy "p" model "m" is "x/m" { place edge window 9 tokens output 2 tokens price free } '
        'tool "t" { class act } loop off\n' + "\n".join(lines)
    )
    table, at = strings("p", "f", "$", "", "m", "x/m", "t", "x", *"abcd", *lines)
    places = [
        kind + at[name] + b"\x00" + at["f"] + u(line) + u(1) + at[text]
        for kind, name, line, text in zip([b"\x02"] * 3 + [b"\x01"], "abcd", range(2, 6), lines, strict=True)
    ]
    opens = u(125_000) + u(20) + u(30 * SECOND) + u(3) + u(15 * SECOND)
    written = compile_source(source, "f")
    retries = u(1) + u(3) + b"\x03" + u(0) + b"\x00" + u(3) + b"\x00\x00\x01"
    retries += u(200_000) + u(60 * SECOND) + u(4) + b"\x02\x00"
    breakers = u(3) + u(0) + b"\x01\x04\x03" + opens + u(1) + b"\x00\x00" + opens
    breakers += u(2) + b"\x00\x01" + at["x"] + opens
    assert table in written
    assert b"".join([u(4), *places]) in written
    assert written.endswith(b"\x00\x00" + retries + breakers + u(0) * 5)
    assert artifact(written[52:]) == written
