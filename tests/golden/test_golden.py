"""test_golden.py PROGRAM CASE: answers of the program on the built-in model against those of the original
libraries (scripts/make_golden.py). Standard library only. $GPT2C_TEST_CPU names a kernel tier.

Bounds: what float32 may err is four times what the original's own float32 erred on the same input.
"""

import array
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "weights" / "default"
failures = 0


def check(ok, what, *details):
    global failures
    if not ok:
        failures += 1
        print("FAIL", what, *details)


def check_near(found, expected, bound, what):
    worst = max(abs(a - b) for a, b in zip(found, expected))
    check(len(found) == len(expected), what, f"has {len(found)} numbers, expected {len(expected)}")
    check(worst <= bound, what, f"is off by {worst:g}, more than {bound:g}")


def run(*args, stdin=b""):
    """stdout of the program with these arguments; its failure fails the test."""
    command = [PROGRAM, *args]
    if args[0] not in ("tokenize", "detokenize"):
        command += ["--model", str(MODEL)]
        if os.environ.get("GPT2C_TEST_CPU"):
            command += ["--cpu", os.environ["GPT2C_TEST_CPU"]]
    else:
        command += ["--model", str(MODEL)]
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()}")
    return done.stdout


def flat(rows):
    return [x for row in rows for x in row]


def read_npy(path):
    """(shape, numbers) of a version 1.0 file of little-endian float32 in C order."""
    data = path.read_bytes()
    check(data[:8] == b"\x93NUMPY\x01\x00", path.name, "is not a version 1.0 npy file")
    (n,) = struct.unpack_from("<H", data, 8)
    header = eval(data[10 : 10 + n].decode(), {"__builtins__": {}})
    check(header["descr"] == "<f4" and not header["fortran_order"], path.name, header)
    return header["shape"], array.array("f", data[10 + n :])


def read_safetensors(path):
    data = path.read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, t in json.loads(data[8 : 8 + n]).items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            check(t["dtype"] == "F32", name, t["dtype"])
            tensors[name] = t["shape"], array.array("f", data[8 + n + begin : 8 + n + end])
    return tensors


def golden(name):
    return json.loads((HERE / name).read_text(encoding="utf8"))


# ---- cases ----------------------------------------------------------------------------------------


def case_tokenize():
    for row in golden("tokens.json"):
        text = row["text"].encode()
        out = json.loads(run("tokenize", "--json", stdin=text))
        check(out["ids"] == row["special_ids"], repr(row["text"]), out["ids"], row["special_ids"])
        check(out["n_tokens"] == len(out["ids"]), repr(row["text"]), out["n_tokens"])
        spans = out["offsets"]
        check(
            all(a[1] == b[0] for a, b in zip(spans, spans[1:]))
            and (not spans or (spans[0][0] == 0 and spans[-1][1] == len(text))),
            repr(row["text"]),
            "offsets",
            spans,
        )
        plain = json.loads(run("tokenize", "--json", "--special", "text", stdin=text))["ids"]
        check(plain == row["text_ids"], repr(row["text"]), plain, row["text_ids"])
        if out["ids"]:
            ids = " ".join(map(str, out["ids"]))
            back = run("detokenize", "--raw", stdin=ids.encode())
            check(back == text, repr(row["text"]), "comes back as", back)


def case_generate():
    expected = golden("model.json")
    n = str(len(expected["greedy_ids"]))
    args = ["generate", "--prompt", expected["prompt"], "--greedy", "-n", n, "--ignore-eos"]
    out = json.loads(run(*args, "--json"))
    sample = out["samples"][0]
    check(out["prompt_ids"] == expected["ids"], "prompt_ids", out["prompt_ids"])
    check(sample["ids"] == expected["greedy_ids"], "ids", sample["ids"], expected["greedy_ids"])
    check(sample["text"] == expected["greedy_text"], "text", repr(sample["text"]))
    check(sample["finish_reason"] == "length", "finish_reason", sample["finish_reason"])
    for threads in ("1", "3"):
        again = json.loads(run(*args, "--json", "--threads", threads))["samples"][0]
        check(again["ids"] == sample["ids"], f"ids with {threads} threads", again["ids"])
    text = run(*args).decode()
    check(expected["greedy_text"] in text, "streamed text", repr(text))


def case_next():
    expected = golden("model.json")
    out = json.loads(run("next", "--all", "-k", "5", "--json", "--prompt", expected["prompt"]))
    check(len(out["positions"]) == len(expected["positions"]), "positions", len(out["positions"]))
    for found, right in zip(out["positions"], expected["positions"]):
        where = f"position {found['pos']}"
        top = found["top"]
        check([t["id"] for t in top] == right["top_ids"], where, top)
        check_near([t["p"] for t in top], right["top_p"], 1e-5, where + " p")
        bound = 4 * expected["logits_error"] + 1e-6
        check_near([t["logit"] for t in top], right["top_logits"], bound, where + " logits")
        check(("next" in found) == ("next" in right), where, "next", found.get("next"))
        if "next" in right:
            check(found["next"]["id"] == right["next"], where, found["next"])
            check(found["next"]["rank"] == right["next_rank"], where, found["next"])
            check_near([found["next"]["p"]], [right["next_p"]], 1e-5, where + " p of next")


def case_attn():
    expected = golden("model.json")
    n_tok = len(expected["ids"])
    with tempfile.TemporaryDirectory() as folder:
        for name, right in expected["attn"].items():
            layer, head = name.split(".")
            path = pathlib.Path(folder) / "map.npy"
            run("attn", "--layer", layer, "--head", head, "--prompt", expected["prompt"],
                "-o", str(path))  # fmt: skip
            shape, numbers = read_npy(path)
            check(shape == (n_tok, n_tok), name, shape)
            check_near(numbers, flat(right), max(1e-6, 4 * expected["attn_error"]), name)
            for i in range(n_tok):
                row = numbers[i * n_tok : (i + 1) * n_tok]
                check(abs(sum(row) - 1) <= 1e-6, name, f"row {i} sums to {sum(row)!r}")
                check(not any(row[i + 1 :]), name, f"row {i} looks ahead")


def case_dump():
    expected = golden("model.json")
    n_tok = len(expected["ids"])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "out.safetensors"
        ids = " ".join(map(str, expected["ids"]))
        run("dump", "--ids", ids, "--what", "logits,attn,hidden", "-o", str(path))
        tensors = read_safetensors(path)
    names = {"logits"} | {f"attn.{i}" for i in range(12)} | {f"hidden.{i}" for i in range(13)}
    check(set(tensors) == names, "tensors", sorted(set(tensors) ^ names))
    shape, logits = tensors["logits"]
    check(shape == [n_tok, 50257], "logits", shape)
    columns = expected["logit_columns"]
    found = [logits[i * 50257 + j] for i in range(n_tok) for j in columns]
    check_near(found, flat(expected["logits"]), 4 * expected["logits_error"], "logits")
    for name, right in expected["attn"].items():
        layer, head = map(int, name.split("."))
        shape, att = tensors[f"attn.{layer}"]
        check(shape == [12, n_tok, n_tok], name, shape)
        found = att[head * n_tok * n_tok : (head + 1) * n_tok * n_tok]
        check_near(found, flat(right), max(1e-6, 4 * expected["attn_error"]), "attn " + name)
    for i, right in expected["hidden"].items():
        shape, x = tensors[f"hidden.{i}"]
        check(shape == [n_tok, 192], f"hidden.{i}", shape)
        found = [x[t * 192 + j] for t in range(n_tok) for j in range(8)]
        bound = 4 * expected["hidden_error"][i] + 1e-7
        check_near(found, flat(right), bound, f"hidden.{i}")


def case_ppl():
    expected = golden("model.json")
    with tempfile.NamedTemporaryFile() as file:
        file.write((expected["prompt"] + expected["greedy_text"]).encode())
        file.flush()
        out = json.loads(run("ppl", "--file", file.name, "--stride", "512", "--json"))
    check(out["n_tokens"] in (len(expected["nll_ids"]), len(expected["nll_ids"]) - 1), "n_tokens", out)
    check_near([out["nll"]], [expected["nll"]], 1e-5, "nll")
    check_near([out["ppl"]], [expected["ppl"]], 1e-4, "ppl")


def case_embed():
    expected = golden("model.json")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pca.json"
        run("embed", "--what", "last", "--prompt", expected["pca_text"], "--pca", "-o", str(path))
        out = json.loads(path.read_text())
        x = pathlib.Path(folder) / "x.npy"
        run("embed", "--what", "last", "--prompt", expected["prompt"], "-o", str(x))
        shape, numbers = read_npy(x)
    check(shape == (len(expected["ids"]), 192), "shape", shape)
    found = [numbers[t * 192 + j] for t in range(len(expected["ids"])) for j in range(8)]
    bound = 4 * expected["hidden_error"]["12"]
    check_near(found, flat(expected["hidden"]["12"]), bound, "last hidden states")
    size = max(abs(v) for v in flat(expected["pca"]))
    points = [p["xy"] for p in out["points"]]
    check_near(flat(points), flat(expected["pca"]), 1e-4 * size, "pca")
    ratio = expected["pca_explained_variance_ratio"]
    check_near(out["explained_variance_ratio"], ratio, 1e-4, "explained variance")
    spelled = "".join(p["token"] for p in out["points"]).replace("\u0120", " ")
    check(spelled == expected["pca_text"], "tokens", repr(spelled))
    out = json.loads(run("embed", "--nearest", " dog", "-k", "3", "--json"))
    cosines = [n["cosine"] for n in out["nearest"]]
    check(out["id"] == 3290 and out["token"] == "\u0120dog", "token", out)
    check(all(n["id"] != 3290 for n in out["nearest"]) and len(cosines) == 3, "nearest", out)
    check(1 > cosines[0] >= cosines[1] >= cosines[2] > 0, "cosines", cosines)


def case_heads():
    expected = golden("model.json")
    n_tok = len(expected["ids"])
    out = json.loads(run("heads", "--prompt", expected["prompt"], "--json"))["heads"]
    check([(h["layer"], h["head"]) for h in out] == [(i // 12, i % 12) for i in range(144)], "order")
    for name, att in expected["attn"].items():
        layer, head = map(int, name.split("."))
        right = {
            "entropy": -sum(a * math.log(a) for a in flat(att) if a > 0) / n_tok,
            "mean_distance": sum(a * (i - j) for i, r in enumerate(att) for j, a in enumerate(r)) / n_tok,
            "first_token": sum(row[0] for row in att) / n_tok,
            "previous_token": sum(att[i][i - 1] for i in range(1, n_tok)) / sum(flat(att)),
            "duplicate_token": 0.0,  # the text has no token twice
            "induction": 0.0,
        }
        found = out[layer * 12 + head]
        check(set(found) == set(right) | {"layer", "head"}, name, found)
        for key, value in right.items():
            bound = n_tok * max(1e-6, 4 * expected["attn_error"])
            check_near([found[key]], [value], bound, f"{key} of {name}")


def case_lens():
    expected = golden("model.json")
    args = ["--json", "-k", "5", "--prompt", expected["prompt"]]
    layers = json.loads(run("lens", *args))["layers"]
    check([layer["layer"] for layer in layers] == list(range(13)), "layers")
    after = json.loads(run("next", "--all", *args))["positions"]
    for found, right, same in zip(layers[-1]["positions"], expected["positions"], after):
        where = f"position {found['pos']}"
        check([t["id"] for t in found["top"]] == right["top_ids"], where, found["top"])
        check_near([t["p"] for t in found["top"]], right["top_p"], 1e-5, where)
        equal = [{k: t[k] for k in ("id", "token", "p")} for t in same["top"]]
        check(found["top"] == equal, where, "is not what next says", found["top"], equal)
    part = json.loads(run("lens", "--positions", "-1,2", *args))["layers"]
    check([p["pos"] for p in part[0]["positions"]] == [9, 2], "positions", part[0])
    for all_of, some in zip(layers, part):
        where = f"layer {some['layer']} of some positions"
        for pos, found in zip((9, 2), some["positions"]):
            right = all_of["positions"][pos]["top"]
            check([t["id"] for t in found["top"]] == [t["id"] for t in right], where, found)
            check_near([t["p"] for t in found["top"]], [t["p"] for t in right], 1e-6, where)


CASES = {name[5:]: f for name, f in globals().items() if name.startswith("case_")}

if __name__ == "__main__":
    PROGRAM, case = sys.argv[1:]
    CASES[case]()
    sys.exit(failures > 0)
