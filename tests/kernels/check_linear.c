/* Linear layers: every type of weights, order and dtype; ragged shapes, unaligned weights. */
#include "checkkern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {"f32", "bf16", "f16", "i8"};

struct problem {
    struct linear_args args; /* y and xp: set for each run */
    struct matrix w;
    double *exact; /* [m][n_out] what y should be                       */
    double *size;  /* [m][n_out] sum of the magnitudes that go into it  */
    double *w_sum; /* [n_out] sum of the magnitudes of the weights      */
    float *before; /* [m][ldy] y before the call                        */
    size_t n_y;
};

/* ---- making one ------------------------------------------------------------------------------ */

static float f16_random(uint16_t *h)
{
    do {
        *h = (uint16_t)random_int(0, 0xffff);
    } while ((*h & 0x7c00) >= 0x4400); /* below 4, subnormals too */
    return f16_to_f32(*h);
}

/* Fills a float matrix and the same in double, decoded [n_in][n_out]. */
static void make_float(struct matrix *w, double *decoded, size_t slack)
{
    const size_t n = (size_t)w->n_in * (size_t)w->n_out;
    const size_t elem_bytes = w->type == W_F32 ? 4 : 2;
    unsigned char *p = memory_read_only(n * elem_bytes, slack);
    for (size_t i = 0; i < n; i++) {
        float f = random_float();
        uint16_t h;
        if (w->type == W_F32) {
            memcpy(p + i * 4, &f, 4);
        } else {
            if (w->type == W_BF16) {
                h = f32_to_bf16(f);
                f = bf16_to_f32(h);
            } else {
                f = f16_random(&h);
            }
            memcpy(p + i * 2, &h, 2);
        }
        const size_t n_in = (size_t)w->n_in;
        const size_t n_out = (size_t)w->n_out;
        decoded[w->out_major ? i % n_in * n_out + i / n_in : i] = f;
    }
    w->w = p;
}

static void make_i8(struct matrix *w, double *decoded)
{
    const size_t n_panel = ((size_t)w->n_out + I8_PANEL - 1) / I8_PANEL;
    const size_t n_quad = ((size_t)w->n_in + 3) / 4;
    const size_t n_group = ((size_t)w->n_in + I8_GROUP - 1) / I8_GROUP;
    unsigned char *u = memory_read_only(n_panel * n_quad * 64, 0);
    float *scale = memory_read_only(n_panel * n_group * I8_PANEL * sizeof *scale, 0);
    memset(u, 128, n_panel * n_quad * 64);
    for (size_t i = 0; i < n_panel * n_group * I8_PANEL; i++) {
        scale[i] = fabsf(random_float()) / 100;
    }
    for (size_t k = 0; k < (size_t)w->n_in; k++) {
        for (size_t j = 0; j < (size_t)w->n_out; j++) {
            const int32_t value = random_int(-127, 127);
            u[((j / 16) * n_quad + k / 4) * 64 + j % 16 * 4 + k % 4] = (unsigned char)(value + 128);
            decoded[k * (size_t)w->n_out + j] =
                value * (double)scale[((j / 16) * n_group + k / I8_GROUP) * 16 + j % 16];
        }
    }
    w->w = u;
    w->scale = scale;
}

static void judge(struct problem *p, const double *decoded, const double *bias)
{
    const size_t n_in = (size_t)p->w.n_in;
    const size_t n_out = (size_t)p->w.n_out;
    for (size_t r = 0; r < (size_t)p->args.m; r++) {
        double *exact = p->exact + r * n_out;
        double *size = p->size + r * n_out;
        for (size_t j = 0; j < n_out; j++) {
            exact[j] = bias[j] + (p->args.add ? p->before[r * p->args.ldy + j] : 0);
            size[j] = fabs(bias[j]) + (p->args.add ? fabsf(p->before[r * p->args.ldy + j]) : 0);
        }
        for (size_t k = 0; k < n_in; k++) {
            const double x = p->args.x[r * p->args.ldx + k];
            for (size_t j = 0; j < n_out; j++) {
                const double term = x * decoded[k * n_out + j];
                exact[j] += term;
                size[j] += fabs(term);
            }
        }
    }
    for (size_t j = 0; j < n_out; j++) {
        p->w_sum[j] = 0;
        for (size_t k = 0; k < n_in; k++) {
            p->w_sum[j] += fabs(decoded[k * n_out + j]);
        }
    }
}

static struct problem make(enum weight_type type, bool out_major, int32_t m, int32_t n_in,
                           int32_t n_out)
{
    struct problem p = {
        .w = {.n_in = n_in, .n_out = n_out, .type = type, .out_major = out_major},
        .args = {.m = m,
                 .ldx = (size_t)(n_in + random_int(0, 9)),
                 .ldy = (size_t)(n_out + random_int(0, 9)),
                 .add = random_int(0, 1)},
    };
    const size_t n_xs = (size_t)(m - 1) * p.args.ldx + (size_t)n_in;
    const bool has_bias = random_int(0, 3) > 0;
    double *decoded = calloc((size_t)n_in * (size_t)n_out, sizeof *decoded);
    double *bias = calloc((size_t)n_out, sizeof *bias);
    float *x = memory_read_only(n_xs * sizeof *x, 0);
    float *b = memory_read_only((size_t)n_out * sizeof *b, 0);
    p.n_y = (size_t)m * p.args.ldy;
    p.exact = calloc((size_t)m * (size_t)n_out, sizeof *p.exact);
    p.size = calloc((size_t)m * (size_t)n_out, sizeof *p.size);
    p.w_sum = calloc((size_t)n_out, sizeof *p.w_sum);
    p.before = calloc(p.n_y, sizeof *p.before);
    if (type == W_I8) {
        make_i8(&p.w, decoded);
    } else {
        make_float(&p.w, decoded, (size_t)random_int(0, 3));
    }
    for (size_t i = 0; i < n_xs; i++) {
        x[i] = random_float();
    }
    for (size_t j = 0; j < (size_t)n_out; j++) {
        b[j] = random_float();
        bias[j] = has_bias ? b[j] : 0;
    }
    for (size_t i = 0; i < p.n_y; i++) {
        p.before[i] = random_float();
    }
    p.args.x = x;
    p.w.bias = has_bias ? b : NULL;
    judge(&p, decoded, bias);
    free(decoded);
    free(bias);
    return p;
}

static void discard(struct problem *p)
{
    free(p->exact);
    free(p->size);
    free(p->w_sum);
    free(p->before);
    memory_free();
}

/* ---- running one ----------------------------------------------------------------------------- */

/* Somewhere after `from`, a multiple of grain or the end. */
static int32_t cut_after(int32_t from, int32_t end, int32_t grain, bool whole)
{
    const int32_t cut = from / grain * grain + grain * random_int(1, 3);
    return whole || cut > end ? end : cut;
}

/* Runs all columns, in one piece or cut at random; y [m][ldy], the pattern where nothing belongs.
 */
static float *run(const struct linear_kernel *lk, const struct problem *p, const float *before,
                  struct linear_args args, bool whole)
{
    float *y = memory_output((size_t)args.m * args.ldy);
    const size_t xp_bytes = lk->x_bytes ? lk->x_bytes(args.m, p->w.n_in) : 0;
    const size_t scratch_bytes = lk->scratch_bytes ? lk->scratch_bytes(p->w.n_in) : 0;
    float *scratch = memory_output((scratch_bytes + 63) / 64 * 16);
    args.w = &p->w;
    args.y = y;
    if (args.add) {
        for (int32_t r = 0; r < args.m; r++) {
            memcpy(y + (size_t)r * args.ldy, before + (size_t)r * args.ldy,
                   (size_t)p->w.n_out * sizeof *y);
        }
    }
    if (lk->prepare) {
        float *xp = memory_output((xp_bytes + 63) / 64 * 16);
        for (int32_t r = 0; r < args.m;) {
            const int32_t r1 = cut_after(r, args.m, lk->row_grain, whole);
            lk->prepare(xp, &args, r, r1);
            r = r1;
        }
        args.xp = xp;
    }
    if (lk->run_terms) {
        args.sums = memory_output(linear_sums(&p->w, args.m));
        const int32_t n_block = (p->w.n_in + TERM_BLOCK - 1) / TERM_BLOCK;
        for (int32_t b = 0; b < n_block;) {
            const int32_t b1 = cut_after(b, n_block, 1, whole);
            for (int32_t j = 0; j < p->w.n_out;) {
                const int32_t j1 = cut_after(j, p->w.n_out, lk->col_grain, whole);
                lk->run_terms(&args, b, b1, j, j1);
                j = j1;
            }
            b = b1;
        }
    }
    for (int32_t j = 0; j < p->w.n_out;) {
        const int32_t j1 = cut_after(j, p->w.n_out, lk->col_grain, whole);
        lk->run(&args, j, j1, scratch);
        j = j1;
    }
    memory_check();
    for (int32_t r = 0; r < args.m; r++) {
        const size_t end = (size_t)r * args.ldy + (size_t)p->w.n_out;
        if (!memory_untouched(y + end, args.ldy - (size_t)p->w.n_out)) {
            fail("wrote past the columns of row %" PRId32, r);
        }
    }
    return y;
}

/* What the dtype allows for the products, and what sums in lanes may lose. */
static double bound_of(gpt2c_dtype dtype, const struct problem *p, int32_t r, int32_t j)
{
    const size_t i = (size_t)r * (size_t)p->w.n_out + (size_t)j;
    const double sums = 16 * EPS * p->size[i];
    double x_max = 0;
    switch (dtype) {
    case GPT2C_DTYPE_F32:
        break;
    case GPT2C_DTYPE_BF16X3:
        return sums + 3 * 0x1p-16 * p->size[i]; /* what the middle parts leave, and their product */
    case GPT2C_DTYPE_BF16:
        return sums + 1.01 * 0x1p-7 * p->size[i]; /* both factors, half a unit in the last place */
    case GPT2C_DTYPE_INT8: /* activations to 8 bits of the largest, or bfloat16 */
        for (int32_t k = 0; k < p->w.n_in; k++) {
            x_max = fmax(x_max, fabsf(p->args.x[(size_t)r * p->args.ldx + (size_t)k]));
        }
        return sums + 1.01 * fmax(x_max / 254 * p->w_sum[j], 0x1p-7 * p->size[i]);
    }
    return sums;
}

static void check_one(const struct kernels *kern, gpt2c_dtype dtype, enum weight_type type,
                      bool out_major, int32_t m, int32_t n_in, int32_t n_out)
{
    struct problem p = make(type, out_major, m, n_in, n_out);
    const struct linear_kernel *lk = kern->linear(dtype, type, out_major, m);
    describe("%s linear %s (%s, %s%s) m=%" PRId32 " n_in=%" PRId32 " n_out=%" PRId32 "%s",
             kern->name, lk->name, gpt2c_dtype_name(dtype), type_names[type],
             out_major ? " out_major" : "", m, n_in, n_out, p.args.add ? " add" : "");
    const float *whole = run(lk, &p, p.before, p.args, true);
    for (int32_t r = 0; r < m; r++) {
        for (int32_t j = 0; j < n_out; j++) {
            expect_near(whole[(size_t)r * p.args.ldy + (size_t)j],
                        p.exact[(size_t)r * (size_t)n_out + (size_t)j], bound_of(dtype, &p, r, j),
                        r, j);
        }
    }
    const float *cut = run(lk, &p, p.before, p.args, false);
    for (int32_t r = 0; r < m; r++) {
        expect_same(cut + (size_t)r * p.args.ldy, whole + (size_t)r * p.args.ldy, (size_t)n_out,
                    "columns in pieces");
    }
    for (int32_t r = 0; m <= FEW_ROWS && r < m; r += random_int(1, 7)) {
        struct linear_args alone = p.args;
        alone.m = 1;
        alone.x += (size_t)r * alone.ldx;
        const float *y = run(kern->linear(dtype, type, out_major, 1), &p,
                             p.before + (size_t)r * p.args.ldy, alone, true);
        expect_same(y, whole + (size_t)r * p.args.ldy, (size_t)n_out, "a row alone");
    }
    discard(&p);
}

void check_linear(const struct kernels *kern)
{
    static const int32_t rows[] = {1, 1, 2, 3, 5, 7, 8, 16, 17, 31, 32, 33, 50, 129, 300};
    static const int32_t sizes[] = {64, 192, 200, 256, 768, 1111};
    if (!kernel_wanted("linear")) {
        return;
    }
    for (gpt2c_dtype dtype = GPT2C_DTYPE_F32; dtype <= GPT2C_DTYPE_INT8; dtype++) {
        for (int type = 0; type < N_WEIGHT_TYPES; type++) {
            for (int out_major = 0; out_major < 2; out_major++) {
                char name[64];
                snprintf(name, sizeof name, "linear %d %d %d", (int)dtype, type, out_major);
                random_start(name);
                for (int32_t i = 0; i < options.repeat; i++) {
                    const int32_t m = random_of(rows, sizeof rows / sizeof *rows);
                    const bool small = random_int(0, 1) || m > 100;
                    const int32_t n_in = small ? random_int(1, 131) : random_of(sizes, 6);
                    const int32_t n_out = small ? random_int(1, 131) : random_of(sizes, 6);
                    check_one(kern, dtype, (enum weight_type)type, out_major, m, n_in, n_out);
                }
            }
        }
    }
    random_start("linear long");
    check_one(kern, GPT2C_DTYPE_F32, W_F32, false, 3, 3072, 67);
    check_one(kern, GPT2C_DTYPE_F32, W_F32, true, 2, 3072, 67);
    check_one(kern, GPT2C_DTYPE_F32, W_F32, false, 140, 3072, 40);
    check_one(kern, GPT2C_DTYPE_F32, W_F32, false, 1100, 70, 40);
}

/* ---- bench ----------------------------------------------------------------------------------- */

struct call {
    const struct linear_kernel *lk;
    struct linear_args args;
    void *xp, *scratch;
};

static void call(void *arg)
{
    const struct call *c = arg;
    if (c->lk->prepare) {
        c->lk->prepare(c->xp, &c->args, 0, c->args.m);
    }
    if (c->lk->run_terms) {
        const int32_t n_block = (c->args.w->n_in + TERM_BLOCK - 1) / TERM_BLOCK;
        c->lk->run_terms(&c->args, 0, n_block, 0, c->args.w->n_out);
    }
    c->lk->run(&c->args, 0, c->args.w->n_out, c->scratch);
}

void bench_linear(const struct kernels *kern)
{
    static const struct {
        gpt2c_dtype dtype;
        enum weight_type type;
        bool out_major;
    } kinds[] = {
        {GPT2C_DTYPE_F32, W_F32, false},    {GPT2C_DTYPE_F32, W_F32, true},
        {GPT2C_DTYPE_BF16X3, W_F32, false}, {GPT2C_DTYPE_BF16, W_BF16, false},
        {GPT2C_DTYPE_BF16, W_BF16, true},   {GPT2C_DTYPE_INT8, W_I8, false},
    };
    static const int32_t rows[] = {1, 8, 32, 256};
    enum { N_IN = 768, N_OUT = 3072 };
    for (size_t i = 0; kernel_wanted("linear") && i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t im = 0; im < sizeof rows / sizeof *rows; im++) {
            const int32_t m = rows[im];
            random_start("bench");
            struct problem p = {.w = {.n_in = N_IN,
                                      .n_out = N_OUT,
                                      .type = kinds[i].type,
                                      .out_major = kinds[i].out_major}};
            double *decoded = calloc((size_t)N_IN * N_OUT, sizeof *decoded);
            if (p.w.type == W_I8) {
                make_i8(&p.w, decoded);
            } else {
                make_float(&p.w, decoded, 0);
            }
            free(decoded);
            struct call c = {.lk = kern->linear(kinds[i].dtype, p.w.type, p.w.out_major, m),
                             .args = {.m = m, .ldx = N_IN + 16, .ldy = N_OUT + 16, .w = &p.w}};
            float *x = memory_output((size_t)m * c.args.ldx);
            for (size_t e = 0; e < (size_t)m * c.args.ldx; e++) {
                x[e] = random_float();
            }
            c.args.x = x;
            c.args.y = memory_output((size_t)m * c.args.ldy);
            c.xp = memory_output(c.lk->x_bytes ? c.lk->x_bytes(m, N_IN) / sizeof(float) + 1 : 1);
            c.args.xp = c.xp;
            c.args.sums = memory_output(c.lk->run_terms ? linear_sums(&p.w, m) : 1);
            c.scratch = memory_output(
                c.lk->scratch_bytes ? c.lk->scratch_bytes(N_IN) / sizeof(float) + 1 : 1);
            char shape[96];
            snprintf(shape, sizeof shape, "%s %s%s m=%" PRId32, gpt2c_dtype_name(kinds[i].dtype),
                     type_names[p.w.type], p.w.out_major ? " out" : "", m);
            static const double elem_bytes[] = {4, 2, 2, 1};
            bench(kern->name, "linear", shape, elem_bytes[p.w.type] * N_IN * N_OUT,
                  2.0 * m * N_IN * N_OUT, call, &c);
            memory_free();
        }
    }
}
