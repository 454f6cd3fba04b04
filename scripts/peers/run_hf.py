"""Transformers on PyTorch (scaled dot-product attention, dynamic cache)."""
import time

import common

a = common.arguments()
import torch  # noqa: E402  (after the options: a wrong call should fail at once)
from transformers import GPT2LMHeadModel  # noqa: E402

torch.set_num_threads(a.threads)
torch.set_grad_enabled(False)
model = GPT2LMHeadModel.from_pretrained(a.model, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]).eval()
if a.cold:
    print(model(torch.arange(100, 116)[None], logits_to_keep=1).logits[0, -1].argmax().item())
    raise SystemExit
generator = torch.Generator().manual_seed(1)


def step(ids, cache=None):
    out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return out.logits[:, -1].argmax(-1, keepdim=True), out.past_key_values


def prompt(n_seq, n):
    return torch.randint(0, 50256, (n_seq, n), generator=generator)


def prefill(n):
    ids = prompt(1, n)
    begin = time.perf_counter()
    step(ids)
    return n / (time.perf_counter() - begin)


def decode(n_seq, depth, n_new):
    tok, cache = step(prompt(n_seq, depth))
    begin = time.perf_counter()
    for _ in range(n_new):
        tok, cache = step(tok, cache)
    return n_seq * n_new / (time.perf_counter() - begin)


common.measure(a, "Transformers", torch.__version__, prefill, decode)
