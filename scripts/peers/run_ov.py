"""The OpenVINO runtime on the stateful model that Optimum exports, its head cut to the last position.

--dtype is "weights/math": f32/f32, f32/bf16, int8/f32, int8/bf16.
"""
import time

import common

a = common.arguments()
import numpy as np  # noqa: E402
import openvino as ov  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

core = ov.Core()
model = core.read_model(a.model + "/openvino_model.xml")
head = model.output("logits").get_node().input_value(0).get_node()
while head.get_type_name() != "MatMul":
    head = head.input_value(0).get_node()
last = ops.slice(head.input_value(0), np.array([-1]), np.array([np.iinfo(np.int64).max]), np.array([1]), np.array([1]))
head.input(0).replace_source_output(last.output(0))
model.validate_nodes_and_infer_types()
request = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": a.dtype.split("/")[1], "NUM_STREAMS": 1,
                                            "INFERENCE_NUM_THREADS": a.threads, "PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
names = {name for i in model.inputs for name in i.names}
rng = np.random.default_rng(1)


def step(ids, past):
    n_seq, n = ids.shape
    feed = {"input_ids": ids, "attention_mask": np.ones((n_seq, past + n), np.int64), "beam_idx": np.arange(n_seq, dtype=np.int32)}
    if "position_ids" in names:
        feed["position_ids"] = np.broadcast_to(np.arange(past, past + n), (n_seq, n)).copy()
    request.infer(feed, share_inputs=True)
    return request.get_tensor("logits").data[:, -1].argmax(-1)[:, None]


def start(n_seq, n):
    ids = rng.integers(0, 50256, (n_seq, n))
    request.reset_state()
    begin = time.perf_counter()
    tok = step(ids, 0)
    return tok, time.perf_counter() - begin


def prefill(n):
    return n / start(1, n)[1]


def decode(n_seq, depth, n_new):
    tok, _ = start(n_seq, depth)
    begin = time.perf_counter()
    for i in range(n_new):
        tok = step(tok, depth + i)
    return n_seq * n_new / (time.perf_counter() - begin)


if a.cold:
    print(start(1, 16)[0])
else:
    common.measure(a, "OpenVINO", ov.__version__.split("-")[0], prefill, decode)
