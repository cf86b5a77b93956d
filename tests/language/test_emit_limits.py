"""The bytes of everything that is kept beyond a run: written by hand, section by section."""

import hashlib

from checkrein.language import compile_source, zones

DAY_NS = 86_400 * 10**9


def u(value):
    """LEB128, the shortest form."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def i(value):
    return u(2 * value if value >= 0 else -2 * value - 1)


def artifact(*sections):
    payload = b"".join(sections)
    size = len(payload).to_bytes(4, "little")
    return b"REIN\x01\x00\x01\x00slice006" + hashlib.sha256(payload).digest() + size + payload


def strings(*texts):
    table = sorted({t.encode() for t in texts})
    section = u(len(table)) + b"".join(u(len(t)) + t for t in table)
    return section, {t.decode(): u(n) for n, t in enumerate(table)}


def test_the_bytes_of_wider_limits():
    lines = [
        'limit "a" on user each day in "Asia/Pyongyang" { cost <= $5 on failure deny } else escalate to "q"',
        'limit "b" on tenant.id rolling 1 d { tool_calls <= 60 counts succeeded } else deny because "Slow."',
        'limit "c" on run { steps <= 9 cost <= $3 calls of tool "t" <= 2 calls of model "m" <= 4'
        ' wrap up 2 calls $1 at 80% warn "w" } else stop "s"',
        'limit "d" on org each month { attempts <= 7 on failure allow counts executed } else fail "s"',
    ]
    source = (
        'language 1 policy "p" loop off store shared fact tenant.id one of "y", "x"\n'
        'model "m" is "x/m" { place cloud window 9 tokens output 2 tokens '
        "price input $1 output $2 cache write $3 per 1M tokens }\n"
        'tool "t" { } state "s" tell user "S."\n'
        'queue "q" { expires 1 s default stop "s" grants $5 at most 2 times }\n' + "\n".join(lines)
    )
    version = zones.zone("Asia/Pyongyang").version
    table, at = strings(
        "p", "f", "$", "", "tenant.id", "x", "y", "m", "x/m", "t", "s", "S.", "q", "Asia/Pyongyang", version,
        "UTC", "a", "b", "c", "d", "Slow.", "w", *lines,
    )  # fmt: skip
    dollar = 10**9
    own = u(dollar) + u(2 * dollar) + u(dollar) + u(3 * dollar) + u(2 * dollar)
    limits = [
        u(0) + b"\x02" + b"\x01\x01" + u(0),  # user, each day, zone 0
        u(1) + b"\x00" + u(5 * dollar) + u(0) + b"\x00\x01" + u(0),  # cost, attempted, deny, no wrap-up
        u(0) + b"\x03" + u(0) + b"\x00",  # no threshold, escalate to queue 0, no reason
        u(1) + b"\x05" + u(0) + b"\x02" + u(DAY_NS),  # the fact 0, rolling
        u(1) + b"\x06" + u(60) + u(0) + b"\x02\x00" + u(0),
        u(0) + b"\x02" + b"\x01" + at["Slow."],
        u(2) + b"\x00" + b"\x00",  # run, for ever
        u(4) + b"\x00" + u(3 * dollar) + u(dollar) + b"\x04" + u(9) + u(2),
        b"\x0c\x01" + u(0) + u(4) + u(2) + b"\x0c\x03" + u(0) + u(2) + u(0),
        b"\x00\x00" + u(2) + u(1) + u(800_000) + b"\x01" + at["w"] + b"\x00" + u(0) + b"\x00",
        u(3) + b"\x04" + b"\x01\x03" + u(1),  # org, each month, zone 1
        u(1) + b"\x07" + u(7) + u(0) + b"\x01\x02" + u(0),
        u(0) + b"\x01" + u(0) + b"\x00",
    ]
    places = [
        at[n] + b"\x00" + at["f"] + u(line) + u(1) + at[t]
        for n, line, t in zip("abcd", range(5, 9), lines, strict=True)
    ]
    expected = artifact(
        table,
        at["p"] + at["f"] + at["$"] + at[""] + b"\x01",
        u(1) + at["tenant.id"] + b"\x00\x00\x00\x00" + u(2) + at["x"] + at["y"],
        u(1) + at["m"] + at["x/m"] + u(0) + b"\x01\x00" + u(9) + u(2) + u(1),
        b"\x01" + u(1) + u(0) + u(0) + u(1440) + own,
        u(1) + at["t"] + b"\x00\x00\x00\x00" + u(0) + u(0) + b"\x00",
        u(1) + at["s"] + b"\x00\x01" + at["S."],
        u(1) + at["q"] + u(10**9) + b"\x01" + u(0) + b"\x01\x03" + u(5 * dollar) + u(2) + u(0),
        u(2) + at["Asia/Pyongyang"] + at[version] + i(32_400),
        u(2) + u(1_439_564_400) + i(30_600) + u(1_525_446_000) + i(32_400),
        at["UTC"] + at[""] + i(0) + u(0),
        u(0) * 3,  # clock, conditions, templates
        u(4) + b"".join(b"\x00" + place for place in places),
        u(0) + u(4) + b"".join(limits),
        u(0) * 7,
    )
    assert compile_source(source, "f") == expected


def test_the_bytes_of_a_price_from_the_snapshot():
    from checkrein import prices

    source = (
        'language 1 policy "p" model "m" is "openai/gpt-5" { place edge window 9 tokens output 2 tokens }'
        " loop off"
    )
    table, at = strings("p", "f", "$", prices.SNAPSHOT_ID, "m", "openai/gpt-5")
    tariffs = prices.tariffs("openai/gpt-5", "$")
    expected = artifact(
        table,
        at["p"] + at["f"] + at["$"] + at[prices.SNAPSHOT_ID] + b"\x00",
        u(0),
        u(1) + at["m"] + at["openai/gpt-5"] + u(0) + b"\x00\x00" + u(9) + u(2) + u(1),
        b"\x01" + u(len(tariffs)) + b"".join(u(n) for tariff in tariffs for n in tariff),
        u(0) * 17,
    )
    assert compile_source(source, "f") == expected
