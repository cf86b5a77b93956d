"""Traces written message by message."""

import json


class Trace:
    """The messages of one run, under construction."""

    def __init__(self, **about):
        self.about = about
        self.messages = []

    def user(self, text="please", **extra):
        self.messages.append({"role": "user", "content": text, **extra})
        return self

    def model(self, *calls, content="", **extra):
        """One assistant's message; each call is (tool, arguments)."""
        made = [
            {
                "id": f"c{len(self.messages)}.{n}",
                "function": {"name": tool, "arguments": json.dumps(arguments)},
            }
            for n, (tool, arguments) in enumerate(calls)
        ]
        self.messages.append({"role": "assistant", "content": content, "tool_calls": made, **extra})
        return self

    def result(self, text="fine", n=0, **extra):
        """The result of the n-th call of the latest assistant's message."""
        turn = next(m for m in reversed(self.messages) if m["role"] == "assistant")
        id = turn["tool_calls"][n]["id"]
        self.messages.append({"role": "tool", "tool_call_id": id, "content": text, **extra})
        return self

    def line(self):
        return json.dumps({**self.about, "messages": self.messages}).encode()
