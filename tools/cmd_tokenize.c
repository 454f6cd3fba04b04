/* gpt2c tokenize: text to tokens, as a table, ids, a number, JSON, or an explanation. Everything
 * but
 * --json and --explain streams: a file may be larger than memory. */
#include "commands.h"
#include "jsonout.h"
#include "text.h"
#include "tokenize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stdout collects before it is written for good: a failure until then leaves it empty. */
#define HOLD_BYTES ((size_t)8 << 20)

struct tokenize_job {
    struct cli_common common;
    bool ids, count, explain, jsonl;
    int special; /* gpt2c_special */
    gpt2c_tokenizer *tokenizer;
    struct tokenize_text text;
    struct outfile out;
    struct cli_tokens tokens; /* --jsonl: of the line at hand */
    uint64_t n_tok, n_bytes;  /* done so far */
    int code;                 /* of a failure to write */
};

/* ---- output while it streams ----------------------------------------------------------------- */

/* Stops the encoder at Ctrl-C and when the output fails. */
static int after_tokens(struct tokenize_job *job)
{
    if (!job->code) {
        job->code = outfile_spill(&job->out, HOLD_BYTES);
    }
    return job->code || cli_interrupted();
}

static int on_count(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct tokenize_job *job = user;
    (void)tok;
    job->n_tok += n_tok;
    return cli_interrupted();
}

/* The digits, into out [10]; returns how many. printf would take longer than the encoding. */
static size_t format_id(gpt2c_token token, char *out)
{
    char digits[10];
    size_t n = 0;
    size_t n_out = 0;
    do {
        digits[n++] = (char)('0' + token % 10);
        token /= 10;
    } while (token > 0);
    while (n > 0) {
        out[n_out++] = digits[--n];
    }
    return n_out;
}

static int on_ids(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct tokenize_job *job = user;
    char text[4096];
    size_t n = 0;
    for (size_t i = 0; i < n_tok; i++) {
        if (job->n_tok++ > 0) {
            text[n++] = ' ';
        }
        n += format_id(tok[i], text + n);
        if (n > sizeof text - 16 || i + 1 == n_tok) {
            fwrite(text, 1, n, job->out.f);
            n = 0;
        }
    }
    return after_tokens(job);
}

static int on_table(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct tokenize_job *job = user;
    FILE *f = job->out.f;
    for (size_t i = 0; i < n_tok; i++) {
        size_t n = 0;
        gpt2c_tokenizer_bytes(job->tokenizer, tok[i], &n);
        char *name = text_token_hf(job->tokenizer, tok[i]);
        char *text = text_token(job->tokenizer, tok[i]);
        fprintf(f, "%6d  ", tok[i]);
        text_pad(f, name, 20, false);
        fputs("  ", f);
        text_pad(f, text, 20, false);
        fprintf(f, "  %" PRIu64 "-%" PRIu64 "\n", job->n_bytes, job->n_bytes + n);
        free(name);
        free(text);
        job->n_bytes += n;
    }
    job->n_tok += n_tok;
    return after_tokens(job);
}

static int on_line(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct tokenize_job *job = user;
    struct cli_tokens *tokens = &job->tokens;
    tokens->tok = cli_realloc(tokens->tok, tokens->n_tok + n_tok, sizeof *tok);
    memcpy(tokens->tok + tokens->n_tok, tok, n_tok * sizeof *tok);
    tokens->n_tok += n_tok;
    return cli_interrupted();
}

static int stream(struct tokenize_job *job, gpt2c_encoder *encoder)
{
    gpt2c_error err;
    const char *data = NULL;
    size_t n = 0;
    if (!job->ids && !job->count) {
        fprintf(job->out.f, "%6s  %-20s  %-20s  %s\n", "id", "token", "text", "bytes");
    }
    do {
        const int code = tokenize_next(&job->text, &data, &n);
        if (code) {
            return code;
        }
        if (n > 0 ? gpt2c_encoder_feed(encoder, data, n, &err)
                  : gpt2c_encoder_finish(encoder, &err)) {
            return job->code ? job->code : cli_fail_status(&err);
        }
    } while (n > 0);
    if (job->count) {
        fprintf(job->out.f, "%" PRIu64 "\n", job->n_tok);
    } else if (job->ids) {
        fputc('\n', job->out.f);
    }
    return EXIT_OK;
}

static int run_encoder(struct tokenize_job *job)
{
    gpt2c_error err;
    gpt2c_encoder *encoder = NULL;
    const gpt2c_tokens_fn fn = job->jsonl   ? on_line
                               : job->count ? on_count
                               : job->ids   ? on_ids
                                            : on_table;
    size_t n_bad = 0;
    if (gpt2c_encoder_create(&encoder, job->tokenizer, (gpt2c_special)job->special,
                             job->common.n_threads, fn, job, &err)) {
        return cli_fail_status(&err);
    }
    int code = job->jsonl ? tokenize_jsonl(encoder, &job->tokens, &job->text, &job->out, &n_bad)
                          : stream(job, encoder);
    gpt2c_encoder_free(&encoder);
    free(job->tokens.tok);
    if (!code) {
        code = outfile_commit(&job->out);
    }
    return !code && n_bad > 0 ? cli_fail(EXIT_RUNTIME, "%zu lines could not be tokenized", n_bad)
                              : code;
}

/* ---- one document ---------------------------------------------------------------------------- */

static void print_ranges(FILE *f, const char *key, const gpt2c_range *ranges, size_t n)
{
    fprintf(f, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%s[%zu,%zu]", i ? "," : "", ranges[i].begin, ranges[i].end);
    }
    fputc(']', f);
}

/* Written as it goes: as a tree, it would take a hundred times the text. */
static void print_document(const struct tokenize_job *job, const struct cli_tokens *tokens,
                           const gpt2c_range *bytes, const gpt2c_range *chars)
{
    FILE *f = job->out.f;
    fprintf(f, "{\"schema\":1,\"n_tokens\":%zu,\"ids\":[", tokens->n_tok);
    for (size_t i = 0; i < tokens->n_tok; i++) {
        fprintf(f, "%s%d", i ? "," : "", tokens->tok[i]);
    }
    fputs("],\"tokens\":[", f);
    for (size_t i = 0; i < tokens->n_tok; i++) {
        char *name = text_token_hf(job->tokenizer, tokens->tok[i]);
        cJSON *string = jsonout_string(name, strlen(name));
        fprintf(f, "%s%s", i ? "," : "", string->valuestring);
        cJSON_Delete(string);
        free(name);
    }
    fputc(']', f);
    print_ranges(f, "offsets", bytes, tokens->n_tok);
    print_ranges(f, "char_offsets", chars, tokens->n_tok);
    fputs("}\n", f);
}

static int run_json(struct tokenize_job *job, const struct cli_bytes *text)
{
    gpt2c_error err;
    struct cli_tokens tokens = {malloc((text->n_bytes + 1) * sizeof *tokens.tok), 0};
    gpt2c_range *bytes = NULL;
    gpt2c_range *chars = NULL;
    int code = EXIT_OK;
    if (!tokens.tok) {
        return cli_fail(EXIT_MEMORY, "no memory for the ids of %zu bytes", text->n_bytes);
    }
    if (gpt2c_tokenizer_encode(job->tokenizer, text->data, text->n_bytes,
                               (gpt2c_special)job->special, tokens.tok, text->n_bytes + 1,
                               &tokens.n_tok, &err)) {
        code = cli_fail_status(&err);
    }
    if (!code) {
        bytes = malloc((tokens.n_tok + 1) * sizeof *bytes);
        chars = malloc((tokens.n_tok + 1) * sizeof *chars);
        if (!bytes || !chars) {
            code = cli_fail(EXIT_MEMORY, "no memory for %zu tokens", tokens.n_tok);
        } else if (gpt2c_tokenizer_ranges(job->tokenizer, text->data, text->n_bytes, tokens.tok,
                                          tokens.n_tok, bytes, chars, &err)) {
            code = cli_fail_status(&err);
        }
    }
    if (!code) {
        print_document(job, &tokens, bytes, chars);
    }
    free(tokens.tok);
    free(bytes);
    free(chars);
    return code;
}

static int run_whole(struct tokenize_job *job)
{
    struct cli_bytes text;
    int code = tokenize_all(&job->text, &text);
    if (!code && job->explain) {
        code =
            tokenize_explain(job->tokenizer, &text, (gpt2c_special)job->special, job->common.json,
                             !job->out.path && cli_use_color(&job->common, stdout), job->out.f);
    } else if (!code) {
        code = run_json(job, &text);
    }
    free(text.data);
    return code ? code : outfile_commit(&job->out);
}

/* ---- command --------------------------------------------------------------------------------- */

static int open_text(struct tokenize_job *job, int n_args, char **args)
{
    struct tokenize_text *text = &job->text;
    const struct cli_common *common = &job->common;
    const char *given = n_args > 0 ? args[0] : common->prompt;
    if (n_args > 1) {
        return cli_fail(EXIT_USAGE, "one text, not %d: put it in quotes", n_args);
    }
    if ((n_args > 0) + (common->prompt != NULL) + (common->file != NULL) > 1) {
        return cli_fail(EXIT_USAGE, "the text is given twice: as an argument, --prompt or --file");
    }
    text->chomp = common->chomp;
    text->name = common->file ? common->file : "-";
    if (given && strcmp(given, "-") != 0) {
        text->data = given;
        text->n_bytes = strlen(given);
    } else if (strcmp(text->name, "-") != 0) {
        text->f = fopen(text->name, "rb");
        if (!text->f) {
            return cli_fail(EXIT_FILE, "cannot read %s: %s", text->name, strerror(errno));
        }
    } else if (!given && !common->file && isatty(STDIN_FILENO)) {
        cli_help(stderr, common->command, common->options);
        return EXIT_USAGE;
    } else {
        text->name = "stdin";
        text->f = stdin;
    }
    return EXIT_OK;
}

static int check_output(const struct tokenize_job *job)
{
    const int n = job->ids + job->count + job->jsonl + job->explain;
    if (n > 1 || (job->common.json && n > job->explain)) {
        return cli_fail(EXIT_USAGE,
                        "one of --ids, --count, --json, --jsonl and --explain; --explain --json "
                        "go together");
    }
    return EXIT_OK;
}

static int run_tokenize(const struct cli_command *cmd, int argc, char **argv)
{
    static const char *const policies[] = {"allow", "text", "error", NULL};
    struct tokenize_job job = {0};
    const struct cli_option options[] = {
        {0, "ids", NULL, CLI_FLAG, &job.ids, "ids on one line", 0, 0, NULL},
        {0, "count", NULL, CLI_FLAG, &job.count, "only how many tokens there are", 0, 0, NULL},
        {0, "explain", NULL, CLI_FLAG, &job.explain, "the pieces, and each merge with its rank", 0,
         0, NULL},
        {0, "jsonl", NULL, CLI_FLAG, &job.jsonl,
         "each line is a JSON string, or an object with \"text\"; a line of JSON for each", 0, 0,
         NULL},
        {0, "special", NULL, CLI_CHOICE, &job.special,
         "what <|endoftext|> in the text is (default allow: the special token)", 0, 0, policies},
        {0, NULL, NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL},
    };
    int n_args = 0;
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, &n_args, &code)) {
        return code;
    }
    code = check_output(&job);
    if (!code) {
        code = open_text(&job, n_args, argv + 1);
    }
    if (!code) {
        code = cli_open(&job.common, NULL, &job.tokenizer);
    }
    if (!code) {
        code = outfile_open(&job.out, job.common.output);
    }
    if (!code) {
        code = job.common.json || job.explain ? run_whole(&job) : run_encoder(&job);
    }
    outfile_discard(&job.out);
    gpt2c_tokenizer_close(&job.tokenizer);
    free(job.text.buffer);
    if (job.text.f && job.text.f != stdin) {
        fclose(job.text.f);
    }
    return code;
}

const struct cli_command cmd_tokenize = {
    .name = "tokenize",
    .summary = "Show the tokens of a text.",
    .usage = "gpt2c tokenize [options] [TEXT]",
    .examples = "gpt2c tokenize \"The cat sat on the mat\"\n"
                "gpt2c tokenize --explain \"unbelievable\"   how the ids come about\n"
                "gpt2c tokenize --ids --file book.txt       a file of any size\n"
                "cat book.txt | gpt2c tokenize --count",
    .groups = CLI_TOKENIZER | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run_tokenize,
};
