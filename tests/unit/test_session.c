/* Sessions on a tiny model: against the naive forward pass, and against themselves. */
#include "check.h"
#include "team.h"
#include "tiny_model.h"

#define BOUND 2e-5 /* of values that are about 1 to 10 */
#define N_TOK 77   /* more than two blocks of attention, no multiple of anything */

static gpt2c_token tok[TINY_CTX];
static struct tiny_model *tiny;
static struct tiny_trace *truth;

/* ---- allocations: the linker sends the library's calls here -----------------------------------
 */

static long n_alloc;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
    n_alloc++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_alloc++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_alloc++;
    return __real_realloc(p, n);
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    n_alloc++;
    return __real_posix_memalign(p, align, n);
}

/* ---- helpers -----------------------------------------------------------------------------------
 */

static gpt2c_session *session_of(const struct tiny_model *t, gpt2c_session_params params)
{
    gpt2c_error err = {0};
    gpt2c_session *s = NULL;
    CHECK_INT(gpt2c_session_create(&s, &t->md, &params, &err), GPT2C_OK);
    return s;
}

static void check_logits(gpt2c_session *s, int32_t row, int32_t it)
{
    const float *logits = gpt2c_session_logits(s, row);
    double worst = 0;
    if (!CHECK(logits != NULL)) {
        return;
    }
    for (int i = 0; i < TINY_VOCAB; i++) {
        worst = fmax(worst, fabs(logits[i] - truth->logits[it][i]));
    }
    CHECK_NEAR(worst, 0, BOUND);
}

static void check_same(const float *found, const float *expected)
{
    CHECK(found && expected && memcmp(found, expected, TINY_VOCAB * sizeof *found) == 0);
}

/* ---- cases -------------------------------------------------------------------------------------
 */

static void prompt_equals_naive_forward(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_logits = N_TOK});
    const gpt2c_span span = {.tok = tok, .n_tok = N_TOK, .n_logits = N_TOK};
    CHECK_INT(gpt2c_session_eval_batch(s, &span, 1, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_pos(s, 0), N_TOK);
    for (int32_t it = 0; it < N_TOK; it++) {
        check_logits(s, it, it);
    }
    CHECK(gpt2c_session_logits(s, N_TOK) == NULL);
    CHECK(gpt2c_session_logits(s, -1) == NULL);
    gpt2c_session_free(&s);
    CHECK(s == NULL);
}

static void pieces_equal_prompt(void)
{
    const int32_t batches[] = {1, 7, 32, 40, 512};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_batch = batches[i]});
        CHECK_INT(gpt2c_session_eval(s, tok, 5, NULL), GPT2C_OK);
        check_logits(s, 0, 4);
        CHECK_INT(gpt2c_session_eval(s, tok + 5, 50, NULL), GPT2C_OK);
        check_logits(s, 0, 54);
        for (int32_t it = 55; it < N_TOK; it++) {
            CHECK_INT(gpt2c_session_eval(s, tok + it, 1, NULL), GPT2C_OK);
            check_logits(s, 0, it);
        }
        gpt2c_session_free(&s);
    }
}

/* Rows of logits asked for across passes come out in order. */
static void logits_of_last_rows(void)
{
    gpt2c_session *s =
        session_of(tiny, (gpt2c_session_params){.n_seq = 3, .n_batch = 16, .n_logits = 60});
    const gpt2c_span spans[] = {
        {.seq = 2, .tok = tok, .n_tok = 40, .n_logits = 33},
        {.seq = 0, .tok = tok, .n_tok = 9, .n_logits = 0},
        {.seq = 1, .tok = tok, .n_tok = 30, .n_logits = 20},
    };
    CHECK_INT(gpt2c_session_eval_batch(s, spans, 3, NULL), GPT2C_OK);
    for (int32_t i = 0; i < 33; i++) {
        check_logits(s, i, 7 + i);
    }
    for (int32_t i = 0; i < 20; i++) {
        check_logits(s, 33 + i, 10 + i);
    }
    CHECK(gpt2c_session_logits(s, 53) == NULL);
    CHECK_INT(gpt2c_session_pos(s, 0), 9);
    CHECK_INT(gpt2c_session_pos(s, 1), 30);
    CHECK_INT(gpt2c_session_pos(s, 2), 40);
    gpt2c_session_free(&s);
}

/* 32 sequences of different lengths, then 4 with 8 rows each: bitwise what each is alone. */
static void rows_in_company_equal_alone(void)
{
    enum { N_SEQ = 32, N_DRAFT = 8 };
    gpt2c_session *all = session_of(tiny, (gpt2c_session_params){.n_seq = N_SEQ, .n_logits = 32});
    gpt2c_session *one = session_of(tiny, (gpt2c_session_params){.n_logits = 1});
    gpt2c_span spans[N_SEQ];
    for (int32_t i = 0; i < N_SEQ; i++) {
        const gpt2c_span start = {.seq = i, .tok = tok + i, .n_tok = 1 + i, .n_logits = 0};
        CHECK_INT(gpt2c_session_eval_batch(all, &start, 1, NULL), GPT2C_OK);
        spans[i] = (gpt2c_span){.seq = i, .tok = tok + 2 * i, .n_tok = 1, .n_logits = 1};
    }
    CHECK_INT(gpt2c_session_eval_batch(all, spans, N_SEQ, NULL), GPT2C_OK);
    for (int32_t i = 0; i < N_SEQ; i++) {
        CHECK_INT(gpt2c_session_rewind(one, 0, 0, NULL), GPT2C_OK);
        const gpt2c_span start = {.tok = tok + i, .n_tok = 1 + i, .n_logits = 0};
        CHECK_INT(gpt2c_session_eval_batch(one, &start, 1, NULL), GPT2C_OK);
        CHECK_INT(gpt2c_session_eval(one, tok + 2 * i, 1, NULL), GPT2C_OK);
        check_same(gpt2c_session_logits(all, i), gpt2c_session_logits(one, 0));
    }
    for (int32_t i = 0; i < 4; i++) {
        spans[i] =
            (gpt2c_span){.seq = 7 * i + 3, .tok = tok + 3, .n_tok = N_DRAFT, .n_logits = N_DRAFT};
    }
    CHECK_INT(gpt2c_session_eval_batch(all, spans, 4, NULL), GPT2C_OK);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t seq = spans[i].seq;
        CHECK_INT(gpt2c_session_rewind(one, 0, 0, NULL), GPT2C_OK);
        const gpt2c_span start = {.tok = tok + seq, .n_tok = 1 + seq, .n_logits = 0};
        CHECK_INT(gpt2c_session_eval_batch(one, &start, 1, NULL), GPT2C_OK);
        CHECK_INT(gpt2c_session_eval(one, tok + 2 * seq, 1, NULL), GPT2C_OK);
        for (int32_t it = 0; it < N_DRAFT; it++) {
            CHECK_INT(gpt2c_session_eval(one, tok + 3 + it, 1, NULL), GPT2C_OK);
            check_same(gpt2c_session_logits(all, i * N_DRAFT + it), gpt2c_session_logits(one, 0));
        }
    }
    gpt2c_session_free(&all);
    gpt2c_session_free(&one);
}

static void threads_give_the_same_bits(void)
{
    const int32_t threads[] = {1, 2, 3, 5};
    float first[2][TINY_VOCAB];
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_threads = threads[i]});
        CHECK_INT(gpt2c_session_threads(s), gpt2c_has_openmp() ? threads[i] : 1);
        for (int32_t step = 0; step < 2; step++) {
            const int32_t n = step == 0 ? N_TOK - 1 : 1;
            CHECK_INT(gpt2c_session_eval(s, tok + step * (N_TOK - 1), n, NULL), GPT2C_OK);
            if (i == 0) {
                memcpy(first[step], gpt2c_session_logits(s, 0), sizeof first[step]);
            }
            check_same(gpt2c_session_logits(s, 0), first[step]);
        }
        gpt2c_session_free(&s);
    }
}

static void eval_in_team(struct team *tm, int32_t member, void *arg)
{
    gpt2c_session **sessions = arg;
    (void)tm;
    gpt2c_session_eval(sessions[member], tok, N_TOK, NULL);
}

/* Sessions of one model at the same time, inside a parallel region of the caller. */
static void sessions_run_side_by_side(void)
{
    gpt2c_session *s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = session_of(tiny, (gpt2c_session_params){.n_threads = 2});
    }
    team_run(3, eval_in_team, s);
    check_logits(s[0], 0, N_TOK - 1);
    for (int i = 0; i < 3; i++) {
        if (gpt2c_session_pos(s[i], 0) > 0) { /* the runtime may grant fewer members */
            check_same(gpt2c_session_logits(s[i], 0), gpt2c_session_logits(s[0], 0));
        }
    }
    for (int i = 0; i < 3; i++) {
        gpt2c_session_free(&s[i]);
    }
}

static void rewind_and_copy_are_exact(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_seq = 2});
    float expected[TINY_VOCAB];
    CHECK_INT(gpt2c_session_eval(s, tok, 41, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_copy(s, 0, 1, NULL), GPT2C_OK);
    CHECK(gpt2c_session_logits(s, 0) == NULL);
    CHECK_INT(gpt2c_session_eval(s, tok + 41, 1, NULL), GPT2C_OK);
    memcpy(expected, gpt2c_session_logits(s, 0), sizeof expected);
    CHECK_INT(gpt2c_session_eval(s, tok + 3, 30, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_rewind(s, 0, 41, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_pos(s, 0), 41);
    CHECK_INT(gpt2c_session_eval(s, tok + 41, 1, NULL), GPT2C_OK);
    check_same(gpt2c_session_logits(s, 0), expected);
    const gpt2c_span copy = {.seq = 1, .tok = tok + 41, .n_tok = 1, .n_logits = 1};
    CHECK_INT(gpt2c_session_eval_batch(s, &copy, 1, NULL), GPT2C_OK);
    check_same(gpt2c_session_logits(s, 0), expected);
    CHECK_INT(gpt2c_session_rewind(s, 0, 43, NULL), GPT2C_E_ARG);
    CHECK_INT(gpt2c_session_rewind(s, 2, 0, NULL), GPT2C_E_ARG);
    CHECK_INT(gpt2c_session_copy(s, 0, 2, NULL), GPT2C_E_ARG);
    gpt2c_session_free(&s);
}

static void wrong_arguments_are_refused(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_seq = 2, .n_ctx = 20});
    gpt2c_error err = {0};
    const gpt2c_token bad[] = {3, TINY_VOCAB};
    CHECK_INT(gpt2c_session_eval(s, bad, 2, &err), GPT2C_E_ARG);
    CHECK_HAS(err.msg, "131");
    CHECK_INT(gpt2c_session_eval(s, tok, 15, &err), GPT2C_OK);
    CHECK_INT(gpt2c_session_eval(s, tok, 6, &err), GPT2C_E_CONTEXT);
    CHECK_HAS(err.msg, "15 positions");
    CHECK_HAS(err.msg, "context of 20");
    CHECK(gpt2c_session_logits(s, 0) == NULL);
    CHECK_INT(gpt2c_session_pos(s, 0), 15);
    CHECK_INT(gpt2c_session_eval(s, tok, 5, &err), GPT2C_OK);
    CHECK_INT(gpt2c_session_eval(s, tok, 0, &err), GPT2C_E_ARG);
    const gpt2c_span twice[] = {{.seq = 1, .tok = tok, .n_tok = 1},
                                {.seq = 1, .tok = tok, .n_tok = 1}};
    CHECK_INT(gpt2c_session_eval_batch(s, twice, 2, &err), GPT2C_E_ARG);
    const gpt2c_span many = {.seq = 1, .tok = tok, .n_tok = 9, .n_logits = 9};
    CHECK_INT(gpt2c_session_eval_batch(s, &many, 1, &err), GPT2C_E_ARG);
    CHECK_HAS(err.msg, "9 rows");
    const gpt2c_span nowhere = {.seq = 2, .tok = tok, .n_tok = 1};
    CHECK_INT(gpt2c_session_eval_batch(s, &nowhere, 1, &err), GPT2C_E_ARG);
    gpt2c_session_free(&s);
    const gpt2c_session_params deep = {.n_ctx = TINY_CTX + 1};
    CHECK_INT(gpt2c_session_create(&s, &tiny->md, &deep, &err), GPT2C_E_CONTEXT);
    CHECK(s == NULL);
    const gpt2c_session_params huge = {.n_seq = INT32_MAX, .n_logits = INT32_MAX};
    CHECK_INT(gpt2c_session_create(&s, &tiny->md, &huge, &err), GPT2C_E_NOMEM);
    gpt2c_session_free(NULL);
}

static void nothing_is_allocated_after_create(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_seq = 2, .n_threads = 2});
    const long before = n_alloc;
    CHECK(before > 0);
    CHECK_INT(gpt2c_session_eval(s, tok, N_TOK - 1, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_copy(s, 0, 1, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_eval(s, tok, 1, NULL), GPT2C_OK);
    CHECK_INT(gpt2c_session_rewind(s, 0, 3, NULL), GPT2C_OK);
    CHECK_INT(n_alloc, before);
    gpt2c_session_free(&s);
}

static int cancel_at_third(void *user)
{
    int *n_asked = user;
    return ++*n_asked == 3;
}

static void cancel_leaves_the_position(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_threads = 2});
    int n_asked = 0;
    CHECK_INT(gpt2c_session_eval(s, tok, 4, NULL), GPT2C_OK);
    gpt2c_session_set_cancel(s, cancel_at_third, &n_asked);
    CHECK_INT(gpt2c_session_eval(s, tok + 4, 20, NULL), GPT2C_E_CANCELLED);
    CHECK_INT(n_asked, 3);
    CHECK_INT(gpt2c_session_pos(s, 0), 4);
    gpt2c_session_set_cancel(s, NULL, NULL);
    CHECK_INT(gpt2c_session_eval(s, tok + 4, 20, NULL), GPT2C_OK);
    check_logits(s, 0, 23);
    gpt2c_session_free(&s);
}

/* A weight that is not a number is reported where it is met. */
static void faults_name_their_place(void)
{
    struct tiny_model *t = tiny_create(tiny->md.kern->tier);
    const float *const places[] = {
        (const float *)t->md.wte.w + tok[5] * TINY_EMBD, (const float *)t->h[1].c_attn.w + 17,
        (const float *)t->h[1].c_attn.w + 170,           (const float *)t->h[2].c_fc.w + 99,
        (const float *)t->h[0].mlp_c_proj.w + 99,        t->md.ln_f.w + 3,
    };
    const char *const words[] = {
        "the embedding",      "the attention of layer 1", "the attention of layer 1",
        "the MLP of layer 2", "the MLP of layer 0",       "the head"};
    const float bad[] = {NAN, INFINITY};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (size_t j = 0; j < 2; j++) {
            float *const place = t->pool + (places[i] - t->pool);
            const float kept = *place;
            gpt2c_error err = {0};
            gpt2c_session *s = session_of(t, (gpt2c_session_params){.n_batch = 16, .n_threads = 2});
            *place = bad[j];
            CHECK_INT(gpt2c_session_eval(s, tok, 40, &err), GPT2C_E_NUMERIC);
            CHECK_HAS(err.msg, words[i]);
            CHECK_INT(gpt2c_session_pos(s, 0), 0);
            *place = kept;
            CHECK_INT(gpt2c_session_eval(s, tok, 40, &err), GPT2C_OK);
            check_logits(s, 0, 39);
            gpt2c_session_free(&s);
        }
    }
    tiny_free(t);
}

/* ---- taps --------------------------------------------------------------------------------------
 */

struct tapped {
    double worst;
    long n_values;
    long n_blocks;
    int stop_at; /* block at which to refuse; 0: never */
};

static double true_value(const gpt2c_activation *a, int32_t it, int32_t i)
{
    const int il = a->layer;
    const int d = a->head * TINY_D_HEAD + i;
    switch (a->what) {
    case GPT2C_HIDDEN:
        return truth->hidden[il][it][i];
    case GPT2C_ATTN:
        return truth->attn[il][a->head][it][i];
    case GPT2C_SCORES:
        return truth->scores[il][a->head][it][i];
    case GPT2C_Q:
        return truth->qkv[il][it][d];
    case GPT2C_K:
        return truth->qkv[il][it][TINY_EMBD + d];
    case GPT2C_V:
        return truth->qkv[il][it][2 * TINY_EMBD + d];
    case GPT2C_Z:
        return truth->z[il][it][d];
    case GPT2C_MLP_POST:
        return truth->mlp_post[il][it][i];
    case GPT2C_MLP_OUT:
        return truth->mlp_out[il][it][i];
    case GPT2C_LOGITS:
        return truth->logits[it][i];
    }
    return NAN;
}

static int look(void *user, const gpt2c_activation *a)
{
    struct tapped *t = user;
    for (int32_t r = 0; r < a->n_rows; r++) {
        for (int32_t i = 0; i < a->n_cols; i++) {
            const double found = a->data[(size_t)r * a->ld + (size_t)i];
            const double expected = true_value(a, a->pos + r, i);
            const bool above = (a->what == GPT2C_ATTN || a->what == GPT2C_SCORES) && i > a->pos + r;
            if (above ? found != expected : !(fabs(found - expected) <= t->worst)) {
                t->worst = above ? INFINITY : fabs(found - expected);
            }
            t->n_values++;
        }
    }
    t->n_blocks++;
    return t->n_blocks == t->stop_at;
}

static void taps_equal_naive_forward(void)
{
    static const struct {
        gpt2c_what what;
        long n_values; /* 0: depends on the blocks */
    } cases[] = {
        {GPT2C_HIDDEN, (TINY_LAYERS + 1) * N_TOK * TINY_EMBD},
        {GPT2C_ATTN, 0},
        {GPT2C_SCORES, 0},
        {GPT2C_Q, TINY_LAYERS * N_TOK * TINY_EMBD},
        {GPT2C_K, TINY_LAYERS * N_TOK * TINY_EMBD},
        {GPT2C_V, TINY_LAYERS * N_TOK * TINY_EMBD},
        {GPT2C_Z, TINY_LAYERS * N_TOK * TINY_EMBD},
        {GPT2C_MLP_POST, TINY_LAYERS * N_TOK * TINY_FF},
        {GPT2C_MLP_OUT, TINY_LAYERS * N_TOK * TINY_EMBD},
        {GPT2C_LOGITS, N_TOK * TINY_VOCAB},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const int32_t n_batch = i % 2 ? 1 : 512;
        gpt2c_session *s =
            session_of(tiny, (gpt2c_session_params){.n_batch = n_batch, .n_threads = 2});
        struct tapped t = {0};
        gpt2c_session_set_tap(s, cases[i / 2].what, look, &t);
        CHECK_INT(gpt2c_session_eval(s, tok, N_TOK, NULL), GPT2C_OK);
        check_logits(s, 0, N_TOK - 1);
        CHECK_NEAR(t.worst, 0, BOUND);
        CHECK(t.n_values > 0);
        if (cases[i / 2].n_values > 0) {
            CHECK_INT(t.n_values, cases[i / 2].n_values);
        }
        gpt2c_session_set_tap(s, 0, look, &t);
        const long before = t.n_blocks;
        CHECK_INT(gpt2c_session_eval(s, tok, 1, NULL), GPT2C_OK);
        CHECK_INT(t.n_blocks, before);
        gpt2c_session_free(&s);
    }
}

static void tap_can_refuse(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_threads = 2});
    struct tapped t = {.stop_at = 5};
    gpt2c_session_set_tap(s, GPT2C_ATTN | GPT2C_HIDDEN, look, &t);
    CHECK_INT(gpt2c_session_eval(s, tok, N_TOK, NULL), GPT2C_E_CANCELLED);
    CHECK_INT(t.n_blocks, 5);
    CHECK_INT(gpt2c_session_pos(s, 0), 0);
    gpt2c_session_free(&s);
}

static void unembed_is_the_head(void)
{
    gpt2c_session *s = session_of(tiny, (gpt2c_session_params){.n_logits = 6, .n_batch = 4});
    float x[6 * TINY_EMBD];
    for (int i = 0; i < 6 * TINY_EMBD; i++) {
        x[i] = (float)truth->hidden[TINY_LAYERS][i / TINY_EMBD][i % TINY_EMBD];
    }
    CHECK_INT(gpt2c_session_unembed(s, x, 6, false, NULL), GPT2C_OK);
    for (int32_t r = 0; r < 6; r++) {
        check_logits(s, r, r);
    }
    CHECK_INT(gpt2c_session_unembed(s, x, 6, true, NULL), GPT2C_OK);
    double xn[TINY_EMBD];
    double expected[TINY_VOCAB];
    tiny_norm_apply(xn, truth->hidden[TINY_LAYERS][5], &tiny->md.ln_f);
    tiny_linear(expected, xn, &tiny->md.head);
    for (int i = 0; i < TINY_VOCAB; i++) {
        CHECK_NEAR(gpt2c_session_logits(s, 5)[i], expected[i], BOUND);
    }
    CHECK_INT(gpt2c_session_unembed(s, x, 7, true, NULL), GPT2C_E_ARG);
    x[TINY_EMBD] = NAN;
    gpt2c_error err = {0};
    CHECK_INT(gpt2c_session_unembed(s, x, 6, true, &err), GPT2C_E_NUMERIC);
    CHECK_HAS(err.msg, "row 1");
    CHECK_INT(gpt2c_session_pos(s, 0), 0);
    gpt2c_session_free(&s);
}

static void run_all(gpt2c_cpu tier)
{
    fprintf(stderr, "%s\n", gpt2c_cpu_name(tier));
    tiny = tiny_create(tier);
    truth = tiny_forward(&tiny->md, tok, N_TOK);
    prompt_equals_naive_forward();
    pieces_equal_prompt();
    logits_of_last_rows();
    rows_in_company_equal_alone();
    threads_give_the_same_bits();
    sessions_run_side_by_side();
    rewind_and_copy_are_exact();
    wrong_arguments_are_refused();
    nothing_is_allocated_after_create();
    cancel_leaves_the_position();
    faults_name_their_place();
    taps_equal_naive_forward();
    tap_can_refuse();
    unembed_is_the_head();
    tiny_free(tiny);
    free(truth);
}

int main(void)
{
    for (int i = 0; i < TINY_CTX; i++) {
        tok[i] = (gpt2c_token)((37 * i + i * i / 5) % TINY_VOCAB);
    }
    for (gpt2c_cpu tier = GPT2C_CPU_REF; tier <= gpt2c_cpu_best(); tier++) {
        if (kernels_select(tier)->tier == tier) {
            run_all(tier);
        }
    }
    return check_result();
}
