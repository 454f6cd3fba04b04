/* layer_norm, gelu, softmax for any tier with a `vf`. Sums run in 16 lanes, lane = i mod 16. */
#ifndef VEC_MATH_H
#define VEC_MATH_H

#include <math.h>

/* exp, error below 1 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, exp(r) by a polynomial of degree 6.
 * 0 below -86.6, where the result would near the denormals; inf above 88.3; NaN stays. */
static inline vf vec_exp(vf x)
{
    const vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fnma(n, vf_set1(0.693145752f), x);
    r = vf_fnma(n, vf_set1(1.42860677e-6f), r);
    vf p = vf_set1(1.38888889e-3f);
    p = vf_fma(p, r, vf_set1(8.33333333e-3f));
    p = vf_fma(p, r, vf_set1(4.16666667e-2f));
    p = vf_fma(p, r, vf_set1(1.66666667e-1f));
    p = vf_fma(p, r, vf_set1(0.5f));
    p = vf_fma(vf_mul(r, r), p, r);
    p = vf_scale2(vf_add(p, vf_set1(1)), n);
    p = vf_if_less(x, vf_set1(-86.6f), vf_zero(), p);
    return vf_if_less(vf_set1(88.3f), x, vf_set1(INFINITY), p);
}

static bool layer_norm(float *y, const float *x, const float *w, const float *b, int32_t n,
                       float eps)
{
    const int32_t n16 = n & ~15;
    const int32_t tail = n - n16;
    vf s = vf_zero();
    for (int32_t i = 0; i < n16; i += 16) {
        s = vf_add(s, vf_load(x + i));
    }
    if (tail) {
        s = vf_add(s, vf_load_n(x + n16, tail));
    }
    const float mean = vf_sum(s) / (float)n;
    const vf vmean = vf_set1(mean);
    vf q = vf_zero();
    for (int32_t i = 0; i < n16; i += 16) {
        const vf d = vf_sub(vf_load(x + i), vmean);
        q = vf_fma(d, d, q);
    }
    float sq = 0;
    for (int32_t i = n16; i < n; i++) {
        sq += (x[i] - mean) * (x[i] - mean);
    }
    const float var = (vf_sum(q) + sq) / (float)n;
    const float rstd = 1.0f / sqrtf(var + eps);
    const vf vrstd = vf_set1(rstd);
    for (int32_t i = 0; i < n16; i += 16) {
        const vf d = vf_mul(vf_sub(vf_load(x + i), vmean), vrstd);
        vf_store(y + i, vf_fma(d, vf_load(w + i), vf_load(b + i)));
    }
    if (tail) {
        const vf d = vf_mul(vf_sub(vf_load_n(x + n16, tail), vmean), vrstd);
        vf_store_n(y + n16, vf_fma(d, vf_load_n(w + n16, tail), vf_load_n(b + n16, tail)), tail);
    }
    return isfinite(mean) && isfinite(var);
}

/* 0.5 (1 + tanh(u)) = 1 / (1 + exp(-2u)): one division, and no cancellation where tanh nears -1. */
static inline vf gelu16(vf x)
{
    const vf x2 = vf_mul(x, x);
    const vf u = vf_mul(x, vf_fma(x2, vf_set1(-2 * 0.7978845608f * 0.044715f),
                                  vf_set1(-2 * 0.7978845608f)));
    return vf_div(x, vf_add(vf_set1(1), vec_exp(u)));
}

static void gelu(float *x, int32_t n)
{
    int32_t i = 0;
    for (; i + 16 <= n; i += 16) {
        vf_store(x + i, gelu16(vf_load(x + i)));
    }
    if (i < n) {
        vf_store_n(x + i, gelu16(vf_load_n(x + i, n - i)), n - i);
    }
}

static void softmax(float *x, int32_t n)
{
    const int32_t n16 = n & ~15;
    const int32_t tail = n - n16;
    vf vmax = vf_set1(x[0]);
    for (int32_t i = 0; i < n16; i += 16) {
        vmax = vf_max(vmax, vf_load(x + i));
    }
    float max = vf_max_lane(vmax);
    for (int32_t i = n16; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    vmax = vf_set1(max);
    vf sum = vf_zero();
    for (int32_t i = 0; i < n16; i += 16) {
        const vf e = vec_exp(vf_sub(vf_load(x + i), vmax));
        vf_store(x + i, e);
        sum = vf_add(sum, e);
    }
    if (tail) {
        vf_store_n(x + n16, vec_exp(vf_sub(vf_load_n(x + n16, tail), vmax)), tail);
        sum = vf_add(sum, vf_load_n(x + n16, tail));
    }
    const vf inv = vf_set1(1.0f / vf_sum(sum));
    for (int32_t i = 0; i < n16; i += 16) {
        vf_store(x + i, vf_mul(vf_load(x + i), inv));
    }
    if (tail) {
        vf_store_n(x + n16, vf_mul(vf_load_n(x + n16, tail), inv), tail);
    }
}

#endif
