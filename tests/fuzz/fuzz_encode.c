/* Any text, in one call and in parts, on a vocabulary of its own: the ids are those of the
 * definition piece by piece, and the text comes back. The first bytes choose the vocabulary and the
 * parts. */
#include "../unit/random_vocab.h"
#include "bpe.h"
#include "encode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { N_VOCABS = 16, TEXT_MAX = 4096 };

struct ids {
    gpt2c_token tok[TEXT_MAX];
    size_t n;
};

static int collect(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct ids *ids = user;
    if (n_tok > TEXT_MAX - ids->n) {
        abort();
    }
    memcpy(ids->tok + ids->n, tok, n_tok * sizeof *tok);
    ids->n += n_tok;
    return 0;
}

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void define(const struct vocab *v, const unsigned char *text, size_t n, struct ids *out)
{
    uint32_t tok[TEXT_MAX];
    out->n = 0;
    for (const unsigned char *p = text; p < text + n;) {
        enum pretokenize_class class;
        size_t at = 0;
        const size_t n_piece = pretokenize_piece(p, text + n, &class);
        size_t n_tok = n_piece;
        for (size_t i = 0; i < n_piece; i++) {
            tok[i] = v->byte_token[p[i]];
        }
        while (bpe_step(v, tok, &n_tok, &at) != VOCAB_NONE) {
        }
        collect(out, (const gpt2c_token *)tok, n_tok);
        p += n_piece;
    }
}

static void check_text(const gpt2c_tokenizer *t, const char *text, size_t n, size_t part)
{
    static struct ids right;
    static struct ids found;
    static char back[TEXT_MAX];
    gpt2c_encoder *encoder = NULL;
    size_t n_back = 0;
    define(&t->vocab, (const unsigned char *)text, n, &right);
    require(gpt2c_tokenizer_encode(t, text, n, GPT2C_SPECIAL_ALLOW, found.tok, TEXT_MAX, &found.n,
                                   NULL) == GPT2C_OK);
    require(found.n == right.n && !memcmp(found.tok, right.tok, right.n * sizeof *right.tok));
    found.n = 0;
    require(gpt2c_encoder_create(&encoder, t, GPT2C_SPECIAL_ALLOW, 1, collect, &found, NULL) ==
            GPT2C_OK);
    for (size_t at = 0; at < n; at += part) {
        const size_t left = n - at;
        require(gpt2c_encoder_feed(encoder, text + at, left < part ? left : part, NULL) ==
                GPT2C_OK);
    }
    require(gpt2c_encoder_finish(encoder, NULL) == GPT2C_OK);
    gpt2c_encoder_free(&encoder);
    require(found.n == right.n && !memcmp(found.tok, right.tok, right.n * sizeof *right.tok));
    require(gpt2c_tokenizer_decode(t, found.tok, found.n, back, TEXT_MAX, &n_back, NULL) ==
            GPT2C_OK);
    require(n_back == n && memcmp(back, text, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static struct gpt2c_tokenizer tokenizers[N_VOCABS];
    static struct tokenizer_lazy lazy[N_VOCABS];
    if (n_bytes < 3 || n_bytes > TEXT_MAX) {
        return 0;
    }
    const unsigned which = data[0] % N_VOCABS;
    gpt2c_tokenizer *const t = &tokenizers[which];
    if (!t->lazy) {
        require(random_vocab_make(&t->vocab, which + 1, 1 + which % 4, 10 + 4 * which, which % 2));
        t->lazy = &lazy[which];
    }
    check_text(t, (const char *)data + 2, n_bytes - 2,
               1 + data[1] * (size_t)(1 + data[0] / N_VOCABS));
    return 0;
}
