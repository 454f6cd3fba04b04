/* The kernels in plain C: they define what the other tiers compute, and serve every processor that
 * has no tier of its own. Sums run in 16 fixed lanes: lane l adds the terms k = l, l + 16, …, then
 * a fixed tree adds the lanes. A plain running sum would be several times less exact over 3,072
 * terms, and fixed lanes make a row's result independent of its company and of where columns are
 * cut. */
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#define N_LANES 16

float f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 0x1fu;
    const uint32_t mantissa = h & 0x3ffu;
    if (exponent == 0) { /* zero and subnormals: mantissa * 2^-24, exact in float32 */
        const float magnitude = (float)mantissa * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    const uint32_t rebased = exponent == 0x1fu ? 0xffu : exponent + (127 - 15);
    const union {
        uint32_t u;
        float f;
    } v = {sign | rebased << 23 | mantissa << 13};
    return v.f;
}

/* The lanes of column c of acc [N_LANES][ld], added as a tree: 16, 8, 4, 2, 1. */
static float lanes_sum(const float *acc, size_t ld, size_t c)
{
    float lane[N_LANES];
    for (int32_t l = 0; l < N_LANES; l++) {
        lane[l] = acc[(size_t)l * ld + c];
    }
    for (int32_t half = N_LANES / 2; half > 0; half /= 2) {
        for (int32_t l = 0; l < half; l++) {
            lane[l] += lane[l + half];
        }
    }
    return lane[0];
}

/* ---- linear ---------------------------------------------------------------------------------- */

#define ROWS 4    /* rows of x that share a pass over the weights */
#define COLS 64   /* columns of a column block                    */
#define TERMS 256 /* terms of a stretch of an out_major row       */

/* n consecutive elements of a float matrix from element i, as float32. Any alignment. */
static void elements_to_f32(float *out, const struct matrix *w, size_t i, int32_t n)
{
    const unsigned char *p = w->w;
    if (w->type == W_F32) {
        memcpy(out, p + i * sizeof *out, (size_t)n * sizeof *out);
        return;
    }
    for (int32_t e = 0; e < n; e++) {
        uint16_t h;
        memcpy(&h, p + (i + (size_t)e) * sizeof h, sizeof h);
        out[e] = w->type == W_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
    }
}

/* Columns j … j+n-1 of term k, as float32. */
static void term_to_f32(float *out, const struct matrix *w, int32_t k, int32_t j, int32_t n)
{
    if (w->type != W_I8) {
        elements_to_f32(out, w, (size_t)k * (size_t)w->n_out + (size_t)j, n);
        return;
    }
    const uint8_t *u = w->w;
    const size_t n_quad = ((size_t)w->n_in + 3) / 4;
    const size_t n_group = ((size_t)w->n_in + I8_GROUP - 1) / I8_GROUP;
    for (size_t c = (size_t)j; c < (size_t)j + (size_t)n; c++) {
        const size_t panel = c / I8_PANEL;
        const size_t lane = c % I8_PANEL;
        const size_t i = (panel * n_quad + (size_t)k / 4) * 64 + lane * 4 + (size_t)k % 4;
        const size_t i_scale = (panel * n_group + (size_t)k / I8_GROUP) * I8_PANEL + lane;
        out[c - (size_t)j] = (float)((int32_t)u[i] - 128) * w->scale[i_scale];
    }
}

/* y = or += sum + bias; the sum is finished before it meets the residual. */
static void store(const struct linear_args *a, int32_t r, int32_t j, float sum)
{
    float *y = a->y + (size_t)r * a->ldy + (size_t)j;
    const float value = a->w->bias ? sum + a->w->bias[j] : sum;
    *y = a->add ? *y + value : value;
}

/* Weights with the columns of a term side by side, [n_in][n_out] and the panels, are first copied
 * out as float32, lane by lane: scratch [COLS / 16][N_LANES][n_step][16]. So they are decoded once
 * for all rows, and a lane's sum stays in registers. */
static size_t n_steps(int32_t n_in)
{
    return ((size_t)n_in + N_LANES - 1) / N_LANES;
}

static size_t terms_scratch_bytes(int32_t n_in)
{
    return COLS * N_LANES * n_steps(n_in) * sizeof(float);
}

static void terms_copy(float *scratch, const struct matrix *w, int32_t j, int32_t n)
{
    const size_t n_step = n_steps(w->n_in);
    for (int32_t k = 0; k < w->n_in; k++) {
        float wk[COLS] = {0};
        const size_t step = (size_t)(k % N_LANES) * n_step + (size_t)(k / N_LANES);
        term_to_f32(wk, w, k, j, n);
        for (size_t c = 0; c < COLS; c += 16) {
            memcpy(scratch + (c * N_LANES * n_step + step * 16), wk + c, 16 * sizeof *wk);
        }
    }
}

/* One lane of one row: 16 columns. */
static void lane_sum(float *acc, const float *x, const float *w, int32_t n_in, int32_t lane)
{
    float sum[16] = {0};
    for (int32_t k = lane; k < n_in; k += N_LANES, w += 16) {
        for (int32_t c = 0; c < 16; c++) {
            sum[c] += x[k] * w[c];
        }
    }
    memcpy(acc, sum, sizeof sum);
}

static void linear_terms(const struct linear_args *a, int32_t j0, int32_t j1, float *scratch)
{
    const size_t n_step = n_steps(a->w->n_in);
    for (int32_t j = j0; j < j1; j += COLS) {
        const int32_t n = j1 - j < COLS ? j1 - j : COLS;
        terms_copy(scratch, a->w, j, n);
        for (int32_t r = 0; r < a->m; r++) {
            for (int32_t c0 = 0; c0 < n; c0 += 16) {
                float acc[N_LANES][16];
                for (int32_t l = 0; l < N_LANES; l++) {
                    const size_t step = ((size_t)c0 * N_LANES + (size_t)l * 16) * n_step;
                    lane_sum(acc[l], a->x + (size_t)r * a->ldx, scratch + step, a->w->n_in, l);
                }
                for (int32_t c = c0; c < n && c < c0 + 16; c++) {
                    store(a, r, j + c, lanes_sum(acc[0], 16, (size_t)(c - c0)));
                }
            }
        }
    }
}

/* Weights with the terms of a column side by side: [n_out][n_in]. */
static void linear_columns(const struct linear_args *a, int32_t j0, int32_t j1)
{
    const int32_t n_in = a->w->n_in;
    for (int32_t j = j0; j < j1; j++) {
        for (int32_t r0 = 0; r0 < a->m; r0 += ROWS) {
            const int32_t n_row = a->m - r0 < ROWS ? a->m - r0 : ROWS;
            float acc[ROWS][N_LANES] = {0};
            for (int32_t k0 = 0; k0 < n_in; k0 += TERMS) {
                const int32_t n = n_in - k0 < TERMS ? n_in - k0 : TERMS;
                const int32_t n_whole = n / N_LANES * N_LANES;
                float wj[TERMS];
                elements_to_f32(wj, a->w, (size_t)j * (size_t)n_in + (size_t)k0, n);
                for (int32_t r = 0; r < n_row; r++) {
                    const float *x = a->x + (size_t)(r0 + r) * a->ldx + k0;
                    for (int32_t k = 0; k < n_whole; k += N_LANES) {
                        for (int32_t l = 0; l < N_LANES; l++) {
                            acc[r][l] += x[k + l] * wj[k + l];
                        }
                    }
                    for (int32_t k = n_whole; k < n; k++) {
                        acc[r][k - n_whole] += x[k] * wj[k];
                    }
                }
            }
            for (int32_t r = 0; r < n_row; r++) {
                store(a, r0 + r, j, lanes_sum(acc[r], 1, 0));
            }
        }
    }
}

static void linear_run(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch)
{
    if (a->w->out_major && a->w->type != W_I8) {
        linear_columns(a, j0, j1);
    } else {
        linear_terms(a, j0, j1, scratch);
    }
}

static const struct linear_kernel linear_ref = {
    .name = "ref",
    .col_grain = COLS,
    .row_grain = 1,
    .scratch_bytes = terms_scratch_bytes,
    .run = linear_run,
};

static const struct linear_kernel *linear_select(gpt2c_dtype dtype, enum weight_type type,
                                                 bool out_major, int32_t m)
{
    (void)dtype;
    (void)type;
    (void)out_major;
    (void)m;
    return &linear_ref;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool layer_norm(float *y, const float *x, const float *w, const float *b, int32_t n,
                       float eps)
{
    float acc[N_LANES] = {0};
    for (int32_t i = 0; i < n; i++) {
        acc[i % N_LANES] += x[i];
    }
    const float mean = lanes_sum(acc, 1, 0) / (float)n;
    memset(acc, 0, sizeof acc);
    for (int32_t i = 0; i < n; i++) {
        const float d = x[i] - mean;
        acc[i % N_LANES] += d * d;
    }
    const float var = lanes_sum(acc, 1, 0) / (float)n;
    const float r_std = 1.0f / sqrtf(var + eps);
    for (int32_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) * r_std * w[i] + b[i];
    }
    return isfinite(mean) && isfinite(var);
}

static void gelu(float *x, int32_t n)
{
    const float root_2_over_pi = 0.79788456080286535588f;
    for (int32_t i = 0; i < n; i++) {
        const float v = x[i];
        x[i] = 0.5f * v * (1.0f + tanhf(root_2_over_pi * (v + 0.044715f * v * v * v)));
    }
}

static void softmax(float *x, int32_t n)
{
    float max = x[0];
    for (int32_t i = 1; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    float acc[N_LANES] = {0};
    for (int32_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - max);
        acc[i % N_LANES] += x[i];
    }
    const float sum = lanes_sum(acc, 1, 0);
    for (int32_t i = 0; i < n; i++) {
        x[i] /= sum;
    }
}

/* ---- attention ------------------------------------------------------------------------------- */

static void scores(float *s, size_t lds, const float *q, size_t ldq, const float *k, int32_t m,
                   int32_t n_kv, int32_t d_head, float scale)
{
    for (int32_t r = 0; r < m; r++) {
        const float *qr = q + (size_t)r * ldq;
        for (int32_t iv = 0; iv < n_kv; iv += KV_BLOCK) {
            const float *block = k + (size_t)iv * (size_t)d_head;
            float acc[N_LANES][KV_BLOCK] = {0};
            for (int32_t d = 0; d < d_head; d++) {
                for (int32_t c = 0; c < KV_BLOCK; c++) {
                    acc[d % N_LANES][c] += qr[d] * block[(size_t)d * KV_BLOCK + (size_t)c];
                }
            }
            for (int32_t c = 0; c < KV_BLOCK && iv + c < n_kv; c++) {
                s[(size_t)r * lds + (size_t)(iv + c)] =
                    scale * lanes_sum(acc[0], KV_BLOCK, (size_t)c);
            }
        }
    }
}

static void mix(float *y, size_t ldy, const float *s, size_t lds, const float *v, int32_t m,
                int32_t n_kv, int32_t d_head)
{
    for (int32_t r = 0; r < m; r++) {
        const float *sr = s + (size_t)r * lds;
        for (int32_t d0 = 0; d0 < d_head; d0 += COLS) {
            const int32_t n = d_head - d0 < COLS ? d_head - d0 : COLS;
            float acc[N_LANES][COLS] = {0};
            for (int32_t iv = 0; iv < n_kv; iv++) {
                const float *vr = v + (size_t)iv * (size_t)d_head + d0;
                for (int32_t d = 0; d < n; d++) {
                    acc[iv % N_LANES][d] += sr[iv] * vr[d];
                }
            }
            for (int32_t d = 0; d < n; d++) {
                y[(size_t)r * ldy + (size_t)(d0 + d)] = lanes_sum(acc[0], COLS, (size_t)d);
            }
        }
    }
}

const struct kernels kernels_ref = {
    .name = "ref",
    .tier = GPT2C_CPU_REF,
    .linear = linear_select,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .softmax = softmax,
    .scores = scores,
    .mix = mix,
};
