/* gpt2c_encoder: a text that arrives in parts. What a later byte may change is kept until it has
 * come; the rest is encoded where it lies in the caller's memory. A large part is cut at places
 * where a piece begins whatever stands before, and the cuts are encoded by several threads. */
#include "encode.h"
#include "status.h"
#include "team.h"

#include <stdlib.h>
#include <string.h>

/* What one thread encodes between two looks for more work. */
#define TASK_BYTES ((size_t)256 << 10)
/* What is encoded before the ids are handed on: bounds the memory that they take. */
enum { TASKS_PER_THREAD = 4 };
#define PARALLEL_MIN_BYTES ((size_t)1 << 20)
#define ENOUGH_BYTES ((size_t)4 << 10)

struct task {
    const unsigned char *text;
    size_t n_bytes;
    gpt2c_token *tok; /* [n_bytes] */
    size_t n_tok;
    uint64_t pos; /* bytes of the text before */
    gpt2c_status status;
    gpt2c_error err;
};

struct gpt2c_encoder {
    const gpt2c_tokenizer *tokenizer;
    gpt2c_special special;
    gpt2c_tokens_fn fn;
    void *user;
    struct encode *member; /* [n_threads]; 0 also encodes what is not cut */
    int32_t n_threads;
    struct task *tasks; /* [n_threads * TASKS_PER_THREAD] */
    int32_t n_tasks;
    unsigned char *kept; /* what may still change */
    size_t n_kept, cap_kept;
    size_t
        enough; /* kept bytes for the next attempt: parts of single bytes, too, take linear time */
};

void gpt2c_encoder_free(gpt2c_encoder **encoder)
{
    gpt2c_encoder *const e = encoder ? *encoder : NULL;
    if (!e) {
        return;
    }
    for (int32_t i = 0; e->member && i < e->n_threads; i++) {
        encode_free(&e->member[i]);
    }
    for (int32_t i = 0; e->tasks && i < e->n_threads * TASKS_PER_THREAD; i++) {
        free(e->tasks[i].tok);
    }
    free(e->member);
    free(e->tasks);
    free(e->kept);
    free(e);
    *encoder = NULL;
}

gpt2c_status gpt2c_encoder_create(gpt2c_encoder **out, const gpt2c_tokenizer *tokenizer,
                                  gpt2c_special special, int32_t n_threads, gpt2c_tokens_fn fn,
                                  void *user, gpt2c_error *err)
{
    if (!out || !tokenizer || !fn || n_threads < 0 || n_threads > 4096) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_encoder_create: bad argument");
    }
    gpt2c_encoder *e = calloc(1, sizeof *e);
    gpt2c_status st = GPT2C_OK;
    *out = NULL;
    if (e) {
        e->tokenizer = tokenizer;
        e->special = special;
        e->fn = fn;
        e->user = user;
        e->n_threads = n_threads > 0 ? n_threads : gpt2c_cpu_threads();
        e->member = calloc((size_t)e->n_threads, sizeof *e->member);
        e->tasks = calloc((size_t)e->n_threads * TASKS_PER_THREAD, sizeof *e->tasks);
    }
    if (!e || !e->member || !e->tasks) {
        st = status_fail(err, GPT2C_E_NOMEM, "no memory for an encoder");
    } else {
        e->enough = ENOUGH_BYTES;
        st = encode_init(&e->member[0], tokenizer, special, SIZE_MAX, err);
    }
    if (st) {
        gpt2c_encoder_free(&e);
    }
    *out = e;
    return st;
}

/* ---- several threads ------------------------------------------------------------------------- */

static bool is_graph(unsigned char c)
{
    return c > ' ' && c < 0x7f;
}

/* The first place from p where a piece begins whatever the text before: a space behind a printable
 * ASCII character. NULL: none in [p, end). */
static const unsigned char *find_cut(const unsigned char *p, const unsigned char *end)
{
    while (p < end && (p = memchr(p, ' ', (size_t)(end - p))) != NULL) {
        if (is_graph(p[-1])) {
            return p;
        }
        p++;
    }
    return NULL;
}

static bool special_has_space(const struct vocab *v)
{
    for (uint32_t i = 0; i < v->n_specials; i++) {
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(v, v->specials[i], &n);
        if (memchr(bytes, ' ', n)) {
            return true;
        }
    }
    return false;
}

static int collect_task(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct task *const task = user;
    memcpy(task->tok + task->n_tok, tok, n_tok * sizeof *tok);
    task->n_tok += n_tok;
    return 0;
}

static void run_task(void *arg, int32_t i, int32_t member)
{
    gpt2c_encoder *const e = arg;
    struct task *const task = &e->tasks[i];
    struct encode *const encode = &e->member[member];
    size_t n_used = 0;
    if (!encode->cache) {
        task->status = encode_init(encode, e->tokenizer, e->special, SIZE_MAX, &task->err);
    }
    if (!task->status) {
        encode->pos = task->pos;
        task->status = encode_text(encode, task->text, task->n_bytes, true, collect_task, task,
                                   &n_used, &task->err);
    }
}

static void run_tasks(struct team *tm, int32_t member, void *arg)
{
    gpt2c_encoder *const e = arg;
    team_for(tm, member, e->n_tasks, run_task, e);
}

/* Cuts tasks off the text until there are enough; returns where the next one would begin. */
static const unsigned char *cut_tasks(gpt2c_encoder *e, const unsigned char *p,
                                      const unsigned char *end, gpt2c_status *st, gpt2c_error *err)
{
    const unsigned char *const begin = p;
    e->n_tasks = 0;
    while (e->n_tasks < e->n_threads * TASKS_PER_THREAD && (size_t)(end - p) > TASK_BYTES) {
        struct task *const task = &e->tasks[e->n_tasks];
        const unsigned char *const cut = find_cut(p + TASK_BYTES, end);
        if (!cut || (size_t)(cut - p) > 2 * TASK_BYTES) {
            break;
        }
        if (!task->tok) {
            task->tok = malloc(2 * TASK_BYTES * sizeof *task->tok);
            if (!task->tok) {
                *st = status_fail(err, GPT2C_E_NOMEM, "no memory to encode on several threads");
                break;
            }
        }
        task->text = p;
        task->n_bytes = (size_t)(cut - p);
        task->n_tok = 0;
        task->status = GPT2C_OK;
        task->pos = e->member[0].pos + (uint64_t)(p - begin);
        e->n_tasks++;
        p = cut;
    }
    return p;
}

/* Encodes from the text's beginning what several threads can; *n_used bytes, 0 when there is no
 * place to cut nearby. */
static gpt2c_status feed_tasks(gpt2c_encoder *e, const unsigned char *text, size_t n,
                               size_t *n_used, gpt2c_error *err)
{
    gpt2c_status st = GPT2C_OK;
    const unsigned char *const stop = cut_tasks(e, text, text + n, &st, err);
    *n_used = 0;
    if (st || e->n_tasks == 0) {
        return st;
    }
    team_run(e->n_threads, run_tasks, e);
    for (int32_t i = 0; i < e->n_tasks; i++) {
        const struct task *const task = &e->tasks[i];
        if (task->status) {
            return status_fail(err, task->status, "%s", task->err.msg);
        }
        if (task->n_tok > 0 && e->fn(e->user, task->tok, task->n_tok)) {
            return status_fail(err, GPT2C_E_CANCELLED, "encoding was cancelled");
        }
    }
    *n_used = (size_t)(stop - text);
    e->member[0].pos += *n_used;
    return GPT2C_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static gpt2c_status keep(gpt2c_encoder *e, const unsigned char *text, size_t n, gpt2c_error *err)
{
    if (n > ENCODE_MAX_BLOCK - e->n_kept) {
        return status_fail(err, GPT2C_E_NOMEM,
                           "byte %llu: more than %zu MB of text without a place to cut it",
                           (unsigned long long)e->member[0].pos, ENCODE_MAX_BLOCK >> 20);
    }
    if (e->n_kept + n > e->cap_kept) {
        const size_t cap = 2 * (e->n_kept + n);
        unsigned char *const kept = realloc(e->kept, cap);
        if (!kept) {
            return status_fail(err, GPT2C_E_NOMEM, "no memory to keep %zu bytes of text", cap);
        }
        e->kept = kept;
        e->cap_kept = cap;
    }
    if (n > 0) {
        memcpy(e->kept + e->n_kept, text, n);
    }
    e->n_kept += n;
    return GPT2C_OK;
}

/* Puts the new text behind the kept one, as much as it takes until all that was kept is encoded. */
static gpt2c_status feed_kept(gpt2c_encoder *e, const unsigned char *text, size_t n, size_t *n_used,
                              gpt2c_error *err)
{
    gpt2c_status st = GPT2C_OK;
    *n_used = 0;
    while (!st && e->n_kept > 0 && *n_used < n) {
        const size_t n_old = e->n_kept;
        const size_t left = n - *n_used;
        const size_t room = e->enough > n_old ? e->enough - n_old : 1;
        const size_t n_new = left < room ? left : room;
        size_t n_done = 0;
        st = keep(e, text + *n_used, n_new, err);
        *n_used += n_new;
        if (st || e->n_kept < e->enough) {
            break;
        }
        st = encode_text(&e->member[0], e->kept, e->n_kept, false, e->fn, e->user, &n_done, err);
        if (n_done >= n_old) {
            *n_used -= e->n_kept - n_done;
            e->n_kept = 0;
        } else {
            e->n_kept -= n_done;
            memmove(e->kept, e->kept + n_done, e->n_kept);
        }
        e->enough = 2 * e->n_kept > ENOUGH_BYTES ? 2 * e->n_kept : ENOUGH_BYTES;
    }
    return st;
}

static gpt2c_status feed(gpt2c_encoder *e, const unsigned char *text, size_t n, gpt2c_error *err)
{
    struct encode *const first = &e->member[0];
    const bool parallel = e->n_threads > 1 && !special_has_space(&e->tokenizer->vocab);
    size_t n_used = 0;
    size_t part = PARALLEL_MIN_BYTES;
    gpt2c_status st = feed_kept(e, text, n, &n_used, err);
    while (!st && e->n_kept == 0 && n_used < n) {
        const size_t left = n - n_used;
        size_t n_done = 0;
        if (n_used == 0 && left < ENOUGH_BYTES) {
            break;
        }
        if (parallel && left >= PARALLEL_MIN_BYTES && !first->open) {
            st = feed_tasks(e, text + n_used, left, &n_done, err);
        }
        if (!st && n_done == 0) {
            st = encode_text(first, text + n_used, left < part ? left : part, false, e->fn, e->user,
                             &n_done, err);
            if (n_done == 0 && left <= part) {
                break;
            }
            part = n_done == 0 ? 2 * part : PARALLEL_MIN_BYTES;
        }
        n_used += n_done;
    }
    return st ? st : keep(e, text + n_used, n - n_used, err);
}

static void restart(gpt2c_encoder *e)
{
    encode_restart(&e->member[0]);
    e->n_kept = 0;
    e->enough = ENOUGH_BYTES;
}

gpt2c_status gpt2c_encoder_feed(gpt2c_encoder *encoder, const char *text, size_t text_bytes,
                                gpt2c_error *err)
{
    if (!encoder || (!text && text_bytes)) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_encoder_feed: NULL argument");
    }
    gpt2c_status st = GPT2C_OK;
    if (text_bytes > 0) {
        st = feed(encoder, (const unsigned char *)text, text_bytes, err);
    }
    if (st) {
        restart(encoder);
    }
    return st;
}

gpt2c_status gpt2c_encoder_finish(gpt2c_encoder *encoder, gpt2c_error *err)
{
    if (!encoder) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_encoder_finish: NULL argument");
    }
    size_t n_used = 0;
    const gpt2c_status st = encode_text(&encoder->member[0], encoder->kept, encoder->n_kept, true,
                                        encoder->fn, encoder->user, &n_used, err);
    restart(encoder);
    return st;
}
