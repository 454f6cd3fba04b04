/* The model: tensors of the files bound to the places where the forward pass reads them. */
#ifndef MODEL_H
#define MODEL_H

#include "gpt2c/gpt2c.h"
#include "kernels/kernels.h"

struct layer_norm_weights {
    const float *w, *b; /* [n_embd] */
};

struct layer {
    struct layer_norm_weights ln_1, ln_2;
    struct matrix c_attn;      /* n_embd -> 3 n_embd */
    struct matrix attn_c_proj; /* n_embd -> n_embd   */
    struct matrix c_fc;        /* n_embd -> n_ff     */
    struct matrix mlp_c_proj;  /* n_ff -> n_embd     */
};

struct model_store; /* files, tensor index, packed copies: model.c's own */

struct gpt2c_model {
    gpt2c_hparams hp;
    gpt2c_dtype dtype;
    const struct kernels *kern;
    struct matrix wte;  /* [n_vocab][n_embd], out_major: also the head when tied */
    struct matrix wpe;  /* [n_ctx][n_embd], out_major, never W_I8                */
    struct matrix head; /* [n_vocab][n_embd], out_major; equal to wte when tied  */
    bool tied;
    struct layer *h; /* [n_layer] */
    struct layer_norm_weights ln_f;
    struct model_store *store;
};

/* Row i of an out_major matrix (a row of wte or wpe), as float32, into out [n_in]. */
void model_row(const struct matrix *m, int32_t i, float *out);

#endif
