"""The log under everything that can happen to a file, and what never gets into it."""

import asyncio
import contextlib
import gc
import json
import multiprocessing
import shutil
import subprocess
import sys
import uuid
import warnings

import pytest

import checkrein
from checkrein.explain import find
from checkrein.record import JsonlSink, read_log

SECRET = "canary-91827"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log" / "decisions.jsonl"


def search(run, query="x"):
    """One guarded call."""
    return run.tool("search", lambda query: query, query=query)


@pytest.mark.parametrize("log", [5, b"decisions.jsonl", object()])
def test_what_cannot_be_a_log_is_refused_before_a_run_begins(make_guard, log):
    with pytest.raises(TypeError, match="`log` is a file"):
        make_guard(log=log)


def test_a_virtual_clock_moves_by_whole_nanoseconds(clock):
    with pytest.raises(TypeError):
        clock.advance(1.5)
    assert clock.now() == 0


def kinds(log):
    return [record["kind"] for record in read_log(log)]


@pytest.mark.parametrize("user", ["\ud800", uuid.UUID(int=1)])
def test_no_name_of_a_host_stops_a_run(make_guard, log, user):
    with make_guard(log=log).run(user=user) as run:
        assert search(run) == "x"
    assert [record["user"] for record in read_log(log) if "user" in record] == [
        "\ud800" if user == "\ud800" else str(user)
    ]


def test_an_attempt_is_settled_before_its_result_is_decided_about(make_guard, log):
    judged = 'tool "rows" { result { "count" count } succeeds when result.count > 0 }'
    with make_guard(judged, log=log).run() as run:
        run.tool("rows", lambda: {"count": 1})
    asked, settled, taken = [record for record in read_log(log) if record["kind"] != "program"]
    assert (asked["event"], settled["decision"], taken["event"]) == ("tool call", asked["id"], "tool result")


def test_what_others_spend_between_two_calls_is_in_the_limits_before(make_guard, log):
    guard = make_guard('limit "all" on user { tool_calls <= 9 } else deny', log=log)
    with guard.run(user="u1", id="a") as one, guard.run(user="u1", id="b") as other:
        for run in (one, other, other, one, one):
            search(run)
    read = {
        r["id"]: r["limits_before"]["all.tool_calls"][1] for r in read_log(log) if r["kind"] == "decision"
    }
    assert read == {"a.1": 0, "b.1": 1, "b.2": 2, "a.2": 3, "a.3": 4}


def test_a_clock_that_went_wrong_stops_no_run(make_guard, log):
    guard = make_guard(log=log, clock=checkrein.VirtualClock(wall=10**30))
    with guard.run() as run:
        assert search(run) == "x"
    assert next(r["time"] for r in read_log(log) if r["kind"] == "decision") == f"{2**64 - 1} ns"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a device of Linux")
def test_a_full_disk_is_said_once_and_stops_no_run(make_guard):
    guard = make_guard(log="/dev/full")
    with guard.run() as run, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert search(run) == "x"
        assert search(run, "y") == "y"
    assert ["not logged" in str(warning.message) for warning in said] == [True]
    assert guard.log.lost == 4
    guard.log.close()


def test_a_warning_that_is_an_error_comes_once_too(make_guard, tmp_path):
    (tmp_path / "file").write_text("")
    with make_guard(log=tmp_path / "file" / "log").run() as run, warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            search(run)
        assert search(run, "y") == "y"


@pytest.mark.parametrize("lose", ["delete", "empty"])
def test_a_log_that_is_lost_is_begun_again_with_its_program(make_guard, log, lose):
    guard = make_guard(log=log)
    with guard.run() as run:
        search(run)
        guard.flush()
        if lose == "delete":
            log.unlink()
        else:
            log.write_text("")
        search(run, "y")
    assert kinds(log) == ["program", "decision", "settlement"]


def write_much(log, worker):
    sink = JsonlSink(log)
    for number in range(100):
        sink.write({"kind": "decision", "id": f"{worker}.{number}", "padding": "x" * 20_000})
    sink.close()


def test_processes_that_share_a_log_do_not_tear_its_lines(log):
    workers = [
        multiprocessing.get_context("spawn").Process(target=write_much, args=[log, w]) for w in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = log.read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 300


def test_a_line_that_nests_too_deeply_is_passed_over(log):
    log.parent.mkdir()
    log.write_text("[" * 100_000 + '\n{"kind": "decision"}\n')
    assert kinds(log) == ["decision"]


def test_no_text_of_a_host_or_a_model_gets_into_the_log(make_guard, log):
    guard = make_guard(
        'fact data.text text default "-"',
        'rule "text" on model any when data.text == "known" then deny because "known"',
        'rule "query" on tool "search" when call.args.query starts with "ca" then escalate to "leads"',
        '  because "a text decided"',
        log=log, approver=lambda approval: True,
    )  # fmt: skip
    with guard.run(facts={"data.text": SECRET}) as run:
        run.model(lambda model, max_tokens, prompt: SECRET, model="large", prompt=SECRET)
        search(run, SECRET)
        for error in (ValueError(SECRET), TimeoutError(SECRET), ConnectionError(SECRET)):
            with contextlib.suppress(Exception):
                run.tool("search", lambda query, error=error: (_ for _ in ()).throw(error), query=SECRET)
        with pytest.raises(checkrein.Refusal):
            run.tool("refund", lambda amount: amount, amount=SECRET)
    assert "escalate" in log.read_text()
    assert SECRET not in log.read_text()


def test_a_call_that_is_collected_while_a_record_is_written_is_recorded_too(make_guard, log):
    class Collecting:
        """A user whose name takes the collector to be written."""

        def __str__(self):
            gc.collect()
            return "u"

    async def slow(query):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(abandoned.tool("search", slow, query="x"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task._log_destroy_pending = False
        return task

    guard = make_guard(log=log)
    abandoned = guard.run(id="abandoned")
    loop = asyncio.new_event_loop()
    garbage = [loop.run_until_complete(main())]
    loop.close()
    garbage.append(garbage)
    del garbage
    with guard.run(user=Collecting()) as run:
        assert search(run) == "x"
    assert any(r.get("error") == "cancelled" for r in read_log(log) if r.get("run") == "abandoned")


def test_the_log_says_which_prices_were_counted_with(make_guard, log):
    listed = 'model "listed" is "openai/gpt-4o" { place cloud window 100k tokens output 1k tokens }'
    guard = make_guard(listed, log=log)
    with guard.run() as run:
        run.settle(run.decide(model="listed", input_tokens=1, max_tokens=1))
    assert guard.program.prices
    assert {record.get("prices") for record in read_log(log)} == {guard.program.prices}


# -- what people said ---------------------------------------------------------------------------------

QUESTION = """tool "book" { }
rule "which day" on tool "book" then escalate to "leads" as question because "Which day?" """


def said(log):
    return [
        (record["request"], record["said"], record.get("who"))
        for record in read_log(log)
        if record["kind"] == "answer"
    ]


def refund(run):
    return run.tool("refund", lambda amount: amount, amount=20_000)


@pytest.mark.parametrize(("answer", "word"), [(True, "approve"), (False, "reject")])
def test_what_an_approver_says_is_written_down(make_guard, log, answer, word):
    guard = make_guard(log=log)
    with guard.run(id="r", user="ann", approver=lambda _: answer) as run:
        search(run)
        with contextlib.suppress(checkrein.Denied):
            refund(run)
    assert said(log) == [(1, word, None)]
    (record,) = (record for record in read_log(log) if record["kind"] == "answer")
    assert (record["run"], record["user"], record["digest"]) == ("r", "ann", guard.program.digest)
    asked = next(record["id"] for record in read_log(log) if record.get("outcome") == "escalate")
    assert f"a person\n  {'approved' if answer else 'rejected'}, 1970" in str(find(read_log(log), asked))


def test_an_answer_to_a_question_is_written_down_without_its_text(make_guard, log):
    with make_guard(QUESTION, log=log).run(approver=lambda _: SECRET) as run:
        search(run)
        with pytest.raises(checkrein.Answered) as answered:
            run.tool("book", lambda: None)
    assert answered.value.text == SECRET
    assert said(log) == [(1, "answer", None)]
    assert SECRET not in log.read_text()


def test_what_is_no_answer_is_not_written_down(make_guard, log):
    with make_guard(log=log).run(approver=None) as run:
        search(run)
        with pytest.raises(checkrein.Escalated) as asked:
            refund(run)
        for request, answer in ((99, True), (asked.value.request, "a text")):
            with pytest.raises(checkrein.EngineError):
                run.answer(request, answer)
    assert said(log) == []


def test_what_was_said_in_the_store_is_written_down_where_the_run_goes_on(make_guard, log):
    guard = make_guard(log=log, store="memory:")
    with guard.run(id="r") as run:
        search(run)
        with pytest.raises(checkrein.Escalated):
            refund(run)
        run.suspend()
    guard.approvals().approve("r/1", why="fine", who="lea")
    with guard.resume("r") as run:
        assert said(log) == []
        refund(run)
    assert said(log) == [(1, "approve", "lea")]


# -- what waits is written ----------------------------------------------------------------------------


class Renamed(JsonlSink):
    """A host's own way to write the same file."""

    def write(self, record):
        super().write({**record, "host": "h"})


@pytest.mark.parametrize("kind", [JsonlSink, Renamed])
def test_what_waits_is_written_before_anybody_is_told_of_a_refusal(make_guard, log, kind):
    with make_guard('rule "none" on tool "search" then deny because "no"', log=kind(log)).run() as run:
        for _ in range(3):
            with pytest.raises(checkrein.Denied) as denied:
                search(run)
            assert [r["id"] for r in read_log(log) if r["kind"] == "decision"][-1] == denied.value.id


@pytest.mark.parametrize("way", ["exit", "fork", "collected"])
def test_what_waits_is_written_when_the_interpreter_exits_or_forks(tmp_path, way):
    script = f"""
import gc, os, checkrein
guard = checkrein.load("p.rein", log="log")
run = guard.run(id="parent")
for n in range(5):
    run.settle(run.decide(tool="search", args={{"n": n}}))
if {way == "fork"}:
    child = os.fork()
    if child == 0:
        run = guard.run(id="child")
        for n in range(5):
            run.settle(run.decide(tool="search", args={{"n": n}}))
        run.end()
        os._exit(0)
    os.waitpid(child, 0)
    os._exit(0)
if {way == "collected"}:
    del run, guard
    gc.collect()
    os._exit(0)
"""
    (tmp_path / "p.rein").write_text('language 1\npolicy "p"\ntool "search" { class retrieve }\n')
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    records = [record for record in read_log(tmp_path / "log") if record["kind"] != "program"]
    for id in ["parent", "child"] if way == "fork" else ["parent"]:
        own = [record["kind"] for record in records if record["run"] == id]
        assert own == ["decision", "settlement"] * 5


LEFT_OPEN = []


def leave_open(policy, log):
    """A process that goes without the end of its run."""
    run = checkrein.load(policy, log=log).run()
    LEFT_OPEN.append(run)
    for n in range(5):
        run.settle(run.decide(tool="search", args={"n": n}))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_what_waits_is_written_when_a_process_of_multiprocessing_ends(tmp_path, method):
    (tmp_path / "p.rein").write_text('language 1\npolicy "p"\ntool "search" { class retrieve }\n')
    place = tmp_path / "p.rein", tmp_path / "log"
    child = multiprocessing.get_context(method).Process(target=leave_open, args=place)
    child.start()
    child.join()
    assert kinds(place[1]) == ["program"] + ["decision", "settlement"] * 5


# -- records that are required ------------------------------------------------------------------------


def test_no_call_is_let_through_whose_record_is_required_and_cannot_be_kept(make_guard, tmp_path):
    folder = tmp_path / "log"
    guard = make_guard(log=folder / "decisions.jsonl", audit="required")
    with guard.run(id="r") as run:

        def refused():
            for ask in (lambda: search(run), lambda: run.decide(model="large"), guard.flush):
                with pytest.raises(checkrein.EngineError, match="not logged") as caught:
                    ask()
                assert caught.value.kind == "log"

        folder.write_text("a file where a folder is to be")
        refused()  # the first call too
        folder.unlink()
        first = run.decide(tool="search", args={"query": "x"})
        guard.flush()
        shutil.rmtree(folder)
        folder.write_text("a file again")

        def end():
            run.settle(first)  # what was let through may end
            with pytest.raises(checkrein.EngineError, match="not logged"):
                guard.flush()

        with pytest.warns(RuntimeWarning, match="not logged"):
            end()
        refused()
        folder.unlink()
        assert search(run, "y") == "y"
    records = list(read_log(folder / "decisions.jsonl"))
    assert [record["kind"] for record in records] == ["program", "settlement", "decision", "settlement"]
    assert guard.log.lost == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a device of Linux")
def test_a_first_call_is_not_let_through_onto_a_full_disk(make_guard):
    guard = make_guard(log="/dev/full", audit="required")
    with guard.run() as run, pytest.raises(checkrein.EngineError, match="not logged to /dev/full"):
        search(run)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"audit": "always", "log": "log"}, ValueError),
        ({"audit": "required", "log": None}, TypeError),
        ({"audit": "required", "log": JsonlSink}, TypeError),
    ],
)
def test_an_audit_that_cannot_be_is_refused_before_a_run_begins(make_guard, options, kind):
    with pytest.raises(kind, match="audit"):
        make_guard(**options)


def test_a_name_that_cannot_be_printed_is_logged_with_escapes(make_guard, log):
    with make_guard(log=log).run() as run:
        for name in ("a\nb", "é", "\ud800", "x" * 200, ""):
            run.decide(tool=name)
    told = [record["subject"] for record in read_log(log) if record["kind"] == "decision"]
    assert told == [f"tool `{name}`" for name in ("a\\nb", "é", "\\ud800", "x" * 128 + "...", "any")]
