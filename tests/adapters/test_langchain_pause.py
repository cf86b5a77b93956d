"""A person in the loop of a LangChain agent: interrupt and resume, approvers, and neither."""

import subprocess
import sys

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

import checkrein
from checkrein.adapters import langchain
from checkrein.demo.server import call_tool, call_tools, say

from .agents import Shop, agent_of, chat, question, thread, tool_messages
from .conftest import used

BIG = 'rule "big" on tool "refund" when call.args.amount > $1 then escalate to "leads" because "Above $1."'
ANY = 'rule "any" on tool "refund" then escalate to "leads" because "Any refund."'


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def paused(serve, make_guard, shop):
    """An agent with a checkpointer that has just been interrupted, its server, and the first result."""

    def start(*statements, replies=None, tools=None, **options):
        server = serve({"large-1": replies or [call_tool("refund", amount=500), say("done")]})
        guard = make_guard(*statements)
        agent = agent_of(
            guard, server, tools or shop.tools, agent={"checkpointer": InMemorySaver()}, **options
        )
        return agent, server, agent.invoke(question(), thread())

    return start


def payloads(result):
    return [i.value for i in result.get("__interrupt__", ())]


@pytest.mark.parametrize("approve", [True, False])
def test_an_interrupted_agent_is_resumed_by_the_answer(paused, shop, approve):
    agent, server, result = paused(BIG)
    (asked,) = payloads(result)
    assert (asked["rule"], asked["arguments"], asked["queue"]) == ("big", {"amount": 500}, "leads")
    assert shop.ran == []
    result = agent.invoke(Command(resume=approve), thread())
    assert shop.ran == ([("refund", 500)] if approve else [])
    assert len(server.requests) == 2
    assert result["messages"][-1].content == "done"
    (told,) = tool_messages(result)
    assert told.content == ("refunded 500" if approve else "This call was not run. A person said no.")
    assert result["checkrein_outcome"] == "completed"


ASKS = 'rule "ask" on tool "refund" then escalate to "leads" as question because "How much?"'
OVER = 'rule "over" on tool "refund" then escalate to "leads" as handover because "Not for an agent."'


def test_a_question_is_answered_with_a_text(paused, shop):
    agent, _server, result = paused(ASKS)
    (asked,) = payloads(result)
    assert (asked["checkrein"], "the answer" in asked["answer_with"]) == ("question", True)
    for no_answer in (True, "", ["Half"]):
        result = agent.invoke(Command(resume=no_answer), thread())
        assert len(payloads(result)) == 1
    result = agent.invoke(Command(resume="Half of it."), thread())
    (told,) = tool_messages(result)
    assert (told.content, told.status, shop.ran) == ("Half of it.", "success", [])
    assert result["messages"][-1].content == "done"


def test_a_person_takes_the_task_over(paused, shop):
    agent, server, result = paused(OVER)
    assert payloads(result)[0]["checkrein"] == "handover"
    result = agent.invoke(Command(resume=True), thread())
    assert (shop.ran, result["checkrein_outcome"]) == ([], "handed_over")
    assert len(server.requests) == 1, "the model is not asked again"


def test_a_resumed_call_is_the_same_call(paused, records):
    agent, _server, _result = paused(BIG)
    agent.invoke(Command(resume=True), thread())
    tools = [r for r in records.decisions() if r["event"] == "tool call"]
    assert [r["outcome"] for r in tools] == ["escalate", "escalate", "allow"]
    assert len({(r["run"], r["call"]) for r in tools}) == 1


def test_only_true_and_false_are_answers(paused, shop):
    agent, _server, _result = paused(BIG)
    result = agent.invoke(Command(resume="yes, of course"), thread())
    assert (len(payloads(result)), shop.ran) == (1, [])
    agent.invoke(Command(resume=True), thread())
    assert shop.ran == [("refund", 500)]


def test_each_rule_gets_its_own_answer(paused, shop):
    agent, _server, result = paused(ANY, BIG)
    assert [p["rule"] for p in payloads(result)] == ["any"]
    result = agent.invoke(Command(resume=True), thread())
    # The first answer is not taken for the second question's.
    assert ([p["rule"] for p in payloads(result)], shop.ran) == (["big"], [])
    result = agent.invoke(Command(resume=False), thread())
    assert (payloads(result), shop.ran) == ([], [])


def test_parallel_calls_are_answered_one_by_one(paused, shop):
    calls = call_tools(*[("refund", {"amount": n}) for n in (500, 600, 50)])
    agent, _server, result = paused(BIG, replies=[calls, say("done")])
    assert shop.ran == [("refund", 50)]
    answers = {i.id: i.value["arguments"]["amount"] == 600 for i in result["__interrupt__"]}
    agent.invoke(Command(resume=answers), thread())
    assert shop.ran == [("refund", 50), ("refund", 600)]


def test_an_answer_that_comes_too_late_does_not_count(paused, shop, clock):
    agent, _server, _result = paused(BIG)
    clock.advance(31 * 60 * 1_000_000_000)
    result = agent.invoke(Command(resume=True), thread())
    assert shop.ran == []
    assert tool_messages(result)[0].status == "error"


def test_the_next_call_of_the_kind_is_asked_anew(paused, shop):
    replies = [call_tool("refund", amount=500), call_tool("refund", amount=500), say("done")]
    agent, _server, _result = paused(BIG, replies=replies)
    result = agent.invoke(Command(resume=True), thread())
    assert (len(payloads(result)), len(shop.ran)) == (1, 1)


def test_a_model_call_may_be_escalated_too(paused, shop):
    rule = 'rule "first" on model any when step.index <= 1 then escalate to "leads" because "Begin?"'
    agent, server, result = paused(rule)
    assert ([p["rule"] for p in payloads(result)], server.requests) == (["first"], [])
    result = agent.invoke(Command(resume=True), thread())
    assert (result["messages"][-1].content, shop.ran) == ("done", [("refund", 500)])


def test_a_refused_model_call_ends_the_agent(paused):
    rule = 'rule "first" on model any then escalate to "leads" because "Begin?"'
    agent, server, _result = paused(rule)
    result = agent.invoke(Command(resume=False), thread())
    assert server.requests == []
    assert result["messages"][-1].content == "This call was not run. A person said no."
    assert result["checkrein_outcome"] == "denied"


def asking_refund(ran):
    @tool
    def refund(amount: int) -> str:
        """Pay money back, and ask by itself which way."""
        ran.append(amount)
        return f"{amount} by {interrupt('cash or card?')}"

    return refund


@pytest.mark.parametrize("statements", [(), (BIG,)])
def test_a_tool_that_pauses_itself_goes_on_as_the_same_call(paused, records, statements):
    ran = []
    agent, _server, result = paused(*statements, tools=[asking_refund(ran)])
    if statements:
        assert [p["rule"] for p in payloads(result)] == ["big"]
        result = agent.invoke(Command(resume=True), thread())
    assert payloads(result) == ["cash or card?"]
    result = agent.invoke(Command(resume="card"), thread())
    # A resumed tool runs from its top: once up to its question, once through.
    assert (tool_messages(result)[0].content, ran) == ("500 by card", [500, 500])
    tools = [r for r in records.decisions() if r["event"] == "tool call"]
    assert [r["outcome"] for r in tools].count("allow") == 1
    assert "tool error" not in {r["event"] for r in records.decisions()}


def test_a_hook_further_inside_may_pause_a_model_call(serve, make_guard, records):
    @wrap_model_call
    def curious(request, handler):
        interrupt("go on?")
        return handler(request)

    server = serve({"large-1": say("done")})
    governed = langchain.middleware(make_guard())
    agent = create_agent(chat(server), [], middleware=[governed, curious], checkpointer=InMemorySaver())
    assert payloads(agent.invoke(question(), thread())) == ["go on?"]
    result = agent.invoke(Command(resume="yes"), thread())
    assert (result["messages"][-1].content, len(server.requests)) == ("done", 1)
    assert [r["outcome"] for r in records.decisions()] == ["allow"]


def test_an_agent_inside_a_graph_is_resumed(serve, make_guard, shop):
    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    parent = StateGraph(MessagesState)
    parent.add_node("agent", agent_of(make_guard(BIG), server, shop.tools))
    parent.add_edge(START, "agent")
    graph = parent.compile(checkpointer=InMemorySaver())
    assert [p["rule"] for p in payloads(graph.invoke(question(), thread()))] == ["big"]
    graph.invoke(Command(resume=True), thread())
    assert (shop.ran, len(server.requests)) == ([("refund", 500)], 2)


def test_an_agent_in_a_tool_pauses_both(serve, make_guard, shop, records):
    server = serve(
        {
            "large-1": [call_tool("agent", task="x"), say("done")],
            "small-1": [call_tool("refund", amount=500), say("sub")],
        }
    )
    governed = langchain.middleware(make_guard(BIG))
    inner = create_agent(chat(server, "small-1"), shop.tools, middleware=[governed])

    @tool
    def agent(task: str) -> str:
        """Ask another agent."""
        return inner.invoke(question(task))["messages"][-1].text

    outer = create_agent(chat(server), [agent], middleware=[governed], checkpointer=InMemorySaver())
    assert [p["rule"] for p in payloads(outer.invoke(question(), thread()))] == ["big"]
    result = outer.invoke(Command(resume=True), thread())
    assert (result["messages"][-1].content, shop.ran) == ("done", [("refund", 500)])
    assert len(server.requests) == 4
    decided = [(r["subject"], r["outcome"]) for r in records.decisions() if r["event"] == "tool call"]
    refund = "tool `refund`"
    assert decided == [
        ("tool `agent`", "allow"),
        (refund, "escalate"),
        (refund, "escalate"),
        (refund, "allow"),
    ]


def test_a_tool_with_a_timeout_may_pause_too(serve, make_guard):
    @tool
    def quick() -> str:
        """Ask from a thread of its own."""
        return interrupt("which?")

    server = serve({"large-1": [call_tool("quick"), say("done")]})
    retry = 'retry "tools" on tool any { attempts <= 3 } else fail "given_up"'
    limit = 'limit "tools" on run { tool_calls <= 1 } else stop "over_limit"'
    agent = agent_of(make_guard(retry, limit), server, [quick], agent={"checkpointer": InMemorySaver()})
    assert payloads(agent.invoke(question(), thread())) == ["which?"]
    assert tool_messages(agent.invoke(Command(resume="this"), thread()))[0].content == "this"


def test_a_run_of_the_hosts_is_found_by_the_resumed_call(serve, make_guard, shop):
    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    guard = make_guard(BIG)
    agent = agent_of(guard, server, shop.tools, agent={"checkpointer": InMemorySaver()})
    with guard.run() as run:
        agent.invoke(question(), thread())
        agent.invoke(Command(resume=True), thread())
        assert used(run, "model_calls") == (2, 0)
    assert shop.ran == [("refund", 500)]


def test_a_run_that_this_process_does_not_know_calls_nothing(serve, make_guard, shop):
    server = serve({"large-1": call_tool("refund", amount=500)})
    guard, saver = make_guard(BIG), InMemorySaver()
    agent_of(guard, server, shop.tools, agent={"checkpointer": saver}).invoke(question(), thread())
    other = agent_of(guard, server, shop.tools, agent={"checkpointer": saver})
    with pytest.raises(checkrein.EngineError, match="not in this process"):
        other.invoke(Command(resume=True), thread())
    assert shop.ran == []


@pytest.mark.parametrize("where", ["middleware", "guard"])
@pytest.mark.parametrize("verdict", [True, False])
def test_an_approver_is_asked_instead(serve, make_guard, shop, where, verdict):
    asked = []

    def approver(approval):
        asked.append(approval)
        return verdict

    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    here, there = ({"approver": approver}, {}) if where == "middleware" else ({}, {"approver": approver})
    agent = agent_of(
        make_guard(BIG, **there), server, shop.tools, agent={"checkpointer": InMemorySaver()}, **here
    )
    agent.invoke(question(), thread())
    assert [(a.rule, dict(a.arguments), a.reason) for a in asked] == [("big", {"amount": 500}, "Above $1.")]
    assert len(shop.ran) == verdict


def test_without_a_person_or_a_checkpointer_the_agent_is_told(serve, make_guard, shop):
    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    result = agent_of(make_guard(BIG), server, shop.tools).invoke(question())
    (told,) = tool_messages(result)
    assert told.content == "A person has to decide this first. Above $1. Do not assume the answer."
    assert (told.status, shop.ran, result["messages"][-1].content) == ("error", [], "done")


PROCESS = """
import sys
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
import checkrein
from tests.adapters.agents import Shop, agent_of, question, thread

step, policy, store, checkpoints, port = sys.argv[1:]


class Server:
    url = f"http://127.0.0.1:{port}/v1"


guard, shop = checkrein.load(policy, log=None, store=store), Shop()
with SqliteSaver.from_conn_string(checkpoints) as saver:
    agent = agent_of(guard, Server(), shop.tools, agent={"checkpointer": saver})
    run = guard.run(id="r1") if step == "begin" else guard.resume("r1")
    with run:
        given = question() if step == "begin" else Command(resume=step == "yes")
        result = agent.invoke(given, thread())
        paused = [i.value["rule"] for i in result.get("__interrupt__", ())]
        if paused:
            run.suspend()
    print(paused, shop.ran, run.outcome, result["messages"][-1].text)
guard.close()
"""


def test_an_interrupted_agent_goes_on_in_another_process(serve, make_guard, tmp_path):
    server = serve({"large-1": [call_tool("refund", amount=500), say("done")]})
    make_guard(ANY, BIG)
    files = [str(tmp_path / name) for name in ("policy.rein", "ledger.db", "graph.db")]

    def process(step):
        words = [sys.executable, "-c", PROCESS, step, *files, server.url.split(":")[2].split("/")[0]]
        done = subprocess.run(words, text=True, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert process("begin") == "['any'] [] suspended"
    # The first answer is not taken for the second question's, though another process asks it.
    assert process("yes") == "['big'] [] suspended"
    assert process("yes") == "[] [('refund', 500)] completed done"
    assert len(server.requests) == 2
