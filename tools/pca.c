/* Principal components by the smaller of the two Gram matrices. Only two eigenvectors are wanted of
 * up to a thousand, so: Householder reduction to tridiagonal form, bisection for the two largest
 * eigenvalues, inverse iteration for their vectors (Golub and Van Loan, sections 8.3 and 8.4). That
 * is some fifty times less work than Jacobi's method and as exact. */
#include "pca.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* ---- tridiagonal matrices: diagonal d [n], off-diagonal e [n - 1] ---------------------------- */

/* Eigenvalues above x, by the signs of the pivots of T - x (Sturm). */
static size_t count_above(const double *d, const double *e, size_t n, double x, double tiny)
{
    size_t count = 0;
    double pivot = 1.0;
    for (size_t i = 0; i < n; i++) {
        const double above = i > 0 ? e[i - 1] * e[i - 1] / pivot : 0.0;
        pivot = d[i] - x - above;
        if (fabs(pivot) < tiny) {
            pivot = pivot < 0.0 ? -tiny : tiny;
        }
        count += pivot > 0.0;
    }
    return count;
}

/* The eigenvalue that has `rank` others above it, to the last bits. */
static double bisect(const double *d, const double *e, size_t n, size_t rank, double norm)
{
    double low = -norm;
    double high = norm;
    for (;;) {
        const double mid = 0.5 * (low + high);
        if (mid <= low || mid >= high || high - low <= DBL_EPSILON * norm) {
            return mid;
        }
        if (count_above(d, e, n, mid, DBL_EPSILON * DBL_EPSILON * norm) > rank) {
            low = mid;
        } else {
            high = mid;
        }
    }
}

static double dot(const double *a, const double *b, size_t n)
{
    double part[4] = {0.0, 0.0, 0.0, 0.0}; /* a fixed order of additions that vectorises */
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (size_t k = 0; k < 4; k++) {
            part[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < n; i++) {
        part[0] += a[i] * b[i];
    }
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static void add_scaled(double *y, double scale, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += scale * x[i];
    }
}

static void normalize(double *y, size_t n)
{
    const double length = sqrt(dot(y, y, n));
    for (size_t i = 0; i < n; i++) {
        y[i] /= length;
    }
}

/* Solves (T - shift) y = y in place: elimination with row exchanges. u, u1, u2 [n]: the rows of the
 * upper triangle. A zero pivot becomes `tiny`: the solution is then huge along the eigenvector,
 * which is what inverse iteration wants. */
static void solve_shifted(const double *d, const double *e, size_t n, double shift, double tiny,
                          double *u, double *u1, double *u2, double *y)
{
    u[0] = d[0] - shift;
    u1[0] = n > 1 ? e[0] : 0.0;
    u2[0] = 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
        double next[3] = {e[i], d[i + 1] - shift, i + 2 < n ? e[i + 1] : 0.0};
        if (fabs(next[0]) > fabs(u[i])) {
            const double row[3] = {u[i], u1[i], u2[i]};
            const double rhs = y[i];
            u[i] = next[0];
            u1[i] = next[1];
            u2[i] = next[2];
            next[0] = row[0];
            next[1] = row[1];
            next[2] = row[2];
            y[i] = y[i + 1];
            y[i + 1] = rhs;
        }
        if (fabs(u[i]) < tiny) {
            u[i] = u[i] < 0.0 ? -tiny : tiny;
        }
        const double factor = next[0] / u[i];
        u[i + 1] = next[1] - factor * u1[i];
        u1[i + 1] = next[2] - factor * u2[i];
        u2[i + 1] = 0.0;
        y[i + 1] -= factor * y[i];
    }
    if (fabs(u[n - 1]) < tiny) {
        u[n - 1] = u[n - 1] < 0.0 ? -tiny : tiny;
    }
    for (size_t i = n; i-- > 0;) {
        double rest = y[i];
        if (i + 1 < n) {
            rest -= u1[i] * y[i + 1];
        }
        if (i + 2 < n) {
            rest -= u2[i] * y[i + 2];
        }
        y[i] = rest / u[i];
    }
}

/* The unit eigenvector of `value`, orthogonal to `before` (NULL: none). work [3][n]. */
static void inverse_iteration(const double *d, const double *e, size_t n, double value, double tiny,
                              const double *before, double *work, double *y)
{
    uint32_t seed = before ? 2 : 1; /* a start that no symmetry makes orthogonal to the vector */
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        y[i] = (double)(seed >> 8) / 16777216.0;
    }
    for (int round = 0; round < 5; round++) {
        if (round > 0) {
            solve_shifted(d, e, n, value, tiny, work, work + n, work + 2 * n, y);
        }
        normalize(y, n);
        if (before) {
            add_scaled(y, -dot(before, y, n), before, n);
            normalize(y, n);
        }
    }
}

/* ---- symmetric matrices ---------------------------------------------------------------------- */

/* Reduces a [n][n] to tridiagonal form. Row k keeps from column k + 1 on the unit vector of its
 * reflection (zeros: none). p [n] is scratch. */
static void tridiagonalize(double *a, size_t n, double *d, double *e, double *p)
{
    for (size_t k = 0; k + 1 < n; k++) {
        double *v = a + k * n + k + 1;
        const size_t m = n - k - 1;
        const double length = sqrt(dot(v, v, m));
        d[k] = a[k * n + k];
        if (m == 1 || length == 0.0) {
            e[k] = v[0];
            for (size_t i = 0; i < m; i++) {
                v[i] = 0.0;
            }
            continue;
        }
        e[k] = v[0] > 0.0 ? -length : length;
        v[0] -= e[k];
        normalize(v, m);
        /* The block B below becomes (I - 2vv')B(I - 2vv') = B - 2vw' - 2wv', w = Bv - (v'Bv)v. */
        double *block = a + (k + 1) * n + k + 1;
        for (size_t i = 0; i < m; i++) {
            p[i] = dot(block + i * n, v, m);
        }
        add_scaled(p, -dot(p, v, m), v, m);
        for (size_t i = 0; i < m; i++) {
            double *row = block + i * n;
            const double vi = 2.0 * v[i];
            const double pi = 2.0 * p[i];
            for (size_t j = 0; j < m; j++) {
                row[j] -= vi * p[j] + pi * v[j];
            }
        }
    }
    d[n - 1] = a[n * n - 1];
}

/* The two largest eigenvalues of a [n][n] (destroyed) and their unit vectors, into vectors [2][n].
 * work [6][n]. n at least 2. */
static void eigen_top2(double *a, size_t n, double values[2], double *vectors, double *work)
{
    double *d = work;
    double *e = work + n;
    double norm = 0.0; /* bounds every eigenvalue (Gershgorin) */
    tridiagonalize(a, n, d, e, work + 2 * n);
    for (size_t i = 0; i < n; i++) {
        const double radius = (i > 0 ? fabs(e[i - 1]) : 0.0) + (i + 1 < n ? fabs(e[i]) : 0.0);
        norm = fmax(norm, fabs(d[i]) + radius);
    }
    for (size_t c = 0; c < 2; c++) {
        double *y = vectors + c * n;
        values[c] = bisect(d, e, n, c, norm);
        inverse_iteration(d, e, n, values[c], DBL_EPSILON * norm, c > 0 ? vectors : NULL,
                          work + 3 * n, y);
    }
    for (size_t c = 0; c < 2; c++) {
        double *y = vectors + c * n;
        for (size_t k = n - 1; k-- > 0;) {
            const double *v = a + k * n + k + 1;
            add_scaled(y + k + 1, -2.0 * dot(v, y + k + 1, n - k - 1), v, n - k - 1);
        }
    }
}

/* ---- components ------------------------------------------------------------------------------ */

/* c = x less the mean of each column. Taken from the first row, so that equal rows give zeros and
 * not the rounding of a mean. */
static void center(const float *x, size_t n_row, size_t n_col, double *c)
{
    for (size_t j = 0; j < n_col; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < n_row; i++) {
            c[i * n_col + j] = (double)x[i * n_col + j] - (double)x[j];
            sum += c[i * n_col + j];
        }
        for (size_t i = 0; i < n_row; i++) {
            c[i * n_col + j] -= sum / (double)n_row;
        }
    }
}

/* g = c c' [n_row][n_row], or c' c [n_col][n_col]. */
static void gram(const double *c, size_t n_row, size_t n_col, bool by_rows, double *g)
{
    const size_t n = by_rows ? n_row : n_col;
    if (by_rows) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j <= i; j++) {
                g[i * n + j] = dot(c + i * n_col, c + j * n_col, n_col);
                g[j * n + i] = g[i * n + j];
            }
        }
        return;
    }
    for (size_t i = 0; i < n * n; i++) {
        g[i] = 0.0;
    }
    for (size_t r = 0; r < n_row; r++) {
        for (size_t i = 0; i < n; i++) {
            add_scaled(g + i * n, c[r * n_col + i], c + r * n_col, n);
        }
    }
}

/* One component: its unit vector of loadings v [n_col] from the eigenvector, then c v. */
static void project(const double *c, size_t n_row, size_t n_col, bool by_rows, const double *vector,
                    double *v, double *xy)
{
    size_t largest = 0;
    for (size_t j = 0; j < n_col; j++) {
        v[j] = by_rows ? 0.0 : vector[j];
    }
    if (by_rows) {
        for (size_t i = 0; i < n_row; i++) {
            add_scaled(v, vector[i], c + i * n_col, n_col);
        }
        normalize(v, n_col);
    }
    for (size_t j = 1; j < n_col; j++) {
        largest = fabs(v[j]) > fabs(v[largest]) ? j : largest;
    }
    const double sign = v[largest] < 0.0 ? -1.0 : 1.0;
    for (size_t i = 0; i < n_row; i++) {
        xy[2 * i] = sign * dot(c + i * n_col, v, n_col);
    }
}

/* Scratch in doubles: c, the Gram matrix, two eigenvectors and six rows of work, loadings. */
static bool scratch_size(size_t n_row, size_t n_col, size_t *n_doubles)
{
    const size_t n = n_row < n_col ? n_row : n_col;
    size_t n_c = 0;
    size_t n_gram = 0;
    return !__builtin_mul_overflow(n_row, n_col, &n_c) &&
           !__builtin_mul_overflow(n, n + 8, &n_gram) &&
           !__builtin_add_overflow(n_c, n_gram, n_doubles) &&
           !__builtin_add_overflow(*n_doubles, n_col, n_doubles) &&
           *n_doubles <= SIZE_MAX / sizeof(double);
}

size_t pca_bytes(size_t n_row, size_t n_col)
{
    size_t n_doubles = 0;
    return scratch_size(n_row, n_col, &n_doubles) ? n_doubles * sizeof(double) : SIZE_MAX;
}

bool pca_fit(const float *x, size_t n_row, size_t n_col, double *xy, struct pca *out)
{
    const bool by_rows = n_row <= n_col;
    const size_t n = by_rows ? n_row : n_col;
    size_t n_doubles = 0;
    *out = (struct pca){0};
    for (size_t i = 0; i < 2 * n_row; i++) {
        xy[i] = 0.0;
    }
    double *c = scratch_size(n_row, n_col, &n_doubles) ? calloc(n_doubles, sizeof *c) : NULL;
    if (!c) {
        return false;
    }
    double *g = c + n_row * n_col;
    double *vectors = g + n * n;
    double *v = vectors + 8 * n;
    center(x, n_row, n_col, c);
    const double total = dot(c, c, n_row * n_col);
    if (total > 0.0) { /* so n_row >= 2 */
        double values[2] = {total, 0.0};
        vectors[0] = 1.0; /* one column: it is the component */
        if (n > 1) {
            gram(c, n_row, n_col, by_rows, g);
            eigen_top2(g, n, values, vectors, vectors + 2 * n);
        }
        for (size_t k = 0; k < 2; k++) {
            if (values[k] <= 4.0 * (double)n * DBL_EPSILON * total) {
                break; /* what is left is rounding */
            }
            project(c, n_row, n_col, by_rows, vectors + k * n, v, xy + k);
            out->variance[k] = values[k] / (double)(n_row - 1);
            out->ratio[k] = values[k] / total;
        }
    }
    free(c);
    return true;
}
