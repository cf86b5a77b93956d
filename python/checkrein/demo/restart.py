"""Plays the scene in which processes end: three real ones work on a task, one after the other.

The first ends at the refund. The second goes on from its notes, and so does the third, by mistake.
Under the guard the run waits in a store meanwhile, and `checkrein approvals` answers, as people do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkrein.demo import agents
from checkrein.demo.server import LoopbackServer
from checkrein.language import compile_source

if TYPE_CHECKING:
    from checkrein.demo.agents import Half
    from checkrein.demo.scenes import Scene

WORKER = "-m", "checkrein.demo.worker"
COMMAND = "-c", "from checkrein.cli.main import main; main()", "approvals"
STORE = "shop.db"


def converse(
    scene: Scene, price: tuple[int, int], under: tuple[Path, Path, str] | None
) -> tuple[Half, list[str]]:
    """One half of the scene: what it came to, and what was answered.

    `under` is the policy, the log and the run's id; without it nobody guards.
    """
    meter, half, answers = agents.Meter(scene, price), agents.Half(), []
    task: dict[str, Any] = {"messages": [{"role": "user", "content": scene.asks[0]}]}
    refunded = 0.0
    with (
        LoopbackServer({"large": meter}) as server,
        tempfile.TemporaryDirectory(prefix="checkrein-demo-") as folder,
    ):
        task["url"] = server.url
        if under is not None:
            task |= _guard(Path(folder), *under)
        for number in (1, 2, 3):
            first = {"starts": True, "ends_at": "refund"} if number == 1 else {"starts": False}
            done = json.loads(_process(folder, WORKER, json.dumps(task | first)))
            half.notes.append(f"process {number}: {_told(done)}")
            half.tools.update(done["runs"])
            refunded += sum(amount for _order, amount in done["refunds"])
            if done["answer"] is not None:
                answers.append(done["answer"])
            if number == 1:
                task["messages"] = done["messages"]
                half.notes += _approve(folder, f"{task['run']}/1") if done["suspended"] else []
        half.calls, half.spent = len(server.requests), meter.spent
    half.happened = agents.happened(answers, refunded)
    return half, answers


def _guard(folder: Path, policy: Path, log: Path, run: str) -> dict[str, str]:
    """What a worker has to know to work under the policy, which is compiled once for all of them."""
    artifact = folder / "support.reinc"
    artifact.write_bytes(compile_source(policy.read_bytes(), str(policy), path=str(policy)))
    return {"policy": str(artifact), "store": STORE, "log": str(log.resolve()), "run": run}


def _approve(folder: str, request: str) -> list[str]:
    """Answer as a person does, by the command; what was typed, and the lines that say it."""
    waits = _process(folder, (*COMMAND, "list", "--store", STORE)).splitlines()[-1]
    words = "approve", request, "--who", "lead", "--why", "it arrived broken", "--store", STORE
    page = _process(folder, (*COMMAND, *words)).splitlines()
    answer = next(line for line in page if line.startswith("answer"))
    return [
        f"$ checkrein approvals list: {' '.join(waits.split())}",
        f"$ checkrein approvals approve {request}: {answer.removeprefix('answer').strip()}",
    ]


def _process(folder: str, words: tuple[str, ...], given: str = "") -> str:
    """What a process printed; its complaints are the demo's own."""
    command = [sys.executable, *words]
    return subprocess.run(  # noqa: S603 - this package's own modules
        command, cwd=folder, input=given, stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout


def _told(done: dict[str, Any]) -> str:
    """What one process did."""
    if done["refused"] is not None:
        return f"refused: {done['refused']}"
    ran = ", ".join(f"{tool} ran {count}x" for tool, count in done["runs"].items()) or "no tool ran"
    if done["suspended"]:
        return f"{ran}; the refund needs a person; the run goes into the store, the process ends"
    return f"{ran}; {'ends before that is noted' if done['answer'] is None else 'answers'}"
