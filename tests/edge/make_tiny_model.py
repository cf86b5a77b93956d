#!/usr/bin/env python3
"""Make the tiny ONNX language model that the edge demo and the edge tests load.

What it makes, in python/checkrein/demo/tiny_onnx/ (or the folder given by --out):

    model.onnx         a two-layer decoder-only transformer with a KV cache
                       (64 token ids, hidden size 32, context of 2048 tokens)
    genai_config.json  what onnxruntime-genai needs to load and run it

THE WEIGHTS ARE RANDOM AND MEAN NOTHING. The model was never trained. It exists
so that code which drives onnxruntime-genai can be run for real, offline, in
milliseconds. Nothing it generates is evidence about any real model.

Deliberate properties:
  * There is no tokenizer: callers pass and receive token ids (0..63).
    0 is padding, 1 is end-of-sequence, 2 is beginning-of-sequence.
  * Ids 0, 1 and 2 are pinned to a logit of about -10000, so the model never
    ends by itself. Only the caller, or max_length, stops it: a runaway.
  * Weights are stored as int8 with a power-of-two scale and widened to float32
    in the graph, and the rotary tables are computed in the graph: the files
    stay small, and every stored weight is exact.

Needs:    Python 3.9+, `pip install onnx numpy` (made with onnx 1.23.2, numpy
          2.4.6). Neither torch, transformers nor onnxruntime is needed here.
Make:     python tests/edge/make_tiny_model.py
Compare:  python tests/edge/make_tiny_model.py --check
          (makes it in memory; exit status 1 if the files on disk differ)

Running it again gives the same bytes: fixed seed, Python's own generator
(`random.Random.random`, whose sequence is stable across versions), pinned IR
and opset versions, deterministic protobuf serialisation, "\\n" line ends.
"""

import argparse
import json
import pathlib
import random
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 20240607
VOCAB, HIDDEN, INNER = 64, 32, 32
LAYERS, HEADS, KV_HEADS, HEAD_SIZE = 2, 2, 1, 16
CONTEXT = 2048
PAD, EOS, BOS = 0, 1, 2
BANNED_LOGIT = -10000.0

DEFAULT_OUT = pathlib.Path(__file__).resolve().parents[2] / "python/checkrein/demo/tiny_onnx"


class Graph:
    """Collects nodes and initializers; every method returns a tensor's name."""

    def __init__(self):
        self.nodes, self.initializers = [], []
        self.rng = random.Random(SEED)

    def const(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, name, rows, cols, scale):
        """A random int8 matrix, widened to float32 in the graph: int8 * scale."""
        values = [int(self.rng.random() * 255) - 127 for _ in range(rows * cols)]
        self.const(name + ".int8", np.array(values, dtype=np.int8).reshape(rows, cols))
        self.const(name + ".scale", np.float32(scale))
        wide = self.op("Cast", [name + ".int8"], name + ".float", to=TensorProto.FLOAT)
        return self.op("Mul", [wide, name + ".scale"], name)

    def op(self, kind, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name="/" + outputs[0], domain=domain, **attributes)
        )
        return outputs[0]


def add_layer(g, n, x, positions, inputs, outputs):
    """One decoder layer after `x`: its output; its caches are added to the graph's inputs and outputs."""
    p = f"layer{n}."
    normed = g.op("LayerNormalization", [x, "norm_scale"], p + "attention_norm", axis=-1)
    q, k, v = (
        g.op(
            "MatMul",
            [normed, g.weight(f"{p}{name}_weight", HIDDEN, heads * HEAD_SIZE, 2.0**-8)],
            p + name,
        )
        for name, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS))
    )
    past = [f"past_key_values.{n}.key", f"past_key_values.{n}.value"]
    present = [f"present.{n}.key", f"present.{n}.value"]
    kv_shape = ["batch", KV_HEADS, "{}_sequence", HEAD_SIZE]
    for names, into, when in ((past, inputs, "past"), (present, outputs, "total")):
        dims = [d.format(when) if isinstance(d, str) else d for d in kv_shape]
        into.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name in names)
    attended = g.op(
        "GroupQueryAttention",
        [q, k, v, *past, *positions],
        [p + "attention", *present],
        domain="com.microsoft",
        num_heads=HEADS,
        kv_num_heads=KV_HEADS,
        scale=HEAD_SIZE**-0.5,
        do_rotary=1,
        rotary_interleaved=0,
    )
    projected = g.op("MatMul", [attended, g.weight(p + "o_weight", HIDDEN, HIDDEN, 2.0**-7)], p + "o")
    x = g.op("Add", [x, projected], p + "after_attention")

    normed = g.op("LayerNormalization", [x, "norm_scale"], p + "mlp_norm", axis=-1)
    up = g.op("MatMul", [normed, g.weight(p + "up_weight", HIDDEN, INNER, 2.0**-8)], p + "up")
    active = g.op("Relu", [up], p + "active")
    down = g.op("MatMul", [active, g.weight(p + "down_weight", INNER, HIDDEN, 2.0**-7)], p + "down")
    return g.op("Add", [x, down], p + "after_mlp")


def build_model():
    g = Graph()
    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    inputs = [
        helper.make_tensor_value_info("input_ids", i64, ["batch", "sequence"]),
        helper.make_tensor_value_info("attention_mask", i64, ["batch", "total_sequence"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", f32, ["batch", "sequence", VOCAB])]

    # What GroupQueryAttention asks for: last valid position of each row, and total length.
    g.const("one", np.array([1], dtype=np.int64))
    mask_sum = g.op("ReduceSum", ["attention_mask", "one"], "mask_sum", keepdims=1)
    last = g.op("Sub", [mask_sum, "one"], "last_position")
    seqlens = g.op("Cast", [last], "seqlens_k", to=TensorProto.INT32)
    shape = g.op("Shape", ["attention_mask"], "mask_shape")
    g.const("dim_one", np.int64(1))
    total64 = g.op("Gather", [shape, "dim_one"], "total_sequence_int64", axis=0)
    total = g.op("Cast", [total64], "total_sequence_length", to=TensorProto.INT32)

    # Rotary tables [CONTEXT, HEAD_SIZE / 2]; onnxruntime folds these when it loads the model.
    half = HEAD_SIZE // 2
    g.const("range_start", np.float32(0))
    g.const("range_end", np.float32(CONTEXT))
    g.const("range_step", np.float32(1))
    positions = g.op("Range", ["range_start", "range_end", "range_step"], "positions")
    column = g.op("Unsqueeze", [positions, "one"], "positions_column")
    inverse = [[10000.0 ** (-i / half) for i in range(half)]]
    g.const("inverse_frequency", np.array(inverse, dtype=np.float32))
    angles = g.op("Mul", [column, "inverse_frequency"], "angles")
    cos, sin = g.op("Cos", [angles], "cos_cache"), g.op("Sin", [angles], "sin_cache")

    g.const("norm_scale", np.ones(HIDDEN, dtype=np.float32))
    embedding = g.weight("embedding", VOCAB, HIDDEN, 2.0**-6)
    x = g.op("Gather", [embedding, "input_ids"], "embedded", axis=0)

    for n in range(LAYERS):
        x = add_layer(g, n, x, (seqlens, total, cos, sin), inputs, outputs)

    normed = g.op("LayerNormalization", [x, "norm_scale"], "final_norm", axis=-1)
    raw = g.op("MatMul", [normed, g.weight("head_weight", HIDDEN, VOCAB, 2.0**-8)], "raw_logits")
    bias = np.zeros(VOCAB, dtype=np.float32)
    bias[[PAD, EOS, BOS]] = BANNED_LOGIT
    g.op("Add", [raw, g.const("never_these", bias)], "logits")

    graph = helper.make_graph(g.nodes, "checkrein_tiny_random", inputs, outputs, g.initializers)
    model = helper.make_model(
        graph,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        producer_name="checkrein tests/edge/make_tiny_model.py",
        producer_version="1",
        doc_string="Random weights, never trained: a test fixture. Its output means nothing.",
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def build_config():
    decoder = {
        "session_options": {"log_id": "checkrein-tiny", "intra_op_num_threads": 1, "provider_options": []},
        "filename": "model.onnx",
        "head_size": HEAD_SIZE,
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "num_hidden_layers": LAYERS,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    config = {
        "model": {
            "type": "llama",
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "pad_token_id": PAD,
            "vocab_size": VOCAB,
            "context_length": CONTEXT,
            "decoder": decoder,
        },
        "search": {
            "do_sample": False,
            "num_beams": 1,
            "num_return_sequences": 1,
            "min_length": 0,
            "max_length": CONTEXT,
            "repetition_penalty": 1.0,
            "temperature": 1.0,
            "top_k": 1,
            "top_p": 1.0,
            "past_present_share_buffer": True,
        },
    }
    return (json.dumps(config, indent=2) + "\n").encode("ascii")


def main():
    parser = argparse.ArgumentParser(
        description="Make the tiny random-weight ONNX model (see the top of this file)."
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default=DEFAULT_OUT, help="folder to write (default: %(default)s)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the files there differ"
    )
    args = parser.parse_args()

    files = {"model.onnx": build_model(), "genai_config.json": build_config()}
    status = 0
    if not args.check:
        args.out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = args.out / name
        if args.check:
            same = path.is_file() and path.read_bytes() == data
            print(f"{'same' if same else 'DIFFERS'}: {path}")
            status |= not same
        else:
            path.write_bytes(data)
            print(f"{len(data):7d} bytes  {path}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
