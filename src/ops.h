/* The operations of the forward pass: which member of the team computes which rows or columns, then
 * the kernels. Every member calls an operation alike, and each ends with a barrier. The work is cut
 * so that no result depends on the number of members. Knows no layers and allocates nothing. */
#ifndef OPS_H
#define OPS_H

#include "arena.h"
#include "kvcache.h"
#include "model.h"
#include "team.h"

#include <stdatomic.h>

struct buffer { /* rows of floats, ld elements apart */
    float *data;
    size_t ld;
};

static inline float *buffer_row(struct buffer b, int32_t r)
{
    return b.data + (size_t)r * b.ld;
}

/* Elements from one row of n_cols to the next: an odd number of cache lines. With an even number,
 * such as that of 3,072 floats, a column of them would share few lines of the first cache. */
static inline size_t buffer_ld(int32_t n_cols)
{
    const size_t line = ARENA_ALIGN / sizeof(float);
    return (((size_t)n_cols + line - 1) / line | 1) * line;
}

static inline struct buffer buffer_carve(struct arena *arena, int32_t n_rows, int32_t n_cols)
{
    const size_t ld = buffer_ld(n_cols);
    return (struct buffer){arena_carve(arena, (size_t)n_rows, ld * sizeof(float)), ld};
}

struct span {         /* rows of consecutive positions of one sequence */
    int32_t seq, pos; /* of the first row                   */
    int32_t row;      /* its place among the rows of a pass */
    int32_t n_tok;
    int32_t n_out;          /* the last n_out of them go on to the logits */
    const gpt2c_token *tok; /* [n_tok] */
};

struct rows { /* what one pass works on */
    struct span *spans;
    int32_t n_spans;
    int32_t n_rows; /* of all spans, one after the other */
};

/* Where a value that is not finite first showed; kept as one number so that the least wins. */
struct fault {
    int32_t stage; /* forward.h */
    int32_t seq, pos;
};
#define OPS_NO_FAULT UINT64_MAX

struct ops_work {           /* shared by the team */
    void *xp;               /* activations prepared for a linear kernel         */
    unsigned char *scratch; /* [n_threads][scratch_bytes]                       */
    size_t scratch_bytes;
    float *sums;            /* partial sums of a linear kernel that makes them      */
    struct buffer att;            /* [n_threads * ATT_ROWS][n_ctx] attention weights  */
    _Atomic uint64_t first_fault; /* OPS_NO_FAULT: none */
};

#define ATT_ROWS 32 /* query rows of one attention task */

struct ops { /* one member's view */
    struct team *tm;
    int32_t member;
    const struct kernels *kern;
    gpt2c_dtype dtype;
    struct ops_work *work;
};

/* Carves the work for up to n_rows rows at once. */
void ops_layout(struct ops_work *work, struct arena *arena, const struct gpt2c_model *md,
                int32_t n_rows, int32_t n_ctx, int32_t n_threads);
struct fault ops_fault(const struct ops_work *work); /* when there is one */

/* x = wte[tok] + wpe[pos]; tmp has a row of n_embd for each row. */
void ops_embed(const struct ops *o, struct buffer x, struct buffer tmp,
               const struct gpt2c_model *md, const struct rows *rows);
/* Notes a fault at `stage` for rows whose mean or variance is not finite. */
void ops_layer_norm(const struct ops *o, struct buffer y, struct buffer x,
                    const struct layer_norm_weights *ln, const gpt2c_hparams *hp,
                    const struct rows *rows, int32_t stage);
/* y = x · W + bias for m rows. */
void ops_linear(const struct ops *o, struct buffer y, struct buffer x, const struct matrix *w,
                int32_t m);
/* y += x · W + bias: the residual stream. */
void ops_linear_add(const struct ops *o, struct buffer y, struct buffer x, const struct matrix *w,
                    int32_t m);
void ops_add(const struct ops *o, struct buffer y, struct buffer x, int32_t m, int32_t n);
void ops_gelu(const struct ops *o, struct buffer x, int32_t m, int32_t n);
/* Moves the rows that go on to the logits to the front, n floats of each. */
void ops_gather(const struct ops *o, struct buffer x, int32_t n, const struct rows *rows);
/* Notes a fault at `stage` for rows with values that are not finite. */
void ops_check(const struct ops *o, struct buffer x, int32_t n, const struct rows *rows,
               int32_t stage);
/* Keys and values of the rows' qkv [3*n_embd] into layer il of the cache. Notes a fault for values
 * that are not finite or so large that the product of two could overflow. */
void ops_append(const struct ops *o, const struct kvcache *kv, int32_t il, struct buffer qkv,
                const struct rows *rows, int32_t stage);

/* z = softmax(q · k / sqrt(d_head)) · v for all rows and heads, causal: z [n_embd], heads side by
 * side. A row's result does not depend on the rows beside it. */
void ops_attention(const struct ops *o, struct buffer z, struct buffer qkv,
                   const struct kvcache *kv, int32_t il, const struct rows *rows);

/* The same in steps, for whoever looks in between. att holds all heads of n_row ≤ ATT_ROWS rows of
 * one span, head ih from row ih * n_row on. */
struct att_block {
    int32_t seq;
    int32_t pos; /* of the first row                   */
    int32_t row; /* its place among the rows of a pass */
    int32_t n_row;
    int32_t n_kv; /* positions that the last row sees   */
};
/* Scaled scores; -infinity after a row's own position. */
void ops_att_scores(const struct ops *o, struct buffer att, struct buffer qkv,
                    const struct kvcache *kv, int32_t il, const struct att_block *block);
/* Softmax in place; exactly 0 after a row's own position. */
void ops_att_softmax(const struct ops *o, struct buffer att, int32_t n_head,
                     const struct att_block *block);
void ops_att_mix(const struct ops *o, struct buffer z, struct buffer att, const struct kvcache *kv,
                 int32_t il, const struct att_block *block);

#endif
