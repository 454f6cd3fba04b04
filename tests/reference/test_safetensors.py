"""Which files are models: ours against the safetensors package on well-formed and hostile files.

What the package refuses, gpt2c refuses with exit code 3. What it accepts, gpt2c accepts, but for the
cases marked stricter: duplicate names, absurd ranks, tensors written as arrays, NUL in a name.
"""

import json
import pathlib
import shutil
import struct
import tempfile

import harness as h
import safetensors
from harness import check

SETTINGS = dict(n_layer=1, n_head=2, n_embd=8, n_positions=8, vocab_size=16)


def parts(data):
    """(header as a dict, bytes of the data section)."""
    (n,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def join(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def edited(data, edit):
    header, body = parts(data)
    result = edit(header, body)
    return result if isinstance(result, bytes) else join(header, body)


def cases(good):
    """(name, bytes, stricter): files made from a good one."""
    header, body = parts(good)
    text = json.dumps(header).encode()
    first = min((k for k in header if k != "__metadata__"), key=lambda k: header[k]["data_offsets"])
    last = max((k for k in header if k != "__metadata__"), key=lambda k: header[k]["data_offsets"])
    n = len(body)
    yield "as it is", good, False

    def edit(name, f, stricter=False):
        return name, edited(good, f), stricter

    # The frame
    yield "empty", b"", False
    yield "7 bytes", good[:7], False
    yield "8 bytes", good[:8], False
    yield "header cut", good[:50], False
    yield "data cut by one byte", good[:-1], False
    yield "data cut by half", good[: len(good) // 2], False
    yield "one byte after the end", good + b"\0", False
    yield "a page after the end", good + bytes(4096), False
    for size in (0, 1, len(text) - 1, len(text) + 1, 100_000_000, 100_000_001, 2**31, 2**63, 2**64 - 1):
        yield f"header length {size}", struct.pack("<Q", size) + text + body, False
    # The JSON
    for name, junk in {
        "BOM": b"\xef\xbb\xbf" + text,
        "not UTF-8": text[:-1] + b',"\xff":1}',
        "comment": text[:-1] + b"/* */}",
        "trailing comma": text[:-1] + b",}",
        "NUL after": text + b"\0",
        "text after": text + b"x",
        "second object": text + b"{}",
        "array": b"[" + text + b"]",
        "null": b"null",
        "no object": b"[]",
        "single quotes": text.replace(b'"', b"'", 2),
        "lone surrogate": text[:-1] + b',"\\ud800":1}',
        "control character": text[:-1] + b',"a\nb":1}',
        "nested deeply": text[:-1] + b',"x":' + b"[" * 200 + b"]" * 200 + b"}",
        "nested 100,000 deep": b"[" * 100_000,
        "open object": b'{"a":' * 50_000,
        "NaN": text[:-1] + b',"x":NaN}',
    }.items():
        yield "JSON: " + name, join(junk, body), False
    yield "JSON: white space before", join(b" \t\r\n" + text, body), False
    yield "JSON: white space after", join(text + b" \t\r\n", body), False
    yield "JSON: no tensors", join(b"{}", b""), False
    # Metadata
    yield edit("metadata absent", lambda t, b: t.pop("__metadata__") and None)
    yield edit("metadata null", lambda t, b: t.update({"__metadata__": None}))
    yield edit("metadata with a number", lambda t, b: t.update({"__metadata__": {"a": 1}}))
    yield edit("metadata a list", lambda t, b: t.update({"__metadata__": []}))
    yield "metadata twice", join(text[:-1] + b',"__metadata__":{}}', body), False

    # One tensor
    def change(**fields):
        def f(t, b):
            t[first].update(fields)

        return f

    shape = header[first]["shape"]
    begin, end = header[first]["data_offsets"]
    for name, fields in {
        "dtype unknown": {"dtype": "F33"},
        "dtype in lower case": {"dtype": "f32"},
        "dtype a number": {"dtype": 1},
        "dtype F64": {"dtype": "F64"},
        "dtype I32": {"dtype": "I32"},
        "shape negative": {"shape": [-1] + shape[1:]},
        "shape a float": {"shape": [2.0] + shape[1:]},
        "shape a string": {"shape": "2"},
        "shape too big": {"shape": [2**64] + shape[1:]},
        "shape overflows": {"shape": [2**62, 2**62, 0]},
        "shape other": {"shape": [shape[0] + 1] + shape[1:]},
        "shape empty": {"shape": []},
        "offsets reversed": {"data_offsets": [end, begin]},
        "offsets negative": {"data_offsets": [-1, end]},
        "offsets of three": {"data_offsets": [begin, end, end]},
        "offsets of one": {"data_offsets": [begin]},
        "offsets past the end": {"data_offsets": [begin, n + 4]},
        "offsets far past the end": {"data_offsets": [2**63, 2**63 + end - begin]},
        "offsets overflow": {"data_offsets": [begin, 2**64 - 1]},
        "offsets with a hole": {"data_offsets": [begin + 4, end + 4]},
        "offsets as strings": {"data_offsets": [str(begin), str(end)]},
    }.items():
        yield edit(name, change(**fields))
    for field in ("dtype", "shape", "data_offsets"):
        yield edit(f"{field} missing", lambda t, b, f=field: t[first].pop(f) and None)
    yield edit("unknown field", change(extra={"a": [1, 2]}))
    yield edit("shared bytes", lambda t, b: t.update({"tied": dict(t[last])}))
    yield edit(
        "extra tensor", lambda t, b: t.update({"x": {"dtype": "U8", "shape": [3], "data_offsets": [n, n + 3]}})
        or join(t, b + b"abc"),
    )  # fmt: skip
    for name in ("../../x", "", "a\0b", "\x1b[31m", "é" * 100):
        yield edit(
            f"extra tensor named {name!r}"[:60],
            lambda t, b, k=name: t.update({k: {"dtype": "U8", "shape": [0], "data_offsets": [n, n]}}),
            "\0" in name,
        )
    yield edit(
        "rank 1,000",
        lambda t, b: t.update({"x": {"dtype": "U8", "shape": [1] * 1000, "data_offsets": [n, n + 1]}})
        or join(t, b + b"a"),
        True,
    )  # fmt: skip
    yield edit("tensor as an array", lambda t, b: t.update({"x": ["U8", [0], [n, n]]}), True)
    again = json.dumps({last: header[last]}).encode()[1:]
    yield "duplicate name", join(text[:-1] + b"," + again, body), True
    escaped = again.replace(last[:1].encode(), b"\\u%04x" % ord(last[0]), 1)
    yield "duplicate name, escaped", join(text[:-1] + b"," + escaped, body), True


def accepts(path):
    try:
        with safetensors.safe_open(path, "np") as f:
            return True, list(f.keys())
    except Exception as e:  # the package raises several kinds
        return False, str(e)


# Files that safetensors can read but that hold no GPT-2: the package is no judge of them.
NOT_A_GPT2 = ("dtype F64", "dtype I32", "shape other", "shape empty", "no tensors", "missing tensor")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp) / "model"
        h.write_model(folder, h.make_model(5, **SETTINGS))
        path = folder / "model.safetensors"
        good = path.read_bytes()
        out = pathlib.Path(tmp) / "out.safetensors"
        for name, data, stricter in cases(good):
            path.write_bytes(data)
            accepted, why = accepts(path)
            code, stdout, err = h.run(
                "dump", "--model", folder, "--ids", "1 2 3", "--what", "logits", "-o", out, timeout=60
            )
            refuse = stricter or not accepted or name.endswith(NOT_A_GPT2)
            expected = 3 if refuse else 0
            check(code == expected, f"{name}: exit code {code}, expected {expected};", why, err.strip()[:200])
            check(not stdout, f"{name}: stdout", stdout[:80])
            check(out.exists() == (code == 0), f"{name}: output file", out.exists())
            if code != 0:
                lines = err.strip().splitlines()
                check(
                    len(lines) == 1 and lines[0].startswith("gpt2c: error: ") and "\x1b" not in err,
                    f"{name}: message {err!r}"[:200],
                )
            out.unlink(missing_ok=True)
        shutil.rmtree(folder)
    h.finish()


main()
