"""The edge model of the demo: a tiny ONNX model that really runs in this process.

Its weights are random and mean nothing: it was never trained, has no tokenizer, and can't end a text.
So that a choice can be had from it at all, each label is given a token id, and the label whose id has
the largest logit is chosen. What is real is where it runs, what it costs, and how it is stopped.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime_genai as genai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from checkrein.adapters.onnx import EdgeModel

if TYPE_CHECKING:
    from checkrein.guard import Run

FOLDER = Path(__file__).parent / "tiny_onnx"
LABELS = {"delivery": 3, "repair": 4, "billing": 5, "other": 6}
"""Token ids for labels: the first that are free. Others would choose differently, and no better."""

_BEGIN, _FIRST, _BYTES = 2, 3, 61


@cache
def tiny() -> EdgeModel:
    """The model, loaded once a process."""
    return EdgeModel(FOLDER)


def ids_of(text: str) -> list[int]:
    """Token ids for a text, a byte an id: there is no tokenizer, and no meaning to keep."""
    return [_BEGIN, *(_FIRST + byte % _BYTES for byte in text.encode())]


def write_unguarded(prompt: str) -> int:
    """Generate as the runtime's own examples do, until the model is done; gives the tokens written."""
    model = genai.Model(str(FOLDER))
    generator = genai.Generator(model, genai.GeneratorParams(model))
    generator.append_tokens(ids_of(prompt))
    written = 0
    while not generator.is_done():
        generator.generate_next_token()
        written += 1
    return written


def write(run: Run, prompt: str) -> int:
    """Generate under the policy; gives the tokens written."""
    return len(run.model(tiny().generate, model="edge", prompt_ids=ids_of(prompt)).tokens)


class LabelModel(BaseChatModel):
    """The tiny model as a LangChain chat model that answers with one of the labels."""

    model_name: str = "edge"
    max_tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "checkrein-demo-edge"

    def _generate(self, messages: list[Any], *_args: Any, **_options: Any) -> ChatResult:
        choice = tiny().choose(ids_of(messages[-1].text), LABELS)
        read, wrote = choice.usage.input_tokens, choice.usage.output_tokens
        used: Any = {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}
        message = AIMessage(choice.label, usage_metadata=used)
        return ChatResult(generations=[ChatGeneration(message=message)])
