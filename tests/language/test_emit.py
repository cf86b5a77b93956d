"""Tree to bytes: the same always, accepted by the loader, and exactly these for a small policy."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkrein import _core
from checkrein.language import compile_source, parse
from checkrein.language.lower import lower

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "grammar" / "examples").glob("*.rein"))
HEADER = 'language 1\npolicy "p"\n'


def operations(condition, declarations=""):
    source = (
        HEADER
        + declarations
        + f'tool "t" {{ }}\nrule "r" on tool "t" when {condition} then deny because "No."\n'
    )
    policy, found = parse(source, "p.rein")
    assert found == []
    return [
        (op[0], op[1][0], *op[2:]) if isinstance(op[1] if len(op) > 1 else None, tuple) else op
        for op in lower(policy).conditions[0]
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_loads(path):
    data = compile_source(path.read_bytes(), path.name)
    program = _core.Program.load(data)
    assert program.file == path.name
    assert program.language == 1
    assert program.digest in (hashlib.sha256(data).hexdigest(), hashlib.sha256(data[52:]).hexdigest())
    source = path.read_text(encoding="utf-8")
    for statement in program.statements:
        if statement["line"] == 0:  # the language's own loop
            continue
        line = source.splitlines()[statement["line"] - 1]
        assert line[statement["column"] - 1 :].startswith(f'{statement["kind"]} "{statement["name"]}"')
        assert statement["source"] in source


def test_the_same_text_gives_the_same_bytes_in_any_process():
    here = [compile_source(path.read_bytes(), path.name) for path in EXAMPLES]
    assert [compile_source(path.read_text(encoding="utf-8"), path.name) for path in EXAMPLES] == here
    program = (
        "import sys, pathlib; from checkrein.language import compile_source;"
        "paths = [pathlib.Path(p) for p in sys.argv[1:]];"
        "print(*(compile_source(p.read_bytes(), p.name).hex() for p in paths))"
    )
    for seed in ("0", "1", "4711"):
        there = subprocess.run(
            [sys.executable, "-c", program, *map(str, EXAMPLES)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert [bytes.fromhex(data) for data in there.stdout.split()] == here


def test_the_order_of_statements_changes_no_decision_table():
    statements = [
        'tool "t" { }\n', 'tool "a" { class act }\n',
        'state "s" tell user "S."\n', 'state "b" tell user "B."\n',
        'rule "y" on tool "t" then stop "s" because "Y."\n',
        'rule "x" on tool "a" then stop "b" because "X."\n',
    ]  # fmt: skip

    def tables(order):
        program = _core.Program.load(compile_source(HEADER + "".join(order), "p.rein"))
        return program.tools, [(s["kind"], s["name"]) for s in program.statements]

    assert tables(statements) == tables(statements[::-1])


def test_conditions_jump_over_what_is_decided():
    assert operations("has step.kind and step.index > 1 and step.index < 9") == [
        ("has", "step.kind"),
        ("jump_if_false", 2),
        ("compare", "step.index", 4, (2, 1)),
        ("and",),
        ("jump_if_false", 2),
        ("compare", "step.index", 2, (2, 9)),
        ("and",),
    ]
    assert operations("step.index == 1 or not (has step.kind and step.index != 2)") == [
        ("compare", "step.index", 0, (2, 1)),
        ("jump_if_true", 6),
        ("has", "step.kind"),
        ("jump_if_false", 2),
        ("compare", "step.index", 1, (2, 2)),
        ("and",),
        ("not",),
        ("or",),
    ]


def test_sets_are_sorted_and_without_repetition():
    declared = "fact data.x text\nfact data.n count\nfact data.f flag\n"
    assert operations('data.x in ["b", "\u00e4", "a", "b"]', declared) == [
        ("member", "data.x", [(0, "a"), (0, "b"), (0, "\u00e4")])
    ]
    assert operations("data.n in [10, 9, 10]", declared) == [("member", "data.n", [(2, 9), (2, 10)])]
    assert operations("data.f in [true, false]", declared) == [("member", "data.f", [(1, False), (1, True)])]


def test_a_define_is_put_in_where_it_is_used():
    assert operations("data.late", "define data.late = step.index > 5\n") == [
        ("compare", "step.index", 4, (2, 5))
    ]


def test_the_bytes_of_a_small_policy():
    source = (
        'language 1 policy "p" loop off\n'
        'tool "t" { class act  once  timeout 1 s  args { "a" money in cents optional  "b" text }'
        ' result { "n" count } succeeds when has result.n }\n'
        'rule "r" on tool "t" when has call.args.a and call.args.a > $0.01 then stop "s" because "No."\n'
        'state "s" tell user "Done."\n'
    )
    rule = source.splitlines()[2]
    strings = sorted(
        ["p", "f", "$", "call.args.a", "result.n", "n", "t", "a", "s", "Done.", "r", rule, "No.", ""]
    )
    at = {text: bytes([strings.index(text)]) for text in strings}
    payload = b"".join(
        [
            bytes([len(strings)]), *(bytes([len(s)]) + s.encode() for s in strings),
            at["p"], at["f"], at["$"], at[""], b"\x00",  # no price of the snapshot, any store
            b"\x02", at["call.args.a"], b"\x03\x00\x01\x01\x00",  # one of money, of an argument, optional
            at["result.n"], b"\x02\x00\x03\x00\x00",  # a count, of a result
            b"\x00",  # models
            b"\x01", at["t"], b"\x03\x01\x00\x01\x80\x94\xeb\xdc\x03", b"\x01", at["a"], b"\x00\x02\x00\x00",
            b"\x01", at["n"], b"\x01\x00\x00\x00", b"\x01\x01",  # its result, and the condition on it
            b"\x01", at["s"], b"\x00\x01", at["Done."],
            b"\x00\x00\x00",  # queues, zones, clock
            b"\x02\x04\x02\x00\x08\x02\x00\x00\x04\x03\x80\xda\xc4\x09\x06",
            b"\x01\x02\x01",  # has result.n
            b"\x00",  # templates
            b"\x01\x08", at["r"], b"\x00", at["f"], b"\x03\x01", at[rule],
            b"\x01\x00\x03\x00\x01\x00\x00\x00", at["No."],
            b"\x00\x00\x00\x00\x00\x00\x00\x00",  # from limits to truth
        ]
    )  # fmt: skip
    header = (
        b"REIN\x01\x00\x01\x00slice006"
        + hashlib.sha256(payload).digest()
        + len(payload).to_bytes(4, "little")
    )
    assert compile_source(source, "f") == header + payload


def test_an_argument_fact_joins_the_tools_that_declare_it():
    source = HEADER + (
        'tool "a" { args { "x" text optional  "unread" text } }\ntool "b" { args { "x" one of "u", "v" } }\n'
        'tool "c" { args { "x" count } }\nrule "r" on tool "a" when has call.args.x then deny because "No."\n'
        'rule "q" on tool "c" when call.args.x > 5 then deny because "No."\n'
    )
    program = _core.Program.load(compile_source(source, "p.rein"))
    assert [(f["name"], f["dimension"], f["presence"]) for f in program.facts] == [
        ("call.args.x", "text", "optional"),
        ("call.args.x", "count", "required"),
    ]
    assert [[(a["name"], a["dimension"]) for a in t["args"]] for t in program.tools] == [
        [("x", "text")],
        [("x", "text")],
        [("x", "count")],
    ]


def test_the_embedded_grammar_is_the_one_in_the_repository():
    assert (ROOT / "grammar" / "rein.lark").read_text(encoding="utf-8") == _core.GRAMMAR
