/* Attention over the cache for any tier with a `vf`.
 *
 * A score is one chain over d; a mixed value is chains over MIX_BLOCK positions, added in order.
 * Both are the same whatever rows and blocks share a tile, so decode and prefill agree bit by bit.
 * A tile holds ATT_M rows by ATT_V vectors in registers; one row takes ATT_ONE vectors instead.
 */
#ifndef VEC_ATTENTION_H
#define VEC_ATTENTION_H

#include "kernels/vec_weights.h"

enum {
    MIX_BLOCK = 64, /* positions in a chain of mix */
    ATT_ONE = 4,    /* independent chains for one row */
};

_Static_assert(KV_BLOCK == 16, "a block of keys is a vector");

INLINE void scores_tile(float *s, size_t lds, const float *q, size_t ldq, const float *k, int32_t m,
                        int32_t n_block, int32_t d_head, float scale)
{
    vf acc[ATT_M][ATT_ONE];
    UNROLL
    for (int32_t r = 0; r < m; r++) {
        UNROLL
        for (int32_t b = 0; b < n_block; b++) {
            acc[r][b] = vf_zero();
        }
    }
    for (int32_t d = 0; d < d_head; d++) {
        vf kd[ATT_ONE];
        UNROLL
        for (int32_t b = 0; b < n_block; b++) {
            kd[b] = vf_load(k + ((size_t)b * (size_t)d_head + (size_t)d) * KV_BLOCK);
        }
        UNROLL
        for (int32_t r = 0; r < m; r++) {
            const vf qd = vf_set1(q[(size_t)r * ldq + (size_t)d]);
            UNROLL
            for (int32_t b = 0; b < n_block; b++) {
                acc[r][b] = vf_fma(qd, kd[b], acc[r][b]);
            }
        }
    }
    UNROLL
    for (int32_t r = 0; r < m; r++) {
        UNROLL
        for (int32_t b = 0; b < n_block; b++) {
            vf_store(s + (size_t)r * lds + (size_t)b * KV_BLOCK, vf_mul(acc[r][b], vf_set1(scale)));
        }
    }
}

INLINE void scores_rows(float *s, size_t lds, const float *q, size_t ldq, const float *k, int32_t m,
                        int32_t n_block, int32_t n_tile, int32_t d_head, float scale)
{
    int32_t b = 0;
    for (; b + n_tile <= n_block; b += n_tile) {
        scores_tile(s + (size_t)b * KV_BLOCK, lds, q, ldq,
                    k + (size_t)b * (size_t)d_head * KV_BLOCK, m, n_tile, d_head, scale);
    }
    for (; b < n_block; b++) {
        scores_tile(s + (size_t)b * KV_BLOCK, lds, q, ldq,
                    k + (size_t)b * (size_t)d_head * KV_BLOCK, m, 1, d_head, scale);
    }
}

static void scores(float *s, size_t lds, const float *q, size_t ldq, const float *k, int32_t m,
                   int32_t n_kv, int32_t d_head, float scale)
{
    const int32_t n_block = (n_kv + KV_BLOCK - 1) / KV_BLOCK;
    int32_t r = 0;
    for (; r + ATT_M <= m; r += ATT_M) {
        scores_rows(s + (size_t)r * lds, lds, q + (size_t)r * ldq, ldq, k, ATT_M, n_block, ATT_V,
                    d_head, scale);
    }
    for (; r < m; r++) {
        scores_rows(s + (size_t)r * lds, lds, q + (size_t)r * ldq, ldq, k, 1, n_block, ATT_ONE,
                    d_head, scale);
    }
}

/* Columns d … d+n-1 of m rows, n_v vectors of which the last may be part. */
INLINE void mix_tile(float *y, size_t ldy, const float *s, size_t lds, const float *v, int32_t m,
                     int32_t n_kv, int32_t d_head, int32_t n_v, int32_t n)
{
    vf total[ATT_M][ATT_ONE];
    UNROLL
    for (int32_t r = 0; r < m; r++) {
        UNROLL
        for (int32_t c = 0; c < n_v; c++) {
            total[r][c] = vf_zero();
        }
    }
    for (int32_t i0 = 0; i0 < n_kv; i0 += MIX_BLOCK) {
        const int32_t i1 = least(i0 + MIX_BLOCK, n_kv);
        vf acc[ATT_M][ATT_ONE];
        UNROLL
        for (int32_t r = 0; r < m; r++) {
            UNROLL
            for (int32_t c = 0; c < n_v; c++) {
                acc[r][c] = vf_zero();
            }
        }
        for (int32_t iv = i0; iv < i1; iv++) {
            const float *const row = v + (size_t)iv * (size_t)d_head;
            vf vd[ATT_ONE];
            UNROLL
            for (int32_t c = 0; c < n_v; c++) {
                const int32_t nc = n - 16 * c;
                vd[c] = nc >= 16 ? vf_load(row + 16 * c) : vf_load_n(row + 16 * c, nc);
            }
            UNROLL
            for (int32_t r = 0; r < m; r++) {
                const vf si = vf_set1(s[(size_t)r * lds + (size_t)iv]);
                UNROLL
                for (int32_t c = 0; c < n_v; c++) {
                    acc[r][c] = vf_fma(si, vd[c], acc[r][c]);
                }
            }
        }
        UNROLL
        for (int32_t r = 0; r < m; r++) {
            UNROLL
            for (int32_t c = 0; c < n_v; c++) {
                total[r][c] = vf_add(total[r][c], acc[r][c]);
            }
        }
    }
    UNROLL
    for (int32_t r = 0; r < m; r++) {
        UNROLL
        for (int32_t c = 0; c < n_v; c++) {
            vf_store_n(y + (size_t)r * ldy + 16 * c, total[r][c], least(16, n - 16 * c));
        }
    }
}

INLINE void mix_rows(float *y, size_t ldy, const float *s, size_t lds, const float *v, int32_t m,
                     int32_t n_kv, int32_t d_head, int32_t n_tile)
{
    int32_t d = 0;
    for (; d + 16 * n_tile <= d_head; d += 16 * n_tile) {
        mix_tile(y + d, ldy, s, lds, v + d, m, n_kv, d_head, n_tile, 16 * n_tile);
    }
    for (; d < d_head; d += 16) {
        mix_tile(y + d, ldy, s, lds, v + d, m, n_kv, d_head, 1, least(16, d_head - d));
    }
}

static void mix(float *y, size_t ldy, const float *s, size_t lds, const float *v, int32_t m,
                int32_t n_kv, int32_t d_head)
{
    int32_t r = 0;
    for (; r + ATT_M <= m; r += ATT_M) {
        mix_rows(y + (size_t)r * ldy, ldy, s + (size_t)r * lds, lds, v, ATT_M, n_kv, d_head, ATT_V);
    }
    for (; r < m; r++) {
        mix_rows(y + (size_t)r * ldy, ldy, s + (size_t)r * lds, lds, v, 1, n_kv, d_head, ATT_ONE);
    }
}

#endif
