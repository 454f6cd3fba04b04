"""What the parity tests share: running the program, counting, and models to run it on.

Each test is a script: `test_NAME.py BUILD_FOLDER`. It prints FAIL, SKIP and NOTE lines, and as the last
line "N passed, N failed, N skipped".
"""

import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(min(2, os.cpu_count() or 1))

BUILD = pathlib.Path(sys.argv[1]).resolve()
PROGRAM = BUILD / "tools" / "gpt2c"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEFAULT_MODEL = ROOT / "weights" / "default"
counts = {"passed": 0, "failed": 0, "skipped": 0}


# ---- counting -------------------------------------------------------------------------------------


def check(ok, what, *details):
    counts["passed" if ok else "failed"] += 1
    if not ok:
        print("FAIL", what, *details, flush=True)
    return ok


def skip(what):
    counts["skipped"] += 1
    print("SKIP", what, flush=True)


def note(*what):
    print("NOTE", *what, flush=True)


def finish():
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(counts["failed"] > 0)


# ---- the program ----------------------------------------------------------------------------------


def run(*args, stdin=b"", env=None, timeout=300):
    """(exit code, stdout, stderr)."""
    command = [str(PROGRAM), *map(str, args)]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        command, input=stdin, capture_output=True, env=environment, timeout=timeout
    )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def tiers():
    """Kernel tiers that this machine and build have, lowest first."""
    _, out, _ = run("--version")
    return [t for t in ("ref", "avx2", "avx512", "amx") if t in out.decode().split()]


def dump(folder, ids, out, *options, what="logits,attn,hidden", env=None):
    """The tensors that `gpt2c dump` writes for these ids; None, and a failure, when it fails."""
    text = " ".join(map(str, ids)).encode()
    code, stdout, err = run(
        "dump", "--model", folder, "--ids", "-", "--what", what, "-o", out, *options,
        stdin=text, env=env,
    )  # fmt: skip
    if code != 0 or stdout:
        check(False, f"dump of {folder}", *options, f"exit code {code}", err.strip(), stdout[:80])
        return None
    return load_file(out)


# ---- models ---------------------------------------------------------------------------------------


def make_model(seed, **settings):
    """A GPT2LMHeadModel with weights that make every part count: peaked attention, no zero biases."""
    torch.manual_seed(seed)
    config = GPT2Config(
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0, **settings
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if ".ln_" in name or "ln_f" in name:
                p.add_(0.2 * torch.randn_like(p))
            elif name.endswith("bias"):
                p.copy_(0.05 * torch.randn_like(p))
            elif "wte" in name or "wpe" in name or "lm_head" in name:
                p.copy_(0.1 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (1.5 / p.shape[0] ** 0.5))
    return model


def reference(model, ids):
    """The activations that dump names, from a model of any precision, as float64 arrays."""
    with torch.no_grad():
        o = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    out = {"logits": o.logits[0]}
    out |= {f"attn.{i}": a[0] for i, a in enumerate(o.attentions)}
    out |= {f"hidden.{i}": h[0] for i, h in enumerate(o.hidden_states)}
    return {k: v.double().numpy() for k, v in out.items()}


def open_reference(folder):
    """(float32, float64) models of a folder, both with eager attention."""
    f32 = GPT2LMHeadModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    ).eval()
    f64 = GPT2LMHeadModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return f32, f64.double().eval()


NUMPY_TYPES = {"F32": np.float32, "F16": np.float16}


def tensor_bytes(t, dtype):
    if dtype == "BF16":
        return t.to(torch.bfloat16).contiguous().view(torch.uint16).numpy().tobytes()
    return t.contiguous().numpy().astype(NUMPY_TYPES[dtype]).tobytes()


def safetensors_bytes(tensors, pad_to=None, metadata=None):
    """A file of {name: (dtype, shape, bytes)}; pad_to = (n, m): header length is n modulo m."""
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    while pad_to and len(text) % pad_to[1] != pad_to[0]:
        text += b" "
    return struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values())


def write_model(folder, model, dtype="F32", prefix=True, buffers=False, lm_head=None, pad_to=None,
                tied=True):  # fmt: skip
    """Writes config.json and model.safetensors in one of the styles that real files have.
    lm_head: None (absent) or a tensor. buffers: the causal masks that old checkpoints hold."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, t in model.transformer.state_dict().items():
        if not name.endswith((".attn.bias", ".masked_bias")):
            tensors["transformer." * prefix + name] = (dtype, t.shape, tensor_bytes(t, dtype))
    n_ctx = model.config.n_positions
    for il in range(model.config.n_layer if buffers else 0):
        mask = torch.ones(n_ctx, n_ctx).tril().view(1, 1, n_ctx, n_ctx)
        name = "transformer." * prefix + f"h.{il}.attn."
        tensors[name + "bias"] = ("F32", mask.shape, tensor_bytes(mask, "F32"))
        tensors[name + "masked_bias"] = ("F32", (), tensor_bytes(torch.tensor(-1e4), "F32"))
    if lm_head is not None:
        tensors["lm_head.weight"] = (dtype, lm_head.shape, tensor_bytes(lm_head, dtype))
    (folder / "model.safetensors").write_bytes(
        safetensors_bytes(tensors, pad_to, {"format": "pt"})
    )
    config = model.config.to_dict() | {"tie_word_embeddings": tied, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, default=str))
    return folder
