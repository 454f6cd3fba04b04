/* One offline page with the maps in it. Probabilities are stored as they are shown, to four
 * decimals: 16 bits a cell of the lower triangle, in base64, one element a map, which the page
 * decodes when it is looked at. */
#include "attn_out.h"
#include "cli.h"
#include "jsonout.h"
#include "outfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char page_text[] = {
#include <attn_page.inc> /* made from attn_page.html by the build */
    0};

/* A browser keeps text in memory twice; more than this is slow to open. */
static const size_t most_bytes = (size_t)256 << 20;

/* ---- base64 ---------------------------------------------------------------------------------- */

struct base64 {
    FILE *f;
    uint32_t bits;
    int n; /* bytes in bits */
};

static void base64_group(struct base64 *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char out[4] = "====";
    const uint32_t bits = b->bits << (8 * (3 - b->n));
    for (int i = 0; i <= b->n; i++) {
        out[i] = digits[bits >> (18 - 6 * i) & 63];
    }
    fwrite(out, 1, 4, b->f);
    b->bits = 0;
    b->n = 0;
}

static void base64_put(struct base64 *b, unsigned byte)
{
    b->bits = b->bits << 8 | byte;
    if (++b->n == 3) {
        base64_group(b);
    }
}

static void base64_end(struct base64 *b)
{
    if (b->n > 0) {
        base64_group(b);
    }
}

/* ---- the parts of the page ------------------------------------------------------------------- */

static void write_map(const float *v, int32_t n_tok, FILE *f)
{
    struct base64 b = {.f = f};
    for (int32_t row = 0; row < n_tok; row++) {
        for (int32_t col = 0; col <= row; col++) {
            const double p = (double)v[(size_t)row * (size_t)n_tok + (size_t)col];
            const unsigned q = (unsigned)floor(p * 10000 + 0.5);
            base64_put(&b, q & 255);
            base64_put(&b, q >> 8 & 255);
        }
    }
    base64_end(&b);
}

static cJSON *list_text(const int32_t *list, int32_t n)
{
    char text[64];
    if (n == 1) {
        snprintf(text, sizeof text, "%d", list[0]);
    } else {
        snprintf(text, sizeof text, "%d of them", n);
    }
    return cJSON_CreateString(text);
}

static cJSON *limit(bool automatic, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return automatic ? cJSON_CreateNull() : cJSON_CreateRaw(text);
}

static cJSON *describe(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                       const struct attn_page *page)
{
    const bool one = m->aggregate != ATTNMAP_EACH;
    cJSON *o = jsonout_document();
    cJSON_AddBoolToObject(o, "one", one);
    cJSON_AddItemToObject(o, "layer", jsonout_int(one ? 0 : page->layer));
    cJSON_AddItemToObject(o, "head", jsonout_int(one ? 0 : page->head));
    cJSON_AddItemToObject(o, "layers", jsonout_ints(m->layers, (size_t)m->n_layers));
    cJSON_AddItemToObject(o, "heads", jsonout_ints(m->heads, (size_t)m->n_heads));
    cJSON_AddItemToObject(o, "layers_text", list_text(m->layers, m->n_layers));
    cJSON_AddItemToObject(o, "heads_text", list_text(m->heads, m->n_heads));
    cJSON_AddItemToObject(o, "n_prompt", jsonout_int(m->n_prompt));
    cJSON_AddStringToObject(o, "norm", heatmap_norm_names[page->norm]);
    cJSON_AddItemToObject(o, "vmin", limit(false, page->auto_min ? 0 : page->vmin));
    cJSON_AddItemToObject(o, "vmax", limit(page->auto_max, page->vmax));
    cJSON_AddItemToObject(o, "title", page->title
                                          ? jsonout_string(page->title, strlen(page->title))
                                          : cJSON_CreateNull());
    cJSON_AddItemToObject(o, "ids", jsonout_ints(m->tok, (size_t)m->n_tok));
    cJSON *tokens = cJSON_AddArrayToObject(o, "tokens");
    for (int32_t i = 0; i < m->n_tok; i++) {
        size_t n_bytes = 0;
        const char *bytes = gpt2c_tokenizer_bytes(tokenizer, m->tok[i], &n_bytes);
        cJSON_AddItemToArray(tokens, jsonout_string(bytes ? bytes : "", n_bytes));
    }
    return o;
}

/* JSON inside an element: no "<" may appear, or a token could end the element. */
static void write_json(cJSON *o, FILE *f)
{
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    if (!text) {
        exit(cli_fail(EXIT_MEMORY, "out of memory: the description of a page"));
    }
    for (const char *s = text; *s; s++) {
        if (*s == '<') {
            fputs("\\u003c", f);
        } else {
            fputc(*s, f);
        }
    }
    free(text);
}

static void write_data(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                       const struct attn_page *page, FILE *f)
{
    cJSON *o = describe(m, tokenizer, page);
    char colors[256 * 4 + 1];
    FILE *memory = fmemopen(colors, sizeof colors, "w");
    if (!memory) {
        exit(cli_fail(EXIT_MEMORY, "out of memory: the colours of a page"));
    }
    struct base64 b = {.f = memory};
    for (int i = 0; i < 256; i++) {
        const struct color c = colormap_entry(page->map, i);
        base64_put(&b, c.r);
        base64_put(&b, c.g);
        base64_put(&b, c.b);
    }
    fclose(memory);
    colors[256 * 4] = '\0';
    cJSON_AddStringToObject(o, "colors", colors);
    fputs("<script type=\"application/json\" id=\"meta\">", f);
    write_json(o, f);
    fputs("</script>\n", f);
    for (int32_t i = 0; i < m->n_maps; i++) {
        fprintf(f, "<script type=\"text/plain\" id=\"m%d\">", i);
        write_map(attnmap_of(m, i / m->n_heads, i % m->n_heads), m->n_tok, f);
        fputs("</script>\n", f);
    }
}

int attn_write_page(const struct attnmap *m, const gpt2c_tokenizer *tokenizer,
                    const struct attn_page *page, const char *path)
{
    static const char mark[] = "<!--DATA-->\n";
    const size_t n_bytes =
        (size_t)m->n_maps * (size_t)m->n_tok * (size_t)(m->n_tok + 1) / 3 * 4;
    if (n_bytes > most_bytes) {
        return cli_fail(EXIT_RUNTIME,
                        "%s: %d maps of %d tokens make a page of %zu MiB, which browsers do not "
                        "open (limit %zu); choose fewer by --layer and --head",
                        path, m->n_maps, m->n_tok, n_bytes >> 20, most_bytes >> 20);
    }
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    const char *data = strstr(page_text, mark);
    fwrite(page_text, 1, (size_t)(data - page_text), out.f);
    write_data(m, tokenizer, page, out.f);
    fputs(data + strlen(mark), out.f);
    return outfile_commit(&out);
}
