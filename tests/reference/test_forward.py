"""Activations, greedy text, threads and kernel tiers against Transformers' GPT2LMHeadModel.

The judge is the same model in float64: our float32 may err four times as much as Transformers' own
(largest and RMS), attention by the larger of that and 1e-6.
"""

import ctypes
import json
import pathlib
import shutil
import tempfile

import harness as h
import numpy as np
import torch
from harness import check
from transformers import GPT2TokenizerFast

SHAPES = {  # name: (settings, ids in the prompt)
    "d_head 13": (dict(n_layer=3, n_head=3, n_embd=39, n_positions=96, vocab_size=211), 96),
    "d_head 16": (dict(n_layer=4, n_head=4, n_embd=64, n_positions=160, vocab_size=501), 160),
    "d_head 64, n_inner 100": (
        dict(n_layer=2, n_head=2, n_embd=128, n_inner=100, n_positions=64, vocab_size=97),
        50,
    ),
    "n_embd 768, full context": (
        dict(n_layer=2, n_head=12, n_embd=768, n_positions=1024, vocab_size=1009),
        1024,
    ),
}


def error(found, right):
    """(largest, root mean square) difference."""
    d = np.abs(found.astype(np.float64) - right)
    return float(d.max()), float(np.sqrt((d * d).mean()))


def judge(what, found, f32, f64):
    """Compares all tensors of a dump; prints the worst ratio of our error to Transformers'."""
    if found is None:
        return
    worst = 0.0
    for name, right in f64.items():
        if not check(name in found and found[name].shape == right.shape, what, name, "shape"):
            continue
        ours, theirs = error(found[name], right), error(f32[name], right)
        floor = 1e-6 if name.startswith("attn") else 0.0
        for kind, a, b in zip(("largest", "RMS"), ours, theirs):
            bound = max(floor if kind == "largest" else floor / 10, 4 * b)
            check(a <= bound, f"{what}: {kind} error of {name} is {a:.3g}, bound {bound:.3g}")
            if b > 0 and a > floor:
                worst = max(worst, a / b)
        if name.startswith("attn"):
            rows = found[name].astype(np.float64).sum(-1)
            check(np.abs(rows - 1).max() <= 1e-6, f"{what}: rows of {name} do not sum to 1")
            future = np.triu(found[name][0], 1)
            check(not np.triu(found[name], 1).any(), f"{what}: {name} looks ahead", future.max())
    h.note(f"{what}: at most {worst:.2f} times the error of Transformers' float32")


def ids_for(settings, n, seed):
    return np.random.default_rng(seed).integers(0, settings["vocab_size"], n).tolist()


def same(a, b):
    return a is not None and b is not None and a.keys() == b.keys() and all(
        a[k].tobytes() == b[k].tobytes() for k in a
    )  # fmt: skip


def shapes_and_tiers(tmp):
    for i, (name, (settings, n)) in enumerate(SHAPES.items()):
        folder = h.write_model(tmp / "shape", h.make_model(i, **settings))
        f32, f64 = h.open_reference(folder)
        ids = ids_for(settings, n, i)
        expected32, expected64 = h.reference(f32, ids), h.reference(f64, ids)
        for tier in h.tiers():
            found = h.dump(folder, ids, tmp / "out.safetensors", "--cpu", tier)
            judge(f"{name}, {tier}", found, expected32, expected64)
            for n_threads in (1, 2, 3, 5):
                again = h.dump(
                    folder, ids, tmp / "t.safetensors", "--cpu", tier, "--threads", n_threads
                )
                check(same(again, found), f"{name}, {tier}: --threads {n_threads} differs")
            limited = h.dump(
                folder, ids, tmp / "t.safetensors", "--cpu", tier, "--threads", 4,
                env={"OMP_THREAD_LIMIT": "1"},
            )  # fmt: skip
            check(same(limited, found), f"{name}, {tier}: OMP_THREAD_LIMIT=1 differs")
        shutil.rmtree(folder)


def file_styles(tmp):
    settings, _ = SHAPES["d_head 16"]
    model = h.make_model(7, **settings)
    ids = ids_for(settings, 40, 7)
    wte = model.transformer.wte.weight.detach()
    other = wte + 0.05 * torch.randn_like(wte)
    styles = {
        "prefix": {},
        "no prefix": {"prefix": False},
        "mask buffers": {"buffers": True},
        "no prefix, mask buffers": {"prefix": False, "buffers": True},
        "lm_head equal": {"lm_head": wte},
        "lm_head different": {"lm_head": other, "tied": False},
        "F16": {"dtype": "F16"},
        "BF16": {"dtype": "BF16"},
        "BF16, lm_head different": {"dtype": "BF16", "lm_head": other, "tied": False},
    }
    for k in range(8):
        styles[f"header of 8n+{k} bytes"] = {"prefix": k % 2 == 0, "pad_to": (k, 8)}
        styles[f"F16, header of 8n+{k} bytes"] = {"dtype": "F16", "pad_to": (k, 8)}
    for name, style in styles.items():
        folder = h.write_model(tmp / "style", model, **style)
        f32, f64 = h.open_reference(folder)
        expected = h.reference(f32, ids), h.reference(f64, ids)
        judge(name, h.dump(folder, ids, tmp / "out.safetensors"), *expected)
        mapped = h.dump(folder, ids, tmp / "out.safetensors")
        read = h.dump(folder, ids, tmp / "read.safetensors", "--no-mmap")
        by_file = h.dump(folder / "model.safetensors", ids, tmp / "file.safetensors")
        check(same(mapped, read), f"{name}: --no-mmap differs")
        check(same(mapped, by_file), f"{name}: the model given as a file differs")
        shutil.rmtree(folder)
    folder = tmp / "sharded"
    model.save_pretrained(folder, max_shard_size="150KB")
    n_shards = len(list(folder.glob("model-*.safetensors")))
    check(n_shards > 1, "sharded: shards written by Transformers", n_shards)
    f32, f64 = h.open_reference(folder)
    expected = h.reference(f32, ids), h.reference(f64, ids)
    judge("sharded", h.dump(folder, ids, tmp / "out.safetensors"), *expected)


def greedy(tmp):
    """256 greedy ids, on the built-in model and on a random one with the same vocabulary."""
    random_model = h.make_model(
        3, n_layer=2, n_head=2, n_embd=128, n_positions=512, vocab_size=50257
    )
    folder = h.write_model(tmp / "greedy", random_model)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(h.DEFAULT_MODEL / name, folder)
    tokenizer = GPT2TokenizerFast.from_pretrained(h.DEFAULT_MODEL, local_files_only=True)
    prompts = ["The dog chased the ball because it was excited.", "Once upon a time", "In 1984, 日本"]
    for model in (h.DEFAULT_MODEL, folder):
        f32, f64 = h.open_reference(model)
        for prompt in prompts:
            ids = tokenizer(prompt)["input_ids"]
            with torch.no_grad():
                right = f32.generate(
                    torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                    max_new_tokens=256, do_sample=False, pad_token_id=0, eos_token_id=None,
                )[0, len(ids) :].tolist()  # fmt: skip
            for tier in h.tiers() if prompt == prompts[0] else h.tiers()[-1:]:
                code, out, err = h.run(
                    "generate", "--model", model, "--prompt", prompt, "--greedy", "-n", 256,
                    "--ignore-eos", "--json", "--cpu", tier,
                )  # fmt: skip
                what = f"greedy, {model.name}, {tier}, {prompt!r}"
                if not check(code == 0, what, err.strip()):
                    continue
                found = json.loads(out)["samples"][0]["ids"]
                if found != right and len(found) == 256:
                    # A tie that is closer than the bound may fall either way; after it all differs.
                    at = next(i for i in range(256) if found[i] != right[i])
                    with torch.no_grad():
                        row = f64(torch.tensor([ids + right[:at]])).logits[0, -1]
                    gap = float(row[right[at]] - row[found[at]])
                    check(abs(gap) < 1e-4, what, f"differs at {at}, where the logits differ by {gap}")
                else:
                    check(found == right, what, len(found))


def pieces(tmp):
    """The KV cache, by the shared library: one call, pieces, and token by token."""
    settings, _ = SHAPES["d_head 16"]
    folder = h.write_model(tmp / "pieces", h.make_model(11, **settings))
    f32, f64 = h.open_reference(folder)
    ids = ids_for(settings, 120, 11)
    right, theirs = h.reference(f64, ids)["logits"], h.reference(f32, ids)["logits"]
    libraries = sorted((h.BUILD / "src").glob("libgpt2c.so*")) + sorted(
        (h.BUILD / "src").glob("libgpt2c.dylib")
    )
    libraries = [x for x in libraries if x.is_file() and x.suffix != ".p"]
    if not libraries:
        h.skip("pieces: no shared library in this build")
        return
    lib = ctypes.CDLL(str(libraries[0]))
    lib.gpt2c_session_logits.restype = ctypes.POINTER(ctypes.c_float)
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    code = lib.gpt2c_model_open(ctypes.byref(model), str(folder).encode(), None, None)
    code = code or lib.gpt2c_session_create(ctypes.byref(session), model, None, None)
    if not check(code == 0, "pieces: open", code):
        return
    n_vocab = settings["vocab_size"]
    for cut in ([120], [1] * 120, [50, 1, 1, 60, 8], [7] * 17 + [1], [33, 87]):
        check(lib.gpt2c_session_rewind(session, 0, 0, None) == 0, "pieces: rewind")
        at = 0
        for n in cut:
            tokens = (ctypes.c_int32 * n)(*ids[at : at + n])
            code = lib.gpt2c_session_eval(session, tokens, n, None)
            at += n
            row = np.ctypeslib.as_array(lib.gpt2c_session_logits(session, 0), (n_vocab,))
            ours, other = error(row, right[at - 1]), error(theirs[at - 1], right[at - 1])
            # One row has few numbers: Transformers may be lucky on it. Its worst row is the measure.
            bound = 4 * max(other[0], error(theirs, right)[0])
            if code != 0 or ours[0] > bound:
                check(False, f"pieces {cut[:4]}…: position {at}", code, ours[0], bound)
                break
        else:
            check(True, "pieces")
    lib.gpt2c_session_free(ctypes.byref(session))
    lib.gpt2c_model_close(ctypes.byref(model))


def main():
    with tempfile.TemporaryDirectory() as folder:
        tmp = pathlib.Path(folder)
        file_styles(tmp)
        pieces(tmp)
        greedy(tmp)
        shapes_and_tiers(tmp)
    h.finish()


main()
