"""When clocks change, and what a policy is told about a zone that nobody knows."""

import datetime
import itertools
import zoneinfo

import pytest

from checkrein.language import check, parse, zones

HOUR = 3600
SOME = ("Europe/Rome", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca",
        "Asia/Pyongyang", "Pacific/Apia", "America/Caracas", "Africa/Juba")  # fmt: skip


def policy(zone):
    return f'language 1\npolicy "p"\nlimit "l" on user each day in "{zone}" {{ cost <= $1 }} else deny\n'


def findings(zone):
    tree, found = parse(policy(zone), "p.rein")
    return found + check(tree)


def forget():
    zones.zone.cache_clear()
    zones.known_zones.cache_clear()


def second(text):
    return int(datetime.datetime.fromisoformat(text).timestamp())


def offset(name, instant):
    moment = datetime.datetime.fromtimestamp(instant, datetime.UTC).astimezone(zoneinfo.ZoneInfo(name))
    return int(moment.utcoffset().total_seconds())


def at(zone, instant):
    """The offset that the table gives."""
    return next((o for s, o in reversed(zone.transitions) if s <= instant), zone.offset)


def test_utc_needs_no_data():
    assert zones.zone("UTC") == zones.Zone("UTC", "", 0, ())


def test_a_zone_that_never_changed_since():
    assert zones.zone("Asia/Kolkata").offset == 19_800
    assert zones.zone("Asia/Kolkata").transitions == ()


def test_a_zone_that_changed_twice():
    assert zones.zone("Asia/Pyongyang").transitions == (
        (second("2015-08-14T15:00:00Z"), 30_600),
        (second("2018-05-04T15:00:00Z"), 32_400),
    )


def test_summer_time_to_the_end_of_the_century():
    rome = zones.zone("Europe/Rome")
    assert rome.offset == 3600
    assert rome.transitions[0] == (second("2000-03-26T01:00:00Z"), 7200)
    assert rome.transitions[-1] == (second("2099-10-25T01:00:00Z"), 3600)
    assert len(rome.transitions) == 200
    assert (second("2026-03-29T01:00:00Z"), 7200) in rome.transitions


def test_a_day_that_was_left_out():
    assert (second("2011-12-30T10:00:00Z"), 14 * HOUR) in zones.zone("Pacific/Apia").transitions


@pytest.mark.parametrize("name", SOME)
def test_the_table_is_the_zone(name):
    zone = zones.zone(name)
    assert [s for s, _ in zone.transitions] == sorted({s for s, _ in zone.transitions})
    offsets = [zone.offset, *(o for _, o in zone.transitions)]
    assert all(before != after for before, after in itertools.pairwise(offsets))
    for instant, new in zone.transitions:
        assert offset(name, instant) == new
        assert offset(name, instant - 1) == at(zone, instant - 1) != new
    # Every hour of some years, by another way than the one that made the table.
    for year in (2000, 2011, 2015, 2026, 2087, 2099):
        start = second(f"{year}-01-01T00:00:00Z")
        assert all(offset(name, t) == at(zone, t) for t in range(start, start + 365 * 24 * HOUR, HOUR))


def test_every_known_zone_can_be_read():
    some = sorted(zones.known_zones())[::17]
    assert len(some) > 20
    for name in some:
        zone = zones.zone(name)
        assert zone is not None
        assert zone.version == zones.zone("Europe/Rome").version
        assert abs(zone.offset) <= 86_400


def test_the_version_is_that_of_the_database(tmp_path, monkeypatch):
    (tmp_path / "Asia").mkdir()
    (tmp_path / "Asia" / "Kolkata").write_bytes(b"TZif")
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
    assert zones._version("Asia/Kolkata") == "unknown"
    (tmp_path / "+VERSION").write_text("2031c\n")
    assert zones._version("Asia/Kolkata") == "2031c"
    (tmp_path / "tzdata.zi").write_text("# version 2031d\nR A 1\n")
    assert zones._version("Asia/Kolkata") == "2031d"


def test_a_machine_without_data_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    forget()
    try:
        (found,) = findings("Europe/Rome")
        assert found.code == "R0310"
        assert found.message == "unknown time zone `Europe/Rome`: this machine has no time zone data"
        assert found.help == "install it: `pip install tzdata`"
        assert findings("UTC") == []
    finally:
        forget()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Europe/Roma", "Europe/Rome"),
        ("europe/rome", "Europe/Rome"),
        ("Rome", "Europe/Rome"),
        ("New York", "America/New_York"),
        ("America/NewYork", "America/New_York"),
        ("utc", "UTC"),
        ("Asia/Calcuta", "Asia/Calcutta"),
    ],
)
def test_a_zone_that_was_nearly_right(wrong, meant):
    (found,) = findings(wrong)
    assert (found.code, found.help) == ("R0310", f"did you mean `{meant}`?")


@pytest.mark.parametrize(
    "wrong",
    ["", "/", "..", "../Rome", "/etc/localtime", "Europe", "UTC+2", "+02:00", "posixrules", "x" * 5000],
)
def test_a_name_that_is_no_zone(wrong):
    (found,) = findings(wrong)
    assert found.code == "R0310"
