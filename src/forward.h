/* The transformer, top to bottom: one pass over the weights for any rows, whether they are a
 * prompt, one new token, or tokens of several sequences. Owns the order of operations and what is
 * shown of them; allocates nothing and knows neither instruction sets nor how many threads there
 * are. */
#ifndef FORWARD_H
#define FORWARD_H

#include "kvcache.h"
#include "model.h"
#include "ops.h"
#include "tap.h"

struct activations {
    struct buffer x;    /* [n_batch][n_embd]   residual stream                                 */
    struct buffer xn;   /* [n_batch][n_embd]   normed                                          */
    struct buffer qkv;  /* [n_batch][3*n_embd] */
    struct buffer z;    /* [n_batch][n_embd]   attention-weighted values, heads side by side   */
    struct buffer h;    /* [n_batch][n_ff]     MLP                                             */
    struct buffer att;  /* [n_head*att_rows][n_ctx] maps that a tap sees; overlays h           */
    struct buffer wide; /* [wide_rows][n_vocab] logits that a tap sees; overlays h            */
    int32_t att_rows, wide_rows;
    struct buffer logits; /* [n_logits][n_vocab] */
};

struct forward { /* one evaluation, shared by the team */
    const struct gpt2c_model *model;
    const struct kvcache *kv;
    struct activations *a;
    struct ops_work *work;
    struct tap tap;
    gpt2c_cancel_fn cancel; /* NULL: none */
    void *cancel_user;
    struct rows rows; /* of the pass                                           */
    struct rows outs; /* of them those with logits, after the others have gone */
    int32_t out_row;  /* of the first of outs among the logits                 */
    bool cancelled;   /* by a callback; only member 0 looks at it              */
    bool stop;        /* what all go by: changes only between two barriers     */
};

/* One pass over f->rows by every member of the team. Ends early, with f->stop, when a callback or a
 * fault says so. */
void forward_pass(struct forward *f, const struct ops *o);
/* The head, after ln_f when `norm`, on the rows of a->x: logits from f->out_row on. */
void forward_unembed(struct forward *f, const struct ops *o, const struct rows *rows, bool norm);
/* Where a fault began, in words. */
void forward_fault_text(const struct forward *f, char *text, size_t cap);

#endif
