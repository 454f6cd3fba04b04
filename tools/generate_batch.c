/* generate --batch: a file of prompts, one per line, to one line of results each. */
#include "generate_batch.h"

#include "generate_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct line {
    struct cli_tokens prompt;
    char error[256]; /* empty: the prompt is good */
    int32_t n_left;  /* samples that are not done */
};

struct batch {
    struct generator *g;
    struct line *lines; /* [n_lines] */
    size_t n_lines;
    struct gen_sample *samples; /* [n_good][n_samples] */
    size_t *line_of;            /* [n_good] */
    size_t n_good;
    int32_t n_samples;
    size_t n_printed; /* lines */
    size_t at_good;   /* good lines among these */
    FILE *f;
};

static void refuse(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct line *line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line->error, sizeof line->error, fmt, ap);
    va_end(ap);
}

/* ---- input ----------------------------------------------------------------------------------- */

/* The prompt of a line: a JSON string, or the "prompt" of an object. */
static int read_prompt(const struct generator *g, const char *text, size_t n, struct line *line)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(g->model);
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, n, &end, 0);
    const size_t n_rest = json ? strspn(end, " \t\r") : 0;
    const cJSON *prompt =
        cJSON_IsObject(json) ? cJSON_GetObjectItemCaseSensitive(json, "prompt") : json;
    int code = EXIT_OK;
    if (!json || (size_t)(end - text) + n_rest < n) {
        refuse(line, "not JSON: want a string or an object with \"prompt\"");
    } else if (!cJSON_IsString(prompt)) {
        refuse(line, "want a string or an object with \"prompt\", a string");
    } else {
        code = cli_encode(g->tokenizer, prompt->valuestring, strlen(prompt->valuestring),
                          &line->prompt);
    }
    cJSON_Delete(json);
    const size_t n_tok = line->prompt.n_tok;
    if (code || line->error[0]) {
        return code;
    }
    if (n_tok > (size_t)hp->n_ctx) {
        refuse(line, "the prompt has %zu tokens, the context of the model %d", n_tok, hp->n_ctx);
        return EXIT_OK;
    }
    if (g->params.overflow == GEN_ERROR &&
        n_tok + (size_t)g->params.n_new > (size_t)hp->n_ctx + 1) {
        refuse(line, "%zu tokens and %d new ones are more than the context of the model, %d", n_tok,
               g->params.n_new, hp->n_ctx);
        return EXIT_OK;
    }
    return cli_check_prompt(g->model, g->tokenizer, &line->prompt);
}

static int read_lines(struct batch *b, const char *path)
{
    const struct cli_common from = {.file = path};
    struct cli_bytes text;
    int code = cli_read_text(&from, NULL, &text);
    size_t cap = 0;
    for (const char *p = text.data; !code && p < text.data + text.n_bytes;) {
        const size_t n_rest = text.n_bytes - (size_t)(p - text.data);
        const char *newline = memchr(p, '\n', n_rest);
        const size_t n = newline ? (size_t)(newline - p) : n_rest;
        if (b->n_lines == cap) {
            cap = cap ? 2 * cap : 64;
            b->lines = cli_realloc(b->lines, cap, sizeof *b->lines);
        }
        b->lines[b->n_lines] = (struct line){0};
        code = read_prompt(b->g, p, n, &b->lines[b->n_lines]);
        b->n_good += !b->lines[b->n_lines].error[0];
        b->n_lines++;
        p += n + (newline != NULL);
    }
    free(text.data);
    return code;
}

static void make_samples(struct batch *b)
{
    b->samples = cli_alloc(b->n_good * (size_t)b->n_samples, sizeof *b->samples);
    b->line_of = cli_alloc(b->n_good, sizeof *b->line_of);
    size_t good = 0;
    for (size_t i = 0; i < b->n_lines; i++) {
        struct line *line = &b->lines[i];
        if (line->error[0]) {
            continue;
        }
        line->n_left = b->n_samples;
        b->line_of[good] = i;
        for (int32_t k = 0; k < b->n_samples; k++) {
            struct gen_sample *s = &b->samples[good * (size_t)b->n_samples + (size_t)k];
            s->prompt = line->prompt.tok;
            s->n_prompt = line->prompt.n_tok;
            s->stream = (uint64_t)k; /* a prompt gives the text that it gives alone */
        }
        good++;
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static int print_line(struct batch *b, size_t i)
{
    const struct line *line = &b->lines[i];
    cJSON *document = jsonout_document();
    cJSON_AddItemToObject(document, "index", jsonout_int((int64_t)i));
    if (line->error[0]) {
        cJSON_AddItemToObject(document, "error", jsonout_string(line->error, strlen(line->error)));
    } else {
        cJSON_AddItemToObject(document, "prompt_ids",
                              jsonout_ints(line->prompt.tok, line->prompt.n_tok));
        cJSON *array = cJSON_AddArrayToObject(document, "samples");
        for (int32_t k = 0; k < b->n_samples; k++) {
            struct gen_sample *s = &b->samples[b->at_good * (size_t)b->n_samples + (size_t)k];
            cJSON_AddItemToArray(array, generate_json_sample(b->g, s));
            generate_sample_free(s);
        }
        cJSON_AddItemToObject(document, "seed", jsonout_int(b->g->params.seed));
        b->at_good++;
    }
    const int code = jsonout_write(document, b->f);
    if (code) {
        return code;
    }
    if (fflush(b->f) != 0) {
        return cli_fail(EXIT_FILE, "cannot write the results: %s", strerror(errno));
    }
    return EXIT_OK;
}

/* Prints the lines that are ready and have none before them that is not. */
static int print_ready(struct batch *b)
{
    int code = EXIT_OK;
    while (!code && b->n_printed < b->n_lines && b->lines[b->n_printed].n_left == 0) {
        code = print_line(b, b->n_printed++);
    }
    return code;
}

static int on_done(void *user, struct gen_sample *sample)
{
    struct batch *b = user;
    const size_t good = (size_t)(sample - b->samples) / (size_t)b->n_samples;
    b->lines[b->line_of[good]].n_left--;
    return print_ready(b);
}

static size_t longest_prompt(const struct batch *b)
{
    size_t longest = 1;
    for (size_t i = 0; i < b->n_lines; i++) {
        longest = b->lines[i].prompt.n_tok > longest ? b->lines[i].prompt.n_tok : longest;
    }
    return longest;
}

int generate_batch(struct generator *g, const struct cli_common *common, const char *path,
                   int32_t n_samples, FILE *f)
{
    struct batch b = {.g = g, .n_samples = n_samples, .f = f};
    int code = read_lines(&b, path);
    if (!code) {
        make_samples(&b);
        code = print_ready(&b); /* bad lines at the front */
    }
    const size_t n_total = b.n_good * (size_t)n_samples;
    if (!code && n_total > 0) {
        code = generate_open(g, common, longest_prompt(&b), n_total);
    }
    if (!code && n_total > 0) {
        code = generate_run(g, b.samples, n_total, on_done, &b);
    }
    if (!code && b.n_good < b.n_lines) {
        cli_note(common, "%zu of %zu lines could not be used; see their \"error\"",
                 b.n_lines - b.n_good, b.n_lines);
    }
    for (size_t i = 0; b.samples && i < n_total; i++) {
        generate_sample_free(&b.samples[i]);
    }
    for (size_t i = 0; i < b.n_lines; i++) {
        free(b.lines[i].prompt.tok);
    }
    free(b.lines);
    free(b.samples);
    free(b.line_of);
    return code;
}
