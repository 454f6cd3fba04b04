/* vocab.json and merges.txt: one pass over each. Only the first line of merges.txt may be a
 * comment: real merges begin with '#', too. */
#include "vocab_builder.h"

#include "jsonscan.h"
#include "mapfile.h"
#include "status.h"

#include <string.h>

static gpt2c_status load_tokens(struct vocab_builder *builder, const struct mapfile *file,
                                gpt2c_error *err)
{
    struct jsonscan scan;
    size_t n = 0;
    bool more = true;
    jsonscan_init(&scan, file->data, file->n_bytes, file->path);
    gpt2c_status st = jsonscan_expect(&scan, '{', err);
    while (!st && more) {
        uint32_t id = 0;
        st = jsonscan_next(&scan, '}', &n, &more, err);
        if (st || !more) {
            break;
        }
        st = jsonscan_key(&scan, err);
        if (!st) {
            st = jsonscan_uint(&scan, INT32_MAX, &id, err);
        }
        if (!st) {
            st = vocab_builder_token(builder, scan.text, scan.n_text, id, err);
        }
    }
    if (!st) {
        st = jsonscan_end(&scan, err);
    }
    jsonscan_free(&scan);
    return st;
}

static size_t count_lines(const struct mapfile *file)
{
    size_t n = 1;
    const unsigned char *p = file->data;
    const unsigned char *const end = file->n_bytes ? p + file->n_bytes : p;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

static gpt2c_status load_merges(struct vocab_builder *builder, const struct mapfile *file,
                                gpt2c_error *err)
{
    static const char version[] = "#version";
    const char *p = (const char *)file->data;
    const char *const end = file->n_bytes ? p + file->n_bytes : p;
    gpt2c_status st = GPT2C_OK;
    builder->unit = "line";
    for (builder->number = 1; p < end && !st; builder->number++) {
        const char *const newline = memchr(p, '\n', (size_t)(end - p));
        const char *const next = newline ? newline + 1 : end;
        size_t n = (size_t)((newline ? newline : end) - p);
        n -= n > 0 && p[n - 1] == '\r';
        const bool comment = builder->number == 1 && n >= strlen(version) &&
                             memcmp(p, version, strlen(version)) == 0;
        if (!comment && (n > 0 || next < end)) {
            st = vocab_builder_line(builder, p, n, err);
        }
        p = next;
    }
    return st;
}

gpt2c_status vocab_files_load(struct vocab *vocab, const char *vocab_json, const char *merges_txt,
                              gpt2c_error *err)
{
    struct mapfile tokens = {0};
    struct mapfile merges = {0};
    struct vocab_builder builder = {.tokens_file = vocab_json, .merges_file = merges_txt};
    *vocab = (struct vocab){.n_vocab = 0};
    gpt2c_status st = mapfile_open(&tokens, vocab_json, false, VOCAB_MAX_FILE_BYTES, err);
    if (!st) {
        st = vocab_builder_init(&builder, vocab, tokens.n_bytes, err);
    }
    if (!st) {
        st = load_tokens(&builder, &tokens, err);
    }
    mapfile_close(&tokens);
    if (!st) {
        st = mapfile_open(&merges, merges_txt, false, VOCAB_MAX_FILE_BYTES, err);
    }
    if (!st) {
        st = vocab_builder_seal(&builder, count_lines(&merges), err);
    }
    if (!st) {
        st = load_merges(&builder, &merges, err);
    }
    if (!st) {
        st = vocab_builder_finish(&builder, err);
    }
    vocab_builder_free(&builder);
    mapfile_close(&merges);
    return st;
}
