/* Attention maps as numbers and as a page. */
#ifndef ATTN_OUT_H
#define ATTN_OUT_H

#include "attnmap.h"
#include "colormap.h"
#include "heatmap.h"

enum attn_format { ATTN_PNG, ATTN_HTML, ATTN_NPY, ATTN_CSV, ATTN_JSON };

/* By the end of the name; "-" and names without a dot are pictures. Returns an exit code. */
int attn_format_of(const char *path, enum attn_format *out);

/* The raw probabilities. NPY: one map [n_tok][n_tok], several [n_layers][n_heads][n_tok][n_tok];
 * CSV: one map as n_tok lines, several as lines of layer, head, query, key, attention. Each returns
 * an exit code. */
int attn_write_data(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                    enum attn_format format, const char *path);

struct attn_page { /* how the page first shows the maps */
    int32_t layer, head; /* indices into the lists of the maps */
    enum colormap map;
    enum heatmap_norm norm;
    bool auto_min, auto_max;
    double vmin, vmax;
    const char *title; /* NULL: made from layer and head */
};
int attn_write_page(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                    const struct attn_page *page, const char *path);

#endif
