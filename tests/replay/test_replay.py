"""What each part of a trace becomes, on traces written for it."""

import json

import pytest

import checkrein
from checkrein.replay import Problem, replay


class Kept:
    """A sink that keeps its records."""

    def __init__(self):
        self.records = []

    def write(self, record):
        self.records.append(record)


def verdicts(run):
    return [(v.outcome, v.by, v.subject, v.message) for v in run.verdicts]


def test_a_run_that_nothing_happens_to(replayed, trace):
    (run,) = replayed(trace(task_id=7, trial=2, reward=1).user().model(("look", {"q": 1})).result().model())
    assert (run.line, run.task, run.trial, run.reward) == (1, "7", "2", 1.0)
    assert (run.model_calls, run.tool_calls, run.outcome, run.verdicts) == (2, 1, "completed", [])


def test_a_stop_ends_the_run(replayed, trace):
    made = trace().user()
    for _ in range(5):
        made.model(("look", {"q": 1})).result()
    (run,) = replayed(made)
    assert verdicts(run) == [("stop", "stuck", "tool `look`", 6)]
    assert run.verdicts[0].at.endswith("small.rein:16")
    assert (run.model_calls, run.tool_calls, run.outcome) == (3, 3, "stuck")


def test_a_denied_call_has_no_result(replayed, trace):
    made = trace().user().model(("pay", {"amount": 5})).result("paid")
    made.model(("look", {})).result().model(("pay", {"amount": 5})).result("paid")
    (run,) = replayed(made)
    assert verdicts(run) == [("deny", "look first", "tool `pay`", 2)]


def test_only_a_good_result_counts_as_a_look(replayed, trace):
    made = (
        trace()
        .user()
        .model(("look", {}))
        .result("Error: no such case")
        .model(("pay", {"amount": 5}))
        .result()
    )
    (run,) = replayed(made)
    assert verdicts(run) == [("deny", "look first", "tool `pay`", 4)]
    assert run.retries == 1


def test_calls_of_one_message_do_not_look_for_each_other(replayed, trace):
    made = trace().user().model(("look", {}), ("pay", {"amount": 5})).result(n=0).result(n=1)
    (run,) = replayed(made)
    assert verdicts(run) == [("deny", "look first", "tool `pay`", 2)]


@pytest.mark.parametrize(("approve", "expected"), [(True, ["escalate"]), (False, ["escalate", "deny"])])
def test_people_answer(replayed, trace, approve, expected):
    made = trace().user().model(("look", {})).result().model(("pay", {"amount": 101})).result().model()
    (run,) = replayed(made, approve=approve)
    assert [v.outcome for v in run.verdicts] == expected
    assert {v.by for v in run.verdicts} == {"big payments"}
    assert run.outcome == "completed"


def test_an_argument_of_the_wrong_type_is_undecided(replayed, trace):
    made = trace().user().model(("look", {})).result().model(("pay", {"amount": [5]})).result()
    (run,) = replayed(made)
    assert [(v.outcome, v.by, v.undecided) for v in run.verdicts] == [("escalate", "big payments", True)]


def test_facts_of_the_run(replayed, trace):
    made = trace(facts={"caller.trusted": False}).user().model(("look", {})).result()
    (run,) = replayed(made.model(("pay", {"amount": 1})).result())
    assert verdicts(run) == [("deny", "strangers", "tool `pay`", 4)]


def test_tokens_are_estimated_from_the_text(replayed, trace):
    (run,) = replayed(trace().user("12345678").model(content="123"))
    assert (run.tokens, run.estimated, run.cost) == (2 + 1, True, 2 * 1_000 + 1 * 4_000)


def test_reported_usage_is_exact(replayed, trace):
    made = trace().user("1234").model(usage={"prompt_tokens": 100, "completion_tokens": 7})
    (run,) = replayed(made)
    assert (run.tokens, run.estimated) == (107, False)


def test_the_clock_follows_the_times_of_messages(replayed, trace):
    def at(*times):
        made = trace()
        for time in times:
            made.user(time=time).model(time=time)
        return made

    assert replayed(at(100, 120, 159.5))[0].outcome == "completed"
    assert replayed(at(100, 120, 160))[0].outcome == "over_limit"
    assert replayed(at(160, 120, 100))[0].outcome == "completed"
    assert replayed(at("2024-05-01T10:00:00Z", "2024-05-01T12:01:00+02:00"))[0].outcome == "over_limit"


def test_runs_do_not_know_each_other(replayed, trace):
    one = trace().user().model(("look", {"q": 1})).result().model(("look", {"q": 1})).result()
    assert [run.outcome for run in replayed(one, one)] == ["completed", "completed"]


def test_a_dict_of_arguments_is_taken_as_it_is(replayed, trace):
    made = trace().user().model(("look", {}))
    made.messages[-1]["tool_calls"][0]["function"]["arguments"] = {"q": 1}
    (run,) = replayed(made.result())
    assert run.tool_calls == 1


def test_decisions_can_be_kept(replayed, trace):
    kept = Kept()
    replayed(trace().user().model(("pay", {"amount": 5})), sink=kept)
    assert [r["id"] for r in kept.records if r["kind"] == "decision"] == ["line1.1", "line1.2"]


MALFORMED = {
    b"{": "the line is not JSON",
    b"\xff": "the line is not valid UTF-8",
    b"[" * 100_000: "the line is nested too deeply",
    b"[]": "the line is not a JSON object",
    b'{"traj": {}}': "the line has no list `traj` or `messages`",
    b'{"traj": [], "reward": "x"}': "`reward` is not a number",
    b'{"traj": [], "facts": 3}': "`facts` is not a JSON object",
    b'{"traj": ["x"]}': "message 1 is not a JSON object",
    b'{"traj": [{"role": "robot"}]}': "message 1 has the role `robot`",
    b'{"traj": [{"role": ["user"]}]}': "message 1 has the role",
    b'{"traj": [{"role": "user", "time": "noon"}]}': "the time of message 1",
    b'{"traj": [{"role": "user", "time": NaN}]}': "the time of message 1",
    b'{"traj": [{"role": "tool", "tool_call_id": "c9"}]}': "message 1 answers the tool call `c9`",
    b'{"traj": [{"role": "tool", "tool_call_id": [1]}]}': "message 1 answers the tool call",
    b'{"traj": [{"role": "assistant", "tool_calls": 5}]}': "`tool_calls` of message 1 is not a list",
    b'{"traj": [{"role": "assistant", "tool_calls": [5]}]}': "tool call 1 of message 1 is not a JSON object",
    b'{"traj": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}': "`function` of tool call 1",
    b'{"traj": [{"role": "user", "content": "\\ud800"}]}': "the line is not valid UTF-8",
    b'{"traj": [{"role": "assistant"}], "facts": {"no.such": 1}}': "no.such",
}


@pytest.mark.parametrize(("line", "told"), MALFORMED.items(), ids=list(MALFORMED.values()))
def test_a_malformed_line_is_a_problem_and_the_others_are_replayed(replayed, trace, line, told):
    good = trace().user().model()
    before, problem, blank_skipped = replayed(good, line, b"\n", good)
    assert isinstance(problem, Problem)
    assert problem.line == 2
    assert told in problem.message
    assert (before.line, blank_skipped.line) == (1, 4)


def test_arguments_that_are_no_json(replayed, trace):
    made = trace().user().model(("look", {}))
    made.messages[-1]["tool_calls"][0]["function"]["arguments"] = '{"q": '
    (problem,) = replayed(made)
    assert problem.message.startswith("`arguments` of tool call 1 of message 2 is not JSON")


def test_arguments_nested_too_deeply_for_the_engine(replayed, trace):
    (problem,) = replayed(trace().user().model(("look", json.loads("[" * 200 + "]" * 200))))
    assert isinstance(problem, Problem)
    (problem,) = replayed(trace().user().model(("look", {"q": json.loads("[" * 200 + "]" * 200)})))
    assert isinstance(problem, Problem)


def test_the_recorded_model_must_be_known(replayed, trace, tmp_path):
    with pytest.raises(checkrein.CheckreinError, match="declares no model `small`; it has `large`"):
        replayed(trace().user().model(), model="small")
    policy = tmp_path / "toolsonly.rein"
    policy.write_text('language 1 policy "t" tool "look" { }')
    from checkrein.replay import replay

    with pytest.raises(checkrein.CheckreinError, match="declares no models; declare the model"):
        list(replay([], checkrein.load(policy, log=None).program))


WIDE = """
language 1 policy "wide"
model "m" is "t/m" { place cloud window 100k tokens output 1k tokens price free }
tool "look" { class retrieve args { "q" count optional } }
limit "per user" on user each day { tool_calls <= 1 } else deny
"""


@pytest.fixture
def wide(tmp_path):
    (tmp_path / "wide.rein").write_text(WIDE)
    return checkrein.load(tmp_path / "wide.rein", log=None, store="memory:").program


def looking(trace, when=None, **about):
    times = {} if when is None else {"time": when}
    return trace(**about).user(**times).model(("look", {"q": 1}), **times).result(**times).line()


def test_limits_add_up_over_the_runs_of_a_user(wide, trace):
    lines = [looking(trace, user="u1"), looking(trace, user="u2"), looking(trace, user="u1")]
    runs = list(replay(lines, wide))
    assert [[v.by for v in run.verdicts] for run in runs] == [[], [], ["per user"]]


def test_the_times_of_a_trace_are_its_calendar(wide, trace):
    noon = 1_767_268_800  # of the first day of a year
    lines = [looking(trace, noon + hours * 3600, user="u1") for hours in (0, 11, 13)]
    runs = list(replay(lines, wide))
    assert [[v.by for v in run.verdicts] for run in runs] == [[], ["per user"], []]


def test_a_line_that_does_not_say_whose_it_is_is_a_problem(wide, trace):
    problem, run = replay([looking(trace), looking(trace, user="u1")], wide)
    assert isinstance(problem, Problem)
    assert (problem.line, "each `user`" in problem.message) == (1, True)
    assert problem.message.endswith("say so in the line")
    assert run.verdicts == []
