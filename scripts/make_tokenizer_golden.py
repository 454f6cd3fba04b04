#!/usr/bin/env python3
"""Makes tests/golden/tokenizer.txt: what tiktoken and tokenizers, which must agree, make of every code
point, the whole vocabulary, fuzz strings, long runs and the golden strings.

    python3 scripts/make_tokenizer_golden.py    (with scripts/requirements.txt installed)

Each line is a word and its fields; texts are hexadecimal, ids of long texts the number and CRC-32 of
their little-endian 32-bit words.

    string TEXT IDS IDS           ids without and with special tokens, joined by commas ("-": none)
    block CONTEXT FIRST N CRC     code points FIRST … FIRST+4095 in a context, each on a line
    vocab N_TOKENS N CRC          every token that is UTF-8 by itself, encoded one by one
    atom TEXT                     what fuzz strings are made of, numbered from 0
    fuzz SEED N_STRINGS N CRC     strings of atoms drawn by splitmix64, encoded one by one
    run TEXT TIMES N CRC          a text repeated
    letters SEED LENGTH N CRC     random letters a … z
"""
import array
import json
import pathlib
import sys
import zlib

import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tokenizers import ByteLevelBPETokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "weights" / "default"
EOT = "<|endoftext|>"
SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
CONTEXTS = [("", ""), ("a", "b"), (" ", "1 "), ("'s  ", "'s ")]
BLOCK = 4096
N_FUZZ = 25000
MEGABYTE = 1 << 20

ATOMS = (
    list("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789")
    + [" "] * 12 + ["\n", "\n", "\t", "\r\n", "  ", "   ", "\x00", "\x1c", "\x7f", "\x85", "\xa0"]
    + ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'", "''", "'S", "'LL", "'r", "'v", "'l"]
    + list(".,;:!?-_=+*/\\|()[]{}<>@#$%^&~`\"")
    + ["the", " the", " and", "ing", "tion", " Hello", "World", "SolidGoldMagikarp", "http://"]
    + ["<|endoftext|>", "<|endoftext", "endoftext|>", "<|", "|>"]
    + ["é", "ß", "ñ", "e\u0301", "ﬁ", "Ⅷ", "²", "½", "٣", "०", "ª", "º", "µ"]
    + ["ж", "Привет", "мир", "λ", "Ελλ", "ש", "שלום", "ع", "العربية", "हिन्दी", "क्ष", "ไทย", "ก"]
    + ["日", "本語", "のテ", "キスト", "한국", "어", "中文", "𠀀", "\U000323b0", "\u1c89", "\ua7cb"]
    + ["🙂", "👩\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "👍🏽", "🇩🇪", "\u200d", "\ufe0f", "\u200b", "\ufeff"]
    + ["\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u1680", "\u180e", "\u2003", "\x0b", "\x0c"]
    + ["\U0010ffff", "\ufffd", "\ue000", "…", "—", "“", "”", "’s", "€", "₂", "①"]
)

RUNS = ["a", " ", "\n", "^", "\r\n", "ab", "0", "=", "\u3000", "日", "日本", "é", "🙂", " a", "a ",
        "\t", " \n", "'", "'s", "\x00", "-=", "🙂\u200d", "l'", "aaab", "x" * 63 + " "]


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return (z ^ z >> 31) % n


def open_judges():
    """tiktoken from the files at hand, and tokenizers."""
    vocab, merges = str(MODEL / "vocab.json"), str(MODEL / "merges.txt")
    enc = tiktoken.Encoding(
        "gpt2", explicit_n_vocab=50257, pat_str=SPLIT, special_tokens={EOT: 50256},
        mergeable_ranks=data_gym_to_mergeable_bpe_ranks(merges, vocab))
    ordinary, special = (ByteLevelBPETokenizer(vocab, merges) for _ in range(2))
    special.add_special_tokens([EOT])
    return enc, ordinary, special


class Judges:
    def __init__(self):
        self.enc, self.hf_ordinary, self.hf_special = open_judges()
        self.n_texts = 0

    def ordinary(self, text):
        ids = self.enc.encode_ordinary(text)
        assert ids == self.hf_ordinary.encode(text).ids, f"the libraries differ on {text[:80]!r}"
        self.n_texts += 1
        return ids

    def special(self, text):
        ids = self.enc.encode(text, allowed_special="all")
        assert ids == self.hf_special.encode(text).ids, f"the libraries differ on {text[:80]!r}"
        return ids


class Digest:
    def __init__(self):
        self.n = 0
        self.crc = 0

    def add(self, ids):
        words = array.array("I", ids)
        if sys.byteorder == "big":
            words.byteswap()
        self.n += len(ids)
        self.crc = zlib.crc32(words.tobytes(), self.crc)
        return self

    def __str__(self):
        return f"{self.n} {self.crc:08x}"


def hexed(text):
    return text.encode().hex() or "-"


def joined(ids):
    return ",".join(map(str, ids)) or "-"


def block_text(context, first):
    before, after = CONTEXTS[context]
    return "".join(f"{before}{chr(cp)}{after}\n" for cp in range(first, first + BLOCK)
                   if not 0xD800 <= cp < 0xE000)


def fuzz_strings(seed, n):
    r = SplitMix(seed)
    for _ in range(n):
        yield "".join(ATOMS[r.below(len(ATOMS))] for _ in range(1 + r.below(40)))


def random_letters(seed, n):
    r = SplitMix(seed)
    return "".join(chr(97 + r.below(26)) for _ in range(n))


def main():
    judges = Judges()
    out = ["# Made by scripts/make_tokenizer_golden.py from tiktoken and tokenizers; it says what the lines are."]
    strings = json.loads((ROOT / "tests" / "golden" / "strings.json").read_text())
    strings += json.loads((ROOT / "tests" / "golden" / "tokens.json").read_text())
    for text in dict.fromkeys(case["text"] for case in strings):
        out.append(f"string {hexed(text)} {joined(judges.ordinary(text))} {joined(judges.special(text))}")
    for context in range(len(CONTEXTS)):
        for first in range(0, 0x110000, BLOCK):
            text = block_text(context, first)
            out.append(f"block {context} {first} {Digest().add(judges.ordinary(text))}")
    digest, n_tokens = Digest(), 0
    for token in range(50257):
        try:
            text = judges.enc.decode_single_token_bytes(token).decode()
        except UnicodeDecodeError:
            continue
        digest.add(judges.ordinary(text))
        n_tokens += 1
    out.append(f"vocab {n_tokens} {digest}")
    out += [f"atom {hexed(atom)}" for atom in ATOMS]
    digest = Digest()
    for text in fuzz_strings(1, N_FUZZ):
        digest.add(judges.ordinary(text))
    out.append(f"fuzz 1 {N_FUZZ} {digest}")
    for text in RUNS:
        times = MEGABYTE // len(text.encode())
        out.append(f"run {hexed(text)} {times} {Digest().add(judges.ordinary(text * times))}")
    out.append(f"letters 2 {MEGABYTE} {Digest().add(judges.ordinary(random_letters(2, MEGABYTE)))}")
    (ROOT / "tests" / "golden" / "tokenizer.txt").write_text("\n".join(out) + "\n")
    print(f"{judges.n_texts} texts", file=sys.stderr)


if __name__ == "__main__":
    main()
