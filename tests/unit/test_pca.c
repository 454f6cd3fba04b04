/* Principal components: scikit-learn's numbers, hand-made cases, and data without variance. */
#include "pca.h"
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

struct golden {
    size_t n_row, n_col;
    uint32_t seed;
    double variance[2], ratio[2];
    double xy[30][2];
};

#include "pca_golden.h"

/* The rule of make_pca_golden.py. */
static void fill(const struct golden *g, float *x)
{
    uint32_t seed = g->seed;
    for (size_t i = 0; i < g->n_row * g->n_col; i++) {
        seed = (seed * 1103515245u + 12345u) & 0x7fffffffu;
        x[i] = (float)((int32_t)(seed / 65536 % 1024) - 512) / 64.0f *
               (float)(i % g->n_col % 5 + 1);
    }
}

static void equals_scikit_learn(void)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        const struct golden *g = &golden[i];
        float x[30 * 40];
        double xy[30][2];
        struct pca p;
        fill(g, x);
        CHECK(pca_fit(x, g->n_row, g->n_col, &xy[0][0], &p));
        for (int k = 0; k < 2; k++) {
            CHECK_NEAR(p.variance[k], g->variance[k], 1e-9 * g->variance[0]);
            CHECK_NEAR(p.ratio[k], g->ratio[k], 1e-9);
            for (size_t r = 0; r < g->n_row; r++) {
                CHECK_NEAR(xy[r][k], g->xy[r][k], 1e-8 * sqrt(g->variance[0]));
            }
        }
    }
}

/* Points on a line of slope 2: component (1, 2)/sqrt(5), largest loading positive. */
static void line_by_hand(void)
{
    const float x[] = {1, 2, 2, 4, 3, 6};
    double xy[6];
    struct pca p;
    CHECK(pca_fit(x, 3, 2, xy, &p));
    CHECK_NEAR(xy[0], -sqrt(5.0), 1e-12);
    CHECK_NEAR(xy[2], 0.0, 1e-12);
    CHECK_NEAR(xy[4], sqrt(5.0), 1e-12);
    CHECK_NEAR(p.variance[0], 5.0, 1e-12);
    CHECK_NEAR(p.ratio[0], 1.0, 1e-12);
    CHECK(xy[1] == 0.0 && xy[3] == 0.0 && xy[5] == 0.0);
    CHECK(p.variance[1] == 0.0 && p.ratio[1] == 0.0);
}

static void equal_rows_have_no_variance(void)
{
    float x[4 * 7];
    double xy[8];
    struct pca p;
    for (size_t i = 0; i < 4 * 7; i++) {
        x[i] = 0.1f * (float)(i % 7) + 1000.3f;
    }
    CHECK(pca_fit(x, 4, 7, xy, &p));
    for (size_t i = 0; i < 8; i++) {
        CHECK(xy[i] == 0.0);
    }
    CHECK(p.variance[0] == 0.0 && p.ratio[0] == 0.0);
}

static void one_row_and_one_column(void)
{
    const float x[] = {3, 1, 8};
    double xy[6];
    struct pca p;
    CHECK(pca_fit(x, 1, 3, xy, &p));
    CHECK(xy[0] == 0.0 && xy[1] == 0.0 && p.variance[0] == 0.0);
    CHECK(pca_fit(x, 3, 1, xy, &p));
    CHECK_NEAR(xy[0], -1.0, 1e-12);
    CHECK_NEAR(xy[4], 4.0, 1e-12);
    CHECK_NEAR(p.variance[0], 13.0, 1e-12);
    CHECK(xy[1] == 0.0 && p.variance[1] == 0.0);
}

/* Equal variances: any two orthogonal directions will do, but both must be there. */
static void equal_eigenvalues_give_two_directions(void)
{
    enum { N = 6 };
    float x[N * N] = {0};
    double xy[2 * N];
    double gram[3] = {0};
    struct pca p;
    for (size_t i = 0; i < N; i++) {
        x[i * N + i] = 1.0f;
    }
    CHECK(pca_fit(x, N, N, xy, &p));
    for (size_t i = 0; i < N; i++) {
        gram[0] += xy[2 * i] * xy[2 * i];
        gram[1] += xy[2 * i + 1] * xy[2 * i + 1];
        gram[2] += xy[2 * i] * xy[2 * i + 1];
    }
    CHECK_NEAR(gram[0], 1.0, 1e-12);
    CHECK_NEAR(gram[1], 1.0, 1e-12);
    CHECK_NEAR(gram[2], 0.0, 1e-12);
    CHECK_NEAR(p.ratio[0], 0.2, 1e-12);
    CHECK_NEAR(p.ratio[1], 0.2, 1e-12);
}

static void sizes_that_overflow_are_refused(void)
{
    double xy[2];
    float x = 0.0f;
    struct pca p;
    CHECK(pca_bytes(SIZE_MAX / 2, 4) == SIZE_MAX);
    CHECK(pca_bytes(4, SIZE_MAX / 2) == SIZE_MAX);
    CHECK(pca_bytes(8, 192) < 20000);
    CHECK(!pca_fit(&x, 1, SIZE_MAX / 4, xy, &p));
}

int main(void)
{
    equals_scikit_learn();
    line_by_hand();
    equal_rows_have_no_variance();
    one_row_and_one_column();
    equal_eigenvalues_give_two_directions();
    sizes_that_overflow_are_refused();
    return check_result();
}
