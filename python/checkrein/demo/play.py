"""Plays every scene twice and reports it: what happened, what it cost, and which statement saw to it."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import checkrein
from checkrein import amounts
from checkrein.demo import agents, edge, restart, routes, verdicts
from checkrein.demo.report import Played, Report
from checkrein.demo.scenes import SCENES, Scene
from checkrein.explain import find
from checkrein.record import DEFAULT_LOG, JsonlSink, read_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from checkrein.demo.agents import Half
    from checkrein.guard import Approval, Guard

    Play = Callable[[Scene, tuple[int, int], Guard | None], tuple[Half, list[str]]]

POLICY = Path(__file__).parent / "support.rein"

APPROVED_MAX = 300
"""Dollars up to which the scripted person says yes."""


class Journal:
    """The decision log, with its records at hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        self._file = JsonlSink(path)
        self._lock = threading.Lock()

    def write(self, record: dict[str, Any]) -> None:
        """Keep one record, here and in the file."""
        with self._lock:
            self.records.append(dict(record))
        self._file.write(record)

    def decisions(self, run: str) -> list[dict[str, Any]]:
        """The decisions of one run, oldest first."""
        return [record for record in self.records if record["run"] == run and record["kind"] == "decision"]

    def read(self, run: str) -> None:
        """Take over what other processes wrote of `run`."""
        self.records += [record for record in read_log(self.path) if record.get("run") == run]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def every_scene(log: str | PathLike[str] | None) -> int:
    """Play and print everything; 0, or 1 if two counts of the same money differ."""
    journal = Journal(Path(log or DEFAULT_LOG))
    guard = checkrein.load(POLICY, log=journal)
    routing = checkrein.load(routes.POLICY, log=journal)
    (tariff,) = guard.models["large"]["price"]
    price = tariff["input"], tariff["output"]
    report = Report()
    report.opening([str(POLICY), str(routes.POLICY)], _opening(price))
    played: list[Played] = []
    for number, scene in enumerate(SCENES, 1):
        report.scene(number, scene)
        without = _without(scene, price)
        report.half("without", without)
        with_ = _with(scene, price, routing if scene.kind in routes.KINDS else guard, journal)
        report.half("with", with_)
        played.append((scene, without, with_))
    journal.close()
    report.table(played)
    agree = report.books(
        billed=sum(with_.spent for _scene, _without, with_ in played),
        booked=sum(record["settled"]["cost"] for record in journal.records if record["kind"] == "settlement"),
    )
    asked = verdicts.first_question(journal.records)
    report.page(f"$ checkrein explain {asked}", str(find(read_log(journal.path), asked)))
    return 0 if agree else 1


def _opening(price: tuple[int, int]) -> list[tuple[str, str]]:
    input, output = (amounts.money(part) for part in price)
    own_limit = agents.own_recursion_limit() // agents.STEPS_PER_TURN
    return [
        (
            "real",
            "The agent (LangChain's create_agent), its HTTP calls, its tools, a carrier and a cloud whose "
            "ports refuse the connection, every decision of the policies, the processes that end, and the "
            "edge model.",
        ),
        (
            "with",
            "The same agent with one more middleware, the guard's; where processes end, an agent without a "
            "framework, whose calls go through the guard's run. Nothing else differs between the halves.",
        ),
        (
            "scripted",
            "What the `large` and `small` models say: a server on 127.0.0.1 plays them, misbehaving "
            "as real models do, and gives the probability of their words, by the same script "
            "in both halves. And the person who is asked: yes up to "
            f"${APPROVED_MAX}, else no; once by the command `checkrein approvals`.",
        ),
        (
            "random",
            "The edge model's weights. The label that it chooses by its logits means nothing; where it runs, "
            "what it costs and where it stops is what is shown.",
        ),
        (
            "prices",
            f"Examples, from the policies: of `large` {input} for a million input tokens, {output} for a "
            "million output tokens, times the usage that the server reports. It counts a word as a token.",
        ),
        (
            "cut",
            f"LangGraph's recursion_limit ends a run after {agents.TURNS_MAX} turns, in both halves, so that "
            f"the demo ends. create_agent would have let it go on for {own_limit:,} turns.",
        ),
    ]


def _without(scene: Scene, price: tuple[int, int]) -> Half:
    if scene.kind == "generate":
        written = edge.write_unguarded(scene.asks[0])
        return agents.Half(happened=f"{written} tokens: context full")
    if scene.kind == "restart":
        half, answers = restart.converse(scene, price, None)
    else:
        half, answers = _play(scene)(scene, price, None)
    half.notes += _said(answers)
    return half


def _with(scene: Scene, price: tuple[int, int], guard: Guard, journal: Journal) -> Half:
    id = f"{scene.slug}-{secrets.token_hex(4)}"
    if scene.kind == "restart":
        half, answers = restart.converse(scene, price, (POLICY, journal.path, id))
        journal.read(id)
    else:
        half, answers = _in_this_process(scene, price, guard, id)
    decisions = journal.decisions(id)
    half.by = verdicts.statements(decisions, guard.program.statements)
    half.notes += [*verdicts.sentences(decisions), *_said(answers)]
    if scene.kind == "generate":
        half.notes.append(
            f"every token is counted as it comes: the policy pays for {decisions[0]['output_cap']}"
        )
    return half


def _in_this_process(scene: Scene, price: tuple[int, int], guard: Guard, id: str) -> tuple[Half, list[str]]:
    person = Person()
    answers: list[str] = []
    with guard.run(id=id, approver=person) as run:
        if scene.kind == "generate":
            half = agents.Half(happened=f"{edge.write(run, scene.asks[0])} tokens")
        else:
            half, answers = _play(scene)(scene, price, guard)
    if run.outcome.kind == "stopped":
        half.happened = f"stopped: {run.outcome.state}"
    half.notes += sorted(person.answers)
    return half, answers


def _play(scene: Scene) -> Play:
    return routes.converse if scene.kind in routes.KINDS else agents.converse


def _said(answers: list[str]) -> list[str]:
    if len(answers) > 1:
        return [f"the answers: {', '.join(answers)}"]
    return [f"the customer reads: {answer}" for answer in answers]


class Person:
    """The scripted person that the policy escalates to; keeps what was asked and answered."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    def __call__(self, approval: Approval) -> bool:
        """Yes to a small amount, no to a large one."""
        amount = approval.arguments["amount"]
        yes = bool(amount <= APPROVED_MAX)
        self.answers.append(
            f"queue `{approval.queue}` is asked about {approval.arguments['order']}, ${amount:.2f}; "
            f"the scripted person {'approves' if yes else 'rejects'}"
        )
        return yes
