/* Kernels over one row: layer_norm, gelu, softmax. */
#include "checkkern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TINY 0x1p-124 /* what an exponential may take for 0 */

static const int32_t sizes[] = {64, 192, 768, 1023, 1024, 3072};

static int32_t random_size(void)
{
    return random_int(0, 2) ? random_int(1, 67) : random_of(sizes, sizeof sizes / sizeof *sizes);
}

static float *random_row(int32_t n, float base, float scale)
{
    float *x = memory_read_only((size_t)n * sizeof *x, 0);
    for (int32_t i = 0; i < n; i++) {
        x[i] = base + scale * random_float();
    }
    return x;
}

/* ---- layer_norm ------------------------------------------------------------------------------ */

static void layer_norm_once(const struct kernels *kern, int32_t n, float base, float scale)
{
    const float eps = 1e-5f;
    const float *x = random_row(n, base, scale);
    const float *w = random_row(n, 1, 1);
    const float *b = random_row(n, 0, 1);
    float *y = memory_output((size_t)n);
    double mean = 0;
    double var = 0;
    double max = 0;
    describe("%s layer_norm n=%" PRId32 " base %g scale %g", kern->name, n, base, scale);
    for (int32_t i = 0; i < n; i++) {
        mean += (double)x[i] / n;
        max = fmax(max, fabs(x[i]));
    }
    for (int32_t i = 0; i < n; i++) {
        var += (x[i] - mean) * (x[i] - mean) / n;
    }
    if (!kern->layer_norm(y, x, w, b, n, eps)) {
        fail("says that finite values are not finite");
    }
    const double r_std = 1 / sqrt(var + (double)eps);
    for (int32_t i = 0; i < n; i++) {
        const double normed = (x[i] - mean) * r_std;
        /* The mean is as exact as the largest value allows, and all deviations share its error. */
        const double bound =
            8 * EPS *
            (fabs(normed * w[i]) * (1 + max * r_std) + fabs(w[i]) * max * r_std + fabs(b[i]));
        expect_near(y[i], normed * w[i] + b[i], bound, 0, i);
    }
    memory_check();
    memory_free();
}

static void layer_norm_not_finite(const struct kernels *kern, int32_t n, float bad)
{
    float *x = random_row(n, 0, 1);
    const float *w = random_row(n, 1, 1);
    float *y = memory_output((size_t)n);
    describe("%s layer_norm n=%" PRId32 " with %g", kern->name, n, bad);
    x[random_int(0, n - 1)] = bad;
    if (kern->layer_norm(y, x, w, w, n, 1e-5f)) {
        fail("took values that are not finite");
    }
    memory_check();
    memory_free();
}

/* ---- gelu ------------------------------------------------------------------------------------ */

static void gelu_once(const struct kernels *kern, int32_t n, float scale)
{
    const float *x = random_row(n, 0, scale);
    float *y = memory_output((size_t)n);
    const double c = sqrt(2 / 3.14159265358979323846);
    describe("%s gelu n=%" PRId32 " scale %g", kern->name, n, scale);
    memcpy(y, x, (size_t)n * sizeof *y);
    kern->gelu(y, n);
    for (int32_t i = 0; i < n; i++) {
        const double v = x[i];
        expect_near(y[i], 0.5 * v * (1 + tanh(c * (v + 0.044715 * v * v * v))),
                    6 * EPS * fabs(v) + 0x1p-149, 0, i);
    }
    memory_check();
    memory_free();
}

static void gelu_keeps_nan(const struct kernels *kern)
{
    float *y = memory_output(37);
    describe("%s gelu of NaN", kern->name);
    for (int32_t i = 0; i < 37; i++) {
        y[i] = NAN;
    }
    kern->gelu(y, 37);
    for (int32_t i = 0; i < 37; i++) {
        if (!isnan(y[i])) {
            fail("[%" PRId32 "] became %g", i, (double)y[i]);
        }
    }
    memory_free();
}

/* ---- softmax --------------------------------------------------------------------------------- */

static void softmax_once(const struct kernels *kern, int32_t n, float scale, bool masked)
{
    float *x = random_row(n, 0, scale);
    float *y = memory_output((size_t)n);
    double max = -INFINITY;
    double sum = 0;
    double found = 0;
    describe("%s softmax n=%" PRId32 " scale %g%s", kern->name, n, scale, masked ? " masked" : "");
    for (int32_t i = 0; masked && i < n - 1; i++) {
        x[i] = random_int(0, 1) ? x[i] : -INFINITY;
    }
    memcpy(y, x, (size_t)n * sizeof *y);
    kern->softmax(y, n);
    for (int32_t i = 0; i < n; i++) {
        max = fmax(max, x[i]);
    }
    for (int32_t i = 0; i < n; i++) {
        sum += exp(x[i] - max);
    }
    for (int32_t i = 0; i < n; i++) {
        const double p = exp(x[i] - max) / sum;
        const double below = isinf(x[i]) ? 0 : max - x[i]; /* rounded once as the argument of exp */
        expect_near(y[i], p, (8 + below) * EPS * p + TINY, 0, i);
        found += y[i];
    }
    expect_near(found, 1, 1e-6, 0, n);
    memory_check();
    memory_free();
}

void check_rows(const struct kernels *kern)
{
    random_start("rows");
    for (int32_t i = 0; i < 4 * options.repeat; i++) {
        if (kernel_wanted("layer_norm")) {
            layer_norm_once(kern, random_size(), 0, 1);
            layer_norm_once(kern, random_size(), 30, 1);
            layer_norm_once(kern, random_size(), 0, 1e-3f);
            layer_norm_once(kern, random_size(), 0, 1e12f);
            layer_norm_not_finite(kern, random_size(), NAN);
            layer_norm_not_finite(kern, random_size(), INFINITY);
            layer_norm_not_finite(kern, random_size(), -INFINITY);
            layer_norm_not_finite(kern, random_int(2, 100), 1e30f);
        }
        if (kernel_wanted("gelu")) {
            gelu_once(kern, random_size(), 1);
            gelu_once(kern, random_size(), 5);
            gelu_once(kern, random_size(), 1e-20f);
            gelu_once(kern, random_size(), 1e-40f);
            gelu_once(kern, random_size(), 1e30f);
        }
        if (kernel_wanted("softmax")) {
            softmax_once(kern, random_size(), 1, false);
            softmax_once(kern, random_size(), 20, true);
            softmax_once(kern, random_size(), 1e4f, false);
            softmax_once(kern, random_size(), 0, false);
        }
    }
    if (kernel_wanted("gelu")) {
        gelu_keeps_nan(kern);
    }
}

/* ---- bench ----------------------------------------------------------------------------------- */

struct row {
    const struct kernels *kern;
    const float *x;
    float *y;
    int32_t n;
};

static void call_layer_norm(void *arg)
{
    const struct row *r = arg;
    r->kern->layer_norm(r->y, r->x, r->x, r->x, r->n, 1e-5f);
}

static void call_gelu(void *arg)
{
    const struct row *r = arg;
    memcpy(r->y, r->x, (size_t)r->n * sizeof *r->y);
    r->kern->gelu(r->y, r->n);
}

static void call_softmax(void *arg)
{
    const struct row *r = arg;
    memcpy(r->y, r->x, (size_t)r->n * sizeof *r->y);
    r->kern->softmax(r->y, r->n);
}

void bench_rows(const struct kernels *kern)
{
    static const struct {
        const char *name;
        int32_t n;
        void (*fn)(void *);
    } cases[] = {
        {"layer_norm", 768, call_layer_norm},
        {"gelu", 3072, call_gelu},
        {"softmax", 16, call_softmax},
        {"softmax", 1024, call_softmax},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char shape[32];
        if (!kernel_wanted(cases[i].name)) {
            continue;
        }
        random_start("bench");
        struct row r = {.kern = kern,
                        .x = random_row(cases[i].n, 0, 1),
                        .y = memory_output((size_t)cases[i].n),
                        .n = cases[i].n};
        snprintf(shape, sizeof shape, "n=%" PRId32, cases[i].n);
        bench(kern->name, cases[i].name, shape, 4.0 * cases[i].n, 0, cases[i].fn, &r);
        memory_free();
    }
}
