"""Policies of several files: what is read, which file a place is in, and what may not be included."""

import os
from pathlib import Path
from random import Random

import pytest

from checkrein import _core
from checkrein.diagnostics import render_all, to_json
from checkrein.errors import PolicyError
from checkrein.language import check, compile_source, parse
from tests.differential.generate import Maker, source_of

HEAD = 'language 1\npolicy "p"\nloop off\n'
ROOT = HEAD + 'include "common.rein"\nrule "r" on tool "search" then stop "over" because "No."\n'
COMMON = '# Shared.\ntool "search" { class retrieve }\nstate "over" tell user "Done."\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Writes files beside each other, and is where they are."""
    place = tmp_path / "policies"
    place.mkdir()
    monkeypatch.chdir(place)

    def write(**texts):
        for name, text in texts.items():
            path = place / (name.replace("__", "/") + ".rein")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    return write


def found(path="root.rein"):
    policy, findings = parse(Path(path).read_bytes(), path, path=path)
    findings = sorted([*findings, *(check(policy) if policy else [])], key=lambda each: each.order)
    return policy, findings


def told(path="root.rein"):
    """Each finding as its code, file, line and column."""
    return [f"{d.code} {d.file}:{d.line}:{d.column}" for d in found(path)[1]]


def test_an_included_file_is_a_part_of_the_policy(folder):
    folder(root=ROOT, common=COMMON)
    policy, findings = found()
    assert findings == []
    assert [type(each).__name__ for each in policy.statements] == ["Rule", "Tool", "State"]
    tool = policy.statements[1]
    assert policy.file_of(tool.span) == "common.rein"
    assert (tool.span.line, tool.span.column) == (2, 1)
    assert policy.source[tool.span.start : tool.span.end] == 'tool "search" { class retrieve }'
    assert policy.file_of(policy.statements[0].span) == "root.rein"


def test_it_means_what_one_file_would_mean(folder):
    folder(root=ROOT, common=COMMON)
    whole = _core.Program.load(compile_source(ROOT.replace('include "common.rein"\n', "") + COMMON, "p"))
    split = _core.Program.load(compile_source(ROOT, "root.rein", path="root.rein"))
    assert split.meaning == whole.meaning
    folder(common=COMMON.replace("Done", "Over"))
    assert _core.Program.load(compile_source(ROOT, "root.rein", path="root.rein")).meaning != whole.meaning


@pytest.mark.parametrize("number", range(12))
def test_a_policy_means_the_same_however_it_is_cut_into_files(folder, number):
    chance = Random(f"files {number}")
    made = Maker(chance).policy()
    whole = _core.Program.load(compile_source(made.source, "p.rein"))
    parts = {f"p{i}": [] for i in range(chance.randint(1, 6))}
    for statement in made.statements:
        parts[chance.choice(list(parts))].append(statement)
    # Each file is included by one before it, or by two.
    root = [source_of([]), *(f'include "{name}.rein"' for name in list(parts)[::2])]
    for i in range(len(parts) - 1):
        parts[f"p{i}"].insert(0, f'include "p{i + 1}.rein"')
    folder(root="\n".join(root), **{name: "\n".join(texts) for name, texts in parts.items()})
    split = _core.Program.load(compile_source(Path("root.rein").read_bytes(), "root.rein", path="root.rein"))
    assert split.meaning == whole.meaning
    assert [s["source"] for s in split.statements] == [s["source"] for s in whole.statements]


def test_the_artifact_says_which_file_a_statement_is_in(folder):
    rule = 'rule "r" on tool any then deny because "No."\n'
    folder(
        root=HEAD + '\ninclude "a/b.rein"\nrule "q" on tool any then deny because "No."\n',
        a__b="# A\n" + rule,
    )
    program = _core.Program.load(
        compile_source(Path("root.rein").read_bytes(), "root.rein", path="root.rein")
    )
    places = {s["name"]: (s["file"], s["line"], s["column"]) for s in program.statements}
    assert places == {"r": ("a/b.rein", 2, 1), "q": ("root.rein", 6, 1)}
    run = _core.Run(program, seed=0, now=0, wall=0, ledger=None)
    decision = run.tool_call(now=0, wall=0, tool="none", args={}, facts={}, call=None)
    assert decision.file is None, "no statement decided"


def test_names_are_relative_to_the_file_that_says_them_and_shown_from_the_root(folder, monkeypatch):
    place = folder(
        root=HEAD + 'include "lib/a.rein"\n',
        lib__a='include "b.rein"\ninclude "../c.rein"\ninclude "./../lib/../lib/b.rein"\n',
        lib__b='state "b" tell user "B" wrong\n',
        c='state "c" tell user "C" wrong\n',
    )
    assert told() == ["R0010 lib/b.rein:1:25", "R0010 c.rein:1:25"]
    monkeypatch.chdir(place.parent)
    assert told("policies/root.rein") == ["R0010 policies/lib/b.rein:1:25", "R0010 policies/c.rein:1:25"]
    absolute = str(place / "root.rein")
    assert told(absolute)[1] == f"R0010 {place / 'c.rein'}:1:25"


def test_a_file_counts_once_however_often_it_is_included(folder):
    folder(
        root=HEAD + 'include "a.rein"\ninclude "b.rein"\ninclude "a.rein"\n',
        a='include "common.rein"\n',
        b='include "common.rein"\n',
        common='rule "r" on tool any when has step.kind and has step.kind then deny because "No." wrong\n',
    )
    assert told() == ["R0010 common.rein:1:83"]
    folder(common='rule "r" on tool any then deny because "No."\n')
    assert told() == []


def test_mistakes_of_an_included_file_are_told_as_its_own(folder):
    wrong = 'limit "l" on run { cost <= 3 } else deny\n'
    folder(root=ROOT.replace('"over"', '"over" wrong'), common=COMMON + wrong)
    policy, findings = found()
    assert [f"{d.code} {d.file}:{d.line}:{d.column}" for d in findings] == [
        "R0015 root.rein:5:43",
        "R0201 common.rein:4:28",
    ]
    assert (
        "error R0201: `cost` is money, `3` is a count\n"
        " --> common.rein:4:28\n"
        "  |\n"
        '4 | limit "l" on run { cost <= 3 } else deny\n'
        "  |                            ^\n"
    ) in render_all(findings, policy.source)
    values = to_json(findings[1])
    line = COMMON + 'limit "l" on run { cost <= 3'
    assert (values["file"], values["start"], values["end"]) == ("common.rein", len(line) - 1, len(line))


def test_a_related_place_may_be_in_another_file(folder):
    folder(root=ROOT + 'state "over" tell user "Twice."\n', common=COMMON)
    policy, (finding,) = found()
    assert (finding.code, finding.file, finding.line) == ("R0102", "common.rein", 3)
    assert "note: declared here first (root.rein:6:7)" in render_all([finding], policy.source)
    (related,) = to_json(finding)["related"]
    assert (related["file"], related["line"], related["column"]) == ("root.rein", 6, 7)


def test_a_fix_is_an_edit_of_the_file_that_it_is_in(folder):
    folder(root=ROOT, common=COMMON + "tool slow { }\n")
    _, (finding,) = found()
    edit = to_json(finding)["fix"]
    text = COMMON + "tool slow { }\n"
    assert text[: edit["start"]] + edit["text"] + text[edit["end"] :] == COMMON + 'tool "slow" { }\n'


def test_what_an_unreadable_part_declares_is_not_missed(folder):
    folder(root=ROOT, common='tool "search" {\nstate "over" tell user "Done."\n')
    assert told() == ["R0011 common.rein:2:1"]
    folder(root=ROOT.replace("common", "comon"))
    assert told() == ["R0580 root.rein:4:9"]


def test_several_mistakes_of_several_files_in_one_run(folder):
    folder(
        root=HEAD + 'include "a.rein"\ntool one { }\ninclude "b.rein"\n',
        a="tool two { }\nrule\ntool three { }\n",
        b="tool four { }",
    )
    assert told() == [
        "R0010 root.rein:5:6", "R0018 a.rein:1:6", "R0010 a.rein:3:1", "R0018 a.rein:3:6", "R0018 b.rein:1:6",
    ]  # fmt: skip


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'state "a" tell user "Caf\xe9"', "R0002 common.rein:1:25"),
        (b"\xef\xbb\xbf" + COMMON.encode(), "R0003 common.rein:1:1"),
        ('state "a" tell user "e\u0301"'.encode(), "R0004 common.rein:1:22"),
        (b"#" * 300_000, "R0001 common.rein:1:1"),
    ],
)
def test_a_text_is_checked_as_a_policys_own_is(folder, content, expected):
    folder(root=HEAD + 'include "common.rein"\n', common=content)
    assert told() == [expected]
    policy, findings = found()
    assert "common.rein" in render_all(findings, policy.source)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("commom.rein", "there is no file `commom.rein`"),
        ("none/common.rein", "there is no file `none/common.rein`"),
        ("lib.rein", "`lib.rein` is a folder"),
        ("pipe.rein", "`pipe.rein` is no regular file"),
        ("loop.rein", "cannot read `loop.rein`: too many levels of symbolic links"),
        ("a" * 300 + ".rein", "cannot read `"),
    ],
)
def test_what_is_not_there_cannot_be_read(folder, name, message):
    place = folder(root=f'{HEAD}include "{name}"\n', common="")
    (place / "lib.rein").mkdir()
    os.mkfifo(place / "pipe.rein")
    (place / "loop.rein").symlink_to("loop.rein")
    (finding,) = found()[1]
    assert (finding.code, finding.line, finding.column) == ("R0580", 4, 9)
    assert finding.message.startswith(message)
    if name == "commom.rein":
        assert finding.help == "did you mean `common.rein`?"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(folder):
    place = folder(root=ROOT, common=COMMON)
    (place / "common.rein").chmod(0)
    (finding,) = found()[1]
    assert finding.message == "cannot read `common.rein`: permission denied"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/common.rein",
        "~/common.rein",
        "C:/common.rein",
        "C:common.rein",
        "https://example.org/common.rein",
        "file:///etc/common.rein",
        "../outside.rein",
        "lib/../../outside.rein",
        "out.rein",
        "way/outside.rein",
        "lib\\\\common.rein",
        "common",
        "common.reinc",
        "",
    ],
)
def test_only_files_of_the_policys_folder_are_included(folder, name):
    place = folder(root=f'{HEAD}include "{name}"\n', common=COMMON, lib__common=COMMON)
    (place.parent / "outside.rein").write_text(COMMON)
    (place / "out.rein").symlink_to("../outside.rein")
    (place / "way").symlink_to("..")
    assert told() == ["R0581 root.rein:4:9"]


def test_a_policy_behind_a_link_is_where_it_really_is(folder):
    place = folder(root=ROOT, common=COMMON)
    (place.parent / "link.rein").symlink_to(place / "root.rein")
    (place / "inner.rein").symlink_to("common.rein")
    assert told("../link.rein") == []
    folder(root=ROOT.replace("common", "inner"))
    assert told() == []


def test_a_text_that_is_no_file_includes_nothing():
    policy, (finding,) = parse(ROOT, "<stdin>")
    assert policy.broken
    assert (finding.code, finding.line, finding.column) == ("R0580", 4, 9)
    assert "is no file" in finding.message
    with pytest.raises(PolicyError):
        compile_source(ROOT, "root.rein")


@pytest.mark.parametrize(
    ("texts", "expected", "message"),
    [
        ({"root": HEAD + 'include "root.rein"'}, "root.rein:4:9", "`root.rein` includes itself"),
        (
            {"root": HEAD + 'include "a.rein"', "a": 'include "b.rein"', "b": 'include "a.rein"'},
            "b.rein:1:9",
            "`a.rein` includes itself, by way of `b.rein`",
        ),
        (
            {
                "root": HEAD + 'include "a.rein" include "b.rein"',
                "a": 'include "b.rein"',
                "b": 'include "c.rein"',
                "c": 'include "root.rein"',
            },
            "c.rein:1:9",
            "`root.rein` includes itself, by way of `a.rein`, `b.rein` and `c.rein`",
        ),
    ],
)
def test_no_file_includes_itself(folder, texts, expected, message):
    folder(**texts)
    (finding,) = found()[1]
    assert (finding.code, f"{finding.file}:{finding.line}:{finding.column}") == ("R0582", expected)
    assert finding.message == message


@pytest.mark.parametrize(
    ("header", "left", "codes"),
    [
        ('language 1 policy "q"\n', COMMON, []),
        ('# Top.\nlanguage 1\n# Middle.\npolicy "q"\n', "# Top.\n" + COMMON, []),
        ("language 1\n", None, []),
        ('language 7 policy "q"\n', COMMON, []),
        ('language 1 policy "q" wrong\n', None, ["R0010"]),
    ],
)
def test_an_included_file_has_no_header(folder, header, left, codes):
    text = header + COMMON
    folder(root=ROOT, common=text)
    findings = found()[1]
    assert [d.code for d in findings] == ["R0583", *codes]
    edit = to_json(findings[0])["fix"]
    if left is not None:
        fixed = text[: edit["start"]] + edit["text"] + text[edit["end"] :]
        assert fixed.split() == left.split()


def test_an_empty_file_is_included_in_vain(folder):
    for text in ("", "\n\n", "# Nothing yet.", "# Nothing yet.\n"):
        folder(
            root=HEAD + 'include "common.rein"\ninclude "b.rein"\n',
            common=text,
            b='state "b" tell user "B" x',
        )
        assert told() == ["R0010 b.rein:1:25"]


def test_there_is_an_end_to_what_is_included(folder):
    chain = {f"f{i}": f'include "f{i + 1}.rein"\nstate "s{i}" tell user "S"\n' for i in range(80)}
    folder(root=HEAD + 'include "f0.rein"\n', **chain, f80="")
    assert told() == ["R0584 f62.rein:1:9"]
    large = {f"l{i}": "#" * 250_000 for i in range(6)}
    folder(root=HEAD + "".join(f'include "{name}.rein"\n' for name in large), **large)
    assert told() == ["R0584 root.rein:8:9"]


# -- what is said about statements -----------------------------------------------------------------


def test_what_a_shared_file_declares_may_be_for_another_policy(folder):
    shared = (
        COMMON
        + 'state "spare" tell user "S."\nqueue "spare" { expires 1 h }\ndefine is.spare = has step.kind\n'
    )
    folder(root=ROOT, common=shared)
    assert told() == []
    folder(root=ROOT.replace('include "common.rein"\n', shared))
    assert [each[:5] for each in told()] == ["R0109", "R0109", "R0108"]


def test_a_shared_file_may_say_which_clock_other_policies_read(folder):
    clock = 'clock in "Europe/Rome"\n'
    folder(root=ROOT, common=COMMON + clock)
    assert told() == []
    folder(root=ROOT + clock)
    assert told() == ["R0025 common.rein:4:1"]


ALWAYS = 'rule "never" on tool any when step.index < 0 then deny because "No."'


def test_an_allowance_is_about_its_own_file(folder):
    folder(root=HEAD + f'include "common.rein"\n{ALWAYS}\n', common=ALWAYS.replace("never", "nowhere") + "\n")
    codes = {each[:5] for each in told()}
    assert len(codes) == 1
    (code,) = codes
    allowance = f"# checkrein: allow {code} because it is a test\n"
    folder(common=allowance + ALWAYS.replace("never", "nowhere") + "\n")
    assert told() == [f"{code} root.rein:5:31"]
    # At the end of a file it is about nothing, least of all about the next file.
    folder(
        root=HEAD + f'include "common.rein"\n{ALWAYS}  {allowance}\n{allowance}',
        common="\n" + ALWAYS.replace("never", "no"),
    )
    assert told() == ["R0550 root.rein:7:20", f"{code} common.rein:2:28"]
    # Before the header it is about the policy's own file, not about what that includes.
    folder(root=allowance + HEAD + f'include "common.rein"\n{ALWAYS}\n')
    assert told() == [f"{code} common.rein:2:28"]


def test_what_another_policy_may_use_is_no_finding(folder):
    """A fact that nothing reads, a bound that nothing counts in, a model that nothing leads to."""
    model = 'model "{}" is "x/m" {{ place edge window 8k tokens output 1k tokens price free }}\n'
    limit = 'limit "l" on run { retries <= 3 } else deny\n'
    shared = f"fact data.class text\n{model.format('spare')}{limit}"
    root = HEAD + model.format("m")
    route = 'route "r" { to "m" }\n'
    folder(root=root + 'include "common.rein"\n', common=shared, alone=root + route + shared)
    folder(routed=root + route + 'include "few.rein"\n', few=shared.replace(limit, ""))

    def codes(path):
        policy, findings = parse(Path(path).read_bytes(), path, path=path)
        assert not findings
        return [each.code for each in check(policy, deep=True)]

    assert codes("alone.rein") == ["R0639", "R0637"]
    assert codes("root.rein") == codes("routed.rein") == []
