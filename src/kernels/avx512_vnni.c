/* int8 weights by VPDPBUSD: 64 products of a byte and a signed byte in one instruction, at four
 * times the terms of a float32 FMA and a quarter of its bytes.
 *
 * prepare rounds each row's activations to int8 by groups of I8_GROUP terms, like the weights. The
 * weights are bytes u that stand for u - 128; a group's sum therefore starts from -128 sum(x), and
 * nothing is left to correct. Within a group sums are exact integers; group sums are scaled and
 * added in order, so that a row's result is the same in any company. The activations' rounding
 * costs at most max|x| / 254 * sum|w| in each group.
 *
 * One row is bound by memory: N_PANEL panels, far-apart streams, share each broadcast. Many rows
 * are bound by VPDPBUSD: a tile of N_PANEL panels by N_ROW rows stays in registers.
 */
#include "kernels/avx512.h"

#include "kernels/vec_avx512.h"

#include "kernels/vec_weights.h"

enum {
    N_PANEL = 4,
    N_ROW = 6,
    GROUP_QUADS = I8_GROUP / 4,
};

/* A prepared row: for each group its scale and -128 times its sum, then the terms. */
struct group {
    float scale;
    int32_t start;
};

static int32_t groups(int32_t n_in)
{
    return (n_in + I8_GROUP - 1) / I8_GROUP;
}

static size_t row_bytes(int32_t n_in)
{
    return (size_t)groups(n_in) * (sizeof(struct group) + I8_GROUP);
}

static size_t x_bytes(int32_t m, int32_t n_in)
{
    return (size_t)m * row_bytes(n_in);
}

/* Terms x[0 … n-1] of a group, n <= I8_GROUP; the rest are zeros. */
static void prepare_group(struct group *group, uint8_t *terms, const float *x, int32_t n)
{
    vf v[I8_GROUP / 16];
    __m512i max = _mm512_setzero_si512(); /* as integers, so that NaN is the largest */
    for (int32_t i = 0; i < I8_GROUP / 16; i++) {
        v[i] = 16 * i < n ? vf_load_n(x + 16 * i, least(16, n - 16 * i)) : vf_zero();
        max = _mm512_max_epi32(max, _mm512_and_si512(_mm512_castps_si512(v[i]),
                                                     _mm512_set1_epi32(0x7fffffff)));
    }
    const union { int32_t i; float f; } top = {_mm512_reduce_max_epi32(max)};
    const bool none = top.f < 1e-30f;
    const vf to_int = vf_set1(none ? 0 : 127.0f / top.f);
    __m512i sum = _mm512_setzero_si512();
    for (int32_t i = 0; i < I8_GROUP / 16; i++) {
        const __m512i q = _mm512_cvtps_epi32(vf_mul(v[i], to_int));
        sum = _mm512_add_epi32(sum, q);
        _mm_storeu_si128((__m128i *)(terms + 16 * i), _mm512_cvtsepi32_epi8(q));
    }
    group->scale = none ? 0 : top.f / 127.0f;
    group->start = -128 * _mm512_reduce_add_epi32(sum);
}

static void prepare(void *xp, const struct linear_args *a, int32_t r0, int32_t r1)
{
    const int32_t n_in = a->w->n_in;
    for (int32_t r = r0; r < r1; r++) {
        struct group *const group = (struct group *)((char *)xp + (size_t)r * row_bytes(n_in));
        uint8_t *const terms = (uint8_t *)(group + groups(n_in));
        for (int32_t g = 0; g < groups(n_in); g++) {
            const int32_t k = g * I8_GROUP;
            prepare_group(&group[g], terms + k, a->x + (size_t)r * a->ldx + k,
                          least(I8_GROUP, n_in - k));
        }
    }
}

INLINE void tile(const struct linear_args *a, int32_t r0, int32_t n_row, int32_t j, int32_t n_panel,
                 int32_t n)
{
    const struct matrix *const w = a->w;
    const int32_t n_quad = (w->n_in + 3) / 4;
    const int32_t n_group = groups(w->n_in);
    const uint8_t *const wj = (const uint8_t *)w->w + (size_t)(j / 16) * (size_t)n_quad * 64;
    const float *const scale = w->scale + (size_t)(j / 16) * (size_t)n_group * 16;
    const char *const x = (const char *)a->xp + (size_t)r0 * row_bytes(w->n_in);
    vf total[N_ROW][N_PANEL];
    UNROLL
    for (int32_t r = 0; r < n_row; r++) {
        UNROLL
        for (int32_t p = 0; p < n_panel; p++) {
            total[r][p] = vf_zero();
        }
    }
    for (int32_t g = 0; g < n_group; g++) {
        const struct group *group[N_ROW];
        const int32_t *terms[N_ROW];
        __m512i acc[N_ROW][N_PANEL];
        UNROLL
        for (int32_t r = 0; r < n_row; r++) {
            const struct group *const row =
                (const struct group *)(x + (size_t)r * row_bytes(w->n_in));
            group[r] = row + g;
            terms[r] = (const int32_t *)(row + n_group);
            UNROLL
            for (int32_t p = 0; p < n_panel; p++) {
                acc[r][p] = _mm512_set1_epi32(group[r]->start);
            }
        }
        const int32_t q1 = least((g + 1) * GROUP_QUADS, n_quad);
        for (int32_t q = g * GROUP_QUADS; q < q1; q++) {
            __m512i u[N_PANEL];
            UNROLL
            for (int32_t p = 0; p < n_panel; p++) {
                u[p] = _mm512_loadu_si512(wj + ((size_t)p * (size_t)n_quad + (size_t)q) * 64);
            }
            UNROLL
            for (int32_t r = 0; r < n_row; r++) {
                const __m512i xq = _mm512_set1_epi32(terms[r][q]);
                UNROLL
                for (int32_t p = 0; p < n_panel; p++) {
                    acc[r][p] = _mm512_dpbusd_epi32(acc[r][p], u[p], xq);
                }
            }
        }
        UNROLL
        for (int32_t p = 0; p < n_panel; p++) {
            const vf s = vf_load(scale + ((size_t)p * (size_t)n_group + (size_t)g) * 16);
            UNROLL
            for (int32_t r = 0; r < n_row; r++) {
                total[r][p] = vf_fma(_mm512_cvtepi32_ps(acc[r][p]),
                                     vf_mul(s, vf_set1(group[r]->scale)), total[r][p]);
            }
        }
    }
    UNROLL
    for (int32_t r = 0; r < n_row; r++) {
        UNROLL
        for (int32_t p = 0; p < n_panel; p++) {
            put(a, r0 + r, j + 16 * p, least(16, n - 16 * p), total[r][p]);
        }
    }
}

INLINE void panels(const struct linear_args *a, int32_t j, int32_t n_panel, int32_t n)
{
    int32_t r = 0;
    for (; r + N_ROW <= a->m; r += N_ROW) {
        tile(a, r, N_ROW, j, n_panel, n);
    }
    for (; r + 2 <= a->m; r += 2) {
        tile(a, r, 2, j, n_panel, n);
    }
    if (r < a->m) {
        tile(a, r, 1, j, n_panel, n);
    }
}

static void run(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    int32_t j = j0;
    for (; j + 16 * (N_PANEL - 1) < j1; j += 16 * N_PANEL) {
        panels(a, j, N_PANEL, j1 - j);
    }
    for (; j < j1; j += 16) {
        panels(a, j, 1, j1 - j);
    }
}

const struct linear_kernel avx512_vnni = {.name = "avx512_vnni", .col_grain = 16, .row_grain = 1,
                                          .x_bytes = x_bytes, .prepare = prepare, .run = run};
