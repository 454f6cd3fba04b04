"""Makes the golden answers in tests/golden from the original libraries and the built-in model.

    python scripts/make_golden.py          (with scripts/requirements.txt installed)

tokens.json: ids by tiktoken, checked against tokenizers.
model.json: what PyTorch and Transformers compute in float64 from weights/default, and beside each
kind of number the largest error of their own float32, by which the tests bound ours.
"""

import json
import math
import pathlib

import tiktoken
import torch
from sklearn.decomposition import PCA
from tokenizers import AddedToken, ByteLevelBPETokenizer
from transformers import GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "weights" / "default"
OUT = ROOT / "tests" / "golden"

EOT = "<|endoftext|>"
SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
PROMPT = "The dog chased the ball because it was excited."
PCA_TEXT = "Small Language Models are powerful and efficient!"
N_GREEDY = 64

STRINGS = [
    "",
    "Hello world",
    " Hello world",
    "Hello, I'm a language model,",
    PROMPT,
    PCA_TEXT,
    "The quick brown fox jumps over the lazy dog",
    "The cat sat on the mat",
    "hello <|endoftext|> x",
    "<|endoftext|><|endoftext|>",
    "<|endoftext",
    "I've we'll they'd it's 'tis CAN'T you're I'M 's 't ''s",
    "tabs\tand\n\nnewlines  \n ",
    "   three spaces",
    "trailing space ",
    "\n\n\n",
    "\r\nCRLF\r\n",
    "\x00\x01\x7f\x1c",
    "naïve café ½ ² Ⅷ ٣",
    "日本語のテキスト",
    "Привет, мир! Ελληνικά עברית العربية हिन्दी ไทย",
    "👩‍👩‍👧 🏳️‍🌈 é",
    "\u00a0\u2003\u3000 spaces \u200b\ufeff\u180e\u0085",
    "\u1c89\ua7cb\U000105c0\U000323b0\U0010ffff",
    "a" * 200,
    " " * 100 + "x",
    "^" * 64,
    "1234567890 3.14159 1,000,000 0x1F",
    "for (int i = 0; i < n; i++) {\n    x[i] += y[i]; // sum\n}",
    "https://example.org/path?q=1&r=%20#frag",
    "SolidGoldMagikarp rawdownloadcloneembedreportprint",
]


def digits(x, n=9):
    """Nested lists of numbers, rounded to n significant digits."""
    if isinstance(x, list):
        return [digits(v, n) for v in x]
    return float(f"{x:.{n}g}")


def bytes_of_symbols():
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(rest)}


def tokens():
    stand_in = bytes_of_symbols()
    vocab = json.loads((MODEL / "vocab.json").read_text())
    ranks = {bytes(stand_in[c] for c in t): i for t, i in vocab.items() if t != EOT}
    gpt2 = tiktoken.Encoding(
        "gpt2", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={EOT: vocab[EOT]}
    )
    plain = ByteLevelBPETokenizer(str(MODEL / "vocab.json"), str(MODEL / "merges.txt"))
    special = ByteLevelBPETokenizer(str(MODEL / "vocab.json"), str(MODEL / "merges.txt"))
    special.add_special_tokens([AddedToken(EOT, special=True)])
    rows = []
    for text in STRINGS:
        row = {
            "text": text,
            "text_ids": gpt2.encode(text, disallowed_special=()),
            "special_ids": gpt2.encode(text, allowed_special="all"),
        }
        assert row["text_ids"] == plain.encode(text).ids, text
        assert row["special_ids"] == special.encode(text).ids, text
        rows.append(row)
    return rows


def model():
    torch.set_num_threads(1)
    f32 = GPT2LMHeadModel.from_pretrained(
        MODEL, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = ByteLevelBPETokenizer(str(MODEL / "vocab.json"), str(MODEL / "merges.txt"))
    ids = tokenizer.encode(PROMPT).ids
    wanted = {"output_attentions": True, "output_hidden_states": True}
    with torch.no_grad():
        small = f32(torch.tensor([ids]), **wanted)
        greedy = f32.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=N_GREEDY,
            do_sample=False,
            pad_token_id=50256,
            eos_token_id=None,
        )[0, len(ids) :].tolist()
        f64 = f32.double()
        big = f64(torch.tensor([ids]), **wanted)
        everything = ids + greedy
        all_logits = f64(torch.tensor([everything])).logits[0]
        pca_ids = tokenizer.encode(PCA_TEXT).ids
        last = f64.transformer(torch.tensor([pca_ids])).last_hidden_state[0].numpy()

    # float64 agrees with the greedy text, and by more than float32 could be wrong.
    best = all_logits[len(ids) - 1 : -1].topk(2)
    assert best.indices[:, 0].tolist() == greedy
    assert (best.values[:, 0] - best.values[:, 1]).min() > 1e-3

    def worst(a, b):
        return max(float((x.double() - y).abs().max()) for x, y in zip(a, b))

    logits = big.logits[0]
    p = torch.softmax(logits, -1)
    positions = []
    for i, row in enumerate(p):
        top = row.topk(5)
        entry = {"top_ids": top.indices.tolist(), "top_p": digits(top.values.tolist())}
        entry["top_logits"] = digits(logits[i][top.indices].tolist())
        if i + 1 < len(ids):
            entry["next"] = ids[i + 1]
            entry["next_p"] = digits(float(row[ids[i + 1]]))
            entry["next_rank"] = int((row > row[ids[i + 1]]).sum()) + 1
        positions.append(entry)

    nll = torch.nn.functional.cross_entropy(all_logits[:-1], torch.tensor(everything[1:]))
    pca = PCA(n_components=2).fit(last)
    columns = list(range(0, 50257, 997))
    return {
        "prompt": PROMPT,
        "ids": ids,
        "tokens": tokenizer.encode(PROMPT).tokens,
        "greedy_ids": greedy,
        "greedy_text": tokenizer.decode(greedy),
        "positions": positions,
        "logit_columns": columns,
        "logits": digits(logits[:, columns].tolist()),
        "logits_error": worst([small.logits[0]], [logits]),
        "attn": {
            f"{il}.{ih}": digits(big.attentions[il][0, ih].tolist())
            for il, ih in ((0, 0), (5, 3), (11, 0), (11, 11))
        },
        "attn_error": worst(small.attentions, big.attentions),
        "hidden": {
            str(i): digits(big.hidden_states[i][0, :, :8].tolist()) for i in (0, 1, 6, 11, 12)
        },
        "hidden_error": {
            str(i): worst([small.hidden_states[i]], [big.hidden_states[i]])
            for i in (0, 1, 6, 11, 12)
        },
        "nll_ids": everything,
        "nll": digits(float(nll)),
        "ppl": digits(math.exp(float(nll))),
        "pca_text": PCA_TEXT,
        "pca": digits(pca.transform(last).tolist()),
        "pca_explained_variance_ratio": digits(pca.explained_variance_ratio_.tolist()),
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rows = ",\n".join(json.dumps(row) for row in tokens())
    (OUT / "tokens.json").write_text(f"[\n{rows}\n]\n")
    rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in model().items())
    (OUT / "model.json").write_text(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    main()
