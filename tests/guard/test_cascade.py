"""A cascade through the guard: a larger model is asked as well, and the first result still may stand."""

import asyncio
import math
from decimal import Decimal
from types import SimpleNamespace

import pytest

import checkrein
from checkrein.guard.confidence import read_confidence
from checkrein.guard.usage import Usage

POLICY = """
language 1
policy "cascade"
state "over" tell user "Over."
model "small" is "x/s" { tier 1 place edge window 1k tokens output 20 tokens price free }
model "large" is "x/l" { tier 3 place cloud window 1k tokens output 50 tokens price free }
limit "calls" on run { model_calls <= 3 } else stop "over"
route "tiers" { to "small" then "large" when result.confidence < 70% }
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "cascade.rein").write_text(POLICY)
    guard = checkrein.load(tmp_path / "cascade.rein", log=None, clock=checkrein.VirtualClock())
    with guard.run() as run:
        yield run
    guard.close()


class Models:
    """What each model says, and how sure it is; an exception is raised."""

    def __init__(self, **said):
        self.said, self.asked = said, []

    def __call__(self, model, max_tokens):
        assert max_tokens > 0
        self.asked.append(model)
        said = self.said[model]
        if isinstance(said, Exception):
            raise said
        return said


def ask(run, models, **more):
    return run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=lambda said: said[1], **more)


def test_a_confident_answer_is_one_call(run):
    models = Models(small=("yes", 0.9), large=("no", 0.9))
    assert ask(run, models) == ("yes", 0.9)
    assert models.asked == ["small"]


def test_a_doubtful_answer_is_asked_of_the_larger_model_and_both_are_counted(run):
    models = Models(small=("yes", 0.3), large=("no", 0.2))
    assert ask(run, models) == ("no", 0.2)
    assert models.asked == ["small", "large"]
    calls = {each["dimension"]: each["spent"] for each in run.limits()}
    assert calls["model_calls"] == 2


def test_an_answer_of_unknown_confidence_is_doubtful(run):
    models = Models(small=("yes", None), large=("no", None))
    assert ask(run, models) == ("no", None)


def test_the_first_answer_stands_where_the_larger_model_may_not_run(run):
    models = Models(small=("yes", 0.3), large=("no", 0.2))
    assert ask(run, models) == ("no", 0.2)
    assert ask(run, models) == ("yes", 0.3)
    assert models.asked == ["small", "large", "small"]


def test_the_first_answer_stands_where_the_larger_model_fails(run):
    models = Models(small=("yes", 0.3), large=ConnectionError("no route to host"))
    assert ask(run, models) == ("yes", 0.3)
    assert models.asked == ["small", "large"]


@pytest.mark.parametrize(
    "error",
    [TypeError("a bug"), NameError("a bug"), checkrein.EngineError("no object for it", "no_model")],
    ids=lambda error: type(error).__name__,
)
def test_a_mistake_of_the_host_is_not_hidden_by_the_first_answer(run, error):
    models = Models(small=("yes", 0.3), large=error)
    with pytest.raises(type(error)):
        ask(run, models)
    assert models.asked == ["small", "large"]


def test_only_whom_a_larger_model_may_follow_is_judged(run):
    judged = []

    def judge(said):
        judged.append(said)
        return 0.3

    models = Models(small="yes", large="no")
    assert run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=judge) == "no"
    assert judged == ["yes"]


def test_a_judge_may_ask_a_model_which_is_a_call_of_its_own(run):
    def sure(model, max_tokens):
        assert model == "small"
        return "yes, quite"

    def judge(_said):
        run.model(sure, usage=lambda _: Usage("exact", 5, 2), judge=lambda _: 0.9)
        return 0.9

    models = Models(small="yes", large="no")
    assert run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=judge) == "yes"
    assert next(row["spent"] for row in run.limits() if row["dimension"] == "model_calls") == 2


def test_a_judge_whose_own_call_is_refused_knows_nothing(run):
    def judge(_said):
        run.model(Models(), model="nobody", usage=lambda _: Usage("exact", 5, 2))

    models = Models(small="yes", large="no")
    assert run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=judge) == "no"
    assert models.asked == ["small", "large"]


def test_an_asynchronous_judge_is_awaited(run):
    models = Models(small="yes", large="no")

    async def call(model, max_tokens):
        return models(model, max_tokens)

    async def judge(said):
        await asyncio.sleep(0)
        return 0.3

    asked = run.model(call, usage=lambda _: Usage("exact", 5, 2), judge=judge)
    assert asyncio.run(asked) == "no"
    with pytest.raises(TypeError, match="the judge is asynchronous"):
        run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=judge)


def test_a_result_of_a_run_that_ended_meanwhile_is_dropped(run):
    def judge(said):
        run.end()
        return 0.9

    with pytest.raises(checkrein.EngineError, match="came back when its run was over") as caught:
        run.model(Models(small="yes"), usage=lambda _: Usage("exact", 5, 2), judge=judge)
    assert caught.value.kind == "ended"


def test_the_first_answer_does_not_stand_after_a_stop(tmp_path):
    retry = 'retry "no more" on model "large" { attempts <= 1 } else stop "over"'
    (tmp_path / "stop.rein").write_text(f"{POLICY}{retry}\n")
    guard = checkrein.load(tmp_path / "stop.rein", log=None, clock=checkrein.VirtualClock())
    with guard.run() as run, pytest.raises(checkrein.Stopped):
        ask(run, Models(small=("yes", 0.3), large=ConnectionError("no route to host")))
    guard.close()


def test_an_asynchronous_call_goes_alike(run):
    models = Models(small=("yes", 0.3), large=("no", 0.2))

    async def call(model, max_tokens):
        return models(model, max_tokens)

    answer = run.model(call, usage=lambda _: Usage("exact", 5, 2), judge=lambda said: said[1])
    assert asyncio.run(answer) == ("no", 0.2)


def test_a_judge_that_breaks_is_the_hosts_and_the_attempt_is_charged(run):
    models = Models(small=("yes", 0.3), large=("no", 0.2))

    def judge(_said):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run.model(models, usage=lambda _: Usage("exact", 5, 2), judge=judge)
    assert models.asked == ["small"]
    assert next(each["spent"] for each in run.limits()) == 1


def completion(*probabilities):
    content = [{"token": "x", "logprob": math.log(each)} for each in probabilities]
    return {"choices": [{"message": {"content": "x"}, "logprobs": {"content": content}}]}


def test_the_confidence_of_a_reply_is_the_mean_probability_of_its_tokens():
    assert read_confidence(completion(0.25, 0.25)) == Decimal("0.25")
    assert abs(read_confidence(completion(0.9, 0.4)) - Decimal("0.6")) < Decimal("0.000002")
    assert read_confidence(completion(1.0)) == 1
    message = SimpleNamespace(response_metadata={"logprobs": completion(0.5)["choices"][0]["logprobs"]})
    assert read_confidence(SimpleNamespace(result=[message])) == Decimal("0.5")
    assert read_confidence(message) == Decimal("0.5")


def test_the_confidence_of_a_response_is_that_of_all_it_says():
    def part(*probabilities):
        return {"type": "output_text", "logprobs": [{"logprob": math.log(each)} for each in probabilities]}

    thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]}
    said = [{"type": "message", "content": [part(0.25), part(0.25, 0.25)]}]
    assert read_confidence({"output": [thought, *said]}) == Decimal("0.25")
    assert read_confidence({"output": [*said, {"type": "message", "content": [part()]}]}) is None


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "text",
        {"choices": []},
        {"choices": [{"logprobs": None}]},
        {"choices": [{"logprobs": {"content": []}}]},
        {"choices": [{"logprobs": {"content": [{"logprob": None}]}}]},
        {"choices": [{"logprobs": {"content": [{"logprob": float("nan")}]}}]},
    ],
)
def test_a_reply_without_probabilities_is_of_unknown_confidence(reply):
    assert read_confidence(reply) is None
