"""Writes npview_golden.h: what NumPy prints of arrays that test_npview.c makes by the same rule.
    python make_npview_golden.py > npview_golden.h            (pip: numpy>=2.3)"""
import json

import numpy as np


def matrix(n_row, n_col, seed, shift, scale):
    x = np.empty(n_row * n_col, np.float32)
    for i in range(x.size):
        seed = (seed * 1103515245 + 12345) % 2**31
        x[i] = (seed // 65536 % 1024 - shift) / 1024
    return (x * np.float32(scale)).reshape(n_row, n_col)


print(f"/* Made by make_npview_golden.py with NumPy {np.__version__}. */")
print("static const struct golden golden[] = {")
for case in ((1, 1, 1, 512, 1), (2, 3, 2, 512, 1), (3, 9, 3, 0, 1), (8, 192, 4, 512, 3.1), (7, 768, 5, -300, .1),
             (2, 500, 6, 512, 1e-5), (2, 501, 7, -1, 1e5), (4, 4, 8, 512, 1024), (2, 4, 9, -1024, 7e5), (2, 2, 10, 0, 0)):
    text = str(matrix(*case)[None]) + "\n"
    lines = "\n     ".join(json.dumps(line) for line in text.splitlines(keepends=True))
    print(f"    {{{case[0]}, {case[1]}, {case[2]}, {case[3]}, {float(case[4])}f,\n     {lines}}},")
print("};")
