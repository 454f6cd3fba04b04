"""What --dtype costs: perplexity, and the Kullback-Leibler divergence from f32, on a text.

    python scripts/measure_dtypes.py PROGRAM TEXT [MODEL]     (needs numpy)

Prints the table of README.md. The text is cut into windows of 512 tokens, each from an empty cache.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

WINDOW, N_WINDOWS = 512, 24
DTYPES = ("f32", "bf16x3", "bf16", "int8")


def run(*args, stdin=b""):
    return subprocess.run(list(map(str, args)), input=stdin, capture_output=True, check=True).stdout


def read_logits(path):
    data = path.read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    t = json.loads(data[8 : 8 + n])["logits"]
    begin, end = t["data_offsets"]
    rows = np.frombuffer(data[8 + n + begin : 8 + n + end], "<f4").reshape(t["shape"])
    return rows.astype(np.float64)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def main():
    program, text = sys.argv[1:3]
    model = ["--model", sys.argv[3]] if len(sys.argv) > 3 else []
    ids = run(program, "tokenize", *model, "--ids", "--file", text).split()
    windows = [ids[i : i + WINDOW] for i in range(0, len(ids) - WINDOW + 1, WINDOW)][:N_WINDOWS]
    nll = dict.fromkeys(DTYPES, 0.0)
    kl = dict.fromkeys(DTYPES, 0.0)
    same = dict.fromkeys(DTYPES, 0)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.safetensors"
        for window in windows:
            right = None
            for dtype in DTYPES:
                run(program, "dump", *model, "--dtype", dtype, "--ids", "-", "--what", "logits",
                    "-o", out, stdin=b" ".join(window))  # fmt: skip
                p = log_softmax(read_logits(out))
                right = p if right is None else right
                follows = np.array(window[1:], int)
                nll[dtype] -= p[np.arange(WINDOW - 1), follows].sum()
                kl[dtype] += (np.exp(right) * (right - p)).sum()
                same[dtype] += (right.argmax(-1) == p.argmax(-1)).sum()
    n = len(windows) * WINDOW
    n_next = len(windows) * (WINDOW - 1)
    print("| `--dtype` | perplexity | KL from f32, nats per token | same likeliest token |")
    print("|---|---|---|---|")
    for d in DTYPES:
        ppl, share = np.exp(nll[d] / n_next), same[d] / n
        print(f"| {d} | {ppl:.4f} | {max(kl[d] / n, 0):.2g} | {100 * share:.2f}% |")


main()
