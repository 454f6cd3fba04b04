/* Opening a vocabulary, text to ids in one call, and ids to text. */
#include "tokenizer.h"

#include "bpe.h"
#include "pretokenize.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* dir/name on the heap. */
static char *join(const char *dir, const char *name)
{
    const size_t n = strlen(dir) + strlen(name) + 2;
    char *const path = malloc(n);
    if (path) {
        snprintf(path, n, "%s/%s", dir, name);
    }
    return path;
}

gpt2c_status gpt2c_tokenizer_open(gpt2c_tokenizer **out, const char *dir, gpt2c_error *err)
{
    if (!out || !dir) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_tokenizer_open: out or dir is NULL");
    }
    *out = NULL;
    char *const tokens = join(dir, "vocab.json");
    char *const merges = join(dir, "merges.txt");
    gpt2c_tokenizer *t = calloc(1, sizeof *t);
    gpt2c_status st = tokens && merges && t ? GPT2C_OK
                                            : status_fail(err, GPT2C_E_NOMEM,
                                                          "%s: no memory for the tokenizer", dir);
    if (!st) {
        st = vocab_files_load(&t->vocab, tokens, merges, err);
    }
    if (st) {
        gpt2c_tokenizer_close(&t);
    }
    free(tokens);
    free(merges);
    *out = t;
    return st;
}

void gpt2c_tokenizer_close(gpt2c_tokenizer **tokenizer)
{
    if (tokenizer && *tokenizer) {
        vocab_free(&(*tokenizer)->vocab);
        free(*tokenizer);
        *tokenizer = NULL;
    }
}

int32_t gpt2c_tokenizer_n_vocab(const gpt2c_tokenizer *tokenizer)
{
    return (int32_t)tokenizer->vocab.n_vocab;
}

gpt2c_token gpt2c_tokenizer_eos(const gpt2c_tokenizer *tokenizer)
{
    const uint32_t eos = tokenizer->vocab.eos;
    return eos == VOCAB_NONE ? -1 : (gpt2c_token)eos;
}

const char *gpt2c_tokenizer_bytes(const gpt2c_tokenizer *tokenizer, gpt2c_token token,
                                  size_t *n_bytes)
{
    *n_bytes = 0;
    if (token < 0 || token >= gpt2c_tokenizer_n_vocab(tokenizer)) {
        return NULL;
    }
    return (const char *)vocab_bytes(&tokenizer->vocab, (uint32_t)token, n_bytes);
}

/* The first special token in [p, end): where, and which. */
static const unsigned char *find_special(const struct vocab *v, const unsigned char *p,
                                         const unsigned char *end, uint32_t *id)
{
    for (; p < end; p++) {
        for (uint32_t i = v->special_first[*p]; i < v->special_first[*p + 1]; i++) {
            size_t n = 0;
            const unsigned char *const bytes = vocab_bytes(v, v->specials[i], &n);
            if (n <= (size_t)(end - p) && memcmp(p, bytes, n) == 0) {
                *id = v->specials[i];
                return p;
            }
        }
    }
    return NULL;
}

gpt2c_status gpt2c_tokenizer_encode(const gpt2c_tokenizer *tokenizer, const char *text,
                                    size_t text_bytes, gpt2c_special special, gpt2c_token *out,
                                    size_t cap, size_t *n_tok, gpt2c_error *err)
{
    const struct vocab *const v = &tokenizer->vocab;
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *const end = text_bytes ? p + text_bytes : p;
    uint32_t *const piece = malloc((text_bytes + 1) * sizeof *piece);
    *n_tok = 0;
    if (!piece) {
        return status_fail(err, GPT2C_E_NOMEM, "no memory to encode %zu bytes", text_bytes);
    }
    while (p < end) {
        uint32_t id = VOCAB_NONE;
        const unsigned char *const found =
            special == GPT2C_SPECIAL_TEXT ? NULL : find_special(v, p, end, &id);
        const unsigned char *const stop = found ? found : end;
        if (found && special == GPT2C_SPECIAL_ERROR) {
            free(piece);
            return status_fail(err, GPT2C_E_ARG, "the text holds a special token at byte %zu",
                               (size_t)(found - (const unsigned char *)text));
        }
        while (p < stop) {
            enum pretokenize_class class;
            const size_t n = pretokenize_piece(p, stop, &class);
            const size_t n_new = bpe_encode(v, p, n, piece);
            for (size_t i = 0; i < n_new; i++, (*n_tok)++) {
                if (*n_tok < cap) {
                    out[*n_tok] = (gpt2c_token)piece[i];
                }
            }
            p += n;
        }
        if (found) {
            size_t n = 0;
            vocab_bytes(v, id, &n);
            if (*n_tok < cap) {
                out[*n_tok] = (gpt2c_token)id;
            }
            (*n_tok)++;
            p += n;
        }
    }
    free(piece);
    return GPT2C_OK;
}
