/* gpt2c ppl: the perplexity of a text by the strided rule of the Hugging Face documentation:
 * windows of the context's length, `stride` tokens apart, each scoring the tokens that no window
 * before it has scored. As there, the mean of a window counts for one token less than the window
 * scores. */
#include "commands.h"
#include "dist.h"
#include "jsonout.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 128 /* rows of logits at a time: 25 MB of them */

struct ppl_job {
    struct cli_common common;
    int32_t stride; /* 0: half the context */
    bool per_token;
    gpt2c_model *model;
    gpt2c_tokenizer *tokenizer;
    gpt2c_session *session;
    struct cli_tokens text;
    double *log_p; /* [n_tok], of each token after those before it; NaN for the first */
    double nll_sum;
    size_t n_scored;
    struct outfile out;
};

/* Appends tok [n_tok] to the session; the log-probabilities of what follows the last n_rows of them
 * go to log_p of these positions. `at` is the place of tok in the text. */
static int eval_chunk(struct ppl_job *job, size_t at, size_t n_tok, size_t n_rows)
{
    const gpt2c_span span = {
        .seq = 0, .tok = job->text.tok + at, .n_tok = (int32_t)n_tok, .n_logits = (int32_t)n_rows};
    gpt2c_error err;
    if (gpt2c_session_eval_batch(job->session, &span, 1, &err)) {
        return cli_fail_status(&err);
    }
    const int32_t n_vocab = gpt2c_model_hparams(job->model)->n_vocab;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t next = at + n_tok - n_rows + r + 1;
        const struct dist d = dist_of(gpt2c_session_logits(job->session, (int32_t)r), n_vocab);
        job->log_p[next] = dist_log_p(&d, job->text.tok[next]);
    }
    return EXIT_OK;
}

/* Scores tokens [first, end) of the text in a window that begins at `begin`. */
static int score_window(struct ppl_job *job, size_t begin, size_t first, size_t end)
{
    gpt2c_error err;
    if (gpt2c_session_rewind(job->session, 0, 0, &err)) {
        return cli_fail_status(&err);
    }
    /* Token i is scored by the row of token i - 1; the last token needs no row. */
    const size_t first_row = first - 1;
    int code = first_row > begin ? eval_chunk(job, begin, first_row - begin, 0) : EXIT_OK;
    for (size_t at = first_row; !code && at < end - 1;) {
        const size_t n = end - 1 - at < CHUNK ? end - 1 - at : CHUNK;
        code = eval_chunk(job, at, n, n);
        at += n;
    }
    return code;
}

static int score(struct ppl_job *job)
{
    const size_t n_ctx = (size_t)gpt2c_model_hparams(job->model)->n_ctx;
    const size_t n_tok = job->text.n_tok;
    size_t scored_to = 0;
    for (size_t begin = 0; scored_to < n_tok; begin += (size_t)job->stride) {
        const size_t end = begin + n_ctx < n_tok ? begin + n_ctx : n_tok;
        const size_t first = scored_to > begin ? scored_to : begin + 1;
        const int code = first < end ? score_window(job, begin, first, end) : EXIT_OK;
        if (code) {
            return code;
        }
        double sum = 0;
        for (size_t i = first; i < end; i++) {
            sum -= job->log_p[i];
        }
        const size_t n_counted = end - scored_to - 1;
        if (first < end) {
            job->nll_sum += sum / (double)(end - first) * (double)n_counted;
        }
        job->n_scored += n_counted;
        scored_to = end;
    }
    return EXIT_OK;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_tokens(const struct ppl_job *job)
{
    const bool color = cli_use_color(&job->common, stdout);
    fprintf(job->out.f, "%8s  %6s  %9s  token\n", "position", "id", "log p");
    for (size_t i = 0; i < job->text.n_tok; i++) {
        char *token = text_token(job->tokenizer, job->text.tok[i]);
        fprintf(job->out.f, "%8zu  %6d  ", i, job->text.tok[i]);
        if (isnan(job->log_p[i])) {
            fprintf(job->out.f, "%9s  %s\n", "", token);
        } else if (color) {
            fprintf(job->out.f, "%9.4f  \x1b[38;5;%dm%s\x1b[0m\n", job->log_p[i],
                    text_color_of_p(exp(job->log_p[i])), token);
        } else {
            fprintf(job->out.f, "%9.4f  %s\n", job->log_p[i], token);
        }
        free(token);
    }
}

static void print_json(const struct ppl_job *job, double nll)
{
    cJSON *document = jsonout_document();
    cJSON_AddItemToObject(document, "nll", jsonout_double(nll));
    cJSON_AddItemToObject(document, "ppl", jsonout_double(exp(nll)));
    cJSON_AddItemToObject(document, "n_tokens", jsonout_int((int64_t)job->n_scored));
    if (job->per_token) {
        cJSON_AddItemToObject(document, "ids", jsonout_ints(job->text.tok, job->text.n_tok));
        cJSON *log_p = cJSON_AddArrayToObject(document, "logprobs");
        for (size_t i = 0; i < job->text.n_tok; i++) {
            cJSON_AddItemToArray(log_p, jsonout_double(job->log_p[i]));
        }
    }
    jsonout_write(document, job->out.f);
}

static int open_session(struct ppl_job *job)
{
    const size_t n_ctx = (size_t)gpt2c_model_hparams(job->model)->n_ctx;
    gpt2c_session_params params = gpt2c_session_default_params();
    params.n_ctx = (int32_t)(job->text.n_tok < n_ctx ? job->text.n_tok : n_ctx);
    params.n_logits = CHUNK;
    params.n_threads = job->common.n_threads;
    gpt2c_error err;
    if (gpt2c_session_create(&job->session, job->model, &params, &err)) {
        return cli_fail_status(&err);
    }
    gpt2c_session_set_cancel(job->session, cli_cancel, NULL);
    return EXIT_OK;
}

static int read_text(struct ppl_job *job)
{
    struct cli_bytes text;
    int code = cli_read_text(&job->common, CLI_DEFAULT_PROMPT, &text);
    if (!code) {
        code = cli_encode(job->tokenizer, text.data, text.n_bytes, &job->text);
    }
    free(text.data);
    if (!code && job->text.n_tok < 2) {
        code = cli_fail(EXIT_RUNTIME, "the text has %zu tokens; a perplexity needs two or more",
                        job->text.n_tok);
    }
    return code;
}

static int run_job(struct ppl_job *job)
{
    int code = cli_open(&job->common, &job->model, &job->tokenizer);
    const int32_t n_ctx = code ? 0 : gpt2c_model_hparams(job->model)->n_ctx;
    if (!code && job->stride > n_ctx) {
        code = cli_fail(EXIT_USAGE, "--stride %d is more than the context of the model, %d",
                        job->stride, n_ctx);
    }
    if (!code) {
        job->stride = job->stride ? job->stride : n_ctx > 1 ? n_ctx / 2 : 1;
        code = read_text(job);
    }
    if (!code) {
        code = open_session(job);
    }
    if (code) {
        return code;
    }
    job->log_p = cli_alloc(job->text.n_tok, sizeof *job->log_p);
    for (size_t i = 0; i < job->text.n_tok; i++) {
        job->log_p[i] = NAN;
    }
    code = score(job);
    if (!code) {
        code = outfile_open(&job->out, NULL);
    }
    if (code) {
        return code;
    }
    const double nll = job->nll_sum / (double)job->n_scored;
    if (job->common.json) {
        print_json(job, nll);
    } else {
        if (job->per_token) {
            print_tokens(job);
        }
        fprintf(job->out.f, "perplexity %.4f\nnll        %.6f nats per token\ntokens     %zu\n",
                exp(nll), nll, job->n_scored);
    }
    return outfile_commit(&job->out);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct ppl_job job = {0};
    const struct cli_option options[] = {
        {0, "stride", "N", CLI_INT, &job.stride,
         "tokens from one window to the next (default: half the context)", 1, 1e9, NULL},
        {0, "per-token", NULL, CLI_FLAG, &job.per_token, "the log-probability of each token", 0, 0,
         NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    code = run_job(&job);
    outfile_discard(&job.out);
    free(job.log_p);
    free(job.text.tok);
    gpt2c_session_free(&job.session);
    gpt2c_tokenizer_close(&job.tokenizer);
    gpt2c_model_close(&job.model);
    return code;
}

const struct cli_command cmd_ppl = {
    .name = "ppl",
    .summary = "Measure the perplexity of a text, by Hugging Face's strided rule.",
    .usage = "gpt2c ppl [options] --file FILE",
    .examples = "gpt2c ppl --file story.txt --stride 512\n"
                "gpt2c ppl --prompt \"The cat sat on the mat.\" --per-token",
    .groups = CLI_MODEL | CLI_TEXT | CLI_JSON,
    .run = run,
};
