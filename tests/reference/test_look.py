"""embed, heads and lens against scikit-learn, NumPy and Transformers, and TransformerLens where it is."""

import csv
import io
import json
import math
import pathlib
import shutil
import tempfile

import harness as h
import numpy as np
import torch
from harness import check
from sklearn.decomposition import PCA
from transformers import GPT2TokenizerFast

TEXTS = {
    "short": "Small Language Models are powerful and efficient!",
    "repeats": "The cat sat on the mat. The cat sat on the mat. The cat sat",
    "three tokens": "The cat sat",
    "mixed": "日本語 emoji 😀\n\n\ttabs\x01 and  spaces",
    "long": " ".join(f"word {i % 37} of {i % 11}" for i in range(64)),
}


def run(*args):
    """stdout of the program on a model folder, as text; its failure fails the test."""
    code, out, err = h.run(*args)
    check(code == 0, " ".join(map(str, args)), f"exit code {code}", err.strip())
    return out.decode()


def relative(found, right):
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    return np.abs(found - right).max() / max(np.abs(right).max(), 1e-30)


# ---- embed ----------------------------------------------------------------------------------------


def sinusoidal(n_tok, n_embd):
    """The notebooks' formula."""
    pos = np.arange(n_tok)[:, None]
    div = np.exp(np.arange(0, n_embd, 2) * (-math.log(10000.0) / n_embd))
    out = np.zeros((n_tok, n_embd))
    out[:, 0::2], out[:, 1::2] = np.sin(pos * div), np.cos(pos * div[: n_embd // 2])
    return out


def test_vectors(name, folder, text, ids, model, hidden):
    wte = model.transformer.wte.weight.detach().numpy()[ids]
    wpe = model.transformer.wpe.weight.detach().numpy()[: len(ids)]
    sources = {"wte": wte, "wpe": wpe, "input": wte + wpe, "last": hidden[-1], "layer:-2": hidden[-2]}
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "x.npy"
        for what, right in sources.items():
            args = ("embed", "-m", folder, "--prompt", text, "--what", what)
            run(*args, "-o", path)
            x = np.load(path)
            exact = what in ("wte", "wpe", "input")
            off = relative(x, right) if x.shape == right.shape else math.inf
            check(off <= (0 if exact else 1e-4), f"{name}: {what} is off by {off:.2g}", x.shape)
            shown = run(*args)
            check(shown == f"(1, {x.shape[0]}, {x.shape[1]})\n{x[None]}\n", f"{name}: view of {what}")
        run("embed", "-m", folder, "--prompt", text, "--what", "wte", "--add", "sinusoidal", "-o", path)
        off = relative(np.load(path), wte + sinusoidal(*wte.shape))
        check(off <= 1e-6, f"{name}: wte + sinusoidal is off by {off:.2g}")
        csv_path = path.with_suffix(".csv")
        run("embed", "-m", folder, "--prompt", text, "-o", csv_path)
        run("embed", "-m", folder, "--prompt", text, "-o", path)
        rows = np.loadtxt(csv_path, delimiter=",", dtype=np.float32, ndmin=2)
        check((rows == np.load(path)).all(), f"{name}: CSV of the vectors")
        out = json.loads(run("embed", "-m", folder, "--prompt", text, "--json"))
        vectors = np.asarray(out["vectors"], np.float32)
        check((vectors == np.load(path)).all() and out["ids"] == ids, f"{name}: JSON of the vectors")


def test_pca(name, folder, text, what):
    """Against scikit-learn on the very vectors that embed writes."""
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "x.npy"
        args = ("embed", "-m", folder, "--prompt", text, "--what", what)
        run(*args, "-o", path)
        x = np.load(path).astype(np.float64)
        out = json.loads(run(*args, "--pca", "--json"))
        table = path.with_suffix(".csv")
        run(*args, "--pca", "-o", table)
        rows = list(csv.reader(io.StringIO(table.read_text())))
    xy = np.array([p["xy"] for p in out["points"]])
    pca = PCA(n_components=2, svd_solver="full")
    right = pca.fit_transform(x)
    signs = np.sign((xy * right).sum(0))  # where two loadings tie in size the rule leaves them open
    loadings = np.sort(np.abs(pca.components_), 1)
    clear = loadings[:, -1] - loadings[:, -2] > 1e-6
    check((signs[clear] == 1).all(), f"{name}: signs of the PCA of {what}", signs)
    off = relative(xy * signs, right)
    check(off <= 1e-6, f"{name}: PCA of {what} is off by {off:.2g}")
    off = relative(out["explained_variance"], pca.explained_variance_)
    check(off <= 1e-6, f"{name}: explained variance of {what} is off by {off:.2g}")
    off = relative(out["explained_variance_ratio"], pca.explained_variance_ratio_)
    check(off <= 1e-6, f"{name}: explained variance ratio of {what} is off by {off:.2g}")
    found = np.array([[float(v) for v in row[3:5]] for row in rows[1:]])
    check(relative(found, xy) <= 1e-8, f"{name}: CSV of the PCA of {what}")


def test_degenerate(folder):
    """No variance, and one direction only."""
    out = json.loads(run("embed", "-m", folder, "--prompt", "a", "--pca", "--json"))
    check(out["points"][0]["xy"] == [0, 0] and out["explained_variance"] == [0, 0], "one token", out)
    same = ("embed", "-m", folder, "--prompt", " the the the", "--what", "wte", "--pca", "--json")
    out = json.loads(run(*same))
    check(all(p["xy"] == [0, 0] for p in out["points"]), "equal vectors", out)
    out = json.loads(run("embed", "-m", folder, "--prompt", "The cat", "--pca", "--json"))
    check(out["explained_variance_ratio"][1] == 0, "two tokens", out["explained_variance_ratio"])
    check(abs(out["explained_variance_ratio"][0] - 1) < 1e-12, "two tokens", out)
    check([p["xy"][1] for p in out["points"]] == [0, 0], "two tokens", out["points"])


def test_nearest(folder, tokenizer, model, text):
    (token,) = tokenizer.encode(text)
    wte = model.transformer.wte.weight.detach().double().numpy()
    cosine = wte @ wte[token] / np.linalg.norm(wte, axis=1) / np.linalg.norm(wte[token])
    cosine[token] = -math.inf
    right = np.argsort(-cosine, kind="stable")[:20]
    for asked in (text, token, tokenizer.convert_ids_to_tokens(token)):
        out = json.loads(run("embed", "-m", folder, "--nearest", asked, "-k", 20, "--json"))
        check([n["id"] for n in out["nearest"]] == right.tolist(), f"nearest to {asked!r}")
        off = np.abs([n["cosine"] - cosine[n["id"]] for n in out["nearest"]]).max()
        check(off < 1e-6, f"cosines to {asked!r} are off by {off:.2g}")


# ---- heads ----------------------------------------------------------------------------------------


def patterns(ids):
    """The detection patterns of TransformerLens's head_detector.py, from their definitions."""
    t = np.array(ids)
    n = len(t)
    duplicate = np.tril(t[:, None] == t[None, :], -1).astype(float)
    induction = np.zeros((n, n))
    induction[:, 1:] = duplicate[:, :-1]
    return {"previous_token": np.eye(n, k=-1), "duplicate_token": duplicate, "induction": np.tril(induction)}


def similarity(att, pattern, measure, exclude_first, exclude_current):
    keep = np.ones_like(att)
    keep[:, 0] = not exclude_first
    keep[np.eye(len(att), dtype=bool)] *= not exclude_current
    if measure == "mul":
        return (att * keep * pattern).sum() / (att * keep).sum()
    return 1 - (np.abs(att - pattern) * keep).sum() / len(att)


def transformer_lens():
    """Its head detector, or None."""
    try:
        from transformer_lens import head_detector

        return head_detector
    except ImportError:
        h.note("TransformerLens is not installed: its formulas are judged by NumPy alone")
        return None


def test_heads(name, folder, text, ids, attention, detector):
    for measure in ("mul", "abs"):
        for first, current in ((False, False), (True, False), (False, True), (True, True)):
            if len(ids) < 3 and first and current:
                continue
            options = ["--measure", measure] + ["--exclude-first"] * first + ["--exclude-current"] * current
            where = f"{name}: {' '.join(options)}"
            out = json.loads(run("heads", "-m", folder, "--prompt", text, "--json", *options))["heads"]
            right = []
            for (layer, head), att in attention.items():
                rows = np.arange(len(ids))
                logs = np.log(np.where(att > 0, att, 1))
                entry = {
                    "layer": layer,
                    "head": head,
                    "entropy": -(att * logs).sum(1).mean(),
                    "mean_distance": (att * np.abs(rows[:, None] - rows)).sum(1).mean(),
                    "first_token": att[:, 0].mean(),
                }
                for key, pattern in patterns(ids).items():
                    entry[key] = similarity(att, pattern, measure, first, current)
                    if detector:
                        theirs = detector.compute_head_attention_similarity_score(
                            torch.tensor(att), torch.tensor(pattern), error_measure=measure,
                            exclude_bos=first, exclude_current_token=current,
                        )  # fmt: skip
                        bound = 6e-4 if measure == "abs" else 1e-9  # it rounds abs to 3 digits
                        check(abs(theirs - entry[key]) <= bound, f"{where}: {key} of TransformerLens")
                right.append(entry)
            check([list(a) for a in out] == [list(b) for b in right], f"{where}: keys")
            worst = max(abs(a[k] - b[k]) for a, b in zip(out, right) for k in b)
            check(worst <= 2e-5 * max(1, len(ids) / 100), f"{where}: off by {worst:.2g}")


# ---- lens -----------------------------------------------------------------------------------------


def test_lens(name, folder, text, model, hidden):
    k = 5
    layers = json.loads(run("lens", "-m", folder, "--prompt", text, "-k", k, "--json"))["layers"]
    check(len(layers) == len(hidden), f"{name}: layers", len(layers))
    worst = 0.0
    for i, layer in enumerate(layers):
        x = torch.tensor(hidden[i])
        with torch.no_grad():
            logits = model.lm_head(x if i + 1 == len(hidden) else model.transformer.ln_f(x))
        p = torch.softmax(logits.double(), -1).numpy()
        for pos, row in enumerate(layer["positions"]):
            found = [t["p"] for t in row["top"]]
            best = np.sort(p[pos])[::-1][:k]
            own = p[pos][[t["id"] for t in row["top"]]]
            worst = max(worst, np.abs(found - best).max(), np.abs(found - own).max())
            check(row["pos"] == pos and len(found) == k, f"{name}: layer {i}, position {pos}")
    check(worst <= 1e-4, f"{name}: probabilities of the lens are off by {worst:.2g}")


# ---- models ---------------------------------------------------------------------------------------


def test_model(name, folder, texts, detector):
    tokenizer = GPT2TokenizerFast.from_pretrained(folder)
    f32, f64 = h.open_reference(folder)
    for kind in texts:
        text, what = TEXTS[kind], f"{name}, {kind}"
        ids = tokenizer.encode(text)
        values = h.reference(f64, ids)
        hidden = [values[f"hidden.{i}"] for i in range(f64.config.n_layer + 1)]
        attention = {
            (layer, head): values[f"attn.{layer}"][head]
            for layer in range(f64.config.n_layer)
            for head in range(f64.config.n_head)
        }
        test_vectors(what, folder, text, ids, f32, hidden)
        for source in ("last", "wte", "wpe"):
            test_pca(what, folder, text, source)
        test_heads(what, folder, text, ids, attention, detector)
        test_lens(what, folder, text, f64, hidden)
    test_degenerate(folder)
    test_nearest(folder, tokenizer, f32, " cat")


def main():
    detector = transformer_lens()
    test_model("default model", h.DEFAULT_MODEL, TEXTS, detector)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "odd"
        settings = dict(n_layer=3, n_head=3, n_embd=39, n_positions=640, vocab_size=50257)
        h.write_model(folder, h.make_model(3, **settings))
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(h.DEFAULT_MODEL / file, folder)
        test_model("n_embd 39", folder, ("repeats", "long"), detector)


main()
h.finish()
