/* A small model with random weights, and the forward pass once more: naive, in double precision, in
 * as few lines as it takes. Include it in one file per program. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TINY_LAYERS = 3,
    TINY_HEADS = 3,
    TINY_EMBD = 60,
    TINY_CTX = 90,
    TINY_VOCAB = 131,
    TINY_FF = 200
};
enum { TINY_D_HEAD = TINY_EMBD / TINY_HEADS };

struct tiny_model {
    struct gpt2c_model md;
    struct layer h[TINY_LAYERS];
    float *pool; /* all weights */
    size_t n_pool;
};

static uint64_t tiny_state = 1;

/* Uniform in -1 … 1. */
static inline float tiny_random(void)
{
    tiny_state = tiny_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(tiny_state >> 32) * 0x1p-31f;
}

static inline const float *tiny_values(struct tiny_model *t, size_t n, float base, float scale)
{
    float *p = t->pool + t->n_pool;
    t->n_pool += n;
    for (size_t i = 0; i < n; i++) {
        p[i] = base + scale * tiny_random();
    }
    return p;
}

static inline struct matrix tiny_matrix(struct tiny_model *t, int32_t n_in, int32_t n_out,
                                        bool out_major)
{
    const float scale = 2.0f / sqrtf((float)n_in);
    return (struct matrix){.w = tiny_values(t, (size_t)n_in * (size_t)n_out, 0, scale),
                           .bias = out_major ? NULL : tiny_values(t, (size_t)n_out, 0, 0.1f),
                           .n_in = n_in,
                           .n_out = n_out,
                           .type = W_F32,
                           .out_major = out_major};
}

static inline struct layer_norm_weights tiny_norm(struct tiny_model *t)
{
    return (struct layer_norm_weights){.w = tiny_values(t, TINY_EMBD, 1, 0.3f),
                                       .b = tiny_values(t, TINY_EMBD, 0, 0.1f)};
}

static inline struct tiny_model *tiny_create(gpt2c_cpu tier)
{
    struct tiny_model *t = calloc(1, sizeof *t);
    t->pool = calloc(1u << 18, sizeof *t->pool);
    tiny_state = 1;
    t->md = (struct gpt2c_model){.hp = {.n_layer = TINY_LAYERS,
                                        .n_head = TINY_HEADS,
                                        .n_embd = TINY_EMBD,
                                        .n_ctx = TINY_CTX,
                                        .n_vocab = TINY_VOCAB,
                                        .n_ff = TINY_FF,
                                        .layer_norm_epsilon = 1e-5f,
                                        .bos = -1,
                                        .eos = -1},
                                 .dtype = GPT2C_DTYPE_F32,
                                 .kern = kernels_select(tier),
                                 .tied = true,
                                 .h = t->h};
    t->md.wte = tiny_matrix(t, TINY_EMBD, TINY_VOCAB, true);
    t->md.wpe = tiny_matrix(t, TINY_EMBD, TINY_CTX, true);
    t->md.head = t->md.wte;
    for (int32_t il = 0; il < TINY_LAYERS; il++) {
        t->h[il].ln_1 = tiny_norm(t);
        t->h[il].ln_2 = tiny_norm(t);
        t->h[il].c_attn = tiny_matrix(t, TINY_EMBD, 3 * TINY_EMBD, false);
        t->h[il].attn_c_proj = tiny_matrix(t, TINY_EMBD, TINY_EMBD, false);
        t->h[il].c_fc = tiny_matrix(t, TINY_EMBD, TINY_FF, false);
        t->h[il].mlp_c_proj = tiny_matrix(t, TINY_FF, TINY_EMBD, false);
    }
    t->md.ln_f = tiny_norm(t);
    return t;
}

static inline void tiny_free(struct tiny_model *t)
{
    free(t->pool);
    free(t);
}

/* ---- the forward pass in double precision ------------------------------------------------------
 */

struct tiny_trace {
    double hidden[TINY_LAYERS + 1][TINY_CTX][TINY_EMBD];
    double scores[TINY_LAYERS][TINY_HEADS][TINY_CTX][TINY_CTX];
    double attn[TINY_LAYERS][TINY_HEADS][TINY_CTX][TINY_CTX];
    double qkv[TINY_LAYERS][TINY_CTX][3 * TINY_EMBD];
    double z[TINY_LAYERS][TINY_CTX][TINY_EMBD];
    double mlp_post[TINY_LAYERS][TINY_CTX][TINY_FF];
    double mlp_out[TINY_LAYERS][TINY_CTX][TINY_EMBD];
    double logits[TINY_CTX][TINY_VOCAB];
};

static inline void tiny_norm_apply(double *y, const double *x, const struct layer_norm_weights *ln)
{
    double mean = 0;
    double var = 0;
    for (int i = 0; i < TINY_EMBD; i++) {
        mean += x[i] / TINY_EMBD;
    }
    for (int i = 0; i < TINY_EMBD; i++) {
        var += (x[i] - mean) * (x[i] - mean) / TINY_EMBD;
    }
    for (int i = 0; i < TINY_EMBD; i++) {
        y[i] = (x[i] - mean) / sqrt(var + 1e-5f) * ln->w[i] + ln->b[i];
    }
}

static inline void tiny_linear(double *y, const double *x, const struct matrix *w)
{
    const float *p = w->w;
    for (int j = 0; j < w->n_out; j++) {
        y[j] = w->bias ? w->bias[j] : 0;
        for (int k = 0; k < w->n_in; k++) {
            y[j] += x[k] * p[w->out_major ? j * w->n_in + k : k * w->n_out + j];
        }
    }
}

static inline void tiny_attention(struct tiny_trace *t, int il, int it)
{
    for (int ih = 0; ih < TINY_HEADS; ih++) {
        const double *q = t->qkv[il][it] + ih * TINY_D_HEAD;
        double *s = t->scores[il][ih][it];
        double *p = t->attn[il][ih][it];
        double sum = 0;
        for (int iv = 0; iv <= it; iv++) {
            const double *k = t->qkv[il][iv] + TINY_EMBD + ih * TINY_D_HEAD;
            s[iv] = 0;
            for (int d = 0; d < TINY_D_HEAD; d++) {
                s[iv] += q[d] * k[d] / sqrt(TINY_D_HEAD);
            }
            p[iv] = exp(s[iv]);
            sum += p[iv];
        }
        for (int iv = 0; iv <= it; iv++) {
            const double *v = t->qkv[il][iv] + 2 * TINY_EMBD + ih * TINY_D_HEAD;
            p[iv] /= sum;
            for (int d = 0; d < TINY_D_HEAD; d++) {
                t->z[il][it][ih * TINY_D_HEAD + d] += p[iv] * v[d];
            }
        }
        for (int iv = it + 1; iv < TINY_CTX; iv++) {
            s[iv] = -INFINITY;
        }
    }
}

/* All activations of n tokens. */
static inline struct tiny_trace *tiny_forward(const struct gpt2c_model *md, const gpt2c_token *tok,
                                              int n)
{
    struct tiny_trace *t = calloc(1, sizeof *t);
    const float *wte = md->wte.w;
    const float *wpe = md->wpe.w;
    for (int it = 0; it < n; it++) {
        double x[TINY_EMBD];
        double xn[TINY_EMBD];
        double out[TINY_EMBD];
        for (int i = 0; i < TINY_EMBD; i++) {
            x[i] = (double)wte[tok[it] * TINY_EMBD + i] + (double)wpe[it * TINY_EMBD + i];
        }
        for (int il = 0; il < TINY_LAYERS; il++) {
            const struct layer *l = &md->h[il];
            double *h = t->mlp_post[il][it];
            memcpy(t->hidden[il][it], x, sizeof x);
            tiny_norm_apply(xn, x, &l->ln_1);
            tiny_linear(t->qkv[il][it], xn, &l->c_attn);
            tiny_attention(t, il, it);
            tiny_linear(out, t->z[il][it], &l->attn_c_proj);
            for (int i = 0; i < TINY_EMBD; i++) {
                x[i] += out[i];
            }
            tiny_norm_apply(xn, x, &l->ln_2);
            tiny_linear(h, xn, &l->c_fc);
            for (int i = 0; i < TINY_FF; i++) {
                h[i] =
                    0.5 * h[i] *
                    (1 + tanh(sqrt(2 / 3.14159265358979323846) * (h[i] + 0.044715 * pow(h[i], 3))));
            }
            tiny_linear(t->mlp_out[il][it], h, &l->mlp_c_proj);
            for (int i = 0; i < TINY_EMBD; i++) {
                x[i] += t->mlp_out[il][it][i];
            }
        }
        tiny_norm_apply(t->hidden[TINY_LAYERS][it], x, &md->ln_f);
        tiny_linear(t->logits[it], t->hidden[TINY_LAYERS][it], &md->head);
    }
    return t;
}

#endif
