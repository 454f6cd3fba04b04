/* gpt2c generate: options, the stream of text on stdout, and the document of --json. The loop is in
 * generate.c, --batch in generate_batch.c. */
#include "commands.h"
#include "generate.h"
#include "generate_batch.h"
#include "generate_json.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct generate_job {
    struct cli_common common;
    struct generator g;
    struct cli_strings bias, bad_words;
    const char *batch;
    bool greedy;
    int color_by; /* -1: none */
    int32_t n_samples;
    struct cli_bytes text;
    struct cli_tokens prompt;
    struct gen_sample *samples; /* [n_samples] */
    size_t n_shown;
    gpt2c_logit_bias *biases;
    gpt2c_token_list *words;
    struct cli_tokens *word_tokens;
    struct outfile out;
    FILE *f; /* where text goes as it is made */
    bool on_terminal;
};

/* ---- options --------------------------------------------------------------------------------- */

/* "ID:X" of --logit-bias. */
static int parse_bias(const char *text, int32_t n_vocab, gpt2c_logit_bias *out)
{
    const char *colon = strchr(text, ':');
    char id_text[24] = "";
    int64_t id = 0;
    double bias = 0;
    if (colon && (size_t)(colon - text) < sizeof id_text) {
        memcpy(id_text, text, (size_t)(colon - text));
    }
    if (!colon || !cli_parse_int(id_text, &id) || !cli_parse_real(colon + 1, &bias)) {
        return cli_fail(EXIT_USAGE, "--logit-bias: want ID:X such as 198:-5.5; got '%s'", text);
    }
    if (id < 0 || id >= n_vocab) {
        return cli_fail(EXIT_USAGE,
                        "--logit-bias: token %lld is out of range: the model has 0 to %d",
                        (long long)id, n_vocab - 1);
    }
    *out = (gpt2c_logit_bias){(gpt2c_token)id, (float)bias};
    return EXIT_OK;
}

/* What needs the vocabulary: biases and bad words. */
static int parse_token_options(struct generate_job *job)
{
    gpt2c_sample_params *p = &job->g.params.sample;
    const int32_t n_vocab = gpt2c_model_hparams(job->g.model)->n_vocab;
    job->biases = cli_alloc(job->bias.n, sizeof *job->biases);
    job->words = cli_alloc(job->bad_words.n, sizeof *job->words);
    job->word_tokens = cli_alloc(job->bad_words.n, sizeof *job->word_tokens);
    int code = EXIT_OK;
    for (size_t i = 0; !code && i < job->bias.n; i++) {
        code = parse_bias(job->bias.v[i], n_vocab, &job->biases[i]);
    }
    for (size_t i = 0; !code && i < job->bad_words.n; i++) {
        const char *word = job->bad_words.v[i];
        code = *word ? cli_encode(job->g.tokenizer, word, strlen(word), &job->word_tokens[i])
                     : cli_fail(EXIT_USAGE, "--bad-words: the text is empty");
        job->words[i] =
            (gpt2c_token_list){job->word_tokens[i].tok, (int32_t)job->word_tokens[i].n_tok};
    }
    p->bias = job->biases;
    p->n_bias = (int32_t)job->bias.n;
    p->bad_words = job->words;
    p->n_bad_words = (int32_t)job->bad_words.n;
    return code;
}

static int check_options(struct generate_job *job)
{
    struct gen_params *p = &job->g.params;
    for (size_t i = 0; i < p->stops.n; i++) {
        if (!*p->stops.v[i]) {
            return cli_fail(EXIT_USAGE, "--stop: the text is empty");
        }
    }
    if (job->batch && (job->common.prompt || job->common.file)) {
        return cli_fail(EXIT_USAGE, "--batch excludes --prompt and --file");
    }
    if (p->n_logprobs >= 0 && !job->common.json && !job->batch) {
        return cli_fail(EXIT_USAGE, "--logprobs needs --json or --batch");
    }
    if (job->greedy) {
        p->sample.temperature = 0;
    }
    p->color = job->color_by >= 0 && !job->common.json && !job->batch && !job->common.output &&
               cli_use_color(&job->common, stdout);
    return EXIT_OK;
}

static int choose_seed(int64_t *seed)
{
    uint64_t random = 0;
    if (*seed >= 0) {
        return EXIT_OK;
    }
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        return cli_fail(EXIT_RUNTIME, "no random seed: %s; give one by --seed", strerror(errno));
    }
    *seed = (int64_t)(random >> 11); /* below 2^53 */
    return EXIT_OK;
}

/* The processors in their order, for -v. */
static void note_sampling(const struct generate_job *job)
{
    const gpt2c_sample_params *p = &job->g.params.sample;
    char text[400] = "";
    size_t n = 0;
#define NOTE(on, ...)                                                                              \
    n += (on) && n < sizeof text ? (size_t)snprintf(text + n, sizeof text - n, __VA_ARGS__) : 0
    NOTE(p->n_bias > 0, "logit bias of %d tokens, ", p->n_bias);
    NOTE(p->repetition_penalty != 1, "repetition penalty %g, ", p->repetition_penalty);
    NOTE(p->no_repeat_ngram_size > 0, "no repeated %d-gram, ", p->no_repeat_ngram_size);
    NOTE(p->n_bad_words > 0, "%d bad words, ", p->n_bad_words);
    NOTE(p->min_new_tokens > 0, "at least %d tokens, ", p->min_new_tokens);
    NOTE(p->temperature == 0, "greedy");
    NOTE(p->temperature != 0, "temperature %g", p->temperature);
    NOTE(p->temperature != 0 && p->top_k > 0, ", top-k %d", p->top_k);
    NOTE(p->temperature != 0 && p->top_p < 1, ", top-p %g", p->top_p);
    NOTE(p->temperature != 0 && p->min_p > 0, ", min-p %g", p->min_p);
    NOTE(p->temperature != 0 && p->typical_p < 1, ", typical-p %g", p->typical_p);
#undef NOTE
    cli_note(&job->common, "sampling: %s; seed %lld", text, (long long)job->g.params.seed);
}

static void note_timings(const struct generate_job *job)
{
    const struct generator *g = &job->g;
    cli_note(&job->common,
             "load %.0f ms; prompt %zu tokens in %.0f ms (%.0f tokens/s); %zu tokens in %.0f ms "
             "(%.1f tokens/s)",
             g->load_s * 1e3, g->n_prefilled, g->prefill_s * 1e3,
             (double)g->n_prefilled / fmax(g->prefill_s, 1e-9), g->n_decoded, g->decode_s * 1e3,
             (double)g->n_decoded / fmax(g->decode_s, 1e-9));
}

/* ---- text as it is made ---------------------------------------------------------------------- */

/* Writes UTF-8 text; control characters that would drive the terminal are shown instead. */
static void put_text(const struct generate_job *job, const char *text, size_t n)
{
    for (size_t i = 0; job->on_terminal && i < n;) {
        uint32_t cp = 0;
        const size_t len = text_next(text + i, n - i, &cp);
        if ((cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0)) {
            fprintf(job->f, "\\x%02x", cp);
        } else {
            fwrite(text + i, 1, len, job->f);
        }
        i += len;
    }
    if (!job->on_terminal) {
        fwrite(text, 1, n, job->f);
    }
}

static int on_text(void *user, const char *text, size_t n_bytes, int mark)
{
    const struct generate_job *job = user;
    if (mark && job->g.params.color) {
        fprintf(job->f, "\x1b[38;5;%dm", mark);
        put_text(job, text, n_bytes);
        fputs("\x1b[0m", job->f);
    } else {
        put_text(job, text, n_bytes);
    }
    if (fflush(job->f) != 0) {
        const int why = errno;
        clearerr(job->f);
        return cli_fail(EXIT_FILE, "cannot write the text: %s", strerror(why));
    }
    return EXIT_OK;
}

/* On a terminal the prompt stands in front, dim, so that the text reads whole. */
static void show_prompt(const struct generate_job *job)
{
    if (!job->on_terminal || job->common.quiet) {
        return;
    }
    const bool color = cli_use_color(&job->common, stdout);
    fputs(color ? "\x1b[2m" : "", job->f);
    put_text(job, job->text.data, job->text.n_bytes);
    fputs(color ? "\x1b[0m" : "", job->f);
    fflush(job->f);
}

/* Several samples are shown whole, in their order, with a line between them. */
static int on_done(void *user, struct gen_sample *sample)
{
    struct generate_job *job = user;
    (void)sample;
    if (job->common.json) {
        return EXIT_OK;
    }
    while (job->n_shown < (size_t)job->n_samples && job->samples[job->n_shown].finish) {
        const struct gen_sample *s = &job->samples[job->n_shown];
        if (!s->stream_fn) {
            fprintf(job->f, "%s--- sample %zu ---\n", job->n_shown ? "\n" : "", job->n_shown + 1);
            put_text(job, s->text.data, s->text.n_bytes);
        }
        job->n_shown++;
        if (fflush(job->f) != 0) {
            const int why = errno;
            clearerr(job->f);
            return cli_fail(EXIT_FILE, "cannot write the text: %s", strerror(why));
        }
    }
    return EXIT_OK;
}

/* ---- the work -------------------------------------------------------------------------------- */

static int read_prompt(struct generate_job *job)
{
    const struct gen_params *p = &job->g.params;
    int code = cli_encode(job->g.tokenizer, job->text.data, job->text.n_bytes, &job->prompt);
    if (!code) {
        code = cli_check_prompt(job->g.model, job->g.tokenizer, &job->prompt);
    }
    const int32_t n_ctx = gpt2c_model_hparams(job->g.model)->n_ctx;
    if (!code && p->overflow == GEN_ERROR &&
        job->prompt.n_tok + (size_t)p->n_new > (size_t)n_ctx + 1) {
        code = cli_fail(EXIT_RUNTIME,
                        "the prompt has %zu tokens, %d new ones are wanted, and the context of the "
                        "model is %d (see --on-overflow)",
                        job->prompt.n_tok, p->n_new, n_ctx);
    }
    if (!code && job->text.n_bytes > 0 && job->text.data[job->text.n_bytes - 1] == ' ') {
        cli_note(&job->common,
                 "the prompt ends in a space; GPT-2's words begin with theirs, so the "
                 "text may be better without it");
    }
    return code;
}

static void print_json(struct generate_job *job)
{
    cJSON *document = jsonout_document();
    cJSON_AddItemToObject(document, "prompt_ids", jsonout_ints(job->prompt.tok, job->prompt.n_tok));
    cJSON *samples = cJSON_AddArrayToObject(document, "samples");
    for (int32_t i = 0; i < job->n_samples; i++) {
        cJSON_AddItemToArray(samples, generate_json_sample(&job->g, &job->samples[i]));
    }
    cJSON_AddItemToObject(document, "seed", jsonout_int(job->g.params.seed));
    cJSON_AddItemToObject(document, "timings", generate_json_timings(&job->g));
    jsonout_write(document, job->out.f);
}

static int generate_text(struct generate_job *job)
{
    int code = read_prompt(job);
    if (!code) {
        code = generate_open(&job->g, &job->common, job->prompt.n_tok, (size_t)job->n_samples);
    }
    if (code) {
        return code;
    }
    job->samples = cli_alloc((size_t)job->n_samples, sizeof *job->samples);
    for (int32_t i = 0; i < job->n_samples; i++) {
        struct gen_sample *s = &job->samples[i];
        s->prompt = job->prompt.tok;
        s->n_prompt = job->prompt.n_tok;
        s->stream = (uint64_t)i;
        s->stream_fn = job->n_samples == 1 && !job->common.json ? on_text : NULL;
        s->stream_user = job;
    }
    if (!job->common.json) {
        show_prompt(job);
    }
    code = generate_run(&job->g, job->samples, (size_t)job->n_samples, on_done, job);
    if (code == EXIT_INTERRUPTED && job->common.json) {
        return cli_fail(code, "interrupted");
    }
    if (!job->common.json && (!code || code == EXIT_INTERRUPTED)) {
        fputc('\n', job->f);
    }
    if (!code && job->common.json) {
        print_json(job);
    }
    return code;
}

/* A file appears whole; --json and a file are written at the end, text on stdout as it is made. */
static int open_output(struct generate_job *job)
{
    const bool to_file = job->common.output && strcmp(job->common.output, "-") != 0;
    job->f = stdout;
    job->on_terminal = !to_file && isatty(STDOUT_FILENO);
    if (to_file || job->common.json) {
        const int code = outfile_open(&job->out, job->common.output);
        job->f = job->out.f;
        return code;
    }
    return EXIT_OK;
}

static int run_job(struct generate_job *job)
{
    struct generator *g = &job->g;
    int code = job->batch ? EXIT_OK : cli_read_text(&job->common, NULL, &job->text);
    if (!code) {
        code = choose_seed(&g->params.seed);
    }
    const double begin = cli_seconds();
    if (!code) {
        job->common.many_tokens = (int64_t)g->params.n_new * job->n_samples >= CLI_MANY_TOKENS;
        code = cli_open(&job->common, &g->model, &g->tokenizer);
    }
    g->load_s = cli_seconds() - begin;
    if (!code) {
        code = parse_token_options(job);
    }
    if (!code) {
        code = open_output(job);
    }
    if (code) {
        return code;
    }
    if (job->common.verbose) {
        note_sampling(job);
    }
    code = job->batch ? generate_batch(g, &job->common, job->batch, job->n_samples, job->f)
                      : generate_text(job);
    if (!code && job->out.f) {
        code = outfile_commit(&job->out);
    }
    if (!code && job->common.verbose) {
        note_timings(job);
    }
    return code;
}

static void free_job(struct generate_job *job)
{
    outfile_discard(&job->out);
    for (int32_t i = 0; job->samples && i < job->n_samples; i++) {
        generate_sample_free(&job->samples[i]);
    }
    for (size_t i = 0; job->word_tokens && i < job->bad_words.n; i++) {
        free(job->word_tokens[i].tok);
    }
    free(job->samples);
    free(job->word_tokens);
    free(job->words);
    free(job->biases);
    free(job->bias.v);
    free(job->bad_words.v);
    free(job->prompt.tok);
    free(job->text.data);
    generate_close(&job->g);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    static const char *const overflows[] = {"stop", "error", "slide", NULL};
    static const char *const colors[] = {"prob", NULL};
    struct generate_job job = {.color_by = -1, .n_samples = 1};
    struct gen_params *p = &job.g.params;
    *p = (struct gen_params){.n_new = 128, .n_logprobs = -1, .seed = -1};
    p->sample = gpt2c_sample_default_params();
    p->sample.temperature = 0.8;
    p->sample.top_k = 50;
    p->sample.top_p = 0.95;
    const struct cli_option options[] = {
        {'n', "max-new-tokens", "N", CLI_INT, &p->n_new, "tokens to make (128)", 0, 1e8, NULL},
        {0, "greedy", NULL, CLI_FLAG, &job.greedy, "always the likeliest token", 0, 0, NULL},
        {0, "temperature", "X", CLI_REAL, &p->sample.temperature, "0 is greedy (0.8)", 0, 1e6,
         NULL},
        {0, "top-k", "K", CLI_INT, &p->sample.top_k, "draw from the K likeliest; 0: all (50)", 0,
         1e9, NULL},
        {0, "top-p", "P", CLI_REAL, &p->sample.top_p,
         "draw from the likeliest that sum to P (0.95)", 0, 1, NULL},
        {0, "min-p", "P", CLI_REAL, &p->sample.min_p, "drop those under P times the likeliest (0)",
         0, 1, NULL},
        {0, "typical-p", "P", CLI_REAL, &p->sample.typical_p,
         "draw from the most typical that sum to P (1)", 1e-6, 1, NULL},
        {0, "repetition-penalty", "X", CLI_REAL, &p->sample.repetition_penalty,
         "above 1: tokens that came before are less likely (1)", 1e-3, 1e3, NULL},
        {0, "no-repeat-ngram-size", "N", CLI_INT, &p->sample.no_repeat_ngram_size,
         "no N tokens in a row twice (0: off)", 0, 1e9, NULL},
        {0, "min-new-tokens", "N", CLI_INT, &p->sample.min_new_tokens, "no end of text before (0)",
         0, 1e9, NULL},
        {0, "logit-bias", "ID:X", CLI_STRINGS, &job.bias,
         "add X to the logit of a token; repeatable", 0, 0, NULL},
        {0, "bad-words", "TEXT", CLI_STRINGS, &job.bad_words,
         "never write this, as GPT-2 splits it: mind the space in front; repeatable", 0, 0, NULL},
        {'s', "seed", "N", CLI_SEED, &p->seed, "the same seed, the same text (random)", 0, 0, NULL},
        {0, "stop", "TEXT", CLI_STRINGS, &p->stops, "end before this text; repeatable", 0, 0, NULL},
        {0, "ignore-eos", NULL, CLI_FLAG, &p->ignore_eos, "go on after <|endoftext|>", 0, 0, NULL},
        {0, "max-time", "S", CLI_REAL, &p->max_time, "end after S seconds", 0, 1e9, NULL},
        {0, "on-overflow", NULL, CLI_CHOICE, &p->overflow,
         "when the context is full: stop (default), refuse beforehand, or keep its later half", 0,
         0, overflows},
        {0, "num-samples", "N", CLI_INT, &job.n_samples, "several texts for the prompt (1)", 1, 1e6,
         NULL},
        {0, "batch", "FILE", CLI_STRING, &job.batch,
         "one prompt per line of JSON to one line of results; - reads stdin", 0, 0, NULL},
        {0, "speculate", NULL, CLI_FLAG, &p->speculate,
         "guess from what was written before: the same text, sometimes faster", 0, 0, NULL},
        {0, "logprobs", "N", CLI_INT, &p->n_logprobs,
         "with --json: the log-probability of each token and of the N likeliest", 0, 1000, NULL},
        {0, "color-by", NULL, CLI_CHOICE, &job.color_by, "color the text by its probability", 0, 0,
         colors},
        {0},
    };
    int code = EXIT_OK;
    if (cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        code = check_options(&job);
        code = code ? code : run_job(&job);
    }
    free_job(&job);
    return code;
}

const struct cli_command cmd_generate = {
    .name = "generate",
    .summary = "Continue a text.",
    .usage = "gpt2c generate [options] --prompt TEXT",
    .examples = "gpt2c generate --prompt \"The dog\" -n 64\n"
                "gpt2c generate --prompt \"Once upon a time\" --greedy --stop \".\"\n"
                "echo \"The old man\" | gpt2c generate --chomp --temperature 1 --seed 7\n"
                "gpt2c generate --prompt \"The cat\" --num-samples 4 --json\n"
                "gpt2c generate --batch prompts.jsonl > results.jsonl",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
