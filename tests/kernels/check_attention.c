/* Attention: scores against blocks of keys, and the mix of values. */
#include "checkkern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const int32_t d_heads[] = {1, 3, 16, 20, 25, 32, 64, 64, 80, 128};
static const int32_t rows[] = {1, 1, 2, 3, 7, 8, 31, 32};

static int32_t up_16(int32_t n)
{
    return (n + 15) / 16 * 16;
}

struct problem {
    int32_t m, n_kv, d_head;
    size_t ldq, lds;
    const float *q; /* [m][ldq]                */
    const float *k; /* blocks of 16 positions  */
    const float *v; /* [n_kv][d_head]          */
    float *p;       /* [m][lds] mixing weights, zero from len[r] on */
    int32_t len[32];
};

static struct problem make(int32_t m, int32_t n_kv, int32_t d_head)
{
    struct problem p = {.m = m,
                        .n_kv = n_kv,
                        .d_head = d_head,
                        .ldq = (size_t)(d_head + random_int(0, 9)),
                        .lds = (size_t)(up_16(n_kv) + random_int(0, 2) * 16)};
    const size_t n_q = (size_t)(m - 1) * p.ldq + (size_t)d_head;
    float *q = memory_read_only(n_q * sizeof *q, 0);
    float *k = memory_read_only((size_t)up_16(n_kv) * (size_t)d_head * sizeof *k, 0);
    float *v = memory_read_only((size_t)n_kv * (size_t)d_head * sizeof *v, 0);
    p.p = memory_read_only((size_t)m * p.lds * sizeof *p.p, 0);
    for (size_t i = 0; i < n_q; i++) {
        q[i] = random_float();
    }
    for (size_t i = 0; i < (size_t)up_16(n_kv) * (size_t)d_head; i++) {
        const size_t iv = i / 16 / (size_t)d_head * 16 + i % 16;
        k[i] = iv < (size_t)n_kv ? random_float() : NAN; /* what is not there must not show */
    }
    for (size_t i = 0; i < (size_t)n_kv * (size_t)d_head; i++) {
        v[i] = random_float();
    }
    for (int32_t r = 0; r < m; r++) {
        p.len[r] = r == m - 1 ? n_kv : random_int(1, n_kv);
        for (int32_t iv = 0; iv < p.len[r]; iv++) {
            p.p[(size_t)r * p.lds + (size_t)iv] = fabsf(random_float());
        }
    }
    p.q = q;
    p.k = k;
    p.v = v;
    return p;
}

static void check_scores(const struct kernels *kern, const struct problem *p)
{
    const float scale = 1 / sqrtf((float)p->d_head);
    float *s = memory_output((size_t)p->m * p->lds);
    describe("%s scores m=%" PRId32 " n_kv=%" PRId32 " d_head=%" PRId32, kern->name, p->m, p->n_kv,
             p->d_head);
    kern->scores(s, p->lds, p->q, p->ldq, p->k, p->m, p->n_kv, p->d_head, scale);
    for (int32_t r = 0; r < p->m; r++) {
        for (int32_t iv = 0; iv < p->n_kv; iv++) {
            double exact = 0;
            double size = 0;
            for (int32_t d = 0; d < p->d_head; d++) {
                const size_t i = ((size_t)(iv / 16) * (size_t)p->d_head + (size_t)d) * 16;
                const double term =
                    (double)p->q[(size_t)r * p->ldq + (size_t)d] * p->k[i + (size_t)(iv % 16)];
                exact += term;
                size += fabs(term);
            }
            expect_near(s[(size_t)r * p->lds + (size_t)iv], exact * scale, 8 * EPS * size * scale,
                        r, iv);
        }
        const size_t end = (size_t)up_16(p->n_kv);
        if (!memory_untouched(s + (size_t)r * p->lds + end, p->lds - end)) {
            fail("wrote past the last block of row %" PRId32, r);
        }
    }
    for (int32_t r = 0; r < p->m; r += random_int(1, 5)) {
        float *alone = memory_output((size_t)up_16(p->len[r]));
        kern->scores(alone, (size_t)up_16(p->len[r]), p->q + (size_t)r * p->ldq, p->ldq, p->k, 1,
                     p->len[r], p->d_head, scale);
        expect_same(alone, s + (size_t)r * p->lds, (size_t)p->len[r], "a row alone, fewer keys");
    }
    memory_check();
}

static void check_mix(const struct kernels *kern, const struct problem *p)
{
    const size_t ldy = p->ldq;
    const size_t d_head = (size_t)p->d_head;
    float *y = memory_output((size_t)p->m * ldy);
    describe("%s mix m=%" PRId32 " n_kv=%" PRId32 " d_head=%" PRId32, kern->name, p->m, p->n_kv,
             p->d_head);
    kern->mix(y, ldy, p->p, p->lds, p->v, p->m, p->n_kv, p->d_head);
    for (int32_t r = 0; r < p->m; r++) {
        for (size_t d = 0; d < d_head; d++) {
            double exact = 0;
            double size = 0;
            for (int32_t iv = 0; iv < p->n_kv; iv++) {
                const double term =
                    (double)p->p[(size_t)r * p->lds + (size_t)iv] * p->v[(size_t)iv * d_head + d];
                exact += term;
                size += fabs(term);
            }
            expect_near(y[(size_t)r * ldy + d], exact, 8 * EPS * size, r, (int32_t)d);
        }
        if (!memory_untouched(y + (size_t)r * ldy + d_head, ldy - d_head)) {
            fail("wrote past row %" PRId32, r);
        }
    }
    for (int32_t r = 0; r < p->m; r += random_int(1, 5)) {
        float *alone = memory_output(d_head);
        kern->mix(alone, d_head, p->p + (size_t)r * p->lds, p->lds, p->v, 1, p->len[r], p->d_head);
        expect_same(alone, y + (size_t)r * ldy, d_head, "a row alone, its own length");
    }
    memory_check();
}

void check_attention(const struct kernels *kern)
{
    random_start("attention");
    for (int32_t i = 0; i < 8 * options.repeat; i++) {
        const int32_t m = random_of(rows, sizeof rows / sizeof *rows);
        const int32_t n_kv = random_int(0, 3) ? random_int(1, 100) : random_int(100, 1024);
        const struct problem p =
            make(m, n_kv, random_of(d_heads, sizeof d_heads / sizeof *d_heads));
        if (kernel_wanted("scores")) {
            check_scores(kern, &p);
        }
        if (kernel_wanted("mix")) {
            check_mix(kern, &p);
        }
        memory_free();
    }
}

/* ---- bench ----------------------------------------------------------------------------------- */

struct call {
    const struct kernels *kern;
    struct problem p;
    float *out;
};

static void call_scores(void *arg)
{
    const struct call *c = arg;
    c->kern->scores(c->out, c->p.lds, c->p.q, c->p.ldq, c->p.k, c->p.m, c->p.n_kv, c->p.d_head,
                    0.125f);
}

static void call_mix(void *arg)
{
    const struct call *c = arg;
    c->kern->mix(c->out, c->p.ldq, c->p.p, c->p.lds, c->p.v, c->p.m, c->p.n_kv, c->p.d_head);
}

void bench_attention(const struct kernels *kern)
{
    static const int32_t n_rows[] = {1, 8, 32};
    enum { N_KV = 512, D_HEAD = 64 };
    for (size_t i = 0; i < sizeof n_rows / sizeof *n_rows; i++) {
        char shape[64];
        const double n_bytes = 4.0 * N_KV * D_HEAD;
        random_start("bench");
        struct call c = {.kern = kern, .p = make(n_rows[i], N_KV, D_HEAD)};
        c.out = memory_output((size_t)n_rows[i] * c.p.lds);
        snprintf(shape, sizeof shape, "m=%" PRId32 " n_kv=%d", n_rows[i], N_KV);
        if (kernel_wanted("scores")) {
            bench(kern->name, "scores", shape, n_bytes, n_bytes / 2 * n_rows[i], call_scores, &c);
        }
        if (kernel_wanted("mix")) {
            bench(kern->name, "mix", shape, n_bytes, n_bytes / 2 * n_rows[i], call_mix, &c);
        }
        memory_free();
    }
}
