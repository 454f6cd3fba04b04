/* gpt2c tokenize --explain: the lesson of the notebook. A text is cut into pieces; each begins as
 * one token per byte; the merge of lowest rank is applied until none is left. */
#include "jsonout.h"
#include "text.h"
#include "tokenize.h"

#include <stdlib.h>
#include <string.h>

#define COLOR_MADE "\033[1;32m"
#define COLOR_ODD "\033[36m"
#define COLOR_DIM "\033[2m"
#define COLOR_OFF "\033[0m"

struct explain_view {
    const gpt2c_tokenizer *tokenizer;
    const char *text;
    FILE *f;
    bool color;
    int32_t n_pieces;
    cJSON *pieces, *steps; /* --json; steps of the piece at hand */
    cJSON *ids;            /* of all pieces */
    size_t n_tok;
};

static const char *paint(const struct explain_view *v, const char *color)
{
    return v->color ? color : "";
}

static bool is_special(const struct explain_view *v, const gpt2c_explain_step *s)
{
    return s->last && s->step == 0 && s->n_tok == 1 &&
           gpt2c_tokenizer_is_special(v->tokenizer, s->tok[0]);
}

/* ---- for people ------------------------------------------------------------------------------ */

static int on_piece(void *user, const gpt2c_explain_step *s)
{
    struct explain_view *v = user;
    if (s->step > 0) {
        return 0;
    }
    char *text = text_visible(v->text + s->piece.begin, s->piece.end - s->piece.begin);
    fprintf(v->f, "%s%s%s|", v->n_pieces % 2 ? paint(v, COLOR_ODD) : "", text,
            v->n_pieces % 2 ? paint(v, COLOR_OFF) : "");
    free(text);
    v->n_pieces++;
    return cli_interrupted();
}

static void print_heading(struct explain_view *v, const gpt2c_explain_step *s)
{
    char *text = text_visible(v->text + s->piece.begin, s->piece.end - s->piece.begin);
    fprintf(v->f, "\npiece %d  \"%s\"  %sbytes %zu-%zu%s\n", ++v->n_pieces, text,
            paint(v, COLOR_DIM), s->piece.begin, s->piece.end, paint(v, COLOR_OFF));
    free(text);
}

static void print_tokens(const struct explain_view *v, const gpt2c_explain_step *s)
{
    for (size_t i = 0; i < s->n_tok; i++) {
        const bool made = s->at >= 0 && (size_t)s->at == i;
        char *name = text_token_hf(v->tokenizer, s->tok[i]);
        fprintf(v->f, " %s%s%s", made ? paint(v, COLOR_MADE) : "", name,
                made ? paint(v, COLOR_OFF) : "");
        free(name);
    }
    fputc('\n', v->f);
}

static int on_step(void *user, const gpt2c_explain_step *s)
{
    struct explain_view *v = user;
    if (s->step == 0) {
        print_heading(v, s);
    }
    if (is_special(v, s)) {
        fprintf(v->f, "  a special token: never cut or merged\n");
    } else if (s->step > 0) {
        fprintf(v->f, "  merge %5d ", s->rank);
        print_tokens(v, s);
    } else if (s->last && s->n_tok > 1 && s->piece.end - s->piece.begin > 1024) {
        fprintf(v->f, "  too long to show its merges\n");
    } else {
        fprintf(v->f, "  bytes       ");
        print_tokens(v, s);
    }
    if (s->last) {
        fprintf(v->f, "  %s        ", s->n_tok == 1 ? "id " : "ids");
        for (size_t i = 0; i < s->n_tok; i++) {
            fprintf(v->f, " %d", s->tok[i]);
        }
        fputc('\n', v->f);
        v->n_tok += s->n_tok;
    }
    return cli_interrupted();
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static int on_json(void *user, const gpt2c_explain_step *s)
{
    struct explain_view *v = user;
    if (s->step == 0) {
        cJSON *piece = cJSON_CreateObject();
        const int32_t bytes[2] = {(int32_t)s->piece.begin, (int32_t)s->piece.end};
        cJSON_AddItemToObject(piece, "bytes", jsonout_ints(bytes, 2));
        cJSON_AddItemToObject(
            piece, "text", jsonout_string(v->text + s->piece.begin, s->piece.end - s->piece.begin));
        v->steps = cJSON_AddArrayToObject(piece, "steps");
        cJSON_AddItemToArray(v->pieces, piece);
    }
    cJSON *step = cJSON_CreateObject();
    cJSON_AddItemToObject(step, "rank", s->rank < 0 ? cJSON_CreateNull() : jsonout_int(s->rank));
    cJSON_AddItemToObject(step, "at", s->at < 0 ? cJSON_CreateNull() : jsonout_int(s->at));
    cJSON *tokens = cJSON_AddArrayToObject(step, "tokens");
    for (size_t i = 0; i < s->n_tok; i++) {
        char *name = text_token_hf(v->tokenizer, s->tok[i]);
        cJSON_AddItemToArray(tokens, jsonout_string(name, strlen(name)));
        free(name);
    }
    cJSON_AddItemToArray(v->steps, step);
    if (s->last) {
        for (size_t i = 0; i < s->n_tok; i++) {
            cJSON_AddItemToArray(v->ids, jsonout_int(s->tok[i]));
        }
        v->n_tok += s->n_tok;
    }
    return cli_interrupted();
}

static int explain_json(struct explain_view *v, const struct cli_bytes *text, gpt2c_special special)
{
    gpt2c_error err;
    cJSON *document = jsonout_document();
    v->ids = cJSON_CreateArray();
    v->pieces = cJSON_CreateArray();
    cJSON_AddItemToObject(document, "ids", v->ids);
    cJSON_AddItemToObject(document, "pieces", v->pieces);
    if (gpt2c_tokenizer_explain(v->tokenizer, text->data, text->n_bytes, special, on_json, v,
                                &err)) {
        cJSON_Delete(document);
        return cli_fail_status(&err);
    }
    return jsonout_write(document, v->f);
}

/* ---- both ------------------------------------------------------------------------------------ */

int tokenize_explain(const gpt2c_tokenizer *tokenizer, const struct cli_bytes *text,
                     gpt2c_special special, bool json, bool color, FILE *f)
{
    gpt2c_error err;
    struct explain_view v = {.tokenizer = tokenizer, .text = text->data, .f = f, .color = color};
    if (json) {
        return explain_json(&v, text, special);
    }
    fputs("pieces: |", f);
    gpt2c_status st =
        gpt2c_tokenizer_explain(tokenizer, text->data, text->n_bytes, special, on_piece, &v, &err);
    fputc('\n', f);
    v.n_pieces = 0;
    if (!st) {
        st = gpt2c_tokenizer_explain(tokenizer, text->data, text->n_bytes, special, on_step, &v,
                                     &err);
    }
    if (st) {
        return cli_fail_status(&err);
    }
    fprintf(f, "\n%d pieces, %zu tokens\n", v.n_pieces, v.n_tok);
    return EXIT_OK;
}
