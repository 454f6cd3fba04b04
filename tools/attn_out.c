/* Numbers are streamed: a document of all maps would be many times their size. */
#include "attn_out.h"

#include "cli.h"
#include "jsonout.h"
#include "npy.h"
#include "outfile.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

int attn_format_of(const char *path, enum attn_format *out)
{
    static const char *const endings[] = {".png", ".html", ".npy", ".csv", ".json"};
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    for (int i = 0; dot && i < 5; i++) {
        if (strcmp(dot, endings[i]) == 0) {
            *out = (enum attn_format)i;
            return EXIT_OK;
        }
    }
    if (dot) {
        return cli_fail(EXIT_USAGE, "%s: want a name that ends in .png, .html, .npy, .csv or .json",
                        path);
    }
    *out = ATTN_PNG;
    return EXIT_OK;
}

static void write_number(FILE *f, float v)
{
    char text[32];
    fputs(v == 0 ? "0" : text_float(text, v), f);
}

static void write_rows(const struct attnmap *m, const float *v, const char *first,
                       const char *between, const char *last, FILE *f)
{
    const size_t n = (size_t)m->n_tok;
    for (size_t row = 0; row < n; row++) {
        fputs(first, f);
        for (size_t col = 0; col < n; col++) {
            fputs(col ? "," : "", f);
            write_number(f, v[row * n + col]);
        }
        fputs(row + 1 < n ? between : last, f);
    }
}

static void write_csv(const struct attnmap *m, FILE *f)
{
    if (m->n_maps == 1) {
        write_rows(m, m->v, "", "\n", "\n", f);
        return;
    }
    const size_t n = (size_t)m->n_tok;
    fputs("layer,head,query,key,attention\n", f);
    for (int32_t i = 0; i < m->n_maps; i++) {
        const float *v = attnmap_of(m, i / m->n_heads, i % m->n_heads);
        for (size_t j = 0; j < n * n; j++) {
            fprintf(f, "%d,%d,%zu,%zu,", m->layers[i / m->n_heads], m->heads[i % m->n_heads], j / n,
                    j % n);
            write_number(f, v[j]);
            fputc('\n', f);
        }
    }
}

static void write_json(const struct attnmap *m, const gpt2c_tokenizer *tokenizer, FILE *f)
{
    cJSON *document = jsonout_document();
    cJSON_AddItemToObject(document, "layers", jsonout_ints(m->layers, (size_t)m->n_layers));
    cJSON_AddItemToObject(document, "heads", jsonout_ints(m->heads, (size_t)m->n_heads));
    cJSON_AddItemToObject(document, "n_tok", jsonout_int(m->n_tok));
    cJSON_AddItemToObject(document, "n_prompt", jsonout_int(m->n_prompt));
    cJSON_AddItemToObject(document, "ids", jsonout_ints(m->tok, (size_t)m->n_tok));
    cJSON *tokens = cJSON_AddArrayToObject(document, "tokens");
    for (int32_t i = 0; i < m->n_tok; i++) {
        char *hf = text_token_hf(tokenizer, m->tok[i]);
        cJSON_AddItemToArray(tokens, jsonout_string(hf, strlen(hf)));
        free(hf);
    }
    char *head = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    if (!head) {
        exit(cli_fail(EXIT_MEMORY, "out of memory: a JSON document"));
    }
    fprintf(f, "%.*s,\"attention\":", (int)strlen(head) - 1, head); /* without the last brace */
    free(head);
    if (m->n_maps == 1) {
        fputc('[', f);
        write_rows(m, m->v, "[", "],", "]", f);
        fputs("]}\n", f);
        return;
    }
    for (int32_t i = 0; i < m->n_maps; i++) {
        fputs(i == 0 ? "[[[" : i % m->n_heads == 0 ? "]],[[" : "],[", f);
        write_rows(m, attnmap_of(m, i / m->n_heads, i % m->n_heads), "[", "],", "]", f);
    }
    fputs("]]]}\n", f);
}

int attn_write_data(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                    enum attn_format format, const char *path)
{
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    const size_t shape[4] = {(size_t)m->n_layers, (size_t)m->n_heads, (size_t)m->n_tok,
                             (size_t)m->n_tok};
    if (format == ATTN_NPY) {
        npy_write(out.f, m->v, m->n_maps == 1 ? shape + 2 : shape, m->n_maps == 1 ? 2 : 4);
    } else if (format == ATTN_CSV) {
        write_csv(m, out.f);
    } else {
        write_json(m, tokenizer, out.f);
    }
    return outfile_commit(&out);
}
