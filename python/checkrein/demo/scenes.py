"""The scenes of the demo: one failure each, with what the scripted large model says in it.

A script is a function of the conversation that reaches the server, and of nothing else: it is the
same with the guard and without, and is not told which. Each does what models do in the public issue
threads of agent projects: page on for ever, repeat a call, think at length, insist on a broken tool,
act on a guess.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Say:
    """One turn of the scripted model: a text, or tool calls as (name, arguments).

    `thinks` is how many tokens it produces beyond what is seen, as reasoning models do; `sure` is the
    probability of each of its words, for who asks for that.
    """

    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    thinks: int = 0
    sure: float | None = None


class Talk:
    """A conversation, as the server received it."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._messages = messages

    @property
    def turn(self) -> int:
        """How often the model has spoken already."""
        return sum(message["role"] == "assistant" for message in self._messages)

    @property
    def asked(self) -> str:
        """What the customer said last."""
        return str([message["content"] for message in self._messages if message["role"] == "user"][-1])

    def results(self, tool: str) -> list[str]:
        """What the calls of `tool` gave so far, in order: results, errors and denials alike."""
        asked = {
            call["id"]
            for message in self._messages
            for call in message.get("tool_calls") or ()
            if call["function"]["name"] == tool
        }
        return [
            str(m["content"]) for m in self._messages if m["role"] == "tool" and m["tool_call_id"] in asked
        ]


Script = Callable[[Talk], Say]


@dataclass(frozen=True, slots=True)
class Scene:
    """One failure: its name in the table and in the log, what goes wrong, and who says what.

    `kind` is `agent` for an agent with tools, `classify` for one that names topics and has none,
    `restart` for one whose process ends, `cascade` and `offline` for an agent without tools that has
    several models, and `generate` for a bare generation on the edge model.
    """

    title: str
    slug: str
    story: str
    asks: tuple[str, ...]
    script: Script
    kind: str = "agent"


def _pages_on(talk: Talk) -> Say:
    return Say(calls=(("search_kb", {"query": "return policy", "page": talk.turn + 1}),), thinks=60)


def _repeats(_talk: Talk) -> Say:
    return Say(calls=(("search_kb", {"query": "where is my parcel", "page": 1}),), thinks=60)


def _thinks_long(talk: Talk) -> Say:
    return Say(calls=(("search_kb", {"query": f"supplier {talk.turn + 1}", "page": 1}),), thinks=3_900)


def _insists(_talk: Talk) -> Say:
    return Say(calls=(("track_parcel", {"order": "A-1"}),), thinks=60)


def _acts_on_a_guess(talk: Talk) -> Say:
    """Refunds what it guesses; once that is refused it looks the order up, and refunds what was paid."""
    if any(result.startswith("refunded") for result in talk.results("refund")):
        return Say("Your refund is on its way.", thinks=60)
    if not talk.results("refund"):
        return Say(calls=(("refund", {"order": "A-1", "amount": 80.0}),), thinks=60)
    seen = talk.results("find_order")
    if not seen:
        return Say(calls=(("find_order", {"order": "A-1"}),), thinks=60)
    return Say(calls=(("refund", {"order": "A-1", "amount": json.loads(seen[-1])["paid"]}),), thinks=60)


def _refunds(*orders: str) -> Script:
    """Looks the orders up, then refunds them in full, however old the goods are."""

    def script(talk: Talk) -> Say:
        seen = [json.loads(result) for result in talk.results("find_order")]
        if not seen:
            return Say(calls=tuple(("find_order", {"order": order}) for order in orders), thinks=60)
        done = talk.results("refund")
        if done:
            return Say("About your refunds: " + "; ".join(done), thinks=60)
        paid = (("refund", {"order": order["order"], "amount": order["paid"]}) for order in seen)
        return Say(calls=tuple(paid), thinks=60)

    return script


TOPICS = {
    "Where is my parcel?": "delivery",
    "The kettle leaks.": "repair",
    "I was charged twice.": "billing",
    "Do you ship to Malta?": "delivery",
    "How do I descale it?": "repair",
    "My voucher does not work.": "billing",
}


def _names_the_topic(talk: Talk) -> Say:
    return Say(TOPICS[talk.asked], thinks=200)


QUESTIONS = {
    "When are you open?": ("From 9 to 18, Monday to Friday.", 0.96),
    "May I return a kettle that I used for a year?": ("Perhaps.", 0.41),
}
"""What the small model says, and how sure it is."""


def small_says(talk: Talk) -> Say:
    """The small model of the cascade: right on what is simple, unsure elsewhere."""
    text, sure = QUESTIONS[talk.asked]
    return Say(text, thinks=40, sure=sure)


def _knows(talk: Talk) -> Say:
    if talk.asked == "When are you open?":
        return Say("From 9 to 18, Monday to Friday.", thinks=400)
    return Say("No, used goods go back within 30 days.", thinks=400)


def _is_not_asked(_talk: Talk) -> Say:
    raise AssertionError("this scene has no large model")


SCENES = (
    Scene(
        "a runaway loop",
        "runaway",
        "The agent pages through the help centre for ever. No two calls are alike.",
        ("Can I return a kettle?",),
        _pages_on,
    ),
    Scene(
        "repeated tool calls",
        "repeated",
        "The agent asks the same question again and again, and gets the same answer.",
        ("Where is my parcel?",),
        _repeats,
    ),
    Scene(
        "overspending",
        "overspending",
        "The agent thinks at length before every step. Each call costs four cents, and nobody adds them up.",
        ("Compare the terms of all our suppliers.",),
        _thinks_long,
    ),
    Scene(
        "a tool that keeps failing",
        "failing",
        "The carrier's port is closed. The model reads the error and calls again, a paid call each time.",
        ("Where is order A-1?",),
        _insists,
    ),
    Scene(
        "acting before retrieving",
        "acting",
        "The agent refunds $80 for a kettle that it has not looked up. It cost $19.",
        ("My kettle A-1 is broken, I want my money back.",),
        _acts_on_a_guess,
    ),
    Scene(
        "a trivial step on a large model",
        "trivial",
        "Naming the topic of a message is one word of work, and goes to the dearest model.",
        tuple(TOPICS),
        _names_the_topic,
        kind="classify",
    ),
    Scene(
        "a refund that needs a person",
        "refund",
        "A customer wants $240 and $950 back. Somebody should look at that first.",
        ("B-2 arrived broken, and I am tired of C-3. Refund both.",),
        _refunds("B-2", "C-3"),
    ),
    Scene(
        "an approval that survives a restart",
        "restart",
        "The process ends at the refund. It is started again, and by mistake once more, from the same notes.",
        ("B-2 arrived broken. Refund it.",),
        _refunds("B-2"),
        kind="restart",
    ),
    Scene(
        "an easy question on a large model",
        "cascade",
        "One question is easy, one is not, and nobody knows which before it is answered.",
        tuple(QUESTIONS),
        _knows,
        kind="cascade",
    ),
    Scene(
        "a cloud that is away",
        "offline",
        "The port of the model server is closed: every connection is refused.",
        tuple(TOPICS)[:3],
        _is_not_asked,
        kind="offline",
    ),
    Scene(
        "a generation that never ends",
        "endless",
        "No agent here: the edge model, called directly, finds no end and writes until its context is full.",
        ("Write a short note to the customer.",),
        _is_not_asked,
        kind="generate",
    ),
)
