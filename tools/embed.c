/* The vectors of a text: rows of the tables, or what a tap saw of one layer. */
#include "embed.h"

#include "jsonout.h"
#include "npview.h"
#include "npy.h"
#include "outfile.h"
#include "sinusoid.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tap {
    float *x; /* [n_tok][n_embd] */
    int32_t layer;
};

static int on_hidden(void *user, const gpt2c_activation *a)
{
    const struct tap *tap = user;
    const size_t n_embd = (size_t)a->n_cols;
    if (a->layer == tap->layer) {
        for (size_t r = 0; r < (size_t)a->n_rows; r++) {
            memcpy(tap->x + ((size_t)a->pos + r) * n_embd, a->data + r * a->ld,
                   n_embd * sizeof *tap->x);
        }
    }
    return 0;
}

static int from_tables(const struct embed *e, int32_t source)
{
    const size_t n_embd = (size_t)e->prompt.hp->n_embd;
    gpt2c_error err;
    for (size_t i = 0; i < e->prompt.tokens.n_tok; i++) {
        float *row = e->x + i * n_embd;
        if (source == EMBED_WTE
                ? gpt2c_model_wte(e->prompt.model, e->prompt.tokens.tok[i], row, &err)
                : gpt2c_model_wpe(e->prompt.model, (int32_t)i, row, &err)) {
            return cli_fail_status(&err);
        }
    }
    return EXIT_OK;
}

static int from_layer(struct embed *e, const struct cli_common *common, int32_t layer)
{
    struct tap tap = {e->x, layer};
    const int code = prompt_session(&e->prompt, common, 1);
    return code ? code : prompt_eval(&e->prompt, GPT2C_HIDDEN, on_hidden, &tap);
}

int embed_compute(struct embed *e, const struct cli_common *common, int32_t source, bool add)
{
    const size_t n_tok = e->prompt.tokens.n_tok;
    const size_t n_embd = (size_t)e->prompt.hp->n_embd;
    e->x = n_tok <= SIZE_MAX / n_embd ? calloc(n_tok * n_embd, sizeof *e->x) : NULL;
    if (!e->x) {
        return cli_fail(EXIT_MEMORY, "no memory for %zu vectors of %zu numbers", n_tok, n_embd);
    }
    const int code = source < 0 ? from_tables(e, source) : from_layer(e, common, source);
    for (size_t i = 0; !code && add && i < n_tok; i++) {
        for (size_t j = 0; j < n_embd; j++) {
            e->x[i * n_embd + j] += (float)sinusoid(i, j, n_embd);
        }
    }
    return code;
}

/* ---- output ---------------------------------------------------------------------------------- */

/* The document is as large as the matrix, so the vectors are written, not built. */
static int write_json(const struct embed *e, const char *path)
{
    const struct prompt *p = &e->prompt;
    const size_t n_embd = (size_t)p->hp->n_embd;
    const int32_t shape[3] = {1, (int32_t)p->tokens.n_tok, p->hp->n_embd};
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    cJSON *document = jsonout_document();
    cJSON_AddStringToObject(document, "what", e->what);
    cJSON_AddItemToObject(document, "shape", jsonout_ints(shape, 3));
    cJSON_AddItemToObject(document, "ids", jsonout_ints(p->tokens.tok, p->tokens.n_tok));
    cJSON *tokens = cJSON_AddArrayToObject(document, "tokens");
    for (size_t i = 0; i < p->tokens.n_tok; i++) {
        cJSON_AddItemToArray(tokens, prompt_json(p, p->tokens.tok[i]));
    }
    char *head = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    if (!head) {
        outfile_discard(&out);
        return cli_fail(EXIT_MEMORY, "no memory for the JSON document");
    }
    fprintf(out.f, "%.*s,\"vectors\":", (int)strlen(head) - 1, head); /* without its last brace */
    free(head);
    for (size_t i = 0; i < p->tokens.n_tok * n_embd; i++) {
        char number[32];
        fprintf(out.f, "%s%s", i == 0 ? "[[" : i % n_embd == 0 ? "],[" : ",",
                text_float(number, e->x[i]));
    }
    fputs("]]}\n", out.f);
    return outfile_commit(&out);
}

static int write_numbers(const struct embed *e, const char *path, bool csv)
{
    const size_t shape[2] = {e->prompt.tokens.n_tok, (size_t)e->prompt.hp->n_embd};
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    if (!csv) {
        npy_write(out.f, e->x, shape, 2);
    }
    for (size_t i = 0; csv && i < shape[0] * shape[1]; i++) {
        char number[32];
        fprintf(out.f, "%s%c", text_float(number, e->x[i]), (i + 1) % shape[1] ? ',' : '\n');
    }
    return outfile_commit(&out);
}

int embed_show(const struct embed *e, const struct cli_common *common, enum ending ending)
{
    int code = EXIT_OK;
    if (ending == ENDING_JSON) {
        code = write_json(e, common->output);
    } else if (ending) {
        code = write_numbers(e, common->output, ending == ENDING_CSV);
    }
    if (!code && common->json) {
        code = write_json(e, NULL);
    } else if (!code && !ending) {
        const size_t n_tok = e->prompt.tokens.n_tok;
        const size_t n_embd = (size_t)e->prompt.hp->n_embd;
        printf("(1, %zu, %zu)\n", n_tok, n_embd);
        npview_print(stdout, e->x, n_tok, n_embd);
    }
    return code;
}
