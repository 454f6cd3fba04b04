"""Colours against matplotlib's and seaborn's, aggregates and encodings against numpy, pictures read back
with Pillow. test_pictures.py BUILD_FOLDER"""

import json
import math
import re
import tempfile

import matplotlib
import numpy as np
import seaborn  # noqa: F401  registers rocket
from harness import DEFAULT_MODEL, ROOT, check, finish, pathlib, run
from PIL import Image

NORMS = {"log1p": np.log1p, "linear": lambda x: x, "sqrt": np.sqrt}
folder = pathlib.Path(tempfile.mkdtemp())


def gpt2c(*args):
    code, out, err = run(*args, "--model", DEFAULT_MODEL)
    check(code == 0 and not err, args, code, err)
    return out


def tables_are_matplotlibs():
    text = (ROOT / "tools" / "colormap_tables.h").read_text()
    for name in ["magma", "viridis", "inferno", "plasma", "cividis", "rocket", "gray"]:
        body = re.search(rf"colormap_{name}\[256\]\[3\] = {{(.*?)}};", text, re.S).group(1)
        ours = np.array(re.findall(r"{(\d+), (\d+), (\d+)}", body), dtype=int)
        theirs = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
        check(np.array_equal(ours, np.floor(theirs + 0.5)), "table of", name)


def centres(path, axes, n):
    """Colours of the middles of n x n cells in the box."""
    x0, y0, x1, y1 = axes
    at = (np.arange(n) + 0.5) / n
    image = np.array(Image.open(path).convert("RGB"))
    return image[np.ix_((y0 + at * (y1 - y0)).astype(int), (x0 + at * (x1 - x0)).astype(int))]


def colours(values, norm, cmap, vmin, vmax):
    shown = matplotlib.colors.Normalize(vmin, vmax)(NORMS[norm](values))
    return np.floor(matplotlib.colormaps[cmap](shown)[..., :3] * 255 + 0.5)


def pictures_have_matplotlibs_colours():
    for norm, cmap, limits in [
        ("log1p", "magma", []),
        ("linear", "viridis", ["--vmax", "auto"]),
        ("sqrt", "rocket", ["--vmin", "0.1", "--vmax", "0.9"]),
        ("log1p", "gray", ["--vmin", "auto", "--vmax", "auto"]),
    ]:
        png, npy = folder / "map.png", folder / "map.npy"
        options = ["--norm", norm, "--cmap", cmap, *limits, "--layer", "5", "--head", "2"]
        out = json.loads(gpt2c("attn", *options, "-o", png, "--data", npy, "--json"))
        values = np.load(npy)
        expected = colours(values, norm, cmap, out["vmin"], out["vmax"])
        found = centres(png, out["axes"], out["n_tok"])
        # numpy's own float32 log1p may be off by a bit where a colour ends.
        wrong = int((found != expected).any(axis=-1).sum())
        check(wrong <= 1, norm, cmap, "differs in", wrong, "of", expected.shape[0] ** 2, "cells")


def grids_show_every_head():
    png, npy = folder / "grid.png", folder / "grid.npy"
    out = json.loads(gpt2c("attn", "--layer", "0,3", "--head", "all", "-o", png, "--data", npy, "--json"))
    maps = np.load(npy)
    check(maps.shape == (2, 12, out["n_tok"], out["n_tok"]), "shape", maps.shape)
    for i, panel in enumerate(out["panels"]):
        expected = colours(maps[i // 12, i % 12], "log1p", "magma", 0, 0.15)
        check(np.abs(centres(png, panel["axes"], out["n_tok"]) - expected).max() <= 4, "panel", i)


def aggregates_are_numpys():
    def load(*args):
        path = folder / "agg.npy"
        gpt2c("attn", *args, "-o", path)
        return np.load(path).astype(np.float64)

    each = load("--layer", "all", "--head", "all", "--generate", "6")
    n = each.shape[-1]
    check(np.abs(each.sum(-1) - 1).max() < 1e-6, "rows sum to 1")
    check((np.triu(each, 1) == 0).all(), "above the diagonal is 0")
    some = ["--layer", "1,4-6", "--head", "0,7", "--generate", "6"]
    part = each[[1, 4, 5, 6]][:, [0, 7]]
    check(np.abs(load(*some, "--agg", "mean") - part.mean((0, 1))).max() < 1e-7, "mean")
    check(np.array_equal(load(*some, "--agg", "max"), part.max((0, 1))), "max")
    rollout = np.eye(n)
    for a in each.mean(1):
        a = 0.5 * a + 0.5 * np.eye(n)
        rollout = (a / a.sum(-1, keepdims=True)) @ rollout
    found = load("--agg", "rollout", "--generate", "6")
    check(np.abs(found - rollout).max() < 1e-6, "rollout", np.abs(found - rollout).max())
    text = load("--layer", "2", "--head", "3", "--generate", "6")
    check(np.array_equal(text, each[2, 3]), "one map of several")


def numbers_agree_in_every_format():
    npy, csv, doc = folder / "m.npy", folder / "m.csv", folder / "m.json"
    gpt2c("attn", "-o", npy)
    gpt2c("attn", "-o", csv)
    gpt2c("attn", "-o", doc)
    values = np.load(npy)
    check(np.array_equal(np.loadtxt(csv, delimiter=",", dtype=np.float32), values), "csv")
    check(np.array_equal(np.array(json.loads(doc.read_text())["attention"], np.float32), values), "json")
    gpt2c("attn", "--layer", "0,1", "--head", "0-2", "-o", npy)
    gpt2c("attn", "--layer", "0,1", "--head", "0-2", "-o", csv)
    gpt2c("attn", "--layer", "0,1", "--head", "0-2", "-o", doc)
    values = np.load(npy)
    rows = np.loadtxt(csv, delimiter=",", skiprows=1)
    check(np.array_equal(rows[:, 4].astype(np.float32).reshape(values.shape), values), "csv of several")
    check(np.array_equal(np.array(json.loads(doc.read_text())["attention"], np.float32), values), "json of several")


def encodings_are_the_notebooks():
    path = folder / "pe.npy"
    for n_pos, n_dim, doubled in [(1024, 768, 1), (50, 128, 1), (7, 6, 1), (100, 64, 2)]:
        options = ["--exponent", "doubled"] if doubled == 2 else []
        run("posenc", "--positions", n_pos, "--dims", n_dim, *options, "-o", path)
        pos, pair = np.arange(n_pos)[:, None], np.arange(0, n_dim, 2)
        div = np.exp(pair * doubled * (-math.log(10000.0) / n_dim))
        expected = np.zeros((n_pos, n_dim))
        expected[:, 0::2], expected[:, 1::2] = np.sin(pos * div), np.cos(pos * div)
        check(np.abs(np.load(path) - expected).max() < 1e-7, "sinusoidal", n_pos, n_dim, doubled)
    gpt2c("posenc", "--kind", "learned", "-o", path)
    from safetensors.torch import load_file

    weights = load_file(DEFAULT_MODEL / "model.safetensors")
    wpe = next(v for k, v in weights.items() if k.endswith("wpe.weight")).float().numpy()
    check(np.array_equal(np.load(path), wpe), "learned")
    png = folder / "pe.png"
    code, out, _ = run("posenc", "-o", png, "--positions", 60, "--dims", 60, "--json")
    out = json.loads(out)
    run("posenc", "-o", path, "--positions", 60, "--dims", 60)
    expected = colours(np.load(path), "linear", "viridis", -1, 1)
    wrong = int((centres(png, out["axes"], 60) != expected).any(axis=-1).sum())
    check(wrong == 0, "heat map of the encoding differs in", wrong, "cells")


tables_are_matplotlibs()
pictures_have_matplotlibs_colours()
grids_show_every_head()
aggregates_are_numpys()
numbers_agree_in_every_format()
encodings_are_the_notebooks()
finish()
