"""`checkrein schema`: files and stdin, what can be wrong with them, and exit codes."""

import json

import pytest

TOOLS = {
    "tools": [{"name": "search", "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}}]
}
STATEMENT = """\
tool "search" {
  # write `class retrieve`, `class reason` or `class act`: its schema does not say
  args {
    "q" text optional
  }
}
"""
HEADER = 'language 1\npolicy "p"\n'


def test_files_and_stdin(command, folder):
    (folder / "tools.json").write_text(json.dumps(TOOLS))
    (folder / "look.json").write_text(json.dumps({"type": "object", "properties": {}}))
    done = command("schema", "tools.json")
    assert (done.exit_code, done.stdout, done.stderr) == (0, STATEMENT, "")
    assert command("schema", "-", stdin=json.dumps(TOOLS)).stdout == STATEMENT
    assert 'tool "look" {' in command("schema", "tools.json", "look.json").stdout


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON: expecting value (line 1, column 1)"),
        (b'{"a": 1,\n}', "(line 2, column 1)"),
        (b'{"a": "\xe9"}', "is no UTF-8 text (byte 7)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"1" * 5_000, "is no JSON that can be read"),
        (b" " * (16 * 2**20 + 1), "is larger than 16 MiB"),
        (b"[]", "no tools found"),
        (b'[{"name": "a"}, {"name": "a"}]', "two tools are called `a`"),
    ],
)
def test_what_can_be_wrong_with_a_file(command, folder, data, said):
    (folder / "tools.json").write_bytes(data)
    done = command("schema", "tools.json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert "internal" not in done.stderr


def test_a_file_that_is_not_there(command, folder):
    done = command("schema", "none.json")
    assert (done.exit_code, done.stderr) == (2, "error: cannot read `none.json`: no such file or directory\n")


def test_one_page_of_a_list_is_told(command, folder):
    done = command("schema", "-", stdin=json.dumps({**TOOLS, "nextCursor": "x"}))
    assert (done.exit_code, done.stdout) == (0, STATEMENT)
    assert "one page of a longer list" in done.stderr


def test_drift(command, folder):
    (folder / "tools.json").write_text(json.dumps(TOOLS))
    (folder / "p.rein").write_text(HEADER + STATEMENT)
    done = command("schema", "tools.json", "--check", "p.rein")
    assert (done.exit_code, done.stdout) == (0, "no mistakes in 1 file\n")
    (folder / "p.rein").write_text(HEADER + STATEMENT.replace("text optional", "count"))
    done = command("schema", "tools.json", "--check", "p.rein", "--format", "concise")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "p.rein:6:5: error R0594: argument `q` of tool `search` may be missing "
        "(write `optional`, and guard what reads it by `has`)",
        "p.rein:6:9: error R0593: argument `q` of tool `search` is a text in its schema (write `text`)",
        "2 findings in 1 file",
    ]
    (folder / "p.rein").write_text(HEADER + STATEMENT.replace('    "q" text optional\n', ""))
    assert command("schema", "tools.json", "--check", "p.rein").exit_code == 0
    assert command("schema", "tools.json", "--check", "p.rein", "--strict").exit_code == 1
    (folder / "p.rein").write_text("language 1")
    assert command("schema", "tools.json", "--check", "p.rein").exit_code == 1
    assert command("schema", "tools.json", "--strict").exit_code == 2
