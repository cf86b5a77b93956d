"""The edge: a model that runs in this process, in onnxruntime-genai, with the policy at every token.

    edge = EdgeModel(folder)
    with guard.run() as run:
        written = run.model(edge.generate, model="small", prompt_ids=ids, max_tokens=64)
        chosen = run.model(edge.choose, model="small", prompt_ids=ids, labels={"refund": 17, "other": 23})

Its loop is ours, so what was paid for is never passed by a token, and what was used is known exactly.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from checkrein.errors import EngineError
from checkrein.guard.context import RUN, Attempt, claim_attempt
from checkrein.guard.usage import Usage


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote. `finish`: it ended itself, reached what it may write, or its deadline."""

    tokens: list[int]
    finish: Literal["stop", "length", "deadline"]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Choice:
    """The label that a model finds most likely next; `confidence` is its share among the labels."""

    label: str
    confidence: float
    usage: Usage


class EdgeModel:
    """A model folder of onnxruntime-genai, loaded once; calls may come from several threads.

    Raises `ImportError` without onnxruntime-genai, and what that raises for a folder it cannot read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        import json

        # The runtime's official builds report usage to their maker unless told not to.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        try:
            import onnxruntime_genai
        except ImportError as error:
            needs = f"an edge model needs `pip install 'checkrein[edge]'` ({error})"
            raise type(error)(needs, name=error.name) from error

        self._genai = onnxruntime_genai
        self._model = onnxruntime_genai.Model(fspath(path))
        config = json.loads((Path(path) / "genai_config.json").read_text(encoding="utf-8"))["model"]
        self.vocabulary = int(config["vocab_size"])
        self.context = int(config["context_length"])

    def generate(self, prompt_ids: Sequence[int], max_tokens: int, model: str | None = None) -> Generation:
        """Write at most `max_tokens` after the prompt, greedily, and never more than was paid for.

        Only inside `run.model`, whose reservation it uses. Raises `EngineError` outside of one, and
        `ValueError` for a prompt that is empty, too long, or has ids that the vocabulary lacks.
        """
        attempt = _reserved(model)
        generator = self._begin(prompt_ids, min(self.context, len(prompt_ids) + max_tokens))
        room = min(max_tokens, self.context - len(prompt_ids))
        clock, begun = attempt.run.clock, attempt.run.clock.now()
        timeout = attempt.decision.timeout_ns
        tokens: list[int] = []
        finish: Literal["stop", "length", "deadline"] = "length"
        paid = attempt.run.count(attempt.decision, 0)
        while paid > 0 and len(tokens) < room and finish == "length":
            generator.generate_next_token()
            tokens.append(int(generator.get_next_tokens()[0]))
            paid = attempt.run.count(attempt.decision, 1)
            if len(tokens) < room and generator.is_done():
                finish = "stop"
            elif timeout is not None and clock.now() - begun >= timeout:
                finish = "deadline"
        return Generation(tokens, finish, Usage("exact", len(prompt_ids), len(tokens)))

    def choose(
        self,
        prompt_ids: Sequence[int],
        labels: Mapping[str, int],
        max_tokens: int = 1,  # noqa: ARG002 - a model call is always given one
        model: str | None = None,
    ) -> Choice:
        """The most likely of `labels` (name to token id) after the prompt; nothing is written.

        Only inside `run.model`; `max_tokens` is there for its sake. Raises as `generate` does.
        """
        _reserved(model)
        if not labels:
            raise ValueError("there are no labels to choose from")
        self._check_ids(list(labels.values()), "label")
        # One place more than the prompt takes: a generator that is full from the start has no logits.
        generator = self._begin(prompt_ids, min(self.context, len(prompt_ids) + 1))
        logits = generator.get_logits().reshape(-1, self.vocabulary)[-1]
        scores = {label: float(logits[id]) for label, id in labels.items()}
        best = max(scores, key=lambda label: scores[label])
        confidence = 1 / sum(math.exp(score - scores[best]) for score in scores.values())
        return Choice(best, confidence, Usage("exact", len(prompt_ids), 0))

    def _begin(self, prompt_ids: Sequence[int], length: int) -> Any:
        """A generator that has read the prompt. What the library would take silently is refused here."""
        if not prompt_ids:
            raise ValueError("the prompt is empty")
        if len(prompt_ids) >= self.context:
            raise ValueError(
                f"the prompt has {len(prompt_ids)} tokens, the context only {self.context}, output included"
            )
        self._check_ids(prompt_ids, "prompt")
        parameters = self._genai.GeneratorParams(self._model)
        parameters.set_search_options(max_length=length)
        generator = self._genai.Generator(self._model, parameters)
        generator.append_tokens(list(prompt_ids))
        return generator

    def _check_ids(self, ids: Sequence[int], what: str) -> None:
        for id in ids:
            if not 0 <= id < self.vocabulary:
                raise ValueError(f"{what} id {id} is not in the vocabulary of {self.vocabulary}")


def _reserved(model: str | None) -> Attempt:
    """The attempt that pays for this call."""
    run = RUN.get()
    attempt = None if run is None else claim_attempt(run, model)
    if attempt is None:
        raise EngineError(
            "nothing is reserved for this call of an edge model; make it by `run.model(...)`", "no_attempt"
        )
    return attempt
