/* Attention maps of a text: of chosen layers and heads, or put together into one. */
#ifndef ATTNMAP_H
#define ATTNMAP_H

#include "gpt2c/gpt2c.h"

enum attnmap_aggregate {
    ATTNMAP_EACH,   /* every head its own map                                      */
    ATTNMAP_MEAN,   /* one map: mean over the chosen layers and heads              */
    ATTNMAP_MAX,    /* one map: the largest over them                              */
    ATTNMAP_ROLLOUT /* one map: product over the layers, upwards, of ½A + ½I, A the mean of the
                       heads, rows divided by their sums (Abnar and Zuidema 2020) */
};

struct attnmap {
    /* asked for */
    const int32_t *layers, *heads; /* [n_layers], [n_heads], borrowed */
    int32_t n_layers, n_heads;
    enum attnmap_aggregate aggregate;
    int32_t n_generate; /* tokens to add greedily after the prompt */
    int32_t n_threads;
    /* found; heap */
    gpt2c_token *tok; /* [n_tok] */
    int32_t n_prompt, n_tok;
    int32_t n_maps; /* n_layers * n_heads, or 1 */
    float *v;       /* [n_maps][n_tok][n_tok]: from token (row) to token (column) */
    double *sums;   /* while aggregating */
};

/* Evaluates the prompt and fills in what was found. Returns an exit code and prints its error.
 * attnmap_free also after a failure. */
int attnmap_compute(struct attnmap *m, const gpt2c_model *model, const gpt2c_token *prompt,
                    size_t n_prompt);
void attnmap_free(struct attnmap *m);

/* Map of the il-th layer and ih-th head asked for: [n_tok][n_tok]. */
const float *attnmap_of(const struct attnmap *m, int32_t il, int32_t ih);

#endif
