"""Orders in a family whose runs are on threads of their own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore

import pytest

import checkrein
from checkrein.guard.usage import Usage

POLICY = """
language 1
policy "files"
loop off
tool "read" { class retrieve args { "path" text } }
tool "write" { class act args { "path" text } }
order "fresh" { "read" before "write" matching "path" within run again after "write" }
  else deny because "Read it again."
"""
WORKERS = 6


@pytest.fixture
def guard(tmp_path):
    path = tmp_path / "files.rein"
    path.write_text(POLICY)
    return checkrein.load(path, log=None)


def test_of_many_that_have_read_a_file_one_writes_it(guard):
    """The one that writes is not done before all others have been refused."""
    with ThreadPoolExecutor(WORKERS) as threads:
        for _ in range(20):
            scene = Scene()
            with guard.run() as run:
                said = list(threads.map(scene.work, [run] * WORKERS))
            assert scene.written == [True]
            assert sorted(said) == ["Read it again."] * (WORKERS - 1) + ["written"]


class Scene:
    """Workers that read one file and then write it, all at once."""

    def __init__(self):
        self.have_read = Barrier(WORKERS)
        self.refused = Semaphore(0)
        self.written = []

    def work(self, run):
        with run.child() as child:
            child.tool("read", lambda path: "text", path="a")
            self.have_read.wait()
            try:
                child.tool("write", self.write, path="a")
            except checkrein.Denied as denied:
                self.refused.release()
                return denied.decision.reason
        return "written"

    def write(self, path):
        self.written.append(all(self.refused.acquire(timeout=60) for _ in range(WORKERS - 1)))


def test_a_change_that_was_allowed_and_never_sent_is_none(guard):
    with guard.run() as run:
        run.tool("read", lambda path: "text", path="a")
        run.settle(run.decide(tool="write", args={"path": "a"}), Usage("unsent"))
        decision = run.decide(tool="write", args={"path": "a"})
        assert decision.outcome == "allow"
        run.settle(decision)
        assert run.decide(tool="write", args={"path": "a"}).by == "fresh"


def test_an_act_that_does_not_say_what_it_is_about_is_shown_as_such(guard):
    with guard.run() as run:
        run.tool("read", lambda path: "text", path="a")
        decision = run.decide(tool="write", args={})
        assert (decision.outcome, decision.undecided) == ("deny", True)
        assert dict(decision.values) == {"call.args.path": "missing"}
