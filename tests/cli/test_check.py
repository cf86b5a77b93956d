"""`checkrein check`: findings, formats and exit codes."""

import json

import pytest


def test_a_clean_policy(command):
    printed = command("check", "support.rein")
    assert (printed.exit_code, printed.stdout, printed.stderr) == (0, "no mistakes in 1 file\n", "")


def test_every_mistake_in_full(command, snapshot):
    printed = command("check", "mistakes.rein")
    assert printed.exit_code == 1
    assert printed.stderr == ""
    snapshot("check_mistakes", printed.stdout)


def test_every_mistake_as_json(command, snapshot):
    printed = command("check", "--format", "json", "mistakes.rein", "support.rein")
    assert printed.exit_code == 1
    findings = json.loads(printed.stdout)
    assert {f["file"] for f in findings} == {"mistakes.rein"}
    assert all(f["line"] and f["column"] and f["code"] and f["message"] for f in findings)
    snapshot("check_mistakes_json", printed.stdout)


def test_no_mistake_as_json(command):
    printed = command("check", "--format", "json", "support.rein")
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, [])


def test_folders_are_searched_and_every_file_is_checked_once(command, folder):
    deeper = folder / "a" / "b"
    deeper.mkdir(parents=True)
    (deeper / "deep.rein").write_text((folder / "support.rein").read_text())
    hidden = folder / ".venv"
    hidden.mkdir()
    (hidden / "broken.rein").write_text("not a policy")
    for other in ("mistakes.rein", "indexed.rein"):
        (folder / other).unlink()
    printed = command("check", ".", "support.rein", "a")
    assert (printed.exit_code, printed.stdout) == (0, "no mistakes in 3 files\n")


def test_stdin(command, folder):
    source = (folder / "mistakes.rein").read_text()
    printed = command("check", "-", stdin=source)
    assert printed.exit_code == 1
    assert "--> <stdin>:8:" in printed.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.rein"], "cannot read `nowhere.rein`: no such file or directory"),
        (["empty"], "no `*.rein` file in the folder `empty`"),
        (["support.reinc"], "`support.reinc` is compiled; give its source"),
        ([], "Missing argument 'FILE...'"),
        (["--format", "xml", "support.rein"], "'xml' is not one of"),
    ],
)
def test_what_cannot_be_checked(command, folder, words, told):
    (folder / "empty").mkdir()
    printed = command("check", *words)
    assert printed.exit_code == 2
    assert printed.stdout == ""
    assert told in printed.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbflanguage 1",
        b"(" * 100_000,
        b'language 1 policy "x"' * 20_000,
    ],
    ids=["empty", "nul", "not utf-8", "byte order mark", "nested", "large"],
)
def test_bytes_that_are_no_policy(command, folder, data):
    (folder / "odd.rein").write_bytes(data)
    printed = command("check", "odd.rein")
    assert printed.exit_code == 1
    assert "error R" in printed.stdout
    assert printed.stderr == ""


SLIPS = (
    'language 1\npolicy "p"\ntool search { }\nrule "r" on tool "serch" if has step.kind deny because "No."\n'
)
SLIPS = SLIPS.replace("\n", "\r\n")


def test_fix_puts_right_what_is_sure_and_checks_what_is_left(command, folder):
    (folder / "slips.rein").write_bytes(SLIPS.encode())
    printed = command("check", "slips.rein")
    assert printed.stdout.endswith("2 findings in 1 file; `--fix` puts all of them right\n")
    printed = command("check", "--fix", "slips.rein", "support.rein")
    assert (printed.exit_code, printed.stderr) == (1, "slips.rein: 3 fixed\n")
    assert printed.stdout.startswith("error R0101: unknown tool `serch`\n --> slips.rein:4:18\n")
    assert printed.stdout.endswith("1 finding in 2 files\n")
    right = SLIPS.replace("search {", '"search" {').replace("if has", "when has").replace("deny", "then deny")
    assert (folder / "slips.rein").read_bytes() == right.encode()


def test_fix_touches_nothing_without_need(command, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    printed = command("check", "--fix", "support.rein", "mistakes.rein")
    assert (printed.exit_code, printed.stderr) == (1, "")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert "in place" in command("check", "--fix", "-", stdin=SLIPS).stderr


def test_fix_leaves_what_is_no_text_to_its_finding(command, folder):
    (folder / "latin.rein").write_bytes(b"tool search { } # \xe9")
    printed = command("check", "--fix", "latin.rein")
    assert (printed.exit_code, printed.stderr) == (1, "")
    assert printed.stdout.startswith("error R0002: ")


def test_a_fix_as_json(command):
    printed = command("check", "--format", "json", "-", stdin=SLIPS)
    first, second = json.loads(printed.stdout)
    assert SLIPS[first["fix"]["start"] : first["fix"]["end"]] == "search"
    assert (first["fix"]["text"], second["fix"]["text"]) == ('"search"', "when")


def test_fix_leaves_what_the_project_ignores(command, folder):
    (folder / "slips.rein").write_text(
        'language 1\npolicy "p"\nloop off # checkrein: allow R0109 because it was\n'
    )
    (folder / "pyproject.toml").write_text('[tool.checkrein]\nignore = ["R0550"]\n')
    assert command("check", "--fix", "slips.rein").stderr == ""
    (folder / "pyproject.toml").unlink()
    assert command("check", "--fix", "slips.rein").stderr == "slips.rein: 1 fixed\n"


def test_a_path_that_is_not_there_hides_nothing_of_those_before_it(command):
    alone = command("check", "--format", "concise", "mistakes.rein")
    printed = command("check", "--format", "concise", "mistakes.rein", "nofile.rein")
    assert (printed.exit_code, printed.stdout) == (2, alone.stdout)
    assert "nofile.rein" in printed.stderr
    assert json.loads(command("check", "--format", "json", "support.rein", "nofile.rein").stdout) == []
    assert command("check", "nofile.rein").stdout == ""
