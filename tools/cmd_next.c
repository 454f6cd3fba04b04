/* gpt2c next: what the model expects after a text, or after each token of it. */
#include "commands.h"
#include "dist.h"
#include "ending.h"
#include "jsonout.h"
#include "next_chart.h"
#include "prompt.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct next_job {
    struct cli_common common;
    int32_t k;
    bool all;
    struct prompt prompt;
    gpt2c_token *top; /* [k] */
    struct outfile out;
    cJSON *positions; /* with --json */
};

/* ---- the parts of the output ----------------------------------------------------------------- */

static void print_token(const struct next_job *job, gpt2c_token token, size_t width)
{
    char *text = text_token(job->prompt.tokenizer, token);
    text_pad(job->out.f, text, width, false);
    free(text);
}

static void print_top(const struct next_job *job, const struct dist *d)
{
    FILE *f = job->out.f;
    size_t width = strlen("token");
    for (int32_t i = 0; i < job->k; i++) {
        char *text = text_token(job->prompt.tokenizer, job->top[i]);
        const size_t w = text_width(text);
        width = w > width ? w : width;
        free(text);
    }
    fprintf(f, "%4s  %6s  ", "rank", "id");
    text_pad(f, "token", width, false);
    fprintf(f, "  %9s  %11s  %10s\n", "logit", "probability", "cumulative");
    double cumulative = 0;
    for (int32_t i = 0; i < job->k; i++) {
        const double p = exp(dist_log_p(d, job->top[i]));
        cumulative += p;
        fprintf(f, "%4d  %6d  ", i + 1, job->top[i]);
        print_token(job, job->top[i], width);
        fprintf(f, "  %9.4f  %11.6f  %10.6f\n", (double)d->logits[job->top[i]], p, cumulative);
    }
}

/* A line of the table of all positions: the token there, the one that follows, its chances, and
 * what the model would have said. */
static void print_position(const struct next_job *job, const struct dist *d, int32_t pos)
{
    FILE *f = job->out.f;
    const bool has_next = (size_t)pos + 1 < job->prompt.tokens.n_tok;
    fprintf(f, "%4d  ", pos);
    print_token(job, job->prompt.tokens.tok[pos], 16);
    if (has_next) {
        const gpt2c_token next = job->prompt.tokens.tok[pos + 1];
        print_token(job, next, 16);
        fprintf(f, "  %8.6f  %5d ", exp(dist_log_p(d, next)), dist_rank(d, next));
    } else {
        fprintf(f, "%-16s  %8s  %5s ", "", "", "");
    }
    for (int32_t i = 0; i < job->k; i++) {
        fputs("  ", f);
        print_token(job, job->top[i], 0);
        fprintf(f, " %.3f", exp(dist_log_p(d, job->top[i])));
    }
    fputc('\n', f);
}

static void json_position(const struct next_job *job, const struct dist *d, int32_t pos)
{
    cJSON *position = cJSON_CreateObject();
    cJSON_AddItemToObject(position, "pos", jsonout_int(pos));
    if ((size_t)pos + 1 < job->prompt.tokens.n_tok) {
        const gpt2c_token next = job->prompt.tokens.tok[pos + 1];
        cJSON *object = cJSON_AddObjectToObject(position, "next");
        cJSON_AddItemToObject(object, "id", jsonout_int(next));
        cJSON_AddItemToObject(object, "token", prompt_json(&job->prompt, next));
        cJSON_AddItemToObject(object, "p", jsonout_double(exp(dist_log_p(d, next))));
        cJSON_AddItemToObject(object, "rank", jsonout_int(dist_rank(d, next)));
    }
    cJSON *top = cJSON_AddArrayToObject(position, "top");
    double cumulative = 0;
    for (int32_t i = 0; i < job->k; i++) {
        const double p = exp(dist_log_p(d, job->top[i]));
        cumulative += p;
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToObject(entry, "rank", jsonout_int(i + 1));
        cJSON_AddItemToObject(entry, "id", jsonout_int(job->top[i]));
        cJSON_AddItemToObject(entry, "token", prompt_json(&job->prompt, job->top[i]));
        cJSON_AddItemToObject(entry, "logit", jsonout_float(d->logits[job->top[i]]));
        cJSON_AddItemToObject(entry, "p", jsonout_double(p));
        cJSON_AddItemToObject(entry, "cum", jsonout_double(cumulative));
        cJSON_AddItemToArray(top, entry);
    }
    cJSON_AddItemToArray(job->positions, position);
}

/* ---- the work -------------------------------------------------------------------------------- */

static void show_position(const struct next_job *job, const float *logits, int32_t pos)
{
    const struct dist d = dist_of(logits, job->prompt.hp->n_vocab);
    dist_top(&d, job->k, job->top);
    if (job->positions) {
        json_position(job, &d, pos);
    } else if (job->all) {
        print_position(job, &d, pos);
    } else {
        print_top(job, &d);
    }
}

static int on_logits(void *user, const gpt2c_activation *a)
{
    const struct next_job *job = user;
    for (int32_t i = 0; i < a->n_rows && !cli_interrupted(); i++) {
        show_position(job, a->data + (size_t)i * a->ld, a->pos + i);
    }
    return cli_interrupted();
}

static int show(struct next_job *job)
{
    const int code = prompt_eval(&job->prompt, job->all ? GPT2C_LOGITS : 0, on_logits, job);
    if (code) {
        return code;
    }
    const float *logits = gpt2c_session_logits(job->prompt.session, 0);
    if (!job->all) {
        show_position(job, logits, (int32_t)job->prompt.tokens.n_tok - 1);
    }
    if (!job->common.output) {
        return EXIT_OK;
    }
    const struct dist d = dist_of(logits, job->prompt.hp->n_vocab);
    dist_top(&d, job->k, job->top);
    return next_chart(job->prompt.tokenizer, &d, job->top, job->k, job->common.output);
}

static int run_job(struct next_job *job)
{
    int code = prompt_open(&job->prompt, &job->common);
    if (!code) {
        code = prompt_session(&job->prompt, &job->common, 1);
    }
    if (code) {
        return code;
    }
    const int32_t n_vocab = job->prompt.hp->n_vocab;
    job->k = job->k < n_vocab ? job->k : n_vocab;
    job->top = cli_alloc((size_t)job->k, sizeof *job->top);
    code = outfile_open(&job->out, NULL);
    if (code) {
        return code;
    }
    cJSON *document = NULL;
    if (job->common.json) {
        document = jsonout_document();
        cJSON_AddItemToObject(document, "prompt_ids",
                              jsonout_ints(job->prompt.tokens.tok, job->prompt.tokens.n_tok));
        job->positions = cJSON_AddArrayToObject(document, "positions");
    } else if (job->all) {
        fprintf(job->out.f, "%4s  %-16s%-16s  %8s  %5s   %s\n", "pos", "token", "next", "p", "rank",
                "likeliest");
    }
    code = show(job);
    if (code) {
        cJSON_Delete(document);
        return code;
    }
    if (document) {
        jsonout_write(document, job->out.f);
    }
    return outfile_commit(&job->out);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct next_job job = {0};
    const struct cli_option options[] = {
        {'k', "top", "K", CLI_INT, &job.k, "tokens to show (default 10, with --all 3)", 1, 1e6,
         NULL},
        {0, "all", NULL, CLI_FLAG, &job.all,
         "at every position, with the token that follows and its rank", 0, 0, NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    if (job.k == 0) {
        job.k = job.all ? 3 : 10;
    }
    static const enum ending endings[] = {ENDING_PNG, ENDING_NONE};
    enum ending ending;
    code = ending_find(&job.common, endings, &ending);
    if (!code && job.common.output && strcmp(job.common.output, "-") == 0) {
        code = cli_fail(EXIT_USAGE, "-o -: stdout has the table; give the chart a file name");
    }
    if (!code) {
        code = run_job(&job);
    }
    outfile_discard(&job.out);
    free(job.top);
    prompt_close(&job.prompt);
    return code;
}

const struct cli_command cmd_next = {
    .name = "next",
    .summary = "Show the tokens that may come next, with their probabilities.",
    .usage = "gpt2c next [options]",
    .examples = "gpt2c next --prompt \"The cat sat on the\" -k 5\n"
                "gpt2c next --prompt \"The cat sat on the mat\" --all\n"
                "gpt2c next --prompt \"The cat\" -o chart.png\n"
                "gpt2c next --prompt \"The cat\" --json | jq .positions[0].top",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
