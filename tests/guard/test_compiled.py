"""A policy is compiled once for as long as nothing changes that was read; no entry is trusted more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import checkrein
from checkrein import cache as caches
from checkrein import compiled
from checkrein.cache import BYTES_MAX, ENTRIES_MAX, cache_folder
from checkrein.compiled import program_of

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = (ROOT / "grammar/examples/minimal.rein").read_bytes()
ZONED = b'language 1\npolicy "z"\nlimit "l" on run each day in "Europe/Rome" { steps <= 5 } else deny\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHECKREIN_CACHE", str(folder))
    return folder


@pytest.fixture
def compiles(monkeypatch):
    """How often the compiler was asked."""
    asked = []
    really = compiled._compile

    def compile(source, file, path):
        asked.append(file)
        return really(source, file, path)

    monkeypatch.setattr(compiled, "_compile", compile)
    return asked


def named(number):
    """A name as entries have them."""
    return f"{number:064x}.entry"


def entries(cache):
    return sorted(cache.iterdir())


def test_the_second_load_compiles_nothing(cache, compiles, tmp_path):
    policy = tmp_path / "p.rein"
    policy.write_bytes(MINIMAL)
    first, second = (checkrein.load(policy, log=None).program for _ in range(2))
    assert compiles == [str(policy)]
    assert first.digest == second.digest
    assert second.file == str(policy)
    (entry,) = entries(cache)
    assert [path.stat().st_mode & 0o777 for path in (cache, entry)] == [0o700, 0o600]


def test_another_process_takes_it_without_the_compiler(cache):
    program_of(MINIMAL, "p.rein")
    code = (
        "import sys\nfrom checkrein.compiled import program_of\n"
        f"program_of({MINIMAL!r}, 'p.rein')\nassert 'checkrein.language' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_text_or_name_is_another_program(cache, compiles):
    program_of(MINIMAL, "p.rein")
    assert program_of(MINIMAL, "q.rein").file == "q.rein"
    assert program_of(MINIMAL + b"# changed", "p.rein").meaning
    assert len(compiles) == len(entries(cache)) == 3


@pytest.mark.parametrize("what", ["compiler", "python", "zones"])
def test_whatever_made_it_is_part_of_its_name(cache, compiles, monkeypatch, tmp_path, what):
    program_of(MINIMAL, "p.rein")
    if what == "compiler":
        (tmp_path / "language").mkdir()
        (tmp_path / "language" / "check.py").write_text("")
        monkeypatch.setattr(caches, "PACKAGE", tmp_path)
    elif what == "python":
        monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-400")
    else:
        monkeypatch.setenv("PYTHONTZPATH", "/usr/share/zoneinfo")
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 2


@pytest.mark.parametrize("part", ["prices/snapshot.json", "analysis/claims.py", "amounts.py"])
def test_a_change_of_one_file_of_the_compiler_is_seen(tmp_path, monkeypatch, part):
    changed = tmp_path / part
    changed.parent.mkdir(exist_ok=True)
    changed.write_text("{}")
    monkeypatch.setattr(caches, "PACKAGE", tmp_path)
    before = caches._name("artifact", MINIMAL, "p.rein")
    assert caches._name("artifact", MINIMAL, "p.rein") == before
    changed.write_text("[]")
    os.utime(changed, ns=(1, 1))
    assert caches._name("artifact", MINIMAL, "p.rein") != before


def test_a_policy_with_mistakes_keeps_nothing(cache):
    with pytest.raises(checkrein.PolicyError):
        program_of(b"language 1", "p.rein")
    assert not cache.exists()


# -- what is stale or damaged ----------------------------------------------------------------------


def test_every_damaged_entry_is_made_anew(cache, compiles):
    digest = program_of(MINIMAL, "p.rein").digest
    (entry,) = entries(cache)
    good = entry.read_bytes()
    wrong = [good[:cut] for cut in range(0, len(good), 37)]
    wrong += [bytes(b ^ 1 if i == at else b for i, b in enumerate(good)) for at in range(0, len(good), 37)]
    wrong += [b"", b"\n", b"[]\n" + good, b"[" * 100_000, b'{"\\u0000": null}\n', b"5\n", good + b"\0"]
    for content in wrong:
        entry.write_bytes(content)
        assert program_of(MINIMAL, "p.rein").digest == digest
        assert entry.read_bytes() == good, "it is mended"
    assert len(compiles) == 1 + len(wrong)


def test_an_artifact_of_another_format_is_made_anew(cache, compiles):
    digest = program_of(MINIMAL, "p.rein").digest
    (entry,) = entries(cache)
    entry.write_bytes(entry.read_bytes().replace(b"slice", b"other"))
    assert program_of(MINIMAL, "p.rein").digest == digest
    assert len(compiles) == 2


def test_time_zones_that_changed_are_read_again(tmp_path):
    zones = tmp_path / "zones"
    (zones / "Europe").mkdir(parents=True)
    known = Path("/usr/share/zoneinfo")
    rome, london = ((known / name).read_bytes() for name in ("Europe/Rome", "Europe/London"))
    (zones / "Europe" / "Rome").write_bytes(rome)
    code = f"from checkrein.compiled import program_of; print(program_of({ZONED!r}, 'z').meaning)"
    variables = os.environ | {"PYTHONTZPATH": str(zones), "CHECKREIN_CACHE": str(tmp_path / "cache")}

    def meaning():
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
        return done.stdout, len(entries(tmp_path / "cache")), done.stderr

    first = meaning()
    assert first[1:] == (1, "")
    assert meaning() == first
    (zones / "Europe" / "Rome").write_bytes(london)
    changed = meaning()
    assert changed[0] != first[0]
    (zones / "tzdata.zi").write_text("# version 2031a\n")
    assert meaning()[0] not in (first[0], changed[0])


# -- who may have written it -----------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="only POSIX tells who can write a file")
@pytest.mark.parametrize("place", ["folder", "entry"])
def test_what_others_can_write_is_neither_read_nor_written(cache, compiles, place):
    program_of(MINIMAL, "p.rein")
    (entry,) = entries(cache)
    planted = cache if place == "folder" else entry
    planted.chmod(0o777)
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 2
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == (3 if place == "folder" else 2), "an entry is written anew, as ours alone"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="only POSIX tells whose a file is")
def test_an_entry_of_another_user_is_not_read(cache, compiles, monkeypatch):
    program_of(MINIMAL, "p.rein")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 2


def test_links_are_not_followed(cache, compiles, tmp_path):
    program_of(MINIMAL, "p.rein")
    (entry,) = entries(cache)
    elsewhere = entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(elsewhere)
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 2
    assert not entry.is_symlink()
    cache.rename(tmp_path / "real")
    cache.symlink_to(tmp_path / "real")
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 3


# -- where it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["off", ""])
def test_it_can_be_switched_off(cache, compiles, monkeypatch, told):
    monkeypatch.setenv("CHECKREIN_CACHE", told)
    assert cache_folder() is None
    program_of(MINIMAL, "p.rein")
    program_of(MINIMAL, "p.rein")
    assert len(compiles) == 2


def test_it_lies_where_the_platform_keeps_caches(monkeypatch):
    monkeypatch.delenv("CHECKREIN_CACHE")
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr(sys, "platform", "linux")
    for told, place in {"": "/home/ann/.cache", "here": "/home/ann/.cache", "/caches": "/caches"}.items():
        monkeypatch.setenv("XDG_CACHE_HOME", told)
        assert cache_folder() == Path(place) / "checkrein"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/ann/Library/Caches/checkrein")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/checkrein/Cache")


def test_a_user_without_a_home_has_none(monkeypatch, compiles):
    monkeypatch.delenv("CHECKREIN_CACHE")

    def nowhere():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_folder() is None
    program_of(MINIMAL, "p.rein")
    assert compiles


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_written_harms_nothing(monkeypatch, compiles, tmp_path, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHECKREIN_CACHE", str(tmp_path / place))
    assert program_of(MINIMAL, "p.rein").digest
    assert compiles


# -- how much of it there is -----------------------------------------------------------------------


def test_what_was_used_longest_ago_goes_first(cache):
    program_of(MINIMAL, "p.rein")
    (kept,) = entries(cache)
    for number in range(ENTRIES_MAX):
        old = cache / named(number)
        old.write_bytes(b"")
        os.utime(old, ns=(number + 1, number + 1))
    os.utime(kept, ns=(0, 0))
    program_of(MINIMAL, "p.rein")  # it is used, so it is the newest
    program_of(MINIMAL, "q.rein")
    names = {path.name for path in entries(cache)}
    assert len(names) == ENTRIES_MAX
    assert kept.name in names
    assert not {named(0), named(1)} & names


def test_large_entries_leave_sooner(cache):
    cache.mkdir(mode=0o700)
    for number in range(4):
        large = cache / named(number)
        with large.open("wb") as file:
            file.truncate(BYTES_MAX // 3)
        os.utime(large, ns=(number + 1, number + 1))
    program_of(MINIMAL, "p.rein")
    assert sum(path.stat().st_size for path in entries(cache)) <= BYTES_MAX
    assert {named(2), named(3)} < {path.name for path in entries(cache)}


def test_what_else_lies_in_the_folder_stays(cache):
    cache.mkdir(mode=0o700)
    foreign = [cache / name for name in ("letters.txt", "a.entry", f"{named(1)}.bak", "cafe")]
    for path in foreign:
        with path.open("wb") as file:
            file.truncate(BYTES_MAX + 1)
        os.utime(path, ns=(1, 1))
    left_by_a_crash = cache / f"{0:064x}.123.0a1b2c3d"
    left_by_a_crash.write_bytes(b" " * 10)
    os.utime(left_by_a_crash, ns=(1, 1))
    for number in range(ENTRIES_MAX):
        (cache / named(number)).write_bytes(b"")
    program_of(MINIMAL, "p.rein")
    assert all(path.exists() for path in foreign)
    assert not left_by_a_crash.exists()


def test_many_processes_at_once_leave_whole_entries(cache, tmp_path):
    code = (
        "import sys\nfrom checkrein.compiled import program_of\n"
        f"print({{program_of({MINIMAL!r}, f'p{{i % 3}}').digest for i in range(30)}} and 'fine')\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[0] for process in started] == [b"fine\n"] * 3
    assert len(entries(cache)) == 3
    assert {path.suffix for path in entries(cache)} == {".entry"}
