"""What is an answer of a person and what is none, and to which request."""

import asyncio

import pytest

import checkrein

POLICY = """
language 1
policy "people" loop off
tool "refund" { class act }
tool "book" { class act }
tool "close" { class act }
rule "refunds" on tool "refund" then escalate to "leads" because "x"
rule "which day" on tool "book" then escalate to "leads" as question because "Which day?"
rule "closing" on tool "close" then escalate to "leads" as handover because "x"
queue "leads" { expires 10 min default deny }
"""


class Flag:
    """Another library's truth value, as NumPy has one."""

    def __init__(self, value):
        self.value = value

    def __bool__(self):
        return self.value


NO_ANSWERS = [0, 1, 0.0, "", [], {}, object(), Flag(False), Flag(True), b"yes"]


@pytest.fixture
def guard(tmp_path):
    (tmp_path / "people.rein").write_text(POLICY)
    guard = checkrein.load(
        tmp_path / "people.rein", log=None, store="memory:", clock=checkrein.VirtualClock()
    )
    yield guard
    guard.close()


def kind_of(call, *arguments, **named):
    with pytest.raises(checkrein.EngineError) as raised:
        call(*arguments, **named)
    return raised.value.kind


def test_only_true_approves(guard):
    assert guard.run(approver=lambda _: True).tool("refund", lambda: "ran") == "ran"
    with pytest.raises(checkrein.Denied):
        guard.run(approver=lambda _: False).tool("refund", lambda: "ran")


@pytest.mark.parametrize("tool", ["refund", "book", "close"])
@pytest.mark.parametrize("said", NO_ANSWERS, ids=lambda said: type(said).__name__)
def test_what_is_no_answer_approves_nothing(guard, tool, said):
    ran = []
    run = guard.run(approver=lambda _: said)
    assert kind_of(run.tool, tool, ran.append, 1) == "other_kind"

    async def call():
        ran.append(1)

    async def play():
        await run.tool(tool, call)

    assert kind_of(asyncio.run, play()) == "other_kind"
    assert kind_of(run.answer, 1, said) == "other_kind"
    assert ran == []
    run.approver = None
    with pytest.raises(checkrein.Escalated) as asked:
        run.tool(tool, ran.append, 1)
    assert asked.value.request == 1, "it is still open"


@pytest.mark.parametrize("said", ["", None, 7, True], ids=repr)
def test_a_waiting_question_takes_a_text(guard, said):
    with guard.run(id="r") as run:
        with pytest.raises(checkrein.Escalated):
            run.tool("book", lambda: "ran")
        run.suspend()
    assert kind_of(guard.approvals().answer, "r/1", said) == "other_kind"
    assert guard.approvals().get("r/1").state == "open"


def suspend(guard, id, tools):
    with guard.run(id=id) as run:
        for tool in tools:
            with pytest.raises(checkrein.Escalated):
                run.tool(tool, lambda: "ran")
        run.suspend()


@pytest.mark.parametrize("id", ["task-7", "task-7/1", "task-70/", "", "task-7/"])
@pytest.mark.parametrize("word", ["approve", "reject"])
def test_another_runs_request_is_not_answered(guard, id, word):
    suspend(guard, "task-70", ["refund"])
    with pytest.raises(checkrein.CheckreinError, match="no request"):
        getattr(guard.approvals(), word)(id, why="x")
    assert [each.state for each in guard.approvals().waiting()] == ["open"]
    assert guard.approvals().get("task-7").id == "task-70/1", "to see it, a beginning will do"
    assert guard.approvals().approve("task-70", why="x").id == "task-70/1"


def test_a_runs_id_is_not_enough_for_two_requests(guard):
    suspend(guard, "r", ["refund", "close"])
    for _ in range(2):  # also where one of them has been answered
        with pytest.raises(checkrein.CheckreinError, match="stands for 2 requests"):
            guard.approvals().approve("r", why="x")
        guard.approvals().approve("r/1", why="x", act="a")
    assert guard.approvals().get("r/2").state == "open"


def test_a_runs_id_that_is_another_ones_request_answers_neither(guard):
    suspend(guard, "a", ["refund"])
    suspend(guard, "a/1", ["close"])
    with pytest.raises(checkrein.CheckreinError, match="`a/1` stands for 2 requests"):
        guard.approvals().approve("a/1", why="x")
    assert guard.approvals().approve("a/1/1", why="x").subject == "tool `close`"
    assert guard.approvals().approve("a", why="x").subject == "tool `refund`"


def test_an_empty_answer_is_called_empty(guard):
    suspend(guard, "q", ["book"])
    with pytest.raises(checkrein.EngineError, match="an answer is a text that is not empty"):
        guard.approvals().answer("q", "")
