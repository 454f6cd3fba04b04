/* The forward pass. */
#include "forward.h"

#include <inttypes.h>
#include <stdio.h>

enum {               /* where a value that is not finite is noticed, in the order of the pass */
       STAGE_INPUT,  /* by the first norm of layer il, or by ln_f when il = n_layer */
       STAGE_WITHIN, /* after its attention; among the logits when il = n_layer     */
       N_STAGES      /* of a layer */
};

static int32_t stage_of(int32_t il, int32_t stage)
{
    return il * N_STAGES + stage;
}

/* Asked by all members alike, between layers: whether a callback or a fault ends the pass. */
static bool stopped(struct forward *f, const struct ops *o)
{
    if (o->member == 0) {
        if (!f->cancelled && f->cancel && f->cancel(f->cancel_user) != 0) {
            f->cancelled = true;
        }
        f->stop = f->cancelled || atomic_load(&f->work->first_fault) != OPS_NO_FAULT;
    }
    team_barrier(o->tm);
    return f->stop;
}

/* ---- taps ------------------------------------------------------------------------------------ */

static bool tapped(const struct forward *f, uint32_t what)
{
    return (f->tap.what & what) != 0;
}

/* Shows rows on the caller's thread while the others wait. */
static void show(struct forward *f, const struct ops *o, gpt2c_what what, int32_t il,
                 struct buffer b, int32_t n_head, int32_t n_cols, const struct rows *rows)
{
    if (!tapped(f, what)) {
        return;
    }
    if (o->member == 0 && !f->cancelled) {
        f->cancelled = !tap_rows(&f->tap, what, il, &b, n_head, n_cols, rows);
    }
    team_barrier(o->tm);
}

static void show_maps(struct forward *f, const struct ops *o, gpt2c_what what, int32_t il,
                      const struct att_block *block)
{
    if (!tapped(f, what)) {
        return;
    }
    if (o->member == 0 && !f->cancelled) {
        f->cancelled = !tap_maps(&f->tap, what, il, &f->a->att, f->model->hp.n_head, block);
    }
    team_barrier(o->tm);
}

static void show_qkv(struct forward *f, const struct ops *o, int32_t il)
{
    static const gpt2c_what parts[] = {GPT2C_Q, GPT2C_K, GPT2C_V};
    const gpt2c_hparams *hp = &f->model->hp;
    for (int32_t i = 0; i < 3; i++) {
        const struct buffer part = {f->a->qkv.data + (size_t)i * (size_t)hp->n_embd, f->a->qkv.ld};
        show(f, o, parts[i], il, part, hp->n_head, hp->n_embd / hp->n_head, &f->rows);
    }
}

/* Attention block by block, with all heads' maps in memory to be shown. */
static void attention_shown(struct forward *f, const struct ops *o, int32_t il)
{
    const struct activations *a = f->a;
    const int32_t n_head = f->model->hp.n_head;
    for (int32_t is = 0; is < f->rows.n_spans; is++) {
        const struct span *sp = &f->rows.spans[is];
        for (int32_t it = 0; it < sp->n_tok; it += a->att_rows) {
            const int32_t n_row = sp->n_tok - it < a->att_rows ? sp->n_tok - it : a->att_rows;
            const struct att_block block = {.seq = sp->seq,
                                            .pos = sp->pos + it,
                                            .row = sp->row + it,
                                            .n_row = n_row,
                                            .n_kv = sp->pos + it + n_row};
            ops_att_scores(o, a->att, a->qkv, f->kv, il, &block);
            show_maps(f, o, GPT2C_SCORES, il, &block);
            ops_att_softmax(o, a->att, n_head, &block);
            show_maps(f, o, GPT2C_ATTN, il, &block);
            ops_att_mix(o, a->z, a->att, f->kv, il, &block);
        }
    }
}

/* The head on all rows, for a tap; a->xn is normed. */
static void show_logits(struct forward *f, const struct ops *o)
{
    const struct activations *a = f->a;
    if (!tapped(f, GPT2C_LOGITS)) {
        return;
    }
    for (int32_t is = 0; is < f->rows.n_spans; is++) {
        const struct span *sp = &f->rows.spans[is];
        for (int32_t it = 0; it < sp->n_tok; it += a->wide_rows) {
            const int32_t n = sp->n_tok - it < a->wide_rows ? sp->n_tok - it : a->wide_rows;
            struct span part = {.seq = sp->seq, .pos = sp->pos + it, .n_tok = n};
            const struct rows rows = {.spans = &part, .n_spans = 1, .n_rows = n};
            const struct buffer xn = {buffer_row(a->xn, sp->row + it), a->xn.ld};
            ops_linear(o, a->wide, xn, &f->model->head, n);
            show(f, o, GPT2C_LOGITS, f->model->hp.n_layer, a->wide, 0, f->model->hp.n_vocab, &rows);
        }
    }
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void attention(struct forward *f, const struct ops *o, int32_t il, const struct rows *rows)
{
    if (tapped(f, GPT2C_ATTN | GPT2C_SCORES)) {
        attention_shown(f, o, il);
    } else {
        ops_attention(o, f->a->z, f->a->qkv, f->kv, il, rows);
    }
}

/* x += MLP(xn), in one step or, to be shown, in two. */
static void mlp_out(struct forward *f, const struct ops *o, int32_t il, const struct rows *rows)
{
    const struct activations *a = f->a;
    const struct matrix *w = &f->model->h[il].mlp_c_proj;
    if (tapped(f, GPT2C_MLP_OUT)) {
        ops_linear(o, a->xn, a->h, w, rows->n_rows);
        show(f, o, GPT2C_MLP_OUT, il, a->xn, 0, w->n_out, rows);
        ops_add(o, a->x, a->xn, rows->n_rows, w->n_out);
    } else {
        ops_linear_add(o, a->x, a->h, w, rows->n_rows);
    }
}

/* Once the last layer's keys and values are in the cache, the other rows serve nothing but taps. */
static const struct rows *narrow(struct forward *f, const struct ops *o)
{
    if (f->tap.what != 0) {
        return &f->rows;
    }
    ops_gather(o, f->a->x, f->model->hp.n_embd, &f->rows);
    ops_gather(o, f->a->qkv, f->model->hp.n_embd, &f->rows); /* the queries suffice */
    return &f->outs;
}

void forward_pass(struct forward *f, const struct ops *o)
{
    const struct gpt2c_model *md = f->model;
    const struct activations *a = f->a;
    const gpt2c_hparams *hp = &md->hp;
    const struct rows *rows = &f->rows;

    ops_embed(o, a->x, a->xn, md, rows);
    for (int32_t il = 0; il < hp->n_layer; il++) {
        const struct layer *l = &md->h[il];
        if (stopped(f, o)) {
            return;
        }
        show(f, o, GPT2C_HIDDEN, il, a->x, 0, hp->n_embd, rows);

        ops_layer_norm(o, a->xn, a->x, &l->ln_1, hp, rows, stage_of(il, STAGE_INPUT));
        ops_linear(o, a->qkv, a->xn, &l->c_attn, rows->n_rows);
        show_qkv(f, o, il);
        ops_append(o, f->kv, il, a->qkv, rows, stage_of(il, STAGE_WITHIN));
        if (il == hp->n_layer - 1) {
            rows = narrow(f, o);
        }
        attention(f, o, il, rows);
        show(f, o, GPT2C_Z, il, a->z, hp->n_head, hp->n_embd / hp->n_head, rows);
        ops_linear_add(o, a->x, a->z, &l->attn_c_proj, rows->n_rows);

        ops_layer_norm(o, a->xn, a->x, &l->ln_2, hp, rows, stage_of(il, STAGE_WITHIN));
        ops_linear(o, a->h, a->xn, &l->c_fc, rows->n_rows);
        ops_gelu(o, a->h, rows->n_rows, hp->n_ff);
        show(f, o, GPT2C_MLP_POST, il, a->h, 0, hp->n_ff, rows);
        mlp_out(f, o, il, rows);
    }
    if (f->tap.what != 0) {
        ops_layer_norm(o, a->xn, a->x, &md->ln_f, hp, rows, stage_of(hp->n_layer, STAGE_INPUT));
        show(f, o, GPT2C_HIDDEN, hp->n_layer, a->xn, 0, hp->n_embd, rows);
        show_logits(f, o);
        ops_gather(o, a->x, hp->n_embd, rows);
    }
    forward_unembed(f, o, &f->outs, true);
    stopped(f, o);
}

void forward_unembed(struct forward *f, const struct ops *o, const struct rows *rows, bool norm)
{
    const struct gpt2c_model *md = f->model;
    const struct activations *a = f->a;
    const struct buffer logits = {buffer_row(a->logits, f->out_row), a->logits.ld};
    if (norm) {
        ops_layer_norm(o, a->xn, a->x, &md->ln_f, &md->hp, rows,
                       stage_of(md->hp.n_layer, STAGE_INPUT));
    }
    ops_linear(o, logits, norm ? a->xn : a->x, &md->head, rows->n_rows);
    ops_check(o, logits, md->hp.n_vocab, rows, stage_of(md->hp.n_layer, STAGE_WITHIN));
}

void forward_fault_text(const struct forward *f, char *text, size_t cap)
{
    const struct fault fault = ops_fault(f->work);
    const int32_t il = fault.stage / N_STAGES;
    char where[64];
    if (fault.stage % N_STAGES == STAGE_WITHIN && il == f->model->hp.n_layer) {
        snprintf(where, sizeof where, "the head");
    } else if (fault.stage % N_STAGES == STAGE_WITHIN) {
        snprintf(where, sizeof where, "the attention of layer %" PRId32, il);
    } else if (il > 0) {
        snprintf(where, sizeof where, "the MLP of layer %" PRId32, il - 1);
    } else {
        snprintf(where, sizeof where, "the embedding");
    }
    snprintf(text, cap,
             "%s gives values that are not finite at position %" PRId32 " of sequence %" PRId32,
             where, fault.pos, fault.seq);
}
