"""The header for C and the Rust code behind it declare the same, in the same order."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "python/checkrein/include/checkrein.h").read_text(), flags=re.S)
RUST = {path.stem: re.sub(r"//.*", "", path.read_text()) for path in (ROOT / "rust/c/src").glob("*.rs")}
ALL_RUST = "\n".join(RUST.values())

# What a field is on the wire. A Rust span is a pointer and a size.
SPAN = ["pointer", "size"]
OF_C = {"uint32_t": ["u32"], "uint64_t": ["u64"], "size_t": ["size"]} | {
    "checkrein_text": SPAN, "checkrein_buffer": SPAN,
}  # fmt: skip
OF_RUST = {"u32": ["u32"], "u64": ["u64"], "usize": ["size"], "Texts": SPAN, "Of": ["union"]}


def structures_of_c():
    """Name to fields, each with what it is on the wire."""
    found = {}
    body = re.sub(r"union \{.*?\} of;", "union of;", HEADER, flags=re.S)
    for fields, name in re.findall(r"typedef struct \w* ?\{([^}]*)\} (\w+);", body):
        wire = []
        for field in filter(None, (part.strip() for part in fields.split(";"))):
            kind, _, label = field.rpartition(" ")
            if "(*" in field:
                continue
            if kind == "union":
                wire.append((label, ["union"]))
            elif label.startswith("*"):
                wire.append((label[1:], ["pointer"]))
            else:
                wire.append((label, OF_C[kind]))
        found[name.removeprefix("checkrein_")] = wire
    return found


def structures_of_rust():
    found = {}
    pattern = r"#\[repr\(C\)\]\s*(?:#\[.*?\]\s*)*pub(?:\(crate\))? struct (\w+)(?:<\w+>)? \{(.*?)\n\s*\}"
    for name, fields in re.findall(pattern, ALL_RUST, flags=re.S):
        wire = []
        for label, kind in re.findall(r"(?:pub\(crate\) )?(\w+): ([^\n]+),", fields):
            if kind.startswith("*"):
                kinds = ["pointer"]
            else:
                kinds = SPAN if kind.startswith("Span<") else OF_RUST.get(kind)
            if kinds:
                wire.append((label, kinds))
        found[name.lower()] = wire
    for name in re.search(r"handles! \{ ([\w ]+) \}", RUST["types"]).group(1).split():
        found[name.lower()] = [("id", ["u64"])]
    found["text"] = found.pop("span")
    found["table"] = found.pop("api")
    return found


def flat(fields):
    return [kind for _, kinds in fields for kind in kinds]


def test_structures_are_the_same():
    ours, theirs = structures_of_rust(), structures_of_c()
    assert theirs.keys() <= ours.keys()
    assert len(theirs) > 15
    for name, fields in theirs.items():
        assert flat(fields) == flat(ours[name]), name
        # Where C counts a pointer's elements beside it, Rust has one name for both.
        named = {label for label, kinds in fields if kinds in (["u32"], ["u64"])}
        assert named <= {label for label, _ in ours[name]} | {"reserved"}, name


def test_constants_are_the_same():
    theirs = dict(re.findall(r"#define CHECKREIN_(\w+) (-?\d+)", HEADER))
    ours = dict(re.findall(r"const (\w+): [ui]32 = (-?\d+);", RUST["types"]))
    assert ours == theirs


def test_functions_stand_in_the_same_order():
    theirs = re.findall(r"\(\*(\w+)\)\(", HEADER)
    table = re.search(r"\ntable! \{(.*?)\n\}", RUST["table"], flags=re.S).group(1)
    ours = re.findall(r"^\s{4}(\w+):", table, flags=re.M)
    assert ours == theirs
    assert len(ours) == 24


def test_functions_have_as_many_arguments_and_answer_the_same():
    answers = {"int32_t": "i32", "int64_t": "i64", "size_t": "usize"} | {
        "checkrein_text": "Text", "checkrein_now": "types::Now",
    }  # fmt: skip
    ours = {}
    for name, arguments, answer in re.findall(
        r"(\w+): \w+::\w+\s*=\s*fn\((.*?)\)\s*->\s*([\w:]+);", RUST["table"], re.S
    ):
        ours[name] = (
            len([part for part in re.sub(r"<[^>]*>", "", arguments).split(",") if part.strip()]),
            answer,
        )
    theirs = {}
    for answer, name, arguments in re.findall(r"(\w+) \(\*(\w+)\)\((.*?)\);", HEADER, re.S):
        count = 0 if arguments == "void" else len(arguments.split(","))
        theirs[name] = (count, answers[answer])
    assert ours == theirs
