/* Many rows of bfloat16 weights by VDPBF16PS, for processors that run it at the rate of float32 FMA
 * and so do twice the terms: Zen 4 and later. Activations are rounded to bfloat16.
 *
 * As in vec_linear.h, activations stand in tiles and a panel of columns in L2, here by pairs of
 * terms: 32 bits of a row's pair are broadcast against 16 columns' pairs. Few rows keep float32
 * activations: they are bound by memory, and more exact.
 */
#include "kernels/avx512.h"

#include "kernels/vec_avx512.h"

#include "kernels/vec_weights.h"

enum { NR = TILE_V * 16 };

static int32_t pairs(int32_t n_in)
{
    return (n_in + 1) / 2;
}

static size_t x_bytes(int32_t m, int32_t n_in)
{
    return (size_t)((m + TILE_M - 1) / TILE_M) * TILE_M * (size_t)pairs(n_in) * sizeof(uint32_t);
}

/* xp[tile][pair][TILE_M]; rows past m are zero. */
static void prepare(void *xp, const struct linear_args *a, int32_t r0, int32_t r1)
{
    const int32_t n_in = a->w->n_in;
    for (int32_t r = r0; r < r1; r += TILE_M) {
        uint32_t *const tile = (uint32_t *)xp + (size_t)r * (size_t)pairs(n_in);
        for (int32_t i = 0; i < TILE_M; i++) {
            const float *const x = a->x + (size_t)(r + i) * a->ldx;
            for (int32_t k = 0; k < n_in; k += 32) {
                const int32_t n = r + i < r1 ? n_in - k : 0;
                const vf x0 = n > 0 ? vf_load_n(x + k, least(16, n)) : vf_zero();
                const vf x1 = n > 16 ? vf_load_n(x + k + 16, least(16, n - 16)) : vf_zero();
                const union { __m512bh v; uint32_t pair[16]; } b = {_mm512_cvtne2ps_pbh(x1, x0)};
                const int32_t n_pair = least(16, pairs(n_in) - k / 2);
                for (int32_t p = 0; p < n_pair; p++) {
                    tile[(size_t)(k / 2 + p) * TILE_M + (size_t)i] = b.pair[p];
                }
            }
        }
    }
}

static size_t panel_bytes(int32_t n_in)
{
    return (size_t)pairs(n_in) * NR * sizeof(uint32_t);
}

/* The 16 bits of 16 weights of term k, in 32. */
INLINE __m512i load_term(const struct matrix *w, int32_t k, int32_t j, int32_t n)
{
    if (k >= w->n_in || n <= 0) {
        return _mm512_setzero_si512();
    }
    const uint8_t *const p =
        (const uint8_t *)w->w + ((size_t)k * (size_t)w->n_out + (size_t)j) * sizeof(uint16_t);
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(vf_mask(least(16, n)), p));
}

/* panel[pair][NR], columns past n zero. */
static void copy_panel(uint32_t *panel, const struct matrix *w, int32_t j, int32_t n)
{
    for (int32_t k = 0; k < w->n_in; k += 2) {
        for (int32_t v = 0; v < TILE_V; v++) {
            const __m512i even = load_term(w, k, j + 16 * v, n - 16 * v);
            const __m512i odd = load_term(w, k + 1, j + 16 * v, n - 16 * v);
            _mm512_storeu_si512(panel + (size_t)(k / 2) * NR + 16 * v,
                                _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
        }
    }
}

INLINE __m512bh as_bf16(__m512i v)
{
    const union { __m512i i; __m512bh b; } u = {v};
    return u.b;
}

static void tile(const struct linear_args *a, const uint32_t *xt, const uint32_t *panel, int32_t r0,
                 int32_t j, int32_t n)
{
    vf acc[TILE_M][TILE_V];
    UNROLL
    for (int32_t r = 0; r < TILE_M; r++) {
        UNROLL
        for (int32_t v = 0; v < TILE_V; v++) {
            acc[r][v] = vf_zero();
        }
    }
    for (int32_t p = 0; p < pairs(a->w->n_in); p++) {
        __m512bh w[TILE_V];
        UNROLL
        for (int32_t v = 0; v < TILE_V; v++) {
            w[v] = as_bf16(_mm512_loadu_si512(panel + (size_t)p * NR + 16 * v));
        }
        UNROLL
        for (int32_t r = 0; r < TILE_M; r++) {
            const __m512bh x = as_bf16(_mm512_set1_epi32((int)xt[(size_t)p * TILE_M + (size_t)r]));
            UNROLL
            for (int32_t v = 0; v < TILE_V; v++) {
                acc[r][v] = _mm512_dpbf16_ps(acc[r][v], w[v], x);
            }
        }
    }
    UNROLL
    for (int32_t r = 0; r < TILE_M; r++) {
        UNROLL
        for (int32_t v = 0; v < TILE_V; v++) {
            if (r0 + r < a->m && 16 * v < n) {
                put(a, r0 + r, j + 16 * v, least(16, n - 16 * v), acc[r][v]);
            }
        }
    }
}

static void run(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    uint32_t *const panel = scratch;
    for (int32_t j = j0; j < j1; j += NR) {
        const int32_t n = least(NR, j1 - j);
        copy_panel(panel, a->w, j, n);
        for (int32_t r = 0; r < a->m; r += TILE_M) {
            const uint32_t *const xt =
                (const uint32_t *)a->xp + (size_t)r * (size_t)pairs(a->w->n_in);
            tile(a, xt, panel, r, j, n);
        }
    }
}

const struct linear_kernel avx512_bf16 = {.name = "avx512_bf16", .col_grain = NR,
                                          .row_grain = TILE_M, .x_bytes = x_bytes,
                                          .prepare = prepare, .scratch_bytes = panel_bytes,
                                          .run = run};
