/* The maps come row block by row block from a tap; only what was asked for is kept. */
#include "attnmap.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

void attnmap_free(struct attnmap *m)
{
    free(m->tok);
    free(m->v);
    free(m->sums);
    m->tok = NULL;
    m->v = NULL;
    m->sums = NULL;
}

const float *attnmap_of(const struct attnmap *m, int32_t il, int32_t ih)
{
    const size_t n_cells = (size_t)m->n_tok * (size_t)m->n_tok;
    return m->v + (m->n_maps == 1 ? 0 : (size_t)il * (size_t)m->n_heads + (size_t)ih) * n_cells;
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void add_row(struct attnmap *m, int32_t il, int32_t ih, int32_t row, const float *from,
                    int32_t n)
{
    const size_t n_tok = (size_t)m->n_tok;
    const size_t offset = (size_t)row * n_tok;
    if (m->aggregate == ATTNMAP_EACH) {
        float *to = m->v + ((size_t)il * (size_t)m->n_heads + (size_t)ih) * n_tok * n_tok + offset;
        memcpy(to, from, (size_t)n * sizeof *to);
    } else if (m->aggregate == ATTNMAP_MAX) {
        float *to = m->v + offset;
        for (int32_t i = 0; i < n; i++) {
            to[i] = from[i] > to[i] ? from[i] : to[i];
        }
    } else {
        const size_t map = m->aggregate == ATTNMAP_ROLLOUT ? (size_t)il : 0;
        double *to = m->sums + map * n_tok * n_tok + offset;
        for (int32_t i = 0; i < n; i++) {
            to[i] += (double)from[i];
        }
    }
}

static int on_map(void *user, const gpt2c_activation *a)
{
    struct attnmap *m = user;
    for (int32_t il = 0; il < m->n_layers; il++) {
        for (int32_t ih = 0; ih < m->n_heads; ih++) {
            if (m->layers[il] != a->layer || m->heads[ih] != a->head) {
                continue;
            }
            for (int32_t row = 0; row < a->n_rows; row++) {
                add_row(m, il, ih, a->pos + row, a->data + (size_t)row * a->ld, a->n_cols);
            }
        }
    }
    return 0;
}

/* ---- putting together ------------------------------------------------------------------------ */

static void finish_mean(struct attnmap *m)
{
    const double n = (double)m->n_layers * m->n_heads;
    for (size_t i = 0; i < (size_t)m->n_tok * (size_t)m->n_tok; i++) {
        m->v[i] = (float)(m->sums[i] / n);
    }
}

static int compare_layers(const void *a, const void *b)
{
    const int32_t x = **(const int32_t *const *)a;
    const int32_t y = **(const int32_t *const *)b;
    return (x > y) - (x < y);
}

/* Makes of the summed heads of a layer ½A + ½I with rows that sum to 1. */
static void soften(const struct attnmap *m, double *sum)
{
    const size_t n = (size_t)m->n_tok;
    for (size_t row = 0; row < n; row++) {
        double total = 0;
        for (size_t col = 0; col <= row; col++) {
            double *a = &sum[row * n + col];
            *a = 0.5 * *a / m->n_heads + (col == row ? 0.5 : 0);
            total += *a;
        }
        for (size_t col = 0; col <= row; col++) {
            sum[row * n + col] /= total;
        }
    }
}

/* product = a * product, both lower triangular; rows from below, so that those it still needs are
 * the old ones. */
static void multiply(size_t n, const double *a, double *product, double *row_of)
{
    for (size_t row = n; row-- > 0;) {
        memset(row_of, 0, n * sizeof *row_of);
        for (size_t k = 0; k <= row; k++) {
            const double factor = a[row * n + k];
            const double *from = product + k * n;
            for (size_t col = 0; col <= k; col++) {
                row_of[col] += factor * from[col];
            }
        }
        memcpy(product + row * n, row_of, n * sizeof *row_of);
    }
}

static int finish_rollout(struct attnmap *m)
{
    const size_t n = (size_t)m->n_tok;
    const int32_t **order = cli_alloc((size_t)m->n_layers, sizeof *order);
    for (int32_t il = 0; il < m->n_layers; il++) {
        order[il] = &m->layers[il];
    }
    qsort(order, (size_t)m->n_layers, sizeof *order, compare_layers);
    double *product = m->sums + (size_t)(order[0] - m->layers) * n * n;
    double *row_of = cli_alloc(n, sizeof *row_of);
    soften(m, product);
    for (int32_t il = 1; il < m->n_layers && !cli_interrupted(); il++) {
        double *layer = m->sums + (size_t)(order[il] - m->layers) * n * n;
        soften(m, layer);
        multiply(n, layer, product, row_of);
    }
    for (size_t i = 0; i < n * n; i++) {
        m->v[i] = (float)product[i];
    }
    free(row_of);
    free(order);
    return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_OK;
}

/* ---- the work -------------------------------------------------------------------------------- */

static int allocate(struct attnmap *m)
{
    const bool each = m->aggregate == ATTNMAP_EACH;
    const size_t n_sums = m->aggregate == ATTNMAP_MEAN      ? 1
                          : m->aggregate == ATTNMAP_ROLLOUT ? (size_t)m->n_layers
                                                            : 0;
    m->n_maps = each ? m->n_layers * m->n_heads : 1;
    size_t n_cells = 0;
    size_t n_bytes = 0;
    if (__builtin_mul_overflow((size_t)m->n_tok, (size_t)m->n_tok, &n_cells) ||
        __builtin_mul_overflow(n_cells, (size_t)m->n_maps * sizeof(float) + n_sums * sizeof(double),
                               &n_bytes)) {
        return cli_fail(EXIT_MEMORY, "out of memory: %d maps of %d tokens", m->n_maps, m->n_tok);
    }
    m->v = calloc(n_cells * (size_t)m->n_maps, sizeof *m->v);
    m->sums = n_sums > 0 ? calloc(n_cells * n_sums, sizeof *m->sums) : NULL;
    if (!m->v || (n_sums > 0 && !m->sums)) {
        return cli_fail(EXIT_MEMORY, "out of memory: attention maps of %d tokens need %zu bytes",
                        m->n_tok, n_bytes);
    }
    m->tok = cli_alloc((size_t)m->n_tok, sizeof *m->tok);
    return EXIT_OK;
}

static gpt2c_token likeliest(const float *logits, int32_t n_vocab)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n_vocab; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

static int evaluate(struct attnmap *m, gpt2c_session *session, int32_t n_vocab)
{
    gpt2c_error err;
    if (gpt2c_session_eval(session, m->tok, m->n_prompt, &err)) {
        return cli_fail_status(&err);
    }
    for (int32_t i = m->n_prompt; i < m->n_tok; i++) {
        m->tok[i] = likeliest(gpt2c_session_logits(session, 0), n_vocab);
        if (gpt2c_session_eval(session, &m->tok[i], 1, &err)) {
            return cli_fail_status(&err);
        }
    }
    return EXIT_OK;
}

int attnmap_compute(struct attnmap *m, const gpt2c_model *model, const gpt2c_token *prompt,
                    size_t n_prompt)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(model);
    m->n_prompt = (int32_t)n_prompt;
    if (m->n_generate > hp->n_ctx - m->n_prompt) {
        return cli_fail(EXIT_RUNTIME,
                        "%d tokens and %d to generate do not fit the context of %d tokens",
                        m->n_prompt, m->n_generate, hp->n_ctx);
    }
    m->n_tok = m->n_prompt + m->n_generate;
    int code = allocate(m);
    if (code) {
        return code;
    }
    memcpy(m->tok, prompt, n_prompt * sizeof *prompt);
    gpt2c_session_params params = gpt2c_session_default_params();
    params.n_ctx = m->n_tok;
    params.n_threads = m->n_threads;
    gpt2c_session *session = NULL;
    gpt2c_error err;
    if (gpt2c_session_create(&session, model, &params, &err)) {
        return cli_fail_status(&err);
    }
    gpt2c_session_set_cancel(session, cli_cancel, NULL);
    gpt2c_session_set_tap(session, GPT2C_ATTN, on_map, m);
    code = evaluate(m, session, hp->n_vocab);
    gpt2c_session_free(&session);
    if (!code && m->aggregate == ATTNMAP_MEAN) {
        finish_mean(m);
    } else if (!code && m->aggregate == ATTNMAP_ROLLOUT) {
        code = finish_rollout(m);
    }
    free(m->sums);
    m->sums = NULL;
    return code;
}
