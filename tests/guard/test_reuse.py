"""The values of attempts that a policy hands back: which are kept."""

import checkrein
from checkrein.guard.memory import RESULTS_MAX

POLICY = """
language 1
policy "reuse" loop off
tool "read" { class retrieve args { "page" count } }
rule "again" on tool "read" then reuse because "Read."
"""


def test_a_result_that_is_not_settled_yet_outlives_all_others(tmp_path):
    (tmp_path / "reuse.rein").write_text(POLICY)
    guard = checkrein.load(tmp_path / "reuse.rein", log=None, clock=checkrein.VirtualClock())
    with guard.run() as run:
        slow = run.decide(tool="read", args={"page": 0})
        assert slow.outcome == "allow"
        run.keep_result(slow, "the first page")
        for page in range(1, RESULTS_MAX + 2):
            run.tool("read", lambda page: page, page=page)
        run.settle(slow)
        assert run.tool("read", lambda page: "read again", page=0) == "the first page"
        assert len(run.results) <= RESULTS_MAX
    guard.close()
