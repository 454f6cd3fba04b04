/* Runs the text once, keeping the residual stream after each block, then applies ln_f and the head
 * to it a few rows at a time. The last row is not recomputed: it is the model's own output, so it
 * equals what `next` shows to the bit. */
#include "lens.h"

#include "dist.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNEMBED_ROWS = 32 }; /* rows of logits at a time */

static void guess_from_logits(const struct lens *lens, const float *logits,
                              struct lens_guess *guess, gpt2c_token *best)
{
    const struct dist d = dist_of(logits, lens->prompt.hp->n_vocab);
    dist_top(&d, lens->k, best);
    for (int32_t i = 0; i < lens->k; i++) {
        guess[i].id = best[i];
        guess[i].p = exp(dist_log_p(&d, best[i]));
    }
}

static size_t cell_index(const struct lens *lens, int32_t layer, int32_t at)
{
    return ((size_t)layer * (size_t)lens->n_pos + (size_t)at) * (size_t)lens->k;
}

const struct lens_guess *lens_cell(const struct lens *lens, int32_t layer, int32_t at)
{
    return lens->guess + cell_index(lens, layer, at);
}

/* ---- one run of the model -------------------------------------------------------------------- */

struct tap {
    struct lens *lens;
    int32_t *at;       /* [n_tok]: the number of a position, -1: not looked at */
    gpt2c_token *best; /* [k], scratch */
};

static int on_rows(void *user, const gpt2c_activation *a)
{
    const struct tap *tap = user;
    struct lens *lens = tap->lens;
    const int32_t n_layer = lens->prompt.hp->n_layer;
    const size_t n_embd = (size_t)lens->prompt.hp->n_embd;
    for (int32_t r = 0; r < a->n_rows; r++) {
        const int32_t at = tap->at[a->pos + r];
        const float *row = a->data + (size_t)r * a->ld;
        if (at < 0) {
            continue;
        }
        if (a->what == GPT2C_LOGITS) {
            guess_from_logits(lens, row, lens->guess + cell_index(lens, n_layer, at), tap->best);
        } else if (a->layer < n_layer) { /* after the last block ln_f is applied already */
            memcpy(lens->hidden + ((size_t)a->layer * (size_t)lens->n_pos + (size_t)at) * n_embd,
                   row, n_embd * sizeof *row);
        }
    }
    return 0;
}

static int run_model(struct lens *lens, const struct cli_common *common,
                     gpt2c_token *best)
{
    struct tap tap = {.lens = lens, .best = best};
    tap.at = cli_alloc(lens->prompt.tokens.n_tok, sizeof *tap.at);
    for (size_t i = 0; i < lens->prompt.tokens.n_tok; i++) {
        tap.at[i] = -1;
    }
    for (int32_t i = 0; i < lens->n_pos; i++) {
        tap.at[lens->pos[i]] = i;
    }
    int code = prompt_session(&lens->prompt, common, UNEMBED_ROWS);
    if (!code) {
        code = prompt_eval(&lens->prompt, GPT2C_HIDDEN | GPT2C_LOGITS, on_rows, &tap);
    }
    free(tap.at);
    return code;
}

/* ---- the head on every layer ----------------------------------------------------------------- */

static int unembed(struct lens *lens, gpt2c_token *best)
{
    const size_t n_embd = (size_t)lens->prompt.hp->n_embd;
    const size_t n_rows = (size_t)lens->prompt.hp->n_layer * (size_t)lens->n_pos;
    for (size_t begin = 0; begin < n_rows; begin += UNEMBED_ROWS) {
        const size_t left = n_rows - begin;
        const int32_t n = left < UNEMBED_ROWS ? (int32_t)left : UNEMBED_ROWS;
        gpt2c_error err;
        if (cli_interrupted()) {
            return cli_fail(EXIT_INTERRUPTED, "interrupted");
        }
        if (gpt2c_session_unembed(lens->prompt.session, lens->hidden + begin * n_embd, n, true,
                                  &err)) {
            return cli_fail_status(&err);
        }
        for (int32_t r = 0; r < n; r++) {
            guess_from_logits(lens, gpt2c_session_logits(lens->prompt.session, r),
                              lens->guess + (begin + (size_t)r) * (size_t)lens->k, best);
        }
    }
    return EXIT_OK;
}

int lens_compute(struct lens *lens, const struct cli_common *common)
{
    const struct gpt2c_hparams *hp = lens->prompt.hp;
    size_t n_cells = 0;
    size_t n_hidden = 0;
    if (__builtin_mul_overflow((size_t)hp->n_layer + 1, (size_t)lens->n_pos, &n_cells) ||
        __builtin_mul_overflow(n_cells, (size_t)hp->n_embd, &n_hidden)) {
        n_hidden = SIZE_MAX / sizeof *lens->hidden;
    }
    lens->hidden = calloc(n_hidden, sizeof *lens->hidden);
    lens->guess = calloc(n_cells, (size_t)lens->k * sizeof *lens->guess);
    if (!lens->hidden || !lens->guess) {
        return cli_fail(EXIT_MEMORY, "no memory: %zu bytes for the residual stream of %d positions",
                        n_hidden * sizeof *lens->hidden, lens->n_pos);
    }
    gpt2c_token *best = cli_alloc((size_t)lens->k, sizeof *best);
    int code = run_model(lens, common, best);
    if (!code) {
        code = unembed(lens, best);
    }
    free(best);
    return code;
}
