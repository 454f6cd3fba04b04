/* Sessions: the public verbs, the memory of a timeline, and cutting what a caller appends into
 * passes. Owns all memory of an evaluation, in one block; nothing is allocated after create.
 */
#include "arena.h"
#include "forward.h"
#include "kvcache.h"
#include "status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define N_BATCH_DEFAULT 512
#define N_THREADS_MAX 1024
#define CUT_GRAIN 32 /* rows: kernels for many rows work on tiles */

struct gpt2c_session {
    const struct gpt2c_model *model;
    gpt2c_session_params params; /* with the defaults filled in */
    struct arena arena;
    struct kvcache kv;
    struct activations act;
    struct ops_work work;
    int32_t *pos;       /* [n_seq] */
    bool *seen;         /* [n_seq] sequences that a call has named */
    struct span *spans; /* [n_seq] of a pass                       */
    struct span *outs;  /* [n_seq] */
    int32_t n_logits;   /* rows that the last call computed */
    struct tap tap;
    gpt2c_cancel_fn cancel;
    void *cancel_user;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t max_i32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The whole memory of a session: run once to measure and once to carve. */
static void session_layout(struct gpt2c_session *s)
{
    const gpt2c_hparams *hp = &s->model->hp;
    const gpt2c_session_params *p = &s->params;
    struct arena *arena = &s->arena;
    struct activations *a = &s->act;

    s->kv = (struct kvcache){.n_layer = hp->n_layer,
                             .n_seq = p->n_seq,
                             .n_head = hp->n_head,
                             .n_ctx = p->n_ctx,
                             .d_head = hp->n_embd / hp->n_head};
    kvcache_layout(&s->kv, arena);
    s->pos = arena_carve(arena, (size_t)p->n_seq, sizeof *s->pos);
    s->seen = arena_carve(arena, (size_t)p->n_seq, sizeof *s->seen);
    s->spans = arena_carve(arena, (size_t)p->n_seq, sizeof *s->spans);
    s->outs = arena_carve(arena, (size_t)p->n_seq, sizeof *s->outs);

    a->x = buffer_carve(arena, p->n_batch, hp->n_embd);
    a->xn = buffer_carve(arena, p->n_batch, hp->n_embd);
    a->qkv = buffer_carve(arena, p->n_batch, 3 * hp->n_embd);
    a->z = buffer_carve(arena, p->n_batch, hp->n_embd);
    a->logits = buffer_carve(arena, p->n_logits, hp->n_vocab);
    ops_layout(&s->work, arena, s->model, p->n_batch, p->n_ctx, p->n_threads);

    /* What taps see overlays the MLP's activations, which are idle at these moments. */
    a->h.ld = buffer_ld(hp->n_ff);
    a->att.ld = buffer_ld(p->n_ctx);
    a->wide.ld = buffer_ld(hp->n_vocab);
    const size_t att_row = (size_t)hp->n_head * a->att.ld;
    const size_t one_row = att_row > a->wide.ld ? att_row : a->wide.ld;
    const size_t all_rows = (size_t)p->n_batch * a->h.ld;
    const size_t n_floats = all_rows > one_row ? all_rows : one_row;
    a->h.data = arena_carve(arena, n_floats, sizeof *a->h.data);
    a->att.data = a->h.data;
    a->wide.data = a->h.data;
    a->att_rows = n_floats / att_row < ATT_ROWS ? (int32_t)(n_floats / att_row) : ATT_ROWS;
    a->wide_rows = n_floats / a->wide.ld < FEW_ROWS ? (int32_t)(n_floats / a->wide.ld) : FEW_ROWS;
}

gpt2c_session_params gpt2c_session_default_params(void)
{
    return (gpt2c_session_params){0};
}

/* Fills in the defaults and refuses what cannot be. */
static gpt2c_status params_resolve(gpt2c_session_params *p, const struct gpt2c_model *md,
                                   gpt2c_error *err)
{
    if (p->n_seq < 0 || p->n_ctx < 0 || p->n_batch < 0 || p->n_logits < 0 || p->n_threads < 0) {
        return status_fail(err, GPT2C_E_ARG,
                           "session: negative parameter (n_seq %" PRId32 ", n_ctx %" PRId32
                           ", n_batch %" PRId32 ", n_logits %" PRId32 ", n_threads %" PRId32 ")",
                           p->n_seq, p->n_ctx, p->n_batch, p->n_logits, p->n_threads);
    }
    if (p->n_ctx > md->hp.n_ctx) {
        return status_fail(err, GPT2C_E_CONTEXT,
                           "session: %" PRId32 " positions asked for, the model has %" PRId32,
                           p->n_ctx, md->hp.n_ctx);
    }
    if (p->n_threads > N_THREADS_MAX) {
        return status_fail(err, GPT2C_E_ARG, "session: %" PRId32 " threads, at most %d",
                           p->n_threads, N_THREADS_MAX);
    }
    p->n_seq = p->n_seq > 0 ? p->n_seq : 1;
    p->n_ctx = p->n_ctx > 0 ? p->n_ctx : md->hp.n_ctx;
    p->n_logits = p->n_logits > 0 ? p->n_logits : p->n_seq;
    p->n_threads = p->n_threads > 0 ? p->n_threads : gpt2c_cpu_threads();
    p->n_threads = gpt2c_has_openmp() ? min_i32(p->n_threads, N_THREADS_MAX) : 1;
    p->n_batch = p->n_batch > 0 ? p->n_batch : N_BATCH_DEFAULT;
    const int64_t most = (int64_t)p->n_seq * p->n_ctx; /* more rows than there can be */
    p->n_batch = p->n_batch < most ? p->n_batch : (int32_t)most;
    return GPT2C_OK;
}

size_t gpt2c_session_bytes(const gpt2c_model *model, const gpt2c_session_params *params)
{
    struct gpt2c_session s = {.model = model};
    s.params = params ? *params : gpt2c_session_default_params();
    if (params_resolve(&s.params, model, NULL)) {
        return SIZE_MAX;
    }
    session_layout(&s);
    size_t n_bytes;
    size_add(s.arena.used, sizeof s, &n_bytes);
    return n_bytes;
}

gpt2c_status gpt2c_session_create(gpt2c_session **out, const gpt2c_model *model,
                                  const gpt2c_session_params *params, gpt2c_error *err)
{
    *out = NULL;
    gpt2c_session_params resolved = params ? *params : gpt2c_session_default_params();
    const gpt2c_status status = params_resolve(&resolved, model, err);
    if (status) {
        return status;
    }
    struct gpt2c_session *s = calloc(1, sizeof *s);
    if (!s) {
        return status_fail(err, GPT2C_E_NOMEM, "session: cannot allocate %zu bytes", sizeof *s);
    }
    s->model = model;
    s->params = resolved;
    session_layout(s);
    const gpt2c_status allocated = arena_allocate(&s->arena, "session", err);
    if (allocated) {
        gpt2c_session_free(&s);
        return allocated;
    }
    session_layout(s);
    *out = s;
    return GPT2C_OK;
}

void gpt2c_session_free(gpt2c_session **session)
{
    if (session && *session) {
        arena_free(&(*session)->arena);
        free(*session);
        *session = NULL;
    }
}

const gpt2c_model *gpt2c_session_model(const gpt2c_session *session)
{
    return session->model;
}

int32_t gpt2c_session_threads(const gpt2c_session *session)
{
    return session->params.n_threads;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static gpt2c_status sequence_check(const struct gpt2c_session *s, int32_t seq, gpt2c_error *err)
{
    if (seq < 0 || seq >= s->params.n_seq) {
        return status_fail(err, GPT2C_E_ARG, "sequence %" PRId32 ", the session has %" PRId32, seq,
                           s->params.n_seq);
    }
    return GPT2C_OK;
}

static gpt2c_status span_check(struct gpt2c_session *s, const gpt2c_span *span, gpt2c_error *err)
{
    const gpt2c_status status = sequence_check(s, span->seq, err);
    if (status) {
        return status;
    }
    if (s->seen[span->seq]) {
        return status_fail(err, GPT2C_E_ARG, "sequence %" PRId32 " occurs twice in one batch",
                           span->seq);
    }
    s->seen[span->seq] = true;
    if (span->n_tok < 1 || !span->tok || span->n_logits < 0 || span->n_logits > span->n_tok) {
        return status_fail(err, GPT2C_E_ARG,
                           "sequence %" PRId32 ": %" PRId32 " tokens with %" PRId32
                           " rows of logits: at least one token, and no more logits than tokens",
                           span->seq, span->n_tok, span->n_logits);
    }
    if (span->n_tok > s->params.n_ctx - s->pos[span->seq]) {
        return status_fail(err, GPT2C_E_CONTEXT,
                           "sequence %" PRId32 ": %" PRId32 " positions in use and %" PRId32
                           " new tokens exceed the context of %" PRId32,
                           span->seq, s->pos[span->seq], span->n_tok, s->params.n_ctx);
    }
    for (int32_t it = 0; it < span->n_tok; it++) {
        if (span->tok[it] < 0 || span->tok[it] >= s->model->hp.n_vocab) {
            return status_fail(err, GPT2C_E_ARG,
                               "token id %" PRId32 " at position %" PRId32
                               ": the vocabulary has %" PRId32,
                               span->tok[it], s->pos[span->seq] + it, s->model->hp.n_vocab);
        }
    }
    return GPT2C_OK;
}

struct evaluation {
    struct gpt2c_session *s;
    struct forward f;
    const gpt2c_span *todo; /* [n_todo] */
    int32_t n_todo;
    int32_t i_span, i_tok; /* where the next pass begins          */
    int32_t n_pass;        /* rows of a pass                      */
    int32_t n_out;         /* rows of logits of the passes so far */
    bool more;             /* there is a pass to make             */
};

/* Checks the spans; finds the number of rows a pass should have. Equal passes are better than a
 * full one and a short one, as each reads all weights. */
static gpt2c_status evaluation_check(struct evaluation *e, gpt2c_error *err)
{
    struct gpt2c_session *s = e->s;
    int64_t n_rows = 0;
    int64_t n_out = 0;
    memset(s->seen, 0, (size_t)s->params.n_seq * sizeof *s->seen);
    for (int32_t i = 0; i < e->n_todo; i++) {
        const gpt2c_status status = span_check(s, &e->todo[i], err);
        if (status) {
            return status;
        }
        n_rows += e->todo[i].n_tok;
        n_out += e->todo[i].n_logits;
    }
    if (n_out > s->params.n_logits) {
        return status_fail(err, GPT2C_E_ARG,
                           "%" PRId64 " rows of logits asked for, the session keeps %" PRId32,
                           n_out, s->params.n_logits);
    }
    const int64_t n_passes = (n_rows + s->params.n_batch - 1) / s->params.n_batch;
    const int64_t even = n_passes > 0 ? (n_rows + n_passes - 1) / n_passes : 0;
    const int64_t grained = (even + CUT_GRAIN - 1) / CUT_GRAIN * CUT_GRAIN;
    e->n_pass = grained < s->params.n_batch ? (int32_t)grained : s->params.n_batch;
    return GPT2C_OK;
}

/* The rows of the next pass into f->rows and f->outs; false when all is done. */
static bool evaluation_next(struct evaluation *e)
{
    struct forward *f = &e->f;
    f->out_row = e->n_out;
    f->rows.n_spans = 0;
    f->rows.n_rows = 0;
    f->outs.n_spans = 0;
    f->outs.n_rows = 0;
    while (e->i_span < e->n_todo && f->rows.n_rows < e->n_pass) {
        const gpt2c_span *todo = &e->todo[e->i_span];
        const int32_t n = min_i32(todo->n_tok - e->i_tok, e->n_pass - f->rows.n_rows);
        const int32_t end = e->i_tok + n;
        const int32_t n_out = end - max_i32(e->i_tok, min_i32(end, todo->n_tok - todo->n_logits));
        const int32_t pos = e->s->pos[todo->seq] + e->i_tok;
        f->rows.spans[f->rows.n_spans++] = (struct span){.seq = todo->seq,
                                                         .pos = pos,
                                                         .row = f->rows.n_rows,
                                                         .n_tok = n,
                                                         .n_out = n_out,
                                                         .tok = todo->tok + e->i_tok};
        if (n_out > 0) {
            f->outs.spans[f->outs.n_spans++] = (struct span){.seq = todo->seq,
                                                             .pos = pos + n - n_out,
                                                             .row = f->outs.n_rows,
                                                             .n_tok = n_out,
                                                             .n_out = n_out};
        }
        f->rows.n_rows += n;
        f->outs.n_rows += n_out;
        e->i_tok = end < todo->n_tok ? end : 0;
        e->i_span += end == todo->n_tok;
    }
    e->n_out += f->outs.n_rows;
    return f->rows.n_rows > 0;
}

static struct ops member_ops(const struct gpt2c_session *s, struct forward *f, struct team *tm,
                             int32_t member)
{
    return (struct ops){.tm = tm,
                        .member = member,
                        .kern = s->model->kern,
                        .dtype = s->model->dtype,
                        .work = f->work};
}

static void evaluation_run(struct team *tm, int32_t member, void *arg)
{
    struct evaluation *e = arg;
    const struct ops o = member_ops(e->s, &e->f, tm, member);
    for (;;) {
        if (member == 0) {
            e->more = evaluation_next(e);
        }
        team_barrier(tm);
        if (!e->more) {
            return;
        }
        forward_pass(&e->f, &o);
        if (e->f.stop) {
            return;
        }
    }
}

static struct forward session_forward(struct gpt2c_session *s)
{
    atomic_store(&s->work.first_fault, OPS_NO_FAULT);
    return (struct forward){
        .model = s->model,
        .kv = &s->kv,
        .a = &s->act,
        .work = &s->work,
        .tap = s->tap,
        .cancel = s->cancel,
        .cancel_user = s->cancel_user,
        .rows.spans = s->spans,
        .outs.spans = s->outs,
    };
}

gpt2c_status gpt2c_session_eval_batch(gpt2c_session *session, const gpt2c_span *spans,
                                      int32_t n_spans, gpt2c_error *err)
{
    struct gpt2c_session *s = session;
    struct evaluation e = {.s = s, .f = session_forward(s), .todo = spans, .n_todo = n_spans};
    s->n_logits = 0;
    const gpt2c_status status = evaluation_check(&e, err);
    if (status) {
        return status;
    }
    team_run(s->params.n_threads, evaluation_run, &e);
    if (atomic_load(&s->work.first_fault) != OPS_NO_FAULT) {
        char text[160];
        forward_fault_text(&e.f, text, sizeof text);
        return status_fail(err, GPT2C_E_NUMERIC, "%s", text);
    }
    if (e.f.cancelled) {
        return status_fail(err, GPT2C_E_CANCELLED, "cancelled by the caller");
    }
    for (int32_t i = 0; i < n_spans; i++) {
        s->pos[spans[i].seq] += spans[i].n_tok;
    }
    s->n_logits = e.n_out;
    return GPT2C_OK;
}

gpt2c_status gpt2c_session_eval(gpt2c_session *session, const gpt2c_token *tok, int32_t n_tok,
                                gpt2c_error *err)
{
    const gpt2c_span span = {.seq = 0, .tok = tok, .n_tok = n_tok, .n_logits = 1};
    return gpt2c_session_eval_batch(session, &span, 1, err);
}

struct unembedding {
    struct gpt2c_session *s;
    struct forward f;
    const float *x; /* [n_rows][n_embd] */
    int32_t n_rows;
    bool norm;
};

static void unembedding_run(struct team *tm, int32_t member, void *arg)
{
    struct unembedding *u = arg;
    const struct gpt2c_session *s = u->s;
    const struct ops o = member_ops(s, &u->f, tm, member);
    const size_t n_embd = (size_t)s->model->hp.n_embd;
    for (int32_t r = 0; r < u->n_rows; r += s->params.n_batch) {
        if (member == 0) {
            const int32_t n = min_i32(u->n_rows - r, s->params.n_batch);
            for (int32_t i = 0; i < n; i++) {
                memcpy(buffer_row(s->act.x, i), u->x + (size_t)(r + i) * n_embd,
                       n_embd * sizeof *u->x);
            }
            s->spans[0] = (struct span){.pos = r, .n_tok = n};
            u->f.rows.n_spans = 1;
            u->f.rows.n_rows = n;
            u->f.out_row = r;
        }
        team_barrier(tm);
        forward_unembed(&u->f, &o, &u->f.rows, u->norm);
    }
}

gpt2c_status gpt2c_session_unembed(gpt2c_session *session, const float *x, int32_t n_rows,
                                   bool norm, gpt2c_error *err)
{
    struct gpt2c_session *s = session;
    s->n_logits = 0;
    if (n_rows < 0 || n_rows > s->params.n_logits) {
        return status_fail(err, GPT2C_E_ARG,
                           "%" PRId32 " rows of logits asked for, the session keeps %" PRId32,
                           n_rows, s->params.n_logits);
    }
    struct unembedding u = {
        .s = s, .f = session_forward(s), .x = x, .n_rows = n_rows, .norm = norm};
    team_run(s->params.n_threads, unembedding_run, &u);
    if (atomic_load(&s->work.first_fault) != OPS_NO_FAULT) {
        return status_fail(err, GPT2C_E_NUMERIC, "row %" PRId32 " gives logits that are not finite",
                           ops_fault(&s->work).pos);
    }
    s->n_logits = n_rows;
    return GPT2C_OK;
}

/* ---- state ----------------------------------------------------------------------------------- */

float *gpt2c_session_logits(gpt2c_session *session, int32_t row)
{
    return row >= 0 && row < session->n_logits ? buffer_row(session->act.logits, row) : NULL;
}

int32_t gpt2c_session_pos(const gpt2c_session *session, int32_t seq)
{
    return seq >= 0 && seq < session->params.n_seq ? session->pos[seq] : 0;
}

gpt2c_status gpt2c_session_rewind(gpt2c_session *session, int32_t seq, int32_t pos,
                                  gpt2c_error *err)
{
    const gpt2c_status status = sequence_check(session, seq, err);
    if (status) {
        return status;
    }
    if (pos < 0 || pos > session->pos[seq]) {
        return status_fail(err, GPT2C_E_ARG,
                           "cannot go back to position %" PRId32 ", sequence %" PRId32
                           " has %" PRId32,
                           pos, seq, session->pos[seq]);
    }
    session->pos[seq] = pos;
    session->n_logits = 0;
    return GPT2C_OK;
}

gpt2c_status gpt2c_session_copy(gpt2c_session *session, int32_t src, int32_t dst, gpt2c_error *err)
{
    gpt2c_status status = sequence_check(session, src, err);
    if (!status) {
        status = sequence_check(session, dst, err);
    }
    if (status) {
        return status;
    }
    if (src != dst) {
        kvcache_copy(&session->kv, src, dst, session->pos[src]);
        session->pos[dst] = session->pos[src];
    }
    session->n_logits = 0;
    return GPT2C_OK;
}

void gpt2c_session_set_cancel(gpt2c_session *session, gpt2c_cancel_fn fn, void *user)
{
    session->cancel = fn;
    session->cancel_user = user;
}

void gpt2c_session_set_tap(gpt2c_session *session, uint32_t what, gpt2c_tap_fn fn, void *user)
{
    session->tap = (struct tap){.what = fn ? what : 0, .fn = fn, .user = user};
}
