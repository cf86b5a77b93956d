"""Two processes race for each approval: they answer it differently, and both want to go on with its run.

python -m tests.stores.race COUNT STORE
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import checkrein
from checkrein import _core
from checkrein.errors import EngineError, Refusal, StoreError
from checkrein.guard.approvals import Approvals
from checkrein.language import compile_source

ROOT = Path(__file__).resolve().parents[2]
POLICY = """
language 1 policy "race"
tool "pay" { class act args { "amount" count } }
queue "leads" { expires 1 d }
rule "ask" on tool "pay" then escalate to "leads" because "Ask."
"""


def race(count, store):
    """Race for so many approvals; how often which word stood. Raises `AssertionError` if not one won."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.reinc"
        policy.write_bytes(compile_source(POLICY.encode(), "policy.rein"))
        guard = checkrein.load(policy, log=None, store=store)
        racers = [Racer(policy, store, word) for word in ("approve", "reject")]
        try:
            for racer in racers:
                assert racer.read() == "ready"
            # Now this one is told first, now the other.
            return Counter(_once(guard, racers[:: (-1) ** number], f"r{number}") for number in range(count))
        finally:
            for racer in racers:
                racer.end()
            guard.close()


def _once(guard, racers, id):
    """The word that stood for the run `id`."""
    with guard.run(id=id) as run:
        assert run.decide(tool="pay", args={"amount": 5}).outcome == "escalate"
        run.suspend()
    answered = _both(racers, f"answer {id}/1")
    stood = [word for word, said in answered if said == "stands"]
    assert [len(stood), sum(said == "already_answered" for _, said in answered)] == [1, 1], (id, answered)
    resumed = _both(racers, f"resume {id}")
    ran = [said for _, said in resumed if said in ("ran", "denied")]
    lost = [said for _, said in resumed if said in ("already_resumed", "ended")]
    assert [len(ran), len(lost)] == [1, 1], (id, resumed)
    assert ran == ["ran" if stood == ["approve"] else "denied"], (id, stood, resumed)
    return stood[0]


def _both(racers, line):
    for racer in racers:
        racer.tell(line)
    return [(racer.word, racer.read()) for racer in racers]


class Racer:
    """A process that answers with one word, and goes on with runs."""

    def __init__(self, policy, store, word):
        self.word = word
        code = [sys.executable, "-m", "tests.stores.race", "racer", str(policy), str(store), word]
        self.process = subprocess.Popen(
            code, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def read(self):
        return self.process.stdout.readline().strip()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.communicate(timeout=60)


def run_racer(policy, store, word):
    """Do what each line says, and print what came of it."""
    guard = checkrein.load(policy, log=None, store=store)
    approvals = Approvals(_core.Operator.open(store))
    print("ready", flush=True)
    for line in sys.stdin:
        what, id = line.split()
        print(_answer(approvals, word, id) if what == "answer" else _resume(guard, id), flush=True)
    guard.close()


def _answer(approvals, word, id):
    try:
        getattr(approvals, word)(id, why="a race")
    except StoreError as error:
        return error.kind
    return "stands"


def _resume(guard, id):
    try:
        run = guard.resume(id)
    except EngineError as error:
        return error.kind
    try:
        with run:
            run.tool("pay", lambda amount: amount, amount=5)
    except Refusal:
        return "denied"
    return "ran"


if __name__ == "__main__":
    if sys.argv[1] == "racer":
        run_racer(*sys.argv[2:])
    else:
        stood = race(int(sys.argv[1]), sys.argv[2])
        total = sum(stood.values())
        print(
            f"{total} approvals, each answered by two processes with yes and no and resumed by both: exactly "
            f"one answer stood and one process went on, {total} of {total} times "
            f"({stood['approve']} yes, {stood['reject']} no)"
        )
