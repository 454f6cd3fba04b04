/* Conversions of weights. The loops are written so that a compiler makes vectors of them for any
 * machine; they are bound by memory. */
#include "weights.h"

#include <string.h>

/* Below this the reciprocal of a group's largest value overflows; such groups are zeros. */
#define I8_TINY 1e-36f
#define BLOCK 64 /* columns quantized together: 4 panels, 256 bytes of each row */

void weights_to_f32(float *out, enum weight_type type, const void *w, size_t first, size_t n)
{
    const unsigned char *p = (const unsigned char *)w + first * weights_elem_bytes(type);
    if (type == W_F32) {
        memcpy(out, p, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, p + 2 * i, sizeof v);
        out[i] = type == W_BF16 ? bf16_to_f32(v) : f16_to_f32(v);
    }
}

void weights_to_bf16(uint16_t *out, enum weight_type type, const void *w, size_t first, size_t n)
{
    float part[256];
    for (size_t i = 0; i < n; i += 256) {
        const size_t m = n - i < 256 ? n - i : 256;
        weights_to_f32(part, type, w, first + i, m);
        for (size_t k = 0; k < m; k++) {
            out[i + k] = f32_to_bf16(part[k]);
        }
    }
}

int32_t weights_rows(const struct matrix *m)
{
    return m->out_major ? m->n_out : m->n_in;
}

int32_t weights_cols(const struct matrix *m)
{
    return m->out_major ? m->n_in : m->n_out;
}

size_t weights_elem_bytes(enum weight_type type)
{
    return type == W_F32 ? 4 : 2;
}

static size_t n_panel(const struct matrix *m)
{
    return ((size_t)m->n_out + I8_PANEL - 1) / I8_PANEL;
}

static size_t n_quad(const struct matrix *m)
{
    return ((size_t)m->n_in + 3) / 4;
}

static size_t n_group(const struct matrix *m)
{
    return ((size_t)m->n_in + I8_GROUP - 1) / I8_GROUP;
}

size_t weights_i8_bytes(const struct matrix *m)
{
    return n_panel(m) * n_quad(m) * 64;
}

size_t weights_i8_scales(const struct matrix *m)
{
    return n_panel(m) * n_group(m) * I8_PANEL;
}

size_t weights_bytes(const struct matrix *m)
{
    if (m->type == W_I8) {
        return weights_i8_bytes(m) + weights_i8_scales(m) * sizeof *m->scale;
    }
    return (size_t)m->n_in * (size_t)m->n_out * weights_elem_bytes(m->type);
}

static uint32_t bits_of(float x)
{
    const union {
        float f;
        uint32_t u;
    } v = {x};
    return v.u;
}

static float float_of(uint32_t u)
{
    const union {
        uint32_t u;
        float f;
    } v = {u};
    return v.f;
}

/* Adding 1.5 * 2^23 leaves the rounded integer in the low bits. */
static uint32_t quantized(float x, float inverse)
{
    return (bits_of(x * inverse + 12582912.0f) + 128) & 0xff;
}

/* Scale and reciprocal of a group whose largest |x| has these bits. */
static float scale_of(uint32_t largest, float *inverse)
{
    const float max = float_of(largest);
    const bool zero = max < I8_TINY;
    *inverse = zero ? 0.0f : 127.0f / max;
    return zero ? 0.0f : max / 127.0f;
}

/* One group of at most 128 terms of up to BLOCK columns (a multiple of 16, padded with zeros),
 * x [n_k][BLOCK]: the bits of |x| order as its values do, NaN and infinity last. */
static bool quantize_block(unsigned char *w, float *scale, const struct matrix *m,
                           float (*x)[BLOCK], int32_t k0, int32_t n_k, int32_t j0, int32_t n_j)
{
    uint32_t largest[BLOCK] = {0};
    float inverse[BLOCK];
    uint32_t finite = 1;
    for (int32_t k = 0; k < n_k; k++) {
        for (int32_t j = 0; j < BLOCK; j++) {
            const uint32_t a = bits_of(x[k][j]) & 0x7fffffffu;
            largest[j] = (int32_t)a > (int32_t)largest[j] ? a : largest[j];
        }
    }
    for (int32_t j = 0; j < n_j; j++) {
        const size_t panel = (size_t)(j0 + j) / I8_PANEL;
        const size_t at = (panel * n_group(m) + (size_t)k0 / I8_GROUP) * I8_PANEL;
        scale[at + (size_t)j % I8_PANEL] = scale_of(largest[j], &inverse[j]);
        finite &= largest[j] < 0x7f800000u;
    }
    for (int32_t p = 0; p < n_j; p += I8_PANEL) {
        unsigned char *out = w + ((size_t)(j0 + p) / I8_PANEL * n_quad(m) + (size_t)k0 / 4) * 64;
        for (int32_t k = 0; k < n_k; k += 4, out += 64) {
            uint32_t word[I8_PANEL]; /* 4 terms of a column, the first in the lowest byte */
            for (int32_t j = 0; j < I8_PANEL; j++) {
                word[j] = quantized(x[k][p + j], inverse[p + j]) |
                          quantized(x[k + 1][p + j], inverse[p + j]) << 8 |
                          quantized(x[k + 2][p + j], inverse[p + j]) << 16 |
                          quantized(x[k + 3][p + j], inverse[p + j]) << 24;
            }
            memcpy(out, word, sizeof word);
        }
    }
    return finite;
}

/* Terms k0 … k0+n_k-1 of columns j0 … into x [n_k up to whole quads][BLOCK], padded with zeros. */
static void load_terms(float (*x)[BLOCK], const struct matrix *m, int32_t k0, int32_t n_k,
                       int32_t j0, int32_t n_j)
{
    for (int32_t k = 0; k < (n_k + 3) / 4 * 4; k++) {
        const int32_t n = k < n_k ? n_j : 0;
        const size_t at = (size_t)(k0 + k) * (size_t)m->n_out + (size_t)j0;
        if (n > 0) {
            weights_to_f32(x[k], m->type, m->w, at, (size_t)n);
        }
        memset(x[k] + n, 0, (size_t)(BLOCK - n) * sizeof x[k][0]);
    }
}

/* The same from rows of [n_out][n_in]. */
static void load_columns(float (*x)[BLOCK], const struct matrix *m, int32_t k0, int32_t n_k,
                         int32_t j0, int32_t n_j)
{
    float row[I8_GROUP];
    memset(x, 0, sizeof x[0] * (size_t)((n_k + 3) / 4 * 4));
    for (int32_t j = 0; j < n_j; j++) {
        const size_t at = (size_t)(j0 + j) * (size_t)m->n_in + (size_t)k0;
        weights_to_f32(row, m->type, m->w, at, (size_t)n_k);
        for (int32_t k = 0; k < n_k; k++) {
            x[k][j] = row[k];
        }
    }
}

bool weights_quantize(unsigned char *w, float *scale, const struct matrix *src, int32_t r0,
                      int32_t r1)
{
    float x[I8_GROUP][BLOCK];
    const int32_t k_first = src->out_major ? 0 : r0;
    const int32_t k_end = src->out_major ? src->n_in : r1;
    const int32_t j_first = src->out_major ? r0 : 0;
    const int32_t j_end = src->out_major ? r1 : src->n_out;
    bool finite = true;
    for (int32_t j0 = j_first; j0 < j_end; j0 += BLOCK) {
        const int32_t n_j = j_end - j0 < BLOCK ? j_end - j0 : BLOCK;
        const int32_t padded = (n_j + I8_PANEL - 1) / I8_PANEL * I8_PANEL;
        for (int32_t k0 = k_first; k0 < k_end; k0 += I8_GROUP) {
            const int32_t n_k = k_end - k0 < I8_GROUP ? k_end - k0 : I8_GROUP;
            (src->out_major ? load_columns : load_terms)(x, src, k0, n_k, j0, n_j);
            finite &= quantize_block(w, scale, src, x, k0, n_k, j0, padded);
        }
    }
    return finite;
}
