"""Token ids against tiktoken and tokenizers: every code point, the whole vocabulary, random strings,
and the repetitions that tokenizers have been slow on."""

import json
import random
import time

import harness as h
import tiktoken
from harness import check
from tokenizers import ByteLevelBPETokenizer

EOT = "<|endoftext|>"
SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""


def stand_ins():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(rest)}


def load():
    vocab = json.loads((h.DEFAULT_MODEL / "vocab.json").read_text())
    byte_of = stand_ins()
    ranks = {bytes(byte_of[c] for c in t): i for t, i in vocab.items() if t != EOT}
    ours = tiktoken.Encoding(
        "gpt2", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={EOT: vocab[EOT]}
    )
    files = (str(h.DEFAULT_MODEL / n) for n in ("vocab.json", "merges.txt"))
    return ours, ByteLevelBPETokenizer(*files), ranks


def tokenize(data):
    code, out, err = h.run("tokenize", "--ids", "--special", "text", stdin=data)
    if code != 0:
        check(False, "tokenize", code, err.strip())
        return []
    return list(map(int, out.split()))


def compare(what, text, *encoders):
    found = tokenize(text.encode())
    for encode in encoders:
        right = encode(text)
        if found != right:
            at = next((i for i, (a, b) in enumerate(zip(found, right)) if a != b), -1)
            check(False, what, f"differs at token {at}:", found[at : at + 5], right[at : at + 5])
            return
    check(True, what)


def main():
    gpt2, hf, ranks = load()
    tik = lambda text: gpt2.encode(text, disallowed_special=())  # noqa: E731
    tok = lambda text: hf.encode(text).ids  # noqa: E731

    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    contexts = ("a{}b ", " {}", "{}{} 1", "\n{} '{}s ")
    for context in contexts:
        for begin in range(0, len(points), 1 << 17):
            some = points[begin : begin + (1 << 17)]
            text = "".join(context.replace("{}", chr(c)) for c in some)
            compare(f"code points U+{some[0]:04X} … U+{some[-1]:04X} in {context!r}", text, tik)

    words = [t.decode() for t in ranks if is_utf8(t)]
    compare("the vocabulary in lines", "\n".join(words), tik, tok)
    compare("the vocabulary in a row", "".join(words), tik)

    rng = random.Random(16)
    alphabet = "  \n\t'sdmtrevl.,!?AZaz09é½日\u3000\u200d👩\u0301<|>" + "".join(map(chr, range(32, 127)))
    strings = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(60))) for _ in range(20000)]
    joined = "\x1f".join(strings)  # no rule looks across this control character's neighbours
    compare("20,000 random strings", joined, tik, tok)
    for text in strings[:60]:
        compare(f"random string {text!r}", text, tik, tok)

    for text in ("a" * 100_000, " " * 100_000, "^" * 200_000, "0" * 50_000, "\n" * 50_000, "é" * 50_000,
                 "ab" * 50_000, "日" * 50_000, "'s" * 50_000, " a" * 50_000):  # fmt: skip
        start = time.time()
        compare(f"{len(text):,} characters {text[:2]!r}…", text, tik)
        seconds = time.time() - start
        check(seconds < 20, f"{text[:2]!r}… took {seconds:.1f} s")

    for n in range(40):
        data = rng.randbytes(3000)
        ids = tokenize(data)
        code, out, err = h.run("detokenize", "--raw", stdin=" ".join(map(str, ids)).encode())
        check(code == 0 and out == data, f"random bytes {n} come back", code, err)
    h.finish()


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


main()
