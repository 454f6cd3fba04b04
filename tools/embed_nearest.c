/* The rows of the token table that point the same way as one of them. */
#include "embed.h"
#include "dist.h"
#include "jsonout.h"
#include "outfile.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct nearest {
    struct prompt prompt; /* model and tokenizer, no text */
    gpt2c_token token;
    gpt2c_token *best; /* [k], nearest first */
    int32_t k;
    float *cosine; /* [n_vocab], -infinity: not compared */
};

/* A token spelled as GPT-2's files do ("Ġcat"), or -1. */
static gpt2c_token find_spelling(const gpt2c_tokenizer *tokenizer, const char *text)
{
    const gpt2c_token n_vocab = gpt2c_tokenizer_n_vocab(tokenizer);
    gpt2c_token found = -1;
    for (gpt2c_token i = 0; found < 0 && i < n_vocab; i++) {
        char *spelling = text_token_hf(tokenizer, i);
        found = strcmp(spelling, text) == 0 ? i : -1;
        free(spelling);
    }
    return found;
}

/* A number is an id; "text:7" is the token of the text 7; all else is text. */
static int parse_token(const struct prompt *p, const char *text, gpt2c_token *out)
{
    int64_t id = 0;
    if (cli_parse_int(text, &id)) {
        if (id < 0 || id >= p->hp->n_vocab) {
            return cli_fail(EXIT_USAGE, "--nearest %s is out of range: token ids go from 0 to %d",
                            text, p->hp->n_vocab - 1);
        }
        *out = (gpt2c_token)id;
        return EXIT_OK;
    }
    text += strncmp(text, "text:", 5) == 0 ? 5 : 0;
    struct cli_tokens tokens;
    const int code = cli_encode(p->tokenizer, text, strlen(text), &tokens);
    if (code) {
        return code;
    }
    const size_t n_tok = tokens.n_tok;
    *out = n_tok == 1 ? tokens.tok[0] : find_spelling(p->tokenizer, text);
    free(tokens.tok);
    if (*out < 0) {
        return cli_fail(EXIT_USAGE, "--nearest '%s' is %zu tokens, not one; 'gpt2c tokenize' shows "
                                    "them and their ids", text, n_tok);
    }
    return EXIT_OK;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static int compute(struct nearest *s)
{
    const size_t n_embd = (size_t)s->prompt.hp->n_embd;
    const size_t n_vocab = (size_t)s->prompt.hp->n_vocab;
    gpt2c_error err;
    s->cosine = cli_alloc(n_vocab, sizeof *s->cosine);
    s->best = cli_alloc((size_t)s->k, sizeof *s->best);
    float *rows = cli_alloc(2 * n_embd, sizeof *rows);
    float *row = rows + n_embd;
    gpt2c_status status = gpt2c_model_wte(s->prompt.model, s->token, rows, &err);
    const double length = sqrt(dot(rows, rows, n_embd));
    for (size_t i = 0; !status && i < n_vocab; i++) {
        status = gpt2c_model_wte(s->prompt.model, (gpt2c_token)i, row, &err);
        const double lengths = length * sqrt(dot(row, row, n_embd));
        const bool compared = !status && lengths > 0.0 && i != (size_t)s->token;
        s->cosine[i] = compared ? (float)(dot(rows, row, n_embd) / lengths) : -INFINITY;
    }
    free(rows);
    const struct dist order = {.logits = s->cosine, .n_vocab = s->prompt.hp->n_vocab};
    if (s->k > 0) {
        dist_top(&order, s->k, s->best);
    }
    return status ? cli_fail_status(&err) : EXIT_OK;
}

/* ---- output ---------------------------------------------------------------------------------- */

static cJSON *make_json(const struct nearest *s)
{
    cJSON *document = jsonout_document();
    cJSON *list = NULL;
    cJSON_AddItemToObject(document, "id", jsonout_int(s->token));
    cJSON_AddItemToObject(document, "token", prompt_json(&s->prompt, s->token));
    list = cJSON_AddArrayToObject(document, "nearest");
    for (int32_t i = 0; i < s->k; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "rank", jsonout_int(i + 1));
        cJSON_AddItemToObject(item, "id", jsonout_int(s->best[i]));
        cJSON_AddItemToObject(item, "token", prompt_json(&s->prompt, s->best[i]));
        cJSON_AddItemToObject(item, "cosine", jsonout_float(s->cosine[s->best[i]]));
        cJSON_AddItemToArray(list, item);
    }
    return document;
}

static int write_csv(const struct nearest *s, const char *path)
{
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    fputs("rank,id,token,cosine\n", out.f);
    for (int32_t i = 0; i < s->k; i++) {
        fprintf(out.f, "%d,%d,", i + 1, s->best[i]);
        prompt_csv(&s->prompt, s->best[i], out.f);
        fprintf(out.f, ",%.9g\n", (double)s->cosine[s->best[i]]);
    }
    return outfile_commit(&out);
}

static void print_table(const struct nearest *s)
{
    printf("%4s  %6s  %7s  token\n", "rank", "id", "cosine");
    for (int32_t i = 0; i < s->k; i++) {
        char *text = text_token(s->prompt.tokenizer, s->best[i]);
        printf("%4d  %6d  %7.4f  %s\n", i + 1, s->best[i], (double)s->cosine[s->best[i]], text);
        free(text);
    }
}

static int show(const struct nearest *s, const struct cli_common *common, enum ending ending)
{
    int code = EXIT_OK;
    if (ending == ENDING_CSV) {
        code = write_csv(s, common->output);
    } else if (ending) {
        code = jsonout_print(make_json(s), common->output);
    }
    if (!code && common->json) {
        code = jsonout_print(make_json(s), NULL);
    } else if (!code && !ending) {
        print_table(s);
    }
    return code;
}

int embed_nearest(const struct cli_common *common, const char *token, int32_t k,
                  enum ending ending)
{
    struct nearest s = {.k = k};
    int code = cli_open(common, &s.prompt.model, &s.prompt.tokenizer);
    if (!code) {
        s.prompt.hp = gpt2c_model_hparams(s.prompt.model);
        code = parse_token(&s.prompt, token, &s.token);
    }
    if (!code) {
        s.k = k < s.prompt.hp->n_vocab ? k : s.prompt.hp->n_vocab - 1;
        code = compute(&s);
    }
    if (!code) {
        code = show(&s, common, ending);
    }
    free(s.cosine);
    free(s.best);
    prompt_close(&s.prompt);
    return code;
}
