"""test_pictures.py PROGRAM CASE [--update]: the pictures of the README, made again and compared with
the committed ones. Standard library only.

The bytes are the same for the same numbers; another machine's numbers may differ in their last bits, so
that a few cells change to a neighbouring colour. More than one pixel in a thousand fails. --update writes
the picture instead: look at it before committing it.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "weights" / "default"
CASES = {
    "attn": ["attn", "--layer", "-1", "--head", "0"],
    "attn-grid": ["attn", "--layer", "all", "--head", "all"],
    "next": ["next", "-k", "10"],
    "posenc": ["posenc", "--kind", "sinusoidal", "--positions", "1024", "--dims", "768"],
    "pca": ["embed", "--prompt", "Small Language Models are powerful and efficient!", "--pca"],
    "heads": ["heads"],
    "lens": ["lens"],
}


def pixels(png):
    """(width, height, rows of RGB bytes) of an 8-bit RGB file without interlacing."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG file"
    at, data = 8, b""
    while at < len(png):
        (n,), kind = struct.unpack_from(">I", png, at), png[at + 4 : at + 8]
        body = png[at + 8 : at + 8 + n]
        assert struct.unpack_from(">I", png, at + 8 + n)[0] == zlib.crc32(kind + body), "bad CRC"
        if kind == b"IHDR":
            w, h, depth, color = struct.unpack(">IIBB", body[:10])
            assert (depth, color, body[12]) == (8, 2, 0), "not 8-bit RGB"
        data += body if kind == b"IDAT" else b""
        at += 12 + n
    raw, rows, before = zlib.decompress(data), [], bytes(3 * w)
    for y in range(h):
        kind = raw[y * (3 * w + 1)]
        row = bytearray(raw[y * (3 * w + 1) + 1 : (y + 1) * (3 * w + 1)])
        for i in range(3 * w):
            a = row[i - 3] if i >= 3 else 0
            b = before[i]
            c = before[i - 3] if i >= 3 else 0
            if kind == 1:
                row[i] = (row[i] + a) & 255
            elif kind == 2:
                row[i] = (row[i] + b) & 255
            elif kind == 3:
                row[i] = (row[i] + (a + b) // 2) & 255
            elif kind == 4:
                pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
                near = a if pa <= pb and pa <= pc else b if pb <= pc else c
                row[i] = (row[i] + near) & 255
        before = bytes(row)
        rows.append(before)
    return w, h, rows


def main():
    program, case = sys.argv[1:3]
    golden = HERE / f"{case}.png"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{case}.png"
        command = [program, *CASES[case], "-o", str(path)]
        if case != "posenc":
            command += ["--model", str(MODEL)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode != 0 or done.stderr:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()}")
        made = path.read_bytes()
    if "--update" in sys.argv:
        golden.write_bytes(made)
        return
    expected = golden.read_bytes()
    if made == expected:
        return
    w, h, rows = pixels(made)
    golden_w, golden_h, golden_rows = pixels(expected)
    if (w, h) != (golden_w, golden_h):
        sys.exit(f"{case}.png is {w} x {h}, expected {golden_w} x {golden_h}")
    different = sum(
        a[i : i + 3] != b[i : i + 3] for a, b in zip(rows, golden_rows) if a != b for i in range(0, 3 * w, 3)
    )
    print(f"{case}.png differs in {different} of {w * h} pixels")
    sys.exit(different > w * h / 1000)


if __name__ == "__main__":
    main()
