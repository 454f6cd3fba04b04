/* The loop of generation: slots of a session, filled with samples as they become free; each step
 * evaluates the newest token of all of them at once, with guesses behind it when speculating. */
#include "generate.h"

#include "dist.h"
#include "sigbus.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Limits within which the library's rows are bitwise what they are alone. */
#define MOST_ROWS 32
#define MOST_ROWS_OF_SEQ 8

const char *const gen_finish_names[] = {"running", "length", "stop", "eos", "context", "time"};

struct gen_slot {                      /* a sequence of the session */
    struct gen_sample *sample;         /* NULL: free */
    const gpt2c_token *held_prompt;    /* the first positions of its cache; NULL: something else */
    gpt2c_token tok[MOST_ROWS_OF_SEQ]; /* to evaluate: the newest token, then guesses */
    int32_t n_rows;
};

/* ---- life ------------------------------------------------------------------------------------ */

int generate_open(struct generator *g, const struct cli_common *common, size_t longest,
                  size_t n_samples)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(g->model);
    const size_t needed = longest + (size_t)g->params.n_new;
    g->n_vocab = hp->n_vocab;
    g->n_ctx = needed < (size_t)hp->n_ctx ? (int32_t)needed : hp->n_ctx;
    g->n_seq = n_samples < MOST_ROWS ? (int32_t)n_samples : MOST_ROWS;
    g->eos = hp->eos >= 0 ? hp->eos : gpt2c_tokenizer_eos(g->tokenizer);
    g->params.sample.eos = g->eos;
    gpt2c_session_params params = gpt2c_session_default_params();
    params.n_seq = g->n_seq;
    params.n_ctx = g->n_ctx;
    params.n_logits = MOST_ROWS;
    params.n_threads = common->n_threads;
    while (g->n_seq > 1 &&
           (double)gpt2c_session_bytes(g->model, &params) > cli_machine_bytes() / 4) {
        g->n_seq /= 2; /* fewer at once: the same text, more slowly */
        params.n_seq = g->n_seq;
    }
    gpt2c_error err;
    if (gpt2c_sampler_create(&g->sampler, g->n_vocab, &g->params.sample, &err) ||
        gpt2c_session_create(&g->session, g->model, &params, &err)) {
        return cli_fail_status(&err);
    }
    gpt2c_session_set_cancel(g->session, cli_cancel, NULL);
    g->first_logits = cli_alloc((size_t)g->n_vocab, sizeof *g->first_logits);
    g->work = cli_alloc((size_t)g->n_vocab, sizeof *g->work);
    g->plain = cli_alloc((size_t)g->n_vocab, sizeof *g->plain);
    g->slots = cli_alloc((size_t)g->n_seq, sizeof *g->slots);
    return EXIT_OK;
}

void generate_close(struct generator *g)
{
    free(g->params.stops.v);
    free(g->first_logits);
    free(g->work);
    free(g->plain);
    free(g->slots);
    gpt2c_sampler_free(&g->sampler);
    gpt2c_session_free(&g->session);
    gpt2c_tokenizer_close(&g->tokenizer);
    gpt2c_model_close(&g->model);
}

void generate_sample_free(struct gen_sample *s)
{
    free(s->tok);
    free(s->text.data);
    free(s->log_p);
    free(s->top);
    free(s->top_log_p);
    free(s->out.pending);
    free(s->out.marks);
    *s = (struct gen_sample){0};
}

/* ---- one sample ------------------------------------------------------------------------------ */

static void on_text(void *user, const char *text, size_t n_bytes, int mark)
{
    struct gen_sample *s = user;
    s->text.data = cli_realloc(s->text.data, s->text.n_bytes + n_bytes + 1, 1);
    memcpy(s->text.data + s->text.n_bytes, text, n_bytes);
    s->text.n_bytes += n_bytes;
    s->text.data[s->text.n_bytes] = '\0';
    if (s->stream_fn && !s->stream_code) {
        s->stream_code = s->stream_fn(s->stream_user, text, n_bytes, mark);
    }
}

static void begin_sample(const struct generator *g, struct gen_sample *s)
{
    const size_t n_new = (size_t)g->params.n_new;
    s->tok = cli_alloc(s->n_prompt + n_new, sizeof *s->tok);
    memcpy(s->tok, s->prompt, s->n_prompt * sizeof *s->tok);
    s->n_tok = s->n_prompt;
    s->finish = n_new == 0 ? GEN_LENGTH : GEN_RUNNING;
    s->text.data = cli_alloc(1, 1);
    s->rng = gpt2c_sampler_rng((uint64_t)g->params.seed, s->stream);
    textstream_begin(&s->out, &g->params.stops, on_text, s);
    if (g->params.n_logprobs >= 0) {
        const size_t n_top = (size_t)g->params.n_logprobs;
        s->log_p = cli_alloc(n_new, sizeof *s->log_p);
        s->top = cli_alloc(n_new * n_top, sizeof *s->top);
        s->top_log_p = cli_alloc(n_new * n_top, sizeof *s->top_log_p);
    }
}

/* Positions of the cache that the sample has used once all but its newest token are evaluated. */
static int32_t n_evaluated(const struct gen_sample *s)
{
    return (int32_t)(s->n_tok - s->n_dropped) - 1;
}

/* Keeps the log-probabilities of token i of what was made, before any processor. */
static void keep_logprobs(const struct generator *g, struct gen_sample *s, const struct dist *d,
                          size_t i, gpt2c_token token)
{
    const int32_t n_top = g->params.n_logprobs;
    s->log_p[i] = dist_log_p(d, token);
    gpt2c_token *top = s->top + i * (size_t)n_top;
    dist_top(d, n_top, top);
    for (int32_t k = 0; k < n_top; k++) {
        s->top_log_p[i * (size_t)n_top + (size_t)k] = dist_log_p(d, top[k]);
    }
}

static enum gen_finish judge(const struct generator *g, const struct gen_sample *s,
                             gpt2c_token token)
{
    if (token == g->eos && !g->params.ignore_eos) {
        return GEN_EOS;
    }
    if (s->out.stopped) {
        return GEN_STOPPED;
    }
    if (s->n_tok - s->n_prompt >= (size_t)g->params.n_new) {
        return GEN_LENGTH;
    }
    if (n_evaluated(s) >= g->n_ctx && g->params.overflow != GEN_SLIDE) {
        return GEN_CONTEXT;
    }
    if (g->params.max_time > 0 && cli_seconds() - g->begin >= g->params.max_time) {
        return GEN_TIME;
    }
    return GEN_RUNNING;
}

/* Draws the next token of s from logits, which are changed, and appends it. */
static int add_token(struct generator *g, struct gen_sample *s, float *logits)
{
    gpt2c_error err;
    gpt2c_token token = 0;
    const bool wants_dist = g->params.n_logprobs >= 0 || g->params.color;
    if (wants_dist) {
        memcpy(g->plain, logits, (size_t)g->n_vocab * sizeof *logits);
    }
    if (gpt2c_sampler_process(g->sampler, logits, s->tok, s->n_tok, s->n_prompt, &err) ||
        gpt2c_sampler_draw(g->sampler, logits, &s->rng, &token, &err)) {
        return cli_fail_status(&err);
    }
    int mark = 0;
    if (wants_dist) {
        const struct dist d = dist_of(g->plain, g->n_vocab);
        mark = text_color_of_p(exp(dist_log_p(&d, token)));
        if (g->params.n_logprobs >= 0) {
            keep_logprobs(g, s, &d, s->n_tok - s->n_prompt, token);
        }
    }
    s->tok[s->n_tok++] = token;
    if (token != g->eos || g->params.ignore_eos) {
        size_t n = 0;
        const char *bytes = gpt2c_tokenizer_bytes(g->tokenizer, token, &n);
        textstream_push(&s->out, bytes, n, mark);
    }
    s->finish = judge(g, s, token);
    return s->stream_code;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static int fail_eval(const gpt2c_error *err)
{
    if (err->code == GPT2C_E_CANCELLED && !sigbus_file()) {
        return EXIT_INTERRUPTED;
    }
    return cli_fail_status(err);
}

/* Evaluates tok [n_tok] as the whole of a sequence; its logits go to g->first_logits. */
static int prefill(struct generator *g, int32_t seq, const gpt2c_token *tok, size_t n_tok)
{
    const double begin = cli_seconds();
    const gpt2c_span span = {.seq = seq, .tok = tok, .n_tok = (int32_t)n_tok, .n_logits = 1};
    gpt2c_error err;
    g->first_prompt = NULL;
    if (gpt2c_session_rewind(g->session, seq, 0, &err) ||
        gpt2c_session_eval_batch(g->session, &span, 1, &err)) {
        return fail_eval(&err);
    }
    memcpy(g->first_logits, gpt2c_session_logits(g->session, 0),
           (size_t)g->n_vocab * sizeof *g->first_logits);
    g->prefill_s += cli_seconds() - begin;
    g->n_prefilled += n_tok;
    return EXIT_OK;
}

/* A sequence whose cache begins with the prompt; n_seq when there is none. */
static int32_t find_holder(const struct generator *g, const gpt2c_token *prompt)
{
    int32_t seq = 0;
    while (seq < g->n_seq && g->slots[seq].held_prompt != prompt) {
        seq++;
    }
    return seq;
}

/* Brings the prompt of s into the cache of seq and its logits into g->first_logits, from another
 * sample's when it is the same prompt. */
static int load_prompt(struct generator *g, int32_t seq, const struct gen_sample *s)
{
    struct gen_slot *slot = &g->slots[seq];
    const int32_t holder = find_holder(g, s->prompt);
    gpt2c_error err;
    if (g->first_prompt != s->prompt || holder == g->n_seq) {
        slot->held_prompt = NULL;
        const int code = prefill(g, seq, s->prompt, s->n_prompt);
        if (code) {
            return code;
        }
    } else if ((slot->held_prompt != s->prompt &&
                gpt2c_session_copy(g->session, holder, seq, &err)) ||
               gpt2c_session_rewind(g->session, seq, (int32_t)s->n_prompt, &err)) {
        return cli_fail_status(&err);
    }
    slot->held_prompt = s->prompt;
    g->first_prompt = s->prompt;
    return EXIT_OK;
}

/* Starts s in the slot: its first token comes from the prompt's logits. */
static int start_sample(struct generator *g, int32_t seq, struct gen_sample *s)
{
    begin_sample(g, s);
    g->slots[seq].sample = s;
    if (s->finish) {
        return EXIT_OK; /* no token is wanted */
    }
    const int code = load_prompt(g, seq, s);
    if (code) {
        return code;
    }
    memcpy(g->work, g->first_logits, (size_t)g->n_vocab * sizeof *g->work);
    return add_token(g, s, g->work);
}

/* The context is full: the later half begins anew at position 0, where its keys and values are not
 * what they were, because positions are learned. */
static int slide(struct generator *g, int32_t seq)
{
    struct gen_sample *s = g->slots[seq].sample;
    const size_t n_kept = g->n_ctx > 1 ? (size_t)g->n_ctx / 2 : 1;
    g->slots[seq].held_prompt = NULL;
    s->n_dropped = s->n_tok - n_kept;
    const int code = prefill(g, seq, s->tok + s->n_dropped, n_kept);
    return code ? code : add_token(g, s, g->first_logits);
}

/* Guesses what follows the history by what followed the same tokens before: the latest place where
 * its last 3 or 2 tokens stand. Writes up to `most` tokens to out and returns how many. */
static int32_t guess(const gpt2c_token *tok, size_t n_tok, int32_t most, gpt2c_token *out)
{
    for (size_t n = 3; n >= 2; n--) {
        for (size_t at = n_tok > n ? n_tok - n : 0; at-- > 0;) {
            if (memcmp(tok + at, tok + n_tok - n, n * sizeof *tok) != 0) {
                continue;
            }
            int32_t k = 0;
            for (size_t i = at + n; i < n_tok && k < most; i++) {
                out[k++] = tok[i];
            }
            return k;
        }
    }
    return 0;
}

/* Sets what the slot evaluates in this step; `most` rows at most. */
static void plan_rows(const struct generator *g, struct gen_slot *slot, int32_t most)
{
    const struct gen_sample *s = slot->sample;
    slot->tok[0] = s->tok[s->n_tok - 1];
    slot->n_rows = 1;
    if (!g->params.speculate) {
        return;
    }
    const int32_t n_left = g->params.n_new - (int32_t)(s->n_tok - s->n_prompt);
    const int32_t n_room = g->n_ctx - n_evaluated(s);
    most = most < n_left ? most : n_left;
    most = most < n_room ? most : n_room;
    if (most > 1) {
        slot->n_rows += guess(s->tok, s->n_tok, most - 1, slot->tok + 1);
    }
}

/* Takes tokens from the rows of the slot as long as they are what was guessed. */
static int accept_rows(struct generator *g, int32_t seq, int32_t first_row)
{
    const struct gen_slot *slot = &g->slots[seq];
    struct gen_sample *s = slot->sample;
    for (int32_t r = 0; r < slot->n_rows; r++) {
        const int code = add_token(g, s, gpt2c_session_logits(g->session, first_row + r));
        if (code) {
            return code;
        }
        g->n_decoded++;
        const bool guessed = r + 1 < slot->n_rows && slot->tok[r + 1] == s->tok[s->n_tok - 1];
        if (s->finish || !guessed) {
            break;
        }
    }
    return EXIT_OK;
}

/* Forgets the guesses that were wrong. */
static int rewind_slots(struct generator *g, const gpt2c_span *spans, int32_t n_spans)
{
    for (int32_t i = 0; i < n_spans; i++) {
        const int32_t pos = n_evaluated(g->slots[spans[i].seq].sample);
        gpt2c_error err;
        if (pos < gpt2c_session_pos(g->session, spans[i].seq) &&
            gpt2c_session_rewind(g->session, spans[i].seq, pos, &err)) {
            return cli_fail_status(&err);
        }
    }
    return EXIT_OK;
}

/* One step of all samples that run. */
static int step(struct generator *g)
{
    gpt2c_span spans[MOST_ROWS];
    int32_t n_spans = 0;
    int32_t n_active = 0;
    for (int32_t seq = 0; seq < g->n_seq; seq++) {
        n_active += g->slots[seq].sample != NULL;
    }
    int32_t most = MOST_ROWS / n_active;
    most = most < MOST_ROWS_OF_SEQ ? most : MOST_ROWS_OF_SEQ;
    for (int32_t seq = 0; seq < g->n_seq; seq++) {
        struct gen_slot *slot = &g->slots[seq];
        if (!slot->sample) {
            continue;
        }
        if (n_evaluated(slot->sample) >= g->n_ctx) {
            const int code = slide(g, seq);
            if (code) {
                return code;
            }
            continue; /* it has its token of this step */
        }
        plan_rows(g, slot, most);
        spans[n_spans++] = (gpt2c_span){seq, slot->tok, slot->n_rows, slot->n_rows};
    }
    const double begin = cli_seconds();
    gpt2c_error err;
    if (n_spans > 0 && gpt2c_session_eval_batch(g->session, spans, n_spans, &err)) {
        return fail_eval(&err);
    }
    int32_t row = 0;
    for (int32_t i = 0; i < n_spans; i++) {
        const int code = accept_rows(g, spans[i].seq, row);
        if (code) {
            return code;
        }
        row += spans[i].n_tok;
    }
    const int code = rewind_slots(g, spans, n_spans); /* ends the life of the rows */
    g->decode_s += cli_seconds() - begin;
    return code;
}

int generate_run(struct generator *g, struct gen_sample *samples, size_t n_samples,
                 int (*done)(void *user, struct gen_sample *sample), void *user)
{
    size_t next = 0;
    size_t n_done = 0;
    int code = EXIT_OK;
    g->begin = cli_seconds();
    while (!code && n_done < n_samples) {
        int32_t n_active = 0;
        for (int32_t seq = 0; !code && seq < g->n_seq; seq++) {
            struct gen_slot *slot = &g->slots[seq];
            if (!slot->sample && next < n_samples) {
                code = start_sample(g, seq, &samples[next++]);
            }
            if (!code && slot->sample && slot->sample->finish) {
                textstream_end(&slot->sample->out);
                code = slot->sample->stream_code;
                code = code ? code : done(user, slot->sample);
                slot->sample = NULL;
                n_done++;
            }
            n_active += slot->sample != NULL;
        }
        if (!code && cli_interrupted()) {
            code = EXIT_INTERRUPTED;
        }
        if (!code && n_active > 0) {
            code = step(g);
        }
    }
    for (int32_t seq = 0; seq < g->n_seq; seq++) {
        if (g->slots[seq].sample) {
            textstream_end(&g->slots[seq].sample->out);
        }
    }
    return code;
}
