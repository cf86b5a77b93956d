"""The classes of the binding: what they take, what they raise, and that threads can share a run."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.native.artifact import Artifact, Rule

from checkrein import _core
from checkrein.errors import EngineError, LoadError, UnknownFact

STEPS = 10_000


def artifact() -> Artifact:
    """Make a small policy with one of everything that the binding shows."""
    made = Artifact(models=["large"], states=["over"], queues=[("leads", 60 * 10**9)])
    made.host("data.class", "text", "pii", "public")
    made.host("data.size", "count")
    made.facts.append(("call.args.amount", "money", "arg", "optional", None, ()))
    made.tools = {"refund": [("amount", "money", "cents")], "search": []}
    made.limits = {"per run": ({"tokens": STEPS, "steps": STEPS, "tool_calls": STEPS}, "over")}
    made.rules = [
        Rule(
            "big refunds",
            ("tool", "refund"),
            ("escalate", "leads"),
            [("call.args.amount", ">", 10**11)],
            "ask",
        ),
        Rule("no pii", ("model", None), ("deny", None), [("data.class", "==", "pii")], "not here"),
    ]
    for rule in made.rules:
        rule.when = [("compare", *op) for op in rule.when or []]
    return made


@pytest.fixture(scope="module")
def program() -> _core.Program:
    return _core.Program.load(bytes(artifact()))


@pytest.fixture
def run(program: _core.Program) -> _core.Run:
    return _core.Run(program, seed=1, now=0)


def test_a_program_tells_what_it_holds(program: _core.Program) -> None:
    assert (program.policy, program.file, program.language, program.currency) == ("test", "test.rein", 1, "$")
    assert len(bytes.fromhex(program.digest)) == 32
    assert program.models == [
        {
            "name": "large",
            "target": "test/large",
            "tier": 1,
            "place": "cloud",
            "region": None,
            "window": 1000,
            "output": 100,
            "least_output": 1,
            "cascades": False,
            "price": [
                {
                    "above": 0,
                    "from": 0,
                    "to": 1440,
                    "input": 10**9,
                    "output": 2 * 10**9,
                    "cache_read": 10**8,
                    "cache_write": 125 * 10**7,
                    "reasoning": 2 * 10**9,
                }
            ],
        }
    ]
    refund, search = program.tools
    assert refund["args"] == [{"name": "amount", "dimension": "money", "unit": "cents"}]
    assert (search["name"], search["tool_class"], search["timeout_ns"]) == ("search", None, None)
    assert (search["once"], search["may_repeat"], search["args"], search["results"]) == (False, False, [], [])
    assert [(each["kind"], each["name"], each["line"], each["column"]) for each in program.statements] == [
        ("rule", "big refunds", 1, 1),
        ("rule", "no pii", 2, 1),
        ("limit", "per run", 3, 1),
    ]
    assert program.statements[0]["source"] == 'rule "big refunds"'
    assert {
        "name": "data.size",
        "dimension": "count",
        "most": 0,
        "source": "host",
        "presence": "optional",
    } in program.facts
    assert repr(program) == "<Program `test` of `test.rein`>"


def test_every_flipped_byte_and_every_cut_is_a_load_error() -> None:
    good = bytes(artifact())
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        for data in (bad, good[:at]):
            with pytest.raises(LoadError):
                _core.Program.load(data)
    with pytest.raises(LoadError):
        _core.Program.load(good + b"\0")


def test_an_allowed_call_carries_its_attempt_and_its_hold(run: _core.Run) -> None:
    decision = run.model_call(0, 0, None, "large", 50, 20, {"data.class": "public"})
    assert (decision.event, decision.outcome, decision.number) == ("model call", "allow", 1)
    assert (decision.call, decision.attempt, decision.attempt_number) == (1, 1, 1)
    assert (decision.model, decision.output_cap, decision.reserved_tokens) == ("large", 20, 70)
    # The dearest that input can be: written to a cache.
    assert decision.reserved_cost == 50 * 1250 + 20 * 2000
    assert (decision.by, decision.kind, decision.line, decision.reason, decision.state) == (None,) * 5
    assert (decision.votes, decision.advice, decision.values, decision.skipped) == ([], [], [], [])
    assert run.in_flight == 1
    held = {row["dimension"]: row["held"] for row in run.limits()}
    assert held == {"tokens": 70, "steps": 0, "tool_calls": 0}

    settlement = run.settle(1, 0, 1, "exact", 50, 5)
    assert (settlement.input_tokens, settlement.output_tokens, settlement.tokens) == (50, 5, 55)
    assert (settlement.cost, settlement.reserved_tokens, settlement.reserved_cost) == (60_000, 70, 102_500)
    spent = {row["dimension"]: (row["spent"], row["limit"]) for row in run.limits()}
    assert spent == {"tokens": (55, STEPS), "steps": (1, STEPS), "tool_calls": (0, STEPS)}
    assert (run.in_flight, run.latched) == (0, None)


def test_a_denial_names_its_rule_and_what_it_read(run: _core.Run) -> None:
    decision = run.model_call(0, 0, None, "large", 50, None, {"data.class": "pii"})
    assert (decision.outcome, decision.by, decision.kind, decision.reason) == (
        "deny",
        "no pii",
        "rule",
        "not here",
    )
    assert (decision.line, decision.column, decision.undecided) == (2, 1, False)
    assert decision.votes == [("rule", "no pii", "deny", False)]
    assert decision.values == [("data.class", "pii")]
    assert repr(decision) == "<Decision 1: model call deny by `no pii`>"


def test_an_escalation_is_answered_once(run: _core.Run) -> None:
    asked = run.tool_call(5, 0, None, "refund", {"amount": 20_000})
    assert (asked.outcome, asked.request, asked.queue, asked.expires_at) == (
        "escalate",
        1,
        "leads",
        5 + 60 * 10**9,
    )
    run.answer(6, 0, 1, approve=False)
    refused = run.tool_call(7, 0, asked.call, "refund", {"amount": 20_000})
    assert (refused.outcome, refused.reason) == ("deny", "a person said no")
    with pytest.raises(EngineError, match="request `1`") as raised:
        run.answer(8, 0, 1, approve=True)
    assert raised.value.kind == "already_answered"


def test_arguments_are_read_by_their_declared_names_only(run: _core.Run) -> None:
    assert run.tool_call(0, 0, None, "refund", {"amount": 9_999, "note": "x"}).outcome == "allow"
    assert run.tool_call(0, 0, None, "search", {"amount": 99_999}).outcome == "allow"
    undeclared = run.tool_call(0, 0, None, "drop", {})
    assert (undeclared.outcome, undeclared.by, undeclared.kind) == ("deny", "undeclared tool", "built-in")
    assert run.tool_call(0, 0, None, "se\ud800arch", {}).by == "undeclared tool"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.clas", r"fact `data.clas` is not declared in `test.rein`; did you mean `data.class`\?"),
        ("user", r"fact `user` is not declared in `test.rein`; declare it or leave it out"),
        ("run.cost.spent", r"fact `run.cost.spent` is set by the engine; leave it out"),
        ("call.args.amount", r"fact `call.args.amount` is set by the engine; leave it out"),
        ("step.kid", r"did you mean `step.kind`\?"),
        (7, r"fact `7` is not declared"),
    ],
)
def test_an_undeclared_fact_is_an_error_that_names_the_known(run: _core.Run, name: Any, message: str) -> None:
    for ask in (
        lambda: run.model_call(0, 0, None, "large", 1, None, {"data.class": "public", name: 1}),
        lambda: run.tool_call(0, 0, None, "search", {}, {name: 1}),
    ):
        with pytest.raises(UnknownFact, match=message):
            ask()
    assert run.model_call(0, 0, None, "large", 1, None, {"data.class": "public"}).number == 1


def test_the_facts_of_a_step_are_always_taken(run: _core.Run) -> None:
    facts = {"step.kind": "chat", "step.confidence": 0.5, "data.class": "public"}
    assert run.model_call(0, 0, None, "large", 1, None, facts).outcome == "allow"
    assert run.tool_call(0, 0, None, "search", {}, {"step.kind": "chat"}).outcome == "allow"


@pytest.mark.parametrize(
    ("misuse", "kind"),
    [
        (lambda run: run.settle(0, 0, 99, "exact", 1, 1), "unknown_attempt"),
        (lambda run: run.error(0, 0, 99, "exact", 1, 1, "timeout"), "unknown_attempt"),
        (lambda run: run.count(0, 0, 99, 1), "unknown_attempt"),
        (lambda run: run.answer(0, 0, 99, True), "unknown_request"),
        (lambda run: run.settle(0, 0, 1, "all"), "bad_value"),
        (lambda run: run.settle(0, 0, 1, "exact", -1, 1), "bad_value"),
        (lambda run: run.settle(0, 0, 1, "exact", 2**53, 1), "bad_value"),
        (lambda run: run.settle(0, 0, 1, "exact", 2**53 - 1, 1), "bad_value"),
        (lambda run: run.settle(-1, 0, 1, "exact", 1, 1), "bad_value"),
        (lambda run: run.settle(0, 0, 2**64, "exact", 1, 1), "bad_value"),
        (lambda run: run.count(0, 0, 1, -1), "bad_value"),
        (lambda run: run.error(0, 0, 1, "exact", 1, 1, "tiemout"), "bad_value"),
        (lambda run: run.model_call(0, 0, None, "large", -1, None), "bad_value"),
        (lambda run: run.model_call(0, 0, None, "large", 1, 2**53), "bad_value"),
        (lambda run: run.model_call(0, 0, None, "large", 1.0, None), "bad_value"),
        (lambda run: run.model_call(0, 0, None, "large", 1, "100"), "bad_value"),
        (lambda run: run.settle(0, 0, 1, "exact", 1.5, 1), "bad_value"),
        (lambda run: run.settle(0, 0, 1, "exact", None, 1), "bad_value"),
        (lambda run: run.adjust(0, 0, 1, "7", 1), "bad_value"),
        (lambda run: run.model_call(0, 0, -1, "large", 1, None), "bad_value"),
        (lambda run: run.tool_call(0, 0, None, "search", {"n": 10**5000}), "bad_value"),
    ],
)
def test_misuse_is_an_engine_error_with_a_stable_kind(run: _core.Run, misuse: Any, kind: str) -> None:
    run.model_call(0, 0, None, "large", 1, None, {"data.class": "public"})
    with pytest.raises(EngineError) as raised:
        misuse(run)
    assert raised.value.kind == kind
    assert run.settle(0, 0, 1, "exact", 1, 1).tokens == 2, "nothing has changed"


def test_a_value_of_another_type_is_a_type_error(run: _core.Run) -> None:
    with pytest.raises(TypeError):
        run.tool_call(0, 0, None, "search", [])  # type: ignore[arg-type]


def test_an_ill_typed_detail_of_an_error_is_no_exception(run: _core.Run) -> None:
    run.model_call(0, 0, None, "large", 1, None, {"data.class": "public"})
    details: dict[str, Any] = {"status": "500", "retry_after": "2", "billed": 1}
    passed_on = run.error(1, 0, 1, "unknown", 0, 0, "auth", **details)
    assert (passed_on.event, passed_on.outcome, passed_on.by) == ("model error", "allow", "not retried")


def test_an_ended_run_denies(run: _core.Run) -> None:
    run.end(5, 0)
    assert run.model_call(6, 0, None, "large", 1, None).by == "run ended"


def test_a_latched_run_tells_its_state(program: _core.Program) -> None:
    run = _core.Run(program, seed=0, now=0)
    while (
        decision := run.model_call(0, 0, None, "large", 900, 100, {"data.class": "public"})
    ).outcome == "allow":
        run.settle(0, 0, decision.attempt, "unknown")
    assert (decision.outcome, decision.state, decision.tell_agent, decision.tell_user) == (
        "stop",
        "over",
        None,
        "told",
    )
    assert run.latched == "over"
    assert run.tool_call(1, 0, None, "search", {}).latched


def test_threads_can_hammer_one_run(program: _core.Program) -> None:
    run = _core.Run(program, seed=0, now=0)
    threads, each = 8, 400
    numbers: list[list[int]] = [[] for _ in range(threads)]
    start = threading.Barrier(threads)

    def hammer(mine: list[int]) -> None:
        start.wait()
        for count in range(each):
            if count % 2:
                decision = run.model_call(
                    0, 0, None, "large", 1, 1, {"data.class": "public", "step.kind": "chat"}
                )
            else:
                decision = run.tool_call(0, 0, None, "search", {"query": count})
            mine.append(decision.number)
            assert decision.attempt is not None
            run.count(0, 0, decision.attempt, 0) if decision.model else None
            run.settle(0, 0, decision.attempt, "exact", 1, 1)

    workers = [threading.Thread(target=hammer, args=(mine,)) for mine in numbers]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(number for mine in numbers for number in mine) == list(range(1, threads * each + 1))
    assert run.in_flight == 0
    spent = {row["dimension"]: (row["spent"], row["held"]) for row in run.limits()}
    half = threads * each // 2
    assert spent == {"tokens": (2 * half, 0), "steps": (half, 0), "tool_calls": (half, 0)}


def test_host_code_of_a_value_may_use_the_run_itself(run: _core.Run) -> None:
    class Nosy(dict):
        pass

    class Key(str):
        __slots__ = ()

        def __hash__(self) -> int:
            assert run.in_flight == 0
            return str.__hash__(self)

        def __eq__(self, other: object) -> bool:
            return str.__eq__(self, other)

    facts = Nosy({Key("data.class"): "public"})
    assert run.model_call(0, 0, None, "large", 1, None, facts).outcome == "allow"


class Order:
    def __init__(self, amount: int) -> None:
        self.amount = amount


@pytest.mark.parametrize(
    ("approved", "other"),
    [
        (Order(1), Order(10**9)),
        (Order(1), {"$type": f"{__name__}.Order"}),
        ([bytearray(b"a")], [bytearray(b"b")]),
        ({1: "a", "1": "b"}, {"1": "a", 1: "b"}),
    ],
    ids=["objects", "object-and-dict", "bytearrays", "keys"],
)
def test_an_approval_is_not_for_arguments_that_only_look_alike(
    run: _core.Run, approved: object, other: object
) -> None:
    def ask(order: object, call: int | None = None) -> _core.Decision:
        return run.tool_call(0, 0, call, "refund", {"order": order, "amount": None})

    assert _core.canonical(approved) == _core.canonical(other)
    assert ask(approved).outcome == "escalate"
    run.answer(0, 0, 1, True)
    assert ask(other).request == 2
    assert ask(approved, call=1).outcome == "allow"


def test_a_flag_is_no_number(run: _core.Run) -> None:
    with pytest.raises(EngineError, match="`True`") as raised:
        run.model_call(0, 0, None, "large", True, None)
    assert raised.value.kind == "bad_value"
