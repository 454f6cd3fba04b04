"""Writes pca_golden.h: scikit-learn's PCA of matrices that test_pca.c makes by the same rule.
    python make_pca_golden.py > pca_golden.h            (pip: numpy scikit-learn)"""
import numpy as np
import sklearn
from sklearn.decomposition import PCA


def matrix(n_row, n_col, seed):
    x = np.empty(n_row * n_col)
    for i in range(x.size):
        seed = (seed * 1103515245 + 12345) % 2**31
        x[i] = (seed // 65536 % 1024 - 512) / 64  # exact in float32
    return x.reshape(n_row, n_col) * (np.arange(n_col) % 5 + 1)


print(f"/* Made by make_pca_golden.py with scikit-learn {sklearn.__version__}. */")
print("static const struct golden golden[] = {")
for n_row, n_col, seed in ((2, 4, 1), (3, 3, 2), (8, 12, 3), (12, 5, 4), (9, 2, 5), (30, 40, 6)):
    pca = PCA(n_components=2, svd_solver="full")
    xy = pca.fit_transform(matrix(n_row, n_col, seed))
    if n_row == 2:  # one direction only: the second is rounding
        xy[:, 1] = pca.explained_variance_[1] = pca.explained_variance_ratio_[1] = 0
    numbers = lambda a: ", ".join(f"{v:.10g}" for v in a)
    print(f"    {{{n_row}, {n_col}, {seed}, {{{numbers(pca.explained_variance_)}}}, "
          f"{{{numbers(pca.explained_variance_ratio_)}}},\n     {{", end="")
    print(",\n      ".join(f"{{{numbers(p)}}}" for p in xy) + "}},")
print("};")
