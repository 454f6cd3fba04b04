/* The operations: cutting work into tasks and handing slices to the kernels. */
#include "ops.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TASKS_PER_MEMBER 4 /* so that a member that is held up delays the others little */
#define ROWS_PER_TASK 4
#define GELU_PER_TASK 1024
#define CHECK_PER_TASK 8192

static int32_t div_up(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}

static int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* ---- work and faults ------------------------------------------------------------------------- */

/* Bytes that linear kernels ask for. */
struct needs {
    size_t xp, scratch, sums;
};

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int32_t n_term_blocks(const struct matrix *w)
{
    return div_up(w->n_in, TERM_BLOCK);
}

/* What the kernels for this matrix ask for, at any number of rows up to n_rows. */
static void needs_add(struct needs *needs, const struct gpt2c_model *md, const struct matrix *w,
                      int32_t n_rows)
{
    for (int32_t m = 1; m <= n_rows; m++) {
        const struct linear_kernel *lk = md->kern->linear(md->dtype, w->type, w->out_major, m);
        const size_t xp = lk->x_bytes ? lk->x_bytes(m, w->n_in) : 0;
        const size_t scratch = lk->scratch_bytes ? lk->scratch_bytes(w->n_in) : 0;
        const size_t sums = lk->run_terms ? linear_sums(w, m) * sizeof(float) : 0;
        needs->xp = max_size(needs->xp, xp);
        needs->scratch = max_size(needs->scratch, scratch);
        needs->sums = max_size(needs->sums, sums);
    }
}

void ops_layout(struct ops_work *work, struct arena *arena, const struct gpt2c_model *md,
                int32_t n_rows, int32_t n_ctx, int32_t n_threads)
{
    struct needs needs = {0};
    needs_add(&needs, md, &md->head, n_rows);
    for (int32_t il = 0; il < md->hp.n_layer; il++) {
        const struct layer *l = &md->h[il];
        needs_add(&needs, md, &l->c_attn, n_rows);
        needs_add(&needs, md, &l->attn_c_proj, n_rows);
        needs_add(&needs, md, &l->c_fc, n_rows);
        needs_add(&needs, md, &l->mlp_c_proj, n_rows);
    }
    work->scratch_bytes = (needs.scratch + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    work->xp = arena_carve(arena, needs.xp, 1);
    work->scratch = arena_carve(arena, (size_t)n_threads, work->scratch_bytes);
    work->sums = arena_carve(arena, needs.sums, 1);
    work->att = buffer_carve(arena, n_threads * ATT_ROWS, n_ctx);
}

#define FAULT_POS_BITS 24
#define FAULT_SEQ_BITS 24

/* By stage, then position, then sequence: the least is where it began. */
static void note_fault(const struct ops *o, int32_t stage, const struct rows *rows, int32_t row)
{
    const struct span *sp = rows->spans;
    while (row >= sp->row + sp->n_tok) {
        sp++;
    }
    const uint64_t pos = (uint64_t)(sp->pos + row - sp->row) & ((1u << FAULT_POS_BITS) - 1);
    const uint64_t seq = (uint64_t)sp->seq & ((1u << FAULT_SEQ_BITS) - 1);
    const uint64_t fault = ((uint64_t)stage << FAULT_POS_BITS | pos) << FAULT_SEQ_BITS | seq;
    uint64_t first = atomic_load(&o->work->first_fault);
    while (fault < first && !atomic_compare_exchange_weak(&o->work->first_fault, &first, fault)) {
    }
}

struct fault ops_fault(const struct ops_work *work)
{
    const uint64_t f = atomic_load(&work->first_fault);
    return (struct fault){
        .stage = (int32_t)(f >> (FAULT_POS_BITS + FAULT_SEQ_BITS)),
        .pos = (int32_t)(f >> FAULT_SEQ_BITS & ((1u << FAULT_POS_BITS) - 1)),
        .seq = (int32_t)(f & ((1u << FAULT_SEQ_BITS) - 1)),
    };
}

/* Whether all of x [n] lie in -limit … limit; NaN does not. Without branches, so that compilers use
 * vectors. */
static bool all_within(const float *x, int32_t n, float limit)
{
    int32_t n_bad = 0;
    for (int32_t i = 0; i < n; i++) {
        n_bad += !(fabsf(x[i]) <= limit);
    }
    return n_bad == 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct row_op {
    const struct ops *o;
    const struct gpt2c_model *md;
    const struct layer_norm_weights *ln;
    const struct rows *rows;
    struct buffer y, x;
    int32_t m, n;
    int32_t n_cut; /* tasks of a row */
    int32_t stage;
    float eps;
};

static void embed_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)member;
    const struct span *sp = op->rows->spans;
    const int32_t r1 = min_i32((task + 1) * ROWS_PER_TASK, op->m);
    for (int32_t r = task * ROWS_PER_TASK; r < r1; r++) {
        while (r >= sp->row + sp->n_tok) {
            sp++;
        }
        float *x = buffer_row(op->y, r);
        float *wpe = buffer_row(op->x, r);
        model_row(&op->md->wte, sp->tok[r - sp->row], x);
        model_row(&op->md->wpe, sp->pos + r - sp->row, wpe);
        for (int32_t i = 0; i < op->n; i++) {
            x[i] += wpe[i];
        }
    }
}

void ops_embed(const struct ops *o, struct buffer x, struct buffer tmp,
               const struct gpt2c_model *md, const struct rows *rows)
{
    struct row_op op = {
        .o = o, .md = md, .rows = rows, .y = x, .x = tmp, .m = rows->n_rows, .n = md->hp.n_embd};
    team_for(o->tm, o->member, div_up(op.m, ROWS_PER_TASK), embed_task, &op);
}

static void layer_norm_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)member;
    const int32_t r1 = min_i32((task + 1) * ROWS_PER_TASK, op->m);
    for (int32_t r = task * ROWS_PER_TASK; r < r1; r++) {
        if (!op->o->kern->layer_norm(buffer_row(op->y, r), buffer_row(op->x, r), op->ln->w,
                                     op->ln->b, op->n, op->eps)) {
            note_fault(op->o, op->stage, op->rows, r);
        }
    }
}

void ops_layer_norm(const struct ops *o, struct buffer y, struct buffer x,
                    const struct layer_norm_weights *ln, const gpt2c_hparams *hp,
                    const struct rows *rows, int32_t stage)
{
    struct row_op op = {.o = o,
                        .ln = ln,
                        .rows = rows,
                        .y = y,
                        .x = x,
                        .m = rows->n_rows,
                        .n = hp->n_embd,
                        .stage = stage,
                        .eps = hp->layer_norm_epsilon};
    team_for(o->tm, o->member, div_up(op.m, ROWS_PER_TASK), layer_norm_task, &op);
}

static void add_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)member;
    const int32_t r1 = min_i32((task + 1) * ROWS_PER_TASK, op->m);
    for (int32_t r = task * ROWS_PER_TASK; r < r1; r++) {
        float *y = buffer_row(op->y, r);
        const float *x = buffer_row(op->x, r);
        for (int32_t i = 0; i < op->n; i++) {
            y[i] += x[i];
        }
    }
}

void ops_add(const struct ops *o, struct buffer y, struct buffer x, int32_t m, int32_t n)
{
    struct row_op op = {.o = o, .y = y, .x = x, .m = m, .n = n};
    team_for(o->tm, o->member, div_up(m, ROWS_PER_TASK), add_task, &op);
}

static void gelu_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)member;
    const int32_t i = task % op->n_cut * GELU_PER_TASK;
    op->o->kern->gelu(buffer_row(op->x, task / op->n_cut) + i, min_i32(op->n - i, GELU_PER_TASK));
}

void ops_gelu(const struct ops *o, struct buffer x, int32_t m, int32_t n)
{
    struct row_op op = {.o = o, .x = x, .n = n, .n_cut = div_up(n, GELU_PER_TASK)};
    team_for(o->tm, o->member, m * op.n_cut, gelu_task, &op);
}

static void check_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)member;
    const int32_t r = task / op->n_cut;
    const int32_t i = task % op->n_cut * CHECK_PER_TASK;
    if (!all_within(buffer_row(op->x, r) + i, min_i32(op->n - i, CHECK_PER_TASK), FLT_MAX)) {
        note_fault(op->o, op->stage, op->rows, r);
    }
}

void ops_check(const struct ops *o, struct buffer x, int32_t n, const struct rows *rows,
               int32_t stage)
{
    struct row_op op = {
        .o = o, .x = x, .rows = rows, .n = n, .stage = stage, .n_cut = div_up(n, CHECK_PER_TASK)};
    team_for(o->tm, o->member, rows->n_rows * op.n_cut, check_task, &op);
}

static void gather_task(void *arg, int32_t task, int32_t member)
{
    const struct row_op *op = arg;
    (void)task;
    (void)member;
    int32_t to = 0;
    for (int32_t is = 0; is < op->rows->n_spans; is++) {
        const struct span *sp = &op->rows->spans[is];
        for (int32_t r = sp->row + sp->n_tok - sp->n_out; r < sp->row + sp->n_tok; r++) {
            memmove(buffer_row(op->x, to++), buffer_row(op->x, r), (size_t)op->n * sizeof(float));
        }
    }
}

void ops_gather(const struct ops *o, struct buffer x, int32_t n, const struct rows *rows)
{
    struct row_op op = {.o = o, .x = x, .rows = rows, .n = n};
    team_for(o->tm, o->member, 1, gather_task, &op); /* in place, so in order */
}

/* ---- linear ---------------------------------------------------------------------------------- */

struct linear_op {
    const struct ops *o;
    const struct linear_kernel *lk;
    struct linear_args args;
    int32_t n_row_task; /* rows of a task of prepare */
    int32_t n_col_task; /* columns of a task of run  */
    int32_t n_block_task, n_col_piece; /* blocks and columns of a task of run_terms */
};

static void prepare_task(void *arg, int32_t task, int32_t member)
{
    const struct linear_op *op = arg;
    (void)member;
    const int32_t r = task * op->n_row_task;
    op->lk->prepare(op->o->work->xp, &op->args, r, min_i32(r + op->n_row_task, op->args.m));
}

static void terms_task(void *arg, int32_t task, int32_t member)
{
    const struct linear_op *op = arg;
    const struct matrix *w = op->args.w;
    (void)member;
    const int32_t n_pieces = div_up(w->n_out, op->n_col_piece);
    const int32_t b = task / n_pieces * op->n_block_task;
    const int32_t j = task % n_pieces * op->n_col_piece;
    op->lk->run_terms(&op->args, b, min_i32(b + op->n_block_task, n_term_blocks(w)), j,
                      min_i32(j + op->n_col_piece, w->n_out));
}

static void linear_task(void *arg, int32_t task, int32_t member)
{
    const struct linear_op *op = arg;
    const struct ops_work *work = op->o->work;
    const int32_t j = task * op->n_col_task;
    op->lk->run(&op->args, j, min_i32(j + op->n_col_task, op->args.w->n_out),
                work->scratch + (size_t)member * work->scratch_bytes);
}

/* Grains that each member gets TASKS_PER_MEMBER of, at least one. */
static int32_t grains(const struct ops *o, int32_t n, int32_t grain)
{
    const int32_t n_tasks = team_size(o->tm) * TASKS_PER_MEMBER;
    return div_up(div_up(n, grain), n_tasks) * grain;
}

/* Cuts the terms for the team: whole columns, and several blocks in a row, as far as that leaves no
 * member idle for more than a tenth of the time. Partial sums do not depend on it. Returns the
 * number of tasks. */
static int32_t cut_terms(const struct ops *o, struct linear_op *op)
{
    enum { LONG_RUN = 3, MAX_PIECES = 8 };
    const struct matrix *w = op->args.w;
    const int32_t n_blocks = n_term_blocks(w);
    const int32_t n_members = team_size(o->tm);
    for (int32_t n_pieces = 1;; n_pieces *= 2) {
        op->n_col_piece = div_up(div_up(w->n_out, n_pieces), op->lk->col_grain) * op->lk->col_grain;
        for (op->n_block_task = LONG_RUN; op->n_block_task > 0; op->n_block_task--) {
            const int32_t n_tasks =
                div_up(n_blocks, op->n_block_task) * div_up(w->n_out, op->n_col_piece);
            const int32_t n_turns = div_up(n_tasks, n_members);
            const int32_t span = n_turns * n_members * op->n_block_task; /* blocks of a piece */
            if (span * 9 <= n_blocks * n_pieces * 10 ||
                (n_pieces == MAX_PIECES && op->n_block_task == 1)) {
                return n_tasks;
            }
        }
    }
}

static void linear(const struct ops *o, struct buffer y, struct buffer x, const struct matrix *w,
                   int32_t m, bool add)
{
    if (m == 0) {
        return;
    }
    struct linear_op op = {
        .o = o,
        .lk = o->kern->linear(o->dtype, w->type, w->out_major, m),
        .args = {.y = y.data, .ldy = y.ld, .x = x.data, .ldx = x.ld, .w = w, .m = m, .add = add},
    };
    if (op.lk->prepare) {
        op.n_row_task = grains(o, m, op.lk->row_grain);
        team_for(o->tm, o->member, div_up(m, op.n_row_task), prepare_task, &op);
        op.args.xp = o->work->xp;
    }
    if (op.lk->run_terms) {
        op.args.sums = o->work->sums;
        const int32_t n_tasks = cut_terms(o, &op);
        team_for(o->tm, o->member, n_tasks, terms_task, &op);
    }
    op.n_col_task = grains(o, w->n_out, op.lk->col_grain);
    team_for(o->tm, o->member, div_up(w->n_out, op.n_col_task), linear_task, &op);
}

void ops_linear(const struct ops *o, struct buffer y, struct buffer x, const struct matrix *w,
                int32_t m)
{
    linear(o, y, x, w, m, false);
}

void ops_linear_add(const struct ops *o, struct buffer y, struct buffer x, const struct matrix *w,
                    int32_t m)
{
    linear(o, y, x, w, m, true);
}

/* ---- attention ------------------------------------------------------------------------------- */

struct att_op {
    const struct ops *o;
    const struct kvcache *kv;
    const struct rows *rows;
    const struct att_block *block;
    struct buffer z, qkv, att;
    int32_t il, n_head;
    int32_t stage;
    float limit;
};

/* The blocks of `size` positions that a span's positions touch, blocks starting at multiples of it.
 */
static int32_t n_aligned_blocks(const struct span *sp, int32_t size)
{
    return (sp->pos + sp->n_tok - 1) / size - sp->pos / size + 1;
}

static void append_task(void *arg, int32_t task, int32_t member)
{
    const struct att_op *op = arg;
    (void)member;
    const struct kvcache *kv = op->kv;
    const int32_t ih = task % kv->n_head;
    const struct span *sp = op->rows->spans;
    int32_t ib = task / kv->n_head;
    for (; ib >= n_aligned_blocks(sp, KV_BLOCK); sp++) {
        ib -= n_aligned_blocks(sp, KV_BLOCK);
    }
    const int32_t block_pos = (sp->pos / KV_BLOCK + ib) * KV_BLOCK;
    const int32_t pos = block_pos > sp->pos ? block_pos : sp->pos;
    const int32_t n_tok = min_i32(block_pos + KV_BLOCK, sp->pos + sp->n_tok) - pos;
    const int32_t row = sp->row + pos - sp->pos;
    const int32_t n_embd = kv->n_head * kv->d_head;
    const float *q = buffer_row(op->qkv, row) + (size_t)ih * (size_t)kv->d_head;
    const float *k = q + n_embd;
    const float *v = k + n_embd;
    for (int32_t it = 0; it < n_tok; it++) {
        const size_t i = (size_t)it * op->qkv.ld;
        if (!all_within(q + i, kv->d_head, op->limit) ||
            !all_within(k + i, kv->d_head, op->limit) || !all_within(v + i, kv->d_head, FLT_MAX)) {
            note_fault(op->o, op->stage, op->rows, row + it);
        }
    }
    kvcache_append(kv, op->il, sp->seq, ih, pos, n_tok, k, v, op->qkv.ld);
}

void ops_append(const struct ops *o, const struct kvcache *kv, int32_t il, struct buffer qkv,
                const struct rows *rows, int32_t stage)
{
    /* A score is at most d_head products: none can overflow when each factor is below this. */
    struct att_op op = {.o = o,
                        .kv = kv,
                        .rows = rows,
                        .qkv = qkv,
                        .il = il,
                        .stage = stage,
                        .limit = sqrtf(FLT_MAX / 2 / (float)kv->d_head)};
    int32_t n_blocks = 0;
    for (int32_t is = 0; is < rows->n_spans; is++) {
        n_blocks += n_aligned_blocks(&rows->spans[is], KV_BLOCK);
    }
    team_for(o->tm, o->member, n_blocks * kv->n_head, append_task, &op);
}

static void block_scores(const struct att_op *op, struct buffer att, const struct att_block *b,
                         int32_t ih)
{
    const struct kvcache *kv = op->kv;
    const float *q = buffer_row(op->qkv, b->row) + (size_t)ih * (size_t)kv->d_head;
    op->o->kern->scores(att.data, att.ld, q, op->qkv.ld, kvcache_k(kv, op->il, b->seq, ih),
                        b->n_row, b->n_kv, kv->d_head, 1.0f / sqrtf((float)kv->d_head));
}

/* Each row over its own positions only, so that its bits do not depend on the rows beside it. */
static void block_softmax(const struct att_op *op, struct buffer att, const struct att_block *b)
{
    for (int32_t r = 0; r < b->n_row; r++) {
        const int32_t n = b->pos + r + 1;
        float *s = buffer_row(att, r);
        op->o->kern->softmax(s, n);
        memset(s + n, 0, (size_t)(b->n_kv - n) * sizeof *s);
    }
}

static void block_mix(const struct att_op *op, struct buffer att, const struct att_block *b,
                      int32_t ih)
{
    const struct kvcache *kv = op->kv;
    float *z = buffer_row(op->z, b->row) + (size_t)ih * (size_t)kv->d_head;
    op->o->kern->mix(z, op->z.ld, att.data, att.ld, kvcache_v(kv, op->il, b->seq, ih), b->n_row,
                     b->n_kv, kv->d_head);
}

static void attention_task(void *arg, int32_t task, int32_t member)
{
    const struct att_op *op = arg;
    const struct span *sp = op->rows->spans;
    const int32_t n_head = op->kv->n_head;
    for (; task >= div_up(sp->n_tok, ATT_ROWS) * n_head; sp++) {
        task -= div_up(sp->n_tok, ATT_ROWS) * n_head;
    }
    /* The last blocks, which see the most positions, first: the light ones even out the end. */
    const int32_t ib = div_up(sp->n_tok, ATT_ROWS) - 1 - task / n_head;
    const int32_t ih = task % n_head;
    const int32_t n_row = min_i32(sp->n_tok - ib * ATT_ROWS, ATT_ROWS);
    const struct att_block b = {
        .seq = sp->seq,
        .pos = sp->pos + ib * ATT_ROWS,
        .row = sp->row + ib * ATT_ROWS,
        .n_row = n_row,
        .n_kv = sp->pos + ib * ATT_ROWS + n_row,
    };
    const struct buffer own = {buffer_row(op->att, member * ATT_ROWS), op->att.ld};
    block_scores(op, own, &b, ih);
    block_softmax(op, own, &b);
    block_mix(op, own, &b, ih);
}

void ops_attention(const struct ops *o, struct buffer z, struct buffer qkv,
                   const struct kvcache *kv, int32_t il, const struct rows *rows)
{
    struct att_op op = {
        .o = o, .kv = kv, .rows = rows, .z = z, .qkv = qkv, .att = o->work->att, .il = il};
    int32_t n_tasks = 0;
    for (int32_t is = 0; is < rows->n_spans; is++) {
        n_tasks += div_up(rows->spans[is].n_tok, ATT_ROWS) * kv->n_head;
    }
    team_for(o->tm, o->member, n_tasks, attention_task, &op);
}

static struct buffer head_rows(const struct att_op *op, int32_t ih)
{
    return (struct buffer){buffer_row(op->att, ih * op->block->n_row), op->att.ld};
}

static void att_scores_task(void *arg, int32_t ih, int32_t member)
{
    const struct att_op *op = arg;
    (void)member;
    const struct att_block *b = op->block;
    const struct buffer att = head_rows(op, ih);
    block_scores(op, att, b, ih);
    for (int32_t r = 0; r < b->n_row; r++) {
        for (int32_t iv = b->pos + r + 1; iv < b->n_kv; iv++) {
            buffer_row(att, r)[iv] = -INFINITY;
        }
    }
}

static void att_softmax_task(void *arg, int32_t ih, int32_t member)
{
    const struct att_op *op = arg;
    (void)member;
    block_softmax(op, head_rows(op, ih), op->block);
}

static void att_mix_task(void *arg, int32_t ih, int32_t member)
{
    const struct att_op *op = arg;
    (void)member;
    block_mix(op, head_rows(op, ih), op->block, ih);
}

void ops_att_scores(const struct ops *o, struct buffer att, struct buffer qkv,
                    const struct kvcache *kv, int32_t il, const struct att_block *block)
{
    struct att_op op = {.o = o, .kv = kv, .block = block, .qkv = qkv, .att = att, .il = il};
    team_for(o->tm, o->member, kv->n_head, att_scores_task, &op);
}

void ops_att_softmax(const struct ops *o, struct buffer att, int32_t n_head,
                     const struct att_block *block)
{
    struct att_op op = {.o = o, .block = block, .att = att};
    team_for(o->tm, o->member, n_head, att_softmax_task, &op);
}

void ops_att_mix(const struct ops *o, struct buffer z, struct buffer att, const struct kvcache *kv,
                 int32_t il, const struct att_block *block)
{
    struct att_op op = {.o = o, .kv = kv, .block = block, .z = z, .att = att, .il = il};
    team_for(o->tm, o->member, kv->n_head, att_mix_task, &op);
}
