/* Linear layers in float32, for any tier with a `vf`.
 *
 * One definition of the sum, so that one row, a few rows and many rows agree bit by bit:
 *   Conv1D order and int8: blocks of KC terms, in a block one chain of fused multiply-adds from
 *   zero in the order of k, blocks added in order, then the bias, then the residual.
 *   out_major order: 16 chains, lane = k mod 16, and the tree of vf_sum.
 *
 * Few rows are bound by memory, and memory is fastest read in long runs: on a Zen 4 core, columns
 * cut for two or eight tasks are read at 13.5 GB/s, whole rows at 18 to 20, where a plain read
 * takes 22. So few rows are cut along the terms, blocks of KC rows of weights to a task, and the
 * blocks' sums are added in a second pass. Many rows are bound by arithmetic: activations stand in
 * tiles of TILE_M rows, a panel of TILE_V vectors of columns is copied (and widened) once per call
 * and stays in L2, sums stay in registers.
 */
#ifndef VEC_LINEAR_H
#define VEC_LINEAR_H

#include "kernels/vec_weights.h"

enum {
    KC = TERM_BLOCK,      /* terms in a block                       */
    NR = TILE_V * 16,     /* columns of a panel                     */
    DOT_ROWS_IN_L2 = 64,  /* activation rows that stay close        */
};

_Static_assert(KC == I8_GROUP, "a block of int8 terms has one scale");

/* ---- few rows, Conv1D order ------------------------------------------------------------------ */

/* A walk along a piece of rows, some of them ahead of the sums. */
struct ahead {
    const uint8_t *at, *row_end;
    size_t width, gap; /* bytes of the piece in a row, and to the next */
};

INLINE void prefetch_lines(struct ahead *ahead, int32_t n_line)
{
    for (int32_t i = 0; i < n_line; i++) {
        _mm_prefetch((const char *)ahead->at + 64 * i, _MM_HINT_T1);
    }
    ahead->at += 64 * n_line;
    if (ahead->at >= ahead->row_end) {
        ahead->at += ahead->gap;
        ahead->row_end += ahead->width + ahead->gap;
    }
}

/* Sums of n_m rows by n_v vectors of columns (n columns) continue by n_k terms. w is the first. */
INLINE void few_tile(float *sums, size_t lds, const uint8_t *w, size_t row_bytes, const float *x,
                     size_t ldx, int32_t n_m, int32_t n_k, int32_t n_v, int32_t n, bool first,
                     struct ahead *ahead, enum weight_type type)
{
    vf acc[FEW_M][FEW_V];
    UNROLL
    for (int32_t r = 0; r < n_m; r++) {
        UNROLL
        for (int32_t v = 0; v < n_v; v++) {
            acc[r][v] = first ? vf_zero() : vf_load(sums + (size_t)r * lds + 16 * v);
        }
    }
    for (int32_t k = 0; k < n_k; k++) {
        const uint8_t *const wk = w + (size_t)k * row_bytes;
        vf wv[FEW_V];
        UNROLL
        for (int32_t v = 0; v < n_v; v++) {
            wv[v] = n_v == 1 ? load_weights_n(wk, n, type)
                             : load_weights(wk + (size_t)(16 * v) * weight_bytes(type), type);
        }
        if (ahead) {
            prefetch_lines(ahead, (n_v * 16 * (int32_t)weight_bytes(type) + 63) / 64);
        }
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            const vf xk = vf_set1(x[(size_t)r * ldx + (size_t)k]);
            UNROLL
            for (int32_t v = 0; v < n_v; v++) {
                acc[r][v] = vf_fma(xk, wv[v], acc[r][v]);
            }
        }
    }
    UNROLL
    for (int32_t r = 0; r < n_m; r++) {
        UNROLL
        for (int32_t v = 0; v < n_v; v++) {
            vf_store(sums + (size_t)r * lds + 16 * v, acc[r][v]);
        }
    }
}

/* All m rows; the first tile looks ahead for the others. */
INLINE void few_tiles(float *sums, size_t lds, const uint8_t *w, size_t row_bytes, const float *x,
                      size_t ldx, int32_t m, int32_t n_k, int32_t n_v, int32_t n, bool first,
                      struct ahead *ahead, enum weight_type type)
{
    static const int32_t heights[] = {FEW_M, FEW_M > 4 ? 4 : 1, 2, 1};
    int32_t r = 0;
    UNROLL
    for (int32_t i = 0; i < 4; i++) {
        for (; r + heights[i] <= m; r += heights[i]) {
            few_tile(sums + (size_t)r * lds, lds, w, row_bytes, x + (size_t)r * ldx, ldx,
                     heights[i], n_k, n_v, n, first, r == 0 ? ahead : NULL, type);
        }
    }
}

/* Weights are read once and in the order of memory, by prefetching FEW_K rows ahead of the sums;
 * the rows themselves are then met in the second-level cache, in whatever order suits the tiles. */
INLINE void few_terms(const struct linear_args *a, int32_t b0, int32_t b1, int32_t j0, int32_t j1,
                      enum weight_type type)
{
    const struct matrix *const w = a->w;
    const size_t es = weight_bytes(type);
    const size_t row_bytes = (size_t)w->n_out * es;
    const size_t lds = (size_t)((w->n_out + 15) & ~15);
    const int32_t k_end = least(b1 * KC, w->n_in);
    const int32_t n_row = a->m <= 4 ? FEW_K : 2 * FEW_K;
    for (int32_t k = b0 * KC; k < k_end;) {
        const int32_t n_k = least(n_row, least((k / KC + 1) * KC, k_end) - k);
        float *const sums = a->sums + (size_t)(k / KC) * (size_t)a->m * lds;
        const uint8_t *const row = (const uint8_t *)w->w + (size_t)k * row_bytes;
        const uint8_t *const next = row + (size_t)n_k * row_bytes + (size_t)j0 * es;
        const size_t width = (size_t)(j1 - j0) * es;
        struct ahead walk = {next, next + width, width, row_bytes - width};
        struct ahead *const ahead = k + n_k < k_end ? &walk : NULL;
        int32_t j = j0;
        for (; j + 16 * FEW_V <= j1; j += 16 * FEW_V) {
            few_tiles(sums + j, lds, row + (size_t)j * es, row_bytes, a->x + k, a->ldx, a->m, n_k,
                      FEW_V, 16 * FEW_V, k % KC == 0, ahead, type);
        }
        for (; j < j1; j += 16) {
            few_tiles(sums + j, lds, row + (size_t)j * es, row_bytes, a->x + k, a->ldx, a->m, n_k,
                      1, least(16, j1 - j), k % KC == 0, ahead, type);
        }
        k += n_k;
    }
}

static void few_terms_f32(const struct linear_args *a, int32_t b0, int32_t b1, int32_t j0,
                          int32_t j1)
{
    few_terms(a, b0, b1, j0, j1, W_F32);
}

static void few_terms_bf16(const struct linear_args *a, int32_t b0, int32_t b1, int32_t j0,
                           int32_t j1)
{
    few_terms(a, b0, b1, j0, j1, W_BF16);
}

static void few_terms_f16(const struct linear_args *a, int32_t b0, int32_t b1, int32_t j0,
                          int32_t j1)
{
    few_terms(a, b0, b1, j0, j1, W_F16);
}

static void few_rows(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    const size_t lds = (size_t)((a->w->n_out + 15) & ~15);
    for (int32_t r = 0; r < a->m; r++) {
        for (int32_t j = j0; j < j1; j += 16) {
            const float *s = a->sums + (size_t)r * lds + j;
            vf sum = vf_load(s);
            for (int32_t k = KC; k < a->w->n_in; k += KC) {
                s += (size_t)a->m * lds;
                sum = vf_add(sum, vf_load(s));
            }
            put(a, r, j, least(16, j1 - j), sum);
        }
    }
}

/* ---- few rows, int8 -------------------------------------------------------------------------- */

/* A vector of columns of n_m rows. The terms of a quad are made floats once and serve all rows. */
INLINE void few_rows_panel(const struct linear_args *a, int32_t r0, int32_t n_m, int32_t panel,
                           int32_t n)
{
    const struct matrix *const w = a->w;
    const int32_t n_quad = (w->n_in + 3) / 4;
    const int32_t n_group = (w->n_in + KC - 1) / KC;
    const uint8_t *const p = (const uint8_t *)w->w + (size_t)panel * (size_t)n_quad * 64;
    const float *const scale = w->scale + (size_t)panel * (size_t)n_group * 16;
    const float *const x = a->x + (size_t)r0 * a->ldx;
    vf total[TILE_M];
    UNROLL
    for (int32_t r = 0; r < n_m; r++) {
        total[r] = vf_zero();
    }
    for (int32_t k0 = 0; k0 < w->n_in; k0 += KC) {
        vf acc[TILE_M];
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            acc[r] = vf_zero();
        }
        const int32_t k1 = least(k0 + KC, w->n_in);
        for (int32_t k = k0; k < k1; k += 4) {
            for (int32_t i = 0; i < least(4, k1 - k); i++) {
                const vf wk = vf_load_i8(p + (size_t)(k / 4) * 64, i);
                UNROLL
                for (int32_t r = 0; r < n_m; r++) {
                    acc[r] = vf_fma(vf_set1(x[(size_t)r * a->ldx + (size_t)(k + i)]), wk, acc[r]);
                }
            }
        }
        const vf s = vf_load(scale + k0 / KC * 16);
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            total[r] = vf_fma(acc[r], s, total[r]);
        }
    }
    UNROLL
    for (int32_t r = 0; r < n_m; r++) {
        put(a, r0 + r, panel * 16, n, total[r]);
    }
}

static void few_rows_i8(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    for (int32_t j = j0; j < j1; j += 16) {
        const int32_t n = least(16, j1 - j);
        int32_t r = 0;
        for (; r + 4 <= a->m; r += 4) {
            few_rows_panel(a, r, 4, j / 16, n);
        }
        for (; r < a->m; r++) {
            few_rows_panel(a, r, 1, j / 16, n);
        }
    }
}

/* ---- many rows ------------------------------------------------------------------------------- */

static size_t tiles_bytes(int32_t m, int32_t n_in)
{
    return (size_t)((m + TILE_M - 1) / TILE_M) * TILE_M * (size_t)n_in * sizeof(float);
}

/* Terms k … k+n_k-1 (4 at most) of two rows side by side; a row that is NULL is zero. */
INLINE void tile_pair(float *tile, const float *x0, const float *x1, int32_t k, int32_t n_k)
{
    if (n_k == 4) {
        const __m128 a = x0 ? _mm_loadu_ps(x0 + k) : _mm_setzero_ps();
        const __m128 b = x1 ? _mm_loadu_ps(x1 + k) : _mm_setzero_ps();
        const __m128 lo = _mm_unpacklo_ps(a, b);
        const __m128 hi = _mm_unpackhi_ps(a, b);
        _mm_storel_pi((__m64 *)tile, lo);
        _mm_storeh_pi((__m64 *)(tile + TILE_M), lo);
        _mm_storel_pi((__m64 *)(tile + 2 * TILE_M), hi);
        _mm_storeh_pi((__m64 *)(tile + 3 * TILE_M), hi);
        return;
    }
    for (int32_t i = 0; i < n_k; i++) {
        tile[i * TILE_M] = x0 ? x0[k + i] : 0;
        tile[i * TILE_M + 1] = x1 ? x1[k + i] : 0;
    }
}

/* Tiles of TILE_M rows, term by term: xp[tile][k][TILE_M]; rows past m are zero. */
static void tiles_prepare(void *xp, const struct linear_args *a, int32_t r0, int32_t r1)
{
    const int32_t n_in = a->w->n_in;
    for (int32_t r = r0; r < r1; r += TILE_M) {
        float *const tile = (float *)xp + (size_t)r * (size_t)n_in;
        const float *x[TILE_M];
        for (int32_t i = 0; i < TILE_M; i++) {
            x[i] = r + i < r1 ? a->x + (size_t)(r + i) * a->ldx : NULL;
        }
        for (int32_t k0 = 0; k0 < n_in; k0 += 16) { /* a cache line of each row at a time */
            for (int32_t i = 0; i < TILE_M; i += 2) {
                for (int32_t k = k0; k < least(k0 + 16, n_in); k += 4) {
                    tile_pair(tile + (size_t)k * TILE_M + i, x[i], x[i + 1], k, least(4, n_in - k));
                }
            }
        }
    }
}

static size_t panel_bytes(int32_t n_in)
{
    return (size_t)n_in * NR * sizeof(float);
}

/* panel[k][c] = weight (k, j + c), columns past n zero. */
INLINE void copy_panel(float *panel, const struct matrix *w, int32_t j, int32_t n,
                       enum weight_type type)
{
    const size_t row_bytes = (size_t)w->n_out * weight_bytes(type);
    const uint8_t *const wj = (const uint8_t *)w->w + (size_t)j * weight_bytes(type);
    for (int32_t k = 0; k < w->n_in; k++) {
        const uint8_t *const row = wj + (size_t)k * row_bytes;
        UNROLL
        for (int32_t v = 0; v < TILE_V; v++) {
            const int32_t nv = least(16, n - 16 * v);
            vf_store(panel + (size_t)k * NR + 16 * v,
                     nv > 0 ? load_weights_n(row + (size_t)(16 * v) * weight_bytes(type), nv, type)
                            : vf_zero());
        }
    }
}

static void copy_panel_i8(float *panel, const struct matrix *w, int32_t j, int32_t n)
{
    const size_t n_quad = (size_t)(w->n_in + 3) / 4;
    UNROLL
    for (int32_t v = 0; v < TILE_V; v++) {
        const uint8_t *const p = (const uint8_t *)w->w + (size_t)(j / 16 + v) * n_quad * 64;
        for (int32_t k = 0; k < w->n_in; k++) {
            vf_store(panel + (size_t)k * NR + 16 * v,
                     16 * v < n ? vf_load_i8(p + (size_t)(k / 4) * 64, k % 4) : vf_zero());
        }
    }
}

/* One tile of rows by one panel of columns. */
INLINE void many_rows_tile(const struct linear_args *a, const float *xt, const float *panel,
                           int32_t r0, int32_t j, int32_t n, bool scaled)
{
    const struct matrix *const w = a->w;
    const size_t n_group = (size_t)(w->n_in + KC - 1) / KC;
    _Alignas(64) float total[TILE_M][NR];
    for (int32_t k0 = 0; k0 < w->n_in; k0 += KC) {
        const int32_t k1 = least(k0 + KC, w->n_in);
        vf acc[TILE_M][TILE_V];
        UNROLL
        for (int32_t r = 0; r < TILE_M; r++) {
            UNROLL
            for (int32_t v = 0; v < TILE_V; v++) {
                acc[r][v] = vf_zero();
            }
        }
        for (int32_t k = k0; k < k1; k++) {
            vf wk[TILE_V];
            UNROLL
            for (int32_t v = 0; v < TILE_V; v++) {
                wk[v] = vf_load(panel + (size_t)k * NR + 16 * v);
            }
            UNROLL
            for (int32_t r = 0; r < TILE_M; r++) {
                const vf xk = vf_set1(xt[(size_t)k * TILE_M + (size_t)r]);
                UNROLL
                for (int32_t v = 0; v < TILE_V; v++) {
                    acc[r][v] = vf_fma(xk, wk[v], acc[r][v]);
                }
            }
        }
        UNROLL
        for (int32_t v = 0; v < TILE_V; v++) {
            const size_t p = (size_t)(j / 16 + v);
            const vf scale = scaled && 16 * v < n
                                 ? vf_load(w->scale + (p * n_group + (size_t)(k0 / KC)) * 16)
                                 : vf_set1(1);
            UNROLL
            for (int32_t r = 0; r < TILE_M; r++) {
                float *const t = &total[r][16 * v];
                const vf sum = k0 == 0 ? vf_zero() : vf_load(t);
                vf_store(t, scaled ? vf_fma(acc[r][v], scale, sum) : vf_add(sum, acc[r][v]));
            }
        }
    }
    for (int32_t r = 0; r < least(TILE_M, a->m - r0); r++) {
        for (int32_t v = 0; 16 * v < n; v++) {
            put(a, r0 + r, j + 16 * v, least(16, n - 16 * v), vf_load(&total[r][16 * v]));
        }
    }
}

INLINE void many_rows(const struct linear_args *a, int32_t j0, int32_t j1, float *panel,
                      enum weight_type type)
{
    for (int32_t j = j0; j < j1; j += NR) {
        const int32_t n = least(NR, j1 - j);
        if (type == W_I8) {
            copy_panel_i8(panel, a->w, j, n);
        } else {
            copy_panel(panel, a->w, j, n, type);
        }
        for (int32_t r = 0; r < a->m; r += TILE_M) {
            const float *const xt = (const float *)a->xp + (size_t)r * (size_t)a->w->n_in;
            many_rows_tile(a, xt, panel, r, j, n, type == W_I8);
        }
    }
}

static void many_rows_f32(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    many_rows(a, j0, j1, scratch, W_F32);
}

static void many_rows_bf16(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    many_rows(a, j0, j1, scratch, W_BF16);
}

static void many_rows_f16(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    many_rows(a, j0, j1, scratch, W_F16);
}

static void many_rows_i8(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    many_rows(a, j0, j1, scratch, W_I8);
}

/* ---- out_major order ------------------------------------------------------------------------- */

/* n_j weight rows, a stride of `step` rows apart, with n_m activation rows. */
INLINE void dot_tile(const struct linear_args *a, int32_t r0, int32_t n_m, int32_t j0, int32_t step,
                     int32_t n_j, enum weight_type type)
{
    const struct matrix *const w = a->w;
    const size_t row_bytes = (size_t)w->n_in * weight_bytes(type);
    const uint8_t *const wj = (const uint8_t *)w->w + (size_t)j0 * row_bytes;
    const float *const x = a->x + (size_t)r0 * a->ldx;
    vf acc[DOT_J][DOT_M];
    UNROLL
    for (int32_t j = 0; j < n_j; j++) {
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            acc[j][r] = vf_zero();
        }
    }
    for (int32_t k = 0; k < w->n_in; k += 16) {
        const int32_t n = least(16, w->n_in - k);
        vf wk[DOT_J];
        UNROLL
        for (int32_t j = 0; j < n_j; j++) {
            const uint8_t *const p =
                wj + (size_t)j * (size_t)step * row_bytes + (size_t)k * weight_bytes(type);
            wk[j] = load_weights_n(p, n, type);
            if (n_m > 1 && r0 == 0) { /* the row after, while there is arithmetic to wait for */
                _mm_prefetch((const char *)p + row_bytes, _MM_HINT_T0);
            }
        }
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            const float *const xr = x + (size_t)r * a->ldx + (size_t)k;
            const vf xk = n == 16 ? vf_load(xr) : vf_load_n(xr, n);
            UNROLL
            for (int32_t j = 0; j < n_j; j++) {
                acc[j][r] = vf_fma(xk, wk[j], acc[j][r]);
            }
        }
    }
    UNROLL
    for (int32_t j = 0; j < n_j; j++) {
        const int32_t col = j0 + j * step;
        UNROLL
        for (int32_t r = 0; r < n_m; r++) {
            float *const y = a->y + (size_t)(r0 + r) * a->ldy + col;
            const float sum = vf_sum(acc[j][r]) + (w->bias ? w->bias[col] : 0);
            *y = a->add ? *y + sum : sum;
        }
    }
}

INLINE void dot_rows(const struct linear_args *a, int32_t r0, int32_t r1, int32_t j, int32_t step,
                     int32_t n_j, enum weight_type type)
{
    int32_t r = r0;
    for (; r + DOT_M <= r1; r += DOT_M) {
        dot_tile(a, r, DOT_M, j, step, n_j, type);
    }
    for (; r + 2 <= r1; r += 2) {
        dot_tile(a, r, 2, j, step, n_j, type);
    }
    for (; r < r1; r++) {
        dot_tile(a, r, 1, j, step, n_j, type);
    }
}

/* DOT_J far-apart weight rows at once: as many streams for the memory system. */
INLINE void dots(const struct linear_args *a, int32_t j0, int32_t j1, enum weight_type type)
{
    const int32_t step = (j1 - j0) / DOT_J;
    for (int32_t r = 0; r < a->m; r += DOT_ROWS_IN_L2) {
        const int32_t r1 = least(r + DOT_ROWS_IN_L2, a->m);
        for (int32_t j = j0; j < j0 + step; j++) {
            dot_rows(a, r, r1, j, step, DOT_J, type);
        }
        for (int32_t j = j0 + step * DOT_J; j < j1; j++) {
            dot_rows(a, r, r1, j, 1, 1, type);
        }
    }
}

static void dots_f32(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    dots(a, j0, j1, W_F32);
}

static void dots_bf16(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    dots(a, j0, j1, W_BF16);
}

static void dots_f16(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    (void)scratch;
    dots(a, j0, j1, W_F16);
}

/* ---- choice ---------------------------------------------------------------------------------- */

static const struct linear_kernel few_kernels[N_WEIGHT_TYPES] = {
    [W_F32] = {.name = "few_rows_f32", .col_grain = 16, .run_terms = few_terms_f32,
               .run = few_rows},
    [W_BF16] = {.name = "few_rows_bf16", .col_grain = 16, .run_terms = few_terms_bf16,
                .run = few_rows},
    [W_F16] = {.name = "few_rows_f16", .col_grain = 16, .run_terms = few_terms_f16,
               .run = few_rows},
    [W_I8] = {.name = "few_rows_i8", .col_grain = 16, .run = few_rows_i8},
};

#define MANY_ROWS(type) \
    {.name = "many_rows_" #type, .col_grain = NR, .row_grain = TILE_M, .x_bytes = tiles_bytes, \
     .prepare = tiles_prepare, .scratch_bytes = panel_bytes, .run = many_rows_##type}

static const struct linear_kernel many_kernels[N_WEIGHT_TYPES] = {
    [W_F32] = MANY_ROWS(f32),
    [W_BF16] = MANY_ROWS(bf16),
    [W_F16] = MANY_ROWS(f16),
    [W_I8] = MANY_ROWS(i8),
};

static const struct linear_kernel dot_kernels[] = {
    [W_F32] = {.name = "dots_f32", .col_grain = 1, .run = dots_f32},
    [W_BF16] = {.name = "dots_bf16", .col_grain = 1, .run = dots_bf16},
    [W_F16] = {.name = "dots_f16", .col_grain = 1, .run = dots_f16},
};

INLINE const struct linear_kernel *vec_linear(enum weight_type type, bool out_major, int32_t m)
{
    if (out_major && type != W_I8) {
        return &dot_kernels[type];
    }
    return m <= FEW_ROWS ? &few_kernels[type] : &many_kernels[type];
}

#endif
