"""LangChain agents for the tests: real `create_agent`, real `ChatOpenAI`, tools that count their calls."""

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from checkrein.adapters import langchain


class Shop:
    """Two tools, and what was really run."""

    def __init__(self):
        self.ran = []
        shop = self

        @tool
        def search(query: str) -> str:
            """Look something up."""
            shop.ran.append(("search", query))
            return f"found {query}"

        @tool
        def refund(amount: int) -> str:
            """Pay money back."""
            shop.ran.append(("refund", amount))
            return f"refunded {amount}"

        self.tools = [search, refund]


def chat(server, model="large-1", **settings):
    """A chat model as a user makes it: its SDK retries are left as they come."""
    return ChatOpenAI(model=model, base_url=server.url, api_key="none", use_responses_api=False, **settings)


def agent_of(guard, server, tools=(), *, agent=None, model=None, inner=(), **options):
    """An agent under `guard`. `agent` are options of `create_agent`, the rest is the middleware's."""
    governed = langchain.middleware(guard, **options)
    return create_agent(model or chat(server), list(tools), middleware=[*inner, governed], **(agent or {}))


def question(text="one two three"):
    return {"messages": [{"role": "user", "content": text}]}


def thread(id="t"):
    return {"configurable": {"thread_id": id}}


def tool_messages(result):
    return [message for message in result["messages"] if message.type == "tool"]
